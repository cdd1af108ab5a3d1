"""Our own subscriptions: asked for by themselves, renewed in time, and confirmed when the hub asks whether they were meant."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote, unquote

from pipeline.errors import AppError
from pipeline.identity.effect import Failed, each
from pipeline.identity.messages import STATUS_TOPIC, Delivered, Headers, Query, Subscription
from pipeline.identity.ports import Callback, Hub
from pipeline.identity.websub.signature import is_genuine, own_secret
from pipeline.masterdata.master import MasterData
from pipeline.runtime import Runtime
from pipeline.settings import Settings

LEASE_S = 86_400  # a day: a hub that lost our subscription is told again within half of it
LOOK_EVERY = timedelta(minutes=1)  # whether all are there; one small query each
AUTHENTICATION_PATH = "/idauthentication/v1/internal/callback/"
GENERATOR_PATH = "/credentialrequest/v1/callback/notifyStatus"
NAME = "identity.subscribe"

LOGGER = logging.getLogger(__name__)


def own_base(settings: Settings) -> str:
    """Where our participants are found by each other."""
    return (settings.api_public_url or f"http://127.0.0.1:{settings.api_port}").rstrip("/")


def callbacks_of(settings: Settings, md: MasterData) -> dict[str, str]:
    """Every topic that we subscribe to, with our address for it."""
    base = own_base(settings)
    topics = sorted({partner.topic for tenant in md.tenants() for partner in md.partners(tenant.id)})
    return {topic: f"{base}{AUTHENTICATION_PATH}{quote(topic)}" for topic in topics} | {STATUS_TOPIC: base + GENERATOR_PATH}


class SubscribeJob:
    """Asks the hub for every subscription that is missing or past half of its lease. Costs nothing between two looks."""

    name = NAME

    def __init__(self, rt: Runtime, hub: Hub) -> None:
        self._rt = rt
        self._hub = hub
        self._looked_at: datetime | None = None

    def run_once(self, now: datetime) -> int:
        if self._looked_at is not None and self._looked_at <= now < self._looked_at + LOOK_EVERY:
            return 0
        self._looked_at = now
        asked = 0
        for topic, callback in callbacks_of(self._rt.settings, self._rt.masterdata.current()).items():
            wanted = Subscription(topic, callback, own_secret(self._rt.keyring, topic), LEASE_S)
            until = self._hub.holds_until(wanted, now)
            if until is None or until - now < timedelta(seconds=LEASE_S / 2):
                refused = self._hub.subscribe(wanted)
                if refused is None:
                    asked += 1
                else:
                    LOGGER.warning("The hub takes no subscription to %s: %s", topic, refused.comment)
        return asked

    def waits_for(self, now: datetime) -> tuple[int, datetime] | None:  # noqa: ARG002 - nobody waits for a renewal
        return None


@dataclass(frozen=True)
class OwnCallback:
    """One subscription of ours: confirms what it asked for, and takes what is signed with its secret."""

    rt: Runtime
    topic: str
    carry_out: Callable[[Sequence[bytes], datetime], object]

    def confirm(self, query: Query) -> str | None:
        """The challenge of our own subscription; an end of it we never ask for."""
        if query.get("hub.mode") != "subscribe" or query.get("hub.topic") != self.topic:
            return None
        return query.get("hub.challenge") or None

    def take(self, arrived: Sequence[tuple[Headers, bytes]]) -> list[Delivered | Failed]:
        """Carry out all at once; what spoils that fails alone: SDCRS_BAD_SIGNATURE, or what the event's own form is refused with."""
        return each(arrived, self._take)

    def _take(self, arrived: Sequence[tuple[Headers, bytes]]) -> list[Delivered]:
        if not all(is_genuine(self.rt.keyring, self.topic, headers, raw) for headers, raw in arrived):
            raise AppError("SDCRS_BAD_SIGNATURE")
        self.carry_out([raw for _, raw in arrived], self.rt.clock.now())
        return [Delivered(200)] * len(arrived)


@dataclass(frozen=True)
class OwnCallbacks:
    """Our callbacks by their address. `takers`: what is done with an event of the generator's topic and of all others."""

    rt: Runtime
    status: Callable[[Sequence[bytes], datetime], object]
    issued: Callable[[Sequence[bytes], datetime], object]

    def at(self, url: str) -> Callback | None:
        """The callback at an address; None when it is none of ours."""
        base = own_base(self.rt.settings)
        if not url.startswith(base):
            return None
        return self.on(url.removeprefix(base))

    def on(self, path: str) -> Callback | None:
        """The same by its path."""
        if path == GENERATOR_PATH:
            return OwnCallback(self.rt, STATUS_TOPIC, self.status)
        topic = unquote(path.removeprefix(AUTHENTICATION_PATH)) if path.startswith(AUTHENTICATION_PATH) else ""
        known: Mapping[str, str] = callbacks_of(self.rt.settings, self.rt.masterdata.current())
        return OwnCallback(self.rt, topic, self.issued) if topic in known and topic != STATUS_TOPIC else None
