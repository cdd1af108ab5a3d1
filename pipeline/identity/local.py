"""The ports' implementations in the process: the rooms' own functions, batch by batch. What spoils a batch fails alone."""

from collections.abc import Sequence
from datetime import datetime

from pipeline.errors import AppError
from pipeline.identity.credentials import generator, service
from pipeline.identity.datashare import shares
from pipeline.identity.effect import Failed, each, failure_of
from pipeline.identity.messages import (
    Accepted,
    CredentialRequest,
    Issued,
    IssueRequest,
    Publication,
    Published,
    Shared,
    ShareRequest,
    Subscription,
)
from pipeline.identity.ports import DataShare, Hub
from pipeline.identity.websub import hub
from pipeline.runtime import Runtime


class LocalGenerator:
    """The request generator of this process."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt

    def request(self, asked: Sequence[CredentialRequest]) -> list[Accepted | Failed]:
        return each(asked, lambda some: generator.accept(self._rt, some, self._rt.clock.now()))


class LocalService:
    """The credential service of this process, with the data share and the hub that it uses."""

    def __init__(self, rt: Runtime, datashare: DataShare, to: Hub) -> None:
        self._rt, self._datashare, self._hub = rt, datashare, to

    def issue(self, asked: Sequence[IssueRequest]) -> list[Issued | Failed]:
        return each(asked, lambda some: service.issue(self._rt, self._datashare, self._hub, some, self._rt.clock.now()))


class LocalDataShare:
    """The data share of this process."""

    def __init__(self, rt: Runtime, base_url: str) -> None:
        self._rt, self._base_url = rt, base_url

    def create(self, asked: Sequence[ShareRequest]) -> list[Shared | Failed]:
        return each(asked, lambda some: shares.create(self._rt, self._base_url, some, self._rt.clock.now()))

    def download(self, urls: Sequence[str]) -> list[bytes | Failed]:
        return each(urls, self._fetch)

    def _fetch(self, urls: Sequence[str]) -> list[bytes | Failed]:
        places = {url: shares.place_of(url) for url in urls}  # whatever host it names: the key alone opens
        known = [url for url in urls if places[url] is not None]
        asked = [place for url in known if (place := places[url]) is not None]
        found = iter(shares.fetch(self._rt, asked, self._rt.clock.now()))
        outcomes = [next(found) if url in known else AppError("SDCRS_NOT_FOUND", kind="share", id="of this address") for url in urls]
        return [failure_of(one) if isinstance(one, AppError) else one for one in outcomes]


class LocalHub:
    """The hub of this process."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt

    def publish(self, events: Sequence[Publication]) -> list[Published | Failed]:
        return each(events, lambda some: hub.publish(self._rt, some, self._rt.clock.now()))

    def subscribe(self, wanted: Subscription) -> Failed | None:
        wish = hub.Ask("SUBSCRIBE", wanted.topic, wanted.callback, wanted.lease_s, wanted.secret)
        with self._rt.database.worker() as conn:
            hub.ask(conn, self._rt, wish, self._rt.clock.now())
        return None

    def holds_until(self, wanted: Subscription, now: datetime) -> datetime | None:
        return hub.holds_until(self._rt, wanted, now)
