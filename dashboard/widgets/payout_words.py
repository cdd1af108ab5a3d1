"""The payout room's codes in words: queues, who must act, what a reconciliation found and in which field."""

from collections.abc import Mapping

from sqlalchemy import RowMapping

from dashboard import formats
from pipeline.payouts.address_check import AddressCheck
from pipeline.payouts.reasons import LOW_BALANCE, advice_for

OWNERS: Mapping[str, str] = {"SYSTEM": "The system", "TEACHER": "The teacher", "ADMIN": "An admin", "TREASURY": "The treasury"}

# The queues of payouts.placed in the order in which they ask for somebody, and what each is called
QUEUES: Mapping[str, str] = {
    "FAILED": "Failed",
    "REVERSED": "Reversed",
    "STUCK": "Stuck",
    "UNKNOWN": "Unknown",
    "PERSON": "To look into",
    "APPROVAL": "To approve",
    "LOW_BALANCE": "Waits for money",
    "RETRYING": "Sent again by itself",
    "UNDER_WAY": "Under way",
    "DONE": "Settled",
}
WHAT: Mapping[str, str] = {
    "FAILED": "did not reach the teacher; an admin decides",
    "REVERSED": "had been paid and came back from the bank",
    "STUCK": "open at the provider for more than three working days",
    "UNKNOWN": "sent, and no certain answer yet; asked for by itself",
    "PERSON": "only a person can say what became of it",
    "APPROVAL": "settled by hand, and waiting for a second admin",
    "LOW_BALANCE": "waits for money on the payout account",
    "RETRYING": "failed for a passing reason; tried again by itself",
    "UNDER_WAY": "on its way",
    "DONE": "paid, or settled by hand",
}

# What came of one call to the provider, and what it was
CALLS: Mapping[str, str] = {"ORDER": "Order", "LOOK_UP": "Look-up"}
ANSWERS: Mapping[str, tuple[str, str]] = {
    "ACCEPTED": ("Taken", "blue"),
    "REFUSED": ("Refused", "red"),
    "UNKNOWN": ("No certain answer", "orange"),
    "PAUSED": ("Put off", "orange"),
    "NONE_FOUND": ("Nothing found", "gray"),
    "AMBIGUOUS": ("Several found", "red"),
}
# What an event of the provider did to our books
EVENTS: Mapping[str, tuple[str, str]] = {
    "APPLIED": ("Taken over", "green"),
    "LATE": ("Known already", "gray"),
    "MISMATCH": ("Contradicts our books", "red"),
    "UNKNOWN_PAYOUT": ("About no payout of ours", "orange"),
    "IGNORED": ("Of no concern", "gray"),
    "UNREADABLE": ("Not readable", "red"),
}
LEDGER: Mapping[str, str] = {
    "RESERVE": "Reserved from the month",
    "SETTLE": "Paid out",
    "RELEASE": "Given back to the month, unpaid",
    "REVERSE": "Given back to the month, returned by the bank",
}
DEEDS: Mapping[str, str] = {
    "INITIATE_PAYOUT": "Payout opened",
    "PAYOUT_SUCCESS": "Paid",
    "PAYOUT_FAILED": "Failed",
    "PAYOUT_REVERSED": "Came back",
    "RETRY_PAYOUT": "Sent again",
    "MANUAL_RESOLVE": "Settled by hand",
    "MANUAL_RESOLVE_REQUESTED": "Asked to settle by hand",
    "MANUAL_RESOLVE_REJECTED": "Settlement by hand refused or withdrawn",
    "VPA_CORRECTED": "UPI address corrected",
    "VPA_CHECKED": "UPI address checked at the bank",
    "PAYOUT_DECIDED": "Doubt decided",
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
    if _short(row):
        return "The payout account does not hold enough"
    if row["queue"] == "UNKNOWN":
        return "Sent, and the provider has not answered for certain"
    if row["queue"] == "STUCK":
        return "The provider has it and has not ended it"
    return formats.ABSENT


def _short(row: RowMapping) -> bool:
    return row["provider_status"] == "queued" and row["reason"] == LOW_BALANCE


def next_step(row: RowMapping) -> tuple[str, str]:
    """What is to be done, and by whom."""
    queue = row["queue"]
    if queue == "APPROVAL":
        return "Compare the proof with the bank statement, then approve or refuse it.", "Another admin"
    if queue == "PERSON":
        return "Find out at the provider what became of it, then decide.", OWNERS["ADMIN"]
    if queue == "STUCK" and not _short(row):
        return "Ask the provider's support for the bank's answer, with the provider's payout id.", OWNERS["ADMIN"]
    if queue == "UNKNOWN":
        return "Nothing: the same order is sent again under the same key, which cannot pay twice.", OWNERS["SYSTEM"]
    if queue in ("LOW_BALANCE", "STUCK"):
        return "Add money to the payout account; it goes on by itself.", OWNERS["TREASURY"]
    if queue in ("UNDER_WAY", "DONE"):
        return "Nothing.", OWNERS["SYSTEM"]
    advice = advice_for(row["failure_reason"])
    if advice.retry and row["next_retry_at"] is None:
        return "It is not tried again by itself any more: retry it, or settle it by hand.", OWNERS["ADMIN"]
    return advice.next_step, OWNERS[advice.owner]


def value(field: str | None, text: str | None) -> str:
    """One side of what differs: amounts as money, provider's states as words."""
    if text is None:
        return formats.ABSENT
    if field in ("amount", "debit", "balance") and text.removeprefix("-").isdecimal():
        return formats.inr(int(text))
    return formats.words(text) if field in ("status", "statement") else text


def payee(row: RowMapping, policy: str) -> str | None:
    """What is known of the one who is paid; None where nobody asks for it."""
    told = {"VERIFIED": "Verified payee", "MISMATCH": "Payee: the names differ"}.get(row["payee_status"], "Payee not verified yet")
    if policy == "off":
        told = ""
    elif policy == "required" and row["payee_status"] != "VERIFIED":
        told += ": not paid until then"
    checked = {"active": "address found at the bank", "invalid": "address unknown to the bank"}.get(row["account_status"] or "")
    return " · ".join(part for part in (told, checked) if part) or None


def address(vpa: str, found: AddressCheck) -> str:
    """What the bank said of an address."""
    match found.verdict:
        case "VALID":
            name = f" The bank has it in the name of {found.registered_name}." if found.registered_name else " The bank names nobody."
            match_ = f" The name fits by {found.name_match} of 100." if found.name_match is not None else ""
            return f"{vpa} can be paid.{name}{match_} Nothing was sent."
        case "INVALID":
            return f"{vpa} cannot be paid: {found.detail or 'the bank does not know it'}."
        case "PENDING":
            return f"The bank has not answered about {vpa} yet. Ask again in a minute."
    return f"The provider does not check addresses at present; {vpa} may still be right."
