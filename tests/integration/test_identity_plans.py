"""What the identity page asks is answered by indexes, however many registrations there are."""

import pytest
from sqlalchemy import Connection, text

from queries import statement
from tests import factories
from tests.registration_rows import registration

OWN = object()  # stands for the id of the registration that the test has
NOTHING = {"stage": None, "sub_status": None, "limit": 51, "offset": 0}
MANY = text("""
    INSERT INTO regprc.registration_list (id, tenant_id, state_id, reg_id, process, source, schema_version, supervisor_status, synced_by,
                                          synced_at, uploaded_at)
    SELECT gen_random_uuid(), tenant_id, state_id, lpad(n::text, 29, '0'), process, source, schema_version, supervisor_status, synced_by,
           synced_at - n * interval '1 second', synced_at
    FROM regprc.registration_list, generate_series(1, 20000) AS n WHERE id = :id
""")


@pytest.fixture(scope="module")
def many(rt):
    """Twenty thousand announcements that were uploaded, beside one that was processed."""
    told = registration(rt, factories.people(rt).admin)
    with rt.database.worker(60) as conn:
        conn.execute(MANY, {"id": told.id})
    with rt.database.worker(60) as conn:
        conn.execute(text("SELECT jobs.refresh_statistics()"))
    return told


def plan(conn: Connection, name: str, **params: object) -> str:
    return "\n".join(conn.execute(text(f"EXPLAIN {statement(name).text}"), params).scalars())


ROWS = [
    ("identity.find", {"state_id": "dj", "reg_id": "1" * 29, "id_hash": None, "id": None}, "registration_list_state_id_reg_id_key"),
    ("identity.announcement", {"id": OWN}, "registration_list_pkey"),
    ("identity.headers", {"id": OWN}, "subject_id"),
    ("identity.list", NOTHING | {"queue": "ANNOUNCED", "tenants": ["dj"]}, "registration_list_open"),
    ("identity.list", NOTHING | {"queue": "FAILED", "tenants": ["dj"]}, "registration_by_status"),
]


@pytest.mark.parametrize(("name", "params", "index"), ROWS, ids=[f"{row[0]} {row[1].get('queue', '')}" for row in ROWS])
def test_a_question_of_the_page_is_answered_by_an_index(rt, many, name, params, index):
    values = {key: many.id if value is OWN else value for key, value in params.items()}
    with rt.database.begin(("dj",)) as conn:
        assert index in plan(conn, name, **values)
