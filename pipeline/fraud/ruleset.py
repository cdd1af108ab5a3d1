"""A tenant's enabled rules made ready: their conditions, weights, and the history that they need. Made once for each version."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from threading import Lock
from typing import Any

from pipeline.fraud.case import Case, SameFile
from pipeline.fraud.conditions import (
    aggregate_count,
    custom,
    device_sharing,
    external_validator,
    geo_boundary,
    geo_cluster,
    geo_distance,
    gps_velocity,
    hash_match,
    image_similarity,
    interval,
    metadata_check,
    null_check,
    time_window,
    timestamp_age,
    timestamp_diff,
    velocity,
)
from pipeline.fraud.conditions.verdict import CLEAR, UnevaluableError, Verdict
from pipeline.fraud.scoring import RuleOutcome, rule_weight
from pipeline.masterdata import fraud_models as models
from pipeline.masterdata.fraud_models import FraudRule, RiskConfig
from pipeline.masterdata.master import MasterData

Condition = Callable[[Any, Case], Verdict]

# By condition type; each takes the condition class of its own name in masterdata/fraud_models.py
CONDITIONS: dict[str, Condition] = {
    "NULL_CHECK": null_check.evaluate,
    "GEO_BOUNDARY": geo_boundary.evaluate,
    "GEO_DISTANCE": geo_distance.evaluate,
    "VELOCITY": velocity.evaluate,
    "TIMESTAMP_AGE": timestamp_age.evaluate,
    "TIMESTAMP_DIFF": timestamp_diff.evaluate,
    "HASH_MATCH": hash_match.evaluate,
    "IMAGE_SIMILARITY": image_similarity.evaluate,
    "INTERVAL": interval.evaluate,
    "DEVICE_SHARING": device_sharing.evaluate,
    "GEO_CLUSTER": geo_cluster.evaluate,
    "METADATA_CHECK": metadata_check.evaluate,
    "TIME_WINDOW": time_window.evaluate,
    "AGGREGATE_COUNT": aggregate_count.evaluate,
    "GPS_VELOCITY": gps_velocity.evaluate,
    "CUSTOM": custom.evaluate,
    "EXTERNAL_VALIDATOR": external_validator.evaluate,
}
MODULE = "SDCRS"
MAX_BITS = 7  # up to here the photo search misses nothing
KEPT = 64  # rule sets: the tenants' of a state, each in its old and its new version
# Keys of additionalData that cost a look at the history, and are looked up only where an expression names them
DAILY, MONTHLY, LIFETIME, PAID = "reporterDailyCount", "reporterMonthlyCount", "lifetimeReportCount", "reporterTotalPayout"


@dataclass(slots=True)
class Needs:
    """The history that a set of rules looks at. Spans as the rules have them: hours, days, metres with hours."""

    hours: set[int] = field(default_factory=set)
    days: set[int] = field(default_factory=set)
    before_minutes: float = 0  # how far back the report before may lie
    device_days: set[int] = field(default_factory=set)
    clusters: set[tuple[int, int]] = field(default_factory=set)
    files: dict[SameFile, int | None] = field(default_factory=dict)  # days back; None: without limit
    alike_bits: int | None = None
    alike_days: int = 0
    ward: bool = False  # in which ward the pin lies
    lifetime: bool = False
    monthly: bool = False
    paid: bool = False

    def add(self, rule: FraudRule) -> None:
        """Take in what one rule needs. Raises ValueError for a condition that can never be evaluated."""
        match rule.condition:
            case models.GeoBoundary(boundary_type=kind):
                self.ward |= kind == "WARD"
            case models.Velocity(window_hours=hours):
                self.hours.add(hours)
            case models.AggregateCount(period_days=days):
                self.days.add(days)
            case models.Interval(min_interval_minutes=minutes):
                self.before_minutes = max(self.before_minutes, minutes)
            case models.GpsVelocity(max_speed_kmh=speed):
                self.before_minutes = max(self.before_minutes, gps_velocity.HALF_ROUND_KM / speed * 60)
            case models.DeviceSharing(window_days=days):
                self.device_days.add(days)
            case models.GeoCluster(radius_meters=radius_m, window_hours=hours):
                self.clusters.add((radius_m, hours))
            case models.HashMatch() as condition:
                key = hash_match.key_of(condition)
                known = self.files.get(key, 0)
                days_back = condition.lookback_days
                self.files[key] = None if known is None or days_back is None else max(known, days_back)
            case models.ImageSimilarity() as condition:
                bits = image_similarity.distance_of(condition)
                if bits > MAX_BITS:
                    raise UnevaluableError(f"photos less than {1 - MAX_BITS / 64:.0%} alike are not searched")
                self.alike_bits = max(self.alike_bits or 0, bits)
                self.alike_days = max(self.alike_days, condition.lookback_days)
            case models.Custom(expression=text) | models.ExternalCondition(check_expression=text):
                self.lifetime |= LIFETIME in text
                self.monthly |= MONTHLY in text
                self.paid |= PAID in text
                if DAILY in text:
                    self.days.add(1)


@dataclass(frozen=True, slots=True)
class Ready:
    """One enabled rule, with its outcome where that is known before."""

    rule: FraudRule
    condition: Condition
    weight: Decimal
    clear: RuleOutcome  # without words
    always: RuleOutcome | None = None  # of a rule that can never be evaluated as it is written
    unasked: RuleOutcome | None = None  # of an external rule while no validator was asked


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Everything that judging by these rules takes."""

    rules: tuple[Ready, ...]
    config: RiskConfig
    needs: Needs


def prepare(rules: Sequence[FraudRule], config: RiskConfig, module: str = MODULE) -> RuleSet:
    """The enabled rules of a module, in their order."""
    needs, ready = Needs(), []
    for rule in rules:
        if not rule.enabled or module not in rule.applicable_modules:
            continue
        weight, always, unasked = rule_weight(rule, config), None, None
        try:
            needs.add(rule)
        except ValueError as error:
            always = RuleOutcome(rule, weight, "ERROR", Verdict(False, f"could not be evaluated: {error}"))
        if isinstance(rule.condition, models.ExternalCondition):
            unasked = RuleOutcome(rule, weight, "SKIPPED", external_validator.UNASKED)
        ready.append(Ready(rule, CONDITIONS[rule.condition.type], weight, RuleOutcome(rule, weight, "CLEAR", CLEAR), always, unasked))
    return RuleSet(tuple(ready), config, needs)


_kept: dict[tuple[int, int], tuple[Sequence[FraudRule], RiskConfig, RuleSet]] = {}
_lock = Lock()


def rule_set(md: MasterData, tenant_id: str) -> RuleSet:
    """The tenant's rules, prepared once for each state of the documents. Threads share it."""
    rules, config = md.fraud_rules(tenant_id), md.risk_config(tenant_id)
    key = (id(rules), id(config))
    found = _kept.get(key)
    if found is not None and found[0] is rules and found[1] is config:  # the entry holds both, so their ids stay theirs
        return found[2]
    made = prepare(rules, config)
    with _lock:
        while len(_kept) >= KEPT:
            del _kept[next(iter(_kept))]
        _kept[key] = (rules, config, made)
    return made
