"""Clients that know nothing of this product drive the stand-in: it is faithful as far as strangers to it can tell.

npm packages `razorpayx-sdk` and `razorpay`, installed into a temporary folder. Without Node, or without a way to the
packages, the tests are skipped and say so.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.payouts.sandbox.config import DEFAULT_ACCOUNT_NUMBER, DEFAULT_KEY_ID, DEFAULT_KEY_SECRET, DEFAULT_WEBHOOK_SECRET
from pipeline.payouts.standin import own_sandbox
from pipeline.runtime import Runtime
from tests.integration.payout_house import Sandbox
from tests.integration.sandbox.client import Hook, listening_hook

DRIVER = Path(__file__).parent / "unrelated_client/drive.mjs"
PACKAGES = ("razorpayx-sdk@0.1.1", "razorpay@2.9.8")  # what was tried; a newer one is a change to be looked at
INSTALL_S = 180  # two small packages and what they need, over a slow line
DRIVE_S = 60  # some thirty calls on loopback
NO_WAY_THERE = ("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "ERR_SOCKET_TIMEOUT", "ENETUNREACH")
OPENING = 5_000_000  # paise; less than the second order, so that it is queued


@dataclass
class Stand:
    """The running stand-in with its control surface, our webhook, and a folder with the clients."""

    sandbox: Sandbox
    hook: Hook
    folder: Path

    def drive(self, what: str, given: Any) -> Any:
        """Run the driver with a JSON value and return the one that it prints."""
        command = ["node", DRIVER.name, what]
        done = subprocess.run(
            command, cwd=self.folder, input=json.dumps(given), capture_output=True, text=True, timeout=DRIVE_S, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where Node finds the two packages and the driver."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs Node 18 or later with npm: the clients of other people are written for it")
    folder = tmp_path_factory.mktemp("clients")
    (folder / "package.json").write_text('{"private": true}')
    command = ["npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", *PACKAGES]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode and any(word in done.stderr for word in NO_WAY_THERE):
        pytest.skip(f"needs a way to npm's packages {' and '.join(PACKAGES)}")
    assert done.returncode == 0, done.stderr
    shutil.copy(DRIVER, folder)
    return folder


@pytest.fixture(scope="module")
def stand(clients: Path, rt: Runtime) -> Iterator[Stand]:
    with listening_hook() as hook, own_sandbox(rt.database, f"http://127.0.0.1:{hook.port}/webhook/v1/razorpay") as url:
        sandbox = Sandbox(url)
        sandbox.post("balance", amount_paise=OPENING)
        sandbox.post("settings", webhooks="held", life="manual", delay_seconds=3600)
        yield Stand(sandbox, hook, clients)
        sandbox.close()


@pytest.fixture(scope="module")
def answers(stand: Stand) -> dict[str, Any]:
    """What the client was told, call by call."""
    given = {
        "baseUrl": f"{stand.sandbox.url}/v1/",
        "keyId": DEFAULT_KEY_ID,
        "keySecret": DEFAULT_KEY_SECRET,
        "wrongSecret": "not-the-secret",
        "account": DEFAULT_ACCOUNT_NUMBER,
    }
    told: dict[str, Any] = stand.drive("calls", given)
    return told


def test_contacts_and_fund_accounts_are_made_found_again_switched_and_listed(answers: dict[str, Any]) -> None:
    contact, fund_account = answers["contact"], answers["fundAccount"]
    assert (contact["entity"], contact["name"], contact["notes"]) == ("contact", "Amina Hassan", {"user_type": "TEACHER"})
    assert answers["sameContact"]["id"] == answers["contactRead"]["id"] == contact["id"]
    assert [answers["contactOff"]["active"], answers["contactOn"]["active"]] == [False, True]
    assert answers["contactChanged"]["email"] == "amina@example.org"
    assert [one["id"] for one in answers["contacts"]["items"]] == [contact["id"]]
    assert fund_account["vpa"] == {"username": "amina", "handle": "okaxis", "address": "amina@okaxis"}
    assert answers["sameFundAccount"]["id"] == answers["fundAccountRead"]["id"] == fund_account["id"]
    assert [answers["fundAccountOff"]["active"], answers["fundAccountOn"]["active"]] == [False, True]
    assert [one["id"] for one in answers["fundAccounts"]["items"]] == [fund_account["id"]]


def test_payouts_are_made_once_per_key_queued_cancelled_and_listed(answers: dict[str, Any]) -> None:
    paid, queued = answers["paid"], answers["queued"]
    assert (paid["entity"], paid["amount"], paid["status"], paid["utr"]) == ("payout", 50_000, "processing", None)
    assert answers["paidAgain"]["id"] == answers["payoutRead"]["id"] == paid["id"]
    assert (queued["status"], queued["status_details"]["reason"]) == ("queued", "low_balance")
    assert (answers["cancelled"]["id"], answers["cancelled"]["status"]) == (queued["id"], "cancelled")
    assert {one["id"] for one in answers["payouts"]["items"]} == {paid["id"], queued["id"]}
    assert (answers["secondPage"]["entity"], answers["secondPage"]["count"]) == ("collection", 1)


def test_statement_and_balance_tell_of_the_same_money(answers: dict[str, Any]) -> None:
    lines = answers["transactions"]["items"]
    assert answers["transactionRead"] == lines[0]
    (line,) = [one for one in lines if (one["source"] or {}).get("id") == answers["paid"]["id"]]  # our own deposits have none
    assert (line["debit"], line["credit"], line["balance"]) == (50_000, 0, OPENING - 50_000)
    balances = [answers[name]["items"][0]["amount"] for name in ("balanceBefore", "balanceAfter")]
    assert balances == [OPENING, OPENING - 50_000]


def test_refusals_reach_the_client_with_status_code_sentence_and_field(answers: dict[str, Any]) -> None:
    refused = answers["refused"]
    assert None not in refused.values(), refused
    assert {name: one["status"] for name, one in refused.items()} == {
        **dict.fromkeys(refused, 400),
        "stranger": 401,
    }
    assert {one["code"] for one in refused.values()} == {"BAD_REQUEST_ERROR"}
    assert refused["withoutKey"]["field"] == "X-Payout-Idempotency"
    assert refused["withoutKey"]["description"].startswith("Idempotency key is missing.")
    assert refused["otherBody"]["description"].startswith("Different request body sent for the same Idempotency Header")
    assert refused["tooMany"]["description"].startswith("The count may not be greater than 100")
    assert refused["stranger"]["description"] == "Authentication failed"


def test_an_unrelated_verifier_accepts_our_signatures_and_no_others(stand: Stand, answers: dict[str, Any]) -> None:
    stand.sandbox.post(f"payouts/{answers['paid']['id']}", status="processed")
    stand.sandbox.settle()
    assert {"payout.initiated", "payout.queued", "payout.processed"} <= set(stand.hook.events())
    sent = [{"body": raw.decode(), "signature": headers["x-razorpay-signature"]} for headers, raw in stand.hook.seen]
    assert all(stand.drive("signatures", [{**one, "secret": DEFAULT_WEBHOOK_SECRET} for one in sent]))
    forged = [
        *({**one, "secret": "another-secret"} for one in sent),
        *({**one, "body": one["body"].replace("50000", "60000") + " ", "secret": DEFAULT_WEBHOOK_SECRET} for one in sent),
    ]
    assert not any(stand.drive("signatures", forged))
