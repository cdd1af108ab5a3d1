"""What a packet is rendered from: facts as they are recorded, nothing looked up. A missing fact renders as null.

The caller reads the rows, and resolves persons as far as the reader's role allows: what is in `persons` is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.clock import epoch_ms

Row = Mapping[Any, Any]  # by column name; Any, since the rows of SQLAlchemy may also be asked by column


class View(Enum):
    """How much of a report an answer tells. Privacy wins over the packets: FIELD has no reporter and no selfie."""

    TEACHER = "teacher"  # one's own report
    REVIEW = "review"  # verifiers, admins, the auditor: reporter's name and school, the phone as the caller masked it, the fraud score
    FIELD = "field"  # officers and supervisors
    PUBLIC = "public"  # anybody with a tracking id


_REVIEWERS = frozenset({"VERIFIER", "SENIOR_VERIFIER", "DISTRICT_ADMIN", "STATE_ADMIN", "AUDITOR"})
_FIELD = frozenset({"MC_OFFICER", "MC_SUPERVISOR"})


def view_of(roles: frozenset[str], *, owner: bool) -> View:
    """The view that a caller's roles allow of a report; `owner`: the caller reported it. Nobody known sees what the public sees."""
    if roles & _REVIEWERS:
        return View.REVIEW
    if owner and "TEACHER" in roles:
        return View.TEACHER
    return View.FIELD if roles & _FIELD else View.PUBLIC


@dataclass(frozen=True, slots=True)
class RecordedFacts:
    """Rows as the database holds them (snake_case columns, aware datetimes, paise), and what the reader may see of persons."""

    report: Row = field(default_factory=dict)  # sdcrs.report; `duplicate_of_number` beside it where known
    evidence: Sequence[Row] = ()  # sdcrs.evidence; `url`: signed, if the reader may open it; the file's exif_… beside
    history: Row = field(default_factory=dict)  # the row of sdcrs.report_history that the packet belongs to
    timeline: Sequence[Row] = ()  # to_state and occurred_at of every history row, oldest first
    checks: Sequence[Row] = ()  # fraud.check_result
    fraud: Row = field(default_factory=dict)  # evaluated_at and rules_looked_at of fraud.evaluation; `rules`: rows of fraud.rule_result
    payout: Row = field(default_factory=dict)  # payout.payout
    attempt: Row = field(default_factory=dict)  # payout.attempt; `contact_id`, `fund_account` are the provider's ids
    notification: Row = field(default_factory=dict)  # sdcrs.notification; `message`: its text, `gateway_number`: with country code
    persons: Mapping[str, Row] = field(
        default_factory=dict
    )  # by account id: name, phone, email, vpa, username, school_code, school_name, roles
    tenant: Row = field(default_factory=dict)  # id, name, timezone
    login: Row = field(default_factory=dict)  # stage 01: the sign-in flow
    files: Sequence[Row] = ()  # sdcrs.file, for uploads
    options: Row = field(default_factory=dict)  # public_url; error (11/01, 11/04); criteria, officers, result (searches); event (webhooks)
    packet_id: str = ""  # set by `render`
    view: View = View.FIELD  # what the reader may see; the narrowest where nothing is said

    @property
    def tenant_id(self) -> str | None:
        """The tenant of the packet."""
        return self.report.get("tenant_id") or self.payout.get("tenant_id") or self.tenant.get("id")

    @property
    def hides_reporter(self) -> bool:
        """Whether the reader may not know who reported."""
        return self.view in {View.FIELD, View.PUBLIC}

    @property
    def reviews(self) -> bool:
        """Whether the reader may know scores and what the rules found; who knew them could play them."""
        return self.view is View.REVIEW

    def person(self, account_id: Any, what: str) -> Any:
        """A field of a person; None when it is not recorded, or is the reporter's and the reader may not know it."""
        if account_id is None or (self.hides_reporter and str(account_id) == text(self.report.get("reporter_id"))):
            return None
        return self.persons.get(str(account_id), {}).get(what)

    def at_change(self, column: str) -> Any:
        """A column as the change recorded it, else as the report has it now."""
        recorded = self.history.get("facts") or {}
        return recorded.get(column, self.report.get(column))


def text(value: Any) -> str | None:
    """An id as packets carry it."""
    return None if value is None else str(value)


def ms(value: Any) -> int | None:
    """A moment as epoch milliseconds; a recorded fact may already be ISO text."""
    if value is None:  # most of a report's moments have not come yet
        return None
    return epoch_ms(datetime.fromisoformat(value) if isinstance(value, str) else value)


def seconds(value: datetime | None) -> int | None:
    """A moment as the provider counts it."""
    return None if value is None else int(value.timestamp())


def rupees(paise: int | None) -> int | float | None:
    """Paise as the whole rupees of the packets; odd paise stay visible rather than vanish."""
    if paise is None:
        return None
    return paise // 100 if paise % 100 == 0 else paise / 100


def iso(value: datetime | None) -> str | None:
    """A moment as ISO 8601 in UTC, to the second."""
    return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def local_date_time(value: datetime, zone: ZoneInfo) -> tuple[str, str]:
    """The tenant's date (YYYY-MM-DD) and time (hh:mm AM/PM), the same in every locale of the server."""
    local = value.astimezone(zone)
    half = "AM" if local.hour < 12 else "PM"
    return f"{local:%Y-%m-%d}", f"{local.hour % 12 or 12:02d}:{local.minute:02d} {half}"


def hash_text(row: Row) -> str | None:
    """A 64-bit pHash as 16 hex digits; stored as a signed number."""
    if row.get("phash_hex") is not None:
        return str(row["phash_hex"])
    phash = row.get("phash")
    return None if phash is None else f"{phash & 0xFFFF_FFFF_FFFF_FFFF:016x}"


def fields(row: Row, names: Mapping[str, str]) -> dict[str, Any]:
    """Wire names with the values of columns: {"serviceType": "service_type"} and the like."""
    return {wire: row.get(column) for wire, column in names.items()}
