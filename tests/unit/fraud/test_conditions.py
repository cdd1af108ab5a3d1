"""Each condition type as a table: triggered, not triggered, missing data, boundary value. What it says comes last."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from pipeline.clock import epoch_ms
from pipeline.fraud.case import Answer, Before, History, Match, SameFile
from pipeline.fraud.evaluate import evaluate
from pipeline.fraud.ruleset import CONDITIONS, prepare
from pipeline.fraud.scoring import RuleOutcome
from pipeline.masterdata.files import read_folder
from pipeline.masterdata.fraud_models import RiskConfig
from pipeline.masterdata.master import MasterData
from tests.unit.fraud.cases import DOG, EARLIER, NOON, SELFIE, case, minutes, rule

GPS = "evidences[*].metadata.gpsLatitude"
TIME = "evidences[*].metadata.timestamp"
DEVICE = "evidences[*].metadata.deviceId"
POINTS = {"point1": "evidences[purpose=DOG_PHOTO].metadata.gps", "point2": "evidences[purpose=SELFIE].metadata.gps"}
FIELDS = {"field1": "evidences[purpose=DOG_PHOTO].metadata.timestamp", "field2": "evidences[purpose=SELFIE].metadata.timestamp"}
SCHOOL = [
    {"start": "07:00", "end": "18:00", "days": ["MON", "TUE", "WED", "THU", "FRI"]},
    {"start": "08:00", "end": "14:00", "days": ["SAT"]},
]
NIGHT = [{"start": "22:00", "end": "04:00", "days": ["MON"]}]
FIRED, CLEAR, SKIPPED, ERROR = "FIRED", "CLEAR", "SKIPPED", "ERROR"


@pytest.fixture(scope="module")
def config() -> RiskConfig:
    return MasterData(read_folder()).risk_config("dj.djibouti-ville")


def history(**known: Any) -> dict[str, Any]:
    return {"history": History(**known)}


def metres_north(metres: float) -> float:
    """The latitude so far north of the dog photo."""
    return 11.5886 + metres / 111_195.08


def old(hours: float, milliseconds: int = 0) -> int:
    return (epoch_ms(NOON - timedelta(hours=hours)) or 0) - milliseconds


def same(days: float = 1, report_id: UUID = EARLIER, similarity: float = 1.0, same_bytes: bool = True) -> Match:
    return Match(report_id, "DR-DJ-2026-000100", NOON - timedelta(days=days), similarity, same_bytes)


def file_of(purpose: str, *matches: Match, own: bool = False) -> dict[str, Any]:
    return history(same_file={SameFile(purpose, own): matches})


def before(minutes_ago: float, metres: float = 0) -> dict[str, Any]:
    return history(before=Before(EARLIER, NOON - minutes(minutes_ago), metres_north(metres), 43.1456))


def validator(**outputs: Any) -> dict[str, Any]:
    return {"validators": {"OBJECT_DETECTOR": Answer(outputs)}}


def local(hour: int, minute: int = 0, day: int = 10) -> dict[str, Any]:
    """A receipt at this time in Djibouti, in March 2026; the 10th is a Tuesday."""
    return {"at": NOON.replace(day=day, hour=0, minute=0) + timedelta(hours=hour - 3, minutes=minute)}


NULL = {"type": "NULL_CHECK", "field": GPS}
BOUNDARY = {"type": "GEO_BOUNDARY", "field": "locationData", "boundaryType": "TENANT"}
WARD = {**BOUNDARY, "boundaryType": "WARD"}
DISTANCE = {"type": "GEO_DISTANCE", **POINTS, "maxDistanceMeters": 500}
VELOCITY = {"type": "VELOCITY", "field": "applicantId", "threshold": 5, "windowHours": 1}
AGE = {"type": "TIMESTAMP_AGE", "field": TIME, "maxAgeHours": 48}
DIFF = {"type": "TIMESTAMP_DIFF", **FIELDS, "maxDiffMinutes": 10}
CONTENT = {"type": "HASH_MATCH", "field": "contentHash", "algorithm": "SHA256", "threshold": 1.0}
DOG_FILE = {**CONTENT, "field": "evidences[purpose=DOG_PHOTO].fileStoreId", "lookbackDays": 30}
OWN_SELFIE = {**DOG_FILE, "field": "evidences[purpose=SELFIE].fileStoreId", "sameApplicantOnly": True}
ALIKE = {"type": "IMAGE_SIMILARITY", "field": "evidences[purpose=DOG_PHOTO].fileStoreId", "algorithm": "pHash", "threshold": 0.9,
         "lookbackDays": 7}  # fmt: skip
INTERVAL = {"type": "INTERVAL", "field": "applicantId", "minIntervalMinutes": 5}
SHARED = {"type": "DEVICE_SHARING", "field": DEVICE, "minUniqueUsers": 2, "windowDays": 7}
CLUSTER = {"type": "GEO_CLUSTER", "field": "locationData", "radiusMeters": 50, "windowHours": 24, "minCount": 3}
EXIF = {"type": "METADATA_CHECK", "field": "evidences[*].metadata.exifPresent", "expectedValue": True}
WINDOW = {"type": "TIME_WINDOW", "field": "createdTime", "allowedWindows": SCHOOL}
OVERNIGHT = {**WINDOW, "allowedWindows": NIGHT}
MONTH = {"type": "AGGREGATE_COUNT", "field": "applicantId", "periodDays": 30, "threshold": 15, "capValue": 20}
DAY = {"type": "AGGREGATE_COUNT", "field": "applicantId", "periodDays": 1, "threshold": 5}
SPEED = {"type": "GPS_VELOCITY", "field": "locationData", "maxSpeedKmh": 120, "minIntervalMinutes": 5}
PACK = {"type": "CUSTOM", "expression": "#additionalData['dogCount'] != null && #additionalData['dogCount'] > 10"}
EMULATOR = {"type": "CUSTOM", "expression": "#deviceId != null && (#deviceId.contains('emulator') || #deviceId.contains('sdk'))"}
EVIDENCE = {"type": "CUSTOM", "expression": "#evidences == null || #evidenceCount < 2"}
NO_DOG = {
    "type": "EXTERNAL_VALIDATOR",
    "validatorId": "OBJECT_DETECTOR",
    "checkExpression": "predictions.dogCount == 0",
    "minConfidence": 0.8,
}
MISCOUNT = {"type": "EXTERNAL_VALIDATOR", "validatorId": "OBJECT_DETECTOR",
            "checkExpression": "abs(predictions.dogCount - additionalData.dogCount) > 1"}  # fmt: skip
AT_NIGHT = {"type": "EXTERNAL_VALIDATOR", "validatorId": "OBJECT_DETECTOR", "checkExpression":
            "predictions.exposureScore < 0.3 && (metadata.timestamp.hour >= 18 || metadata.timestamp.hour <= 6)"}  # fmt: skip

TABLE: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    (NULL, {"selfie__gpsLatitude": None}, FIRED, "The position is missing in the selfie"),
    (NULL, {}, CLEAR, "The position is there"),
    (NULL, {"evidences": []}, FIRED, "The position is missing in any photo, since there is none"),
    (NULL, {"dog__gpsLatitude": 0.0}, CLEAR, "The position is there"),
    ({**NULL, "field": "evidences[*].metadata.gpsLattitude"}, {}, ERROR, "there is no 'gpsLattitude'"),
    ({**NULL, "field": "additionalData.dogCount"}, {"additionalData__dogCount": None}, FIRED, "The number of dogs is missing"),
    (BOUNDARY, {"inside": False, "km_outside": 6.84}, FIRED, "6.8 km outside the area"),
    (BOUNDARY, {}, CLEAR, "Inside the area"),
    (BOUNDARY, {"locationData__latitude": None}, CLEAR, "The report names no place"),
    (BOUNDARY, {"inside": False, "km_outside": 0.0}, FIRED, "0.0 km outside"),
    (WARD, {"ward_code": "W006"}, FIRED, "The pin is in ward W006, the report names W005"),
    (WARD, {}, CLEAR, "the report names W005"),
    (WARD, {"locationData__ward": None}, CLEAR, "names no ward"),
    (DISTANCE, {"selfie__gpsLatitude": metres_north(501), "selfie__gpsLongitude": 43.1456}, FIRED,
     "Dog photo 501 m from selfie, limit 500 m"),
    (DISTANCE, {}, CLEAR, "limit 500 m"),
    (DISTANCE, {"selfie__gpsLatitude": None}, CLEAR, "Not both places are known"),
    (DISTANCE, {"selfie": None}, CLEAR, "Not both places are known"),
    (DISTANCE, {"selfie__gpsLatitude": metres_north(499.9), "selfie__gpsLongitude": 43.1456}, CLEAR, "500 m from selfie"),
    ({**DISTANCE, "point1": "locationData"}, {"locationData__latitude": 11.7}, FIRED, "Pin 12.4 km from selfie"),
    (VELOCITY, history(within_hours={1: 6}), FIRED, "6 reports within 1 h, limit 5"),
    (VELOCITY, history(within_hours={1: 1}), CLEAR, "1 report within 1 h"),
    (VELOCITY, history(within_hours={1: 5}), CLEAR, "5 reports within 1 h, limit 5"),
    (VELOCITY, history(), ERROR, "could not be evaluated"),
    (AGE, {"dog__timestamp": old(72)}, FIRED, "Oldest photo is 72.0 h old, limit 48 h"),
    (AGE, {"selfie__timestamp": old(49)}, FIRED, "49.0 h"),
    (AGE, {}, CLEAR, "0.0 h old"),
    (AGE, {"dog__timestamp": None, "selfie__timestamp": None}, CLEAR, "No photo tells when it was taken"),
    (AGE, {"dog__timestamp": old(48)}, CLEAR, "48.0 h old, limit 48 h"),
    (AGE, {"dog__timestamp": old(48, 1)}, FIRED, "48.0 h old, limit 48 h"),
    (DIFF, {"selfie__timestamp": old(1)}, FIRED, "58.0 min apart, limit 10 min"),
    (DIFF, {}, CLEAR, "1.0 min apart"),
    (DIFF, {"dog__timestamp": None}, CLEAR, "Not both photos tell when they were taken"),
    (DIFF, {"dog__timestamp": old(0), "selfie__timestamp": old(10 / 60)}, CLEAR, "10.0 min apart"),
    (DIFF, {"dog__timestamp": old(0), "selfie__timestamp": old(10 / 60, 1)}, FIRED, "10.0 min apart"),
    (CONTENT, file_of(DOG, same(days=400)), FIRED, "The very file of the dog photo of DR-DJ-2026-000100"),
    (CONTENT, file_of(DOG), CLEAR, "No earlier report has this file"),
    (CONTENT, {**file_of(DOG), "dog__contentHash": None}, CLEAR, "The report has no such file"),
    (CONTENT, {**file_of(DOG, same()), "gone": {EARLIER}}, CLEAR, "No earlier report has this file"),
    (DOG_FILE, file_of(DOG, same(days=30)), FIRED, "The very file"),
    (DOG_FILE, file_of(DOG, same(days=30.001)), CLEAR, "No earlier report"),
    (DOG_FILE, {**file_of(DOG), "dog": None}, CLEAR, "The report has no such file"),
    (OWN_SELFIE, file_of(SELFIE, same(), own=True), FIRED, "the selfie of DR-DJ-2026-000100"),
    (OWN_SELFIE, file_of(SELFIE, own=True), CLEAR, "No earlier report"),
    ({**DOG_FILE, "field": "evidences[*].fileStoreId"}, {}, ERROR, "are not searched"),
    (ALIKE, history(alike=[same(similarity=1 - 3 / 64, same_bytes=False)]), FIRED,
     "95% like the dog photo of DR-DJ-2026-000100, limit 90%"),
    (ALIKE, history(), CLEAR, "No dog photo of the last 7 days is alike"),
    (ALIKE, history(alike=[same(similarity=1 - 6 / 64, same_bytes=False)]), FIRED, "91% like"),
    (ALIKE, history(alike=[same(similarity=1 - 7 / 64, same_bytes=False)]), CLEAR, "alike"),
    (ALIKE, history(alike=[same(days=7)]), FIRED, "100% like"),
    (ALIKE, history(alike=[same(days=7.001)]), CLEAR, "alike"),
    (ALIKE, {**history(alike=[same()]), "gone": {EARLIER}}, CLEAR, "alike"),
    ({**ALIKE, "threshold": 0.5}, {}, ERROR, "are not searched"),
    ({**ALIKE, "field": "evidences[purpose=SELFIE].fileStoreId"}, {}, ERROR, "only dog photos"),
    (INTERVAL, before(4.9), FIRED, "4.9 min after the report before, at least 5 min"),
    (INTERVAL, before(60), CLEAR, "60.0 min"),
    (INTERVAL, history(), CLEAR, "No report shortly before"),
    (INTERVAL, before(5), CLEAR, "5.0 min"),
    (SHARED, history(device_users={7: 3}), FIRED, "3 teachers used this device within 7 days"),
    (SHARED, history(device_users={7: 1}), CLEAR, "1 teacher used"),
    (SHARED, {**history(device_users={7: 1}), "dog__deviceId": None, "selfie__deviceId": None}, CLEAR, "tells no device"),
    (SHARED, history(device_users={7: 2}), FIRED, "2 teachers"),
    (CLUSTER, history(nearby={(50, 24): 4}), FIRED, "4 reports within 50 m and 24 h, flagged from 3"),
    (CLUSTER, history(nearby={(50, 24): 1}), CLEAR, "1 report within"),
    (CLUSTER, history(nearby={(50, 24): 3}), FIRED, "3 reports"),
    (CLUSTER, history(nearby={(50, 24): 2}), CLEAR, "2 reports"),
    (CLUSTER, history(), ERROR, "could not be evaluated"),
    (EXIF, {"selfie__exifPresent": False}, FIRED, "EXIF data is missing in the selfie"),
    (EXIF, {}, CLEAR, "exifPresent is True"),
    (EXIF, {"dog__exifPresent": None, "selfie__exifPresent": None}, CLEAR, "exifPresent is not known"),
    (EXIF, {"dog__exifPresent": None, "selfie__exifPresent": False}, FIRED, "the selfie"),
    ({**EXIF, "field": "evidences[*].metadata.software", "expectedValue": "HDR+"}, {"dog__software": "Photo Editor"}, FIRED,
     "software is Photo Editor in the dog photo, expected HDR+"),
    (WINDOW, local(19), FIRED, "Tuesday 19:00 local time, outside the allowed hours"),
    (WINDOW, local(12), CLEAR, "inside the allowed hours"),
    (WINDOW, {"createdTime": None}, CLEAR, "The time is not known"),
    (WINDOW, local(7), CLEAR, "Tuesday 07:00"),
    (WINDOW, local(18), CLEAR, "Tuesday 18:00"),
    (WINDOW, local(18, 1), FIRED, "Tuesday 18:01"),
    (WINDOW, local(6, 59), FIRED, "Tuesday 06:59"),
    (WINDOW, local(15, 0, day=14), FIRED, "Saturday 15:00"),
    (WINDOW, local(12, 0, day=15), FIRED, "Sunday 12:00"),
    (OVERNIGHT, local(23, 0, day=9), CLEAR, "Monday 23:00"),
    (OVERNIGHT, local(4, 0, day=10), CLEAR, "Tuesday 04:00"),
    (OVERNIGHT, local(23, 0, day=10), FIRED, "Tuesday 23:00"),
    (MONTH, history(within_days={30: 16}), FIRED, "16 reports of at most 20 within 30 days, limit 15"),
    (MONTH, history(within_days={30: 2}), CLEAR, "2 reports"),
    (MONTH, history(within_days={30: 15}), CLEAR, "15 reports"),
    (DAY, history(within_days={1: 6}), FIRED, "6 reports today, limit 5"),
    (DAY, history(within_days={1: 5}), CLEAR, "5 reports today"),
    (DAY, history(), ERROR, "could not be evaluated"),
    (SPEED, before(10, 30_000), FIRED, "30.0 km in 10 min since the report before: 180 km/h, limit 120 km/h"),
    (SPEED, before(60, 30_000), CLEAR, "30 km/h"),
    (SPEED, history(), CLEAR, "No report before to travel from"),
    (SPEED, {**before(10, 30_000), "locationData__latitude": None}, CLEAR, "No report before to travel from"),
    (SPEED, before(10, 19_999), CLEAR, "120 km/h, limit 120 km/h"),
    (SPEED, before(10, 20_001), FIRED, "120 km/h, limit 120 km/h"),
    (SPEED, before(0.1, 500), CLEAR, "6 km/h"),  # within five minutes the error of two positions is not a journey
    (SPEED, before(0, 30_000), FIRED, "360 km/h"),
    (SPEED, before(0, 0), CLEAR, "At the place of the report before"),
    (PACK, {"additionalData__dogCount": 15}, FIRED, "dogCount is 15"),
    (PACK, {}, CLEAR, "dogCount is 2"),
    (PACK, {"additionalData__dogCount": None}, CLEAR, "dogCount is null"),
    (PACK, {"additionalData__dogCount": 10}, CLEAR, "dogCount is 10"),
    (PACK, {"additionalData__dogCount": "many"}, ERROR, "could not be evaluated"),
    (EMULATOR, {"applicantInfo__deviceId": "emulator-5554"}, FIRED, "deviceId is emulator-5554"),
    (EMULATOR, {"applicantInfo__deviceId": None}, CLEAR, "deviceId is null"),
    (EVIDENCE, {"selfie": None}, FIRED, "evidenceCount is 1"),
    (EVIDENCE, {}, CLEAR, "evidenceCount is 2"),
    ({"type": "CUSTOM", "expression": "#evidenceCount + 1"}, {}, ERROR, "not true or false"),
    ({"type": "CUSTOM", "expression": "#evidenceCount <"}, {}, ERROR, "could not be evaluated"),
    (NO_DOG, validator(dogCountField=0, confidenceField=0.9), FIRED, "OBJECT_DETECTOR says: dogCount 0"),
    (NO_DOG, validator(dogCount=2, confidence=0.9), CLEAR, "says: dogCount 2"),
    (NO_DOG, {}, SKIPPED, "no address is set for the validator"),
    (NO_DOG, validator(personPresentField=True), SKIPPED, "OBJECT_DETECTOR did not say dogCount"),
    (NO_DOG, validator(dogCount=0, confidence=0.8), FIRED, "dogCount 0"),
    (NO_DOG, validator(dogCount=0, confidence=0.79), CLEAR, "79% sure, asked for are 80%"),
    (NO_DOG, validator(dogCount=0), FIRED, "dogCount 0"),  # it says nothing of its confidence
    (NO_DOG, {"validators": {"OBJECT_DETECTOR": Answer(None, "does not answer")}}, SKIPPED, "does not answer"),
    (NO_DOG, {"validators": {"OBJECT_DETECTOR": Answer(None, "does not answer", to_review=True)}}, ERROR, "does not answer"),
    (MISCOUNT, validator(dogCount=5), FIRED, "dogCount 5"),
    (MISCOUNT, validator(dogCount=1), CLEAR, "dogCount 1"),
    (MISCOUNT, {**validator(dogCount=5), "additionalData__dogCount": None}, SKIPPED, "the report does not say dogCount"),
    (AT_NIGHT, {**validator(exposureScore=0.2), "dog__timestamp": old(-6)}, FIRED, "exposureScore 0.2"),  # 18:00 in Djibouti
    (AT_NIGHT, {**validator(exposureScore=0.2), "dog__timestamp": old(5)}, CLEAR, "exposureScore 0.2"),  # 07:00
    (AT_NIGHT, {**validator(exposureScore=0.3), "dog__timestamp": old(-6)}, CLEAR, "exposureScore 0.3"),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "changes", "state", "message"), TABLE)
def test_a_condition_says(condition: dict[str, Any], changes: dict[str, Any], state: str, message: str, config: RiskConfig) -> None:
    outcome = run(condition, changes, config)
    assert (outcome.state, message in outcome.verdict.message) == (state, True), outcome.verdict


def run(condition: dict[str, Any], changes: dict[str, Any], config: RiskConfig) -> RuleOutcome:
    (outcome,) = evaluate(prepare([rule(condition)], config), case(**changes))[0]
    return outcome


def test_every_condition_type_has_cases_of_each_kind() -> None:
    for kind in CONDITIONS:
        states = {state for condition, _, state, _ in TABLE if condition["type"] == kind}
        assert {FIRED, CLEAR} <= states, kind


def test_all_rules_of_the_programme_are_ready_to_be_evaluated(config: RiskConfig) -> None:
    ready = prepare(MasterData(read_folder()).fraud_rules("dj.djibouti-ville"), config)
    assert len(ready.rules) == 39
    assert [entry.rule.id for entry in ready.rules if entry.always] == []
    needs = ready.needs
    assert (needs.hours, needs.days, needs.device_days, needs.clusters) == ({1}, {1, 30}, {7}, {(50, 24)})
    assert needs.files == {SameFile(DOG, False): None, SameFile(SELFIE, True): 30}
    assert (needs.alike_bits, needs.alike_days, needs.lifetime, needs.monthly, needs.paid) == (6, 7, True, False, False)


def test_what_no_rule_needs_is_not_asked(config: RiskConfig) -> None:
    needs = prepare([rule(EXIF), rule(AGE), rule(PACK)], config).needs
    asked = [needs.hours, needs.days, needs.before_minutes, needs.device_days, needs.clusters, needs.files, needs.lifetime]
    assert not any(asked)


def test_a_person_is_never_named_by_a_custom_rule(config: RiskConfig) -> None:
    condition = {"type": "CUSTOM", "expression": "#applicantName != 'x' && #mobileNumber != 'y'"}
    verdict = run(condition, {"applicantInfo__name": "Sentinel Teacher", "applicantInfo__mobileNumber": "0700"}, config).verdict
    assert "Sentinel" not in verdict.message + str(verdict.details)


def test_without_explanation_the_same_rules_fire(config: RiskConfig) -> None:
    for condition, changes, state, _ in TABLE:
        terse = case(**changes)
        terse.explain = False
        (outcome,) = evaluate(prepare([rule(condition)], config), terse)[0]
        assert outcome.state == state, condition
        assert outcome.verdict.message or state == CLEAR
