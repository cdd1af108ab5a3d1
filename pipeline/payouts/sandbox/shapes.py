"""The provider's entities as JSON. Pure: a row of the journal in, a dict out. Empty notes are `[]`, times are Unix seconds."""

import json
from collections.abc import Iterable
from typing import Any, Protocol

from pipeline.payouts.sandbox.outcomes import REASONS, UNLISTED

Entity = dict[str, Any]


class Row(Protocol):
    """A row of the journal, or a dict that is about to become one."""

    def __getitem__(self, name: str, /) -> Any: ...


def encode(value: object) -> bytes:
    """JSON as it goes over the wire."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def collection(items: Iterable[Entity]) -> Entity:
    listed = list(items)
    return {"entity": "collection", "count": len(listed), "items": listed}


def contact(row: Row) -> Entity:
    return {
        "id": row["id"],
        "entity": "contact",
        "name": row["name"],
        "contact": row["contact"],
        "email": row["email"],
        "type": row["type"],
        "reference_id": row["reference_id"],
        "batch_id": None,
        "active": row["active"],
        "notes": row["notes"] or [],
        "created_at": int(row["created_at"].timestamp()),
    }


def fund_account(row: Row) -> Entity:
    username, _, handle = row["address"].partition("@")
    return {
        "id": row["id"],
        "entity": "fund_account",
        "contact_id": row["contact_id"],
        "account_type": "vpa",
        "vpa": {"username": username, "handle": handle, "address": row["address"]},
        "active": row["active"],
        "batch_id": None,
        "created_at": int(row["created_at"].timestamp()),
    }


def status_details(reason: str | None) -> Entity | None:
    if reason is None:
        return None
    known = REASONS.get(reason, UNLISTED)
    return {"description": known.description, "source": known.source, "reason": reason}


def payout(row: Row) -> Entity:
    """A payout as answers and webhooks carry it. Fees show once it is past the queue; `failure_reason` is the old field, still sent."""
    details = status_details(row["reason"])
    failed = row["status"] in ("failed", "reversed", "rejected")
    charged = row["status"] not in ("queued", "pending", "scheduled")
    return {
        "id": row["id"],
        "entity": "payout",
        "fund_account_id": row["fund_account_id"],
        "amount": row["amount_paise"],
        "currency": "INR",
        "notes": row["notes"] or [],
        "fees": row["fees_paise"] if charged else 0,
        "tax": row["tax_paise"] if charged else 0,
        "status": row["status"],
        "utr": row["utr"],
        "mode": row["mode"],
        "purpose": row["purpose"],
        "reference_id": row["reference_id"],
        "narration": row["narration"],
        "batch_id": None,
        "failure_reason": details["description"] if failed and details else None,
        "status_details": details,
        "created_at": int(row["created_at"].timestamp()),
        "fee_type": "free_payout" if charged and row["fees_paise"] == 0 else None,
    }


def transaction(row: Row, source: Row | None) -> Entity:
    """A statement line. `source` is the payout's row where the line belongs to one."""
    return {
        "id": row["id"],
        "entity": "transaction",
        "account_number": row["account_number"],
        "amount": row["credit_paise"] or row["debit_paise"],
        "currency": "INR",
        "credit": row["credit_paise"],
        "debit": row["debit_paise"],
        "balance": row["balance_paise"],
        "source": _source(row, source),
        "created_at": int(row["created_at"].timestamp()),
    }


def _source(row: Row, paid: Row | None) -> Entity | None:
    made = int(row["created_at"].timestamp())
    if row["source_kind"] == "payout" and paid is not None:
        full = payout(paid)
        kept = ("id", "entity", "fund_account_id", "amount", "notes", "fees", "tax", "status", "utr", "mode", "created_at", "fee_type")
        return {name: full[name] for name in kept}
    if row["source_kind"] == "reversal" and paid is not None:
        return {
            "id": row["source_id"],
            "entity": "reversal",
            "payout_id": paid["id"],
            "amount": paid["amount_paise"],
            "fee": paid["fees_paise"],
            "tax": paid["tax_paise"],
            "currency": "INR",
            "notes": paid["notes"] or [],
            "utr": paid["utr"],
            "created_at": made,
        }
    if row["source_kind"] == "bank_transfer":
        return {
            "id": row["source_id"],
            "entity": "bank_transfer",
            "payer_name": "Sandbox treasury",
            "payer_account": "000000000000",
            "payer_ifsc": "SAND0000001",
            "mode": "NEFT",
            "bank_reference": row["source_id"][3:],
            "amount": row["credit_paise"],
            "created_at": made,
        }
    return None  # money moved outside the API: the provider's statement has such lines without a source


def validation(row: Row, account: Row) -> Entity:
    """A VPA validation. `completed` does not mean valid: `account_status` says that."""
    done = row["status"] == "completed"
    return {
        "id": row["id"],
        "entity": "fund_account.validation",
        "fund_account": fund_account(account),
        "status": row["status"],
        "amount": None,
        "currency": "INR",
        "reference_id": row["reference_id"],
        "notes": row["notes"] or [],
        "validation_results": {
            "account_status": row["account_status"] if done else None,
            "registered_name": row["registered_name"],
            "name_match_score": 100 if row["registered_name"] else None,
        },
        "status_details": status_details(None if row["status"] != "failed" else "gateway_down"),
        "utr": None,
        "created_at": int(row["created_at"].timestamp()),
    }


def balance(row: Row, refreshed_at: int) -> Entity:
    return {
        "entity": "banking_balance",
        "currency": "INR",
        "account_number": row["account_number"],
        "account_type": "razorpayx_lite",
        "bank_name": None,
        "bank_code": None,
        "amount": row["balance_paise"],
        "available_amount": row["balance_paise"],
        "refreshed_at": refreshed_at,
    }
