"""Writing judgements down: one row of fraud.evaluation for each report, all of a batch in one statement."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from pipeline.database.engine import Command
from pipeline.fraud.case import History
from pipeline.fraud.scoring import FraudScore, RuleOutcome
from pipeline.masterdata.master import MasterData
from pipeline.validation.checks import Check
from pipeline.validation.findings import Finding
from pipeline.validation.load import Received

INSERT = text("""
    INSERT INTO fraud.evaluation (report_id, number, tenant_id, evaluated_at, rules_version, limits_version, passed, score, risk_level,
                                  recommendation, rules_looked_at, checks, findings, features, fired, unevaluated, skipped)
    SELECT v.report_id, 1 + (SELECT count(*) FROM fraud.evaluation o WHERE o.report_id = v.report_id), v.tenant_id, v.evaluated_at,
           v.rules_version, v.limits_version, v.passed, v.score, v.risk_level, v.recommendation, v.rules_looked_at, v.checks, v.findings,
           v.features, v.fired, v.unevaluated, v.skipped
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(report_id uuid, tenant_id text, evaluated_at timestamptz, rules_version int, limits_version int, passed boolean, score int,
             risk_level text, recommendation text, rules_looked_at int, checks jsonb, findings jsonb, features jsonb, fired jsonb,
             unevaluated jsonb, skipped jsonb)
""")
DIGITS = 4  # of a measured value: tenths of a millimetre, a third of a second


@dataclass(frozen=True, slots=True)
class Judged:
    """A report with its checks, rule outcomes and score."""

    report: Received
    checks: tuple[Check, ...]
    outcomes: Sequence[RuleOutcome]
    fraud: FraudScore
    history: History
    findings: Sequence[Finding]
    at: datetime  # when it was judged

    @property
    def failed(self) -> Check | None:
        """The first failing check: its code is the reason of the rejection."""
        return next((check for check in self.checks if not check.passed), None)


def recorded(md: MasterData, judged: Sequence[Judged]) -> Command:
    """The statement that adds the evaluations."""
    return INSERT, {"rows": json.dumps([row(md, one) for one in judged])}


def row(md: MasterData, one: Judged) -> dict[str, Any]:
    """The evaluation as a JSON-ready row."""
    tenant_id = one.report.tenant_id
    fired, unevaluated, looked_at = [], [], 0
    skipped: dict[str, list[str]] = {}  # ids of the rules by the reason
    for outcome in one.outcomes:
        if outcome.state == "CLEAR":
            looked_at += 1
        elif outcome.state == "SKIPPED":
            skipped.setdefault(outcome.verdict.message, []).append(outcome.rule.id)
        elif outcome.state == "FIRED":
            looked_at += 1
            fired.append(_fired(outcome, one.fraud))
        else:
            unevaluated.append(_named(outcome))
    return {
        "report_id": one.report.id.hex,
        "tenant_id": tenant_id,
        "evaluated_at": one.at.isoformat(),
        "rules_version": md.version_of("FRAUD-DETECTION", "FraudRules", tenant_id),
        "limits_version": md.version_of("SDCRS", "ValidationLimits", tenant_id),
        "passed": one.failed is None,
        "score": one.fraud.score,
        "risk_level": one.fraud.risk_level,
        "recommendation": one.fraud.recommendation,
        "rules_looked_at": looked_at,
        "checks": [_check(check) for check in one.checks],
        "findings": [_finding(found) for found in one.findings],
        "features": features(one.history),
        "fired": fired,
        "unevaluated": unevaluated,
        "skipped": [{"reason": reason, "rules": rules} for reason, rules in skipped.items()],
    }


def _finding(found: Finding) -> dict[str, Any]:
    told = {
        "code": found.code,
        "severity": found.severity,
        "reason": found.reason,
        "measured": found.measured,
        "limit": found.limit,
        "unit": found.unit or None,
        "photo": found.evidence_type,
    }
    return {name: value for name, value in told.items() if value is not None}


def _check(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "passed": check.passed,
        "measured": None if check.measured is None else round(check.measured, DIGITS),
        "limit": check.limit,
        "unit": check.unit,
        "reason": check.reason,
        "details": dict(check.details),
    }


def _named(outcome: RuleOutcome) -> dict[str, Any]:
    rule = outcome.rule
    return {
        "id": rule.id,
        "code": rule.code,
        "name": rule.name,
        "category": rule.category,
        "type": rule.condition.type,
        "weight": float(outcome.weight),
        "message": outcome.verdict.message,
    }


def _fired(outcome: RuleOutcome, fraud: FraudScore) -> dict[str, Any]:
    verdict = outcome.verdict
    told = _named(outcome) | {
        "action": outcome.rule.action.type,
        "rejects": outcome.rule.action.rejects,
        "threshold": verdict.threshold,
        "value": verdict.value,
        "score": float(fraud.points(outcome)),
    }
    return told | {"details": dict(verdict.details)} if verdict.details else told


def features(history: History) -> dict[str, Any]:
    """What was counted, by names that tell the span: reports1h, reports30d, near50m24h, deviceUsers7d."""
    told: dict[str, Any] = {f"reports{hours}h": count for hours, count in history.within_hours.items()}
    told |= {"reportsToday" if days == 1 else f"reports{days}d": count for days, count in history.within_days.items()}
    told |= {f"deviceUsers{days}d": count for days, count in history.device_users.items()}
    told |= {f"near{radius_m}m{hours}h": count for (radius_m, hours), count in history.nearby.items()}
    for key, matches in history.same_file.items():
        if matches:
            told[f"same{key.purpose.title().replace('_', '')}{'OfApplicant' if key.own_only else ''}"] = [m.report_number for m in matches]
    if history.alike:
        told["alike"] = {match.report_number: round(match.similarity, DIGITS) for match in history.alike}
    if history.before is not None:
        told["before"] = {
            "at": history.before.created_at.isoformat(),
            "latitude": history.before.latitude,
            "longitude": history.before.longitude,
        }
    counted = {"lifetime": history.lifetime, "reportsThisMonth": history.monthly, "paidRupees": history.paid_rupees}
    return told | {name: value for name, value in counted.items() if value is not None}
