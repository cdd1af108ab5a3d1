"""The ground of the payout machine: a sandbox whose webhooks land in a mailbox, teachers with telling addresses, empty books.

And what must hold at every moment, asked of two witnesses only: the sandbox's own journal and our own tables.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

import psycopg
from sqlalchemy import text

from pipeline.access.caller import Caller
from pipeline.clock import SettableClock
from pipeline.database.engine import psycopg_url
from pipeline.payouts.standin import own_sandbox
from pipeline.runtime import Runtime
from tests import factories
from tests.integration.payout_house import Sandbox, captured
from tests.integration.sandbox.client import Hook, listening_hook

CAP_PAISE = 500_000  # Rs 5000 a teacher and month
A_DAY = 5  # reports of one teacher
EVENING = datetime(2026, 3, 31, 20, tzinfo=UTC)  # an hour before April begins in Djibouti, four before it does in UTC
ADDRESSES = (
    "ravi@okaxis",
    "fails.bank.offline@sandbox",
    "fails.vpa.invalid@sandbox",
    "fails.once@sandbox",
    "reversed@sandbox",
    "reversed.after.processed@sandbox",
    "failed.then.reversed@sandbox",
    "utr.late@sandbox",
    "queued.gateway.degraded@sandbox",
    "stuck@sandbox",
)
_EMPTY = """
    TRUNCATE sdcrs.report, sdcrs.notification, payout.fund_account, payout.monthly_cap, payout.provider, payout.webhook_event,
             packet.log, jobs.failure CASCADE
"""

# Each part gives a sentence per breach; of a sound house, none.
_BREACHES = text("""
    WITH live AS (
        SELECT s.*, regexp_replace(s.reference_id, '-R[0-9]+$', '') AS payable
        FROM sandbox.payout s WHERE s.status NOT IN ('failed', 'reversed', 'cancelled', 'rejected')),
    by_hand AS (
        SELECT p.beneficiary_id, l.month, l.amount_paise, 'SDCRS-' || p.report_number AS payable
        FROM payout.ledger l JOIN payout.payout p ON p.id = l.payout_id WHERE l.attempt_id IS NULL AND l.entry = 'SETTLE'),
    paid AS (SELECT payable FROM live UNION ALL SELECT payable FROM by_hand),
    held AS (
        SELECT beneficiary_id, month, sum(CASE entry WHEN 'RESERVE' THEN amount_paise WHEN 'SETTLE' THEN 0 ELSE -amount_paise END) AS paise
        FROM payout.ledger GROUP BY 1, 2),
    out AS (
        SELECT l.beneficiary_id, l.month, s.amount_paise
        FROM live s JOIN payout.attempt a ON a.reference_id = s.reference_id
        JOIN payout.ledger l ON l.attempt_id = a.id AND l.entry = 'RESERVE'
        UNION ALL SELECT beneficiary_id, month, amount_paise FROM by_hand),
    owners AS (
        SELECT s.id, count(a.id) AS attempts
        FROM sandbox.payout s JOIN sandbox.idempotency_key k ON k.payout_id = s.id
        LEFT JOIN payout.attempt a ON a.reference_id = s.reference_id AND a.idempotency_key = k.key
             AND (a.provider_payout_id IS NULL OR a.provider_payout_id = s.id)
        GROUP BY s.id),
    accounts AS (
        SELECT p.id, p.report_number, p.status, p.amount_paise, p.manual_amount_paise, p.manual_approved_at,
               coalesce(sum(CASE l.entry WHEN 'RESERVE' THEN l.amount_paise WHEN 'REVERSE' THEN 0 ELSE -l.amount_paise END), 0) AS reserved,
               coalesce(sum(CASE l.entry WHEN 'SETTLE' THEN l.amount_paise WHEN 'REVERSE' THEN -l.amount_paise ELSE 0 END), 0) AS paid
        FROM payout.payout p LEFT JOIN payout.ledger l ON l.payout_id = p.id GROUP BY p.id)
    SELECT 'paid twice: ' || payable FROM paid GROUP BY payable HAVING count(*) > 1
    UNION ALL SELECT 'over the cap in the ledger: ' || beneficiary_id || ' ' || month FROM held WHERE paise NOT BETWEEN 0 AND :cap
    UNION ALL SELECT 'over the cap at the provider: ' || beneficiary_id || ' ' || month FROM out GROUP BY beneficiary_id, month
        HAVING sum(amount_paise) > :cap
    UNION ALL SELECT 'counter and ledger differ: ' || beneficiary_id || ' ' || month
        FROM held FULL JOIN payout.monthly_cap c USING (beneficiary_id, month) WHERE coalesce(paise, 0) <> coalesce(reserved_paise, 0)
    UNION ALL SELECT 'not one attempt but ' || attempts || ': ' || id FROM owners WHERE attempts <> 1
    UNION ALL SELECT 'two bodies of one key: ' || s.id FROM sandbox.payout s JOIN payout.payout p
        ON 'SDCRS-' || p.report_number = regexp_replace(s.reference_id, '-R[0-9]+$', '') WHERE s.amount_paise <> p.amount_paise
    UNION ALL SELECT 'the ledger does not sum: ' || report_number || ' ' || status || ' reserved ' || reserved || ' paid ' || paid
        FROM accounts WHERE reserved <> CASE WHEN status IN ('INITIATED', 'PROCESSING') THEN amount_paise ELSE 0 END
            OR paid <> CASE WHEN status <> 'COMPLETED' THEN 0 WHEN manual_approved_at IS NULL THEN amount_paise ELSE manual_amount_paise END
    UNION ALL SELECT 'given back while it is out: ' || s.id FROM live s JOIN payout.attempt a ON a.reference_id = s.reference_id
        JOIN payout.ledger l ON l.attempt_id = a.id AND l.entry IN ('RELEASE', 'REVERSE')
    UNION ALL SELECT 'counted as paid by ' || s.status || ': ' || s.id FROM payout.ledger l JOIN payout.attempt a ON a.id = l.attempt_id
        LEFT JOIN sandbox.payout s ON s.reference_id = a.reference_id
        WHERE l.entry = 'SETTLE' AND coalesce(s.status, 'nothing') NOT IN ('processed', 'reversed')
    UNION ALL SELECT 'report ' || r.status || ', payout ' || coalesce(p.status, 'none') || ': ' || r.report_number
        FROM sdcrs.report r LEFT JOIN payout.payout p ON p.report_id = r.id
        WHERE r.status <> CASE WHEN p.status = 'COMPLETED' OR r.payout_status = 'SKIPPED_CAP_REACHED' THEN 'RESOLVED'
            WHEN p.status IS NULL THEN 'CAPTURED' WHEN p.status IN ('FAILED', 'REVERSED') THEN 'PAYOUT_FAILED' ELSE 'PAYOUT_PENDING' END
    UNION ALL SELECT 'no error is expected, but: ' || job || ' ' || error FROM jobs.failure
""")
_UNENDED = text("""
    SELECT p.report_number || ' ' || p.status || ' ' || a.phase || ' ' || coalesce(a.provider_status, '-') AS said
    FROM payout.payout p JOIN payout.attempt a ON a.payout_id = p.id AND a.number = p.retry_count
    LEFT JOIN sandbox.payout s ON s.reference_id = a.reference_id
    WHERE NOT CASE
        WHEN p.status = 'COMPLETED' THEN p.manual_approved_at IS NOT NULL OR s.status = 'processed'
        WHEN p.status IN ('FAILED', 'REVERSED') THEN true  -- in the queue of the failed
        ELSE p.needs_person IS NOT NULL END  -- in the queue of those that somebody must look at
""")
_AWAITED = text("""
    SELECT (SELECT count(*) FROM sdcrs.report WHERE status = 'CAPTURED')
         + (SELECT count(*) FROM payout.payout WHERE next_retry_at IS NOT NULL)
         + (SELECT count(*) FROM payout.payout WHERE status IN ('INITIATED', 'PROCESSING') AND needs_person IS NULL)
         + (SELECT count(*) FROM payout.attempt a JOIN sandbox.payout s ON s.id = a.provider_payout_id WHERE s.status <> a.provider_status)
""")
_TABLES = (
    "payout.payout",
    "payout.attempt",
    "payout.ledger",
    "payout.monthly_cap",
    "payout.fund_account",
    "sdcrs.report",
    "sandbox.payout",
)


@dataclass
class Ground:
    """What all examples share. `photos`: of each teacher, so that a report costs no new ones."""

    rt: Runtime
    owner_url: str
    sandbox: Sandbox
    hook: Hook
    people: factories.People
    starts_at: datetime
    teachers: list[Caller] = field(default_factory=list)
    photos: dict[UUID, tuple[UUID, UUID]] = field(default_factory=dict)

    @property
    def clock(self) -> SettableClock:
        assert isinstance(self.rt.clock, SettableClock)
        return self.rt.clock

    def empty(self) -> None:
        """Everything as on the first day: nothing owed, nothing sent, nobody frozen, addresses as they were."""
        with psycopg.connect(psycopg_url(self.owner_url), autocommit=True) as conn:
            conn.execute(_EMPTY)
        self.sandbox.no_faults()
        self.sandbox.post("reset")
        self.hook.seen.clear()
        self.move_clock(self.starts_at)
        with self.rt.database.worker() as conn:
            conn.execute(
                text("UPDATE access.account SET standing = 'GOOD', standing_reason = NULL, standing_until = NULL WHERE standing <> 'GOOD'")
            )
            homes = [(one.account_id, one.tenant_id, {"vpa": vpa}) for one, vpa in zip(self.teachers, ADDRESSES, strict=True)]
            self.rt.vault.put(conn, homes, self.starts_at)

    def move_clock(self, at: datetime) -> None:
        """Both houses' clocks; the provider takes the steps that fell due. Its webhooks go into the mailbox."""
        self.clock.set(at)
        self.sandbox.post("clock", fixed=at.isoformat())
        self.sandbox.post("settle")

    def captured(self, teacher: Caller, number: int) -> list[UUID]:
        """Reports of one teacher, as many as are wanted: how many a day may be sent in is another room's rule."""
        ids: list[UUID] = []
        with psycopg.connect(psycopg_url(self.owner_url), autocommit=True) as conn:
            while len(ids) < number:
                conn.execute("DELETE FROM sdcrs.daily_count")
                ids += captured(self.rt, self.people, [teacher] * min(number - len(ids), A_DAY), self.photos)
        return ids

    def breaches(self) -> list[str]:
        """What does not hold, in sentences."""
        with self.rt.database.worker() as conn:
            return list(conn.execute(_BREACHES, {"cap": CAP_PAISE}).scalars())

    def unended(self) -> list[str]:
        """Obligations that are neither paid nor visibly open."""
        with self.rt.database.worker() as conn:
            return list(conn.execute(_UNENDED).scalars())

    def awaited(self) -> int:
        """How many things will yet happen by themselves: openings, retries, outcomes, and what the provider has done unseen."""
        with self.rt.database.worker() as conn:
            return int(conn.execute(_AWAITED).scalar_one())

    def everything(self) -> list[tuple[object, ...]]:
        """All rows of both houses' books, but for when they were last touched."""
        with self.rt.database.worker() as conn:
            return [
                (table, str({name: value for name, value in row.items() if name != "modified_at"}))
                for table in _TABLES
                for row in conn.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2")).mappings()
            ]


@contextmanager
def open_ground(rt: Runtime, owner_url: str) -> Iterator[Ground]:
    """The ground over this runtime's database, for the length of a block."""
    with listening_hook() as hook, own_sandbox(rt.database, f"http://127.0.0.1:{hook.port}/webhook/v1/razorpay") as url:
        sandbox = Sandbox(url)
        sandbox.post("settings", webhooks="held", delay_seconds=600, later_seconds=2 * 86_400)
        mine = replace(rt, settings=replace(rt.settings, razorpayx_base_url=url))
        ground = Ground(mine, owner_url, sandbox, hook, factories.people(rt), EVENING)
        ground.teachers += [factories.account(rt, f"TM{number:03d}", "TEACHER", vpa=vpa) for number, vpa in enumerate(ADDRESSES)]
        ground.photos.update({teacher.account_id: factories.photos(rt, teacher) for teacher in ground.teachers})
        yield ground
        sandbox.close()
