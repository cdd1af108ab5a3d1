"""How long reports waited for each job, read from what the jobs themselves recorded. No time here is the client's."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import text

from pipeline.bench.figures import Spread, spread
from pipeline.runtime import Runtime

# Each gives seconds: from the moment the work was there until the job took it up.
WAITS = {
    "validation": text("""
        SELECT extract(epoch FROM validated_at - created_at) FROM sdcrs.report
        WHERE tenant_id = :tenant_id AND created_at BETWEEN :since AND :until AND validated_at IS NOT NULL LIMIT 100000
    """),
    "payout.open": text("""
        SELECT extract(epoch FROM p.created_at - r.captured_at) FROM sdcrs.report r JOIN payout.payout p ON p.report_id = r.id
        WHERE r.tenant_id = :tenant_id AND r.created_at BETWEEN :since AND :until LIMIT 100000
    """),
    "payout.send": text("""
        SELECT extract(epoch FROM a.first_sent_at - a.created_at) FROM payout.attempt a
        WHERE a.tenant_id = :tenant_id AND a.created_at BETWEEN :since AND :until AND a.first_sent_at IS NOT NULL LIMIT 100000
    """),
    "payout.settle": text("""
        SELECT extract(epoch FROM processed_at - received_at) FROM payout.webhook_event
        WHERE received_at BETWEEN :since AND :until AND processed_at IS NOT NULL LIMIT 100000
    """),
    "notifications": text("""
        SELECT extract(epoch FROM p.recorded_at - h.recorded_at)
        FROM sdcrs.report r JOIN sdcrs.notification n ON n.report_id = r.id
        JOIN sdcrs.report_history h ON h.report_id = r.id AND h.id = n.history_id
        JOIN packet.log p ON p.subject_id = r.id AND p.key = CAST(n.id AS text)
        WHERE r.tenant_id = :tenant_id AND r.created_at BETWEEN :since AND :until LIMIT 100000
    """),
    "create to paid": text("""
        SELECT extract(epoch FROM resolved_at - created_at) FROM sdcrs.report
        WHERE tenant_id = :tenant_id AND created_at BETWEEN :since AND :until AND payout_status = 'SUCCESS' LIMIT 100000
    """),
}


def waits(rt: Runtime, tenant_id: str, since: datetime, until: datetime) -> Mapping[str, Spread]:
    """By job, of the reports and events of a span of time."""
    found = {}
    span = {"since": since, "until": until}
    with rt.database.worker() as conn:
        for name, statement in WAITS.items():
            params = span if name == "payout.settle" else {**span, "tenant_id": tenant_id}  # webhooks come before a tenant is known
            found[name] = spread([max(float(seconds), 0.0) for seconds in conn.execute(statement, params).scalars()])
    return found
