"""Why a payout ended without paying: whether it is worth another try, who must act, and what to do. Pure tables.

The provider's reason codes are the keys. A reason that is not here is nobody's guess: it goes to an admin.
"""

from dataclasses import dataclass
from typing import Literal

Owner = Literal["SYSTEM", "TEACHER", "ADMIN", "TREASURY"]

VPA_MISSING = "beneficiary_vpa_missing"  # ours: the teacher has given no UPI address
VPA_INVALID = "beneficiary_vpa_invalid"
LOW_BALANCE = "low_balance"
REFUSED = "refused_by_provider"  # ours: a refusal without a reason code


@dataclass(frozen=True)
class Advice:
    """What a reason means for us. `retry`: the provider itself says that trying again may help."""

    retry: bool
    owner: Owner
    next_step: str


_BANK = Advice(True, "SYSTEM", "Tried again by itself: the bank or the UPI network had a passing fault.")
_ACCOUNT = Advice(False, "TEACHER", "Ask the teacher for another UPI address, correct it here and retry.")

ADVICE: dict[str, Advice] = {
    "beneficiary_bank_failure": _BANK,
    "beneficiary_bank_offline": _BANK,
    "beneficiary_bank_technical_error": _BANK,
    "beneficiary_psp_offline": _BANK,
    "npci_beneficiary_timeout": _BANK,
    "gateway_down": _BANK,
    "gateway_technical_error": _BANK,
    "gateway_timeout": _BANK,
    "server_error_temporary": _BANK,
    "amount_limit_exhausted_neft": _BANK,
    "insufficient_funds": Advice(True, "TREASURY", "Add money to the payout account; it is tried again by itself."),
    VPA_INVALID: Advice(False, "TEACHER", "The UPI address does not exist. Correct it and retry."),
    VPA_MISSING: Advice(False, "TEACHER", "The teacher has given no UPI address. Enter it and retry."),
    "bank_account_closed": _ACCOUNT,
    "bank_account_frozen": _ACCOUNT,
    "bank_account_invalid": _ACCOUNT,
    "beneficiary_account_dormant": _ACCOUNT,
    "beneficiary_account_invalid": _ACCOUNT,
    "invalid_beneficiary": _ACCOUNT,
    "imps_not_allowed": _ACCOUNT,
    "invalid_ifsc_code": _ACCOUNT,
    "beneficiary_bank_rejected": Advice(False, "ADMIN", "Ask the teacher's bank why, then retry or settle by hand."),
    "transaction_limit_exceeded": Advice(False, "ADMIN", "The teacher's account takes no more today. Retry on another day."),
    "server_error": Advice(False, "ADMIN", "Contact the provider's support with the payout id before retrying."),
    "cancelled": Advice(False, "ADMIN", "The payout was cancelled at the provider. Retry, or settle by hand."),
    "rejected": Advice(False, "ADMIN", "The payout was not approved at the provider. Ask its approver, then retry or settle by hand."),
    "not_paid": Advice(False, "ADMIN", "An admin found out that it was not paid. Retry, or settle by hand."),
    REFUSED: Advice(False, "ADMIN", "The provider refused the request. Read its sentence, correct what it names and retry."),
}
UNLISTED = Advice(False, "ADMIN", "The provider gives a reason that is not documented. Ask its support, then retry or settle by hand.")


def advice_for(reason: str | None) -> Advice:
    """What to do about a reason; for none, or one that nobody documents, an admin decides."""
    return ADVICE.get(reason or "", UNLISTED)
