"""How numbers, money, times and names are written for a person. Pure functions: no Streamlit, no SQL, no clock.

Money comes in paise and times as aware datetimes; an absent value is written as an en dash, never as "None".
"""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

ABSENT = "–"

LAKH_PAISE = 1_00_000 * 100
CRORE_PAISE = 1_00_00_000 * 100

# The label and the colour name (of Streamlit's own palette) of every state of a report; colour never stands alone.
STATUS: dict[str, tuple[str, str]] = {
    "PENDING_VALIDATION": ("Being checked", "gray"),
    "AUTO_REJECTED": ("Rejected by checks", "red"),
    "PENDING_VERIFICATION": ("To verify", "orange"),
    "REJECTED": ("Rejected", "red"),
    "DUPLICATE": ("Duplicate", "gray"),
    "VERIFIED": ("Verified, to assign", "blue"),
    "ASSIGNED": ("Assigned", "blue"),
    "IN_PROGRESS": ("Visit under way", "violet"),
    "CAPTURED": ("Dog captured", "green"),
    "UNABLE_TO_LOCATE": ("Dog not found", "gray"),
    "PAYOUT_PENDING": ("Payout under way", "orange"),
    "PAYOUT_FAILED": ("Payout failed", "red"),
    "RESOLVED": ("Resolved", "green"),
    "CLOSED": ("Resolved", "green"),
}

PAYOUT_STATUS: dict[str, tuple[str, str]] = {
    "INITIATED": ("Sent to the bank", "orange"),
    "PROCESSING": ("With the bank", "orange"),
    "COMPLETED": ("Paid", "green"),
    "FAILED": ("Failed", "red"),
    "REVERSED": ("Returned by the bank", "red"),
    "SUCCESS": ("Paid", "green"),
    "RETRY_INITIATED": ("Sent again", "orange"),
    "MANUAL_PAYOUT": ("Paid by hand", "green"),
    "SKIPPED_CAP_REACHED": ("Not paid: monthly limit", "gray"),
}

ROLES: dict[str, str] = {
    "TEACHER": "Teacher",
    "VERIFIER": "Verifier",
    "SENIOR_VERIFIER": "Senior verifier",
    "MC_OFFICER": "Municipal officer",
    "MC_SUPERVISOR": "Municipal supervisor",
    "DISTRICT_ADMIN": "District admin",
    "STATE_ADMIN": "State admin",
    "AUDITOR": "Auditor",
}


def grouped(digits: str) -> str:
    """Digits in the Indian grouping: 12345678 becomes 1,23,45,678."""
    head, tail = digits[:-3], digits[-3:]
    pairs = []
    while head:
        pairs.append(head[-2:])
        head = head[:-2]
    return ",".join([*reversed(pairs), tail])


def count(number: int | None) -> str:
    """A whole number in the Indian grouping."""
    if number is None:
        return ABSENT
    return ("-" if number < 0 else "") + grouped(str(abs(number)))


def inr(paise: int | None) -> str:
    """Rupees with Indian grouping, two decimals only when there are paise: ₹1,23,45,678 or ₹500.50."""
    if paise is None:
        return ABSENT
    rupees, rest = divmod(abs(paise), 100)
    return ("-" if paise < 0 else "") + "₹" + grouped(str(rupees)) + (f".{rest:02d}" if rest else "")


def inr_short(paise: int | None) -> str:
    """Rupees for a tile: lakh from 1,00,000 and crore from 1,00,00,000 up, smaller amounts in full: never 0.00 lakh."""
    if paise is None:
        return ABSENT
    sign, size = ("-" if paise < 0 else ""), abs(paise)
    # an amount that would round up to 100.00 lakh is already told in crore
    if _two_decimals(size, LAKH_PAISE) >= 100:
        return f"{sign}₹{_plain(_two_decimals(size, CRORE_PAISE))} Cr"
    if size >= LAKH_PAISE:
        return f"{sign}₹{_plain(_two_decimals(size, LAKH_PAISE))} lakh"
    return inr(paise)


def _two_decimals(size: int, unit: int) -> Decimal:
    return (Decimal(size) / unit).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _plain(value: Decimal) -> str:
    whole, _, rest = f"{value:f}".partition(".")
    return grouped(whole) + (f".{rest}" if rest.strip("0") else "")


def percent(part: int, whole: int) -> str:
    """A share with one decimal; of nothing there is no share."""
    if whole == 0:
        return ABSENT
    return f"{(Decimal(part) * 100 / whole).quantize(Decimal('0.1'), ROUND_HALF_UP)} %"


def local_date(at: datetime | None, zone: ZoneInfo) -> str:
    """14 Aug 2026, in the tenant's zone."""
    if at is None:
        return ABSENT
    here = at.astimezone(zone)
    return f"{here.day} {here:%b %Y}"


def local_clock(at: datetime | None, zone: ZoneInfo) -> str:
    """3:05 pm, in the tenant's zone."""
    if at is None:
        return ABSENT
    here = at.astimezone(zone)
    return f"{here.hour % 12 or 12}:{here:%M} {'am' if here.hour < 12 else 'pm'}"


def local_time(at: datetime | None, zone: ZoneInfo) -> str:
    """14 Aug 2026, 3:05 pm, in the tenant's zone."""
    return ABSENT if at is None else f"{local_date(at, zone)}, {local_clock(at, zone)}"


def local_time_zoned(at: datetime | None, zone: ZoneInfo) -> str:
    """The same with the zone's short name: 14 Aug 2026, 3:05 pm IST."""
    return ABSENT if at is None else f"{local_time(at, zone)} {at.astimezone(zone):%Z}"


def duration(seconds: float | None) -> str:
    """A length of time in its largest unit: 45 s, 12 min, 3 h, 2 days. Rounded down, since it is an age or a rest."""
    if seconds is None:
        return ABSENT
    size = int(abs(seconds))
    if size < 60:
        return f"{size} s"
    if size < 3600:
        return f"{size // 60} min"
    if size < 48 * 3600:  # hours stay telling until two days: deadlines are 24 and 48 hours
        return f"{size // 3600} h"
    return f"{size // 86400} days"


def ago(at: datetime | None, now: datetime) -> str:
    """How long since `at`: "2 h ago"; a future moment is "in 2 h". Show the exact time beside it or in its help."""
    if at is None:
        return ABSENT
    seconds = (now - at).total_seconds()
    if abs(seconds) < 5:  # less than anyone can act on
        return "just now"
    return f"{duration(seconds)} ago" if seconds > 0 else f"in {duration(seconds)}"


def status_label(status: str | None) -> str:
    """The words for a report's state; an unknown one is shown as it is, so that nothing is hidden."""
    return ABSENT if status is None else STATUS.get(status, (status, "gray"))[0]


def status_badge(status: str | None) -> str:
    """The state as a coloured badge for `st.markdown`."""
    label, colour = STATUS.get(status or "", (status or ABSENT, "gray"))
    return f":{colour}-badge[{label}]"


def payout_label(status: str | None) -> str:
    return ABSENT if status is None else PAYOUT_STATUS.get(status, (status, "gray"))[0]


def payout_badge(status: str | None) -> str:
    """The payout's state as a coloured badge for `st.markdown`."""
    label, colour = PAYOUT_STATUS.get(status or "", (status or ABSENT, "gray"))
    return f":{colour}-badge[{label}]"


def roles_label(roles: frozenset[str] | tuple[str, ...] | list[str]) -> str:
    """A person's roles in words, in the order of ROLES."""
    return ", ".join(label for role, label in ROLES.items() if role in roles) or ABSENT


def words(code: str | None) -> str:
    """A code such as POOR_QUALITY as words, for codes that the master data does not name: Poor quality."""
    return ABSENT if not code else code.replace("_", " ").capitalize()


def distance(metres: float | None) -> str:
    """40 m or 2.3 km."""
    if metres is None:
        return ABSENT
    return f"{metres:.0f} m" if metres < 1000 else f"{metres / 1000:.1f} km"


def coordinates(latitude: float | None, longitude: float | None) -> str:
    """Five decimals: about a metre, which is finer than any phone measures."""
    return ABSENT if latitude is None or longitude is None else f"{latitude:.5f}, {longitude:.5f}"


def masked(value: str | None, shown: int = 2) -> str:
    """A value with only its first and last characters shown; a short one is hidden whole, so that nothing can be guessed."""
    if value is None:
        return ABSENT
    if len(value) < 3 * shown:
        return "•" * 6
    return f"{value[:shown]}{'•' * 6}{value[-shown:]}"


def plain_markdown(text: str | None) -> str:
    """A person's own text with every Markdown sign made harmless, for places where only Markdown is taken."""
    if not text:
        return ABSENT
    return "".join(f"\\{character}" if character in r"\`*_{}[]()<>#+-.!|~$:^" else character for character in text)
