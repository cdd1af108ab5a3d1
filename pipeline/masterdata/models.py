"""What the documents of the programme look like: roles, report types, reasons, payouts, limits, topics and messages.

Each class is one entry of one document, and at the same time the typed value that other rooms get. Rules that join
several documents are in checks.py.
"""

import string
from functools import cached_property
from typing import Literal

from pydantic import Field

from pipeline.masterdata.base import Coded, Locale, Strict, Wording

PAISE_PER_RUPEE = 100

# What a message may say. The notifications room knows each of these; checks.py refuses any other in a template.
PLACEHOLDERS = frozenset(
    {
        "address",  # of the report
        "amount",  # whole rupees of the payout
        "cap",  # whole rupees of the monthly cap
        "comment",  # of the person who acted
        "helpdesk",  # the tenant's
        "method",  # of a manual payment
        "penalty",  # name of the step
        "reason",  # a rejection reason's message, why a payout failed, or what led to a penalty
        "reference",  # of a manual payment
        "reportNumber",
        "reportType",  # short name of the report's type
        "slaHours",  # of the report's type
        "trackingId",
        "trackingUrl",
        "until",  # when a penalty ends, in the tenant's zone
        "utr",  # the bank's reference of a payout
        "vpa",  # where the payout goes
        "ward",  # name of the report's ward
    }
)

Priority = Literal["HIGH", "MEDIUM", "LOW"]


class Role(Strict):
    """A role of the programme. No account may have one that is not assignable."""

    code: str
    name: str
    description: str = ""
    assignable: bool


class ReportType(Coded):
    """What a teacher can report; `sla_hours` is the time from report to its end."""

    short_name: Wording  # as an officer's message says it
    priority: Priority
    sla_hours: int = Field(gt=0)
    department: str


class RejectionReason(Coded):
    """Why a report ends without a capture, and with which of the workflow's actions it may be given."""

    is_auto: bool
    actions: tuple[str, ...] = Field(min_length=1)
    counts_for_penalty: bool
    message: Wording  # what the teacher is told
    aliases: tuple[str, ...] = ()  # other codes that clients send for it


class ResolutionType(Coded):
    """How a field visit ended. One that triggers a payout belongs to MARK_CAPTURED, the others to MARK_UNABLE_TO_LOCATE."""

    triggers_payout: bool


class UnableReason(Coded):
    """Why an officer did not find the dog."""


class PayoutConfig(Strict):
    """What a capture pays and what limits it. Amounts in the document are whole rupees; code uses the paise."""

    code: str
    amount_per_report: int = Field(gt=0)
    currency: Literal["INR"]  # UPI knows no other
    minimum_photos: int = Field(ge=1)
    maximum_daily_reports: int = Field(ge=1)
    monthly_payout_cap: int = Field(ge=0)
    max_retries: int = Field(ge=0, le=3)  # the report's retry_count has a CHECK up to 3
    retry_after_minutes: int = Field(gt=0)
    active: bool = True

    @property
    def amount_paise(self) -> int:
        """What one captured report pays."""
        return self.amount_per_report * PAISE_PER_RUPEE

    @property
    def monthly_cap_paise(self) -> int:
        """The most that a teacher gets in a local month."""
        return self.monthly_payout_cap * PAISE_PER_RUPEE

    @property
    def daily_limit(self) -> int:
        """How many reports a teacher may send on a local day."""
        return self.maximum_daily_reports


class ValidationLimits(Strict):
    """The limits of the automatic checks, and what becomes of a photo that is nearly another."""

    max_gps_distance_meters: int = Field(gt=0)
    max_pin_distance_meters: int = Field(gt=0)
    max_photo_age_hours: int = Field(gt=0)
    max_photo_future_minutes: int = Field(ge=0)
    duplicate_lookback_days: int = Field(gt=0)
    duplicate_similarity: float = Field(gt=0, le=1)
    duplicate_hash_distance: int = Field(ge=0, le=7)  # of 64 bits; up to 7 the search misses nothing
    near_duplicate_mode: Literal["REJECT", "REVIEW"]


class Topic(Strict):
    """A topic on which a packet travels."""

    name: str
    producer: str
    consumer: str
    purpose: str


class StatusMapping(Strict):
    """The provider's words for one state of a payout, and what the report does then."""

    provider_status: tuple[str, ...] = Field(min_length=1)
    sdcrs_action: Literal["none", "transitionToResolved", "markPayoutFailed", "markPayoutReversed"]


PayoutState = Literal["INITIATED", "PROCESSING", "COMPLETED", "FAILED", "REVERSED"]


class UpiConfig(Strict):
    """What every payout request to the provider says, and how its answers are read."""

    mode: Literal["UPI"]
    purpose: str
    narration: str = Field(max_length=30)  # the provider's limit
    queue_if_low_balance: bool
    status_mapping: dict[PayoutState, StatusMapping]

    def state_of(self, provider_status: str) -> PayoutState | None:
        """Our state for the provider's word; None when the word is unknown to us."""
        return next((state for state, mapping in self.status_mapping.items() if provider_status in mapping.provider_status), None)


class Template(Strict):
    """One message in one language, with `{placeholder}` places."""

    name: str
    channel: Literal["SMS"]
    category: Literal["TRANSACTION"]
    template_id: str
    locale: Locale
    content: str = Field(min_length=1, max_length=480)

    @cached_property
    def placeholders(self) -> frozenset[str]:
        """The names in braces. Raises ValueError when a brace is not closed."""
        return frozenset(name for _, name, _, _ in string.Formatter().parse(self.content) if name is not None)


Recipient = Literal["TEACHER", "ASSIGNED_OFFICER", "PREVIOUS_OFFICER"]


class Send(Strict):
    """After `action`, and where `to_state` is given only when it led there, `recipient` gets this message."""

    action: str
    to_state: str | None = None
    template_id: str
    recipient: Recipient
