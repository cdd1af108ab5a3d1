"""Requests that work on the demo's data, shown in /openapi.json; ids are stand-ins."""

from typing import Any

VILLE = "dj.djibouti-ville"
REPORT_ID = "0195d3a0-0000-7000-8000-000000000001"
OFFICER_ID = "0195d3a0-0000-7000-8000-000000000002"
INFO: dict[str, Any] = {"apiId": "Rainmaker", "ver": ".01", "msgId": "20260310100000|en_IN", "authToken": "<access_token>"}

TOKEN = {
    "grant_type": "password",
    "username": "T12345",
    "password": "demo",
    "tenantId": VILLE,
    "userType": "EMPLOYEE",
    "scope": "read",
}
TOKEN_EXCHANGE = {"code": "<code>", "state": "<state>", "redirect_uri": "sdcrs://callback"}
TOKEN_REFRESH = {"refresh_token": "<refresh_token>"}
SIGN_OUT: dict[str, Any] = {"RequestInfo": INFO, "everywhere": True}
CREATE: dict[str, Any] = {
    "RequestInfo": INFO,
    "DogReports": [
        {
            "tenantId": VILLE,
            "serviceType": "StrayDogAggressive",
            "description": "Three dogs chase pupils at the school gate every morning.",
            "location": {
                "latitude": 11.5886,
                "longitude": 43.1456,
                "address": "Near the main gate of the school",
                "localityCode": "DJC001",
                "wardCode": "W005",
                "gpsLatitude": 11.5887,
                "gpsLongitude": 43.1455,
                "gpsAccuracy": 8.5,
            },
            "evidence": [
                {"fileStoreId": "0195d3a0-0000-7000-8000-000000000003", "evidenceType": "DOG_PHOTO"},
                {"fileStoreId": "0195d3a0-0000-7000-8000-000000000004", "evidenceType": "REPORTER_SELFIE"},
            ],
        }
    ],
}
UPDATE: dict[str, Any] = {
    "RequestInfo": INFO,
    "DogReports": [
        {
            "id": REPORT_ID,
            "tenantId": VILLE,
            "version": 3,
            "workflow": {"action": "ASSIGN", "assignee": [OFFICER_ID], "comment": "Covers ward 5"},
        }
    ],
}
SEARCH: dict[str, Any] = {
    "RequestInfo": INFO,
    "searchCriteria": {
        "tenantId": VILLE,
        "status": ["PENDING_VERIFICATION"],
        "sortBy": "createdTime",
        "sortOrder": "ASC",
        "offset": 0,
        "limit": 20,
    },
}
TRACK: dict[str, Any] = {"trackingId": "7KD4WQ2M"}
OFFICERS: dict[str, Any] = {
    "RequestInfo": INFO,
    "tenantId": VILLE,
    "roleCodes": ["MC_OFFICER"],
    "active": True,
    "wardCode": "W005",
}
BOUNDARY: dict[str, Any] = {"RequestInfo": INFO, "tenantId": VILLE, "latitude": 11.5886, "longitude": 43.1456}
EVALUATE: dict[str, Any] = {
    "RequestInfo": INFO,
    "request": {
        "moduleCode": "SDCRS",
        "tenantId": VILLE,
        "referenceId": REPORT_ID,
        "applicantInfo": {"applicantId": "0195d3a0-0000-7000-8000-000000000005", "deviceId": "android-7f3a"},
        "locationData": {"latitude": 11.5886, "longitude": 43.1456, "locality": "DJC001", "ward": "W005", "district": "DJ01"},
        "evidences": [
            {
                "fileStoreId": "0195d3a0-0000-7000-8000-000000000003",
                "purpose": "DOG_PHOTO",
                "metadata": {"gpsLatitude": 11.5886, "gpsLongitude": 43.1456, "timestamp": 1773126000000, "exifPresent": True},
            },
            {"fileStoreId": "0195d3a0-0000-7000-8000-000000000004", "purpose": "SELFIE", "metadata": {"exifPresent": True}},
        ],
        "additionalData": {"dogCount": 3, "isAggressive": True},
    },
}
TRANSITION: dict[str, Any] = {
    "RequestInfo": INFO,
    "ProcessInstances": [
        {
            "tenantId": VILLE,
            "businessService": "SDCRS",
            "businessId": "DR-DJ-2026-000123",
            "moduleName": "sdcrs-services",
            "action": "VERIFY",
            "comment": "Evidence is clear",
        }
    ],
}
PAYOUTS: dict[str, Any] = {"RequestInfo": INFO, "searchCriteria": {"tenantId": VILLE, "status": ["FAILED"], "offset": 0, "limit": 20}}
RETRY: dict[str, Any] = {"RequestInfo": INFO, "reportIds": [REPORT_ID], "beneficiaryVpa": "teacher@okaxis"}
