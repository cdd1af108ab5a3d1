"""Bodies of the payout API: search and retry, and the payout as packets and answers show it."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from pipeline.packets.contracts.common import Body, Request
from pipeline.packets.contracts.fields import DEFAULT_PAGE, ONE_LINE, Code, Id, Line64, Line128, Millis, PageLimit, PageOffset, TenantId

MAX_RETRIED = 100  # one page of a list, which is what an admin can select


class PayoutCriteria(Body):
    """What to look for; every filter narrows."""

    tenant_id: TenantId
    report_number: Line64 | None = None
    status: Annotated[list[Code], Field(max_length=20)] | None = None  # an empty list filters nothing
    from_date: Millis | None = None  # of creation, inclusive
    to_date: Millis | None = None  # of creation, inclusive
    offset: PageOffset = 0
    limit: PageLimit = DEFAULT_PAGE

    @model_validator(mode="after")
    def span_runs_forward(self) -> Self:
        """A span that ends before it begins is a mistake, not an empty result."""
        if self.from_date is not None and self.to_date is not None and self.from_date > self.to_date:
            raise ValueError("fromDate is after toDate")
        return self


class PayoutSearchRequest(Request):
    """/payout/v1/_search."""

    search_criteria: PayoutCriteria = Field(alias="searchCriteria")


class PayoutRetryRequest(Request):
    """/payout/v1/_retry: each report's payout again; a corrected UPI address is for one report only."""

    report_ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_RETRIED)]
    beneficiary_vpa: Annotated[str, StringConstraints(min_length=1, max_length=100), ONE_LINE] | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def one_address_for_one_report(self) -> Self:
        """Two teachers do not share a corrected address by accident."""
        if self.beneficiary_vpa is not None and len(self.report_ids) > 1:
            raise ValueError("a beneficiaryVpa goes with one report only")
        return self


class AuditDetails(Body):
    """Who made and who last changed a row, and when."""

    created_by: Id | None = None
    created_time: Millis | None = None
    last_modified_by: Id | None = None
    last_modified_time: Millis | None = None


class Payout(Body):
    """A payout as 08/05 shows it; `amount` is whole rupees, `status` our word or the provider's in upper case."""

    id: Id
    razorpay_payout_id: Line64 | None = None
    razorpay_contact_id: Line64 | None = None
    razorpay_fund_account_id: Line64 | None = None
    reference_id: Line64
    report_id: Id
    report_number: Line64 | None = None
    tenant_id: TenantId
    beneficiary_id: Id | None = None
    beneficiary_name: Line128 | None = None
    beneficiary_vpa: Line128 | None = None
    amount: Annotated[float, Field(ge=0)]
    currency: Literal["INR"]
    status: Code
    mode: Line64
    purpose: Line64
    utr: Line64 | None = None
    failure_reason: Annotated[str, StringConstraints(max_length=1000)] | None = None
    retry_count: Annotated[int, Field(ge=0, le=3)]
    max_retries: Annotated[int, Field(ge=0, le=3)]
    audit_details: AuditDetails
