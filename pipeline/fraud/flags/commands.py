"""What people do with flags: take one, give it back, escalate it, resolve it, correct a resolution. Each is audited.

Many at once, with a result for each. Every command takes the caller's own connection, sees his area alone, and does not commit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from pipeline.access import policy
from pipeline.access.caller import Caller
from pipeline.audit.log import record
from pipeline.errors import AppError
from pipeline.fraud.flags import life
from pipeline.fraud.flags.life import Action, Resolution

MAX_FLAGS = 100  # one page of a list, which is what somebody can select
COMMENT_MAX = 1000

_LOCK = text("""
    SELECT id, tenant_id, report_id, account_id, rule_id, status, escalated_to, taken_at, taken_by, resolution, resolved_at, resolved_by,
           comment
    FROM fraud.flag WHERE id = ANY (:ids) ORDER BY id FOR UPDATE
""")
_WRITE = text("""
    UPDATE fraud.flag
    SET status = :status, escalated_to = :escalated_to, taken_at = :taken_at, taken_by = :taken_by, resolution = :resolution,
        resolved_at = :resolved_at, resolved_by = :resolved_by, comment = :comment, by_decision = by_decision AND :action <> 'CORRECT',
        modified_at = :now
    WHERE id = :id
""")


@dataclass(frozen=True)
class Worked:
    """What became of one flag: its new state, or the error that stopped it."""

    flag_id: UUID
    state: str | None = None
    error: AppError | None = None

    @property
    def ok(self) -> bool:
        return self.error is None


@dataclass(frozen=True)
class Deed:
    """What is to be done. `to_role`: of ESCALATE, None for the next one up; `resolution`: of RESOLVE and CORRECT."""

    action: Action
    comment: str | None = None
    resolution: Resolution | None = None
    to_role: str | None = None


def work(conn: Connection, caller: Caller, flag_ids: Sequence[UUID], deed: Deed, now: datetime) -> list[Worked]:
    """Do it to each of these flags, with a result for each in the order given. Does not commit.

    Raises SDCRS_FORBIDDEN, SDCRS_INVALID_REQUEST, SDCRS_FACT_MISSING (a correction needs a comment). Errors per flag:
    SDCRS_NOT_FOUND, SDCRS_FORBIDDEN (escalated above the caller), SDCRS_FLAG_NOT_POSSIBLE.
    """
    policy.check(caller, "correct_flags" if deed.action == "CORRECT" else "review_flags")
    comment = _check(flag_ids, deed)
    rows = {row["id"]: row for row in conn.execute(_LOCK, {"ids": list(flag_ids)}).mappings()}
    results = []
    for flag_id in dict.fromkeys(flag_ids):
        row = rows.get(flag_id)
        try:
            if row is None:
                raise AppError("SDCRS_NOT_FOUND", kind="Flag", id=str(flag_id))
            changed = _changed(caller, row, deed, comment, now)
        except AppError as error:
            results.append(Worked(flag_id, error=error))
            continue
        conn.execute(_WRITE, changed | {"id": flag_id, "now": now, "action": deed.action})
        _audit(conn, caller, row, deed, changed, now)
        results.append(Worked(flag_id, state=str(changed["status"])))
    return results


def can_work(caller: Caller, action: Action, state: life.State, escalated_to: str | None) -> bool:
    """Whether the action is possible for the caller: for buttons."""
    operation: policy.Operation = "correct_flags" if action == "CORRECT" else "review_flags"
    allowed = policy.can(caller, operation) and life.reaches(caller.roles, escalated_to)
    return allowed and life.next_state(state, action, escalated_to) is not None


def _check(flag_ids: Sequence[UUID], deed: Deed) -> str | None:
    if not 1 <= len(flag_ids) <= MAX_FLAGS:
        raise AppError("SDCRS_INVALID_REQUEST", field="flagIds", detail=f"1 to {MAX_FLAGS} at once")
    comment = (deed.comment or "").strip() or None
    if comment is not None and len(comment) > COMMENT_MAX:
        raise AppError("SDCRS_INVALID_REQUEST", field="comment", detail=f"has at most {COMMENT_MAX} characters")
    if deed.action in ("RESOLVE", "CORRECT") and deed.resolution not in life.RESOLUTIONS:
        raise AppError("SDCRS_INVALID_REQUEST", field="resolution", detail=f"must be one of {', '.join(life.RESOLUTIONS)}")
    if deed.action == "CORRECT" and comment is None:
        raise AppError("SDCRS_FACT_MISSING", action="The correction of a flag", field="comment")
    if deed.to_role is not None and deed.to_role not in life.LADDER[1:]:
        raise AppError("SDCRS_INVALID_REQUEST", field="toRole", detail=f"must be one of {', '.join(life.LADDER[1:])}")
    return comment


def _changed(caller: Caller, row: RowMapping, deed: Deed, comment: str | None, now: datetime) -> dict[str, Any]:
    """The columns of the flag after the deed."""
    state = life.next_state(row["status"], deed.action, row["escalated_to"])
    if state is None:
        raise AppError("SDCRS_FLAG_NOT_POSSIBLE", action=deed.action, state=row["status"])
    if not life.reaches(caller.roles, row["escalated_to"]):
        raise AppError("SDCRS_FORBIDDEN", reason="this flag was escalated to a higher role")
    if row["account_id"] == caller.account_id:
        raise AppError("SDCRS_FORBIDDEN", reason="nobody judges a flag of his own report")
    columns = {str(name): value for name, value in row.items()}
    columns |= {"status": state, "comment": comment if comment is not None else row["comment"]}
    if deed.action == "TAKE":
        columns |= {"taken_at": now, "taken_by": caller.account_id}
    elif deed.action in ("RELEASE", "ESCALATE"):
        columns |= {"taken_at": None, "taken_by": None}
    if deed.action == "ESCALATE":
        columns["escalated_to"] = _ear(row["escalated_to"], deed.to_role)
    if deed.action in ("RESOLVE", "CORRECT"):
        columns |= {"resolution": deed.resolution, "resolved_at": now, "resolved_by": caller.account_id}
    return columns


def _ear(before: str | None, wanted: str | None) -> str:
    """The role that hears it next; it goes up only."""
    above = life.above(before)
    if above is None:
        raise AppError("SDCRS_FLAG_NOT_POSSIBLE", action="ESCALATE", state="with the state admins")
    if wanted is None:
        return above
    if life.LADDER.index(wanted) < life.LADDER.index(above):
        raise AppError("SDCRS_INVALID_REQUEST", field="toRole", detail=f"must be {above} or above")
    return wanted


def _audit(conn: Connection, caller: Caller, row: RowMapping, deed: Deed, changed: Mapping[str, Any], now: datetime) -> None:
    role = life.LADDER[life.rank(caller.roles)]
    details = {"report": str(row["report_id"]), "rule": row["rule_id"], "from": row["status"], "to": changed["status"]}
    if deed.resolution is not None:
        details |= {"resolution": deed.resolution, "before": row["resolution"]}
    if deed.action == "ESCALATE":
        details["escalatedTo"] = changed["escalated_to"]
    record(conn, row["tenant_id"], caller.account_id, role, f"FLAG_{deed.action}", "FLAG", str(row["id"]), now, details=details)
