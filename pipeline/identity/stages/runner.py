"""The runner: takes due registrations and leads each through its stages, one transaction for one registration and one stage.

A claim is a lease, written into `next_attempt_at`: when a worker dies, the registration is due again when the lease is over, at the
stage whose transaction was not committed. A stage that raises is tried again later, further apart each time, and after its last try
the registration waits for a person.
"""

import logging
import traceback
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from pipeline.database.engine import is_away
from pipeline.errors import AppError
from pipeline.identity.numbers import Numbers
from pipeline.identity.packet.manager import Packet, fetch, parts_of
from pipeline.identity.stages import dedupe, finalization, manual, pauses, quality, rows, securezone, uin, validator
from pipeline.identity.stages.base import Context, Failed, Passed, Registration, Stage, Verdict
from pipeline.identity.stages.rows import Change, Note
from pipeline.ids import uuid7
from pipeline.masterdata.identity_models import PauseRule, StageName
from pipeline.masterdata.master import MasterData
from pipeline.packets.log import identity_header
from pipeline.runtime import Runtime

JOB = "identity.stages"
BATCH = 50  # a second's work; others wait for their turn in the worker's round no longer
LEASE = timedelta(minutes=2)  # much longer than a batch takes
COMMENT_CHARS = 512  # as the column takes it

LOGGER = logging.getLogger(__name__)

STAGES: Mapping[StageName, Stage] = {
    "SECUREZONE_NOTIFICATION": securezone.run,
    "VALIDATOR": validator.run,
    "QUALITY_CLASSIFIER": quality.run,
    "DEMO_DEDUPE": dedupe.run,
    "MANUAL_ADJUDICATION": manual.run,
    "UIN_GENERATION": uin.run,
    "FINALIZATION": finalization.run,
}


class StagesJob:
    """Claims due registrations and runs their stages until each is processed, held, refused, or fails."""

    name = JOB

    def __init__(self, rt: Runtime, batch: int = BATCH) -> None:
        self._rt = rt
        self._numbers = Numbers(rt)
        self._batch = batch

    def run_once(self, now: datetime) -> int:
        with self._rt.database.worker() as conn:
            claimed = rows.claim(conn, now, now + LEASE, self._batch)
        if claimed:
            self._numbers.prepare()
        md = self._rt.masterdata.current()
        for one in claimed:
            self._lead(md, one)
        return len(claimed)

    def waits_for(self, now: datetime) -> tuple[int, datetime] | None:
        with self._rt.database.worker() as conn:
            return rows.waiting(conn, now)

    def _lead(self, md: MasterData, one: Registration) -> None:
        """Stage after stage, as long as it goes on; the packet is fetched once."""
        at: Registration | None = one
        packet: Packet | None = None
        while at is not None:
            one = at
            try:
                packet = packet or self._fetch(one)
                at = self._run_stage(md, one, packet)
            except Exception as error:  # whatever a stage can raise: counted at the registration, and tried again
                if is_away(error):
                    raise
                self._failed(md, one, error)
                return

    def _fetch(self, one: Registration) -> Packet:
        with self._rt.database.worker() as conn:
            parts = parts_of(conn, one.id, one.upload_number)
        return fetch(self._rt.files, parts)

    def _run_stage(self, md: MasterData, one: Registration, packet: Packet) -> Registration | None:
        """One stage in one transaction; the registration as it then is, or None when this runner has nothing more to do with it."""
        now = self._rt.clock.now()
        with self._rt.database.worker() as conn:
            held = rows.held(conn, one)
            if held is None or held.upload_number != one.upload_number:
                return None
            rule = pauses.rule_for(md.identity_stages(held.tenant_id), held, packet)
            if rule is not None:
                self._pause(conn, held, rule, now)
                return None
            ctx = Context(self._rt, conn, md, self._numbers, held, packet, now)
            change = self._settle(ctx, self._verdict(ctx))
        if change.status != "PROCESSING":
            return None
        return replace(held, status_code=change.status, stage=change.stage, attempts=0)

    def _verdict(self, ctx: Context) -> Verdict:
        try:
            return STAGES[_known(ctx.registration.stage)](ctx)
        except AppError as error:
            if not error.code.startswith("SDCRS_PACKET_"):
                raise
            return Failed("PACKET_UNREADABLE", error.message[:COMMENT_CHARS], {"code": error.code})

    def _settle(self, ctx: Context, verdict: Verdict) -> Change:
        """Write what follows from a verdict: transaction row, new state, headers."""
        one, now = ctx.registration, ctx.now
        note_id = uuid7(now)
        messages = [
            identity_header(said.packet, one.id, one.tenant_id, now, causation_id=said.causation_id or note_id) for said in verdict.messages
        ]
        comment = None if verdict.comment is None else verdict.comment[:COMMENT_CHARS]
        change, ended = self._next(ctx, verdict)
        note = Note(note_id, one.stage, ended, verdict.sub_status, now, comment, verdict.details, one.attempts + 1)
        rows.write(ctx.conn, one, note, change, now, messages)
        return change

    def _next(self, ctx: Context, verdict: Verdict) -> tuple[Change, str]:
        one, now = ctx.registration, ctx.now
        if not isinstance(verdict, Passed):
            status = "FAILED" if isinstance(verdict, Failed) else "REJECTED"
            return Change(status, one.stage, now), status
        identity_id = verdict.details.get("identityId")
        following = ctx.rules.after(one.stage)
        if following is None:
            return Change("PROCESSED", one.stage, now, identity_id=identity_id), "PROCESSED"
        if verdict.hold is not None:
            hold = verdict.hold
            resume_at = None if hold.resume_after_s is None else now + timedelta(seconds=hold.resume_after_s)
            stays = one.stage == "MANUAL_ADJUDICATION"  # it is asked again when everything was decided
            stage = one.stage if stays else following
            return Change("PAUSED", stage, now, resume_at=resume_at, resume_action=hold.action, pause_rule=hold.rule), "SUCCESS"
        return Change("PROCESSING", following, one.next_attempt_at, identity_id=identity_id), "SUCCESS"

    def _pause(self, conn: Connection, one: Registration, rule: PauseRule, now: datetime) -> None:
        resume_at = None if rule.pause_seconds is None else now + timedelta(seconds=rule.pause_seconds)
        note = Note(uuid7(now), "PAUSE", "SUCCESS", "PAUSED_BY_RULE", now, rule.reason, {"rule": rule.id, "fact": rule.fact})
        change = Change("PAUSED", one.stage, now, resume_at=resume_at, resume_action=rule.default_action, pause_rule=rule.id)
        rows.write(conn, one, note, change, now)

    def _failed(self, md: MasterData, one: Registration, error: Exception) -> None:
        """Count the error where the registration is still ours. Its kind and place are kept, never its message, which may hold a value."""
        now = self._rt.clock.now()
        stages = md.identity_stages(one.tenant_id).stages
        rule = next((stage for stage in stages if stage.name == one.stage), stages[0])
        kind = error.code if isinstance(error, AppError) else type(error).__name__
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{place.filename.rpartition('/')[2]}:{place.lineno} {place.name}"
        LOGGER.error("Stage %s of registration %s failed: %s at %s", one.stage, one.id, kind, where)
        with self._rt.database.worker() as conn:
            held = rows.held(conn, one)
            if held is None:
                return
            tries = held.attempts + 1
            given_up = tries >= rule.attempts
            status = "REPROCESS_FAILED" if given_up else "REPROCESS"
            sub_status = "STAGE_GAVE_UP" if given_up else "STAGE_ERROR"
            details = {"error": kind, "at": where}
            note = Note(uuid7(now), one.stage, status, sub_status, now, f"{kind} after {tries} tries"[:COMMENT_CHARS], details, tries)
            due = now + timedelta(seconds=rule.wait_s(tries))
            rows.write(conn, held, note, Change(status, one.stage, due, tries), now)


def _known(stage: str) -> StageName:
    for name in STAGES:
        if name == stage:
            return name
    raise KeyError(stage)  # a stage that the master data no longer knows: the registration waits for a person
