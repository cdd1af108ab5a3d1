"""From a number that waits to a credential that is cached: steps 3 to 6 on a real database, by the product's own jobs."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import text

from pipeline.identity import keys
from pipeline.identity.flow import credential_jobs, open_ports
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import Runtime
from tests.identity_rows import BIOMETRICS, PARTNER, PERSON, packets_of, state_of, waiting

DIAGRAM = [
    *("23/01", "23/02", "23/03", "23/04", "23/05", "23/06"),
    *("24/01", "24/02", "24/03", "24/04", "24/05", "24/06", "24/07", "24/08"),
    *("25/02", "25/03", "25/04", "25/05", "25/06", "25/07"),
    *("26/01", "26/03", "26/04"),
]


@pytest.fixture(scope="module")
def jobs(rt: Runtime):
    return credential_jobs(rt)


def test_a_number_comes_to_stored_in_both_tables_by_every_message_of_the_diagram_in_order(rt: Runtime, jobs) -> None:
    one = waiting(rt)
    run_until_idle(jobs, rt.clock)
    state = state_of(rt, one)
    assert (state.status, state.transaction, state.events, state.cached) == ("REQUESTED", "STORED", ["STORED"], 1)
    assert (state.issuances, state.issuance, state.attempts, state.trn_retry_count) == (1, ["STORED"], 1, 0)
    assert packets_of(rt, one) == DIAGRAM


def test_the_cache_holds_what_the_policy_allows_and_the_biometrics_unopened(rt: Runtime, jobs) -> None:
    one = waiting(rt)
    run_until_idle(jobs, rt.clock)
    with rt.database.worker() as conn:
        row = conn.execute(text("SELECT * FROM ida.identity_cache WHERE id = :id"), {"id": one.id_hash}).one()
    demographics = json.loads(rt.vault.unseal("ida.demographics", row.id, row.demo_data_sealed))
    assert demographics == {name: PERSON[name] for name in ("fullName", "dateOfBirth", "gender", "phone", "email")}
    assert keys.decrypt(rt.keyring, PARTNER, bytes(row.bio_data).decode()) == BIOMETRICS
    assert (row.state_id, row.transaction_limit, row.transactions_used) == ("dj", None, 0)


def test_a_number_that_has_expired_is_asked_for_no_more(rt: Runtime, jobs) -> None:
    one = waiting(rt, "VID", valid_for=timedelta(seconds=-1))
    run_until_idle(jobs, rt.clock)
    state = state_of(rt, one)
    assert (state.status, state.asked_comment, state.transaction) == ("INVALID", "NUMBER_EXPIRED", None)


def test_the_share_of_a_credential_verifies_with_our_published_keys_and_carries_no_value_in_clear(rt: Runtime, jobs) -> None:
    one = waiting(rt)
    run_until_idle(jobs, rt.clock)
    url = state_of(rt, one).data_share_url
    (downloaded,) = open_ports(rt).datashare.download([url])
    assert isinstance(downloaded, bytes)
    credential = keys.verified(rt.keyring, downloaded.decode())
    assert keys.detached(downloaded.decode()) == state_of(rt, one).signature
    for value in ("Amina", "77812345", "1988", one.number, BIOMETRICS.decode()):
        assert value.encode() not in credential
