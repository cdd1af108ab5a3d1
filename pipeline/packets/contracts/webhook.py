"""The provider's webhook events. The signature over the raw bytes is checked before anything here is asked.

The provider adds fields when it likes, so unknown ones are not refused; those we act on are as strict as everywhere.
"""

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from pipeline.packets.contracts.common import parse, read_json

EVENT_ALIASES = {"payout.processing": "payout.initiated"}  # the packets' name for it; the provider sends the second

Word = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")]
Said = Annotated[str, StringConstraints(max_length=1000)]  # the provider's own sentences
Paise = Annotated[int, Field(ge=0, le=10**12)]
Seconds = Annotated[int, Field(ge=946_684_800, le=4_102_444_800)]  # 2000 to 2100, the provider counts in seconds


class Theirs(BaseModel):
    """A part of the provider's body: snake_case on the wire, strict, open to fields we do not know."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False, frozen=True)


class StatusDetails(Theirs):
    """Why a payout is as it is; the provider's truth about failures."""

    reason: Said | None = None
    description: Said | None = None
    source: Said | None = None


class PayoutEntity(Theirs):
    """A payout at the provider; the amount is paise."""

    id: Word
    status: Word
    amount: Paise
    currency: Word
    fund_account_id: Word | None = None
    reference_id: Annotated[str, StringConstraints(max_length=64)] | None = None
    utr: Annotated[str, StringConstraints(max_length=64)] | None = None
    mode: Word | None = None
    purpose: Said | None = None
    fees: Paise | None = None
    tax: Paise | None = None
    failure_reason: Said | None = None
    status_details: StatusDetails | None = None
    notes: dict[str, Any] = Field(default_factory=dict)
    created_at: Seconds | None = None

    @field_validator("notes", mode="before")
    @classmethod
    def no_notes_is_an_empty_list(cls, value: Any) -> Any:
        """The provider writes [] where there are none."""
        return {} if value is None or value == [] else value

    @property
    def reason(self) -> str | None:
        """The reason code where the provider gives one, else its older sentence."""
        return (self.status_details.reason if self.status_details else None) or self.failure_reason


class _Wrapped(Theirs):
    entity: PayoutEntity


class _Payload(Theirs):
    payout: _Wrapped | None = None


class WebhookEvent(Theirs):
    """One event; `payout` is None for events about something else, which are kept and answered 200 all the same."""

    event: Word
    account_id: Word | None = None
    payload: _Payload
    created_at: Seconds | None = None

    @field_validator("event", mode="before")
    @classmethod
    def event_by_its_own_name(cls, value: Any) -> Any:
        """An event under the packets' name is the provider's event."""
        return EVENT_ALIASES.get(value, value) if isinstance(value, str) else value

    @property
    def payout(self) -> PayoutEntity | None:
        """The payout that the event is about."""
        return self.payload.payout.entity if self.payload.payout else None


def read_event(raw: bytes) -> WebhookEvent:
    """The event in a webhook body. Raises SDCRS_INVALID_JSON or SDCRS_INVALID_REQUEST."""
    return parse(WebhookEvent, read_json(raw))
