"""Bringing penalties and standing into line with what counts: whatever changed, the whole account is settled anew.

So the order in which changes are read does not matter, nor how often. A penalty that a person lifted stays lifted; one
that is over stays over; only what is under way is taken back when what led to it counts no more.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.access.caller import SYSTEM_ID
from pipeline.fraud.penalties import words
from pipeline.fraud.penalties.ladder import Due, due
from pipeline.fraud.penalties.notices import Kind, Notice, note
from pipeline.fraud.penalties.strikes import counting
from pipeline.ids import uuid7
from pipeline.masterdata.master import MasterData
from pipeline.reports.standing import BLOCKING

# In teacher order, so that two that share teachers never wait for each other crosswise
_LOCK = text("""
    SELECT id, tenant_id, standing, standing_until, standing_reason FROM access.account
    WHERE id = ANY (:accounts) ORDER BY id FOR NO KEY UPDATE
""")
_PENALTIES = text("""
    SELECT id, account_id, code, level, cause_id, report_id, strikes, reason, starts_at, until, status
    FROM fraud.penalty WHERE account_id = ANY (:accounts) ORDER BY starts_at, id
""")
_INSERT = text("""
    INSERT INTO fraud.penalty (id, tenant_id, account_id, code, level, cause_id, report_id, strikes, reason, penalties_version, starts_at,
                               until, status, appeal_role, appeal_until, created_at, modified_at)
    SELECT v.id, v.tenant_id, v.account_id, v.code, v.level, v.cause_id, v.report_id,
           ARRAY(SELECT CAST(s AS uuid) FROM jsonb_array_elements_text(v.strikes) AS s), v.reason, v.version, v.starts_at,
           v.until, v.status, v.appeal_role, v.appeal_until, :now, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, tenant_id text, account_id uuid, code text, level int, cause_id uuid, report_id uuid, strikes jsonb, reason text,
             version int, starts_at timestamptz, until timestamptz, status text, appeal_role text, appeal_until timestamptz)
""")
_CHANGE = text("""
    UPDATE fraud.penalty p
    SET status = v.status, reason = v.reason, strikes = ARRAY(SELECT CAST(s AS uuid) FROM jsonb_array_elements_text(v.strikes) AS s),
        lifted_at = CASE WHEN v.status = 'LIFTED' THEN :now END, lifted_by = CASE WHEN v.status = 'LIFTED' THEN CAST(:system AS uuid) END,
        lift_reason = CASE WHEN v.status = 'LIFTED' THEN :why ELSE p.lift_reason END, modified_at = :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, status text, reason text, strikes jsonb)
    WHERE p.id = v.id AND p.status = 'ACTIVE'
""")
_STAND = text("""
    UPDATE access.account a SET standing = v.standing, standing_until = v.until, standing_reason = v.reason
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, standing text, until timestamptz, reason text)
    WHERE a.id = v.id
""")


@dataclass
class _Account:
    """One teacher while being settled."""

    row: Row[Any]
    dues: Sequence[Due]
    penalties: Sequence[Row[Any]]
    new: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    active: list[tuple[int, datetime | None, str, str]] = field(default_factory=list)  # level, until, code, reason

    def tell(self, kind: Kind, report_id: UUID, penalty_id: UUID, at: datetime) -> None:
        self.notices.append(Notice(kind, self.row.tenant_id, self.row.id, report_id, penalty_id, at))


def settle(conn: Connection, md: MasterData, account_ids: Sequence[UUID], now: datetime) -> None:
    """Impose what is due, end what is over, take back what no longer holds, and set the standing. Does not commit.

    Locks the accounts. Accounts outside the connection's scope are left alone.
    """
    locked = conn.execute(_LOCK, {"accounts": list(account_ids)}).all()
    ids = [row.id for row in locked]
    if not ids:
        return
    strikes = counting(conn, ids)
    stored: dict[UUID, list[Row[Any]]] = {account: [] for account in ids}
    for penalty in conn.execute(_PENALTIES, {"accounts": ids}):
        stored[penalty.account_id].append(penalty)
    accounts = []
    for row in locked:
        zone = md.tenant(row.tenant_id).timezone
        dues = due(strikes[row.id], md.penalties(row.tenant_id), md.penalty_escalation(row.tenant_id), zone)
        account = _Account(row, dues, stored[row.id])
        _compare(md, account, now)
        accounts.append(account)
    _write(conn, accounts, now)


def _compare(md: MasterData, account: _Account, now: datetime) -> None:
    """What must change so that the account's penalties are those that are due."""
    known = {(penalty.cause_id, penalty.code): penalty for penalty in account.penalties}
    wanted = {(one.cause.id, one.step.code): one for one in account.dues}
    for key, one in wanted.items():
        if key not in known:
            _impose(md, account, one, now)
    levels = {one.cause.id: one.step.level for one in account.dues}
    for key, penalty in known.items():
        if penalty.status != "ACTIVE":
            continue
        match = wanted.get(key)
        if match is None:
            account.changed.append(_changed(penalty, "LIFTED", penalty.reason, penalty.strikes))
            if penalty.code in BLOCKING and levels.get(penalty.cause_id, 0) < penalty.level:
                account.tell("LIFTED", penalty.report_id, penalty.id, now)
            continue
        counted, reason = [strike.id for strike in match.counted], _reason(match)
        over = penalty.until is not None and penalty.until <= now
        if over or counted != penalty.strikes:
            account.changed.append(_changed(penalty, "EXPIRED" if over else "ACTIVE", reason, counted))
        if not over:
            account.active.append((penalty.level, penalty.until, penalty.code, reason))
        elif penalty.code in BLOCKING:
            account.tell("ENDED", penalty.report_id, penalty.id, penalty.until)
    if any(code in BLOCKING for _, _, code, _ in account.active):  # it is not over for the teacher while another one blocks
        account.notices = [notice for notice in account.notices if notice.kind not in ("ENDED", "LIFTED")]


def _impose(md: MasterData, account: _Account, one: Due, now: datetime) -> None:
    tenant_id, step, penalty_id = account.row.tenant_id, one.step, uuid7(one.cause.at)
    over = one.until is not None and one.until <= now
    window = step.appeal_window
    appeal_until = None
    if step.can_appeal and window is not None:
        appeal_until = (one.cause.at + window.span).isoformat()
    account.new.append(
        {
            "id": str(penalty_id),
            "tenant_id": tenant_id,
            "account_id": str(account.row.id),
            "code": step.code,
            "level": step.level,
            "cause_id": str(one.cause.id),
            "report_id": str(one.cause.report_id),
            "strikes": [str(strike.id) for strike in one.counted],
            "reason": _reason(one),
            "version": md.version_of("FRAUD-DETECTION", "ApplicantPenalties", tenant_id),
            "starts_at": one.cause.at.isoformat(),
            "until": None if one.until is None else one.until.isoformat(),
            "status": "EXPIRED" if over else "ACTIVE",
            "appeal_role": step.appeal_to_role if step.can_appeal else None,
            "appeal_until": appeal_until,
        }
    )
    if not over:  # what was over before anybody knew of it is only kept
        account.active.append((step.level, one.until, step.code, _reason(one)))
        account.tell("IMPOSED", one.cause.report_id, penalty_id, one.cause.at)


def _reason(one: Due) -> str:
    return words.reason(one.step, len(one.counted), one.by_fraud, "en_IN")


def _changed(penalty: Row[Any], status: str, reason: str, strikes: Sequence[UUID]) -> dict[str, Any]:
    return {"id": str(penalty.id), "status": status, "reason": reason, "strikes": [str(strike) for strike in strikes]}


def _write(conn: Connection, accounts: Sequence[_Account], now: datetime) -> None:
    new = [row for account in accounts for row in account.new]
    changed = [row for account in accounts for row in account.changed]
    standings = [standing for account in accounts if (standing := _standing(account, now)) is not None]
    if new:
        conn.execute(_INSERT, {"rows": json.dumps(new), "now": now})
    if changed:
        params = {"rows": json.dumps(changed), "now": now, "system": SYSTEM_ID, "why": words.TAKEN_BACK["en_IN"]}
        conn.execute(_CHANGE, params)
    if standings:
        conn.execute(_STAND, {"rows": json.dumps(standings)})
    note(conn, [notice for account in accounts for notice in account.notices])


def _standing(account: _Account, now: datetime) -> Mapping[str, Any] | None:
    """The standing that follows: the severest block under way, else a warning while behaviour is watched. None: as it is."""
    blocking = [one for one in account.active if one[2] in BLOCKING]
    lifted = {(penalty.cause_id, penalty.code) for penalty in account.penalties if penalty.status == "LIFTED"}
    watched = [one for one in account.dues if one.watched_until > now and (one.cause.id, one.step.code) not in lifted]
    standing, until, reason = "GOOD", None, None
    if blocking:
        _, until, standing, reason = max(blocking, key=lambda one: (one[0], one[1] is None, one[1] or now))
    elif watched:
        last = watched[-1]
        standing, until, reason = "WARNING", last.watched_until, _reason(last)
    row = account.row
    if (row.standing, row.standing_until, row.standing_reason) == (standing, until, reason):
        return None
    return {"id": str(row.id), "standing": standing, "until": None if until is None else until.isoformat(), "reason": reason}
