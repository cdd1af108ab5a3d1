"""Our own tokens: what a signed one says, what makes it worthless, and what a refresh token that comes twice does."""

import base64
import contextlib
import json
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey
from sqlalchemy import text

from pipeline.access.caller import Caller
from pipeline.access.forgetting import SESSIONS_KEPT, forget_old_sign_ins
from pipeline.access.refresh import give_refresh_token, refresh
from pipeline.access.sessions import TOKEN_LIFE, SignedIn, open_session, read_session, sign_out_everywhere
from pipeline.access.tokens import issue
from pipeline.cli.main import main
from pipeline.clock import SettableClock
from pipeline.errors import AppError
from pipeline.runtime import Runtime
from pipeline.vault.keys import Keyring
from tests.factories import account


def opened(rt: Runtime, caller: Caller) -> SignedIn:
    with rt.database.worker() as conn:
        return open_session(rt, conn, caller.account_id, caller.tenant_id, sorted(caller.roles), "API", rt.clock.now())


def refused(rt: Runtime, token: str) -> bool:
    with pytest.raises(AppError, match="SDCRS_NOT_SIGNED_IN"):
        read_session(rt, token)
    return True


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    return header, claims


@pytest.fixture
def teacher(rt: Runtime) -> Caller:
    return account(rt, f"T{uuid4().hex[:8]}", "TEACHER")


def test_an_access_token_names_the_session_and_nobody(rt: Runtime, teacher: Caller) -> None:
    signed_in = opened(rt, teacher)
    header, claims = parts(signed_in.token)
    assert header == {"alg": "Ed25519", "typ": "at+jwt", "kid": rt.keyring.current}
    assert set(claims) == {"iss", "aud", "sid", "iat", "exp", "jti"}
    assert claims["sid"] == str(signed_in.caller.session_id)
    assert claims["exp"] - claims["iat"] == TOKEN_LIFE.total_seconds()
    assert read_session(rt, signed_in.token).account_id == teacher.account_id


def test_a_token_ends_by_itself_after_an_hour_of_use(rt: Runtime, teacher: Caller, clock: SettableClock) -> None:
    signed_in = opened(rt, teacher)
    for _ in range(3):
        clock.advance(timedelta(minutes=19))
        read_session(rt, signed_in.token)
    clock.advance(timedelta(minutes=4))
    assert refused(rt, signed_in.token)


def test_revoking_the_session_or_disabling_the_account_acts_at_once(rt: Runtime, teacher: Caller) -> None:
    for statement in (
        "UPDATE access.session SET revoked_at = created_at, revoked_reason = 'test' WHERE account_id = :id",
        "UPDATE access.account SET active = false WHERE id = :id",
    ):
        token = opened(rt, teacher).token
        assert read_session(rt, token).roles == {"TEACHER"}
        with rt.database.worker() as conn:
            conn.execute(text(statement), {"id": teacher.account_id})
        assert refused(rt, token)


def test_no_token_but_the_one_that_was_given_opens_the_session(rt: Runtime, teacher: Caller) -> None:
    signed_in = opened(rt, teacher)
    now, session_id = rt.clock.now(), signed_in.caller.session_id
    header, claims = parts(signed_in.token)
    stranger = Keyring(rt.keyring.current, ((rt.keyring.current, b"x" * 32),))
    secret = OctKey.import_key("k" * 43)
    own = OKPKey.generate_key("Ed25519")
    forged = {
        "signed by another key": issue(stranger, session_id, now, now + timedelta(hours=1)),
        "signed by ours for the same session, but not given": issue(rt.keyring, session_id, now, now + timedelta(hours=1)),
        "of an unknown key": jwt.encode({**header, "kid": "k99"}, claims, own, algorithms=["Ed25519"]),
        "another algorithm": jwt.encode({**header, "alg": "HS256"}, claims, secret, algorithms=["HS256"]),
        "no algorithm": ".".join((encoded({**header, "alg": "none"}), signed_in.token.split(".")[1], "")),
        "other claims under our signature": ".".join(
            (signed_in.token.split(".")[0], encoded({**claims, "exp": 9_999_999_999}), signed_in.token.split(".")[2])
        ),
        "its own claims alone": encoded(claims),
    }
    assert [name for name, token in forged.items() if not refused(rt, token)] == []
    assert read_session(rt, signed_in.token).session_id == session_id


def encoded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_tokens_made_before_a_key_rotation_hold_and_new_ones_name_the_new_key(rt: Runtime, teacher: Caller) -> None:
    before = opened(rt, teacher)
    rotated = replace(rt, keyring=Keyring("k-new", (*rt.keyring.masters, ("k-new", b"n" * 32))))
    assert read_session(rotated, before.token).account_id == teacher.account_id
    after = opened(rotated, teacher)
    assert parts(after.token)[0]["kid"] == "k-new"
    assert read_session(rotated, after.token).account_id == teacher.account_id


def test_a_refresh_token_used_again_ends_the_whole_session_and_is_in_the_audit(rt: Runtime, teacher: Caller) -> None:
    signed_in = opened(rt, teacher)
    first = give_refresh_token(rt, signed_in)
    second, following = refresh(rt, first)
    assert refused(rt, signed_in.token)
    third, last = refresh(rt, following)
    assert read_session(rt, third.token).session_id == signed_in.caller.session_id
    with pytest.raises(AppError, match="SDCRS_NOT_SIGNED_IN"):
        refresh(rt, first)  # two generations old
    assert refused(rt, third.token)
    assert refused(rt, second.token)
    with pytest.raises(AppError, match="SDCRS_NOT_SIGNED_IN"):
        refresh(rt, last)
    with rt.database.worker() as conn:
        session = conn.execute(text("SELECT revoked_reason FROM access.session WHERE id = :id"), {"id": signed_in.caller.session_id}).one()
        event = conn.execute(
            text("SELECT action, actor_id FROM audit.event WHERE subject_id = :id"), {"id": str(signed_in.caller.session_id)}
        ).one()
    assert session.revoked_reason == "refresh token used again"
    assert (event.action, event.actor_id) == ("REFRESH_REUSED", teacher.account_id)


def test_of_two_that_come_with_one_refresh_token_at_once_at_most_one_goes_on_and_the_session_ends(rt: Runtime, teacher: Caller) -> None:
    signed_in = opened(rt, teacher)
    token, start, won = give_refresh_token(rt, signed_in), threading.Barrier(4), []

    def run() -> None:
        start.wait(10)
        with contextlib.suppress(AppError):
            won.append(refresh(rt, token)[0].token)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(won) <= 1  # the winner may find its session ended before it reads it
    assert all(refused(rt, one) for one in won)


def test_an_unknown_refresh_token_ends_nobodys_session(rt: Runtime, teacher: Caller) -> None:
    signed_in = opened(rt, teacher)
    give_refresh_token(rt, signed_in)
    with pytest.raises(AppError, match="SDCRS_NOT_SIGNED_IN"):
        refresh(rt, "of nobody")
    assert read_session(rt, signed_in.token).account_id == teacher.account_id


def test_signing_out_everywhere_ends_every_session_of_the_account_and_no_other(rt: Runtime, teacher: Caller) -> None:
    other = account(rt, f"V{uuid4().hex[:8]}", "VERIFIER")
    mine, kept = [opened(rt, teacher) for _ in range(3)], opened(rt, other)
    refresh_token = give_refresh_token(rt, mine[0])
    assert sign_out_everywhere(rt, teacher.account_id, teacher.tenant_id, teacher) == 3
    assert all(refused(rt, one.token) for one in mine)
    with pytest.raises(AppError, match="SDCRS_NOT_SIGNED_IN"):
        refresh(rt, refresh_token)
    assert read_session(rt, kept.token).account_id == other.account_id
    with rt.database.worker() as conn:
        event = conn.execute(
            text("SELECT action, actor_id, details FROM audit.event WHERE subject_id = :id"), {"id": str(teacher.account_id)}
        ).one()
    assert (event.action, event.actor_id, event.details) == ("SIGN_OUT_EVERYWHERE", teacher.account_id, {"sessions": 3})


def test_the_operator_ends_the_sessions_of_an_account_by_a_command(
    rt: Runtime, teacher: Caller, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    token = opened(rt, teacher).token
    monkeypatch.setenv("DATABASE_URL", str(rt.settings.database_url))
    monkeypatch.setenv("DATABASE_OWNER_URL", str(rt.settings.database_owner_url or ""))
    monkeypatch.setenv("DATA_DIR", str(rt.settings.data_dir))
    assert main(["sign-out", teacher.username]) == 0
    assert f"{teacher.username}: 1 sessions ended" in capsys.readouterr().err
    assert refused(rt, token)
    assert main(["sign-out", "nobody-of-this-name"]) == 1


def test_what_is_left_of_old_sign_ins_goes_and_what_lives_stays(rt: Runtime, teacher: Caller, clock: SettableClock) -> None:
    old = opened(rt, teacher)
    refresh(rt, give_refresh_token(rt, old))
    clock.advance(SESSIONS_KEPT + timedelta(days=1))
    living = opened(rt, teacher)
    refresh(rt, give_refresh_token(rt, living))
    with rt.database.worker() as conn:
        forget_old_sign_ins(conn, clock.now())
        counts = "SELECT count(*) FROM access.{} WHERE {} = :id"
        left = {
            name: conn.execute(text(counts.format(table, column)), {"id": signed_in.caller.session_id}).scalar_one()
            for name, table, column, signed_in in (
                ("old session", "session", "id", old),
                ("its refresh tokens", "refresh_used", "session_id", old),
                ("living session", "session", "id", living),
                ("its own", "refresh_used", "session_id", living),
            )
        }
    assert left == {"old session": 0, "its refresh tokens": 0, "living session": 1, "its own": 1}
