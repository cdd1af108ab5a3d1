"""A selfie is gone ninety days after the decision about its report: from the pages, from the store, and for nobody sooner."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from pipeline.clock import SettableClock
from pipeline.errors import AppError
from pipeline.filestore.upload import load_file
from pipeline.reports.retention import erase_old_selfies
from pipeline.runtime import Runtime
from pipeline.work import all_tasks
from tests.factories import People, people, submitted, validated, verified


@pytest.fixture
def who(rt: Runtime) -> People:
    return people(rt)


def files_of(rt: Runtime, report_id: UUID) -> dict[str, UUID]:
    with rt.database.worker() as conn:
        found = conn.execute(text("SELECT evidence_type, file_id FROM sdcrs.evidence WHERE report_id = :id"), {"id": report_id})
        return {row.evidence_type: row.file_id for row in found}


def readable(rt: Runtime, file_id: UUID) -> bool:
    with rt.database.worker() as conn:
        try:
            load_file(conn, file_id)
        except AppError:
            return False
    return True


def after(clock: SettableClock, **time: Any) -> None:
    clock.set(clock.now() + timedelta(**time))


def test_only_the_selfie_goes_and_only_when_its_time_has_come(rt: Runtime, who: People, clock: SettableClock) -> None:
    photos = files_of(rt, verified(rt, who))
    after(clock, days=90, seconds=-1)
    assert erase_old_selfies(rt, clock.now()) == 0
    assert readable(rt, photos["REPORTER_SELFIE"])
    after(clock, seconds=2)
    assert erase_old_selfies(rt, clock.now()) == 1
    assert not readable(rt, photos["REPORTER_SELFIE"])
    with pytest.raises(AppError, match="SDCRS_NOT_FOUND"):
        rt.files.get(photos["REPORTER_SELFIE"], "original")
    assert readable(rt, photos["DOG_PHOTO"])
    assert rt.files.get(photos["DOG_PHOTO"], "original")
    assert erase_old_selfies(rt, clock.now()) == 0
    with rt.database.worker() as conn:
        kept = conn.execute(text("SELECT sha256, phash FROM sdcrs.evidence WHERE file_id = :id"), {"id": photos["REPORTER_SELFIE"]}).one()
        told = conn.execute(text("SELECT details FROM audit.event WHERE action = 'SELFIES_ERASED'")).scalar_one()
    assert kept.sha256 is not None
    assert told == {"selfies": 1}


def test_the_selfie_of_an_undecided_report_stays_however_old(rt: Runtime, who: People, clock: SettableClock) -> None:
    waiting, fresh = files_of(rt, validated(rt, who.teacher)), files_of(rt, submitted(rt, who.teacher))
    after(clock, days=400)
    erase_old_selfies(rt, clock.now())
    assert readable(rt, waiting["REPORTER_SELFIE"])
    assert readable(rt, fresh["REPORTER_SELFIE"])


def test_killed_between_giving_up_and_removing_the_bytes_go_the_next_time(
    rt: Runtime, who: People, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    selfie = files_of(rt, verified(rt, who))["REPORTER_SELFIE"]
    after(clock, days=91)

    def killed(file_id: UUID) -> None:
        raise OSError(f"no store for {file_id}")

    monkeypatch.setattr(rt.files, "delete", killed)
    with pytest.raises(OSError, match="no store"):
        erase_old_selfies(rt, clock.now())
    assert not readable(rt, selfie), "given up already"
    monkeypatch.undo()
    next(task for task in all_tasks(rt) if task.name == "selfies").task(clock.now())
    with pytest.raises(AppError, match="SDCRS_NOT_FOUND"):
        rt.files.get(selfie, "original")
