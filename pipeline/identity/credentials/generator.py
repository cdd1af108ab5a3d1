"""The request generator: takes requests for credentials, answers a repeated one as the first time, and lets people look, cancel and retry.

What is asked for is sealed with its row; the process job (process.py) issues it.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.errors import AppError
from pipeline.identity.effect import Failed
from pipeline.identity.messages import About, Accepted, CredentialRequest
from pipeline.packets.log import identity_header, write_packets
from pipeline.runtime import Runtime

SEALED = "credential.request"

_INSERT = text("""
    INSERT INTO credential.credential_transaction AS t
        (id, tenant_id, state_id, registration_id, partner_id, individual_id_hash, request_sealed, status_code, next_attempt_at,
         cr_dtimes, upd_dtimes)
    SELECT v.id, v.tenant_id, v.state_id, v.registration_id, v.partner_id, v.individual_id_hash, v.request_sealed, 'NEW', :now, :now, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, tenant_id text, state_id text, registration_id uuid, partner_id text,
                                                       individual_id_hash text, request_sealed text)
    ON CONFLICT (id) DO NOTHING RETURNING t.id
""")
_KNOWN = text("SELECT id, partner_id, individual_id_hash, registration_id FROM credential.credential_transaction WHERE id = ANY (:ids)")
_GET = text("SELECT * FROM credential.credential_transaction WHERE id = :id")
_CANCEL = text("""
    UPDATE credential.credential_transaction SET status_code = 'CANCELLED', upd_dtimes = :now
    WHERE id = :id AND status_code = 'NEW' AND issuances = 0
""")


def accept(rt: Runtime, asked: Sequence[CredentialRequest], now: datetime) -> list[Accepted | Failed]:
    """Take requests in. One that was taken before is answered the same; its id with other content is refused. Commits."""
    rows = [
        {
            "id": str(one.about.request_id),
            "tenant_id": one.about.tenant_id,
            "state_id": one.state_id,
            "registration_id": str(one.about.registration_id),
            "partner_id": one.partner_id,
            "individual_id_hash": one.individual_id_hash,
            "request_sealed": rt.vault.seal(SEALED, str(one.about.request_id), _written(one)),
        }
        for one in asked
    ]
    with rt.database.worker() as conn:
        fresh = set(conn.execute(_INSERT, {"rows": json.dumps(rows), "now": now}).scalars())
        old = [one.about.request_id for one in asked if one.about.request_id not in fresh]
        known = {row.id: row for row in conn.execute(_KNOWN, {"ids": old})} if old else {}
        answers: list[Accepted | Failed] = []
        for one in asked:
            request_id = one.about.request_id
            differs = request_id not in fresh and not _same(known.get(request_id), one)
            answers.append(Failed("SDCRS_IDEMPOTENCY_CONFLICT", final=True) if differs else Accepted(request_id))
        steps = [(one.about, step) for one in asked for step in ("23/04", "23/05") if step == "23/05" or one.about.request_id in fresh]
        write_packets(
            conn,
            [
                identity_header(
                    step, about.registration_id, about.tenant_id, now, correlation_id=about.request_id, causation_id=about.request_id
                )
                for about, step in steps
            ],
        )
    return answers


def opened(rt: Runtime, row: Row[Any]) -> CredentialRequest:
    """The request of a transaction's row. Raises SDCRS_DECRYPT_FAILED."""
    said = json.loads(rt.vault.unseal(SEALED, str(row.id), row.request_sealed))
    return CredentialRequest(
        about=About(row.tenant_id, row.registration_id, row.id),
        state_id=row.state_id,
        partner_id=row.partner_id,
        individual_id_hash=row.individual_id_hash,
        token_id=said["tokenId"],
        expires_at=None if said["expiresAt"] is None else datetime.fromisoformat(said["expiresAt"]),
        transaction_limit=said["transactionLimit"],
        individual_id=said["individualId"],
    )


def without_number(one: CredentialRequest) -> CredentialRequest:
    """The request as the credential service needs it: the hash is enough to find the person."""
    return replace(one, individual_id="")


def transaction(conn: Connection, request_id: UUID) -> Row[Any]:
    """A transaction that the connection's scope sees. Raises SDCRS_NOT_FOUND."""
    found = conn.execute(_GET, {"id": request_id}).one_or_none()
    if found is None:
        raise AppError("SDCRS_NOT_FOUND", kind="credential request", id=str(request_id))
    return found


def cancel(conn: Connection, request_id: UUID, now: datetime) -> None:
    """Take back a request of which nothing was issued yet. Does not commit. Raises SDCRS_NOT_FOUND, SDCRS_CREDENTIAL_STATE."""
    if not conn.execute(_CANCEL, {"id": request_id, "now": now}).rowcount:
        state = transaction(conn, request_id).status_code
        raise AppError("SDCRS_CREDENTIAL_STATE", action="cancel", state=state)


def _written(one: CredentialRequest) -> bytes:
    return json.dumps(
        {
            "individualId": one.individual_id,
            "tokenId": one.token_id,
            "expiresAt": None if one.expires_at is None else one.expires_at.isoformat(),
            "transactionLimit": one.transaction_limit,
        }
    ).encode()


def _same(row: Row[Any] | None, one: CredentialRequest) -> bool:
    said = (one.partner_id, one.individual_id_hash, one.about.registration_id)
    return row is not None and (row.partner_id, row.individual_id_hash, row.registration_id) == said
