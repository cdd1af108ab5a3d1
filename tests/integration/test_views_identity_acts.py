"""What people do on the identity page: pause, resume, begin anew, reject, decide, put right what is stuck, upload; each tried out first."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from dashboard.widgets import identity_acts, identity_bulk, identity_decide, identity_upload
from pipeline.demo.registrations import make_packet
from pipeline.identity.checks import CHECKS
from pipeline.identity.registration.upload import upload_many
from pipeline.identity.stages.runner import StagesJob
from pipeline.jobs.worker import run_until_idle
from tests import factories
from tests.console import shown, tab, token_for
from tests.registration_rows import pair, registration
from tests.registrations import announced, uploaded

REASON = "Asked for by the centre"


@pytest.fixture(scope="module")
def people(rt):
    return factories.people(rt)


def open_page(rt, caller, **query):
    return tab(rt, token_for(rt, caller), "identity", **query)


def button(test, key):
    return next(one for one in test.button if one.key == key)


def keys(test):
    return {one.key or "" for one in test.button}


def status(rt, one):
    with rt.database.worker() as conn:
        return conn.execute(text("SELECT status_code FROM regprc.registration WHERE id = :id"), {"id": one.id}).scalar_one()


def reason_of(test):
    return next(one for one in test.text_input if (one.key or "").startswith("identity.reason."))


def act(test, code):
    """Write the reason, try the command out, and do it."""
    reason_of(test).set_value(REASON).run()
    next(one for one in test.button if (one.key or "").startswith(f"identity.try.{code}.")).click().run()
    assert not test.exception
    assert "Tried out, nothing was changed" in shown(test)


@pytest.mark.parametrize(("deed", "before", "after"), [("PAUSE", "PROCESSING", "PAUSED"), ("STOP", "PROCESSING", "REJECTED")])
def test_a_registration_is_held_or_rejected_after_a_trial_that_changes_nothing(rt, people, deed, before, after):
    told = registration(rt, people.admin, "STAGES", status_code=before)
    with open_page(rt, people.district_admin, registration=told.reg_id) as test:
        test.run()
        act(test, deed)
        assert status(rt, told) == before
        button(test, "identity.do_one").click().run()
        assert not test.exception
        assert "1 of 1 done" in shown(test)
    assert status(rt, told) == after


def test_one_that_was_given_up_begins_anew_and_its_timeline_names_who_and_why(rt, people):
    told = registration(rt, people.admin, "STAGES", status_code="REPROCESS_FAILED", attempts=8)
    with open_page(rt, people.admin, registration=told.reg_id) as test:
        test.run()
        act(test, "RESTART")
        button(test, "identity.do_one").click().run()
        assert status(rt, told) == "RESUMABLE"
        page = shown(test)
        assert REASON in page
        assert "Restart" in page


def test_a_reason_that_is_too_short_is_refused_in_the_trial(rt, people):
    told = registration(rt, people.admin, "STAGES")
    with open_page(rt, people.admin, registration=told.reg_id) as test:
        test.run()
        reason_of(test).set_value("x").run()
        next(one for one in test.button if (one.key or "").startswith("identity.try.PAUSE.")).click().run()
        assert not test.exception
        assert "identity.do_one" not in keys(test)
        assert "1 would be refused" in shown(test)
    assert status(rt, told) == "PROCESSING"


@pytest.mark.parametrize("view", ["Registrations", "Stuck", "To decide"])
def test_the_auditor_reads_and_finds_no_button_that_changes_anything(rt, people, view):
    one = registration(rt, people.admin, "STAGES", status_code="REPROCESS_FAILED")
    paused = registration(rt, people.admin, "STAGES", status_code="PAUSED", pause_rule="DUPLICATE_SUSPECTED")
    pair(rt, paused.id, one.id)
    with open_page(rt, people.auditor, **{"identity.view": view, "queue": "failed", "stuck": "registration_failed"}) as test:
        test.run()
        assert not test.exception
        assert not [key for key in keys(test) if key.startswith(("identity.try", "identity.do", "identity.decide", "identity.upload"))]


def test_a_whole_queue_is_restarted_after_a_canary_with_a_result_for_each(rt, people):
    given_up = [registration(rt, people.admin, "STAGES", status_code="REPROCESS_FAILED", stage="QUALITY_CLASSIFIER") for _ in range(3)]
    with open_page(rt, people.admin, queue="failed") as test:
        test.run()
        test.selectbox(key="identity.stage.FAILED").set_value("QUALITY_CLASSIFIER").run()
        assert not test.exception
        act(test, "RESTART")
        assert {status(rt, one) for one in given_up} == {"REPROCESS_FAILED"}
        button(test, "identity.do_one").click().run()
        assert sorted(status(rt, one) for one in given_up) == ["REPROCESS_FAILED", "REPROCESS_FAILED", "RESUMABLE"]
        assert "First one:" in shown(test)
        last = next(one for one in given_up if status(rt, one) == "REPROCESS_FAILED")
        with rt.database.worker() as conn:  # somebody else rejects one of them meanwhile
            conn.execute(text("UPDATE regprc.registration SET status_code = 'REJECTED' WHERE id = :id"), {"id": last.id})
        button(test, "identity.do_rest").click().run()
        assert not test.exception
        assert "2 of 3 done" in shown(test)
    assert sorted(status(rt, one) for one in given_up) == ["REJECTED", "RESUMABLE", "RESUMABLE"]


def test_what_was_tried_out_for_one_list_is_not_done_to_another(rt, people):
    for stage in ("VALIDATOR", "QUALITY_CLASSIFIER"):
        registration(rt, people.admin, "STAGES", status_code="REPROCESS_FAILED", stage=stage)
    with open_page(rt, people.admin, queue="failed") as test:
        test.run()
        act(test, "RESTART")
        test.selectbox(key="identity.stage.FAILED").set_value("VALIDATOR").run()
        assert "identity.do_one" not in keys(test)


def test_every_remedy_of_a_stuck_class_is_a_command_of_the_page():
    assert {check.remedy for check in CHECKS} - {"WAIT"} <= set(identity_acts.DEEDS)
    offered = {*identity_acts.OF_QUEUE.values(), *identity_acts.OF_STATUS.values()}
    assert {code for codes in offered for code in codes} <= set(identity_acts.DEEDS)


def test_what_is_stuck_is_counted_by_class_and_put_right_by_its_remedy(rt, people):
    told = registration(rt, people.admin, "REQUESTED")
    with rt.database.worker() as conn:
        conn.execute(
            text(
                "UPDATE credential.credential_transaction SET status_code = 'FAILED', dead_at = :now, trn_retry_count = 11 WHERE id = :id"
            ),
            {"id": told.request_id, "now": rt.clock.now()},
        )
    with open_page(rt, people.district_admin, **{"identity.view": "Stuck"}) as test:
        test.run()
        assert not test.exception
        assert "Credentials that could not be issued" in shown(test)
        button(test, "open-stuck-ISSUE_FAILED").click().run()
        act(test, "ISSUE_AGAIN")
        button(test, "identity.do_one").click().run()
        assert not test.exception
        assert "1 of 1 done" in shown(test)
    with rt.database.worker() as conn:
        found = conn.execute(text("SELECT status_code FROM credential.credential_transaction WHERE id = :id"), {"id": told.request_id})
        assert found.scalar_one() == "RETRY"


# A decision ------------------------------------------------------------------------------------------------------------------


def suspected(rt, people, seed):
    """Two registrations of people who are much alike; the second waits for a person."""
    first = make_packet(seed, rt.clock.now())
    person = first.applicant
    uploaded(rt, people.admin, first)
    run_until_idle([StagesJob(rt)], rt.clock)
    rt.clock.advance(timedelta(minutes=1))
    second = uploaded(rt, people.admin, make_packet(seed + 1, rt.clock.now(), person=alike(person)))
    run_until_idle([StagesJob(rt)], rt.clock)
    return second, person


def alike(person):
    """The same name and birthday with another phone: between the two scores."""
    return replace(person, phone="77999123", employee_id=None)


@pytest.mark.parametrize(("decision", "after"), [("UNIQUE", "PROCESSED"), ("DUPLICATE", "REJECTED")])
def test_two_records_stand_side_by_side_masked_and_a_person_decides_with_a_reason(rt, people, decision, after):
    second, person = suspected(rt, people, {"UNIQUE": 500, "DUPLICATE": 600}[decision])
    assert status(rt, second) == "PAUSED"
    with open_page(rt, people.district_admin, registration=second.reg_id) as test:
        test.run()
        assert not test.exception
        page = shown(test)
        assert "Alike by" in page
        assert "100 of 100 alike" in page
        assert not [value for value in personal(person) if value in page]
        found = button(test, next(key for key in keys(test) if key.startswith(f"identity.decide.{decision}.")))
        found.click().run()
        assert "must have" in shown(test)  # without a reason nothing is decided
        said = next(one for one in test.text_input if (one.key or "").startswith("identity.said."))
        said.set_value("The centre has seen both at once").run()
        button(test, found.key).click().run()
        assert not test.exception
        assert "Decided" in shown(test)
    run_until_idle([StagesJob(rt)], rt.clock)
    assert status(rt, second) == after


def personal(person):
    """What of a person may stand on no page."""
    return [person.phone, f"{person.born:%Y/%m/%d}", *[part for part in person.name.split() if len(part) > 2]]


def test_a_record_is_masked_part_by_part():
    record = {
        "fullName": [{"language": "eng", "value": "Amina Hassan"}],
        "dateOfBirth": "1990/05/17",
        "gender": [{"language": "eng", "value": "Female"}],
        "phone": "77831234",
    }
    told = [identity_decide.masked(record, part) for part in ("Name", "Born", "Gender", "Phone")]
    assert told == ["A••• H•••", "1990, day hidden", "Female", "77••••34"]
    assert {identity_decide.masked(None, part) for part in ("Name", "Born", "Gender", "Phone")} == {"–"}


# Upload ------------------------------------------------------------------------------------------------------------------------


def test_many_packets_are_taken_together_with_a_result_for_each_file(rt, people):
    good, unannounced = make_packet(700, rt.clock.now()), make_packet(701, rt.clock.now())
    announced(rt, people.admin, [good])
    with open_page(rt, people.district_admin, **{"identity.view": "Upload"}) as test:
        test.run()
        assert not test.exception
        files = [*good.files, *unannounced.files, ("notes.json", b"{}")]
        test.file_uploader(key="identity.files.0").set_value([(name, data, "application/octet-stream") for name, data in files]).run()
        button(test, "identity.upload").click().run()
        assert not test.exception
        assert "1 packet taken, 2 packets refused" in shown(test)
        said = test.dataframe[0].value
        assert (said["What became of it"] == "Taken").sum() == len(good.files)
        assert len(said) == len(files)


def test_only_admins_find_the_upload(rt, people):
    with open_page(rt, people.auditor, **{"identity.view": "Upload"}) as test:
        test.run()
        assert not test.exception
        assert "identity.upload" not in keys(test)


def test_results_leave_as_files_whose_texts_are_no_formulas(rt, people):
    results = upload_many(rt, people.admin, [("=cmd.zip", b"x")], rt.clock.now())
    assert identity_upload.said(results[0]).startswith("Refused")
    line = identity_bulk.Line(identity_bulk.Subject(results and people.admin.account_id, "1" * 29), True, "=1+1")
    assert b"'=1+1" in identity_bulk.result_file([line])
