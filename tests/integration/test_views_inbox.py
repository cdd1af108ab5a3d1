"""The verifiers' inbox: what the queue finds, whose a report is, what each decision does, and what nobody gets to see there."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from sqlalchemy import text

from dashboard.widgets import decision, queue, sla
from pipeline.access.sessions import sign_out
from tests import factories
from tests.console import shown, tab, token_for


@pytest.fixture
def people(rt, staff):
    """The same staff for all tests, with a teacher of the test's own: each may send five reports a day."""
    return replace(staff, teacher=factories.account(rt, f"T{uuid4().hex[:6]}", "TEACHER"))


def report(rt, report_id):
    with rt.database.worker() as conn:
        return conn.execute(text("SELECT * FROM sdcrs.report WHERE id = :id"), {"id": report_id}).mappings().one()


def number_of(rt, report_id):
    return report(rt, report_id)["report_number"]


def inbox(rt, caller, **query):
    return tab(rt, token_for(rt, caller), "inbox", **query)


def opened(rt, caller, report_id):
    return inbox(rt, caller, report=number_of(rt, report_id))


def keys(test):
    return {button.key for button in test.button}


def text_field(test, number):
    return test.text_input(key=f"inbox.text.{number}")


def decide(test, action):
    test.button(key=f"inbox.confirm.{action}").click().run()
    assert not test.exception


# the queue


def test_the_queue_lists_what_waits_with_place_risk_time_and_holder(rt, people):
    number = number_of(rt, factories.validated(rt, people.teacher))
    with inbox(rt, people.verifier) as test:
        test.run()
        assert not test.exception
        page = shown(test)
        assert number in page
        assert "Aggressive dog" in page
        assert "On track" in page
        assert "Unclaimed" in page
        assert f"open-queue-{number}" in keys(test)


def test_a_search_finds_a_report_in_any_state_and_nothing_else(rt, people):
    found, other = factories.verified(rt, people), factories.validated(rt, people.teacher)
    with inbox(rt, people.verifier) as test:
        test.run()
        test.text_input(key="inbox.number").set_value(number_of(rt, found).lower()).run()
        assert number_of(rt, found) in shown(test)
        assert number_of(rt, other) not in shown(test)
        test.text_input(key="inbox.number").set_value("DR-DJ-2026-999999").run()
        assert "No report DR" in shown(test)


def test_mine_and_unclaimed_are_told_apart_by_claims_that_still_hold(rt, people):
    mine, free = factories.validated(rt, people.teacher), factories.validated(rt, people.teacher)
    with opened(rt, people.verifier, mine) as test:
        test.run()
    with inbox(rt, people.verifier) as test:
        test.run()
        test.segmented_control(key="inbox.show").set_value("mine").run()
        assert number_of(rt, mine) in shown(test)
        assert number_of(rt, free) not in shown(test)
        test.segmented_control(key="inbox.show").set_value("unclaimed").run()
        assert number_of(rt, mine) not in shown(test)
        assert number_of(rt, free) in shown(test)


def bare(rt, caller):
    """What a page is given, without a page."""
    return SimpleNamespace(runtime=rt, caller=caller, now=rt.clock.now(), begin=lambda: rt.database.begin(caller.scope))


def read(rt, caller, **wanted):
    """The queue as its page reads it."""
    with rt.database.begin(caller.scope) as conn:
        return queue.read(bare(rt, caller), conn, queue.Filter(**wanted), limit=500)


def test_list_count_and_bands_are_one_predicate(rt, clock, people):
    factories.validated(rt, people.teacher)
    clock.advance(timedelta(hours=13))  # of the 24 that verification has
    factories.validated(rt, factories.account(rt, f"T{uuid4().hex[:6]}", "TEACHER"))
    everything = read(rt, people.verifier)
    assert everything.total == len(everything.rows)
    waiting = read(rt, people.verifier, band="waits")
    banded = [read(rt, people.verifier, band=band.key) for band in sla.BANDS]
    assert sum(page.total for page in banded) + waiting.total == everything.total
    assert all(page.total == len(page.rows) for page in banded)
    late = read(rt, people.verifier, band="attention").rows
    assert late
    assert all(0.5 <= float(row["spent_s"]) / row["sla_s"] < 0.8 for row in late)


def test_the_report_that_is_due_first_stands_first(rt, clock, people):
    rows = read(rt, people.verifier, sort="due").rows
    due = [row["due_at"] for row in rows if row["awaiting_teacher_at"] is None]
    assert due == sorted(due)
    assert [row["awaiting_teacher_at"] is not None for row in rows] == sorted(row["awaiting_teacher_at"] is not None for row in rows)


def test_a_stranger_s_tenant_has_no_rows_here(rt, clock, people):
    factories.validated(rt, people.teacher)
    neighbour = factories.account(rt, f"V{uuid4().hex[:6]}", "VERIFIER", tenant_id="dj.ali-sabieh")
    assert read(rt, neighbour).total == 0


# claims


def test_opening_a_report_claims_it_and_the_next_person_sees_whose_it_is(rt, people):
    report_id = factories.validated(rt, people.teacher)
    with opened(rt, people.verifier, report_id) as test:
        test.run()
        assert not test.exception
        assert "Yours until" in shown(test)
    assert report(rt, report_id)["claimed_by"] == people.verifier.account_id
    second = factories.account(rt, f"V{uuid4().hex[:6]}", "VERIFIER")
    with opened(rt, second, report_id) as test:
        test.run()
        assert f"Name of {people.verifier.username} works on it until" in shown(test)
        assert not any(key.startswith("inbox.choose.") for key in keys(test))
        test.button(key="inbox.take_over").click().run()
        assert not test.exception
        assert "is yours now" in shown(test).replace("\\", "")
        assert "inbox.choose.VERIFY" in keys(test)
    assert report(rt, report_id)["claimed_by"] == second.account_id
    with rt.database.worker() as conn:
        taken = conn.execute(
            text("SELECT actor_id, details FROM audit.event WHERE action = 'TAKE_OVER' AND subject_id = :id"), {"id": str(report_id)}
        ).one()
    assert taken == (second.account_id, {"from": str(people.verifier.account_id)})


def test_leaving_a_report_gives_the_claim_back(rt, people):
    report_id = factories.validated(rt, people.teacher)
    with opened(rt, people.verifier, report_id) as test:
        test.run()
        test.button(key="inbox.queue").click().run()
        assert not test.exception
        assert "report" not in test.query_params
    assert report(rt, report_id)["claimed_by"] is None


def test_who_may_only_look_claims_nothing(rt, people):
    report_id = factories.validated(rt, people.teacher)
    with opened(rt, people.district_admin, report_id) as test:
        test.run()
        assert "Read only" in shown(test)
        assert not any(key.startswith("inbox.choose.") for key in keys(test))
    assert report(rt, report_id)["claimed_by"] is None


# what is shown


def test_the_report_shows_evidence_checks_rules_and_the_masked_reporter(rt, people):
    report_id = factories.validated(rt, people.teacher)
    with opened(rt, people.verifier, report_id) as test:
        test.run()
        page = shown(test)
    for words in ("Place of the photo", "Age of the photo", "Inside the area", "Not sent before", "Risk score", "16 m", "up to 100 m"):
        assert words in page
    assert "Govt High School Djibouti" in page
    assert "98••••••10" in page
    assert "9876543210" not in page
    assert "Stored in the dog photo" in page


def test_what_a_teacher_wrote_cannot_become_part_of_the_page(rt, people):
    report_id = factories.validated(rt, people.teacher, description="<img src=x onerror=alert(1)> **bold**")
    with opened(rt, people.verifier, report_id) as test:
        test.run()
        assert "<img src=x" not in shown(test)
        assert "&lt;img src=x onerror=alert(1)&gt; **bold**" in shown(test)


def test_a_number_that_nobody_has_says_so(rt, people):
    with inbox(rt, people.verifier, report="DR-DJ-2026-999999") as test:
        test.run()
        assert not test.exception
        assert "There is no report" in shown(test)


def reported_at(rt, people, latitude, longitude):
    """A report from a place of the test's own."""
    files = factories.photos(rt, people.teacher, (latitude, longitude))
    sent = factories.submission(rt, people.teacher, files, (latitude, longitude))
    return factories.validated(rt, people.teacher, place=sent.place, evidence=sent.evidence)


# decisions


def test_verify_takes_two_steps_and_opens_the_next_report(rt, people):
    report_id = factories.validated(rt, people.teacher)
    factories.validated(rt, people.teacher)
    with opened(rt, people.verifier, report_id) as test:
        test.run()
        test.button(key="inbox.choose.VERIFY").click().run()
        assert factories.status_of(rt, report_id) == "PENDING_VERIFICATION"
        text_field(test, number_of(rt, report_id)).set_value("Clear.").run()
        decide(test, "VERIFY")
        assert "is verified" in shown(test)
        assert number_of(rt, report_id) not in test.query_params["report"]
    row = report(rt, report_id)
    assert (row["status"], row["verification_remarks"], row["verified_by"]) == ("VERIFIED", "Clear.", people.verifier.account_id)


def test_reject_asks_for_a_reason_and_tells_what_the_teacher_hears(rt, people):
    report_id = factories.validated(rt, people.teacher)
    number = number_of(rt, report_id)
    with opened(rt, people.verifier, report_id) as test:
        test.run()
        test.button(key="inbox.choose.REJECT").click().run()
        decide(test, "REJECT")
        assert "Choose a reason first" in shown(test)
        assert factories.status_of(rt, report_id) == "PENDING_VERIFICATION"
        test.pills(key=f"inbox.reason.{number}").set_value("NOT_A_DOG").run()
        assert "Photo does not show a dog" in shown(test)
        text_field(test, number).set_value("It is a goat.").run()
        decide(test, "REJECT")
    row = report(rt, report_id)
    assert (row["status"], row["rejection_reason"], row["rejection_remarks"]) == ("REJECTED", "NOT_A_DOG", "It is a goat.")


def test_a_duplicate_is_marked_against_an_earlier_report_nearby(rt, people):
    earlier, later = reported_at(rt, people, 11.5721, 43.1402), reported_at(rt, people, 11.5724, 43.1402)
    number, original = number_of(rt, later), number_of(rt, earlier)
    with opened(rt, people.verifier, later) as test:
        test.run()
        test.button(key="inbox.choose.MARK_DUPLICATE").click().run()
        choice = test.radio(key=f"inbox.original.{number}")
        assert any(original in option and "33 m away" in option for option in choice.options)
        choice.set_value(original).run()
        decide(test, "MARK_DUPLICATE")
    row = report(rt, later)
    assert (row["status"], row["duplicate_of"], row["rejection_reason"]) == ("DUPLICATE", earlier, "DUPLICATE")


def test_a_question_stops_the_clock_and_the_queue_says_so(rt, clock, people):
    report_id = factories.validated(rt, people.teacher)
    number = number_of(rt, report_id)
    with opened(rt, people.verifier, report_id) as test:
        test.run()
        test.button(key="inbox.choose.SEND_BACK").click().run()
        decide(test, "SEND_BACK")
        assert "Write the question first" in shown(test)
        text_field(test, number).set_value("Which side of the road?").run()
        decide(test, "SEND_BACK")
    clock.advance(timedelta(hours=30))
    with inbox(rt, people.verifier, report=number) as test:
        test.run()
        assert "clock stands still" in shown(test)
        assert "Which side of the road?" in shown(test)
    spent = sla.spent_s(report(rt, report_id), clock.now())
    assert spent < 60


def test_an_escalated_report_is_the_senior_verifiers_alone(rt, people):
    report_id = factories.validated(rt, people.teacher)
    with opened(rt, people.verifier, report_id) as test:
        test.run()
        test.button(key="inbox.choose.ESCALATE").click().run()
        text_field(test, number_of(rt, report_id)).set_value("Edited around the ears?").run()
        decide(test, "ESCALATE")
    assert report(rt, report_id)["queue"] == "SENIOR"
    with opened(rt, people.verifier, report_id) as test:
        test.run()
        assert "Read only" in shown(test)
    with opened(rt, people.senior, report_id) as test:
        test.run()
        assert "Edited around the ears?" in shown(test)
        assert {"inbox.choose.VERIFY", "inbox.choose.REJECT"} <= keys(test)
        assert "inbox.choose.ESCALATE" not in keys(test)


def test_an_admin_finds_an_automatic_rejection_and_reopens_it(rt, clock, people):
    gone = factories.submission(rt, people.teacher).place
    report_id = factories.validated(rt, people.teacher, place=replace(gone, latitude=11.85, longitude=43.50))
    number = number_of(rt, report_id)
    assert factories.status_of(rt, report_id) == "AUTO_REJECTED"
    with inbox(rt, people.district_admin) as test:
        test.run()
        test.selectbox(key="inbox.status").set_value("AUTO_REJECTED").run()
        assert number in shown(test)
        test.button(key=f"open-queue-{number}").click().run()
        assert "Outside the area" in shown(test)
        test.button(key="inbox.choose.REOPEN").click().run()
        text_field(test, number).set_value("The border was drawn anew.").run()
        decide(test, "REOPEN")
    assert factories.status_of(rt, report_id) == "PENDING_VERIFICATION"


def test_a_decision_on_what_changed_meanwhile_changes_nothing_and_says_so(rt, people, monkeypatch):
    report_id = factories.validated(rt, people.teacher)
    version = report(rt, report_id)["version"]
    assert factories.do(rt, people.verifier, report_id, "SEND_BACK", comment="Meanwhile, on another tab").ok
    said = []
    monkeypatch.setattr(decision, "notify", lambda kind, sentence: said.append((kind, sentence)))
    monkeypatch.setattr(decision, "_choose", lambda action: None)
    ctx = bare(rt, people.verifier)
    assert decision.decide(report_id, "DR-1", version, "VERIFY", decision.Answer(fields={}), ctx) is None
    assert said == [("warning", "DR-1 was changed by somebody while you looked. This is how it stands now; decide again.")]
    assert factories.status_of(rt, report_id) == "PENDING_VERIFICATION"


def test_a_session_that_was_revoked_decides_nothing_more(rt, people):
    report_id = factories.validated(rt, people.teacher)
    token = token_for(rt, people.verifier)
    with tab(rt, token, "inbox", report=number_of(rt, report_id)) as test:
        test.run()
        test.button(key="inbox.choose.VERIFY").click().run()
        sign_out(rt, token)
        test.button(key="inbox.confirm.VERIFY").click().run()
        assert "You are signed out" in shown(test)
    assert factories.status_of(rt, report_id) == "PENDING_VERIFICATION"
