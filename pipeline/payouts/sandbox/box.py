"""What every part of the sandbox shares: configuration, connection pool, clock, switches, faults, and two bells for the threads."""

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import sql
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text

from pipeline.payouts.sandbox.clock import SandboxClock
from pipeline.payouts.sandbox.config import Config
from pipeline.payouts.sandbox.faults import Faults
from pipeline.payouts.sandbox.ids import new_id
from pipeline.payouts.sandbox.switches import SwitchBoard, Switches, store

BACKGROUND_CONNECTIONS = 4  # ticker, courier, and one request each that settles or meets a fault
POOL_TIMEOUT_S = 5  # as many connections as threads: waiting longer means that the database hangs
STATEMENT_TIMEOUT_MS = 15_000
LOCK_TIMEOUT_MS = 10_000  # the account row is held for milliseconds
IDLE_TIMEOUT_MS = 30_000
CONNECT_TIMEOUT_S = 5


class Bell:
    """Wakes a sleeping thread before its time, but only for something that is due before it would wake by itself."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._wakes_at: datetime | None = None

    def ring(self, due_at: datetime | None = None) -> None:
        """Something is due at `due_at`; None: at once."""
        if due_at is None or self._wakes_at is None or due_at < self._wakes_at:
            self._event.set()

    def sleep(self, seconds: float, wakes_at: datetime) -> None:
        self._wakes_at = wakes_at
        self._event.wait(seconds)
        self._event.clear()
        self._wakes_at = None


@dataclass
class Box:
    """One sandbox. Several processes on one database are not meant: each would have switches and faults of its own."""

    config: Config
    engine: Engine
    clock: SandboxClock = field(default_factory=SandboxClock)
    board: SwitchBoard = field(default_factory=SwitchBoard)
    faults: Faults = field(default_factory=Faults)
    life_bell: Bell = field(default_factory=Bell)
    courier_bell: Bell = field(default_factory=Bell)
    stopping: threading.Event = field(default_factory=threading.Event)
    single: Engine = field(init=False)  # the same pool, each statement its own transaction: no BEGIN and COMMIT around it

    def __post_init__(self) -> None:
        self.single = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def switches(self) -> Switches:
        return self.board.current

    def now(self) -> datetime:
        return self.clock.now()

    def stop(self) -> None:
        """Let the threads end after what they are doing."""
        self.stopping.set()
        self.life_bell.ring()
        self.courier_bell.ring()


def make_engine(config: Config) -> Engine:
    """A small pool whose connections have taken their role and their timeouts."""
    url = make_url(config.database_url).set(drivername="postgresql+psycopg")
    engine = create_engine(
        url,
        pool_size=config.threads + BACKGROUND_CONNECTIONS,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "sdcrs-sandbox"},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.autocommit = True
        with connection.cursor() as cursor:
            if config.role:
                cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(config.role)))
            cursor.execute(
                f"SET TIME ZONE 'UTC'; SET jit = off; SET statement_timeout = {STATEMENT_TIMEOUT_MS}; "
                f"SET lock_timeout = {LOCK_TIMEOUT_MS}; SET idle_in_transaction_session_timeout = {IDLE_TIMEOUT_MS}"
            )
        connection.autocommit = False

    return engine


def open_box(config: Config) -> Box:
    """Connect, open the account if there is none, and remember switches, clock and faults. Commits."""
    box = Box(config, make_engine(config))
    with box.engine.begin() as conn:
        box.board.load(conn)
        spec = conn.execute(text("SELECT value FROM sandbox.setting WHERE name = 'clock'")).scalar()
        box.clock.load(spec or {})
        box.faults.load(conn)
        if config.delay_seconds is not None:
            box.board.change(conn, {"delay_seconds": config.delay_seconds})
        open_account(conn, box)
        # a predecessor that was killed may have left webhooks on lease
        conn.execute(
            text("UPDATE sandbox.event SET next_attempt_at = :now WHERE state = 'pending' AND next_attempt_at > :now"), {"now": box.now()}
        )
    return box


def open_account(conn: Connection, box: Box) -> None:
    """Open the source account with its opening balance, once. The caller commits."""
    values = {"number": box.config.account_number, "paise": box.config.opening_balance_paise, "now": box.now()}
    opened = conn.execute(
        text(
            "INSERT INTO sandbox.account (account_number, balance_paise, opened_at) VALUES (:number, :paise, :now) "
            "ON CONFLICT (account_number) DO NOTHING RETURNING account_number"
        ),
        values,
    ).scalar()
    if opened and box.config.opening_balance_paise:
        conn.execute(
            text(
                "INSERT INTO sandbox.transaction (id, account_number, credit_paise, debit_paise, balance_paise, source_kind, source_id, "
                "created_at) VALUES (:id, :number, :paise, 0, :paise, 'bank_transfer', :source, :now)"
            ),
            {**values, "id": new_id("txn"), "source": new_id("bt")},
        )


def keep_clock(conn: Connection, box: Box) -> None:
    """Remember the clock across restarts. The caller commits."""
    store(conn, "clock", box.clock.spec())
