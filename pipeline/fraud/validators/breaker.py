"""The circuit breaker: a service that fails again and again is left alone for a while, by every process.

Closed, calls go out and failures in a row are counted. At the threshold it opens: nobody calls until its time is over.
Then one call goes out as a probe: its success closes the breaker, its failure opens it anew. The state is a row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, text

from pipeline.masterdata.fraud_models import CircuitBreaker

Gate = Literal["CLOSED", "OPEN", "PROBE", "PROBING"]

_READ = text("""
    SELECT breaker, failures, open_until, probe_until, trouble FROM fraud.validator_breaker
    WHERE breaker = ANY (:breakers) ORDER BY breaker FOR UPDATE
""")
_ENSURE = text(
    "INSERT INTO fraud.validator_breaker (breaker, changed_at) SELECT unnest(CAST(:breakers AS text[])), :now ON CONFLICT DO NOTHING"
)
_WRITE = text("""
    UPDATE fraud.validator_breaker
    SET failures = :failures, open_until = :open_until, probe_until = :probe_until, trouble = :trouble, changed_at = :now
    WHERE breaker = :breaker
""")


@dataclass(frozen=True)
class Breaker:
    """`open_until` None: closed. `probe_until`: a probe is under way, at the longest until then. `trouble`: the last failure."""

    failures: int = 0
    open_until: datetime | None = None
    probe_until: datetime | None = None
    trouble: str | None = None


@dataclass(frozen=True)
class Heard:
    """One call's end. `trouble` None: the service is well."""

    breaker: str
    config: CircuitBreaker
    trouble: str | None
    probe: bool


def gate(state: Breaker, now: datetime) -> Gate:
    """What the next call may do."""
    if state.open_until is None:
        return "CLOSED"
    if state.open_until > now:
        return "OPEN"
    return "PROBING" if state.probe_until is not None and state.probe_until > now else "PROBE"


def after(state: Breaker, heard: Heard, now: datetime) -> Breaker:
    """The state after a call. While it is open only a probe's word counts: others were sent before it opened."""
    if state.open_until is not None and not heard.probe:
        return state
    if heard.trouble is None:
        return Breaker()
    failures = state.failures + 1
    if heard.probe or failures >= heard.config.failure_threshold:
        return Breaker(failures, now + timedelta(milliseconds=heard.config.reset_timeout_ms), None, heard.trouble)
    return Breaker(failures, None, None, heard.trouble)


def locked(conn: Connection, breakers: Iterable[str]) -> dict[str, Breaker]:
    """The states of these breakers, locked until the transaction ends. One that never failed has no row: it is closed."""
    asked = sorted(set(breakers))
    rows = conn.execute(_READ, {"breakers": asked}) if asked else ()
    return {row.breaker: Breaker(row.failures, row.open_until, row.probe_until, row.trouble) for row in rows}


def write(conn: Connection, states: Mapping[str, Breaker], now: datetime) -> None:
    """Store states of locked breakers. Does not commit."""
    if states:
        conn.execute(
            _WRITE,
            [
                {
                    "breaker": breaker,
                    "failures": state.failures,
                    "open_until": state.open_until,
                    "probe_until": state.probe_until,
                    "trouble": state.trouble,
                    "now": now,
                }
                for breaker, state in states.items()
            ],
        )


def note(conn: Connection, heard: Sequence[Heard], unasked_probes: Iterable[str], now: datetime) -> None:
    """Take in how calls ended. A probe that was never made leaves its place to the next. Does not commit."""
    released = set(unasked_probes)
    failing = {one.breaker for one in heard if one.trouble is not None}
    known = locked(conn, {one.breaker for one in heard} | released)
    missing = sorted(failing - known.keys())
    if missing:
        conn.execute(_ENSURE, {"breakers": missing, "now": now})
        known |= locked(conn, missing)
    states = dict(known)
    for name in released & known.keys():
        states[name] = replace(known[name], probe_until=None)
    for one in heard:
        if one.breaker in states:  # one that never failed needs no row to say so
            states[one.breaker] = after(states[one.breaker], one, now)
    write(conn, {name: state for name, state in states.items() if state != known[name]}, now)
