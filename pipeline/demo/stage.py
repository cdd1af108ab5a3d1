"""Playing the stories through the real rooms, many at once: intake with validation, then what people decide.

Every step has its own time; a report is committed together with its validation, so that it is never seen half done.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.access.caller import SYSTEM_ID, Caller
from pipeline.clock import epoch_ms
from pipeline.demo.darkroom import PhotoOrder
from pipeline.demo.story import Step, Story
from pipeline.demo.studio import Studio
from pipeline.filestore.measure import phash_hex
from pipeline.filestore.upload import StoredFile, insert_files
from pipeline.ids import uuid7
from pipeline.reports.actions import GATHER
from pipeline.reports.evidence import INSERT as INSERT_EVIDENCE
from pipeline.reports.evidence import EvidenceClaim, evidence_row, load_files
from pipeline.reports.intake import Intake, Place, Submission
from pipeline.reports.update import Update
from pipeline.reports.workflow import Actor, Item, transition
from pipeline.runtime import Runtime
from pipeline.validation.job import validate

BATCH = 400  # reports in a transaction: about a second of work

_COUNT = text("SELECT jobs.refresh_statistics()")
_NUMBERS = text("SELECT id, report_number FROM sdcrs.report WHERE id = ANY (:ids)")
_RECEIVED = text("""
    SELECT r.id, r.report_number, r.tenant_id, r.created_at, r.status,
           (SELECT count(*) FROM sdcrs.report_history h
            WHERE h.report_id = r.id AND h.actor_id <> :system AND h.action <> 'SUBMIT') AS steps
    FROM sdcrs.report r WHERE r.tenant_id = ANY (:tenants) AND r.created_at BETWEEN :first AND :last LIMIT 10000000
""")

Progress = Callable[[int], None]


class Stage:
    """Plays stories, each step at its own time. Without a studio only steps that need no photo."""

    def __init__(self, rt: Runtime, studio: Studio | None) -> None:
        self._rt, self._studio = rt, studio
        self._intake = Intake(rt)

    def recall(self, stories: Sequence[Story]) -> None:
        """Find out how far an interrupted load had come."""
        moments = [story.at for story in stories]
        tenants = sorted({story.tenant_id for story in stories})
        params = {"system": SYSTEM_ID, "tenants": tenants, "first": min(moments), "last": max(moments)}
        with self._rt.database.worker(120) as conn:
            found = {(row.tenant_id, row.created_at): row for row in conn.execute(_RECEIVED, params)}
        for story in stories:
            row = found.get((story.tenant_id, story.at))
            if row is not None:
                story.report_id, story.report_number = row.id, row.report_number
                story.done = min(row.steps, len(story.steps))
                story.stopped = row.status == "AUTO_REJECTED"

    def receive(self, stories: Sequence[Story], progress: Progress) -> None:
        """Photos, reports and their validation, wave after wave; a refused report's story is over."""
        for number, batch in enumerate(_whole_waves(stories)):
            files = self._photos([order for story in batch for order in (story.dog, story.selfie)])
            by_id = {file.id: file for file in files}
            requests = [request for story in batch for request in [uuid7(story.dog.uploaded_at)] * 2]  # both in one upload
            with self._rt.database.worker(120) as conn:
                insert_files(conn, [replace(file, request_id=request) for file, request in zip(files, requests, strict=True)])
                ids = self._intake.create_bulk(conn, [self._submission(story, by_id) for story in batch])
                numbers = {row.id: row.report_number for row in conn.execute(_NUMBERS, {"ids": ids})}
                for story, report_id in zip(batch, ids, strict=True):
                    story.report_id, story.report_number = report_id, numbers[report_id]
                self._validate(conn, batch)
            if number.bit_count() <= 1:  # after 1, 2, 3, 5, 9 batches and so on: while the tables' sizes still double
                self._count()
            progress(len(batch))

    def _count(self) -> None:
        """Let the database look at what it has by now; the validation's searches are planned by it."""
        with self._rt.database.worker(120) as conn:
            conn.execute(_COUNT)

    def _photos(self, orders: Sequence[PhotoOrder]) -> list[StoredFile]:
        if not orders:
            return []
        if self._studio is None:
            raise ValueError("these steps need photos, and there is no studio")
        return self._studio.take(orders)

    def _validate(self, conn: Connection, batch: Sequence[Story]) -> None:
        by_report = {story.id: story for story in batch}
        times = {report_id: story.checked_at for report_id, story in by_report.items()}
        for judged in validate(conn, self._rt.masterdata.current(), list(by_report), max(times.values()), times):
            if judged.failed is not None:
                by_report[judged.report.id].stopped = True

    def decide(self, stories: Sequence[Story], progress: Progress) -> None:
        """Everything that people do but captures, which are paid on their day: the next step of all reports, and again."""
        while due := [(story, step) for story in stories if (step := story.next_step) is not None and step.action != "MARK_CAPTURED"]:
            self.act(due, progress)

    def act(self, steps: Sequence[tuple[Story, Step]], progress: Progress | None = None) -> None:
        """Carry out steps, each person's of one kind together; a refused one ends its story."""

        def person_and_action(entry: tuple[Story, Step]) -> tuple[str, str]:
            return str(entry[1].by.account_id), entry[1].action

        for _, group in groupby(sorted(steps, key=person_and_action), key=person_and_action):
            entries = list(group)
            for start in range(0, len(entries), BATCH):
                self._act_together(entries[start : start + BATCH])
            if progress is not None:
                progress(len(entries))

    def _act_together(self, entries: Sequence[tuple[Story, Step]]) -> None:
        caller, action = entries[0][1].by, entries[0][1].action
        md = self._rt.masterdata.current()
        now = max(step.at for _, step in entries)
        photos = [story.capture_photo for story, _ in entries if action == "MARK_CAPTURED" and story.capture_photo is not None]
        files = self._photos(photos)
        with self._rt.database.begin(caller.scope) as conn:
            insert_files(conn, files, "Officer app")
            updates = [self._update(story, step) for story, step in entries]
            items = [
                replace(_item(conn, self._rt, caller, update, step), at=step.at) for update, (_, step) in zip(updates, entries, strict=True)
            ]
            outcomes = transition(conn, md, action, items, Actor(caller.account_id, caller.roles), now)
            for (story, _), outcome in zip(entries, outcomes, strict=True):
                story.stopped = story.stopped or not outcome.ok
                story.done += 1
            if action == "MARK_CAPTURED":
                self._attach(conn, [entry for entry in entries if not entry[0].stopped])

    def _attach(self, conn: Connection, entries: Sequence[tuple[Story, Step]]) -> None:
        """The evidence rows of captures, each of its own moment."""
        photos = {order.file_id: (story, step) for story, step in entries if (order := story.capture_photo) is not None}
        files = load_files(conn, list(photos))
        rows = []
        for file_id, (story, step) in photos.items():
            claim = EvidenceClaim(file_id, "CAPTURE_PHOTO", None, step.at, step.fields["latitude"], step.fields["longitude"])
            zone = self._rt.masterdata.current().tenant(story.tenant_id).timezone
            rows.append(evidence_row(claim, files, story.id, story.tenant_id, step.by.account_id, step.at, zone))
        conn.execute(INSERT_EVIDENCE, {"rows": json.dumps(rows)})

    def _update(self, story: Story, step: Step) -> Update:
        fields = dict(step.fields)
        if step.action == "MARK_DUPLICATE" and story.original is not None:
            fields["duplicate_of"] = story.original.report_number
        if step.action == "MARK_CAPTURED" and story.capture_photo is not None:
            fields["capture_file_id"] = story.capture_photo.file_id
        return Update(story.id, step.action, step.comment, fields=fields)

    def _submission(self, story: Story, files: dict[UUID, StoredFile]) -> Submission:
        tenant = self._rt.masterdata.current().tenant(story.tenant_id)
        spot = story.spot
        away = story.fate == "outside"  # nobody knows a ward there
        claims = tuple(
            self._claim(story, order, kind, files[order.file_id])
            for order, kind in ((story.dog, "DOG_PHOTO"), (story.selfie, "REPORTER_SELFIE"))
        )
        place = Place(
            latitude=round(story.pin[0], 6),
            longitude=round(story.pin[1], 6),
            address=f"{story.landmark}, {spot.locality}",
            landmark=story.landmark,
            locality=None if away else spot.locality,
            locality_code=None if away else spot.locality_code,
            ward=None if away else spot.ward,
            ward_code=None if away else spot.ward_code,
            district=None if away else spot.district,
            district_code=None if away else spot.district_code,
            city=tenant.city,
            gps_latitude=round(story.device[0], 6),
            gps_longitude=round(story.device[1], 6),
            gps_accuracy_m=story.accuracy_m,
            gps_at=story.at - timedelta(seconds=90),
        )
        submission = Submission(
            reporter_id=story.teacher.id,
            tenant_id=story.tenant_id,
            service_type=story.service_type,
            description=story.description,
            place=place,
            evidence=claims,
            at=story.at,
            device_id=story.teacher.device_id,
            dog_count=story.dog_count,
            is_aggressive=story.service_type == "StrayDogAggressive",
            correlation_id=uuid7(story.at),
        )
        return replace(submission, body=_body(story, submission, files))

    def _claim(self, story: Story, order: PhotoOrder, kind: str, file: StoredFile) -> EvidenceClaim:
        camera = story.teacher.camera
        return EvidenceClaim(
            file_id=order.file_id,
            evidence_type=kind,
            claimed_hash=phash_hex(file.measured.phash),
            claimed_at=order.taken_at,
            latitude=round(story.device[0], 6),
            longitude=round(story.device[1], 6),
            device_info=f"{camera.make} {camera.model}",
            device_id=story.teacher.device_id,
        )


def _whole_waves(stories: Sequence[Story]) -> Iterator[list[Story]]:
    """Batches of about BATCH stories that end where a wave ends, so that each wave is validated at once."""
    batch: list[Story] = []
    for _, wave in groupby(stories, key=lambda story: story.checked_at):
        batch += wave
        if len(batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _item(conn: Connection, rt: Runtime, caller: Caller, update: Update, step: Step) -> Item:
    return GATHER[update.action](conn, rt.masterdata.current(), caller, update, step.at)


def _body(story: Story, submission: Submission, files: dict[UUID, StoredFile]) -> dict[str, Any]:
    """The create request as the app sends it, without the person's values."""
    place = submission.place
    location = {
        "latitude": place.latitude,
        "longitude": place.longitude,
        "address": place.address,
        "landmark": place.landmark,
        "locality": place.locality,
        "localityCode": place.locality_code,
        "ward": place.ward,
        "wardCode": place.ward_code,
        "district": place.district,
        "districtCode": place.district_code,
        "city": place.city,
        "gpsLatitude": place.gps_latitude,
        "gpsLongitude": place.gps_longitude,
        "gpsAccuracy": place.gps_accuracy_m,
        "gpsTimestamp": epoch_ms(place.gps_at),
    }
    evidence = [
        {
            "fileStoreId": str(claim.file_id),
            "evidenceType": claim.evidence_type,
            "fileName": files[claim.file_id].file_name,
            "mimeType": files[claim.file_id].measured.content_type,
            "fileSize": files[claim.file_id].measured.size,
            "imageHash": claim.claimed_hash,
            "captureTime": epoch_ms(claim.claimed_at),
            "latitude": claim.latitude,
            "longitude": claim.longitude,
            "deviceInfo": claim.device_info,
            "deviceId": claim.device_id,
        }
        for claim in submission.evidence
    ]
    report = {
        "tenantId": story.tenant_id,
        "serviceType": story.service_type,
        "description": story.description,
        "dogDetails": {"count": submission.dog_count, "isAggressive": submission.is_aggressive},
        "location": {name: value for name, value in location.items() if value is not None},
        "evidence": evidence,
    }
    ts = epoch_ms(story.at)
    return {
        "RequestInfo": {"apiId": "Rainmaker", "ver": ".01", "ts": ts, "action": "_create", "msgId": f"{ts}|en_IN"},
        "DogReports": [report],
    }
