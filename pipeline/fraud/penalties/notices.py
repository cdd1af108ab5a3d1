"""What people are told of penalties: noted with the deed, made into messages by the worker, in the reader's language.

The worker alone sees the admins of every level; somebody's own transaction sees no further than his area.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.fraud.penalties import words
from pipeline.ids import uuid7
from pipeline.jobs.batch import BatchJob
from pipeline.jobs.job import NOT_FAILED
from pipeline.masterdata.fraud_models import Penalty
from pipeline.masterdata.master import MasterData
from pipeline.notifications.outgoing import Message, store
from pipeline.runtime import Runtime

NAME = "fraud.notices"
BATCH = 100
ADMINS_TOLD = 20  # of a tenant and the levels above it: more would not make it anybody's task

Kind = Literal["IMPOSED", "ENDED", "LIFTED", "APPEALED", "APPEAL_REFUSED", "SECOND_ADMIN"]
ADMINS = ("DISTRICT_ADMIN", "STATE_ADMIN")

_NOTE = text("""
    INSERT INTO fraud.notice (id, tenant_id, account_id, report_id, penalty_id, kind, comment, asked_by, created_at)
    SELECT v.id, v.tenant_id, v.account_id, v.report_id, v.penalty_id, v.kind, v.comment, v.asked_by, v.at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, tenant_id text, account_id uuid, report_id uuid, penalty_id uuid, kind text, comment text, asked_by uuid,
             at timestamptz)
""")
_CLAIM = text(f"""
    SELECT q.id FROM fraud.notice q
    WHERE q.told_at IS NULL AND (CAST(:only AS uuid[]) IS NULL OR q.id = ANY (:only)) AND {NOT_FAILED}
    ORDER BY q.created_at, q.id LIMIT :limit FOR UPDATE OF q SKIP LOCKED
""")  # noqa: S608 - a constant fragment, no value
_LOAD = text("""
    SELECT n.id, n.tenant_id, n.account_id, n.report_id, n.kind, n.comment, n.asked_by, n.created_at, r.report_number,
           p.id AS penalty_id, p.code, p.until, p.appeal_role, p.appeal_until, p.cause_id, cardinality(p.strikes) AS strikes,
           s.kind = 'FRAUD' AS by_fraud, a.locale
    FROM fraud.notice n JOIN sdcrs.report r ON r.id = n.report_id JOIN access.account a ON a.id = n.account_id
    LEFT JOIN fraud.penalty p ON p.id = n.penalty_id LEFT JOIN fraud.strike s ON s.id = p.cause_id
    WHERE n.id = ANY (:ids) ORDER BY n.created_at, n.id
""")
_ADMINS = text("""
    SELECT v.tenant_id, a.id, a.roles, a.locale
    FROM (SELECT DISTINCT tenant_id FROM jsonb_to_recordset(CAST(:levels AS jsonb)) AS t(tenant_id text)) v
    CROSS JOIN LATERAL (
        SELECT o.id, o.roles, o.locale
        FROM jsonb_to_recordset(CAST(:levels AS jsonb)) AS l(tenant_id text, level text) JOIN access.account o ON o.tenant_id = l.level
        WHERE l.tenant_id = v.tenant_id AND o.active AND o.roles && ARRAY['DISTRICT_ADMIN', 'STATE_ADMIN']
        ORDER BY o.id LIMIT :limit
    ) a
""")
_TOLD = text("UPDATE fraud.notice SET told_at = :now WHERE id = ANY (:ids)")


@dataclass(frozen=True)
class Notice:
    """Something to be told about a teacher's penalty, or about a confirmation that waits (`penalty_id` None)."""

    kind: Kind
    tenant_id: str
    account_id: UUID
    report_id: UUID
    penalty_id: UUID | None
    at: datetime
    comment: str | None = None
    asked_by: UUID | None = None


def note(conn: Connection, notices: Sequence[Notice]) -> None:
    """Note what is to be told. Does not commit."""
    if not notices:
        return
    rows = [
        {
            "id": str(uuid7(notice.at)),
            "tenant_id": notice.tenant_id,
            "account_id": str(notice.account_id),
            "report_id": str(notice.report_id),
            "penalty_id": None if notice.penalty_id is None else str(notice.penalty_id),
            "kind": notice.kind,
            "comment": notice.comment,
            "asked_by": None if notice.asked_by is None else str(notice.asked_by),
            "at": notice.at.isoformat(),
        }
        for notice in notices
    ]
    conn.execute(_NOTE, {"rows": json.dumps(rows)})


def notices_job(rt: Runtime) -> BatchJob:
    """The job that makes messages of notices, as the worker runs it."""

    def claim(conn: Connection, now: datetime, limit: int, only: Sequence[UUID] | None) -> list[UUID]:
        params = {"job": NAME, "now": now, "limit": limit, "only": None if only is None else list(only)}
        return list(conn.execute(_CLAIM, params).scalars())

    def work(conn: Connection, ids: list[UUID], now: datetime) -> None:
        tell(conn, rt.masterdata.current(), ids, now)

    return BatchJob(NAME, rt.database, claim, work, BATCH)


def tell(conn: Connection, md: MasterData, ids: Sequence[UUID], now: datetime) -> None:
    """Make the messages of these notices. Needs the role `worker`. Does not commit."""
    notices = conn.execute(_LOAD, {"ids": list(ids)}).all()
    admins: dict[str, list[Row[Any]]] = {}
    levels = [
        {"tenant_id": tenant_id, "level": level} for tenant_id in {notice.tenant_id for notice in notices} for level in _levels(tenant_id)
    ]
    for row in conn.execute(_ADMINS, {"levels": json.dumps(levels), "limit": ADMINS_TOLD}):
        admins.setdefault(row.tenant_id, []).append(row)
    messages = []
    for notice in notices:
        messages += _messages(md, notice, admins.get(notice.tenant_id, []))
    store(conn, messages)
    conn.execute(_TOLD, {"ids": list(ids), "now": now})


def _levels(tenant_id: str) -> list[str]:
    """The tenant itself and those above it: a tenant's code is its parent's, a dot and a name."""
    parts = tenant_id.split(".")
    return [".".join(parts[: depth + 1]) for depth in range(len(parts))]


def _messages(md: MasterData, notice: Row[Any], admins: Sequence[Row[Any]]) -> list[Message]:
    step = next((step for step in md.penalties(notice.tenant_id) if step.code == notice.code), None)
    to_teacher, to_admins, roles = _templates(notice, step)
    told = [(notice.account_id, notice.locale, to_teacher)] if to_teacher else []
    if to_admins:
        told += [(a.id, a.locale, to_admins) for a in admins if a.id != notice.asked_by and not roles.isdisjoint(a.roles)]
    return [
        Message(
            tenant_id=notice.tenant_id,
            report_id=notice.report_id,
            about=notice.id,
            recipient=recipient,
            template_id=template_id,
            locale=locale,
            params=_params(md, notice, step, locale, appeal=recipient == notice.account_id),
            at=notice.created_at,
            causation_id=notice.cause_id,
        )
        for recipient, locale, template_id in told
    ]


def _templates(notice: Row[Any], step: Penalty | None) -> tuple[str | None, str | None, frozenset[str]]:
    """The teacher's template, the admins' one, and which admins; None where nobody is told."""
    everyone = frozenset(ADMINS)
    if notice.kind == "IMPOSED" and step is not None:
        teacher = f"SDCRS_PENALTY_{step.code}_TEACHER" if step.action.notify_applicant else None
        admin = "SDCRS_BAN_ADMIN" if step.action.report_to_authority else "SDCRS_PENALTY_ADMIN"
        return teacher, admin if step.action.notify_admin else None, everyone
    if notice.kind == "APPEALED":
        return None, "SDCRS_APPEAL_ADMIN", frozenset({notice.appeal_role})
    if notice.kind == "SECOND_ADMIN":
        return None, "SDCRS_SECOND_ADMIN", everyone if notice.penalty_id is None else frozenset({"STATE_ADMIN"})
    return TEACHER_ONLY.get(notice.kind), None, everyone


TEACHER_ONLY: Mapping[str, str] = {
    "ENDED": "SDCRS_PENALTY_ENDED_TEACHER",
    "LIFTED": "SDCRS_PENALTY_LIFTED_TEACHER",
    "APPEAL_REFUSED": "SDCRS_APPEAL_REFUSED_TEACHER",
}


def _params(md: MasterData, notice: Row[Any], step: Penalty | None, locale: str, *, appeal: bool) -> dict[str, Any]:
    """What the templates may name. For ever has no end: there the teacher is told until when to appeal."""
    tenant = md.tenant(notice.tenant_id)
    until = notice.until or (notice.appeal_until if appeal else None)
    waiting = "प्रशासक की पुष्टि" if locale == "hi_IN" else "a fraud to be confirmed"
    return {
        "reportNumber": notice.report_number,
        "helpdesk": tenant.helpdesk,
        "penalty": waiting if step is None else words.name(step, locale),
        "reason": None if step is None else words.reason(step, notice.strikes, bool(notice.by_fraud), locale),
        "until": None if until is None else f"{until.astimezone(tenant.timezone):%d.%m.%Y %H:%M}",
        "comment": notice.comment or (words.TAKEN_BACK[locale] if notice.kind == "LIFTED" else None),
    }
