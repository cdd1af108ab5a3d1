"""Sign-in and sessions: who gets in, what revoking does, and what guessing costs."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from pipeline.access import sessions
from pipeline.access.sessions import ABSOLUTE, IDLE, read_session, sign_in, sign_out
from pipeline.access.throttle import ACCOUNT, ADDRESS, PAIR
from pipeline.clock import SettableClock
from pipeline.errors import AppError
from pipeline.runtime import Runtime
from tests import factories


def code_of(rt: Runtime, token: str | None) -> str | None:
    try:
        read_session(rt, token)
    except AppError as error:
        return error.code
    return None


def test_a_session_carries_roles_and_scope_from_its_row(rt: Runtime) -> None:
    account = factories.account(rt, "ADM-in", "STATE_ADMIN", tenant_id="dj")
    signed_in = sign_in(rt, "ADM-in", factories.PASSWORD, "CONSOLE", "10.0.0.1")
    caller = read_session(rt, signed_in.token)
    assert caller.account_id == account.account_id
    assert caller.roles == {"STATE_ADMIN"}
    assert set(caller.scope) == {"dj", "dj.djibouti-ville", "dj.ali-sabieh"}


def test_the_token_itself_is_nowhere_in_the_database(rt: Runtime) -> None:
    factories.account(rt, "V-token", "VERIFIER")
    token = sign_in(rt, "V-token", factories.PASSWORD, "API", "10.0.0.1").token
    with rt.database.worker() as conn:
        dump = conn.execute(text("SELECT string_agg(s::text, '') FROM access.session s")).scalar_one()
    assert token not in dump


def test_signing_out_ends_the_session_at_once(rt: Runtime) -> None:
    factories.account(rt, "V-out", "VERIFIER")
    token = sign_in(rt, "V-out", factories.PASSWORD, "CONSOLE", "10.0.0.1").token
    sign_out(rt, token)
    assert code_of(rt, token) == "SDCRS_NOT_SIGNED_IN"


def test_a_disabled_account_is_out_at_the_next_request(rt: Runtime) -> None:
    account = factories.account(rt, "V-gone", "VERIFIER")
    token = sign_in(rt, "V-gone", factories.PASSWORD, "CONSOLE", "10.0.0.1").token
    with rt.database.worker() as conn:
        conn.execute(text("UPDATE access.account SET active = false WHERE id = :id"), {"id": account.account_id})
    assert code_of(rt, token) == "SDCRS_NOT_SIGNED_IN"


def test_a_session_ends_when_idle_and_at_the_end_of_the_day(rt: Runtime, clock: SettableClock) -> None:
    factories.account(rt, "V-idle", "VERIFIER")
    idle = sign_in(rt, "V-idle", factories.PASSWORD, "CONSOLE", "10.0.0.1").token
    clock.advance(IDLE["CONSOLE"] + timedelta(seconds=1))
    assert code_of(rt, idle) == "SDCRS_NOT_SIGNED_IN"
    busy = sign_in(rt, "V-idle", factories.PASSWORD, "CONSOLE", "10.0.0.1").token
    until = clock.now() + ABSOLUTE["CONSOLE"]
    while clock.now() < until - timedelta(minutes=20):
        clock.advance(timedelta(minutes=20))
        assert code_of(rt, busy) is None
    clock.advance(timedelta(minutes=21))
    assert code_of(rt, busy) == "SDCRS_NOT_SIGNED_IN"


def test_guessing_is_slowed_down_for_that_name_and_address_only(rt: Runtime, clock: SettableClock) -> None:
    factories.account(rt, "V-guess", "VERIFIER")
    for _ in range(PAIR.failures):
        with pytest.raises(AppError) as caught:
            sign_in(rt, "V-guess", "wrong", "CONSOLE", "10.0.0.66")
        assert caught.value.code == "SDCRS_BAD_CREDENTIALS"
    with pytest.raises(AppError) as caught:
        sign_in(rt, "V-guess", factories.PASSWORD, "CONSOLE", "10.0.0.66")
    assert caught.value.code == "SDCRS_SIGN_IN_THROTTLED"
    sign_in(rt, "V-guess", factories.PASSWORD, "CONSOLE", "10.0.0.7")
    clock.advance(timedelta(minutes=16))
    sign_in(rt, "V-guess", factories.PASSWORD, "CONSOLE", "10.0.0.66")


def fails(rt: Runtime, username: str, client: str) -> str:
    with pytest.raises(AppError) as caught:
        sign_in(rt, username, "wrong", "API", client)
    return caught.value.code


def test_one_name_guessed_from_many_addresses_waits_wherever_it_comes_from(rt: Runtime, clock: SettableClock) -> None:
    factories.account(rt, "V-spread", "VERIFIER")
    codes = [fails(rt, "V-spread", f"10.1.{number}.1") for number in range(ACCOUNT.failures)]
    assert set(codes) == {"SDCRS_BAD_CREDENTIALS"}
    assert fails(rt, "V-spread", "10.2.0.1") == "SDCRS_SIGN_IN_THROTTLED"
    clock.advance(ACCOUNT.wait + timedelta(seconds=1))
    sign_in(rt, "V-spread", factories.PASSWORD, "API", "10.2.0.1")


def test_many_names_tried_from_one_address_make_that_address_wait(
    rt: Runtime, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.account(rt, "V-school", "VERIFIER")
    monkeypatch.setattr(sessions, "verify_password", lambda stored, password: password == factories.PASSWORD)  # two hundred hashes
    codes = [fails(rt, f"nobody-{number}", "10.3.0.1") for number in range(ADDRESS.failures)]
    assert set(codes) == {"SDCRS_BAD_CREDENTIALS"}
    assert fails(rt, "V-school", "10.3.0.1") == "SDCRS_SIGN_IN_THROTTLED"
    sign_in(rt, "V-school", factories.PASSWORD, "API", "10.3.0.2")
    clock.advance(ADDRESS.wait + timedelta(seconds=1))
    sign_in(rt, "V-school", factories.PASSWORD, "API", "10.3.0.1")


@pytest.mark.parametrize("token", [None, "", "nonsense", "x" * 10_000, "a.b.c", "..", "e30.e30."])
def test_no_or_a_wrong_token_is_not_signed_in(rt: Runtime, token: str | None) -> None:
    assert code_of(rt, token) == "SDCRS_NOT_SIGNED_IN"


def test_a_failed_sign_in_is_in_the_audit_without_the_password(rt: Runtime) -> None:
    account = factories.account(rt, "V-audit", "VERIFIER")
    with pytest.raises(AppError):
        sign_in(rt, "V-audit", "let-me-in-please", "CONSOLE", "10.0.0.9")
    with rt.database.worker() as conn:
        row = conn.execute(
            text("SELECT action, e::text AS whole FROM audit.event e WHERE subject_id = :id"), {"id": str(account.account_id)}
        ).one()
    assert row.action == "SIGN_IN_FAILED"
    assert "let-me-in-please" not in row.whole
