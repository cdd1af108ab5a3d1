"""The effect job `fraud.validators`: asks validators about waiting reports, each call with no transaction open.

A round takes due rows under a lease, answers what memory knows, and hands the rest to lines, threads that only call. It
does not wait for slow ones: they are collected in a later round, so that the other jobs of this worker go on. Killed in
between, the lease runs out and the question is put again.
"""

import logging
import queue
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from pipeline.fraud.validators import breaker, memory, rows
from pipeline.fraud.validators.breaker import Breaker, Heard
from pipeline.fraud.validators.call import Answered, Failed, ask
from pipeline.fraud.validators.credentials import Tokens
from pipeline.fraud.validators.facts import documents
from pipeline.fraud.validators.fallback import fall_back, tell
from pipeline.fraud.validators.memory import Kept, Key
from pipeline.fraud.validators.questions import Question, in_base64, question, sends_links
from pipeline.fraud.validators.rows import End, Taken
from pipeline.fraud.validators.setup import Asked, Configured, Setup
from pipeline.jobs.failures import clear_failures, record_failure
from pipeline.outbound.wire import Line
from pipeline.runtime import Runtime

NAME = "fraud.validators"
LINES = 32  # calls at once: at the peak 14 reports a second with five questions each, at under half a second a call
ROUND_S = 1.0  # how long one round may go on while there is more to begin
LINGER_S = 0.1  # for calls under way when nothing more can be begun: most answer in this time
SPARE_S = 30.0  # of a lease, for reading photos and looking up names
MAX_LOST = 3  # calls whose worker died: by then the question itself is to blame
PROBING_WAIT = timedelta(seconds=1)  # until it is looked whether the probe has come back
LINK_S = 600  # how long a photo's link holds: a service may queue what it is asked
GONE = "it is not asked any more"
NEVER_ENDS = "no call of it ever came to an end"
LOOKING = "one call looks whether it is back"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Call:
    """A question that goes out. `probe`: the one call that an open breaker lets through."""

    row: Taken
    asked: Asked
    question: Question
    probe: bool = False

    @property
    def key(self) -> Key | None:
        return None if self.question.key is None else Key(self.row.tenant_id, self.asked.id, self.question.key)


@dataclass(frozen=True)
class _Back:
    """A call that came back. `error`: the traceback of a fault of our own."""

    call: _Call
    result: Answered | Failed
    error: str | None = None


class ValidatorsJob:
    """Puts the questions of waiting reports and writes down the answers."""

    name = NAME

    def __init__(self, rt: Runtime, configured: Configured, lines: int = LINES) -> None:
        self._rt = rt
        self._configured = configured
        self._lines = lines
        self._idle: list[Line] = []
        self._tokens = Tokens()
        self._back: queue.SimpleQueue[_Back] = queue.SimpleQueue()
        self._out = 0  # calls under way

    def run_once(self, now: datetime) -> int:  # noqa: ARG002 - a round lasts, and asks the clock itself
        """One round. Calls that are still under way count as work: a drained queue has none."""
        setup = self._configured.at(self._rt.masterdata.current())
        if not setup.tenants and not self._out:
            return 0
        handled = 0
        end = time.monotonic() + ROUND_S
        while True:
            handled += self._collect(0)
            begun = self._begin(setup)
            handled += begun
            if not begun:
                return handled + self._collect(LINGER_S) + self._out
            if time.monotonic() > end:
                return handled + self._out

    def waits_for(self, now: datetime) -> tuple[int, datetime] | None:  # noqa: ARG002 - the protocol's signature
        if not self._configured.at(self._rt.masterdata.current()).tenants:
            return None
        with self._rt.database.worker() as conn:
            return rows.waiting(conn)

    def close(self) -> None:
        """Close the connections that no call uses."""
        while self._idle:
            self._idle.pop().close()

    def _begin(self, setup: Setup) -> int:
        """Take what is due and commit to it, then let the calls go. The number of rows taken."""
        free = self._lines - self._out
        if free <= 0 or not setup.tenants:
            return 0
        now = self._rt.clock.now()
        with self._rt.database.worker() as conn:
            taken = rows.take(conn, setup, free, now, now + _lease(setup))
            calls = self._prepare(conn, setup, taken, now) if taken else []
        for call in calls:
            self._out += 1
            threading.Thread(target=self._make, args=(call,), name="validator", daemon=True).start()
        return len(taken)

    def _prepare(self, conn: Connection, setup: Setup, taken: Sequence[Taken], now: datetime) -> list[_Call]:
        """Settle what needs no call; what does is returned. Does not commit."""
        ends: list[End] = []
        asking: list[tuple[Taken, Asked]] = []
        fallen: list[tuple[Asked, str, str]] = []
        for row in taken:
            asked = setup.tenants.get(row.tenant_id, {}).get(row.validator_id)
            if asked is None or not row.waits:
                ends.append(End(row, "SKIPPED", row.failures, reason=GONE))
            elif asked.problem is not None or row.lost > MAX_LOST:
                fallen.append((asked, asked.problem or NEVER_ENDS, ""))
                ends.append(fall_back(row, asked, asked.problem or NEVER_ENDS, row.failures))
            else:
                asking.append((row, asked))
        calls = self._questions(conn, asking)
        known = memory.recall(conn, [call.key for call in calls if call.key is not None], now)
        remembered = [(call.row, known[call.key]) for call in calls if call.key in known]
        ends += [End(row, "ANSWERED", row.failures, outputs=outputs, remembered=True) for row, outputs in remembered]
        let_out: list[_Call] = []
        states = breaker.locked(conn, {call.asked.breaker for call in calls if call.key not in known})
        probes: dict[str, Breaker] = {}
        for call in calls:
            if call.key in known:
                continue
            state = probes.get(call.asked.breaker) or states.get(call.asked.breaker, Breaker())
            match breaker.gate(state, now):
                case "CLOSED":
                    let_out.append(call)
                case "PROBE":
                    let_out.append(replace(call, probe=True))
                    probes[call.asked.breaker] = replace(state, probe_until=now + _lease(setup))
                case "PROBING":
                    ends.append(End(call.row, "WAITING", call.row.failures, now + PROBING_WAIT, reason=LOOKING))
                case "OPEN":
                    reason = f"it is left alone after failures: {state.trouble}"
                    fallen.append((call.asked, reason, ""))
                    ends.append(fall_back(call.row, call.asked, reason, call.row.failures))
        breaker.write(conn, probes, now)
        rows.write(conn, ends, now)
        tell(fallen)
        return let_out

    def _questions(self, conn: Connection, asking: Sequence[tuple[Taken, Asked]]) -> list[_Call]:
        if not asking:
            return []
        ids = list({row.report_id for row, _ in asking})
        past = any(asked.wants_past for _, asked in asking)
        found = documents(conn, self._rt.masterdata.current(), ids, past=past)
        return [_Call(row, asked, question(asked.validator, asked.url, found[row.report_id])) for row, asked in asking]

    def _make(self, call: _Call) -> None:
        """One call on a line of its own; in a thread, without the database."""
        try:
            line = self._idle.pop() if self._idle else Line(self._configured.networks)
        except IndexError:  # another thread took the last one just now
            line = Line(self._configured.networks)
        try:
            back = _Back(call, ask(line, self._tokens, call.asked, call.question, lambda file_id: self._photo(call.asked, file_id)))
            self._idle.append(line)
        except Exception:  # a fault of ours is told, counted and has an end; a thread that vanished would only cost its lease
            log.exception("validator %s could not be asked", call.asked.id)
            line.close()
            back = _Back(call, Failed("it could not be asked", "UNASKED", again=True), traceback.format_exc())
        self._back.put(back)

    def _photo(self, asked: Asked, file_id: UUID) -> str:
        """What stands for a photo: a link that ends soon, or its bytes. Without EXIF, as everybody is shown it."""
        if sends_links(asked.validator):
            here = (self._rt.settings.api_public_url or "").rstrip("/")
            return here + self._rt.files.sign(file_id, "photo", self._rt.clock.now(), LINK_S)
        return in_base64(self._rt.files.get(file_id, "photo"))

    def _collect(self, wait_s: float) -> int:
        """Write down what has come back; waits up to `wait_s` for the first. Commits."""
        backs: list[_Back] = []
        try:
            while self._out > len(backs):
                backs.append(self._back.get(timeout=wait_s) if wait_s and not backs else self._back.get_nowait())
        except queue.Empty:
            pass
        self._out -= len(backs)
        if backs:
            self._finish(backs)
        return len(backs)

    def _finish(self, backs: Sequence[_Back]) -> None:
        now = self._rt.clock.now()
        ends: list[End] = []
        heard: list[Heard] = []
        kept: list[Kept] = []
        fallen: list[tuple[Asked, str, str]] = []
        for back in backs:
            call, result = back.call, back.result
            asked, cache = call.asked, call.asked.validator.cache
            if isinstance(result, Answered):
                ends.append(End(call.row, "ANSWERED", call.row.failures, outputs=result.outputs))
                if call.key is not None and cache.ttl_seconds is not None:
                    kept.append(Kept(call.key, dict(result.outputs), now + timedelta(seconds=cache.ttl_seconds)))
            else:
                end = _after_failure(call, result, now)
                ends.append(end)
                if end.next_at is None:
                    fallen.append((asked, result.reason, result.detail))
            if isinstance(result, Answered) or result.health != "UNASKED":
                trouble = result.reason if isinstance(result, Failed) and result.health == "ILL" else None
                heard.append(Heard(asked.breaker, asked.validator.circuit_breaker, trouble, call.probe))
        unasked = [b.call.asked.breaker for b in backs if b.call.probe and isinstance(b.result, Failed) and b.result.health == "UNASKED"]
        with self._rt.database.worker() as conn:
            rows.write(conn, ends, now)
            memory.keep(conn, kept, now)
            breaker.note(conn, heard, unasked, now)
            clear_failures(conn, NAME, [end.row.report_id for end in ends if end.next_at is None])
            for back in backs:
                if back.error is not None:
                    record_failure(conn, NAME, back.call.row.report_id, back.error, now)
        tell(fallen)


def _after_failure(call: _Call, failed: Failed, now: datetime) -> End:
    """Another try after a growing pause, or the fallback."""
    retry = call.asked.validator.retry
    failures = call.row.failures + 1
    if not failed.again or failures >= retry.max_attempts:
        return fall_back(call.row, call.asked, failed.reason, failures)
    pause_s = max(retry.backoff_ms / 1000 * retry.backoff_multiplier ** (failures - 1), failed.wait_s)
    return End(call.row, "WAITING", failures, now + timedelta(seconds=pause_s), reason=failed.reason)


def _lease(setup: Setup) -> timedelta:
    """Longer than any call: a question that may first need a token."""
    longest_s = max(asked.connect_s + asked.read_s for tenant in setup.tenants.values() for asked in tenant.values())
    return timedelta(seconds=2 * longest_s + SPARE_S)
