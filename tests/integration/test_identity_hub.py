"""The hub by itself: leases that are renewed or run out, subscribers that are gone, and files of shares that are over."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from pipeline.identity.backoff import VERIFYING
from pipeline.identity.datashare.shares import ERASE_AFTER, erase_expired
from pipeline.identity.effect import Failed
from pipeline.identity.flow import credential_jobs, open_ports
from pipeline.identity.messages import Delivered, Subscription
from pipeline.identity.subscribing import LEASE_S, SubscribeJob, callbacks_of
from pipeline.identity.websub.outward import Outward
from pipeline.identity.websub.verify import verify_job
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import Runtime
from pipeline.sealed import SEALED
from pipeline.vault.keys import add_key
from pipeline.vault.rotation import older, reseal
from tests.identity_rows import state_of, waiting

TOPIC = "IDA/CREDENTIAL_ISSUED"


class Subscriber:
    """A stranger's callback that answers as it is told to."""

    def __init__(self) -> None:
        self.status, self.echo = 200, True
        self.got: list[bytes] = []

    def at(self, url: str) -> "Subscriber | None":
        return self if url.startswith("https://stranger.example/") else None

    def confirm(self, query) -> str | None:
        return query.get("hub.challenge") if self.echo else "something else"

    def take(self, arrived):
        self.got += [raw for _, raw in arrived]
        return [Delivered(self.status)] * len(arrived)


class Both:
    """The stranger beside our own callbacks."""

    def __init__(self, stranger: Subscriber, own) -> None:
        self._stranger, self._own = stranger, own

    def at(self, url: str):
        return self._stranger.at(url) or self._own.at(url)


@pytest.fixture
def stranger() -> Subscriber:
    return Subscriber()


@pytest.fixture
def jobs(rt: Runtime, stranger: Subscriber):
    from dataclasses import replace

    ports = open_ports(rt)
    return credential_jobs(rt, replace(ports, callbacks=Both(stranger, ports.callbacks)))


def subscription(rt: Runtime, callback: str):
    with rt.database.worker() as conn:
        return conn.execute(text("SELECT * FROM websub.subscription WHERE callback = :callback"), {"callback": callback}).one()


def subscribe(rt: Runtime, callback: str, lease_s: int = 3600) -> None:
    assert open_ports(rt).hub.subscribe(Subscription(TOPIC, callback, "secret", lease_s)) is None


def test_our_own_subscriptions_are_renewed_before_half_of_the_lease_is_over(rt: Runtime, jobs, clock) -> None:
    run_until_idle(jobs, clock)
    own = callbacks_of(rt.settings, rt.masterdata.current())[TOPIC]
    first = subscription(rt, own)
    assert (first.status_code, first.lease_s) == ("ACTIVE", LEASE_S)
    for hours, renewed in ((11, False), (2, True)):
        clock.advance(timedelta(hours=hours))
        run_until_idle(jobs, clock)
        assert (subscription(rt, own).expires_at > first.expires_at) is renewed
    assert SubscribeJob(rt, open_ports(rt).hub).run_once(clock.now()) == 0


def test_a_lease_that_is_not_renewed_ends_and_nothing_is_delivered_any_more(rt: Runtime, jobs, clock, stranger) -> None:
    callback = "https://stranger.example/lease"
    subscribe(rt, callback, 60)
    run_until_idle(jobs, clock)
    waiting(rt)
    run_until_idle(jobs, clock)
    assert len(stranger.got) == 1
    clock.advance(timedelta(seconds=61))
    waiting(rt)
    run_until_idle(jobs, clock)
    assert len(stranger.got) == 1
    assert subscription(rt, callback).status_code == "ENDED"


def test_a_subscriber_that_answers_gone_is_asked_no_more_and_the_others_are_served(rt: Runtime, jobs, clock, stranger) -> None:
    callback = "https://stranger.example/gone"
    subscribe(rt, callback)
    run_until_idle(jobs, clock)
    stranger.status = 410
    one = waiting(rt)
    run_until_idle(jobs, clock)
    assert subscription(rt, callback).status_code == "ENDED"
    assert state_of(rt, one).transaction == "STORED"


def test_who_echoes_another_challenge_has_not_subscribed(rt: Runtime, jobs, clock, stranger) -> None:
    callback = "https://stranger.example/echo"
    stranger.echo = False
    subscribe(rt, callback)
    run_until_idle(jobs, clock)
    assert subscription(rt, callback).status_code == "DENIED"


def test_who_cannot_be_reached_is_asked_some_times_and_a_running_subscription_goes_on(rt: Runtime, jobs, clock, stranger) -> None:
    callback = "https://stranger.example/away"
    subscribe(rt, callback)
    run_until_idle(jobs, clock)

    class Away:
        def ask(self, *_):
            return Failed("UNREACHABLE")

    subscribe(rt, callback)
    asking = verify_job(rt, Away())  # type: ignore[arg-type]
    for attempt in range(1, VERIFYING.tries + 1):
        assert asking.run_once(clock.now()) == 1
        assert (subscription(rt, callback).wanted is None) is (attempt == VERIFYING.tries)
        clock.advance(timedelta(minutes=1))
    assert asking.run_once(clock.now()) == 0
    assert subscription(rt, callback).status_code == "ACTIVE"


def test_an_address_that_may_not_be_called_is_not(rt: Runtime) -> None:
    outward = Outward(Subscriber(), ())
    for url in ("http://127.0.0.1:1/x", "https://169.254.169.254/x", "http://[::1]/x"):
        refused = outward.ask(url, {"hub.mode": "subscribe"})
        assert isinstance(refused, Failed)
        assert refused.code == "REFUSED"
    outward.close()


def test_files_of_shares_are_erased_some_time_after_their_end(rt: Runtime, jobs, clock) -> None:
    one = waiting(rt)
    run_until_idle(jobs, clock)
    with rt.database.worker() as conn:
        find = text("SELECT s.* FROM datashare.share s JOIN credential.issuance i ON i.share_id = s.id WHERE i.id = :id")
        share = conn.execute(find, {"id": state_of(rt, one).credential_id}).one()
    assert rt.files.get(share.id, "original")
    clock.set(share.expires_at + ERASE_AFTER - timedelta(seconds=1))
    erase_expired(rt, clock.now())
    assert rt.files.get(share.id, "original")
    clock.advance(timedelta(seconds=2))
    assert erase_expired(rt, clock.now()) >= 1
    with pytest.raises(Exception, match="SDCRS_NOT_FOUND"):
        rt.files.get(share.id, "original")
    assert erase_expired(rt, clock.now()) == 0


def test_a_rotation_of_keys_in_the_midst_of_the_flow_stops_nothing(rt: Runtime, jobs, clock) -> None:
    by_name = {job.name: job for job in jobs}
    under_way = [waiting(rt) for _ in range(2)]
    for name in ("identity.request", "identity.issue"):
        by_name[name].run_once(clock.now())
    assert add_key(rt.keyring) == rt.keyring.current
    late = waiting(rt)
    run_until_idle(jobs, clock)
    assert [state_of(rt, one).transaction for one in (*under_way, late)] == ["STORED"] * 3
    for _ in reseal(rt.database, rt.keyring, SEALED):
        pass
    with rt.database.worker() as conn:
        assert older(conn, rt.keyring, SEALED) == {}
    after = waiting(rt)
    run_until_idle(jobs, clock)
    assert state_of(rt, after).transaction == "STORED"


def test_a_request_that_cannot_be_read_fails_alone_and_the_others_go_on(rt: Runtime, jobs, clock) -> None:
    by_name = {job.name: job for job in jobs}
    bad, good = waiting(rt), waiting(rt)
    by_name["identity.request"].run_once(clock.now())
    request_id = state_of(rt, bad).request_id
    with rt.database.worker() as conn:
        spoil = text("UPDATE credential.credential_transaction SET request_sealed = :sealed WHERE id = :id")
        conn.execute(spoil, {"id": request_id, "sealed": rt.vault.seal("credential.request", str(request_id), b"{}")})
    run_until_idle(jobs, clock)
    assert (state_of(rt, bad).transaction, state_of(rt, good).transaction) == ("FAILED", "STORED")
    assert state_of(rt, bad).status_comment == "SDCRS_INTERNAL: KeyError"
