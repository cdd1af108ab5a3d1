"""The small world in which packets are replayed: its people, its reports, our API over HTTP, and whose id is whose.

A packet's ids are texts made up by hand; here each stands for one of ours. Reports are brought to the state that a packet
starts from by the same services that people use.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
from sqlalchemy import text

from pipeline.access.accounts import NewAccount, create_accounts
from pipeline.access.caller import Caller
from pipeline.access.passwords import hash_password
from pipeline.access.sessions import open_session
from pipeline.clock import SettableClock
from pipeline.demo.cast import Cast, cast
from pipeline.demo.photos import photo
from pipeline.filestore.upload import upload
from pipeline.ids import uuid7
from pipeline.jobs.job import Job
from pipeline.jobs.worker import run_until_idle
from pipeline.replay.overheard import Overheard
from pipeline.reports.actions import act
from pipeline.reports.evidence import EvidenceClaim
from pipeline.reports.intake import Intake, Place, Submission
from pipeline.reports.update import Update
from pipeline.runtime import Runtime
from pipeline.work import all_jobs

VILLE = "dj.djibouti-ville"
MAIN = "main"  # the copy that goes the happy path
GATE = (11.5886, 43.1456)  # where the packets' dog is
FAR = (11.632, 43.189)  # the packets' other place, five kilometres away
REQUEST_S = 30.0
BEFORE = timedelta(minutes=1)  # how long before a packet the report reached the state that it starts from
PEOPLE = {  # contract.md section 1.3: several names of the packets mean the same person
    "11t0e02b-4f8a-4c6e-9d3f-2a1b0c9d8e7f": "T12345",
    "teacher-uuid-001-abcd-efgh": "T12345",
    "ver-uuid-001-abcd-efgh": "V001",
    "sup-uuid-001": "SUP001",
    "mco-uuid-001": "MCO001",
    "mco-uuid-002": "MCO002",
    "mco-uuid-003": "MCO003",
}
ALIASES = {"T001": "T12345"}
REPORT_IDS = ("dr-uuid-001-abcd-efgh-ijkl-mnop",)
REPORT_NUMBER, TRACKING_ID = "DR-DJ-2024-000123", "ABC12345"

_ATTEMPT = text("""
    SELECT a.provider_payout_id, a.payout_id, f.provider_fund_account_id, f.provider_contact_id
    FROM payout.attempt a JOIN payout.payout p ON p.id = a.payout_id JOIN payout.fund_account f ON f.id = a.fund_account_id
    WHERE p.report_id = :id ORDER BY a.number DESC LIMIT 1
""")
_SUSPEND = text("UPDATE access.account SET standing = 'SUSPENSION', standing_until = :until, standing_reason = :reason WHERE id = :id")


@dataclass
class Copy:
    """A report that stands for the packets' one: its id and how it is called."""

    report_id: UUID
    report_number: str
    tracking_id: str
    teacher: Caller
    names: dict[str, str] = field(default_factory=dict)  # further ids of the packets, such as files and payouts

    def all_names(self) -> dict[str, str]:
        names = {packet_id: str(self.report_id) for packet_id in REPORT_IDS}
        return names | {REPORT_NUMBER: self.report_number, TRACKING_ID: self.tracking_id} | self.names


class World:
    """One replay's people and reports. `clock` is the runtime's own; nothing here waits for real time."""

    def __init__(self, rt: Runtime, clock: SettableClock, api_url: str, sandbox_url: str, hrms: Overheard | None = None) -> None:
        self.rt, self.clock, self._seed, self.hrms = rt, clock, 1, hrms
        self.http = httpx.Client(base_url=api_url, timeout=REQUEST_S, trust_env=False)
        self.sandbox = httpx.Client(base_url=sandbox_url, timeout=REQUEST_S, trust_env=False)
        self.intake = Intake(rt)
        self.people = self._hire()
        self.jobs: list[Job] = all_jobs(rt)
        self.copies: dict[str, Copy] = {}
        self.answers: dict[str, tuple[int, Any]] = {}  # what a packet's request was answered, under the id of the answer's packet
        self._scene = 0  # what the last dog photo shows
        self.uploaded: dict[str, str] = {}  # the packets' file ids and ours

    def close(self) -> None:
        """End the connections; the runtime belongs to the caller."""
        self.http.close()
        self.sandbox.close()

    # people

    def _hire(self) -> Cast:
        md = self.rt.masterdata.current()
        people = cast(md, 0, hash_password(self.rt.settings.demo_password), Random(1), self.clock.now(), {})
        accounts = [account if account.username == "T12345" else replace(account, password_hash=None) for account in people.accounts]
        with self.rt.database.worker() as conn:
            create_accounts(conn, self.rt.vault, accounts, self.clock.now())
        self._callers = {
            account.username: Caller(
                account.id, account.id, account.username, frozenset(account.roles), account.tenant_id, md.descendants(account.tenant_id)
            )
            for account in people.accounts
        }
        return people

    def person(self, username: str) -> Caller:
        """Somebody of the demo's cast."""
        return self._callers[ALIASES.get(username, username)]

    def new_teacher(self, vpa: str | None = None) -> Caller:
        """A teacher who has not reported yet, so that no limit or photo of another packet touches this one."""
        number = self._next()
        now = self.clock.now()
        account = NewAccount(
            id=uuid7(now),
            tenant_id=VILLE,
            username=f"TR{number:05d}",
            roles=("TEACHER",),
            person={"name": f"Replay Teacher {number}", "phone": f"55{number:06d}", "vpa": vpa or f"replay.{number}@okaxis"},
            school_code="DJGHS001",
            school_name="Govt High School Djibouti",
            demo=True,
        )
        with self.rt.database.worker() as conn:
            create_accounts(conn, self.rt.vault, [account], now)
        scope = self.rt.masterdata.current().descendants(VILLE)
        return Caller(account.id, account.id, account.username, frozenset(account.roles), VILLE, scope, school_name=account.school_name)

    def token(self, caller: Caller) -> str:
        """A fresh session of this person; the clock moves too far between packets for one to last."""
        with self.rt.database.worker() as conn:
            return open_session(self.rt, conn, caller.account_id, caller.tenant_id, sorted(caller.roles), "API", self.clock.now()).token

    # requests

    def names(self, copy: Copy | None) -> dict[str, str]:
        """What the packets' ids stand for, with this copy as the packets' report."""
        people = {packet_id: str(self.person(username).account_id) for packet_id, username in PEOPLE.items()}
        if copy is not None:
            people |= {packet_id: str(copy.teacher.account_id) for packet_id, username in PEOPLE.items() if username == "T12345"}
        return people | (copy.all_names() if copy is not None else {})

    def send(self, method: str, url: str, body: Any, caller: Caller, copy: Copy | None) -> tuple[int, Any]:
        """Send a packet's request to our API as this person; returns the HTTP code and the answer."""
        translated = translate(body, self.names(copy))
        if isinstance(translated, dict) and isinstance(translated.get("RequestInfo"), dict):
            translated["RequestInfo"]["authToken"] = self.token(caller)
        headers = {"Authorization": f"Bearer {self.token(caller)}"}
        answer = self.http.request(method, our_path(url), json=translated, headers=headers)
        return answer.status_code, answer.json() if answer.content else None

    def send_files(self, caller: Caller, url: str, files: Sequence[tuple[str, bytes]]) -> tuple[int, Any]:
        """Upload photos as multipart."""
        parts = [("file", (name, data, "image/jpeg")) for name, data in files]
        headers = {"Authorization": f"Bearer {self.token(caller)}"}
        answer = self.http.post(our_path(url), files=parts, headers=headers)
        return answer.status_code, answer.json()

    # reports

    def photos(self, at: tuple[float, float], taken_at: datetime, exif_at: tuple[float, float] | None = None) -> list[tuple[str, bytes]]:
        """A dog photo and a selfie that nobody else has."""
        self._scene = self._next()
        dog = photo(self._scene, "dog", *(exif_at or at), taken_at)
        return [("dog.jpg", dog), ("selfie.jpg", photo(self._next(), "selfie", *at, taken_at + timedelta(seconds=27)))]

    def again(self, exif_at: tuple[float, float], taken_at: datetime) -> tuple[str, bytes]:
        """The last dog photo's scene once more, with other EXIF: another file, and to the eye the same picture."""
        return "again.jpg", photo(self._scene, "dog", *exif_at, taken_at)

    def submit(
        self,
        teacher: Caller,
        place: tuple[float, float] = GATE,
        service_type: str = "StrayDogAggressive",
        exif_at: tuple[float, float] | None = None,
        age: timedelta = BEFORE,
        files: list[tuple[str, bytes]] | None = None,
    ) -> Copy:
        """A report in PENDING_VALIDATION, through upload and intake."""
        now = self.clock.now()
        stored = upload(self.rt, teacher, VILLE, "SDCRS", None, files or self.photos(place, now - age, exif_at))
        submission = Submission(
            reporter_id=teacher.account_id,
            tenant_id=VILLE,
            service_type=service_type,
            description="Pack of dogs near the school gate in the morning.",
            place=Place(
                *place, address="Near the school gate", gps_latitude=place[0], gps_longitude=place[1], gps_accuracy_m=8.5, gps_at=now
            ),
            evidence=(EvidenceClaim(stored[0].id, "DOG_PHOTO"), EvidenceClaim(stored[1].id, "REPORTER_SELFIE")),
            at=now,
        )
        ids, _ = self.intake.create(teacher, VILLE, lambda: [submission], None, now)
        return self.copy_of(ids[0], teacher)

    def copy_of(self, report_id: UUID, teacher: Caller) -> Copy:
        """What we call a report."""
        with self.rt.database.worker() as conn:
            row = conn.execute(text("SELECT report_number, tracking_id FROM sdcrs.report WHERE id = :id"), {"id": report_id}).one()
        return Copy(report_id, row.report_number, row.tracking_id, teacher)

    def brought_to(self, state: str, at: datetime, teacher: Caller | None = None, officer: str = "MCO001", **submission: Any) -> Copy:
        """A report in this state a minute before `at`, on its way through every step before it."""
        self.clock.set(at - BEFORE)
        copy = self.submit(teacher or self.new_teacher(), **submission)
        steps = (
            ("PENDING_VALIDATION", None),
            ("PENDING_VERIFICATION", lambda: self.drain("validation")),
            ("VERIFIED", lambda: self.do("V001", copy, "VERIFY")),
            ("ASSIGNED", lambda: self.do("SUP001", copy, "ASSIGN", assignee=self.person(officer).account_id)),
            ("IN_PROGRESS", lambda: self.do(officer, copy, "START_FIELD_VISIT")),
            ("CAPTURED", lambda: self.capture(copy, officer)),
            ("PAYOUT_PENDING", lambda: self.drain("payout.open", "payout.send")),
            ("PAYOUT_FAILED", self.fail_payouts),
        )
        for reached, step in steps:
            if step is not None:
                step()
            if reached == state:
                return copy
        raise ValueError(f"no way to {state}")

    def do(self, username: str, copy: Copy, action: str, comment: str | None = None, **fields: Any) -> None:
        """One person's action, committed; raises the error that refused it."""
        caller = self.person(username)
        with self.rt.database.begin(caller.scope) as conn:
            update = Update(copy.report_id, action, comment=comment, fields=fields)
            outcome = act(conn, self.rt.masterdata.current(), caller, [update], self.clock.now())[0]
        if outcome.error is not None:
            raise outcome.error

    def capture(self, copy: Copy, officer: str) -> None:
        """The officer's photo and the capture."""
        caller = self.person(officer)
        picture = photo(self._next(), "dog", *GATE, self.clock.now())
        (stored,) = upload(self.rt, caller, VILLE, "SDCRS", "capture-evidence", [("capture.jpg", picture)])
        self.do(officer, copy, "MARK_CAPTURED", capture_file_id=stored.id, resolution_type="CAPTURED")

    # jobs and the provider

    def drain(self, *names: str) -> None:
        """Run our jobs until nothing is due: all of them, or the named ones."""
        run_until_idle([job for job in self.jobs if not names or job.name in names], self.clock)

    def control(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask something of the sandbox's test dashboard."""
        answer = self.sandbox.post(f"/_sandbox/{path}", json=dict(body))
        answer.raise_for_status()
        return dict(answer.json())

    def fail_payouts(self) -> None:
        """Let the provider finish what it has under way, and take its answer by polling."""
        self.control("settle", {"delay": 0})
        self.clock.advance(timedelta(minutes=30))
        self.drain()

    def suspend(self, teacher: Caller, until: datetime, reason: str) -> None:
        """Put a teacher under suspension."""
        with self.rt.database.worker() as conn:
            conn.execute(_SUSPEND, {"id": teacher.account_id, "until": until, "reason": reason})

    def payout_names(self, copy: Copy) -> dict[str, str]:
        """What the packets' ids of payouts stand for, once the provider has answered."""
        with self.rt.database.worker() as conn:
            row = conn.execute(_ATTEMPT, {"id": copy.report_id}).one()
        return {
            "pout_NhY2MnOpKc4n9I": row.provider_payout_id or "",
            "fa_NhY2LmVnKc4n8H": row.provider_fund_account_id or "",
            "cont_NhY2KwLfKc4n7G": row.provider_contact_id or "",
            "pay-uuid-001-abcd-efgh-ijkl": str(row.payout_id),
        }

    def _next(self) -> int:
        self._seed += 1
        return self._seed


def translate(value: Any, names: Mapping[str, str]) -> Any:
    """The value with every id of the packets replaced by ours, also inside longer texts such as references."""
    if isinstance(value, dict):
        return {k: translate(v, names) for k, v in value.items()}
    if isinstance(value, list):
        return [translate(v, names) for v in value]
    if isinstance(value, str):
        for theirs in sorted(names, key=len, reverse=True):
            value = value.replace(theirs, names[theirs])
    return value


def our_path(url: str) -> str:
    """The path of a packet's URL without host and gateway prefix."""
    parts = urlsplit(url)
    path = parts.path
    for root in (
        "/sdcrs-services/",
        "/filestore/",
        "/user/",
        "/location/",
        "/egov-workflow-v2/",
        "/webhook/",
        "/payout/",
        "/fraud/",
        "/sso/",
    ):
        if root in path:
            path = path[path.index(root) :]
            break
    return path + (f"?{parts.query}" if parts.query else "")
