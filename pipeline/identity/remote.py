"""The ports' implementations over HTTP, for participants in another process or on another machine.

Each call shows a token of its own, has its time, follows no redirect and goes only where pipeline/outbound lets it. What
came back unread or late is unknown: the same is asked again under the same ids.
"""

import json
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from pipeline.identity.datashare.shares import MAX_BYTES, PATH, place_of
from pipeline.identity.effect import FINAL, Failed
from pipeline.identity.messages import (
    About,
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
from pipeline.identity.tokens import Participant, service_token
from pipeline.identity.websub.hub import said
from pipeline.outbound.addresses import networks
from pipeline.outbound.lines import Lines
from pipeline.outbound.wire import Line, Reply, WireError
from pipeline.packets.log import identity_header, write_packets
from pipeline.runtime import Runtime

CONNECT_S, READ_S = 3.0, 20.0  # issuing encrypts and writes a file; everything else takes milliseconds
LINES = 8
START_WITHIN_S = 60.0  # of a round: with the longest call it ends before its lease
UNREADABLE = "UNREADABLE_ANSWER"
NOT_SENT = Failed("NOT_SENT", "the round's time was up")

Value = TypeVar("Value")
Given = TypeVar("Given")


class Remote:
    """One participant at an address, asked over several lines at once."""

    def __init__(self, rt: Runtime, audience: Participant, base_url: str) -> None:
        self.rt, self.base_url, self._audience = rt, base_url, audience
        self._lines = Lines(networks(rt.settings.identity_networks), LINES, audience)

    def ask(self, calls: Sequence[tuple[str, Any]], read: Callable[[Any], Value]) -> list[Value | Failed]:
        """POST each body in its envelope to its path and read `response` of what comes back."""
        last_start = time.monotonic() + START_WITHIN_S
        return self._lines.run(
            [partial(self._ask, path=path, request=request, read=read, last_start=last_start) for path, request in calls]
        )

    def send(self, path: str, content_type: str, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> Reply | Failed:
        """POST other bytes; what came back when it is 2xx."""
        (answer,) = self._lines.run([partial(self._send, path=path, sent=[("Content-Type", content_type), *headers], body=body)])
        return answer

    def fetch(self, urls: Sequence[str]) -> list[bytes | Failed]:
        """GET each address."""
        last_start = time.monotonic() + START_WITHIN_S
        return self._lines.run([partial(self._fetch, url=url, last_start=last_start) for url in urls])

    def _ask(self, line: Line, *, path: str, request: Any, read: Callable[[Any], Value], last_start: float) -> Value | Failed:
        if time.monotonic() > last_start:
            return NOT_SENT
        now = self.rt.clock.now()
        envelope = {"id": f"sdcrs.{self._audience}", "version": "1.0", "requesttime": now.isoformat(), "request": request}
        answer = self._send(line, path=path, sent=[("Content-Type", "application/json")], body=json.dumps(envelope).encode())
        if isinstance(answer, Failed):
            return answer
        try:
            return read(json.loads(answer.body)["response"])
        except (ValueError, KeyError, TypeError) as error:  # an answer without a response is no success
            return Failed(UNREADABLE, type(error).__name__)

    def _send(self, line: Line, *, path: str, sent: Sequence[tuple[str, str]], body: bytes) -> Reply | Failed:
        try:
            return _good(line.post(f"{self.base_url}{path}", [*sent, self._token()], body, CONNECT_S, READ_S))
        except WireError as error:
            return Failed(error.why, error.detail)

    def _fetch(self, line: Line, *, url: str, last_start: float) -> bytes | Failed:
        place = place_of(url)
        if place is None:
            return Failed("SDCRS_NOT_FOUND", "the address is none of a share", final=True)
        if time.monotonic() > last_start:
            return NOT_SENT
        try:  # asked where the settings say, whatever host the address names: an event leads nowhere else
            answer = _good(line.send("GET", f"{self.base_url}{PATH}/{'/'.join(place)}", [self._token()], b"", CONNECT_S, READ_S, MAX_BYTES))
        except WireError as error:
            return Failed(error.why, error.detail)
        return answer if isinstance(answer, Failed) else answer.body

    def _token(self) -> tuple[str, str]:
        return ("Authorization", f"Bearer {service_token(self.rt.keyring, self._audience, int(self.rt.clock.now().timestamp()))}")


def _good(reply: Reply) -> Reply | Failed:
    if 200 <= reply.status < 300:
        return reply
    try:
        first = json.loads(reply.body)["errors"][0]
        code, detail = str(first["errorCode"])[:64], str(first["message"])[:300]
    except (ValueError, KeyError, TypeError, IndexError):
        code, detail = f"HTTP_{reply.status}", ""
    return Failed(code, detail, final=reply.status in FINAL)


@dataclass(frozen=True)
class RemoteGenerator:
    """The request generator elsewhere."""

    at: Remote

    def request(self, asked: Sequence[CredentialRequest]) -> list[Accepted | Failed]:
        calls = [("/credentialrequest/v1/requestgenerator", request_body(one)) for one in asked]
        return self.at.ask(calls, lambda answer: Accepted(UUID(answer["requestId"])))


@dataclass(frozen=True)
class RemoteService:
    """The credential service elsewhere."""

    at: Remote

    def issue(self, asked: Sequence[IssueRequest]) -> list[Issued | Failed]:
        calls = [("/credentialservice/v1/issue", issue_body(one)) for one in asked]
        return self.at.ask(calls, _issued)


@dataclass(frozen=True)
class RemoteDataShare:
    """The data share elsewhere."""

    at: Remote

    def create(self, asked: Sequence[ShareRequest]) -> list[Shared | Failed]:
        calls = [(f"/datashare/v1/create/{one.policy_id}/{one.subscriber_id}", share_body(one)) for one in asked]
        answers = self.at.ask(calls, lambda answer: Shared(str(answer["url"]), str(answer["signature"])))
        now = self.at.rt.clock.now()
        done = [one for one, answer in zip(asked, answers, strict=True) if isinstance(answer, Shared)]
        headers = [_header(step, one.about, one.share_id, now) for one in done for step in ("24/03", "24/04")]
        with self.at.rt.database.worker() as conn:
            write_packets(conn, headers)
        return answers

    def download(self, urls: Sequence[str]) -> list[bytes | Failed]:
        return self.at.fetch(urls)


class RemoteHub:
    """The hub elsewhere. What it holds of ours is known from what we asked for and it confirmed."""

    def __init__(self, at: Remote) -> None:
        self._at = at
        self._until: dict[str, datetime] = {}

    def publish(self, events: Sequence[Publication]) -> list[Published | Failed]:
        answers: list[Published | Failed] = []
        for event in events:
            query = {"hub.mode": "publish", "hub.topic": event.topic, "tenantId": event.about.tenant_id}
            query |= {"registrationId": str(event.about.registration_id), "again": "true" if event.again else "false"}
            headers = [("Idempotency-Key", str(event.event_id))]
            answer = self._at.send(f"/websub/hub?{urlencode(query)}", event.content_type, event.content, headers)
            answers.append(answer if isinstance(answer, Failed) else Published(event.event_id))
        now = self._at.rt.clock.now()
        done = [event for event, answer in zip(events, answers, strict=True) if isinstance(answer, Published)]
        with self._at.rt.database.worker() as conn:
            write_packets(conn, said(done, now))
        return answers

    def subscribe(self, wanted: Subscription) -> Failed | None:
        form = {"hub.mode": "subscribe", "hub.topic": wanted.topic, "hub.callback": wanted.callback}
        form |= {"hub.secret": wanted.secret, "hub.lease_seconds": str(wanted.lease_s)}
        answer = self._at.send("/websub/hub", "application/x-www-form-urlencoded", urlencode(form).encode())
        if isinstance(answer, Failed):
            return answer
        from_now = self._at.rt.clock.now()
        self._until[wanted.topic] = datetime.fromtimestamp(from_now.timestamp() + wanted.lease_s, from_now.tzinfo)
        return None

    def holds_until(self, wanted: Subscription, now: datetime) -> datetime | None:
        until = self._until.get(wanted.topic)
        return until if until is not None and until > now else None


def request_body(one: CredentialRequest) -> dict[str, Any]:
    """A request as it goes over the wire."""
    return {
        **_about(one.about),
        "stateId": one.state_id,
        "partnerId": one.partner_id,
        "individualId": one.individual_id,
        "individualIdHash": one.individual_id_hash,
        "tokenId": one.token_id,
        "expiresAt": None if one.expires_at is None else one.expires_at.isoformat(),
        "transactionLimit": one.transaction_limit,
    }


def issue_body(one: IssueRequest) -> dict[str, Any]:
    """An issuance as it goes over the wire."""
    ids = {"credentialId": str(one.credential_id), "shareId": str(one.share_id), "eventId": str(one.event_id)}
    return {**request_body(one.request), **ids}


def share_body(one: ShareRequest) -> dict[str, Any]:
    """What is to be shared as it goes over the wire."""
    return {
        **_about(one.about),
        "shareId": str(one.share_id),
        "validMinutes": one.valid_minutes,
        "uses": one.uses,
        "signature": one.signature,
        "data": b64encode(one.data).decode(),
    }


def _about(about: About) -> dict[str, str]:
    return {"tenantId": about.tenant_id, "registrationId": str(about.registration_id), "requestId": str(about.request_id)}


def _issued(answer: Any) -> Issued:
    moment = datetime.fromisoformat(answer["issuanceDate"])
    return Issued(UUID(answer["credentialId"]), str(answer["dataShareUrl"]), str(answer["signature"]), moment)


def _header(step: str, about: About, causation_id: UUID, now: datetime) -> Any:
    return identity_header(step, about.registration_id, about.tenant_id, now, correlation_id=about.request_id, causation_id=causation_id)
