"""The requests of `bench api`: what people and apps of each role ask for, made of reports that are there, ready to be sent."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from sqlalchemy import Row, text

from pipeline.bench import calls
from pipeline.bench.calls import PAGE, REPORTS, Call
from pipeline.bench.driver import Sending
from pipeline.bench.floor import Floor
from pipeline.bench.people import PLACE, TENANT, Person
from pipeline.clock import epoch_ms

SAMPLE = 4_000  # reports that are asked about: more than any cache of ours holds, of all ages
VARIANTS = 500  # different requests of a kind; then they come again
WEEK = timedelta(days=7)
SPOTS_AROUND = 0.15  # degrees about the middle: most places inside the tenant, some outside
# Every follower of a report has an address of their own, as behind a proxy; the block is set apart for benches (RFC 2544)
FOLLOWERS = tuple(f"198.18.{block}.{number}" for block in range(16) for number in range(1, 255))

# Of a hundred _search requests, whose they are
MIX: Mapping[str, int] = {
    "_search: a teacher's own": 30,
    "_search: verifier's queue": 12,
    "_search: one by id": 18,
    "_search: one by number": 12,
    "_search: ward's, to be assigned": 10,
    "_search: an officer's visits": 12,
    "_search: admin's week, third page": 4,
    "_search: last changed first": 2,
}
UPDATE, CREATE, TRACK, PUBLIC, UPLOAD = "_update", "_create", "_track", "GET /track/{id}", "photo upload, 4 MB"

_SAMPLE = text("""
    SELECT id, report_number, tracking_id, tracking_token, status, assigned_officer_id
    FROM sdcrs.report TABLESAMPLE SYSTEM (:percent) REPEATABLE (:seed) WHERE tenant_id = :tenant_id LIMIT :limit
""")
_OPEN = text("""
    SELECT id, status, assigned_officer_id FROM sdcrs.report
    WHERE tenant_id = :tenant_id AND status IN ('PENDING_VERIFICATION', 'VERIFIED', 'ASSIGNED') ORDER BY tracking_id LIMIT 100000
""")
_SHARE_OF_PAGES = 40 * SAMPLE  # reports in pages of a sample this many times as large are not all read


@dataclass
class Requests:
    """Makes requests of every kind. One thread."""

    floor: Floor
    teachers: Sequence[Person]  # who have reports already
    seed: int = 1

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self._host = urlsplit(self.floor.house.api_url).netloc
        with self.floor.rt.database.worker() as conn:
            there = conn.execute(text("SELECT count(*) FROM sdcrs.report")).scalar_one()
            percent = min(100.0, 100.0 * _SHARE_OF_PAGES / max(there, 1))
            sample = {"percent": percent, "seed": self.seed, "tenant_id": TENANT, "limit": _SHARE_OF_PAGES}
            found = conn.execute(_SAMPLE, sample).all()
            self._reports = self._random.sample(found, min(SAMPLE, len(found)))
            self._open = list(conn.execute(_OPEN, {"tenant_id": TENANT}))
        self._officers = {officer.caller.account_id: officer for officer in self.floor.staff.officers}
        self._updates = self._each_update()

    def reading(self) -> dict[str, list[Sending]]:
        """Some hundreds of requests of every kind that changes nothing."""
        staff, now = self.floor.staff, self.floor.rt.clock.now()
        week = {"fromDate": epoch_ms(now - WEEK - WEEK), "toDate": epoch_ms(now - WEEK)}
        one: dict[str, Callable[[], Call]] = {
            "_search: a teacher's own": lambda: _search(self._any(self.teachers), {}),
            "_search: verifier's queue": lambda: _search(
                self._any(staff.verifiers), {"status": ["PENDING_VERIFICATION"], "sortOrder": "ASC"}
            ),
            "_search: one by id": lambda: _search(self._any(staff.verifiers), {"ids": [str(self._report().id)]}),
            "_search: one by number": lambda: _search(self._any(staff.supervisors), {"reportNumber": self._report().report_number}),
            "_search: ward's, to be assigned": lambda: _search(self._any(staff.supervisors), {"status": ["VERIFIED"], "wardCode": "W005"}),
            "_search: an officer's visits": lambda: _search(self._any(staff.officers), {"status": ["ASSIGNED", "IN_PROGRESS"]}),
            "_search: admin's week, third page": lambda: _search(self._any(staff.admins), {**week, "offset": 2 * PAGE}),
            "_search: last changed first": lambda: _search(self._any(staff.supervisors), {"sortBy": "lastModifiedTime"}),
            "/user/v1/_search": lambda: _post(
                "/user/v1/_search", {"tenantId": TENANT, "roleCodes": ["MC_OFFICER"], "wardCode": "W005"}, self._any(staff.supervisors)
            ),
            "/location/v1/_boundary": self._boundary,
            "process/_search": self._history,
            "/payout/v1/_search: newest": lambda: _payouts(self._any(staff.admins), {}),
            "/payout/v1/_search: one": lambda: _payouts(self._any(staff.admins), {"reportNumber": self._report().report_number}),
        }
        found = {kind: [self._wire(kind, make()) for _ in range(VARIANTS)] for kind, make in one.items()}
        found[TRACK] = [self.track() for _ in range(VARIANTS)]
        found[PUBLIC] = [self._public() for _ in range(VARIANTS)]
        return found

    def creates(self) -> Iterator[Sending]:
        """New reports with photos that are there, as long as there are some."""
        while self.floor.stock.drafts:
            yield self._wire(CREATE, calls.create(self.floor.stock.draft(), self.floor.message_id()))

    def updates(self) -> Iterator[Sending]:
        """One step of one open report each, by whom it waits for, as long as there are some: each report once."""
        return self._updates

    @property
    def open_reports(self) -> int:
        """How many reports waited for a step at the beginning."""
        return len(self._open)

    def track(self) -> Sending:
        """Somebody who has the tracking id."""
        body = json.dumps({"RequestInfo": {"apiId": "bench"}, "trackingId": self._report().tracking_id}).encode()
        return Sending(TRACK, _head("POST", f"{REPORTS}/_track", self._host, len(body), self._follower()) + body)

    def uploads(self, photos: Sequence[bytes]) -> list[Sending]:
        """Each photo sent by a teacher."""
        return [self._upload(photo) for photo in photos]

    def _each_update(self) -> Iterator[Sending]:
        staff = self.floor.staff
        self._random.shuffle(self._open)
        for report in self._open:
            if report.status == "PENDING_VERIFICATION":
                call = calls.verify(report.id, self._any(staff.verifiers))
            elif report.status == "VERIFIED":
                call = calls.assign(report.id, self._any(staff.supervisors), self._any(staff.officers))
            else:
                call = calls.start_visit(report.id, self._officers[report.assigned_officer_id])
            yield self._wire(UPDATE, call)

    def _boundary(self) -> Call:
        latitude, longitude = (middle + self._random.uniform(-SPOTS_AROUND, SPOTS_AROUND) for middle in PLACE)
        return _post("/location/v1/_boundary", {"tenantId": TENANT, "latitude": latitude, "longitude": longitude}, self._any(self.teachers))

    def _history(self) -> Call:
        asked = urlencode({"tenantId": TENANT, "businessIds": self._report().report_number, "history": "true"})
        return _post(f"/egov-workflow-v2/egov-wf/process/_search?{asked}", {}, self._any(self.floor.staff.verifiers))

    def _public(self) -> Sending:
        return Sending(PUBLIC, _head("GET", f"/track/{self._report().tracking_token}", self._host, 0, self._follower()))

    def _upload(self, photo: bytes) -> Sending:
        mark = UUID(int=self._random.getrandbits(128), version=4).hex
        parts = "".join(
            f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in (("tenantId", TENANT), ("module", "SDCRS"))
        )
        parts += f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="dog.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        body = parts.encode() + photo + f"\r\n--{mark}--\r\n".encode()
        sender = {"Authorization": f"Bearer {self._any(self.teachers).token}", "Content-Type": f"multipart/form-data; boundary={mark}"}
        return Sending(UPLOAD, _head("POST", "/filestore/v1/files", self._host, len(body), sender) + body)

    def _wire(self, kind: str, call: Call) -> Sending:
        signed = {"Authorization": f"Bearer {call.token}"}
        return Sending(kind, _head("POST", call.path, self._host, len(call.body), signed) + call.body)

    def _follower(self) -> dict[str, str]:
        return {"X-Forwarded-For": self._random.choice(FOLLOWERS)}

    def _report(self) -> Row[Any]:
        return self._random.choice(self._reports)

    def _any(self, people: Sequence[Person]) -> Person:
        return self._random.choice(people)


def _search(by: Person, criteria: dict[str, Any]) -> Call:
    return _post(f"{REPORTS}/_search", {"searchCriteria": {"tenantId": TENANT, "limit": PAGE, **criteria}}, by)


def _payouts(by: Person, criteria: dict[str, Any]) -> Call:
    return _post("/payout/v1/_search", {"searchCriteria": {"tenantId": TENANT, "limit": PAGE, **criteria}}, by)


def _post(path: str, content: dict[str, Any], by: Person) -> Call:
    body = json.dumps({"RequestInfo": {"apiId": "bench", "ver": "1.0"}, **content}, separators=(",", ":")).encode()
    return Call(path, path, body, by.token)


def _head(method: str, path: str, host: str, length: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    if method == "POST":
        lines += [f"Content-Length: {length}", *([] if "Content-Type" in headers else ["Content-Type: application/json"])]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
