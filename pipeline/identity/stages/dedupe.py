"""DEMO_DEDUPE: is this person registered already? Candidates are found by keyed hashes, decrypted, and compared in the process.

No statement ever sees a name. Two registrations of one person that are compared at the same moment wait for each other: a lock on
each of their keys lets the second one see the first.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text

from pipeline.identity.idrepo.store import demographics_of
from pipeline.identity.stages.alike import Likeness, compared, keys, likeness
from pipeline.identity.stages.base import HOLD_RULE, Context, Hold, Message, Passed, Rejected, Verdict
from pipeline.ids import uuid7
from pipeline.vault.seal import keyed_hash

PURPOSE = "regprc.demographics"
SHOWN = 5  # candidates in the details of a transaction
MOST_ASKED = 10  # pairs that a person is asked about: the likeliest
COMPARED_FIELDS = ("fullName", "dateOfBirth", "gender", "phone")

_LOCK = text("SELECT pg_advisory_xact_lock(k) FROM unnest(CAST(:locks AS bigint[])) AS k")
_FORGET_KEYS = text("DELETE FROM regprc.demographic_key WHERE registration_id = :id")
_KEEP_KEYS = text("""
    INSERT INTO regprc.demographic_key (registration_id, kind, tenant_id, state_id, key_hash)
    SELECT :id, v.kind, :tenant_id, :state_id, decode(v.key, 'hex')
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(kind text, key text)
""")
_KEEP = text("""
    INSERT INTO regprc.demographic (id, tenant_id, state_id, demographics_sealed)
    VALUES (:id, :tenant_id, :state_id, :sealed)
    ON CONFLICT (id) DO UPDATE SET demographics_sealed = excluded.demographics_sealed
""")
_CANDIDATES = text("""
    SELECT c.registration_id, c.shared, d.demographics_sealed, m.status_code AS decided
    FROM (SELECT k.registration_id, count(*) AS shared
          FROM regprc.demographic_key k
          JOIN jsonb_to_recordset(CAST(:rows AS jsonb)) AS w(kind text, key text) ON k.kind = w.kind AND k.key_hash = decode(w.key, 'hex')
          WHERE k.state_id = :state_id AND k.registration_id <> :id
          GROUP BY k.registration_id) c
    JOIN regprc.registration r ON r.id = c.registration_id AND r.status_code NOT IN ('REJECTED', 'FAILED')
    JOIN regprc.demographic d ON d.id = c.registration_id
    LEFT JOIN regprc.manual_verification m ON m.registration_id = :id AND m.candidate_id = c.registration_id
    ORDER BY c.shared DESC, c.registration_id LIMIT :limit
""")
_ASK = text("""
    INSERT INTO regprc.manual_verification (id, tenant_id, registration_id, candidate_id, score, explanation, status_code, created_at)
    SELECT v.id, :tenant_id, :registration_id, v.candidate_id, v.score, v.explanation, 'PENDING', :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, candidate_id uuid, score int, explanation jsonb)
    ON CONFLICT (registration_id, candidate_id) DO UPDATE SET score = excluded.score, explanation = excluded.explanation
    WHERE regprc.manual_verification.status_code = 'PENDING'
""")


@dataclass(frozen=True)
class Candidate:
    """Somebody who may be the same person, and how alike the two are."""

    registration_id: UUID
    likeness: Likeness


def run(ctx: Context) -> Verdict:
    """At or above duplicateScore it is rejected, at or above reviewScore a person decides, below it goes on."""
    one = ctx.registration
    schema = ctx.md.id_schemas(one.tenant_id)[one.schema_version]
    fields = {name: value for name, value in ctx.packet.fields().items() if name in COMPARED_FIELDS}
    person = compared(fields, schema.languages)
    hashed = {kind: _key(ctx, kind, value) for kind, value in keys(person).items()}
    _keep(ctx, fields, hashed)
    found, more = _candidates(ctx, hashed)
    scored = [
        Candidate(row.registration_id, likeness(person, compared(_opened(ctx, row), schema.languages)))
        for row in found
        if row.decided != "UNIQUE"  # a person has said so before
    ]
    scored.sort(key=lambda candidate: (-candidate.likeness.score, candidate.registration_id))
    details: dict[str, Any] = {"candidates": len(found), "more": more, "best": [_shown(candidate) for candidate in scored[:SHOWN]]}
    rules = ctx.rules.dedupe
    sent = (Message("22/04"),)
    if scored and scored[0].likeness.score >= rules.duplicate_score:
        return Rejected("DUPLICATE", f"the same person as registration {scored[0].registration_id}", details, sent)
    unsure = [candidate for candidate in scored if candidate.likeness.score >= rules.review_score][:MOST_ASKED]
    if unsure:
        _ask(ctx, unsure)
        return Passed("DUPLICATE_SUSPECTED", details, sent, Hold(HOLD_RULE), f"{len(unsure)} to be decided by a person")
    return Passed("NO_DUPLICATE", details, sent)


def _key(ctx: Context, kind: str, value: str) -> bytes:
    return keyed_hash(ctx.rt.keyring, f"regprc.dedupe|{ctx.registration.state_id}|{kind}", value)


def _keep(ctx: Context, fields: Mapping[str, Any], hashed: Mapping[Any, bytes]) -> None:
    """This registration's own keys and what it is compared by, before anybody else is looked for: see _LOCK."""
    one = ctx.registration
    locks = sorted(int.from_bytes(key[:8], "big", signed=True) for key in hashed.values())
    ctx.conn.execute(_LOCK, {"locks": locks})
    ctx.conn.execute(_FORGET_KEYS, {"id": one.id})
    params = {"id": one.id, "tenant_id": one.tenant_id, "state_id": one.state_id}
    ctx.conn.execute(_KEEP_KEYS, {**params, "rows": _rows(hashed)})
    sealed = ctx.rt.vault.seal(PURPOSE, str(one.id), json.dumps(fields, ensure_ascii=False).encode())
    ctx.conn.execute(_KEEP, {**params, "sealed": sealed})


def _candidates(ctx: Context, hashed: Mapping[Any, bytes]) -> tuple[Sequence[Any], bool]:
    """Those who share most keys first, and whether there were more than may be looked at."""
    one, most = ctx.registration, ctx.rules.dedupe.max_candidates
    params = {"id": one.id, "state_id": one.state_id, "rows": _rows(hashed), "limit": most + 1}
    found = ctx.conn.execute(_CANDIDATES, params).all()
    return found[:most], len(found) > most


def _opened(ctx: Context, row: Any) -> dict[str, Any]:
    return demographics_of(ctx.rt, PURPOSE, row.registration_id, row.demographics_sealed)


def _ask(ctx: Context, unsure: Sequence[Candidate]) -> None:
    rows = [
        {
            "id": str(uuid7(ctx.now)),
            "candidate_id": str(candidate.registration_id),
            "score": candidate.likeness.score,
            "explanation": candidate.likeness.as_json(),
        }
        for candidate in unsure
    ]
    one = ctx.registration
    ctx.conn.execute(_ASK, {"tenant_id": one.tenant_id, "registration_id": one.id, "rows": json.dumps(rows), "now": ctx.now})


def _rows(hashed: Mapping[Any, bytes]) -> str:
    return json.dumps([{"kind": kind, "key": key.hex()} for kind, key in hashed.items()])


def _shown(candidate: Candidate) -> dict[str, Any]:
    return {"registrationId": str(candidate.registration_id), **candidate.likeness.as_json()}
