"""What we say to the provider, to the byte: references, keys, names folded to its alphabet, and the three request bodies.

Pure. Contacts are the same to the provider only if their fields are the same bytes, and a payout's key allows one body for
ever; so everything here depends on its arguments alone.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pipeline.errors import AppError
from pipeline.masterdata.models import UpiConfig

KEY_SHAPE = re.compile(r"[A-Za-z0-9_-]{4,36}")  # the provider also allows spaces; we need none
NAME_MIN, NAME_MAX = 3, 50  # characters, the provider's
VPA_MIN, VPA_MAX = 3, 100  # characters, the provider's
REFERENCE_PREFIX = "SDCRS-"

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9 '\-_/().]+")
_VPA = re.compile(r"[A-Za-z0-9.\-]+@[A-Za-z0-9.\-]+")
_PHONE = re.compile(r"\+?[0-9]{6,15}")
_RETRY = re.compile(r"-R[0-9]+\Z")


def reference_id(report_number: str, number: int) -> str:
    """Our name for an attempt at the provider: SDCRS-<reportNumber>, and -R<n> for retry n."""
    return f"{REFERENCE_PREFIX}{report_number}" + (f"-R{number}" if number else "")


def payable_of(reference: str) -> str:
    """The reference without its retry: the same for all attempts at one obligation."""
    return _RETRY.sub("", reference)


def idempotency_key(reference: str, attempt_id: UUID) -> str:
    """The key under which an attempt is sent: its reference where that is a legal key, else the attempt's own id."""
    return reference if KEY_SHAPE.fullmatch(reference) else attempt_id.hex


def fold_name(name: str, beneficiary_id: UUID) -> str:
    """A name in the provider's alphabet and length, the same way each time.

    Accents are dropped. A name in another script keeps nothing; then it is `Teacher` and the end of the account's id.
    """
    plain = unicodedata.normalize("NFKD", name.replace("’", "'"))
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    folded = " ".join(_NOT_IN_NAMES.sub(" ", plain).split())
    folded = _without_special_end(folded[:NAME_MAX])
    if not any(character.isalnum() for character in folded):
        return f"Teacher {beneficiary_id.hex[-8:]}"
    return folded if len(folded) >= NAME_MIN else f"Teacher {folded}"


def _without_special_end(name: str) -> str:
    while name and not (name[-1].isalnum() or name[-1] == "."):
        name = name[:-1]
    return name.strip()


def check_vpa(vpa: str) -> str:
    """The address without spaces around it, when the provider would take it. Raises SDCRS_INVALID_VPA."""
    address = vpa.strip()
    if address.count("@") != 1:
        raise AppError("SDCRS_INVALID_VPA", detail="it needs exactly one @, as in name@bank")
    if not VPA_MIN <= len(address) <= VPA_MAX:
        raise AppError("SDCRS_INVALID_VPA", detail=f"it must have {VPA_MIN} to {VPA_MAX} characters")
    if not _VPA.fullmatch(address):
        raise AppError("SDCRS_INVALID_VPA", detail="only letters, digits, dots and hyphens may stand on either side of the @")
    return address


def contact_body(beneficiary_id: UUID, tenant_id: str, person: Mapping[str, str]) -> bytes:
    """The teacher as a contact. The five values that the provider compares come from the vault and never from a clock."""
    phone = re.sub(r"[ ()\-]", "", person.get("phone", ""))
    return encode(
        {
            "name": fold_name(person.get("name", ""), beneficiary_id),
            "email": None,
            "contact": phone if _PHONE.fullmatch(phone) else None,
            "type": "employee",
            "reference_id": str(beneficiary_id),
            "notes": {"tenant_id": tenant_id, "user_type": "TEACHER", "created_by": "SDCRS"},
        }
    )


def fund_account_body(contact_id: str, vpa: str) -> bytes:
    """The UPI address as a fund account of the contact."""
    return encode({"contact_id": contact_id, "account_type": "vpa", "vpa": {"address": vpa}})


def validation_body(account_number: str, fund_account_id: str, reference: str) -> bytes:
    """The question whether a fund account can be paid. `account_number` is ours, the one that bears the fee."""
    return encode(
        {
            "source_account_number": account_number,
            "validation_type": "pennydrop",
            "reference_id": reference,
            "fund_account": {"id": fund_account_id},
        }
    )


def payout_body(
    *, account_number: str, fund_account_id: str, amount_paise: int, reference: str, upi: UpiConfig, notes: Mapping[str, str]
) -> bytes:
    """The order to pay. `account_number` is ours, the one that the money leaves."""
    return encode(
        {
            "account_number": account_number,
            "fund_account_id": fund_account_id,
            "amount": amount_paise,
            "currency": "INR",
            "mode": upi.mode,
            "purpose": upi.purpose,
            "queue_if_low_balance": upi.queue_if_low_balance,
            "reference_id": reference,
            "narration": upi.narration,
            "notes": dict(notes),
        }
    )


def encode(body: Mapping[str, Any]) -> bytes:
    """JSON without spaces, keys in the order given."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
