"""What the validators said, as the validation job asks for it: which reports still wait for them, and their answers.

With no validator that has an address both cost nothing: no statement is sent, and the claim stays as it was.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.fraud.case import Answer
from pipeline.fraud.validators.setup import SWITCHED_OFF, Setup

SETTLED = ("ANSWERED", "SKIPPED", "MANUAL", "DEFAULTED")
UNASKED = "was not asked about this report"  # an import of the past, or a validator that was set up only now

# For a claim's WHERE, with report as `q` and the tenants that ask as `:asking`: its questions were put, and all are settled
ALL_SETTLED = """(q.tenant_id <> ALL (:asking) OR q.id IN (
        SELECT v.report_id FROM fraud.validator_result v WHERE v.read_at IS NULL
        GROUP BY v.report_id HAVING bool_and(v.settled_at IS NOT NULL)))"""

_READ = text("""
    UPDATE fraud.validator_result v SET read_at = :now WHERE v.report_id = ANY (:ids)
    RETURNING v.report_id, v.validator_id, v.state, v.outputs, v.reason
""")


def answers(conn: Connection, setup: Setup, reports: Mapping[UUID, str], now: datetime) -> dict[UUID, dict[str, Answer]]:
    """By report and validator id what each said or why it said nothing; noted as read. `reports`: their tenants. Does not commit.

    A validator that is missing has no address. A fallback that applies a default is an answer like any other.
    """
    found: dict[UUID, dict[str, Answer]] = {}
    if not setup.tenants and not setup.switched_off:
        return found
    for report_id, tenant_id in reports.items():
        silent = {validator_id: Answer(None, SWITCHED_OFF) for validator_id in setup.switched_off.get(tenant_id, ())}
        asked = {validator_id: Answer(None, UNASKED) for validator_id in setup.tenants.get(tenant_id, ())}
        if silent or asked:
            found[report_id] = silent | asked
    asking = [report_id for report_id, tenant_id in reports.items() if tenant_id in setup.tenants]
    if asking:
        for row in conn.execute(_READ, {"ids": asking, "now": now}):
            if row.state in SETTLED:
                found[row.report_id][row.validator_id] = Answer(row.outputs, row.reason or "", to_review=row.state == "MANUAL")
    return found
