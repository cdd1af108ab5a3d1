"""The effect job `payout.send`: contact, fund account and order to pay, each call with no transaction open.

A round: claim due attempts and write down, for each, the exact bytes and a lease; call on several lines at once; write
what was learnt. Killed between, the lease runs out and the outcome counts as unknown: the same bytes go out again under
the same key, never others, and never as a new attempt.
"""

import json
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.database.engine import is_away
from pipeline.errors import AppError
from pipeline.jobs.failures import record_failure, waiting
from pipeline.jobs.job import NOT_FAILED
from pipeline.packets.log import write_packets
from pipeline.payouts import provider_state
from pipeline.payouts.addresses import LOOK_AGAIN, Validation, Verdict
from pipeline.payouts.answers import Refused, Unknown
from pipeline.payouts.beneficiaries import Beneficiary, Registered, look_up, register, remember
from pipeline.payouts.calls import Order, Trouble, again_after, place, reason_of
from pipeline.payouts.commit import settle_each
from pipeline.payouts.journal import Call, write_calls
from pipeline.payouts.orders import check_vpa, payout_body
from pipeline.payouts.provider import CONNECT_TIMEOUT_S, READ_TIMEOUT_S, Lines, Provider, target_of
from pipeline.payouts.reasons import VPA_INVALID, VPA_MISSING
from pipeline.payouts.settle import Finding, Refusal, Unsent
from pipeline.payouts.standing import HELD, hold_params
from pipeline.payouts.trail import ORDER, Said, Subject, header
from pipeline.runtime import Runtime
from pipeline.vault.seal import keyed_hash

NAME = "payout.send"
BATCH = 64  # attempts a round: one transaction before and one after for all of them
LINES = 8  # calls at once; the provider advises 5 to 10 a second and says when it is too many
LEASE = timedelta(seconds=45)  # a round: everybody else waits so long for a worker that was killed
CALL_S = CONNECT_TIMEOUT_S + READ_TIMEOUT_S  # the longest that one takes; an order makes two at most, a registration three
UNKNOWN_TO_THE_BANK = "The bank does not know this UPI address"

_CLAIM = text(f"""
    WITH due AS (
        SELECT q.id, q.phase FROM payout.attempt q
        WHERE q.phase IN ('PREPARED', 'SENDING', 'UNKNOWN') AND q.next_send_at <= :now AND {NOT_FAILED}
          AND (CAST(:only AS uuid) IS NULL OR q.id = :only)
          AND (q.phase <> 'PREPARED' OR NOT EXISTS (
               SELECT FROM payout.payout p JOIN access.account a ON a.id = p.beneficiary_id WHERE p.id = q.payout_id AND {HELD}))
        ORDER BY q.next_send_at, q.id LIMIT :limit FOR UPDATE OF q SKIP LOCKED)
    UPDATE payout.attempt t SET lease_until = :lease, next_send_at = :lease, modified_at = :now
    FROM due, payout.payout p, sdcrs.report r, access.account a
    WHERE t.id = due.id AND p.id = t.payout_id AND r.id = p.report_id AND a.id = p.beneficiary_id
    RETURNING t.id, t.tenant_id, t.payout_id, t.reference_id, t.idempotency_key, t.request_sealed, t.sends, t.tries, t.first_sent_at,
              due.phase AS before, p.report_id, p.report_number, p.beneficiary_id, p.amount_paise, r.service_type,
              {HELD} AS held
""")  # noqa: S608 - constant fragments, no value
_INTEND = text("""
    UPDATE payout.attempt a
    SET phase = 'SENDING', sends = a.sends + 1, first_sent_at = coalesce(a.first_sent_at, :now),
        fund_account_id = coalesce(a.fund_account_id, v.fund_account_id), request_sealed = coalesce(a.request_sealed, v.request_sealed),
        request_hash = coalesce(a.request_hash, decode(v.request_hash, 'hex')), modified_at = :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, fund_account_id uuid, request_sealed text, request_hash text)
    WHERE a.id = v.id AND a.lease_until = :lease AND a.phase IN ('PREPARED', 'SENDING', 'UNKNOWN')
    RETURNING a.id, a.sends, a.first_sent_at
""")
_DUE = text("""
    SELECT id FROM payout.attempt WHERE phase IN ('PREPARED', 'SENDING', 'UNKNOWN') AND next_send_at <= :now
    ORDER BY next_send_at, id LIMIT :limit
""")
_WAITING = text("""
    SELECT count(*) AS waiting, min(next_send_at) AS due FROM payout.attempt WHERE phase IN ('PREPARED', 'SENDING', 'UNKNOWN')
""")

Stranger = tuple[Row[Any], Beneficiary]


@dataclass(frozen=True)
class _Intent:
    """A claimed attempt with the bytes that are to be sent; `sealed` None: they were written down before."""

    row: Row[Any]
    body: bytes
    fund_account_id: UUID | None = None
    sealed: str | None = None
    hash: str | None = None


@dataclass(frozen=True)
class _Begun:
    """A claimed batch: what can be said without a call, what can be sent, and whom the provider does not know yet."""

    claimed: int
    findings: list[Finding]
    orders: list[Order]
    strangers: list[Stranger]

    def plus(self, other: "_Begun") -> "_Begun":
        return _Begun(
            self.claimed + other.claimed, self.findings + other.findings, self.orders + other.orders, self.strangers + other.strangers
        )


class SendJob:
    """Claims attempts that are due, sends them and settles what the provider answers."""

    name = NAME

    def __init__(self, rt: Runtime, lines: int = LINES, lease: timedelta = LEASE) -> None:
        self._rt = rt
        self._lines = Lines(target_of(rt.settings), lines)
        self._lease = lease

    def run_once(self, now: datetime) -> int:
        last_start = time.monotonic() + max(self._lease.total_seconds() - 2 * CALL_S, 0)
        lease = now + self._lease
        begun = self._begin(now, lease)
        if not begun.claimed:
            return 0
        findings, orders, strangers = begun.findings, begun.orders, begun.strangers
        troubles: list[Trouble] = []
        calls = 0
        if strangers:
            results = self._register(strangers, last_start - CALL_S)
            calls += len(results)
            troubles += [(one.failed.why, None) for one in results if one.failed is not None and not isinstance(one.failed, Refused)]
            more, stopped = self._after_registering(strangers, results, lease)
            orders += more
            findings += stopped
        outcomes = self._lines.run([partial(place, order=order, clock=self._rt.clock, last_start=last_start) for order in orders])
        calls += len(outcomes)
        troubles += [outcome.trouble for outcome in outcomes if outcome.trouble is not None]
        made = [call for outcome in outcomes for call in outcome.calls]
        self._finish(findings + [outcome.finding for outcome in outcomes], made, troubles, answered=calls > len(troubles))
        return begun.claimed

    def waits_for(self, now: datetime) -> tuple[int, datetime] | None:
        """Attempts not yet sent for certain, those of held teachers included."""
        with self._rt.database.worker() as conn:
            row = conn.execute(_WAITING).one()
            pause = provider_state.paused_until(conn, now)
            failed = waiting(conn, NAME, now)
        return (row.waiting, max(row.due, pause or row.due)) if row.waiting else failed

    def _begin(self, now: datetime, lease: datetime) -> _Begun:
        """Claim what is due and commit to it. When one row spoils the batch, each is begun alone, and that one is set aside."""
        try:
            return self._begin_some(now, lease, None)
        except Exception as error:  # whatever one row can raise, such as a value that cannot be decrypted
            if is_away(error):
                raise
        with self._rt.database.worker() as conn:
            due = list(conn.execute(_DUE, {"now": now, "limit": BATCH}).scalars())
        total = _Begun(0, [], [], [])
        for attempt_id in due:
            try:
                total = total.plus(self._begin_some(now, lease, attempt_id))
            except Exception as error:  # recorded with its traceback, tried again later or left to a person
                if is_away(error):
                    raise
                with self._rt.database.worker() as conn:
                    record_failure(conn, NAME, attempt_id, traceback.format_exc(), now)
        return total

    def _begin_some(self, now: datetime, lease: datetime, only: UUID | None) -> _Begun:
        held = hold_params(self._rt.masterdata.current())
        with self._rt.database.worker() as conn:
            if provider_state.paused_until(conn, now) is not None:
                return _Begun(0, [], [], [])
            params = {"job": NAME, "now": now, "limit": BATCH, "lease": lease, "only": only, **held}
            claimed = sorted(conn.execute(_CLAIM, params), key=lambda row: str(row.id))  # the oldest first
            if not claimed:
                return _Begun(0, [], [], [])
            findings, intents, strangers = self._prepare(conn, claimed, now)
            return _Begun(len(claimed), findings, self._intend(conn, intents, lease, now), strangers)

    def _prepare(self, conn: Connection, claimed: Sequence[Row[Any]], now: datetime) -> tuple[list[Finding], list[_Intent], list[Stranger]]:
        """What can be said without a call, what can be sent at once, and whom the provider does not know yet."""
        vault = self._rt.vault
        intents = [
            _Intent(row, vault.unseal("payout.request", row.reference_id, row.request_sealed))
            for row in claimed
            if row.request_sealed is not None
        ]
        fresh = [row for row in claimed if row.request_sealed is None]
        findings: list[Finding] = []
        payable = []
        persons = vault.get(conn, list({row.beneficiary_id for row in fresh}), ("name", "phone", "vpa"))
        for row in fresh:
            person = persons.setdefault(row.beneficiary_id, {})
            try:
                person["vpa"] = check_vpa(person.get("vpa", ""))
                payable.append(row)
            except AppError as error:
                missing = not person.get("vpa", "").strip()
                reason, words = (VPA_MISSING, "No UPI address is known") if missing else (VPA_INVALID, error.message)
                findings.append(Refusal(row.id, row.sends, reason, words, now))
        tenants = {row.beneficiary_id: row.tenant_id for row in payable}
        known = look_up(conn, vault, self._lines.target.mark, list(tenants.items()), persons, now) if tenants else {}
        strangers = []
        for row in payable:
            beneficiary = known[row.beneficiary_id]
            verdict = self._verdict(beneficiary.validation, now)
            if beneficiary.provider_fund_account_id is None or verdict == "PENDING":
                strangers.append((row, beneficiary))
            elif verdict == "INVALID":
                findings.append(Refusal(row.id, row.sends, VPA_INVALID, UNKNOWN_TO_THE_BANK, now))
            else:
                intents.append(self._written(row, beneficiary.fund_account_id, beneficiary.provider_fund_account_id))
        return findings, intents, strangers

    def _verdict(self, validation: Validation | None, now: datetime) -> Verdict:
        """What is known of an address. Where addresses are not checked nobody can tell, and nobody waits for it."""
        if not self._rt.settings.validate_vpa:
            return "UNAVAILABLE"
        return "PENDING" if validation is None else validation.verdict(now)

    def _written(self, row: Row[Any], fund_account_id: UUID, provider_fund_account_id: str) -> _Intent:
        """The order for an attempt, written for the first and only time."""
        body = payout_body(
            account_number=self._lines.target.account_number,
            fund_account_id=provider_fund_account_id,
            amount_paise=row.amount_paise,
            reference=row.reference_id,
            upi=self._rt.masterdata.current().upi_config(),
            notes={
                "report_id": str(row.report_id),
                "report_number": row.report_number,
                "tenant_id": row.tenant_id,
                "service_type": row.service_type,
            },
        )
        sealed = self._rt.vault.seal("payout.request", row.reference_id, body)
        return _Intent(row, body, fund_account_id, sealed, keyed_hash(self._rt.keyring, "payout.request", body.decode()).hex())

    def _intend(self, conn: Connection, intents: Sequence[_Intent], lease: datetime, now: datetime) -> list[Order]:
        """Write down that these are about to be sent; one that is no longer ours is left out. The caller commits."""
        if not intents:
            return []
        rows = [
            {
                "id": str(one.row.id),
                "fund_account_id": str(one.fund_account_id) if one.fund_account_id else None,
                "request_sealed": one.sealed,
                "request_hash": one.hash,
            }
            for one in intents
        ]
        written = {row.id: row for row in conn.execute(_INTEND, {"rows": json.dumps(rows), "lease": lease, "now": now})}
        ours = [one for one in intents if one.row.id in written]
        write_packets(conn, [header(Said(ORDER, one.row.reference_id, json.loads(one.body)), _subject(one.row), now) for one in ours])
        return [
            Order(
                attempt_id=one.row.id,
                reference=one.row.reference_id,
                key=one.row.idempotency_key,
                body=one.body,
                sends=written[one.row.id].sends,
                tries=one.row.tries,
                before="PREPARED" if one.row.before == "PREPARED" else "UNKNOWN",  # a lease that ran out is unknown
                first_sent_at=written[one.row.id].first_sent_at,
                held=one.row.held,
            )
            for one in ours
        ]

    def _register(self, strangers: Sequence[Stranger], last_start: float) -> list[Registered]:
        """Tell the provider of each new teacher or address once, however many attempts wait for it."""
        once = {beneficiary.fund_account_id: beneficiary for _, beneficiary in strangers}
        told = partial(_register, last_start=last_start, now=self._rt.clock.now(), validate=self._rt.settings.validate_vpa)
        return self._lines.run([partial(told, beneficiary=one) for one in once.values()])

    def _after_registering(
        self, strangers: Sequence[Stranger], results: Sequence[Registered], lease: datetime
    ) -> tuple[list[Order], list[Finding]]:
        """Keep what the provider called them, and write the orders of those who can be paid now. Commits."""
        at = self._rt.clock.now()
        by_account = {one.beneficiary.fund_account_id: one for one in results}
        intents: list[tuple[_Intent, tuple[Said, ...]]] = []
        findings: list[Finding] = []
        told: set[UUID] = set()
        for row, beneficiary in strangers:
            result = by_account[beneficiary.fund_account_id]
            said = () if beneficiary.fund_account_id in told else result.said
            told.add(beneficiary.fund_account_id)
            verdict = self._verdict(result.validation, at)
            if result.failed is None and verdict == "PENDING":
                findings.append(Unsent(row.id, row.sends, "ADDRESS_BEING_CHECKED", at + LOOK_AGAIN, "PREPARED", at, said))
            elif result.failed is None and verdict == "INVALID":
                findings.append(Refusal(row.id, row.sends, VPA_INVALID, UNKNOWN_TO_THE_BANK, at, said))
            elif result.failed is None and result.provider_fund_account_id is not None:
                intents.append((self._written(row, beneficiary.fund_account_id, result.provider_fund_account_id), said))
            elif isinstance(result.failed, Refused):
                reason = VPA_INVALID if (result.failed.field or "").startswith("vpa") else reason_of(result.failed)
                findings.append(Refusal(row.id, row.sends, reason, result.failed.description, at, (*said, Said("08/10", row.reference_id))))
            else:
                why = result.failed.why if result.failed is not None else "UNREADABLE_ANSWER"
                findings.append(Unsent(row.id, row.sends, why, at + again_after(row.tries), "PREPARED", at, said))
        with self._rt.database.worker() as conn:
            remember(conn, self._rt.vault, results, at)
            write_packets(conn, [header(one, _subject(intent.row), at) for intent, said in intents for one in said])
            return self._intend(conn, [intent for intent, _ in intents], lease, at), findings

    def _finish(self, findings: Sequence[Finding], calls: Sequence[Call], troubles: Sequence[Trouble], answered: bool) -> None:
        """Remember the calls and how the provider is, and settle what was learnt. Commits."""
        now = self._rt.clock.now()
        with self._rt.database.worker() as conn:
            write_calls(conn, calls)
            provider_state.note_calls(conn, troubles, answered, now)
        settle_each(self._rt, NAME, findings, now)


def _register(provider: Provider, *, beneficiary: Beneficiary, last_start: float, now: datetime, validate: bool) -> Registered:
    if time.monotonic() > last_start:
        return Registered(beneficiary, None, None, (), Unknown("NOT_SENT"))
    return register(provider, beneficiary, now, validate=validate)


def _subject(row: Row[Any]) -> Subject:
    return Subject(row.tenant_id, row.report_id, row.payout_id, row.beneficiary_id)
