"""Reports that wait, validators at the test service, and a worker's two jobs over them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from pipeline.clock import SettableClock
from pipeline.fraud.validators.job import ValidatorsJob
from pipeline.fraud.validators.setup import Configured, Setup
from pipeline.jobs.worker import Waiting, run_until_idle
from pipeline.masterdata.documents import Document
from pipeline.masterdata.master import MasterData
from pipeline.masterdata.store import publish
from pipeline.runtime import Runtime
from pipeline.validation.job import validation_job
from tests.validator_service import Say, Service, say

SECRETS = {
    "AI_SERVICE_API_KEY": "key of the breed service",
    "YOLO_SERVICE_TOKEN": "token-of-the-detector",
    "FACE_API_CLIENT_ID": "client",
    "FACE_API_CLIENT_SECRET": "secret/of it",
    "IQA_USERNAME": "quality",
    "IQA_PASSWORD": "pass:word",
    "ANOMALY_API_KEY": "key of the pattern service",
    "GPS_VALIDATION_API_KEY": "key of the position service",
}
BREED = "/api/v1/classify/dog-breed"
DETECT = "/detect"
FACE = "/api/verify"
TOKEN = "/oauth/token"
QUALITY = "/analyze"
PATTERN = "/predict"
POSITION = "/detect-spoofing"
ADDRESSES = {
    "BREED": "AI_SERVICE_URL",
    "DETECT": "YOLO_SERVICE_URL",
    "FACE": "FACE_API_URL",
    "QUALITY": "IQA_SERVICE_URL",
    "PATTERN": "ANOMALY_SERVICE_URL",
    "POSITION": "GPS_VALIDATION_URL",
}
DOGS = {"detections": [{"class": "dog", "confidence": 0.97}, {"class": "dog", "confidence": 0.9}]}
GOOD: dict[str, Say] = {
    DETECT: say(DOGS),
    FACE: say({"result": {"match": True, "similarity": 0.93, "faces_detected": 1}}),
    TOKEN: say({"access_token": "t-1", "token_type": "Bearer", "expires_in": 3600}),
    QUALITY: say({"quality": {"overall_score": 0.8, "blur_score": 0.9, "exposure_score": 0.7, "acceptable": True}}),
    PATTERN: say({"prediction": {"anomaly_score": 0.1, "is_anomaly": False, "anomaly_type": None}}),
    POSITION: say({"prediction": {"is_spoofed": False, "confidence": 0.99, "method": None}}),
}


def with_validators(rt: Runtime, service: Service, *named: str, **environment: str) -> Runtime:
    """The runtime of a process whose environment gives these validators the test service's address, and all secrets."""
    for path, answer in GOOD.items():
        service.will(path, answer)
    addresses = {ADDRESSES[name]: service.url for name in named}
    settings = replace(
        rt.settings,
        environment={**SECRETS, **addresses, **environment},
        validator_networks=("127.0.0.1/32",),
        api_public_url="https://reports.example",
    )
    return replace(rt, settings=settings)


@contextmanager
def asking(rt: Runtime, lines: int = 4) -> Iterator[ValidatorsJob]:
    """The job of one worker."""
    job = ValidatorsJob(rt, Configured(rt.settings), lines)
    try:
        yield job
    finally:
        job.close()


def drain(rt: Runtime) -> list[Waiting]:
    """Both jobs until nothing is due now."""
    with asking(rt) as job:
        return run_until_idle([job, validation_job(rt)], rt.clock)


def later(clock: SettableClock, seconds: float) -> None:
    clock.advance(timedelta(seconds=seconds))


def setup_of(rt: Runtime) -> Setup:
    return Configured(rt.settings).at(rt.masterdata.current())


def results(rt: Runtime, report_id: UUID) -> dict[str, Any]:
    """The rows of a report by validator."""
    with rt.database.worker() as conn:
        rows = conn.execute(text("SELECT * FROM fraud.validator_result WHERE report_id = :id"), {"id": report_id})
        return {row.validator_id: row for row in rows}


def breakers(rt: Runtime) -> dict[str, Any]:
    """The breakers by validator."""
    with rt.database.worker() as conn:
        return {row.breaker.split()[0]: row for row in conn.execute(text("SELECT * FROM fraud.validator_breaker"))}


def forget_breakers(rt: Runtime) -> None:
    """As if nothing had ever failed, and nothing were remembered."""
    with rt.database.worker() as conn:
        conn.execute(text("UPDATE fraud.validator_breaker SET failures = 0, open_until = NULL, probe_until = NULL, trouble = NULL"))
        conn.execute(text("DELETE FROM fraud.validator_cache"))


def evaluation(rt: Runtime, report_id: UUID) -> Any:
    """The last evaluation of a report."""
    with rt.database.worker() as conn:
        sql = "SELECT * FROM fraud.evaluation WHERE report_id = :id ORDER BY number DESC LIMIT 1"
        return conn.execute(text(sql), {"id": report_id}).one()


def configure(rt: Runtime, validator_id: str, changes: Mapping[str, Any]) -> Runtime:
    """Publish the shipped validators with changes to one of them; the runtime sees it at once."""
    entry = rt.masterdata.current().entry_of("FRAUD-DETECTION", "ExternalValidators", "dj.djibouti-ville")
    content = json.loads(json.dumps(entry.document.content))
    for validator in content["ExternalValidators"]:
        if validator["id"] == validator_id:
            for name, value in changes.items():
                validator[name] = (
                    {**validator[name], **value} if isinstance(value, dict) and isinstance(validator.get(name), dict) else value
                )
    with rt.database.worker() as conn:
        publish(conn, [Document("common", "FRAUD-DETECTION", "ExternalValidators", content, "test")], rt.clock.now(), "tests")
    rt.masterdata._checked_at = 0.0
    changed = rt.masterdata.current()
    assert isinstance(changed, MasterData)
    return rt
