"""`bench reconcile`: payouts beside as many of the provider's and as many statement lines, with planted exceptions of every kind.

Every exception must be found and none invented: found and planted are compared one by one, kind and payout. Beside it what
a plain outer merge in pandas finds of the same. Neither database nor network takes part. Each way has a process of its own,
so that its memory is its own.
"""

import multiprocessing
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, get_args
from uuid import UUID

from pipeline.payouts.compared import Line, Ours, Rules, Theirs, Window
from pipeline.payouts.findings import Item, Kind
from pipeline.payouts.reconciliation import match
from pipeline.payouts.uncollected import uncollected

NOW = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
FIRST = NOW - timedelta(days=7, hours=2)
DAYS = 7  # of payouts, as a weekly run has them
SHARE = 100  # one payout in so many, of each kind
AMOUNT, FEES = 50_000, 590
PLANTED: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind != "MATCHED")
_KINDS: tuple[Kind, ...] = ("MATCHED", *PLANTED)

Finding = tuple[str, str]  # kind, and the provider's payout or the statement's line


class Sources:
    """Three sources that agree but for what is planted; the same for the same seed. Each is made anew whenever it is asked for."""

    def __init__(self, count: int, seed: int) -> None:
        self.count = count
        each = count // SHARE
        plan = bytearray(count)  # 0: agrees, else the number of the planted kind
        for number in range(len(PLANTED)):
            plan[number * each : (number + 1) * each] = bytes([number + 1]) * each
        random.Random(seed).shuffle(plan)
        agrees = plan.index(0)
        plan[0], plan[agrees] = plan[agrees], plan[0]  # the first has the bank reference that others use again
        self._plan = plan
        self._step = timedelta(days=DAYS) / count
        self.window = Window(NOW - timedelta(days=DAYS + 5), NOW)

    def kind(self, n: int) -> Kind:
        """What is planted at payout n."""
        return _KINDS[self._plan[n]]

    def planted(self) -> set[Finding]:
        """What must be found, and nothing else."""
        found: set[Finding] = set()
        for n in range(self.count):
            kind = self.kind(n)
            if kind == "BALANCE_BROKEN":
                found.add((kind, f"txn_{n:014d}"))
            elif kind == "DUPLICATE_AT_PROVIDER":
                found.add((kind, f"pout_{n:09d}twice"))
            elif kind != "MATCHED":
                found.add((kind, _id(n)))
        return found

    def ours(self) -> Iterator[Ours]:
        for n in range(self.count):
            kind, at = self.kind(n), self._at(n)
            if kind == "MISSING_IN_LEDGER":
                continue
            row = UUID(int=n)
            paid = kind not in ("IN_FLIGHT", "STUCK", "STATUS_MISMATCH")
            yield Ours(
                attempt_id=row,
                payout_id=row,
                tenant_id="dj.djibouti-ville",
                report_number=f"DR-DJ-2026-{n:07d}",
                reference_id=_reference(n),
                phase="ACCEPTED",
                amount_paise=AMOUNT,
                fees_paise=FEES,
                provider_payout_id=_id(n),
                fund_account_id=_account(n),
                status="processed" if paid else "processing",
                utr=self._utr(n) if paid else None,
                settled=paid,
                sent_at=at,
                paid_at=at if paid else None,
            )

    def theirs(self) -> Iterator[Theirs]:
        for n in range(self.count):
            kind = self.kind(n)
            if kind == "MISSING_AT_PROVIDER":
                continue
            waits = kind in ("IN_FLIGHT", "STUCK")
            one = Theirs(
                id=_id(n),
                reference_id=_reference(n),
                amount_paise=AMOUNT + 100 if kind == "AMOUNT_MISMATCH" else AMOUNT,
                fund_account_id=f"fa_{n:09d}other" if kind == "BENEFICIARY_MISMATCH" else _account(n),
                status="processing" if waits else "reversed" if kind == "REVERSED_AFTER_SETTLED" else "processed",
                utr=None if waits else self._utr(n),
                tenant_id="dj.djibouti-ville",
                created_at=self._at(n),
            )
            yield one
            if kind == "DUPLICATE_AT_PROVIDER":
                yield one._replace(id=f"pout_{n:09d}twice", utr=None, created_at=one.created_at + timedelta(seconds=1))

    def lines(self) -> Iterator[Line]:
        held = 10**15
        for n in range(self.count):
            kind = self.kind(n)
            if kind in ("MISSING_AT_PROVIDER", "IN_FLIGHT", "STUCK"):
                continue
            if kind == "BALANCE_BROKEN":
                held += 1_000_000  # money came in, and its line is missing
            held -= AMOUNT + FEES
            line = Line(
                id=f"txn_{n:014d}",
                at=self._due(n),
                credit_paise=0,
                debit_paise=AMOUNT + FEES,
                balance_paise=held,
                entity="payout",
                payout_id=_id(n),
                reference_id=None,
                utr=self._utr(n),
                amount_paise=AMOUNT,
                fees_paise=FEES,
                fund_account_id=_account(n),
                tenant_id="dj.djibouti-ville",
            )
            yield line
            if kind == "REVERSED_AFTER_SETTLED":
                held += AMOUNT + FEES
                yield line._replace(id=f"rev_{n:014d}", entity="reversal", credit_paise=AMOUNT + FEES, debit_paise=0, balance_paise=held)

    def rules(self) -> Rules:
        return Rules(self.window, statement=self.window)

    def _due(self, n: int) -> datetime:
        return FIRST + n * self._step

    def _at(self, n: int) -> datetime:
        kind = self.kind(n)
        if kind == "IN_FLIGHT":
            return NOW - timedelta(minutes=5)
        return NOW - timedelta(days=DAYS + 2) if kind == "STUCK" else self._due(n)

    def _utr(self, n: int) -> str:
        return f"{0 if self.kind(n) == 'UTR_REUSED' else n:012d}"


@dataclass(frozen=True)
class Way:
    """One way of reconciling: what it took, and how what it found stands to what was planted."""

    name: str
    reading_s: float  # making the values of all sources once: what a database or a file would take
    seconds: float  # from the first value to the last finding
    cpu_s: float  # processor time of that
    peak_mb: float  # of the process, with Python and its libraries
    found: int
    missed: dict[str, int]
    invented: dict[str, int]

    def as_text(self) -> str:
        lost = ", ".join(f"{count} {kind}" for kind, count in sorted(self.missed.items())) or "nothing"
        made = ", ".join(f"{count} {kind}" for kind, count in sorted(self.invented.items())) or "nothing"
        took = f"{self.name:14} {self.seconds:6.1f} s ({self.cpu_s:.1f} s of processor), peak {self.peak_mb:6.0f} MB"
        head = f"{took}, {self.found:,} of the planted found"
        return f"{head}; missed: {lost}; invented: {made}"

    def as_data(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("name", "reading_s", "seconds", "cpu_s", "peak_mb", "found", "missed", "invented")}


@dataclass(frozen=True)
class Reconciled:
    """Both ways over the same values."""

    payouts: int
    planted: int
    ours: Way
    pandas: Way

    def as_text(self) -> list[str]:
        reading = f"{self.ours.reading_s:.1f} s of it to make the values"
        return [
            f"{self.payouts:,} payouts, as many of the provider's and of the statement; {self.planted:,} exceptions, {len(PLANTED)} kinds",
            f"{self.ours.as_text()}; {reading}",
            self.pandas.as_text(),
        ]

    def as_data(self) -> dict[str, Any]:
        return {"payouts": self.payouts, "planted": self.planted, "ours": self.ours.as_data(), "pandas": self.pandas.as_data()}

    @property
    def right(self) -> bool:
        """Whether ours found everything and nothing else."""
        return not self.ours.missed and not self.ours.invented


def measure(count: int, seed: int, say: Callable[[str], None]) -> Reconciled:
    """Both ways, each in a process of its own."""
    say(f"Reconciling {count:,} payouts …")
    ours = _apart(partial(by_matcher, count, seed))
    say("The same by a merge in pandas …")
    return Reconciled(count, len(Sources(count, seed).planted()), ours, _apart(partial(by_pandas, count, seed)))


def by_matcher(count: int, seed: int) -> Way:
    """The product's own matcher."""
    sources = Sources(count, seed)
    began = time.perf_counter()
    for source in (sources.theirs, sources.lines, sources.ours):
        for _ in source():
            pass
    reading = time.perf_counter() - began
    began, cpu = time.perf_counter(), time.process_time()
    with uncollected():
        result = match(sources.ours(), sources.theirs(), sources.lines(), sources.rules(), NOW)
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    peak = _peak_mb()
    return _way("ours", reading, seconds, cpu_s, peak, {_subject(item) for item in result.items}, sources.planted(), len(result.items))


def by_pandas(count: int, seed: int) -> Way:
    """What comes to mind first: outer merges by the provider's id, then columns compared."""
    import pandas as pd  # noqa: PLC0415 - so that the matcher's own memory is without it

    sources = Sources(count, seed)
    columns = ["id", "amount", "account", "status"]
    began, cpu = time.perf_counter(), time.process_time()
    ours = pd.DataFrame(((o.provider_payout_id, o.amount_paise, o.fund_account_id, o.status) for o in sources.ours()), columns=columns)
    theirs = pd.DataFrame(((t.id, t.amount_paise, t.fund_account_id, t.status) for t in sources.theirs()), columns=columns)
    lines = pd.DataFrame(((x.payout_id, x.debit_paise, x.credit_paise) for x in sources.lines()), columns=["id", "debit", "credit"])
    reading = time.perf_counter() - began
    money = lines.groupby("id", as_index=False).sum()
    both = ours.merge(theirs, on="id", how="outer", suffixes=("_ours", "_theirs"), indicator="side").merge(money, on="id", how="left")
    pairs = both[both["side"] == "both"]
    found: set[Finding] = set()
    for kind, rows in (
        ("MISSING_AT_PROVIDER", both[both["side"] == "left_only"]),
        ("MISSING_IN_LEDGER", both[both["side"] == "right_only"]),
        ("AMOUNT_MISMATCH", pairs[pairs["amount_ours"] != pairs["amount_theirs"]]),
        ("BENEFICIARY_MISMATCH", pairs[pairs["account_ours"] != pairs["account_theirs"]]),
        ("STATUS_MISMATCH", pairs[(pairs["status_ours"] != pairs["status_theirs"]) & (pairs["status_theirs"] != "reversed")]),
        ("REVERSED_AFTER_SETTLED", pairs[(pairs["status_ours"] == "processed") & (pairs["credit"] > 0)]),
    ):
        found.update((kind, str(one)) for one in rows["id"])
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    return _way("pandas merge", reading, seconds, cpu_s, _peak_mb(), found, sources.planted(), len(found))


def _way(
    name: str, reading: float, seconds: float, cpu_s: float, peak: float, found: set[Finding], planted: set[Finding], told: int
) -> Way:
    invented = _by_kind(found - planted)
    if told > len(found):
        invented["told twice"] = told - len(found)
    return Way(name, reading, seconds, cpu_s, peak, len(found & planted), _by_kind(planted - found), invented)


def _by_kind(findings: set[Finding]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for kind, _ in findings:
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def _subject(item: Item) -> Finding:
    return item.kind, item.provider_payout_id or item.line_id or ""


def _apart(work: Callable[[], Way]) -> Way:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work).result()


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)  # bytes there, kilobytes elsewhere


def _id(n: int) -> str:
    return f"pout_{n:014d}"


def _reference(n: int) -> str:
    return f"SDCRS-DR-DJ-2026-{n:07d}"


def _account(n: int) -> str:
    return f"fa_{n:014d}"
