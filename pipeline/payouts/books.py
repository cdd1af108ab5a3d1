"""The rows of a payout as they are locked, changed in memory and written back, all of a batch in one statement each.

Lock order everywhere: payouts by id, then months in teacher order, then reports (by the door). Nothing here decides.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.payouts.trail import Subject

_LOCK = text("""
    SELECT id, tenant_id, report_id, report_number, beneficiary_id, amount_paise, cap_month, status, retry_count, utr, failure_reason,
           failure_text, next_retry_at, method, manual_reference, manual_amount_paise, manual_comment, manual_file_id,
           manual_exception, manual_requested_at, manual_requested_by, manual_approved_at, manual_approved_by, completed_at, needs_person
    FROM payout.payout WHERE id = ANY (:ids) ORDER BY id FOR UPDATE
""")
_OF_ATTEMPTS = text("SELECT DISTINCT payout_id FROM payout.attempt WHERE id = ANY (:ids)")
_OF_REPORTS = text("SELECT id FROM payout.payout WHERE report_id = ANY (:ids)")
_ATTEMPTS = text("""
    SELECT a.id, a.payout_id, a.number, a.reference_id, a.phase, a.sends, a.tries, a.lease_until, a.next_send_at, a.next_poll_at, a.polls,
           a.provider_payout_id, a.provider_status, a.provider_rank, a.reason, a.reason_text, a.last_error, a.utr, a.fees_paise,
           a.tax_paise, a.first_sent_at, a.accepted_at, f.provider_fund_account_id
    FROM payout.attempt a LEFT JOIN payout.fund_account f ON f.id = a.fund_account_id
    WHERE a.payout_id = ANY (:payouts) ORDER BY a.payout_id, a.number
""")
_WRITE_PAYOUTS = text("""
    UPDATE payout.payout p
    SET cap_month = v.cap_month, status = v.status, retry_count = v.retry_count, utr = v.utr, failure_reason = v.failure_reason,
        failure_text = v.failure_text, next_retry_at = v.next_retry_at, method = v.method, manual_reference = v.manual_reference,
        manual_amount_paise = v.manual_amount_paise, manual_comment = v.manual_comment,
        manual_file_id = v.manual_file_id, manual_exception = v.manual_exception, manual_requested_at = v.manual_requested_at,
        manual_requested_by = v.manual_requested_by, manual_approved_at = v.manual_approved_at,
        manual_approved_by = v.manual_approved_by, completed_at = v.completed_at, needs_person = v.needs_person, modified_at = :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, cap_month date, status text, retry_count int, utr text, failure_reason text, failure_text text,
             next_retry_at timestamptz, method text, manual_reference text, manual_amount_paise bigint, manual_comment text,
             manual_file_id uuid, manual_exception text, manual_requested_at timestamptz, manual_requested_by uuid,
             manual_approved_at timestamptz, manual_approved_by uuid, completed_at timestamptz, needs_person text)
    WHERE p.id = v.id
""")
_WRITE_ATTEMPTS = text("""
    UPDATE payout.attempt a
    SET phase = v.phase, tries = v.tries, lease_until = v.lease_until, next_send_at = v.next_send_at, next_poll_at = v.next_poll_at,
        polls = v.polls, provider_payout_id = v.provider_payout_id, provider_status = v.provider_status, provider_rank = v.provider_rank,
        reason = v.reason, reason_text = v.reason_text, last_error = v.last_error, utr = v.utr, fees_paise = v.fees_paise,
        tax_paise = v.tax_paise, accepted_at = v.accepted_at, modified_at = :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, phase text, tries int, lease_until timestamptz, next_send_at timestamptz, next_poll_at timestamptz, polls int,
             provider_payout_id text, provider_status text, provider_rank int, reason text, reason_text text, last_error text, utr text,
             fees_paise bigint, tax_paise bigint, accepted_at timestamptz)
    WHERE a.id = v.id
""")
_INSERT_ATTEMPTS = text("""
    INSERT INTO payout.attempt (id, tenant_id, payout_id, number, reference_id, idempotency_key, phase, next_send_at, created_at,
                                modified_at)
    SELECT v.id, v.tenant_id, v.payout_id, v.number, v.reference_id, v.idempotency_key, 'PREPARED', :now, :now, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, tenant_id text, payout_id uuid, number int, reference_id text, idempotency_key text)
""")


@dataclass
class Payout:
    """A locked obligation. Attributes are the columns."""

    id: UUID
    tenant_id: str
    report_id: UUID
    report_number: str
    beneficiary_id: UUID
    amount_paise: int
    cap_month: date
    status: str
    retry_count: int
    utr: str | None
    failure_reason: str | None
    failure_text: str | None
    next_retry_at: datetime | None
    method: str | None
    manual_reference: str | None
    manual_amount_paise: int | None
    manual_comment: str | None
    manual_file_id: UUID | None
    manual_exception: str | None
    manual_requested_at: datetime | None
    manual_requested_by: UUID | None
    manual_approved_at: datetime | None
    manual_approved_by: UUID | None
    completed_at: datetime | None
    needs_person: str | None

    @property
    def subject(self) -> Subject:
        """What its packets are about."""
        return Subject(self.tenant_id, self.report_id, self.id, self.beneficiary_id)

    @property
    def open(self) -> bool:
        """Whether it waits for the outcome of an attempt."""
        return self.status in ("INITIATED", "PROCESSING")

    @property
    def unpaid(self) -> bool:
        """Whether the last attempt ended without paying, so that another or a settlement by hand may follow."""
        return self.status in ("FAILED", "REVERSED")

    @property
    def settled_by_hand(self) -> bool:
        return self.manual_approved_at is not None


@dataclass
class Attempt:
    """An attempt of a locked obligation. Attributes are the columns."""

    id: UUID
    payout_id: UUID
    number: int
    reference_id: str
    phase: str
    sends: int
    tries: int
    lease_until: datetime | None
    next_send_at: datetime
    next_poll_at: datetime | None
    polls: int
    provider_payout_id: str | None
    provider_status: str | None
    provider_rank: int
    reason: str | None
    reason_text: str | None
    last_error: str | None
    utr: str | None
    fees_paise: int
    tax_paise: int
    first_sent_at: datetime | None
    accepted_at: datetime | None
    provider_fund_account_id: str | None

    @property
    def undecided(self) -> bool:
        """Whether money may still leave through it: another attempt could pay twice."""
        return self.phase in ("PREPARED", "SENDING", "UNKNOWN", "REVIEW")


class Books:
    """Locked payouts with their attempts. Changes are made on the objects and written by `write`."""

    def __init__(self, payouts: Sequence[Payout], attempts: Sequence[Attempt]) -> None:
        self.payouts = {payout.id: payout for payout in payouts}
        self.by_report = {payout.report_id: payout for payout in payouts}
        self.attempts = {attempt.id: attempt for attempt in attempts}
        self.changed_payouts: set[UUID] = set()
        self.changed_attempts: set[UUID] = set()

    @classmethod
    def of_attempts(cls, conn: Connection, attempt_ids: Collection[UUID]) -> "Books":
        """The obligations behind these attempts, with all their attempts."""
        return cls._locked(conn, list(conn.execute(_OF_ATTEMPTS, {"ids": list(attempt_ids)}).scalars()))

    @classmethod
    def of_reports(cls, conn: Connection, report_ids: Collection[UUID]) -> "Books":
        """The obligations for these reports, as far as they exist in the caller's scope."""
        return cls._locked(conn, list(conn.execute(_OF_REPORTS, {"ids": list(report_ids)}).scalars()))

    @classmethod
    def _locked(cls, conn: Connection, payout_ids: list[UUID]) -> "Books":
        payouts = [Payout(**row) for row in conn.execute(_LOCK, {"ids": payout_ids}).mappings()]
        # read after the lock: whoever held it before may have changed the attempts
        attempts = [Attempt(**row) for row in conn.execute(_ATTEMPTS, {"payouts": payout_ids}).mappings()]
        return cls(payouts, attempts)

    def attempts_of(self, payout_id: UUID) -> list[Attempt]:
        """The attempts of one obligation in their order."""
        return sorted((one for one in self.attempts.values() if one.payout_id == payout_id), key=lambda one: one.number)

    def change(self, *rows: Payout | Attempt) -> None:
        """Remember that these objects were changed."""
        for row in rows:
            (self.changed_payouts if isinstance(row, Payout) else self.changed_attempts).add(row.id)

    def write(self, conn: Connection, now: datetime) -> None:
        """Write what was changed. Does not commit."""
        if self.changed_payouts:
            rows = [_json(self.payouts[payout_id]) for payout_id in self.changed_payouts]
            conn.execute(_WRITE_PAYOUTS, {"rows": json.dumps(rows), "now": now})
        if self.changed_attempts:
            rows = [_json(self.attempts[attempt_id]) for attempt_id in self.changed_attempts]
            conn.execute(_WRITE_ATTEMPTS, {"rows": json.dumps(rows), "now": now})


@dataclass(frozen=True)
class NewAttempt:
    """An attempt to be made; its key and reference are fixed for ever."""

    id: UUID
    tenant_id: str
    payout_id: UUID
    number: int
    reference_id: str
    idempotency_key: str


def insert_attempts(conn: Connection, attempts: Sequence[NewAttempt], now: datetime) -> None:
    """Write attempts, due to be sent now. Does not commit."""
    conn.execute(_INSERT_ATTEMPTS, {"rows": json.dumps([_json(attempt) for attempt in attempts]), "now": now})


def _json(row: Any) -> dict[str, Any]:
    return {field.name: _plain(getattr(row, field.name)) for field in fields(row)}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
