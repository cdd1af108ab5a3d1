"""The fraud page as each role: flags worked, rules changed by two admins, teachers, and who is connected with whom."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from dashboard.widgets import fraud_network
from pipeline.fraud.editing.checking import active_rules
from pipeline.masterdata import store
from pipeline.runtime import Runtime
from tests import factories
from tests.console import shown as markdown_shown
from tests.console import tab, token_for

EVERYBODY = ("teacher", "verifier", "senior", "supervisor", "officer", "district_admin", "admin", "auditor")
READERS = {"district_admin", "admin", "auditor"}
VIEWS = ("Flags", "Rules", "Rule changes", "Teachers", "Connections")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "RELOAD_CHECK_S", 0.0)


@pytest.fixture(scope="module")
def who(rt: Runtime) -> factories.People:
    return factories.people(rt)


@pytest.fixture(scope="module")
def other(rt: Runtime) -> factories.Caller:
    return factories.account(rt, f"TF{uuid4().hex[:6]}", "TEACHER")


@pytest.fixture(scope="module")
def reports(rt: Runtime, who: factories.People, other: factories.Caller, clock: Any) -> list[UUID]:
    """Five reports of two teachers from one phone at one place, right after each other."""
    ids = []
    for n in range(5):
        ids.append(factories.validated(rt, who.teacher if n < 3 else other, device_id="phone-of-two"))
        clock.advance(timedelta(minutes=1))
    return ids


def open_page(rt: Runtime, caller: factories.Caller, view: str = "Flags", **query: str):
    return tab(rt, token_for(rt, caller), "fraud", **{"fraud.view": view}, **query)


def shown(test) -> str:
    """What the page says, without the signs that keep people's texts from being Markdown."""
    return markdown_shown(test).replace("\\", "")


def button(test, key):
    return next(one for one in test.button if one.key == key)


def keys(test) -> set[str]:
    return {one.key or "" for one in test.button}


def flag_of(rt: Runtime, rule_id: str, status: str = "OPEN") -> UUID:
    with rt.database.worker() as conn:
        found = conn.execute(
            text("SELECT id FROM fraud.flag WHERE rule_id = :rule AND status = :status ORDER BY raised_at LIMIT 1"),
            {"rule": rule_id, "status": status},
        )
        return UUID(str(found.scalar_one()))


def row_of(rt: Runtime, table: str, **by: object) -> Any:
    (column, value) = next(iter(by.items()))
    with rt.database.worker() as conn:
        return conn.execute(text(f"SELECT * FROM {table} WHERE {column} = :value ORDER BY 1 DESC LIMIT 1"), {"value": value}).one()


@pytest.mark.parametrize("person", EVERYBODY)
@pytest.mark.parametrize("view", VIEWS)
def test_every_part_opens_for_admins_and_the_auditor_alone(rt, who, person, view):
    with open_page(rt, getattr(who, person), view) as test:
        test.run()
        assert not test.exception
        assert ("Connections" in str(test.get("button_group"))) is (person in READERS)


def test_without_flags_the_page_says_what_that_means(rt, who):
    with open_page(rt, who.district_admin) as test:
        test.run()
        if row_count(rt) == 0:
            assert "0 flags to be looked at" in shown(test)


def row_count(rt: Runtime) -> int:
    with rt.database.worker() as conn:
        return int(conn.execute(text("SELECT count(*) FROM fraud.flag")).scalar_one())


def test_the_queue_lists_flags_and_filters_them(rt, who, reports):
    with open_page(rt, who.district_admin) as test:
        test.run()
        assert not test.exception
        assert "2 teachers used this device within 7 days" in shown(test)
        test.selectbox(key="fraud.rule").set_value("STD-007").run()
        assert "min after the report before" in shown(test)
        assert "used this device" not in shown(test)
        test.selectbox(key="fraud.ward").set_value("W006").run()
        assert "0 flags to be looked at that match the filters" in shown(test)


def test_a_flag_shows_its_report_with_evidence_checks_and_a_readable_score(rt, who, reports):
    flag_id = flag_of(rt, "STD-007")
    with open_page(rt, who.district_admin, flag=str(flag_id)) as test:
        test.run()
        assert not test.exception
        page = shown(test)
        assert "Place of the photo" in page
        assert "rules looked at" in page
        assert "Nothing yet by a person" in page
        assert "{" not in page.replace("{ ", "").split("<style>")[0]


def test_a_flag_is_taken_and_resolved_and_its_story_is_told(rt, who, reports):
    flag_id = flag_of(rt, "STD-007")
    with open_page(rt, who.district_admin, flag=str(flag_id)) as test:
        test.run()
        button(test, f"fraud.flag.{flag_id}.TAKE").click().run()
        assert "The flag is yours" in shown(test)
        test.radio(key=f"fraud.flag.{flag_id}.as").set_value("FALSE_POSITIVE").run()
        test.text_area(key=f"fraud.flag.{flag_id}.comment").set_value("Two dogs, two photos").run()
        button(test, f"fraud.flag.{flag_id}.keep").click().run()
        assert not test.exception
        page = shown(test)
        assert "The flag is resolved" in page
        assert "took it" in page
        assert "resolved it: false alarm" in page
    row = row_of(rt, "fraud.flag", id=flag_id)
    assert (row.status, row.resolution, row.comment, row.resolved_by) == (
        "RESOLVED",
        "FALSE_POSITIVE",
        "Two dogs, two photos",
        who.district_admin.account_id,
    )
    with open_page(rt, who.district_admin, "Rules", rule="STD-007") as test:
        test.run()
        assert "0.0 % of 1" in shown(test)


def test_a_result_is_needed_to_resolve(rt, who, reports):
    flag_id = flag_of(rt, "STD-007")
    with open_page(rt, who.admin, flag=str(flag_id)) as test:
        test.run()
        button(test, f"fraud.flag.{flag_id}.keep").click().run()
        assert "resolution" in shown(test)
    assert row_of(rt, "fraud.flag", id=flag_id).status == "OPEN"


def test_the_auditor_sees_everything_and_changes_nothing(rt, who, reports):
    flag_id = flag_of(rt, "STD-007")
    with open_page(rt, who.auditor, flag=str(flag_id)) as test:
        test.run()
        assert not test.exception
        assert "Place of the photo" in shown(test)
        assert not [key for key in keys(test) if key.startswith(f"fraud.flag.{flag_id}") and not key.endswith(".teacher")]
    with open_page(rt, who.auditor, "Rules", rule="STD-003") as test:
        test.run()
        assert "Many reports within hours" in shown(test)
        assert not [key for key in keys(test) if key.startswith(("fraud.edit", "fraud.switch"))]


def test_a_district_admin_reads_the_rules_and_cannot_change_them(rt, who, reports):
    with open_page(rt, who.district_admin, "Rules") as test:
        test.run()
        assert "39 of 39 rules" in shown(test)
        assert "fraud.rules.new" not in keys(test)
    with open_page(rt, who.district_admin, "Rules", rule="new") as test:
        test.run()
        assert "only state admins change rules" in shown(test)


def test_a_threshold_is_changed_tried_submitted_and_activated_by_a_second_admin(rt, who, reports):
    before = active_rules(rt.masterdata.current(), "dj")["STD-003"]
    with open_page(rt, who.admin, "Rules", rule="STD-003") as test:
        test.run()
        assert not test.exception
        field = next(one for one in test.number_input if one.key.endswith("condition.threshold"))
        prefix = field.key.removesuffix(".condition.threshold")
        field.set_value(2).run()
        test.text_input(key=f"{prefix}.reason").set_value("Two an hour are enough").run()
        button(test, f"{prefix}.save").click().run()
        assert not test.exception
        page = shown(test)
        assert "Would flag 1 of the 5 reports of the last 30 days" in page
        assert "The rule as it is flags 0 of them: 1 would be added, 0 would go" in page
        assert "Fires above" in page
        draft = row_of(rt, "fraud.rule_draft", rule_id="STD-003")
        assert active_rules(rt.masterdata.current(), "dj")["STD-003"] == before
        button(test, f"fraud.submit.{draft.id}").click().run()
        assert "is submitted: a second admin decides" in shown(test)
        assert f"fraud.activate.{draft.id}" not in keys(test)
    with open_page(rt, who.second_admin, "Rule changes") as test:
        test.run()
        assert "1 of 1 drafts wait for a second admin" in shown(test)
        button(test, f"open-draft-{draft.id}").click().run()
        assert "Two an hour are enough" in shown(test)
        button(test, f"fraud.activate.{draft.id}").click().run()
        assert not test.exception
        assert "of the rules counts from now on" in shown(test)
    assert active_rules(rt.masterdata.current(), "dj")["STD-003"]["condition"]["threshold"] == 2
    with open_page(rt, who.auditor, "Rules", rule="STD-003") as test:
        test.run()
        assert "5 → 2" in shown(test)


def test_a_wrong_value_is_refused_with_its_field_and_no_draft_is_kept(rt, who, reports):
    with open_page(rt, who.admin, "Rules", rule="SDCRS-013") as test:
        test.run()
        field = next(one for one in test.text_area if one.key.endswith("condition.expression"))
        prefix = field.key.removesuffix(".condition.expression")
        field.set_value("#dogs > 3").run()
        test.text_input(key=f"{prefix}.reason").set_value("why").run()
        button(test, f"{prefix}.save").click().run()
        assert "Expression: " in shown(test)
        assert "condition." not in shown(test)
    with rt.database.worker() as conn:
        assert conn.execute(text("SELECT count(*) FROM fraud.rule_draft WHERE rule_id = 'SDCRS-013'")).scalar_one() == 0


def test_a_rule_is_turned_off_by_a_draft_that_another_admin_rejects(rt, who, reports):
    with open_page(rt, who.admin, "Rules", rule="STD-009") as test:
        test.run()
        test.text_input(key="fraud.switch.STD-009.reason").set_value("Too many").run()
        button(test, "fraud.switch.STD-009.go").click().run()
        assert not test.exception
        draft = row_of(rt, "fraud.rule_draft", rule_id="STD-009")
        button(test, f"fraud.submit.{draft.id}").click().run()
    with open_page(rt, who.second_admin, "Rule changes", draft=str(draft.id)) as test:
        test.run()
        assert "Rule is on" in shown(test)
        test.text_input(key=f"fraud.refusal.{draft.id}").set_value("It finds the most").run()
        button(test, f"fraud.refuse.{draft.id}").click().run()
        assert "is rejected" in shown(test)
    assert row_of(rt, "fraud.rule_draft", id=draft.id).decision_comment == "It finds the most"


@pytest.mark.parametrize("kind", ["VELOCITY", "TIME_WINDOW", "METADATA_CHECK", "GEO_CLUSTER", "CUSTOM", "EXTERNAL_VALIDATOR"])
def test_a_new_rule_of_each_kind_can_be_begun(rt, who, reports, kind):
    with open_page(rt, who.admin, "Rules", rule="new") as test:
        test.run()
        test.selectbox(key="fraud.new.kind").set_value(kind).run()
        assert not test.exception
        prefix = f"fraud.new.{kind}"
        test.text_input(key=f"{prefix}.code").set_value(f"A_NEW_{kind}").run()
        test.text_input(key=f"{prefix}.name").set_value("A new rule").run()
        test.text_area(key=f"{prefix}.description").set_value("What it says").run()
        for key, value in {"expression": "#evidenceCount > 5", "checkExpression": "predictions.isDog == false"}.items():
            for field in test.text_area:
                if field.key == f"{prefix}.condition.{key}":
                    field.set_value(value)
        test.text_input(key=f"{prefix}.reason").set_value(f"Seen: {kind}").run()
        button(test, f"{prefix}.save").click().run()
        assert not test.exception
        assert "reports of the last 30 days" in shown(test), shown(test)[-3000:]
    assert row_of(rt, "fraud.rule_draft", reason=f"Seen: {kind}").content["condition"]["type"] == kind


def test_a_teachers_risk_is_explained_and_a_fraud_is_confirmed_by_two_admins(rt, who, other, reports):
    flag_id = flag_of(rt, "STD-008", "ESCALATED")
    report_id = row_of(rt, "fraud.flag", id=flag_id).report_id
    with open_page(rt, who.district_admin, flag=str(flag_id)) as test:
        test.run()
        test.text_area(key=f"fraud.confirm.{report_id}").set_value("Both photos are from the web").run()
        button(test, f"fraud.flag.{flag_id}.confirm").click().run()
        assert "A second admin must approve" in shown(test)
    waiting = row_of(rt, "fraud.confirmation", report_id=report_id)
    with open_page(rt, who.district_admin, "Teachers") as test:
        test.run()
        assert button(test, f"fraud.confirmation.{waiting.id}.yes").disabled
    with open_page(rt, who.admin, "Teachers") as test:
        test.run()
        assert "Both photos are from the web" in shown(test)
        button(test, f"fraud.confirmation.{waiting.id}.yes").click().run()
        assert not test.exception
        assert "The fraud is approved" in shown(test)
    with open_page(rt, who.admin, "Teachers", teacher=str(other.account_id)) as test:
        test.run()
        assert not test.exception
        page = shown(test)
        assert "Banned" in page
        assert "Fraud, approved by two admins" in page
        penalty = row_of(rt, "fraud.penalty", account_id=other.account_id)
        test.text_area(key=f"fraud.lift.{penalty.id}").set_value("The photos are his own").run()
        button(test, f"fraud.lift_go.{penalty.id}").click().run()
        assert "A second admin must approve" in shown(test)
    with open_page(rt, who.second_admin, "Teachers") as test:
        test.run()
        assert "wants to lift the ban" in shown(test)
        button(test, f"fraud.lift_yes.{penalty.id}").click().run()
        assert not test.exception
        assert "The ban is lifted" in shown(test)
    assert row_of(rt, "access.account", id=other.account_id).standing == "GOOD"


def test_shared_devices_are_a_graph_with_a_table_and_names_of_devices_are_masked(rt, who, reports):
    with open_page(rt, who.admin, "Connections") as test:
        test.run()
        assert not test.exception
        page = shown(test)
        assert "Shared devices" in page
        assert f"Name of {who.teacher.username}" in page
        assert "phone-of-two" not in page
        assert "Reports close together" in page
        assert len(test.get("plotly_chart")) == 1


def test_many_reports_close_together_do_not_hide_a_photo_that_is_alike(rt, who, reports, monkeypatch):
    monkeypatch.setattr(fraud_network, "PAIRS", 1)
    with rt.database.worker() as conn:
        photo = conn.execute(
            text("""
                UPDATE fraud.pair SET kind = 'PHOTO_SIMILAR', similarity = 0.97 WHERE id = (
                    SELECT p.id FROM fraud.pair p JOIN sdcrs.report e ON e.id = p.earlier_id JOIN sdcrs.report l ON l.id = p.later_id
                    WHERE p.kind = 'CLUSTER' AND e.reporter_id <> l.reporter_id ORDER BY p.found_at, p.id LIMIT 1)
                RETURNING later_id
            """)
        ).one()
    number = row_of(rt, "sdcrs.report", id=photo.later_id).report_number
    with open_page(rt, who.admin, "Connections") as test:
        test.run()
        assert not test.exception
        page = shown(test)
        assert "Reports close together<small>of different teachers, in place and time, the newest 1<" in page
        assert f"/trace?report={number}" in page.partition("Photos alike<small>")[2]
        assert "97%" in page


def test_what_does_not_exist_is_said_and_nothing_breaks(rt, who):
    for query in ({"flag": "no id"}, {"flag": str(uuid4())}, {"rule": "NONE-1"}, {"draft": str(uuid4())}, {"teacher": str(uuid4())}):
        with open_page(rt, who.admin, **query) as test:
            test.run()
            assert not test.exception, query
            assert "not found" in shown(test) or "There is no rule" in shown(test), query
