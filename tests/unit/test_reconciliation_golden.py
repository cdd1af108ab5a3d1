"""Reconciliation against golden files: three sources as small tables beside what must be found in them.

A changed result fails with both values. `UPDATE_GOLDEN=1 pytest tests/unit/test_reconciliation_golden.py` writes the expected
files anew, and the test still fails, so that nobody does it unseen.
"""

import csv
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from pipeline.payouts.compared import Ours, Result, Rules, Theirs, Window
from pipeline.payouts.reconciliation import match
from pipeline.payouts.statement_file import read_statement

FOLDER = Path(__file__).with_name("reconciliation") / "week"
NOW = datetime(2026, 3, 12, 12, 0, tzinfo=UTC)  # a Thursday
WEEK = Window(NOW - timedelta(days=8), NOW)
ACCOUNT = "7878780080316316"


def table(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def moment(word: str) -> datetime:
    return datetime.fromisoformat(word).replace(tzinfo=UTC)


def ours() -> list[Ours]:
    return [
        Ours(
            attempt_id=UUID(int=int(row["n"])),
            payout_id=UUID(int=int(row["n"])),
            tenant_id="dj.djibouti-ville",
            report_number=row["reference_id"].removeprefix("SDCRS-").removesuffix("-R1"),
            reference_id=row["reference_id"],
            phase=row["phase"],
            amount_paise=int(row["amount"]),
            fees_paise=int(row["fees"]),
            provider_payout_id=row["payout_id"] or None,
            fund_account_id=row["account"],
            status=row["status"] or None,
            utr=row["utr"] or None,
            settled=row["settled"] == "1",
            sent_at=moment(row["sent"]),
            paid_at=moment(row["paid"]) if row["paid"] else None,
        )
        for row in table("ours.csv")
    ]


def theirs() -> list[Theirs]:
    return [
        Theirs(
            id=row["id"],
            reference_id=row["reference_id"],
            amount_paise=int(row["amount"]),
            fund_account_id=row["account"],
            status=row["status"],
            utr=row["utr"] or None,
            tenant_id=None,
            created_at=moment(row["created"]),
        )
        for row in table("provider.csv")
    ]


def told(result: Result) -> dict[str, object]:
    items = [
        {
            "kind": item.kind,
            "about": item.reference_id or item.provider_payout_id or item.line_id,
            "payout": item.provider_payout_id,
            "field": item.field,
            "ours": item.ours,
            "theirs": item.theirs,
            "age_hours": round(item.age_s / 3600, 1),
            "next_step": item.next_step,
        }
        for item in result.items
    ]
    balance = result.balance
    return {
        "compared": {"ours": result.ours, "theirs": result.theirs, "lines": result.lines},
        "counts": dict(sorted(result.counts.items())),
        "balance": balance
        and {
            "opening": balance.opening_paise,
            "credited": balance.credited_paise,
            "debited": balance.debited_paise,
            "closing": balance.closing_paise,
        },
        "items": sorted(items, key=lambda item: (str(item["about"]), str(item["kind"]))),
    }


def test_the_statement_alone_and_all_three_sources_tell_what_the_golden_files_say() -> None:
    statement = read_statement("statement.csv", (FOLDER / "statement.csv").read_bytes(), ACCOUNT)
    found = {
        "provider.json": match(ours(), theirs(), [], Rules(WEEK), NOW),
        "all.json": match(ours(), theirs(), statement.lines, Rules(WEEK, statement=WEEK), NOW),
        "statement.json": match(ours(), [], statement.lines, Rules(WEEK, provider=False, statement=WEEK), NOW),
    }
    changed = []
    for name, result in found.items():
        path = FOLDER / f"expected_{name}"
        text = json.dumps(told(result), indent=1) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            changed.append(name)
            if os.environ.get("UPDATE_GOLDEN") == "1":
                path.write_text(text, encoding="utf-8")
                continue
            assert json.loads(text) == json.loads(path.read_text(encoding="utf-8")), name
    assert changed == []


def test_every_kind_occurs_in_the_golden_files() -> None:
    kinds: set[str] = set()
    for path in FOLDER.glob("expected_*.json"):
        kinds |= set(json.loads(path.read_text(encoding="utf-8"))["counts"])
    assert kinds == {
        "MATCHED",
        "IN_FLIGHT",
        "STATUS_MISMATCH",
        "AMOUNT_MISMATCH",
        "BENEFICIARY_MISMATCH",
        "MISSING_AT_PROVIDER",
        "MISSING_IN_LEDGER",
        "DUPLICATE_AT_PROVIDER",
        "REVERSED_AFTER_SETTLED",
        "UTR_REUSED",
        "STUCK",
        "BALANCE_BROKEN",
    }


@pytest.mark.parametrize("name", ["provider.json", "all.json", "statement.json"])
def test_the_balance_of_a_golden_file_is_that_of_its_lines(name: str) -> None:
    balance = json.loads((FOLDER / f"expected_{name}").read_text(encoding="utf-8"))["balance"]
    if balance is not None:
        missing = 500  # came in by a line that the file leaves out, on purpose
        assert balance["opening"] + balance["credited"] - balance["debited"] + missing == balance["closing"]
