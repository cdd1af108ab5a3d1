"""The people of a bench, with accounts and open sessions made through the services; labelled as demo people everywhere.

Teachers are many, because each may report only a few times a day; the staff is small, as in a real district.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pipeline.access.accounts import NewAccount, create_accounts
from pipeline.access.caller import Caller
from pipeline.access.sessions import open_session
from pipeline.ids import uuid7
from pipeline.runtime import Runtime

TENANT = "dj.djibouti-ville"
PLACE = (11.5886, 43.1456)  # inside the tenant, in ward W005
OFFICERS = 40  # a load of some dozens each at the peak
ACCOUNTS_AT_ONCE = 2_000  # a statement of a few hundred kilobytes
Value = TypeVar("Value")
STAFF = (("VERIFIER", "BV", 4), ("MC_SUPERVISOR", "BS", 2), ("MC_OFFICER", "BO", OFFICERS), ("DISTRICT_ADMIN", "BD", 4))


@dataclass(frozen=True)
class Person:
    """A signed-in person. `token` is what their requests carry."""

    caller: Caller
    token: str


@dataclass(frozen=True)
class Staff:
    """Who works on the reports."""

    verifiers: tuple[Person, ...]
    supervisors: tuple[Person, ...]
    officers: tuple[Person, ...]
    admins: tuple[Person, ...]


def hire(rt: Runtime) -> Staff:
    """Make the staff and sign it in."""
    found = {
        role: tuple(sign_in(rt, _accounts(rt, [(f"{prefix}{n:03d}", role, {}) for n in range(count)]))) for role, prefix, count in STAFF
    }
    return Staff(found["VERIFIER"], found["MC_SUPERVISOR"], found["MC_OFFICER"], found["DISTRICT_ADMIN"])


def teachers(rt: Runtime, count: int, prefix: str, vpa: str = "{name}@okaxis") -> list[Person]:
    """Make teachers and sign them in. `vpa` names the address to which each is paid."""
    return list(sign_in(rt, enrol(rt, count, prefix, vpa)))


def enrol(rt: Runtime, count: int, prefix: str, vpa: str = "{name}@okaxis") -> list[NewAccount]:
    """Make teachers who are not signed in: those of the existing reports."""
    names = [f"{prefix}{number:06d}" for number in range(count)]
    return _accounts(rt, [(name, "TEACHER", {"vpa": vpa.format(name=name.lower())}) for name in names])


def _accounts(rt: Runtime, wanted: Sequence[tuple[str, str, dict[str, str]]]) -> list[NewAccount]:
    now = rt.clock.now()
    accounts = [
        NewAccount(
            id=uuid7(now),
            tenant_id=TENANT,
            username=username,
            roles=(role,),
            person={"name": f"Bench {username}", "phone": "5550000000", **person},
            wards=("W005", "W006") if role == "MC_OFFICER" else (),
            school_code="BENCH01" if role == "TEACHER" else None,
            school_name="Bench School" if role == "TEACHER" else None,
            demo=True,
        )
        for username, role, person in wanted
    ]
    for some in parts_of(accounts, ACCOUNTS_AT_ONCE):
        with rt.database.worker() as conn:
            create_accounts(conn, rt.vault, some, now)
    return accounts


def sign_in(rt: Runtime, accounts: Sequence[NewAccount]) -> Iterator[Person]:
    """Open a session for each, as an app does."""
    now: datetime = rt.clock.now()
    for some in parts_of(accounts, ACCOUNTS_AT_ONCE):
        with rt.database.worker() as conn:
            signed_in = [open_session(rt, conn, one.id, one.tenant_id, list(one.roles), "API", now) for one in some]
        yield from (Person(one.caller, one.token) for one in signed_in)


def parts_of(values: Sequence[Value], size: int) -> Iterator[Sequence[Value]]:
    """The values in order, at most `size` at once."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
