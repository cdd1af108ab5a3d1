"""`demo`: fills an empty installation with a believable state by driving the real rooms through two months.

It runs once, before anybody has worked: accounts that are already there are left alone, and nothing is done. Workers are
held meanwhile, since the demo moves a clock of its own through the past.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from sqlalchemy import text

from pipeline.access.accounts import create_accounts
from pipeline.access.passwords import hash_password
from pipeline.clock import SettableClock
from pipeline.demo.cast import Cast, cast
from pipeline.demo.payday import open_payday
from pipeline.demo.script import Script
from pipeline.demo.stage import Stage
from pipeline.demo.story import PhotoOrder, Step, Story
from pipeline.demo.studio import open_studio
from pipeline.errors import AppError
from pipeline.jobs.hold import hold_workers
from pipeline.jobs.worker import run_until_idle
from pipeline.notifications.follower import notifications_follower
from pipeline.runtime import Runtime
from pipeline.work import ensure_partitions

log = logging.getLogger(__name__)

SEED_DEFAULT = 1
HIRED = timedelta(days=75)  # before now: everybody was there before the first report
BAR = 30  # characters
STEP_PERCENT = 10  # how often the bar is said again

_ACCOUNTS = text("SELECT count(*) AS total, count(*) FILTER (WHERE demo) AS demo FROM access.account")
_STATES = text("SELECT status, count(*) AS reports FROM sdcrs.report GROUP BY status ORDER BY status")
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


def load_demo(rt: Runtime, reports: int, seed: int = SEED_DEFAULT, say: Say = log.debug) -> DemoSummary:
    """Make demo data of about this many reports; the same seed at the same moment makes the same. Commits as it goes.

    Does nothing where there are accounts already. Raises SDCRS_BAD_SETTING in production and where a real payment
    provider is set: demo payouts go to the sandbox.
    """
    if rt.settings.production:
        raise AppError("SDCRS_BAD_SETTING", setting="APP_ENV", detail="demo data are not for production")
    if not rt.settings.sandboxed:
        raise AppError("SDCRS_BAD_SETTING", setting="RAZORPAYX_KEY_ID", detail="demo payouts go to the sandbox; unset it to load demo data")
    note = _why_not(rt)
    if note is not None:
        return DemoSummary(note=note)
    now = rt.clock.now()
    with hold_workers(rt.database):
        return _load(rt, reports, Random(seed), now, say)


def _load(rt: Runtime, reports: int, random: Random, now: datetime, say: Say) -> DemoSummary:
    clock = SettableClock(now)
    past = replace(rt, clock=clock)
    md = rt.masterdata.current()
    ensure_partitions(rt, now)
    people = cast(past, md, reports, hash_password(rt.settings.demo_password), random, now - HIRED)
    stories = Script(md, people, random, now).write(reports)
    with rt.database.worker(120) as conn:
        create_accounts(conn, rt.vault, people.accounts, now - HIRED)
    captures = sorted((story.capture_photo for story in stories if story.capture_photo is not None), key=lambda order: order.uploaded_at)
    photos: list[PhotoOrder] = [order for story in stories for order in (story.dog, story.selfie)]
    with open_studio(past, [*photos, *captures]) as studio:
        stage = Stage(past, studio)
        stage.receive(stories, Bar(say, "Reports", len(stories)))
        _play(stage, stories, say)
    rt.files.sync()
    _pay(past, clock, people, stories, random, now, say)
    _rate(past, stage, stories)
    clock.set(now)
    say("Messages")
    run_until_idle([notifications_follower(past)], clock)
    return _summary(rt, people, len(photos) + len(captures))


def _play(stage: Stage, stories: list[Story], say: Say) -> None:
    """What people did, up to the captures."""
    steps = sum(len(story.steps) for story in stories if not story.stopped)
    bar = Bar(say, "Decisions and visits", steps)
    stage.decide(stories, bar)
    captured = [(story, step) for story in stories if not story.stopped for step in story.steps if step.action == "MARK_CAPTURED"]
    stage.act(captured, bar)


def _pay(rt: Runtime, clock: SettableClock, people: Cast, stories: list[Story], random: Random, now: datetime, say: Say) -> None:
    captured = [story for story in stories if not story.stopped and any(step.action == "MARK_CAPTURED" for step in story.steps)]
    with open_payday(rt, clock, people, random, now) as payday:
        payday.run(captured, Bar(say, "Payouts", len(captured)))


def _rate(rt: Runtime, stage: Stage, stories: list[Story]) -> None:
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
    stage.act(steps)


def _why_not(rt: Runtime) -> str | None:
    with rt.database.worker() as conn:
        found = conn.execute(_ACCOUNTS).one()
    if found.demo:
        return "There are demo data already; nothing was changed. To load them anew, start with an empty database."
    if found.total:
        return "There are accounts already; demo data go only into an empty database. Nothing was changed."
    return None


def _summary(rt: Runtime, people: Cast, photos: int) -> DemoSummary:
    with rt.database.worker() as conn:
        states = {row.status: row.reports for row in conn.execute(_STATES)}
    return DemoSummary(len(people.accounts), sum(states.values()), photos, states)
