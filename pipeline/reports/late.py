"""What becomes known of a report after its last change, and changes nothing about its state."""

import json
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Connection, text

_UTR = text("""
    UPDATE sdcrs.report r SET utr = v.utr
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, utr text)
    WHERE r.id = v.id AND r.utr IS NULL AND r.payout_status = 'SUCCESS'
""")


def complete_utr(conn: Connection, utrs: Mapping[UUID, str]) -> None:
    """Enter the bank's reference on paid reports that have none yet; banks may name it hours after the payment. Does not commit."""
    if utrs:
        rows = [{"id": str(report_id), "utr": utr} for report_id, utr in sorted(utrs.items())]
        conn.execute(_UTR, {"rows": json.dumps(rows)})
