"""A house for payout tests: the real sandbox over HTTP with a webhook to us, and captured reports by the product's own code."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from pipeline.access.caller import Caller
from pipeline.clock import SettableClock
from pipeline.errors import AppError
from pipeline.jobs.job import Job
from pipeline.jobs.worker import run_until_idle
from pipeline.payouts.jobs import payout_jobs
from pipeline.payouts.orders import payable_of
from pipeline.payouts.settle import SYSTEM
from pipeline.payouts.standin import own_sandbox
from pipeline.payouts.webhook import receive
from pipeline.reports.evidence import EvidenceClaim
from pipeline.reports.intake import Intake
from pipeline.reports.workflow import Actor, Item, transition
from pipeline.runtime import Runtime
from tests import factories


class Sandbox:
    """The hands of a tester at the sandbox's control surface."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=f"{url}/_sandbox/", timeout=30, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        answer = self._http.get(path, params=params)
        assert answer.is_success, answer.text
        return answer.json()

    def post(self, path: str, **body: Any) -> Any:
        answer = self._http.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def fault(self, kind: str, **values: Any) -> None:
        self.post("faults", kind=kind, **values)

    def no_faults(self) -> None:
        """Forget the faults that are still waiting."""
        answer = self._http.delete("faults", headers={"Content-Type": "application/json"})
        assert answer.is_success, answer.text

    def settle(self, late: bool = False) -> Any:
        """Every step of every payout, and every webhook, now."""
        return self.post("settle", delay=0, late=late)

    def payouts(self) -> list[dict[str, Any]]:
        """The provider's own journal of payouts."""
        return list(self.get("journal/payouts", limit=1000)["items"])

    def of(self, reference: str) -> list[dict[str, Any]]:
        return [one for one in self.payouts() if one["reference_id"] == reference]


class House:
    """A runtime that pays at its own sandbox, and the people around it."""

    def __init__(self, rt: Runtime, sandbox: Sandbox, people: factories.People) -> None:
        self.rt = rt
        self.sandbox = sandbox
        self.people = people
        self.deaf = False  # True: webhooks get a 503
        self.jobs: list[Job] = payout_jobs(rt)

    @property
    def clock(self) -> SettableClock:
        assert isinstance(self.rt.clock, SettableClock)
        return self.rt.clock

    def move_clock(self, at: datetime) -> None:
        """Both houses' clocks."""
        self.clock.set(at)
        self.sandbox.post("clock", fixed=at.isoformat())

    def teacher(self, vpa: str = "ravi@okaxis", **changes: Any) -> Caller:
        name = f"T{len(_made):05d}"
        _made.append(name)
        return factories.account(self.rt, name, "TEACHER", vpa=vpa, **changes)

    def captured(self, *teachers: Caller) -> list[UUID]:
        """A captured report for each, by the real intake and the one door."""
        return captured(self.rt, self.people, teachers)

    def run(self) -> None:
        """Every payout job until nothing is due."""
        run_until_idle(self.jobs, self.clock)

    def job(self, name: str) -> Job:
        return next(job for job in self.jobs if job.name == name)

    def to_the_end(self) -> None:
        """Open, send, let the provider do all its steps, settle, until nothing more happens."""
        self.run()
        for _ in range(100):
            done = self.sandbox.settle()
            self.run()
            if self.deaf or (done["settled"] and not done.get("delivered")):
                return
            if not done["settled"]:
                time.sleep(0.05)  # the sandbox's own courier has the event in hand
        raise AssertionError("the sandbox does not come to rest")

    def report(self, report_id: UUID) -> Any:
        return self.one("SELECT * FROM sdcrs.report WHERE id = :id", id=report_id)

    def payout(self, report_id: UUID) -> Any:
        return self.one("SELECT * FROM payout.payout WHERE report_id = :id", id=report_id)

    def attempts(self, report_id: UUID) -> list[Any]:
        return self.all(
            "SELECT a.* FROM payout.attempt a JOIN payout.payout p ON p.id = a.payout_id WHERE p.report_id = :id ORDER BY a.number",
            id=report_id,
        )

    def ledger(self, report_id: UUID) -> list[tuple[str, int]]:
        rows = self.all(
            "SELECT l.entry, l.amount_paise FROM payout.ledger l JOIN payout.payout p ON p.id = l.payout_id "
            "WHERE p.report_id = :id ORDER BY l.id",
            id=report_id,
        )
        return [(row.entry, row.amount_paise) for row in rows]

    def packets(self, report_id: UUID) -> list[str]:
        return [row.packet for row in self.all("SELECT packet FROM packet.log WHERE subject_id = :id ORDER BY id", id=report_id)]

    def history(self, report_id: UUID) -> list[Any]:
        return self.all("SELECT * FROM sdcrs.report_history WHERE report_id = :id ORDER BY version", id=report_id)

    def one(self, statement: str, **params: Any) -> Any:
        (row,) = self.all(statement, **params)
        return row

    def all(self, statement: str, **params: Any) -> list[Any]:
        with self.rt.database.worker() as conn:
            return list(conn.execute(text(statement), params).all())

    def execute(self, statement: str, **params: Any) -> None:
        with self.rt.database.worker() as conn:
            conn.execute(text(statement), params)

    def check_money(self) -> None:
        """What must hold at every moment, whatever happened."""
        wrong = self.all("""
            SELECT c.beneficiary_id, c.month, c.reserved_paise, coalesce(l.held, 0) AS held
            FROM payout.monthly_cap c LEFT JOIN (
                SELECT beneficiary_id, month,
                       sum(CASE entry WHEN 'RESERVE' THEN amount_paise WHEN 'SETTLE' THEN 0 ELSE -amount_paise END) AS held
                FROM payout.ledger GROUP BY 1, 2) l USING (beneficiary_id, month)
            WHERE c.reserved_paise <> coalesce(l.held, 0)""")
        assert not wrong, wrong
        live = {}
        for one in self.sandbox.payouts():
            if one["status"] not in ("failed", "reversed", "cancelled", "rejected"):
                live.setdefault(payable_of(one["reference_id"] or one["id"]), []).append(one["id"])
        assert not [ids for ids in live.values() if len(ids) > 1], live


_made: list[str] = []


@dataclass
class _Receiver:
    house: House | None = None


def environment_of(rt: Runtime) -> dict[str, str]:
    """What a process of its own needs to work in this runtime's house."""
    settings = rt.settings
    return {
        **os.environ,
        "DATABASE_URL": settings.database_url or "",
        "DATABASE_OWNER_URL": settings.database_owner_url or "",
        "DATA_DIR": str(settings.data_dir),
        "RAZORPAYX_BASE_URL": settings.razorpayx_base_url or "",
        "RAZORPAYX_VALIDATE_VPA": "on" if settings.validate_vpa else "off",
    }


@contextmanager
def open_house(rt: Runtime) -> Iterator[House]:
    """A house over this runtime's database; the sandbox is stopped at the end."""
    receiver = _Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            house = receiver.house
            status = 503
            if house is not None and not house.deaf:
                try:
                    receive(house.rt, raw, dict(self.headers.items()), house.rt.clock.now())
                    status = 200
                except AppError as error:
                    status = error.status
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with own_sandbox(rt.database, f"http://127.0.0.1:{server.server_port}/webhook/v1/razorpay") as url:
            mine = replace(rt, settings=replace(rt.settings, razorpayx_base_url=url))
            sandbox = Sandbox(url)
            house = House(mine, sandbox, factories.people(rt))
            receiver.house = house
            house.move_clock(house.clock.now())
            yield house
            sandbox.close()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def captured(
    rt: Runtime, who: factories.People, teachers: Sequence[Caller], files: dict[UUID, tuple[UUID, UUID]] | None = None
) -> list[UUID]:
    """Reports in CAPTURED, one per entry of `teachers`; photos are shared by the reports of one teacher, with `files` also later."""
    now = rt.clock.now()
    md = rt.masterdata.current()
    files = {} if files is None else files
    submissions = []
    for teacher in teachers:
        if teacher.account_id not in files:
            files[teacher.account_id] = factories.photos(rt, teacher)
        dog, selfie = files[teacher.account_id]
        one = factories.submission(rt, teacher, (dog, selfie))
        submissions.append(replace(one, evidence=(EvidenceClaim(dog, "DOG_PHOTO"), EvidenceClaim(selfie, "REPORTER_SELFIE"))))
    officer, supervisor, verifier = who.officer, who.supervisor, who.verifier
    steps: list[tuple[str, Actor, dict[str, Any]]] = [
        ("AUTO_VALIDATE_PASS", SYSTEM, {"validated_at": now}),
        ("VERIFY", Actor(verifier.account_id, verifier.roles), {"verified_at": now, "verified_by": verifier.account_id}),
        (
            "ASSIGN",
            Actor(supervisor.account_id, supervisor.roles),
            {"assigned_officer_id": officer.account_id, "assigned_at": now, "assigned_by": supervisor.account_id},
        ),
        (
            "START_FIELD_VISIT",
            Actor(officer.account_id, officer.roles),
            {"visit_started_at": now, "visit_started_by": officer.account_id},
        ),
        (
            "MARK_CAPTURED",
            Actor(officer.account_id, officer.roles),
            {
                "visit_completed_at": now,
                "visit_completed_by": officer.account_id,
                "captured_at": now,
                "resolution_type": "CAPTURED",
                "payout_eligible": True,
            },
        ),
    ]
    with rt.database.worker() as conn:
        ids = Intake(rt).create_bulk(conn, submissions)
        for action, actor, facts in steps:
            outcomes = transition(conn, md, action, [Item(report_id, facts) for report_id in ids], actor, now)
            assert all(outcome.ok for outcome in outcomes), outcomes[0].error
    return ids
