"""The validation job: claims PENDING_VALIDATION reports, measures them set-wise, records every check, and moves them on."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.access.caller import SYSTEM_ID
from pipeline.database.engine import Command, at_once
from pipeline.fraud.case import Answer, Case, History, Match
from pipeline.fraud.evaluate import evaluate
from pipeline.fraud.features import gather
from pipeline.fraud.flags.raising import Fired, flags_raised
from pipeline.fraud.ruleset import RuleSet, rule_set
from pipeline.fraud.validators.results import ALL_SETTLED, answers
from pipeline.fraud.validators.setup import NOBODY, Configured, Setup
from pipeline.jobs.batch import BatchJob
from pipeline.jobs.job import NOT_FAILED
from pipeline.masterdata.geo import Place
from pipeline.masterdata.master import MasterData
from pipeline.packets.catalogue import for_reason, for_room
from pipeline.packets.many import About, same_packets
from pipeline.reports.workflow import Actor, Item, transition
from pipeline.runtime import Runtime
from pipeline.validation import checks
from pipeline.validation.checks import Nearest
from pipeline.validation.duplicates import CANDIDATES_PER_PHOTO, Candidate, Probe, find_duplicates
from pipeline.validation.load import Received, document, load, position
from pipeline.validation.pairs import raise_pairs
from pipeline.validation.record import Judged, recorded

NAME = "validation"
BATCH = 200  # reports a transaction: about half a second of work
INSIDE = Place(inside=True, km_outside=0.0, nearest_tenant=None)
SYSTEM = Actor(SYSTEM_ID, frozenset({"SYSTEM"}))

_CLAIM = f"""
    SELECT q.id FROM sdcrs.report q
    WHERE q.status = 'PENDING_VALIDATION' AND (CAST(:only AS uuid[]) IS NULL OR q.id = ANY (:only)) AND {NOT_FAILED}{{}}
    ORDER BY q.created_at, q.id LIMIT :limit FOR UPDATE OF q SKIP LOCKED
"""  # noqa: S608 - constant fragments, no value
_CLAIM_ALL = text(_CLAIM.format(""))
_CLAIM_ANSWERED = text(_CLAIM.format(f" AND {ALL_SETTLED}"))  # where tenants ask validators
_RECEIVED_AT = text("SELECT id, created_at FROM sdcrs.report WHERE id = ANY (:ids)")


def validation_job(rt: Runtime) -> BatchJob:
    """The job as the worker runs it."""
    configured = Configured(rt.settings)

    def mine(conn: Connection, now: datetime, limit: int, only: Sequence[UUID] | None) -> list[UUID]:
        return claim(conn, now, limit, only, configured.at(rt.masterdata.current()))

    def work(conn: Connection, ids: list[UUID], now: datetime) -> None:
        md = rt.masterdata.current()
        validate(conn, md, ids, now, setup=configured.at(md))

    return BatchJob(NAME, rt.database, mine, work, BATCH)


def claim(conn: Connection, now: datetime, limit: int, only: Sequence[UUID] | None, setup: Setup = NOBODY) -> list[UUID]:
    """Lock the oldest reports that wait for validation, and not still for what a validator of `setup` says."""
    params: dict[str, Any] = {"job": NAME, "now": now, "limit": limit, "only": None if only is None else list(only)}
    if setup.tenants:
        return list(conn.execute(_CLAIM_ANSWERED, params | {"asking": setup.asking}).scalars())
    return list(conn.execute(_CLAIM_ALL, params).scalars())


def validate(
    conn: Connection,
    md: MasterData,
    ids: Sequence[UUID],
    now: datetime,
    times: Mapping[UUID, datetime] | None = None,
    setup: Setup = NOBODY,
) -> list[Judged]:
    """Judge reports in order of receipt, record the evaluations and move each to its next state. Does not commit.

    `times` says when each was judged, for imports of the past; a report that it does not name was judged `now`. `setup`:
    the validators whose answers are read.
    """
    reports = load(conn, ids)
    said = answers(conn, setup, {report.id: report.tenant_id for report in reports}, now)
    rules = {report.tenant_id: rule_set(md, report.tenant_id) for report in reports}
    histories = _histories(conn, md, reports, rules)
    alike = _alike(conn, md, reports, rules)
    inside = _inside(md, reports)
    rejected: set[UUID] = set()
    judged = []
    for report in reports:  # in order of receipt: of two in one batch the earlier is the original
        history = histories[report.id]
        history.alike = alike.get(report.id, ())
        at = (times or {}).get(report.id, now)
        one = _judge(md, rules[report.tenant_id], report, history, said.get(report.id, {}), inside[report.id], rejected, at)
        if one.failed is not None:
            rejected.add(report.id)
        judged.append(one)
    if judged:
        flags = flags_raised(md, (fired for one in judged for fired in _fired(one)))
        at_once(conn, recorded(md, judged), *flags, *_packets(judged))
    _move(conn, md, judged, now)
    found = {one.report.id: _originals(md, one.report, one.history, rejected) for one in judged}
    raise_pairs(conn, [one.report.id for one in judged if one.failed is None], found, now)
    return judged


def _histories(conn: Connection, md: MasterData, reports: Sequence[Received], rules: Mapping[str, RuleSet]) -> dict[UUID, History]:
    """What went before each report, asked once for all tenants of one rule set."""
    found: dict[UUID, History] = {}
    for some in {id(entry): entry for entry in rules.values()}.values():
        mine = [report for report in reports if rules[report.tenant_id] is some]
        subjects = [report.subject(md.tenant(report.tenant_id).timezone) for report in mine]
        found |= zip((report.id for report in mine), gather(conn, some.needs, subjects), strict=True)
    return found


def _alike(conn: Connection, md: MasterData, reports: Sequence[Received], rules: Mapping[str, RuleSet]) -> dict[UUID, list[Match]]:
    """Earlier dog photos that are the same or nearly so, as far back as check and rules look; likest first."""
    widest = max((max(_bits(md, report.tenant_id), rules[report.tenant_id].needs.alike_bits or 0) for report in reports), default=0)

    def search(some: Sequence[Received], days: Mapping[str, int]) -> dict[UUID, list[Candidate]]:
        probes = []
        for report in some:
            dog, since = report.dog, report.created_at - timedelta(days=days[report.tenant_id])
            probes.append(Probe(report.id, report.tenant_id, dog["phash"], dog["sha256"], since, report.created_at))
        return find_duplicates(conn, probes, widest)

    checked = {tenant_id: md.validation_limits(tenant_id).duplicate_lookback_days for tenant_id in rules}
    ruled = {tenant_id: some.needs.alike_days for tenant_id, some in rules.items()}
    found = search(reports, {tenant_id: max(checked[tenant_id], ruled[tenant_id]) for tenant_id in rules})
    # The search gives the likest alone; where older ones may have crowded out those within a rule's days, it looks again
    crowded = [r for r in reports if len(found.get(r.id, ())) >= CANDIDATES_PER_PHOTO and 0 < ruled[r.tenant_id] < checked[r.tenant_id]]
    for report_id, more in (search(crowded, ruled) if crowded else {}).items():
        known = {candidate.report_id for candidate in found[report_id]}
        found[report_id] = [*found[report_id], *(candidate for candidate in more if candidate.report_id not in known)]
    ids = {candidate.report_id for candidates in found.values() for candidate in candidates}
    times = {row.id: row.created_at for row in conn.execute(_RECEIVED_AT, {"ids": list(ids)})} if ids else {}
    return {
        report_id: [Match(c.report_id, c.report_number, times[c.report_id], c.similarity, c.same_bytes) for c in candidates]
        for report_id, candidates in found.items()
    }


def _bits(md: MasterData, tenant_id: str) -> int:
    return md.validation_limits(tenant_id).duplicate_hash_distance


def _inside(md: MasterData, reports: Sequence[Received]) -> dict[UUID, bool]:
    """Whether each pin lies in its tenant."""
    found: dict[UUID, bool] = {}
    for tenant_id in {report.tenant_id for report in reports}:
        mine = [report for report in reports if report.tenant_id == tenant_id]
        hits = md.inside(tenant_id, [one.row["latitude"] for one in mine], [one.row["longitude"] for one in mine])
        found |= zip((one.id for one in mine), hits, strict=True)
    return found


def _judge(
    md: MasterData,
    rules: RuleSet,
    report: Received,
    history: History,
    said: Mapping[str, Answer],
    inside: bool,
    rejected: set[UUID],
    at: datetime,
) -> Judged:
    tenant, limits = md.tenant(report.tenant_id), md.validation_limits(report.tenant_id)
    dog, pin = report.dog, report.pin
    place = INSIDE if inside and not rules.needs.ward else md.locate(report.tenant_id, pin.latitude, pin.longitude)
    measured = (
        checks.gps_location(position(dog["exif_latitude"], dog["exif_longitude"]), report.device, pin, limits),
        checks.timestamp_freshness(dog["captured_at"], report.created_at, limits),
        checks.boundary(place.inside, place.km_outside, tenant.name, place.nearest_tenant),
        checks.duplicate_image(_nearest(_originals(md, report, history, rejected)), limits),
    )
    case = Case(
        report_id=report.id,
        tenant_id=report.tenant_id,
        received_at=report.created_at,
        zone=tenant.timezone,
        document=document(report, history, measured),
        history=history,
        inside=place.inside,
        km_outside=place.km_outside,
        ward_code=None if place.ward is None else place.ward.code,
        now=at,
        gone=rejected,
        explain=False,
        validators=said,
    )
    outcomes, result = evaluate(rules, case)
    fraud = checks.fraud_score(result, rules.config.auto_reject_threshold)
    found = report.findings(tenant.timezone, limits.max_pin_distance_meters)
    return Judged(report, (*measured, fraud), outcomes, result, history, found, at)


def _originals(md: MasterData, report: Received, history: History, rejected: set[UUID]) -> list[Match]:
    """The photos within the check's own limits, likest first; a report that this batch rejected is no original."""
    limits = md.validation_limits(report.tenant_id)
    since = report.created_at - timedelta(days=limits.duplicate_lookback_days)
    farthest = 1 - limits.duplicate_hash_distance / 64
    return [m for m in history.alike if m.similarity >= farthest and m.created_at >= since and m.report_id not in rejected]


def _nearest(originals: Sequence[Match]) -> Nearest | None:
    if not originals:
        return None
    likest = originals[0]
    return Nearest(str(likest.report_id), likest.report_number, likest.similarity, likest.same_bytes)


def _fired(judged: Judged) -> Iterator[Fired]:
    """The rules that fired, as flags are made of them."""
    report, reporter_id = judged.report, judged.report.row["reporter_id"]
    for outcome in judged.outcomes:
        if outcome.state == "FIRED":
            points = judged.fraud.points(outcome)
            yield Fired(report.id, report.tenant_id, reporter_id, outcome.rule, points, outcome.verdict.message, judged.at)


def _packets(judged: Sequence[Judged]) -> list[Command]:
    """The packets of validation about every report, and those of their edge cases about the rejected ones."""
    about = {one.report.id: About(one.report.id, one.report.tenant_id, one.at) for one in judged}
    edge_cases: dict[str, list[About]] = {}
    for one in judged:
        if one.failed is not None:
            edge_cases.setdefault(one.failed.rejects_with, []).append(about[one.report.id])
    said = [same_packets(for_room("validation"), list(about.values()))]
    for reason, reports in edge_cases.items():
        packet = for_reason(reason)
        if packet is not None:
            said.append(same_packets([packet], reports))
    return said


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
