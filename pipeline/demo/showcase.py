"""What dj.djibouti-ville must show whatever the size of the demo, so that every demo account finds its work.

The officers have the loads of the officer list that clients know (3, 5 and 8); the inbox, the assignment map and the
failed payouts are never empty; T12345 has a past, nothing today, no penalty, and most of this month's cap.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from pipeline.demo.cast import TEACHER, VILLE
from pipeline.demo.story import Fate
from pipeline.masterdata.master import MasterData


@dataclass(frozen=True)
class Wanted:
    """One report that must be: its end is `last`, the last action that has happened (None: only validated)."""

    at: datetime
    fate: Fate = "good"
    last: str | None = None
    ward_code: str | None = None
    officer: str | None = None
    teacher: str | None = None
    failing: bool = False  # by a teacher whose payouts fail
    reason: str | None = None  # of a rejection


# officer, wards that he covers, hours since the report came and the last action; more than 24 to 72 hours breach the SLA
LOADS: tuple[tuple[str, tuple[str, ...], tuple[tuple[int, str], ...]], ...] = (
    ("MCO001", ("W005", "W006"), ((5, "ASSIGN"), (22, "ASSIGN"), (27, "START_FIELD_VISIT"))),
    ("MCO002", ("W005", "W007"), ((6, "ASSIGN"), (20, "ASSIGN"), (30, "ASSIGN"), (26, "START_FIELD_VISIT"), (47, "START_FIELD_VISIT"))),
    (
        "MCO003",
        ("W008", "W009"),
        ((4, "ASSIGN"), (7, "ASSIGN"), (19, "ASSIGN"), (23, "ASSIGN"), (52, "ASSIGN"),
         (25, "START_FIELD_VISIT"), (50, "START_FIELD_VISIT"), (98, "START_FIELD_VISIT")),
    ),
)  # fmt: skip
INBOX: tuple[tuple[float, Fate, str | None], ...] = (
    (0.3, "good", None), (1, "good", None), (2, "no_exif", None), (3, "good", None), (5, "good", None),
    (20, "escalated", "ESCALATE"), (22, "sent_back", "SEND_BACK"), (31, "good", None),
)  # fmt: skip
ON_THE_MAP = ((3, "W005"), (6, "W005"), (8, "W006"), (21, "W007"), (29, "W008"), (33, "W009"))
FAILED_DAYS_AGO = (2, 4, 5, 9, 16)
REFUSED: tuple[tuple[int, Fate], ...] = ((2, "stale"), (3, "outside"), (4, "gps"), (6, "near_duplicate"), (7, "old_selfie"))
# T12345's past: days ago, fate, last action, reason
HISTORY: tuple[tuple[int, Fate, str | None, str | None], ...] = (
    (52, "good", "MARK_CAPTURED", None),
    (45, "good", "MARK_CAPTURED", None),
    (38, "not_found", "MARK_UNABLE_TO_LOCATE", None),
    (33, "good", "MARK_CAPTURED", None),
    (27, "rejected", "REJECT", "POOR_QUALITY"),  # does not count for a penalty
    (20, "good", "MARK_CAPTURED", None),
    (12, "good", "MARK_CAPTURED", None),
    (8, "reported_twice", "MARK_DUPLICATE", None),
    (6, "good", "MARK_CAPTURED", None),
    (3, "good", "VERIFY", None),
    (1, "good", None, None),
)


def wanted(md: MasterData, now: datetime) -> Iterator[Wanted]:
    """All of it, relative to `now`, in no order."""
    zone = md.tenant(VILLE).timezone
    for officer, wards, loads in LOADS:
        for i, (hours, last) in enumerate(loads):
            yield Wanted(now - timedelta(hours=hours, minutes=7 * i), last=last, ward_code=wards[i % len(wards)], officer=officer)
    for age_h, fate, done in INBOX:
        yield Wanted(now - timedelta(hours=age_h, minutes=4), fate=fate, last=done)
    for hours, ward_code in ON_THE_MAP:
        yield Wanted(now - timedelta(hours=hours, minutes=25), last="VERIFY", ward_code=ward_code)
    for days in FAILED_DAYS_AGO:
        yield Wanted(now - timedelta(days=days, hours=6), last="MARK_CAPTURED", failing=True)
    for days, fate in REFUSED:
        yield Wanted(now - timedelta(days=days, hours=5), fate=fate)
    today = now.astimezone(zone).date()
    for days, fate, done, reason in HISTORY:
        at = datetime.combine(today - timedelta(days=days), time(12, 28, 30), zone)
        yield Wanted(at, fate=fate, last=done, teacher=TEACHER[0], reason=reason)
