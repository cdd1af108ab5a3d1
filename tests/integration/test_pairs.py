"""Candidate pairs: found set-wise, stored with likeness, metres and minutes, and never raised again once a person has spoken."""

from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from uuid import uuid4

import pytest
from sqlalchemy import text

from pipeline.demo.photos import photo
from pipeline.errors import AppError
from pipeline.filestore.upload import upload
from pipeline.jobs.worker import run_until_idle
from pipeline.masterdata.geo import haversine_m
from pipeline.reports.pairs import not_a_duplicate
from pipeline.validation.job import validate, validation_job
from pipeline.validation.pairs import raise_pairs
from tests import factories
from tests.console import shown, tab, token_for

GATE = factories.SCHOOL_GATE


@pytest.fixture
def two(rt):
    """Two teachers who have sent nothing yet."""
    return [factories.account(rt, f"T{uuid4().hex[:6]}", "TEACHER") for _ in range(2)]


@pytest.fixture(autouse=True)
def a_new_week(clock):
    """What earlier tests sent is too old to lie near."""
    clock.advance(timedelta(days=7))


def pairs_of(rt, report_id):
    with rt.database.worker() as conn:
        rows = conn.execute(text("SELECT * FROM fraud.pair WHERE later_id = :id OR earlier_id = :id ORDER BY kind"), {"id": report_id})
        return list(rows.mappings())


def number_of(rt, report_id):
    with rt.database.worker() as conn:
        return conn.execute(text("SELECT report_number FROM sdcrs.report WHERE id = :id"), {"id": report_id}).scalar_one()


def metres_away(metres):
    """A place that far north of the school gate."""
    return GATE[0] + metres / 111_195, GATE[1]


def sent(rt, teacher, place=GATE, files=None):
    files = files or factories.photos(rt, teacher, place)
    return factories.submitted(rt, teacher, **vars_of(factories.submission(rt, teacher, files, place)))


def vars_of(submission):
    return {"evidence": submission.evidence, "place": submission.place}


def judge(rt):
    run_until_idle([validation_job(rt)], rt.clock)


def same_picture(rt, teacher, seed):
    """The picture that another teacher has too, as a file of their own."""
    taken = rt.clock.now() - timedelta(minutes=1)
    made = [("dog.jpg", photo(seed, "dog", *GATE, taken)), ("selfie.jpg", photo(uuid4().int % 10**9, "selfie", *GATE, taken))]
    stored = upload(rt, teacher, factories.VILLE, "SDCRS", None, made)
    return stored[0].id, stored[1].id


def rejected_copy(rt, two):
    """An original and a copy that the checks rejected for it."""
    seed = uuid4().int % 10**9
    first = sent(rt, two[0], files=same_picture(rt, two[0], seed))
    rt.clock.advance(timedelta(seconds=90))
    second = sent(rt, two[1], files=same_picture(rt, two[1], seed))
    judge(rt)
    assert (factories.status_of(rt, first), factories.status_of(rt, second)) == ("PENDING_VERIFICATION", "AUTO_REJECTED")
    return first, second


# clusters


@pytest.mark.parametrize(("metres", "near"), [(0, True), (120, True), (499, True), (501, False), (2000, False)])
def test_a_report_of_another_teacher_within_500_metres_is_a_pair_with_its_measures(rt, clock, two, metres, near):
    first = sent(rt, two[0])
    clock.advance(timedelta(minutes=30))
    second = sent(rt, two[1], metres_away(metres))
    judge(rt)
    found = pairs_of(rt, second)
    if not near:
        assert found == []
        return
    (pair,) = found
    assert (pair["earlier_id"], pair["later_id"], pair["kind"], pair["decision"]) == (first, second, "CLUSTER", None)
    assert pair["metres"] == pytest.approx(haversine_m(*GATE, *metres_away(metres)), abs=0.01)
    assert pair["minutes"] == pytest.approx(30)
    assert 0 <= pair["similarity"] < 0.9


@pytest.mark.parametrize(("hours", "near"), [(23.99, True), (24, False), (40, False)])
def test_24_hours_are_the_border_and_do_not_count_any_more(rt, clock, two, hours, near):
    sent(rt, two[0])
    clock.advance(timedelta(hours=hours))
    second = sent(rt, two[1])
    judge(rt)
    assert bool(pairs_of(rt, second)) is near


def test_a_teachers_own_reports_are_no_cluster(rt, two):
    sent(rt, two[0])
    second = sent(rt, two[0])
    judge(rt)
    assert pairs_of(rt, second) == []


def test_clusters_of_a_batch_are_those_that_comparing_everybody_with_everybody_finds(rt, clock, two):
    places = [metres_away(m) for m in (0, 200, 450, 700, 1100)]
    reports = []
    for number, place in enumerate(places):
        teacher = two[number % 2]
        reports.append((sent(rt, teacher, place), teacher, place))
        clock.advance(timedelta(minutes=7))
    judge(rt)
    stored = {(row["earlier_id"], row["later_id"]): row for mine, _, _ in reports for row in pairs_of(rt, mine)}
    naive = {
        (mine, other): haversine_m(*here, *there)
        for (mine, teacher, here), (other, sender, there) in combinations(reports, 2)
        if sender is not teacher and haversine_m(*here, *there) < 500
    }
    assert {key: row["metres"] for key, row in stored.items()} == pytest.approx(naive, abs=0.01)


# photos


def test_copies_are_pairs_by_kind_and_likeness(rt, two):
    first, second = rejected_copy(rt, two)
    (pair,) = pairs_of(rt, second)
    assert (pair["earlier_id"], pair["later_id"]) == (first, second)
    assert pair["kind"] in {"PHOTO_EXACT", "PHOTO_SIMILAR"}
    assert pair["similarity"] >= 0.9
    assert pair["minutes"] == pytest.approx(1.5)


def test_found_again_a_pair_stays_one_row(rt, clock, two):
    sent(rt, two[0])
    second = sent(rt, two[1])
    judge(rt)
    before = pairs_of(rt, second)
    with rt.database.worker() as conn:
        assert raise_pairs(conn, [second], {}, clock.now()) == 1
    assert [row["id"] for row in pairs_of(rt, second)] == [row["id"] for row in before]


# what people say


def test_a_verifiers_word_on_a_cluster_is_kept_and_the_pair_never_raised_again(rt, clock, staff, two):
    first, second = sent(rt, two[0]), sent(rt, two[1])
    judge(rt)
    (pair,) = pairs_of(rt, second)
    with rt.database.begin(staff.verifier.scope) as conn:
        not_a_duplicate(conn, staff.verifier, pair["id"], clock.now())
        not_a_duplicate(conn, staff.verifier, pair["id"], clock.now() + timedelta(hours=1))  # a second click changes nothing
    (kept,) = pairs_of(rt, second)
    assert (kept["decision"], kept["decided_by"], kept["decided_at"]) == ("NOT_DUPLICATE", staff.verifier.account_id, clock.now())
    with rt.database.worker() as conn:
        assert raise_pairs(conn, [first, second], {}, clock.now()) == 0
        told = conn.execute(
            text("SELECT actor_id FROM audit.event WHERE action = 'NOT_A_DUPLICATE' AND subject_id = :id"), {"id": str(pair["id"])}
        )
        assert told.scalars().all() == [staff.verifier.account_id]
    assert pairs_of(rt, second) == [kept]


def test_an_admins_reopening_is_remembered_and_the_checks_do_not_raise_the_pair_again(rt, clock, staff, two):
    first, second = rejected_copy(rt, two)
    assert factories.do(rt, staff.admin, second, "REOPEN", comment="Two dogs of one litter").ok
    (pair,) = pairs_of(rt, second)
    assert (pair["decision"], pair["decided_by"]) == ("NOT_DUPLICATE", staff.admin.account_id)
    with rt.database.worker() as conn:  # as if the report were judged once more
        conn.execute(text("UPDATE sdcrs.report SET status = 'PENDING_VALIDATION' WHERE id = :id"), {"id": second})
        (judged,) = validate(conn, rt.masterdata.current(), [second], clock.now())
    assert judged.failed is None
    assert [row["decision"] for row in pairs_of(rt, second)] == ["NOT_DUPLICATE"]
    assert factories.status_of(rt, first) == "PENDING_VERIFICATION"


def judged_again(rt, report_id):
    """The report's judgement, as if it were judged once more."""
    with rt.database.worker() as conn:
        conn.execute(text("UPDATE sdcrs.report SET status = 'PENDING_VALIDATION' WHERE id = :id"), {"id": report_id})
        (judged,) = validate(conn, rt.masterdata.current(), [report_id], rt.clock.now())
    return judged


def crowd_of(judged):
    """How many reports the rule over 50 m and 24 h counted, and whether it fired."""
    outcome = next(one for one in judged.outcomes if one.rule.id == "SDCRS-004")
    return judged.history.nearby[50, 24], outcome.state


def test_a_neighbour_that_a_person_told_to_be_another_dog_is_counted_no_more_beside_this_report(rt, clock, staff, two):
    four = [*two, *(factories.account(rt, f"T{uuid4().hex[:6]}", "TEACHER") for _ in range(2))]
    reports = []
    for teacher in four:
        reports.append(sent(rt, teacher))
        clock.advance(timedelta(minutes=7))
    judge(rt)
    assert crowd_of(judged_again(rt, reports[3])) == (4, "FIRED")
    seen = []
    for earlier in reports[:3]:
        (pair,) = [row for row in pairs_of(rt, reports[3]) if row["earlier_id"] == earlier]
        with rt.database.begin(staff.verifier.scope) as conn:
            not_a_duplicate(conn, staff.verifier, pair["id"], clock.now())
        seen.append(crowd_of(judged_again(rt, reports[3])))
    assert seen == [(3, "FIRED"), (2, "CLEAR"), (1, "CLEAR")]
    fifth = sent(rt, two[0])
    assert crowd_of(judged_again(rt, fifth)) == (5, "FIRED")  # of a new report nobody said anything


def test_the_same_file_again_is_no_match_for_the_rules_once_an_admin_reopened(rt, clock, staff, two):
    seed = uuid4().int % 10**9
    sent(rt, two[0], files=same_picture(rt, two[0], seed))
    second = sent(rt, two[1], files=same_picture(rt, two[1], seed))
    judge(rt)
    (pair,) = pairs_of(rt, second)
    assert (pair["kind"], factories.status_of(rt, second)) == ("PHOTO_EXACT", "AUTO_REJECTED")
    assert factories.do(rt, staff.admin, second, "REOPEN", comment="One photo of two dogs").ok
    judged = judged_again(rt, second)
    assert judged.failed is None
    assert {one.rule.id for one in judged.outcomes if one.state == "FIRED"} & {"STD-005", "STD-006", "SDCRS-008", "SDCRS-009"} == set()


def test_reopening_a_report_that_was_rejected_for_another_reason_says_nothing_of_its_photos(rt, clock, staff, two):
    files = same_picture(rt, two[0], seed := uuid4().int % 10**9)
    sent(rt, two[0], files=files)
    far = replace(factories.submission(rt, two[1], same_picture(rt, two[1], seed)).place, latitude=11.85, longitude=43.50)
    second = factories.submitted(rt, two[1], **{**vars_of(factories.submission(rt, two[1], same_picture(rt, two[1], seed))), "place": far})
    judge(rt)
    with rt.database.worker() as conn:
        reason = conn.execute(text("SELECT rejection_reason FROM sdcrs.report WHERE id = :id"), {"id": second}).scalar_one()
    assert reason == "OUTSIDE_BOUNDARY"
    assert factories.do(rt, staff.admin, second, "REOPEN", comment="The boundary is drawn wrong").ok
    assert [row["decision"] for row in pairs_of(rt, second)] == [None]


def test_a_verifier_may_not_clear_what_the_checks_rejected(rt, clock, staff, two):
    _, second = rejected_copy(rt, two)
    (pair,) = pairs_of(rt, second)
    with rt.database.begin(staff.verifier.scope) as conn, pytest.raises(AppError, match="SDCRS_FORBIDDEN"):
        not_a_duplicate(conn, staff.verifier, pair["id"], clock.now())


@pytest.mark.parametrize(("who", "code"), [("admin", "SDCRS_FORBIDDEN"), ("officer", "SDCRS_FORBIDDEN"), ("stranger", "SDCRS_NOT_FOUND")])
def test_only_verifiers_of_the_area_decide(rt, clock, staff, two, who, code):
    sent(rt, two[0])
    second = sent(rt, two[1])
    judge(rt)
    (pair,) = pairs_of(rt, second)
    stranger = factories.account(rt, f"V{uuid4().hex[:6]}", "VERIFIER", tenant_id="dj.ali-sabieh")
    caller = stranger if who == "stranger" else getattr(staff, who)
    with rt.database.begin(caller.scope) as conn, pytest.raises(AppError, match=code):
        not_a_duplicate(conn, caller, pair["id"], clock.now())


def test_a_pair_whose_reports_are_decided_is_closed(rt, clock, staff, two):
    first, second = sent(rt, two[0]), sent(rt, two[1])
    judge(rt)
    (pair,) = pairs_of(rt, second)
    for report_id in (first, second):
        assert factories.do(rt, staff.verifier, report_id, "VERIFY").ok
    with rt.database.begin(staff.verifier.scope) as conn, pytest.raises(AppError, match="SDCRS_ACTION_NOT_ALLOWED"):
        not_a_duplicate(conn, staff.verifier, pair["id"], clock.now())


# the inbox


def test_the_inbox_lists_the_pairs_in_words_and_takes_the_verifiers_word(rt, clock, staff, two):
    first = sent(rt, two[0])
    clock.advance(timedelta(minutes=35))
    second = sent(rt, two[1], metres_away(120))
    judge(rt)
    number, other = (number_of(rt, report_id) for report_id in (second, first))
    with tab(rt, token_for(rt, staff.verifier), "inbox", report=number) as test:
        test.run()
        assert not test.exception
        page = shown(test)
        assert "May be the same as" in page
        assert "Another photo, 120 m away, 35 min apart" in page
        test.button(key=f"inbox.pair.{other}").click().run()
        assert not test.exception
        assert "It is not raised again" in shown(test)
        assert "May be the same as" not in shown(test)
    assert [row["decision"] for row in pairs_of(rt, second)] == ["NOT_DUPLICATE"]


def test_an_admin_sees_why_a_copy_was_rejected_and_decides_by_reopening_alone(rt, staff, two):
    first, second = rejected_copy(rt, two)
    other = number_of(rt, first)
    with tab(rt, token_for(rt, staff.district_admin), "inbox", report=number_of(rt, second)) as test:
        test.run()
        assert not test.exception
        assert other in shown(test)
        assert f"inbox.pair.{other}" not in {button.key for button in test.button}
