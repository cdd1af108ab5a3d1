"""One remedy for many cases: tried out first, in a transaction that is undone; then one as the canary; then the rest."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.exc import DBAPIError

from pipeline.access.caller import Caller
from pipeline.database.engine import is_away
from pipeline.errors import AppError
from pipeline.identity.checks import MOST
from pipeline.identity.remedies import Act
from pipeline.runtime import Runtime

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """What became of one case, or would. `error` None: it was done."""

    subject_id: UUID
    error: AppError | None

    @property
    def ok(self) -> bool:
        return self.error is None


def try_out(rt: Runtime, caller: Caller, act: Act, subject_ids: Sequence[UUID], reason: str, now: datetime) -> list[Result]:
    """What `act_on_many` would do now, with a result for each: the same command in one transaction, which is rolled back."""
    md, results = rt.masterdata.current(), []
    with rt.database.begin(caller.scope) as conn:
        whole = conn.begin_nested()
        for subject_id in _checked(subject_ids):
            part = conn.begin_nested()
            try:
                act(conn, md, caller, subject_id, reason, now)
            except (AppError, DBAPIError) as error:
                part.rollback()
                results.append(Result(subject_id, _told(error)))
            else:
                part.commit()
                results.append(Result(subject_id, None))
        whole.rollback()
    return results


def act_on_many(rt: Runtime, caller: Caller, act: Act, subject_ids: Sequence[UUID], reason: str, now: datetime) -> list[Result]:
    """The command for each, in a transaction of its own. Commits. Once the database is away the rest is not tried.

    A canary is a call with the first alone; its page shows what becomes of it before the others follow.
    """
    md, results = rt.masterdata.current(), []
    away: AppError | None = None
    for subject_id in _checked(subject_ids):
        if away is not None:
            results.append(Result(subject_id, away))
            continue
        try:
            with rt.database.begin(caller.scope) as conn:
                act(conn, md, caller, subject_id, reason, now)
        except (AppError, DBAPIError) as error:
            told = _told(error)
            results.append(Result(subject_id, told))
            away = told if is_away(error) else None
        else:
            results.append(Result(subject_id, None))
    return results


def _checked(subject_ids: Sequence[UUID]) -> list[UUID]:
    ids = list(dict.fromkeys(subject_ids))
    if not 1 <= len(ids) <= MOST:
        raise AppError("SDCRS_INVALID_REQUEST", field="subjectIds", detail=f"1 to {MOST} at once")
    return ids


def _told(error: AppError | DBAPIError) -> AppError:
    """A failure as a person is told of it; a fault's cause goes to the log under the reference."""
    if isinstance(error, AppError):
        return error
    if is_away(error):
        return AppError("SDCRS_DATABASE_DOWN")
    reference = uuid4().hex[:8]
    LOGGER.error("A remedy failed (reference %s): %s", reference, type(error.orig).__name__)
    return AppError("SDCRS_INTERNAL", reference=reference)
