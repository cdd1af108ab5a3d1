"""What a stage measured is told in words, and what says nothing is left out."""

import pytest

from dashboard.widgets.identity_details import details_of

GOOD = {"file": "VERIFIED", "dataHash": "VERIFIED", "signature": "NOT_CHECKED"}
BAD = {"file": "VERIFIED", "dataHash": "MISMATCH", "signature": "NOT_CHECKED"}

ROWS = [
    ({"components": {"id": GOOD, "evidence": GOOD}}, [("Components", "id, evidence: every check holds; not checked: signature")]),
    (
        {"components": {"id": BAD, "evidence": GOOD}},
        [("Components", "evidence: every check holds; id differs in dataHash; not checked: signature")],
    ),
    ({"fields": 15, "adult": True}, [("Fields", "15"), ("Age", "adult")]),
    (
        {"documents": 4, "forcedShare": 0.0, "biometricBytes": 4054, "biometricLevel": "HIGH"},
        [("Documents", "4"), ("Biometrics file", "4,054 bytes"), ("Capture quality", "high"), ("Forced captures", "none")],
    ),
    ({"candidates": 0, "more": False, "best": []}, [("Candidates", "none")]),
    ({"candidates": 2, "more": True, "best": [{"score": 85}, {"score": 60}]}, [
        ("Candidates", "2"), ("More candidates", "more than were looked at"), ("Alike by", "85, 60 of 100"),
    ]),
    ({"new": True, "identityId": "01a1fe9e-656d-703e-ad65-0e2b6c67eb35"}, [("Number", "a new one"), ("Identity", "0e2b6c67eb35")]),
    ({"problems": [{"field": "phone", "code": "FIELD_INVALID"}]}, [("Problems", "phone FIELD_INVALID")]),
    ({"documents": ["proofOfAddress"]}, [("Documents", "proofOfAddress")]),
    ({"something": "new", "nested": {"a": 1}}, [("Something", "new")]),
    ({}, []),
]  # fmt: skip


@pytest.mark.parametrize(("details", "told"), ROWS)
def test_details_are_told_in_words(details, told):
    assert details_of(details) == told
