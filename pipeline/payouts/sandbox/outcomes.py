"""What becomes of a payout: reasons as the provider words them, and the scripts that magic VPAs choose. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """Who is the cause, and a sentence for people."""

    source: str
    description: str


REASONS: dict[str, Reason] = {
    "low_balance": Reason("business", "Queued: the account does not have enough balance. Add funds to continue."),
    "pending_approval": Reason("business", "The payout waits for its approval."),
    "gateway_degraded": Reason("gateway", "Queued: the partner bank's systems are degraded at the moment."),
    "beneficiary_bank_confirmation_pending": Reason("beneficiary_bank", "The beneficiary's bank has not confirmed the credit yet."),
    "payout_bank_processing": Reason("gateway", "The partner bank is processing the payout."),
    "payout_processed": Reason("beneficiary_bank", "The payout was processed and credited to the beneficiary."),
    "beneficiary_vpa_invalid": Reason("beneficiary_bank", "Invalid beneficiary VPA"),
    "beneficiary_bank_offline": Reason("beneficiary_bank", "The beneficiary's bank is offline."),
    "beneficiary_psp_offline": Reason("beneficiary_bank", "The beneficiary's UPI app is offline."),
    "beneficiary_bank_failure": Reason("beneficiary_bank", "The payout failed at the beneficiary's bank."),
    "beneficiary_bank_rejected": Reason("beneficiary_bank", "The beneficiary's bank rejected the payout."),
    "bank_account_frozen": Reason("beneficiary_bank", "The beneficiary's account is frozen."),
    "npci_beneficiary_timeout": Reason("beneficiary_bank", "The beneficiary's bank did not answer the network in time."),
    "transaction_limit_exceeded": Reason("beneficiary_bank", "The beneficiary's transaction limit is exceeded."),
    "gateway_down": Reason("gateway", "The partner bank's systems are down."),
    "insufficient_funds": Reason("business", "The account did not have enough balance."),
    "server_error": Reason("internal", "The payout failed inside the provider. Contact support."),
}
UNLISTED = Reason("internal", "The payout ended for a reason that is not documented.")

# What a person who moves a payout by hand gets when naming no reason
DEFAULT_REASON = {
    "queued": "gateway_degraded",  # not low_balance: the drain would take it out again at once
    "processed": "payout_processed",
    "failed": "beneficiary_bank_failure",
    "reversed": "beneficiary_bank_failure",
}

STATUSES = ("pending", "scheduled", "queued", "processing", "processed", "failed", "reversed", "cancelled", "rejected")
PAID_OUT = frozenset({"processing", "processed"})  # the money is out
RELEASED = frozenset({"reversed", "cancelled", "rejected"})  # the money is back, or never went


@dataclass(frozen=True)
class Step:
    """The next thing that happens to a payout. `later` waits the longer of the two delays."""

    status: str
    reason: str | None = None
    later: bool = False
    gives_utr: bool = False
    keeps_money: bool = False  # failed, but the money has not come back yet


PAID = (Step("processed", "payout_processed", gives_utr=True),)


def _fails(reason: str) -> tuple[Step, ...]:
    return (Step("failed", reason),)


SCRIPTS: dict[str, tuple[Step, ...]] = {
    "paid": PAID,
    "fails.vpa.invalid": _fails("beneficiary_vpa_invalid"),
    "fails.bank.offline": _fails("beneficiary_bank_offline"),
    "fails.psp.offline": _fails("beneficiary_psp_offline"),
    "fails.npci.timeout": _fails("npci_beneficiary_timeout"),
    "fails.gateway.down": _fails("gateway_down"),
    "fails.bank.rejected": _fails("beneficiary_bank_rejected"),
    "fails.account.frozen": _fails("bank_account_frozen"),
    "fails.limit.exceeded": _fails("transaction_limit_exceeded"),
    "fails.server.error": _fails("server_error"),
    "fails.unlisted.reason": _fails("sandbox_unlisted_reason"),
    "fails.once": _fails("beneficiary_bank_offline"),
    "reversed": (Step("reversed", "beneficiary_bank_failure"),),
    "reversed.after.processed": (*PAID, Step("reversed", "beneficiary_bank_failure", later=True)),
    "failed.then.reversed": (
        Step("failed", "beneficiary_bank_failure", keeps_money=True),
        Step("reversed", "beneficiary_bank_failure", later=True),
    ),
    "utr.late": (Step("processed", "payout_processed"), Step("processed", "payout_processed", later=True, gives_utr=True)),
    "queued.gateway.degraded": (
        Step("queued", "gateway_degraded", keeps_money=True),
        Step("processing", None, later=True),
        *PAID,
    ),
    "stuck": (Step("processing", "beneficiary_bank_confirmation_pending"),),
    "validation.fails": PAID,
}


def script_of(address: str) -> str:
    """The name of the script that a VPA chooses; `paid` when it names none."""
    username, _, handle = address.lower().partition("@")
    if handle != "sandbox":
        return "paid"
    named = [name for name in SCRIPTS if username == name or username.endswith("." + name)]
    return max(named, key=len, default="paid")  # failed.then.reversed also ends with reversed


def next_step(script: str, step: int) -> Step | None:
    """The step to be taken next, or None when the script is over."""
    steps = SCRIPTS.get(script, PAID)
    return steps[step] if step < len(steps) else None
