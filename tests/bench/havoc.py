"""One run of many reports over the real processes, with or without somebody who kills them; and what is left of it.

The people are stubborn: a request that was not answered is sent again, with the same message id, until it is. Which report
meets which fate, and where a kill falls, follows from the seed.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pipeline.bench import calls, people
from pipeline.bench.calls import Call
from pipeline.bench.clients import LOST, Line
from pipeline.bench.house import House, open_house
from pipeline.bench.people import PLACE, TENANT, Person, Staff
from pipeline.bench.stock import Draft
from pipeline.cli.bench import SERVICES, programs
from pipeline.clock import SettableClock, local_month
from pipeline.demo.photos import photo
from pipeline.errors import AppError
from pipeline.filestore.upload import upload
from pipeline.jobs.worker import run_until_idle
from pipeline.payouts.cap import Claim, reserve
from pipeline.runtime import Runtime, assemble
from pipeline.settings import load
from pipeline.work import all_jobs

SHARES = {"paid": 45, "bad place": 10, "same photo": 10, "rejected": 8, "not found": 8, "bad address": 10, "over the cap": 9}
PER_TEACHER = 4  # below the daily limit, which is not in question here
PEOPLE_AT_ONCE = 6
OUTSIDE = (11.85, 43.5)
PATIENCE_S = 120.0  # for one request, through any number of restarts
AGAIN_S = 0.1
LOOK_S = 0.1
VICTIMS = {"worker": 4, "postgres": 3, "api": 2, "sandbox": 2}  # the worker most often: it holds the most at once
LATEST_S = 0.3  # a kill comes up to this long after its step, so that it falls between any two statements
ADVANCES = 40  # of the clock in the last drain; each goes to the next moment at which something is due
ENDS = ("RESOLVED", "PAYOUT_FAILED", "AUTO_REJECTED", "REJECTED", "UNABLE_TO_LOCATE")

_STATE = text("SELECT status, report_number FROM sdcrs.report WHERE id = :id")
_OPEN = text("SELECT count(*) FROM sdcrs.report WHERE NOT status = ANY (:ends)")
_LOOSE = text("""
    SELECT (SELECT count(*) FROM payout.attempt WHERE phase IN ('PREPARED', 'SENDING', 'UNKNOWN'))
         + (SELECT count(*) FROM payout.webhook_event WHERE processed_at IS NULL)
         + (SELECT count(*) FROM jobs.failure)
""")


@dataclass(frozen=True)
class Fate:
    """One report of the run: what becomes of it, who sends it, with which photos."""

    index: int
    name: str
    draft: Draft
    officer: Person
    capture: UUID | None
    original: int | None = None  # whose photo it repeats


@dataclass(frozen=True)
class End:
    """What is left of one report, in a form that two runs can be compared by."""

    fate: str
    status: str
    version: int
    payout_status: str | None
    payout: tuple[str, int] | None  # of the obligation: status and retries
    history: tuple[tuple[int, str, str], ...]  # version, action, state
    checks: int
    messages: tuple[str, ...]
    ledger: tuple[tuple[str, int], ...]
    at_provider: tuple[str, ...]  # statuses of its payouts there


@dataclass
class Outcome:
    """A whole run."""

    ends: list[End]
    kills: Counter[str] = field(default_factory=Counter)
    repeats: int = 0  # requests that had to be sent again
    faults: Counter[str] = field(default_factory=Counter)  # answers that a client should never see
    caps: dict[int, tuple[int, int]] = field(default_factory=dict)  # by teacher: reserved, and what the ledger says
    seconds: float = 0.0


def run(folder: Path, reports: int, kills: int, seed: int, say: Callable[[str], None] = print) -> Outcome:
    """Play `reports` fates to their ends while processes are killed `kills` times. Takes real processes and real time."""
    began = time.monotonic()
    settings = replace(load({}), embedded_fsync=False)  # a killed server loses nothing without it; a power cut is not played
    with open_house(settings, programs, folder, lambda _: None, {"SANDBOX_DELAY_SECONDS": "0.2"}) as house:
        staff, fates, capped = _cast(house.rt, reports, Random(seed))
        house.start(*SERVICES)
        house.wait_ready(*SERVICES)
        drive = Drive(house, staff, fates)
        with _killing(house, drive, kills, Random(seed + 1)) as killed:
            drive.play()
        say(f"{reports} reports driven, {dict(killed)} killed, {time.monotonic() - began:.0f} s")
        _recover(house)  # the last may have been killed just now
        house.stop("worker")
        _drain(house)
        house.stop_all()
        ends = [_end(house.rt, fate, drive.ids[fate.index]) for fate in fates]
        return Outcome(ends, killed, drive.repeats, drive.faults, _caps(house.rt, fates, capped), time.monotonic() - began)


class Drive:
    """The people: some at once, each taking the next report and not leaving it before its end."""

    def __init__(self, house: House, staff: Staff, fates: Sequence[Fate]) -> None:
        self.house, self.staff, self.fates = house, staff, fates
        self.ids: dict[int, UUID] = {}
        self.steps = 0
        self.repeats = 0
        self.faults: Counter[str] = Counter()
        self.done = threading.Event()
        self._validated = {fate.index: threading.Event() for fate in fates}
        self._lock = threading.Lock()
        self._own = threading.local()
        self._lines: list[Line] = []

    def play(self) -> None:
        """Bring every report as far as people bring it."""
        try:
            with ThreadPoolExecutor(PEOPLE_AT_ONCE) as pool:
                for finished in [pool.submit(self._live, fate) for fate in self.fates]:
                    finished.result()
        finally:
            self.done.set()
            for line in self._lines:
                line.close()

    def _live(self, fate: Fate) -> None:
        if fate.original is not None and not self._validated[fate.original].wait(PATIENCE_S):
            raise TimeoutError(f"report {fate.original} was never validated")
        call = calls.create(fate.draft, f"havoc-{fate.index}")
        if fate.name == "bad place":
            call = replace(call, body=call.body.replace(str(PLACE[0]).encode(), str(OUTSIDE[0]).encode(), 1))
        report = self._ask(call)["DogReports"][0]
        report_id = self.ids[fate.index] = UUID(report["id"])
        status = self._await_validation(fate, report_id)
        expected = "AUTO_REJECTED" if fate.name in ("bad place", "same photo") else "PENDING_VERIFICATION"
        if status != expected:
            raise AssertionError(f"report {fate.index} ({fate.name}) was validated to {status}")
        verifier = self.staff.verifiers[0]
        if fate.name == "rejected":
            self._ask(calls.act("reject", "REJECT", report_id, verifier, {"rejectionReason": "DOMESTIC_DOG", "rejectionRemarks": "Collar"}))
        elif status == "PENDING_VERIFICATION":
            self._ask(calls.verify(report_id, verifier))
            self._ask(calls.assign(report_id, self.staff.supervisors[0], fate.officer))
            self._ask(calls.start_visit(report_id, fate.officer))
            if fate.capture is None:
                self._ask(calls.unable(report_id, fate.officer))
            else:
                self._ask(calls.captured(report_id, fate.officer, fate.capture))

    def _await_validation(self, fate: Fate, report_id: UUID) -> str:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                with self.house.rt.database.worker() as conn:
                    status = str(conn.execute(_STATE, {"id": report_id}).one().status)
            except (AppError, DBAPIError):
                status = ""  # the database is away
            if status not in ("", "PENDING_VALIDATION"):
                self._validated[fate.index].set()
                return status
            time.sleep(LOOK_S)
        raise TimeoutError(f"report {fate.index} was not validated within {PATIENCE_S} s")

    def _ask(self, call: Call) -> dict[str, Any]:
        """The answer to a request, however often it must be sent for it."""
        line: Line | None = getattr(self._own, "line", None)
        if line is None:
            line = self._own.line = Line(self.house.api_url)
            self._lines.append(line)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            status, body = line.send(call)
            if 200 <= status < 300:
                with self._lock:
                    self.steps += 1
                return dict(json.loads(body))
            if status not in (LOST, 503):
                with self._lock:
                    self.faults[f"{call.kind} {status} {body[:300].decode(errors='replace')}"] += 1
                if status < 500:
                    raise AssertionError(f"{call.kind} was refused: {status} {body[:500]!r}")
            with self._lock:
                self.repeats += 1
            time.sleep(AGAIN_S)
        raise TimeoutError(f"{call.kind} was not answered within {PATIENCE_S} s")


@contextmanager
def _killing(house: House, drive: Drive, kills: int, random: Random) -> Iterator[Counter[str]]:
    """Kill at so many random steps of the drive, and start again whatever is not running."""
    steps = 4 * len(drive.fates)  # about as many as will be answered
    points = sorted(random.sample(range(1, steps), kills)) if kills else []
    killed: Counter[str] = Counter()

    def harm() -> None:
        left = list(points)
        while left or not drive.done.is_set():
            if left and (drive.steps >= left[0] or drive.done.is_set()):
                left.pop(0)
                time.sleep(random.uniform(0, LATEST_S))
                victim = random.choices(list(VICTIMS), list(VICTIMS.values()))[0]
                if victim == "postgres":
                    while not house.kill_postgres():  # it is just being started again after the last kill
                        time.sleep(LOOK_S)
                else:
                    house.kill(victim)
                killed[victim] += 1
            for name in SERVICES:
                if not house.alive(name):
                    with suppress(AppError):  # the database is away, and its address is needed: the next look tries again
                        house.start(name)
            time.sleep(LOOK_S / 2)

    thread = threading.Thread(target=harm, name="havoc")
    thread.start()
    try:
        yield killed
    finally:
        drive.done.set()
        thread.join()


def _cast(rt: Runtime, reports: int, random: Random) -> tuple[Staff, list[Fate], list[Person]]:
    """The people, with their photos; some teachers can be paid, some cannot, and of some the month is full."""
    staff = people.hire(rt)
    names = [name for name, share in SHARES.items() for _ in range(max(1, round(share * reports / 100)))][:reports]
    names += ["paid"] * (reports - len(names))
    random.shuffle(names)
    pools = {
        "good": iter(_each(people.teachers(rt, reports // PER_TEACHER + 1, "HG"))),
        "bad address": iter(_each(people.teachers(rt, reports // PER_TEACHER + 1, "HB", "{name}.fails.vpa.invalid@sandbox"))),
    }
    capped = people.teachers(rt, names.count("over the cap") // PER_TEACHER + 1, "HC")
    pools["over the cap"] = iter(_each(capped))
    md = rt.masterdata.current()
    config = md.payout_config(TENANT)
    month = local_month(rt.clock.now(), md.tenant(TENANT).timezone)
    with rt.database.worker() as conn:
        for teacher in capped:
            claim = Claim(teacher.caller.account_id, month, TENANT, config.amount_paise, config.monthly_cap_paise)
            reserve(conn, [claim] * (config.monthly_cap_paise // config.amount_paise))
    fates: list[Fate] = []
    originals = [index for index, name in enumerate(names) if name == "paid"]
    for index, name in enumerate(names):
        teacher = next(pools.get(name) or pools["good"])
        officer = staff.officers[index % len(staff.officers)]
        earlier = [original for original in originals if original < index]
        original = random.choice(earlier) if name == "same photo" and earlier else None
        fate = "rejected" if name == "same photo" and original is None else name  # there is nothing yet to repeat
        draft = Draft(teacher, *_photos(rt, teacher, index if original is None else original))
        ends_in_capture = name in ("paid", "bad address", "over the cap")
        capture = _capture(rt, officer, index) if ends_in_capture else None
        fates.append(Fate(index, fate, draft, officer, capture, original))
    return staff, fates, capped


def _each(teachers: Sequence[Person]) -> Iterator[Person]:
    for _ in range(PER_TEACHER):
        yield from teachers


def _photos(rt: Runtime, teacher: Person, seed: int) -> tuple[UUID, UUID]:
    taken_at = rt.clock.now().replace(second=0, microsecond=0) - timedelta(minutes=2)
    dog = photo(seed, "dog", *PLACE, taken_at)
    selfie = photo(seed, "selfie", *PLACE, taken_at)
    stored = upload(rt, teacher.caller, TENANT, "SDCRS", None, [("dog.jpg", dog), ("selfie.jpg", selfie)])
    return stored[0].id, stored[1].id


def _capture(rt: Runtime, officer: Person, seed: int) -> UUID:
    return upload(rt, officer.caller, TENANT, "SDCRS", "capture", [("c.jpg", photo(seed, "capture", *PLACE, rt.clock.now()))])[0].id


def _recover(house: House) -> None:
    """Wait for the database, and have everything running again."""
    patience = time.monotonic() + PATIENCE_S
    while True:
        try:
            with house.rt.database.worker():
                break
        except (AppError, DBAPIError):
            if time.monotonic() > patience:
                raise
            time.sleep(LOOK_S)
    while not all(house.answers(name) for name in SERVICES):  # one that was started without a database ends by itself
        house.start(*(name for name in SERVICES if not house.alive(name)))
        if time.monotonic() > patience:
            raise TimeoutError(f"not everything came back within {PATIENCE_S} s")
        time.sleep(LOOK_S)


def _drain(house: House) -> None:
    """Run every job until nothing is left to do, going on to the moment of the next attempt instead of waiting for it."""
    clock = SettableClock(house.rt.clock.now())
    rt = assemble(house.settings, house.rt.database, clock)
    jobs = all_jobs(rt)
    for _ in range(ADVANCES):
        waiting = run_until_idle(jobs, clock)
        with rt.database.worker() as conn:
            still = conn.execute(_OPEN, {"ends": list(ENDS)}).scalar_one() + conn.execute(_LOOSE).scalar_one()
        if not still:
            return
        time.sleep(0.3)  # the sandbox delivers its webhooks in real time
        due = [one.due for one in waiting if one.due > clock.now()]
        clock.set(max(house.rt.clock.now(), min(due, default=clock.now() + timedelta(seconds=30))))
    raise AssertionError(f"{still} things are still open after the drain: {waiting}")


def _end(rt: Runtime, fate: Fate, report_id: UUID) -> End:
    params = {"id": report_id}
    with rt.database.worker() as conn:

        def rows(statement: str) -> list[Any]:
            return list(conn.execute(text(statement), params))

        report = rows("SELECT status, version, payout_status, report_number FROM sdcrs.report WHERE id = :id")[0]
        payout = rows("SELECT id, status, retry_count FROM payout.payout WHERE report_id = :id")
        history = rows("SELECT version, action, to_state FROM sdcrs.report_history WHERE report_id = :id ORDER BY version, id")
        ledger = rows("""
            SELECT l.entry, sum(l.amount_paise)::bigint FROM payout.ledger l JOIN payout.payout p ON p.id = l.payout_id
            WHERE p.report_id = :id GROUP BY l.entry ORDER BY l.entry""")
        provider = rows("""
            SELECT s.status FROM sandbox.payout s JOIN payout.attempt a ON a.reference_id = s.reference_id
            JOIN payout.payout p ON p.id = a.payout_id WHERE p.report_id = :id ORDER BY s.seq""")
        return End(
            fate=fate.name,
            status=report.status,
            version=report.version,
            payout_status=report.payout_status,
            payout=(payout[0].status, payout[0].retry_count) if payout else None,
            history=tuple((row.version, row.action, row.to_state) for row in history),
            checks=len(rows("SELECT name FROM fraud.check_result WHERE report_id = :id")),
            messages=tuple(
                row.template_id for row in rows("SELECT template_id FROM sdcrs.notification WHERE report_id = :id ORDER BY template_id")
            ),
            ledger=tuple((row[0], row[1]) for row in ledger),
            at_provider=tuple(row.status for row in provider),
        )


def _caps(rt: Runtime, fates: Sequence[Fate], capped: Sequence[Person]) -> dict[int, tuple[int, int]]:
    """By teacher (in order of appearance): what the month's counter holds beyond what was filled in before, and the ledger's sum."""
    config = rt.masterdata.current().payout_config(TENANT)
    full = {person.caller.account_id for person in capped}
    found: dict[int, tuple[int, int]] = {}
    teachers = dict.fromkeys(fate.draft.teacher.caller.account_id for fate in fates)
    with rt.database.worker() as conn:
        for place, teacher in enumerate(teachers):
            counter, ledger = conn.execute(
                text("""
                    SELECT coalesce((SELECT sum(reserved_paise) FROM payout.monthly_cap WHERE beneficiary_id = :id), 0)::bigint,
                           coalesce((SELECT sum(CASE entry WHEN 'RESERVE' THEN amount_paise WHEN 'SETTLE' THEN 0 ELSE -amount_paise END)
                                     FROM payout.ledger WHERE beneficiary_id = :id), 0)::bigint"""),
                {"id": teacher},
            ).one()
            found[place] = (counter - (config.monthly_cap_paise if teacher in full else 0), ledger)
    return found
