"""A reconciliation run against the real sandbox: what agrees is counted, what does not is named."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

import queries
from pipeline.errors import AppError
from pipeline.payouts.reconcile import reconcile, reconcile_weekly
from pipeline.runtime import Runtime
from tests.integration.payout_house import House, open_house


@pytest.fixture(scope="module")
def house(rt: Runtime) -> Iterator[House]:
    with open_house(rt) as opened:
        yield opened


def test_what_agrees_matches_and_everything_else_is_named(house: House) -> None:
    started = house.clock.now()
    house.deaf = True  # what the provider does below, it tells nobody
    ids = house.captured(*[house.teacher() for _ in range(4)], house.teacher(vpa="fails.bank.rejected@sandbox"))
    house.run()
    house.sandbox.settle()
    house.move_clock(house.clock.now() + timedelta(minutes=5))
    house.run()
    assert [house.report(one).status for one in ids] == ["RESOLVED"] * 4 + ["PAYOUT_FAILED"]
    reversed_id, vanished_id = ids[0], ids[1]
    house.sandbox.post(f"payouts/{house.attempts(reversed_id)[0].provider_payout_id}", status="reversed")
    fund_account = house.one(
        "SELECT f.provider_fund_account_id AS id FROM payout.attempt a "
        "JOIN payout.fund_account f ON f.id = a.fund_account_id WHERE a.id = :id",
        id=house.attempts(vanished_id)[0].id,
    ).id
    body = {"account_number": "7878780080316316", "fund_account_id": fund_account, "amount": 777, "currency": "INR", "mode": "UPI"}
    answer = httpx.post(
        f"{house.sandbox.url}/v1/payouts",
        json=body | {"purpose": "payout", "reference_id": "SOMEBODY-ELSE"},
        headers={"X-Payout-Idempotency": "somebody-else"},
        auth=("rzp_test_sandbox", "sandbox-key-secret"),
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    house.execute(
        "UPDATE payout.attempt SET provider_payout_id = 'pout_00000000000000' WHERE id = :id", id=house.attempts(vanished_id)[0].id
    )
    now = started + timedelta(hours=12)
    house.move_clock(now)
    run = reconcile(house.rt, house.people.admin, started - timedelta(hours=1), now, now)
    assert run.counts == {
        "MATCHED": 3,  # two paid, one failed
        "REVERSED_AFTER_SETTLED": 1,
        "MISSING_AT_PROVIDER": 1,
        "MISSING_IN_LEDGER": 2,  # somebody else's, and the one that we no longer know
    }
    assert (run.ours, run.theirs, run.exceptions) == (5, 6, 4)
    with house.rt.database.begin(house.people.admin.scope) as conn:
        items = queries.rows(conn, "payouts.run_items", run_id=run.id, kind=None, limit=50, offset=0)
        (shown,) = queries.rows(conn, "payouts.runs", limit=10)
        kinds = {row.kind: row.found for row in queries.rows(conn, "payouts.run_kinds", run_id=run.id)}
    assert (shown.id, shown.matched, shown.exceptions) == (run.id, 3, 4)
    assert kinds == {"MISSING_AT_PROVIDER": 1, "MISSING_IN_LEDGER": 2, "REVERSED_AFTER_SETTLED": 1}
    back = next(item for item in items if item.kind == "REVERSED_AFTER_SETTLED")
    assert (back.field, back.ours, back.theirs) == ("status", "processed", "reversed")
    assert back.age_s == 12 * 3600
    assert "correct the address" in back.next_step
    house.deaf = False


def test_more_payouts_than_a_page_are_all_found(house: House) -> None:
    started = house.clock.now() + timedelta(days=40)
    house.move_clock(started)
    teachers = [house.teacher() for _ in range(25)]
    house.captured(*(teachers * 5))
    house.to_the_end()
    now = house.clock.now() + timedelta(hours=1)
    run = reconcile(house.rt, house.people.admin, started - timedelta(minutes=1), now, now)
    assert run.counts == {"MATCHED": 125}


def test_the_weekly_run_covers_every_state_once_a_week(house: House) -> None:
    now = house.clock.now() + timedelta(days=60)
    house.move_clock(now)
    first = reconcile_weekly(house.rt, now)
    assert sorted(run.tenant_id for run in first) == ["dj", "ncr"]
    assert reconcile_weekly(house.rt, now + timedelta(days=6)) == []
    house.sandbox.fault("5xx_before", operation="payout.list", count=2)
    assert reconcile_weekly(house.rt, now + timedelta(days=7)) == [], "a provider that is away is tried again later"
    assert len(reconcile_weekly(house.rt, now + timedelta(days=7, hours=1))) == 2


def test_reconciling_is_for_state_admins_and_for_a_year_at_most(house: House) -> None:
    now = house.clock.now()
    with pytest.raises(AppError) as caught:
        reconcile(house.rt, house.people.district_admin, now - timedelta(days=1), now, now)
    assert caught.value.code == "SDCRS_FORBIDDEN"
    with pytest.raises(AppError) as caught:
        reconcile(house.rt, house.people.admin, now - timedelta(days=401), now, now)
    assert caught.value.code == "SDCRS_INVALID_REQUEST"
