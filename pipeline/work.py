"""All jobs of all rooms, in the order of a report's life: what a worker runs and what a drained queue means."""

from datetime import datetime, timedelta

from sqlalchemy import text

from pipeline.fraud.following import fraud_jobs
from pipeline.fraud.validators.job import ValidatorsJob
from pipeline.fraud.validators.memory import forget_expired
from pipeline.fraud.validators.setup import Configured
from pipeline.jobs.job import Job, Periodic
from pipeline.notifications.follower import notifications_follower
from pipeline.payouts.jobs import payout_jobs, payout_tasks
from pipeline.reports.requests import forget_old_requests
from pipeline.runtime import Runtime
from pipeline.validation.job import validation_job

DAILY = timedelta(days=1)
PARTITION_MONTHS = 4  # last month, this one and two to come

_ENSURE_PARTITIONS = text("SELECT jobs.ensure_partitions(:from_month, :months)")
_EMPTY_BODIES = text(
    "UPDATE packet.log SET body = NULL, sealed = NULL WHERE recorded_at < :before AND (body IS NOT NULL OR sealed IS NOT NULL)"
)


def all_jobs(rt: Runtime) -> list[Job]:
    """Every job that claims work by status or follows a table."""
    validating: list[Job] = [ValidatorsJob(rt, Configured(rt.settings)), validation_job(rt)]
    return [*validating, *fraud_jobs(rt), *payout_jobs(rt), notifications_follower(rt)]


def all_tasks(rt: Runtime) -> list[Periodic]:
    """Every task that runs by the calendar."""

    def partitions(now: datetime) -> None:
        ensure_partitions(rt, now)

    def retention(now: datetime) -> None:
        with rt.database.worker() as conn:
            forget_old_requests(conn, now)
            forget_expired(conn, now)
            conn.execute(_EMPTY_BODIES, {"before": now - timedelta(days=rt.settings.packet_body_days)})

    return [Periodic("partitions", DAILY, partitions), Periodic("retention", DAILY, retention), *payout_tasks(rt)]


def ensure_partitions(rt: Runtime, now: datetime) -> None:
    """Prepare the coming months of history, packet log and audit; daily, and before a bulk load."""
    last_month = now.date().replace(day=1) - timedelta(days=1)
    with rt.database.worker() as conn:
        conn.execute(_ENSURE_PARTITIONS, {"from_month": last_month, "months": PARTITION_MONTHS})
