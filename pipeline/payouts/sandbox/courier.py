"""Delivery of webhooks: at least once, in order per payout where nothing fails, with backoff; given up after a day."""

import http.client
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pipeline.payouts.sandbox.box import Box
from pipeline.payouts.sandbox.faults import Fault
from pipeline.payouts.sandbox.life import FOREVER, IDLE_S, TROUBLE_S

BATCH = 200  # events claimed at once
HANDS = 4  # posts under way at once, each on a connection that is kept
TIMEOUT_S = 5.0  # the provider waits five seconds for a 2xx
LEASE = timedelta(seconds=60)  # a batch of 200 that all time out on 4 hands takes longer: duplicates are allowed, losses are not
GIVE_UP_AFTER = timedelta(hours=24)
BACKOFF_FIRST_S, BACKOFF_LONGEST_S = 1.0, 3600.0
TICK_S = 0.05  # a busy courier takes what came in this time together
ANSWER_MAX_BYTES = 4096  # nobody reads what a receiver says


@dataclass(frozen=True)
class Post:
    """One event on its way. `fault` changes what happens to it."""

    row: Any
    fault: Fault | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of it: the new state, the note for the journal, and when to try again."""

    seq: int
    state: str
    result: str
    next_attempt_at: datetime
    not_before: datetime | None


class Courier:
    """Posts the outbox to our webhook."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._url = urlsplit(box.config.webhook_url or "")
        self._path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        self._lock = threading.Lock()
        self._line = threading.local()  # one kept connection a hand
        self._hands = ThreadPoolExecutor(HANDS, thread_name_prefix="webhook")

    def close(self) -> None:
        self._hands.shutdown(wait=True)

    def deliver(self, *, forced: bool = False, late: bool = False) -> Counter[str]:
        """Try every event that is due, once; how many ended in which state. Commits in batches.

        `forced`: also those that wait for a retry; `late`: also those that a fault put aside.
        """
        tally: Counter[str] = Counter()
        if self._box.config.webhook_url is None:
            return tally
        with self._lock:
            after = 0
            while not self._box.stopping.is_set() or forced:
                posts = self._claim(after, forced, late)
                if not posts:
                    break
                after = posts[-1].row.seq
                outcomes = self._send_all(posts)
                self._note(outcomes)
                tally.update(outcome.state for outcome in outcomes)
                if len(posts) < BATCH:
                    break
        return tally

    def _claim(self, after: int, forced: bool, late: bool) -> list[Post]:
        """The next due events, leased so that nobody else sends them meanwhile."""
        box, now = self._box, self._box.now()
        values = {
            "after": after,
            "due": FOREVER if forced else now,
            "ripe": FOREVER if late else now,
            "lease": now + LEASE,
            "count": BATCH,
        }
        with box.single.connect() as conn:
            rows = sorted(conn.execute(CLAIM, values).all(), key=lambda row: int(row.seq))
        if not box.faults.waiting("webhook"):
            return [Post(row) for row in rows]
        return [Post(row, box.faults.take(box.engine, "webhook", None, None, now)) for row in rows]

    def _send_all(self, posts: Sequence[Post]) -> list[Outcome]:
        """Post the events of one subject one after the other, those of different subjects side by side."""
        by_subject: dict[str, list[Post]] = {}
        for post in posts:
            by_subject.setdefault(post.row.subject_id, []).append(post)
        shares: list[list[Post]] = [[] for _ in range(min(HANDS, len(by_subject)))]
        for number, group in enumerate(by_subject.values()):
            shares[number % len(shares)].extend(group)
        return [outcome for share in self._hands.map(self._send_share, shares) for outcome in share]

    def _send_share(self, posts: Sequence[Post]) -> list[Outcome]:
        return [self._send(post) for post in posts]

    def _send(self, post: Post) -> Outcome:
        row, fault = post.row, post.fault
        now = self._box.now()
        if self._box.stopping.is_set():
            return Outcome(row.seq, "pending", "stopped", now, row.not_before)
        if fault is not None and fault.kind == "webhook_lost":
            return Outcome(row.seq, "dropped", "lost by a fault", now, row.not_before)
        if fault is not None and fault.kind == "webhook_late":
            later = now + timedelta(seconds=fault.seconds)
            return Outcome(row.seq, "pending", "put aside by a fault", now, later)
        result = self._post(row)
        if fault is not None and fault.kind == "webhook_duplicated":
            result = self._post(row)
        if result.isdecimal() and 200 <= int(result) < 300:
            return Outcome(row.seq, "delivered", result, now, row.not_before)
        if now - row.created_at >= GIVE_UP_AFTER:
            return Outcome(row.seq, "dropped", result, now, row.not_before)
        wait = min(BACKOFF_FIRST_S * 2 ** min(row.attempts - 1, 20), BACKOFF_LONGEST_S)
        return Outcome(row.seq, "pending", result, now + timedelta(seconds=wait), row.not_before)

    def _post(self, row: Any) -> str:
        """The HTTP status, or the kind of failure."""
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "sdcrs-sandbox",
            "X-Razorpay-Signature": row.signature,
            "x-razorpay-event-id": row.id,
        }
        kept: http.client.HTTPConnection | None = getattr(self._line, "connection", None)
        self._line.connection = None
        if kept is not None:
            try:
                return self._over(kept, row.body, headers)
            except (http.client.RemoteDisconnected, ConnectionError):
                kept.close()  # the receiver had hung up meanwhile: that is no failure yet
            except (http.client.HTTPException, OSError) as error:
                kept.close()
                return type(error).__name__
        fresh = self._connection()
        try:
            return self._over(fresh, row.body, headers)
        except (http.client.HTTPException, OSError) as error:
            fresh.close()
            return type(error).__name__

    def _over(self, connection: http.client.HTTPConnection, body: str, headers: dict[str, str]) -> str:
        """Post over this connection and keep it if the receiver does."""
        connection.request("POST", self._path, body.encode(), headers)
        answer = connection.getresponse()
        answer.read(ANSWER_MAX_BYTES)
        if answer.isclosed() and not answer.will_close:
            self._line.connection = connection
        else:
            connection.close()
        return str(answer.status)

    def _connection(self) -> http.client.HTTPConnection:
        url = self._url
        make = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        return make(url.hostname or "", url.port, timeout=TIMEOUT_S)

    def _note(self, outcomes: Sequence[Outcome]) -> None:
        """Write down what became of each."""
        box = self._box
        gave_up = [outcome for outcome in outcomes if outcome.state == "dropped" and outcome.result != "lost by a fault"]
        with box.single.connect() as conn:
            conn.execute(
                NOTE,
                {
                    "now": box.now(),
                    "seq": [outcome.seq for outcome in outcomes],
                    "state": [outcome.state for outcome in outcomes],
                    "result": [outcome.result for outcome in outcomes],
                    "next": [outcome.next_attempt_at for outcome in outcomes],
                    "ripe": [outcome.not_before for outcome in outcomes],
                },
            )
            if gave_up and box.switches.disable_after_a_day:
                box.board.change(conn, {"webhooks_enabled": False})


CLAIM = text(
    "UPDATE sandbox.event AS e SET attempts = e.attempts + 1, next_attempt_at = :lease "
    "FROM (SELECT seq FROM sandbox.event WHERE state = 'pending' AND seq > :after AND next_attempt_at <= :due "
    "AND (not_before IS NULL OR not_before <= :ripe) ORDER BY seq LIMIT :count FOR NO KEY UPDATE SKIP LOCKED) AS due "
    "WHERE e.seq = due.seq RETURNING e.seq, e.id, e.subject_id, e.body, e.signature, e.attempts, e.created_at, e.not_before"
)

NOTE = text(
    "UPDATE sandbox.event AS e SET state = n.state, last_result = n.result, next_attempt_at = n.next, not_before = n.ripe, "
    "delivered_at = CASE WHEN n.state = 'delivered' THEN :now ELSE e.delivered_at END "
    "FROM unnest(CAST(:seq AS bigint[]), CAST(:state AS text[]), CAST(:result AS text[]), CAST(:next AS timestamptz[]), "
    "CAST(:ripe AS timestamptz[])) AS n (seq, state, result, next, ripe) WHERE e.seq = n.seq"
)


def next_attempt(box: Box) -> datetime | None:
    """When the next event is to be tried; None when the outbox is empty."""
    with box.single.connect() as conn:
        return conn.execute(text("SELECT min(greatest(next_attempt_at, not_before)) FROM sandbox.event WHERE state = 'pending'")).scalar()


def run(box: Box, courier: Courier, report: Callable[[str, Exception], None]) -> None:
    """The thread that delivers. Ends when the box stops; a failing database is reported and tried again."""
    while not box.stopping.is_set():
        try:
            due = None
            if box.switches.webhooks == "auto":
                due = box.now() if courier.deliver()["delivered"] else next_attempt(box)
        except (DBAPIError, PoolTimeout) as error:
            report("courier", error)
            box.stopping.wait(TROUBLE_S)
            continue
        box.stopping.wait(TICK_S)
        now = box.now()
        wait = IDLE_S if due is None else min((due - now).total_seconds(), IDLE_S)
        if wait > 0:
            box.courier_bell.sleep(wait, now + timedelta(seconds=wait))


def pending(box: Box) -> dict[str, int]:
    """How many events are in which state."""
    with box.single.connect() as conn:
        rows = conn.execute(text("SELECT state, count(*) FROM sandbox.event GROUP BY state")).all()
    return {"pending": 0, "delivered": 0, "dropped": 0, "silent": 0, **{row[0]: row[1] for row in rows}}
