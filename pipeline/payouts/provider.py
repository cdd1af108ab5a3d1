"""The client of RazorpayX, on the `razorpay` package: every call has a timeout and gives one of four typed answers.

The package is asked for address, authentication and transport. Its exceptions say too little (a throttled call and a
refused one are the same class) and it prints, so our session hands every answer out past it. It retries nothing: that is
the queue's business, in Postgres. One client is for one thread.
"""

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import razorpay
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError

from pipeline.errors import AppError
from pipeline.packets.contracts.common import parse
from pipeline.packets.contracts.webhook import PayoutEntity
from pipeline.payouts import throttle
from pipeline.payouts.answers import Accepted, Answer, Paused, Reply, Unknown, Why, judge
from pipeline.settings import Settings

CONNECT_TIMEOUT_S = 3.05  # a little over the three seconds after which TCP sends its first packet again
READ_TIMEOUT_S = 10.0  # an order takes well under a second; one that hangs longer is repeated with its key
PAGE = 100  # the most that a list may ask for
PAGES_MAX = 20_000  # of a reconciliation: two million payouts; more in one window are a mistake

# What the sandbox takes when nobody chose anything else; test_payout_provider compares them with its own.
SANDBOX_KEY_ID = "rzp_test_sandbox"
SANDBOX_KEY_SECRET = "sandbox-key-secret"  # noqa: S105 - opens nothing but play money
SANDBOX_WEBHOOK_SECRET = "sandbox-webhook-secret"  # noqa: S105
SANDBOX_ACCOUNT_NUMBER = "7878780080316316"
LIVE_URL = "https://api.razorpay.com"

T = TypeVar("T")


@dataclass(frozen=True)
class Target:
    """Which provider we talk to, and as whom."""

    base_url: str
    key_id: str
    key_secret: str
    account_number: str
    webhook_secrets: tuple[str, ...]  # newest first
    sandboxed: bool

    @property
    def mark(self) -> str:
        """A name for the paying account that tells nothing of its number: contacts and addresses are known only there."""
        return "sandbox" if self.sandboxed else hashlib.sha256(self.account_number.encode()).hexdigest()[:16]


def target_of(settings: Settings) -> Target:
    """The real provider when its key is set, else the sandbox."""
    if settings.sandboxed:
        return Target(
            base_url=(settings.razorpayx_base_url or f"http://127.0.0.1:{settings.sandbox_port}").rstrip("/"),
            key_id=SANDBOX_KEY_ID,
            key_secret=SANDBOX_KEY_SECRET,
            account_number=SANDBOX_ACCOUNT_NUMBER,
            webhook_secrets=(*settings.razorpayx_webhook_secrets, SANDBOX_WEBHOOK_SECRET),
            sandboxed=True,
        )
    if not (settings.razorpayx_key_id and settings.razorpayx_key_secret and settings.razorpayx_account_number):
        raise AppError("SDCRS_BAD_SETTING", setting="RAZORPAYX_KEY_ID", detail="key, secret and account number go together")
    return Target(
        base_url=(settings.razorpayx_base_url or LIVE_URL).rstrip("/"),
        key_id=settings.razorpayx_key_id,
        key_secret=settings.razorpayx_key_secret,
        account_number=settings.razorpayx_account_number,
        webhook_secrets=settings.razorpayx_webhook_secrets,
        sandboxed=False,
    )


class _AnsweredError(Exception):
    """Carries an answer out of the package."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class _SilenceError(Exception):
    """Carries a failure of the wire out of the package. `sent`: the request may have arrived."""

    def __init__(self, why: Why, sent: bool) -> None:
        super().__init__(why)
        self.why: Why = why
        self.sent = sent


def _hand_out(response: requests.Response, *_args: object, **_kwargs: object) -> None:
    """The response hook: reads the whole answer and ends the call with it."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    raise _AnsweredError(Reply(response.status_code, headers, response.content))


class _Session(requests.Session):
    def __init__(self, local: bool) -> None:
        super().__init__()
        self.hooks["response"].append(_hand_out)
        self.trust_env = not local  # a proxy of the environment leads to the internet, not to our own loopback

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        try:
            return super().send(request, **kwargs)
        except requests.exceptions.ConnectTimeout as error:
            raise _SilenceError("UNREACHABLE", sent=False) from error
        except requests.exceptions.Timeout as error:
            raise _SilenceError("TIMEOUT", sent=True) from error
        except requests.exceptions.ConnectionError as error:
            cause = error.args[0] if error.args else None
            never = isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)
            raise _SilenceError("UNREACHABLE" if never else "BROKEN_CONNECTION", sent=not never) from error
        except requests.exceptions.RequestException as error:  # a cut or undecodable answer, a redirect loop
            raise _SilenceError("BROKEN_CONNECTION", sent=True) from error


class _Client(razorpay.Client):
    """The package's client, which would read its own version from disk at each request."""

    _version: str | None = None

    def _get_version(self) -> str:
        if _Client._version is None:
            _Client._version = super()._get_version()
        return _Client._version


@dataclass(frozen=True)
class Paid:
    """A payout that the provider has, as it is now, with the answer's body as it came."""

    payout: PayoutEntity
    body: dict[str, Any]


@dataclass(frozen=True)
class NoneFound:
    """The provider answered, and has no such payout."""


@dataclass(frozen=True)
class Ambiguous:
    """The provider has several payouts of this reference."""

    ids: tuple[str, ...]


class Provider:
    """One connection to the provider, for one thread."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._session = _Session(target.base_url.startswith(("http://127.0.0.1", "http://localhost", "http://[::1]")))
        self._client = _Client(session=self._session, auth=(target.key_id, target.key_secret), base_url=target.base_url)

    @property
    def account_number(self) -> str:
        return self._target.account_number

    def close(self) -> None:
        self._session.close()

    def create_contact(self, body: bytes) -> Answer:
        """Make the contact, or find the equal one: safe to repeat."""
        return self._made(self._call("post", "/v1/contacts", body), "cont_")

    def create_fund_account(self, body: bytes) -> Answer:
        """Make the fund account, or find the equal one: safe to repeat."""
        return self._made(self._call("post", "/v1/fund_accounts", body), "fa_")

    def create_validation(self, body: bytes) -> Answer:
        """Ask whether an address can be paid. Each costs a fee, and a repeat is another one."""
        return self._made(self._call("post", "/v1/fund_accounts/validations", body), "fav_")

    def fetch_validation(self, validation_id: str) -> Answer:
        """How the check of an address goes on."""
        return self._made(self._call("get", f"/v1/fund_accounts/validations/{validation_id}"), "fav_")

    def create_payout(self, body: bytes, key: str, reference: str) -> Paid | Answer:
        """Order a payout. Accepted only when the answer is a readable payout of this reference."""
        answer = self._call("post", "/v1/payouts", body, {"X-Payout-Idempotency": key})
        return self._payout(answer, reference)

    def fetch_payout(self, payout_id: str) -> Paid | Answer:
        """One payout as it is now."""
        return self._payout(self._call("get", f"/v1/payouts/{payout_id}"))

    def find_by_reference(self, reference: str) -> Paid | NoneFound | Ambiguous | Answer:
        """The payout of a reference. The provider does not keep references unique, and its filter is not believed blindly."""
        listed = self.list_payouts(reference=reference)
        if not isinstance(listed, list):
            return listed
        same = {one.payout.id: one for one in listed if one.payout.reference_id == reference}
        if len(same) > 1:
            return Ambiguous(tuple(sorted(same)))
        return next(iter(same.values())) if same else NoneFound()

    def list_payouts(
        self, *, reference: str | None = None, since: datetime | None = None, until: datetime | None = None, skip: int = 0
    ) -> list[Paid] | Answer:
        """One page of payouts, in no order that could be relied on. An entry that cannot be read makes the page unknown."""
        params: dict[str, Any] = {"account_number": self.account_number, "count": PAGE, "skip": skip}
        if reference is not None:
            params["reference_id"] = reference
        if since is not None:
            params["from"] = int(since.timestamp())
        if until is not None:
            params["to"] = int(until.timestamp())
        answer = self._call("get", "/v1/payouts", params=params)
        if not isinstance(answer, Accepted):
            return answer
        items = answer.entity.get("items")
        read = [_read(item) for item in items] if isinstance(items, list) else [None]
        return [one for one in read if one is not None] if None not in read else Unknown("UNREADABLE_ANSWER")

    def list_transactions(self, since: datetime, until: datetime, skip: int = 0) -> list[dict[str, Any]] | Answer:
        """One page of the account statement, in no order that could be relied on."""
        params = {"account_number": self.account_number, "count": PAGE, "skip": skip}
        params |= {"from": int(since.timestamp()), "to": int(until.timestamp())}
        answer = self._call("get", "/v1/transactions", params=params)
        if not isinstance(answer, Accepted):
            return answer
        items = answer.entity.get("items")
        readable = isinstance(items, list) and all(isinstance(item, dict) for item in items)
        return items if isinstance(items, list) and readable else Unknown("UNREADABLE_ANSWER")

    def balance_paise(self) -> int | Answer:
        """What the payout account holds, as the provider last read it at the bank."""
        answer = self._call("get", "/v1/banking_balances", params={})
        if not isinstance(answer, Accepted):
            return answer
        for item in answer.entity.get("items") or []:
            if isinstance(item, dict) and item.get("account_number") == self.account_number and isinstance(item.get("amount"), int):
                return int(item["amount"])
        return Unknown("UNREADABLE_ANSWER")

    def _payout(self, answer: Answer, reference: str | None = None) -> Paid | Answer:
        if not isinstance(answer, Accepted):
            return answer
        read = _read(answer.entity)
        if read is None or (reference is not None and read.payout.reference_id != reference):
            return Unknown("UNREADABLE_ANSWER", 200)
        return read

    def _made(self, answer: Answer, prefix: str) -> Answer:
        if isinstance(answer, Accepted) and not str(answer.entity.get("id", "")).startswith(prefix):
            return Unknown("UNREADABLE_ANSWER", 200)
        return answer

    def _call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Answer:
        options: dict[str, Any] = {"timeout": (CONNECT_TIMEOUT_S, READ_TIMEOUT_S), "allow_redirects": False, "headers": dict(headers or {})}
        if body is not None:
            options["data"] = body  # the exact bytes: the package's own `post` would write the JSON again
            options["headers"]["Content-Type"] = "application/json"
        if params is not None:
            options["params"] = dict(params)
        if not self._target.sandboxed:
            throttle.live.wait()
        try:
            self._client.request(method, path, **options)
        except _AnsweredError as answered:
            return judge(answered.reply)
        except _SilenceError as silence:
            return Unknown(silence.why) if silence.sent else Paused(silence.why)
        raise RuntimeError("the response hook was not called")


def _read(entity: Any) -> Paid | None:
    """A payout as the provider shows it; None when it cannot be one."""
    if not isinstance(entity, dict):
        return None
    try:
        payout = parse(PayoutEntity, entity)
    except AppError:
        return None
    return Paid(payout, entity) if payout.id.startswith("pout_") and payout.currency == "INR" else None


class Lines:
    """Several calls in flight at once, each thread with a client of its own."""

    def __init__(self, target: Target, lines: int) -> None:
        self.target = target
        self.lines = lines
        self._local = threading.local()
        self._pool: ThreadPoolExecutor | None = None
        self._opened: list[Provider] = []

    def run(self, calls: Sequence[Callable[[Provider], T]]) -> list[T]:
        """Make all calls and return their results in order. A single one is made by the caller's own thread."""
        if len(calls) == 1:
            return [calls[0](self._provider())]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.lines, thread_name_prefix="provider")
        return list(self._pool.map(self._one, calls))

    def _one(self, call: Callable[[Provider], T]) -> T:
        return call(self._provider())

    def _provider(self) -> Provider:
        provider: Provider | None = getattr(self._local, "provider", None)
        if provider is None:
            provider = self._local.provider = Provider(self.target)
            self._opened.append(provider)
        return provider

    def close(self) -> None:
        """End the threads and close their connections; the next call opens new ones."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        for provider in self._opened:
            provider.close()
        self._opened.clear()
        self._local = threading.local()
