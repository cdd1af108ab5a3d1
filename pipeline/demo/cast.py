"""Who acts in the demo: the named demo accounts, and for every tenant invented teachers, officers and staff.

Every account is marked `demo`; all have one password. Their phones cannot exist: no mobile number begins with these digits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from uuid import UUID

from pipeline.access.accounts import NewAccount
from pipeline.access.caller import Caller
from pipeline.demo.names import ANY_NAMES, NAMES, SCHOOL_KINDS
from pipeline.demo.photos import DEVICES, Camera
from pipeline.ids import uuid7
from pipeline.masterdata.master import MasterData

VILLE = "dj.djibouti-ville"
PHONES = {"dj": "55{:06d}", "ncr": "55500{:05d}"}  # not assigned to mobiles: Djibouti's begin with 77, India's with 6 to 9
HANDLES = ("okaxis", "okhdfcbank", "oksbi", "okicici", "ybl", "paytm")
REPORTS_PER_TEACHER = 12  # in two months; a few report far more
TEACHERS_MIN = 6  # of a tenant, three times as many in dj.djibouti-ville: enough for its fixed reports under the daily limit
OFFICERS_PER_WARD = 1
SHOWN = ("fails.vpa.invalid", "fails.vpa.invalid", "stuck")  # teachers of dj.djibouti-ville: the payouts page has work from the start
WEIGHT_MAX = 7.0  # times the least active teacher; such a one reaches the monthly cap
# VPAs that make the sandbox fail, and how many teachers of a hundred have each: enough to see, few enough to be exceptions
FAILING_VPAS = (
    ("fails.vpa.invalid", 2.0),
    ("fails.account.frozen", 1.0),
    ("reversed.after.processed", 1.0),
    ("fails.once", 1.5),
    ("stuck", 0.5),
)


@dataclass(frozen=True)
class Teacher:
    """A teacher with the phone that takes all his photos."""

    caller: Caller
    device_id: str
    camera: Camera
    face: int
    vpa: str
    weight: float  # how often he reports, compared with others

    @property
    def id(self) -> UUID:
        return self.caller.account_id


@dataclass(frozen=True)
class Crew:
    """Who works in one tenant. Officers by user name."""

    tenant_id: str
    teachers: tuple[Teacher, ...]
    verifiers: tuple[Caller, ...]
    senior: Caller
    supervisor: Caller
    officers: tuple[Caller, ...]
    admin: Caller


@dataclass(frozen=True)
class Cast:
    """Everybody, and the accounts to be made for them."""

    crews: dict[str, Crew]
    admins: dict[str, tuple[Caller, Caller]]  # of each state: who pays, and who approves
    accounts: tuple[NewAccount, ...]

    def teacher(self, username: str) -> Teacher:
        """Raises StopIteration for a user name that no teacher has."""
        return next(teacher for crew in self.crews.values() for teacher in crew.teachers if teacher.caller.username == username)


# user name, role, home tenant, name, phone, wards
STAFF: tuple[tuple[str, str, str, str, str | None, tuple[str, ...]], ...] = (
    ("V001", "VERIFIER", VILLE, "Ahmed Hassan", None, ()),
    ("V002", "VERIFIER", VILLE, "Kadra Waberi", None, ()),
    ("SV001", "SENIOR_VERIFIER", VILLE, "Hodan Guelleh", None, ()),
    ("SUP001", "MC_SUPERVISOR", VILLE, "Mohammed Farah", None, ()),
    ("MCO001", "MC_OFFICER", VILLE, "Ibrahim Ali", "9876500001", ("W005", "W006")),
    ("MCO002", "MC_OFFICER", VILLE, "Yusuf Mohammed", "9876500002", ("W005", "W007")),
    ("MCO003", "MC_OFFICER", VILLE, "Hassan Omar", "9876500003", ("W008", "W009")),
    ("DADMIN001", "DISTRICT_ADMIN", VILLE, "Saada Dirir", None, ()),
    ("ADMIN001", "STATE_ADMIN", "dj", "Idriss Elmi", None, ()),
    ("ADMIN002", "STATE_ADMIN", "dj", "Fatouma Barreh", None, ()),
    ("AUD001", "AUDITOR", "dj", "Robleh Daher", None, ()),
)
TEACHER = ("T12345", "Ravi Kumar", "9876543210", "ravi@okaxis", "DJGHS001", "Govt High School Djibouti")


class _Casting:
    """Hands out names, phones and user names, each once."""

    def __init__(self, md: MasterData, password_hash: str, random: Random, now: datetime, known: Mapping[str, UUID]) -> None:
        self.md, self.random, self.now, self.known = md, random, now, known
        self.password_hash = password_hash
        self.accounts: list[NewAccount] = []
        self._counts: dict[str, int] = {}

    def next(self, series: str) -> int:
        self._counts[series] = self._counts.get(series, 0) + 1
        return self._counts[series]

    def name(self, state_id: str) -> str:
        first, last = NAMES.get(state_id, ANY_NAMES)
        return f"{self.random.choice(first)} {self.random.choice(last)}"

    def hire(
        self,
        username: str,
        role: str,
        tenant_id: str,
        person: dict[str, str],
        wards: Sequence[str] = (),
        school: tuple[str, str] | None = None,
    ) -> Caller:
        tenant = self.md.tenant(tenant_id)
        account = NewAccount(
            id=self.known.get(username) or uuid7(self.now),
            tenant_id=tenant_id,
            username=username,
            roles=(role,),
            person={"phone": PHONES.get(tenant.state_id, PHONES["ncr"]).format(self.next("phone")), **person},
            password_hash=self.password_hash,
            wards=tuple(wards),
            school_code=school[0] if school else None,
            school_name=school[1] if school else None,
            locale="hi_IN" if tenant.locale == "hi_IN" and self.random.random() < 0.5 else "en_IN",
            demo=True,
        )
        self.accounts.append(account)
        return Caller(
            session_id=account.id,
            account_id=account.id,
            username=username,
            roles=frozenset({role}),
            tenant_id=tenant_id,
            scope=self.md.descendants(tenant_id),
            wards=account.wards,
            school_name=account.school_name,
            demo=True,
        )

    def staff(self, username: str, role: str, tenant_id: str, wards: Sequence[str] = ()) -> Caller:
        return self.hire(username, role, tenant_id, {"name": self.name(self.md.tenant(tenant_id).state_id)}, wards)

    def teacher(self, username: str, tenant_id: str, person: dict[str, str], school: tuple[str, str], weight: float) -> Teacher:
        caller = self.hire(username, "TEACHER", tenant_id, person, school=school)
        make, model = self.random.choice(DEVICES)
        device_id = f"demo-{self.random.getrandbits(48):012x}"
        return Teacher(caller, device_id, Camera(make, model), self.random.getrandbits(32), person["vpa"], weight)


def cast(md: MasterData, reports: int, password_hash: str, random: Random, hired_at: datetime, known: Mapping[str, UUID]) -> Cast:
    """Invent the people for so many reports: the named accounts of dj.djibouti-ville, and a crew for every tenant.

    `known` has the ids of accounts by user name that exist already.
    """
    casting = _Casting(md, password_hash, random, hired_at, known)
    named = {
        username: casting.hire(username, role, tenant_id, {"name": name} | ({"phone": phone} if phone else {}), wards)
        for username, role, tenant_id, name, phone, wards in STAFF
    }
    states = {md.tenant(tenant_id).state_id for tenant_id in md.leaves()}
    admins = {"dj": (named["ADMIN001"], named["ADMIN002"])}
    for state_id in sorted(states - {"dj"}):
        first, second = (casting.staff(f"ADMIN{100 + casting.next('ADMIN'):03d}", "STATE_ADMIN", state_id) for _ in range(2))
        admins[state_id] = (first, second)
    leaves = md.leaves()
    each = reports // REPORTS_PER_TEACHER // len(leaves)
    crews = {
        tenant_id: _crew(
            casting, tenant_id, named, max(TEACHERS_MIN * (3 if tenant_id == VILLE else 1), each * (2 if tenant_id == VILLE else 1))
        )
        for tenant_id in leaves
    }
    return Cast(crews, admins, tuple(casting.accounts))


def _crew(casting: _Casting, tenant_id: str, named: dict[str, Caller], teachers: int) -> Crew:
    schools = _schools(casting, tenant_id, max(2, teachers // 6))
    if tenant_id == VILLE:
        username, name, phone, vpa, code, school = TEACHER
        first = casting.teacher(username, tenant_id, {"name": name, "phone": phone, "vpa": vpa}, (code, school), 0.0)
        officers = tuple(caller for key, caller in named.items() if key.startswith("MCO"))
        return Crew(
            tenant_id,
            (first, *_teachers(casting, tenant_id, schools, teachers)),
            (named["V001"], named["V002"]),
            named["SV001"],
            named["SUP001"],
            officers,
            named["DADMIN001"],
        )
    number = 100 * casting.next("crew")
    wards = [ward.code for ward in casting.md.wards(tenant_id)]
    officers = tuple(
        casting.staff(f"MCO{number + i + 1:03d}", "MC_OFFICER", tenant_id, (ward, wards[(i + 1) % len(wards)]))
        for i, ward in enumerate(wards * OFFICERS_PER_WARD)
    )
    return Crew(
        tenant_id,
        tuple(_teachers(casting, tenant_id, schools, teachers)),
        tuple(casting.staff(f"V{number + i:03d}", "VERIFIER", tenant_id) for i in (1, 2)),
        casting.staff(f"SV{number + 1:03d}", "SENIOR_VERIFIER", tenant_id),
        casting.staff(f"SUP{number + 1:03d}", "MC_SUPERVISOR", tenant_id),
        officers,
        casting.staff(f"DADMIN{number + 1:03d}", "DISTRICT_ADMIN", tenant_id),
    )


def _schools(casting: _Casting, tenant_id: str, count: int) -> list[tuple[str, str]]:
    """Code and name of invented schools, spread over the localities."""
    places = casting.md.localities(tenant_id)
    kinds = SCHOOL_KINDS.get(casting.md.tenant(tenant_id).state_id, SCHOOL_KINDS["ncr"])
    prefix = places[0].code[:3]
    return [(f"{prefix}SCH{i + 1:03d}", f"{kinds[i // len(places) % len(kinds)]} {places[i % len(places)].name}") for i in range(count)]


def _teachers(casting: _Casting, tenant_id: str, schools: list[tuple[str, str]], count: int) -> list[Teacher]:
    random = casting.random
    state_id = casting.md.tenant(tenant_id).state_id
    found = []
    for i in range(count):
        number = casting.next("teacher")
        name = casting.name(state_id)
        script = random.choices(
            [None, *(s for s, _ in FAILING_VPAS)], [100 - sum(w for _, w in FAILING_VPAS), *(w for _, w in FAILING_VPAS)]
        )[0]
        shown = tenant_id == VILLE and i < len(SHOWN)
        if shown:
            script = SHOWN[i]
        user = f"{name.split()[0].lower()}.{number}"
        vpa = f"{user}.{script}@sandbox" if script else f"{user}@{random.choice(HANDLES)}"
        weight = random.paretovariate(1.6)  # most report now and then, a few all the time
        found.append(
            casting.teacher(f"T{20000 + number}", tenant_id, {"name": name, "vpa": vpa}, random.choice(schools), min(weight, 12.0))
        )
    return found
