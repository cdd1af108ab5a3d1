"""The follower that turns history rows into messages: which action tells whom with which template is master data.

Params hold no personal value: phone and VPA are resolved when the message is shown or sent.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.jobs.follower import Follower
from pipeline.masterdata.master import MasterData
from pipeline.masterdata.models import PAISE_PER_RUPEE
from pipeline.notifications.outgoing import Message, store
from pipeline.runtime import Runtime

NAME = "notifications"

_REPORTS = text("""
    SELECT r.id, r.tenant_id, r.report_number, r.tracking_id, r.service_type, r.reporter_id, r.address, r.ward, r.ward_code,
           r.rejection_reason, r.payout_amount_paise, r.utr, r.payout_failure_reason, a.locale AS reporter_locale
    FROM sdcrs.report r JOIN access.account a ON a.id = r.reporter_id WHERE r.id = ANY (:ids)
""")
_LOCALES = text("SELECT id, locale FROM access.account WHERE id = ANY (:ids)")
_COMMENTS = text("SELECT id, comment FROM sdcrs.report_history WHERE id = ANY (:ids)")


def notifications_follower(rt: Runtime) -> Follower:
    """The follower as the worker runs it."""

    def handle(conn: Connection, rows: Sequence[Row[Any]]) -> None:
        notify(conn, rt.masterdata.current(), rows)

    return Follower(NAME, rt.database, "sdcrs.report_history", handle)


def notify(conn: Connection, md: MasterData, changes: Sequence[Row[Any]]) -> None:
    """Store the messages that follow from these changes, each once, with their packets. Does not commit."""
    wanted = [(change, send) for change in changes for send in md.sends_for(change.action, change.to_state)]
    if not wanted:
        return
    reports = {row.id: row for row in conn.execute(_REPORTS, {"ids": list({change.report_id for change, _ in wanted})})}
    officers = {_recipient(change, reports[change.report_id], send.recipient) for change, send in wanted if send.recipient != "TEACHER"}
    locales = {row.id: row.locale for row in conn.execute(_LOCALES, {"ids": [o for o in officers if o is not None]})}
    asked = [change.id for change, _ in wanted if change.action == "SEND_BACK"]
    comments = {row.id: row.comment for row in conn.execute(_COMMENTS, {"ids": asked})} if asked else {}
    messages = []
    for change, send in wanted:
        report = reports[change.report_id]
        recipient = _recipient(change, report, send.recipient)
        if recipient is None:  # nobody had it before
            continue
        locale = report.reporter_locale if recipient == report.reporter_id else locales.get(recipient, "en_IN")
        params = _params(md, report, change, locale, comments.get(change.id))
        messages.append(
            Message(report.tenant_id, report.id, change.id, recipient, send.template_id, locale, params, change.occurred_at, change.id)
        )
    store(conn, messages)


def message_text(md: MasterData, template_id: str, locale: str, params: Mapping[str, Any], resolved: Mapping[str, str]) -> str:
    """The message as its reader gets it; `resolved` fills what is not stored, such as vpa and trackingUrl."""
    template = md.template(template_id, locale)
    return template.content.format(**{name: resolved.get(name) or params.get(name) or "-" for name in template.placeholders})


def _recipient(change: Row[Any], report: Row[Any], recipient: str) -> UUID | None:
    if recipient == "TEACHER":
        return UUID(str(report.reporter_id))
    key = "assigned_officer_id" if recipient == "ASSIGNED_OFFICER" else "previousOfficerId"
    value = change.facts.get(key)
    return UUID(value) if value else None


def _params(md: MasterData, report: Row[Any], change: Row[Any], locale: str, comment: str | None) -> dict[str, Any]:
    """What the templates may name. Taken from the change where it says so, since the report may have moved on."""
    facts = change.facts
    report_type = md.report_types(report.tenant_id, retired=True)[report.service_type]
    config = md.payout_config(report.tenant_id)
    amount_paise = facts.get("payout_amount_paise") or report.payout_amount_paise or config.amount_paise
    return {
        "reportNumber": report.report_number,
        "trackingId": report.tracking_id,
        "helpdesk": md.tenant(report.tenant_id).helpdesk,
        "address": report.address or report.ward or report.ward_code,
        "ward": report.ward or report.ward_code,
        "reportType": report_type.short_name.text(locale),
        "slaHours": report_type.sla_hours,
        "reason": _reason(md, report, change, locale),
        "amount": amount_paise // PAISE_PER_RUPEE,
        "cap": config.monthly_cap_paise // PAISE_PER_RUPEE,
        "utr": facts.get("utr") or report.utr,
        "method": facts.get("manualPaymentMethod"),
        "reference": facts.get("manualPaymentReference"),
        "comment": comment,
    }


def _reason(md: MasterData, report: Row[Any], change: Row[Any], locale: str) -> str | None:
    code = change.facts.get("rejection_reason")
    if code is not None:
        return md.rejection_reasons(report.tenant_id, retired=True)[code].message.text(locale)
    failure = change.facts.get("payout_failure_reason") or report.payout_failure_reason
    return None if failure is None else str(failure)
