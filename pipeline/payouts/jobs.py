"""The jobs of the payout room, as the worker runs them."""

from datetime import datetime, timedelta

from pipeline.jobs.job import Job, Periodic
from pipeline.payouts.opening import open_job
from pipeline.payouts.payee import verify_payees
from pipeline.payouts.poll import PollJob
from pipeline.payouts.reconcile import reconcile_weekly
from pipeline.payouts.retry import retry_job
from pipeline.payouts.send import SendJob
from pipeline.payouts.webhook import settle_job
from pipeline.runtime import Runtime

PAYEES_EVERY = timedelta(minutes=1)  # a payout waits for minutes anyway; what has not changed costs one question
LOOK_EVERY = timedelta(hours=1)  # for a weekly run that is due, or that the provider's absence has put off


def payout_jobs(rt: Runtime) -> list[Job]:
    """Open, send, settle, poll, retry: in the order in which a payout meets them."""
    return [open_job(rt), SendJob(rt), settle_job(rt), PollJob(rt), retry_job(rt)]


def payout_tasks(rt: Runtime) -> list[Periodic]:
    """The weekly reconciliation of every state, and the comparison of payees."""

    def payees(now: datetime) -> None:
        verify_payees(rt, now)

    def weekly(now: datetime) -> None:
        reconcile_weekly(rt, now)

    return [Periodic("payout.reconcile", LOOK_EVERY, weekly), Periodic("payout.payees", PAYEES_EVERY, payees)]
