"""The jobs that call out: they commit intent and lease, call with no transaction open, and commit what they learnt.

Killed in between, the lease runs out and the outcome counts as unknown: the same is done again under the same ids, which
whoever is called takes for the same request.
"""

import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from sqlalchemy import Connection, TextClause

from pipeline.database.engine import is_away
from pipeline.errors import AppError
from pipeline.runtime import Runtime

LOGGER = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)  # longer than all calls of a round together; so long others wait for a worker that was killed
STEPS_LOGGED = 8  # of a trace: the deepest tell where it was
BATCH = 100  # subjects a round: one transaction before and one after for all of them

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")
Given = TypeVar("Given")


@dataclass(frozen=True)
class Failed:
    """What did not work: `code` is stable, `final` means that the same again can never work."""

    code: str
    detail: str = ""
    final: bool = False

    @property
    def comment(self) -> str:
        """As the row keeps it, cut to the column."""
        return f"{self.code}: {self.detail}"[:512] if self.detail else self.code


@dataclass(frozen=True)
class Effect(Generic[Item, Outcome]):
    """The three parts of an effect job. `claim` and `settle` run in a transaction each; `act` runs in none."""

    name: str
    claim: Callable[[Connection, datetime, datetime], list[Item]]  # now, end of the lease
    act: Callable[[list[Item]], Sequence[Outcome]]  # one outcome for each, in the same order
    settle: Callable[[Connection, list[tuple[Item, Outcome | Failed]], datetime], None]
    waiting: TextClause  # `waiting` and `due` of what waits


class EffectJob(Generic[Item, Outcome]):
    """Runs an effect for what is due."""

    def __init__(self, rt: Runtime, effect: Effect[Item, Outcome], lease: timedelta = LEASE) -> None:
        self.name = effect.name
        self._rt = rt
        self._effect = effect
        self._lease = lease

    def run_once(self, now: datetime) -> int:
        with self._rt.database.worker() as conn:
            items = self._effect.claim(conn, now, now + self._lease)
        if not items:
            return 0
        outcomes = each(items, lambda some: self._effect.act(list(some)))  # what one raises is that one's failure
        pairs = list(zip(items, outcomes, strict=True))
        try:
            self._settle(pairs)
        except Exception as error:  # one row's outcome cannot be written: the others' can
            if is_away(error) or len(pairs) == 1:
                raise
            self._settle_each(pairs)
        return len(items)

    def waits_for(self, now: datetime) -> tuple[int, datetime] | None:  # noqa: ARG002 - what is due waits too, until it is done
        with self._rt.database.worker() as conn:
            row = conn.execute(self._effect.waiting).one()
        return (row.waiting, row.due) if row.waiting else None

    def _settle(self, pairs: list[tuple[Item, Outcome | Failed]]) -> None:
        with self._rt.database.worker() as conn:
            self._effect.settle(conn, pairs, self._rt.clock.now())

    def _settle_each(self, pairs: list[tuple[Item, Outcome | Failed]]) -> None:
        for pair in pairs:
            try:
                self._settle([pair])
            except Exception as error:  # told to the operator; its lease runs out and it is done again
                if is_away(error):
                    raise
                LOGGER.error("%s could not write an outcome: %s", self.name, type(error).__name__)


def failure_of(error: Exception) -> Failed:
    """What a part of ours refused, or a fault in it, for the row that it happened to. Raises what is the database's own absence."""
    if is_away(error):
        raise error
    if isinstance(error, AppError):
        return Failed(error.code, error.message, final=error.status in FINAL)
    steps = traceback.extract_tb(error.__traceback__)[-STEPS_LOGGED:]
    where = " < ".join(f"{step.filename.rpartition('/')[2]}:{step.lineno}" for step in reversed(steps))
    LOGGER.error("A step of the identity flow failed: %s at %s", type(error).__name__, where)  # its message may hold persons' values
    return Failed("SDCRS_INTERNAL", type(error).__name__)


FINAL = frozenset({400, 409, 410, 422})  # asked wrongly, in conflict or gone for good: no repetition changes that


def each(given: Sequence[Given], work: Callable[[Sequence[Given]], Sequence[Outcome]]) -> list[Outcome | Failed]:
    """`work` for all at once; when one spoils it, for each alone, and that one has failed."""
    if not given:
        return []
    try:
        return list(work(given))
    except Exception as error:  # whatever one of them can raise
        if len(given) == 1:
            return [failure_of(error)]
        if is_away(error):
            raise
    return [outcome for one in given for outcome in each([one], work)]
