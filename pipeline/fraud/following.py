"""The follower that reads the history of reports for this room: what counts towards penalties, and what settles flags."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from pipeline.fraud.flags.raising import settle_by_decision
from pipeline.fraud.penalties.books import settle
from pipeline.fraud.penalties.jobs import ExpiryJob
from pipeline.fraud.penalties.notices import notices_job
from pipeline.fraud.penalties.strikes import note_changes
from pipeline.jobs.follower import Follower
from pipeline.jobs.job import Job
from pipeline.runtime import Runtime

NAME = "fraud"


def fraud_follower(rt: Runtime) -> Follower:
    """The follower as the worker runs it."""

    def handle(conn: Connection, changes: Sequence[Row[Any]]) -> None:
        md = rt.masterdata.current()
        touched = note_changes(conn, md, changes)
        if touched:
            settle(conn, md, sorted(touched), rt.clock.now())
        settle_by_decision(conn, changes)

    return Follower(NAME, rt.database, "sdcrs.report_history", handle)


def fraud_jobs(rt: Runtime) -> list[Job]:
    """Follow the history, end what is over, tell people: in the order in which one leads to the next."""
    return [fraud_follower(rt), ExpiryJob(rt), notices_job(rt)]
