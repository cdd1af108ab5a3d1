"""Ranks, reasons and polling times: forward only, retried only where the provider says so, asked for until it is over."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from pipeline.payouts import polling
from pipeline.payouts.reasons import advice_for
from pipeline.payouts.sandbox.outcomes import REASONS
from pipeline.payouts.states import DEAD, RANKS, effect_of

# what we knew, what is seen, does the attempt count, does the obligation wait, is it paid by this attempt -> what follows
EFFECTS = [
    (None, "queued", True, True, False, "UNDER_WAY"),
    (None, "processing", True, True, False, "UNDER_WAY"),
    (None, "processed", True, True, False, "PAID"),
    ("queued", "processing", True, True, False, "UNDER_WAY"),
    ("processing", "queued", True, True, False, "LATE"),
    ("processing", "processing", True, True, False, "LATE"),
    ("processing", "processed", True, True, False, "PAID"),
    ("processing", "failed", True, True, False, "FAILED"),
    ("processing", "cancelled", True, True, False, "FAILED"),
    ("processing", "rejected", True, True, False, "FAILED"),
    ("processing", "reversed", True, True, False, "FAILED"),
    ("processed", "reversed", True, False, True, "REVERSED"),
    ("processed", "processing", True, False, True, "LATE"),
    ("processed", "processed", True, False, True, "LATE"),
    ("processed", "failed", True, False, True, "CONFLICT"),
    ("failed", "processed", True, False, False, "CONFLICT"),
    ("failed", "cancelled", True, False, False, "LATE"),
    ("failed", "reversed", True, False, False, "NOTED"),
    ("reversed", "processed", True, False, False, "LATE"),
    ("reversed", "failed", True, False, False, "LATE"),
    # an older attempt, or one that was refused, or an obligation settled by hand
    ("processing", "failed", False, True, False, "NOTED"),
    ("processing", "reversed", False, True, False, "NOTED"),
    ("processing", "processed", False, True, False, "CONFLICT"),
    (None, "processing", False, True, False, "CONFLICT"),
    (None, "processed", False, False, False, "CONFLICT"),
    # a person found out before the provider told us
    (None, "processing", True, False, True, "NOTED"),
    (None, "processed", True, False, True, "NOTED"),
]


@pytest.mark.parametrize(("known", "status", "counts", "open_", "paid", "effect"), EFFECTS)
def test_what_follows_from_a_sighting(known: str | None, status: str, counts: bool, open_: bool, paid: bool, effect: str) -> None:
    found = effect_of(status=status, known_status=known, known_rank=RANKS.get(known or "", 0), counts=counts, open_=open_, paid_by_it=paid)
    assert found == effect


def test_in_whatever_order_events_come_money_moves_as_if_they_came_in_theirs() -> None:
    for order in permutations(["queued", "processing", "processed", "reversed"]):
        known, rank, state = None, 0, "open"
        for status in sorted(order, key=lambda one: RANKS[one]):  # the door sorts a batch
            effect = effect_of(
                status=status, known_status=known, known_rank=rank, counts=True, open_=state == "open", paid_by_it=state == "paid"
            )
            assert effect not in ("CONFLICT", "LATE")
            state = {"PAID": "paid", "FAILED": "failed", "REVERSED": "failed"}.get(effect, state)
            known, rank = status, RANKS[status]
        assert state == "failed"


def test_each_reason_of_the_sandbox_is_documented_or_left_to_an_admin() -> None:
    retried = {reason for reason in REASONS if advice_for(reason).retry}
    assert retried == {
        "beneficiary_bank_offline",
        "beneficiary_psp_offline",
        "beneficiary_bank_failure",
        "npci_beneficiary_timeout",
        "gateway_down",
        "insufficient_funds",
    }
    for reason in ("beneficiary_vpa_invalid", "bank_account_frozen", "server_error", "sandbox_unlisted_reason", None, "cancelled"):
        assert not advice_for(reason).retry
        assert advice_for(reason).next_step


MONDAY = datetime(2026, 3, 9, 6, 0, tzinfo=UTC)


def test_polls_grow_rarer_and_end() -> None:
    at = polling.first_poll_at(RANKS["processing"], "processing", MONDAY)
    assert at == MONDAY + timedelta(minutes=2)
    gaps = [polling.next_poll_at(RANKS["processing"], polls, MONDAY, MONDAY) for polls in range(1, 9)]
    minutes = [(gap - MONDAY).total_seconds() / 60 for gap in gaps if gap is not None]
    assert minutes == [3, 5, 10, 30, 60, 180, 180, 180]
    assert polling.first_poll_at(RANKS["processed"], "processed", MONDAY) == MONDAY + timedelta(days=1)
    assert polling.next_poll_at(RANKS["processed"], 6, MONDAY, MONDAY + timedelta(days=6)) is not None
    assert polling.next_poll_at(RANKS["processed"], 7, MONDAY, MONDAY + timedelta(days=7)) is None
    for status in DEAD:
        assert polling.first_poll_at(RANKS[status], status, MONDAY) is None


STUCK = [
    (MONDAY, MONDAY + timedelta(days=3), False),
    (MONDAY, MONDAY + timedelta(days=4), True),
    (MONDAY + timedelta(days=4), MONDAY + timedelta(days=9), False),  # Friday to Wednesday: three working days
    (MONDAY + timedelta(days=4), MONDAY + timedelta(days=10), True),
]


@pytest.mark.parametrize(("accepted_at", "at", "stuck"), STUCK)
def test_a_payout_is_stuck_after_three_working_days(accepted_at: datetime, at: datetime, stuck: bool) -> None:
    assert polling.is_stuck(RANKS["processing"], accepted_at, at) is stuck
    assert not polling.is_stuck(RANKS["processed"], accepted_at, at)


@pytest.mark.parametrize("hours", range(0, 24 * 14, 7))
def test_the_bound_for_a_statement_is_the_same_rule(hours: int) -> None:
    at = MONDAY + timedelta(days=20, hours=hours, minutes=30)
    bound = polling.stuck_before(at)
    for earlier in range(0, 24 * 12, 3):
        accepted_at = at - timedelta(hours=earlier)
        assert (accepted_at < bound) is polling.is_stuck(RANKS["processing"], accepted_at, at)
    assert polling.is_stuck(RANKS["processing"], bound - timedelta(microseconds=1), at)
    assert not polling.is_stuck(RANKS["processing"], bound, at)


def test_an_empty_look_is_not_repeated_within_a_second_unless_the_clock_was_moved() -> None:
    pace = polling.Pace()
    assert not pace.rests(MONDAY)
    assert pace.found(3, MONDAY) == 3
    assert not pace.rests(MONDAY)
    assert pace.found(0, MONDAY) == 0
    assert pace.rests(MONDAY + timedelta(milliseconds=999))
    assert not pace.rests(MONDAY + timedelta(seconds=1))
    assert not pace.rests(MONDAY - timedelta(days=1))
