"""What is stuck in the identity flow, by name: each class with what it means, whose move it is, and what puts it right.

A class is one statement that gives a row for each case: what it is about, since when, and the subject that its remedy takes.
Everything is asked in the caller's transaction, so that each sees the own area only.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, TextClause, text

from pipeline.masterdata.master import MasterData

LATE = timedelta(minutes=15)  # no job waits so long by itself before it looks again, but for a backoff that is written down
RECENT = timedelta(days=7)  # for what compares two whole tables: a hundred thousand rows take a second, and older cases were seen
MOST = 1000  # rows of a list, and as many as one person retries at once

Remedy = Literal[
    "ASK_AGAIN", "ISSUE_AGAIN", "PUBLISH_AGAIN", "DELIVER_AGAIN", "STORE_AGAIN", "SAY_AGAIN", "RESTART", "RESUME", "REQUEST", "WAIT"
]


@dataclass(frozen=True)
class Check:
    """A class of cases. `who`: whose move it is; `remedy`: the command that puts a case right, WAIT where a job does it."""

    code: str
    title: str
    what: str
    remedy: Remedy
    who: Literal["admin", "job"]
    sql: TextClause


@dataclass(frozen=True)
class Counted:
    """How many cases there are, and since when the oldest."""

    count: int
    oldest: datetime | None


@dataclass(frozen=True)
class Case:
    """One case. `subject_id` goes to the remedy; `comment` is the row's own, without any value of a person."""

    code: str
    registration_id: UUID | None
    reg_id: str | None
    tenant_id: str | None
    subject_id: UUID
    since: datetime
    comment: str | None


def _check(code: str, title: str, what: str, remedy: Remedy, who: Literal["admin", "job"], sql: str) -> Check:
    whole = f"""
        SELECT c.*, l.reg_id FROM ({sql}) c LEFT JOIN regprc.registration_list l ON l.id = c.registration_id
        ORDER BY since LIMIT :limit
    """  # noqa: S608 - constants of this module
    return Check(code, title, what, remedy, who, text(whole))


CHECKS: tuple[Check, ...] = (
    _check(
        "REGISTRATION_FAILED",
        "Registrations that failed",
        "A stage gave up. The sub-status says why; restart from the beginning once that is put right, or have it uploaded anew.",
        "RESTART",
        "admin",
        """SELECT registration_id, subject_id, tenant_id, since, comment FROM (
               SELECT id AS registration_id, id AS subject_id, tenant_id, modified_at AS since,
                      coalesce(sub_status_code, status_code) AS comment
               FROM regprc.registration WHERE status_code IN ('FAILED', 'REPROCESS_FAILED')) r""",
    ),
    _check(
        "REGISTRATION_PAUSED",
        "Paused past its time",
        "The default action of a pause is overdue: the job that applies it does not run, or a person must decide.",
        "RESUME",
        "admin",
        """SELECT id AS registration_id, id AS subject_id, tenant_id, resume_at AS since, pause_rule AS comment
           FROM regprc.registration WHERE status_code IN ('PAUSED', 'PAUSED_FOR_ADDITIONAL_INFO') AND resume_at < :before""",
    ),
    _check(
        "REGISTRATION_IDLE",
        "Under way, and nothing happens",
        "A stage is due and was not run within its budget.",
        "WAIT",
        "job",
        """SELECT id AS registration_id, id AS subject_id, tenant_id, next_attempt_at AS since, stage AS comment
           FROM regprc.registration WHERE status_code IN ('PROCESSING', 'RESUMABLE', 'REPROCESS') AND next_attempt_at < :before""",
    ),
    _check(
        "NO_REQUEST",
        "Processed, and a partner was not asked for",
        "A number of an identity of the last seven days has no row for a partner that is to have it.",
        "REQUEST",
        "admin",
        """SELECT r.id AS registration_id, n.id AS subject_id, r.tenant_id, r.processed_at AS since,
                  n.kind || ' for ' || p.partner AS comment
           FROM regprc.registration r
           JOIN idrepo.identity d ON d.registration_id = r.id AND d.status_code = 'ACTIVATED'
           JOIN idrepo.identifier n ON n.identity_id = d.id AND n.status_code = 'ACTIVE'
           JOIN jsonb_to_recordset(CAST(:partners AS jsonb)) AS p(partner text, kind text) ON p.kind = n.kind
           WHERE r.status_code = 'PROCESSED' AND r.processed_at < :before AND r.processed_at > :recent
             AND NOT EXISTS (SELECT FROM idrepo.credential_request_status s
                             WHERE s.individual_id_hash = n.id_hash AND s.partner_id = p.partner)""",
    ),
    _check(
        "REQUEST_FAILED",
        "Requests that were given up",
        "The request generator refused, or did not answer often enough.",
        "ASK_AGAIN",
        "admin",
        """SELECT registration_id, id AS subject_id, tenant_id, upd_dtimes AS since, status_comment AS comment
           FROM idrepo.credential_request_status WHERE status = 'FAILED' AND dead_at IS NOT NULL""",
    ),
    _check(
        "REQUEST_UNKNOWN",
        "Requested, and the generator knows nothing of it",
        "Of the last seven days: an answer was taken for a success and was none, or the generator's row is gone.",
        "ASK_AGAIN",
        "admin",
        """SELECT s.registration_id, s.id AS subject_id, s.tenant_id, s.upd_dtimes AS since, s.status_comment AS comment
           FROM idrepo.credential_request_status s
           WHERE s.status = 'REQUESTED' AND s.upd_dtimes < :before AND s.upd_dtimes > :recent
             AND NOT EXISTS (SELECT FROM credential.credential_transaction t WHERE t.id = s.request_id)""",
    ),
    _check(
        "ISSUE_FAILED",
        "Credentials that could not be issued",
        "Issuing, or storing what was issued, failed as often as it may. The reason stands with the request.",
        "ISSUE_AGAIN",
        "admin",
        """SELECT registration_id, id AS subject_id, tenant_id, upd_dtimes AS since, status_comment AS comment
           FROM credential.credential_transaction WHERE status_code IN ('NEW', 'FAILED', 'RETRY') AND dead_at IS NOT NULL""",
    ),
    _check(
        "ISSUED_OFTEN",
        "Issued again and again",
        "Two or more issuances of a request failed on the authentication side, and the next one is under way.",
        "WAIT",
        "job",
        """SELECT registration_id, id AS subject_id, tenant_id, upd_dtimes AS since, status_comment AS comment
           FROM credential.credential_transaction
           WHERE issuances >= 3 AND status_code NOT IN ('STORED', 'CANCELLED') AND dead_at IS NULL""",
    ),
    _check(
        "EVENT_LOST",
        "Issued, and no event arrived",
        "The message was lost on the way. The comparison publishes it again by itself, some times, and then leaves it to a person.",
        "PUBLISH_AGAIN",
        "admin",
        """SELECT t.registration_id, t.id AS subject_id, t.tenant_id, t.issuance_date AS since, t.status_comment AS comment
           FROM credential.credential_transaction t JOIN credential.issuance i ON i.id = t.credential_id
           WHERE t.status_code = 'ISSUED' AND t.issuance_date < :before
             AND NOT EXISTS (SELECT FROM ida.credential_event_store e WHERE e.event_id = i.event_id)""",
    ),
    _check(
        "DELIVERY_GIVEN_UP",
        "Deliveries that were given up",
        "The subscriber did not take an event in all tries, or its subscription ended, and nothing came of it by another way.",
        "DELIVER_AGAIN",
        "admin",
        """SELECT t.registration_id, d.id AS subject_id, d.tenant_id, d.dead_at AS since, d.status_comment AS comment
           FROM websub.delivery d JOIN websub.subscription s ON s.id = d.subscription_id
           LEFT JOIN credential.issuance i ON i.event_id = d.event_id LEFT JOIN credential.credential_transaction t ON t.id = i.request_id
           WHERE d.dead_at IS NOT NULL AND d.status_code = 'FAILED'
             AND NOT (s.status_code <> 'ACTIVE'
                      AND EXISTS (SELECT FROM websub.delivery o WHERE o.event_id = d.event_id AND o.status_code = 'DELIVERED'))""",
    ),
    _check(
        "EVENT_MAX_RETRIES",
        "Events that could not be stored in all tries",
        "Downloading or opening failed each time; the issuer was told and nothing newer was stored.",
        "STORE_AGAIN",
        "admin",
        """SELECT e.registration_id, e.event_id AS subject_id, e.tenant_id, e.ended_at AS since, e.status_comment AS comment
           FROM ida.credential_event_store e
           WHERE e.status_code = 'FAILED_WITH_MAX_RETRIES'
             AND NOT EXISTS (SELECT FROM ida.credential_event_store s
                             WHERE s.credential_transaction_id = e.credential_transaction_id
                               AND s.status_code IN ('NEW', 'FAILED', 'STORED') AND s.credential_id >= e.credential_id)""",
    ),
    _check(
        "EVENT_NON_RECOVERABLE",
        "Events that can never be stored",
        "An expired or used-up share, a wrong signature, data for another partner: only a new issuance can win.",
        "ISSUE_AGAIN",
        "admin",
        """SELECT e.registration_id, e.credential_transaction_id AS subject_id, e.tenant_id, e.ended_at AS since,
                  e.status_comment AS comment
           FROM ida.credential_event_store e
           WHERE e.status_code = 'FAILED_NON_RECOVERABLE'
             AND NOT EXISTS (SELECT FROM ida.credential_event_store s
                             WHERE s.credential_transaction_id = e.credential_transaction_id AND s.credential_id > e.credential_id)""",
    ),
    _check(
        "SHARE_OVER",
        "Shares that ended before they were downloaded",
        "Retrying can never win; the store job finds out, and the request is issued anew.",
        "WAIT",
        "job",
        """SELECT e.registration_id, e.event_id AS subject_id, e.tenant_id, s.expires_at AS since, e.status_comment AS comment
           FROM ida.credential_event_store e
           JOIN credential.issuance i ON i.event_id = e.event_id JOIN datashare.share s ON s.id = i.share_id
           WHERE e.status_code IN ('NEW', 'FAILED') AND (s.expires_at < :now OR s.uses >= s.uses_allowed)""",
    ),
    _check(
        "STORED_NOT_CACHED",
        "Stored, and not in the cache",
        "Of the last seven days: an event says STORED and authentication does not know the number. Somebody took it out.",
        "ISSUE_AGAIN",
        "admin",
        """SELECT e.registration_id, e.credential_transaction_id AS subject_id, e.tenant_id, e.ended_at AS since,
                  e.status_comment AS comment
           FROM ida.credential_event_store e JOIN credential.credential_transaction t ON t.id = e.credential_transaction_id
           WHERE e.status_code = 'STORED' AND e.ended_at > :recent
             AND NOT EXISTS (SELECT FROM ida.identity_cache c WHERE c.id = t.individual_id_hash)""",
    ),
    _check(
        "UNSAID",
        "Ended, and the issuer was not told",
        "What became of a credential is known here and was not published.",
        "SAY_AGAIN",
        "admin",
        """SELECT registration_id, event_id AS subject_id, tenant_id, ended_at AS since, status_comment AS comment
           FROM ida.credential_event_store WHERE ended_at < :before AND acknowledged_at IS NULL""",
    ),
    _check(
        "ANSWER_LOST",
        "Told, and the issuer does not know",
        "The acknowledgement was lost on the way. The comparison has it said again by itself.",
        "SAY_AGAIN",
        "admin",
        """SELECT e.registration_id, e.event_id AS subject_id, e.tenant_id, e.acknowledged_at AS since, t.status_comment AS comment
           FROM ida.credential_event_store e
           JOIN credential.issuance i ON i.event_id = e.event_id JOIN credential.credential_transaction t ON t.id = i.request_id
           WHERE e.acknowledged_at < :before AND t.credential_id = i.id AND t.status_code = 'ISSUED'""",
    ),
    _check(
        "SUBSCRIPTION_MISSING",
        "Subscriptions that do not hold",
        "A subscription was denied, ended, or waits to be confirmed; what is published meanwhile goes past it.",
        "WAIT",
        "job",
        """SELECT CAST(NULL AS uuid) AS registration_id, id AS subject_id, CAST(NULL AS text) AS tenant_id, asked_at AS since,
                  topic || coalesce(': ' || status_comment, '') AS comment
           FROM websub.subscription WHERE status_code <> 'ACTIVE' OR expires_at < :now""",
    ),
)
BY_CODE: Mapping[str, Check] = {check.code: check for check in CHECKS}

_COUNTS = {check.code: text(f"SELECT count(*) AS cases, min(since) AS oldest FROM ({check.sql.text}) c") for check in CHECKS}  # noqa: S608


def counts(conn: Connection, md: MasterData, now: datetime) -> dict[str, Counted]:
    """How many cases of each class the transaction's scope sees, at most MOST of each."""
    params = _params(md, now, MOST)
    found = {}
    for code, statement in _COUNTS.items():
        row = conn.execute(statement, _of(statement, params)).one()
        found[code] = Counted(row.cases, row.oldest)
    return found


def found(conn: Connection, md: MasterData, code: str, now: datetime, limit: int = 100) -> list[Case]:
    """The cases of a class that the transaction's scope sees, oldest first. Raises KeyError for an unknown code."""
    statement = BY_CODE[code].sql
    rows: Sequence[Row[Any]] = conn.execute(statement, _of(statement, _params(md, now, min(limit, MOST)))).all()
    return [Case(code, row.registration_id, row.reg_id, row.tenant_id, row.subject_id, row.since, row.comment) for row in rows]


def _params(md: MasterData, now: datetime, limit: int) -> dict[str, Any]:
    wanted = {(partner.id, kind) for tenant in md.tenants() for partner in md.partners(tenant.id) for kind in partner.kinds}
    partners = json.dumps([{"partner": partner, "kind": kind} for partner, kind in sorted(wanted)])
    return {"now": now, "before": now - LATE, "recent": now - RECENT, "limit": limit, "partners": partners}


def _of(statement: TextClause, params: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the parameters that a statement takes."""
    return {name: value for name, value in params.items() if name in statement._bindparams}  # noqa: SLF001 - its public form compiles anew
