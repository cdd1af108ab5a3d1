"""Rules are changed by two admins: the draft's life on a real database, and that nothing is published past it."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from pipeline.access.caller import Caller
from pipeline.errors import AppError
from pipeline.fraud.editing import drafts
from pipeline.fraud.editing.activation import activate
from pipeline.fraud.editing.checking import RULES, active_rules
from pipeline.fraud.editing.drafts import TRANSITIONS, Draft, differences
from pipeline.ids import uuid7
from pipeline.masterdata import store
from pipeline.masterdata.store import MasterDataStore
from pipeline.runtime import Runtime
from pipeline.validation.trial import try_draft
from tests import factories

STATE = "dj"
RULE = "STD-003"


@pytest.fixture(scope="module")
def who(rt: Runtime) -> factories.People:
    return factories.people(rt)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "RELOAD_CHECK_S", 0.0)


def content(rt: Runtime, rule_id: str = RULE, **condition: object) -> dict[str, Any]:
    """The rule as it is, with other values in its condition."""
    rule = active_rules(rt.masterdata.current(), STATE)[rule_id]
    return rule | {"condition": rule["condition"] | condition}


def changed(rt: Runtime) -> dict[str, Any]:
    """A content that differs from the rule as it is."""
    return content(rt, threshold=content(rt)["condition"]["threshold"] + 1)


def save(rt: Runtime, caller: Caller, new: Mapping[str, Any], draft: Draft | None = None, draft_id: UUID | None = None) -> Draft:
    now = rt.clock.now()
    with rt.database.begin(caller.scope) as conn:
        return drafts.save(
            conn,
            rt.masterdata.current(),
            caller,
            STATE,
            draft.id if draft else draft_id or uuid7(now),
            new,
            "Too many alarms",
            now,
            draft.version if draft else None,
        )


def tried(rt: Runtime, caller: Caller, draft: Draft) -> Draft:
    with rt.database.begin(caller.scope) as conn, rt.database.worker() as past:
        return try_draft(conn, past, rt.masterdata.current(), caller, draft.id, draft.version, rt.clock.now())


def submit(rt: Runtime, caller: Caller, draft: Draft) -> Draft:
    with rt.database.begin(caller.scope) as conn:
        return drafts.submit(conn, rt.masterdata.current(), caller, draft.id, draft.version, rt.clock.now())


def submitted(rt: Runtime, caller: Caller, new: Mapping[str, Any] | None = None) -> Draft:
    return submit(rt, caller, tried(rt, caller, save(rt, caller, new or changed(rt))))


def turn_on(rt: Runtime, caller: Caller, draft: Draft) -> Draft:
    with rt.database.worker() as conn:
        return activate(conn, caller, draft.id, draft.version, rt.clock.now())


def refused(code: str) -> Any:
    return pytest.raises(AppError, match=code)


def versions(rt: Runtime, tenant_id: str = STATE) -> list[int]:
    with rt.database.worker() as conn:
        found = conn.execute(
            text("SELECT version FROM masterdata.document WHERE tenant_id = :t AND master = 'FraudRules' ORDER BY version"),
            {"t": tenant_id},
        )
        return list(found.scalars())


def audited(rt: Runtime, draft: Draft) -> list[str]:
    with rt.database.worker() as conn:
        found = conn.execute(text("SELECT action FROM audit.event WHERE subject_id = :id ORDER BY id"), {"id": str(draft.id)})
        return [action.removeprefix("FRAUD_RULE_DRAFT_") for action in found.scalars()]


def test_a_draft_that_a_second_admin_activates_is_the_next_version_of_the_states_rules(rt, who):
    md = rt.masterdata.current()
    common, mine = md.version_of(*RULES), versions(rt)
    draft = submitted(rt, who.admin)
    done = turn_on(rt, who.second_admin, draft)
    assert (done.state, done.decided_by) == ("ACTIVATED", who.second_admin.account_id)
    assert done.published_version == (mine[-1] if mine else common) + 1
    after = rt.masterdata.current()
    assert after.version_of(*RULES, factories.VILLE) == done.published_version
    rule = next(rule for rule in after.fraud_rules(factories.VILLE) if rule.id == RULE)
    assert rule.condition.threshold == draft.content["condition"]["threshold"]
    assert [rule.id for rule in after.fraud_rules(factories.VILLE)] == [rule.id for rule in md.fraud_rules(factories.VILLE)]
    assert after.fraud_rules("ncr.noida") == md.fraud_rules("ncr.noida")
    assert audited(rt, draft) == ["BEGUN", "TRIED", "SUBMITTED", "ACTIVATED"]


def test_a_states_first_own_rules_are_numbered_on_from_the_common_ones(rt, who):
    if not versions(rt):
        turn_on(rt, who.second_admin, submitted(rt, who.admin))
    assert versions(rt)[0] == versions(rt, "common")[-1] + 1


def test_running_processes_take_up_the_new_version_by_themselves(rt, who):
    worker, api = MasterDataStore(rt.database), MasterDataStore(rt.database)
    before = worker.current().version_of(*RULES, factories.VILLE)
    assert api.current().version_of(*RULES, factories.VILLE) == before
    done = turn_on(rt, who.second_admin, submitted(rt, who.admin))
    for process in (worker, api):
        assert process.current().version_of(*RULES, factories.VILLE) == done.published_version
    report_id = factories.validated(rt, factories.account(rt, f"TN{uuid4().hex[:6]}", "TEACHER"))
    with rt.database.worker() as conn:
        stored = conn.execute(text("SELECT rules_version FROM fraud.evaluation WHERE report_id = :id"), {"id": report_id}).scalar_one()
    assert stored == done.published_version


def test_the_author_may_not_activate_or_reject_the_own_draft(rt, who):
    draft, before = submitted(rt, who.admin), versions(rt)
    with refused("SDCRS_SELF_APPROVAL"):
        turn_on(rt, who.admin, draft)
    with refused("SDCRS_FORBIDDEN"), rt.database.begin(who.admin.scope) as conn:
        drafts.reject(conn, who.admin, draft.id, draft.version, "no", rt.clock.now())
    assert versions(rt) == before


def test_the_database_itself_lets_no_author_decide(rt, who):
    draft = submitted(rt, who.admin)
    with pytest.raises(IntegrityError), rt.database.worker() as conn:
        conn.execute(
            text(
                "UPDATE fraud.rule_draft SET state = 'ACTIVATED', decided_at = modified_at, decided_by = created_by, published_version = 9 "
                "WHERE id = :id"
            ),
            {"id": draft.id},
        )


@pytest.mark.parametrize("person", ["teacher", "verifier", "senior", "supervisor", "officer", "district_admin", "auditor"])
def test_only_state_admins_change_rules(rt, who, person):
    caller, draft = getattr(who, person), submitted(rt, who.admin)
    with refused("SDCRS_FORBIDDEN"):
        save(rt, caller, changed(rt))
    with refused("SDCRS_FORBIDDEN"):
        tried(rt, caller, draft)
    with refused("SDCRS_FORBIDDEN"):
        submit(rt, caller, draft)
    with refused("SDCRS_FORBIDDEN"):
        turn_on(rt, caller, draft)
    with refused("SDCRS_FORBIDDEN"), rt.database.begin(caller.scope) as conn:
        drafts.reject(conn, caller, draft.id, draft.version, "no", rt.clock.now())
    with refused("SDCRS_FORBIDDEN"), rt.database.begin(caller.scope) as conn:
        drafts.withdraw(conn, caller, draft.id, draft.version, rt.clock.now())


def test_another_states_admin_finds_no_draft_and_writes_none_here(rt, who):
    stranger = factories.account(rt, f"NCR{uuid4().hex[:6]}", "STATE_ADMIN", tenant_id="ncr")
    draft = submitted(rt, who.admin)
    with refused("SDCRS_NOT_FOUND"):
        turn_on(rt, stranger, draft)
    with refused("SDCRS_NOT_FOUND"), rt.database.begin(stranger.scope) as conn:
        drafts.reject(conn, stranger, draft.id, draft.version, "no", rt.clock.now())
    with refused("SDCRS_TENANT_OUT_OF_SCOPE"):
        save(rt, stranger, changed(rt))


def test_rules_are_the_states_and_not_a_districts(rt, who):
    with refused("SDCRS_INVALID_REQUEST"), rt.database.begin(who.admin.scope) as conn:
        drafts.save(conn, rt.masterdata.current(), who.admin, factories.VILLE, uuid4(), changed(rt), "why", rt.clock.now())


def test_a_draft_of_a_rule_that_changed_meanwhile_is_refused_and_no_version_is_made(rt, who):
    slow, quick = submitted(rt, who.admin), submitted(rt, who.admin, content(rt, windowHours=2))
    open_one = save(rt, who.admin, changed(rt))
    done = turn_on(rt, who.second_admin, quick)
    before = versions(rt)
    with refused("SDCRS_RULE_CHANGED") as caught:
        turn_on(rt, who.second_admin, slow)
    assert caught.value.status == 409
    assert caught.value.params == {"ruleId": RULE, "base": slow.base_version, "current": done.published_version}
    with refused("SDCRS_RULE_CHANGED"):
        save(rt, who.admin, content(rt, threshold=77), open_one)
    with refused("SDCRS_RULE_CHANGED"):
        submit(rt, who.admin, tried(rt, who.admin, open_one))
    assert versions(rt) == before
    turn_on(rt, who.second_admin, submitted(rt, who.admin, content(rt, windowHours=1)))


def test_a_change_of_another_rule_does_not_stand_in_the_way(rt, who):
    mine, other = submitted(rt, who.admin), submitted(rt, who.admin, content(rt, "STD-007", minIntervalMinutes=6))
    turn_on(rt, who.second_admin, other)
    done = turn_on(rt, who.second_admin, mine)
    found = active_rules(rt.masterdata.current(), STATE)
    assert found["STD-007"]["condition"]["minIntervalMinutes"] == 6
    assert found[RULE] == done.content


def test_an_old_version_of_a_draft_is_refused(rt, who):
    first = save(rt, who.admin, changed(rt))
    second = save(rt, who.admin, content(rt, threshold=80), first)
    assert (second.version, second.trial) == (2, None)
    with refused("SDCRS_DRAFT_CHANGED") as caught:
        save(rt, who.admin, content(rt, threshold=81), first)
    assert caught.value.status == 409
    with refused("SDCRS_DRAFT_CHANGED"):
        submit(rt, who.admin, replace(tried(rt, who.admin, second), version=2))


def test_a_second_click_on_save_makes_no_second_draft(rt, who):
    draft_id, new = uuid7(rt.clock.now()), changed(rt)
    first = save(rt, who.admin, new, draft_id=draft_id)
    assert save(rt, who.admin, new, draft_id=draft_id) == first
    second = save(rt, who.admin, content(rt, threshold=90), first)
    assert save(rt, who.admin, content(rt, threshold=90), first) == second
    with refused("SDCRS_DRAFT_CHANGED"):
        save(rt, who.admin, content(rt, threshold=91), draft_id=draft_id)
    assert audited(rt, first) == ["BEGUN", "CHANGED"]


def test_two_clicks_on_activate_at_once_publish_once(rt, who):
    draft, before = submitted(rt, who.admin), versions(rt)
    found: list[str] = []

    def click() -> None:
        try:
            found.append(turn_on(rt, who.second_admin, draft).state)
        except AppError as error:
            found.append(error.code)

    clicks = [threading.Thread(target=click) for _ in range(2)]
    for one in clicks:
        one.start()
    for one in clicks:
        one.join()
    assert sorted(found) == ["ACTIVATED", "SDCRS_DRAFT_DECIDED"]
    assert len(versions(rt)) == len(before) + 1


def test_a_draft_must_be_tried_as_it_is_before_it_is_submitted(rt, who):
    draft = save(rt, who.admin, changed(rt))
    with refused("SDCRS_DRAFT_NOT_TRIED"):
        submit(rt, who.admin, draft)
    again = save(rt, who.admin, content(rt, threshold=70), tried(rt, who.admin, draft))
    with refused("SDCRS_DRAFT_NOT_TRIED"):
        submit(rt, who.admin, again)


def test_a_rejected_draft_keeps_its_comment_and_changes_nothing(rt, who):
    draft, before = submitted(rt, who.admin), versions(rt)
    with refused("SDCRS_INVALID_REQUEST"), rt.database.begin(who.second_admin.scope) as conn:
        drafts.reject(conn, who.second_admin, draft.id, draft.version, "  ", rt.clock.now())
    with rt.database.begin(who.second_admin.scope) as conn:
        done = drafts.reject(conn, who.second_admin, draft.id, draft.version, "Schools begin at six", rt.clock.now())
    assert (done.state, done.decision_comment) == ("REJECTED", "Schools begin at six")
    assert versions(rt) == before
    with refused("SDCRS_DRAFT_DECIDED"):
        turn_on(rt, who.second_admin, done)


def test_a_rule_is_turned_off_by_a_draft_like_any_other_change(rt, who):
    off = drafts.switched(rt.masterdata.current(), STATE, "STD-009", enabled=False)
    draft = submitted(rt, who.admin, off)
    assert [(one.field, one.before, one.after) for one in differences(draft.base, draft.content)] == [("enabled", True, False)]
    assert draft.trial["flagged"] == 0
    turn_on(rt, who.second_admin, draft)
    assert not active_rules(rt.masterdata.current(), STATE)["STD-009"]["enabled"]
    turn_on(rt, who.second_admin, submitted(rt, who.admin, drafts.switched(rt.masterdata.current(), STATE, "STD-009", enabled=True)))


def test_a_new_rule_is_added_at_the_end(rt, who):
    rule = content(rt, threshold=9) | {"id": "SDCRS-090", "code": "NINE_AN_HOUR", "name": "More than nine an hour"}
    draft = submitted(rt, who.admin, rule)
    assert draft.base is None
    turn_on(rt, who.second_admin, draft)
    assert list(active_rules(rt.masterdata.current(), STATE))[-1] == "SDCRS-090"
    with refused("SDCRS_INVALID_RULE"):
        save(rt, who.admin, rule | {"id": "SDCRS-091"})


def test_a_draft_that_changes_nothing_is_none(rt, who):
    with refused("nothing would change"):
        save(rt, who.admin, content(rt))


def test_nobody_opens_more_drafts_than_people_look_through(rt, who, monkeypatch):
    monkeypatch.setattr(drafts, "MAX_OPEN", 1)
    busy = factories.account(rt, f"ADM{uuid4().hex[:6]}", "STATE_ADMIN", tenant_id=STATE)
    first = save(rt, busy, changed(rt))
    with refused("1 open drafts"):
        save(rt, busy, content(rt, threshold=60))
    with rt.database.begin(busy.scope) as conn:
        assert drafts.withdraw(conn, busy, first.id, first.version, rt.clock.now()).state == "WITHDRAWN"
    assert save(rt, busy, content(rt, threshold=60)).state == "DRAFT"


def test_every_state_and_action_that_is_not_in_the_table_is_refused(rt, who):
    states = ("DRAFT", "SUBMITTED", "ACTIVATED", "REJECTED", "WITHDRAWN")
    draft = save(rt, who.admin, changed(rt))
    for state in states:
        for action in ("save", "try", "submit", "activate", "reject", "withdraw"):
            one = replace(draft, state=state)
            if (state, action) in TRANSITIONS:
                assert drafts.step(one, action, draft.version) in states
            else:
                with refused("SDCRS_DRAFT_DECIDED"):
                    drafts.step(one, action, draft.version)


def test_what_was_tried_is_told_with_its_period(rt, who, clock):
    clock.advance(timedelta(minutes=1))
    draft = tried(rt, who.admin, save(rt, who.admin, changed(rt)))
    assert draft.tried_at == rt.clock.now()
    assert draft.trial["until"] == rt.clock.now().isoformat()
    assert draft.trial["flagged"] <= draft.trial["reports"]
