"""Faults by switch: for the next n requests of an operation the wire, the gateway or the provider misbehaves.

A fault is met at most as often as it was set, also across a restart: each hit is committed before the fault happens.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

# What the fault does, and whether the request is carried out
NOT_DONE = {
    "drop_before_commit": "the connection is cut, nothing was done",
    "5xx_before": "500, nothing was done",
    "html_502_before": "an HTML page with 502, nothing was done",
    "429": "throttled, nothing was done",
    "unauthorized": "401, as with a wrong key",
    "ip_refused": "400, as from an address that is not on the list",
    "delayed_commit": "the connection is cut; the payout is made `seconds` later, after the client has looked for it in vain",
}
DONE = {
    "drop_after_commit": "the connection is cut after it was done",
    "5xx_after": "500 after it was done",
    "html_502": "an HTML page with 502 after it was done",
    "truncated_200": "200 with the first half of the answer",
    "cut_200": "200, and the connection is cut in the middle of the answer",
    "slow": "done at once, answered after `seconds`",
}
ON_WEBHOOKS = {
    "webhook_lost": "the event is never sent",
    "webhook_duplicated": "the event is sent twice",
    "webhook_late": "the event is put aside for `seconds`; later ones overtake it",
}
KINDS = {**NOT_DONE, **DONE, **ON_WEBHOOKS}

OPERATIONS = (
    "payout.create",
    "payout.get",
    "payout.list",
    "payout.cancel",
    "contact.create",
    "fund_account.create",
    "validation.create",
    "validation.get",
    "transaction.list",
    "balance.list",
    "webhook",
)
DEFAULT_SECONDS = 30.0  # longer than a client should wait
COUNT_MAX = 1_000_000


@dataclass
class Fault:
    """A fault that waits for its victims. `reference_id` None: whichever request comes."""

    seq: int
    kind: str
    operation: str
    reference_id: str | None
    remaining: int
    seconds: float

    def fits(self, operation: str, reference_id: str | None) -> bool:
        return self.operation == operation and self.remaining > 0 and self.reference_id in (None, reference_id)


def check(values: Mapping[str, Any]) -> dict[str, Any]:
    """A fault as asked for at the control surface. Raises ValueError saying what is wrong."""
    unknown = set(values) - {"kind", "operation", "reference_id", "count", "seconds"}
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))}: a fault has kind, operation, reference_id, count, seconds")
    kind = values.get("kind")
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    operation = values.get("operation") or ("webhook" if kind in ON_WEBHOOKS else "payout.create")
    if operation not in OPERATIONS:
        raise ValueError(f"operation must be one of {', '.join(OPERATIONS)}")
    if (kind in ON_WEBHOOKS) != (operation == "webhook"):
        raise ValueError(f"{kind} does not happen to {operation}")
    if kind == "delayed_commit" and operation != "payout.create":
        raise ValueError("only payout.create can be committed late")
    count, seconds = values.get("count", 1), values.get("seconds", DEFAULT_SECONDS)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= COUNT_MAX:
        raise ValueError(f"count must be from 1 to {COUNT_MAX}")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= 366 * 86_400:
        raise ValueError("seconds must be from 0 to a year")
    reference_id = values.get("reference_id")
    if reference_id is not None and not isinstance(reference_id, str):
        raise ValueError("reference_id must be a string")
    return {"kind": kind, "operation": operation, "reference_id": reference_id, "remaining": count, "seconds": float(seconds)}


class Faults:
    """The faults of this process, kept in memory for speed and in the database for good."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def load(self, conn: Connection) -> None:
        """Take what is stored, in the order it was set."""
        statement = text(
            "SELECT seq, kind, operation, reference_id, remaining, seconds FROM sandbox.fault WHERE remaining > 0 ORDER BY seq LIMIT 1000"
        )
        with self._lock:
            self._waiting = [Fault(**row) for row in conn.execute(statement).mappings()]

    def add(self, conn: Connection, values: Mapping[str, Any], now: datetime) -> Fault:
        """Set a fault; it applies once the caller has committed and called `load`."""
        row = conn.execute(
            text(
                "INSERT INTO sandbox.fault (kind, operation, reference_id, remaining, seconds, created_at) "
                "VALUES (:kind, :operation, :reference_id, :remaining, :seconds, :now) "
                "RETURNING seq, kind, operation, reference_id, remaining, seconds"
            ),
            {**check(values), "now": now},
        )
        return Fault(**row.mappings().one())

    def clear(self, conn: Connection) -> int:
        """Forget every waiting fault; how many there were. The caller commits and calls `load`."""
        return conn.execute(text("UPDATE sandbox.fault SET remaining = 0 WHERE remaining > 0")).rowcount

    def waiting(self, operation: str) -> bool:
        """Whether any fault waits for this operation: cheap, asked for each request."""
        return any(fault.operation == operation and fault.remaining > 0 for fault in self._waiting)

    def take(self, engine: Engine, operation: str, reference_id: str | None, key: str | None, now: datetime) -> Fault | None:
        """The fault that this request meets, if any, counted down and committed."""
        with self._lock:
            fault = next((one for one in self._waiting if one.fits(operation, reference_id)), None)
            if fault is None:
                return None
            with engine.begin() as conn:
                conn.execute(
                    text("UPDATE sandbox.fault SET remaining = remaining - 1 WHERE seq = :seq AND remaining > 0"), {"seq": fault.seq}
                )
                conn.execute(
                    text(
                        "INSERT INTO sandbox.fault_hit (fault_seq, kind, operation, idempotency_key, reference_id, created_at) "
                        "VALUES (:seq, :kind, :operation, :key, :reference_id, :now)"
                    ),
                    {
                        "seq": fault.seq,
                        "kind": fault.kind,
                        "operation": operation,
                        "key": key,
                        "reference_id": reference_id,
                        "now": now,
                    },
                )
            fault.remaining -= 1
            return fault
