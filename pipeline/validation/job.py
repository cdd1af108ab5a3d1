"""The validation job: claims PENDING_VALIDATION reports, measures them set-wise, records every check, and moves them on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.access.caller import SYSTEM_ID
from pipeline.fraud.case import Case, Photo
from pipeline.fraud.evaluate import evaluate
from pipeline.fraud.scoring import FraudScore, RuleOutcome, score
from pipeline.jobs.batch import BatchJob
from pipeline.jobs.job import NOT_FAILED
from pipeline.masterdata.master import MasterData
from pipeline.packets.catalogue import for_reason, for_room
from pipeline.packets.log import PacketHeader, header_of, write_packets
from pipeline.reports.workflow import Actor, Item, transition
from pipeline.runtime import Runtime
from pipeline.validation import checks
from pipeline.validation.checks import Check, Nearest, Position
from pipeline.validation.duplicates import Candidate, Probe, find_duplicates

NAME = "validation"
BATCH = 200  # reports a transaction: about half a second of work
SYSTEM = Actor(SYSTEM_ID, frozenset({"SYSTEM"}))

_CLAIM = text(f"""
    SELECT q.id FROM sdcrs.report q
    WHERE q.status = 'PENDING_VALIDATION' AND (CAST(:only AS uuid[]) IS NULL OR q.id = ANY (:only)) AND {NOT_FAILED}
    ORDER BY q.created_at, q.id LIMIT :limit FOR UPDATE OF q SKIP LOCKED
""")  # noqa: S608 - a constant fragment, no value
_LOAD = text("""
    SELECT r.id, r.tenant_id, r.report_number, r.created_at, r.latitude, r.longitude, r.gps_latitude, r.gps_longitude,
           e.evidence_type, e.captured_at, e.latitude AS claimed_latitude, e.longitude AS claimed_longitude, e.phash, e.sha256,
           f.exif_latitude, f.exif_longitude, f.exif_present
    FROM sdcrs.report r JOIN sdcrs.evidence e ON e.report_id = r.id JOIN sdcrs.file f ON f.id = e.file_id
    WHERE r.id = ANY (:ids) AND e.evidence_type IN ('DOG_PHOTO', 'REPORTER_SELFIE')
    ORDER BY r.created_at, r.id, e.evidence_type, e.id
""")
_CHECKS = text("""
    INSERT INTO sdcrs.validation_check (report_id, name, tenant_id, position, passed, measured, limit_value, unit, reason, details,
                                        rule_version, checked_at)
    SELECT v.report_id, v.name, v.tenant_id, v.position, v.passed, v.measured, v.limit_value, v.unit, v.reason, v.details,
           v.rule_version, v.at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(report_id uuid, name text, tenant_id text, position int, passed boolean, measured double precision,
             limit_value double precision, unit text, reason text, details jsonb, rule_version int, at timestamptz)
    ON CONFLICT (report_id, name) DO UPDATE
    SET passed = excluded.passed, measured = excluded.measured, reason = excluded.reason, details = excluded.details,
        rule_version = excluded.rule_version, checked_at = excluded.checked_at
""")
_RULES = text("""
    INSERT INTO fraud.rule_result (report_id, rule_id, tenant_id, rule_code, category, condition_type, outcome, score, weight, message,
                                   details, rules_version, evaluated_at)
    SELECT v.report_id, v.rule_id, v.tenant_id, v.rule_code, v.category, v.condition_type, v.outcome, v.score, v.weight, v.message,
           v.details, v.rules_version, v.at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(report_id uuid, rule_id text, tenant_id text, rule_code text, category text, condition_type text, outcome text, score int,
             weight int, message text, details jsonb, rules_version int, at timestamptz)
    ON CONFLICT (report_id, rule_id) DO NOTHING
""")


@dataclass(frozen=True)
class Judged:
    """A report with its checks, rule outcomes and score."""

    report: Row[Any]
    checks: tuple[Check, ...]
    outcomes: tuple[RuleOutcome, ...]
    fraud: FraudScore
    at: datetime  # when it was judged

    @property
    def failed(self) -> Check | None:
        """The first failing check: its code is the reason of the rejection."""
        return next((check for check in self.checks if not check.passed), None)


def validation_job(rt: Runtime) -> BatchJob:
    """The job as the worker runs it."""

    def work(conn: Connection, ids: list[UUID], now: datetime) -> None:
        validate(conn, rt.masterdata.current(), ids, now)

    return BatchJob(NAME, rt.database, claim, work, BATCH)


def claim(conn: Connection, now: datetime, limit: int, only: Sequence[UUID] | None) -> list[UUID]:
    """Lock the oldest reports that wait for validation."""
    params = {"job": NAME, "now": now, "limit": limit, "only": None if only is None else list(only)}
    return list(conn.execute(_CLAIM, params).scalars())


def validate(
    conn: Connection, md: MasterData, ids: Sequence[UUID], now: datetime, times: Mapping[UUID, datetime] | None = None
) -> list[Judged]:
    """Judge reports in order of receipt, record the checks and move each to its next state. Does not commit.

    `times` says when each was judged, for imports of the past; a report that it does not name was judged `now`.
    """
    grouped: dict[UUID, list[Row[Any]]] = {}
    for row in conn.execute(_LOAD, {"ids": list(ids)}):
        grouped.setdefault(row.id, []).append(row)
    dogs = {report_id: next(r for r in rows if r.evidence_type == "DOG_PHOTO") for report_id, rows in grouped.items()}
    candidates = find_duplicates(conn, [_probe(md, d) for d in dogs.values()], _max_distance(md, dogs))
    rejected: set[UUID] = set()
    judged = []
    for report_id, rows in grouped.items():  # in order of receipt: of two in one batch the earlier is the original
        limit = md.validation_limits(rows[0].tenant_id).duplicate_hash_distance
        alive = [c for c in candidates.get(report_id, []) if c.report_id not in rejected and (c.same_bytes or c.distance <= limit)]
        one = _judge(md, rows, dogs[report_id], alive, (times or {}).get(report_id, now))
        if one.failed is not None:
            rejected.add(report_id)
        judged.append(one)
    _record(conn, md, judged)
    _move(conn, md, judged, now)
    return judged


def _judge(md: MasterData, rows: Sequence[Row[Any]], dog: Row[Any], candidates: Sequence[Candidate], at: datetime) -> Judged:
    tenant = md.tenant(dog.tenant_id)
    place = md.locate(dog.tenant_id, dog.latitude, dog.longitude)
    exif = _position(dog.exif_latitude, dog.exif_longitude)
    device = _position(dog.gps_latitude, dog.gps_longitude)
    nearest = candidates[0] if candidates else None
    case = Case(
        report_id=dog.id,
        tenant_id=dog.tenant_id,
        received_at=dog.created_at,
        zone=tenant.timezone,
        latitude=dog.latitude,
        longitude=dog.longitude,
        inside_boundary=place.inside,
        km_outside=place.km_outside,
        photos=tuple(_photo(row) for row in rows),
    )
    config, limits = md.risk_config(dog.tenant_id), md.validation_limits(dog.tenant_id)
    outcomes = evaluate(md.fraud_rules(dog.tenant_id), config, case)
    result = score(outcomes, config)
    judged = (
        checks.gps_location(exif, device, Position(dog.latitude, dog.longitude), limits),
        checks.timestamp_freshness(dog.captured_at, dog.created_at, limits),
        checks.boundary(place.inside, place.km_outside, tenant.name, place.nearest_tenant),
        checks.duplicate_image(
            None if nearest is None else Nearest(str(nearest.report_id), nearest.report_number, nearest.similarity, nearest.same_bytes),
            limits,
        ),
        checks.fraud_score(result, config.auto_reject_threshold),
    )
    return Judged(dog, judged, tuple(outcomes), result, at)


def _probe(md: MasterData, dog: Row[Any]) -> Probe:
    since = dog.created_at - timedelta(days=md.validation_limits(dog.tenant_id).duplicate_lookback_days)
    return Probe(dog.id, dog.tenant_id, dog.phash, bytes(dog.sha256), since, dog.created_at)


def _max_distance(md: MasterData, dogs: Mapping[UUID, Row[Any]]) -> int:
    """The widest limit among the batch's tenants; a narrower one counts again when the report is judged."""
    return max((md.validation_limits(dog.tenant_id).duplicate_hash_distance for dog in dogs.values()), default=0)


def _photo(row: Row[Any]) -> Photo:
    """A photo as the rules see it: its own EXIF place first, then the client's claim."""
    own = row.exif_latitude is not None
    return Photo(
        purpose="DOG_PHOTO" if row.evidence_type == "DOG_PHOTO" else "SELFIE",
        latitude=row.exif_latitude if own else row.claimed_latitude,
        longitude=row.exif_longitude if own else row.claimed_longitude,
        taken_at=row.captured_at,
        exif_present=row.exif_present,
    )


def _position(latitude: float | None, longitude: float | None) -> Position | None:
    return None if latitude is None or longitude is None else Position(latitude, longitude)


def _record(conn: Connection, md: MasterData, judged: Sequence[Judged]) -> None:
    check_rows, rule_rows, packets = [], [], []
    for j in judged:
        version = md.version_of("FRAUD-DETECTION", "FraudRules", j.report.tenant_id)
        common = {"report_id": str(j.report.id), "tenant_id": j.report.tenant_id, "at": j.at.isoformat()}
        check_rows += [{**common, **_check_row(check, position, version)} for position, check in enumerate(j.checks, start=1)]
        rule_rows += [{**common, **_rule_row(outcome, version)} for outcome in j.outcomes]
        packets += _packets(j)
    conn.execute(_CHECKS, {"rows": json.dumps(check_rows)})
    conn.execute(_RULES, {"rows": json.dumps(rule_rows)})
    write_packets(conn, packets)


def _check_row(check: Check, position: int, version: int) -> dict[str, Any]:
    return {
        "name": check.name,
        "position": position,
        "passed": check.passed,
        "measured": check.measured,
        "limit_value": check.limit,
        "unit": check.unit,
        "reason": check.reason,
        "details": dict(check.details),
        "rule_version": version,
    }


def _rule_row(outcome: RuleOutcome, version: int) -> dict[str, Any]:
    return {
        "rule_id": outcome.rule_id,
        "rule_code": outcome.rule_code,
        "category": outcome.category,
        "condition_type": outcome.condition_type,
        "outcome": "ERROR" if outcome.failed else "FIRED" if outcome.fired else "CLEAR",
        "score": round(outcome.weight) if outcome.fired else 0,
        "weight": round(outcome.weight),
        "message": outcome.message,
        "details": dict(outcome.details),
        "rules_version": version,
    }


def _packets(judged: Judged) -> list[PacketHeader]:
    own = list(for_room("validation"))
    edge_case = for_reason(judged.failed.rejects_with) if judged.failed is not None else None
    if edge_case is not None:
        own.append(edge_case)
    return [header_of(packet, judged.report.tenant_id, judged.report.id, judged.at) for packet in own]


def _move(conn: Connection, md: MasterData, judged: Sequence[Judged], now: datetime) -> None:
    passed, failed = [], []
    for j in judged:
        facts: dict[str, Any] = {
            "validated_at": j.at,
            "gps_result": j.checks[0].details["result"],
            "fraud_score": j.fraud.score,
            "risk_level": j.fraud.risk_level,
            "recommendation": j.fraud.recommendation,
        }
        score_words = f"Fraud score: {j.fraud.score} ({j.fraud.risk_level})"
        if j.failed is None:
            passed.append(Item(j.report.id, facts, comment=f"Auto-validation passed. {score_words}", at=j.at))
            continue
        facts |= {
            "rejected_at": j.at,
            "rejected_by": SYSTEM_ID,
            "rejection_reason": j.failed.rejects_with,
            "rejection_remarks": j.failed.reason,
            "payout_eligible": False,
        }
        noted = {"auto_rejected": True} if j.failed.rejects_with == "FRAUD_DETECTED" else {}
        comment = f"Auto-validation failed: {j.failed.rejects_with} - {j.failed.reason}. {score_words}"
        failed.append(Item(j.report.id, facts, noted=noted, comment=comment, at=j.at))
    for action, items in (("AUTO_VALIDATE_PASS", passed), ("AUTO_VALIDATE_FAIL", failed)):
        for outcome in transition(conn, md, action, items, SYSTEM, now):
            if outcome.error is not None:
                raise outcome.error
