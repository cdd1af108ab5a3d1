"""Steps 3 to 6 put together: who speaks to whom by the settings, and the jobs in the order in which a credential meets them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pipeline.identity.compare import compare_job
from pipeline.identity.credentials import callback
from pipeline.identity.credentials.process import process_job
from pipeline.identity.datashare.shares import erase_expired
from pipeline.identity.ida import receiver
from pipeline.identity.ida.acknowledge import acknowledge_job
from pipeline.identity.ida.store import store_job
from pipeline.identity.idrepo.handler import handler_job
from pipeline.identity.local import LocalDataShare, LocalGenerator, LocalHub, LocalService
from pipeline.identity.ports import DataShare, Hub, Ports
from pipeline.identity.remote import Remote, RemoteDataShare, RemoteGenerator, RemoteHub, RemoteService
from pipeline.identity.subscribing import OwnCallbacks, SubscribeJob, own_base
from pipeline.identity.websub.delivery import delivery_job
from pipeline.identity.websub.outward import Outward
from pipeline.identity.websub.verify import verify_job
from pipeline.jobs.job import Job, Periodic
from pipeline.outbound.addresses import networks
from pipeline.runtime import Runtime

ERASE_EVERY = timedelta(minutes=10)
HUB_PATH = "/websub/hub"


def own_callbacks(rt: Runtime) -> OwnCallbacks:
    """The callbacks of this house: the generator's, and those of the authentication side."""

    def status(raws: Sequence[bytes], now: datetime) -> object:
        return callback.take(rt, raws, now)

    def issued(raws: Sequence[bytes], now: datetime) -> object:
        return receiver.take(rt, raws, now)

    return OwnCallbacks(rt, status=status, issued=issued)


def open_ports(rt: Runtime) -> Ports:
    """Everybody's way to everybody else: in the process unless the settings name an address."""
    settings, base = rt.settings, own_base(rt.settings)
    datashare: DataShare = (
        RemoteDataShare(Remote(rt, "datashare", settings.datashare_url)) if settings.datashare_url else LocalDataShare(rt, base)
    )
    hub: Hub = RemoteHub(Remote(rt, "websub", settings.websub_hub_url)) if settings.websub_hub_url else LocalHub(rt)
    generator_url, service_url = settings.credential_request_url, settings.credential_service_url
    return Ports(
        generator=RemoteGenerator(Remote(rt, "credentialrequest", generator_url)) if generator_url else LocalGenerator(rt),
        service=RemoteService(Remote(rt, "credentialservice", service_url)) if service_url else LocalService(rt, datashare, hub),
        datashare=datashare,
        hub=hub,
        callbacks=own_callbacks(rt),
    )


def credential_jobs(rt: Runtime, ports: Ports | None = None) -> list[Job]:
    """The jobs of steps 3 to 6. `ports`: other ways than the settings', for tests."""
    to = ports or open_ports(rt)
    outward = Outward(to.callbacks, networks(rt.settings.identity_networks))
    jobs: list[Any] = [
        SubscribeJob(rt, to.hub),
        verify_job(rt, outward),
        handler_job(rt, to.generator),
        process_job(rt, to.service),
        compare_job(rt, to.hub),
        delivery_job(rt, outward, own_base(rt.settings) + HUB_PATH),
        store_job(rt, to.datashare),
        acknowledge_job(rt, to.hub),
    ]
    return jobs


def credential_tasks(rt: Runtime) -> list[Periodic]:
    """What the calendar does: files of shares that ended are erased."""

    def erase(now: datetime) -> None:
        erase_expired(rt, now)

    return [Periodic("identity.erase_shares", ERASE_EVERY, erase)]
