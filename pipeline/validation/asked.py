"""A fraud evaluation that is asked for and answered at once: the same rules over what the request tells and what we know.

Nothing is stored and no state changes. A report of ours under the request's reference is never counted beside it. No service outside is
asked: one may take a minute, and the photos may not be ours. Rules over validators are skipped and say so.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.clock import epoch_ms
from pipeline.fraud.case import METADATA, Answer, Case, History, Match, evidence
from pipeline.fraud.evaluate import evaluate
from pipeline.fraud.features import Subject, gather
from pipeline.fraud.ruleset import DAILY, LIFETIME, MONTHLY, PAID, RuleSet, prepare
from pipeline.fraud.scoring import FraudScore, RuleOutcome
from pipeline.ids import uuid7
from pipeline.masterdata.fraud_models import ExternalCondition
from pipeline.masterdata.master import MasterData
from pipeline.packets.contracts.common import as_uuid
from pipeline.packets.contracts.fraud import Evaluation, FraudEvidence
from pipeline.validation.duplicates import Probe, find_duplicates

PURPOSES = {"REPORTER_SELFIE": "SELFIE"}  # the rules' name for it
NOT_ASKED = Answer(None, "is not asked by this call, which answers at once; it is asked when a report is validated")
_HASH = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.IGNORECASE)
_FILES = text("SELECT id, sha256, phash FROM sdcrs.file WHERE id = ANY (:ids) AND tenant_id = :tenant_id")
_TIMES = text("SELECT id, created_at FROM sdcrs.report WHERE id = ANY (:ids)")


@dataclass(frozen=True)
class Asked:
    """The answer: every rule's outcome in the rules' order, and the score."""

    outcomes: Sequence[RuleOutcome]
    fraud: FraudScore


def evaluate_asked(conn: Connection, md: MasterData, sent: Evaluation, now: datetime, applicant_id: UUID | None) -> Asked:
    """Judge the request at `now`, in a transaction that sees the tenant's reports. Raises SDCRS_NOT_FOUND for an unknown tenant.

    `applicant_id`: the account whose past counts, as far as whoever asks may know it; None: nobody's does.
    """
    tenant = md.tenant(sent.tenant_id)
    rules = prepare(md.fraud_rules(tenant.id), md.risk_config(tenant.id), sent.module_code)
    photos = sent.evidences or []
    stored = _stored(conn, tenant.id, photos)
    hashes = _hashes(photos, stored)
    place, applicant = sent.location_data, sent.applicant_info
    devices = {applicant.device_id, *(photo.metadata.device_id for photo in photos)}
    subject = Subject(
        as_uuid(sent.reference_id) or uuid7(now),
        tenant.id,
        applicant_id,
        now,
        tenant.timezone,
        place.latitude if place.longitude is not None else None,
        place.longitude if place.latitude is not None else None,
        frozenset(device for device in devices if device),
        hashes,
    )
    (history,) = gather(conn, rules.needs, [subject])
    history.alike = _alike(conn, rules, subject, photos, stored)
    found = None
    if subject.latitude is not None and subject.longitude is not None:
        found = md.locate(tenant.id, subject.latitude, subject.longitude)
    case = Case(
        report_id=subject.report_id,
        tenant_id=tenant.id,
        received_at=now,
        zone=tenant.timezone,
        document=_document(sent, history, hashes, now),
        history=history,
        inside=found is None or found.inside,
        km_outside=0.0 if found is None else found.km_outside,
        ward_code=None if found is None or found.ward is None else found.ward.code,
        now=now,
        validators=_not_asked(rules),
    )
    outcomes, result = evaluate(rules, case)
    return Asked(outcomes, result)


def _not_asked(rules: RuleSet) -> dict[str, Answer]:
    """What every validator that a rule names says here."""
    conditions = (ready.rule.condition for ready in rules.rules)
    return {condition.validator_id: NOT_ASKED for condition in conditions if isinstance(condition, ExternalCondition)}


def _purpose(photo: FraudEvidence) -> str:
    return PURPOSES.get(photo.purpose, photo.purpose)


def _stored(conn: Connection, tenant_id: str, photos: Sequence[FraudEvidence]) -> dict[UUID, Any]:
    """Those of the photos that are files of ours."""
    ids = [file_id for photo in photos if photo.file_store_id and (file_id := as_uuid(photo.file_store_id))]
    return {row.id: row for row in conn.execute(_FILES, {"ids": ids, "tenant_id": tenant_id})} if ids else {}


def _hashes(photos: Sequence[FraudEvidence], stored: dict[UUID, Any]) -> dict[str, bytes]:
    """The SHA-256 of the first photo of each purpose: our file's own, else what the request says."""
    found: dict[str, bytes] = {}
    for photo in photos:
        file = stored.get(as_uuid(photo.file_store_id or "") or UUID(int=0))
        said = _HASH.fullmatch(photo.metadata.content_hash or "")
        if file is not None:
            found.setdefault(_purpose(photo), bytes(file.sha256))
        elif said is not None:
            found.setdefault(_purpose(photo), bytes.fromhex(said[1]))
    return found


def _alike(conn: Connection, rules: RuleSet, subject: Subject, photos: Sequence[FraudEvidence], stored: dict[UUID, Any]) -> list[Match]:
    """Earlier photos like the dog photo, where its picture is known."""
    dog = next((photo for photo in photos if photo.purpose == "DOG_PHOTO"), None)
    file = None if dog is None else stored.get(as_uuid(dog.file_store_id or "") or UUID(int=0))
    if file is None or rules.needs.alike_bits is None:
        return []
    since = subject.received_at - timedelta(days=rules.needs.alike_days)
    probe = Probe(subject.report_id, subject.tenant_id, file.phash, bytes(file.sha256), since, subject.received_at)
    found = find_duplicates(conn, [probe], rules.needs.alike_bits, judging=False).get(subject.report_id, [])
    others = [candidate for candidate in found if candidate.report_id != subject.report_id]
    times = {row.id: row.created_at for row in conn.execute(_TIMES, {"ids": [c.report_id for c in others]})} if others else {}
    return [Match(c.report_id, c.report_number, times[c.report_id], c.similarity, c.same_bytes) for c in others]


def _document(sent: Evaluation, history: History, hashes: dict[str, bytes], now: datetime) -> dict[str, Any]:
    """The request in the shape in which rules name its fields. What it tells itself wins over what we counted."""
    counted = {
        DAILY: history.within_days.get(1),
        MONTHLY: history.monthly,
        LIFETIME: history.lifetime,
        PAID: history.paid_rupees,
    }
    known = {name: value for name, value in counted.items() if value is not None}
    photos = sent.evidences
    return {
        "createdTime": epoch_ms(now),
        "applicantInfo": sent.applicant_info.model_dump(by_alias=True),
        "locationData": sent.location_data.model_dump(by_alias=True),
        "evidences": None if photos is None else [_evidence(photo, hashes, sent.applicant_info.device_id) for photo in photos],
        "additionalData": {**known, **(sent.additional_data or {})},
    }


def _evidence(photo: FraudEvidence, hashes: dict[str, bytes], device_id: str | None) -> dict[str, Any]:
    metadata = {name: value for name, value in photo.metadata.model_dump(by_alias=True).items() if name in METADATA}
    sha256 = hashes.get(_purpose(photo))
    metadata["contentHash"] = None if sha256 is None else sha256.hex()
    metadata["deviceId"] = metadata["deviceId"] or device_id
    return evidence(_purpose(photo), photo.file_store_id, **metadata)
