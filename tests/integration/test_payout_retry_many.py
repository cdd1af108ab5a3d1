"""Retrying many payouts, and trying it out first, on a real Postgres: nothing changes before, each chunk stands alone after."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from pipeline.errors import AppError
from pipeline.payouts import commands, retry_many
from pipeline.payouts.retry_many import try_out
from tests import factories
from tests.integration.payout_house import open_house

FAILS = "fails.bank.rejected@sandbox"
BOOKS = ("payout.payout", "payout.attempt", "payout.ledger", "payout.monthly_cap", "sdcrs.report", "sdcrs.report_history", "packet.log")


@pytest.fixture(scope="module")
def house(rt):
    with open_house(rt) as opened:
        yield opened


@pytest.fixture(autouse=True)
def next_day(house):
    """How many reports a teacher may send a day is another room's rule."""
    house.move_clock(house.clock.now() + timedelta(days=1))


def failed(house, number, vpa=FAILS):
    """Failed payouts of as many teachers, in the order of their age."""
    ids = house.captured(*[house.teacher(vpa=vpa) for _ in range(number)])
    house.to_the_end()
    assert {house.report(one).status for one in ids} == {"PAYOUT_FAILED"}
    return ids


def books(house):
    return [(table, house.all(f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {table} t")) for table in BOOKS]


def codes(results):
    return [None if one.error is None else one.error.code for one in results]


def test_what_is_tried_out_tells_each_payout_and_changes_nothing(house):
    good, exhausted, frozen = failed(house, 3)
    house.execute("UPDATE payout.payout SET retry_count = 3 WHERE report_id = :id", id=exhausted)
    house.execute(
        "UPDATE payout.attempt SET number = 3 WHERE payout_id = (SELECT id FROM payout.payout WHERE report_id = :id)", id=exhausted
    )
    house.execute(
        "UPDATE access.account SET standing = 'BAN', standing_reason = 'test' WHERE id = :id", id=house.report(frozen).reporter_id
    )
    before = books(house)
    results = try_out(house.rt, house.people.admin, [good, exhausted, frozen, uuid4()], house.clock.now())
    assert codes(results) == [None, "SDCRS_RETRIES_EXHAUSTED", "SDCRS_PAYOUT_FROZEN", "SDCRS_NOT_FOUND"]
    assert (results[0].retry_count, results[0].amount_paise) == (1, 50_000)
    assert results[0].report_number == house.report(good).report_number
    assert books(house) == before
    assert retry_many.retry_many(house.rt, house.people.admin, [good], house.clock.now())[0].ok
    assert house.payout(good).retry_count == 1


def test_the_limit_of_a_teacher_is_used_up_across_chunks_also_when_only_tried_out(house, monkeypatch):
    monkeypatch.setattr(retry_many, "MAX_RETRIED", 1)
    teacher = house.teacher(vpa=FAILS)
    first, second = house.captured(teacher, teacher)
    house.to_the_end()
    house.execute(
        "UPDATE payout.monthly_cap SET reserved_paise = 450000, cap_paise = 500000 WHERE beneficiary_id = :id", id=teacher.account_id
    )
    assert codes(try_out(house.rt, house.people.admin, [first, second], house.clock.now())) == [None, "SDCRS_MONTHLY_CAP_REACHED"]
    house.execute("UPDATE payout.monthly_cap SET reserved_paise = 0 WHERE beneficiary_id = :id", id=teacher.account_id)
    assert codes(try_out(house.rt, house.people.admin, [first, second], house.clock.now())) == [None, None]


def test_a_chunk_that_fails_takes_no_other_with_it(house, monkeypatch):
    monkeypatch.setattr(retry_many, "MAX_RETRIED", 2)
    ids = failed(house, 5)
    real, calls = commands.retry, []

    def breaking(conn, *args, **kwargs):
        calls.append(args)
        answer = real(conn, *args, **kwargs)
        if len(calls) == 2:
            conn.execute(text("SELECT 1 / 0"))
        return answer

    monkeypatch.setattr(commands, "retry", breaking)
    results = retry_many.retry_many(house.rt, house.people.admin, ids, house.clock.now())
    assert codes(results) == [None, None, "SDCRS_INTERNAL", "SDCRS_INTERNAL", None]
    assert [one.report_id for one in results] == ids
    assert [house.payout(one).retry_count for one in ids] == [1, 1, 0, 0, 1]
    assert len(calls) == 3


def test_a_chunk_that_fails_while_tried_out_leaves_the_others_told_and_nothing_changed(house, monkeypatch):
    monkeypatch.setattr(retry_many, "MAX_RETRIED", 1)
    ids = failed(house, 3)
    real, calls = commands.retry, []

    def breaking(conn, *args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            conn.execute(text("SELECT 1 / 0"))
        return real(conn, *args, **kwargs)

    before = books(house)
    monkeypatch.setattr(commands, "retry", breaking)
    assert codes(try_out(house.rt, house.people.admin, ids, house.clock.now())) == [None, "SDCRS_INTERNAL", None]
    assert books(house) == before


def test_the_same_payout_named_twice_is_retried_once(house):
    (report_id,) = failed(house, 1)
    assert len(retry_many.retry_many(house.rt, house.people.admin, [report_id, report_id], house.clock.now())) == 1
    assert house.payout(report_id).retry_count == 1


def test_a_corrected_address_is_checked_and_kept_by_nobody_when_only_tried_out(house):
    (report_id,) = failed(house, 1)
    admin, now = house.people.admin, house.clock.now()
    with pytest.raises(AppError) as caught:
        try_out(house.rt, admin, [report_id], now, "no address")
    assert caught.value.code == "SDCRS_INVALID_VPA"
    assert try_out(house.rt, admin, [report_id], now, "amina@okaxis")[0].ok
    teacher = house.report(report_id).reporter_id
    with house.rt.database.begin(admin.scope) as conn:
        assert house.rt.vault.get(conn, [teacher], ["vpa"])[teacher]["vpa"] == FAILS


def test_only_a_state_admin_tries_or_sends_and_at_most_a_thousand(house):
    now = house.clock.now()
    for act in (try_out, retry_many.retry_many):
        for person in (house.people.district_admin, house.people.auditor):
            with pytest.raises(AppError) as caught:
                act(house.rt, person, [uuid4()], now)
            assert caught.value.code == "SDCRS_FORBIDDEN"
        for ids in ([], [uuid4() for _ in range(retry_many.MAX_AT_ONCE + 1)]):
            with pytest.raises(AppError) as caught:
                act(house.rt, house.people.admin, ids, now)
            assert caught.value.code == "SDCRS_INVALID_REQUEST"


def test_another_states_admin_retries_nothing(house):
    (report_id,) = failed(house, 1)
    stranger = factories.account(house.rt, f"ADM{uuid4().hex[:6]}", "STATE_ADMIN", tenant_id="ncr")
    (result,) = retry_many.retry_many(house.rt, stranger, [report_id], house.clock.now())
    assert (codes([result]), result.amount_paise, result.report_number) == (["SDCRS_NOT_FOUND"], 0, None)
    assert house.payout(report_id).retry_count == 0
