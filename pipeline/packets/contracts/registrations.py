"""Bodies of the registration client's endpoints, and of the operator's: announcements, external status, workflow actions, VIDs."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, field_validator

from pipeline.packets.contracts.common import Body
from pipeline.packets.contracts.fields import DEFAULT_PAGE, Code, Line64, Line512, Millis, PageLimit, PageOffset, TenantId
from pipeline.packets.contracts.identity_credentials import Enveloped

MAX_ITEMS = 100  # announcements of one sync, ids of one question or deed: about a centre's day
MAX_COMPONENTS = 6  # as many as one upload takes
MAX_SIZE = 2**31 - 1  # what the column takes; what is too large is said at the upload

RegistrationId = Annotated[str, StringConstraints(pattern=r"^[0-9]{29}$")]  # centre, machine, number, time
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]
Process = Annotated[str, StringConstraints(pattern=r"^[A-Z_]{1,32}$")]
Source = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
SchemaVersion = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.]{1,16}$")]
ComponentName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{64}$")]


class ComponentBody(Body):
    """A component that will come: bytes, and the SHA-256 of its zip in hex."""

    name: ComponentName
    size: Annotated[int, Field(gt=0, le=MAX_SIZE)]
    hash: Sha256


class AnnouncementBody(Body):
    """One registration as its client announces it. The person's name, phone and address are not read: the packet has them."""

    IGNORED: ClassVar[frozenset[str]] = frozenset(
        {"name", "phone", "email", "packetId", "additionalInfoReqId", "optionalValues", "createDateTime"}
    )

    registration_id: RegistrationId
    process: Process
    source: Source
    schema_version: SchemaVersion
    lang_code: Annotated[str, StringConstraints(pattern=r"^[a-z]{3}$")] | None = None
    supervisor_status: Literal["APPROVED", "REJECTED"]
    supervisor_comment: Line512 | None = None
    components: Annotated[list[ComponentBody], Field(min_length=1, max_length=MAX_COMPONENTS)]

    @field_validator("components")
    @classmethod
    def each_once(cls, value: list[ComponentBody]) -> list[ComponentBody]:
        """A component that is announced twice says two things."""
        if len({part.name for part in value}) < len(value):
            raise ValueError("a component is there twice")
        return value


class SyncRequest(Enveloped[Annotated[list[AnnouncementBody], Field(min_length=1, max_length=MAX_ITEMS)]]):
    """/registrationprocessor/v1/registrationstatus/sync; without a tenant the sender's own."""

    tenant_id: TenantId | None = Field(default=None, alias="tenantId")


class AskedBody(Body):
    """A registration that is asked about."""

    registration_id: RegistrationId


class StatusRequest(Enveloped[Annotated[list[AskedBody], Field(min_length=1, max_length=MAX_ITEMS)]]):
    """/registrationprocessor/v1/registrationstatus/search."""


class ActionBody(Body):
    """What is to be done with which registrations, and why."""

    workflow_ids: Annotated[list[RegistrationId], Field(min_length=1, max_length=MAX_ITEMS)]
    workflow_action: Literal["RESUME_PROCESSING", "RESUME_FROM_BEGINNING", "STOP_PROCESSING", "PAUSE_PROCESSING"]
    reason: Reason


class ActionRequest(Enveloped[ActionBody]):
    """/registrationprocessor/v1/workflowmanager/workflowaction."""


class WorkflowBody(Body):
    """Which registrations to list; every filter narrows."""

    tenant_id: TenantId | None = None
    registration_id: RegistrationId | None = None
    status_code: Annotated[list[Code], Field(max_length=20)] | None = None
    sub_status_code: Code | None = None
    stage: Code | None = None
    from_date: Millis | None = None  # of reception, inclusive
    to_date: Millis | None = None  # of reception, inclusive
    offset: PageOffset = 0
    limit: PageLimit = DEFAULT_PAGE


class WorkflowRequest(Enveloped[WorkflowBody]):
    """/registrationprocessor/v1/workflowmanager/workflow/search."""


class VidBody(Body):
    """Whose VID: a UIN or a handle of the person."""

    tenant_id: TenantId | None = None
    individual_id: Annotated[Line64, Field(min_length=1, repr=False)]


class VidRequest(Enveloped[VidBody]):
    """/idrepository/v1/vid."""
