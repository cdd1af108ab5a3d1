"""Our set-wise ways beside the plain ones: the same work done for many in one transaction, and for each by itself.

In this process and one thread, through the services, with the worker stopped: what is compared is the way, not the wire.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from pipeline.bench.floor import Floor
from pipeline.bench.people import TENANT, parts_of
from pipeline.bench.stock import Draft
from pipeline.jobs.batch import BatchJob
from pipeline.reports.actions import MAX_UPDATES, act
from pipeline.reports.evidence import EvidenceClaim
from pipeline.reports.intake import Intake, Place, Submission
from pipeline.reports.update import Update
from pipeline.validation import job as validation

SINGLY = 200  # enough for a steady mean; the plain way is slow
AT_ONCE = 1_000


@dataclass(frozen=True)
class Comparison:
    """One piece of work done both ways, in reports a second."""

    work: str
    set_wise: float
    singly: float

    @property
    def ratio(self) -> float:
        return self.set_wise / self.singly


@dataclass(frozen=True)
class Plain:
    """What was compared."""

    rows: tuple[Comparison, ...]

    def as_text(self) -> list[str]:
        """The lines that are printed."""
        head = f"  {'reports a second, one thread, no HTTP':<44} {'set-wise':>11} {'one by one':>11} {'ratio':>7}"
        rows = [f"  {row.work:<44} {row.set_wise:>9.0f}/s {row.singly:>9.0f}/s {row.ratio:>7.1f}" for row in self.rows]
        return ["", "4. Set-wise beside the plain way", head, *rows]

    def as_data(self) -> dict[str, Any]:
        """The same for a program."""
        return {
            "title": "Set-wise beside the plain way",
            "reports_per_second": [{**vars(row), "ratio": round(row.ratio, 2)} for row in self.rows],
        }


def compare(floor: Floor) -> Plain:
    """Intake, validation and verification both ways. The worker must not run; the reports stay verified."""
    began = floor.rt.clock.now()
    one = _rate(SINGLY, lambda: _create_singly(floor, SINGLY))
    many = _rate(AT_ONCE, lambda: _create_at_once(floor, AT_ONCE))
    intake = Comparison(f"intake, {AT_ONCE:,} in a transaction", many, one)
    one = _rate(SINGLY, lambda: _validate(floor, SINGLY, 1))
    many = _rate(AT_ONCE, lambda: _validate(floor, AT_ONCE, validation.BATCH))
    validated = Comparison(f"validation, {validation.BATCH} in a transaction", many, one)
    waiting = [report_id for report_id, _ in floor.in_state("PENDING_VERIFICATION", began, AT_ONCE)]
    one = _rate(SINGLY, lambda: _verify(floor, waiting[:SINGLY], 1))
    many = _rate(len(waiting) - SINGLY, lambda: _verify(floor, waiting[SINGLY:], MAX_UPDATES))
    return Plain((intake, validated, Comparison(f"verification, {MAX_UPDATES} in a transaction", many, one)))


def _rate(count: int, work: Callable[[], None]) -> float:
    began = time.monotonic()
    work()
    return count / (time.monotonic() - began)


def _create_singly(floor: Floor, count: int) -> None:
    intake = Intake(floor.rt)
    for _ in range(count):
        draft = floor.stock.draft()
        now = floor.rt.clock.now()
        one = _submission(draft, now)
        intake.create(draft.teacher.caller, TENANT, lambda one=one: [one], None, now)  # type: ignore[misc]


def _create_at_once(floor: Floor, count: int) -> None:
    now = floor.rt.clock.now()
    submissions = [_submission(floor.stock.draft(), now) for _ in range(count)]
    with floor.rt.database.worker() as conn:
        Intake(floor.rt).create_bulk(conn, submissions)


def _validate(floor: Floor, count: int, size: int) -> None:
    def work(conn: Connection, ids: list[UUID], now: datetime) -> None:
        validation.validate(conn, floor.rt.masterdata.current(), ids, now)

    job = BatchJob(validation.NAME, floor.rt.database, validation.claim, work, size)
    for _ in range(count // size):
        job.run_once(floor.rt.clock.now())


def _verify(floor: Floor, report_ids: Sequence[UUID], size: int) -> None:
    who = floor.verifier().caller
    for some in parts_of(report_ids, size):
        with floor.rt.database.begin(who.scope) as conn:
            updates = [Update(report_id, "VERIFY") for report_id in some]
            act(conn, floor.rt.masterdata.current(), who, updates, floor.rt.clock.now())


def _submission(draft: Draft, now: datetime) -> Submission:
    latitude, longitude = draft.spot
    return Submission(
        reporter_id=draft.teacher.caller.account_id,
        tenant_id=TENANT,
        service_type="StrayDogAggressive",
        description="A pack of dogs by the school gate since the morning",
        place=Place(latitude, longitude, gps_latitude=latitude, gps_longitude=longitude, gps_accuracy_m=8.5),
        evidence=(EvidenceClaim(draft.dog, "DOG_PHOTO"), EvidenceClaim(draft.selfie, "REPORTER_SELFIE")),
        at=now,
    )
