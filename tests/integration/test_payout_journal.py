"""Every call for an attempt is kept with its answer, so that one can tell afterwards what was asked and what was said."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from pipeline.runtime import Runtime
from tests.integration.payout_house import House, open_house


@pytest.fixture(scope="module")
def house(rt: Runtime) -> Iterator[House]:
    with open_house(rt) as opened:
        yield opened


def calls(house: House, report_id: UUID) -> list[Any]:
    return house.all(
        "SELECT c.* FROM payout.call c JOIN payout.attempt a ON a.id = c.attempt_id JOIN payout.payout p ON p.id = a.payout_id "
        "WHERE p.report_id = :id ORDER BY c.called_at, c.id",
        id=report_id,
    )


def test_an_order_that_is_taken_names_the_providers_payout(house: House) -> None:
    (report_id,) = house.captured(house.teacher())
    house.run()
    (call,), (attempt,) = calls(house, report_id), house.attempts(report_id)
    assert (call.call, call.outcome, call.send, call.provider_status) == ("ORDER", "ACCEPTED", 1, "processing")
    assert (call.attempt_id, call.provider_payout_id, call.tenant_id) == (attempt.id, attempt.provider_payout_id, attempt.tenant_id)


def test_a_refusal_keeps_status_reason_field_and_sentence(house: House) -> None:
    (paid,) = house.captured(teacher := house.teacher(vpa="soon.inactive@okaxis"))
    house.to_the_end()
    account = house.one("SELECT * FROM payout.fund_account WHERE beneficiary_id = :id", id=teacher.account_id)
    house.execute("UPDATE sandbox.fund_account SET active = false WHERE id = :id", id=account.provider_fund_account_id)
    (refused,) = house.captured(teacher)
    house.run()
    (call,) = calls(house, refused)
    assert (call.outcome, call.http_status, call.field) == ("REFUSED", 400, "fund_account_id")
    assert call.description == house.attempts(refused)[0].reason_text
    assert house.report(paid).status == "RESOLVED"


@pytest.mark.parametrize(
    ("fault", "outcome", "why", "status"),
    [
        ("drop_after_commit", "UNKNOWN", "BROKEN_CONNECTION", None),
        ("5xx_before", "UNKNOWN", "SERVER_ERROR", 500),
        ("truncated_200", "UNKNOWN", "UNREADABLE_ANSWER", 200),
        ("429", "PAUSED", "THROTTLED", 429),
    ],
)
def test_a_call_without_a_certain_answer_says_why(house: House, fault: str, outcome: str, why: str, status: int | None) -> None:
    (report_id,) = house.captured(house.teacher())
    house.sandbox.fault(fault)
    house.job("payout.open").run_once(house.clock.now())
    house.job("payout.send").run_once(house.clock.now())
    (call,) = calls(house, report_id)
    assert (call.outcome, call.why, call.http_status) == (outcome, why, status)
    house.execute("UPDATE payout.provider SET paused_until = NULL, pause_reason = NULL, pauses = 0")
