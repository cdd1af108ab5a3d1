"""The field visit: started by the officer to whom the report is assigned, ended with a capture or without one."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from pipeline.access.caller import Caller
from pipeline.errors import AppError
from pipeline.masterdata.master import MasterData
from pipeline.reports.evidence import INSERT, EvidenceClaim, evidence_row, load_files
from pipeline.reports.update import Update, tenant_of
from pipeline.reports.workflow import Item, Outcome


def start(conn: Connection, md: MasterData, caller: Caller, update: Update, now: datetime) -> Item:
    """The officer is on the way; where from is recorded when the device says so."""
    facts = {
        "visit_started_at": update.fields.get("visit_started_at") or now,
        "visit_started_by": caller.account_id,
        "visit_latitude": update.fields.get("latitude"),
        "visit_longitude": update.fields.get("longitude"),
    }
    return Item(update.report_id, facts, comment=update.comment, version=update.version)


def captured(conn: Connection, md: MasterData, caller: Caller, update: Update, now: datetime) -> Item:
    """The dog is dealt with, shown by a photo; the teacher earns the payout."""
    resolution = _resolution(conn, md, update, triggers_payout=True)
    photo = update.need("capture_file_id")
    file = load_files(conn, [photo]).get(photo)
    if file is None or file.owner_id != caller.account_id:
        raise AppError("SDCRS_UNKNOWN_FILE", fileStoreId=str(photo))
    facts = _completed(update, caller, now) | {
        "resolution_type": resolution,
        "captured_at": update.fields.get("captured_at") or now,
        "payout_eligible": True,
    }
    return Item(update.report_id, facts, comment=update.comment, version=update.version)


def unable_to_locate(conn: Connection, md: MasterData, caller: Caller, update: Update, now: datetime) -> Item:
    """No dog was found, for a reason that is named; the report ends without payout."""
    resolution = _resolution(conn, md, update, triggers_payout=False)
    reason = update.need("unable_reason")
    known = list(md.unable_reasons(tenant_of(conn, update.report_id)))
    if reason not in known:
        raise AppError("SDCRS_UNKNOWN_REASON", reason=reason, known=", ".join(known))
    facts = _completed(update, caller, now) | {"resolution_type": resolution, "unable_reason": reason, "payout_eligible": False}
    return Item(update.report_id, facts, comment=update.comment, version=update.version)


def attach_capture_photos(
    conn: Connection, md: MasterData, caller: Caller, accepted: Sequence[tuple[Update, Outcome]], now: datetime
) -> None:
    """Write the evidence rows of the captures that went through. Does not commit."""
    rows = []
    for update, outcome in accepted:
        file_id = update.fields.get("capture_file_id")
        if update.action != "MARK_CAPTURED" or file_id is None or outcome.tenant_id is None:
            continue
        claim = EvidenceClaim(
            file_id,
            "CAPTURE_PHOTO",
            claimed_at=update.fields.get("captured_at"),
            latitude=update.fields.get("latitude"),
            longitude=update.fields.get("longitude"),
        )
        zone = md.tenant(outcome.tenant_id).timezone
        files = load_files(conn, [file_id])
        rows.append(evidence_row(claim, files, update.report_id, outcome.tenant_id, caller.account_id, now, zone))
    if rows:
        conn.execute(INSERT, {"rows": json.dumps(rows)})


def _completed(update: Update, caller: Caller, now: datetime) -> dict[str, Any]:
    return {
        "visit_completed_at": update.fields.get("visit_completed_at") or now,
        "visit_completed_by": caller.account_id,
        "completed_latitude": update.fields.get("latitude"),
        "completed_longitude": update.fields.get("longitude"),
        "resolution_remarks": update.fields.get("resolution_remarks"),
    }


def _resolution(conn: Connection, md: MasterData, update: Update, triggers_payout: bool) -> str:
    types = md.resolution_types(tenant_of(conn, update.report_id))
    known = [code for code, r in types.items() if r.triggers_payout is triggers_payout]
    default = "CAPTURED" if triggers_payout else "UNABLE_TO_LOCATE"
    wanted = str(update.fields.get("resolution_type") or default)
    if wanted not in known:
        raise AppError("SDCRS_UNKNOWN_REASON", reason=wanted, known=", ".join(known))
    return wanted
