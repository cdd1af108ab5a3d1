"""What a changed rule would have done: it is judged anew on the last month's evaluated reports, beside the rule as it is.

Counts of the past are taken from the stored evaluations where these have them, so that a report is judged by what was known when it
came; a span that nobody counted then is counted now, up to the report's own moment. Nothing is stored but the result, and no state changes.

A person waits for it, so it looks from the newest report back for as long as it may, and says how far it came.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import errors as pg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from pipeline.access import policy
from pipeline.access.caller import Caller
from pipeline.errors import AppError
from pipeline.fraud.case import Answer, Case, History, Match
from pipeline.fraud.editing.checking import RULES, active_rules, check_rule
from pipeline.fraud.editing.drafts import Draft, lock, tried
from pipeline.fraud.evaluate import evaluate
from pipeline.fraud.features import gather
from pipeline.fraud.ruleset import Needs, RuleSet, prepare
from pipeline.fraud.scoring import RuleOutcome
from pipeline.fraud.validators.results import SETTLED
from pipeline.masterdata.fraud_models import FraudRule
from pipeline.masterdata.master import MasterData
from pipeline.validation.checks import Check
from pipeline.validation.duplicates import Probe, find_duplicates
from pipeline.validation.load import Received, document, load

PERIOD = timedelta(days=30)
# The newest. Over 1,000,000 reports of a year: 3.5 s from stored counts and for counts of teachers, phones and circles of 50 m, 5 s with
# a rule over 90 days, 8 s for circles of 400 m. In 8 s it gets to 19,000 when it searches for photos, 5,000 with circles of 1 km and a
# week, 150 with the widest that a rule may have; to 1,300 when one teacher with one phone sent all 20,000 from one place
MAX_REPORTS = 20_000
ENOUGH_S = 8.0  # then it answers with what it has seen
GRACE_S = 2.0  # for what is under way then; a click that takes longer than ten seconds looks broken
BATCH = 1_000  # reports at a time: a few megabytes
FIRST = 50  # of them to begin with: the widest circle costs 70 ms a report
QUICK_S = 0.5  # a batch that took less is followed by a larger one
EXAMPLES = 10  # flagged reports named, newest first

_NO_LONGER = text("SELECT set_config('statement_timeout', :ms, true)")
_NEWEST = text("""
    SELECT r.id FROM unnest(CAST(:tenants AS text[])) AS t (id)
    CROSS JOIN LATERAL (
        SELECT q.id, q.created_at FROM sdcrs.report q
        WHERE q.tenant_id = t.id AND q.created_at >= :since AND q.validated_at IS NOT NULL
        ORDER BY q.created_at DESC LIMIT :limit
    ) r
    ORDER BY r.created_at DESC LIMIT :limit
""")
_STORED = text("""
    SELECT DISTINCT ON (e.report_id) e.report_id, e.features, e.checks, e.evaluated_at, r.report_number,
           r.verified_at IS NOT NULL AS verified, r.status IN ('REJECTED', 'DUPLICATE') AS rejected
    FROM fraud.evaluation e JOIN sdcrs.report r ON r.id = e.report_id
    WHERE e.report_id = ANY (CAST(:ids AS uuid[]))
    ORDER BY e.report_id, e.number DESC
""")
_TIMES = text("SELECT id, created_at FROM sdcrs.report WHERE id = ANY (CAST(:ids AS uuid[]))")
_ANSWERS = text("""
    SELECT v.report_id, v.validator_id, v.state, v.outputs, v.reason FROM fraud.validator_result v
    WHERE v.report_id = ANY (CAST(:ids AS uuid[])) AND v.state = ANY (:settled)
""")


@dataclass
class Trial:
    """What came of it. Of the flagged, `verified` passed a person later and `rejected` did not; the others are not decided."""

    since: str  # ISO 8601, UTC
    until: str
    reports: int = 0
    newest_only: bool = False  # there were more in the period than were looked at
    flagged: int = 0
    verified: int = 0
    rejected: int = 0
    flagged_now: int = 0  # by the rule as it is; 0 for a new one
    added: int = 0  # flagged by the draft alone
    dropped: int = 0  # flagged by the rule as it is alone
    skipped: int = 0
    failed: int = 0
    trouble: dict[str, int] = field(default_factory=dict)  # why it was skipped or could not be evaluated, most often first
    examples: list[str] = field(default_factory=list)  # numbers of flagged reports


class _Stored(NamedTuple):
    """What was written down of a report when it was judged, and what became of it."""

    number: str
    features: Mapping[str, Any]
    checks: Sequence[Check]
    evaluated_at: datetime
    verified: bool
    rejected: bool


_Judged = tuple[_Stored, RuleOutcome | None, RuleOutcome | None]


def try_draft(conn: Connection, past: Connection, md: MasterData, caller: Caller, draft_id: UUID, version: int, now: datetime) -> Draft:
    """Try a draft of the caller's own on the last 30 days and keep the result with it. Does not commit.

    `past` is a transaction of the role worker, which only reads: row-level security keeps the others from the index over places, and
    a count that takes 4 s with it took 260 s. What is looked at are the reports of the draft's own state. Raises SDCRS_FORBIDDEN,
    SDCRS_NOT_FOUND, SDCRS_DRAFT_CHANGED, SDCRS_DRAFT_DECIDED, SDCRS_INVALID_RULE, SDCRS_TRIAL_TOO_SLOW.
    """
    policy.check(caller, "edit_rules")
    draft = lock(conn, caller, draft_id)
    rule = check_rule(md, draft.tenant_id, draft.content)
    content = active_rules(md, draft.tenant_id).get(rule.id)
    present = None if content is None else check_rule(md, draft.tenant_id, content)
    result = dry_run(past, md, draft.tenant_id, rule, present, now)
    return tried(conn, caller, draft_id, version, asdict(result), now)


def dry_run(conn: Connection, md: MasterData, state_id: str, rule: FraudRule, present: FraudRule | None, now: datetime) -> Trial:
    """Judge the reports of the state's last 30 days by `rule`, and by `present`, the rule as it is. Reads only.

    The newest first, and no further than it comes in ENOUGH_S; none takes more than GRACE_S longer. Raises SDCRS_TRIAL_TOO_SLOW when
    that is not enough for any.
    """
    end = time.monotonic() + ENOUGH_S
    trial = Trial((now - PERIOD).isoformat(), now.isoformat())
    config = md.risk_config(state_id)
    draft, active = prepare([rule], config), prepare([present] if present is not None else [], config)
    needs = Needs()
    for ready in (*draft.rules, *active.rules):
        if ready.always is None:
            needs.add(ready.rule)
    ids = _newest(conn, md, state_id, now)
    troubles: Counter[str] = Counter()
    looked_at = 0
    for count, judged in _batches(conn, md, needs, (draft, active), ids[:MAX_REPORTS], end):
        looked_at += count
        for stored, new, old in judged:
            _count(trial, stored, new, old, troubles)
    trial.newest_only = looked_at < len(ids)
    trial.trouble = dict(troubles.most_common(3))
    return trial


def _batches(
    conn: Connection, md: MasterData, needs: Needs, rules: tuple[RuleSet, RuleSet], ids: Sequence[UUID], end: float
) -> Iterator[tuple[int, list[_Judged]]]:
    """Batch by batch how many were looked at and what came out: the first however late it is, the others while there is time."""
    done, size = 0, FIRST
    while done < len(ids) and (not done or time.monotonic() < end):
        begun = time.monotonic()
        batch, left_s = ids[done : done + size], max(end - begun, 0) + GRACE_S
        try:
            with conn.begin_nested():  # a statement that is cut off leaves the transaction as it was
                conn.execute(_NO_LONGER, {"ms": str(round(left_s * 1000))})
                judged = list(_judged(conn, md, needs, rules, batch))
        except DBAPIError as error:
            if not isinstance(error.orig, pg.QueryCanceled):
                raise
            if not done:
                raise AppError("SDCRS_TRIAL_TOO_SLOW", seconds=round(ENOUGH_S + GRACE_S)) from error
            return
        done += len(batch)
        yield len(batch), judged
        size = min(2 * size, BATCH) if time.monotonic() - begun < QUICK_S else max(size // 2, FIRST)


def _newest(conn: Connection, md: MasterData, state_id: str, now: datetime) -> list[UUID]:
    """The reports to look at, newest first, of the tenants for which the state's rules count; one more than are looked at."""
    rules = md.entry_of(*RULES, state_id)
    tenants = [leaf for leaf in md.leaves(state_id) if md.entry_of(*RULES, leaf) is rules]
    return list(conn.execute(_NEWEST, {"tenants": tenants, "since": now - PERIOD, "limit": MAX_REPORTS + 1}).scalars())


def _judged(conn: Connection, md: MasterData, needs: Needs, rules: tuple[RuleSet, RuleSet], ids: Sequence[UUID]) -> Iterator[_Judged]:
    """Each report, newest first, with the outcome of both rules; None where a rule is off or not there."""
    stored = {row.report_id: _read(row) for row in conn.execute(_STORED, {"ids": list(ids)})}
    reports = [report for report in reversed(load(conn, ids)) if report.id in stored]
    histories = _histories(conn, md, needs, reports, [stored[report.id].features for report in reports])
    kinds = {ready.rule.condition.type for some in rules for ready in some.rules}
    said = _answers(conn, ids) if "EXTERNAL_VALIDATOR" in kinds else {}
    for report, history in zip(reports, histories, strict=True):
        case = _case(md, report, stored[report.id], history, said.get(report.id, {}), placed="GEO_BOUNDARY" in kinds)
        new, old = (next(iter(evaluate(some, case)[0]), None) for some in rules)
        yield stored[report.id], new, old


def _answers(conn: Connection, ids: Sequence[UUID]) -> dict[UUID, dict[str, Answer]]:
    """What outside services said of each report when it came."""
    found: dict[UUID, dict[str, Answer]] = {}
    for row in conn.execute(_ANSWERS, {"ids": list(ids), "settled": list(SETTLED)}):
        answer = Answer(row.outputs, row.reason or "", to_review=row.state == "MANUAL")
        found.setdefault(row.report_id, {})[row.validator_id] = answer
    return found


def _read(row: Any) -> _Stored:
    checks = [
        Check(one["name"], one["passed"], one["measured"], one["limit"], one["unit"], one["reason"], "", one.get("details") or {})
        for one in row.checks
    ]
    return _Stored(row.report_number, row.features, checks, row.evaluated_at, row.verified, row.rejected)


def _case(md: MasterData, report: Received, stored: _Stored, history: History, said: Mapping[str, Answer], *, placed: bool) -> Case:
    """The report as the validation job would give it to the rules; where it lies is looked up only for rules that ask."""
    found = md.locate(report.tenant_id, report.pin.latitude, report.pin.longitude) if placed else None
    return Case(
        report_id=report.id,
        tenant_id=report.tenant_id,
        received_at=report.created_at,
        zone=md.tenant(report.tenant_id).timezone,
        document=document(report, history, stored.checks),
        history=history,
        inside=found is None or found.inside,
        km_outside=0.0 if found is None else found.km_outside,
        ward_code=None if found is None or found.ward is None else found.ward.code,
        now=stored.evaluated_at,
        validators=said,
        explain=False,
    )


def _count(trial: Trial, stored: _Stored, new: RuleOutcome | None, old: RuleOutcome | None, troubles: Counter[str]) -> None:
    trial.reports += 1
    flags, flagged_now = new is not None and new.state == "FIRED", old is not None and old.state == "FIRED"
    trial.flagged_now += flagged_now
    trial.added += flags and not flagged_now
    trial.dropped += flagged_now and not flags
    if new is not None and new.state in ("SKIPPED", "ERROR"):
        trial.skipped += new.state == "SKIPPED"
        trial.failed += new.state == "ERROR"
        troubles[new.verdict.message] += 1
    if flags:
        trial.flagged += 1
        trial.verified += stored.verified
        trial.rejected += stored.rejected
        if len(trial.examples) < EXAMPLES:
            trial.examples.append(stored.number)


def _histories(
    conn: Connection, md: MasterData, needs: Needs, reports: Sequence[Received], features: Sequence[Mapping[str, Any]]
) -> list[History]:
    """What went before each report: counts that every one of them has stored are taken from there, the others are asked for at once."""
    told = set.intersection(*(set(one) for one in features)) if features else set()
    asked = Needs(
        hours={hours for hours in needs.hours if f"reports{hours}h" not in told},
        days={days for days in needs.days if _days(days) not in told},
        before_minutes=needs.before_minutes,
        device_days={days for days in needs.device_days if f"deviceUsers{days}d" not in told},
        clusters={(radius_m, hours) for radius_m, hours in needs.clusters if f"near{radius_m}m{hours}h" not in told},
        files=needs.files,
        lifetime=needs.lifetime and "lifetime" not in told,
        monthly=needs.monthly and "reportsThisMonth" not in told,
        paid=needs.paid and "paidRupees" not in told,
    )
    subjects = [report.subject(md.tenant(report.tenant_id).timezone) for report in reports]
    histories = gather(conn, asked, subjects)
    alike = _alike(conn, needs, reports)
    for report, history, one in zip(reports, histories, features, strict=True):
        history.within_hours |= {hours: one[f"reports{hours}h"] for hours in needs.hours - asked.hours}
        history.within_days |= {days: one[_days(days)] for days in needs.days - asked.days}
        history.device_users |= {days: one[f"deviceUsers{days}d"] for days in needs.device_days - asked.device_days}
        history.nearby |= {(radius_m, hours): one[f"near{radius_m}m{hours}h"] for radius_m, hours in needs.clusters - asked.clusters}
        if needs.lifetime and not asked.lifetime:
            history.lifetime = one["lifetime"]
        if needs.monthly and not asked.monthly:
            history.monthly = one["reportsThisMonth"]
        if needs.paid and not asked.paid:
            history.paid_rupees = one["paidRupees"]
        history.alike = alike.get(report.id, ())
    return histories


def _days(days: int) -> str:
    """The name under which pipeline/validation/record.py stores a count of days."""
    return "reportsToday" if days == 1 else f"reports{days}d"


def _alike(conn: Connection, needs: Needs, reports: Sequence[Received]) -> dict[UUID, list[Match]]:
    """Earlier dog photos like each report's, as far back as the rules look; likest first. What came later was not known then."""
    if needs.alike_bits is None:
        return {}
    span = timedelta(days=needs.alike_days)
    probes = [Probe(one.id, one.tenant_id, one.dog["phash"], one.dog["sha256"], one.created_at - span, one.created_at) for one in reports]
    found = find_duplicates(conn, probes, needs.alike_bits, judging=False)
    ids = {candidate.report_id for candidates in found.values() for candidate in candidates}
    times = {row.id: row.created_at for row in conn.execute(_TIMES, {"ids": list(ids)})} if ids else {}
    alike: dict[UUID, list[Match]] = {}
    for report in reports:
        matches = [
            Match(one.report_id, one.report_number, times[one.report_id], one.similarity, one.same_bytes)
            for one in found.get(report.id, ())
        ]
        alike[report.id] = [one for one in matches if (one.created_at, one.report_id) < (report.created_at, report.id)]
    return alike
