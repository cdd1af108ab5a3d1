"""All jobs of all rooms, in the order of a report's life: what a worker runs and what a drained queue means."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

from pipeline.access.forgetting import forget_old_sign_ins
from pipeline.audit.anchor import Anchors, heads
from pipeline.audit.seal import FOLLOWER, UNSEALED_IS_AN_ALARM_S, seal, unsealed_for_s
from pipeline.fraud.following import fraud_jobs
from pipeline.fraud.validators.job import ValidatorsJob
from pipeline.fraud.validators.memory import forget_expired
from pipeline.fraud.validators.setup import Configured
from pipeline.identity.jobs import identity_jobs, identity_tasks
from pipeline.jobs.follower import Follower
from pipeline.jobs.job import Job, Periodic
from pipeline.notifications.follower import notifications_follower
from pipeline.payouts.jobs import payout_jobs, payout_tasks
from pipeline.reports.requests import forget_old_requests
from pipeline.reports.retention import erase_old_selfies
from pipeline.runtime import Runtime
from pipeline.validation.job import validation_job

log = logging.getLogger(__name__)

DAILY = timedelta(days=1)
SELFIES_EVERY = timedelta(hours=1)
ANCHOR_EVERY = timedelta(minutes=1)  # so long the newest rows could be cut off unseen
PARTITION_MONTHS = 4  # last month, this one and two to come

_ENSURE_PARTITIONS = text("SELECT jobs.ensure_partitions(:from_month, :months)")
_EMPTY_BODIES = text("UPDATE packet.log SET body = NULL WHERE recorded_at < :before AND body IS NOT NULL")


def all_jobs(rt: Runtime) -> list[Job]:
    """Every job that claims work by status or follows a table."""
    validating: list[Job] = [ValidatorsJob(rt, Configured(rt.settings)), validation_job(rt)]
    return [*validating, *fraud_jobs(rt), *payout_jobs(rt), *identity_jobs(rt), notifications_follower(rt), sealing_follower(rt)]


def sealing_follower(rt: Runtime) -> Follower:
    """The follower that seals the audit."""

    def handle(conn: Connection, rows: Sequence[Row[Any]]) -> None:
        seal(conn, rt.keyring, [row._asdict() for row in rows], rt.clock.now())

    return Follower(FOLLOWER, rt.database, "audit.event", handle)


def all_tasks(rt: Runtime) -> list[Periodic]:
    """Every task that runs by the calendar."""

    def partitions(now: datetime) -> None:
        ensure_partitions(rt, now)

    def retention(now: datetime) -> None:
        with rt.database.worker() as conn:
            forget_old_requests(conn, now)
            forget_expired(conn, now)
            forget_old_sign_ins(conn, now)
            conn.execute(_EMPTY_BODIES, {"before": now - timedelta(days=rt.settings.packet_body_days)})

    def selfies(now: datetime) -> None:
        erase_old_selfies(rt, now)

    anchors = Anchors(rt.settings)

    def anchor(now: datetime) -> None:
        with rt.database.worker() as conn:
            found, unsealed_s = heads(conn), unsealed_for_s(conn, now)
        anchors.write(found, now)
        if unsealed_s > UNSEALED_IS_AN_ALARM_S:
            log.error("Rows of the audit have not been sealed for %d seconds", unsealed_s)

    return [
        Periodic("partitions", DAILY, partitions),
        Periodic("retention", DAILY, retention),
        Periodic("selfies", SELFIES_EVERY, selfies),
        Periodic("audit.anchor", ANCHOR_EVERY, anchor),
        *payout_tasks(rt),
        *identity_tasks(rt),
    ]


def ensure_partitions(rt: Runtime, now: datetime) -> None:
    """Prepare the coming months of history, packet log and audit; daily, and before a bulk load."""
    last_month = now.date().replace(day=1) - timedelta(days=1)
    with rt.database.worker() as conn:
        conn.execute(_ENSURE_PARTITIONS, {"from_month": last_month, "months": PARTITION_MONTHS})
