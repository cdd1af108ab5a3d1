"""Flags and the risk profile on a real Postgres: raised with an evaluation, worked by people, settled by decisions, counted by rule."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import text

import queries
from pipeline.errors import AppError
from pipeline.fraud import profile
from pipeline.fraud.flags.commands import Deed, work
from pipeline.fraud.flags.raising import Fired, is_worth_a_look, raise_flags
from pipeline.fraud.following import fraud_jobs
from pipeline.jobs.worker import run_until_idle
from tests import factories
from tests.factories import VILLE

EVERYTHING = dict.fromkeys(["states", "rule_id", "category", "ward_code", "risk_level", "account_id", "report_id", "raised_since"])


def rule(rt, wanted):
    """The first rule of the programme that fits."""
    return next(one for one in rt.masterdata.current().fraud_rules(VILLE) if wanted(one))


def plain(one):
    return one.action.type == "FLAG" and not one.action.escalate


def escalating(role):
    return lambda one: one.action.type == "FLAG" and one.action.escalate and one.action.escalate_to_role == role


def flagged(rt, teacher, *rules, score=30):
    """A report waiting for its verifier, with flags of these rules alone."""
    report = factories.validated(rt, teacher)
    with rt.database.worker() as conn:
        fired = [Fired(report, VILLE, teacher.account_id, one, Decimal(score), f"{one.name} fired", rt.clock.now()) for one in rules]
        raise_flags(conn, rt.masterdata.current(), fired)
    ids = {one.id for one in rules}
    return report, {row.rule_id: row for row in flags(rt, report) if row.rule_id in ids}


def flags(rt, report):
    with rt.database.worker() as conn:
        return conn.execute(text("SELECT * FROM fraud.flag WHERE report_id = :id ORDER BY rule_id"), {"id": report}).all()


def do(rt, caller, ids, action, **deed):
    with rt.database.begin(caller.scope) as conn:
        return work(conn, caller, ids, Deed(action, **deed), rt.clock.now())


def one_do(rt, caller, flag, action, **deed):
    (result,) = do(rt, caller, [flag.id], action, **deed)
    return result.state if result.ok else result.error.code


def follow(rt):
    run_until_idle(fraud_jobs(rt), rt.clock)


def ask(rt, caller, name, **params):
    with rt.database.begin(caller.scope) as conn:
        return queries.rows(conn, name, **params)


def test_an_evaluation_raises_one_flag_for_each_rule_that_added_to_the_score(rt, teacher):
    stale = factories.photos(rt, teacher, taken_at=rt.clock.now() - timedelta(hours=60))
    report = factories.validated(rt, teacher, evidence=factories.submission(rt, teacher, stale).evidence)
    with rt.database.worker() as conn:
        fired = conn.execute(text("SELECT fired FROM fraud.evaluation WHERE report_id = :id"), {"id": report}).scalar_one()
    rules = {one.id: one for one in rt.masterdata.current().fraud_rules(VILLE)}
    expected = {one["id"]: one["score"] for one in fired if is_worth_a_look(rules[one["id"]], Decimal(str(one["score"])))}
    found = flags(rt, report)
    assert found
    assert {row.rule_id: row.score for row in found} == expected
    assert {row.account_id for row in found} == {teacher.account_id}
    assert all(row.status == ("ESCALATED" if rules[row.rule_id].action.escalate else "OPEN") for row in found)


@pytest.mark.parametrize(
    ("kind", "escalates", "score", "worth"),
    [
        ("FLAG", False, 1, True),
        ("FLAG", False, 0, False),
        ("FLAG", True, 0, True),
        ("AUTO_REJECT", False, 5, True),
        ("NOTIFY", True, 0, False),
    ],
)
def test_what_only_notifies_or_adds_nothing_is_not_flagged(rt, kind, escalates, score, worth):
    some = rule(rt, plain)
    action = some.action.model_copy(update={"type": kind, "escalate": escalates})
    assert is_worth_a_look(some.model_copy(update={"action": action}), Decimal(score)) == worth


def test_a_second_evaluation_raises_nothing_twice_and_reopens_nothing(rt, staff, teacher):
    some = rule(rt, plain)
    report, found = flagged(rt, teacher, some)
    assert one_do(rt, staff.verifier, found[some.id], "RESOLVE", resolution="FALSE_POSITIVE") == "RESOLVED"
    with rt.database.worker() as conn:
        raise_flags(conn, rt.masterdata.current(), [Fired(report, VILLE, teacher.account_id, some, Decimal(9), "again", rt.clock.now())])
    (again,) = [row for row in flags(rt, report) if row.rule_id == some.id]
    assert (again.status, again.score) == ("RESOLVED", 30)


def test_a_flag_is_taken_escalated_resolved_and_corrected_and_each_is_audited(rt, staff, teacher):
    some = rule(rt, plain)
    _, found = flagged(rt, teacher, some)
    flag = found[some.id]
    assert one_do(rt, staff.verifier, flag, "TAKE") == "UNDER_REVIEW"
    assert one_do(rt, staff.verifier, flag, "TAKE") == "SDCRS_FLAG_NOT_POSSIBLE"  # a double click
    assert one_do(rt, staff.verifier, flag, "ESCALATE", comment="Looks arranged") == "ESCALATED"
    assert one_do(rt, staff.verifier, flag, "RESOLVE", resolution="TRUE_POSITIVE") == "SDCRS_FORBIDDEN"
    assert one_do(rt, staff.senior, flag, "ESCALATE", to_role="STATE_ADMIN") == "ESCALATED"
    assert one_do(rt, staff.district_admin, flag, "TAKE") == "SDCRS_FORBIDDEN"
    assert one_do(rt, staff.admin, flag, "ESCALATE") == "SDCRS_FLAG_NOT_POSSIBLE"  # nobody is above
    assert one_do(rt, staff.admin, flag, "TAKE") == "UNDER_REVIEW"
    assert one_do(rt, staff.admin, flag, "RELEASE") == "ESCALATED"
    assert one_do(rt, staff.admin, flag, "RESOLVE", resolution="TRUE_POSITIVE") == "RESOLVED"
    assert one_do(rt, staff.admin, flag, "RESOLVE", resolution="TRUE_POSITIVE") == "SDCRS_FLAG_NOT_POSSIBLE"
    assert one_do(rt, staff.second_admin, flag, "CORRECT", resolution="INCONCLUSIVE", comment="The proof was lost") == "RESOLVED"
    told = ask(rt, staff.admin, "fraud.flag_history", id=flag.id)
    assert [row["action"] for row in told] == [
        "FLAG_TAKE", "FLAG_ESCALATE", "FLAG_ESCALATE", "FLAG_TAKE", "FLAG_RELEASE", "FLAG_RESOLVE", "FLAG_CORRECT",
    ]  # fmt: skip
    (last,) = ask(rt, staff.admin, "fraud.flag", id=flag.id)
    assert (last["resolution"], last["comment"], last["resolved_by"]) == (
        "INCONCLUSIVE",
        "The proof was lost",
        staff.second_admin.account_id,
    )


@pytest.mark.parametrize(
    ("role", "action", "deed", "code"),
    [
        ("teacher", "TAKE", {}, "SDCRS_FORBIDDEN"),
        ("officer", "TAKE", {}, "SDCRS_FORBIDDEN"),
        ("auditor", "RESOLVE", {"resolution": "TRUE_POSITIVE"}, "SDCRS_FORBIDDEN"),
        ("senior", "CORRECT", {"resolution": "TRUE_POSITIVE", "comment": "x"}, "SDCRS_FORBIDDEN"),
        ("admin", "CORRECT", {"resolution": "TRUE_POSITIVE"}, "SDCRS_FACT_MISSING"),
        ("verifier", "RESOLVE", {}, "SDCRS_INVALID_REQUEST"),
        ("verifier", "ESCALATE", {"to_role": "TEACHER"}, "SDCRS_INVALID_REQUEST"),
        ("verifier", "TAKE", {"comment": "x" * 1001}, "SDCRS_INVALID_REQUEST"),
    ],
)
def test_a_wrong_deed_is_refused_as_a_whole(rt, staff, role, action, deed, code):
    with pytest.raises(AppError, match=code):
        do(rt, getattr(staff, role), [uuid4()], action, **deed)


def test_many_flags_at_once_have_a_result_each(rt, staff, teacher):
    open_rule, senior_rule = rule(rt, plain), rule(rt, escalating("DISTRICT_ADMIN"))
    _, found = flagged(rt, teacher, open_rule, senior_rule)
    ids = [found[open_rule.id].id, found[senior_rule.id].id, uuid4()]
    results = do(rt, staff.verifier, ids, "RESOLVE", resolution="DUPLICATE_FLAG")
    assert [result.state or result.error.code for result in results] == ["RESOLVED", "SDCRS_FORBIDDEN", "SDCRS_NOT_FOUND"]


def test_another_tenants_verifier_finds_no_flag(rt, teacher):
    some = rule(rt, plain)
    _, found = flagged(rt, teacher, some)
    stranger = factories.account(rt, f"V{uuid4().hex[:6]}", "VERIFIER", tenant_id="dj.ali-sabieh")
    assert one_do(rt, stranger, found[some.id], "TAKE") == "SDCRS_NOT_FOUND"
    assert ask(rt, stranger, "fraud.flags", **EVERYTHING, tenants=[VILLE], limit=10, offset=0) == []


@pytest.mark.parametrize(
    ("action", "fields", "resolution"),
    [
        ("VERIFY", {}, "FALSE_POSITIVE"),
        ("REJECT", {"rejection_reason": "FRAUDULENT"}, "TRUE_POSITIVE"),
        ("REJECT", {"rejection_reason": "NOT_A_DOG"}, "INCONCLUSIVE"),
    ],
)
def test_the_verifiers_decision_settles_open_flags_and_leaves_escalated_ones(rt, staff, teacher, action, fields, resolution):
    open_rule, escalated = rule(rt, plain), rule(rt, escalating("DISTRICT_ADMIN"))
    report, found = flagged(rt, teacher, open_rule, escalated)
    assert factories.do(rt, staff.verifier, report, action, **fields).ok
    follow(rt)
    after = {row.rule_id: row for row in flags(rt, report)}
    settled = after[open_rule.id]
    assert (settled.status, settled.resolution, settled.resolved_by) == ("RESOLVED", resolution, staff.verifier.account_id)
    assert settled.by_decision
    assert after[escalated.id].status == "ESCALATED"
    assert one_do(rt, staff.admin, settled, "CORRECT", resolution="TRUE_POSITIVE", comment="Seen again") == "RESOLVED"
    assert not next(row for row in flags(rt, report) if row.rule_id == open_rule.id).by_decision
    assert found


def test_hits_and_precision_of_a_rule_are_what_people_made_of_its_flags(rt, staff):
    some = rule(rt, plain)
    since = rt.clock.now() + timedelta(days=1)
    rt.clock.set(since)
    outcomes = ["TRUE_POSITIVE", "FALSE_POSITIVE", "FALSE_POSITIVE", "INCONCLUSIVE", None]
    for outcome in outcomes:
        _, found = flagged(rt, factories.account(rt, f"T{uuid4().hex[:6]}", "TEACHER"), some)
        if outcome is not None:
            assert one_do(rt, staff.verifier, found[some.id], "RESOLVE", resolution=outcome) == "RESOLVED"
    row = next(row for row in ask(rt, staff.admin, "fraud.rules", tenants=[VILLE], since=since) if row["rule_id"] == some.id)
    assert (row["hits"], row["reports"], row["undecided"], row["proven"], row["wrong"], row["inconclusive"]) == (5, 5, 1, 1, 2, 1)
    assert row["precision"] == pytest.approx(1 / 3)
    assert row["false_positive_rate"] == pytest.approx(2 / 3)
    states = {row["status"]: row["flags"] for row in ask(rt, staff.admin, "fraud.flags_by_state", tenants=[VILLE], raised_since=since)}
    assert states["RESOLVED"] >= 4


def test_the_queue_is_filtered_counted_and_paged(rt, staff, teacher):
    some = rule(rt, plain)
    report, _ = flagged(rt, teacher, some, score=99)
    own = EVERYTHING | {"account_id": teacher.account_id, "tenants": [VILLE]}
    found = ask(rt, staff.admin, "fraud.flags", **own, limit=10, offset=0)
    assert found[0]["report_id"] == report
    assert found[0]["report_status"] == "PENDING_VERIFICATION"
    (total,) = ask(rt, staff.admin, "fraud.flags_total", **own, most=1000)
    assert total["total"] == len(found)
    for filters, fits in [
        ({"states": ["OPEN"]}, True), ({"states": ["RESOLVED"]}, False), ({"rule_id": some.id}, True), ({"rule_id": "X"}, False),
        ({"ward_code": "W005"}, True), ({"ward_code": "W009"}, False), ({"category": some.category}, True),
        ({"raised_since": rt.clock.now() + timedelta(days=1)}, False),
    ]:  # fmt: skip
        ids = [row["rule_id"] for row in ask(rt, staff.admin, "fraud.flags", **(own | filters), limit=10, offset=0)]
        assert (some.id in ids) == fits, filters
    assert ask(rt, staff.admin, "fraud.flags", **own, limit=10, offset=len(found)) == []


def risk(rt, caller, teacher):
    config = rt.masterdata.current().risk_config(VILLE)
    params = profile.params(config, rt.clock.now())
    return profile.explained(config, ask(rt, caller, "fraud.profile", **params, account_id=teacher.account_id))


def test_risk_is_explained_part_by_part_and_fades_by_half_in_thirty_days(rt, staff, teacher):
    some = rule(rt, plain)
    report, found = flagged(rt, teacher, some, score=40)
    with rt.database.worker() as conn:  # what the evaluation itself raised is not this test's
        conn.execute(text("UPDATE fraud.flag SET score = 0 WHERE report_id = :id AND rule_id <> :rule"), {"id": report, "rule": some.id})
    assert [(part.what, part.points, part.state) for part in risk(rt, staff.admin, teacher).parts] == [(some.id, 20.0, "OPEN")]
    assert factories.do(rt, staff.verifier, report, "REJECT", rejection_reason="FRAUDULENT").ok
    follow(rt)
    now = risk(rt, staff.admin, teacher)
    assert {(part.kind, part.what): part.points for part in now.parts} == {("FLAG", some.id): 40.0, ("REJECTION", "FRAUDULENT"): 20.0}
    assert (now.score, now.level) == (60, "HIGH")
    rt.clock.advance(timedelta(days=30))
    later = risk(rt, staff.admin, teacher)
    assert (later.score, later.level) == (30, "MEDIUM")
    assert later.parts[0].counts == pytest.approx(20.0, rel=1e-6)
    rt.clock.advance(timedelta(days=30))
    assert risk(rt, staff.admin, teacher).score == 15
    assert one_do(rt, staff.admin, found[some.id], "CORRECT", resolution="FALSE_POSITIVE", comment="A real dog") == "RESOLVED"
    assert [part.kind for part in risk(rt, staff.admin, teacher).parts] == ["REJECTION"]
    rt.clock.advance(timedelta(days=300))
    assert risk(rt, staff.admin, teacher) == profile.Profile(0, "LOW", ())


def test_high_risk_teachers_come_first_with_their_standing(rt, staff, teacher):
    some = rule(rt, plain)
    report, _ = flagged(rt, teacher, some, score=100)
    assert factories.do(rt, staff.verifier, report, "REJECT", rejection_reason="FRAUDULENT").ok
    follow(rt)
    params = profile.params(rt.masterdata.current().risk_config(VILLE), rt.clock.now())
    first = ask(rt, staff.admin, "fraud.risky_teachers", **params, tenants=[VILLE], least=51, limit=5)[0]
    assert (first["account_id"], first["standing"], first["rejections"]) == (teacher.account_id, "WARNING", 1)
    assert profile.score_of(first["total"]) == risk(rt, staff.admin, teacher).score == 100
    assert ask(rt, staff.admin, "fraud.risky_teachers", **params, tenants=["dj.ali-sabieh"], least=0, limit=5) == []


def test_where_nothing_fades_the_past_counts_whole(rt):
    config = rt.masterdata.current().risk_config(VILLE).model_copy(update={"scoring_decay": None})
    params = profile.params(config, rt.clock.now())
    assert 0.5 ** (365 / params["half_life_days"]) > 0.99
    assert params["since"] == rt.clock.now() - timedelta(days=profile.LOOK_BACK_DAYS)


def test_devices_shared_by_teachers_are_rows_of_a_graph(rt, staff):
    device = f"device-{uuid4().hex[:8]}"
    users = [factories.account(rt, f"T{uuid4().hex[:6]}", "TEACHER") for _ in range(3)]
    for user in users:
        factories.submitted(rt, user, device_id=device)
    since = rt.clock.now() - timedelta(days=7)
    rows = ask(rt, staff.admin, "fraud.device_edges", tenants=[VILLE], since=since, min_teachers=3, limit=20)
    assert {row["reporter_id"] for row in rows if row["device_id"] == device} == {user.account_id for user in users}
    assert {row["teachers"] for row in rows if row["device_id"] == device} == {3}
    assert ask(rt, staff.admin, "fraud.device_edges", tenants=[VILLE], since=since, min_teachers=4, limit=20) == []


def test_reports_of_two_teachers_about_one_dog_are_an_edge_of_a_graph(rt, staff):
    rt.clock.advance(timedelta(days=2))
    first, second = (factories.account(rt, f"T{uuid4().hex[:6]}", "TEACHER") for _ in range(2))
    earlier = factories.validated(rt, first)
    rt.clock.advance(timedelta(hours=1))
    later = factories.validated(rt, second)
    since = rt.clock.now() - timedelta(days=1)
    edges = ask(rt, staff.admin, "fraud.pair_edges", tenants=[VILLE], since=since, kinds=["CLUSTER"], limit=50)
    (edge,) = [row for row in edges if row["earlier_id"] == earlier]
    assert (edge["later_id"], edge["minutes"]) == (later, 60)
    assert (edge["earlier_username"], edge["later_username"]) == (first.username, second.username)
    exact = ask(rt, staff.admin, "fraud.pair_edges", tenants=[VILLE], since=since, kinds=["PHOTO_EXACT"], limit=50)
    assert earlier not in [row["earlier_id"] for row in exact]


@pytest.mark.parametrize("name", ["penalised", "appeals", "lifts_waiting", "confirmations"])
def test_the_lists_of_what_waits_are_bounded_and_empty_at_first(rt, staff, name):
    params = {"tenants": ["dj.ali-sabieh"], "limit": 10} | ({"now": rt.clock.now()} if name == "penalised" else {})
    assert ask(rt, staff.admin, f"fraud.{name}", **params) == []
