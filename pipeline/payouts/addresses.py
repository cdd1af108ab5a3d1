"""Whether a UPI address can be paid, as the provider finds out at the bank. An answer that is not given holds nobody up for long.

The check is the provider's `fund_accounts/validations`: not available in its test mode nor on every kind of account, and each
costs a fee; so it is asked for only where RAZORPAYX_VALIDATE_VPA says so. `completed` alone does not mean that it can be paid.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pipeline.payouts.answers import Accepted, Answer, Paused, Refused, Unknown
from pipeline.payouts.orders import validation_body
from pipeline.payouts.provider import Provider

Verdict = Literal["VALID", "INVALID", "PENDING", "UNAVAILABLE"]
STATUSES = ("created", "completed", "failed")
WAIT_FOR_IT = timedelta(minutes=10)  # banks answer in seconds; after this the address is paid unchecked, since silence is no verdict
LOOK_AGAIN = timedelta(seconds=5)


@dataclass(frozen=True)
class Validation:
    """What is known of one address. `id` None: the provider does not check addresses for us."""

    id: str | None
    status: str  # created, completed, failed
    account_status: str | None = None  # active, invalid
    registered_name: str | None = None  # as the bank has it
    name_match: int | None = None  # 0 to 100, the provider's own comparison with the contact's name
    asked_at: datetime | None = None

    def verdict(self, now: datetime) -> Verdict:
        """Whether the address can be paid. UNAVAILABLE: nobody can tell, and nobody should wait for it."""
        if self.status == "completed" and self.account_status is not None:
            return "VALID" if self.account_status == "active" else "INVALID"
        if self.status != "created" or self.asked_at is None or now - self.asked_at > WAIT_FOR_IT:
            return "UNAVAILABLE"
        return "PENDING"


def ask(provider: Provider, fund_account_id: str, reference: str, known: Validation | None, now: datetime) -> Validation | Unknown | Paused:
    """Begin the check of a fund account, or look how the one that was begun goes on. No database here.

    A refusal means that the provider does not check addresses for us; anything that says nothing certain is given back.
    """
    if known is not None and known.id is not None:
        answer = provider.fetch_validation(known.id)
    else:
        answer = provider.create_validation(validation_body(provider.account_number, fund_account_id, reference))
    asked_at = known.asked_at if known is not None and known.asked_at is not None else now
    return _read(answer, asked_at)


def _read(answer: Answer, asked_at: datetime) -> Validation | Unknown | Paused:
    if isinstance(answer, Refused) or (isinstance(answer, Paused) and answer.why == "NOT_ENABLED"):
        return Validation(None, "failed", asked_at=asked_at)
    if not isinstance(answer, Accepted):
        return answer
    entity = answer.entity
    results = entity.get("validation_results") or entity.get("results")  # the older shape
    results = results if isinstance(results, dict) else {}
    status, account_status = entity.get("status"), results.get("account_status")
    if status not in STATUSES:
        return Unknown("UNREADABLE_ANSWER", 200)
    return Validation(
        id=str(entity["id"]),
        status=status,
        account_status=account_status if account_status in ("active", "invalid") else None,
        registered_name=_name(results.get("registered_name")),
        name_match=_score(results.get("name_match_score")),
        asked_at=asked_at,
    )


def _name(value: Any) -> str | None:
    return value.strip()[:200] or None if isinstance(value, str) else None


def _score(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100 else None
