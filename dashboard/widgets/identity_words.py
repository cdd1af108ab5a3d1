"""The identity flow's codes in words: queues, statuses of its tables with their colours, stages, and what each place waits for.

The codes are those of the field; a code that is not in a table is shown as words of itself, so that nothing is hidden.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dashboard import formats
from dashboard.widgets.rows import mark
from pipeline.identity.stages.base import SUB_STATUSES

# The queues of identity.matching in the order in which they ask for somebody
QUEUES: Mapping[str, str] = {
    "FAILED": "Failed",
    "PAUSED": "Paused",
    "STAGES": "In the stages",
    "CREDENTIALS": "Credential on its way",
    "ANNOUNCED": "Announced only",
    "REJECTED": "Rejected",
}
WHAT: Mapping[str, str] = {
    "FAILED": "a stage has given up, or the packet is not valid; sent again, begun anew or rejected",
    "PAUSED": "held by a rule or by a person until somebody resumes it",
    "STAGES": "being processed; each goes on by itself",
    "CREDENTIALS": "processed; a credential is not yet stored by its partner",
    "ANNOUNCED": "the client has announced a packet and not uploaded it",
    "REJECTED": "will not be processed any more",
}

STATUSES: Mapping[str, tuple[str, str]] = {
    # registration
    "PROCESSING": ("In the stages", "blue"),
    "PROCESSED": ("Processed", "green"),
    "PAUSED": ("Paused", "orange"),
    "RESUMABLE": ("To be resumed", "blue"),
    "REPROCESS": ("Tried again by itself", "orange"),
    "PAUSED_FOR_ADDITIONAL_INFO": ("Waits for more from the client", "orange"),
    "FAILED": ("Failed", "red"),
    "REJECTED": ("Rejected", "red"),
    "REPROCESS_FAILED": ("Given up", "red"),
    # one transaction of a registration
    "SUCCESS": ("Done", "green"),
    "IN_PROGRESS": ("Under way", "blue"),
    "ERROR": ("Error", "red"),
    # credentials
    "NEW": ("New", "blue"),
    "REQUESTED": ("Requested", "green"),
    "DELETED": ("Withdrawn", "gray"),
    "INVALID": ("Not valid", "red"),
    "ISSUED": ("Issued", "blue"),
    "RETRY": ("Tried again", "orange"),
    "CANCELLED": ("Cancelled", "gray"),
    "STORED": ("Stored", "green"),
    "BEGUN": ("Begun", "blue"),
    "FAILED_WITH_MAX_RETRIES": ("Given up", "red"),
    "FAILED_NON_RECOVERABLE": ("Cannot be stored", "red"),
    # pairs and components
    "PENDING": ("To decide", "orange"),
    "UNIQUE": ("Two people", "green"),
    "DUPLICATE": ("One person", "red"),
    "VERIFIED": ("Verified", "green"),
    "MISMATCH": ("Differs", "red"),
}

STEPS: Mapping[int, str] = {
    1: "Announced and uploaded",
    2: "Processed",
    3: "Credential requested",
    4: "Credential issued",
    5: "Stored by the authentication side",
    6: "Acknowledged",
}
# The places of identity.steps besides the stages of step 2
PLACES: Mapping[str, str] = {
    "UPLOAD": "Waits for the client's upload",
    "REQUEST": "Waits for the status handler",
    "ISSUE": "Waits to be issued",
    "DELIVERY": "Issued, and no event has come",
    "STORE": "Waits for the store job",
    "ACKNOWLEDGE": "Stored, and not said yet",
    "ANSWER": "Said, and not taken over yet",
}
STAGES: Mapping[str, str] = {
    "PACKET_RECEIVER": "Received",
    "SECUREZONE_NOTIFICATION": "Packet fetched and checked",
    "VALIDATOR": "Fields and documents",
    "QUALITY_CLASSIFIER": "Quality",
    "DEMO_DEDUPE": "Duplicate check",
    "MANUAL_ADJUDICATION": "Decision by a person",
    "UIN_GENERATION": "Number given",
    "FINALIZATION": "Stored in the repository",
    "CREDENTIAL": "Credential",
}
KINDS: Mapping[str, str] = {"UIN": "UIN", "VID": "VID", "HANDLE": "Handle"}
RESUMES: Mapping[str, str] = {
    "RESUME_PROCESSING": "goes on where it was",
    "RESUME_FROM_BEGINNING": "begins anew",
    "STOP_PROCESSING": "is rejected",
}


@dataclass(frozen=True)
class Budget:
    """How long something may stay at a place before it counts as late, in seconds. None: as long as it likes."""

    seconds: int | None

    def late(self, age_s: float) -> bool:
        return self.seconds is not None and age_s > self.seconds


def status(code: str | None) -> str:
    """A status in words."""
    return formats.ABSENT if code is None else STATUSES.get(code, (formats.words(code), "gray"))[0]


def sub_status(code: str | None) -> str:
    """A sub-status as its sentence; one that is none of the stages' in words of itself."""
    return formats.ABSENT if code is None else SUB_STATUSES.get(code) or status(code)


def badge(code: str | None) -> str:
    """A status as a mark in HTML."""
    label, colour = STATUSES.get(code or "", (formats.words(code), "gray"))
    return mark(label, colour)


def coloured(code: str | None) -> str:
    """A status as a badge for Markdown."""
    label, colour = STATUSES.get(code or "", (formats.words(code), "gray"))
    return f":{colour}-badge[{label}]"


def stage(code: str | None) -> str:
    """A stage, a place on the way or what was done, in words."""
    return STAGES.get(code or "") or PLACES.get(code or "") or formats.words(code)


def registration_id(reg_id: str) -> str:
    """29 digits as people read them out: centre, machine, number, and the moment of registration."""
    return f"{reg_id[:5]} {reg_id[5:10]} {reg_id[10:15]} {reg_id[15:]}" if len(reg_id) == 29 else reg_id
