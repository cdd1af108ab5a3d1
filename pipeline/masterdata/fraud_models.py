"""What the fraud documents look like: rules with their conditions, weights, penalties and outside validators.

A condition is a choice by its `type`; the fraud room has one evaluator for each. Nothing is evaluated here.
"""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.masterdata.base import Strict

Category = Literal["DQ", "DUP", "LOC", "VEL", "TMP", "IDN", "COL", "EVD"]
Severity = Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]
Day = Literal["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]


class NullCheck(Strict):
    type: Literal["NULL_CHECK"]
    field: str


class GeoBoundary(Strict):
    type: Literal["GEO_BOUNDARY"]
    field: str
    boundary_type: Literal["TENANT", "WARD"]


class Velocity(Strict):
    type: Literal["VELOCITY"]
    field: str
    threshold: int = Field(gt=0)
    window_hours: int = Field(gt=0)


class TimestampAge(Strict):
    type: Literal["TIMESTAMP_AGE"]
    field: str
    max_age_hours: int = Field(gt=0)


class HashMatch(Strict):
    type: Literal["HASH_MATCH"]
    field: str
    algorithm: Literal["SHA256"]
    threshold: float = Field(gt=0, le=1)
    lookback_days: int | None = Field(default=None, gt=0)  # None: without limit
    same_applicant_only: bool = False


class ImageSimilarity(Strict):
    type: Literal["IMAGE_SIMILARITY"]
    field: str
    algorithm: Literal["pHash"]
    threshold: float = Field(gt=0, le=1)
    lookback_days: int = Field(gt=0)


class Interval(Strict):
    type: Literal["INTERVAL"]
    field: str
    min_interval_minutes: int = Field(gt=0)


class DeviceSharing(Strict):
    type: Literal["DEVICE_SHARING"]
    field: str
    min_unique_users: int = Field(ge=2, le=50)  # counting looks at 200 reports of a phone
    window_days: int = Field(gt=0)


class GeoCluster(Strict):
    type: Literal["GEO_CLUSTER"]
    field: str
    radius_meters: int = Field(gt=0, le=2_000)  # wider circles touch too many cells of the index to be counted for every report
    window_hours: int = Field(gt=0)
    min_count: int = Field(ge=2, le=200)  # counting stops there


class MetadataCheck(Strict):
    type: Literal["METADATA_CHECK"]
    field: str
    expected_value: bool | int | float | str


class TimestampDiff(Strict):
    type: Literal["TIMESTAMP_DIFF"]
    field1: str
    field2: str
    max_diff_minutes: int = Field(gt=0)


class GeoDistance(Strict):
    type: Literal["GEO_DISTANCE"]
    point1: str
    point2: str
    max_distance_meters: int = Field(gt=0)


class Window(Strict):
    """Hours of some days, in the tenant's zone."""

    start: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    end: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    days: tuple[Day, ...] = Field(min_length=1)


class TimeWindow(Strict):
    type: Literal["TIME_WINDOW"]
    field: str
    allowed_windows: tuple[Window, ...] = Field(min_length=1)


class AggregateCount(Strict):
    type: Literal["AGGREGATE_COUNT"]
    field: str
    period_days: int = Field(gt=0)  # 1: the tenant's local day; more: rolling
    threshold: int = Field(ge=0)
    cap_value: int | None = None


class GpsVelocity(Strict):
    type: Literal["GPS_VELOCITY"]
    field: str
    max_speed_kmh: int = Field(gt=0)
    min_interval_minutes: int = Field(ge=0)


class Custom(Strict):
    type: Literal["CUSTOM"]
    expression: str


class ExternalCondition(Strict):
    type: Literal["EXTERNAL_VALIDATOR"]
    validator_id: str
    check_expression: str
    min_confidence: float | None = Field(default=None, ge=0, le=1)


Condition = Annotated[
    NullCheck
    | GeoBoundary
    | Velocity
    | TimestampAge
    | HashMatch
    | ImageSimilarity
    | Interval
    | DeviceSharing
    | GeoCluster
    | MetadataCheck
    | TimestampDiff
    | GeoDistance
    | TimeWindow
    | AggregateCount
    | GpsVelocity
    | Custom
    | ExternalCondition,
    Field(discriminator="type"),
]


class RuleAction(Strict):
    """What a fired rule asks for."""

    type: Literal["FLAG", "AUTO_REJECT", "NOTIFY"]
    auto_reject: bool = False
    rejection_reason: str | None = None  # stays in the rule's result; the report's reason is FRAUD_DETECTED
    notify_applicant: bool = False
    notify_verifier: bool = False
    cooldown_minutes: int | None = Field(default=None, gt=0)
    link_to_original: bool = False
    link_related: bool = False
    escalate: bool = False
    escalate_to_role: str | None = None
    message: str | None = None

    @property
    def rejects(self) -> bool:
        """Whether the rule alone ends the report."""
        return self.type == "AUTO_REJECT" or self.auto_reject


class FraudRule(Strict):
    """One rule. Its score is `weight` if it has one, else the weight of its category times the severity's quarter."""

    id: str
    code: str
    name: str
    description: str
    category: Category
    severity: Severity
    rule_type: Literal["INTERNAL", "EXTERNAL"]
    enabled: bool
    applicable_modules: tuple[str, ...] = ("SDCRS",)
    weight: int | None = Field(default=None, ge=0, le=100)
    condition: Condition
    action: RuleAction


class Band(Strict):
    """A risk level's scores, both ends included, and the colour it is shown in."""

    min: int = Field(ge=0, le=100)
    max: int = Field(ge=0, le=100)
    color: str = Field(pattern=r"^#[0-9a-fA-F]{6}$")


class ScoringDecay(Strict):
    """How fast a teacher's past counts less: by half in so many days."""

    enabled: bool
    half_life_days: int = Field(gt=0)


class RiskConfig(Strict):
    """How the scores of fired rules become a level and a recommendation."""

    weights: dict[Category, int]
    category_descriptions: dict[Category, str]
    thresholds: dict[Severity, Band]
    approve_threshold: int = Field(ge=0, le=100)  # up to here: APPROVE
    auto_reject_threshold: int = Field(ge=0, le=100)  # above: AUTO_REJECT
    scoring_decay: ScoringDecay | None = None  # None: the past does not fade

    def level(self, score: int) -> Severity:
        """The level whose scores include `score`. The bands cover 0 to 100 without a gap, which checks.py sees to."""
        return next(name for name, band in self.thresholds.items() if band.min <= score <= band.max)


class Trigger(Strict):
    """When a penalty falls due: so many counted rejections within the days (None: ever), or so many confirmed frauds."""

    rejections: int | None = Field(default=None, gt=0)
    within_days: int | None = Field(default=None, gt=0)
    confirmed_frauds: int | None = Field(default=None, gt=0)


class PenaltyAction(Strict):
    """What a penalty does besides blocking."""

    type: Literal["NOTIFY_WARNING", "SUBMISSION_BLOCK", "ACCOUNT_SUSPEND", "PERMANENT_BAN"]
    notify_applicant: bool
    notify_admin: bool
    freeze_payouts: bool = False
    report_to_authority: bool = False


class Duration(Strict):
    """A span in hours or in days."""

    hours: int | None = Field(default=None, gt=0)
    days: int | None = Field(default=None, gt=0)

    @property
    def total_hours(self) -> int:
        return (self.hours or 0) + 24 * (self.days or 0)

    @property
    def span(self) -> timedelta:
        return timedelta(hours=self.total_hours)


class Penalty(Strict):
    """One step of the ladder of penalties. `duration` None: it does not block (a warning) or never ends (a ban)."""

    level: int = Field(ge=1)
    code: Literal["WARNING", "COOLDOWN", "SUSPENSION", "BAN"]
    name: str
    description: str
    trigger_condition: Trigger
    action: PenaltyAction
    duration: Duration | None
    can_appeal: bool
    appeal_to_role: str | None = None
    appeal_window: Duration | None = None


class PenaltyEscalation(Strict):
    """How the ladder forgets: what counts without a span of its own, and how long a warning outlasts good behaviour."""

    reset_after_days: int = Field(gt=0)  # what lies further back counts for no step
    good_behavior_reduction_days: int = Field(gt=0)  # so long without anything that counts ends the warning


class Endpoint(Strict):
    """Where a validator listens. `${NAME}` is an environment variable; while it is unset the validator has no address."""

    url: str
    method: Literal["POST"]
    auth_type: Literal["API_KEY", "BEARER_TOKEN", "OAUTH2", "BASIC"]
    auth_header: str | None = None
    auth_secret_key: str | None = None  # names of environment variables, never secrets
    token_endpoint: str | None = None
    client_id_key: str | None = None
    client_secret_key: str | None = None
    username_key: str | None = None
    password_key: str | None = None


class Timeout(Strict):
    connect_ms: int = Field(gt=0)
    read_ms: int = Field(gt=0)


class Retry(Strict):
    max_attempts: int = Field(ge=1)
    backoff_ms: int = Field(ge=0)
    backoff_multiplier: float = Field(ge=1)


class CircuitBreaker(Strict):
    failure_threshold: int = Field(gt=0)
    reset_timeout_ms: int = Field(gt=0)


class Cache(Strict):
    enabled: bool
    ttl_seconds: int | None = Field(default=None, gt=0)
    key_fields: tuple[str, ...] = ()


class Fallback(Strict):
    """What happens to the validator's rules when it fails."""

    action: Literal["SKIP_RULE", "DEGRADE_TO_MANUAL", "APPLY_DEFAULT"]
    default_value: dict[str, Any] | None = None
    log_level: Literal["INFO", "WARN", "ERROR"]


class ExternalValidator(Strict):
    """A service outside that judges photos, positions or habits."""

    id: str
    name: str
    description: str
    type: Literal["AI_MODEL"]
    enabled: bool
    endpoint: Endpoint
    input_mapping: dict[str, Any]
    output_mapping: dict[str, str]
    timeout: Timeout
    retry: Retry
    circuit_breaker: CircuitBreaker
    cache: Cache
    fallback: Fallback
    is_async: bool = Field(default=False, alias="async")
    priority: str | None = None
