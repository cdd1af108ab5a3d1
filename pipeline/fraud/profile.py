"""How much of a risk a teacher is: what spoke against his reports, each thing by its weight, fading with time.

Nothing is stored: queries/fraud.sql adds up what is there, with the weights of this page, and every part can be named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pipeline.masterdata.fraud_models import RiskConfig

# Three counted rejections within a month are a cooldown, and should be HIGH (above 50) while they are fresh
REJECTION_POINTS = 20.0
FRAUD_POINTS = 100.0  # two admins are certain
# A flag's own score counts by what is known of it: proven, undecided (as likely as not), looked at without a result, wrong
PROVEN, UNDECIDED, INCONCLUSIVE, WRONG = 1.0, 0.5, 0.25, 0.0
HALF_LIVES = 8  # further back nothing counts as much as half a percent of its weight
FOR_EVER = 36_500.0  # days: the half-life where the past does not fade
LOOK_BACK_DAYS = 730  # and how far back is looked there
MAX_SCORE = 100


@dataclass(frozen=True)
class Part:
    """One thing that counts. `points`: what it weighed when it happened; `counts`: what is left of it now."""

    kind: str  # FLAG, REJECTION or FRAUD
    what: str  # rule id, reason of the rejection, CONFIRMED
    state: str | None  # of a flag: what it was resolved as, or where it stands
    report_id: UUID
    report_number: str
    at: datetime
    points: float
    counts: float


@dataclass(frozen=True)
class Profile:
    """A teacher's risk, 0 to 100, with everything that it is made of, the weightiest first."""

    score: int
    level: str
    parts: tuple[Part, ...]


def params(config: RiskConfig, now: datetime) -> Mapping[str, Any]:
    """The parameters of fraud.risky_teachers and fraud.profile in queries/fraud.sql."""
    decay = config.scoring_decay
    fades = decay is not None and decay.enabled
    half_life = float(decay.half_life_days) if decay is not None and fades else FOR_EVER
    back = half_life * HALF_LIVES if fades else LOOK_BACK_DAYS
    return {
        "now": now,
        "since": now - timedelta(days=back),
        "half_life_days": half_life,
        "rejection_points": REJECTION_POINTS,
        "fraud_points": FRAUD_POINTS,
        "proven": PROVEN,
        "undecided": UNDECIDED,
        "inconclusive": INCONCLUSIVE,
        "wrong": WRONG,
    }


def explained(config: RiskConfig, rows: Sequence[Mapping[str, Any]]) -> Profile:
    """The profile made of the rows of fraud.profile."""
    parts = sorted((Part(**{name: row[name] for name in Part.__dataclass_fields__}) for row in rows), key=lambda part: -part.counts)
    score = score_of(sum(part.counts for part in parts))
    return Profile(score, config.level(score), tuple(parts))


def score_of(total: float) -> int:
    """The sum as a score: rounded half up, at most 100."""
    return min(int(total + 0.5), MAX_SCORE)
