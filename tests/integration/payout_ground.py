"""The ground of the payout machine: a sandbox whose webhooks land in a mailbox, teachers with telling addresses, empty books.

And what must hold at every moment, asked of two witnesses only: the sandbox's own journal and our own tables.
"""

import hashlib
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
from pipeline.masterdata.files import read_folder
from pipeline.masterdata.master import MasterData
from pipeline.masterdata.store import MasterDataStore
from pipeline.payouts.standin import own_sandbox
from pipeline.runtime import Runtime
from tests import factories
from tests.integration.payout_house import Sandbox, captured
from tests.integration.sandbox.client import Hook, listening_hook

CAP_PAISE = 500_000  # Rs 5000 a teacher and month
A_DAY = 5  # reports of one teacher
STRICT = "dj.ali-sabieh"  # takes from its state that a second admin approves what is settled by hand
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
STRICT_ONES = range(0, len(ADDRESSES), 2)  # whose reports belong to the tenant that wants a second admin
_EMPTY = """
    TRUNCATE sdcrs.report, sdcrs.notification, payout.fund_account, payout.monthly_cap, payout.provider, payout.payee, payout.webhook_event,
             packet.log, jobs.failure CASCADE
"""

# Each part gives a sentence per breach; of a sound house, none.
_BREACHES = text("""
    WITH live AS (
        SELECT s.*, regexp_replace(s.reference_id, '-R[0-9]+$', '') AS payable
        FROM sandbox.payout s WHERE s.status NOT IN ('failed', 'reversed', 'cancelled', 'rejected')),
    by_hand AS (
        SELECT p.beneficiary_id, l.month, l.amount_paise, 'SDCRS-' || p.report_number AS payable, p.manual_exception IS NOT NULL AS beyond
        FROM payout.ledger l JOIN payout.payout p ON p.id = l.payout_id WHERE l.attempt_id IS NULL AND l.entry = 'SETTLE'),
    paid AS (SELECT payable FROM live UNION ALL SELECT payable FROM by_hand),
    held AS (
        SELECT l.beneficiary_id, l.month,
               sum(CASE entry WHEN 'RESERVE' THEN l.amount_paise WHEN 'SETTLE' THEN 0 ELSE -l.amount_paise END) AS paise,
               sum(CASE WHEN entry = 'RESERVE' AND l.attempt_id IS NULL AND p.manual_exception IS NOT NULL THEN l.amount_paise
                   ELSE 0 END) AS beyond
        FROM payout.ledger l JOIN payout.payout p ON p.id = l.payout_id GROUP BY 1, 2),
    out AS (
        SELECT l.beneficiary_id, l.month, s.amount_paise
        FROM live s JOIN payout.attempt a ON a.reference_id = s.reference_id
        JOIN payout.ledger l ON l.attempt_id = a.id AND l.entry = 'RESERVE'
        UNION ALL SELECT beneficiary_id, month, amount_paise FROM by_hand WHERE NOT beyond),
    owners AS (
        SELECT s.id, count(a.id) AS attempts
        FROM sandbox.payout s LEFT JOIN sandbox.idempotency_key k ON k.payout_id = s.id
        LEFT JOIN payout.attempt a ON a.reference_id = s.reference_id AND a.idempotency_key = k.key
             AND (a.provider_payout_id IS NULL OR a.provider_payout_id = s.id)
        GROUP BY s.id),
    bodies AS (  -- of each key, all that reached the provider
        SELECT key, body_sha256 FROM sandbox.idempotency_key
        UNION SELECT idempotency_key, encode(sha256(body), 'hex') FROM sandbox.delayed_request WHERE idempotency_key IS NOT NULL),
    entries AS (
        SELECT payout_id, attempt_id, count(DISTINCT (month, amount_paise, beneficiary_id)) AS kinds,
               count(*) FILTER (WHERE entry = 'RESERVE') AS reserves, count(*) FILTER (WHERE entry = 'SETTLE') AS settles,
               count(*) FILTER (WHERE entry = 'RELEASE') AS releases, count(*) FILTER (WHERE entry = 'REVERSE') AS reverses
        FROM payout.ledger GROUP BY 1, 2),
    accounts AS (
        SELECT p.id, p.report_number, p.status, p.amount_paise, p.manual_amount_paise, p.manual_approved_at,
               coalesce(sum(CASE l.entry WHEN 'RESERVE' THEN l.amount_paise WHEN 'REVERSE' THEN 0 ELSE -l.amount_paise END), 0) AS reserved,
               coalesce(sum(CASE l.entry WHEN 'SETTLE' THEN l.amount_paise WHEN 'REVERSE' THEN -l.amount_paise ELSE 0 END), 0) AS paid
        FROM payout.payout p LEFT JOIN payout.ledger l ON l.payout_id = p.id GROUP BY p.id)
    SELECT 'paid twice: ' || payable FROM paid GROUP BY payable HAVING count(*) > 1
    UNION ALL SELECT 'a new key while the old one can still pay: ' || a.reference_id
        FROM payout.attempt a JOIN payout.payout p ON p.id = a.payout_id
        WHERE a.number < p.retry_count AND (a.phase IN ('PREPARED', 'SENDING', 'UNKNOWN')
            OR EXISTS (SELECT FROM live s WHERE s.reference_id = a.reference_id))
    UNION ALL SELECT 'over the cap in the ledger: ' || beneficiary_id || ' ' || month FROM held
        WHERE paise < 0 OR paise - beyond > :cap
    UNION ALL SELECT 'over the cap at the provider: ' || beneficiary_id || ' ' || month FROM out GROUP BY beneficiary_id, month
        HAVING sum(amount_paise) > :cap
    UNION ALL SELECT 'counter and ledger differ: ' || beneficiary_id || ' ' || month
        FROM held FULL JOIN payout.monthly_cap c USING (beneficiary_id, month) WHERE coalesce(paise, 0) <> coalesce(reserved_paise, 0)
    UNION ALL SELECT 'not one attempt but ' || attempts || ': ' || id FROM owners WHERE attempts <> 1
    UNION ALL SELECT 'one attempt, two payouts: ' || a.reference_id FROM payout.attempt a JOIN sandbox.payout s USING (reference_id)
        GROUP BY a.id HAVING count(*) > 1
    UNION ALL SELECT 'no legal key: ' || reference_id FROM payout.attempt WHERE idempotency_key !~ '^[A-Za-z0-9_ -]{4,36}$'
    UNION ALL SELECT 'two attempts of one key: ' || idempotency_key FROM payout.attempt GROUP BY idempotency_key HAVING count(*) > 1
    UNION ALL SELECT 'two attempts of one body: ' || min(reference_id) FROM payout.attempt GROUP BY request_hash
        HAVING count(*) > 1 AND request_hash IS NOT NULL
    UNION ALL SELECT 'two bodies of one key: ' || key FROM bodies GROUP BY key HAVING count(*) > 1
    UNION ALL SELECT 'another body was sent under ' || key FROM sandbox.idempotency_key WHERE conflicts > 0
    UNION ALL SELECT 'another amount: ' || s.id FROM sandbox.payout s JOIN payout.payout p
        ON 'SDCRS-' || p.report_number = regexp_replace(s.reference_id, '-R[0-9]+$', '') WHERE s.amount_paise <> p.amount_paise
    UNION ALL SELECT 'the ledger does not sum: ' || report_number || ' ' || status || ' reserved ' || reserved || ' paid ' || paid
        FROM accounts WHERE reserved <> CASE WHEN status IN ('INITIATED', 'PROCESSING') THEN amount_paise ELSE 0 END
            OR paid <> CASE WHEN status <> 'COMPLETED' THEN 0 WHEN manual_approved_at IS NULL THEN amount_paise ELSE manual_amount_paise END
    UNION ALL SELECT 'entries that do not belong together: ' || payout_id || coalesce(' ' || attempt_id, ' by hand') FROM entries
        WHERE kinds <> 1 OR reserves <> 1 OR settles + releases > 1 OR reverses > settles
            OR attempt_id IS NULL AND (settles, releases, reverses) <> (1, 0, 0)
    UNION ALL SELECT 'an attempt without a reservation: ' || a.reference_id FROM payout.attempt a
        WHERE NOT EXISTS (SELECT FROM payout.ledger l WHERE l.attempt_id = a.id AND l.entry = 'RESERVE')
    UNION ALL SELECT 'given back while it is out: ' || s.id FROM live s JOIN payout.attempt a ON a.reference_id = s.reference_id
        JOIN payout.ledger l ON l.attempt_id = a.id AND l.entry IN ('RELEASE', 'REVERSE')
    UNION ALL SELECT 'counted as paid though never processed: ' || a.reference_id FROM payout.ledger l
        JOIN payout.attempt a ON a.id = l.attempt_id LEFT JOIN sandbox.payout s ON s.reference_id = a.reference_id
        WHERE l.entry = 'SETTLE' AND NOT EXISTS (SELECT FROM sandbox.event e WHERE e.subject_id = s.id AND e.new_status = 'processed')
    UNION ALL SELECT 'settled by one admin alone: ' || report_number FROM payout.payout
        WHERE (tenant_id = :strict OR manual_exception IS NOT NULL) AND manual_approved_by = manual_requested_by
    UNION ALL SELECT 'money was made or lost at the provider: ' || account_number FROM sandbox.account a
        WHERE balance_paise + (SELECT coalesce(sum(held_paise), 0) FROM sandbox.payout)
            <> (SELECT sum(credit_paise - debit_paise) FROM sandbox.transaction WHERE payout_id IS NULL)
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
        WHEN p.status = 'COMPLETED' AND (s.status = 'processed' OR p.manual_approved_at IS NOT NULL) THEN p.needs_person IS NULL
        WHEN p.status IN ('FAILED', 'REVERSED') THEN true  -- in the queue of the failed
        ELSE p.needs_person IS NOT NULL END  -- in the queue of those that somebody must look at
    UNION ALL SELECT report_number || ' was never opened' FROM sdcrs.report WHERE status = 'CAPTURED'
""")
_AWAITED = text("""
    SELECT (SELECT count(*) FROM sdcrs.report WHERE status = 'CAPTURED')
         + (SELECT count(*) FROM payout.payout WHERE next_retry_at IS NOT NULL)
         + (SELECT count(*) FROM payout.payout WHERE status IN ('INITIATED', 'PROCESSING') AND needs_person IS NULL)
         + (SELECT count(*) FROM payout.attempt a JOIN sandbox.payout s ON s.id = a.provider_payout_id
            WHERE s.status <> a.provider_status AND (a.provider_status, s.status) <> ('reversed', 'failed'))  -- the same to us
""")
_ORDERS = text("""
    SELECT a.reference_id, a.request_sealed, k.body_sha256
    FROM payout.attempt a LEFT JOIN sandbox.idempotency_key k ON k.key = a.idempotency_key WHERE a.request_sealed IS NOT NULL
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


class Fixed(MasterDataStore):
    """Master data that stay as they are."""

    def __init__(self, md: MasterData) -> None:
        self._md = md

    def current(self) -> MasterData:
        return self._md


@dataclass(frozen=True)
class Ways:
    """How the product is set up for an example."""

    queue_if_low_balance: bool = True
    verified_only: bool = False  # whether teachers who are no verified payees are not paid
    validate_vpa: bool = False


def master_data(ways: Ways) -> Fixed:
    """What the product ships, set up so."""
    documents = []
    for one in read_folder():
        content = dict(one.content)
        if one.master == "UPIPayoutConfig":
            content[one.master] = content[one.master] | {"queueIfLowBalance": ways.queue_if_low_balance}
        elif one.master == "tenants" and ways.verified_only:
            content[one.master] = [tenant | {"payeeVerification": "required"} for tenant in content[one.master]]
        documents.append(replace(one, content=content))
    return Fixed(MasterData(documents))


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
    set_up: dict[Ways, Fixed] = field(default_factory=dict)

    @property
    def clock(self) -> SettableClock:
        assert isinstance(self.rt.clock, SettableClock)
        return self.rt.clock

    def empty(self, ways: Ways | None = None) -> None:
        """Everything as on the first day: nothing owed, nothing sent, nobody frozen or verified, addresses as they were."""
        ways = ways or Ways()
        self.set_up.setdefault(ways, master_data(ways))
        settings = replace(self.rt.settings, validate_vpa=ways.validate_vpa)
        self.rt = replace(self.rt, masterdata=self.set_up[ways], settings=settings)
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

    def verify(self, teacher: Caller, status: str) -> None:
        """What another room has found out about a payee."""
        with self.rt.database.worker() as conn:
            conn.execute(
                text(
                    "INSERT INTO payout.payee (account_id, tenant_id, status, source, checked_at) "
                    "VALUES (:id, :tenant, :status, 'a test', :now) "
                    "ON CONFLICT (account_id) DO UPDATE SET status = excluded.status, checked_at = excluded.checked_at"
                ),
                {"id": teacher.account_id, "tenant": teacher.tenant_id, "status": status, "now": self.clock.now()},
            )

    def captured(self, teacher: Caller, number: int) -> list[UUID]:
        """Reports of one teacher, as many as are wanted: how many a day may be sent in is another room's rule."""
        ids: list[UUID] = []
        strict = teacher in [self.teachers[number] for number in STRICT_ONES]
        with psycopg.connect(psycopg_url(self.owner_url), autocommit=True) as conn:
            while len(ids) < number:
                conn.execute("DELETE FROM sdcrs.daily_count")
                ids += captured(self.rt, self.people, [teacher] * min(number - len(ids), A_DAY), self.photos)
            if strict:
                conn.execute("UPDATE sdcrs.report SET tenant_id = %s WHERE id = ANY (%s)", [STRICT, ids])
        return ids

    def breaches(self) -> list[str]:
        """What does not hold, in sentences."""
        with self.rt.database.worker() as conn:
            return list(conn.execute(_BREACHES, {"cap": CAP_PAISE, "strict": STRICT}).scalars())

    def other_bytes(self) -> list[str]:
        """Attempts whose stored request is not what the provider has under their key."""
        with self.rt.database.worker() as conn:
            orders = conn.execute(_ORDERS).all()
        return [
            one.reference_id
            for one in orders
            if one.body_sha256 is not None
            and hashlib.sha256(self.rt.vault.unseal("payout.request", one.reference_id, one.request_sealed)).hexdigest() != one.body_sha256
        ]

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
