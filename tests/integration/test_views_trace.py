"""The trace: who finds which report, what each role learns of it, and what a packet says when it is opened."""

from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import text

import queries
from dashboard.widgets import sequence
from pipeline.jobs.worker import run_until_idle
from pipeline.notifications.follower import notifications_follower
from tests import factories
from tests.console import shown, tab, token_for

REVIEWERS = ("verifier", "senior", "district_admin", "admin", "auditor")
FIELD = ("supervisor", "officer")


@pytest.fixture(scope="module")
def people(rt):
    return factories.people(rt)


@pytest.fixture(scope="module")
def captured(rt, people):
    """The number of a report that has been all the way to the capture, with its messages."""
    report_id = factories.captured(rt, people)
    run_until_idle([notifications_follower(rt)], rt.clock)
    return number_of(rt, report_id)


def number_of(rt, report_id):
    with rt.database.worker() as conn:
        return conn.execute(text("SELECT report_number FROM sdcrs.report WHERE id = :id"), {"id": report_id}).scalar_one()


def trace(rt, caller, **query):
    return tab(rt, token_for(rt, caller), "trace", **query)


def page_of(rt, caller, number, part=None):
    """What the page of a report shows to somebody."""
    with trace(rt, caller, report=number) as test:
        test.run()
        assert not test.exception
        if part is not None:
            test.segmented_control(key="trace.part").set_value(part).run()
            assert not test.exception
        return shown(test)


def open_packet(rt, caller, number, packet):
    """What the page shows after a click on the first row of this packet."""
    with trace(rt, caller, report=number) as test:
        test.run()
        test.segmented_control(key="trace.part").set_value("packets").run()
        rows = [one.key for one in test.button if one.key and one.key.startswith("open-packet-")]
        lines = shown(test).split('<div class="row row-packet"')[1:]
        index = next(i for i, line in enumerate(lines) if f"<b>{packet}</b>" in line)
        test.button(key=rows[index]).click().run()
        assert not test.exception
        return shown(test) + "\n".join(block.value for block in test.code)


# finding


@pytest.mark.parametrize("named_by", ["report_number", "tracking_id", "id"])
def test_a_report_is_found_by_number_tracking_id_or_id(rt, people, captured, named_by):
    with rt.database.worker() as conn:
        row = conn.execute(text("SELECT * FROM sdcrs.report WHERE report_number = :n"), {"n": captured}).mappings().one()
    with trace(rt, people.verifier) as test:
        test.run()
        test.text_input(key="trace.search").set_value(f" {str(row[named_by]).lower()} ").run()
        assert not test.exception
        assert f"<h2>{captured}</h2>" in shown(test)


def test_a_teacher_finds_the_own_reports_and_an_officer_the_assigned_ones(rt, people, captured):
    assert f"<h2>{captured}</h2>" in page_of(rt, people.teacher, captured)
    assert f"<h2>{captured}</h2>" in page_of(rt, people.officer, captured)
    stranger = factories.account(rt, f"T{uuid4().hex[:6]}", "TEACHER")
    for caller in (stranger, people.second_officer):
        page = page_of(rt, caller, captured)
        assert "There is no report" in page
        assert f"<h2>{captured}</h2>" not in page
        assert "Name of" not in page.replace(f"Name of {caller.username}", "")


def test_a_neighbour_s_admin_finds_nothing(rt, captured):
    neighbour = factories.account(rt, f"DA{uuid4().hex[:6]}", "DISTRICT_ADMIN", tenant_id="dj.ali-sabieh")
    assert "There is no report" in page_of(rt, neighbour, captured)


# what each role learns


@pytest.mark.parametrize("role", REVIEWERS)
def test_reviewers_learn_who_reported_with_the_phone_masked(rt, people, captured, role):
    page = page_of(rt, getattr(people, role), captured)
    assert f"Name of {people.teacher.username} (teacher)" in page
    assert "98••••••10" in page
    assert "9876543210" not in page
    assert "Risk score" in page


@pytest.mark.parametrize("role", FIELD)
@pytest.mark.parametrize("part", [None, "packets", "sequence"])
def test_officers_and_supervisors_learn_no_reporter_and_no_score(rt, people, captured, role, part):
    page = page_of(rt, getattr(people, role), captured, part)
    assert people.teacher.username not in page
    assert str(people.teacher.account_id) not in page
    assert "Govt High School" not in page
    assert "score" not in page
    assert "trace.part" not in page or "Payout" not in page
    assert page.count("Ids of the stored photos") in {0, 2}  # dog photo and capture photo, not the selfie


def test_the_field_s_queries_return_no_reporter_at_all(rt, people, captured):
    hidden = {"sees_reporter": False, "reviews": False}
    with rt.database.begin(people.supervisor.scope) as conn:
        report_id = conn.execute(text("SELECT id FROM sdcrs.report WHERE report_number = :n"), {"n": captured}).scalar_one()
        read = [
            queries.one(conn, "trace.report", id=report_id, account_id=people.supervisor.account_id, now=rt.clock.now(), **hidden),
            *queries.rows(conn, "trace.history", report_id=report_id, own=False, **hidden),
            *queries.rows(conn, "trace.packets", report_id=report_id, sees_reporter=False),
            *queries.rows(conn, "trace.actors", report_id=report_id, sees_reporter=False),
        ]
        photos = queries.rows(conn, "trace.evidence", report_id=report_id, with_selfies=False)
    assert str(people.teacher.account_id) not in str([dict(row) for row in read])
    assert {row["evidence_type"] for row in photos} == {"DOG_PHOTO", "CAPTURE_PHOTO"}
    assert not [row for row in read if "fraud_score" in row and row["fraud_score"] is not None]


def test_a_teacher_learns_roles_and_no_names_of_the_staff(rt, people, captured):
    page = page_of(rt, people.teacher, captured)
    assert "You (teacher)" in page
    assert "Verifier ·" in page
    assert people.verifier.username not in page
    assert people.officer.username not in page
    assert "Team Assigned" in page


def test_the_header_says_what_a_report_waits_for_and_who_decides(rt, people):
    waiting = number_of(rt, factories.validated(rt, factories.account(rt, f"T{uuid4().hex[:6]}", "TEACHER")))
    page = page_of(rt, people.supervisor, waiting)
    assert "Waits for the verifier" in page
    assert "the verifier may verify, reject, mark as a duplicate, ask the teacher or escalate" in page
    teacher = factories.account(rt, f"T{uuid4().hex[:6]}", "TEACHER")
    assigned = number_of(rt, factories.assigned(rt, replace(people, teacher=teacher)))
    assert f"the municipal officer Name of {people.officer.username}" in page_of(rt, people.supervisor, assigned)


def test_a_job_that_failed_is_said_and_its_error_is_for_admins(rt, people):
    report_id = factories.submitted(rt, factories.account(rt, f"T{uuid4().hex[:6]}", "TEACHER"))
    now = rt.clock.now()
    with rt.database.worker() as conn:
        conn.execute(
            text("""INSERT INTO jobs.failure (job, subject, attempts, error, failed_at, next_attempt_at)
                    VALUES ('validation', :id, 3, 'the secret cause', :now, :now)"""),
            {"id": report_id, "now": now},
        )
    number = number_of(rt, report_id)
    assert "failed 3 times" in page_of(rt, people.supervisor, number)
    assert "the secret cause" not in page_of(rt, people.supervisor, number)
    assert "the secret cause" in page_of(rt, people.admin, number)
    with rt.database.worker() as conn:
        conn.execute(text("DELETE FROM jobs.failure WHERE subject = :id"), {"id": report_id})


# packets


def test_the_table_lists_every_packet_of_the_report_with_way_and_channel(rt, people, captured):
    page = page_of(rt, people.auditor, captured, "packets")
    for packet in ("02/05", "02/07", "03/02", "03/08", "04/03", "05/03", "06/03", "06/05"):
        assert f"<b>{packet}</b>" in page
    assert "Teacher app → SDCRS" in page
    assert "POST /sdcrs-services/v1/report/_create" in page


def test_packets_of_one_moment_stand_in_the_order_in_which_they_follow(rt, people, captured):
    page = page_of(rt, people.auditor, captured, "packets")
    places = [page.index(f"<b>{packet}</b>") for packet in ("03/02", "03/03", "03/04", "03/05", "03/06", "03/07", "03/08")]
    assert places == sorted(places)


def test_a_message_opens_as_the_text_that_was_sent_in_its_language(rt, people):
    hindi = factories.account(rt, f"T{uuid4().hex[:6]}", "TEACHER")
    with rt.database.worker() as conn:
        conn.execute(text("UPDATE access.account SET locale = 'hi_IN' WHERE id = :id"), {"id": hindi.account_id})
    number = number_of(rt, factories.validated(rt, hindi))
    run_until_idle([notifications_follower(rt)], rt.clock)
    page = open_packet(rt, people.admin, number, "02/11")
    assert "in Hindi" in page
    assert "ट्रैकिंग" in page
    assert "98••••••10" in page


def test_a_packet_that_stayed_inside_opens_rendered_and_says_so(rt, people, captured):
    page = open_packet(rt, people.verifier, captured, "03/08")
    assert "Rendered" in page
    assert '"overallResult": "PASS"' in page


def test_what_a_packet_says_of_the_reporter_depends_on_the_reader(rt, people, captured):
    assert f'"Name of {people.teacher.username}"' in open_packet(rt, people.admin, captured, "02/09")
    assert '"98••••••10"' in open_packet(rt, people.admin, captured, "02/09")
    seen = open_packet(rt, people.supervisor, captured, "02/09")
    assert people.teacher.username not in seen
    assert '"reporterName": null' in seen
    assert '"9876543210"' in open_packet(rt, people.teacher, captured, "02/09")


def test_a_message_to_the_reporter_is_not_opened_for_the_field(rt, people, captured):
    page = open_packet(rt, people.supervisor, captured, "02/11")
    assert "whom your role does not know" in page
    officer = open_packet(rt, people.supervisor, captured, "05/04")
    assert f"Name of {people.officer.username}" in officer


def test_a_diagram_draws_each_packet_from_lane_to_lane():
    lanes = sequence.lanes([("SDCRS", "Workflow"), ("Teacher app", "SDCRS"), ("<b>Nobody</b>", "SDCRS")])
    assert lanes == ["Teacher app", "SDCRS", "Workflow", "<b>Nobody</b>"]
    assert "&lt;b&gt;Nobody" in sequence.names(lanes)
    assert 'class="hop right border" style="left:12.500%;width:25.000%"' in sequence.arrow(lanes, "Teacher app", "SDCRS", "request")
    assert 'class="hop left ours answer"' in sequence.arrow(lanes, "Workflow", "SDCRS", "response")
    assert 'class="hop self ours" style="left:37.500%"' in sequence.arrow(lanes, "SDCRS", "SDCRS", "internal")
