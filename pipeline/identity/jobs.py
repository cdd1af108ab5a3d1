"""The jobs of the identity flow, in the order in which a registration meets them."""

from pipeline.identity.flow import credential_jobs, credential_tasks
from pipeline.identity.stages.actions import pauses_job
from pipeline.identity.stages.runner import StagesJob
from pipeline.jobs.job import Job, Periodic
from pipeline.runtime import Runtime


def identity_jobs(rt: Runtime) -> list[Job]:
    """Every job that claims work by status: pauses that are over, stages, then what makes and delivers credentials."""
    return [pauses_job(rt), StagesJob(rt), *credential_jobs(rt)]


def identity_tasks(rt: Runtime) -> list[Periodic]:
    """What runs by the calendar."""
    return [*credential_tasks(rt)]
