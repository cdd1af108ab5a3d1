"""The report's way from intake to capture, through the real code on a real Postgres."""

import pytest
from sqlalchemy import text

from pipeline.errors import AppError
from pipeline.jobs.worker import run_until_idle
from pipeline.notifications.follower import notifications_follower
from pipeline.reports.intake import Intake
from pipeline.runtime import Runtime
from tests import factories


@pytest.fixture(scope="module")
def who(rt: Runtime) -> factories.People:
    return factories.people(rt)


def test_a_good_report_reaches_the_verifier_with_five_checks(rt: Runtime, who: factories.People) -> None:
    report_id = factories.validated(rt, who.teacher)
    with rt.database.begin(who.verifier.scope) as conn:
        checks = conn.execute(
            text("SELECT name, passed, reason FROM fraud.check_result WHERE report_id = :id ORDER BY position"), {"id": report_id}
        ).all()
    assert [c.name for c in checks] == ["GPS_LOCATION", "TIMESTAMP_FRESHNESS", "BOUNDARY_CHECK", "DUPLICATE_IMAGE", "FRAUD_SCORE"]
    assert all(c.passed for c in checks), checks
    assert factories.status_of(rt, report_id) == "PENDING_VERIFICATION"


def test_a_captured_report_has_its_whole_history(rt: Runtime, who: factories.People) -> None:
    report_id = factories.captured(rt, who)
    with rt.database.begin(who.admin.scope) as conn:
        rows = conn.execute(
            text("SELECT action, to_state, version FROM sdcrs.report_history WHERE report_id = :id ORDER BY version"), {"id": report_id}
        ).all()
        packets = conn.execute(text("SELECT count(*) FROM packet.log WHERE subject_id = :id"), {"id": report_id}).scalar_one()
    assert [r.action for r in rows] == ["SUBMIT", "AUTO_VALIDATE_PASS", "VERIFY", "ASSIGN", "START_FIELD_VISIT", "MARK_CAPTURED"]
    assert [r.version for r in rows] == [1, 2, 3, 4, 5, 6]
    assert packets > 15


def test_the_same_photo_again_is_rejected_as_duplicate(rt: Runtime, who: factories.People) -> None:
    other = factories.account(rt, "T-second", "TEACHER")
    first_files = factories.photos(rt, who.teacher, seed=77)
    factories.validated(rt, who.teacher, evidence=factories.submission(rt, who.teacher, first_files).evidence)
    second_files = factories.photos(rt, other, seed=77)
    report_id = factories.validated(rt, other, evidence=factories.submission(rt, other, second_files).evidence)
    with rt.database.begin(who.admin.scope) as conn:
        row = conn.execute(text("SELECT status, rejection_reason FROM sdcrs.report WHERE id = :id"), {"id": report_id}).one()
    assert tuple(row) == ("AUTO_REJECTED", "DUPLICATE_IMAGE")


def test_the_sixth_report_of_a_day_is_refused(rt: Runtime) -> None:
    teacher = factories.account(rt, "T-eager", "TEACHER")
    for _ in range(5):
        factories.submitted(rt, teacher)
    with pytest.raises(AppError) as caught:
        factories.submitted(rt, teacher)
    assert caught.value.code == "SDCRS_DAILY_LIMIT_EXCEEDED"
    assert caught.value.params == {"dailyLimit": 5, "submittedToday": 5, "nextAvailableTime": "2026-03-10T21:00:00Z"}


def test_messages_follow_from_history_once(rt: Runtime, who: factories.People) -> None:
    report_id = factories.assigned(rt, who)
    run_until_idle([notifications_follower(rt)], rt.clock)
    run_until_idle([notifications_follower(rt)], rt.clock)
    with rt.database.begin(who.admin.scope) as conn:
        templates = (
            conn.execute(text("SELECT template_id FROM sdcrs.notification WHERE report_id = :id ORDER BY created_at"), {"id": report_id})
            .scalars()
            .all()
        )
    assert sorted(templates) == ["SDCRS_ASSIGN_OFFICER", "SDCRS_SUBMIT_TEACHER", "SDCRS_VERIFIED"]


def test_another_tenants_verifier_sees_nothing(rt: Runtime, who: factories.People) -> None:
    report_id = factories.validated(rt, who.teacher)
    stranger = factories.account(rt, "V-elsewhere", "VERIFIER", tenant_id="dj.ali-sabieh")
    outcome = factories.do(rt, stranger, report_id, "VERIFY")
    assert outcome.error is not None
    assert outcome.error.code == "SDCRS_NOT_FOUND"


def test_bulk_and_single_intake_write_the_same(rt: Runtime, who: factories.People) -> None:
    teacher = factories.account(rt, "T-bulk", "TEACHER")
    submissions = [factories.submission(rt, teacher) for _ in range(3)]
    with rt.database.worker() as conn:
        ids = Intake(rt).create_bulk(conn, submissions)
    with rt.database.begin(who.admin.scope) as conn:
        rows = conn.execute(text("SELECT ward_code, locality, status FROM sdcrs.report WHERE id = ANY (:ids)"), {"ids": ids}).all()
    assert {tuple(r) for r in rows} == {("W005", "Djibouti Centre", "PENDING_VALIDATION")}
