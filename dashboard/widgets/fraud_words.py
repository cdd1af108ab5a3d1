"""Flags, rules and their fields in the words of the fraud page. Pure: no SQL, no Streamlit."""

import re
from collections.abc import Mapping
from typing import Any

from dashboard import formats
from pipeline.masterdata.master import MasterData

FLAG_STATES: dict[str, tuple[str, str]] = {
    "OPEN": ("Open", "orange"),
    "UNDER_REVIEW": ("Under review", "blue"),
    "ESCALATED": ("Escalated", "violet"),
    "RESOLVED": ("Resolved", "green"),
}
RESOLUTIONS: dict[str, tuple[str, str]] = {
    "TRUE_POSITIVE": ("Rightly flagged", "red"),
    "FALSE_POSITIVE": ("False alarm", "green"),
    "INCONCLUSIVE": ("Not clear", "gray"),
    "DUPLICATE_FLAG": ("Flagged twice", "gray"),
}
DRAFT_STATES: dict[str, tuple[str, str]] = {
    "DRAFT": ("Draft", "gray"),
    "SUBMITTED": ("Waits for a second admin", "orange"),
    "ACTIVATED": ("Active", "green"),
    "REJECTED": ("Rejected", "red"),
    "WITHDRAWN": ("Withdrawn", "gray"),
}
STANDINGS: dict[str, tuple[str, str]] = {
    "GOOD": ("Good standing", "green"),
    "WARNING": ("Warned", "orange"),
    "COOLDOWN": ("Paused", "orange"),
    "SUSPENSION": ("Suspended", "red"),
    "BAN": ("Banned", "red"),
}
SEVERITIES: dict[str, str] = {"LOW": "Low", "MEDIUM": "Medium", "HIGH": "High", "CRITICAL": "Critical"}
SEVERITY_COLOURS: dict[str, str] = {"LOW": "green", "MEDIUM": "blue", "HIGH": "orange", "CRITICAL": "red"}
CONDITIONS: dict[str, str] = {
    "NULL_CHECK": "Something is missing",
    "GEO_BOUNDARY": "Outside the area",
    "GEO_DISTANCE": "Two places too far apart",
    "GEO_CLUSTER": "Many reports of one place",
    "GPS_VELOCITY": "Travelled too fast",
    "VELOCITY": "Many reports within hours",
    "AGGREGATE_COUNT": "Many reports within days",
    "INTERVAL": "Reports right after each other",
    "TIMESTAMP_AGE": "Old photos",
    "TIMESTAMP_DIFF": "Two times too far apart",
    "TIME_WINDOW": "Outside the usual hours",
    "HASH_MATCH": "The very same file",
    "IMAGE_SIMILARITY": "A photo much like another",
    "DEVICE_SHARING": "One device, several teachers",
    "METADATA_CHECK": "Data of the photo",
    "CUSTOM": "An expression",
    "EXTERNAL_VALIDATOR": "An outside service",
}
ACTIONS: dict[str, str] = {"FLAG": "Flag for a person", "AUTO_REJECT": "Reject the report", "NOTIFY": "Only tell, no points"}
MEASURED: dict[str, str] = {"INTERNAL": "this system", "EXTERNAL": "an outside service"}
DAYS: dict[str, str] = {"MON": "Mon", "TUE": "Tue", "WED": "Wed", "THU": "Thu", "FRI": "Fri", "SAT": "Sat", "SUN": "Sun"}

FIELDS: dict[str, str] = {
    "enabled": "Rule is on",
    "name": "Name",
    "description": "What it says",
    "code": "Code",
    "id": "Number",
    "category": "Kind",
    "severity": "Severity",
    "weight": "Points of its own",
    "action.type": "When it fires",
    "action.autoReject": "Rejects by itself",
    "action.escalate": "Goes to a higher role at once",
    "action.escalateToRole": "To which role",
    "action.notifyApplicant": "Tell the teacher",
    "action.notifyVerifier": "Tell the verifier",
    "action.message": "Message",
    "condition.threshold": "Fires above",
    "condition.windowHours": "Within hours",
    "condition.windowDays": "Within days",
    "condition.periodDays": "Within days (1: the calendar day)",
    "condition.maxAgeHours": "Oldest allowed, in hours",
    "condition.lookbackDays": "Looks back, in days",
    "condition.minIntervalMinutes": "Least distance, in minutes",
    "condition.minUniqueUsers": "Fires from how many teachers",
    "condition.radiusMeters": "Radius in metres",
    "condition.minCount": "Fires from how many reports",
    "condition.expectedValue": "What is expected",
    "condition.maxDiffMinutes": "At most apart, in minutes",
    "condition.maxDistanceMeters": "At most apart, in metres",
    "condition.maxSpeedKmh": "Fastest allowed, in km/h",
    "condition.capValue": "Most allowed (only said in the message)",
    "condition.expression": "Expression",
    "condition.checkExpression": "Expression",
    "condition.validatorId": "Outside service",
    "condition.minConfidence": "Counts from how sure, 0 to 1",
    "condition.boundaryType": "Which area",
    "condition.field": "Looks at",
    "condition.field1": "First time",
    "condition.field2": "Second time",
    "condition.point1": "First place",
    "condition.point2": "Second place",
    "condition.algorithm": "Method",
    "condition.sameApplicantOnly": "Same teacher only",
    "condition.allowedWindows": "Usual hours",
    "condition.type": "Looks for",
    "ruleType": "Measured by",
    "applicableModules": "For reports of",
    "action.cooldownMinutes": "Rest in minutes (kept, without effect)",
    "action.rejectionReason": "Reason of the rejection",
}
_ALIKE = {"HASH_MATCH", "IMAGE_SIMILARITY"}
_SUBJECTS = {"purpose=DOG_PHOTO": "the dog photo", "purpose=SELFIE": "the selfie", "*": "any photo"}
_PARTS = {
    "gps": "Place",
    "gpsLatitude": "Place",
    "timestamp": "Time",
    "deviceId": "Device",
    "exifPresent": "Camera data",
    "software": "Software",
    "fileStoreId": "File",
}
_PLAIN = {
    "locationData": "The reported place",
    "locationData.locality": "Locality",
    "locationData.ward": "Ward",
    "locationData.district": "District",
    "applicantId": "The teacher",
    "deviceId": "Device of the report",
    "createdTime": "Time of the report",
    "contentHash": "File of the dog photo",
    "additionalData.dogCount": "Number of dogs",
}

_TABLES: dict[str, Mapping[str, str]] = {
    "ruleType": MEASURED,
    "action.type": ACTIONS,
    "severity": SEVERITIES,
    "condition.type": CONDITIONS,
    "action.escalateToRole": formats.ROLES,
}


def rule_names(md: MasterData, tenant_id: str) -> dict[str, str]:
    """The names of the rules that count for a tenant, by id; a rule that is gone has none."""
    return {rule.id: rule.name for rule in md.fraud_rules(tenant_id)}


def field(path: str, condition_type: str = "") -> str:
    """A rule's field in words."""
    if path == "condition.threshold" and condition_type in _ALIKE:
        return "Fires from how alike, 0 to 1"
    return FIELDS.get(path) or formats.words(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", path.rpartition(".")[2]))


def path(name: str) -> str:
    """What a rule looks at, in words: Time of the dog photo."""
    found = re.fullmatch(r"evidences\[([^\]]+)\]\.(?:metadata\.)?(\w+)", name)
    if found is None:
        return _PLAIN.get(name, name)
    return f"{_PARTS.get(found[2], found[2])} of {_SUBJECTS.get(found[1], found[1])}"


def value(where: str, content: Any, categories: Mapping[str, str] | None = None) -> str:
    """A value of a rule's field in words; `categories` are the programme's words for its kinds."""
    if content is None:
        return formats.ABSENT
    if isinstance(content, bool):
        return "yes" if content else "no"
    if where == "condition.allowedWindows":
        return "; ".join(window(one) for one in content)
    if isinstance(content, list | tuple):
        return ", ".join(str(one) for one in content)
    if where.startswith("condition.") and where.rpartition(".")[2] in {"field", "field1", "field2", "point1", "point2"}:
        return path(str(content))
    if where == "category" and categories:
        return categories.get(str(content), str(content))
    return _TABLES.get(where, {}).get(str(content), f"{content:g}" if isinstance(content, float) else str(content))


def window(one: Mapping[str, Any]) -> str:
    """Hours of some days: Mon, Tue 07:00 to 18:00."""
    return f"{', '.join(DAYS[day] for day in one['days'])} {one['start']} to {one['end']}"


def trial(result: Mapping[str, Any]) -> str:
    """What a draft would have done, in one sentence."""
    if not result["reports"]:
        return "No report was evaluated in the last 30 days, so nothing can be said."
    bounded = " newest" if result["newest_only"] else ""
    head = (
        f"Would flag {formats.count(result['flagged'])} of the {formats.count(result['reports'])}{bounded} reports of the last 30 days "
        f"({formats.percent(result['flagged'], result['reports'])})"
    )
    if not result["flagged"]:
        return f"{head}."
    return f"{head}: {formats.count(result['verified'])} of them later verified, {formats.count(result['rejected'])} rejected by a person."


def compared(result: Mapping[str, Any], *, new: bool) -> str:
    """The draft beside the rule as it is; nothing to say of a new rule."""
    if new or not result["reports"]:
        return ""
    return (
        f"The rule as it is flags {formats.count(result['flagged_now'])} of them: {formats.count(result['added'])} would be added, "
        f"{formats.count(result['dropped'])} would go."
    )


def trouble(result: Mapping[str, Any]) -> str:
    """Why the draft could not be looked at for some reports; empty where it could for all."""
    count = result["skipped"] + result["failed"]
    if not count:
        return ""
    why = "; ".join(f"{reason} ({formats.count(times)})" for reason, times in result["trouble"].items())
    what = "Each of these would have to be looked at by a person." if result["failed"] else ""
    return f"Could not be looked at for {formats.count(count)} reports: {why}. {what}".strip()
