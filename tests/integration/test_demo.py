"""The demo leaves a state in which every demo account finds its work, made by the real rooms and without a trace of haste."""

import io
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from PIL import Image
from sqlalchemy import text

from pipeline.access.sessions import sign_in
from pipeline.clock import local_day, local_month
from pipeline.demo.cast import VILLE, cast
from pipeline.demo.run import load_demo
from pipeline.demo.script import Script
from pipeline.errors import AppError
from pipeline.jobs.hold import held
from pipeline.reports.assignment import officers, recommend
from pipeline.reports.standing import check_may_report

REPORTS = 180


@pytest.fixture(scope="module")
def loaded(rt):
    said = []
    return load_demo(rt, REPORTS, 7, said.append), said


@pytest.fixture(scope="module")
def ask(rt, loaded):
    def rows(statement, **params):
        with rt.database.worker() as conn:
            return conn.execute(text(statement), params).all()

    return rows


def test_the_summary_and_the_progress_tell_what_was_made(loaded, ask):
    summary, said = loaded
    assert summary.reports == REPORTS == ask("SELECT count(*) FROM sdcrs.report")[0][0]
    assert sum(summary.states.values()) == REPORTS
    assert summary.photos == ask("SELECT count(*) FROM sdcrs.file")[0][0]
    assert summary.accounts == ask("SELECT count(*) FROM access.account WHERE demo")[0][0]
    assert "180 reports" in str(summary)
    assert any("100 %" in line for line in said)


def test_a_second_load_changes_nothing_and_says_so(rt, loaded, ask):
    before = ask("SELECT count(*) FROM packet.log")
    again = load_demo(rt, REPORTS, 8)
    assert again.note
    assert "nothing was changed" in str(again)
    assert ask("SELECT count(*) FROM packet.log") == before


def test_workers_go_on_after_the_load(rt, loaded):
    assert not held(rt.database)


def test_officers_have_the_wards_and_loads_that_clients_know(rt, loaded):
    with rt.database.begin((VILLE,)) as conn:
        found = officers(conn, VILLE)
    assert [(o.username, o.wards, o.load, o.max_load, o.on_duty) for o in found] == [
        ("MCO001", ("W005", "W006"), 3, 10, True),
        ("MCO002", ("W005", "W007"), 5, 10, True),
        ("MCO003", ("W008", "W009"), 8, 10, True),
    ]
    assert recommend(found, "W005").username == "MCO001"


@pytest.mark.parametrize(
    ("state", "least"), [("PENDING_VERIFICATION", 6), ("VERIFIED", 6), ("ASSIGNED", 8), ("IN_PROGRESS", 6), ("PAYOUT_FAILED", 4)]
)
def test_every_desk_in_djibouti_ville_has_work(ask, state, least):
    found = ask("SELECT count(*) FROM sdcrs.report WHERE tenant_id = :tenant AND status = :state", tenant=VILLE, state=state)
    assert found[0][0] >= least


@pytest.mark.parametrize(
    "username",
    ["T12345", "V001", "V002", "SV001", "SUP001", "MCO001", "MCO002", "MCO003", "DADMIN001", "ADMIN001", "ADMIN002", "AUD001"],
)
def test_every_demo_account_signs_in_with_the_demo_password(rt, loaded, username):
    caller = sign_in(rt, username, rt.settings.demo_password, "CONSOLE", "127.0.0.1").caller
    assert caller.demo
    assert caller.tenant_id == ("dj" if username.startswith(("ADMIN", "AUD")) else VILLE)
    assert VILLE in caller.scope


def test_t12345_has_a_past_nothing_today_no_penalty_and_most_of_the_cap(rt, ask):
    now = rt.clock.now()
    md = rt.masterdata.current()
    zone = md.tenant(VILLE).timezone
    teacher = ask("SELECT id, standing, school_code, lifetime_reports FROM access.account WHERE username = 'T12345'")[0]
    reports = ask("SELECT status, created_at FROM sdcrs.report WHERE reporter_id = :id", id=teacher.id)
    assert len(reports) == teacher.lifetime_reports >= 10
    assert {"RESOLVED", "UNABLE_TO_LOCATE", "REJECTED"} <= {"RESOLVED" if r.status == "CLOSED" else r.status for r in reports}
    assert local_day(now, zone) not in {local_day(r.created_at, zone) for r in reports}
    assert (teacher.standing, teacher.school_code) == ("GOOD", "DJGHS001")
    month = ask(
        "SELECT reserved_paise FROM payout.monthly_cap WHERE beneficiary_id = :id AND month = :m", id=teacher.id, m=local_month(now, zone)
    )
    assert sum(row[0] for row in month) <= md.payout_config(VILLE).monthly_cap_paise // 2
    with rt.database.begin((VILLE,)) as conn:
        check_may_report(conn, md, VILLE, teacher.id, now)
        person = rt.vault.get(conn, [teacher.id], ("name", "phone", "vpa"))[teacher.id]
    assert person == {"name": "Ravi Kumar", "phone": "9876543210", "vpa": "ravi@okaxis"}


def test_all_tenants_take_part_and_every_account_is_labelled_demo(rt, ask):
    assert {row[0] for row in ask("SELECT DISTINCT tenant_id FROM sdcrs.report")} == set(rt.masterdata.current().leaves())
    assert ask("SELECT count(*) FROM access.account WHERE NOT demo")[0][0] == 0


def test_no_history_runs_backwards_skips_a_version_or_lies_in_the_future(rt, ask):
    backwards = """
        SELECT count(*) FROM (
            SELECT occurred_at < lag(occurred_at) OVER w AS back, version <> row_number() OVER w AS gap
            FROM sdcrs.report_history WINDOW w AS (PARTITION BY report_id ORDER BY version)) s
        WHERE back OR gap"""
    assert ask(backwards)[0][0] == 0
    now = rt.clock.now()
    assert ask("SELECT count(*) FROM sdcrs.report_history WHERE occurred_at > :now", now=now)[0][0] == 0
    assert ask("SELECT count(*) FROM packet.log WHERE occurred_at > :now", now=now)[0][0] == 0


def test_reports_span_weeks_and_come_at_rush_hours(rt, ask):
    first, last = ask("SELECT min(created_at), max(created_at) FROM sdcrs.report")[0]
    assert timedelta(days=50) < last - first < timedelta(days=62)
    noon = ask(
        "SELECT count(*) FROM sdcrs.report WHERE extract(hour FROM created_at AT TIME ZONE 'Asia/Kolkata') IN (7, 12) AND state_id = 'ncr'"
    )
    night = ask(
        "SELECT count(*) FROM sdcrs.report WHERE extract(hour FROM created_at AT TIME ZONE 'Asia/Kolkata') < 6 AND state_id = 'ncr'"
    )
    assert noon[0][0] > 10
    assert night[0][0] == 0


def test_payouts_went_through_the_provider_and_some_failed(ask):
    found = dict(ask("SELECT status, count(*) FROM payout.payout GROUP BY status"))
    assert found["COMPLETED"] > found["FAILED"] >= 4
    assert ask("SELECT count(*) FROM payout.attempt WHERE provider_payout_id IS NULL")[0][0] == 0
    assert ask("SELECT count(*) FROM payout.webhook_event WHERE outcome IS NULL")[0][0] == 0
    assert ask("SELECT count(*) FROM jobs.failure")[0][0] == 0
    assert ask("SELECT value FROM sandbox.setting WHERE name = 'clock'")[0][0] == {"offset_seconds": 0}


def test_some_reports_breach_their_sla_and_some_are_refused_by_the_checks(rt, ask):
    breached = ask(
        "SELECT count(*) FROM sdcrs.report WHERE coalesce(resolved_at, :now) > sla_due_at AND status <> 'AUTO_REJECTED'", now=rt.clock.now()
    )
    assert breached[0][0] > 3
    assert len(ask("SELECT DISTINCT rejection_reason FROM sdcrs.report WHERE status = 'AUTO_REJECTED'")) >= 3


def test_photos_are_stored_measured_and_traced_to_their_upload(rt, ask):
    files = ask("SELECT f.id, f.exif_present FROM sdcrs.evidence e JOIN sdcrs.file f ON f.id = e.file_id ORDER BY f.id LIMIT 5")
    for file in files:
        assert Image.open(io.BytesIO(rt.files.get(file.id, "photo"))).size == (320, 240)
        packets = ask("SELECT packet, correlation_id FROM packet.log WHERE subject_id = :id ORDER BY id", id=file.id)
        assert [p.packet for p in packets] == ["02/05", "02/06"]
    pairs = ask("SELECT count(*) FROM (SELECT correlation_id FROM packet.log WHERE packet = '02/05' GROUP BY 1 HAVING count(*) = 2) s")
    assert pairs[0][0] == REPORTS  # dog and selfie of a report came in one upload


def test_t12345_and_most_teachers_are_verified_payees_and_a_few_are_registered_in_another_name(ask):
    found = dict(ask("SELECT a.username, y.status FROM payout.payee y JOIN access.account a ON a.id = y.account_id"))
    assert found["T12345"] == "VERIFIED"
    statuses = list(found.values())
    assert 0 < statuses.count("MISMATCH") < len(statuses) / 5
    assert set(statuses) == {"VERIFIED", "MISMATCH"}


def test_the_identity_page_has_registrations_of_every_kind(ask):
    statuses = {row.status_code: row.found for row in ask("SELECT status_code, count(*) AS found FROM regprc.registration GROUP BY 1")}
    assert statuses["PAUSED"] >= 1
    assert statuses["FAILED"] == 2
    assert statuses["REJECTED"] == 1
    assert statuses["PROCESSED"] > 20
    assert ask("SELECT count(*) AS found FROM regprc.registration_list WHERE uploaded_at IS NULL")[0].found == 2
    left = ask("SELECT status_code, count(*) AS found FROM credential.credential_transaction GROUP BY 1")
    assert {row.status_code for row in left} == {"STORED"}


def test_messages_follow_from_the_past_in_both_languages(ask):
    assert {row[0] for row in ask("SELECT DISTINCT locale FROM sdcrs.notification")} == {"en_IN", "hi_IN"}


def test_the_same_seed_tells_the_same_stories(rt):
    def told(seed):
        random = Random(seed)
        md = rt.masterdata.current()
        people = cast(md, 400, "x", random, rt.clock.now(), {})
        return [
            (s.tenant_id, s.teacher.caller.username, s.fate, s.at, s.pin, s.dog.seed, [(step.action, step.at) for step in s.steps])
            for s in Script(md, people, random, rt.clock.now()).write(400)
        ]

    assert told(3) == told(3)
    assert told(3) != told(4)


@pytest.mark.parametrize("change", [{"production": True}, {"razorpayx_key_id": "rzp_live_x"}])
def test_demo_data_never_go_into_production_nor_to_a_real_provider(rt, change):
    with pytest.raises(AppError) as caught:
        load_demo(replace(rt, settings=replace(rt.settings, **change)), 100)
    assert caught.value.code == "SDCRS_BAD_SETTING"
