"""The one door for a report's state: checks the transition table, another's claim and the row version, and writes.

It writes report, history and packet headers, nothing else, for one report or for many, with a result per item. What
follows from a state (payout, message, index) is a job or a follower. The table is master data; there is no action here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, TextClause, text

from pipeline.database.engine import Command, at_once
from pipeline.errors import AppError
from pipeline.ids import uuid7
from pipeline.masterdata.master import MasterData
from pipeline.masterdata.workflow import Transition
from pipeline.packets.catalogue import for_action
from pipeline.packets.log import PacketHeader, header_of, packets_written
from pipeline.reports.stale import stale_version

# The columns of sdcrs.report that a transition may set, with their types. Nothing else can be written through the door.
FACT_COLUMNS: dict[str, str] = {
    "gps_result": "text",
    "validated_at": "timestamptz",
    "fraud_score": "int",
    "risk_level": "text",
    "recommendation": "text",
    "queue": "text",
    "awaiting_teacher_at": "timestamptz",
    "paused_s": "int",
    "verified_at": "timestamptz",
    "verified_by": "uuid",
    "verification_remarks": "text",
    "rejected_at": "timestamptz",
    "rejected_by": "uuid",
    "rejection_reason": "text",
    "rejection_remarks": "text",
    "duplicate_of": "uuid",
    "assigned_officer_id": "uuid",
    "assigned_at": "timestamptz",
    "assigned_by": "uuid",
    "visit_started_at": "timestamptz",
    "visit_started_by": "uuid",
    "visit_latitude": "double precision",
    "visit_longitude": "double precision",
    "visit_completed_at": "timestamptz",
    "visit_completed_by": "uuid",
    "completed_latitude": "double precision",
    "completed_longitude": "double precision",
    "captured_at": "timestamptz",
    "resolution_type": "text",
    "resolution_remarks": "text",
    "unable_reason": "text",
    "payout_eligible": "boolean",
    "payout_status": "text",
    "payout_amount_paise": "bigint",
    "payout_initiated_at": "timestamptz",
    "payout_completed_at": "timestamptz",
    "payout_failure_reason": "text",
    "utr": "text",
    "retry_count": "int",
    "resolved_at": "timestamptz",
    "rating": "int",
}

_LOCK = text("""
    SELECT id, tenant_id, status, version, queue, assigned_officer_id, reporter_id, claimed_by, claimed_until, report_number,
           awaiting_teacher_at, paused_s, state_entered_at
    FROM sdcrs.report WHERE id = ANY (:ids) ORDER BY id FOR UPDATE
""")
_HISTORY = text("""
    INSERT INTO sdcrs.report_history (id, tenant_id, report_id, version, action, from_state, to_state, actor_id, actor_role,
                                      comment, facts, correlation_id, workflow_version, occurred_at)
    SELECT v.id, v.tenant_id, v.report_id, v.version, v.action, v.from_state, v.to_state, v.actor_id, v.actor_role,
           v.comment, v.facts, v.correlation_id, v.workflow_version, v.occurred_at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, tenant_id text, report_id uuid, version int, action text, from_state text, to_state text, actor_id uuid,
             actor_role text, comment text, facts jsonb, correlation_id uuid, workflow_version int, occurred_at timestamptz)
""")


@dataclass(frozen=True)
class Actor:
    """Who acts. A job acts as SYSTEM; `on_behalf_of` names the person who made it do so."""

    id: UUID
    roles: frozenset[str]
    on_behalf_of: UUID | None = None


@dataclass(frozen=True)
class Item:
    """One report to be moved: what is recorded with it, and what must hold of the locked row."""

    report_id: UUID
    facts: Mapping[str, Any] = field(default_factory=dict)  # columns of FACT_COLUMNS
    noted: Mapping[str, Any] = field(default_factory=dict)  # goes into the history row only
    comment: str | None = None
    version: int | None = None  # None: whatever the version is now
    at: datetime | None = None  # None: the door's `now`


@dataclass(frozen=True)
class Outcome:
    """What became of one item: the new state and version, or the error that stopped it."""

    report_id: UUID
    error: AppError | None = None
    report_number: str | None = None
    tenant_id: str | None = None
    from_state: str | None = None
    to_state: str | None = None
    version: int | None = None
    history_id: UUID | None = None

    @property
    def ok(self) -> bool:
        return self.error is None


@dataclass(frozen=True)
class _Move:
    item: Item
    row: Row[Any]
    transition: Transition
    role: str
    at: datetime
    facts: Mapping[str, Any]
    history_id: UUID


def transition(
    conn: Connection,
    md: MasterData,
    action: str,
    items: Sequence[Item],
    actor: Actor,
    now: datetime,
    correlation_id: UUID | None = None,
    body: Mapping[str, Any] | None = None,
) -> list[Outcome]:
    """Move reports by one action. Locks them in id order; refused items are left as they are. Does not commit.

    `body` is the request that a person sent, without personal values; it is kept with the packet that carried it.
    Errors per item: SDCRS_NOT_FOUND, SDCRS_STALE_VERSION, SDCRS_ACTION_NOT_ALLOWED, SDCRS_ROLE_NOT_ALLOWED,
    SDCRS_CLAIMED_BY_OTHER, SDCRS_NOT_YOUR_REPORT.
    """
    rows = {row.id: row for row in conn.execute(_LOCK, {"ids": [item.report_id for item in items]})}
    outcomes: list[Outcome] = []
    moves: list[_Move] = []
    for item in items:
        row = rows.get(item.report_id)
        try:
            if row is None:
                raise AppError("SDCRS_NOT_FOUND", kind="Report", id=str(item.report_id))
            if item.version is not None and item.version != row.version:
                raise stale_version(conn, row.id, sent=item.version, current=row.version, state=row.status)
            move = _check(md, action, item, row, actor, now)
        except AppError as error:
            outcomes.append(Outcome(item.report_id, error, None if row is None else row.report_number))
            continue
        moves.append(move)
        outcomes.append(
            Outcome(
                report_id=row.id,
                report_number=row.report_number,
                tenant_id=row.tenant_id,
                from_state=row.status,
                to_state=move.transition.to_state,
                version=row.version + 1,
                history_id=move.history_id,
            )
        )
    _write(conn, md, action, moves, actor, correlation_id, body)
    return outcomes


def history_written(rows: Sequence[Mapping[str, Any]]) -> Command:
    """The statement that appends history rows, given as JSON-ready mappings of the table's columns."""
    return _HISTORY, {"rows": json.dumps(list(rows))}


def packet_headers(
    action: str,
    tenant_id: str,
    report_id: UUID,
    at: datetime,
    history_id: UUID,
    correlation_id: UUID | None,
    body: Mapping[str, Any] | None = None,
) -> list[PacketHeader]:
    """The packets that this action sends, as the catalogue says; a given body goes with those that cross our border."""
    return [
        header_of(
            packet,
            tenant_id,
            report_id,
            at,
            correlation_id=correlation_id,
            causation_id=history_id,
            body=body if packet.body_stored and packet.endpoint else None,
        )
        for packet in for_action(action)
    ]


# The facts that a row of the table may ask for, and where an item carries them
_NEEDS: dict[str, str] = {
    "assignee": "assigned_officer_id",
    "duplicateOf": "duplicate_of",
    "rejectionReason": "rejection_reason",
    "resolutionType": "resolution_type",
    "unableToLocateReason": "unable_reason",
}


def _check(md: MasterData, action: str, item: Item, row: Row[Any], actor: Actor, now: datetime) -> _Move:
    chosen = md.workflow(row.tenant_id).pick(
        row.status, action, queue=row.queue, assignee_named=item.facts.get("assigned_officer_id") is not None
    )
    if chosen is None:
        raise AppError("SDCRS_ACTION_NOT_ALLOWED", action=action, state=row.status)
    role = next((role for role in sorted(chosen.roles) if role in actor.roles), None)
    if role is None:
        raise AppError("SDCRS_ROLE_NOT_ALLOWED", action=action)
    if row.claimed_by is not None and row.claimed_by != actor.id and row.claimed_until > now and role != "SYSTEM":
        raise AppError("SDCRS_CLAIMED_BY_OTHER", until=row.claimed_until.isoformat(timespec="minutes"))
    if chosen.only_by == "ASSIGNED_OFFICER" and row.assigned_officer_id != actor.id:
        raise AppError("SDCRS_NOT_YOUR_REPORT")
    if chosen.only_by == "REPORTER" and row.reporter_id != actor.id:
        raise AppError("SDCRS_NOT_FOUND", kind="Report", id=str(item.report_id))
    for need in chosen.needs:
        carried = item.comment if need == "comment" else item.facts.get(_NEEDS[need]) if need in _NEEDS else item.noted.get(need)
        if carried in (None, ""):
            raise AppError("SDCRS_FACT_MISSING", action=action, field=need)
    at = item.at or now
    return _Move(item, row, chosen, role, at, {**item.facts, **_effects(chosen, row, at)}, uuid7(at))


def _effects(chosen: Transition, row: Row[Any], at: datetime) -> dict[str, Any]:
    """What the table itself marks: the queue, and the clock that stands still while the teacher is asked."""
    facts: dict[str, Any] = {}
    if chosen.sets.queue is not None:
        facts["queue"] = chosen.sets.queue
    if chosen.sets.awaiting_comment is True:
        facts["awaiting_teacher_at"] = at
    elif chosen.sets.awaiting_comment is False and row.awaiting_teacher_at is not None:
        waited_s = max(int((at - row.awaiting_teacher_at).total_seconds()), 0)
        facts |= {"awaiting_teacher_at": None, "paused_s": row.paused_s + waited_s}
    return facts


def _write(
    conn: Connection,
    md: MasterData,
    action: str,
    moves: Sequence[_Move],
    actor: Actor,
    correlation_id: UUID | None,
    body: Mapping[str, Any] | None,
) -> None:
    if not moves:
        return
    groups: dict[tuple[str, ...], list[_Move]] = {}
    for move in moves:
        unknown = set(move.facts) - set(FACT_COLUMNS)
        if unknown:
            raise KeyError(f"{action} may not set {sorted(unknown)}")
        groups.setdefault(tuple(sorted(move.facts)), []).append(move)
    commands: list[Command] = []
    for columns, group in groups.items():
        rows = [
            {"id": str(m.row.id), "to_state": m.transition.to_state, "at": m.at.isoformat(), "by": str(actor.id), **_json(m.facts)}
            for m in group
        ]
        commands.append((_update(columns), {"rows": json.dumps(rows)}))
    commands.append(history_written([_history_row(md, action, m, actor, correlation_id) for m in moves]))
    headers = []
    for m in moves:
        headers += packet_headers(action, m.row.tenant_id, m.row.id, m.at, m.history_id, correlation_id, body)
    at_once(conn, *commands, packets_written(headers))


@cache
def _update(columns: tuple[str, ...]) -> TextClause:
    """One UPDATE per set of facts; its column names come from FACT_COLUMNS alone."""
    types = "".join(f", {c} {FACT_COLUMNS[c]}" for c in columns)
    sets = "".join(f", {c} = v.{c}" for c in columns)
    return text(f"""
        UPDATE sdcrs.report r
        SET status = v.to_state, version = r.version + 1, modified_at = v.at, modified_by = v.by, claimed_by = NULL, claimed_until = NULL,
            state_entered_at = CASE WHEN r.status = v.to_state THEN r.state_entered_at ELSE v.at END{sets}
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, to_state text, at timestamptz, by uuid{types})
        WHERE r.id = v.id
    """)  # noqa: S608 - names of FACT_COLUMNS, no value


def _history_row(md: MasterData, action: str, move: _Move, actor: Actor, correlation_id: UUID | None) -> dict[str, Any]:
    noted = dict(move.item.noted)
    if actor.on_behalf_of is not None:
        noted["onBehalfOf"] = actor.on_behalf_of
    return {
        "id": str(move.history_id),
        "tenant_id": move.row.tenant_id,
        "report_id": str(move.row.id),
        "version": move.row.version + 1,
        "action": action,
        "from_state": move.row.status,
        "to_state": move.transition.to_state,
        "actor_id": str(actor.id),
        "actor_role": move.role,
        "comment": move.item.comment,
        "facts": _json({**move.facts, **noted}),
        "correlation_id": str(correlation_id) if correlation_id else None,
        "workflow_version": md.workflow(move.row.tenant_id).version,
        "occurred_at": move.at.isoformat(),
    }


def _json(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v.isoformat() if isinstance(v, datetime) else str(v) if isinstance(v, UUID) else v for k, v in facts.items()}
