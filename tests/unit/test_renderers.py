"""Packets and answers drawn from recorded facts: their shapes, and who sees what of them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from pipeline.packets.catalogue import catalogue, get, packets_of
from pipeline.packets.contracts import payouts, reports
from pipeline.packets.contracts.common import parse
from pipeline.packets.personal import without_personal
from pipeline.packets.render import PUBLIC_PACKETS, render
from pipeline.packets.render.checks import boundary_answer
from pipeline.packets.render.envelope import process_instance
from pipeline.packets.render.facts import RecordedFacts, View, hash_text, rupees, view_of
from pipeline.packets.render.payout import payout_answer
from pipeline.packets.render.reading import user_answer
from pipeline.packets.render.report import dog_report_answer, track_answer
from pipeline.packets.render.submission import file_answer
from pipeline.settings import ROOT

PACKETS = ROOT.parent / "shared" / "sdcrs" / "packets"

NOON = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)  # 12:00 in Djibouti
REPORT, TEACHER, VERIFIER, OFFICER = (UUID(f"019a0000-0000-7000-8000-00000000000{n}") for n in (1, 2, 3, 4))
DOG, SELFIE, CAPTURE = (UUID(f"019a0000-0000-7000-8000-0000000000f{n}") for n in (1, 2, 3))
SENTINELS = (
    "Sentinel Teacher",
    "+25370000001",
    "sentinel@vpa",
    "sentinel@mail",
    "Sentinel School",
    str(TEACHER),
    str(SELFIE),
    "Sentinel Phone X1",
)


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


PAID_REPORT: dict[str, Any] = {
    "id": REPORT, "tenant_id": "dj.djibouti-ville", "report_number": "DR-DJ-2026-000123", "tracking_id": "ABCD2345",
    "service_type": "StrayDogAggressive", "description": "Three dogs at the gate of the school.", "status": "RESOLVED", "version": 9,
    "reporter_id": TEACHER, "latitude": 11.5886, "longitude": 43.1456, "address": "At the gate", "landmark": "Water tower",
    "locality": "Djibouti Centre", "locality_code": "DJC001", "ward": "Ward 5", "ward_code": "W005", "district": "Djibouti-Ville",
    "district_code": "DJ01", "city": "Djibouti", "pincode": "10000", "gps_latitude": 11.5887, "gps_longitude": 43.1455,
    "gps_accuracy_m": 8.5, "gps_at": at(-0.1), "gps_result": "MATCH", "device_id": "Sentinel Phone X1", "dog_count": 3,
    "is_aggressive": True,
    "validated_at": at(0.1), "fraud_score": 16, "risk_level": "LOW", "recommendation": "APPROVE", "verified_at": at(1),
    "verified_by": VERIFIER, "verification_remarks": "Clear photo.", "rejection_reason": None, "rejection_remarks": None,
    "rejected_at": None, "duplicate_of_number": None, "assigned_officer_id": OFFICER, "assigned_at": at(2), "assigned_by": VERIFIER,
    "visit_started_at": at(3), "visit_latitude": 11.59, "visit_longitude": 43.14, "visit_completed_at": at(4),
    "completed_latitude": 11.5887, "completed_longitude": 43.1455, "captured_at": at(4), "resolution_type": "CAPTURED",
    "resolution_remarks": "Brought to the shelter.", "unable_reason": None, "payout_eligible": True, "payout_status": "SUCCESS",
    "payout_amount_paise": 50_000, "payout_initiated_at": at(4.1), "payout_completed_at": at(4.2), "payout_failure_reason": None,
    "utr": "423456789012", "retry_count": 0, "resolved_at": at(4.2), "rating": None, "created_at": NOON, "modified_at": at(4.2),
    "modified_by": TEACHER,
}  # fmt: skip


def photo(file_id: UUID, kind: str, phash: int) -> dict[str, Any]:
    return {
        "id": file_id, "file_id": file_id, "evidence_type": kind, "file_name": f"{kind}.jpg", "mime_type": "image/jpeg",
        "file_size": 1000, "sha256": b"\x01" * 32, "phash": phash, "claimed_hash": None, "claimed_at": None, "captured_at": at(-0.02),
        "latitude": 11.5886, "longitude": 43.1456, "uploaded_at": NOON,
        "device_info": "Officer's phone" if kind == "CAPTURE_PHOTO" else "Sentinel Phone X1",
        "uploaded_by": OFFICER if kind == "CAPTURE_PHOTO" else TEACHER, "exif_latitude": 11.5886, "exif_longitude": 43.1456,
    }  # fmt: skip


CHECKS = [
    {"name": "GPS_LOCATION", "position": 1, "passed": True, "measured": 15.6, "limit_value": 100.0, "reason": "15.6 m apart"},
    {"name": "TIMESTAMP_FRESHNESS", "position": 2, "passed": True, "measured": 0.02, "limit_value": 48.0, "reason": "0.0 h old"},
    {"name": "BOUNDARY_CHECK", "position": 3, "passed": True, "measured": 0.0, "limit_value": 0.0, "reason": "Inside",
     "details": {"nearestTenant": None}},
    {"name": "DUPLICATE_IMAGE", "position": 4, "passed": True, "measured": None, "limit_value": 0.9, "reason": "None alike",
     "details": {"duplicateFound": False}},
    {"name": "FRAUD_SCORE", "position": 5, "passed": True, "measured": 16.0, "limit_value": 80.0, "reason": "Risk score 16 (LOW)"},
]  # fmt: skip
RULES = [
    {"rule_id": "SDCRS-001", "rule_code": "RAPID_FIRE_SUBMISSION", "category": "VEL", "condition_type": "VELOCITY", "outcome": "FIRED",
     "score": 16, "weight": 16, "message": "3 in 1 hour", "details": {"threshold": 2}},
    {"rule_id": "EXT-001", "rule_code": "NO_DOG_DETECTED", "category": "EVD", "condition_type": "EXTERNAL_VALIDATOR", "outcome": "SKIPPED",
     "score": 0, "weight": 35, "message": "No validator", "details": {}},
]  # fmt: skip
PERSONS = {
    str(TEACHER): {"name": "Sentinel Teacher", "phone": "+25370000001", "vpa": "sentinel@vpa", "email": "sentinel@mail",
                   "school_name": "Sentinel School", "username": "T12345"},
    str(VERIFIER): {"name": "Vera", "username": "V001"},
    str(OFFICER): {"name": "Omar", "username": "MCO001", "phone": "+25370000009"},
}  # fmt: skip


def facts(view: View = View.REVIEW, action: str = "SUBMIT", **change: Any) -> RecordedFacts:
    """A paid report with everything that can be recorded of it."""
    given: dict[str, Any] = {
        "report": PAID_REPORT,
        "evidence": (photo(DOG, "DOG_PHOTO", -1), photo(SELFIE, "REPORTER_SELFIE", 5), photo(CAPTURE, "CAPTURE_PHOTO", 7)),
        "history": {"id": REPORT, "action": action, "from_state": "ASSIGNED", "to_state": "ASSIGNED",
                    "actor_id": TEACHER if action == "SUBMIT" else VERIFIER,
                    "actor_role": "TEACHER" if action == "SUBMIT" else "VERIFIER", "comment": "In words.", "facts": {},
                    "version": 4, "occurred_at": at(5)},
        "timeline": [{"to_state": state, "occurred_at": at(hours)} for state, hours in TIMELINE],
        "checks": CHECKS,
        "fraud": {"evaluated_at": at(0.1), "rules": RULES},
        "payout": {"id": CAPTURE, "report_id": REPORT, "report_number": "DR-DJ-2026-000123", "tenant_id": "dj.djibouti-ville",
                   "beneficiary_id": TEACHER, "amount_paise": 50_000, "currency": "INR", "status": "COMPLETED", "retry_count": 0,
                   "utr": "423456789012", "completed_at": at(4.2), "created_at": at(4.1), "modified_at": at(4.2), "method": "UPI"},
        "attempt": {"id": DOG, "payout_id": CAPTURE, "number": 0, "reference_id": "SDCRS-DR-DJ-2026-000123",
                    "provider_payout_id": "pout_1", "provider_status": "processed", "contact_id": "cont_1", "fund_account": "fa_1",
                    "utr": "423456789012", "phase": "ACCEPTED", "sends": 1, "created_at": at(4.1), "first_sent_at": at(4.1),
                    "modified_at": at(4.2)},
        "notification": {"recipient_id": TEACHER, "template_id": "SDCRS_SUBMIT_TEACHER", "message": "Taken."},
        "persons": PERSONS,
        "tenant": {"id": "dj.djibouti-ville", "name": "Djibouti-Ville", "timezone": "Africa/Djibouti"},
        "login": {"account": {"id": TEACHER, "username": "T12345", "tenant_id": "dj.djibouti-ville", "roles": ["TEACHER"]}, "found": True},
        "files": [{"id": DOG, "tenant_id": "dj.djibouti-ville", "module": "SDCRS", "file_name": "a.jpg", "content_type": "image/jpeg",
                   "size_bytes": 9}],
        "options": {"public_url": "https://example.org", "error": {"code": "SDCRS_DAILY_LIMIT_EXCEEDED", "params": {"dailyLimit": 5}}},
        "view": view,
    }  # fmt: skip
    return RecordedFacts(**{**given, **change})


TIMELINE = [
    ("PENDING_VALIDATION", 0), ("PENDING_VERIFICATION", 0.1), ("VERIFIED", 1), ("ASSIGNED", 2), ("ASSIGNED", 2.5), ("IN_PROGRESS", 3),
    ("CAPTURED", 4), ("PAYOUT_PENDING", 4.1), ("RESOLVED", 4.2), ("PAYOUT_FAILED", 5), ("PAYOUT_PENDING", 6), ("RESOLVED", 7),
]  # fmt: skip

# The action whose history row a packet of the door belongs to
ACTION_OF = {packet.id: next((a for a in packet.actions if a != "*"), "SUBMIT") for packet in packets_of("reports")}
IDS = [packet.id for packet in packets_of("reports")]


# Every packet ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packet_id", IDS)
def test_every_packet_is_drawn_from_full_facts_and_from_none(packet_id: str) -> None:
    for view in (View.TEACHER, View.REVIEW, View.FIELD):
        assert json.loads(json.dumps(render(packet_id, facts(view, ACTION_OF[packet_id]))))
        json.dumps(render(packet_id, RecordedFacts(view=view)))


@pytest.mark.parametrize("packet_id", IDS)
def test_officers_and_supervisors_learn_nothing_of_the_reporter_from_any_packet(packet_id: str) -> None:
    drawn = json.dumps(render(packet_id, facts(View.FIELD, ACTION_OF[packet_id])))
    assert [value for value in SENTINELS if value in drawn] == []


@pytest.mark.parametrize("packet_id", IDS)
def test_the_catalogue_knows_every_personal_field_that_a_packet_shows(packet_id: str) -> None:
    drawn = render(packet_id, facts(View.REVIEW, ACTION_OF[packet_id]))
    kept = json.dumps(without_personal(packet_id, drawn, {}))
    persons = {value for person in PERSONS.values() for field, value in person.items() if field in {"name", "phone", "vpa", "email"}}
    assert [value for value in persons if value in kept] == []


@pytest.mark.parametrize("packet_id", IDS)
def test_only_reviewers_learn_the_score_and_the_rules(packet_id: str) -> None:
    automatic = ACTION_OF[packet_id] if ACTION_OF[packet_id].startswith("AUTO") else "AUTO_VALIDATE_PASS"
    told = facts(View.TEACHER, automatic, history={**facts().history, "action": automatic, "comment": "Fraud score: 16 (LOW)"})
    drawn = json.dumps(render(packet_id, told)) if packet_id in {"02/10", "03/06", "03/07", "03/08", "03/09", "11/03"} else ""
    assert "16" not in drawn.replace("2016", "")
    assert "RAPID_FIRE" not in drawn


@pytest.mark.parametrize("packet_id", IDS)
def test_the_public_is_drawn_tracking_and_nothing_else(packet_id: str) -> None:
    told = facts(View.PUBLIC)
    if packet_id in PUBLIC_PACKETS:
        drawn = json.dumps(render(packet_id, told))
        for value in (*SENTINELS, str(OFFICER), "Omar", "At the gate", "11.58", "50000", "500", "423456789012", str(REPORT), "PAYOUT"):
            assert value not in drawn, value
    else:
        with pytest.raises(ValueError, match="not for the public"):
            render(packet_id, told)


def test_a_packet_that_does_not_exist_cannot_be_drawn() -> None:
    with pytest.raises(KeyError):
        render("12/01", facts())


# The report by view --------------------------------------------------------------------------------------------------------


def test_a_teacher_sees_the_own_report_whole_but_no_score() -> None:
    answer = dog_report_answer(facts(), View.TEACHER)
    assert (answer["reporterName"], answer["reporterPhone"], answer["reporterSchool"]) == (
        "Sentinel Teacher",
        "+25370000001",
        "Sentinel School",
    )
    assert answer["payoutDetails"]["utr"] == "423456789012"
    assert answer["trackingUrl"] == "https://example.org/track/ABCD2345"
    assert "fraudScore" not in answer
    assert "additionalDetails" not in answer
    assert [row["evidenceType"] for row in answer["evidence"]] == ["DOG_PHOTO", "REPORTER_SELFIE", "CAPTURE_PHOTO"]


def test_a_reviewer_sees_reporter_and_score() -> None:
    answer = dog_report_answer(facts(), View.REVIEW)
    assert answer["reporterName"] == "Sentinel Teacher"
    assert (answer["fraudScore"], answer["riskLevel"]) == (16, "LOW")
    assert answer["auditDetails"]["createdBy"] == str(TEACHER)


def test_an_officer_sees_place_and_photo_without_reporter_field_selfie_or_payout() -> None:
    answer = dog_report_answer(facts(), View.FIELD)
    assert [key for key in answer if key.startswith(("reporter", "payout"))] == ["payoutEligible"]
    assert [row["evidenceType"] for row in answer["evidence"]] == ["DOG_PHOTO", "CAPTURE_PHOTO"]
    assert answer["location"]["latitude"] == 11.5886
    assert answer["assignedOfficerName"] == "Omar"
    assert answer["auditDetails"] == {
        "createdBy": None, "createdTime": 1773133200000, "lastModifiedBy": None, "lastModifiedTime": 1773148320000,
    }  # fmt: skip


def test_the_narrowest_view_is_what_nobody_asked_for() -> None:
    assert RecordedFacts().view is View.FIELD


def test_times_money_and_hashes_are_as_on_the_wire() -> None:
    answer = dog_report_answer(facts(), View.TEACHER)
    assert answer["auditDetails"]["createdTime"] == 1773133200000
    assert answer["payoutAmount"] == 500
    assert answer["evidence"][0]["imageHash"] == "f" * 16
    assert (answer["location"]["gpsValidated"], answer["location"]["gpsValidationResult"]) == (True, "MATCH")
    assert answer["serviceType"] == answer["reportType"]
    assert answer["version"] == 9


GPS_ROWS = [(None, None), ("MATCH", True), ("MISMATCH", True), ("NOT_AVAILABLE", False)]


@pytest.mark.parametrize(("result", "validated"), GPS_ROWS)
def test_gps_is_validated_when_there_was_something_to_compare(result: str | None, validated: bool | None) -> None:
    answer = dog_report_answer(facts(report={**PAID_REPORT, "gps_result": result}), View.REVIEW)
    assert answer["location"]["gpsValidated"] is validated


RETRY_ROWS = [("FAILED", 0, True), ("FAILED", 2, True), ("FAILED", 3, False), ("SUCCESS", 0, False), ("RETRY_INITIATED", 1, False)]


@pytest.mark.parametrize(("status", "retries", "can_retry"), RETRY_ROWS)
def test_can_retry_means_failed_with_retries_left(status: str, retries: int, can_retry: bool) -> None:
    report = {**PAID_REPORT, "payout_status": status, "retry_count": retries}
    assert dog_report_answer(facts(report=report), View.REVIEW)["payoutDetails"]["canRetry"] is can_retry


def test_a_report_without_a_payout_says_null() -> None:
    report = {**PAID_REPORT, "payout_status": None, "payout_amount_paise": None}
    answer = dog_report_answer(facts(report=report), View.TEACHER)
    assert (answer["payoutDetails"], answer["payoutAmount"], answer["payoutStatus"]) == (None, None, None)


def test_a_manual_settlement_that_waits_says_so() -> None:
    waiting = {**facts().payout, "manual_requested_at": at(5), "manual_reference": "NEFT-1"}
    details = dog_report_answer(facts(payout=waiting), View.REVIEW)["payoutDetails"]
    assert (details["approvalStatus"], details["manualPaymentReference"]) == ("PENDING_APPROVAL", "NEFT-1")
    done = {**waiting, "manual_approved_at": at(6)}
    assert dog_report_answer(facts(payout=done), View.REVIEW)["payoutDetails"]["approvalStatus"] == "APPROVED"


VIEW_ROWS = [
    ({"TEACHER"}, True, View.TEACHER),
    ({"TEACHER"}, False, View.PUBLIC),
    ({"MC_OFFICER"}, False, View.FIELD),
    ({"MC_SUPERVISOR"}, True, View.FIELD),
    ({"VERIFIER"}, False, View.REVIEW),
    ({"SENIOR_VERIFIER"}, False, View.REVIEW),
    ({"DISTRICT_ADMIN"}, False, View.REVIEW),
    ({"STATE_ADMIN"}, False, View.REVIEW),
    ({"AUDITOR"}, False, View.REVIEW),
    (set(), True, View.PUBLIC),
    ({"SYSTEM"}, False, View.PUBLIC),
]


@pytest.mark.parametrize(("roles", "owner", "view"), VIEW_ROWS)
def test_the_view_follows_from_roles_and_ownership(roles: set[str], owner: bool, view: View) -> None:
    assert view_of(frozenset(roles), owner=owner) is view


# Tracking ----------------------------------------------------------------------------------------------------------------


def test_tracking_tells_state_place_and_timeline_in_the_tenants_zone() -> None:
    assert track_answer(facts()) == {
        "reportNumber": "DR-DJ-2026-000123",
        "trackingId": "ABCD2345",
        "status": "RESOLVED",
        "statusLabel": "Resolved - Dog Captured",
        "location": {"locality": "Djibouti Centre", "wardCode": "W005"},
        "timeline": [
            {"status": "Report Submitted", "date": "2026-03-10", "time": "12:00 PM"},
            {"status": "Under Review", "date": "2026-03-10", "time": "12:06 PM"},
            {"status": "Verified", "date": "2026-03-10", "time": "01:00 PM"},
            {"status": "Team Assigned", "date": "2026-03-10", "time": "02:00 PM"},
            {"status": "Field Visit Started", "date": "2026-03-10", "time": "03:00 PM"},
            {"status": "Dog Captured", "date": "2026-03-10", "time": "04:00 PM"},
            {"status": "Resolved", "date": "2026-03-10", "time": "04:12 PM"},
        ],
        "createdAt": "2026-03-10T09:00:00Z",
        "resolvedAt": "2026-03-10T13:12:00Z",
    }


TRACK_ROWS = [
    ("PENDING_VALIDATION", "PENDING_VALIDATION", "Report Submitted"),
    ("PENDING_VERIFICATION", "PENDING_VERIFICATION", "Under Review"),
    ("AUTO_REJECTED", "AUTO_REJECTED", "Not Accepted"),
    ("REJECTED", "REJECTED", "Not Accepted"),
    ("DUPLICATE", "DUPLICATE", "Already Reported"),
    ("VERIFIED", "VERIFIED", "Verified"),
    ("ASSIGNED", "ASSIGNED", "Team Assigned"),
    ("IN_PROGRESS", "IN_PROGRESS", "Field Visit Started"),
    ("UNABLE_TO_LOCATE", "UNABLE_TO_LOCATE", "Dog Not Found"),
    ("CAPTURED", "CAPTURED", "Dog Captured"),
    ("PAYOUT_PENDING", "CAPTURED", "Dog Captured"),
    ("PAYOUT_FAILED", "CAPTURED", "Dog Captured"),
    ("RESOLVED", "RESOLVED", "Resolved - Dog Captured"),
    ("CLOSED", "RESOLVED", "Resolved - Dog Captured"),
]


@pytest.mark.parametrize(("status", "shown", "label"), TRACK_ROWS)
def test_each_state_has_a_public_name_and_payouts_have_none(status: str, shown: str, label: str) -> None:
    answer = track_answer(facts(report={**PAID_REPORT, "status": status}))
    assert (answer["status"], answer["statusLabel"]) == (shown, label)
    assert (answer["resolvedAt"] is not None) == (shown == "RESOLVED")


def test_midnight_is_twelve_am() -> None:
    answer = track_answer(facts(timeline=[{"state": "VERIFIED", "occurred_at": datetime(2026, 3, 10, 21, 5, tzinfo=UTC)}]))
    assert answer["timeline"] == [{"status": "Verified", "date": "2026-03-11", "time": "12:05 AM"}]


# Actions -------------------------------------------------------------------------------------------------------------------


def exchange(packet_id: str, action: str, to_state: str, **change: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    told = facts(View.REVIEW, **change)
    told = replace(told, history={**told.history, "action": action, "to_state": to_state, "actor_id": VERIFIER, "actor_role": "VERIFIER"})
    drawn = render(packet_id, told)
    return drawn["request"]["DogReports"][0], drawn["response"]["DogReports"][0]


def test_a_verification_is_asked_and_told() -> None:
    asked, told = exchange("04/03", "VERIFY", "VERIFIED")
    assert asked["workflow"] == {"action": "VERIFY", "comment": "In words."}
    assert told["status"] == "VERIFIED"
    assert (told["verifiedBy"], told["verificationRemarks"]) == (str(VERIFIER), "Clear photo.")


def test_an_assignment_names_the_officer_of_its_own_time() -> None:
    other = str(VERIFIER)
    history = {**facts().history, "facts": {"assigned_officer_id": other}}
    asked, told = exchange("05/03", "ASSIGN", "ASSIGNED", history=history)
    assert asked["workflow"]["assignee"] == [other]
    assert (told["assignedOfficerId"], told["assignedOfficerName"]) == (other, "Vera")


def test_a_capture_carries_its_photo() -> None:
    asked, told = exchange("06/05", "MARK_CAPTURED", "CAPTURED")
    assert asked["captureEvidence"]["photoFileStoreId"] == str(CAPTURE)
    assert (told["status"], told["payoutEligible"]) == ("CAPTURED", True)


PAYOUT_ROWS = [
    ("07/02", "INITIATE_PAYOUT", "INITIATED", 500),
    ("09/02", "PAYOUT_SUCCESS", "SUCCESS", 500),
    ("09/05", "PAYOUT_FAILED", "FAILED", 500),
    ("09/09", "MANUAL_RESOLVE", "MANUAL_PAYOUT", 500),
    ("11/02", "RESOLVE_NO_PAYOUT", "SKIPPED_CAP_REACHED", 0),
]


@pytest.mark.parametrize(("packet_id", "action", "word", "amount"), PAYOUT_ROWS)
def test_each_payout_packet_keeps_the_word_of_its_own_time(packet_id: str, action: str, word: str, amount: int) -> None:
    _, told = exchange(packet_id, action, "RESOLVED")
    assert (told["payoutDetails"]["payoutStatus"], told["payoutDetails"]["payoutAmount"]) == (word, amount)


def test_a_retry_shows_the_address_that_was_sent_and_the_count() -> None:
    history = {**facts().history, "action": "RETRY_PAYOUT", "to_state": "PAYOUT_PENDING", "facts": {"retry_count": 1}}
    told = render("09/08", facts(history=history))["DogReports"][0]
    assert told["status"] == "PAYOUT_PENDING"
    assert told["payoutDetails"]["payoutStatus"] == "RETRY_INITIATED"
    assert (told["payoutDetails"]["retryCount"], told["payoutDetails"]["maxRetries"]) == (1, 3)
    assert told["payoutDetails"]["beneficiaryVpa"] == "sentinel@vpa"


def test_an_early_message_does_not_know_what_came_later() -> None:
    history = {**facts().history, "action": "VERIFY", "to_state": "VERIFIED", "occurred_at": at(1)}
    told = render("02/14", facts(history=history))["DogReport"]
    assert told["status"] == "VERIFIED"
    assert told["verification"]["verifierName"] == "Vera"
    assert told["assignment"] == {"mcOfficerId": None, "mcOfficerName": None, "assignedTime": None, "fieldVisitStartTime": None}
    assert told["payout"] == {"status": None, "amount": None, "time": None}


def test_an_answer_to_create_does_not_know_what_came_later() -> None:
    history = {**facts().history, "to_state": "PENDING_VALIDATION", "version": 1}
    told = render("02/08", facts(history=history))["DogReports"][0]
    assert (told["status"], told["version"], told["payoutStatus"]) == ("PENDING_VALIDATION", 1, None)
    assert told["location"]["gpsValidationResult"] is None
    assert [row["evidenceType"] for row in told["evidence"]] == ["DOG_PHOTO", "REPORTER_SELFIE"]
    assert "verifiedBy" not in told


def test_a_drawn_create_request_is_one_that_we_would_take() -> None:
    parse(reports.CreateRequest, render("02/07", facts()))


def test_a_rejection_tells_its_measurement_as_number_or_text() -> None:
    outside = {**PAID_REPORT, "rejection_reason": "OUTSIDE_BOUNDARY", "status": "AUTO_REJECTED"}
    checks = [{"name": "BOUNDARY_CHECK", "passed": False, "measured": 12.4, "limit_value": 0.0, "reason": "far"}]
    told = render("11/05", facts(report=outside, checks=checks))["DogReport"]
    assert told["validationDetails"] == {"boundaryCheck": {"passed": False, "distanceFromBoundaryKm": 12.4}}
    stale = {**PAID_REPORT, "rejection_reason": "STALE_TIMESTAMP"}
    checks = [{"name": "TIMESTAMP_FRESHNESS", "passed": False, "measured": 83.58, "limit_value": 48.0, "reason": "old"}]
    told = render("11/07", facts(report=stale, checks=checks))["DogReport"]
    assert told["validationDetails"] == {"timestampCheck": {"passed": False, "photoAge": "83.6 hours", "maxAllowed": "48 hours"}}
    fraud = {**PAID_REPORT, "rejection_reason": "FRAUD_DETECTED", "fraud_score": 91, "risk_level": "CRITICAL"}
    told = render("11/03", facts(report=fraud))["DogReport"]
    assert told["fraudDetails"] == {"score": 91, "riskLevel": "CRITICAL", "autoRejected": True}


# Payouts and smaller answers --------------------------------------------------------------------------------------------------


def test_a_payout_is_the_packets_payout() -> None:
    told = render("08/05", facts())["Payout"]
    assert parse(payouts.Payout, told).status == "PROCESSED"
    assert payout_answer(facts())["status"] == "COMPLETED"


REFERENCE_ROWS = [(0, {}), (2, {"isRetry": True, "retryCount": 2, "originalPayoutId": str(CAPTURE)})]


@pytest.mark.parametrize(("number", "extra"), REFERENCE_ROWS)
def test_an_order_says_which_retry_it_is(number: int, extra: dict[str, Any]) -> None:
    attempt = {**facts().attempt, "number": number, "reference_id": None}
    order = render("07/01", facts(attempt=attempt))
    assert order["referenceId"] == "SDCRS-DR-DJ-2026-000123" + (f"-R{number}" if number else "")
    assert {key: order[key] for key in ("isRetry", "retryCount", "originalPayoutId") if key in order} == extra


def test_the_two_callbacks_differ_in_outcome() -> None:
    paid, failed = render("09/01", facts()), render("09/04", facts(attempt={**facts().attempt, "reason": "beneficiary_vpa_invalid"}))
    assert (paid["status"], paid["utr"], paid["failureReason"]) == ("SUCCESS", "423456789012", None)
    assert (failed["status"], failed["utr"], failed["failureReason"]) == ("FAILED", None, "beneficiary_vpa_invalid")
    assert (failed["retryCount"], failed["canRetry"]) == (0, True)


@pytest.mark.parametrize(("packet_id", "event"), [("08/06", "payout.initiated"), ("08/07", "payout.processed"), ("08/08", "payout.failed")])
def test_a_webhook_is_drawn_as_the_event_it_was(packet_id: str, event: str) -> None:
    assert render(packet_id, facts())["event"] == event


RUPEE_ROWS = [(None, None), (0, 0), (50_000, 500), (50_050, 500.5)]


@pytest.mark.parametrize(("paise", "shown"), RUPEE_ROWS)
def test_paise_become_rupees_at_this_edge_only(paise: int | None, shown: float | None) -> None:
    assert rupees(paise) == shown


def test_a_stored_hash_is_shown_as_sixteen_digits() -> None:
    assert hash_text({"phash": 1}) == "0" * 15 + "1"
    assert hash_text({"phash": -(2**63)}) == "8" + "0" * 15
    assert hash_text({}) is None


def test_the_smaller_answers() -> None:
    inside = boundary_answer({"tenant_id": "dj", "name": "Dj", "inside": True, "ward_code": "W005"})
    assert "nearestTenant" not in inside
    outside = boundary_answer({"tenant_id": "dj", "inside": False, "nearest_tenant": "dj.ali-sabieh", "distance_km": 3.2})
    assert (outside["nearestTenant"], outside["distanceFromBoundaryKm"]) == ("dj.ali-sabieh", 3.2)
    officer = user_answer({"id": OFFICER, "roles": ["MC_OFFICER"], "wards": ["W005"], "load": 3, "max_load": 10, "on_duty": True})
    assert officer["additionalDetails"] == {"assignedWards": ["W005"], "currentWorkload": 3, "maxWorkload": 10, "onDuty": True}
    assert file_answer({"id": DOG, "tenant_id": "dj"})["url"] == f"/filestore/v1/files/{DOG}?tenantId=dj"
    instance = process_instance(PAID_REPORT, facts(action="VERIFY").history)
    assert (instance["businessId"], instance["action"]) == ("DR-DJ-2026-000123", "VERIFY")


# The packets themselves ----------------------------------------------------------------------------------------------------

# file -> where its body is, and where ours is; the halves of an exchange apart
SHAPES = [
    ("02/06", ("response", "body"), ()),
    ("02/07", ("request", "body"), ()),
    ("02/08", ("response", "body"), ()),
    ("02/09", ("kafkaMessage", "value"), ()),
    ("02/10", ("request", "body"), ()),
    ("02/11", ("kafkaMessage", "value"), ()),
    ("03/01", ("kafkaMessage", "value"), ()),
    ("03/02", ("gpsValidation",), ("gpsValidation",)),
    ("03/03", ("timestampValidation", "result"), ("timestampValidation", "result")),
    ("03/04", ("boundaryCheckResponse", "body", "boundary"), ("response", "boundary")),
    ("03/04", ("result",), ("result",)),
    ("03/05", ("result",), ("result",)),
    ("03/08", ("validationSummary",), ("validationSummary",)),
    ("03/08", ("workflowTransition", "body"), ("workflowTransition", "body")),
    ("03/09", ("validationSummary",), ("validationSummary",)),
    ("03/09", ("reportUpdate",), ("reportUpdate",)),
    ("04/01", ("response", "body"), ("response",)),
    ("04/02", ("reportDetailResponse",), ("response",)),
    ("04/03", ("request", "body"), ("request",)),
    ("04/03", ("response", "body"), ("response",)),
    ("04/04", ("request", "body"), ("request",)),
    ("04/04", ("response", "body"), ("response",)),
    ("04/06", ("kafkaMessage", "value"), ()),
    ("05/01", ("response", "body"), ("response",)),
    ("05/03", ("request", "body"), ("request",)),
    ("05/03", ("response", "body"), ("response",)),
    ("06/03", ("request", "body"), ("request",)),
    ("06/03", ("response", "body"), ("response",)),
    ("06/05", ("request", "body"), ("request",)),
    ("06/05", ("response", "body"), ("response",)),
    ("07/01", ("kafkaMessage", "value"), ()),
    ("07/02", ("response", "body"), ("response",)),
    ("08/01", ("request", "body"), ("request",)),
    ("08/02", ("request", "body"), ("request",)),
    ("08/04", ("response", "body"), ()),
    ("08/05", ("kafkaMessage", "value"), ()),
    ("09/01", ("kafkaMessage", "value"), ()),
    ("09/02", ("workflowUpdate", "body"), ("request",)),
    ("09/02", ("response", "body"), ("response",)),
    ("09/05", ("workflowUpdate", "body"), ("request",)),
    ("09/05", ("response", "body"), ("response",)),
    ("10/01", ("response", "body"), ("response",)),
    ("10/02", ("response", "body"), ("response",)),
]  # fmt: skip

# Fields that bind no longer: the older evidence object (contract 8), answers' RequestInfo, and what the provider made up since
NOT_OURS = {"RequestInfo", "ResponseInfo", "evidence", "batch_id", "fee_type", "createdBy", "lastModifiedBy"}


def missing_fields(packet: Any, ours: Any, path: str = "") -> list[str]:
    """Paths of the packet's fields that ours has not; of lists the first entries are compared."""
    if isinstance(packet, dict):
        if not isinstance(ours, dict):
            return [path]
        lost = [f"{path}.{key}" for key in packet if key not in ours and key not in NOT_OURS and not key.startswith("_")]
        shared = [key for key in packet if key in ours and key not in NOT_OURS]
        return lost + [deeper for key in shared for deeper in missing_fields(packet[key], ours[key], f"{path}.{key}")]
    if isinstance(packet, list) and packet and isinstance(ours, list) and ours:
        return missing_fields(packet[0], ours[0], f"{path}[0]")
    return []


@pytest.mark.skipif(not PACKETS.is_dir(), reason="the packet files are not beside this repository")
@pytest.mark.parametrize(("packet_id", "theirs", "ours"), SHAPES, ids=[f"{row[0]} {row[1][0]}" for row in SHAPES])
def test_what_we_draw_has_the_fields_of_the_flows_own_packet(packet_id: str, theirs: tuple[str, ...], ours: tuple[str, ...]) -> None:
    packet = get(packet_id)
    stage = next(stage for stage in catalogue().stages if stage.number == packet.stage)
    path = PACKETS / f"{packet.stage}-{stage.name}" / f"{packet.step:02d}-{packet.name}.json"
    body = json.loads(path.read_text(encoding="utf-8"))
    for step in theirs:
        body = body[step]
    action = ACTION_OF[packet_id]
    history = {**facts(action=action).history, "to_state": "AUTO_REJECTED" if action == "AUTO_VALIDATE_FAIL" else "VERIFIED"}
    drawn: Any = render(packet_id, facts(View.REVIEW, history=history))
    for step in ours:
        drawn = drawn[step]
    assert missing_fields(body, drawn) == []
