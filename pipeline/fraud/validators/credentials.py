"""How a call says who we are. OAuth 2 tokens live in this process's memory until shortly before they end, and nowhere else."""

import re
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from pipeline.fraud.validators.questions import in_base64
from pipeline.fraud.validators.reading import UnreadableError, read_json
from pipeline.fraud.validators.setup import Asked
from pipeline.outbound.wire import Line, Reply

DEFAULT_HEADER = "X-API-Key"
UNTOLD_LIFE_S = 300  # of a token whose answer does not say how long it holds
LONGEST_LIFE_S = 3600.0  # a token that was withdrawn is found out by its 401; this bounds the rest
SPARE_S = 30.0  # a token that ends during the call would be refused
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")  # what a header carries; tokens of a few kilobytes exist

Header = tuple[str, str]


class TokenError(Exception):
    """The token service answered, but not with a token. `reply` is what it said."""

    def __init__(self, reply: Reply, why: str) -> None:
        super().__init__(why)
        self.reply = reply


class Tokens:
    """OAuth 2 access tokens by service and client. Threads share it; each token is fetched by one of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fetching: dict[tuple[str, str], threading.Lock] = {}
        self._held: dict[tuple[str, str], tuple[str, float]] = {}

    def headers(self, line: Line, asked: Asked) -> list[Header]:
        """What proves who we are. May fetch a token first. Raises WireError and TokenError."""
        endpoint, secret = asked.validator.endpoint, asked.secrets
        match endpoint.auth_type:
            case "API_KEY":
                return [(endpoint.auth_header or DEFAULT_HEADER, secret[endpoint.auth_secret_key or ""])]
            case "BEARER_TOKEN":
                return [("Authorization", f"Bearer {secret[endpoint.auth_secret_key or '']}")]
            case "BASIC":
                return [_basic(secret[endpoint.username_key or ""], secret[endpoint.password_key or ""])]
            case "OAUTH2":
                return [("Authorization", f"Bearer {self._token(line, asked)}")]

    def forget(self, asked: Asked) -> bool:
        """Drop a token that was refused; whether there was one, so that a new one is worth a try."""
        with self._lock:
            return self._held.pop(_holder(asked), None) is not None

    def _token(self, line: Line, asked: Asked) -> str:
        holder = _holder(asked)
        with self._lock:
            fetching = self._fetching.setdefault(holder, threading.Lock())
        with fetching:
            held = self._held.get(holder)
            if held is not None and held[1] > time.monotonic():
                return held[0]
            begun = time.monotonic()
            token, life_s = _fetch(line, asked)
            with self._lock:
                self._held[holder] = (token, begun + min(life_s, LONGEST_LIFE_S) - SPARE_S)
            return token


def _fetch(line: Line, asked: Asked) -> tuple[str, float]:
    endpoint = asked.validator.endpoint
    client, secret = (quote_plus(asked.secrets[name or ""]) for name in (endpoint.client_id_key, endpoint.client_secret_key))
    headers = [
        _basic(client, secret),  # in the form of RFC 6749, 2.3.1
        ("Content-Type", "application/x-www-form-urlencoded"),
    ]
    reply = line.post(asked.token_url or "", headers, b"grant_type=client_credentials", asked.connect_s, asked.read_s)
    if not 200 <= reply.status < 300:
        raise TokenError(reply, f"no token: HTTP {reply.status}")
    try:
        answer = read_json(reply.body)
    except UnreadableError as error:
        raise TokenError(reply, f"no token: {error}") from error
    token = answer.get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token) or str(answer.get("token_type", "bearer")).lower() != "bearer":
        raise TokenError(reply, "no token: the answer holds no bearer token")
    return token, _life_s(answer)


def _life_s(answer: Mapping[str, Any]) -> float:
    told = answer.get("expires_in")
    return float(told) if isinstance(told, int | float) and not isinstance(told, bool) and 0 <= told < 1e9 else UNTOLD_LIFE_S


def _basic(user: str, password: str) -> Header:
    return ("Authorization", f"Basic {in_base64(f'{user}:{password}'.encode())}")


def _holder(asked: Asked) -> tuple[str, str]:
    return (asked.token_url or "", asked.secrets.get(asked.validator.endpoint.client_id_key or "", ""))
