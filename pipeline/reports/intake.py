"""A report packet becomes a report: numbered, with evidence and place, PENDING_VALIDATION, its history and its packets.

One transaction per request, or per batch of thousands: both run the same set-wise statements. (COPY is refused under
row-level security and, with these indexes, no faster.)
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from pipeline.access.caller import Caller
from pipeline.clock import local_day
from pipeline.database.engine import at_once
from pipeline.errors import AppError
from pipeline.ids import uuid7
from pipeline.masterdata.master import MasterData
from pipeline.packets.catalogue import get as packet_of
from pipeline.packets.log import PacketHeader, header_of, packets_written
from pipeline.reports.evidence import INSERT as INSERT_EVIDENCE
from pipeline.reports.evidence import EvidenceClaim, evidence_row, load_files
from pipeline.reports.numbering import Numbering, ReportName
from pipeline.reports.requests import RequestKey, begin_request
from pipeline.reports.standing import check_may_report, daily_taken, is_daily_limit, limit_error
from pipeline.reports.workflow import history_written, packet_headers
from pipeline.runtime import Runtime

REQUIRED_EVIDENCE = ("DOG_PHOTO", "REPORTER_SELFIE")

_INSERT = text("""
    INSERT INTO sdcrs.report (id, tenant_id, state_id, report_number, tracking_id, tracking_token, service_type, description, status,
        reporter_id, latitude, longitude, address, landmark, locality, locality_code, ward, ward_code, district, district_code, city,
        pincode, gps_latitude, gps_longitude, gps_accuracy_m, gps_at, device_id, dog_count, is_aggressive, state_entered_at, sla_due_at,
        created_at, modified_at, modified_by, workflow_version)
    SELECT v.id, v.tenant_id, v.state_id, v.report_number, v.tracking_id, v.tracking_token, v.service_type, v.description, v.status,
        v.reporter_id, v.latitude, v.longitude, v.address, v.landmark, v.locality, v.locality_code, v.ward, v.ward_code, v.district,
        v.district_code, v.city, v.pincode, v.gps_latitude, v.gps_longitude, v.gps_accuracy_m, v.gps_at, v.device_id, v.dog_count,
        v.is_aggressive, v.created_at, v.sla_due_at, v.created_at, v.created_at, v.reporter_id, v.workflow_version
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, tenant_id text, state_id text, report_number text, tracking_id text,
        tracking_token text, service_type text, description text, status text, reporter_id uuid, latitude double precision,
        longitude double precision, address text, landmark text, locality text, locality_code text, ward text, ward_code text,
        district text, district_code text, city text, pincode text, gps_latitude double precision, gps_longitude double precision,
        gps_accuracy_m double precision, gps_at timestamptz, device_id text, dog_count int, is_aggressive boolean,
        sla_due_at timestamptz, created_at timestamptz, workflow_version int)
""")
_COUNT_LIFETIME = text("""
    UPDATE access.account a SET lifetime_reports = a.lifetime_reports + v.reports
    FROM (SELECT reporter_id, reports FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(reporter_id uuid, reports int) ORDER BY 1) v
    WHERE a.id = v.reporter_id
""")


@dataclass(frozen=True)
class Place:
    """Where the dog is (`latitude`, `longitude`: the pin) and where the device was when it said so (`gps_…`)."""

    latitude: float
    longitude: float
    address: str | None = None
    landmark: str | None = None
    locality: str | None = None
    locality_code: str | None = None
    ward: str | None = None
    ward_code: str | None = None
    district: str | None = None
    district_code: str | None = None
    city: str | None = None
    pincode: str | None = None
    gps_latitude: float | None = None
    gps_longitude: float | None = None
    gps_accuracy_m: float | None = None
    gps_at: datetime | None = None


@dataclass(frozen=True)
class Submission:
    """One report as a teacher submits it. `at` is when we received it; `body` the packet without personal values."""

    reporter_id: UUID
    tenant_id: str
    service_type: str
    description: str
    place: Place
    evidence: tuple[EvidenceClaim, ...]
    at: datetime
    device_id: str | None = None
    dog_count: int | None = None
    is_aggressive: bool | None = None
    correlation_id: UUID | None = None
    body: Mapping[str, Any] | None = None

    @property
    def claims(self) -> list[EvidenceClaim]:
        """The photos as the client describes them; one that names no device came from the report's."""
        return [replace(claim, device_id=claim.device_id or self.device_id) for claim in self.evidence]


class Intake:
    """Creates reports. One per process, since it holds a block of numbers."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt
        self._numbering = Numbering(rt.database, rt.keyring)

    def create(
        self,
        caller: Caller,
        tenant_id: str,
        parse: Callable[[], list[Submission]],
        key: RequestKey | None,
        now: datetime,
        read: Callable[[Connection, list[UUID]], None] | None = None,
    ) -> tuple[list[UUID], bool]:
        """Create the reports of one request; returns their ids and whether an earlier request had created them.

        Checks standing, then the daily limit, then the body: `parse` is called only after the first two. `read` is called
        with the ids before the commit, for an answer that needs no transaction of its own. Raises what they raise, and
        SDCRS_FORBIDDEN, SDCRS_TENANT_OUT_OF_SCOPE, SDCRS_EVIDENCE_MISSING, SDCRS_UNKNOWN_FILE,
        SDCRS_UNKNOWN_SERVICE_TYPE, SDCRS_IDEMPOTENCY_CONFLICT. Commits.
        """
        if not caller.has("TEACHER"):
            raise AppError("SDCRS_FORBIDDEN", reason="only teachers submit reports")
        if tenant_id not in caller.scope:
            raise AppError("SDCRS_TENANT_OUT_OF_SCOPE", tenantId=tenant_id)
        md = self._rt.masterdata.current()
        tenant = md.tenant(tenant_id)
        names = self._numbering.take(tenant.state_id, tenant.state_code, local_day(now, tenant.timezone).year, 1)
        report_id = uuid7(now)
        try:
            with self._rt.database.begin(caller.scope) as conn:
                if key is not None:
                    earlier = begin_request(conn, key, tenant_id, now, {"ids": [str(report_id)]})
                    if earlier is not None:
                        ids = [UUID(i) for i in earlier["ids"]]
                        if read is not None:
                            read(conn, ids)
                        return ids, True
                check_may_report(conn, md, tenant_id, caller.account_id, now)
                submissions = parse()
                if len(submissions) != 1:
                    raise AppError("SDCRS_INVALID_REQUEST", field="DogReports", detail="send exactly one report in a request")
                insert_reports(conn, md, submissions, names, [report_id])
                if read is not None:
                    read(conn, [report_id])
        except IntegrityError as error:
            if is_daily_limit(error):
                raise limit_error(md, tenant_id, md.payout_config(tenant_id).daily_limit, now) from error
            raise
        return [report_id], False

    def create_bulk(self, conn: Connection, submissions: Sequence[Submission]) -> list[UUID]:
        """Create many teachers' reports in the caller's transaction; all or none. For imports and the demo.

        Standing is not looked at; the daily limit holds. Raises as `create` does.
        """
        md = self._rt.masterdata.current()
        names: list[ReportName | None] = [None] * len(submissions)
        groups: dict[tuple[str, str, int], list[int]] = {}
        for index, submission in enumerate(submissions):
            tenant = md.tenant(submission.tenant_id)
            group = (tenant.state_id, tenant.state_code, local_day(submission.at, tenant.timezone).year)
            groups.setdefault(group, []).append(index)
        for (state_id, state_code, year), indexes in groups.items():
            for index, name in zip(indexes, self._numbering.take(state_id, state_code, year, len(indexes)), strict=True):
                names[index] = name
        ids = [uuid7(submission.at) for submission in submissions]
        insert_reports(conn, md, submissions, [name for name in names if name is not None], ids)
        return ids


def insert_reports(
    conn: Connection, md: MasterData, submissions: Sequence[Submission], names: Sequence[ReportName], ids: Sequence[UUID]
) -> None:
    """Write reports, evidence, counts, history and packets in one statement each. Does not commit.

    Raises IntegrityError of `daily_limit_holds` when a teacher would pass the daily limit.
    """
    files = load_files(conn, [claim.file_id for s in submissions for claim in s.evidence])
    reports, evidence, history, packets = [], [], [], []
    daily: Counter[tuple[UUID, date, str]] = Counter()
    for s, name, report_id in zip(submissions, names, ids, strict=True):
        _check_body(md, s)
        zone = md.tenant(s.tenant_id).timezone
        daily[s.reporter_id, local_day(s.at, zone), s.tenant_id] += 1
        reports.append(_report_row(md, s, name, report_id))
        evidence += [evidence_row(claim, files, report_id, s.tenant_id, s.reporter_id, s.at, zone) for claim in s.claims]
        history_id = uuid7(s.at)
        history.append(_history_row(md, s, report_id, history_id))
        packets += _packets(s, report_id, history_id)
    lifetime = Counter(s.reporter_id for s in submissions)
    at_once(
        conn,
        daily_taken(md, daily),
        (_INSERT, {"rows": json.dumps(reports)}),
        (INSERT_EVIDENCE, {"rows": json.dumps(evidence)}),
        (_COUNT_LIFETIME, {"rows": json.dumps([{"reporter_id": str(r), "reports": n} for r, n in lifetime.items()])}),
        history_written(history),
        packets_written(packets),
    )


def _check_body(md: MasterData, s: Submission) -> None:
    present = {claim.evidence_type for claim in s.evidence}
    for wanted in REQUIRED_EVIDENCE:
        if wanted not in present:
            raise AppError("SDCRS_EVIDENCE_MISSING", missing=wanted)
    types = md.report_types(s.tenant_id)
    if s.service_type not in types:
        raise AppError("SDCRS_UNKNOWN_SERVICE_TYPE", serviceType=s.service_type, known=", ".join(types))


def _report_row(md: MasterData, s: Submission, name: ReportName, report_id: UUID) -> dict[str, Any]:
    place = _with_ward(md, s)
    types = md.report_types(s.tenant_id)
    fields = {**place.__dict__, "gps_at": None if place.gps_at is None else place.gps_at.isoformat()}
    return {
        **fields,
        "id": str(report_id),
        "tenant_id": s.tenant_id,
        "state_id": md.tenant(s.tenant_id).state_id,
        "report_number": name.report_number,
        "tracking_id": name.tracking_id,
        "tracking_token": name.tracking_token,
        "service_type": s.service_type,
        "description": s.description,
        "status": _first_state(md, s.tenant_id),
        "reporter_id": str(s.reporter_id),
        "device_id": s.device_id,
        "dog_count": s.dog_count,
        "is_aggressive": s.is_aggressive,
        "sla_due_at": (s.at + timedelta(hours=types[s.service_type].sla_hours)).isoformat(),
        "created_at": s.at.isoformat(),
        "workflow_version": md.workflow(s.tenant_id).version,
    }


def _with_ward(md: MasterData, s: Submission) -> Place:
    """The place with ward, locality and district filled in from the pin where the client sent none."""
    if s.place.ward_code and s.place.locality and s.place.district_code:
        return s.place
    found = md.locate(s.tenant_id, s.place.latitude, s.place.longitude)
    filled: dict[str, Any] = {}
    if not s.place.ward_code and found.ward is not None:
        filled |= {"ward_code": found.ward.code, "ward": s.place.ward or found.ward.name}
    if not s.place.locality and found.locality is not None:
        filled |= {"locality": found.locality.name, "locality_code": s.place.locality_code or found.locality.code}
    if not s.place.district_code and found.district is not None:
        filled |= {"district_code": found.district.code, "district": s.place.district or found.district.name}
    return replace(s.place, **filled)


def _history_row(md: MasterData, s: Submission, report_id: UUID, history_id: UUID) -> dict[str, Any]:
    workflow = md.workflow(s.tenant_id)
    return {
        "id": str(history_id),
        "tenant_id": s.tenant_id,
        "report_id": str(report_id),
        "version": 1,
        "action": "SUBMIT",
        "from_state": None,
        "to_state": _first_state(md, s.tenant_id),
        "actor_id": str(s.reporter_id),
        "actor_role": "TEACHER",
        "comment": "Report submitted by teacher",
        "facts": {},
        "correlation_id": str(s.correlation_id) if s.correlation_id else None,
        "workflow_version": workflow.version,
        "occurred_at": s.at.isoformat(),
    }


def _packets(s: Submission, report_id: UUID, history_id: UUID) -> list[PacketHeader]:
    """The request and its answer, then what the action itself sends."""
    exchange = [
        header_of(
            packet,
            s.tenant_id,
            report_id,
            s.at,
            correlation_id=s.correlation_id,
            causation_id=history_id,
            body=s.body if packet.id == "02/07" else None,
        )
        for packet in (packet_of("02/07"), packet_of("02/08"))
    ]
    return exchange + packet_headers("SUBMIT", s.tenant_id, report_id, s.at, history_id, s.correlation_id)


def _first_state(md: MasterData, tenant_id: str) -> str:
    first = md.workflow(tenant_id).pick(None, "SUBMIT")
    if first is None:
        raise AppError("SDCRS_INVALID_MASTER_DATA", file="BusinessService.json", field="states", detail="SUBMIT leads nowhere")
    return first.to_state
