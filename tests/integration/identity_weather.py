"""What can go wrong between the participants of the identity flow: each arrow of its diagram has faults of its own, drawn by chance.

Wraps the ports, the hub's way to our callbacks, and the commits of the database. Everything is counted by kind, so that a test can
ask whether a fault was met at all. The product's code knows nothing of it.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import psycopg
from sqlalchemy import text

from pipeline.clock import SettableClock
from pipeline.identity.effect import Failed
from pipeline.identity.flow import own_callbacks
from pipeline.identity.local import LocalDataShare, LocalGenerator, LocalHub, LocalService
from pipeline.identity.messages import Delivered, Headers, Query
from pipeline.identity.ports import Callback, Callbacks, Ports
from pipeline.identity.subscribing import own_base
from pipeline.runtime import Runtime

AWAY = Failed("AWAY", "made by the weather")

_EXPIRE = text("UPDATE datashare.share SET expires_at = :past WHERE key_hash = ANY (:keys)")
_NEWEST_SHARES = text(
    "SELECT key_hash FROM datashare.share WHERE erased_at IS NULL AND uses = 0 AND expires_at > :now ORDER BY id DESC LIMIT 3"
)


class Crash(BaseException):
    """A process that ends here: nothing after it is done, and open transactions are rolled back."""


@dataclass
class Weather:
    """How often each thing goes wrong, and when nobody is there. Calm after `until`."""

    random: Random
    clock: SettableClock
    until: datetime
    lost_answer: float = 0.10
    lost_call: float = 0.10
    crash: float = 0.004  # of commits
    lost_event: float = 0.06
    twice: float = 0.06
    forged: float = 0.04
    spoilt: float = 0.04
    expired: float = 0.02
    hub_down: tuple[timedelta, timedelta] = (timedelta(minutes=3), timedelta(minutes=14))
    ida_down: tuple[timedelta, timedelta] = (timedelta(minutes=20), timedelta(minutes=45))
    seen: Counter[str] = field(default_factory=Counter)
    crashing: bool = True

    def __post_init__(self) -> None:
        self.begun = self.clock.now()

    def strikes(self, kind: str, chance: float) -> bool:
        """Whether it happens now; counted."""
        hit = self.clock.now() < self.until and self.random.random() < chance
        self.seen[kind] += hit
        return hit

    def is_down(self, who: str, window: tuple[timedelta, timedelta]) -> bool:
        """Whether somebody is not there at this hour; counted."""
        down = window[0] <= self.clock.now() - self.begun < window[1]
        self.seen[f"{who} down"] += down
        return down

    @contextmanager
    def crashes(self) -> Iterator[None]:
        """For the length of the block, commits of this process end it now and then: before, or just after."""
        honest = psycopg.Connection.commit

        def commit(connection: Any) -> None:
            if self.crashing and self.strikes("crash before a commit", self.crash):
                raise Crash
            honest(connection)
            if self.crashing and self.strikes("crash after a commit", self.crash):
                raise Crash

        psycopg.Connection.commit = commit  # type: ignore[method-assign]
        try:
            yield
        finally:
            psycopg.Connection.commit = honest  # type: ignore[method-assign]


@dataclass(frozen=True)
class Shaky:
    """A port whose calls or answers are lost."""

    weather: Weather
    name: str
    inner: Any

    def __getattr__(self, method: str) -> Callable[..., Any]:
        piece = getattr(self.inner, method)

        def call(asked: Any, *rest: Any) -> Any:
            if not isinstance(asked, Sequence) or not asked:
                return piece(asked, *rest)
            if self.name == "hub" and self.weather.is_down("hub", self.weather.hub_down):
                return [AWAY] * len(asked)
            if self.weather.strikes(f"{self.name}.{method} call lost", self.weather.lost_call):
                return [AWAY] * len(asked)
            answers = piece(asked, *rest)
            if self.weather.strikes(f"{self.name}.{method} answer lost", self.weather.lost_answer):
                return [AWAY] * len(asked)
            return answers

        return call


@dataclass(frozen=True)
class BadShares:
    """A data share that hands over bytes with a flipped one, and addresses that ended too soon."""

    weather: Weather
    rt: Runtime
    inner: Any

    def create(self, asked: Any) -> Any:
        return self.inner.create(asked)

    def download(self, urls: Sequence[str]) -> Any:
        if self.weather.strikes("share expired", self.weather.expired * len(urls)):
            now = self.weather.clock.now()
            with self.rt.database.worker() as conn:
                keys = list(conn.execute(_NEWEST_SHARES, {"now": now}).scalars())
                conn.execute(_EXPIRE, {"past": now - timedelta(seconds=1), "keys": keys})
        return [self._perhaps_spoilt(one) for one in self.inner.download(urls)]

    def _perhaps_spoilt(self, one: Any) -> Any:
        if not isinstance(one, bytes) or not self.weather.strikes("signature wrong", self.weather.spoilt):
            return one
        middle = len(one) // 2
        return one[:middle] + bytes([one[middle] ^ 1 if chr(one[middle] ^ 1).isalnum() else ord("A")]) + one[middle + 1 :]


@dataclass(frozen=True)
class LossyCallback:
    """A callback to which deliveries come not at all, twice, or from somebody else."""

    weather: Weather
    name: str
    inner: Callback

    def confirm(self, query: Query) -> str | None:
        return self.inner.confirm(query)

    def take(self, arrived: Sequence[tuple[Headers, bytes]]) -> list[Delivered | Failed]:
        return [self._take(headers, raw) for headers, raw in arrived]

    def _take(self, headers: Headers, raw: bytes) -> Delivered | Failed:
        weather = self.weather
        if self.name == "ida" and weather.is_down("ida", weather.ida_down):
            return Delivered(503)
        if weather.strikes(f"{self.name} event forged", weather.forged):
            (refused,) = self.inner.take([(headers, raw.replace(b"STORED", b"FAILED") if b"STORED" in raw else raw + b" ")])
            assert isinstance(refused, Failed)
            assert refused.code == "SDCRS_BAD_SIGNATURE"
        if weather.strikes(f"{self.name} event lost", weather.lost_event):
            return Delivered(200)
        if weather.strikes(f"{self.name} event twice", weather.twice):
            self.inner.take([(headers, raw)])
        (answer,) = self.inner.take([(headers, raw)])
        return answer


@dataclass(frozen=True)
class LossyCallbacks:
    """The callbacks of the house, each behind a lossy line."""

    weather: Weather
    inner: Callbacks

    def at(self, url: str) -> Callback | None:
        found = self.inner.at(url)
        return None if found is None else LossyCallback(self.weather, "ida" if "idauthentication" in url else "generator", found)


@dataclass(frozen=True)
class HubInWeather:
    """The hub: publishing is shaky, its subscriptions are asked for when it is there."""

    weather: Weather
    inner: Any

    def publish(self, events: Any) -> Any:
        return Shaky(self.weather, "hub", self.inner).publish(events)

    def subscribe(self, wanted: Any) -> Any:
        return AWAY if self.weather.is_down("hub", self.weather.hub_down) else self.inner.subscribe(wanted)

    def holds_until(self, wanted: Any, now: datetime) -> Any:
        return self.inner.holds_until(wanted, now)


def stormy(rt: Runtime, weather: Weather) -> Ports:
    """The ports of one process as the weather leaves them, also between the participants behind them."""
    hub = HubInWeather(weather, LocalHub(rt))
    shares = Shaky(weather, "datashare", BadShares(weather, rt, LocalDataShare(rt, own_base(rt.settings))))
    return Ports(
        generator=Shaky(weather, "generator", LocalGenerator(rt)),
        service=Shaky(weather, "service", LocalService(rt, shares, hub)),
        datashare=shares,
        hub=hub,
        callbacks=LossyCallbacks(weather, own_callbacks(rt)),
    )
