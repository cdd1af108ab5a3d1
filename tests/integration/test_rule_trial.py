"""A rule that is tried on the past says what a fresh evaluation of the same reports would say."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, TextClause, text

from pipeline.errors import AppError
from pipeline.fraud.case import NO_ADDRESS, History
from pipeline.fraud.editing.checking import RULES, active_rules, check_rule
from pipeline.fraud.editing.vocabulary import ADDITIONAL
from pipeline.masterdata.documents import Document
from pipeline.masterdata.master import MasterData
from pipeline.masterdata.store import load as load_masterdata
from pipeline.masterdata.store import publish
from pipeline.reports.intake import Place
from pipeline.runtime import Runtime
from pipeline.validation import trial
from pipeline.validation.job import validate
from pipeline.validation.load import document, load
from pipeline.validation.trial import Trial, dry_run
from tests import factories

STATE = "dj"


@pytest.fixture(scope="module")
def who(rt: Runtime) -> factories.People:
    return factories.people(rt)


@pytest.fixture(scope="module")
def reports(rt: Runtime, who: factories.People, clock: Any) -> list[UUID]:
    """Reports of two teachers: close together, of one phone, of one photo, outside, and one that a verifier passed."""
    other = factories.account(rt, f"TT{uuid4().hex[:6]}", "TEACHER")
    ids = []
    for n in range(4):
        ids.append(factories.validated(rt, who.teacher, device_id="phone-a", dog_count=4 * n))
        clock.advance(timedelta(minutes=3))
    files = factories.photos(rt, other)
    ids.append(factories.validated(rt, other, device_id="phone-a", evidence=factories.submission(rt, other, files).evidence))
    clock.advance(timedelta(minutes=20))
    ids.append(factories.validated(rt, other, evidence=factories.submission(rt, other, files).evidence))
    ids.append(factories.validated(rt, other, place=Place(11.85, 43.5, gps_latitude=11.85, gps_longitude=43.5)))
    assert factories.do(rt, who.verifier, ids[1], "VERIFY").ok
    assert factories.do(rt, who.verifier, ids[2], "REJECT", rejection_reason="POOR_QUALITY").ok
    return ids


def judged(rt: Runtime, content: dict[str, Any], present: dict[str, Any] | None = None) -> Trial:
    md = rt.masterdata.current()
    with rt.database.worker() as conn:
        old = None if present is None else check_rule(md, STATE, present)
        return dry_run(conn, md, STATE, check_rule(md, STATE, content), old, rt.clock.now())


def rules(rt: Runtime) -> dict[str, dict[str, Any]]:
    return active_rules(rt.masterdata.current(), STATE)


def changed(rt: Runtime, rule_id: str, **condition: object) -> dict[str, Any]:
    rule = rules(rt)[rule_id]
    return rule | {"condition": rule["condition"] | condition}


@contextmanager
def with_rules(rt: Runtime, content: dict[str, Any]) -> Iterator[tuple[Connection, MasterData]]:
    """A transaction in which the rule is published and everything is as before any judgement; it leaves nothing."""
    with rt.database.worker() as conn:
        savepoint = conn.begin_nested()
        all_rules = rules(rt) | {content["id"]: content}
        body = {"tenantId": STATE, "moduleName": RULES[0], RULES[1]: list(all_rules.values())}
        publish(conn, [Document(STATE, *RULES, content=body, source="test", version=9)], rt.clock.now(), "tests")
        yield conn, load_masterdata(conn)
        savepoint.rollback()


def fresh(rt: Runtime, ids: list[UUID], content: dict[str, Any]) -> set[str]:
    """The numbers of the reports that the rule flags when the validation job judges them all again, one by one as they came."""
    flagged = set()
    with with_rules(rt, content) as (conn, md):
        for one in ids:
            conn.execute(text("UPDATE sdcrs.report SET status = 'PENDING_VALIDATION' WHERE id = :id"), {"id": one})
            at = conn.execute(text("SELECT max(evaluated_at) FROM fraud.evaluation WHERE report_id = :id"), {"id": one}).scalar_one()
            (done,) = validate(conn, md, [one], rt.clock.now(), {one: at})
            if any(outcome.rule.id == content["id"] and outcome.state == "FIRED" for outcome in done.outcomes):
                flagged.add(done.report.report_number)
    return flagged


def test_every_rule_as_it_is_flags_what_it_flagged(rt, reports):
    with rt.database.worker() as conn:
        found = conn.execute(text("SELECT rule_id, count(*) AS hits FROM fraud.rule_result WHERE outcome = 'FIRED' GROUP BY rule_id"))
        hits = {row.rule_id: row.hits for row in found}
    assert len(hits) >= 7
    for rule_id, content in rules(rt).items():
        result = judged(rt, content, content)
        assert (result.reports, result.flagged, result.flagged_now, result.added, result.dropped) == (
            len(reports),
            hits.get(rule_id, 0),
            hits.get(rule_id, 0),
            0,
            0,
        ), rule_id
        assert result.skipped == (len(reports) if content["ruleType"] == "EXTERNAL" else 0), rule_id
        assert result.failed == 0


@pytest.mark.parametrize(
    ("rule_id", "condition"),
    [
        ("STD-003", {"threshold": 2}),
        ("STD-003", {"threshold": 1, "windowHours": 3}),
        ("STD-007", {"minIntervalMinutes": 2}),
        ("STD-007", {"minIntervalMinutes": 30}),
        ("STD-008", {"windowDays": 30}),
        ("STD-008", {"minUniqueUsers": 3}),
        ("STD-009", {"minCount": 2, "radiusMeters": 400}),
        ("STD-009", {"minCount": 3, "windowHours": 1}),
        ("STD-005", {"lookbackDays": 1}),
        ("STD-006", {"lookbackDays": 30, "threshold": 0.95}),
        ("SDCRS-006", {"threshold": 2}),
        ("SDCRS-012", {"threshold": 1}),
        ("SDCRS-011", {"maxSpeedKmh": 30}),
        ("SDCRS-013", {"expression": "#additionalData['dogCount'] != null && #additionalData['dogCount'] > 3"}),
        ("SDCRS-013", {"expression": "#additionalData['reporterMonthlyCount'] > 2"}),
        ("SDCRS-005", {"allowedWindows": [{"start": "07:00", "end": "07:30", "days": ["MON"]}]}),
        ("STD-002", {}),
    ],
)
def test_a_changed_rule_flags_what_a_fresh_evaluation_flags(rt, reports, monkeypatch, rule_id, condition):
    monkeypatch.setattr(trial, "EXAMPLES", 100)
    content = changed(rt, rule_id, **condition)
    result = judged(rt, content, rules(rt)[rule_id])
    expected = fresh(rt, reports, content)
    assert set(result.examples) == expected
    assert (result.flagged, result.reports) == (len(expected), len(reports))
    assert result.flagged == result.flagged_now + result.added - result.dropped


def test_it_tells_how_the_flagged_ended(rt, reports):
    result = judged(rt, changed(rt, "SDCRS-012", threshold=1))
    assert (result.flagged, result.verified, result.rejected) == (5, 1, 1)


def test_what_is_stored_is_counted_from_there_even_if_more_came_since(rt, reports):
    with rt.database.worker() as conn:
        savepoint = conn.begin_nested()
        conn.execute(
            text("UPDATE fraud.evaluation SET features = features || '{\"reports1h\": 50}' WHERE report_id = :id"), {"id": reports[0]}
        )
        md = rt.masterdata.current()
        content = check_rule(md, STATE, changed(rt, "STD-003", threshold=40))
        assert dry_run(conn, md, STATE, content, None, rt.clock.now()).flagged == 1
        savepoint.rollback()


def test_a_rule_that_cannot_be_evaluated_says_why(rt, reports):
    result = judged(rt, changed(rt, "SDCRS-013", expression="#deviceId.length() > 3"))
    assert result.failed == 2
    assert sum(result.trouble.values()) == 2
    skipped = judged(rt, rules(rt)["EXT-001"])
    assert skipped.trouble == {NO_ADDRESS: len(reports)}


def test_an_outside_service_is_not_asked_again_its_answer_is_kept(rt, reports):
    with rt.database.worker() as conn:
        savepoint = conn.begin_nested()
        values = {"id": reports[0], "tenant": factories.VILLE, "at": rt.clock.now()}
        conn.execute(
            text("""
                INSERT INTO fraud.validator_result (report_id, validator_id, tenant_id, state, outputs, settled_at, created_at)
                VALUES (:id, 'OBJECT_DETECTOR', :tenant, 'ANSWERED', '{"dogCount": 0, "confidence": 0.95}', :at, :at)
            """),
            values,
        )
        md = rt.masterdata.current()
        result = dry_run(conn, md, STATE, check_rule(md, STATE, rules(rt)["EXT-001"]), None, rt.clock.now())
        assert (result.flagged, result.skipped) == (1, len(reports) - 1)
        savepoint.rollback()


def test_a_rule_that_is_off_flags_nothing_and_its_effect_is_told(rt, reports):
    now = rules(rt)["STD-007"]
    result = judged(rt, now | {"enabled": False}, now)
    assert (result.flagged, result.added, result.dropped) == (0, 0, result.flagged_now)
    assert result.flagged_now > 0


def test_only_the_newest_are_looked_at_and_it_says_so(rt, reports, monkeypatch):
    monkeypatch.setattr(trial, "MAX_REPORTS", 3)
    monkeypatch.setattr(trial, "BATCH", 2)
    result = judged(rt, changed(rt, "SDCRS-012", threshold=1))
    assert (result.reports, result.newest_only) == (3, True)


def test_older_reports_and_other_states_are_not_looked_at(rt, reports):
    md = rt.masterdata.current()
    rule = check_rule(md, STATE, changed(rt, "SDCRS-012", threshold=1))
    with rt.database.worker() as conn:
        assert dry_run(conn, md, STATE, rule, None, rt.clock.now() + timedelta(days=31)).reports == 0
        assert dry_run(conn, md, "ncr", rule, None, rt.clock.now()).reports == 0


def test_a_tenant_with_rules_of_its_own_is_left_out(rt, reports):
    with rt.database.worker() as conn:
        savepoint = conn.begin_nested()
        body = {"tenantId": factories.VILLE, "moduleName": RULES[0], RULES[1]: list(rules(rt).values())}
        publish(conn, [Document(factories.VILLE, *RULES, content=body, source="test")], rt.clock.now(), "tests")
        md = load_masterdata(conn)
        assert dry_run(conn, md, STATE, check_rule(md, STATE, rules(rt)["STD-003"]), None, rt.clock.now()).reports == 0
        savepoint.rollback()


def test_the_names_of_additional_data_are_those_that_reports_have(rt, reports):
    with rt.database.worker() as conn:
        (report,) = load(conn, reports[:1])
        stored = conn.execute(trial._STORED, {"ids": reports[:1]}).one()
    assert set(ADDITIONAL) == set(document(report, History(), trial._read(stored).checks)["additionalData"])


# a person waits for it


def slow(words: str) -> TextClause:
    """The look at stored evaluations, three seconds longer for batches of which the words are true."""
    where = f"WHERE e.report_id = ANY (CAST(:ids AS uuid[])) AND CASE WHEN {words} THEN pg_sleep(3)::text = '' ELSE true END"
    return text(str(trial._STORED).replace("WHERE e.report_id = ANY (CAST(:ids AS uuid[]))", where))


def test_when_its_time_is_over_it_answers_with_the_newest_and_says_so(rt, reports, monkeypatch):
    monkeypatch.setattr(trial, "ENOUGH_S", 0.0)
    monkeypatch.setattr(trial, "FIRST", 2)
    result = judged(rt, changed(rt, "SDCRS-012", threshold=1))
    assert (result.reports, result.newest_only) == (2, True)


def test_batches_grow_while_they_are_quick_and_none_is_left_out(rt, reports, monkeypatch):
    monkeypatch.setattr(trial, "FIRST", 1)
    result = judged(rt, changed(rt, "SDCRS-012", threshold=1))
    assert (result.reports, result.newest_only) == (len(reports), False)


def test_a_statement_that_takes_too_long_is_cut_off_and_what_was_seen_before_counts(rt, reports, monkeypatch):
    monkeypatch.setattr(trial, "ENOUGH_S", 0.5)
    monkeypatch.setattr(trial, "GRACE_S", 0.1)
    monkeypatch.setattr(trial, "FIRST", 2)
    monkeypatch.setattr(trial, "_STORED", slow("cardinality(CAST(:ids AS uuid[])) > 2"))
    md = rt.masterdata.current()
    begun = time.monotonic()
    with rt.database.worker() as conn:
        result = dry_run(conn, md, STATE, check_rule(md, STATE, changed(rt, "SDCRS-012", threshold=1)), None, rt.clock.now())
        assert conn.execute(text("SELECT 1")).scalar_one() == 1  # the transaction still stands
    assert (result.reports, result.newest_only) == (2, True)
    assert time.monotonic() - begun < 2


def test_a_rule_of_which_not_even_the_newest_can_be_judged_in_time_is_told_by_its_code(rt, reports, monkeypatch):
    monkeypatch.setattr(trial, "ENOUGH_S", 0.1)
    monkeypatch.setattr(trial, "GRACE_S", 0.1)
    monkeypatch.setattr(trial, "_STORED", slow("true"))
    with pytest.raises(AppError, match="SDCRS_TRIAL_TOO_SLOW"):
        judged(rt, changed(rt, "SDCRS-012", threshold=1))
