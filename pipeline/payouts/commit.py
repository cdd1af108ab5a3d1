"""Writing down what calls have told: all in one transaction, and where one spoils it, each alone.

A finding that cannot be written is recorded in jobs.failure. Nothing is lost with it: the order's lease runs out and the
same bytes are sent again, a poll is made again.
"""

import traceback
from collections.abc import Sequence
from datetime import datetime

from pipeline.database.engine import is_away
from pipeline.jobs.failures import clear_failures, record_failure
from pipeline.payouts.settle import Finding, settle
from pipeline.runtime import Runtime


def settle_each(rt: Runtime, job: str, findings: Sequence[Finding], now: datetime) -> None:
    """Settle findings of an effect job. Commits. Raises only when the database itself is away."""
    if not findings:
        return
    try:
        _settle(rt, job, findings, now)
    except Exception as error:  # whatever one row can raise: below each stands alone
        if is_away(error):
            raise
        for finding in findings:
            _settle_alone(rt, job, finding, now)


def _settle(rt: Runtime, job: str, findings: Sequence[Finding], now: datetime) -> None:
    with rt.database.worker() as conn:
        settle(conn, rt.masterdata.current(), findings, now)
        clear_failures(conn, job, [finding.attempt_id for finding in findings])


def _settle_alone(rt: Runtime, job: str, finding: Finding, now: datetime) -> None:
    try:
        _settle(rt, job, [finding], now)
    except Exception as error:  # recorded with its traceback: a person sees it among the dead letters
        if is_away(error):
            raise
        with rt.database.worker() as conn:
            record_failure(conn, job, finding.attempt_id, traceback.format_exc(), now)
