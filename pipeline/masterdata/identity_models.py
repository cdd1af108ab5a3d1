"""What the documents of the identity flow look like: stages of a registration, the schema of its fields, partners of credentials."""

import re
from functools import cached_property
from typing import Any, Literal

import re2  # type: ignore[import-untyped]
from pydantic import Field, field_validator, model_validator

from pipeline.masterdata.base import Strict

StageName = Literal[
    "SECUREZONE_NOTIFICATION",
    "VALIDATOR",
    "QUALITY_CLASSIFIER",
    "DEMO_DEDUPE",
    "MANUAL_ADJUDICATION",
    "UIN_GENERATION",
    "FINALIZATION",
]
ResumeAction = Literal["RESUME_PROCESSING", "RESUME_FROM_BEGINNING", "STOP_PROCESSING"]
PauseFact = Literal["officerId", "supervisorId", "machineId", "centerId", "source", "process", "biometricLevel"]
IdentifierKind = Literal["UIN", "VID", "HANDLE"]
Component = Literal["id", "evidence", "optional"]

MOST_CANDIDATES = 200  # each is decrypted and compared in the process: a fraction of a second in all


class StageRule(Strict):
    """One stage: when a registration in it counts as stuck, and how often and how far apart an error in it is tried again."""

    name: StageName
    budget_seconds: int = Field(gt=0)
    attempts: int = Field(ge=1, le=20)
    backoff_seconds: int = Field(gt=0)
    backoff_max_seconds: int = Field(gt=0)

    def wait_s(self, attempts: int) -> int:
        """Seconds until the next try after so many failed ones in a row: doubled each time up to the longest."""
        return int(min(self.backoff_seconds * 2 ** (min(attempts, 30) - 1), self.backoff_max_seconds))


class PauseRule(Strict):
    """Before `stage` a registration whose `fact` has one of `values` waits; without `pause_seconds` it waits for a person."""

    id: str = Field(pattern=r"^[A-Z][A-Z0-9_]{2,63}$")
    stage: StageName
    fact: PauseFact
    values: tuple[str, ...]
    pause_seconds: int | None = Field(default=None, gt=0)
    default_action: ResumeAction | None = None
    reason: str = Field(min_length=1, max_length=200)

    @model_validator(mode="after")
    def ends_somehow(self) -> "PauseRule":
        """A pause that ends by itself says with what."""
        if (self.pause_seconds is None) != (self.default_action is None):
            raise ValueError("pauseSeconds and defaultAction go together")
        return self


class DedupeRule(Strict):
    """When two registrations count as one person's, of 100, and from which score on a person decides."""

    duplicate_score: int = Field(ge=1, le=100)
    review_score: int = Field(ge=1, le=100)
    max_candidates: int = Field(ge=1, le=MOST_CANDIDATES)

    @model_validator(mode="after")
    def in_order(self) -> "DedupeRule":
        """Between the two a person decides."""
        if self.review_score > self.duplicate_score:
            raise ValueError("reviewScore is above duplicateScore")
        return self


class QualityRule(Strict):
    """What counts as usable: the smallest biometrics file, and the share of forced captures from which the level is LOW."""

    min_biometric_bytes: int = Field(ge=1)
    max_forced_share: float = Field(ge=0, le=1)


class NumberRule(Strict):
    """Which digits no number holds, and for how long and how many uses a VID is good."""

    blocked_sequences: tuple[str, ...] = ()
    vid_valid_days: int = Field(gt=0)
    vid_transaction_limit: int = Field(gt=0)

    @field_validator("blocked_sequences")
    @classmethod
    def digits(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Shorter ones would leave too few numbers."""
        if any(not re.fullmatch(r"[0-9]{3,10}", one) for one in value):
            raise ValueError("blocked sequences have 3 to 10 digits")
        return value


class IdentityStages(Strict):
    """How registrations are processed: which kinds, in which stages, with which pauses and limits."""

    processes: tuple[Literal["NEW", "UPDATE", "LOST", "CORRECTION"], ...] = Field(min_length=1)
    max_resends: int = Field(ge=0, le=10)  # the announcement's upload_number has a CHECK up to 11
    stages: tuple[StageRule, ...] = Field(min_length=1)
    pause_rules: tuple[PauseRule, ...] = ()
    dedupe: DedupeRule
    quality: QualityRule
    numbers: NumberRule

    def stage(self, name: str) -> StageRule:
        """The rules of one stage. Raises KeyError when it is not one of this document's."""
        try:
            return next(stage for stage in self.stages if stage.name == name)
        except StopIteration:
            raise KeyError(name) from None

    def after(self, name: str) -> str | None:
        """The stage that follows; None after the last."""
        names = [stage.name for stage in self.stages]
        position = names.index(self.stage(name).name) + 1
        return names[position] if position < len(names) else None

    @property
    def first(self) -> str:
        """Where every registration begins."""
        return self.stages[0].name


class IdField(Strict):
    """One field of ID.json. LOCALISED: a text in each language; CODE: localised with one of `values`; DOCUMENT: names a file."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9]{0,63}$")
    kind: Literal["TEXT", "LOCALISED", "CODE", "DATE", "NUMBER", "DOCUMENT", "BIOMETRICS"]
    required: bool = False
    pattern: str | None = None
    max_length: int = Field(default=200, gt=0)
    values: tuple[str, ...] = ()

    @field_validator("pattern")
    @classmethod
    def compiles(cls, value: str | None) -> str | None:
        """A pattern that is none would fail every registration."""
        if value is not None:
            try:
                re2.compile(value)
            except re2.error as error:
                raise ValueError(f"is no pattern: {error}") from error
        return value

    @cached_property
    def regex(self) -> Any:
        """The pattern, for the whole of a value; None without one. Its time grows with the text and no faster."""
        return None if self.pattern is None else re2.compile(self.pattern)


class Mandatory(Strict):
    """Documents that every registration of an age group has; `until_age` is exclusive, None: no end."""

    from_age: int = Field(ge=0)
    until_age: int | None = Field(default=None, gt=0)
    documents: tuple[str, ...]


class IdSchema(Strict):
    """The fields of a registration in one version of the schema, and what each age must bring."""

    version: str = Field(min_length=1, max_length=16)
    languages: tuple[str, ...] = Field(min_length=1)  # each localised field must have the first one
    max_age: int = Field(gt=0, le=150)
    components: tuple[Component, ...] = Field(min_length=1)  # a packet has all of them and no other
    fields: tuple[IdField, ...] = Field(min_length=1)
    mandatory: tuple[Mandatory, ...]
    handle_fields: tuple[str, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, IdField]:
        """Fields by name."""
        return {field.name: field for field in self.fields}

    def documents_for(self, age: int) -> frozenset[str]:
        """The documents that somebody of this age must bring."""
        return frozenset(
            name
            for group in self.mandatory
            if group.from_age <= age and (group.until_age is None or age < group.until_age)
            for name in group.documents
        )


class Partner(Strict):
    """Somebody to whom credentials go: for which numbers, with which attributes, on which topic, and how their data is shared.

    `token_rule`: PARTNER knows a person by one token for all numbers; POLICY shares it with the partners of the same policy.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    topic: str = Field(min_length=1, max_length=200)
    policy_id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    kinds: tuple[IdentifierKind, ...] = Field(min_length=1)
    attributes: tuple[str, ...] = Field(min_length=1)
    biometrics: bool
    share_minutes: int = Field(gt=0)
    share_uses: int = Field(gt=0)
    token_rule: Literal["PARTNER", "POLICY"]
    active: bool = True

    @property
    def token_scope(self) -> str:
        """Whose token it is."""
        scopes = {"PARTNER": self.id, "POLICY": f"policy|{self.policy_id}"}
        return scopes[self.token_rule]
