"""A teacher is a verified payee when credential and account are in one name, and again unverified when one of them changes."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from pipeline.access.caller import Caller
from pipeline.errors import AppError
from pipeline.identity.numbers import make_uin
from pipeline.payouts.payee import Decision, decide, enter_uin, spellings, verify_payees
from pipeline.runtime import Runtime
from tests import factories
from tests.factories import VILLE
from tests.registration_rows import credential

_made = count(1)


def teacher(rt: Runtime, **changes: Any) -> Caller:
    return factories.account(rt, f"P{next(_made):05d}", "TEACHER", **changes)


def payee(rt: Runtime, one: Caller) -> Any:
    with rt.database.worker() as conn:
        return conn.execute(text("SELECT * FROM payout.payee WHERE account_id = :id"), {"id": one.account_id}).one_or_none()


def renamed(rt: Runtime, one: Caller, **fields: str) -> None:
    rt.clock.advance(timedelta(minutes=1))  # type: ignore[attr-defined]
    with rt.database.worker() as conn:
        rt.vault.put(conn, [(one.account_id, VILLE, fields)], rt.clock.now())


def bank_says(rt: Runtime, one: Caller, name: str, at: datetime) -> None:
    """The provider's answer about the teacher's present address."""
    row_id = uuid4()
    with rt.database.worker() as conn:
        vpa = rt.vault.get(conn, [one.account_id], ["vpa"])[one.account_id]["vpa"]
        conn.execute(
            text("""
            INSERT INTO payout.fund_account (id, tenant_id, beneficiary_id, vpa_lookup, vpa_sealed, provider, created_at, validation_status,
                                             account_status, registered_sealed, validation_asked_at, validated_at)
            VALUES (:id, :tenant_id, :account_id, :lookup, 'v1:x', 'mark', :at, 'completed', 'active', :sealed, :at, :at)
            """),
            {
                "id": row_id,
                "tenant_id": VILLE,
                "account_id": one.account_id,
                "lookup": rt.vault.lookup("dj", "vpa", vpa),
                "sealed": rt.vault.seal("payout.registered", str(row_id), name.encode()),
                "at": at,
            },
        )


def localised(*names: str) -> list[dict[str, str]]:
    return [{"language": "eng", "value": name} for name in names]


def test_a_teacher_whose_user_name_is_the_handle_of_a_credential_in_the_same_name_is_verified(rt: Runtime) -> None:
    one = teacher(rt)
    renamed(rt, one, name="Amina Hassan")
    credential(rt, factories.people(rt).admin, "HANDLE", one.username, localised("HASSAN Amina Ali"))
    verify_payees(rt, rt.clock.now())
    found = payee(rt, one)
    assert (found.status, found.source, found.score, found.account_name) == ("VERIFIED", "HANDLE", 93, "STAFF_REGISTER")
    assert verify_payees(rt, rt.clock.now()) == 0, "what has not changed is not compared again"


def test_the_banks_name_counts_before_the_staff_registers(rt: Runtime) -> None:
    one = teacher(rt, vpa="amina@okaxis")
    renamed(rt, one, name="Amina Hassan")
    credential(rt, factories.people(rt).admin, "HANDLE", one.username, localised("Amina Hassan"))
    verify_payees(rt, rt.clock.now())
    assert payee(rt, one).status == "VERIFIED"
    rt.clock.advance(timedelta(minutes=1))  # type: ignore[attr-defined]
    bank_says(rt, one, "OMAR ABDI", rt.clock.now())
    verify_payees(rt, rt.clock.now())
    found = payee(rt, one)
    assert (found.status, found.account_name, found.score) == ("MISMATCH", "BANK", 0)


def test_another_address_is_compared_anew(rt: Runtime) -> None:
    one = teacher(rt, vpa="first@okaxis")
    renamed(rt, one, name="Amina Hassan")
    bank_says(rt, one, "Omar Abdi", rt.clock.now())
    credential(rt, factories.people(rt).admin, "HANDLE", one.username, localised("Amina Hassan"))
    verify_payees(rt, rt.clock.now())
    assert payee(rt, one).status == "MISMATCH"
    renamed(rt, one, vpa="second@okaxis")
    verify_payees(rt, rt.clock.now())
    assert (payee(rt, one).status, payee(rt, one).account_name) == ("VERIFIED", "STAFF_REGISTER")


def test_another_credential_is_compared_anew(rt: Runtime) -> None:
    one = teacher(rt)
    renamed(rt, one, name="Amina Hassan")
    credential(rt, factories.people(rt).admin, "HANDLE", one.username, "Omar Abdi")
    verify_payees(rt, rt.clock.now())
    assert payee(rt, one).status == "MISMATCH"
    credential(rt, factories.people(rt).admin, "HANDLE", one.username, "Amina Hassan")
    verify_payees(rt, rt.clock.now())
    assert payee(rt, one).status == "VERIFIED"


def test_a_teacher_without_credential_is_no_payee_at_all(rt: Runtime) -> None:
    one = teacher(rt)
    verify_payees(rt, rt.clock.now())
    assert payee(rt, one) is None


def test_a_uin_that_an_admin_enters_finds_the_credential_and_is_shown_nowhere(rt: Runtime) -> None:
    people = factories.people(rt)
    one = teacher(rt)
    renamed(rt, one, name="Amina Hassan")
    uin = make_uin(rt.masterdata.current().identity_stages("dj").numbers)
    credential(rt, factories.people(rt).admin, "UIN", uin, localised("Amina Hassan"))
    with rt.database.begin(people.district_admin.scope) as conn:
        enter_uin(rt, conn, people.district_admin, one.account_id, f"{uin[:5]} {uin[5:]}", rt.clock.now())
    verify_payees(rt, rt.clock.now())
    assert (payee(rt, one).status, payee(rt, one).source) == ("VERIFIED", "UIN")
    with rt.database.worker() as conn:
        kept = conn.execute(text("SELECT * FROM payout.payee_number WHERE account_id = :id"), {"id": one.account_id}).all()
        audited = conn.execute(text("SELECT * FROM audit.event WHERE subject_id = :id"), {"id": str(one.account_id)}).all()
    assert uin not in str(kept) + str(audited)
    assert {event.action for event in audited} == {"PAYEE_UIN_ENTERED", "PAYEE_CHECKED"}


def test_a_uin_that_is_replaced_by_an_unknown_one_leaves_nobody_verified(rt: Runtime) -> None:
    admin, rule = factories.people(rt).admin, rt.masterdata.current().identity_stages("dj").numbers
    one, first, second = teacher(rt), make_uin(rule), make_uin(rule)
    renamed(rt, one, name="Amina Hassan")
    credential(rt, factories.people(rt).admin, "UIN", first, "Amina Hassan")
    for uin, status in ((first, "VERIFIED"), (second, "UNKNOWN")):
        with rt.database.begin(admin.scope) as conn:
            enter_uin(rt, conn, admin, one.account_id, uin, rt.clock.now())
        verify_payees(rt, rt.clock.now())
        assert payee(rt, one).status == status


REFUSED = [
    ("teacher", "4938271605", "SDCRS_FORBIDDEN"),
    ("auditor", "4938271605", "SDCRS_FORBIDDEN"),
    ("admin", "12345", "SDCRS_INVALID_UIN"),
    ("admin", "1234567891", "SDCRS_INVALID_UIN"),
]


@pytest.mark.parametrize(("person", "uin", "code"), REFUSED)
def test_an_entry_is_refused(rt: Runtime, person: str, uin: str, code: str) -> None:
    caller, one = getattr(factories.people(rt), person), teacher(rt)
    with pytest.raises(AppError) as refused, rt.database.begin(caller.scope) as conn:
        enter_uin(rt, conn, caller, one.account_id, uin, rt.clock.now())
    assert refused.value.code == code


def test_a_teacher_of_another_area_is_not_found_and_a_uin_serves_one_teacher(rt: Runtime) -> None:
    people, one, other = factories.people(rt), teacher(rt), teacher(rt, tenant_id="dj.ali-sabieh")
    uin = make_uin(rt.masterdata.current().identity_stages("dj").numbers)
    with pytest.raises(AppError) as refused, rt.database.begin(people.district_admin.scope) as conn:
        enter_uin(rt, conn, people.district_admin, other.account_id, uin, rt.clock.now())
    assert refused.value.code == "SDCRS_NOT_FOUND"
    with rt.database.begin(people.admin.scope) as conn:
        enter_uin(rt, conn, people.admin, other.account_id, uin, rt.clock.now())
    with pytest.raises(AppError) as taken, rt.database.begin(people.district_admin.scope) as conn:
        enter_uin(rt, conn, people.district_admin, one.account_id, uin, rt.clock.now())
    assert taken.value.code == "SDCRS_UIN_OF_ANOTHER"


def test_a_name_that_is_missing_decides_nothing() -> None:
    assert decide([], "Amina Hassan", "HANDLE", "BANK") == Decision("UNKNOWN", None, "HANDLE", "BANK")
    assert decide(["Amina Hassan"], "  ", "UIN", "STAFF_REGISTER").status == "UNKNOWN"
    assert spellings({"fullName": [{"language": "eng", "value": "A"}, {"language": "ara"}]}) == ["A"]
    assert spellings({}) == []
