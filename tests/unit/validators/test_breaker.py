"""The circuit breaker as a table: state, what is heard, state after."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.fraud.validators.breaker import Breaker, Heard, after, gate
from pipeline.masterdata.fraud_models import CircuitBreaker

NOW = datetime(2026, 3, 10, 7, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CONFIG = CircuitBreaker(failureThreshold=3, resetTimeoutMs=60_000)
CLOSED = Breaker()
TWICE = Breaker(2, trouble="late")
OPEN = Breaker(3, NOW + MINUTE, trouble="late")
DUE = Breaker(3, NOW - MINUTE, trouble="late")
PROBED = Breaker(3, NOW - MINUTE, NOW + MINUTE, "late")
LOST = Breaker(3, NOW - 2 * MINUTE, NOW - MINUTE, "late")


@pytest.mark.parametrize(
    ("state", "expected"), [(CLOSED, "CLOSED"), (TWICE, "CLOSED"), (OPEN, "OPEN"), (DUE, "PROBE"), (PROBED, "PROBING"), (LOST, "PROBE")]
)
def test_the_gate(state, expected):
    assert gate(state, NOW) == expected


TABLE = [
    # state, a failure?, of a probe?, state after
    (CLOSED, None, False, CLOSED),
    (CLOSED, "down", False, Breaker(1, trouble="down")),
    (TWICE, None, False, CLOSED),
    (TWICE, "down", False, Breaker(3, NOW + MINUTE, None, "down")),
    (OPEN, None, False, OPEN),  # sent before it opened
    (OPEN, "down", False, OPEN),
    (PROBED, None, True, CLOSED),
    (PROBED, "down", True, Breaker(4, NOW + MINUTE, None, "down")),
    (PROBED, None, False, PROBED),
    (CLOSED, "down", True, Breaker(1, NOW + MINUTE, None, "down")),
]


@pytest.mark.parametrize(("state", "trouble", "probe", "expected"), TABLE)
def test_after_a_call(state, trouble, probe, expected):
    assert after(state, Heard("x", CONFIG, trouble, probe), NOW) == expected


def test_two_probes_cannot_follow_from_one_opening():
    assert gate(after(DUE, Heard("x", CONFIG, "down", True), NOW), NOW) == "OPEN"
