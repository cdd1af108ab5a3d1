"""The identity page as each role: a registration is found by whatever names it, and its six steps are told in one timeline."""

from datetime import timedelta

import pytest

from dashboard.widgets import identity_story, identity_waiting
from pipeline.identity.jobs import identity_jobs, identity_tasks
from pipeline.jobs.worker import run_until_idle
from pipeline.packets.catalogue import packets_of
from tests import factories
from tests.console import shown, tab, token_for
from tests.registration_rows import PLACES, pair, registration, transaction
from tests.registrations import uploaded

EVERYBODY = ("teacher", "verifier", "senior", "supervisor", "officer", "district_admin", "admin", "auditor")
READERS = {"district_admin", "admin", "auditor"}


@pytest.fixture(scope="module")
def people(rt):
    return factories.people(rt)


def test_a_real_registration_is_told_whole(rt, people):
    """First of all, while nothing else is in the tables that the jobs would take up."""
    for task in identity_tasks(rt):
        task.task(rt.clock.now())
    one = uploaded(rt, people.admin, 900)
    for _ in range(5):
        run_until_idle(identity_jobs(rt), rt.clock)
        rt.clock.advance(timedelta(seconds=2))
    with open_page(rt, people.auditor, **{"registration": one.reg_id, "identity.part": "Diagram"}) as test:
        test.run()
        assert not test.exception
        assert "34 of 34 messages have come" in shown(test)
        assert "Stored by every partner" in shown(test)


@pytest.fixture(scope="module")
def stored(rt, people):
    return registration(rt, people.admin)


def open_page(rt, caller, **query):
    return tab(rt, token_for(rt, caller), "identity", **query)


def address(test):
    """The registration that the page's address names."""
    named = test.query_params["registration"]
    return named[0] if isinstance(named, list) else named


def search(test, text):
    test.text_input(key="identity.find").set_value(text)
    return test.run()


@pytest.mark.parametrize("person", EVERYBODY)
def test_the_page_opens_for_admins_and_the_auditor(rt, people, stored, person):
    with open_page(rt, getattr(people, person)) as test:
        test.run()
        assert not test.exception
        assert ("Announced only" in shown(test)) is (person in READERS)


@pytest.mark.parametrize("name", ["reg_id", "uin", "uin_hash", "request_id", "credential_id", "event_id", "id"])
def test_whatever_names_a_registration_finds_it(rt, people, stored, name):
    with open_page(rt, people.admin) as test:
        test.run()
        search(test, str(getattr(stored, name)))
        assert not test.exception
        assert address(test) == stored.reg_id
        assert "Stored by every partner" in shown(test)


def test_a_number_stays_neither_in_the_address_nor_in_the_session(rt, people, stored):
    with open_page(rt, people.admin) as test:
        test.run()
        search(test, stored.uin)
        assert stored.uin not in str(dict(test.query_params))
        assert test.session_state["identity.find"] == ""
        assert stored.uin not in shown(test)


def test_a_registration_of_another_state_is_not_found(rt, people, stored):
    stranger = factories.account(rt, "ADMNCR", "STATE_ADMIN", tenant_id="ncr")
    with open_page(rt, stranger) as test:
        test.run()
        search(test, stored.reg_id)
        assert "Nothing that you may see" in shown(test)
    with open_page(rt, stranger, registration=stored.reg_id) as test:
        test.run()
        assert "There is no registration" in shown(test)


def test_the_timeline_tells_every_message_in_the_order_of_the_diagram(rt, people, stored):
    with open_page(rt, people.auditor, registration=stored.reg_id) as test:
        test.run()
        assert not test.exception
        page = shown(test)
        places = [page.index(f"<b>{packet.id}</b>") for packet in packets_of("identity") if packet.id not in ("25/01", "26/02")]
        assert places == sorted(places)


def test_the_diagram_has_all_34_messages_with_their_times_and_says_which_have_not_come(rt, people, stored):
    half = registration(rt, people.admin, "REQUESTED")
    with open_page(rt, people.auditor, **{"registration": stored.reg_id, "identity.part": "Diagram"}) as test:
        test.run()
        assert not test.exception
        assert "34 of 34 messages have come" in shown(test)
        assert 'not-yet"' not in shown(test)
    with open_page(rt, people.auditor, **{"registration": half.reg_id, "identity.part": "Diagram"}) as test:
        test.run()
        assert "17 of 34 messages have come" in shown(test)  # fifteen of its own, and the two subscriptions
        assert shown(test).count('not-yet"') == 17


@pytest.mark.parametrize("part", ["Packet", "Credentials"])
def test_packet_and_credentials_are_told(rt, people, stored, part):
    with open_page(rt, people.admin, **{"registration": stored.reg_id, "identity.part": part}) as test:
        test.run()
        assert not test.exception
        assert ("Verified" if part == "Packet" else str(stored.request_id)) in shown(test)


WAITS = {
    "ANNOUNCED": (1, "CLIENT", "the upload"),
    "STAGES": (2, "SYSTEM", "the stage fields and documents"),
    "PROCESSED": (3, "SYSTEM", "the status handler"),
    "REQUESTED": (4, "SYSTEM", "the credential to be issued"),
    "ISSUED": (5, "SYSTEM", "the hub to deliver"),
    "NOTIFIED": (5, "PARTNER", "the store job"),
    "CACHED": (6, "PARTNER", "the word that it is stored"),
}


@pytest.mark.parametrize("place", PLACES)
def test_what_it_waits_for_and_who_must_act_is_told_at_every_place(rt, people, place):
    told = registration(rt, people.admin, place)
    with open_page(rt, people.admin, registration=told.reg_id) as test:
        test.run()
        assert not test.exception
        page = shown(test)
    if place == "STORED":
        assert "Stored by every partner" in page
        return
    _step, who, what = WAITS[place]
    assert what in page
    assert f"{identity_waiting.WHO[who]} must act" in page


def test_a_failed_packet_waits_for_the_client_and_one_given_up_for_an_admin(rt, people):
    failed = registration(rt, people.admin, "STAGES", status_code="FAILED", sub_status_code="SDCRS_PACKET_HASH")
    given_up = registration(rt, people.admin, "STAGES", status_code="REPROCESS_FAILED", attempts=8)
    for told, who in ((failed, "The registration client must act"), (given_up, "An admin must act")):
        with open_page(rt, people.admin, registration=told.reg_id) as test:
            test.run()
            assert who in shown(test)


def test_the_lists_have_each_registration_in_its_queue(rt, people):
    paused = registration(rt, people.admin, "STAGES", status_code="PAUSED", pause_rule="HOTLISTED_OPERATOR")
    with open_page(rt, people.district_admin, queue="paused") as test:
        test.run()
        assert not test.exception
        assert str(paused.id) in test.session_state["identity.list_ids"]
        test.session_state["identity.chosen"] = frozenset({str(paused.id)})
        test.run()
        next(one for one in test.button if one.key == "identity.open").click().run()
        assert address(test) == paused.reg_id
        assert "the end of a pause" in shown(test)


def test_the_flow_tells_funnel_places_throughput_and_failures(rt, people, stored):
    late = registration(rt, people.admin, "STAGES", at=rt.clock.now() - timedelta(hours=3))
    with rt.database.worker() as conn:
        transaction(conn, late, "VALIDATOR", "FAILED", rt.clock.now(), "SDCRS_ID_FIELD_MISSING")
    with open_page(rt, people.admin, **{"identity.view": "Flow"}) as test:
        test.run()
        assert not test.exception
        page = shown(test)
        assert "How far they came" in page
        assert "Late" in page
        assert "Nothing failed in this period" not in page


def test_a_pair_that_waits_for_a_person_is_said_to_wait_for_an_admin(rt, people, stored):
    told = registration(rt, people.admin, "STAGES", status_code="PAUSED", pause_rule="DEMO_DEDUPE")
    pair(rt, told.id, stored.id)
    with open_page(rt, people.admin, registration=told.reg_id) as test:
        test.run()
        assert "a person to decide whether two records are one person" in shown(test)


@pytest.mark.parametrize("person", ["admin", "auditor"])
def test_the_trace_page_draws_a_registrations_messages_and_leads_on(rt, people, stored, person):
    with tab(rt, token_for(rt, getattr(people, person)), "trace", report=stored.reg_id) as test:
        test.run()
        assert not test.exception
        assert "34 of 34 messages have come" in shown(test)
        assert [one.proto.url for one in test.get("link_button")] == [f"/identity?registration={stored.reg_id}"]


@pytest.mark.parametrize("person", ["teacher", "verifier", "supervisor", "officer"])
def test_whoever_may_not_see_registrations_finds_none_on_the_trace_page(rt, people, stored, person):
    with tab(rt, token_for(rt, getattr(people, person)), "trace", report=stored.reg_id) as test:
        test.run()
        assert not test.exception
        assert "messages have come" not in shown(test)
        assert "There is no report" in shown(test)


def test_a_registration_that_is_not_there_is_none(rt, people):
    with rt.database.begin(people.admin.scope) as conn:
        assert identity_story.find(conn, "dj", reg_id="0" * 29) is None
