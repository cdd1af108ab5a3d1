"""People, photos and reports for tests, reached only through the product's own commands."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from pipeline.access.accounts import NewAccount, create_accounts
from pipeline.access.caller import Caller
from pipeline.access.passwords import hash_password
from pipeline.demo.photos import photo
from pipeline.filestore.upload import upload
from pipeline.ids import uuid7
from pipeline.jobs.worker import run_until_idle
from pipeline.reports.actions import act
from pipeline.reports.evidence import EvidenceClaim
from pipeline.reports.intake import Intake, Place, Submission
from pipeline.reports.update import Update
from pipeline.reports.workflow import Outcome
from pipeline.runtime import Runtime
from pipeline.validation.job import validation_job

VILLE = "dj.djibouti-ville"
SCHOOL_GATE = (11.5886, 43.1456)  # in ward W005
PASSWORD = "correct horse"
_hash: list[str] = []


@dataclass(frozen=True)
class People:
    """One caller of each role in dj.djibouti-ville, the admins and the auditor in the whole of dj."""

    teacher: Caller
    verifier: Caller
    senior: Caller
    supervisor: Caller
    officer: Caller
    second_officer: Caller
    district_admin: Caller
    admin: Caller
    second_admin: Caller
    auditor: Caller


def people(rt: Runtime) -> People:
    """Fresh accounts of every role; user names differ from call to call."""
    tag = uuid4().hex[:6]
    return People(
        teacher=account(rt, f"T{tag}", "TEACHER"),
        verifier=account(rt, f"V{tag}", "VERIFIER"),
        senior=account(rt, f"SV{tag}", "SENIOR_VERIFIER"),
        supervisor=account(rt, f"SUP{tag}", "MC_SUPERVISOR"),
        officer=account(rt, f"MCO{tag}a", "MC_OFFICER", wards=("W005", "W006")),
        second_officer=account(rt, f"MCO{tag}b", "MC_OFFICER", wards=("W005", "W007")),
        district_admin=account(rt, f"DA{tag}", "DISTRICT_ADMIN"),
        admin=account(rt, f"ADM{tag}a", "STATE_ADMIN", tenant_id="dj"),
        second_admin=account(rt, f"ADM{tag}b", "STATE_ADMIN", tenant_id="dj"),
        auditor=account(rt, f"AUD{tag}", "AUDITOR", tenant_id="dj"),
    )


def account(rt: Runtime, username: str, role: str, tenant_id: str = VILLE, wards: Sequence[str] = (), vpa: str | None = None) -> Caller:
    """An account with a password, a name, a phone and a VPA, and the caller that it would be when signed in."""
    if not _hash:
        _hash.append(hash_password(PASSWORD))
    now = rt.clock.now()
    new = NewAccount(
        id=uuid7(now),
        tenant_id=tenant_id,
        username=username,
        roles=(role,),
        person={"name": f"Name of {username}", "phone": "9876543210", "vpa": vpa or f"{username.lower()}@okaxis"},
        password_hash=_hash[0],
        wards=tuple(wards),
        school_code="DJGHS001" if role == "TEACHER" else None,
        school_name="Govt High School Djibouti" if role == "TEACHER" else None,
    )
    with rt.database.worker() as conn:
        create_accounts(conn, rt.vault, [new], now)
    scope = rt.masterdata.current().descendants(tenant_id)
    return Caller(uuid4(), new.id, username, frozenset({role}), tenant_id, scope, new.wards, school_name=new.school_name)


def photos(
    rt: Runtime, teacher: Caller, at: tuple[float, float] = SCHOOL_GATE, seed: int | None = None, taken_at: datetime | None = None
) -> tuple[UUID, UUID]:
    """An uploaded dog photo and selfie with EXIF; returns their file ids."""
    seed = uuid4().int % 10**9 if seed is None else seed
    taken_at = taken_at or rt.clock.now() - timedelta(minutes=1)
    files = [
        ("dog.jpg", photo(seed, "dog", *at, taken_at)),
        ("selfie.jpg", photo(seed + 1, "selfie", *at, taken_at + timedelta(seconds=27))),
    ]
    stored = upload(rt, teacher, VILLE, "SDCRS", None, files)
    return stored[0].id, stored[1].id


def submission(rt: Runtime, teacher: Caller, files: tuple[UUID, UUID] | None = None, at: tuple[float, float] = SCHOOL_GATE) -> Submission:
    """A report that passes every check."""
    dog, selfie = files or photos(rt, teacher, at)
    return Submission(
        reporter_id=teacher.account_id,
        tenant_id=VILLE,
        service_type="StrayDogAggressive",
        description="Pack of dogs near the school gate in the morning.",
        place=Place(*at, address="Near the school gate", gps_latitude=at[0] + 0.0001, gps_longitude=at[1] - 0.0001, gps_accuracy_m=8.5),
        evidence=(EvidenceClaim(dog, "DOG_PHOTO"), EvidenceClaim(selfie, "REPORTER_SELFIE")),
        at=rt.clock.now(),
    )


def submitted(rt: Runtime, teacher: Caller, **changes: object) -> UUID:
    """A report in PENDING_VALIDATION."""
    one = replace(submission(rt, teacher), **changes)  # type: ignore[arg-type]
    ids, _ = Intake(rt).create(teacher, one.tenant_id, lambda: [one], None, rt.clock.now())
    return ids[0]


def validated(rt: Runtime, teacher: Caller, **changes: object) -> UUID:
    """A report that has been through auto-validation: PENDING_VERIFICATION unless the changes spoil it."""
    report_id = submitted(rt, teacher, **changes)
    run_until_idle([validation_job(rt)], rt.clock)
    return report_id


def do(rt: Runtime, caller: Caller, report_id: UUID, action: str, comment: str | None = None, **fields: object) -> Outcome:
    """One person's action, committed; its outcome."""
    with rt.database.begin(caller.scope) as conn:
        update = Update(report_id, action, comment=comment, fields=fields)
        return act(conn, rt.masterdata.current(), caller, [update], rt.clock.now())[0]


def verified(rt: Runtime, who: People) -> UUID:
    """A report in VERIFIED."""
    report_id = validated(rt, who.teacher)
    assert do(rt, who.verifier, report_id, "VERIFY").ok
    return report_id


def assigned(rt: Runtime, who: People) -> UUID:
    """A report in ASSIGNED to `who.officer`."""
    report_id = verified(rt, who)
    assert do(rt, who.supervisor, report_id, "ASSIGN", assignee=who.officer.account_id).ok
    return report_id


def in_progress(rt: Runtime, who: People) -> UUID:
    """A report whose visit `who.officer` has started."""
    report_id = assigned(rt, who)
    assert do(rt, who.officer, report_id, "START_FIELD_VISIT").ok
    return report_id


def captured(rt: Runtime, who: People) -> UUID:
    """A report in CAPTURED, with its capture photo."""
    report_id = in_progress(rt, who)
    picture = photo(uuid4().int % 10**9, "dog", *SCHOOL_GATE, rt.clock.now())
    (stored,) = upload(rt, who.officer, VILLE, "SDCRS", "capture-evidence", [("capture.jpg", picture)])
    outcome = do(rt, who.officer, report_id, "MARK_CAPTURED", capture_file_id=stored.id, resolution_type="CAPTURED")
    assert outcome.ok, outcome.error
    return report_id


def status_of(rt: Runtime, report_id: UUID) -> str:
    """The state of a report."""
    from sqlalchemy import text

    with rt.database.worker() as conn:
        return str(conn.execute(text("SELECT status FROM sdcrs.report WHERE id = :id"), {"id": report_id}).scalar_one())
