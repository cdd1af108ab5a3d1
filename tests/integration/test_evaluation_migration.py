"""What was recorded as a row a check and a row a rule before there was an evaluation is carried over, and nothing of it is lost."""

import secrets
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg

from pipeline.database.engine import psycopg_url
from pipeline.database.migrate import BOOTSTRAP, read_migrations
from pipeline.database.urls import Urls
from tests.conftest import make_database

AT = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
CHECKS = [
    ("GPS_LOCATION", True, 15.6, 100.0, "m"), ("TIMESTAMP_FRESHNESS", True, 0.1, 48.0, "h"), ("BOUNDARY_CHECK", False, 6.8, 0.0, "km"),
    ("DUPLICATE_IMAGE", True, None, 0.9, "similarity"), ("FRAUD_SCORE", False, 30.0, 80.0, "score"),
]  # fmt: skip
RULES = [
    ("STD-002", "GEO_BOUNDARY", "FIRED", 30), ("STD-001", "NULL_CHECK", "CLEAR", 0), ("STD-003", "VELOCITY", "ERROR", 0),
    ("EXT-001", "EXTERNAL_VALIDATOR", "SKIPPED", 0),
]  # fmt: skip
_ACCOUNT = """
    INSERT INTO access.account (id, tenant_id, state_id, username, roles, created_at)
    VALUES (%(id)s, 'dj.djibouti-ville', 'dj', 'T1', '{TEACHER}', %(at)s)
"""
_REPORT = """
    INSERT INTO sdcrs.report (id, tenant_id, state_id, report_number, tracking_id, tracking_token, service_type, description, status,
        reporter_id, latitude, longitude, fraud_score, risk_level, recommendation, rejected_at, rejected_by, rejection_reason,
        state_entered_at, sla_due_at, created_at, modified_at, modified_by, workflow_version)
    VALUES (%(id)s, 'dj.djibouti-ville', 'dj', 'DR-DJ-2026-000001', 'ABCD2345', 'token', 'StrayDogAggressive', 'A dog.', 'AUTO_REJECTED',
        %(by)s, 11.85, 43.5, 30, 'MEDIUM', 'AUTO_REJECT', %(at)s, %(by)s, 'OUTSIDE_BOUNDARY', %(at)s, %(at)s, %(at)s, %(at)s, %(by)s, 1)
"""
_CHECK = """
    INSERT INTO sdcrs.validation_check VALUES (%(id)s, %(name)s, 'dj.djibouti-ville', %(position)s, %(passed)s, %(measured)s, %(limit)s,
        %(unit)s, 'in words', '{"nearestTenant": "dj.ali-sabieh"}', 3, %(at)s)
"""
_RULE = """
    INSERT INTO fraud.rule_result VALUES (%(id)s, %(rule)s, 'dj.djibouti-ville', 'CODE', 'LOC', %(kind)s, %(outcome)s, %(score)s, 30,
        'in words', '{"actual": 6.8}', 3, %(at)s)
"""


def _record(conn: psycopg.Connection, report: UUID) -> None:
    teacher = uuid4()
    conn.execute(_ACCOUNT, {"id": teacher, "at": AT})
    conn.execute(_REPORT, {"id": report, "by": teacher, "at": AT})
    for position, (name, passed, measured, limit, unit) in enumerate(CHECKS, start=1):
        row = {"id": report, "name": name, "position": position, "passed": passed, "measured": measured}
        conn.execute(_CHECK, {**row, "limit": limit, "unit": unit, "at": AT})
    for rule, kind, outcome, score in RULES:
        conn.execute(_RULE, {"id": report, "rule": rule, "kind": kind, "outcome": outcome, "score": score, "at": AT})


def test_checks_and_rules_of_before_become_one_evaluation(server: Urls) -> None:
    report = uuid4()
    migrations = {migration.number: migration.sql for migration in read_migrations()}
    name = f"sdcrs_test_carry_{secrets.token_hex(3)}"
    with make_database(server, name) as urls, psycopg.connect(psycopg_url(urls.owner), autocommit=True) as conn:
        conn.execute(BOOTSTRAP)
        for number in (1, 2, 3):
            conn.execute(migrations[number].encode())
        _record(conn, report)
        for table in ("sdcrs.validation_check", "fraud.rule_result", "sdcrs.report"):
            conn.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY".encode())
        conn.execute(migrations[4].encode())
        (row,) = conn.execute(
            "SELECT number, passed, score, recommendation, rules_looked_at, rules_version, evaluated_at,"
            " checks, fired, unevaluated, skipped FROM fraud.evaluation WHERE report_id = %s",
            (report,),
        ).fetchall()
        forced = conn.execute("SELECT relforcerowsecurity FROM pg_class WHERE oid = 'sdcrs.report'::regclass").fetchone()
        gone = conn.execute("SELECT to_regclass('sdcrs.validation_check'), to_regclass('fraud.rule_result')").fetchone()
    number, passed, score, recommendation, looked_at, version, at, checks, fired, unevaluated, skipped = row
    assert (number, passed, score, recommendation, looked_at, version, at) == (1, False, 30, "AUTO_REJECT", 2, 3, AT)
    told = [(check["name"], check["passed"], check["measured"], check["limit"], check["unit"]) for check in checks]
    assert told == CHECKS
    assert [(rule["id"], rule["score"], rule["type"]) for rule in fired] == [("STD-002", 30, "GEO_BOUNDARY")]
    assert [rule["id"] for rule in unevaluated] == ["STD-003"]
    assert skipped == [{"reason": "in words", "rules": ["EXT-001"]}]
    assert forced == (True,)
    assert gone == (None, None)
