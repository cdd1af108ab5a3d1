"""What happens to one demo report, from the photo to its last step before now. Plain values; nothing is written here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pipeline.access.caller import Caller
from pipeline.demo.cast import Teacher
from pipeline.demo.darkroom import PhotoOrder
from pipeline.demo.places import Spot

Fate = Literal[
    # refused by the automatic checks
    "stale", "outside", "gps", "exact_duplicate", "near_duplicate", "old_selfie",
    # refused by a verifier
    "rejected", "reported_twice",
    # on the way, or at its end
    "good", "no_exif", "escalated", "sent_back", "not_found",
]  # fmt: skip

AUTO_REJECTED: frozenset[Fate] = frozenset({"stale", "outside", "gps", "exact_duplicate", "near_duplicate", "old_selfie"})
FATES: dict[Fate, float] = {  # of a hundred reports; refusals as a programme sees them once teachers know the rules
    "stale": 1.8, "outside": 1.3, "gps": 1.1, "exact_duplicate": 0.8, "near_duplicate": 1.5, "old_selfie": 0.5,
    "rejected": 11.0, "reported_twice": 7.0,
    "no_exif": 3.0, "escalated": 2.0, "sent_back": 1.5, "not_found": 30.5, "good": 38.0,
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One person's action on the report."""

    action: str
    at: datetime
    by: Caller
    comment: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Story:
    """One report. `original` is the story whose dog or photo this one repeats."""

    index: int
    tenant_id: str
    teacher: Teacher
    fate: Fate
    at: datetime  # received
    checked_at: datetime  # validated
    service_type: str
    description: str
    landmark: str
    dog_count: int
    spot: Spot
    pin: tuple[float, float]
    device: tuple[float, float]
    accuracy_m: float
    dog: PhotoOrder
    selfie: PhotoOrder
    original: "Story | None" = None
    steps: list[Step] = field(default_factory=list)
    capture_photo: PhotoOrder | None = None
    rating: tuple[datetime, int] | None = None  # if it is paid by then
    report_id: UUID | None = None  # known when it is created
    report_number: str | None = None
    done: int = 0  # steps that have happened
    stopped: bool = False  # a step was refused: the rest does not happen

    @property
    def next_step(self) -> Step | None:
        """What happens next; None: nothing more."""
        return None if self.stopped or self.done >= len(self.steps) else self.steps[self.done]

    @property
    def captured_at(self) -> datetime | None:
        """When the dog was captured; None: not, or not yet."""
        return next((step.at for step in self.steps[: self.done] if step.action == "MARK_CAPTURED"), None)

    @property
    def id(self) -> UUID:
        """The report's id. Raises ValueError before it is created."""
        if self.report_id is None:
            raise ValueError(f"story {self.index} has no report yet")
        return self.report_id
