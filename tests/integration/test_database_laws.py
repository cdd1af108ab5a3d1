"""The catalogue of the database itself: row-level security, grants, types and pairs, read and judged."""

import re

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pipeline.runtime import Runtime

IDENTITY = ("regprc", "idrepo", "credential", "datashare", "websub", "ida")
OURS = ("access", "vault", "audit", "packet", "jobs", "sdcrs", "fraud", "payout", "masterdata", "analytics", *IDENTITY)
SCOPE_POLICY = "(tenant_id = ANY (string_to_array(current_setting('app.scope'::text, true), ','::text)))"
# What each role may do beyond reading; anything else in the catalogue is an excess grant.
ADD = frozenset({"INSERT"})
WRITE = frozenset({"INSERT", "UPDATE"})
CHANGE = frozenset({"UPDATE"})
APP_WRITES = {
    **dict.fromkeys(["audit.event", "packet.log", "sdcrs.report_history", "payout.ledger"], ADD),
    **dict.fromkeys(["payout.reconciliation_run", "payout.reconciliation_item", "payout.reconciliation_step"], ADD),
    **dict.fromkeys(["sdcrs.file", "sdcrs.report", "sdcrs.evidence", "sdcrs.daily_count", "sdcrs.request_key"], WRITE),
    **dict.fromkeys(["payout.fund_account", "payout.payout", "payout.attempt", "payout.monthly_cap", "payout.payee_number"], WRITE),
    "vault.person_field": WRITE,
    **dict.fromkeys(["fraud.strike", "fraud.confirmation", "fraud.penalty"], WRITE),
    "fraud.flag": frozenset({"UPDATE"}),
    "fraud.notice": ADD,
    "fraud.rule_draft": WRITE,
    **dict.fromkeys(["regprc.registration_list", "regprc.registration", "regprc.component"], WRITE),
    "regprc.registration_list_component": frozenset({"INSERT", "DELETE"}),
    **dict.fromkeys(["regprc.registration_transaction", "ida.auth_transaction"], ADD),
    **dict.fromkeys(["regprc.manual_verification", "credential.credential_transaction"], CHANGE),
    "idrepo.credential_request_status": WRITE,
    **dict.fromkeys(["websub.delivery", "ida.credential_event_store", "ida.identity_cache"], CHANGE),
}
WORKER_NEVER = {
    **dict.fromkeys(["audit.event", "audit.seal"], frozenset({"UPDATE"})),
    "sdcrs.report_history": frozenset({"UPDATE"}),
    **dict.fromkeys(["masterdata.installation", "masterdata.migration", "sdcrs.public_tracking"], WRITE),
}
WORKER_DELETES = dict.fromkeys(
    [
        *("sdcrs.request_key", "access.session", "access.sign_in_throttle", "access.sign_in_flow"),
        *("jobs.failure", "jobs.heartbeat", "fraud.validator_cache", "regprc.demographic_key"),
    ],
    frozenset({"DELETE"}),
)
PUBLIC_READS = {"sdcrs.public_tracking"}
AUDIT_READS = {"audit.event", "audit.seal", "packet.log", "sdcrs.report_history"}


def rows(rt: Runtime, sql: str, **params: object) -> list:
    with rt.database.worker() as conn:
        return list(conn.execute(text(sql), params))


def test_every_table_with_a_tenant_forces_row_level_security(rt: Runtime) -> None:
    open_tables = rows(
        rt,
        """
        SELECT n.nspname || '.' || c.relname AS name
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE n.nspname = ANY (:ours) AND c.relkind IN ('r', 'p') AND a.attname = 'tenant_id' AND NOT a.attisdropped
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
        """,
        ours=list(OURS),
    )
    assert [r.name for r in open_tables] == []


def test_the_app_policy_has_one_text_and_no_function_of_ours(rt: Runtime) -> None:
    policies = rows(
        rt,
        "SELECT schemaname, tablename, policyname, roles, qual, with_check FROM pg_policies WHERE schemaname = ANY (:ours)",
        ours=list(OURS),
    )
    assert policies
    for p in policies:
        if p.policyname == "app":
            assert (p.qual, p.with_check) == (SCOPE_POLICY, SCOPE_POLICY), p
        for expression in (p.qual, p.with_check):
            assert not re.search(rf"\b({'|'.join(OURS)})\.\w+\(", expression or ""), p


def test_no_role_has_two_policies_on_a_table(rt: Runtime) -> None:
    twice = rows(
        rt,
        """
        SELECT schemaname, tablename, role, count(*) AS policies FROM pg_policies, unnest(roles) AS role
        WHERE schemaname = ANY (:ours) GROUP BY 1, 2, 3 HAVING count(*) > 1
        """,
        ours=list(OURS),
    )
    assert twice == []


def test_there_are_no_enums(rt: Runtime) -> None:
    found = rows(
        rt,
        "SELECT t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'e' AND n.nspname = ANY (:ours)",
        ours=list(OURS),
    )
    assert found == []


def test_no_role_has_an_excess_grant(rt: Runtime) -> None:
    grants = rows(
        rt,
        """
        SELECT n.nspname || '.' || c.relname AS name, coalesce(r.rolname, 'PUBLIC') AS role, x.privilege_type AS privilege
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL aclexplode(c.relacl) x LEFT JOIN pg_roles r ON r.oid = x.grantee
        WHERE n.nspname = ANY (:ours) AND x.grantee <> c.relowner
        """,
        ours=list(OURS),
    )
    assert grants
    prefix = rt.database.role_prefix + "_"
    excess = []
    for g in grants:
        role = g.role.removeprefix(prefix)
        allowed = {
            "app": {"SELECT"} | APP_WRITES.get(g.name, frozenset()),
            "worker": {"SELECT"} | ({"INSERT", "UPDATE"} - WORKER_NEVER.get(g.name, frozenset())) | WORKER_DELETES.get(g.name, frozenset()),
            "public": {"SELECT"} if g.name in PUBLIC_READS else set(),
            "audit": {"SELECT"} if g.name in AUDIT_READS else set(),
            "backup": {"SELECT"},
            "PUBLIC": {"SELECT"} if g.name in {"masterdata.installation", "masterdata.migration"} else set(),
        }.get(role, frozenset())
        if g.privilege not in allowed:
            excess.append((g.name, g.role, g.privilege))
    assert excess == []


@pytest.mark.parametrize("table", ["audit.event", "sdcrs.report_history"])
def test_what_happened_cannot_be_changed(rt: Runtime, table: str) -> None:
    for sql in (f"UPDATE {table} SET tenant_id = tenant_id", f"DELETE FROM {table}"):
        with pytest.raises(DBAPIError), rt.database.worker() as conn:
            conn.execute(text(sql))


def test_every_moment_is_paired_with_its_person(rt: Runtime) -> None:
    """A column x_by without x_at, or the other way round, is a deed without a time or a time without a doer."""
    columns = rows(
        rt,
        """
        SELECT table_schema || '.' || table_name AS name, column_name
        FROM information_schema.columns WHERE table_schema IN ('sdcrs', 'payout')
        """,
    )
    tables: dict[str, set[str]] = {}
    for c in columns:
        tables.setdefault(c.name, set()).add(c.column_name)
    lonely = [(t, c) for t, names in tables.items() for c in names if c.endswith("_by") and c[:-3] + "_at" not in names]
    # a claim ends at a time of its own, and a run's window is not a deed
    assert sorted(lonely) == [("sdcrs.report", "claimed_by")]


def test_outside_its_scope_a_transaction_sees_and_writes_nothing(rt: Runtime) -> None:
    for scope in ((), ("",), ("dj.ali-sabieh",)):
        with rt.database.begin(scope) as conn:
            assert conn.execute(text("SELECT count(*) FROM access.account WHERE tenant_id = 'dj.djibouti-ville'")).scalar_one() == 0
    with pytest.raises(DBAPIError), rt.database.begin(("dj.ali-sabieh",)) as conn:
        conn.execute(text("INSERT INTO sdcrs.daily_count VALUES (gen_random_uuid(), '2026-01-01', 'dj.djibouti-ville', 1, 5)"))


def test_months_ahead_have_partitions_and_the_default_is_empty(rt: Runtime) -> None:
    with rt.database.worker() as conn:
        assert conn.execute(text("SELECT jobs.stray_partition_rows()")).scalar_one() == 0
    parts = rows(rt, "SELECT count(*) AS parts FROM pg_inherits WHERE inhparent = 'packet.log'::regclass")
    assert parts[0].parts >= 5
