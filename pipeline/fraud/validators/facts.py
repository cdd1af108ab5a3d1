"""What can be sent about reports, read for all of a round at once: places, times, photos and, where asked for, the past.

No name, phone, address or payment address is read here; who reported stays an unnamed `applicant`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.clock import epoch_ms
from pipeline.fraud.validators.questions import Image
from pipeline.masterdata.master import MasterData

PURPOSES = {"DOG_PHOTO": "DOG_PHOTO", "REPORTER_SELFIE": "SELFIE"}
AGGRESSIVE = "StrayDogAggressive"  # the report type that says so where the teacher did not
RECENT_HOURS = 24  # recentCount
PAST_DAYS = 30  # avgIntervalMinutes and recentLocations
LOCATIONS = 10  # of recentLocations, the newest; enough to see a jump

_REPORTS = text("""
    SELECT r.id, r.tenant_id, r.created_at, r.latitude, r.longitude, r.gps_accuracy_m, r.gps_at, r.locality_code, r.ward_code,
           r.district_code, r.device_id, r.dog_count, r.is_aggressive, r.service_type
    FROM sdcrs.report r WHERE r.id = ANY (:ids)
""")
_PHOTOS = text("""
    SELECT e.report_id, e.evidence_type, e.file_id, encode(e.sha256, 'hex') AS sha256, e.captured_at, e.device_id, e.device_info,
           coalesce(f.exif_latitude, e.latitude) AS latitude, coalesce(f.exif_longitude, e.longitude) AS longitude, f.exif_present
    FROM sdcrs.evidence e JOIN sdcrs.file f ON f.id = e.file_id
    WHERE e.report_id = ANY (:ids) AND e.evidence_type IN ('DOG_PHOTO', 'REPORTER_SELFIE')
    ORDER BY e.report_id, e.evidence_type, e.id
""")
_PAST = text("""
    SELECT r.id, p.recent, p.mean_s, l.places
    FROM sdcrs.report r
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE h.created_at > r.created_at - make_interval(hours => :recent_hours)) AS recent,
               extract(epoch FROM max(h.created_at) - min(h.created_at)) / nullif(count(*) - 1, 0) AS mean_s
        FROM sdcrs.report h
        WHERE h.reporter_id = r.reporter_id AND h.created_at > r.created_at - make_interval(days => :past_days)
          AND h.created_at <= r.created_at) p
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_object('latitude', n.latitude, 'longitude', n.longitude,
                                            'timestamp', floor(extract(epoch FROM n.created_at) * 1000)::bigint)
                         ORDER BY n.created_at DESC) AS places
        FROM (SELECT h.latitude, h.longitude, h.created_at FROM sdcrs.report h
              WHERE h.reporter_id = r.reporter_id AND h.created_at > r.created_at - make_interval(days => :past_days)
                AND h.created_at < r.created_at
              ORDER BY h.created_at DESC LIMIT :locations) n) l
    WHERE r.id = ANY (:ids)
""")


def documents(conn: Connection, md: MasterData, ids: Sequence[UUID], *, past: bool) -> dict[UUID, dict[str, Any]]:
    """What is known of each report, in the shape of questions.ROOTS. Without `past` nothing is counted."""
    params = {"ids": list(ids)}
    photos: dict[UUID, list[dict[str, Any]]] = {}
    for row in conn.execute(_PHOTOS, params):
        photos.setdefault(row.report_id, []).append(_photo(row))
    before: Mapping[UUID, Row[Any]] = {}
    if past:
        spans = {"recent_hours": RECENT_HOURS, "past_days": PAST_DAYS, "locations": LOCATIONS}
        before = {row.id: row for row in conn.execute(_PAST, params | spans)}
    return {
        row.id: _document(row, photos.get(row.id, []), before.get(row.id), row.created_at.astimezone(md.tenant(row.tenant_id).timezone))
        for row in conn.execute(_REPORTS, params)
    }


def _document(row: Row[Any], photos: list[dict[str, Any]], before: Row[Any] | None, local: datetime) -> dict[str, Any]:
    return {
        "createdTime": {"epochMs": epoch_ms(row.created_at), "hour": local.hour, "dayOfWeek": local.isoweekday()},
        "locationData": {
            "latitude": row.latitude,
            "longitude": row.longitude,
            "accuracy": row.gps_accuracy_m,
            "timestamp": epoch_ms(row.gps_at),
            "locality": row.locality_code,
            "ward": row.ward_code,
            "district": row.district_code,
        },
        "evidences": photos,
        "additionalData": {
            "dogCount": row.dog_count,
            "isAggressive": row.service_type == AGGRESSIVE if row.is_aggressive is None else row.is_aggressive,
            "reportType": row.service_type,
        },
        "applicant": {}
        if before is None
        else {
            "recentCount": before.recent,
            "avgIntervalMinutes": None if before.mean_s is None else round(float(before.mean_s) / 60, 1),
            "recentLocations": before.places or [],
        },
    }


def _photo(row: Row[Any]) -> dict[str, Any]:
    return {
        "type": "PHOTO",
        "fileStoreId": Image(row.file_id, row.sha256),
        "purpose": PURPOSES[row.evidence_type],
        "metadata": {
            "gpsLatitude": row.latitude,
            "gpsLongitude": row.longitude,
            "timestamp": epoch_ms(row.captured_at),
            "deviceId": row.device_id,
            "deviceInfo": row.device_info,
            "exifPresent": row.exif_present,
            "contentHash": row.sha256,
        },
    }
