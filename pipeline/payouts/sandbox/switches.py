"""How the sandbox behaves where the provider's documentation is silent, contradictory or configurable. Stored, so a restart keeps it."""

import json
import threading
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sqlalchemy import Connection, text

EVENTS = (
    "payout.pending",
    "payout.rejected",
    "payout.queued",
    "payout.initiated",
    "payout.processed",
    "payout.updated",
    "payout.failed",
    "payout.reversed",
    "fund_account.validation.completed",
    "fund_account.validation.failed",
)
SELDOM_WANTED = ("transaction.created",)  # one more webhook per statement line: subscribe on purpose

CHOICES = {
    "life": ("auto", "manual"),
    "webhooks": ("auto", "held"),
    "replay": ("latest", "saved"),
    "low_balance": ("refused", "failed"),
    "approval": ("none", "asked"),
    "key_in_flight": ("wait", "conflict"),
}
SECONDS_MAX = 366 * 86_400.0  # a year and a day: longer waits are typing errors


@dataclass(frozen=True)
class Switches:
    """The behaviour at this moment. Replaced as a whole, never changed in place."""

    delay_seconds: float = 2.0  # processing → processed or failed
    later_seconds: float = 10.0  # the steps that come days later in life: reversal, late UTR
    life: str = "auto"  # manual: payouts stay in processing until a person moves them, as in the provider's test mode
    webhooks: str = "auto"  # held: events wait for `settle`
    webhooks_enabled: bool = True  # false: the provider has disabled our webhook; events are dropped
    disable_after_a_day: bool = False  # disable the webhook when an event fails for 24 hours, as the provider does
    replay: str = "latest"  # the answer to a repeated key: the payout as it is now, or the saved first answer
    low_balance: str = "refused"  # without queue_if_low_balance: 400, or a payout with status failed
    approval: str = "none"  # asked: a payout is pending until somebody on the provider's side approves or rejects it
    key_in_flight: str = "wait"  # a second request with a key at work: waits for the first, or is answered 409
    fee_paise: int = 0  # per payout, tax included; 18 % GST is shown as its tax
    validations: bool = True  # false: addresses are not checked, as in the provider's test mode and on current accounts
    rate_limit_tps: int = 0  # POST /v1/payouts a second before 429; 0: no limit
    events: tuple[str, ...] = EVENTS  # the events our webhook is subscribed to


def changed(old: Switches, values: dict[str, Any]) -> Switches:
    """`old` with some values replaced. Raises ValueError naming the switch that cannot be so."""
    known = {field.name: field for field in fields(Switches)}
    clean: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"{name} is not a switch; there are {', '.join(known)}")
        clean[name] = _checked(name, value, getattr(old, name))
    return replace(old, **clean)


def _checked(name: str, value: Any, old: Any) -> Any:
    if name in CHOICES:
        if value not in CHOICES[name]:
            raise ValueError(f"{name} must be one of {', '.join(CHOICES[name])}")
        return value
    if name == "events":
        every = (*EVENTS, *SELDOM_WANTED)
        if not isinstance(value, list | tuple) or not set(value) <= set(every):
            raise ValueError(f"events must be a list out of {', '.join(every)}")
        return tuple(event for event in every if event in value)
    if isinstance(old, bool):
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= SECONDS_MAX:
        raise ValueError(f"{name} must be a number from 0 to {SECONDS_MAX:.0f}")
    if isinstance(old, int):
        if value != int(value):
            raise ValueError(f"{name} must be a whole number")
        return int(value)
    return float(value)


class SwitchBoard:
    """The switches of this process, written through to the database."""

    def __init__(self) -> None:
        self.current = Switches()
        self._lock = threading.Lock()

    def load(self, conn: Connection) -> None:
        """Take what was stored, but for switches that this version has no more. Raises ValueError for a value it does not understand."""
        stored = conn.execute(text("SELECT value FROM sandbox.setting WHERE name = 'switches'")).scalar() or {}
        known = {one.name for one in fields(Switches)}
        self.current = changed(Switches(), {name: value for name, value in stored.items() if name in known})

    def change(self, conn: Connection, values: dict[str, Any]) -> Switches:
        """Replace some switches and store them all. The caller commits."""
        with self._lock:
            new = changed(self.current, values)
            store(conn, "switches", asdict(new))
            self.current = new
            return new


def store(conn: Connection, name: str, value: Any) -> None:
    """Keep a value across restarts. The caller commits."""
    conn.execute(
        text(
            "INSERT INTO sandbox.setting (name, value) VALUES (:name, CAST(:value AS jsonb)) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        ),
        {"name": name, "value": json.dumps(value)},
    )
