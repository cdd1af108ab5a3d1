"""Everybody gets what is held about them, whole and theirs alone; and nobody sees another's phone number without a reason that is kept."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from pipeline.access.caller import Caller
from pipeline.access.reveal import reveal
from pipeline.api import shapes
from pipeline.api.app import build
from pipeline.errors import AppError
from pipeline.jobs.worker import run_until_idle
from pipeline.notifications.follower import notifications_follower
from pipeline.runtime import Runtime
from tests.api import signed_in
from tests.factories import People, account, captured, people


@pytest.fixture(scope="module")
def http(rt: Runtime) -> Iterator[TestClient]:
    with TestClient(build(rt), base_url="http://api.test") as client:
        yield client


@pytest.fixture
def who(rt: Runtime) -> People:
    return people(rt)


def known_as(rt: Runtime, person: Caller, **fields: str) -> Caller:
    with rt.database.worker() as conn:
        rt.vault.put(conn, [(person.account_id, person.tenant_id, fields)], rt.clock.now())
    return person


def mine(rt: Runtime, http: TestClient, caller: Any) -> dict[str, Any]:
    answer = http.get("/user/v1/mydata", headers=signed_in(rt, http, caller).headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["cache-control"] == "no-store"
    shapes.OwnDataAnswer.model_validate(answer.json())
    return dict(answer.json())


def test_a_teacher_gets_everything_of_their_own_and_nothing_of_others(rt: Runtime, http: TestClient, who: People) -> None:
    captured(rt, who)
    other = known_as(rt, account(rt, "T-other", "TEACHER"), name="Other Teacher", phone="77999999")
    run_until_idle([notifications_follower(rt)], rt.clock)
    data = mine(rt, http, who.teacher)
    assert data["account"]["username"] == who.teacher.username
    assert set(data["person"]) >= {"name", "phone"}
    (report,) = data["reports"]
    assert [photo["evidence_type"] for photo in report["photos"]] == ["DOG_PHOTO", "REPORTER_SELFIE"]
    assert report["steps"][0]["action"] == "SUBMIT"
    assert data["messages"]
    assert all(message["text"] for message in data["messages"])
    assert "Other Teacher" not in str(data)
    assert "fraud_score" not in str(data)
    assert mine(rt, http, other)["reports"] == []


def test_nobody_gets_it_without_signing_in(http: TestClient) -> None:
    assert http.get("/user/v1/mydata").status_code == 401


def look(rt: Runtime, caller: Any, person: Any, purpose: str = "To ask for another UPI address", field: Any = "phone") -> str | None:
    with rt.database.begin(caller.scope) as conn:
        return reveal(conn, rt.vault, caller, person.account_id, field, purpose, rt.clock.now())


def test_an_admin_sees_a_phone_number_with_a_purpose_and_the_teacher_learns_of_it(rt: Runtime, http: TestClient, who: People) -> None:
    teacher = known_as(rt, account(rt, "T-seen", "TEACHER"), phone="77123456")
    assert look(rt, who.district_admin, teacher) == "77123456"
    (seen,) = [one for one in mine(rt, http, teacher)["looksAtYourData"] if one["action"] == "REVEAL"]
    assert (seen["actor_role"], seen["purpose"]) == ("DISTRICT_ADMIN", "To ask for another UPI address")
    assert seen["details"] == {"field": "phone"}
    assert "77123456" not in str(seen)


@pytest.mark.parametrize(
    ("role", "purpose", "field", "code"),
    [
        ("verifier", "To ask where the dog was", "phone", "SDCRS_FORBIDDEN"),
        ("supervisor", "To ask where the dog was", "phone", "SDCRS_FORBIDDEN"),
        ("auditor", "To ask where the dog was", "phone", "SDCRS_FORBIDDEN"),
        ("admin", "  x  ", "phone", "SDCRS_INVALID_REQUEST"),
        ("admin", "To pay him in person", "vpa", "SDCRS_INVALID_REQUEST"),
    ],
)
def test_a_look_that_is_not_allowed_shows_nothing_and_says_why(
    rt: Runtime, who: People, role: str, purpose: str, field: str, code: str
) -> None:
    with pytest.raises(AppError) as refused:
        look(rt, getattr(who, role), who.teacher, purpose, field)
    assert refused.value.code == code


def test_a_person_of_another_state_is_not_found(rt: Runtime, who: People) -> None:
    stranger = account(rt, "T-far", "TEACHER", tenant_id="ncr.noida")
    with pytest.raises(AppError, match="SDCRS_NOT_FOUND"):
        look(rt, who.admin, stranger)
    with rt.database.worker() as conn:
        looks = text("SELECT count(*) FROM audit.event WHERE action = 'REVEAL' AND subject_id = :id")
        assert conn.execute(looks, {"id": str(stranger.account_id)}).scalar_one() == 0
