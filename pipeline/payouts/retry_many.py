"""Retrying many payouts at once, and trying it out first: the same command, in a transaction that is undone.

What is tried out is checked by the very code that will do it: state, retries left, freeze and the month of each teacher, whose
limit earlier payouts of the same list use up. Nothing is sent here either: a job does that.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError

from pipeline.access.caller import Caller
from pipeline.access.policy import check
from pipeline.database.engine import is_away
from pipeline.errors import AppError
from pipeline.payouts import commands
from pipeline.payouts.commands import MAX_RETRIED
from pipeline.payouts.retry import Retried
from pipeline.runtime import Runtime

LOGGER = logging.getLogger(__name__)

MAX_AT_ONCE = 1_000  # ten transactions, some seconds: what a person waits for at a button

_ABOUT = text("SELECT report_id, report_number, beneficiary_id, amount_paise FROM payout.payout WHERE report_id = ANY (:report_ids)")


@dataclass(frozen=True)
class Result:
    """What became of one payout, or would. `error` None: it is sent again as retry `retry_count`.

    What is None otherwise is unknown here: there is no such payout in the caller's scope.
    """

    report_id: UUID
    report_number: str | None
    beneficiary_id: UUID | None
    amount_paise: int
    retry_count: int | None
    error: AppError | None

    @property
    def ok(self) -> bool:
        return self.error is None


def try_out(rt: Runtime, caller: Caller, report_ids: Sequence[UUID], now: datetime, beneficiary_vpa: str | None = None) -> list[Result]:
    """What `retry_many` would do now, with a result for each; changes nothing. Everything is one transaction, which is rolled back.

    `beneficiary_vpa` goes with one report only. Raises SDCRS_FORBIDDEN, SDCRS_INVALID_REQUEST, SDCRS_INVALID_VPA.
    """
    ids = _checked(caller, report_ids)
    results: list[Result] = []
    with rt.database.begin(caller.scope) as conn:
        about = _about(conn, ids)
        whole = conn.begin_nested()
        for chunk in _chunks(ids):
            part = conn.begin_nested()
            try:
                retried = commands.retry(conn, rt.masterdata.current(), rt.vault, caller, chunk, now, beneficiary_vpa)
            except DBAPIError as error:
                part.rollback()
                results += _none_of(chunk, about, _told(error))
            else:
                part.commit()  # kept until the end: what it takes of a teacher's month is gone for the chunks after it
                results += [_result(one, about) for one in retried]
        whole.rollback()
    return results


def retry_many(rt: Runtime, caller: Caller, report_ids: Sequence[UUID], now: datetime) -> list[Result]:
    """Retry these payouts in chunks of MAX_RETRIED, each in a transaction of its own, with a result for each payout. Commits.

    A chunk that fails is told as such for each of its payouts and takes no other with it; once the database is away the rest is
    not tried. Raises SDCRS_FORBIDDEN, SDCRS_INVALID_REQUEST.
    """
    ids = _checked(caller, report_ids)
    with rt.database.begin(caller.scope) as conn:
        about = _about(conn, ids)
    results: list[Result] = []
    away: AppError | None = None
    for chunk in _chunks(ids):
        if away is not None:
            results += _none_of(chunk, about, away)
            continue
        try:
            with rt.database.begin(caller.scope) as conn:
                retried = commands.retry(conn, rt.masterdata.current(), rt.vault, caller, chunk, now)
        except (AppError, DBAPIError) as error:
            told = error if isinstance(error, AppError) else _told(error)
            results += _none_of(chunk, about, told)
            away = told if is_away(error) else None
        else:
            results += [_result(one, about) for one in retried]
    return results


def _checked(caller: Caller, report_ids: Sequence[UUID]) -> list[UUID]:
    check(caller, "retry_payout")
    ids = list(dict.fromkeys(report_ids))
    if not 1 <= len(ids) <= MAX_AT_ONCE:
        raise AppError("SDCRS_INVALID_REQUEST", field="reportIds", detail=f"1 to {MAX_AT_ONCE} at once")
    return ids


def _chunks(ids: list[UUID]) -> Iterator[list[UUID]]:
    for start in range(0, len(ids), MAX_RETRIED):
        yield ids[start : start + MAX_RETRIED]


def _about(conn: Connection, ids: list[UUID]) -> dict[UUID, Row[Any]]:
    return {row.report_id: row for row in conn.execute(_ABOUT, {"report_ids": ids})}


def _result(one: Retried, about: dict[UUID, Row[Any]]) -> Result:
    row = about.get(one.report_id)
    if row is None:
        return Result(one.report_id, one.report_number, None, 0, one.retry_count, one.error)
    return Result(one.report_id, row.report_number, row.beneficiary_id, row.amount_paise, one.retry_count, one.error)


def _none_of(chunk: list[UUID], about: dict[UUID, Row[Any]], error: AppError) -> list[Result]:
    return [_result(Retried(report_id, error), about) for report_id in chunk]


def _told(error: DBAPIError) -> AppError:
    """A failure of the database as a person is told of it; its cause goes to the log under the reference."""
    if is_away(error):
        return AppError("SDCRS_DATABASE_DOWN")
    reference = uuid4().hex[:8]
    LOGGER.error("A chunk of retries failed (reference %s)", reference, exc_info=error)
    return AppError("SDCRS_INTERNAL", reference=reference)
