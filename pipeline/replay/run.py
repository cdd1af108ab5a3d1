"""One replay: a database of its own (or the one at hand), our API and a sandbox beside it, and a verdict for each packet."""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import uvicorn
from starlette.types import ASGIApp

from pipeline.api.app import build
from pipeline.clock import SettableClock, SystemClock
from pipeline.database.connect import checked_prefix, urls
from pipeline.database.engine import Database, psycopg_url
from pipeline.database.migrate import migrate
from pipeline.database.urls import Urls
from pipeline.errors import AppError
from pipeline.hrms.app import build as build_hrms
from pipeline.masterdata.files import read_folder
from pipeline.masterdata.store import publish
from pipeline.payouts.standin import own_sandbox
from pipeline.replay.compare import Difference
from pipeline.replay.files import PacketFile, read_packets
from pipeline.replay.overheard import Overheard
from pipeline.replay.plays import play, prepare
from pipeline.replay.verdict import Verdict, judge
from pipeline.replay.world import World
from pipeline.runtime import Runtime, assemble
from pipeline.settings import CLAIMS, Settings

POOL_SIZE = 12  # the API's threads and the jobs beside them
START_S = 20.0  # for the API to listen
CALLBACKS = ("sdcrs://callback",)  # the packets' app
ROLE_PREFIX = "sdcrs_replay"  # roles belong to the cluster; every replay of it shares these


def replay(settings: Settings, folder: Path, here: bool, say: Callable[[str], None]) -> list[Verdict]:
    """Replay every packet below the folder; one verdict each, in stage order.

    `here`: in the database at hand, which keeps what the replay writes; else in one of its own, dropped at the end.
    Raises SDCRS_INVALID_REQUEST for a folder that holds no packets.
    """
    now = SystemClock().now().replace(microsecond=0)  # whole seconds: the provider counts in them, and no order may change
    packets = read_packets(folder, now)
    with ExitStack() as stack:
        found = stack.enter_context(urls(settings, say))
        if not here:
            found = stack.enter_context(own_database(found))
        clock = SettableClock(packets[0].at)
        rt = stack.enter_context(_runtime(settings, found, clock, here))
        api_url = stack.enter_context(served(build(rt), listening()))
        hrms = None
        if rt.settings.demo_hrms:  # in production nobody signs in with the stand-in
            listener = listening(rt.settings.hrms_port)
            hrms = Overheard(build_hrms(rt, f"http://127.0.0.1:{rt.settings.hrms_port}"))
            stack.enter_context(served(hrms, listener))
        world = stack.enter_context(closing(World(rt, clock, api_url, str(rt.settings.razorpayx_base_url), hrms)))
        world.control("settings", {"delay_seconds": 86_400})  # payouts wait until a packet moves them
        reports = [packet for packet in packets if packet.id >= "02"]
        if reports:
            prepare(world, reports[0])
        return [_judged(world, packet) for packet in packets]


@contextmanager
def own_database(found: Urls) -> Iterator[Urls]:
    """A migrated database for the length of the block."""
    name = f"sdcrs_replay_{os.getpid()}_{secrets.token_hex(3)}"
    with psycopg.connect(psycopg_url(found.admin), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'".encode())
    try:
        own = found.for_database(name)
        clock = SystemClock()
        report = migrate(own.owner, own.login, clock, ROLE_PREFIX)
        with closing(Database(own.app, report.role_prefix, pool_size=1)) as database, database.worker() as conn:
            publish(conn, read_folder(), clock.now(), "replay")
        yield own
    finally:
        with psycopg.connect(psycopg_url(found.admin), autocommit=True) as conn:
            conn.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


def listening(port: int = 0) -> socket.socket:
    """A socket on loopback; `port` 0: any free one."""
    return socket.create_server(("127.0.0.1", port))


@contextmanager
def served(app: ASGIApp, listener: socket.socket) -> Iterator[str]:
    """An application in a thread of ours for the length of the block; its address."""
    with closing(listener):
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="replay-http", daemon=True)
        thread.start()
        began = time.monotonic()
        while not server.started:
            if not thread.is_alive() or time.monotonic() - began > START_S:
                raise AppError("SDCRS_INTERNAL", reference="a server of the replay did not start")
            time.sleep(0.02)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(START_S)


def _free_port() -> int:
    with closing(listening()) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def _runtime(settings: Settings, found: Urls, clock: SettableClock, here: bool) -> Iterator[Runtime]:
    prefix = checked_prefix(found.app)
    with ExitStack() as stack:
        database = stack.enter_context(closing(Database(found.app, prefix, POOL_SIZE)))
        own = replace(settings, razorpayx_key_id=None, razorpayx_base_url=stack.enter_context(own_sandbox(database, None)))
        own = replace(own, oidc_issuer=None, oidc_redirect_uris=CALLBACKS, oidc_claims=dict(CLAIMS), hrms_port=_free_port())
        if not here:
            own = replace(own, database_url=found.app, database_owner_url=found.owner)
        yield assemble(own, database, clock)


def _judged(world: World, packet: PacketFile) -> Verdict:
    try:
        return play(world, packet)
    except AppError as error:
        return judge(packet.id, packet.name, "the packet's answer", error.code, [Difference("$", "no error", str(error))])
    except KeyError as error:  # an earlier packet that this one builds on failed or is missing
        return judge(packet.id, packet.name, "the packet's answer", "-", [Difference("$", f"{error} from an earlier packet", "absent")])
