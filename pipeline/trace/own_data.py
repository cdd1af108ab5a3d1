"""Everything that the programme holds about one person, for that person: to read, to keep, to show to somebody else.

Left out is what would teach how to pass the checks: scores, rules that fired, and whose photo another one resembles.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.access.caller import Caller
from pipeline.notifications.follower import message_text
from pipeline.runtime import Runtime
from pipeline.vault.persons import FIELDS

MOST = 10_000  # rows of each kind: at five reports a day more than five years

_ACCOUNT = text("""
    SELECT username, tenant_id, roles, wards, school_code, school_name, locale, standing, standing_until, standing_reason, lifetime_reports,
           designation, created_at
    FROM access.account WHERE id = :id
""")
_REPORTS = text("""
    SELECT id, report_number, tracking_id, service_type, description, status, latitude, longitude, address, locality, ward_code,
           rejection_reason, payout_status, payout_amount_paise, utr, rating, created_at, resolved_at
    FROM sdcrs.report WHERE reporter_id = :id ORDER BY created_at, id LIMIT :most
""")
_PHOTOS = text("""
    SELECT e.report_id, e.evidence_type, f.file_name, f.content_type, f.size_bytes, f.uploaded_at, f.exif_latitude, f.exif_longitude,
           f.exif_taken_at, f.exif_gps_at, f.exif_device, f.erased_at
    FROM sdcrs.evidence e JOIN sdcrs.file f ON f.id = e.file_id JOIN sdcrs.report r ON r.id = e.report_id
    WHERE r.reporter_id = :id AND e.evidence_type <> 'CAPTURE_PHOTO' ORDER BY e.report_id, e.evidence_type LIMIT :most
""")
_STEPS = text("""
    SELECT h.report_id, h.action, h.to_state, h.actor_role, h.occurred_at
    FROM sdcrs.report_history h JOIN sdcrs.report r ON r.id = h.report_id
    WHERE r.reporter_id = :id ORDER BY h.report_id, h.version LIMIT :most
""")
_PAYOUTS = text("""
    SELECT report_number, amount_paise, currency, status, method, utr, failure_text, cap_month, created_at, completed_at
    FROM payout.payout WHERE beneficiary_id = :id ORDER BY created_at, id LIMIT :most
""")
_MESSAGES = text("""
    SELECT n.template_id, n.locale, n.params, n.status, n.created_at, r.tracking_id
    FROM sdcrs.notification n JOIN sdcrs.report r ON r.id = n.report_id
    WHERE n.recipient_id = :id ORDER BY n.created_at, n.id LIMIT :most
""")
_PENALTIES = text("""
    SELECT code, reason, status, starts_at, until, lift_reason, lifted_at, appeal_text, appealed_at, appeal_granted, appeal_comment
    FROM fraud.penalty WHERE account_id = :id ORDER BY starts_at, id LIMIT :most
""")
_LOOKS = text("""
    SELECT action, actor_role, purpose, details, occurred_at FROM audit.event
    WHERE subject_kind = 'ACCOUNT' AND subject_id = :subject AND tenant_id = ANY (:scope) ORDER BY occurred_at, id LIMIT :most
""")


def own_data(conn: Connection, rt: Runtime, caller: Caller, public_url: str, now: datetime) -> dict[str, Any]:
    """What is held about the caller, as plain values: times in UTC, amounts in paise, at most MOST rows of each kind."""
    params = {"id": caller.account_id, "most": MOST}

    def read(statement: Any, **more: Any) -> list[dict[str, Any]]:
        return [{key: _plain(value) for key, value in row.items()} for row in conn.execute(statement, params | more).mappings()]

    person = rt.vault.get(conn, [caller.account_id], FIELDS).get(caller.account_id, {})
    photos, steps = _by_report(read(_PHOTOS)), _by_report(read(_STEPS))
    reports = read(_REPORTS)
    for report in reports:
        key = report.pop("id")
        report["photos"], report["steps"] = photos.get(key, []), steps.get(key, [])
    return {
        "madeAt": _plain(now),
        "account": read(_ACCOUNT)[0],
        "person": person,
        "reports": reports,
        "payouts": read(_PAYOUTS),
        "messages": [_message(rt, one, public_url, person) for one in read(_MESSAGES)],
        "penalties": read(_PENALTIES),
        "looksAtYourData": read(_LOOKS, subject=str(caller.account_id), scope=list(caller.scope)),
    }


def _message(rt: Runtime, row: Mapping[str, Any], public_url: str, person: Mapping[str, str]) -> dict[str, Any]:
    resolved = {"trackingUrl": f"{public_url}/track/{row['tracking_id']}", "vpa": person.get("vpa", "")}
    words = message_text(rt.masterdata.current(), row["template_id"], row["locale"], row["params"], resolved)
    return {"text": words, "status": row["status"], "createdAt": row["created_at"]}


def _by_report(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row.pop("report_id"), []).append(row)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds") if value.tzinfo else value.isoformat(timespec="seconds")
    if isinstance(value, UUID) or hasattr(value, "isoformat"):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
