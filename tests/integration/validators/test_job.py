"""From a waiting report to answers that rules read, over a real database and a real service."""

import base64
import io
import logging
import time
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from PIL import Image
from sqlalchemy import event, text

from pipeline.clock import SettableClock
from pipeline.fraud.validators import job as job_module
from pipeline.fraud.validators.setup import Configured, Setup
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import Runtime
from pipeline.settings import load
from pipeline.validation.job import claim, validate, validation_job
from pipeline.work import all_jobs
from tests import factories
from tests.integration.validators import house
from tests.integration.validators.house import BREED, DETECT, FACE, PATTERN, POSITION, QUALITY, SECRETS, TOKEN, drain, evaluation, results
from tests.validator_service import Say, Service, say

BAD = Say(status=500, body=b"secret of the service")


def waiting_report(rt: Runtime) -> UUID:
    """A report of a teacher of its own, so that no daily limit is met."""
    return factories.submitted(rt, factories.account(rt, f"T{time.monotonic_ns()}", "TEACHER"), dog_count=2)


@pytest.fixture(autouse=True)
def clean(rt: Runtime, clock: SettableClock):
    """Nothing of an earlier test waits, is remembered or is open."""
    run_until_idle([validation_job(rt)], clock)
    house.forget_breakers(rt)
    clock.advance(timedelta(hours=2))


def statements(rt: Runtime, work) -> int:
    """How many statements a piece of work sends."""
    seen: list[str] = []

    def note(*args: object) -> None:
        seen.append(str(args[2]))

    event.listen(rt.database.engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(rt.database.engine, "before_cursor_execute", note)
    return len(seen)


def test_without_an_address_nothing_is_asked_and_nothing_costs(rt: Runtime) -> None:
    report = waiting_report(rt)
    with house.asking(rt) as job:
        rt.masterdata.current()
        assert statements(rt, lambda: job.run_once(rt.clock.now())) == 0
        assert statements(rt, lambda: job.waits_for(rt.clock.now())) == 0
    assert drain(rt) == []
    assert factories.status_of(rt, report) == "PENDING_VERIFICATION"
    assert results(rt, report) == {}
    assert any("no address is set" in entry["reason"] and "EXT-001" in entry["rules"] for entry in evaluation(rt, report).skipped)


def test_a_claim_without_validators_is_the_statement_it_was(rt: Runtime) -> None:
    with rt.database.worker() as conn:
        assert statements(rt, lambda: claim(conn, rt.clock.now(), 10, None)) == 1
    assert statements(rt, lambda: validation_job(rt).run_once(rt.clock.now())) == 2  # the batch's time limit, and the claim


def test_every_shipped_validator_is_asked_as_it_is_configured(rt: Runtime, service: Service) -> None:
    rt = house.with_validators(rt, service, *house.ADDRESSES)
    service.will(BREED, say({"predictions": {"breed": "mixed", "confidence": 0.93, "is_dog": True}}))
    report = waiting_report(rt)
    run_until_idle([validation_job(rt)], rt.clock)
    assert factories.status_of(rt, report) == "PENDING_VALIDATION"  # it waits for its answers
    assert drain(rt) == []
    assert factories.status_of(rt, report) == "PENDING_VERIFICATION"
    found = results(rt, report)
    assert {row.state for row in found.values()} == {"ANSWERED"}
    assert found["OBJECT_DETECTOR"].outputs == {"detections": house.DOGS["detections"], "dogCount": 2, "personPresent": False}
    assert found["FACE_MATCHER"].outputs == {"match": True, "similarity": 0.93, "facesDetected": 1}
    assert found["ANOMALY_DETECTOR"].outputs == {"anomalyScore": 0.1, "isAnomaly": False}
    assert "DOG_BREED_CLASSIFIER" not in found  # no rule asks it
    assert service.on(BREED) == []

    def only(path: str):
        (asked,) = service.on(path)
        return asked

    assert only(DETECT).headers["authorization"] == f"Bearer {SECRETS['YOLO_SERVICE_TOKEN']}"
    assert only(QUALITY).headers["authorization"] == f"Basic {base64.b64encode(b'quality:pass:word').decode()}"
    assert only(PATTERN).headers["authorization"] == SECRETS["ANOMALY_API_KEY"]
    assert only(POSITION).headers["x-api-key"] == SECRETS["GPS_VALIDATION_API_KEY"]
    assert only(TOKEN).body == b"grant_type=client_credentials"
    assert only(TOKEN).headers["authorization"] == f"Basic {base64.b64encode(b'client:secret%2Fof+it').decode()}"
    assert only(FACE).headers["authorization"] == "Bearer t-1"
    assert only(PATTERN).json["features"] | {"submissionHour": 0, "dayOfWeek": 0} == {
        "submissionHour": 0,
        "dayOfWeek": 0,
        "gpsLat": 11.5886,
        "gpsLon": 43.1456,
        "recentSubmissionCount": 1,
        "avgTimeBetweenSubmissions": None,
    }
    assert only(POSITION).json["historicalLocations"] == []
    with Image.open(io.BytesIO(base64.b64decode(only(FACE).json["sourceImage"]))) as selfie:
        assert not selfie.getexif()  # as everybody is shown it
    assert only(FACE).json["targetImage"] is None


def test_a_photo_can_be_sent_as_a_link_that_ends(rt: Runtime, service: Service) -> None:
    rt = house.with_validators(rt, service, "DETECT")
    waiting_report(rt)
    drain(rt)
    link = urlsplit(service.on(DETECT)[0].json["image"])
    assert (link.scheme, link.netloc) == ("https", "reports.example")
    query = {name: values[0] for name, values in parse_qs(link.query).items()}
    file_id = UUID(link.path.rpartition("/")[2])
    signed = (file_id, query["variant"], query["expires"], query["signature"])
    assert rt.files.verify_signature(*signed, rt.clock.now()) == "photo"
    with pytest.raises(Exception, match="LINK_EXPIRED"):
        rt.files.verify_signature(*signed, rt.clock.now() + timedelta(minutes=11))


def test_no_person_is_in_what_is_sent(rt: Runtime, service: Service) -> None:
    rt = house.with_validators(rt, service, *house.ADDRESSES)
    who = factories.people(rt)
    factories.submitted(rt, who.teacher)
    drain(rt)
    everything = b"".join(one.body for one in service.asked)
    for personal in ("Name of", "9876543210", "@okaxis", str(who.teacher.account_id), who.teacher.username):
        assert personal.encode() not in everything


def test_the_past_is_counted_with_the_report_itself(rt: Runtime, service: Service, clock: SettableClock) -> None:
    rt = house.with_validators(rt, service, "PATTERN", "POSITION")
    teacher = factories.account(rt, "T-past", "TEACHER")
    factories.submitted(rt, teacher)
    clock.advance(timedelta(minutes=90))
    factories.submitted(rt, teacher)
    drain(rt)
    last = max(service.on(PATTERN), key=lambda one: one.json["features"]["recentSubmissionCount"]).json["features"]
    assert (last["recentSubmissionCount"], last["avgTimeBetweenSubmissions"]) == (2, 90.0)
    places = max((one.json["historicalLocations"] for one in service.on(POSITION)), key=len)
    assert [(place["latitude"], place["longitude"]) for place in places] == [factories.SCHOOL_GATE]


def test_what_a_validator_says_rejects_a_report(rt: Runtime, service: Service) -> None:
    rt = house.with_validators(rt, service, "DETECT")
    service.will(DETECT, say({"detections": []}))
    report = waiting_report(rt)
    drain(rt)
    assert factories.status_of(rt, report) == "AUTO_REJECTED"
    assert [rule["id"] for rule in evaluation(rt, report).fired if rule["type"] == "EXTERNAL_VALIDATOR"] == ["EXT-001", "EXT-002"]


FAILURES = [
    # validator, answers, calls, state, in the reason
    ("DETECT", [BAD], 2, "MANUAL", "HTTP 500"),
    ("DETECT", [Say(status=429)], 2, "MANUAL", "HTTP 429"),
    ("DETECT", [Say(status=401)], 1, "MANUAL", "HTTP 401"),
    ("DETECT", [Say(status=422)], 1, "MANUAL", "HTTP 422"),
    ("DETECT", [Say(status=302, headers={"Location": "/secret"})], 1, "MANUAL", "elsewhere"),
    ("DETECT", [Say(body=b"<html>")], 1, "MANUAL", "not JSON"),
    ("DETECT", [Say(body=b'{"a":' * 5000)], 1, "MANUAL", "nested"),
    ("DETECT", [Say(body=b"x" * 1_000_000)], 1, "MANUAL", "too large"),
    ("DETECT", [Say(cut=True, body=b"{}" * 50)], 2, "MANUAL", "broke"),
    ("DETECT", [BAD, say(house.DOGS)], 2, "ANSWERED", None),
    ("QUALITY", [BAD], 2, "SKIPPED", "HTTP 500"),
    ("POSITION", [BAD], 1, "DEFAULTED", "HTTP 500"),
    ("PATTERN", [Say(wait_s=3)], 1, "SKIPPED", "in time"),
]
IDS = {"DETECT": "OBJECT_DETECTOR", "QUALITY": "IMAGE_QUALITY_ANALYZER", "POSITION": "GPS_SPOOFING_DETECTOR", "PATTERN": "ANOMALY_DETECTOR"}
PATHS = {"DETECT": DETECT, "QUALITY": QUALITY, "POSITION": POSITION, "PATTERN": PATTERN}


@pytest.mark.parametrize(("name", "answers", "calls", "state", "words"), FAILURES)
def test_a_validator_that_fails_follows_its_fallback(
    name: str, answers: list[Say], calls: int, state: str, words: str | None, rt: Runtime, service: Service, clock: SettableClock, caplog
) -> None:
    if name == "PATTERN":
        house.configure(rt, IDS[name], {"timeout": {"connectMs": 200, "readMs": 300}})
    rt = house.with_validators(rt, service, name)
    service.will(PATHS[name], *answers)
    report = waiting_report(rt)
    with caplog.at_level(logging.INFO):
        for _ in range(4):
            drain(rt)
            house.later(clock, 2)
    row = results(rt, report)[IDS[name]]
    assert (row.state, len(service.on(PATHS[name]))) == (state, calls)
    assert words is None or words in row.reason
    assert factories.status_of(rt, report) == "PENDING_VERIFICATION"
    judged = evaluation(rt, report)
    if state == "MANUAL":
        assert judged.recommendation == "MANUAL_REVIEW"
        assert any(rule["id"] == "EXT-001" for rule in judged.unevaluated)
    else:
        assert judged.unevaluated == []
    if state == "SKIPPED":
        assert any(words in entry["reason"] for entry in judged.skipped if words)
    if state == "DEFAULTED":
        assert row.outputs == {"isSpoofed": False}
    told = caplog.text
    assert not any(secret in told for secret in SECRETS.values())
    assert "secret of the service" not in told
    assert str(report) not in told


def test_a_service_that_asks_for_patience_is_given_it(rt: Runtime, service: Service, clock: SettableClock) -> None:
    rt = house.with_validators(rt, service, "DETECT")
    service.will(DETECT, Say(status=429, headers={"Retry-After": "7"}), say(house.DOGS))
    report = waiting_report(rt)
    (waits,) = drain(rt)
    assert (waits.job, waits.subjects, waits.due) == ("fraud.validators", 1, clock.now() + timedelta(seconds=7))
    house.later(clock, 6)
    drain(rt)
    assert len(service.on(DETECT)) == 1
    house.later(clock, 1)
    assert drain(rt) == []
    assert results(rt, report)["OBJECT_DETECTOR"].state == "ANSWERED"


PROBLEMS = [
    ({"YOLO_SERVICE_TOKEN": ""}, "YOLO_SERVICE_TOKEN is not set"),
    ({"YOLO_SERVICE_TOKEN": "a\nX-Evil: 1"}, "no header can carry"),
    ({"YOLO_SERVICE_URL": "ftp://there"}, "not one of http"),
    ({"YOLO_SERVICE_URL": "http://user:word@there"}, "not one of http"),
    ({"YOLO_SERVICE_URL": "http://127.0.0.2:9"}, "may not be called"),
    ({"YOLO_SERVICE_URL": "http://169.254.169.254/latest"}, "may not be called"),
]


@pytest.mark.parametrize(("environment", "words"), PROBLEMS)
def test_an_address_without_the_rest_is_a_failure_and_no_silent_skip(
    environment: dict[str, str], words: str, rt: Runtime, service: Service
) -> None:
    rt = house.with_validators(rt, service, "DETECT", **environment)
    report = waiting_report(rt)
    drain(rt)
    row = results(rt, report)["OBJECT_DETECTOR"]
    assert row.state == "MANUAL"
    assert words in row.reason
    assert service.asked == []


def test_our_own_secrets_are_not_in_the_environment_of_validators() -> None:
    ours = {"DATABASE_URL": "postgresql://a:b@c/d", "RAZORPAYX_KEY_SECRET": "x", "PGPASSWORD": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    settings = load({**ours, "AI_SERVICE_URL": "https://ai.example"})
    assert dict(settings.environment) == {"AI_SERVICE_URL": "https://ai.example"}
    assert "ai.example" not in repr(settings)


def test_a_token_is_fetched_once_and_again_when_it_is_refused(rt: Runtime, service: Service) -> None:
    rt = house.with_validators(rt, service, "FACE")
    service.will(TOKEN, *(say({"access_token": f"t-{n}", "expires_in": 3600}) for n in range(1, 4)))
    with house.asking(rt) as job:
        for _ in range(3):
            waiting_report(rt)
        run_until_idle([job], rt.clock)
        assert (len(service.on(TOKEN)), len(service.on(FACE))) == (1, 3)
        service.will(FACE, Say(status=401), house.GOOD[FACE])
        report = waiting_report(rt)
        run_until_idle([job], rt.clock)
    assert len(service.on(TOKEN)) == 2
    assert service.on(FACE)[-1].headers["authorization"] == "Bearer t-2"
    assert results(rt, report)["FACE_MATCHER"].state == "ANSWERED"


@pytest.mark.parametrize(
    ("answer", "calls"),
    [(Say(status=503), 2), (Say(status=400), 1), (say({"token": "x"}), 1), (say({"access_token": "a b\r\nX: 1"}), 1), (Say(body=b"?"), 1)],
)
def test_without_a_token_nobody_is_asked(answer: Say, calls: int, rt: Runtime, service: Service, clock: SettableClock) -> None:
    rt = house.with_validators(rt, service, "FACE")
    service.will(TOKEN, answer)
    report = waiting_report(rt)
    for _ in range(3):
        drain(rt)
        house.later(clock, 2)
    assert (len(service.on(TOKEN)), service.on(FACE)) == (calls, [])
    assert results(rt, report)["FACE_MATCHER"].state == "MANUAL"


def test_a_token_that_is_about_to_end_is_not_used(rt: Runtime, service: Service) -> None:
    rt = house.with_validators(rt, service, "FACE")
    service.will(TOKEN, say({"access_token": "short", "expires_in": 20}))
    with house.asking(rt) as job:
        for _ in range(2):
            waiting_report(rt)
            run_until_idle([job], rt.clock)
    assert len(service.on(TOKEN)) == 2


def test_a_slow_validator_does_not_hold_up_the_other_jobs(rt: Runtime, service: Service) -> None:
    rt = house.with_validators(rt, service, "DETECT")
    service.will(DETECT, say(house.DOGS, wait_s=1.5))
    report = waiting_report(rt)
    with house.asking(rt) as job:
        begun = time.monotonic()
        assert job.run_once(rt.clock.now()) > 0
        assert time.monotonic() - begun < 0.8
        assert results(rt, report)["OBJECT_DETECTOR"].state == "ASKING"
        assert run_until_idle([job, validation_job(rt)], rt.clock) == []
    assert factories.status_of(rt, report) == "PENDING_VERIFICATION"


def test_a_fault_of_our_own_is_recorded_and_ends(rt: Runtime, service: Service, clock: SettableClock, monkeypatch) -> None:
    rt = house.with_validators(rt, service, "DETECT")

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(job_module, "ask", broken)
    report = waiting_report(rt)
    with house.asking(rt) as job:
        run_until_idle([job], rt.clock)
        with rt.database.worker() as conn:
            error = conn.execute(text("SELECT error FROM jobs.failure WHERE subject = :id"), {"id": report}).scalar_one()
        assert "a fault of ours" in error
        house.later(clock, 5)
        run_until_idle([job], rt.clock)
    assert results(rt, report)["OBJECT_DETECTOR"].state == "MANUAL"
    drain(rt)
    assert factories.status_of(rt, report) == "PENDING_VERIFICATION"


def test_an_import_of_the_past_is_not_asked_about(rt: Runtime, service: Service) -> None:
    rt = house.with_validators(rt, service, "DETECT")
    report = waiting_report(rt)
    md = rt.masterdata.current()
    with rt.database.worker() as conn:
        validate(conn, md, [report], rt.clock.now(), setup=Configured(rt.settings).at(md))
    assert any("was not asked" in entry["reason"] for entry in evaluation(rt, report).skipped)
    assert service.asked == []


def test_one_that_is_switched_off_meanwhile_keeps_no_report_waiting(rt: Runtime, service: Service, clock: SettableClock) -> None:
    asked = house.with_validators(rt, service, "DETECT", "QUALITY")
    service.will(DETECT, BAD)
    report = waiting_report(asked)
    drain(asked)
    rt = house.with_validators(rt, service, "QUALITY")
    house.later(clock, 5)
    assert drain(rt) == []
    assert factories.status_of(rt, report) == "PENDING_VERIFICATION"
    assert (results(rt, report)["OBJECT_DETECTOR"].state, results(rt, report)["OBJECT_DETECTOR"].reason) == ("SKIPPED", job_module.GONE)


def test_one_that_is_set_up_meanwhile_is_asked_about_the_next_report(rt: Runtime, service: Service, clock: SettableClock) -> None:
    first = house.with_validators(rt, service, "QUALITY")
    report = waiting_report(first)
    with house.asking(first) as job:
        run_until_idle([job], clock)
    both = house.with_validators(rt, service, "QUALITY", "DETECT")
    later = waiting_report(both)
    assert drain(both) == []
    assert {factories.status_of(both, one) for one in (report, later)} == {"PENDING_VERIFICATION"}
    assert list(results(both, report)) == ["IMAGE_QUALITY_ANALYZER"]
    assert len(results(both, later)) == 2
    assert any("OBJECT_DETECTOR: was not asked" in entry["reason"] for entry in evaluation(both, report).skipped)


def test_a_tenant_that_asks_nobody_does_not_wait_for_one_that_does(rt: Runtime, service: Service) -> None:
    rt = house.with_validators(rt, service, "DETECT")
    setup = house.setup_of(rt)
    assert factories.VILLE in setup.tenants
    elsewhere = Setup({tenant: asked for tenant, asked in setup.tenants.items() if tenant != factories.VILLE}, {})
    report = waiting_report(rt)
    with rt.database.worker() as conn:
        assert claim(conn, rt.clock.now(), 10, None, setup) == []
        assert claim(conn, rt.clock.now(), 10, None, elsewhere) == [report]


def test_a_validator_that_is_switched_off_says_so(rt: Runtime, service: Service) -> None:
    house.configure(rt, "IMAGE_QUALITY_ANALYZER", {"enabled": False})
    try:
        off = house.with_validators(rt, service, "QUALITY", "DETECT")
        report = waiting_report(off)
        drain(off)
        assert any(entry["reason"] == "IMAGE_QUALITY_ANALYZER: is switched off" for entry in evaluation(off, report).skipped)
        assert service.on(QUALITY) == []
    finally:
        house.configure(rt, "IMAGE_QUALITY_ANALYZER", {"enabled": True})


def test_answers_are_seen_in_their_own_tenant_alone(rt: Runtime, service: Service) -> None:
    rt = house.with_validators(rt, service, "DETECT")
    report = waiting_report(rt)
    drain(rt)
    for scope, seen in (((factories.VILLE,), 1), (("dj.ali-sabieh",), 0)):
        with rt.database.begin(scope) as conn:
            sql = text("SELECT count(*) FROM fraud.validator_result WHERE report_id = :id")
            assert conn.execute(sql, {"id": report}).scalar_one() == seen


def test_the_worker_asks_before_it_validates(rt: Runtime) -> None:
    names = [job.name for job in all_jobs(rt)]
    assert names.index("fraud.validators") < names.index("validation")
