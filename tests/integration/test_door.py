"""The one door against its table: random people try random actions, and only what the table allows ever happens."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from pipeline.reports.actions import act
from pipeline.reports.claims import claim, release
from pipeline.reports.update import Update
from pipeline.runtime import Runtime
from tests import factories

ROLES = ("teacher", "verifier", "senior", "supervisor", "officer", "second_officer", "district_admin", "admin", "auditor")
ACTIONS = (
    "VERIFY",
    "REJECT",
    "MARK_DUPLICATE",
    "ESCALATE",
    "SEND_BACK",
    "COMMENT",
    "REOPEN",
    "ASSIGN",
    "REASSIGN",
    "START_FIELD_VISIT",
    "MARK_CAPTURED",
    "MARK_UNABLE_TO_LOCATE",
    "RATE",
    "PAYOUT_SUCCESS",
    "SUBMIT",
    "NONSENSE",
)


@pytest.fixture(scope="module")
def who(rt: Runtime) -> factories.People:
    return factories.people(rt)


def fields_for(rt: Runtime, who: factories.People, action: str) -> dict[str, object]:
    return {
        "REJECT": {"rejection_reason": "NOT_A_DOG"},
        "ASSIGN": {"assignee": who.officer.account_id},
        "REASSIGN": {"assignee": who.second_officer.account_id},
        "MARK_UNABLE_TO_LOCATE": {"unable_reason": "DOG_MOVED"},
        "RATE": {"rating": 5},
    }.get(action, {})


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(ROLES), st.sampled_from(ACTIONS)), min_size=3, max_size=25))
def test_only_the_tables_moves_happen_and_each_has_one_history_row(
    rt: Runtime, who: factories.People, steps: list[tuple[str, str]]
) -> None:
    teacher = factories.account(rt, f"T-door-{factories.uuid4().hex[:8]}", "TEACHER")
    report_id = factories.validated(rt, teacher)
    table = rt.masterdata.current().workflow(factories.VILLE)
    version = 2
    for role, action in steps:
        caller = teacher if role == "teacher" else getattr(who, role)
        before = factories.status_of(rt, report_id)
        outcome = factories.do(rt, caller, report_id, action, comment="because", **fields_for(rt, who, action))
        after = factories.status_of(rt, report_id)
        if outcome.ok:
            version += 1
            assert (outcome.from_state, outcome.to_state, outcome.version) == (before, after, version)
            allowed = [t for t in table.transitions[before, action] if t.to_state == after and not t.roles.isdisjoint(caller.roles)]
            assert allowed, (role, action, before, after)
        else:
            assert after == before
    with rt.database.worker() as conn:
        rows = conn.execute(
            text("SELECT version, from_state, to_state FROM sdcrs.report_history WHERE report_id = :id ORDER BY version"), {"id": report_id}
        ).all()
    assert [r.version for r in rows] == list(range(1, version + 1))
    assert all(a.to_state == b.from_state for a, b in pairwise(rows))


@pytest.mark.parametrize(
    ("role", "action", "code"),
    [
        ("supervisor", "VERIFY", "SDCRS_ROLE_NOT_ALLOWED"),
        ("senior", "VERIFY", "SDCRS_ROLE_NOT_ALLOWED"),
        ("officer", "START_FIELD_VISIT", "SDCRS_NOT_YOUR_REPORT"),  # it is nobody's yet
        ("supervisor", "ASSIGN", "SDCRS_FACT_MISSING"),
        ("admin", "PAYOUT_SUCCESS", "SDCRS_FORBIDDEN"),
        ("verifier", "NONSENSE", "SDCRS_FORBIDDEN"),
        ("verifier", "REJECT", "SDCRS_FACT_MISSING"),
        ("verifier", "SEND_BACK", "SDCRS_FACT_MISSING"),
    ],
)
def test_what_may_not_be_done_is_refused_with_its_code(rt: Runtime, who: factories.People, role: str, action: str, code: str) -> None:
    teacher = factories.account(rt, f"T-no-{factories.uuid4().hex[:8]}", "TEACHER")
    report_id = factories.validated(rt, teacher)
    outcome = factories.do(rt, getattr(who, role), report_id, action)
    assert outcome.error is not None
    assert outcome.error.code == code
    assert factories.status_of(rt, report_id) == "PENDING_VERIFICATION"


def test_a_stale_version_is_told_what_changed(rt: Runtime, who: factories.People) -> None:
    report_id = factories.verified(rt, who)
    with rt.database.begin(who.supervisor.scope) as conn:
        update = Update(report_id, "ASSIGN", version=2, fields={"assignee": who.officer.account_id})
        (outcome,) = act(conn, rt.masterdata.current(), who.supervisor, [update], rt.clock.now())
    assert outcome.error is not None
    changes = [{"version": 3, "action": "VERIFY", "status": "VERIFIED", "at": "2026-03-10T07:00:00.000+00:00"}]
    assert outcome.error.params == {"current": 3, "sent": 2, "state": "VERIFIED", "changes": changes}


def test_anothers_claim_refuses_and_ends_with_the_lease(rt: Runtime, who: factories.People) -> None:
    other = factories.account(rt, f"V-claim-{factories.uuid4().hex[:6]}", "VERIFIER")
    report_id = factories.validated(rt, factories.account(rt, f"T-c-{factories.uuid4().hex[:6]}", "TEACHER"))
    with rt.database.begin(other.scope) as conn:
        claim(conn, other, report_id, rt.clock.now())
    outcome = factories.do(rt, who.verifier, report_id, "VERIFY")
    assert outcome.error is not None
    assert outcome.error.code == "SDCRS_CLAIMED_BY_OTHER"
    with rt.database.begin(other.scope) as conn:
        release(conn, other, report_id)
    assert factories.do(rt, who.verifier, report_id, "VERIFY").ok


def test_only_the_assigned_officer_starts_and_only_the_reporter_comments(rt: Runtime, who: factories.People) -> None:
    report_id = factories.assigned(rt, who)
    outcome = factories.do(rt, who.second_officer, report_id, "START_FIELD_VISIT")
    assert outcome.error is not None
    assert outcome.error.code == "SDCRS_NOT_YOUR_REPORT"


def test_sending_back_stops_the_clock_until_the_teacher_answers(rt: Runtime, who: factories.People) -> None:
    teacher = factories.account(rt, f"T-back-{factories.uuid4().hex[:6]}", "TEACHER")
    report_id = factories.validated(rt, teacher)
    assert factories.do(rt, who.verifier, report_id, "SEND_BACK", comment="Which gate?").ok
    with rt.database.worker() as conn:
        assert (
            conn.execute(text("SELECT awaiting_teacher_at FROM sdcrs.report WHERE id = :id"), {"id": report_id}).scalar_one()
            == rt.clock.now()
        )
    rt.clock.advance(factories.timedelta(minutes=5))  # type: ignore[attr-defined]
    assert factories.do(rt, teacher, report_id, "COMMENT", comment="The northern one").ok
    with rt.database.worker() as conn:
        row = conn.execute(text("SELECT awaiting_teacher_at, paused_s FROM sdcrs.report WHERE id = :id"), {"id": report_id}).one()
    assert tuple(row) == (None, 300)


def test_a_reassigned_report_with_no_assignee_is_verified_again(rt: Runtime, who: factories.People) -> None:
    report_id = factories.assigned(rt, who)
    assert factories.do(rt, who.supervisor, report_id, "REASSIGN", assignee=who.second_officer.account_id).to_state == "ASSIGNED"
    assert factories.do(rt, who.supervisor, report_id, "REASSIGN").to_state == "VERIFIED"


def test_the_products_workflow_has_every_state_action_and_role_of_the_programmes(rt: Runtime, packets_folder: Path) -> None:
    source = json.loads((packets_folder.parent / "mdms/workflow/BusinessService-with-UPI.json").read_text())
    table = rt.masterdata.current().workflow(factories.VILLE)
    for state in source["BusinessServices"][0]["states"]:
        for action in state["actions"]:
            ours = table.transitions.get((state["state"], action["action"]))
            assert ours, (state["state"], action["action"])
            assert action["nextState"] in {t.to_state for t in ours}
            assert set(action["roles"]) <= {role for t in ours for role in t.roles}
