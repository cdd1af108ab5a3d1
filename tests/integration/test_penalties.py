"""Penalties through the real code on a real Postgres: imposed, ended, taken back, lifted, appealed against, and what they stop."""

import threading
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

import queries
from pipeline.errors import AppError
from pipeline.fraud.following import fraud_follower, fraud_jobs
from pipeline.fraud.penalties import commands
from pipeline.fraud.penalties.books import settle
from pipeline.jobs.worker import run_until_idle
from pipeline.payouts.opening import open_job
from tests import factories

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)  # between two deeds, so that their messages have an order
ASKED = ("SDCRS_TEACHER_SUSPENDED", "SDCRS_DAILY_LIMIT_EXCEEDED")


def ask(rt, sql, **params):
    with rt.database.worker() as conn:
        return conn.execute(text(sql), params).all()


def waiting(rt, clock, teacher, count):
    """So many reports of the teacher in PENDING_VERIFICATION, at most five a day and an hour apart, elsewhere each time."""
    found = []
    for n in range(count):
        if n and n % 5 == 0:
            clock.advance(DAY)
        clock.advance(timedelta(minutes=61))
        at = (11.5886 + 0.001 * (uuid4().int % 7 - 3), 43.1456 + 0.001 * (uuid4().int % 7 - 3))
        one = factories.submission(rt, teacher, at=at)
        report = factories.validated(rt, teacher, place=one.place, evidence=one.evidence)
        assert factories.status_of(rt, report) == "PENDING_VERIFICATION"
        found.append(report)
    return found


def reject(rt, staff, report, reason="NOT_A_DOG"):
    assert factories.do(rt, staff.verifier, report, "REJECT", rejection_reason=reason).ok


def follow(rt):
    run_until_idle(fraud_jobs(rt), rt.clock)


def standing(rt, teacher):
    return ask(rt, "SELECT standing, standing_until, standing_reason FROM access.account WHERE id = :id", id=teacher.account_id)[0]


def penalties(rt, teacher):
    sql = "SELECT * FROM fraud.penalty WHERE account_id = :id ORDER BY starts_at, level"
    return ask(rt, sql, id=teacher.account_id)


def told(rt, recipient):
    sql = """SELECT template_id, locale, params FROM sdcrs.notification
             WHERE recipient_id = :id AND template_id LIKE ANY (:ours) ORDER BY created_at, id"""
    return ask(rt, sql, id=recipient.account_id, ours=["SDCRS_PENALTY%", "SDCRS_APPEAL%", "SDCRS_BAN%", "SDCRS_SECOND%"])


def audited(rt, action, subject):
    return ask(
        rt, "SELECT actor_id, actor_role FROM audit.event WHERE action = :action AND subject_id = :id", action=action, id=str(subject)
    )


def after(rt, clock, staff, teacher, count):
    """The teacher after so many counted rejections, each settled when it came; his last penalty."""
    for report in waiting(rt, clock, teacher, count):
        reject(rt, staff, report)
        follow(rt)
    return penalties(rt, teacher)[-1]


def code_of(act):
    with pytest.raises(AppError) as caught:
        act()
    return caught.value.code


# how many counted rejections, the standing, the hours that it lasts; None: for ever
STANDINGS = [(1, "WARNING", 90 * 24), (2, "WARNING", 90 * 24), (3, "COOLDOWN", 24), (5, "SUSPENSION", 168), (10, "BAN", None)]


@pytest.mark.parametrize(("count", "code", "hours"), STANDINGS)
def test_standing_follows_from_counted_rejections(rt, clock, staff, teacher, count, code, hours):
    after(rt, clock, staff, teacher, count)
    found = standing(rt, teacher)
    assert found.standing == code
    assert found.standing_until == (None if hours is None else clock.now() + timedelta(hours=hours))
    assert str(count) in found.standing_reason
    assert len(penalties(rt, teacher)) == count  # one for each


def test_a_teacher_under_a_cooldown_is_told_and_cannot_report_until_it_ends(rt, clock, staff, teacher):
    after(rt, clock, staff, teacher, 3)
    with pytest.raises(AppError) as caught:
        factories.submitted(rt, teacher)
    until = clock.now() + DAY
    assert (caught.value.code, caught.value.status) == ("SDCRS_TEACHER_SUSPENDED", 403)
    assert caught.value.params["suspendedUntil"] == until.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert caught.value.params["reason"] == "3 rejected reports within 30 days"
    assert [row.template_id for row in told(rt, teacher)] == [
        "SDCRS_PENALTY_WARNING_TEACHER", "SDCRS_PENALTY_WARNING_TEACHER", "SDCRS_PENALTY_COOLDOWN_TEACHER",
    ]  # fmt: skip
    clock.advance(DAY)
    factories.submitted(rt, teacher)  # nobody has ended it yet, and it blocks no longer
    follow(rt)
    assert standing(rt, teacher).standing == "WARNING"
    assert [row.status for row in penalties(rt, teacher)] == ["ACTIVE", "ACTIVE", "EXPIRED"]
    assert told(rt, teacher)[-1].template_id == "SDCRS_PENALTY_ENDED_TEACHER"
    clock.advance(timedelta(days=90))
    follow(rt)
    assert tuple(standing(rt, teacher)) == ("GOOD", None, None)
    assert {row.status for row in penalties(rt, teacher)} == {"EXPIRED"}


def test_messages_are_in_the_readers_language_and_admins_of_every_level_are_told(rt, clock, staff, teacher):
    with rt.database.worker() as conn:
        conn.execute(text("UPDATE access.account SET locale = 'hi_IN' WHERE id = :id"), {"id": teacher.account_id})
    elsewhere = factories.account(rt, f"DA{uuid4().hex[:6]}", "DISTRICT_ADMIN", tenant_id="dj.ali-sabieh")
    before = len(told(rt, staff.admin))
    after(rt, clock, staff, teacher, 3)
    own = told(rt, teacher)[-1]
    assert (own.locale, own.params["reason"]) == ("hi_IN", "30 दिनों में 3 अस्वीकृत रिपोर्ट")
    for admin in (staff.admin, staff.district_admin):
        assert told(rt, admin)[-1].template_id == "SDCRS_PENALTY_ADMIN"
        assert "Pause" in told(rt, admin)[-1].params["penalty"]
    assert len(told(rt, staff.admin)) == before + 1  # warnings are between the programme and the teacher
    assert told(rt, elsewhere) == []
    with rt.database.begin(staff.supervisor.scope) as conn:  # who may not know the reporter learns nothing of his standing
        sql = "SELECT id, report_id FROM sdcrs.notification WHERE recipient_id = :id ORDER BY created_at DESC, id DESC LIMIT 1"
        message = conn.execute(text(sql), {"id": staff.admin.account_id}).one()
        hidden, seen = (
            queries.one(conn, "trace.notification", id=message.id, report_id=message.report_id, sees_reporter=sees)
            for sees in (False, True)
        )
    assert (hidden["recipient_id"], hidden["params"]) == (None, None)
    assert seen["recipient_id"] == staff.admin.account_id
    assert str(teacher.username) not in str(told(rt, staff.admin)[-1].params)


@pytest.mark.parametrize("reason", ["POOR_QUALITY", None])
def test_what_does_not_count_leaves_the_standing_good(rt, clock, staff, teacher, reason):
    original, *reports = waiting(rt, clock, teacher, 4)
    number = ask(rt, "SELECT report_number FROM sdcrs.report WHERE id = :id", id=original)[0].report_number
    for report in reports:
        if reason is None:
            assert factories.do(rt, staff.verifier, report, "MARK_DUPLICATE", duplicate_of=number).ok
        else:
            reject(rt, staff, report, reason)
    follow(rt)
    assert standing(rt, teacher).standing == "GOOD"
    assert penalties(rt, teacher) == []


def test_automatic_rejections_for_place_and_time_do_not_count(rt, clock, teacher):
    for _ in range(3):
        stale = factories.photos(rt, teacher, taken_at=clock.now() - timedelta(hours=60))
        report = factories.validated(rt, teacher, evidence=factories.submission(rt, teacher, stale).evidence)
        assert factories.status_of(rt, report) == "AUTO_REJECTED"
    follow(rt)
    assert standing(rt, teacher).standing == "GOOD"


def fraud_detected(rt, report):
    """Reject a waiting report as the automatic checks do when the rules add up: only they may."""
    from pipeline.access.caller import SYSTEM_ID
    from pipeline.reports.workflow import Actor, Item, transition

    now = rt.clock.now()
    facts = {"validated_at": now, "rejected_at": now, "rejected_by": SYSTEM_ID, "rejection_reason": "FRAUD_DETECTED", "fraud_score": 90}
    with rt.database.worker() as conn:
        system = Actor(SYSTEM_ID, frozenset({"SYSTEM"}))
        (outcome,) = transition(conn, rt.masterdata.current(), "AUTO_VALIDATE_FAIL", [Item(report, facts)], system, now)
    assert outcome.ok, outcome.error


def test_fraud_detected_counts_and_a_reopening_takes_it_back_with_what_followed(rt, clock, staff, teacher):
    for report in waiting(rt, clock, teacher, 2):
        reject(rt, staff, report)
    clock.advance(timedelta(minutes=61))
    third = factories.submitted(rt, teacher)
    fraud_detected(rt, third)
    follow(rt)
    assert standing(rt, teacher).standing == "COOLDOWN"
    clock.advance(SECOND)
    assert factories.do(rt, staff.district_admin, third, "REOPEN", comment="The phone was shared in the family").ok
    follow(rt)
    assert standing(rt, teacher).standing == "WARNING"
    last = penalties(rt, teacher)[-1]
    assert (last.code, last.status, last.lift_reason) == ("COOLDOWN", "LIFTED", "What led to it counts no longer.")
    assert told(rt, teacher)[-1].template_id == "SDCRS_PENALTY_LIFTED_TEACHER"
    clock.advance(timedelta(minutes=61))
    factories.submitted(rt, teacher)


def test_a_reopening_that_changes_nothing_leaves_the_penalty(rt, clock, staff, teacher):
    first = factories.submitted(rt, teacher)
    fraud_detected(rt, first)
    for report in waiting(rt, clock, teacher, 3):
        reject(rt, staff, report)
    follow(rt)
    assert [row.code for row in penalties(rt, teacher)] == ["WARNING", "WARNING", "COOLDOWN", "COOLDOWN"]
    assert factories.do(rt, staff.district_admin, first, "REOPEN", comment="Looked at again").ok
    follow(rt)
    assert standing(rt, teacher).standing == "COOLDOWN"
    active = [row for row in penalties(rt, teacher) if row.status == "ACTIVE"]
    assert [(row.code, len(row.strikes)) for row in active] == [("WARNING", 1), ("WARNING", 2), ("COOLDOWN", 3)]


def test_reading_the_history_again_changes_nothing(rt, clock, staff, teacher):
    after(rt, clock, staff, teacher, 3)
    before, messages = penalties(rt, teacher), told(rt, teacher)
    with rt.database.worker() as conn:
        conn.execute(text("UPDATE jobs.follower SET last_xid = '0', last_id = '00000000-0000-0000-0000-000000000000' WHERE name = 'fraud'"))
    follow(rt)
    assert penalties(rt, teacher) == before
    assert told(rt, teacher) == messages


def test_two_workers_at_once_impose_each_penalty_once(rt, clock, staff, teacher):
    for report in waiting(rt, clock, teacher, 5):
        reject(rt, staff, report)
    gate, errors = threading.Barrier(4), []

    def run():
        try:
            jobs = fraud_jobs(rt)
            gate.wait()
            for _ in range(3):
                for job in jobs:
                    job.run_once(clock.now())
                with rt.database.worker() as conn:
                    settle(conn, rt.masterdata.current(), [teacher.account_id], clock.now())
        except Exception as error:  # noqa: BLE001 - whatever it is, the main thread says it
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [row.code for row in penalties(rt, teacher)] == ["WARNING", "WARNING", "COOLDOWN", "COOLDOWN", "SUSPENSION"]
    assert len(told(rt, teacher)) == 5


def lift(rt, caller, penalty, reason="Mistaken", **options):
    rt.clock.advance(SECOND)
    with rt.database.begin(caller.scope) as conn:
        return commands.lift(conn, rt.masterdata.current(), caller, penalty.id, reason, rt.clock.now(), **options)


def test_a_lifted_cooldown_lets_the_teacher_report_and_is_not_imposed_again(rt, clock, staff, teacher):
    last = after(rt, clock, staff, teacher, 3)
    assert code_of(lambda: lift(rt, staff.district_admin, last, reason=" ")) == "SDCRS_FACT_MISSING"
    assert lift(rt, staff.district_admin, last) == "DONE"
    assert code_of(lambda: lift(rt, staff.district_admin, last)) == "SDCRS_PENALTY_OVER"  # a double click
    follow(rt)
    assert standing(rt, teacher).standing == "WARNING"
    assert audited(rt, "PENALTY_LIFTED", last.id)[0].actor_id == staff.district_admin.account_id
    assert told(rt, teacher)[-1].params["comment"] == "Mistaken"
    clock.advance(timedelta(minutes=61))
    (fourth,) = waiting(rt, clock, teacher, 1)
    reject(rt, staff, fourth)
    follow(rt)
    assert standing(rt, teacher).standing == "COOLDOWN"  # the earlier ones still count


def test_what_is_forgiven_counts_no_further(rt, clock, staff, teacher):
    last = after(rt, clock, staff, teacher, 3)
    assert lift(rt, staff.admin, last, forgive_cause=True) == "DONE"
    follow(rt)
    assert standing(rt, teacher).standing == "GOOD"
    (fourth,) = waiting(rt, clock, teacher, 1)
    reject(rt, staff, fourth)
    follow(rt)
    assert standing(rt, teacher).standing == "WARNING"


def test_a_district_admin_lifts_no_suspension_and_nobody_elsewhere_finds_it(rt, clock, staff, teacher):
    last = after(rt, clock, staff, teacher, 5)
    stranger = factories.account(rt, f"DA{uuid4().hex[:6]}", "DISTRICT_ADMIN", tenant_id="dj.ali-sabieh")
    assert code_of(lambda: lift(rt, staff.district_admin, last)) == "SDCRS_FORBIDDEN"
    assert code_of(lambda: lift(rt, staff.verifier, last)) == "SDCRS_FORBIDDEN"
    assert code_of(lambda: lift(rt, stranger, last)) == "SDCRS_NOT_FOUND"
    assert lift(rt, staff.admin, last) == "DONE"


def appeal(rt, caller, penalty, said="The dogs were there."):
    rt.clock.advance(SECOND)
    with rt.database.begin(caller.scope) as conn:
        commands.appeal(conn, caller, penalty.id, said, rt.clock.now())


def decide(rt, caller, penalty, granted, comment="Looked at again"):
    rt.clock.advance(SECOND)
    with rt.database.begin(caller.scope) as conn:
        return commands.decide_appeal(conn, rt.masterdata.current(), caller, penalty.id, granted, comment, rt.clock.now())


def test_an_appeal_is_made_once_by_the_teacher_alone_and_granting_it_forgives(rt, clock, staff, teacher):
    last = after(rt, clock, staff, teacher, 3)
    other = factories.account(rt, f"T{uuid4().hex[:6]}", "TEACHER")
    assert code_of(lambda: appeal(rt, other, last)) == "SDCRS_NOT_FOUND"
    assert code_of(lambda: appeal(rt, staff.admin, last)) == "SDCRS_FORBIDDEN"
    assert code_of(lambda: appeal(rt, teacher, penalties(rt, teacher)[0])) == "SDCRS_APPEAL_CLOSED"  # a warning
    assert code_of(lambda: decide(rt, staff.admin, last, True)) == "SDCRS_NOTHING_TO_APPROVE"
    appeal(rt, teacher, last)
    assert code_of(lambda: appeal(rt, teacher, last)) == "SDCRS_APPEAL_CLOSED"
    follow(rt)
    assert told(rt, staff.district_admin)[-1].template_id == "SDCRS_APPEAL_ADMIN"
    assert decide(rt, staff.district_admin, last, True) == "DONE"
    assert code_of(lambda: decide(rt, staff.district_admin, last, True)) == "SDCRS_PENALTY_OVER"
    follow(rt)
    assert standing(rt, teacher).standing == "GOOD"
    assert [len(audited(rt, action, last.id)) for action in ("APPEAL_MADE", "APPEAL_GRANTED", "PENALTY_LIFTED")] == [1, 1, 1]


def test_a_refused_appeal_is_told_with_the_reason_and_the_penalty_goes_on(rt, clock, staff, teacher):
    last = after(rt, clock, staff, teacher, 3)
    appeal(rt, teacher, last)
    assert decide(rt, staff.district_admin, last, False, "The photos show a pet.") == "DONE"
    follow(rt)
    assert standing(rt, teacher).standing == "COOLDOWN"
    assert (told(rt, teacher)[-1].template_id, told(rt, teacher)[-1].params["comment"]) == (
        "SDCRS_APPEAL_REFUSED_TEACHER",
        "The photos show a pet.",
    )


def test_the_window_of_an_appeal_closes(rt, clock, staff, teacher):
    cooldown = after(rt, clock, staff, teacher, 3)
    clock.advance(DAY)
    assert code_of(lambda: appeal(rt, teacher, cooldown)) == "SDCRS_PENALTY_OVER"  # before any job has ended it
    banned = factories.account(rt, f"T{uuid4().hex[:6]}", "TEACHER")
    ban = banned_for_fraud(rt, clock, staff, banned)
    clock.advance(timedelta(days=30) - timedelta(seconds=1))
    assert ban.appeal_until == clock.now() + timedelta(seconds=1)
    clock.advance(timedelta(seconds=1))
    assert code_of(lambda: appeal(rt, banned, ban)) == "SDCRS_APPEAL_CLOSED"


def confirm(rt, caller, report, comment="Staged with a toy dog"):
    rt.clock.advance(SECOND)
    with rt.database.begin(caller.scope) as conn:
        return commands.confirm_fraud(conn, caller, report, comment, rt.clock.now())


def approve(rt, caller, confirmed):
    rt.clock.advance(SECOND)
    with rt.database.begin(caller.scope) as conn:
        commands.approve_fraud(conn, rt.masterdata.current(), caller, confirmed.confirmation_id, rt.clock.now())


def banned_for_fraud(rt, clock, staff, teacher):
    (report,) = waiting(rt, clock, teacher, 1)
    approve(rt, staff.second_admin, confirm(rt, staff.admin, report))
    follow(rt)
    return penalties(rt, teacher)[-1]


def test_a_fraud_bans_once_a_second_admin_approves(rt, clock, staff, teacher):
    (report,) = waiting(rt, clock, teacher, 1)
    assert code_of(lambda: confirm(rt, staff.verifier, report)) == "SDCRS_FORBIDDEN"
    assert code_of(lambda: confirm(rt, staff.admin, report, " ")) == "SDCRS_FACT_MISSING"
    assert code_of(lambda: confirm(rt, staff.admin, uuid4())) == "SDCRS_NOT_FOUND"
    confirmed = confirm(rt, staff.district_admin, report)
    assert code_of(lambda: confirm(rt, staff.admin, report)) == "SDCRS_ALREADY_CONFIRMED"
    assert code_of(lambda: approve(rt, staff.district_admin, confirmed)) == "SDCRS_SELF_APPROVAL"
    follow(rt)
    assert standing(rt, teacher).standing == "GOOD"  # one admin is not enough
    assert told(rt, staff.admin)[-1].template_id == "SDCRS_SECOND_ADMIN"
    approve(rt, staff.admin, confirmed)
    assert standing(rt, teacher).standing == "BAN"  # at once
    assert code_of(lambda: approve(rt, staff.second_admin, confirmed)) == "SDCRS_NOTHING_TO_APPROVE"  # a double click
    follow(rt)
    found = standing(rt, teacher)
    assert (found.standing_until, found.standing_reason) == (None, "a fraud that two administrators confirmed")
    with pytest.raises(AppError) as caught:
        factories.submitted(rt, teacher)
    assert (caught.value.code, caught.value.params["suspendedUntil"]) == ("SDCRS_TEACHER_SUSPENDED", None)
    assert told(rt, staff.district_admin)[-1].template_id == "SDCRS_BAN_ADMIN"
    assert [len(audited(rt, action, report)) for action in ("FRAUD_CONFIRMED", "FRAUD_APPROVED")] == [1, 1]


def test_a_refused_confirmation_has_no_effect_and_may_come_again(rt, clock, staff, teacher):
    (report,) = waiting(rt, clock, teacher, 1)
    first = confirm(rt, staff.admin, report)
    with rt.database.begin(staff.second_admin.scope) as conn:
        commands.refuse_fraud(conn, staff.second_admin, first.confirmation_id, "No proof", rt.clock.now())
    follow(rt)
    assert standing(rt, teacher).standing == "GOOD"
    assert confirm(rt, staff.admin, report).confirmation_id != first.confirmation_id


def test_two_admins_who_approve_at_once_ban_once(rt, clock, staff, teacher):
    (report,) = waiting(rt, clock, teacher, 1)
    confirmed = confirm(rt, staff.district_admin, report)
    gate, codes = threading.Barrier(2), []

    def run(admin):
        gate.wait()
        try:
            approve(rt, admin, confirmed)
            codes.append("DONE")
        except AppError as error:
            codes.append(error.code)

    threads = [threading.Thread(target=run, args=(admin,)) for admin in (staff.admin, staff.second_admin)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["DONE", "SDCRS_NOTHING_TO_APPROVE"]
    assert [row.code for row in penalties(rt, teacher)] == ["BAN"]


def test_a_ban_is_lifted_by_two_state_admins(rt, clock, staff, teacher):
    ban = banned_for_fraud(rt, clock, staff, teacher)
    assert code_of(lambda: lift(rt, staff.district_admin, ban)) == "SDCRS_FORBIDDEN"
    assert lift(rt, staff.admin, ban, forgive_cause=True) == "WAITS_FOR_SECOND_ADMIN"
    assert code_of(lambda: lift(rt, staff.admin, ban)) == "SDCRS_APPROVAL_PENDING"
    with pytest.raises(AppError, match="SDCRS_SELF_APPROVAL"), rt.database.begin(staff.admin.scope) as conn:
        commands.approve_lift(conn, rt.masterdata.current(), staff.admin, ban.id, clock.now())
    assert standing(rt, teacher).standing == "BAN"
    with rt.database.begin(staff.second_admin.scope) as conn:
        commands.approve_lift(conn, rt.masterdata.current(), staff.second_admin, ban.id, clock.now())
    follow(rt)
    assert standing(rt, teacher).standing == "GOOD"
    assert [row.status for row in penalties(rt, teacher)] == ["LIFTED"]


def test_an_appeal_against_a_ban_needs_a_second_admin_who_may_refuse(rt, clock, staff, teacher):
    ban = banned_for_fraud(rt, clock, staff, teacher)
    appeal(rt, teacher, ban)
    assert code_of(lambda: decide(rt, staff.district_admin, ban, True)) == "SDCRS_FORBIDDEN"
    assert decide(rt, staff.admin, ban, True) == "WAITS_FOR_SECOND_ADMIN"
    clock.advance(SECOND)
    with rt.database.begin(staff.second_admin.scope) as conn:
        commands.refuse_lift(conn, staff.second_admin, ban.id, "The toy dog is plain to see", clock.now())
    follow(rt)
    row = penalties(rt, teacher)[-1]
    assert (row.status, row.appeal_granted, row.lift_requested_at) == ("ACTIVE", False, None)
    assert told(rt, teacher)[-1].template_id == "SDCRS_APPEAL_REFUSED_TEACHER"
    assert standing(rt, teacher).standing == "BAN"


def test_payouts_wait_while_a_suspension_lasts_and_go_on_after_it(rt, clock, staff, teacher):
    report = factories.captured(rt, replace(staff, teacher=teacher))
    clock.advance(DAY)  # five reports a day
    last = after(rt, clock, staff, teacher, 5)
    assert last.code == "SUSPENSION"
    run_until_idle([open_job(rt)], clock)
    assert factories.status_of(rt, report) == "CAPTURED"
    clock.advance(timedelta(days=7) - timedelta(seconds=1))
    run_until_idle([*fraud_jobs(rt), open_job(rt)], clock)
    assert factories.status_of(rt, report) == "CAPTURED"
    clock.advance(timedelta(seconds=1))
    run_until_idle([*fraud_jobs(rt), open_job(rt)], clock)
    assert factories.status_of(rt, report) == "PAYOUT_PENDING"


def test_payouts_go_on_when_the_suspension_is_lifted_and_never_stop_for_a_cooldown(rt, clock, staff, teacher):
    first = factories.captured(rt, replace(staff, teacher=teacher))
    last = after(rt, clock, staff, teacher, 4)
    assert last.code == "COOLDOWN"
    run_until_idle([open_job(rt)], clock)
    assert factories.status_of(rt, first) == "PAYOUT_PENDING"
    clock.advance(DAY)
    second = factories.captured(rt, replace(staff, teacher=teacher))
    last = after(rt, clock, staff, teacher, 1)
    assert last.code == "SUSPENSION"
    run_until_idle([open_job(rt)], clock)
    assert factories.status_of(rt, second) == "CAPTURED"
    lift(rt, staff.admin, last)
    run_until_idle([open_job(rt)], clock)
    assert factories.status_of(rt, second) == "PAYOUT_PENDING"


def test_what_was_over_before_anybody_read_of_it_is_kept_and_told_to_nobody(rt, clock, staff, teacher):
    for report in waiting(rt, clock, teacher, 3):
        reject(rt, staff, report)
    clock.advance(timedelta(days=2))
    follow(rt)
    assert [row.status for row in penalties(rt, teacher)] == ["ACTIVE", "ACTIVE", "EXPIRED"]
    assert standing(rt, teacher).standing == "WARNING"
    assert "SDCRS_PENALTY_COOLDOWN_TEACHER" not in [row.template_id for row in told(rt, teacher)]


def test_a_tenants_own_ladder_counts_and_other_tenants_see_nothing_of_it(rt, clock, staff, teacher):
    after(rt, clock, staff, teacher, 1)
    tables = ("strike", "penalty", "confirmation")
    with rt.database.begin(("dj.ali-sabieh",)) as conn:
        assert [conn.execute(text(f"SELECT count(*) FROM fraud.{table}")).scalar_one() for table in tables] == [0, 0, 0]
    with rt.database.begin(("dj.ali-sabieh",)) as conn:
        settle(conn, rt.masterdata.current(), [teacher.account_id], clock.now())  # out of sight, out of reach
    assert standing(rt, teacher).standing == "WARNING"
    assert isinstance(penalties(rt, teacher)[0].id, UUID)
    assert fraud_follower(rt).run_once(clock.now()) == 0
