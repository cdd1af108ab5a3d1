"""What every stage gets and gives: a registration with its packet in, a verdict out. A stage decides; the runner writes what follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Connection

from pipeline.identity.numbers import Numbers
from pipeline.identity.packet.manager import Packet
from pipeline.masterdata.identity_models import IdentityStages
from pipeline.masterdata.master import MasterData
from pipeline.runtime import Runtime

# Every sub-status with what it says to a person. Codes are never used again for something else.
SUB_STATUSES: Mapping[str, str] = {
    "PACKET_RECEIVED": "The packet was taken in.",
    "PACKET_VERIFIED": "Every component is as it was hashed and announced.",
    "PACKET_MISMATCH": "A component differs from its own hashes or from what was announced.",
    "PACKET_UNREADABLE": "A component cannot be read.",
    "COMPONENT_MISSING": "A component that the schema asks for is not there.",
    "SCHEMA_UNKNOWN": "The packet follows a schema that is not known here.",
    "FIELDS_VALID": "Fields, age and documents are as the schema asks.",
    "FIELD_MISSING": "A required field is missing.",
    "FIELD_UNKNOWN": "A field is not in the schema.",
    "FIELD_INVALID": "A field does not have the form that the schema asks for.",
    "AGE_INVALID": "The date of birth cannot be.",
    "DOCUMENT_MISSING": "A document that somebody of this age must bring is missing.",
    "QUALITY_CLASSIFIED": "Documents can be read, captures are counted.",
    "DOCUMENT_UNREADABLE": "A document is no PDF.",
    "BIOMETRICS_UNUSABLE": "The biometrics file is too small to hold anything.",
    "NO_DUPLICATE": "No other registration is like this one.",
    "DUPLICATE_SUSPECTED": "Another registration is much like this one: a person decides.",
    "DUPLICATE": "Another registration is the same person's.",
    "ADJUDICATION_NOT_NEEDED": "Nothing was left to a person.",
    "ADJUDICATED_UNIQUE": "A person has decided that the registrations are of different people.",
    "ADJUDICATED_DUPLICATE": "A person has decided that another registration is the same person's.",
    "UIN_GENERATED": "The person has a number.",
    "HANDLE_TAKEN": "Another person has the same handle.",
    "IDENTITY_STORED": "The identity is in the repository and its credentials are asked for.",
    "STAGE_ERROR": "The stage failed and is tried again.",
    "STAGE_GAVE_UP": "The stage failed too often; a person must look.",
    "PAUSED_BY_RULE": "A rule holds it until its time is over or a person says so.",
    "PAUSED_BY_PERSON": "A person holds it.",
    "RESUMED": "It goes on where it stopped.",
    "RESTARTED": "It begins anew with the first stage.",
    "STOPPED": "It was rejected by a person, or because a pause ended so.",
}

HOLD_RULE = "MANUAL_VERIFICATION"  # the pause rule of a registration that waits for a decision about a pair
DUE = ("PROCESSING", "RESUMABLE", "REPROCESS")  # the statuses in which the runner takes a registration


@dataclass(frozen=True)
class Registration:
    """A registration as the runner claimed it."""

    id: UUID
    tenant_id: str
    state_id: str
    reg_id: str
    process: str
    source: str
    schema_version: str
    upload_number: int
    status_code: str
    stage: str
    attempts: int
    next_attempt_at: datetime
    pause_immunity: tuple[str, ...]
    identity_id: UUID | None
    received_at: datetime


@dataclass(frozen=True)
class Context:
    """One run of a stage: its transaction, and everything it may read."""

    rt: Runtime
    conn: Connection
    md: MasterData
    numbers: Numbers
    registration: Registration
    packet: Packet
    now: datetime

    @property
    def rules(self) -> IdentityStages:
        return self.md.identity_stages(self.registration.tenant_id)


@dataclass(frozen=True)
class Hold:
    """A pause that follows from a verdict; without `resume_after_s` it waits for a person."""

    rule: str
    resume_after_s: int | None = None
    action: str | None = None


@dataclass(frozen=True)
class Message:
    """A packet that a stage has sent: its catalogue id and, where there is one, the row that tells more."""

    packet: str
    causation_id: UUID | None = None


@dataclass(frozen=True)
class Passed:
    """On to the next stage, at once or after a hold; after the last stage the registration is processed."""

    sub_status: str
    details: Mapping[str, Any] = field(default_factory=dict)
    messages: Sequence[Message] = ()
    hold: Hold | None = None
    comment: str | None = None


@dataclass(frozen=True)
class Failed:
    """The packet is wrong: its client may send it again."""

    sub_status: str
    comment: str
    details: Mapping[str, Any] = field(default_factory=dict)
    messages: Sequence[Message] = ()


@dataclass(frozen=True)
class Rejected:
    """The registration ends here, whatever is sent again."""

    sub_status: str
    comment: str
    details: Mapping[str, Any] = field(default_factory=dict)
    messages: Sequence[Message] = ()


Verdict = Passed | Failed | Rejected


class Stage(Protocol):
    """Decides about one registration; may write rows of its own in the given transaction. What it raises is tried again later."""

    def __call__(self, ctx: Context) -> Verdict: ...
