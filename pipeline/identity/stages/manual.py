"""MANUAL_ADJUDICATION: what a person has said of a pair that the comparison left open, and the command by which they say it."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.access.caller import Caller
from pipeline.access.policy import check
from pipeline.audit.log import record
from pipeline.errors import AppError
from pipeline.identity.registration.reasons import clean_reason
from pipeline.identity.stages import actions
from pipeline.identity.stages.base import HOLD_RULE, Context, Hold, Message, Passed, Rejected, Verdict

Decision = Literal["UNIQUE", "DUPLICATE"]

_SAID = text("SELECT status_code, candidate_id FROM regprc.manual_verification WHERE registration_id = :id")
_FIND = text("""
    SELECT m.id, m.registration_id, m.candidate_id, m.status_code, r.status_code AS registration_status, r.pause_rule
    FROM regprc.manual_verification m JOIN regprc.registration r ON r.id = m.registration_id
    WHERE m.id = :id FOR NO KEY UPDATE OF m, r
""")
_DECIDE = text("""
    UPDATE regprc.manual_verification SET status_code = :decision, decided_by = :by, decided_at = :now, reason = :reason WHERE id = :id
""")
_PENDING = text("SELECT count(*) FROM regprc.manual_verification WHERE registration_id = :id AND status_code = 'PENDING'")


def run(ctx: Context) -> Verdict:
    """On when nothing was asked or everybody is somebody else; waits while something is open."""
    said = ctx.conn.execute(_SAID, {"id": ctx.registration.id}).all()
    if not said:
        return Passed("ADJUDICATION_NOT_NEEDED")
    sent = (Message("22/04"),)
    same = next((row.candidate_id for row in said if row.status_code == "DUPLICATE"), None)
    if same is not None:
        return Rejected("ADJUDICATED_DUPLICATE", f"the same person as registration {same}", {}, sent)
    waiting = sum(row.status_code == "PENDING" for row in said)
    if waiting:
        return Passed("DUPLICATE_SUSPECTED", {"pending": waiting}, (), Hold(HOLD_RULE), f"{waiting} to be decided by a person")
    return Passed("ADJUDICATED_UNIQUE", {"decided": len(said)}, sent)


def decide(conn: Connection, caller: Caller, verification_id: UUID, decision: Decision, reason: str, now: datetime) -> None:
    """Say whether two registrations are one person's. The last open pair of a registration lets it go on or ends it. Does not commit.

    Raises SDCRS_FORBIDDEN, SDCRS_NOT_FOUND, SDCRS_INVALID_REQUEST and SDCRS_VERIFICATION_DECIDED.
    """
    check(caller, "decide_identity")
    words = clean_reason(reason)
    row = conn.execute(_FIND, {"id": verification_id}).one_or_none()
    if row is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Pair of registrations", id=str(verification_id))
    if row.status_code != "PENDING":
        raise AppError("SDCRS_VERIFICATION_DECIDED", status=row.status_code)
    conn.execute(_DECIDE, {"id": verification_id, "decision": decision, "by": caller.account_id, "now": now, "reason": words})
    details = {"registrationId": str(row.registration_id), "candidateId": str(row.candidate_id), "decision": decision}
    role = actions.role_of(caller)
    tenant_id = actions.tenant_of(conn, row.registration_id)
    record(conn, tenant_id, caller.account_id, role, "DUPLICATE_DECIDED", "REGISTRATION", str(row.registration_id), now, details=details)
    if row.registration_status == "PAUSED" and row.pause_rule == HOLD_RULE:
        open_pairs = conn.execute(_PENDING, {"id": row.registration_id}).scalar_one()
        if decision == "DUPLICATE" or open_pairs == 0:
            actions.go_on(conn, caller, row.registration_id, words, now)
