"""What the provider accepts in a request. Pure: takes what came over the wire, gives checked values or raises RefusedError."""

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.payouts.sandbox import refusals
from pipeline.payouts.sandbox.outcomes import STATUSES
from pipeline.payouts.sandbox.refusals import RefusedError

CONTACT_TYPES = ("vendor", "customer", "employee", "self")
PURPOSES = ("refund", "cashback", "payout", "salary", "utility bill", "vendor bill")
AMOUNT_MIN_PAISE = 100  # the provider's floor: one rupee
AMOUNT_MAX_PAISE = 10_000_000  # UPI: one lakh rupees a transfer
COUNT_DEFAULT, COUNT_MAX = 10, 100  # page sizes the provider documents
NOTES_MAX, NOTE_LENGTH_MAX = 15, 256
REFERENCE_MAX = 40
BODY_MAX_BYTES = 65_536  # ours: the largest lawful payout request is under 10 KB

KEY_SHAPE = re.compile(r"[A-Za-z0-9_ -]{4,36}")
NAME_SHAPE = re.compile(r"[A-Za-z0-9 '\-_/().]{3,50}")
NAME_END = re.compile(r"[A-Za-z0-9.]\Z")
VPA_SHAPE = re.compile(r"[A-Za-z0-9.\-]+@[A-Za-z0-9.\-]+")
NARRATION_SHAPE = re.compile(r"[A-Za-z0-9 ]{0,30}")
EMAIL_SHAPE = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
PHONE_SHAPE = re.compile(r"\+?[0-9]{6,15}")
ID_TAIL = re.compile(r"[0-9A-Za-z]{14}")


@dataclass(frozen=True)
class NewContact:
    name: str
    email: str | None
    contact: str | None
    type: str | None
    reference_id: str | None
    notes: dict[str, Any]


@dataclass(frozen=True)
class NewPayout:
    fund_account_id: str
    amount_paise: int
    mode: str
    purpose: str
    queue_if_low_balance: bool
    reference_id: str | None
    narration: str | None
    notes: dict[str, Any]


@dataclass(frozen=True)
class Page:
    """What a list asks for. `created_from` and `created_to` are inclusive."""

    filters: dict[str, str]
    count: int
    skip: int
    created_from: datetime | None
    created_to: datetime | None


def parse(raw: bytes) -> dict[str, Any]:
    """The JSON object in a body. An empty body is an empty object."""
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw, parse_constant=_no_constant)
        if b"\\u" in raw:  # half a surrogate pair and NUL are JSON, but no text that can be stored
            text = json.dumps(body, ensure_ascii=False)
            text.encode()
            if "\\u0000" in text:
                raise ValueError("NUL")
    except (ValueError, RecursionError) as error:
        raise RefusedError(refusals.BAD_JSON) from error
    if not isinstance(body, dict):
        raise RefusedError(refusals.BAD_JSON)
    return body


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def only(body: Mapping[str, Any], allowed: Collection[str]) -> None:
    """Refuse fields that the provider does not know."""
    extra = [name for name in body if name not in allowed]
    if extra:
        raise RefusedError(f"{', '.join(extra)} is/are not required and should not be sent", field=extra[0])


def check_id(prefix: str, value: object, field: str = "id") -> str:
    """An id of the provider's form; whether it exists is another question."""
    text = value if isinstance(value, str) else ""
    if not (text.startswith(prefix + "_") and ID_TAIL.fullmatch(text[len(prefix) + 1 :])):
        raise RefusedError(f"{value} is not a valid id.", field=field)
    return text


def check_key(key: str | None) -> str:
    """The idempotency key of a payout: present, and 4 to 36 of the legal characters."""
    if not key:
        raise refusals.key_missing()
    if not KEY_SHAPE.fullmatch(key):
        raise RefusedError(refusals.KEY_ILLEGAL, field="X-Payout-Idempotency")
    return key


def check_text(body: Mapping[str, Any], field: str, longest: int, shape: re.Pattern[str] | None = None) -> str | None:
    """An optional text; null and absence are the same."""
    value = body.get(field)
    if value is None:
        return None
    label = field.replace("_", " ")
    if not isinstance(value, str):
        raise RefusedError(f"The {label} must be a string.", field=field)
    if len(value) > longest:
        raise RefusedError(f"The {label} may not be greater than {longest} characters.", field=field)
    if shape is not None and not shape.fullmatch(value):
        raise RefusedError(f"The {label} format is invalid.", field=field)
    return value


def check_notes(body: Mapping[str, Any]) -> dict[str, Any]:
    """Up to 15 pairs; an empty list is what empty notes look like in the provider's own answers."""
    notes = body.get("notes")
    if notes is None or notes == []:
        return {}
    if not isinstance(notes, dict):
        raise RefusedError("The notes must be an array.", field="notes")
    if len(notes) > NOTES_MAX:
        raise RefusedError(f"Number of fields in notes should be less than or equal to {NOTES_MAX}", field="notes")
    for name, value in notes.items():
        if not isinstance(value, str | int | float) or (isinstance(value, float) and not math.isfinite(value)):
            raise RefusedError(f"notes.{name} must be a string", field="notes")
        if len(name) > NOTE_LENGTH_MAX or len(str(value)) > NOTE_LENGTH_MAX:
            raise RefusedError(f"notes.{name} may not be greater than {NOTE_LENGTH_MAX} characters", field="notes")
    return notes


def _check_name(body: Mapping[str, Any]) -> str:
    name = body.get("name")
    if name is None or name == "":
        raise RefusedError("The name field is required.", field="name")
    if not isinstance(name, str) or not NAME_SHAPE.fullmatch(name) or not NAME_END.search(name):
        raise RefusedError("The name format is invalid.", field="name")
    return name


def new_contact(body: Mapping[str, Any]) -> NewContact:
    """The five values that dedup compares, and the notes."""
    kind = check_text(body, "type", 40)
    if kind is not None and kind not in CONTACT_TYPES:
        raise RefusedError(f"Invalid type: {kind}", field="type")
    return NewContact(
        name=_check_name(body),
        email=check_text(body, "email", 320, EMAIL_SHAPE),
        contact=check_text(body, "contact", 16, PHONE_SHAPE),
        type=kind,
        reference_id=check_text(body, "reference_id", REFERENCE_MAX),
        notes=check_notes(body),
    )


def check_active(body: Mapping[str, Any]) -> bool:
    """`active` as JSON boolean or the 0 and 1 that form posts carry."""
    value = body.get("active")
    if value in (True, False) and isinstance(value, bool | int):
        return bool(value)
    raise RefusedError("The active field must be true or false.", field="active")


def vpa_address(fund_account: Mapping[str, Any]) -> str:
    """The VPA of a fund account request, 3 to 100 characters with exactly one @."""
    kind = fund_account.get("account_type")
    if not kind:
        raise RefusedError("The account type field is required.", field="account_type")
    if kind != "vpa":
        raise RefusedError("The selected account type is invalid.", field="account_type")
    vpa = fund_account.get("vpa")
    address = vpa.get("address") if isinstance(vpa, dict) else None
    if not address:
        raise RefusedError("The vpa.address field is required.", field="vpa.address")
    if not isinstance(address, str) or not 3 <= len(address) <= 100 or not VPA_SHAPE.fullmatch(address):
        raise RefusedError("Invalid VPA. Please enter a valid Virtual Payment Address", field="vpa.address")
    return address


def check_account(value: object, ours: str) -> None:
    """The source account must be named, and be the one this provider keeps."""
    if value is None or value == "":
        raise RefusedError("The account number field is required", field="account_number")
    if value != ours:
        raise RefusedError(refusals.WRONG_ACCOUNT, field="account_number")


PAYOUT_FIELDS = frozenset(
    (
        "account_number",
        "fund_account_id",
        "amount",
        "currency",
        "mode",
        "purpose",
        "queue_if_low_balance",
        "reference_id",
        "narration",
        "notes",
    )
)


def new_payout(body: Mapping[str, Any], ours: str) -> NewPayout:
    """A payout request, all but whether fund account and money are there."""
    only(body, PAYOUT_FIELDS)
    check_account(body.get("account_number"), ours)
    for field in ("fund_account_id", "amount", "currency", "mode", "purpose"):
        if body.get(field) in (None, ""):
            raise RefusedError(f"The {field.replace('_', ' ')} field is required.", field=field)
    amount = body["amount"]
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise RefusedError("The amount must be an integer.", field="amount")
    if amount < AMOUNT_MIN_PAISE:
        raise RefusedError(f"The amount must be at least {AMOUNT_MIN_PAISE}.", field="amount")
    if amount > AMOUNT_MAX_PAISE:
        raise RefusedError(f"The amount may not be greater than {AMOUNT_MAX_PAISE}.", field="amount")
    if body["currency"] != "INR":
        raise RefusedError("The selected currency is invalid.", field="currency")
    if body["mode"] != "UPI":  # case-sensitive; our fund accounts are VPAs, which no other mode pays
        raise RefusedError("The selected mode is invalid.", field="mode")
    if body["purpose"] not in PURPOSES:
        raise RefusedError(f"Invalid purpose: {body['purpose']}", field="purpose")
    queue = body.get("queue_if_low_balance", False)
    if queue not in (True, False) or not isinstance(queue, bool | int):
        raise RefusedError("The queue if low balance field must be true or false.", field="queue_if_low_balance")
    return NewPayout(
        fund_account_id=check_id("fa", body["fund_account_id"], "fund_account_id"),
        amount_paise=amount,
        mode="UPI",
        purpose=body["purpose"],
        queue_if_low_balance=bool(queue),
        reference_id=check_text(body, "reference_id", REFERENCE_MAX),
        narration=check_text(body, "narration", 30, NARRATION_SHAPE),
        notes=check_notes(body),
    )


def _whole(query: Mapping[str, str], field: str, low: int) -> int | None:
    raw = query.get(field)
    if raw is None or raw == "":
        return None
    if not re.fullmatch(r"-?[0-9]{1,10}", raw):
        raise RefusedError(f"The {field} must be an integer", field=field)
    if int(raw) < low:
        raise RefusedError(f"The {field} must be at least {low}.", field=field)
    return int(raw)


def page(query: Mapping[str, str], filters: Collection[str]) -> Page:
    """Filters and limits of a list request; unknown parameters are refused."""
    only(query, {*filters, "count", "skip", "from", "to", "expand[]"})
    for name, value in query.items():
        if "\x00" in value:  # text that no row can hold
            raise RefusedError(f"The {name} format is invalid.", field=name)
    count = _whole(query, "count", 1) or COUNT_DEFAULT
    skip = _whole(query, "skip", 0) or 0
    if count > COUNT_MAX:
        raise RefusedError(f"The count may not be greater than {COUNT_MAX}", field="count")
    since, until = _whole(query, "from", 0), _whole(query, "to", 0)
    if query.get("status") and query["status"] not in STATUSES:
        raise RefusedError("The selected status is invalid.", field="status")
    return Page(
        filters={name: query[name] for name in filters if query.get(name)},
        count=count,
        skip=skip,
        created_from=None if since is None else datetime.fromtimestamp(since, UTC),
        created_to=None if until is None else datetime.fromtimestamp(until + 1, UTC),
    )
