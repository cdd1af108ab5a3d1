"""What a reconciliation can find: the kinds, what is to be done about each, and one finding with both values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Kind = Literal[
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
]

# What differs: `status`, `amount`, `fund_account_id`, `utr`, `id` at the provider; `statement` (whether the money is seen to
# have left or come back), `debit` (how much, how often) and `balance` in the account statement.
NEXT_STEP: Mapping[Kind, str] = {
    "MATCHED": "Nothing: all sides agree.",
    "IN_FLIGHT": "Nothing yet: it is under way. The next run says more.",
    "STATUS_MISMATCH": "Take over the provider's answer; if it stays different, open the payout's story.",
    "AMOUNT_MISMATCH": "Do not retry. Ask the provider's support which amount left the account.",
    "BENEFICIARY_MISMATCH": "Do not retry. Ask the provider's support where the money went.",
    "MISSING_AT_PROVIDER": "Have it looked up: a lost order goes out again under the same key. Do not release it by hand before.",
    "MISSING_IN_LEDGER": "Find out who ordered it: a payout that we did not order, or a lost row of ours.",
    "DUPLICATE_AT_PROVIDER": "Stop retries of this report and ask the provider to cancel or return one of the payouts.",
    "REVERSED_AFTER_SETTLED": "The money came back: take over the provider's answer, then correct the address and retry.",
    "UTR_REUSED": "Two payouts carry one bank reference: ask the bank which one was credited.",
    "STUCK": "Ask the provider's support for the bank's answer; three working days have passed.",
    "BALANCE_BROKEN": "A line of the statement is missing or wrong at this place: ask the bank for the statement of that day.",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One finding. `field`, `ours`, `theirs`: what differs; None where a whole side is missing."""

    kind: Kind
    payout_id: UUID | None
    attempt_id: UUID | None
    tenant_id: str | None
    report_number: str | None
    reference_id: str | None
    provider_payout_id: str | None
    line_id: str | None  # of the account statement
    field: str | None
    ours: str | None
    theirs: str | None
    age_s: int

    @property
    def next_step(self) -> str:
        """What a person does about it."""
        return NEXT_STEP[self.kind]

    @property
    def fingerprint(self) -> str:
        """The same for the same finding of a later run, and another as soon as one of the values has changed."""
        subject = self.provider_payout_id or self.reference_id or self.line_id or ""
        return "|".join((self.kind, subject, self.field or "", self.ours or "", self.theirs or ""))
