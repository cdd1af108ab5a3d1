"""`demo`: fills an empty installation with a believable state by driving the real rooms through two months.

It runs once, before anybody has worked: accounts that are already there are left alone, and nothing is done. Workers are
held meanwhile, since the demo moves a clock of its own through the past.
"""

import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from sqlalchemy import text

from pipeline.access.accounts import create_accounts
from pipeline.access.passwords import hash_password
from pipeline.audit.log import record
from pipeline.clock import SettableClock
from pipeline.database.engine import Database
from pipeline.demo import identities
from pipeline.demo.cast import Cast, cast
from pipeline.demo.darkroom import PhotoOrder
from pipeline.demo.payday import open_payday
from pipeline.demo.script import Script
from pipeline.demo.stage import Stage
from pipeline.demo.story import Step, Story
from pipeline.demo.studio import open_studio
from pipeline.errors import AppError
from pipeline.fraud.following import fraud_jobs
from pipeline.jobs.hold import hold_workers
from pipeline.jobs.worker import run_until_idle
from pipeline.notifications.follower import notifications_follower
from pipeline.runtime import Runtime
from pipeline.work import ensure_partitions

log = logging.getLogger(__name__)

SEED_DEFAULT = 1
HIRED = timedelta(days=75)  # before now: everybody was there before the first report
STATE = "dj"  # where the load is audited
BEGIN_DEED = "DEMO_BEGUN"
FINISHED_NAME = "demo"
BAR = 30  # characters
STEP_PERCENT = 10  # how often the bar is said again

_ACCOUNTS = text("SELECT count(*) AS total, count(*) FILTER (WHERE demo) AS demo FROM access.account")
_KNOWN = text("SELECT username, id FROM access.account WHERE demo LIMIT 1000000")
_BEGUN = text("SELECT details, occurred_at FROM audit.event WHERE action = :action ORDER BY recorded_at DESC LIMIT 1").bindparams(
    action=BEGIN_DEED
)
_FINISHED = text("SELECT name FROM jobs.schedule WHERE name = :name").bindparams(name=FINISHED_NAME)
_FINISH = text("""
    INSERT INTO jobs.schedule (name, last_run_at) VALUES (:name, :now) ON CONFLICT (name) DO UPDATE SET last_run_at = excluded.last_run_at
""").bindparams(name=FINISHED_NAME)
_STATES = text("SELECT status, count(*) AS reports FROM sdcrs.report GROUP BY status ORDER BY status")
_MADE = text("SELECT (SELECT count(*) FROM access.account WHERE demo) AS accounts, (SELECT count(*) FROM sdcrs.file) AS photos")
_RESOLVED = text("SELECT id, resolved_at FROM sdcrs.report WHERE id = ANY (:ids) AND status = 'RESOLVED'")

Say = Callable[[str], None]


@dataclass(frozen=True)
class DemoSummary:
    """What was made; `note` says why nothing was."""

    accounts: int = 0
    reports: int = 0
    photos: int = 0
    states: dict[str, int] = field(default_factory=dict)
    note: str | None = None

    def __str__(self) -> str:
        if self.note is not None:
            return self.note
        states = ", ".join(f"{count:,} {state}" for state, count in self.states.items())
        return f"Demo data: {self.accounts:,} accounts, {self.reports:,} reports with {self.photos:,} photos ({states})"


class Bar:
    """Says how far a part of the work is, now and then, one line each time."""

    def __init__(self, say: Say, what: str, total: int) -> None:
        self._say, self._what, self._total = say, what, max(total, 1)
        self._done = 0
        self._said = 0

    def __call__(self, more: int) -> None:
        self._done += more
        percent = min(100, 100 * self._done // self._total)
        if percent >= self._said + STEP_PERCENT or (percent == 100 and self._said < 100):
            self._said = percent
            filled = BAR * percent // 100
            self._say(f"{self._what:<22} [{'#' * filled}{'.' * (BAR - filled)}] {percent:3d} %  {self._done:,} of {self._total:,}")


@dataclass(frozen=True)
class Commission:
    """What a load was asked for, from which all of it follows; written down before it begins, so that it can be finished."""

    reports: int
    seed: int
    now: datetime


def load_demo(rt: Runtime, reports: int, seed: int = SEED_DEFAULT, say: Say = log.debug) -> DemoSummary:
    """Make demo data of about this many reports; the same seed at the same moment makes the same. Commits as it goes.

    Finishes a load that was interrupted, as it was asked for then; does nothing where there are other accounts. Raises
    SDCRS_BAD_SETTING in production and where a real payment provider is set, and SDCRS_BUSY while another load runs.
    """
    if rt.settings.production:
        raise AppError("SDCRS_BAD_SETTING", setting="APP_ENV", detail="demo data are not for production")
    if not rt.settings.sandboxed:
        raise AppError("SDCRS_BAD_SETTING", setting="RAZORPAYX_KEY_ID", detail="demo payouts go to the sandbox; unset it to load demo data")
    with hold_workers(rt.database):
        begun = unfinished(rt)
        if begun is not None:
            say("Finishing the demo data that were interrupted")
            return _load(rt, begun, say)
        note = _why_not(rt)
        return DemoSummary(note=note) if note is not None else _load(rt, Commission(reports, seed, rt.clock.now()), say)


def unfinished(rt: Runtime) -> Commission | None:
    """What an interrupted load was asked for; None when there is none."""
    with rt.database.worker() as conn:
        if conn.execute(_FINISHED).one_or_none() is not None:
            return None
        row = conn.execute(_BEGUN).one_or_none()
    return None if row is None else Commission(row.details["reports"], row.details["seed"], row.occurred_at)


def _load(rt: Runtime, wanted: Commission, say: Say) -> DemoSummary:
    ensure_partitions(rt, rt.clock.now())
    with closing(Database(rt.database.url, rt.database.role_prefix, bulk=True)) as database:
        clock = SettableClock(wanted.now)
        _live(replace(rt, database=database, clock=clock), clock, wanted, say)
    with rt.database.worker() as conn:  # after it all the rest is on the disk, too
        conn.execute(_FINISH, {"now": rt.clock.now()})
    return _summary(rt)


def _live(past: Runtime, clock: SettableClock, wanted: Commission, say: Say) -> None:
    """Two months of work, until the moment for which it was asked. `clock` is the runtime's own and is moved along."""
    now, random = wanted.now, Random(wanted.seed)
    people = _people(past, wanted, random)
    stories = Script(past.masterdata.current(), people, random, now).write(wanted.reports)
    Stage(past, None).recall(stories)
    new = [story for story in stories if story.report_id is None]
    with open_studio(past, _orders(stories, new)) as studio:
        stage = Stage(past, studio)
        stage.receive(new, Bar(say, "Reports", len(new)))
        stage.decide(stories, Bar(say, "Decisions and visits", _open_steps(stories)))
        with open_payday(past, clock, stage, people, random, now) as payday:
            payday.run(stories, Bar(say, "Captures and payouts", sum(story.next_step is not None for story in stories)))
    past.files.sync()
    _rate(past, stories)
    visits = identities.planned(past, people, wanted.seed, now)
    identities.register(past, clock, visits, now, Bar(say, "Registrations", len(visits)))
    say("Messages")
    run_until_idle([notifications_follower(past), *fraud_jobs(past)], clock)


def _people(rt: Runtime, wanted: Commission, random: Random) -> Cast:
    """The cast with its accounts: made together with the note of what was asked for, or those that an earlier try made."""
    hired_at = wanted.now - HIRED
    with rt.database.worker(120) as conn:
        known = {row.username: row.id for row in conn.execute(_KNOWN)}
        people = cast(rt.masterdata.current(), wanted.reports, hash_password(rt.settings.demo_password), random, hired_at, known)
        if not known:
            create_accounts(conn, rt.vault, people.accounts, hired_at)
            details = {"reports": wanted.reports, "seed": wanted.seed}
            record(conn, STATE, None, None, BEGIN_DEED, "DEMO", None, wanted.now, details=details)
    return people


def _orders(stories: list[Story], new: list[Story]) -> list[PhotoOrder]:
    """The photos that are still to be made, in the order in which they are needed."""
    captures = [story.capture_photo for story in stories if story.captured_at is None and story.capture_photo is not None]
    return [order for story in new for order in (story.dog, story.selfie)] + sorted(captures, key=lambda order: order.uploaded_at)


def _open_steps(stories: list[Story]) -> int:
    """How many steps but captures are still to be taken."""
    return sum(step.action != "MARK_CAPTURED" for story in stories if not story.stopped for step in story.steps[story.done :])


def _rate(rt: Runtime, stories: list[Story]) -> None:
    """Teachers rate what had ended well by then."""
    rated = [(story, story.rating) for story in stories if story.rating is not None and not story.stopped]
    with rt.database.worker() as conn:
        found = conn.execute(_RESOLVED, {"ids": [story.report_id for story, _ in rated]})
        resolved: dict[UUID | None, datetime] = {row.id: row.resolved_at for row in found}
    steps = [
        (story, Step("RATE", at, story.teacher.caller, fields={"rating": rating}))
        for story, (at, rating) in rated
        if story.report_id in resolved and resolved[story.report_id] < at
    ]
    Stage(rt, None).act(steps)


def _why_not(rt: Runtime) -> str | None:
    with rt.database.worker() as conn:
        found = conn.execute(_ACCOUNTS).one()
    if found.demo:
        return "There are demo data already; nothing was changed. To load them anew, start with an empty database."
    if found.total:
        return "There are accounts already; demo data go only into an empty database. Nothing was changed."
    return None


def _summary(rt: Runtime) -> DemoSummary:
    with rt.database.worker() as conn:
        states = {row.status: row.reports for row in conn.execute(_STATES)}
        made = conn.execute(_MADE).one()
    return DemoSummary(made.accounts, sum(states.values()), made.photos, states)
