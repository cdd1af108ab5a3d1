"""What a verifier should know of a report's photos: where the client's claims and the files contradict, and what the files lack.

Pure comparison: no database, no decision. A finding is shown with the report and never rejects one by itself; the checks
and the rules do that. Codes are stable. What was not measured or not claimed is no finding: silence contradicts nothing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, Literal

from pipeline.filestore.measure import hamming, phash_hex
from pipeline.filestore.quality import MIN_EXPOSURE, MIN_SHARPNESS, MIN_SIDE_PX
from pipeline.masterdata.geo import haversine_m

Severity = Literal["LOW", "MEDIUM", "HIGH"]

PIN_M = 100.0  # pin from device, and a claimed place from the file's: what a phone's position is good for in a town
APART_M, APART_MIN = 500.0, 10.0  # photo and selfie belong to one visit of one place
CLAIMED_MIN = 10.0  # a phone's clock against the satellites'
CLOCKS_MIN = 60.0  # within one file: a phone may write the satellites' time of its last fix
HASH_BITS = 6  # of 64, as for near duplicates: apps compute their hash of a picture of another size

# Programs that change what a photo shows or says; a phone's own firmware and camera are none of them.
EDITORS = (
    "photoshop", "lightroom", "gimp", "snapseed", "picsart", "canva", "pixlr", "facetune", "affinity", "paint", "polarr", "vsco", "remini",
    "faceapp", "meitu", "beautyplus", "photoscape", "acdsee", "imagemagick", "exiftool", "photodirector", "airbrush", "inshot",
    "photo editor", "windows photo",
)  # fmt: skip
# Words that name a phone's maker, as people and apps write them, and the name in EXIF.
MAKERS = {
    "samsung": "samsung", "galaxy": "samsung", "xiaomi": "xiaomi", "redmi": "xiaomi", "poco": "xiaomi", "oppo": "oppo", "vivo": "vivo",
    "realme": "realme", "oneplus": "oneplus", "apple": "apple", "iphone": "apple", "motorola": "motorola", "moto": "motorola",
    "nokia": "nokia", "hmd": "nokia", "tecno": "tecno", "infinix": "infinix", "itel": "itel", "huawei": "huawei", "honor": "honor",
    "google": "google", "pixel": "google", "lava": "lava", "micromax": "micromax", "lenovo": "lenovo", "asus": "asus", "sony": "sony",
    "lg": "lg", "lge": "lg", "nothing": "nothing",
}  # fmt: skip
_WORDS = re.compile(r"[a-z0-9]+")
_HEX = re.compile(r"(?:sha-?256:|phash:)?([0-9a-f]{64}|[0-9a-f]{16})", re.IGNORECASE)

# The columns that `photo_of` reads, for a query over sdcrs.evidence e and sdcrs.file f.
PHOTO_COLUMNS = """e.evidence_type, e.claimed_hash, e.claimed_at, e.captured_at, e.latitude AS claimed_latitude,
    e.longitude AS claimed_longitude, e.device_info, e.sha256, e.phash, f.width_px, f.height_px, f.exif_present, f.exif_latitude,
    f.exif_longitude, f.exif_gps_at, f.exif_taken_at, f.exif_offset_min, f.exif_make, f.exif_model, f.exif_software, f.blur_score,
    f.exposure_score, f.brightness, f.faces"""


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing. `measured` and `limit` in `unit`; None where it is not a matter of more or less."""

    code: str
    severity: Severity
    reason: str
    measured: float | None = None
    limit: float | None = None
    unit: str = ""
    evidence_type: str | None = None  # whose photo; None: the report's, or of two photos together


@dataclass(frozen=True)
class ReportPlace:
    """Where the report's pin and the phone were, in degrees, and the zone in which cameras write their time."""

    latitude: float
    longitude: float
    zone: tzinfo
    gps_latitude: float | None = None
    gps_longitude: float | None = None


@dataclass(frozen=True)
class PhotoClaims:
    """One photo: what the client said of it, and what the file says of itself. None: not said, not measured."""

    evidence_type: str
    sha256: bytes
    phash: int
    exif_present: bool
    claimed_hash: str | None = None
    claimed_at: datetime | None = None
    claimed_latitude: float | None = None
    claimed_longitude: float | None = None
    device_info: str | None = None
    captured_at: datetime | None = None  # as judged: the file's time, else the claim
    exif_latitude: float | None = None
    exif_longitude: float | None = None
    exif_gps_at: datetime | None = None
    exif_taken_at: datetime | None = None  # without a zone
    exif_offset_min: int | None = None
    exif_make: str | None = None
    exif_model: str | None = None
    exif_software: str | None = None
    width_px: int | None = None
    height_px: int | None = None
    blur_score: float | None = None
    exposure_score: float | None = None
    brightness: float | None = None
    faces: int | None = None

    @property
    def place(self) -> tuple[float, float] | None:
        """The file's place, else the claimed one."""
        return _pair(self.exif_latitude, self.exif_longitude) or _pair(self.claimed_latitude, self.claimed_longitude)

    @property
    def who(self) -> str:
        """As a sentence begins."""
        return {"DOG_PHOTO": "Dog photo", "REPORTER_SELFIE": "Selfie", "CAPTURE_PHOTO": "Capture photo"}.get(self.evidence_type, "Photo")


@dataclass(frozen=True)
class Limits:
    """From where on a difference is a finding."""

    pin_m: float = PIN_M
    claimed_m: float = PIN_M
    apart_m: float = APART_M
    apart_min: float = APART_MIN
    claimed_min: float = CLAIMED_MIN
    clocks_min: float = CLOCKS_MIN


@dataclass(frozen=True)
class _Photo:
    """A photo with the zone of its report."""

    photo: PhotoClaims
    zone: tzinfo
    limits: Limits = field(default_factory=Limits)

    def finding(
        self, code: str, severity: Severity, reason: str, measured: float | None = None, limit: float | None = None, unit: str = ""
    ) -> Finding:
        return Finding(code, severity, f"{self.photo.who}: {reason}", measured, limit, unit, self.photo.evidence_type)


def photo_of(row: Any) -> PhotoClaims:
    """A photo from a row with `PHOTO_COLUMNS`, read by attribute."""
    facts = {name: getattr(row, name) for name in PhotoClaims.__dataclass_fields__}
    return PhotoClaims(**facts | {"sha256": bytes(row.sha256)})


def findings(report: ReportPlace, photos: Sequence[PhotoClaims], limits: Limits = Limits()) -> tuple[Finding, ...]:
    """All findings of a report: its pin, the photos one by one in the order given, then photo against selfie."""
    return (
        *_pin(report, limits),
        *(found for photo in photos for check in PHOTO_CHECKS for found in check(_Photo(photo, report.zone, limits))),
        *_photo_and_selfie(photos, limits),
    )


def _pin(report: ReportPlace, limits: Limits) -> Iterator[Finding]:
    """The pin on the map lies where the phone was."""
    device = _pair(report.gps_latitude, report.gps_longitude)
    if device is None:
        return
    apart = haversine_m(report.latitude, report.longitude, *device)
    if apart > limits.pin_m:
        reason = f"Pin {_distance(apart)} from the device, limit {_distance(limits.pin_m)}"
        yield Finding("PIN_FAR_FROM_DEVICE", "MEDIUM", reason, round(apart, 1), limits.pin_m, "m")


def _hash(one: _Photo) -> Iterator[Finding]:
    """A hash sent with the photo is that of the file; what is neither a SHA-256 nor a 64-bit hash cannot be compared."""
    claimed = _HEX.fullmatch((one.photo.claimed_hash or "").strip())
    if claimed is None:
        return
    digits = claimed[1].lower()
    if len(digits) == 64:
        if digits != one.photo.sha256.hex():
            reason = f"the client's SHA-256 begins {digits[:12]}, the file's {one.photo.sha256.hex()[:12]}"
            yield one.finding("HASH_DIFFERS", "HIGH", reason)
        return
    bits = hamming(int(digits, 16), one.photo.phash)
    if bits > HASH_BITS:
        reason = f"the client's picture hash {digits} differs from the file's {phash_hex(one.photo.phash)} in {bits} of 64 bits"
        yield one.finding("HASH_DIFFERS", "HIGH", reason, float(bits), float(HASH_BITS), "bits")


def _time(one: _Photo) -> Iterator[Finding]:
    """The time that the client says is the one in the file, and the file does not contradict itself."""
    photo, limits = one.photo, one.limits
    camera = _camera_time(one)
    written = photo.exif_gps_at or camera
    if written is not None and photo.claimed_at is not None:
        apart = _minutes(written, photo.claimed_at)
        if apart > limits.claimed_min:
            reason = f"claimed time {_duration(apart)} from the file's, limit {_duration(limits.claimed_min)}"
            yield one.finding("TIME_DIFFERS", "HIGH", reason, round(apart, 1), limits.claimed_min, "min")
    if photo.exif_gps_at is not None and camera is not None:
        apart = _minutes(photo.exif_gps_at, camera)
        if apart > limits.clocks_min:
            reason = f"camera's clock {_duration(apart)} from the satellites', limit {_duration(limits.clocks_min)}"
            yield one.finding("EXIF_TIMES_DIFFER", "MEDIUM", reason, round(apart, 1), limits.clocks_min, "min")


def _place(one: _Photo) -> Iterator[Finding]:
    """The place that the client says is the one in the file."""
    photo, limit = one.photo, one.limits.claimed_m
    written, claimed = _pair(photo.exif_latitude, photo.exif_longitude), _pair(photo.claimed_latitude, photo.claimed_longitude)
    if written is None or claimed is None:
        return
    apart = haversine_m(*written, *claimed)
    if apart > limit:
        reason = f"claimed place {_distance(apart)} from the file's, limit {_distance(limit)}"
        yield one.finding("PLACE_DIFFERS", "HIGH", reason, round(apart, 1), limit, "m")


def _device(one: _Photo) -> Iterator[Finding]:
    """The phone that the client names is not another maker's than the one in the file."""
    photo = one.photo
    claimed, written = photo.device_info, f"{photo.exif_make or ''} {photo.exif_model or ''}"
    if not claimed or (photo.exif_model and photo.exif_model.casefold() in claimed.casefold()):
        return
    theirs, ours = _makers(claimed), _makers(written)
    if theirs and ours and theirs.isdisjoint(ours):
        yield one.finding("DEVICE_DIFFERS", "MEDIUM", f"the client names {claimed.strip()}, the file {written.strip()}")


def _exif(one: _Photo) -> Iterator[Finding]:
    """The file still has what a camera writes."""
    if not one.photo.exif_present:
        yield one.finding("NO_EXIF", "MEDIUM", "nothing of what a camera writes; messengers and screenshots take it away")
    elif one.photo.exif_latitude is None:
        yield one.finding("NO_EXIF_GPS", "LOW", "the file does not say where it was taken")


def _edited(one: _Photo) -> Iterator[Finding]:
    """No editing program has put its name into the file."""
    software = one.photo.exif_software
    if software is not None and any(name in software.casefold() for name in EDITORS):
        yield one.finding("EDITED_BY_SOFTWARE", "HIGH", f"last written by {software}")


def _faces(one: _Photo) -> Iterator[Finding]:
    """A selfie shows one face."""
    faces = one.photo.faces
    if one.photo.evidence_type != "REPORTER_SELFIE" or faces is None or faces == 1:
        return
    if faces == 0:
        yield one.finding("NO_FACE", "MEDIUM", "no face was found; one turned away or in deep shade is not found either", 0.0, 1.0, "faces")
    else:
        yield one.finding("SEVERAL_FACES", "LOW", f"{faces} faces were found", float(faces), 1.0, "faces")


def _quality(one: _Photo) -> Iterator[Finding]:
    """The photo is sharp, light and large enough to be judged."""
    photo = one.photo
    if photo.blur_score is not None and photo.blur_score < MIN_SHARPNESS:
        reason = f"out of focus, sharpness {photo.blur_score:.2f}, limit {MIN_SHARPNESS:g}"
        yield one.finding("TOO_BLURRY", "MEDIUM", reason, photo.blur_score, MIN_SHARPNESS, "score")
    if photo.exposure_score is not None and photo.exposure_score < MIN_EXPOSURE:
        bright = photo.brightness is not None and photo.brightness > 0.5
        reason = f"too {'bright' if bright else 'dark'}, exposure {photo.exposure_score:.2f}, limit {MIN_EXPOSURE:g}"
        yield one.finding("TOO_BRIGHT" if bright else "TOO_DARK", "MEDIUM", reason, photo.exposure_score, MIN_EXPOSURE, "score")
    if photo.width_px is not None and photo.height_px is not None and min(photo.width_px, photo.height_px) < MIN_SIDE_PX:
        reason = f"{photo.width_px} × {photo.height_px} pixels, the shorter side should have {MIN_SIDE_PX}"
        yield one.finding("TOO_SMALL", "LOW", reason, float(min(photo.width_px, photo.height_px)), float(MIN_SIDE_PX), "px")


PHOTO_CHECKS = (_hash, _time, _place, _device, _exif, _edited, _faces, _quality)


def _photo_and_selfie(photos: Sequence[PhotoClaims], limits: Limits) -> Iterator[Finding]:
    """The first dog photo and the first selfie were taken at one place and one time."""
    dog = next((photo for photo in photos if photo.evidence_type == "DOG_PHOTO"), None)
    selfie = next((photo for photo in photos if photo.evidence_type == "REPORTER_SELFIE"), None)
    if dog is None or selfie is None:
        return
    if dog.place is not None and selfie.place is not None:
        apart = haversine_m(*dog.place, *selfie.place)
        if apart > limits.apart_m:
            reason = f"Selfie {_distance(apart)} from the dog photo, limit {_distance(limits.apart_m)}"
            yield Finding("SELFIE_FAR_FROM_PHOTO", "MEDIUM", reason, round(apart, 1), limits.apart_m, "m")
    if dog.captured_at is not None and selfie.captured_at is not None:
        minutes = _minutes(dog.captured_at, selfie.captured_at)
        if minutes > limits.apart_min:
            reason = f"Selfie {_duration(minutes)} from the dog photo, limit {_duration(limits.apart_min)}"
            yield Finding("SELFIE_NOT_AT_THE_TIME", "MEDIUM", reason, round(minutes, 1), limits.apart_min, "min")


def _camera_time(one: _Photo) -> datetime | None:
    """The camera's own time, in its written offset, else in the report's zone."""
    taken_at, offset = one.photo.exif_taken_at, one.photo.exif_offset_min
    if taken_at is None:
        return None
    return taken_at.replace(tzinfo=one.zone if offset is None else timezone(timedelta(minutes=offset)))


def _makers(words: str) -> set[str]:
    return {MAKERS[word] for word in _WORDS.findall(words.casefold()) if word in MAKERS}


def _pair(latitude: float | None, longitude: float | None) -> tuple[float, float] | None:
    return None if latitude is None or longitude is None else (latitude, longitude)


def _minutes(a: datetime, b: datetime) -> float:
    return abs((a - b).total_seconds()) / 60


def _distance(metres: float) -> str:
    return f"{metres / 1000:.1f} km" if metres >= 1000 else f"{metres:.0f} m"


def _duration(minutes: float) -> str:
    return f"{minutes / 60:.1f} h" if minutes >= 120 else f"{minutes:.0f} min"
