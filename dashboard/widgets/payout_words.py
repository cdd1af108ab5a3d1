"""The payout room's codes in words: queues, who must act, what a reconciliation found and in which field."""

from collections.abc import Mapping

from sqlalchemy import RowMapping

from dashboard import formats
from pipeline.payouts.reasons import advice_for

OWNERS: Mapping[str, str] = {"SYSTEM": "The system", "TEACHER": "The teacher", "ADMIN": "An admin", "TREASURY": "The treasury"}

# Each tab with the queues of payout.overview in it, and what each queue is called
TABS: Mapping[str, Mapping[str, str]] = {
    "Failed": {"FAILED": "Waits for a decision", "RETRYING": "Sent again by itself"},
    "Pending": {"UNDER_WAY": "Under way", "UNKNOWN": "No certain answer yet", "LOW_BALANCE": "Waits for money"},
    "Needs a person": {"PERSON": "To look into", "APPROVAL": "To approve"},
    "Settled": {"DONE": "Paid"},
}

KINDS: Mapping[str, tuple[str, str]] = {
    "STATUS_MISMATCH": ("Different state", "orange"),
    "AMOUNT_MISMATCH": ("Different amount", "red"),
    "BENEFICIARY_MISMATCH": ("Different account", "red"),
    "MISSING_AT_PROVIDER": ("Not at the provider", "red"),
    "MISSING_IN_LEDGER": ("Not in our books", "red"),
    "DUPLICATE_AT_PROVIDER": ("Perhaps paid twice", "red"),
    "REVERSED_AFTER_SETTLED": ("Money came back", "orange"),
    "UTR_REUSED": ("Bank reference used twice", "red"),
    "STUCK": ("Stuck at the provider", "orange"),
    "BALANCE_BROKEN": ("Balance does not follow", "red"),
    "IN_FLIGHT": ("On its way", "gray"),
}
FIELDS: Mapping[str, str] = {
    "status": "State",
    "amount": "Amount",
    "fund_account_id": "Account",
    "utr": "Bank reference",
    "id": "Payout",
    "statement": "Money",
    "debit": "Debit",
    "balance": "Balance",
}

WAITS: Mapping[str, str] = {
    "UNREACHABLE": "it cannot be reached",
    "NOT_SENT": "our own time was up",
    "THROTTLED": "it asks us to go slower",
    "UNAUTHORISED": "it refuses our key: check RAZORPAYX_KEY_ID and its secret",
    "IP_REFUSED": "it does not accept our network address: have it allowed",
    "NOT_ENABLED": "payouts are not switched on for our key",
    "WRONG_ACCOUNT": "it refuses our account number: check RAZORPAYX_ACCOUNT_NUMBER",
    "TIMEOUT": "it does not answer in time",
    "BROKEN_CONNECTION": "connections to it break",
    "SERVER_ERROR": "it has trouble of its own",
}


def reason(row: RowMapping) -> str:
    """Why a payout is where it is, in one line."""
    if row["needs_person"]:
        return str(row["needs_person"])
    if row["failure_text"] or row["failure_reason"]:
        return str(row["failure_text"] or formats.words(str(row["failure_reason"])))
    if row["queue"] == "LOW_BALANCE":
        return "The payout account does not hold enough"
    if row["queue"] == "UNKNOWN":
        return "Sent, and the provider has not answered for certain"
    return formats.ABSENT


def next_step(row: RowMapping) -> tuple[str, str]:
    """What is to be done, and by whom."""
    queue = row["queue"]
    if queue == "APPROVAL":
        return "Compare the proof with the bank statement, then approve or refuse it.", "Another admin"
    if queue == "PERSON":
        return "Find out at the provider what became of it, then decide.", OWNERS["ADMIN"]
    if queue == "UNKNOWN":
        return "Nothing: the same order is sent again under the same key, which cannot pay twice.", OWNERS["SYSTEM"]
    if queue == "LOW_BALANCE":
        return "Add money to the payout account; it goes on by itself.", OWNERS["TREASURY"]
    if queue in ("UNDER_WAY", "DONE"):
        return "Nothing.", OWNERS["SYSTEM"]
    advice = advice_for(row["failure_reason"])
    return advice.next_step, OWNERS[advice.owner]


def value(field: str | None, text: str | None) -> str:
    """One side of what differs: amounts as money, provider's states as words."""
    if text is None:
        return formats.ABSENT
    if field in ("amount", "debit", "balance") and text.removeprefix("-").isdecimal():
        return formats.inr(int(text))
    return formats.words(text) if field in ("status", "statement") else text
