"""A captured report becomes a settled payout, over a real Postgres and the real sandbox."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.jobs.failures import MAX_ATTEMPTS
from pipeline.payouts import commands
from pipeline.runtime import Runtime
from tests import factories
from tests.integration.payout_house import House, open_house

TABLES = ("payout.payout", "payout.attempt", "payout.ledger", "payout.monthly_cap", "sdcrs.report", "sdcrs.report_history", "packet.log")


@pytest.fixture(scope="module")
def house(rt: Runtime) -> Iterator[House]:
    with open_house(rt) as opened:
        yield opened


def retry(house: House, report_ids: list, vpa: str | None = None) -> list[commands.Retried]:
    admin = house.people.admin
    with house.rt.database.begin(admin.scope) as conn:
        return commands.retry(conn, house.rt.masterdata.current(), house.rt.vault, admin, report_ids, house.clock.now(), vpa)


def test_a_capture_is_paid_and_the_report_resolved(house: House) -> None:
    (report_id,) = house.captured(house.teacher())
    house.run()
    assert house.report(report_id).status == "PAYOUT_PENDING"
    house.sandbox.settle()
    house.run()
    report, payout, (attempt,) = house.report(report_id), house.payout(report_id), house.attempts(report_id)
    assert (report.status, report.payout_status, report.payout_amount_paise) == ("RESOLVED", "SUCCESS", 50_000)
    assert report.utr == payout.utr == attempt.utr is not None
    assert (payout.status, attempt.phase, attempt.provider_status, attempt.sends) == ("COMPLETED", "ACCEPTED", "processed", 1)
    assert attempt.reference_id == attempt.idempotency_key == f"SDCRS-{report.report_number}"
    assert house.ledger(report_id) == [("RESERVE", 50_000), ("SETTLE", 50_000)]
    packets = house.packets(report_id)
    for packet in ("07/01", "07/02", "08/01", "08/02", "08/03", "08/04", "08/05", "08/06", "08/07", "08/09", "09/01", "09/02"):
        assert packets.count(packet) == 1, (packet, packets)
    house.check_money()


def test_stored_bodies_hold_no_personal_value_and_the_request_is_kept_to_the_byte(house: House) -> None:
    teacher = house.teacher(vpa="private.address@okaxis")
    (report_id,) = house.captured(teacher)
    house.to_the_end()
    bodies = {
        row.packet: row.body
        for row in house.all("SELECT packet, body FROM packet.log WHERE subject_id = :id AND body IS NOT NULL", id=report_id)
    }
    assert {"08/01", "08/02", "08/03", "08/04", "08/06", "08/07"} <= set(bodies)
    written = json.dumps(bodies)
    for personal in ("private.address", "9876543210", teacher.username, "7878780080316316"):
        assert personal not in written, personal
    assert bodies["08/01"]["request"]["name"] == {"$person": str(teacher.account_id), "field": "name"}
    (attempt,) = house.attempts(report_id)
    sent = house.rt.vault.unseal("payout.request", attempt.reference_id, attempt.request_sealed)
    (theirs,) = house.sandbox.of(attempt.reference_id)
    keys = {key["key"]: key for key in house.sandbox.get("journal/keys", limit=1000)["items"]}
    import hashlib

    assert keys[attempt.idempotency_key]["body_sha256"] == hashlib.sha256(sent).hexdigest()
    assert json.loads(sent)["notes"]["tenant_id"] == factories.VILLE
    assert theirs["amount_paise"] == 50_000


def test_contact_and_fund_account_are_reused(house: House) -> None:
    teacher = house.teacher()
    first, second = house.captured(teacher, teacher)
    house.to_the_end()
    (third,) = house.captured(teacher)
    house.to_the_end()
    assert {house.report(one).status for one in (first, second, third)} == {"RESOLVED"}
    contacts = [one for one in house.sandbox.get("journal/contacts", limit=1000)["items"] if one["reference_id"] == str(teacher.account_id)]
    assert len(contacts) == 1
    assert len({house.attempts(one)[0].fund_account_id for one in (first, second, third)}) == 1
    exchanges = [p for one in (first, second, third) for p in house.packets(one) if p in ("08/01", "08/02")]
    assert sorted(exchanges) == ["08/01", "08/02"]


def test_a_wrong_address_fails_and_a_corrected_one_is_paid_as_retry_one(house: House) -> None:
    teacher = house.teacher(vpa="fails.vpa.invalid@sandbox")
    (report_id,) = house.captured(teacher)
    house.to_the_end()
    report, payout = house.report(report_id), house.payout(report_id)
    assert (report.status, report.payout_status, report.payout_failure_reason) == ("PAYOUT_FAILED", "FAILED", "Invalid beneficiary VPA")
    assert (payout.status, payout.failure_reason, payout.next_retry_at) == ("FAILED", "beneficiary_vpa_invalid", None)
    assert {"08/08", "09/04", "09/05"} <= set(house.packets(report_id))

    (result,) = retry(house, [report_id], vpa=" corrected@okaxis ")
    assert result.ok
    assert result.retry_count == 1
    assert house.report(report_id).payout_status == "RETRY_INITIATED"
    assert {"09/07", "09/08"} <= set(house.packets(report_id))
    house.to_the_end()
    report, (first, second) = house.report(report_id), house.attempts(report_id)
    assert (report.status, report.retry_count, report.payout_status) == ("RESOLVED", 1, "SUCCESS")
    assert second.reference_id == second.idempotency_key == f"{first.reference_id}-R1"
    assert second.fund_account_id != first.fund_account_id
    with house.rt.database.begin(house.people.admin.scope) as conn:
        assert house.rt.vault.get(conn, [teacher.account_id], ["vpa"])[teacher.account_id]["vpa"] == "corrected@okaxis"
    assert house.ledger(report_id) == [("RESERVE", 50_000), ("RELEASE", 50_000), ("RESERVE", 50_000), ("SETTLE", 50_000)]
    audits = house.all("SELECT action FROM audit.event WHERE subject_id = :id", id=str(teacher.account_id))
    assert [row.action for row in audits] == ["VPA_CORRECTED"]
    house.check_money()


def test_a_passing_fault_is_tried_again_by_itself_an_hour_later(house: House) -> None:
    (report_id,) = house.captured(house.teacher(vpa="fails.once@sandbox"))
    house.to_the_end()
    payout = house.payout(report_id)
    assert payout.status == "FAILED"
    assert payout.next_retry_at == house.clock.now() + timedelta(minutes=60)
    house.move_clock(house.clock.now() + timedelta(minutes=59))
    house.run()
    assert house.report(report_id).status == "PAYOUT_FAILED"
    house.move_clock(house.clock.now() + timedelta(minutes=1))
    house.run()
    assert house.report(report_id).status == "PAYOUT_PENDING"
    house.to_the_end()
    assert house.report(report_id).status == "RESOLVED"
    retried = next(row for row in house.history(report_id) if row.action == "RETRY_PAYOUT")
    assert (retried.actor_role, retried.comment) == ("SYSTEM", "Tried again by itself")


def test_the_fourth_retry_is_refused(house: House) -> None:
    (report_id,) = house.captured(house.teacher(vpa="fails.bank.rejected@sandbox"))
    house.to_the_end()
    for number in (1, 2, 3):
        assert retry(house, [report_id])[0].retry_count == number
        house.to_the_end()
    (result,) = retry(house, [report_id])
    assert result.error is not None
    assert result.error.code == "SDCRS_RETRIES_EXHAUSTED"
    assert [attempt.number for attempt in house.attempts(report_id)] == [0, 1, 2, 3]
    assert len({attempt.idempotency_key for attempt in house.attempts(report_id)}) == 4


def test_a_bulk_retry_answers_for_each(house: House) -> None:
    paid, failed = house.captured(house.teacher(), house.teacher(vpa="fails.bank.rejected@sandbox"))
    house.to_the_end()
    unknown = house.people.teacher.account_id
    results = retry(house, [paid, failed, unknown])
    assert [result.error.code if result.error else None for result in results] == ["SDCRS_ACTION_NOT_ALLOWED", None, "SDCRS_NOT_FOUND"]


def test_a_teacher_without_a_usable_address_is_told_and_nobody_else_waits(house: House) -> None:
    without, wrong, good = house.teacher(), house.teacher(vpa="two@at@signs"), house.teacher()
    with house.rt.database.worker() as conn:
        house.rt.vault.put(conn, [(without.account_id, without.tenant_id, {"vpa": ""})], house.clock.now())
    ids = house.captured(without, wrong, good)
    house.to_the_end()
    assert [house.report(one).status for one in ids] == ["PAYOUT_FAILED", "PAYOUT_FAILED", "RESOLVED"]
    assert [house.payout(one).failure_reason for one in ids] == ["beneficiary_vpa_missing", "beneficiary_vpa_invalid", None]
    assert [house.attempts(one)[0].sends for one in ids] == [0, 0, 1]


def test_one_teacher_whose_data_cannot_be_read_does_not_stop_the_batch(house: House) -> None:
    broken, good = house.teacher(), house.teacher()
    house.execute(
        "UPDATE vault.person_field SET sealed = 'v1:k1:AAAAAAAAAAAAAAAA:AAAA' WHERE person_id = :id AND field = 'vpa'", id=broken.account_id
    )
    bad_id, good_id = house.captured(broken, good)
    house.to_the_end()
    assert house.report(good_id).status == "RESOLVED"
    assert house.report(bad_id).status == "PAYOUT_PENDING"
    failure = house.one("SELECT * FROM jobs.failure WHERE subject = :id", id=house.attempts(bad_id)[0].id)
    assert (failure.job, failure.attempts < MAX_ATTEMPTS) == ("payout.send", True)
    assert "SDCRS_DECRYPT_FAILED" in failure.error
    with house.rt.database.worker() as conn:
        house.rt.vault.put(conn, [(broken.account_id, broken.tenant_id, {"vpa": "mended@okaxis"})], house.clock.now())
    house.move_clock(failure.next_attempt_at)
    house.to_the_end()
    assert house.report(bad_id).status == "RESOLVED"


def test_a_suspended_teachers_payouts_wait_and_are_shown(house: House) -> None:
    import queries

    teacher = house.teacher()
    until = house.clock.now() + timedelta(days=7)
    (waiting,) = house.captured(teacher)
    house.job("payout.open").run_once(house.clock.now())
    house.execute(
        "UPDATE access.account SET standing = 'SUSPENSION', standing_until = :until, standing_reason = 'five rejections' WHERE id = :id",
        until=until,
        id=teacher.account_id,
    )
    (frozen,) = house.captured(teacher)
    house.to_the_end()
    assert house.report(frozen).status == "CAPTURED"
    assert house.report(waiting).status == "PAYOUT_PENDING"
    assert house.attempts(waiting)[0].phase == "PREPARED"
    with house.rt.database.begin(house.people.admin.scope) as conn:
        shown = queries.rows(conn, "payouts.held", frozen=["SUSPENSION", "BAN"], verified_only=[], now=house.clock.now())
    assert [row.report_id for row in shown] == [frozen]
    house.move_clock(until)
    house.to_the_end()
    assert {house.report(frozen).status, house.report(waiting).status} == {"RESOLVED"}


def test_a_reversal_days_later_reopens_the_report_and_gives_the_month_back(house: House) -> None:
    teacher = house.teacher(vpa="reversed.after.processed@sandbox")
    first, second = house.captured(teacher, teacher)
    house.run()
    for one in (first, second):
        (theirs,) = house.sandbox.of(house.attempts(one)[0].reference_id)
        house.sandbox.post(f"payouts/{theirs['id']}", status="processed")
    house.sandbox.post("settle")
    house.run()
    assert house.report(first).status == "RESOLVED"
    assert factories.do(house.rt, teacher, second, "RATE", rating=5).ok
    assert house.report(second).status == "CLOSED"
    for one in (first, second):
        house.sandbox.post(f"payouts/{house.attempts(one)[0].provider_payout_id}", status="reversed")
    house.sandbox.post("settle")
    house.run()
    for one in (first, second):
        report, payout = house.report(one), house.payout(one)
        assert (report.status, report.payout_status, report.utr, report.resolved_at) == ("PAYOUT_FAILED", "FAILED", None, None)
        assert (payout.status, payout.completed_at) == ("REVERSED", None)
        assert house.ledger(one) == [("RESERVE", 50_000), ("SETTLE", 50_000), ("REVERSE", 50_000)]
    cap = house.one("SELECT * FROM payout.monthly_cap WHERE beneficiary_id = :id", id=teacher.account_id)
    assert cap.reserved_paise == 0
    house.check_money()


def test_processed_and_reversed_in_one_batch_take_both_steps(house: House) -> None:
    (report_id,) = house.captured(house.teacher(vpa="reversed.after.processed@sandbox"))
    house.to_the_end()
    assert [row.action for row in house.history(report_id)][-2:] == ["PAYOUT_SUCCESS", "PAYOUT_REVERSED"]
    assert house.report(report_id).status == "PAYOUT_FAILED"


def test_every_webhook_lost_polling_alone_brings_each_payout_to_its_end(house: House) -> None:
    house.deaf = True
    try:
        paid, failed, cancelled = house.captured(house.teacher(), house.teacher(vpa="fails.bank.rejected@sandbox"), house.teacher())
        house.run()
        assert house.job("payout.poll").waits_for(house.clock.now()) is not None
        house.sandbox.post(f"payouts/{house.attempts(cancelled)[0].provider_payout_id}", status="cancelled")
        house.sandbox.settle()
        house.move_clock(house.clock.now() + timedelta(minutes=2))
        house.run()
        assert [house.report(one).status for one in (paid, failed, cancelled)] == ["RESOLVED", "PAYOUT_FAILED", "PAYOUT_FAILED"]
        assert house.payout(cancelled).failure_reason == "cancelled"
        house.sandbox.post(f"payouts/{house.attempts(paid)[0].provider_payout_id}", status="reversed")
        house.move_clock(house.clock.now() + timedelta(days=1))
        house.run()
        assert house.report(paid).status == "PAYOUT_FAILED"
    finally:
        house.deaf = False
    for one in (paid, failed, cancelled):  # the provider gave up after a day; its support sends them once more
        house.sandbox.post("webhooks/redeliver", payout_id=house.attempts(one)[0].provider_payout_id)
    house.to_the_end()
    mine = [house.attempts(one)[0].id for one in (paid, failed, cancelled)]
    outcomes = {row.outcome for row in house.all("SELECT outcome FROM payout.webhook_event WHERE attempt_id = ANY (:ids)", ids=mine)}
    assert outcomes == {"LATE"}
    house.check_money()


def test_low_balance_queues_the_payout_until_money_comes(house: House) -> None:
    import queries

    balance = house.sandbox.get("status")["balance_paise"]
    house.sandbox.post("balance", amount_paise=10_000)
    (report_id,) = house.captured(house.teacher())
    house.run()
    house.sandbox.post("settle")
    house.run()
    assert house.report(report_id).status == "PAYOUT_PENDING"
    assert "11/08" in house.packets(report_id)
    house.move_clock(house.clock.now() + timedelta(minutes=3))
    house.run()
    with house.rt.database.begin(house.people.admin.scope) as conn:
        summary = queries.one(conn, "payouts.summary", now=house.clock.now(), stuck_before=house.clock.now())
        shown = queries.one(conn, "payouts.detail", report_id=report_id, stuck_before=None)
    assert shown is not None
    assert summary is not None
    assert (summary.low_balance_payouts, summary.balance_paise, summary.shortfall_paise) == (1, 10_000, 40_000)
    assert shown.queue == "LOW_BALANCE"
    house.sandbox.post("funds", amount_paise=balance)
    house.to_the_end()
    assert house.report(report_id).status == "RESOLVED"


def test_all_webhooks_twice_change_nothing(house: House) -> None:
    def state() -> dict[str, str]:
        return {table: house.one(f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) AS hash FROM {table} t").hash for table in TABLES}

    house.sandbox.post("webhooks/redeliver", all=True)  # also those that were lost before
    house.to_the_end()
    before = state()
    for _ in range(2):
        house.sandbox.post("webhooks/redeliver", all=True)
        house.to_the_end()
    assert state() == before


def test_the_cap_is_of_the_tenants_own_month_and_the_eleventh_is_resolved_without_payout(house: House) -> None:
    last_evening = datetime(2026, 4, 30, 20, 30, tzinfo=UTC)  # 23:30 on 30 April in Djibouti
    teacher = house.teacher()
    ids = []
    for days in (2, 1, 0):
        house.move_clock(last_evening - timedelta(days=days))
        ids += house.captured(*[teacher] * (4 if days else 3))
        house.to_the_end()
    assert [house.report(one).status for one in ids] == ["RESOLVED"] * 11
    skipped = house.report(ids[-1])
    assert (skipped.payout_status, skipped.payout_amount_paise, skipped.payout_eligible) == ("SKIPPED_CAP_REACHED", 0, False)
    assert not house.all("SELECT 1 FROM payout.payout WHERE report_id = :id", id=ids[-1])
    assert "11/02" in house.packets(ids[-1])
    assert house.report(ids[-2]).payout_status == "SUCCESS"

    house.move_clock(last_evening + timedelta(minutes=30))  # midnight in Djibouti, still April in London
    (may,) = house.captured(teacher)
    house.to_the_end()
    assert house.report(may).payout_status == "SUCCESS"
    assert str(house.payout(may).cap_month) == "2026-05-01"


def test_a_retry_over_the_cap_waits_for_the_next_month(house: House) -> None:
    start = datetime(2026, 6, 20, 7, 0, tzinfo=UTC)
    house.move_clock(start)
    teacher = house.teacher(vpa="fails.bank.offline@sandbox")
    (failed,) = house.captured(teacher)
    house.to_the_end()
    with house.rt.database.worker() as conn:
        house.rt.vault.put(conn, [(teacher.account_id, teacher.tenant_id, {"vpa": "good@okaxis"})], house.clock.now())
    house.execute("UPDATE payout.payout SET next_retry_at = :at WHERE report_id = :id", at=start + timedelta(days=4), id=failed)
    others = []
    for day in (1, 2, 3):
        house.move_clock(start + timedelta(days=day))
        others += house.captured(*[teacher] * (4 if day < 3 else 2))
        house.to_the_end()
    assert {house.report(one).payout_status for one in others} == {"SUCCESS"}
    (refused,) = retry(house, [failed])
    assert refused.error is not None
    assert (refused.error.code, refused.error.params) == ("SDCRS_MONTHLY_CAP_REACHED", {"capRupees": 5000, "payableFrom": "2026-07-01"})
    house.move_clock(start + timedelta(days=4))
    house.run()
    assert house.payout(failed).next_retry_at == datetime(2026, 6, 30, 21, 0, tzinfo=UTC)
    house.move_clock(datetime(2026, 6, 30, 21, 0, tzinfo=UTC))
    house.to_the_end()
    assert (house.report(failed).status, str(house.payout(failed).cap_month)) == ("RESOLVED", "2026-07-01")
    house.check_money()
