"""What the contracts take and refuse: each row is a policy, the expected answer last."""

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import AppError
from pipeline.packets.contracts import boundary, files, payouts, reports, users, webhook, workflow
from pipeline.packets.contracts.common import as_uuid, error_body, fingerprint, parse, read_json, response_info
from pipeline.settings import ROOT

PACKETS = ROOT.parent / "shared" / "sdcrs" / "packets"
NOON = datetime(2026, 3, 10, 11, 0, tzinfo=UTC)
GONE: Any = object()  # a row that takes a field away


def create_body(**change: Any) -> dict[str, Any]:
    """A _create body that is accepted, with fields of its report changed by dotted path."""
    report: dict[str, Any] = {
        "tenantId": "dj.djibouti-ville",
        "serviceType": "StrayDogPack",
        "description": "Three dogs behind the market, since two days.",
        "location": {"latitude": 11.5, "longitude": 43, "gpsLatitude": 11.5, "gpsLongitude": 43.1, "gpsTimestamp": 1734176145000},
        "evidence": [
            {"fileStoreId": "f1", "evidenceType": "DOG_PHOTO", "captureTime": 1734176145000, "imageHash": "d4c3"},
            {"fileStoreId": "f2", "evidenceType": "REPORTER_SELFIE"},
        ],
    }
    for path, value in change.items():
        put(report, path.split("__"), value)
    return {"RequestInfo": {"apiId": "app", "msgId": "1|en_IN", "userInfo": {"roles": [{"code": "SYSTEM"}]}}, "DogReports": [report]}


def put(node: Any, steps: list[str], value: Any) -> None:
    key: Any = int(steps[0]) if steps[0].isdigit() else steps[0]
    if len(steps) > 1:
        put(node[key], steps[1:], value)
    elif value is GONE:
        del node[key]
    else:
        node[key] = value


def refusal(model: Any, body: Any) -> str:
    with pytest.raises(AppError) as refused:
        parse(model, body)
    assert refused.value.code == "SDCRS_INVALID_REQUEST"
    return refused.value.message


REPORT_ROWS = [
    # ranges and types
    ({"location__latitude": 90.01}, "location.latitude: must be at most 90"),
    ({"location__longitude": -180.5}, "location.longitude: must be at least -180"),
    ({"location__latitude": "11.5"}, "location.latitude: must be a number"),
    ({"location__latitude": True}, "location.latitude: must be a number"),
    ({"location__latitude": float("nan")}, "location.latitude: must be a finite number"),
    ({"location__longitude": float("inf")}, "location.longitude: must be a finite number"),
    ({"location__latitude": None}, "location.latitude: must be a number"),
    ({"location__gpsLatitude": GONE}, "location: needs gpsLatitude and gpsLongitude together"),
    ({"location__gpsAccuracy": -1}, "location.gpsAccuracy: must be at least 0"),
    ({"location": GONE}, "location: is required"),
    ({"location": [1]}, "location: must be an object"),
    # times in milliseconds, not in seconds and not in microseconds
    ({"location__gpsTimestamp": 1734176145}, "location.gpsTimestamp: must be at least 946684800000"),
    ({"evidence__0__captureTime": 1734176145000000}, "evidence[0].captureTime: must be at most 4102444800000"),
    ({"evidence__0__captureTime": 1.5}, "evidence[0].captureTime: must be a whole number"),
    # texts
    ({"description": "Too short a text"}, "description: must have at least 20 characters"),
    ({"description": " " * 40}, "description: must have at least 20 characters"),
    ({"description": "x" * 513}, "description: must have at most 512 characters"),
    ({"description": "A bell \x07 rings in here."}, "description: contains a control character"),
    ({"description": "Reads backwards \u202e from here on."}, "description: contains a control character"),
    ({"location__landmark": "two\nlines"}, "location.landmark: contains a control character"),
    ({"location__wardCode": "W005; DROP"}, "location.wardCode: has a form that is not allowed"),
    ({"tenantId": "DJ"}, "tenantId: has a form that is not allowed"),
    ({"tenantId": GONE}, "tenantId: is required"),
    ({"serviceType": GONE}, "serviceType: is required"),
    # evidence
    ({"evidence__0__evidenceType": "CAPTURE_PHOTO"}, "evidence[0].evidenceType: must be 'DOG_PHOTO' or 'REPORTER_SELFIE'"),
    ({"evidence__0__imageHash": "x" * 65}, "evidence[0].imageHash: must have at most 64 characters"),
    ({"evidence__1__fileStoreId": ""}, "evidence[1].fileStoreId: must have at least 1 characters"),
    ({"evidence__1__latitude": 1.0}, "evidence[1]: needs latitude and longitude together"),
    ({"evidence": [{"fileStoreId": "f", "evidenceType": "DOG_PHOTO"}] * 11}, "evidence: holds too many, at most 10"),
    # the dog
    ({"dogDetails": {"count": 2.5}}, "dogDetails.count: must be a whole number"),
    ({"dogDetails": {"count": True}}, "dogDetails.count: must be a whole number"),
    ({"dogDetails": {"isAggressive": "yes"}}, "dogDetails.isAggressive: must be true or false"),
    ({"dogDetails": {"colour": "brown"}}, "dogDetails.colour: is not a field here"),
    # what could set something
    ({"status": "VERIFIED"}, "status: is not a field here"),
    ({"reporterId": "somebody"}, "reporterId: is not a field here"),
    ({"location__gpsValidated": True}, "location.gpsValidated: is not a field here"),
    ({"reportType": "StrayDogInjured"}, ": serviceType and reportType are the same field and differ"),
]


@pytest.mark.parametrize(("change", "sentence"), REPORT_ROWS)
def test_a_wrong_report_is_refused_by_field_and_reason(change: dict[str, Any], sentence: str) -> None:
    path = "DogReports[0]" + ("" if sentence.startswith(":") else ".")
    assert refusal(reports.CreateRequest, create_body(**change)) == path + sentence


def test_a_report_is_taken_with_its_claims() -> None:
    request = parse(reports.CreateRequest, create_body(description="  Three dogs\nbehind the old market.  "))
    (report,) = request.reports
    assert report.description == "Three dogs\nbehind the old market."
    assert report.location.longitude == 43.0
    assert report.evidence[0].image_hash == "d4c3"
    assert report.dog_details is None


def test_what_the_server_decides_is_not_read_and_remarks_are_dropped() -> None:
    change = {
        "payoutStatus": "SUCCESS",
        "payoutAmount": 9,
        "resolvedBy": "me",
        "_comment": 1,
        "location___note": [],
        "evidence__0__contentHash": "x",
    }
    assert parse(reports.CreateRequest, create_body(**change)) == parse(reports.CreateRequest, create_body())


def test_user_info_is_never_believed() -> None:
    info = parse(reports.CreateRequest, create_body()).request_info
    assert info is not None
    assert not hasattr(info, "user_info")
    assert "SYSTEM" not in repr(info)


def test_a_token_does_not_show_in_a_log_of_the_request() -> None:
    body = create_body() | {"RequestInfo": {"authToken": "t0ken"}}
    assert "t0ken" not in repr(parse(reports.CreateRequest, body))


def test_unknown_fields_of_request_info_set_nothing_and_are_not_read() -> None:
    body = create_body() | {"RequestInfo": {"plainAccessRequest": {}, "requesterId": ""}}
    assert parse(reports.CreateRequest, body).request_info is not None


def test_a_single_report_is_the_same_as_a_list_of_one() -> None:
    body = create_body()
    single = {"RequestInfo": body["RequestInfo"], "DogReport": body["DogReports"][0]}
    assert parse(reports.CreateRequest, single).reports == parse(reports.CreateRequest, body).reports
    assert refusal(reports.CreateRequest, {**body, **single}) == "body: needs DogReports (a list) or DogReport (one), and not both"
    assert refusal(reports.CreateRequest, {}) == "body: needs DogReports (a list) or DogReport (one), and not both"
    assert refusal(reports.CreateRequest, {"DogReports": []}) == "DogReports: holds too few, at least 1"


def test_report_type_is_service_type() -> None:
    body = create_body(serviceType=GONE, reportType="StrayDogInjured")
    assert parse(reports.CreateRequest, body).reports[0].service_type == "StrayDogInjured"
    assert parse(reports.SearchRequest, {"searchCriteria": {"tenantId": "dj", "reportType": "X"}}).search_criteria.service_type == "X"


def test_more_reports_than_a_day_allows_reach_the_daily_limit_and_not_a_shape_error() -> None:
    six = create_body() | {"DogReports": create_body()["DogReports"] * 6}
    assert reports.reports_in(six) == 6
    assert len(parse(reports.CreateRequest, six).reports) == 6
    assert [reports.reports_in(body) for body in (None, {}, {"DogReports": "x"}, {"DogReports": []}, {"DogReport": {}})] == [1] * 5


def test_an_error_never_repeats_what_was_sent() -> None:
    assert "Sentinel" not in refusal(reports.CreateRequest, create_body(location__latitude="Sentinel Name"))


def test_a_hostile_field_name_is_cut_and_printable() -> None:
    sentence = refusal(reports.CreateRequest, create_body(**{"x\x00\n" + "y" * 5000: 1}))
    assert len(sentence) < 300
    assert sentence.startswith("DogReports[0].x??y")


# _update ---------------------------------------------------------------------------------------------------------------

UPDATE_ROWS = [
    ({"workflow": GONE}, "workflow: is required"),
    ({"workflow": {"action": "verify"}}, "workflow.action: has a form that is not allowed"),
    ({"workflow": {"action": "ASSIGN", "assignee": ["a", "b"]}}, "workflow.assignee: holds too many, at most 1"),
    ({"workflow": {"action": "VERIFY", "comment": "x" * 1001}}, "workflow.comment: must have at most 1000 characters"),
    ({"id": GONE}, "id: is required"),
    ({"version": 0}, "version: must be at least 1"),
    ({"rating": 6}, "rating: must be at most 5"),
    (
        {"unableToLocateReason": "TIRED"},
        "unableToLocateReason: must be 'DOG_MOVED', 'INCORRECT_LOCATION', 'DOG_ALREADY_CAPTURED' or 'SEARCH_TIMEOUT'",
    ),
    ({"fieldVisitLocation": {"latitude": 1.0}}, "fieldVisitLocation.longitude: is required"),
    ({"additionalDetails": {"duplicateOf": "x"}}, "additionalDetails.duplicateOf: has a form that is not allowed"),
    (
        {"payoutDetails": {"manualPaymentMethod": "GOLD"}},
        "payoutDetails.manualPaymentMethod: must be 'UPI', 'CASH', 'BANK_TRANSFER', 'CHEQUE' or 'OTHER'",
    ),
    ({"payoutDetails": {"manualPaymentReference": "  "}}, "payoutDetails.manualPaymentReference: must have at least 1 characters"),
    ({"fraudScore": 1}, "fraudScore: is not a field here"),
    ({"status": "RESOLVED"}, "status: is not a field here"),
]


def update_body(**change: Any) -> dict[str, Any]:
    report = {"id": "r1", "tenantId": "dj", "workflow": {"action": "VERIFY"}}
    for path, value in change.items():
        put(report, path.split("__"), value)
    return {"DogReports": [report]}


@pytest.mark.parametrize(("change", "sentence"), UPDATE_ROWS)
def test_a_wrong_update_is_refused_by_field_and_reason(change: dict[str, Any], sentence: str) -> None:
    assert refusal(reports.UpdateRequest, update_body(**change)) == "DogReports[0]." + sentence


def update(**change: Any) -> reports.ReportUpdate:
    return parse(reports.UpdateRequest, update_body(**change)).dog_reports[0]


@pytest.mark.parametrize(
    ("sent", "meant"), [("STALE_PHOTO", "STALE_TIMESTAMP"), ("STALE_EVIDENCE", "STALE_TIMESTAMP"), ("NOT_A_DOG", "NOT_A_DOG")]
)
def test_a_reason_under_another_name_is_the_same_reason(sent: str, meant: str) -> None:
    assert update(rejectionReason=sent).rejection_reason == meant


@pytest.mark.parametrize(("sent", "meant"), [("NEFT", "BANK_TRANSFER"), ("IMPS", "BANK_TRANSFER"), ("CASH", "CASH")])
def test_the_rails_of_banks_are_one_method(sent: str, meant: str) -> None:
    details = update(payoutDetails={"manualPaymentMethod": sent, "manualPaymentReference": "NEFT-1"}).payout_details
    assert details is not None
    assert details.manual_payment_method == meant


def test_the_officer_may_stand_in_both_places_but_must_be_the_same() -> None:
    assert update(workflow={"action": "ASSIGN", "assignee": ["o1"]}, assignedOfficerId="o1", assignedOfficerName="x").officer == "o1"
    assert update(workflow={"action": "ASSIGN", "assignee": ["o1"]}).officer == "o1"
    assert update(workflow={"action": "REASSIGN", "assignee": []}).officer is None
    different = update_body(workflow={"action": "ASSIGN", "assignee": ["o1"]}, assignedOfficerId="o2")
    assert "different officers" in refusal(reports.UpdateRequest, different)


def test_a_system_packet_has_a_shape_that_is_read_so_that_its_role_is_what_refuses_it() -> None:
    details = {"payoutId": None, "payoutStatus": "INITIATED", "payoutAmount": 500, "payoutInitiatedAt": 1734188410000}
    assert update(workflow={"action": "INITIATE_PAYOUT"}, payoutDetails=details).workflow.action == "INITIATE_PAYOUT"


# _search and the others ---------------------------------------------------------------------------------------------------

SEARCH_ROWS = [
    ({}, "needs tenantId, or ids, reportId, reportNumber or trackingId"),
    ({"status": ["VERIFIED"]}, "needs tenantId, or ids, reportId, reportNumber or trackingId"),
    ({"tenantId": "dj", "limit": 101}, "limit: must be at most 100"),
    ({"tenantId": "dj", "limit": 0}, "limit: must be at least 1"),
    ({"tenantId": "dj", "offset": -1}, "offset: must be at least 0"),
    ({"tenantId": "dj", "offset": 10_001}, "offset: must be at most 10000"),
    (
        {"tenantId": "dj", "sortBy": "description"},
        "sortBy: must be 'createdTime', 'lastModifiedTime', 'reportNumber', 'status' or 'serviceType'",
    ),
    ({"tenantId": "dj", "sortOrder": "asc"}, "sortOrder: must be 'ASC' or 'DESC'"),
    ({"tenantId": "dj", "status": "VERIFIED"}, "status: must be a list"),
    ({"tenantId": "dj", "fromDate": 1734176145001, "toDate": 1734176145000}, "fromDate is after toDate"),
    ({"tenantId": "dj", "ids": []}, "ids: holds too few, at least 1"),
    ({"tenantId": "dj", "colour": "x"}, "colour: is not a field here"),
]


@pytest.mark.parametrize(("criteria", "sentence"), SEARCH_ROWS)
def test_wrong_criteria_are_refused(criteria: dict[str, Any], sentence: str) -> None:
    assert refusal(reports.SearchRequest, {"searchCriteria": criteria}).endswith(sentence)


@pytest.mark.parametrize("key", ["reportId", "reportNumber", "trackingId"])
def test_a_named_report_needs_no_tenant(key: str) -> None:
    criteria = parse(reports.SearchRequest, {"searchCriteria": {key: "x"}}).search_criteria
    assert (criteria.limit, criteria.offset, criteria.sort_by, criteria.sort_order) == (20, 0, "createdTime", "DESC")


OTHER_ROWS = [
    (reports.TrackRequest, {"trackingId": "ABCD2345"}, None),
    (reports.TrackRequest, {"trackingId": ""}, "trackingId: must have at least 1 characters"),
    (boundary.BoundaryRequest, {"tenantId": "dj", "latitude": 1, "longitude": 2}, None),
    (boundary.BoundaryRequest, {"tenantId": "dj", "latitude": 91, "longitude": 2}, "latitude: must be at most 90"),
    (users.UserSearchRequest, {"tenantId": "dj", "roleCodes": ["MC_OFFICER"], "active": True}, None),
    (users.UserSearchRequest, {"tenantId": "dj", "active": 1}, "active: must be true or false"),
    (users.TokenForm, {"grant_type": "password", "username": "V001", "password": "x", "tenantId": "dj", "extra": "1"}, None),
    (users.TokenForm, {"grant_type": "implicit"}, "grant_type: must be 'password' or 'refresh_token'"),
    (users.TokenExchange, {"code": "c", "state": "s", "redirect_uri": "sdcrs://callback"}, None),
    (users.TokenRefresh, {"refresh_token": ""}, "refresh_token: must have at least 1 characters"),
    (files.UploadFields, {"tenantId": "dj", "module": "sdcrs", "tag": "capture-evidence"}, None),
    (files.UploadFields, {"tenantId": "dj", "module": "../x"}, "module: has a form that is not allowed"),
    (files.FileKey, {"fileStoreId": "f\n"}, "fileStoreId: contains a control character"),
    (workflow.TransitionRequest, {"ProcessInstances": [{"tenantId": "dj", "businessId": "DR-1", "action": "VERIFY"}]}, None),
    (workflow.TransitionRequest, {"ProcessInstances": []}, "ProcessInstances: holds too few, at least 1"),
    (payouts.PayoutSearchRequest, {"searchCriteria": {"tenantId": "dj", "status": ["FAILED"]}}, None),
    (payouts.PayoutSearchRequest, {"searchCriteria": {}}, "searchCriteria.tenantId: is required"),
    (payouts.PayoutRetryRequest, {"reportIds": ["a", "b"]}, None),
    (payouts.PayoutRetryRequest, {"reportIds": ["a", "b"], "beneficiaryVpa": "x@y"}, "body: a beneficiaryVpa goes with one report only"),
]


@pytest.mark.parametrize(("model", "body", "sentence"), OTHER_ROWS)
def test_the_smaller_bodies(model: Any, body: dict[str, Any], sentence: str | None) -> None:
    if sentence is None:
        parse(model, body)
    else:
        assert refusal(model, body) == sentence


def test_a_process_search_is_read_from_the_query() -> None:
    body = workflow.from_query({"businessIds": "DR-1, DR-2", "history": "true", "limit": "5"})
    criteria = parse(workflow.ProcessCriteria, body)
    assert (criteria.business_ids, criteria.history, criteria.limit) == (["DR-1", "DR-2"], True, 5)
    assert (
        refusal(workflow.ProcessCriteria, workflow.from_query({"businessIds": "x", "history": "maybe"})) == "history: must be true or false"
    )
    assert (
        refusal(workflow.ProcessCriteria, workflow.from_query({"businessIds": "x", "limit": "99999999999"}))
        == "limit: must be a whole number"
    )


# Webhooks --------------------------------------------------------------------------------------------------------------


def event_body(**change: Any) -> dict[str, Any]:
    entity = {"id": "pout_1", "status": "processed", "amount": 50000, "currency": "INR", "utr": "42", "notes": [], "new_field": {"a": 1}}
    body = {"entity": "event", "event": "payout.processed", "payload": {"payout": {"entity": entity | change}}, "created_at": 1734188435}
    return copy.deepcopy(body)


def test_a_webhook_with_fields_we_do_not_know_is_read() -> None:
    event = webhook.read_event(json.dumps(event_body()).encode())
    assert event.payout is not None
    assert (event.event, event.payout.amount, event.payout.notes) == ("payout.processed", 50000, {})


def test_the_packets_name_of_an_event_is_the_providers_event() -> None:
    body = event_body() | {"event": "payout.processing"}
    assert webhook.read_event(json.dumps(body).encode()).event == "payout.initiated"


def test_an_event_about_something_else_has_no_payout() -> None:
    assert webhook.read_event(b'{"event": "transaction.created", "payload": {"transaction": {}}}').payout is None


def test_the_reason_code_wins_over_the_older_sentence() -> None:
    details = {"reason": "beneficiary_vpa_invalid", "description": None, "source": "beneficiary_bank"}
    with_code = webhook.read_event(json.dumps(event_body(failure_reason="old", status_details=details)).encode()).payout
    without = webhook.read_event(json.dumps(event_body(failure_reason="old")).encode()).payout
    assert with_code is not None
    assert without is not None
    assert (with_code.reason, without.reason) == ("beneficiary_vpa_invalid", "old")


@pytest.mark.parametrize("change", [{"amount": "50000"}, {"amount": -1}, {"amount": 500.5}, {"id": ""}, {"id": "a b"}, {"status": None}])
def test_a_webhook_with_a_wrong_field_we_act_on_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(AppError):
        webhook.read_event(json.dumps(event_body(**change)).encode())


# JSON and envelopes ------------------------------------------------------------------------------------------------------

JSON_ROWS = [
    (b"{", "Expecting"),
    (b'{"a": NaN}', "cannot be kept"),
    (b'{"a": -Infinity}', "cannot be kept"),
    (b'{"a": 1e999}', "too large"),
    (b'{"a": ' + b"9" * 5000 + b"}", "cannot be kept"),
    (b'{"a": "\\u0000"}', "NUL"),
    (b'{"\\u0000": 1}', "NUL"),
    (b'{"a": ["\\ud800"]}', "half a character"),
    (b"\xff\xfe{}", ""),
    (b'"\xff"', "UTF-8"),
    (b"[" * 40 + b"]" * 40, "nested deeper"),
    (b"[" * 200_000, "nested too deep"),
]


@pytest.mark.parametrize(("raw", "detail"), JSON_ROWS)
def test_json_that_no_database_could_keep_is_refused(raw: bytes, detail: str) -> None:
    with pytest.raises(AppError) as refused:
        read_json(raw)
    assert refused.value.code == "SDCRS_INVALID_JSON"
    assert detail in refused.value.params["detail"]


def test_json_in_other_scripts_is_read() -> None:
    assert read_json('{"a": "कुत्ता \U0001f415"}'.encode()) == {"a": "कुत्ता \U0001f415"}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
paths = st.sampled_from(
    ["tenantId", "serviceType", "description", "location", "location__latitude", "location__address", "evidence", "evidence__0",
     "evidence__0__captureTime", "evidence__0__fileStoreId", "dogDetails", "reportType", "other"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(changes=st.dictionaries(paths, values, max_size=1), root=st.none() | values)
def test_any_body_is_taken_or_refused_by_name(changes: dict[str, Any], root: Any) -> None:
    body = create_body(**changes) if root is None else root
    code = None
    try:
        parse(reports.CreateRequest, body)
    except AppError as error:
        code = error.code
        error.message.encode()
    assert code in {None, "SDCRS_INVALID_REQUEST"}


def test_the_same_request_at_another_time_has_the_same_fingerprint() -> None:
    body = create_body()
    later = copy.deepcopy(body) | {"RequestInfo": {"ts": 5}}
    assert fingerprint(body) == fingerprint(later)
    assert fingerprint(body) != fingerprint(create_body(serviceType="StrayDogInjured"))


def test_envelopes_carry_the_message_id_back() -> None:
    info = parse(reports.CreateRequest, create_body()).request_info
    told = response_info(info, NOON, "res-1")
    assert told == {"apiId": "app", "ver": ".01", "ts": 1773140400000, "resMsgId": "res-1", "msgId": "1|en_IN", "status": "successful"}
    errors = error_body([AppError("SDCRS_INVALID_REQUEST", field="x", detail="is required")], None, NOON, "res-2")
    assert errors["ResponseInfo"]["status"] == "failed"
    assert errors["Errors"] == [
        {
            "code": "SDCRS_INVALID_REQUEST",
            "message": "x: is required",
            "description": "is required",
            "params": {"field": "x", "detail": "is required"},
        }
    ]


def test_an_id_of_another_system_finds_nothing() -> None:
    assert as_uuid("dr-uuid-001-abcd-efgh-ijkl-mnop") is None
    assert str(as_uuid("019a0000-0000-7000-8000-000000000001")) == "019a0000-0000-7000-8000-000000000001"


# The packets themselves ----------------------------------------------------------------------------------------------------

REQUESTS = [
    ("02-report-submission/07-*", ("request", "body"), reports.CreateRequest),
    ("02-report-submission/10-*", ("request", "body"), workflow.TransitionRequest),
    ("03-auto-validation/04-*", ("boundaryCheckRequest", "body"), boundary.BoundaryRequest),
    ("03-auto-validation/08-*", ("workflowTransition", "body"), workflow.TransitionRequest),
    ("03-auto-validation/09-*", ("workflowTransition", "body"), workflow.TransitionRequest),
    ("04-verification/01-*", ("request", "body"), reports.SearchRequest),
    ("04-verification/02-*", ("reportDetailRequest", "body"), reports.SearchRequest),
    ("04-verification/03-*", ("request", "body"), reports.UpdateRequest),
    ("04-verification/04-*", ("request", "body"), reports.UpdateRequest),
    ("05-assignment/01-*", ("request", "body"), reports.SearchRequest),
    ("05-assignment/02-*", ("request", "body"), users.UserSearchRequest),
    ("05-assignment/03-*", ("request", "body"), reports.UpdateRequest),
    ("06-field-visit/01-*", ("request", "body"), reports.SearchRequest),
    ("06-field-visit/02-*", ("reportDetailRequest", "body"), reports.SearchRequest),
    ("06-field-visit/03-*", ("request", "body"), reports.UpdateRequest),
    ("06-field-visit/05-*", ("request", "body"), reports.UpdateRequest),
    ("07-payout-initiation/02-*", ("request", "body"), reports.UpdateRequest),
    ("08-razorpay-integration/05-*", ("kafkaMessage", "value", "Payout"), payouts.Payout),
    ("08-razorpay-integration/06-*", ("webhookRequest", "body"), webhook.WebhookEvent),
    ("08-razorpay-integration/07-*", ("webhookRequest", "body"), webhook.WebhookEvent),
    ("09-payout-completion/02-*", ("workflowUpdate", "body"), reports.UpdateRequest),
    ("09-payout-completion/05-*", ("workflowUpdate", "body"), reports.UpdateRequest),
    ("10-search-and-track/01-*", ("request", "body"), reports.SearchRequest),
    ("10-search-and-track/02-*", ("request", "body"), reports.SearchRequest),
    ("01-teacher-login/04-*", ("request", "body"), users.TokenExchange),
    ("01-teacher-login/08-*", ("request", "body"), users.UserSearchRequest),
]


@pytest.mark.skipif(not PACKETS.is_dir(), reason="the packet files are not beside this repository")
@pytest.mark.parametrize(("pattern", "steps", "model"), REQUESTS, ids=[row[0] for row in REQUESTS])
def test_the_flows_own_packets_are_taken_as_they_are(pattern: str, steps: tuple[str, ...], model: Any) -> None:
    (path,) = PACKETS.glob(pattern)
    body = json.loads(path.read_text(encoding="utf-8"))
    for step in steps:
        body = body[step]
    parse(model, body)
