"""The jobs of the payout room, as the worker runs them."""

from datetime import datetime, timedelta

from pipeline.jobs.job import Job, Periodic
from pipeline.payouts.opening import open_job
from pipeline.payouts.poll import PollJob
from pipeline.payouts.reconcile import reconcile_weekly
from pipeline.payouts.retry import retry_job
from pipeline.payouts.send import SendJob
from pipeline.payouts.webhook import settle_job
from pipeline.runtime import Runtime

LOOK_EVERY = timedelta(hours=1)  # for a weekly run that is due, or that the provider's absence has put off


def payout_jobs(rt: Runtime) -> list[Job]:
    """Open, send, settle, poll, retry: in the order in which a payout meets them."""
    return [open_job(rt), SendJob(rt), settle_job(rt), PollJob(rt), retry_job(rt)]


def payout_tasks(rt: Runtime) -> list[Periodic]:
    """The weekly reconciliation of every state."""

    def weekly(now: datetime) -> None:
        reconcile_weekly(rt, now)

    return [Periodic("payout.reconcile", LOOK_EVERY, weekly)]
