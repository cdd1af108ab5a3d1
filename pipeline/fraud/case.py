"""What the rules look at: one report with its photos as measured. Plain values; no rule reads the database."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Photo:
    """One photo: purpose (DOG_PHOTO or SELFIE), where and when by its own EXIF or, without one, by the client's claim."""

    purpose: str
    latitude: float | None
    longitude: float | None
    taken_at: datetime | None
    exif_present: bool


@dataclass(frozen=True)
class Case:
    """One report to be judged. `inside_boundary` is what the boundary check measured."""

    report_id: UUID
    tenant_id: str
    received_at: datetime
    zone: ZoneInfo
    latitude: float
    longitude: float
    inside_boundary: bool
    km_outside: float
    photos: tuple[Photo, ...]

    def photo(self, purpose: str) -> Photo | None:
        """The first photo of a purpose."""
        return next((p for p in self.photos if p.purpose == purpose), None)
