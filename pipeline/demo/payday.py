"""Paying for the demo's captures, day after day: the payout room's own jobs against a sandbox of our own, by HTTP.

The sandbox tells no webhook by itself; its signed events are read from its journal and handed to the room that receives
webhooks, so that each is stored at its own time. Nobody's running sandbox is touched.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from random import Random
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from pipeline.access.caller import Caller
from pipeline.clock import SettableClock
from pipeline.demo.cast import VILLE, Cast
from pipeline.demo.course import round_end
from pipeline.demo.stage import Stage
from pipeline.demo.story import Story
from pipeline.errors import AppError
from pipeline.jobs.job import Job
from pipeline.payouts.commands import Proof, approve_manual, manual_resolve, retry
from pipeline.payouts.opening import open_payouts
from pipeline.payouts.polling import REVERSAL_WINDOW
from pipeline.payouts.retry import retry_job
from pipeline.payouts.sandbox.switches import Switches
from pipeline.payouts.send import SendJob
from pipeline.payouts.standin import own_sandbox, sandbox_answers, sandbox_url
from pipeline.payouts.webhook import EVENT_ID_HEADER, SIGNATURE_HEADER, receive_all, settle_job
from pipeline.runtime import Runtime

EVENING = timedelta(hours=15, minutes=5)  # of the UTC day: after the last round of visits, late afternoon in all our zones
ANSWER_S = 150.0  # a settle of a day's payouts; the sandbox itself gives up after 120
NEVER_S = 31_000_000.0  # most of a year: nobody but our settle takes a payout's next step
PAGE = 1000  # of the journal
WEEK = 7  # days of captures entered together: each officer's in one transaction
RETRIES_A_DAY = 3  # the automatic ones come an hour apart
# What admins do about a failed payout, and after how many days; the rest stays for whoever signs in
REMEDIES = (("corrected", 45), ("by_hand", 20), ("approval", 12), ("left", 23))

_FAILED = text("""
    SELECT report_id FROM payout.payout
    WHERE status IN ('FAILED', 'REVERSED') AND next_retry_at IS NULL AND modified_at >= :since AND manual_requested_at IS NULL
    ORDER BY report_number LIMIT 10000
""")
_CAPTURED = text("SELECT id FROM sdcrs.report WHERE status = 'CAPTURED' LIMIT 10000000")
# What a week of daily polls leaves of a paid payout: nothing more to ask
_POLLED = text(
    "UPDATE payout.attempt SET next_poll_at = NULL WHERE next_poll_at IS NOT NULL AND accepted_at < :before AND provider_rank >= 5"
)


@dataclass(frozen=True)
class Remedy:
    """What an admin will do about a failed payout."""

    story: Story
    kind: str
    at: datetime


class Payday:
    """Pays the captures of one day after the other. `clock` is the runtime's own and is moved along."""

    def __init__(self, rt: Runtime, clock: SettableClock, stage: Stage, sandbox: str, cast: Cast, random: Random, now: datetime) -> None:
        self._rt, self._clock, self._stage, self._cast, self._random = rt, clock, stage, cast, random
        self._now = now
        self._latest = now - timedelta(minutes=15)  # leaves room for what follows from it, so that nothing lies in the future
        self._sandbox = httpx.Client(base_url=f"{sandbox}/_sandbox", timeout=ANSWER_S, trust_env=False)
        self._send, self._settle, self._retry = SendJob(rt), settle_job(rt), retry_job(rt)
        self._seen = 0  # the last event of the journal that we have read
        self._plans: list[Remedy] = []
        self._planned: set[UUID] = set()

    def run(self, stories: Sequence[Story], progress: Callable[[int], None]) -> None:
        """Day by day until now: captures, their payouts opened, sent and settled, and admins who see to the failed ones.

        Captures are entered a week ahead of their payouts and no more, so that an interrupted load leaves few to be paid late.
        """
        by_report = {story.id: story for story in stories}
        with self._rt.database.worker() as conn:
            unopened = set(conn.execute(_CAPTURED).scalars())
        due = sorted(
            ((at, story) for story in stories if (at := _to_be_paid(story, unopened)) is not None),
            key=lambda entry: (entry[0], entry[1].index),
        )
        by_day = {day: list(group) for day, group in groupby(due, key=lambda entry: entry[0].date())}
        first = min(by_day, default=self._now.date())
        for number in range((self._now.date() - first).days + 1):
            midnight = datetime(first.year, first.month, first.day, tzinfo=UTC) + timedelta(days=number)
            entries = by_day.get(midnight.date(), [])
            if number % WEEK == 0:
                week = (entry for ahead in range(WEEK) for entry in by_day.get((midnight + timedelta(days=ahead)).date(), []))
                self._stage.act([(story, step) for _, story in week if (step := story.next_step) is not None])
            self._open([(at, story) for at, story in entries if not story.stopped])
            evening = min(midnight + EVENING, self._latest)
            self._apply_remedies(evening)
            self._pay(evening)
            self._plan_remedies(by_report, midnight)
            progress(len(entries))
        self._clock.set(self._now)
        with self._rt.database.worker() as conn:
            conn.execute(_POLLED, {"before": self._now - REVERSAL_WINDOW})

    def _open(self, entries: Sequence[tuple[datetime, Story]]) -> None:
        """Obligations begin when the round of visits ends in which the capture was entered."""
        for end, group in groupby(entries, key=lambda entry: min(round_end(entry[0]), self._latest)):
            self._clock.set(end)
            ids = [story.id for _, story in group]
            with self._rt.database.worker(120) as conn:
                open_payouts(conn, self._rt.masterdata.current(), ids, end)

    def _pay(self, at: datetime) -> None:
        """Send what is due, let the provider do its part, hear of it, and the same again for what is retried within the evening."""
        for _ in range(1 + RETRIES_A_DAY):
            self._clock.set(at)
            self.tell("clock", {"fixed": at.isoformat()})
            _drain(self._send, at)
            self.tell("clock", {"fixed": (at + timedelta(seconds=50)).isoformat()})
            self.tell("settle", {"delay": 0})
            at += timedelta(seconds=75)
            self._clock.set(at)
            self._hear(at)
            _drain(self._settle, at)
            waiting = self._retry.waits_for(at)
            again = None if waiting is None else waiting[1] + timedelta(minutes=2)
            if again is None or again > min(at + timedelta(hours=2), self._latest):
                return
            at = again
            _drain(self._retry, at)

    def _hear(self, at: datetime) -> None:
        """The webhooks that the provider would have sent, each to its receiver."""
        while True:
            page = self.ask("journal/events", {"after": self._seen, "limit": PAGE})
            sent = [event for event in page["items"] if event["body"] is not None]
            receive_all(self._rt, [(event["body"].encode(), _headers(event)) for event in sent], at)
            self._seen = max((event["seq"] for event in page["items"]), default=self._seen)
            if page["next_after"] is None:
                return

    def _plan_remedies(self, by_report: dict[UUID, Story], since: datetime) -> None:
        """Somebody looks at the day's failures some days later; in dj.djibouti-ville wrong addresses stay for the demo accounts."""
        with self._rt.database.worker() as conn:
            failed = list(conn.execute(_FAILED, {"since": since}).scalars())
        stories = sorted((by_report[i] for i in failed if i in by_report and i not in self._planned), key=lambda story: story.index)
        for story in stories:
            self._planned.add(story.id)
            kind = self._random.choices([name for name, _ in REMEDIES], [share for _, share in REMEDIES])[0]
            at = since + timedelta(days=self._random.randint(1, 4), hours=8, minutes=self._random.randint(0, 300))
            shown = story.tenant_id == VILLE and "vpa.invalid" in story.teacher.vpa
            if not shown and kind != "left" and at < self._latest:
                self._plans.append(Remedy(story, kind, at))

    def _apply_remedies(self, until: datetime) -> None:
        due = sorted((plan for plan in self._plans if plan.at <= until), key=lambda plan: (plan.at, plan.story.index))
        self._plans = [plan for plan in self._plans if plan.at > until]
        for plan in due:
            first, second = self._cast.admins[self._rt.masterdata.current().tenant(plan.story.tenant_id).state_id]
            self._clock.set(plan.at)
            try:
                self._apply(plan, first, second)
            except AppError:
                continue  # a later success or another remedy came first: nothing is left to do

    def _apply(self, plan: Remedy, first: Caller, second: Caller) -> None:
        md, story = self._rt.masterdata.current(), plan.story
        with self._rt.database.begin(first.scope) as conn:
            if plan.kind == "corrected":
                vpa = f"{story.teacher.vpa.split('.fails')[0].split('.reversed')[0].split('@')[0]}@okaxis"
                retry(conn, md, self._rt.vault, first, [story.id], plan.at, beneficiary_vpa=vpa)
                return
            proof = Proof(
                f"CHQ{self._random.randint(100000, 999999)}", self._random.choice(("CHEQUE", "BANK_TRANSFER")), comment="Paid at the office"
            )
            asked = manual_resolve(conn, md, first, story.id, proof, plan.at)
        if asked.approval_pending and plan.kind == "by_hand":
            with self._rt.database.begin(second.scope) as conn:
                approve_manual(conn, md, second, story.id, plan.at + timedelta(hours=3))

    def tell(self, path: str, body: dict[str, Any]) -> Any:
        """Order the sandbox at its control surface."""
        return self._sandbox.post(path, json=body).raise_for_status().json()

    def ask(self, path: str, query: dict[str, Any]) -> Any:
        """Read from the sandbox's control surface."""
        return self._sandbox.get(path, params=query).raise_for_status().json()

    def close(self) -> None:
        self._sandbox.close()


@contextmanager
def open_payday(rt: Runtime, clock: SettableClock, stage: Stage, cast: Cast, random: Random, now: datetime) -> Iterator[Payday]:
    """A sandbox process of our own on the same books, put back to its ordinary pace at the end."""
    with own_sandbox(rt.database, webhook_url=None) as url:
        settings = replace(rt.settings, razorpayx_base_url=url, razorpayx_key_id=None)
        payday = Payday(replace(rt, settings=settings), clock, stage, url, cast, random, now)
        before = payday.ask("settings", {})
        try:
            payday.tell("settings", {"delay_seconds": NEVER_S, "later_seconds": NEVER_S})
            yield payday
        finally:
            usual = {
                name: getattr(Switches(), name) if before[name] == NEVER_S else before[name] for name in ("delay_seconds", "later_seconds")
            }
            payday.tell("settings", usual)
            payday.tell("clock", {"offset_seconds": 0})
            payday.close()
            _wake(sandbox_url(rt.settings), usual)


def _to_be_paid(story: Story, unopened: set[UUID]) -> datetime | None:
    """When the story's capture is due, or was made and has no payout yet; None: neither."""
    step = story.next_step
    if step is not None:
        return step.at if step.action == "MARK_CAPTURED" else None
    return story.captured_at if story.id in unopened else None


def _headers(event: dict[str, Any]) -> dict[str, str]:
    """With which the provider would have sent it."""
    return {SIGNATURE_HEADER: event["signature"], EVENT_ID_HEADER: event["id"]}


def _wake(url: str, usual: dict[str, float]) -> None:
    """A sandbox that was started after an interrupted load has read that load's pace and clock; tell it the usual ones."""
    if sandbox_answers(url):
        for path, body in (("settings", usual), ("clock", {"offset_seconds": 0})):
            httpx.post(f"{url}/_sandbox/{path}", json=body, timeout=ANSWER_S, trust_env=False).raise_for_status()


def _drain(job: Job, at: datetime) -> None:
    while job.run_once(at):
        pass
