"""What a teacher reads of the own standing on My reports, and the appeal sent from there."""

from datetime import timedelta

from sqlalchemy import text

from pipeline.fraud.following import fraud_jobs
from pipeline.fraud.penalties import commands
from pipeline.jobs.worker import run_until_idle
from tests import factories
from tests.console import shown, tab, token_for


def rejected(rt, clock, staff, teacher, count):
    for _ in range(count):
        clock.advance(timedelta(minutes=61))
        report = factories.validated(rt, teacher)
        assert factories.do(rt, staff.verifier, report, "REJECT", rejection_reason="NOT_A_DOG").ok
    run_until_idle(fraud_jobs(rt), clock)


def mine(rt, caller):
    return tab(rt, token_for(rt, caller), "my_reports")


def penalty(rt, teacher):
    with rt.database.worker() as conn:
        sql = "SELECT * FROM fraud.penalty WHERE account_id = :id ORDER BY starts_at DESC LIMIT 1"
        return conn.execute(text(sql), {"id": teacher.account_id}).one()


def test_a_warning_is_said_and_blocks_nothing(rt, clock, staff, teacher):
    rejected(rt, clock, staff, teacher, 1)
    with mine(rt, teacher) as test:
        test.run()
        assert not test.exception
        assert "Warning: 1 rejected report" in shown(test).replace("\\", "")
        assert not test.button(key="my_reports.new").disabled
        assert not test.text_area


def test_a_teacher_in_good_standing_reads_nothing_of_it(rt, teacher):
    with mine(rt, teacher) as test:
        test.run()
        assert "Warning" not in shown(test)
        assert not test.expander


def test_a_cooldown_says_why_and_until_when_and_takes_one_appeal(rt, clock, staff, teacher):
    rejected(rt, clock, staff, teacher, 3)
    last = penalty(rt, teacher)
    with mine(rt, teacher) as test:
        test.run()
        assert not test.exception
        page = shown(test)
        assert "You cannot send new reports until" in page
        assert "3 rejected reports within 30 days" in page
        assert test.button(key="my_reports.new").disabled
        send = next(button for button in test.button if button.label == "Send the appeal")
        send.click().run()
        assert "An appeal needs text" in shown(test)
        test.text_area(key=f"my_reports.appeal.{last.id}").set_value("The dogs were there.")
        next(button for button in test.button if button.label == "Send the appeal").click().run()
        assert not test.exception
        page = shown(test)
        assert "Your appeal is sent" in page
        assert "The dogs were there." in page
        assert "An admin has not decided yet" in page
        assert not test.text_area
    with rt.database.begin(staff.district_admin.scope) as conn:
        commands.decide_appeal(conn, rt.masterdata.current(), staff.district_admin, last.id, False, "A pet, plainly", clock.now())
    with mine(rt, teacher) as test:
        test.run()
        assert "Not granted: A pet, plainly" in shown(test)
    clock.advance(timedelta(days=1))
    with mine(rt, teacher) as test:  # over, though nobody has ended it yet
        test.run()
        assert not test.button(key="my_reports.new").disabled


def test_a_ban_has_no_end_and_can_be_appealed_against(rt, clock, staff, teacher):
    report = factories.validated(rt, teacher)
    with rt.database.begin(staff.admin.scope) as conn:
        confirmed = commands.confirm_fraud(conn, staff.admin, report, "Staged", clock.now())
    with rt.database.begin(staff.second_admin.scope) as conn:
        commands.approve_fraud(conn, rt.masterdata.current(), staff.second_admin, confirmed.confirmation_id, clock.now())
    with mine(rt, teacher) as test:
        test.run()
        assert not test.exception
        assert "You are excluded from the programme" in shown(test).replace("\\", "")
        assert test.button(key="my_reports.new").disabled
        assert test.text_area
