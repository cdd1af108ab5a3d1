"""Row-level security alone: every query of the product and every table, with the application's own filters taken away.

Each query is asked with filters that filter nothing and with our tenants and ids, once from our own area and once from elsewhere. From
elsewhere it must tell nothing at all; from our own area it must tell something, or the other half would prove nothing.
"""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import queries
from tests.authorization.world import ALI_SABIEH, NOIDA, VILLE, World

QUERIES = [
    f"{path.stem}.{name}"
    for path in sorted(queries.FOLDER.glob("*.sql"))
    for name in queries.statements(path.stem)
    if f"{path.stem}.{name}" != "payouts.matching"  # a part of others, which stands on another part of them
]
OURS = ("dj", VILLE)

# Queries that no scope holds, and why that is right
ABOUT_EVERYBODY = {
    "identity.subscriptions": "who has subscribed at the hub: partners, and nothing of a tenant",
    "operations.reports_by_state": "figures for /metrics, asked as the worker",
    "operations.oldest_by_state": "figures for /metrics, asked as the worker",
    "operations.failures": "figures for /metrics, asked as the worker",
    "operations.flow": "figures for /metrics, asked as the worker",
    "operations.followers": "figures for /metrics, asked as the worker",
    "operations.payouts": "figures for /metrics, asked as the worker",
    "operations.schema": "the number of the schema",
    "operations.anybody": "whether the key opens what is stored, asked as the worker",
    "shell.worker_last_seen": "whether the worker lives: nothing of a tenant",
    "shell.demo_accounts": "names of the demo's accounts on the sign-in page, asked as the worker",
    "shell.has_accounts": "whether there is anybody at all, asked as the worker",
    "tracking.report": "asked as the role public, which sees the one report that it names",
}
# Queries that find nothing in our own area either, since this world has none of that
NOTHING_THERE = {
    "payouts.known_address": "nothing was sent to the provider",
    "payouts.calls": "nothing was sent to the provider",
    "payouts.events": "the provider said nothing",
    "payouts.bodies": "nothing was sent to the provider",
    "payouts.find_by_bank_reference": "no bank has answered",
    "payouts.item_steps": "nothing was done about the exception",
    "fraud_rules.story": "no draft is decided",
    "fraud_rules.versions": "no draft is decided",
    "payouts.over_cap": "nobody has reached the month's limit",
}


def params(world: World) -> dict[str, Any]:
    """A value for every name in every query: what filters is None, what names a thing names one of ours."""
    now = world.clock.now()
    teacher, officer = world.ours["TEACHER"], world.ours["MC_OFFICER"]
    waiting = world.reports["PENDING_VERIFICATION"]
    sights = {"sees_all": True, "sees_reporter": True, "sees_reporters": True, "reviews": True, "own": True, "with_selfies": True}
    filters = dict.fromkeys(
        [
            *("alike_from", "awaiting", "category", "claimed_by", "created_from", "created_to", "district_code", "due_from", "due_to"),
            *("entered_after", "entered_until", "from_at", "to_at", "kind", "kinds", "locality_code", "number", "numbers", "officer_id"),
            *("overdue", "queue", "reason", "risk_level", "rule_id", "service_type", "status", "unclaimed", "ward_code", "text"),
            *("report_number", "reporter_id", "tracking_id", "teachers", "usernames", "raised_since", "asked", "final", "payout_ids"),
        ]
    )
    return {
        **filters,
        **sights,
        "account_id": teacher.account_id,
        "as_of": now,
        "now": now,
        "since": now - timedelta(days=300),
        "beneficiary_id": teacher.account_id,
        "report_id": waiting,
        "report_ids": list(world.reports.values()),
        "ids": None,
        "id": waiting,
        "item_ids": [world.things["item"]],
        "run_id": world.things["run"],
        "payout_id": world.things["payout"],
        "subjects": list(world.reports.values()),
        "subject_id": waiting,
        "own_officer": officer.account_id,
        "own_reporter": teacher.account_id,
        "tenants": list(OURS),
        "state_id": "dj",
        "limit": 100,
        "offset": 0,
        "count_limit": 1000,
        "window": 1000,
        "most": 100,
        "half_life_days": 90,
        **dict.fromkeys(["undecided", "proven", "inconclusive", "wrong", "fraud_points", "rejection_points"], 1),
    }


def of_registrations(world: World) -> dict[str, Any]:
    """What the list of registrations is asked with."""
    now = world.clock.now()
    return {
        "reg_id": None,
        "reg_ids": [world.packet.reg_id],
        "statuses": ["PROCESSED"],
        "sub_status": None,
        "stage": None,
        "received_from": now - timedelta(days=300),
        "received_to": now,
    }


def beside(world: World) -> dict[str, dict[str, Any]]:
    """What single queries or whole screens are asked with beside that: the same name means different things in them."""
    waiting, now = world.reports["PENDING_VERIFICATION"], world.clock.now()
    long_ago, day = now - timedelta(days=300), now.date()
    everything = [*world.reports.values()]
    return {
        "accounts": {"id": world.ours["TEACHER"].account_id},
        "analytics": {"from_at": long_ago, "to_at": now, "statuses": None, "zone": "Africa/Djibouti", "unit": "day"},
        "analytics.usernames": {"ids": [one.account_id for one in world.ours.values()]},
        "assignment": {"status": "VERIFIED", "statuses": ["VERIFIED", "ASSIGNED"]},
        "fraud": {"states": None, "report_id": None, "account_id": None, "id": world.things["flag"], "least": 0, "min_teachers": 1},
        "fraud.profile": {"account_id": world.ours["TEACHER"].account_id},
        "fraud.teacher": {"account_id": world.ours["TEACHER"].account_id},
        "fraud.strikes": {"account_id": world.things["punished"]},
        "fraud.penalties": {"account_id": world.things["punished"]},
        "fraud.own_penalties": {"account_id": world.things["punished"]},
        "fraud_rules": {"id": world.things["draft"]},
        "fraud_rules.story": {"rule_id": "STD-003"},
        "identity": {
            "id": world.things["registration"].id,
            "packet_id": world.things["registration_packet"],
            "reg_id": world.things["registration"].reg_id,
            "id_hash": world.things["number_hash"],
            "queue": "PAUSED",
            "stage": None,
            "sub_status": None,
            "from_at": long_ago,
        },
        "identity.pairs": {"id": world.things["paused_registration"]},
        "identity.to_decide_of": {"id": world.things["paused_registration"]},
        "identity.payee": {"account_id": world.ours["TEACHER"].account_id},
        "inbox": {"sort": "newest", "slas": "[]", "hours": 500, "radius_m": 5000.0, "ids": everything, "unclaimed": False},
        "inbox.pairs": {"report_id": world.reports["VERIFIED"]},
        "inbox.by_number": {"number": world.numbers["PENDING_VERIFICATION"]},
        "my_reports": {"statuses": None, "asked": False, "final": ["CLOSED"], "day": day, "month": day.replace(day=1)},
        "my_reports.by_number": {"number": world.numbers["CLOSED"]},
        "my_reports.number": {"id": waiting},
        "payout_search": {"statuses": ["INITIATED", "PROCESSING", "COMPLETED", "FAILED", "REVERSED"]},
        "payout_search.of_report": {"report_id": world.reports["PAYOUT_FAILED"]},
        "payouts": {
            "statuses": None,
            "frozen": ["BAN"],
            "verified_only": list(OURS),
            "month": day.replace(day=1),
            "with_done": True,
            "stuck_before": now,
            "month_at": now - timedelta(days=40),
            "report_id": world.reports["PAYOUT_FAILED"],
            "references": world.things["references"],
            "provider": world.things["provider"],
            "lookup": world.things["lookup"],
        },
        "payouts.find": {"text": world.numbers["PAYOUT_FAILED"]},
        "payouts.teachers": {"usernames": [one.username for one in world.ours.values()]},
        "registrations": of_registrations(world),
        "reports": {"sort": "status", "ascending": True, "statuses": None, "ids": everything, "numbers": list(world.numbers.values())},
        "reports.ward": {"id": waiting},
        "trace.find": {"id": waiting, "number": None, "tracking_id": None},
        "trace.files": {"id": world.files["DOG_PHOTO"]},
        "trace.packet": {"id": world.things["packet"]},
        "trace.notification": {"id": world.things["notification"]},
        "trace.payout": {"report_id": world.reports["PAYOUT_FAILED"]},
        "trace.people": {"ids": [one.account_id for one in world.ours.values()]},
        "visits": {"officer_id": world.ours["MC_OFFICER"].account_id, "account_id": world.ours["MC_OFFICER"].account_id},
    }


def asked(world: World, name: str, scope: Iterable[str]) -> list[Any]:
    statement, more = queries.statement(name), beside(world)
    values = params(world) | more.get(name.split(".", maxsplit=1)[0], {}) | more.get(name, {})
    with world.rt.database.begin(tuple(scope)) as conn:
        return list(conn.execute(statement, {key: values[key] for key in statement._bindparams}).mappings())


def tells(rows: Iterable[Any]) -> list[Any]:
    """The rows that say anything: an id, a number that is not nought, a time. What is left are empty counts, and words of the question."""
    return [dict(row) for row in rows if any(_says(value) for value in row.values())]


def _says(value: Any) -> bool:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return False
    return value not in (0, Decimal(0), [], {}, "")


@pytest.mark.parametrize("name", [name for name in QUERIES if name not in ABOUT_EVERYBODY])
def test_a_query_tells_nothing_of_ours_elsewhere_and_something_here(world: World, name: str) -> None:
    for scope in ((NOIDA, "ncr"), (ALI_SABIEH,), ()):
        assert tells(asked(world, name, scope)) == [], scope
    assert bool(asked(world, name, OURS)) != (name in NOTHING_THERE)


def test_every_query_that_is_left_out_exists() -> None:
    assert set(ABOUT_EVERYBODY) | set(NOTHING_THERE) <= set(QUERIES)


# The tables themselves

# Tables that the app may read without a tenant in them, and why
WITHOUT_TENANT = {
    "fraud.validator_breaker": "whether a service outside answers: one for the installation",
    "jobs.failure": "shown to whoever sees what it is about: see the test below",
    "jobs.follower": "how far a job has come",
    "jobs.heartbeat": "whether a worker lives",
    "jobs.schedule": "when a job ran",
    "masterdata.installation": "the installation's own words",
    "masterdata.migration": "the numbers of the schema",
    "websub.subscription": "who has subscribed at the hub: partners, and nothing of a tenant",
    "payout.provider": "the one account from which the installation pays",
    "payout.overview": "a view, which asks as whoever reads it",
    "fraud.check_result": "a view, which asks as whoever reads it",
    "fraud.rule_result": "a view, which asks as whoever reads it",
}
TABLES = text("""
    SELECT n.nspname || '.' || c.relname AS name,
           EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped) AS has_tenant,
           c.relkind = 'v' AS is_view
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND has_any_column_privilege(CAST(:role AS name), c.oid, 'SELECT')
    ORDER BY 1
""")
ELSEWHERE = ((NOIDA, "ncr"), (ALI_SABIEH,), ())
EMPTY_HERE = {  # what this world has none of; their policy is the same text as every other's (tests/integration/test_database_laws.py)
    *("fraud.validator_result", "payout.call", "payout.fund_account", "payout.payee", "payout.reconciliation_step", "payout.webhook_event"),
    *("fraud.strike", "masterdata.document", "sdcrs.request_key"),
    "ida.auth_transaction",
}


def tables(world: World, role: str) -> list[Any]:
    with world.rt.database.worker() as conn:
        return list(conn.execute(TABLES, {"role": f"{world.rt.database.role_prefix}_{role}"}))


def test_a_table_without_tenant_that_the_app_may_read_is_in_the_list_with_its_reason(world: World) -> None:
    found = {row.name for row in tables(world, "app") if not row.has_tenant or row.is_view}
    assert found == set(WITHOUT_TENANT)


def test_every_table_is_empty_elsewhere_as_far_as_it_is_ours(world: World) -> None:
    read = 0
    for row in tables(world, "app"):
        if not row.has_tenant:
            continue
        count = text(f"SELECT count(*) FROM {row.name} WHERE tenant_id = ANY (:ours)")
        for scope in ELSEWHERE:
            with world.rt.database.begin(scope) as conn:
                assert conn.execute(count, {"ours": list(OURS)}).scalar_one() == 0, (row.name, scope)
        with world.rt.database.begin(OURS) as conn:
            assert conn.execute(count, {"ours": list(OURS)}).scalar_one() > 0 or row.name in EMPTY_HERE, row.name
        read += 1
    assert read > 25


def test_nothing_of_ours_is_changed_or_removed_from_elsewhere(world: World) -> None:
    """An UPDATE or DELETE that names every row touches none, where the app may do it at all."""
    for row in tables(world, "app"):
        if row.has_tenant and not row.is_view:
            for sql in (f"UPDATE {row.name} SET tenant_id = tenant_id", f"DELETE FROM {row.name}"):
                assert touched(world, f"{sql} WHERE tenant_id LIKE 'dj%'") in (0, "permission denied"), sql


def touched(world: World, sql: str) -> int | str:
    """How many rows a statement from elsewhere touches, or that it may not be made at all."""
    try:
        with world.rt.database.begin((NOIDA,)) as conn:
            return int(conn.execute(text(sql)).rowcount)
    except DBAPIError as refused:
        return str(refused.orig)[: len("permission denied")]


def test_a_row_is_not_moved_into_another_tenant(world: World) -> None:
    for table, column in (("sdcrs.report", "id"), ("sdcrs.file", "id"), ("payout.payout", "id"), ("fraud.rule_draft", "id")):
        with pytest.raises(DBAPIError, match="row-level security"), world.rt.database.begin(OURS) as conn:
            conn.execute(text(f"UPDATE {table} SET tenant_id = '{NOIDA}' WHERE {column} = (SELECT {column} FROM {table} LIMIT 1)"))


def test_what_a_job_failed_at_is_seen_by_whoever_sees_what_it_is_about(world: World) -> None:
    subject = {"id": world.reports["PENDING_VERIFICATION"]}
    asked_for = text("SELECT count(*) FROM jobs.failure WHERE subject = :id")
    with world.rt.database.begin(OURS) as conn:
        assert conn.execute(asked_for, subject).scalar_one() == 1
    for scope in ELSEWHERE:
        with world.rt.database.begin(scope) as conn:
            assert conn.execute(text("SELECT count(*) FROM jobs.failure")).scalar_one() == 0
    with pytest.raises(DBAPIError, match="permission denied"), world.rt.database.begin(OURS) as conn:
        conn.execute(text("DELETE FROM jobs.failure"))


def test_the_public_sees_the_one_report_that_it_names_and_its_history_alone(world: World) -> None:
    history = text("SELECT count(DISTINCT report_id) FROM sdcrs.report_history")
    for tracking, reports in ((world.tracking["CLOSED"], 1), ("NOTTHERE", 0), ("", 0)):
        with world.rt.database.public(tracking) as conn:
            assert conn.execute(text("SELECT count(*) FROM sdcrs.public_tracking")).scalar_one() == reports
            assert conn.execute(history).scalar_one() == reports
    assert {row.name for row in tables(world, "public")} == {
        *("sdcrs.public_tracking", "sdcrs.report", "sdcrs.report_history", "masterdata.installation", "masterdata.migration"),
    }
    for column in ("reporter_id", "address", "latitude", "assigned_officer_id", "fraud_score", "utr"):
        with pytest.raises(DBAPIError, match="permission denied"), world.rt.database.public(world.tracking["CLOSED"]) as conn:
            conn.execute(text(f"SELECT {column} FROM sdcrs.report"))
