"""Rules that hold a payout back, and the way round them: two admins, a reason, and both in the books."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from pipeline.payouts import commands
from pipeline.runtime import Runtime
from tests import factories
from tests.integration.payout_house import House, open_house
from tests.integration.test_payout_commands import approve, code_of, failed, reject, settle

VILLE = "dj.djibouti-ville"
OUTSIDE = "The district paid him in cash before the system was there"


@pytest.fixture(scope="module")
def house(rt: Runtime) -> Iterator[House]:
    with open_house(rt) as opened:
        yield opened


def test_outside_the_rules_two_admins_settle_over_the_cap_whatever_the_tenant_asks_for(house: House) -> None:
    house.move_clock(house.clock.now() + timedelta(days=31))
    teacher = house.teacher(vpa="fails.bank.rejected@sandbox")
    report_id = failed(house, teacher)
    with house.rt.database.worker() as conn:
        house.rt.vault.put(conn, [(teacher.account_id, teacher.tenant_id, {"vpa": "good@okaxis"})], house.clock.now())
    for _ in range(3):
        house.move_clock(house.clock.now() + timedelta(days=1))
        house.captured(*[teacher] * 4)
        house.to_the_end()
    assert code_of(lambda: settle(house, house.people.admin, report_id)) == "SDCRS_MONTHLY_CAP_REACHED"
    assert settle(house, house.people.admin, report_id, exception=OUTSIDE).approval_pending
    assert code_of(lambda: approve(house, house.people.admin, report_id)) == "SDCRS_SELF_APPROVAL"
    approve(house, house.people.second_admin, report_id)
    payout, step = house.payout(report_id), house.history(report_id)[-1]
    assert (payout.status, payout.manual_exception) == ("COMPLETED", OUTSIDE)
    assert (step.facts["outsideTheRules"], step.facts["rulesBroken"]) == (OUTSIDE, ["MONTHLY_CAP"])
    months = "SELECT reserved_paise, cap_paise FROM payout.monthly_cap WHERE beneficiary_id = :id AND month = :month"
    raised = {"id": teacher.account_id, "month": payout.cap_month}
    assert tuple(house.one(months, **raised)) == (550_000, 550_000)
    (over,) = house.captured(teacher)  # the raised cap is for that one payment: the next is over the cap as before
    house.to_the_end()
    assert house.report(over).payout_status == "SKIPPED_CAP_REACHED"
    assert tuple(house.one(months, **raised)) == (550_000, 550_000)
    house.check_money()


def test_outside_the_rules_a_banned_teacher_may_be_paid_by_two_admins_with_a_reason(house: House) -> None:
    report_id = failed(house)
    beneficiary = house.payout(report_id).beneficiary_id
    house.execute("UPDATE access.account SET standing = 'BAN', standing_reason = 'a test' WHERE id = :id", id=beneficiary)
    assert code_of(lambda: settle(house, house.people.admin, report_id, exception="because")) == "SDCRS_INVALID_REQUEST"
    assert settle(house, house.people.admin, report_id, exception=OUTSIDE).approval_pending
    reject(house, house.people.second_admin, report_id)
    assert (house.payout(report_id).manual_exception, house.payout(report_id).status) == (None, "FAILED")
    assert settle(house, house.people.admin, report_id, exception=OUTSIDE).approval_pending
    approve(house, house.people.second_admin, report_id)
    assert house.history(report_id)[-1].facts["rulesBroken"] == ["FROZEN"]
    house.check_money()


def test_the_database_itself_refuses_an_exception_with_one_admin(house: House) -> None:
    report_id = failed(house)
    assert settle(house, house.people.admin, report_id, exception=OUTSIDE).approval_pending
    with pytest.raises(DBAPIError, match="payout_exception_has_two_admins"):
        house.execute(
            "UPDATE payout.payout SET status = 'COMPLETED', completed_at = modified_at, manual_approved_at = modified_at, "
            "manual_approved_by = manual_requested_by WHERE report_id = :id",
            id=report_id,
        )


def test_a_photo_of_the_receipt_is_kept_with_the_settlement_and_must_be_one_that_the_admin_may_see(house: House) -> None:
    report_id = failed(house)
    admin = house.people.admin
    assert code_of(lambda: settle(house, admin, report_id, file_id=uuid4())) == "SDCRS_NOT_FOUND"
    receipt, _ = factories.photos(house.rt, house.teacher())
    settle(house, admin, report_id, file_id=receipt)
    assert house.payout(report_id).manual_file_id == receipt


def test_where_payees_must_be_verified_nobody_else_is_paid(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    md = house.rt.masterdata.current()
    strict = replace(md.tenant(VILLE), payee_verification="required")
    monkeypatch.setattr(type(md), "tenants", lambda _: (strict,))
    known, stranger = house.teacher(), house.teacher()
    house.execute(
        "INSERT INTO payout.payee (account_id, tenant_id, status, source, checked_at) VALUES (:id, :tenant, 'VERIFIED', 'a test', :now)",
        id=known.account_id,
        tenant=VILLE,
        now=house.clock.now(),
    )
    paid, held = house.captured(known, stranger)
    house.to_the_end()
    assert (house.report(paid).status, house.report(held).status) == ("RESOLVED", "CAPTURED")
    monkeypatch.undo()
    refused = failed(house)
    monkeypatch.setattr(type(md), "tenants", lambda _: (strict,))
    assert code_of(lambda: settle(house, house.people.admin, refused)) == "SDCRS_PAYEE_NOT_VERIFIED"
    with house.rt.database.begin(house.people.admin.scope) as conn:
        (result,) = commands.retry(conn, md, house.rt.vault, house.people.admin, [refused], house.clock.now())
    assert result.error is not None
    assert result.error.code == "SDCRS_PAYEE_NOT_VERIFIED"
    monkeypatch.undo()
    house.to_the_end()
    assert house.report(held).status == "RESOLVED"
