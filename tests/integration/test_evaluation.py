"""One row for each evaluation: what it holds of checks and rules, what its readers are shown, and that history counts in the job."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import RowMapping, text

from pipeline.clock import SettableClock
from pipeline.jobs.worker import run_until_idle
from pipeline.reports.intake import Place
from pipeline.runtime import Runtime
from pipeline.validation.job import validation_job
from tests import factories


@pytest.fixture(scope="module")
def who(rt: Runtime) -> factories.People:
    return factories.people(rt)


@pytest.fixture
def teacher(rt: Runtime) -> factories.Caller:
    return factories.account(rt, f"TE{uuid4().hex[:6]}", "TEACHER")


def evaluation(rt: Runtime, report_id: UUID) -> RowMapping:
    with rt.database.worker() as conn:
        return conn.execute(text("SELECT * FROM fraud.evaluation WHERE report_id = :id"), {"id": report_id}).mappings().one()


def fired(rt: Runtime, report_id: UUID) -> dict[str, dict[str, object]]:
    return {entry["id"]: entry for entry in evaluation(rt, report_id)["fired"]}


def test_an_evaluation_is_one_row_that_explains_itself(rt: Runtime, teacher: factories.Caller) -> None:
    place = Place(11.85, 43.5, gps_latitude=11.85, gps_longitude=43.5)
    files = factories.photos(rt, teacher, at=(11.85, 43.5))
    report_id = factories.validated(rt, teacher, place=place, evidence=factories.submission(rt, teacher, files).evidence)
    row = evaluation(rt, report_id)
    assert (row["number"], row["passed"], row["recommendation"]) == (1, False, "AUTO_REJECT")
    assert [check["name"] for check in row["checks"]] == [
        "GPS_LOCATION", "TIMESTAMP_FRESHNESS", "BOUNDARY_CHECK", "DUPLICATE_IMAGE", "FRAUD_SCORE",
    ]  # fmt: skip
    boundary = row["checks"][2]
    assert not boundary["passed"]
    assert boundary["reason"].endswith("km outside Djibouti-Ville, nearest tenant dj.ali-sabieh")
    rule = next(entry for entry in row["fired"] if entry["id"] == "STD-002")
    assert (rule["weight"], rule["score"], rule["rejects"]) == (30, 30, True)
    assert "km outside" in rule["message"]
    assert row["unevaluated"] == []
    assert sum(len(group["rules"]) for group in row["skipped"]) == 12
    assert row["rules_looked_at"] == 27
    assert row["features"]["reports1h"] == 1
    with rt.database.worker() as conn:
        checks = conn.execute(text("SELECT * FROM fraud.check_result WHERE report_id = :id ORDER BY position"), {"id": report_id}).all()
        outcomes = conn.execute(text("SELECT outcome FROM fraud.rule_result WHERE report_id = :id"), {"id": report_id}).scalars().all()
    assert [(check.position, check.name) for check in checks] == list(enumerate((check["name"] for check in row["checks"]), start=1))
    assert (outcomes.count("FIRED"), outcomes.count("SKIPPED")) == (len(row["fired"]), 12)


def test_reports_in_a_row_are_counted_in_their_order_whether_of_one_batch_or_not(
    rt: Runtime, clock: SettableClock, teacher: factories.Caller
) -> None:
    ids = []
    for _ in range(3):
        ids.append(factories.submitted(rt, teacher, device_id="phone-of-one"))
        clock.advance(timedelta(minutes=1))
    run_until_idle([validation_job(rt)], clock)
    ids.append(factories.validated(rt, teacher, device_id="phone-of-one"))
    assert [evaluation(rt, one)["features"]["reports1h"] for one in ids] == [1, 2, 3, 4]
    assert [evaluation(rt, one)["features"]["lifetime"] for one in ids] == [1, 2, 3, 4]
    assert ["STD-007" in fired(rt, one) for one in ids] == [False, True, True, True]
    assert fired(rt, ids[1])["STD-007"]["message"] == "1.0 min after the report before, at least 5 min"
    assert all("STD-008" not in fired(rt, one) for one in ids)


def test_a_phone_of_two_teachers_is_flagged_at_the_second(rt: Runtime, teacher: factories.Caller) -> None:
    other = factories.account(rt, f"TO{uuid4().hex[:6]}", "TEACHER")
    first = factories.validated(rt, teacher, device_id="phone-of-two")
    second = factories.validated(rt, other, device_id="phone-of-two")
    assert "STD-008" not in fired(rt, first)
    assert fired(rt, second)["STD-008"]["message"] == "2 teachers used this device within 7 days, flagged from 2"


def test_the_same_selfie_again_is_rejected_though_the_dog_is_new(rt: Runtime, teacher: factories.Caller) -> None:
    dog, selfie = factories.photos(rt, teacher)
    first = factories.validated(rt, teacher, evidence=factories.submission(rt, teacher, (dog, selfie)).evidence)
    new_dog, _ = factories.photos(rt, teacher)
    second = factories.validated(rt, teacher, evidence=factories.submission(rt, teacher, (new_dog, selfie)).evidence)
    assert factories.status_of(rt, first) == "PENDING_VERIFICATION"
    assert factories.status_of(rt, second) == "AUTO_REJECTED"
    assert "SDCRS-010" in fired(rt, second)


def test_of_two_in_one_batch_the_earlier_is_the_original_unless_it_was_rejected_itself(rt: Runtime, teacher: factories.Caller) -> None:
    files = factories.photos(rt, teacher)
    far = Place(11.85, 43.5, gps_latitude=11.85, gps_longitude=43.5)
    evidence = factories.submission(rt, teacher, files).evidence
    outside = factories.submitted(rt, teacher, evidence=evidence, place=far)
    other = factories.account(rt, f"TB{uuid4().hex[:6]}", "TEACHER")
    theirs = factories.photos(rt, other)
    second = factories.submitted(rt, teacher, evidence=evidence)
    third = factories.submitted(rt, teacher, evidence=evidence)
    fourth = factories.submitted(rt, other, evidence=factories.submission(rt, other, theirs).evidence)
    run_until_idle([validation_job(rt)], rt.clock)
    states = [factories.status_of(rt, one) for one in (outside, second, third, fourth)]
    assert states == ["AUTO_REJECTED", "PENDING_VERIFICATION", "AUTO_REJECTED", "PENDING_VERIFICATION"]
    assert "STD-005" not in fired(rt, second)
    assert "STD-005" in fired(rt, third)


def test_an_aggressive_dog_needs_a_photo_that_shows_something(rt: Runtime, teacher: factories.Caller) -> None:
    report_id = factories.submitted(rt, teacher)  # its type says that the dog is aggressive
    of_report = "id IN (SELECT file_id FROM sdcrs.evidence WHERE report_id = :id)"
    with rt.database.worker() as conn:
        conn.execute(text(f"UPDATE sdcrs.file SET blur_score = 0.4, exposure_score = 0.9 WHERE {of_report}"), {"id": report_id})
    run_until_idle([validation_job(rt)], rt.clock)
    assert fired(rt, report_id)["SDCRS-002"]["score"] == 8.75
    assert fired(rt, report_id)["SDCRS-002"]["message"] == "isAggressive is true, imageQualityScore is 0.4"
