"""Every arrow of steps 3 to 6, broken: what is lost, doubled, forged or late ends stored once, or in a state that has a name."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from pipeline.clock import SettableClock
from pipeline.identity import checks, remedies
from pipeline.identity.effect import Failed
from pipeline.identity.flow import credential_jobs, open_ports
from pipeline.identity.local import LocalService
from pipeline.identity.messages import STATUS_TOPIC, Delivered
from pipeline.identity.ports import Ports
from pipeline.identity.remedy_many import act_on_many, try_out
from pipeline.identity.subscribing import callbacks_of
from pipeline.identity.websub.signature import own_secret, signature
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import Runtime
from tests.identity_rows import state_of, waiting

HORIZON = timedelta(hours=9)  # all backoffs together
DOWN = Failed("UNREACHABLE", "nobody is there")
STORED = ("REQUESTED", "STORED", 1)


@dataclass
class Faults:
    """What is to go wrong from now on; each entry takes the call and says what comes of it instead of the real thing, or None."""

    delivery: Callable[[Any, Any, bytes], Delivered | None] | None = None
    generator: bool = False
    service: bool = False
    hub: bool = False
    datashare: bool = False
    seen: list[tuple[str, bytes]] = field(default_factory=list)


class Broken:
    """A port that is down while its fault is on."""

    def __init__(self, real: Any, faults: Faults, name: str) -> None:
        self._real, self._faults, self._name = real, faults, name

    def __getattr__(self, method: str) -> Any:
        real = getattr(self._real, method)

        def call(*args: Any) -> Any:
            if getattr(self._faults, self._name) and method not in ("subscribe", "holds_until"):
                return [DOWN for _ in args[0]]
            return real(*args)

        return call


class Callbacks:
    """Our callbacks, with what the fault does to a delivery."""

    def __init__(self, real: Any, faults: Faults) -> None:
        self._real, self._faults = real, faults

    def at(self, url: str) -> Any:
        found = self._real.at(url)
        return None if found is None else Callback(found, self._faults)


class Callback:
    def __init__(self, real: Any, faults: Faults) -> None:
        self._real, self._faults = real, faults

    def confirm(self, query: Any) -> str | None:
        return self._real.confirm(query)

    def take(self, arrived: Any) -> list[Any]:
        return [self._one(headers, raw) for headers, raw in arrived]

    def _one(self, headers: Any, raw: bytes) -> Any:
        self._faults.seen.append((self._real.topic, raw))
        instead = self._faults.delivery and self._faults.delivery(self._real, headers, raw)
        return instead or self._real.take([(headers, raw)])[0]


@dataclass
class House:
    rt: Runtime
    clock: SettableClock
    faults: Faults
    jobs: list[Any]

    def now_and_later(self, until: timedelta = timedelta()) -> None:
        """Run what is due, and what comes due by and by."""
        end = self.clock.now() + until
        while True:
            later = run_until_idle(self.jobs, self.clock)
            due = min((one.due for one in later if one.due > self.clock.now()), default=None)
            if due is None or due > end:
                self.clock.set(end)
                return
            self.clock.set(due)

    def of(self, one: Any) -> tuple[Any, ...]:
        state = state_of(self.rt, one)
        return (state.status, state.transaction, state.cached)


@pytest.fixture
def house(rt: Runtime, clock: SettableClock):
    faults = Faults()
    real = open_ports(rt)
    datashare, hub = Broken(real.datashare, faults, "datashare"), Broken(real.hub, faults, "hub")
    ports = Ports(
        generator=Broken(real.generator, faults, "generator"),
        service=Broken(LocalService(rt, datashare, hub), faults, "service"),
        datashare=datashare,
        hub=hub,
        callbacks=Callbacks(real.callbacks, faults),
    )
    found = House(rt, clock, faults, credential_jobs(rt, ports))
    yield found
    clock.advance(timedelta(days=1))


def first_time(topic: str, what: Callable[[Any, Any, bytes], Delivered | None]) -> Callable[[Any, Any, bytes], Delivered | None]:
    """A fault of the first delivery of a topic."""
    done: list[int] = []

    def fault(real: Any, headers: Any, raw: bytes) -> Delivered | None:
        if real.topic != topic or done:
            return None
        done.append(1)
        return what(real, headers, raw)

    return fault


ISSUED_TOPIC = "IDA/CREDENTIAL_ISSUED"


def test_a_lost_event_is_found_by_the_comparison_and_published_again(house: House) -> None:
    house.faults.delivery = first_time(ISSUED_TOPIC, lambda *_: Delivered(200))
    one = waiting(house.rt)
    house.now_and_later(timedelta(minutes=4))
    assert house.of(one) == ("REQUESTED", "ISSUED", 0)
    house.now_and_later(timedelta(minutes=2))
    assert house.of(one) == STORED
    assert state_of(house.rt, one).issuances == 1


def test_an_event_that_comes_twice_is_stored_once_and_counted(house: House) -> None:
    house.faults.delivery = first_time(ISSUED_TOPIC, lambda real, headers, raw: real.take([(headers, raw)]) and None)
    one = waiting(house.rt)
    house.now_and_later()
    assert house.of(one) == STORED
    assert (state_of(house.rt, one).deliveries, state_of(house.rt, one).events) == (2, ["STORED"])


@pytest.mark.parametrize("topic", [ISSUED_TOPIC, STATUS_TOPIC])
def test_a_wrongly_signed_message_is_not_believed_and_the_next_one_is(house: House, topic: str) -> None:
    def forge(real: Any, headers: Any, raw: bytes) -> Delivered:
        forged = {**headers, "x-hub-signature": "sha256=" + "0" * 64}
        unsigned = {name: value for name, value in headers.items() if name != "x-hub-signature"}
        refused = real.take([(forged, raw), (unsigned, raw), (headers, raw.replace(b"IDA", b"ADI"))])
        assert [one.code for one in refused] == ["SDCRS_BAD_SIGNATURE"] * 3
        return Delivered(401)

    house.faults.delivery = first_time(topic, forge)
    one = waiting(house.rt)
    house.now_and_later()
    assert house.of(one) != STORED
    house.now_and_later(timedelta(seconds=10))
    assert house.of(one) == STORED


def test_a_share_that_expired_leads_to_another_issuance_and_not_to_endless_retry(house: House) -> None:
    house.faults.delivery = lambda *_: Delivered(503)
    one = waiting(house.rt)
    house.now_and_later(timedelta(minutes=61))
    house.faults.delivery = None
    house.now_and_later(timedelta(hours=1))
    state = state_of(house.rt, one)
    assert house.of(one) == STORED
    assert (state.events, state.issuance) == (["FAILED_NON_RECOVERABLE", "STORED"], ["FAILED", "STORED"])


def test_a_share_that_somebody_used_up_leads_to_another_issuance(house: House) -> None:
    house.faults.delivery = lambda *_: Delivered(503)
    one = waiting(house.rt)
    house.now_and_later()
    url = state_of(house.rt, one).data_share_url
    real = open_ports(house.rt).datashare
    assert [type(real.download([url])[0]) for _ in range(4)] == [bytes, bytes, bytes, Failed]
    house.faults.delivery = None
    house.now_and_later(timedelta(minutes=5))
    assert house.of(one) == STORED
    assert state_of(house.rt, one).events == ["FAILED_NON_RECOVERABLE", "STORED"]


def test_shared_bytes_that_were_changed_are_refused_and_issued_anew(house: House) -> None:
    house.faults.delivery = lambda *_: Delivered(503)
    one = waiting(house.rt)
    house.now_and_later()
    with house.rt.database.worker() as conn:
        share_id = conn.execute(
            text("SELECT share_id FROM credential.issuance WHERE id = :id"), {"id": state_of(house.rt, one).credential_id}
        ).scalar_one()
    house.rt.files.put(share_id, b"something.else.entirely")
    house.faults.delivery = None
    house.now_and_later(timedelta(minutes=5))
    assert house.of(one) == STORED
    assert state_of(house.rt, one).events == ["FAILED_NON_RECOVERABLE", "STORED"]


@pytest.mark.parametrize(
    ("fault", "meanwhile"),
    [
        ("generator", ("FAILED", None, 0)),
        ("service", ("REQUESTED", "FAILED", 0)),
        ("hub", ("REQUESTED", "FAILED", 0)),
        ("datashare", ("REQUESTED", "FAILED", 0)),
    ],
)
def test_whoever_is_down_for_a_while_is_waited_for(house: House, fault: str, meanwhile: tuple[Any, ...]) -> None:
    one = waiting(house.rt)
    setattr(house.faults, fault, True)
    house.now_and_later(timedelta(minutes=2))
    assert house.of(one) == meanwhile
    setattr(house.faults, fault, False)
    house.now_and_later(timedelta(minutes=30))
    assert house.of(one) == STORED


def test_authentication_that_is_down_longer_than_its_shares_gets_everything_afterwards_by_new_shares(house: House) -> None:
    house.faults.delivery = lambda real, *_: Delivered(503) if real.topic == ISSUED_TOPIC else None
    several = [waiting(house.rt, kind) for kind in ("UIN", "HANDLE", "VID")]
    house.now_and_later(timedelta(minutes=90))  # a share ends after an hour
    assert {house.of(one) for one in several} == {("REQUESTED", "ISSUED", 0)}
    house.faults.delivery = None
    house.now_and_later(HORIZON)
    assert [house.of(one) for one in several] == [STORED] * 3


def test_data_share_that_is_away_longer_than_all_tries_ends_as_max_retries_and_is_issued_anew(house: House) -> None:
    house.faults.delivery = lambda *_: Delivered(503)
    one = waiting(house.rt)
    house.now_and_later()
    house.faults.delivery, house.faults.datashare = None, True
    house.now_and_later(timedelta(minutes=10))
    assert state_of(house.rt, one).events[0] == "FAILED_WITH_MAX_RETRIES"
    house.faults.datashare = False
    house.now_and_later(HORIZON)
    assert house.of(one) == STORED


def test_a_lost_answer_is_said_again_and_a_doubled_one_changes_nothing(house: House) -> None:
    house.faults.delivery = first_time(STATUS_TOPIC, lambda *_: Delivered(200))
    one = waiting(house.rt)
    house.now_and_later()
    assert house.of(one) == ("REQUESTED", "ISSUED", 1)
    house.now_and_later(timedelta(minutes=6))
    assert house.of(one) == STORED
    stored_at = state_of(house.rt, one).stored_at
    (topic, raw) = house.faults.seen[-1]
    assert topic == STATUS_TOPIC
    house.clock.advance(timedelta(minutes=1))
    signed = {"x-hub-signature": signature(own_secret(house.rt.keyring, topic), raw)}
    again = open_ports(house.rt).callbacks.at(callbacks_of(house.rt.settings, house.rt.masterdata.current())[topic])
    assert again is not None
    assert again.take([(signed, raw), (signed, raw)]) == [Delivered(200)] * 2
    assert (house.of(one), state_of(house.rt, one).stored_at) == (STORED, stored_at)


def test_a_stored_credential_never_becomes_anything_else(house: House) -> None:
    from pipeline.identity.credentials import callback

    one = waiting(house.rt)
    house.now_and_later()
    state = state_of(house.rt, one)
    said = callback.status_event(one.status_id, state.request_id, state.credential_id, "FAILED", "SDCRS_SHARE_EXPIRED", house.clock.now())
    now = house.clock.now()
    whole = {"publisher": "IDA", "topic": STATUS_TOPIC, "publishedOn": now.isoformat(), "event": said}
    assert callback.take(house.rt, [callback.written(whole)], now) == 0
    assert house.of(one) == STORED


def test_what_can_never_be_issued_ends_dead_with_its_reason_and_is_one_of_the_stuck(house: House, staff) -> None:
    one = waiting(house.rt)
    with house.rt.database.worker() as conn:
        conn.execute(text("UPDATE idrepo.identity SET status_code = 'BLOCKED' WHERE registration_id = :id"), {"id": one.registration_id})
    house.now_and_later(timedelta(hours=1))
    state = state_of(house.rt, one)
    assert (state.transaction, state.status_comment.partition(":")[0]) == ("FAILED", "SDCRS_CREDENTIAL_REFUSED")
    assert state.dead_at is not None
    case = only(house, staff, "ISSUE_FAILED", one)
    with house.rt.database.worker() as conn:
        conn.execute(text("UPDATE idrepo.identity SET status_code = 'ACTIVATED' WHERE registration_id = :id"), {"id": one.registration_id})
    put_right(house, staff, case)
    house.now_and_later()
    assert house.of(one) == STORED


def only(house: House, staff, code: str, one: Any) -> checks.Case:
    """The one case of a class about this registration."""
    md, now = house.rt.masterdata.current(), house.clock.now()
    with house.rt.database.begin(staff.admin.scope) as conn:
        cases = [case for case in checks.found(conn, md, code, now) if case.registration_id == one.registration_id]
        assert checks.counts(conn, md, now)[code].count >= len(cases)
    assert len(cases) == 1, cases
    assert cases[0].reg_id == one.reg_id
    return cases[0]


def put_right(house: House, staff, case: checks.Case) -> None:
    """The remedy of a case: tried out, which changes nothing, and then done."""
    act = remedies.ACTS[checks.BY_CODE[case.code].remedy]
    md, now = house.rt.masterdata.current(), house.clock.now()
    (tried,) = try_out(house.rt, staff.admin, act, [case.subject_id], "Put right by hand", now)
    with house.rt.database.begin(staff.admin.scope) as conn:
        assert case in checks.found(conn, md, case.code, now)
    (done,) = act_on_many(house.rt, staff.admin, act, [case.subject_id], "Put right by hand", now)
    assert tried.ok
    assert done.ok
    with house.rt.database.worker() as conn:
        audited = text("SELECT count(*) FROM audit.event WHERE subject_id = :id AND action LIKE 'identity.%' AND actor_id = :actor")
        assert conn.execute(audited, {"id": str(case.subject_id), "actor": staff.admin.account_id}).scalar_one() >= 1


def test_a_request_that_was_given_up_is_asked_again_by_an_admin(house: House, staff) -> None:
    one = waiting(house.rt)
    house.faults.generator = True
    house.now_and_later(HORIZON)
    state = state_of(house.rt, one)
    assert (state.status, state.attempts, state.transaction) == ("FAILED", 10, None)
    assert state.status_dead_at is not None
    house.faults.generator = False
    put_right(house, staff, only(house, staff, "REQUEST_FAILED", one))
    house.now_and_later()
    assert house.of(one) == STORED
    assert state_of(house.rt, one).request_id == state.request_id


def test_an_event_that_is_lost_every_time_stands_among_the_stuck_until_an_admin_publishes_it(house: House, staff) -> None:
    house.faults.delivery = lambda real, *_: Delivered(200) if real.topic == ISSUED_TOPIC else None
    one = waiting(house.rt)
    house.now_and_later(HORIZON)
    assert house.of(one) == ("REQUESTED", "ISSUED", 0)
    assert state_of(house.rt, one).dead_at is not None
    house.faults.delivery = None
    put_right(house, staff, only(house, staff, "EVENT_LOST", one))
    house.now_and_later(HORIZON)  # the share is over by now: it takes another issuance
    assert house.of(one) == STORED


def test_only_admins_retry_and_nobody_out_of_their_area(house: House, staff) -> None:
    one = waiting(house.rt)
    ids = [one.status_id]
    for caller in (staff.teacher, staff.verifier, staff.auditor):
        (refused,) = act_on_many(house.rt, caller, remedies.ask_again, ids, "Because", house.clock.now())
        assert refused.error is not None
        assert refused.error.code == "SDCRS_FORBIDDEN"
    elsewhere = replace(staff.district_admin, scope=("dj.ali-sabieh",), tenant_id="dj.ali-sabieh")
    (unseen,) = act_on_many(house.rt, elsewhere, remedies.ask_again, ids, "Because", house.clock.now())
    assert unseen.error is not None
    assert unseen.error.code == "SDCRS_NOT_FOUND"
    house.now_and_later()
    (over,) = act_on_many(house.rt, staff.district_admin, remedies.ask_again, ids, "Because", house.clock.now())
    assert over.error is not None
    assert over.error.code == "SDCRS_CREDENTIAL_STATE"


def test_every_check_runs_and_names_a_remedy(house: House, staff) -> None:
    md, now = house.rt.masterdata.current(), house.clock.now()
    with house.rt.database.begin(staff.admin.scope) as conn:
        assert set(checks.counts(conn, md, now)) == set(checks.BY_CODE)
        for check in checks.CHECKS:
            checks.found(conn, md, check.code, now, 5)
            assert check.remedy in (*remedies.ACTS, "RESTART", "RESUME", "REQUEST", "WAIT")
            assert (check.remedy == "WAIT") == (check.who == "job")
