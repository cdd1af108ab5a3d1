"""Tables of what mappings make of a report and of an answer."""

import json
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.fraud.validators.paths import MISSING, parse, read
from pipeline.fraud.validators.questions import Image, paths_of, question, written
from pipeline.fraud.validators.reading import MAX_DEPTH, MAX_OUTPUT_BYTES, UnreadableError, outputs_of, read_json
from pipeline.masterdata.files import read_folder
from pipeline.masterdata.fraud_models import ExternalValidator
from pipeline.masterdata.master import MasterData

DETECTIONS = {
    "detections": [
        {"class": "dog", "score": 0.9, "box": {"x": 1}},
        {"class": "dog", "score": 0.8},
        {"class": "person", "score": 0.7, "near": True},
    ],
    "empty": [],
    "result": {"match": False, "similarity": 0.41, "count": 7, "none": None},
    "number": 3,
}

ANSWERS = [
    ("result.match", False),
    ("result.similarity", 0.41),
    ("result.count", 7),  # a field of this name, not the number of fields
    ("detections.count", 3),
    ("detections[*].count", 3),
    ("detections[class=dog].count", 2),
    ("detections[class=dog].exists", True),
    ("detections[class=cat].count", 0),
    ("detections[class=cat].exists", False),
    ("detections[near=true].count", 1),
    ("detections[score=0.8].count", 1),
    ("detections[breed=None].count", 0),
    ("detections[0].class", "dog"),
    ("detections[class=person].score", [0.7]),
    ("detections[*].score", [0.9, 0.8, 0.7]),
    ("detections[0].box.x", 1),
    ("empty.count", 0),
    ("empty[*].exists", False),
    ("detections[9].class", MISSING),
    ("result.none", MISSING),
    ("result.none.deeper", MISSING),
    ("nothing.count", MISSING),
    ("nothing[class=dog].exists", MISSING),
    ("number.count", MISSING),
    ("number[*]", MISSING),
    ("result[class=dog].count", MISSING),
]


@pytest.mark.parametrize(("path", "expected"), ANSWERS)
def test_a_path_leads_to(path, expected):
    assert read(path, DETECTIONS) == expected


@pytest.mark.parametrize(
    "path", ["", ".", "a..b", "a[", "a[b", "a[=b]", "a[b=]", "a[*][*]", "a b", "a.__class__()", "a[-1]", "[0]", "a[99999]"]
)
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match="is not a path"):
        parse(path)


def test_a_path_reads_data_and_nothing_else():
    assert read("__class__.__name__", {"a": 1}) is MISSING
    assert read("result.__class__", DETECTIONS) is MISSING


def test_outputs_lose_a_trailing_field_and_what_was_not_said():
    mapping = {
        "dogCountField": "detections[class=dog].count",
        "isAcceptable": "quality.acceptable",
        "matchField": "result.match",
        "Field": "number",
    }
    assert outputs_of(mapping, DETECTIONS) == {"dogCount": 2, "match": False, "Field": 3}


UNREADABLE = [
    (b"", "is not JSON"),
    (b"{", "is not JSON"),
    (b'{"a": 1} x', "is not JSON"),
    (b"[1, 2]", "is not a JSON object"),
    (b"null", "is not a JSON object"),
    (b'{"a": NaN}', "is not JSON"),
    (b'{"a": Infinity}', "is not JSON"),
    (b'{"a": 1e999}', "is not JSON"),
    (b'{"a": ' + b"9" * 5000 + b"}", "is not JSON"),
    (b"\xff\xfe{\x00}\x00", "is not JSON"),
    ('{"a": 1}'.encode("utf-16"), "is not JSON"),
    (b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), "nested deeper"),
    (b"[" * 200_000, "nested deeper"),
    (b'"\\"' * 80_000, "is not JSON"),
    (b'"' + b'\\"' * 120_000, "is not JSON"),
]


@pytest.mark.parametrize(("body", "why"), UNREADABLE)
def test_what_cannot_be_read_says_why(body, why):
    with pytest.raises(UnreadableError, match=why):
        read_json(body)


def test_brackets_inside_texts_are_no_depth():
    assert read_json(json.dumps({"a": "[{" * 100 + '\\"['}).encode())["a"].startswith("[{[{")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("x" * MAX_OUTPUT_BYTES, "larger than"),
        ("a\x00b", "no text has"),
        ("\ud800", "half characters"),
        ([0] * MAX_OUTPUT_BYTES, "larger than"),
    ],
)
def test_outputs_that_no_row_should_hold_are_refused(value, why):
    with pytest.raises(UnreadableError, match=why):
        outputs_of({"a": "a"}, {"a": value})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(JSON | st.binary(max_size=60), st.sampled_from([path for path, _ in ANSWERS]))
def test_whatever_comes_is_read_or_refused(answer, path):
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    try:
        outputs = outputs_of({"xField": path}, read_json(body))
    except UnreadableError:
        return
    json.dumps(outputs, allow_nan=False).encode()


DOG = Image(UUID("018f0000-0000-7000-8000-000000000001"), "aa" * 32)
SELFIE = Image(UUID("018f0000-0000-7000-8000-000000000002"), "bb" * 32)


def document(**changes):
    def photo(purpose, image):
        return {
            "type": "PHOTO",
            "fileStoreId": image,
            "purpose": purpose,
            "metadata": {"deviceInfo": f"camera of {purpose}", "timestamp": 5},
        }

    return {
        "createdTime": {"epochMs": 1_773_126_000_000, "hour": 10, "dayOfWeek": 2},
        "locationData": {"latitude": 11.5886, "longitude": 43.1456, "accuracy": 8.5, "timestamp": None},
        "evidences": [photo("DOG_PHOTO", DOG), photo("SELFIE", SELFIE)],
        "additionalData": {"dogCount": 2, "isAggressive": True, "reportType": "StrayDogAggressive"},
        "applicant": {
            "recentCount": 3,
            "avgIntervalMinutes": 61.5,
            "recentLocations": [{"latitude": 1.0, "longitude": 2.0, "timestamp": 3}],
        },
        **changes,
    }


@pytest.fixture(scope="module")
def shipped() -> dict[str, ExternalValidator]:
    return dict(MasterData(read_folder()).external_validators("dj.djibouti-ville"))


BODIES = [
    ("DOG_BREED_CLASSIFIER", {"image": DOG, "imageFormat": "BASE64"}),
    ("OBJECT_DETECTOR", {"image": DOG, "imageFormat": "URL", "parameters": {"classes": ["dog", "person", "cat"], "minConfidence": 0.5}}),
    ("FACE_MATCHER", {"sourceImage": SELFIE, "targetImage": None, "threshold": 0.85}),
    ("IMAGE_QUALITY_ANALYZER", {"image": [DOG, SELFIE], "checkTypes": ["blur", "exposure", "resolution", "noise"]}),
    (
        "ANOMALY_DETECTOR",
        {
            "features": {
                "submissionHour": 10,
                "dayOfWeek": 2,
                "gpsLat": 11.5886,
                "gpsLon": 43.1456,
                "recentSubmissionCount": 3,
                "avgTimeBetweenSubmissions": 61.5,
            }
        },
    ),
    (
        "GPS_SPOOFING_DETECTOR",
        {
            "gpsData": {
                "latitude": 11.5886,
                "longitude": 43.1456,
                "altitude": None,
                "accuracy": 8.5,
                "speed": None,
                "bearing": None,
                "timestamp": None,
            },
            "deviceInfo": ["camera of DOG_PHOTO", "camera of SELFIE"],
            "historicalLocations": [{"latitude": 1.0, "longitude": 2.0, "timestamp": 3}],
        },
    ),
]


@pytest.mark.parametrize(("validator_id", "expected"), BODIES)
def test_the_shipped_validators_are_sent(validator_id, expected, shipped):
    assert question(shipped[validator_id], "https://ai.example", document()).body == expected


def test_every_shipped_path_leads_somewhere(shipped):
    for validator in shipped.values():
        assert all(paths_of(validator.input_mapping) or [True])
        for path in validator.output_mapping.values():
            parse(path)


@pytest.mark.parametrize(
    "mapping",
    [
        {"x": "locationData.altitud"},
        {"x": "evidences.fileStoreId"},
        {"x": "locationData[*].latitude"},
        {"x": {"y": "applicant.name"}},
        {"x": "evidences[*].metadata.gps.deep"},
        {"x": "applicant.mobileNumber"},
    ],
)
def test_an_input_that_leads_nowhere_or_to_a_person_is_refused(mapping):
    with pytest.raises(ValueError, match=r"leads to nothing|behind evidences"):
        list(paths_of(mapping))


def test_texts_that_are_no_facts_are_sent_as_they_are():
    mapping = {"mode": "STRICT", "parameters": {"evidences": "evidences[*].fileStoreId"}, "note": "my applicant"}
    assert list(paths_of(mapping)) == []


def test_a_report_without_the_photo_is_asked_about_with_null(shipped):
    asked = question(shipped["DOG_BREED_CLASSIFIER"], "https://ai.example", document(evidences=[]))
    assert asked.body["image"] is None
    assert asked.key is None


def test_photos_are_written_where_they_stand():
    body = written({"a": DOG, "b": [SELFIE, 1, {"c": DOG}], "d": None}, lambda file_id: f"<{file_id.int % 16}>")
    assert json.loads(body) == {"a": "<1>", "b": ["<2>", 1, {"c": "<1>"}], "d": None}


def with_cache(validator: ExternalValidator, *key_fields: str, **mapping: object) -> ExternalValidator:
    changed = validator.model_dump(by_alias=True, mode="json", exclude_none=True)
    changed["cache"] = {"enabled": True, "ttlSeconds": 60, "keyFields": list(key_fields)}
    changed["inputMapping"] |= mapping
    return ExternalValidator.model_validate_json(json.dumps(changed))


def test_equal_questions_have_equal_keys_and_others_have_not(shipped):
    detector, matcher = shipped["OBJECT_DETECTOR"], shipped["FACE_MATCHER"]
    there = "https://ai.example"
    key = question(detector, there, document()).key
    assert key is not None
    assert question(detector, there, document(locationData={"latitude": 0.0})).key == key  # not a key field
    assert question(detector, "https://other.example", document()).key != key
    assert question(with_cache(detector, "imageHash", "parameters", parameters={"classes": ["dog"]}), there, document()).key != key
    other = [{"purpose": "DOG_PHOTO", "fileStoreId": Image(DOG.file_id, "cc" * 32), "metadata": {}}]
    assert question(detector, there, document(evidences=other)).key != key
    assert question(matcher, there, document()).key is None  # there is no target image to be told apart by
    assert question(with_cache(matcher, "sourceImageHash"), there, document()).key is not None
    assert question(with_cache(matcher, "unheardOf"), there, document()).key is None
    assert question(shipped["ANOMALY_DETECTOR"], there, document()).key is None  # its cache is off
