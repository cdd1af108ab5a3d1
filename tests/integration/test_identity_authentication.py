"""Demographic authentication: what is counted, what is refused, and that nothing that was said is kept."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from pipeline.errors import AppError
from pipeline.identity.flow import credential_jobs
from pipeline.identity.ida.authentication import ASKED_BY_ONE, WINDOW, WRONG_OF_A_NUMBER, authenticate
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import Runtime
from tests import factories
from tests.factories import VILLE
from tests.identity_rows import Waiting, waiting

RIGHT = {"name": "Amina Hassan Robleh"}
WRONG = {"name": "Somebody Else"}


@pytest.fixture
def admin(rt: Runtime):
    """An admin of the test's own: attempts are counted for each."""
    from uuid import uuid4

    return factories.account(rt, f"DA{uuid4().hex[:6]}", "DISTRICT_ADMIN")


def stored(rt: Runtime, kind="UIN", **changes) -> Waiting:
    one = waiting(rt, kind, **changes)
    run_until_idle(credential_jobs(rt), rt.clock)
    return one


def ask(rt: Runtime, caller, number: str, said=RIGHT) -> str:
    """`yes`, `no`, or the code of the refusal."""
    try:
        return "yes" if authenticate(rt, caller, VILLE, number, said, rt.clock.now()).matched else "no"
    except AppError as error:
        return error.code


def used(rt: Runtime, one: Waiting) -> int:
    with rt.database.worker() as conn:
        return conn.execute(text("SELECT transactions_used FROM ida.identity_cache WHERE id = :id"), {"id": one.id_hash}).scalar_one()


def test_each_attempt_at_a_known_number_is_counted_whatever_comes_of_it(rt: Runtime, admin) -> None:
    one = stored(rt)
    assert [ask(rt, admin, one.number, said) for said in (RIGHT, WRONG, RIGHT)] == ["yes", "no", "yes"]
    assert used(rt, one) == 3


def test_of_several_attempts_at_once_only_as_many_are_answered_as_the_limit_lets(rt: Runtime, admin) -> None:
    one = stored(rt, "VID", valid_for=timedelta(days=1), limit=3)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: ask(rt, admin, one.number), range(6)))
    assert sorted(answers) == ["SDCRS_AUTH_USED_UP"] * 3 + ["yes"] * 3
    assert used(rt, one) == 3


def test_a_number_that_has_expired_or_that_there_is_not_is_refused_by_its_code(rt: Runtime, admin, clock) -> None:
    one = stored(rt, "VID", valid_for=timedelta(minutes=1))
    clock.advance(timedelta(minutes=2))
    assert ask(rt, admin, one.number) == "SDCRS_AUTH_EXPIRED"
    assert ask(rt, admin, "9999999999") == "SDCRS_AUTH_UNKNOWN"
    assert used(rt, one) == 0


def test_who_guesses_at_a_number_is_stopped_for_a_while_even_with_the_right_answer(rt: Runtime, admin, staff, clock) -> None:
    one = stored(rt)
    for _ in range(WRONG_OF_A_NUMBER):
        assert ask(rt, admin, one.number, WRONG) == "no"
    assert ask(rt, admin, one.number) == "SDCRS_AUTH_THROTTLED"
    assert ask(rt, staff.district_admin, one.number) == "SDCRS_AUTH_THROTTLED"
    assert used(rt, one) == WRONG_OF_A_NUMBER
    clock.advance(WINDOW)
    assert ask(rt, admin, one.number) == "yes"


def test_who_walks_through_a_list_is_stopped_too(rt: Runtime, admin) -> None:
    answers = [ask(rt, admin, f"88{number:08}") for number in range(ASKED_BY_ONE + 1)]
    assert set(answers[:-1]) == {"SDCRS_AUTH_UNKNOWN"}
    assert answers[-1] == "SDCRS_AUTH_THROTTLED"


def test_only_admins_ask_and_only_about_their_own_area(rt: Runtime, staff, admin) -> None:
    one = stored(rt)
    for caller in (staff.teacher, staff.verifier, staff.auditor, staff.supervisor):
        assert ask(rt, caller, one.number) == "SDCRS_FORBIDDEN"
    elsewhere = replace(admin, tenant_id="dj.ali-sabieh", scope=("dj.ali-sabieh",))
    assert ask(rt, elsewhere, one.number) == "SDCRS_TENANT_OUT_OF_SCOPE"
    with pytest.raises(AppError, match="SDCRS_AUTH_UNKNOWN"):
        authenticate(rt, elsewhere, "dj.ali-sabieh", one.number, RIGHT, rt.clock.now())
    assert used(rt, one) == 0
