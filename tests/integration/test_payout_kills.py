"""A payout worker killed at any statement, commit or request: the next one ends the work, and the tables are as if nothing was."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from pipeline.database.urls import Urls
from pipeline.payouts.webhook import receive
from pipeline.runtime import Runtime
from pipeline.settings import ROOT
from tests.conftest import TUESDAY_MORNING
from tests.integration.payout_ground import ADDRESSES, Ground, open_ground
from tests.integration.payout_house import environment_of

LEASE_OVER = timedelta(minutes=2)  # by then what a killed worker had in hand is free
RETRY_DUE = timedelta(minutes=61)
A_MONTH = timedelta(days=31)  # each batch begins in the midst of another month: its kills take time, and must not move it to the next
ROUNDS = 30  # until a batch is at rest: three retries, and a week of days in which paid ones are asked for is not waited for
LAST_BREATH = 90  # of a life that is to end early; one that has everything to do takes some three hundred
# A stuck one needs days; which payout of several is the first at an address that fails once is a matter of chance
TOLD_APART = [number for number, address in enumerate(ADDRESSES) if not address.startswith(("stuck", "fails.once"))]

# All that is left of a report, without ids, references and times, which differ from run to run
_LEFT = text("""
    SELECT r.status, r.payout_status, r.retry_count, p.status AS payout, p.cap_month, p.failure_reason, p.needs_person,
        p.utr IS NOT NULL AS utr,
        (SELECT string_agg(concat_ws(' ', h.version, h.action, h.to_state), ', ' ORDER BY h.version)
         FROM sdcrs.report_history h WHERE h.report_id = r.id) AS history,
        (SELECT string_agg(concat_ws(' ', a.number, a.phase, a.provider_status, a.reason), ', ' ORDER BY a.number)
         FROM payout.attempt a WHERE a.payout_id = p.id) AS attempts,
        (SELECT string_agg(concat_ws(' ', a.number, l.entry, l.amount_paise, l.month), ', ' ORDER BY a.number, l.entry)
         FROM payout.ledger l JOIN payout.attempt a ON a.id = l.attempt_id WHERE l.payout_id = p.id) AS ledger,
        (SELECT string_agg(concat_ws(' ', a.number, s.status, s.amount_paise), ', ' ORDER BY a.number)
         FROM payout.attempt a JOIN sandbox.payout s ON s.reference_id = a.reference_id WHERE a.payout_id = p.id) AS at_provider
    FROM sdcrs.report r LEFT JOIN payout.payout p ON p.report_id = r.id WHERE r.id = ANY (:ids) ORDER BY array_position(:ids, r.id)
""")
_MONTHS = text("SELECT beneficiary_id, month, reserved_paise FROM payout.monthly_cap ORDER BY 1, 2")
_PARTIES = text("""
    SELECT c.reference_id, count(DISTINCT c.id) AS contacts, string_agg(f.address, ', ' ORDER BY f.address) AS addresses
    FROM sandbox.contact c LEFT JOIN sandbox.fund_account f ON f.contact_id = c.id GROUP BY 1 ORDER BY 1
""")


class Mortal:
    """The process that lives and dies on demand."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def live(self, now: str, breaths: int) -> bool:
        """One life; whether it was killed."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{now} {breaths}\n")
        self._process.stdin.flush()
        told = self._process.stdout.readline().strip()
        assert told in ("killed", "done"), told
        return told == "killed"


@dataclass
class Run:
    """One run: how many reports at a time, how often it was killed, what is left."""

    batches: int = 0
    deaths: int = 0
    reports: list[UUID] = field(default_factory=list)
    left: list[dict[str, Any]] = field(default_factory=list)
    rest: list[tuple[Any, ...]] = field(default_factory=list)


@pytest.fixture(scope="module")
def ground(rt: Runtime, urls: Urls) -> Iterator[Ground]:
    with open_ground(rt, urls.owner) as found:
        found.starts_at = TUESDAY_MORNING
        yield found


@contextmanager
def mortal(ground: Ground) -> Iterator[Mortal]:
    command = [sys.executable, "-m", "tests.bench.mortal"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment_of(ground.rt), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Mortal(process)


def test_fifteen_kills_at_random_points_leave_the_tables_as_they_would_be(ground: Ground) -> None:
    compare(ground, kills=15, seed=3)


@pytest.mark.long
def test_two_hundred_kills_at_random_points_leave_the_tables_as_they_would_be(ground: Ground) -> None:
    compare(ground, kills=200, seed=1)


def compare(ground: Ground, kills: int, seed: int) -> None:
    """First the disturbed run, as long as it takes; then as many reports undisturbed."""
    with mortal(ground) as lives:
        wild = play(ground, lives, Random(seed), kills, None)
        calm = play(ground, lives, Random(seed), 0, wild.batches)
    assert (wild.deaths, calm.deaths) == (kills, 0)
    for index, (disturbed, quiet) in enumerate(zip(wild.left, calm.left, strict=True)):
        assert disturbed == quiet, f"report {index}"
    assert wild.rest == calm.rest
    assert {one["payout"] for one in calm.left} >= {"COMPLETED", "FAILED", "REVERSED"}


def play(ground: Ground, lives: Mortal, rng: Random, kills: int, batches: int | None) -> Run:
    """Batches of reports, each until it is at rest: so many, or until there were enough kills."""
    ground.empty()
    run = Run()
    while run.batches < batches if batches is not None else run.deaths < kills:
        ground.move_clock(ground.starts_at + run.batches * A_MONTH)
        for number in TOLD_APART:
            run.reports += ground.captured(ground.teachers[number], 2)
        told = 0 if run.batches == 0 else len(ground.hook.seen)
        to_rest(ground, lives, rng, run, kills, told)
        run.batches += 1
        breaches = ground.breaches()
        assert not breaches, breaches
    with ground.rt.database.worker() as conn:
        run.left = [dict(row) for row in conn.execute(_LEFT, {"ids": run.reports}).mappings()]
        run.rest = [tuple(row) for statement in (_MONTHS, _PARTIES) for row in conn.execute(statement)]
    return run


def to_rest(ground: Ground, lives: Mortal, rng: Random, run: Run, kills: int, told: int) -> None:
    """Let workers live and die until nothing happens by itself any more."""
    for _ in range(ROUNDS):
        while lives.live(ground.clock.now().isoformat(), rng.randint(1, LAST_BREATH) if run.deaths < kills else 0):
            run.deaths += 1
            ground.move_clock(ground.clock.now() + LEASE_OVER)
        ground.sandbox.settle(late=True)
        for headers, raw in ground.hook.seen[told:]:
            receive(ground.rt, raw, headers, ground.clock.now())
        told = len(ground.hook.seen)
        if not ground.awaited():
            return
        ground.move_clock(ground.clock.now() + RETRY_DUE)
    raise AssertionError("the payouts do not come to rest")
