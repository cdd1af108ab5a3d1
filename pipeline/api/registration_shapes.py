"""What the endpoints of registration clients and operators answer."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from pipeline.api.identity_shapes import Envelope, Said
from pipeline.identity.registration.external import ExternalStatus


class SyncResult(Said):
    """What became of one announcement."""

    registration_id: str
    status: Literal["SUCCESS", "FAILURE"]
    error_code: str | None
    message: str | None


class SyncAnswer(Envelope):
    """A result per registration, in the order sent."""

    response: list[SyncResult]


class StatusTold(Said):
    """What a client is told of one registration."""

    registration_id: str
    status_code: ExternalStatus
    sub_status_code: str | None
    upload_number: int
    updated_time: int


class StatusAnswer(Envelope):
    """The registrations that are known in the caller's area."""

    response: list[StatusTold]


class UploadTaken(Said):
    """The packet is taken."""

    registration_id: str
    status: Literal["RECEIVED"]
    upload_number: int
    components: list[str]


class UploadAnswer(Envelope):
    """All components were taken."""

    response: UploadTaken


class ActionResult(Said):
    """What became of one registration."""

    workflow_id: str
    status: Literal["SUCCESS", "FAILURE"]
    error_code: str | None
    message: str | None


class ActionAnswer(Envelope):
    """A result per registration, in the order sent."""

    response: list[ActionResult]


class Workflow(Said):
    """A registration with where it is; times are epoch milliseconds."""

    workflow_id: str
    tenant_id: str
    process: str
    source: str
    status_code: str
    sub_status_code: str | None
    status_comment: str | None
    stage: str
    upload_number: int
    attempts: int
    latest_transaction_type: str | None
    latest_transaction_status: str | None
    latest_transaction_time: int | None
    pause_rule: str | None
    resume_time: int | None
    default_resume_action: str | None
    received_time: int
    processed_time: int | None


class Workflows(Said):
    """A page of registrations, and how many there are in all, up to 10,001."""

    registrations: list[Workflow]
    total_count: int


class WorkflowAnswer(Envelope):
    """One page, newest first."""

    response: Workflows


class VidMade(BaseModel):
    """The number, told this once."""

    model_config = ConfigDict(extra="forbid")

    VID: str
    vidStatus: Literal["ACTIVE"]  # noqa: N815 - as the field writes it
    expiryTimestamp: int  # noqa: N815
    transactionLimit: int  # noqa: N815


class VidAnswer(Envelope):
    """The person has a new VID."""

    response: VidMade
