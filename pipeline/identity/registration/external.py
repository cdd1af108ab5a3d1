"""External status: what a registration client is told of a packet, in the field's own words. It tells nothing of how we got there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, text

from pipeline.access.caller import Caller
from pipeline.access.policy import check
from pipeline.identity.registration.sync import resend_possible
from pipeline.masterdata.master import MasterData

ExternalStatus = Literal[
    "RECEIVED",
    "UPLOAD_PENDING",
    "PROCESSING",
    "PROCESSED",
    "UIN_GENERATED",
    "AWAITING_INFORMATION",
    "RESEND",
    "REREGISTER",
    "REJECTED",
    "REPROCESS_FAILED",
]
MAX_IDS = 100  # as many as one sync announces

_FIND = text("""
    SELECT l.reg_id, l.tenant_id, l.synced_at, r.status_code, r.sub_status_code, r.stage, r.upload_number, r.latest_trn_type_code,
           r.modified_at, r.identity_id
    FROM regprc.registration_list l LEFT JOIN regprc.registration r ON r.id = l.id
    WHERE l.reg_id = ANY (:reg_ids) LIMIT :limit
""")


@dataclass(frozen=True)
class Told:
    """What a client learns of one registration."""

    reg_id: str
    status: ExternalStatus
    sub_status: str | None
    upload_number: int
    at: datetime  # of the last change


def external_statuses(conn: Connection, md: MasterData, caller: Caller, reg_ids: Sequence[str]) -> list[Told]:
    """The registrations of the caller's area among these ids, in the order asked; unknown ones are left out. Raises SDCRS_FORBIDDEN."""
    check(caller, "sync_registrations")
    wanted = list(dict.fromkeys(reg_ids))
    rows = {row.reg_id: row for row in conn.execute(_FIND, {"reg_ids": wanted, "limit": 2 * MAX_IDS})}
    return [_told(md, rows[reg_id]) for reg_id in wanted if reg_id in rows]


def external_status(md: MasterData, row: Row[Any]) -> ExternalStatus:
    """The word for a row with tenant_id, status_code (None: not uploaded), stage, upload_number, latest_trn_type_code and identity_id."""
    status = row.status_code
    if status is None:
        return "UPLOAD_PENDING"
    if status == "FAILED":
        return "RESEND" if resend_possible(md, row.tenant_id, status, row.upload_number) else "REREGISTER"
    if status == "PAUSED_FOR_ADDITIONAL_INFO":
        return "AWAITING_INFORMATION"
    told: dict[str, ExternalStatus] = {"PROCESSED": "PROCESSED", "REJECTED": "REJECTED", "REPROCESS_FAILED": "REPROCESS_FAILED"}
    if status in told:
        return told[status]
    if row.latest_trn_type_code == "PACKET_RECEIVER":
        return "RECEIVED"
    return "UIN_GENERATED" if row.identity_id is not None and row.stage == "FINALIZATION" else "PROCESSING"


def _told(md: MasterData, row: Row[Any]) -> Told:
    at = row.modified_at or row.synced_at
    return Told(row.reg_id, external_status(md, row), row.sub_status_code, row.upload_number or 1, at)
