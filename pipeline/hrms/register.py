"""Who the stand-in HRMS knows: the demo's teachers as they are stored here, and new ones who have no account yet."""

import hmac
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from pipeline.access.passwords import verify_password
from pipeline.access.throttle import Throttle
from pipeline.runtime import Runtime

VILLE = "dj.djibouti-ville"
DISTRICT = ("DJ01", "Djibouti-Ville")
WORK = {"designation": "TGT", "subject": "SCIENCE", "status": "ACTIVE", "joining_date": "2015-06-01"}

# Made up, and labelled so: whoever signs in as one of these for the first time gets an account
NEW_TEACHERS: dict[str, dict[str, Any]] = {
    f"T3000{number}": {
        "name": name,
        "phone": f"5599000{number}",
        "email": f"t3000{number}@hrms.example",
        "upi_vpa": f"t3000{number}.demo@okaxis",
        "bank_account": f"300000000{number}",
        "ifsc": "AXIS0001234",
        "school_code": "DJGHS001",
        "school_name": "Govt High School Djibouti",
    }
    for number, name in ((1, "Demo New Teacher One"), (2, "Demo New Teacher Two"))
}

_TEACHER = text("""
    SELECT id, username, password_hash, active, tenant_id, school_code, school_name, designation FROM access.account
    WHERE username = :username AND demo AND roles = ARRAY['TEACHER'] ORDER BY state_id LIMIT 1
""")
# An account made before the demo's own would make the demo take the installation for one in use
_DEMO_IS_THERE = text("SELECT EXISTS (SELECT FROM access.account WHERE demo)")


@dataclass(frozen=True)
class Employee:
    """A person of the register, as the ID token tells it."""

    id: str
    claims: dict[str, Any] = field(repr=False)

    def get_user_id(self) -> str:
        """Authlib asks for it."""
        return self.id


def sign_in(rt: Runtime, username: str, password: str, client: str) -> Employee | None:
    """The employee whose password this is, or None. Failures are counted as everywhere; raises SDCRS_SIGN_IN_THROTTLED."""
    now = rt.clock.now()
    username = username.strip()
    throttle = Throttle(rt.keyring, username, client, "hrms")
    with rt.database.worker() as conn:
        throttle.check(conn, now)
        row = conn.execute(_TEACHER, {"username": username}).one_or_none()
        person = {} if row is None else rt.vault.get(conn, [row.id], ("name", "phone", "email", "vpa")).get(row.id, {})
        demo_is_there = conn.execute(_DEMO_IS_THERE).scalar_one()
    new = NEW_TEACHERS.get(username) if demo_is_there else None
    if row is not None and row.password_hash is not None:
        right = verify_password(row.password_hash, password)
    else:  # somebody new, who has no password here
        verify_password(None, password)
        right = new is not None and hmac.compare_digest(password.encode(), rt.settings.demo_password.encode())
    with rt.database.worker() as conn:
        if right:
            throttle.passed(conn)
        else:
            throttle.failed(conn, now)
    if not right:
        return None
    if row is None or row.password_hash is None:
        code, name = DISTRICT
        return Employee(username, {"emp_id": username, **WORK, **(new or {}), "district_code": code, "district_name": name})
    md = rt.masterdata.current()
    district = next(iter(md.districts(row.tenant_id)))
    known = {
        "name": person.get("name"),
        "phone": person.get("phone"),
        "email": person.get("email") or f"{username.lower()}@hrms.example",
        "upi_vpa": person.get("vpa"),
        "school_code": row.school_code,
        "school_name": row.school_name,
        "district_code": district.code,
        "district_name": district.name,
        "bank_account": "1234567890",
        "ifsc": "AXIS0001234",
    }
    return Employee(username, {"emp_id": username, **WORK, **{name: value for name, value in known.items() if value is not None}})
