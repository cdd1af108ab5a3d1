"""SECUREZONE_NOTIFICATION: the packet is asked for and received, and each component is compared with its hashes and the announcement."""

import hashlib
import json
from typing import Any
from uuid import UUID

from sqlalchemy import text

from pipeline.errors import AppError
from pipeline.identity.packet.component import MAX_MISMATCH, Announced
from pipeline.identity.stages.base import Context, Failed, Message, Passed, Verdict

_VERIFIED = text("""
    UPDATE regprc.component c SET verified = v.verified, mismatch = v.mismatch
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, verified text, mismatch text) WHERE c.id = v.id
""")
_MESSAGES = (Message("22/01"), Message("22/02"))


def run(ctx: Context) -> Verdict:
    """Every component is looked at, also after one that is wrong, so that the client learns of all of them at once."""
    one = ctx.registration
    announced = Announced(one.reg_id, one.process, one.source, one.schema_version)
    found: dict[str, dict[str, str]] = {}
    wrong: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for name, part in ctx.packet.parts.items():
        mismatch, checks = _look_at(ctx, name, announced)
        found[name] = checks
        if mismatch is not None:
            wrong[name] = mismatch
        rows.append(_row(part.id, mismatch))
    ctx.conn.execute(_VERIFIED, {"rows": json.dumps(rows)})
    details = {"components": found}
    if wrong:
        named = ", ".join(wrong)
        return Failed("PACKET_MISMATCH", f"{named}: {next(iter(wrong.values()))}"[:MAX_MISMATCH], details, _MESSAGES)
    schema = ctx.md.id_schemas(one.tenant_id).get(one.schema_version)
    missing = [name for name in schema.components if name not in ctx.packet.parts] if schema is not None else []
    if missing:
        return Failed("COMPONENT_MISSING", f"the schema asks for {', '.join(missing)}", details, _MESSAGES)
    return Passed("PACKET_VERIFIED", details, _MESSAGES)


def _look_at(ctx: Context, name: str, announced: Announced) -> tuple[str | None, dict[str, str]]:
    part = ctx.packet.parts[name]
    if hashlib.sha256(ctx.packet.data[name]).digest() != part.sha256:
        return "the stored file is not the one that was uploaded", {"file": "MISMATCH"}
    try:
        verdict = ctx.packet.component(name).verify(announced, part.sidecar)
    except AppError as error:
        if not error.code.startswith("SDCRS_PACKET_"):
            raise
        return error.message[:MAX_MISMATCH], {"file": "VERIFIED", "content": "MISMATCH"}
    return verdict.mismatch, {"file": "VERIFIED", **verdict.checks}


def _row(part_id: UUID, mismatch: str | None) -> dict[str, Any]:
    return {"id": str(part_id), "verified": "VERIFIED" if mismatch is None else "MISMATCH", "mismatch": mismatch}
