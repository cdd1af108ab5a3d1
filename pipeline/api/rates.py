"""How often one client may ask. The processes of a machine count together: the limits are against floods and guessing, not for billing.

Whoever is signed in is counted by session, everybody else by network address: a school's teachers share one. Behind a proxy the
address is the client's only where TRUSTED_PROXIES names the proxy.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from limits import RateLimitItemPerMinute
from limits.strategies import SlidingWindowCounterRateLimiter

from pipeline.api.counters import MEMORY, Counters
from pipeline.errors import AppError

WINDOW_S = 60  # who waits so long has a whole minute's share again


@dataclass(frozen=True)
class Rate:
    """So many requests a minute for one client of a kind."""

    name: str
    per_minute: int


PUBLIC = Rate("public", 100)  # following a report: a person looks now and then, and 100 guesses a minute find nothing in years
SIGN_IN = Rate("sign-in", 600)  # of one address: a district may have but one; failures are throttled by themselves, far sooner
WEBHOOK = Rate("webhook", 6000)  # the provider sends what it has to tell after an outage all at once
STRANGER = Rate("stranger", 6000)  # signed photo links, and clients whose token is in the body
SESSION = Rate("session", 6000)  # another service acts for a whole state with one session

_PUBLIC = ("/track/", "/sdcrs-services/v1/report/_track")
_SIGN_IN = ("/user/oauth/", "/sso/")
_FREE = frozenset({"/livez", "/readyz"})  # a load balancer asks as often as it likes


class Rates:
    """Who has asked how often, kept at `place`. Threads share them; `close` them."""

    def __init__(self, place: Path | str = MEMORY) -> None:
        self._counters = Counters(place)
        self._limiter = SlidingWindowCounterRateLimiter(self._counters)
        self._items = {rate: RateLimitItemPerMinute(rate.per_minute) for rate in (PUBLIC, SIGN_IN, WEBHOOK, STRANGER, SESSION)}

    def check(self, path: str, client: str, token: str) -> None:
        """Count a request. Raises SDCRS_TOO_MANY_REQUESTS with the seconds to wait. `token`: what the client sent as one, or ""."""
        if path in _FREE:
            return
        rate = rate_of(path, signed_in=bool(token))
        who = hashlib.sha256(token.encode()).hexdigest() if rate is SESSION else client
        if not self._limiter.hit(self._items[rate], rate.name, who):
            raise AppError("SDCRS_TOO_MANY_REQUESTS", perMinute=rate.per_minute, retryAfterSeconds=WINDOW_S)

    def close(self) -> None:
        """Let go of the counters."""
        self._counters.close()


def rate_of(path: str, *, signed_in: bool) -> Rate:
    """Which limit a request counts against."""
    if path.startswith(_PUBLIC):
        return PUBLIC
    if path.startswith(_SIGN_IN):
        return SIGN_IN
    if path.startswith("/webhook/"):
        return WEBHOOK
    return SESSION if signed_in else STRANGER
