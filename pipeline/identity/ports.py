"""The ports between the participants. Each has an implementation in the process (local.py) and one over HTTP (remote.py).

Every call takes several messages and gives an outcome for each, in the same order; what failed is a `Failed`. Whoever is
called decides by the ids in the message whether it was asked before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from pipeline.identity.effect import Failed
from pipeline.identity.messages import (
    Accepted,
    CredentialRequest,
    Delivered,
    Headers,
    Issued,
    IssueRequest,
    Publication,
    Published,
    Query,
    Shared,
    ShareRequest,
    Subscription,
)


class RequestGenerator(Protocol):
    """Takes requests for credentials and sees them through."""

    def request(self, asked: Sequence[CredentialRequest]) -> list[Accepted | Failed]: ...


class CredentialService(Protocol):
    """Makes, signs, shares and announces credentials."""

    def issue(self, asked: Sequence[IssueRequest]) -> list[Issued | Failed]: ...


class DataShare(Protocol):
    """Keeps bytes for one subscriber and hands them over."""

    def create(self, asked: Sequence[ShareRequest]) -> list[Shared | Failed]: ...

    def download(self, urls: Sequence[str]) -> list[bytes | Failed]: ...


class Hub(Protocol):
    """Brings what is published to whoever subscribes."""

    def publish(self, events: Sequence[Publication]) -> list[Published | Failed]: ...

    def subscribe(self, wanted: Subscription) -> Failed | None: ...

    def holds_until(self, wanted: Subscription, now: datetime) -> datetime | None:
        """When the subscription ends, as far as is known; None: there is none, or it is being verified."""
        ...


class Callback(Protocol):
    """A subscriber of ours: what stands behind the address that it gave to the hub."""

    def confirm(self, query: Query) -> str | None:
        """The challenge, when this is a subscription that was asked for; None: it is not."""
        ...

    def take(self, arrived: Sequence[tuple[Headers, bytes]]) -> list[Delivered | Failed]:
        """Take deliveries; what comes of each, in the same order."""
        ...


class Callbacks(Protocol):
    """The callbacks of this house by their address."""

    def at(self, url: str) -> Callback | None: ...


class Arrivals(Protocol):
    """What the authentication side knows of events, for the comparison with what was issued."""

    def known(self, event_ids: Sequence[UUID]) -> dict[UUID, str]:
        """The status of each event that has come; others are absent."""
        ...


@dataclass(frozen=True)
class Ports:
    """Whom each participant speaks to, as the settings have it."""

    generator: RequestGenerator
    service: CredentialService
    datashare: DataShare
    hub: Hub
    callbacks: Callbacks
