"""What a provider says of a person, read into our words: only texts of a sane form, and nothing that we did not ask for.

Which claim says what is OIDC_CLAIMS. A claim gives a role only where OIDC_ROLES names its value.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.settings import Settings

# The fields of the vault and the forms that they may have; a value of another form is left out
PERSONAL = {
    "name": re.compile(r"\S.{0,98}\S"),
    "phone": re.compile(r"\+?[0-9][0-9 -]{4,18}[0-9]"),
    "email": re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}"),
    "vpa": re.compile(r"[A-Za-z0-9.\-]{1,60}@[A-Za-z0-9.\-]{1,38}"),  # what the payment provider takes
    "bank_account": re.compile(r"[A-Za-z0-9]{5,35}"),
    "ifsc": re.compile(r"[A-Z]{4}0[A-Z0-9]{6}"),
}
WIRE = {"bank_account": "bankAccount"}  # where a vault field has another name in OIDC_CLAIMS
EMPLOYEE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{1,63}")
CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LINE = re.compile(r"\S.{0,126}\S")
SHORT_LINE = re.compile(r"\S.{0,62}\S")
ACTIVE = "ACTIVE"
MAX_ROLES = 50


@dataclass(frozen=True)
class Person:
    """Somebody whom the provider knows. Everything but the subject may be missing."""

    subject: str = field(repr=False)
    employee_id: str | None
    district: str | None
    school_code: str | None
    school_name: str | None
    designation: str | None
    active: bool  # a provider that says nothing of it lets only active people sign in
    roles: frozenset[str]  # ours, by OIDC_ROLES
    fields: Mapping[str, str] = field(repr=False)  # for the vault


def read_person(settings: Settings, claims: Mapping[str, Any]) -> Person:
    """What the claims say, through the installation's mapping."""
    names = settings.oidc_claims

    def said(what: str, form: re.Pattern[str]) -> str | None:
        value = claims.get(names[what])
        if not isinstance(value, str) or not value.strip().isprintable():
            return None
        return value.strip() if form.fullmatch(value.strip()) else None

    found = {name: said(WIRE.get(name, name), form) for name, form in PERSONAL.items()}
    status = claims.get(names["status"])
    return Person(
        subject=str(claims["sub"]),
        employee_id=said("employeeId", EMPLOYEE_ID),
        district=said("district", CODE),
        school_code=said("schoolCode", CODE),
        school_name=said("schoolName", LINE),
        designation=said("designation", SHORT_LINE),
        active=status is None or (isinstance(status, str) and status.strip().upper() == ACTIVE),
        roles=_roles(settings, claims.get(names["roles"])),
        fields={name: value for name, value in found.items() if value is not None},
    )


def _roles(settings: Settings, claim: Any) -> frozenset[str]:
    sent = claim if isinstance(claim, list) else [claim]
    return frozenset(settings.oidc_roles[one] for one in sent[:MAX_ROLES] if isinstance(one, str) and one in settings.oidc_roles)
