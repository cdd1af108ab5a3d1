"""What one packet said, for one viewer: its stored body where it crossed our border and the role may read it, else rendered from
recorded facts. Persons stand in it as far as the role may know them; what the role may not read is not read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import people
from dashboard.widgets.people import HIDDEN, People
from pipeline.notifications.follower import message_text
from pipeline.packets.catalogue import Packet, catalogue
from pipeline.packets.personal import MARK, with_personal
from pipeline.packets.render import render
from pipeline.packets.render.facts import RecordedFacts, View

OWN_PARTIES = frozenset({"Teacher app"})  # whose packets a teacher reads as they were sent


@dataclass(frozen=True)
class Message:
    """A text to a person, in that person's language."""

    to: str
    text: str
    language: str
    status: str


@dataclass(frozen=True)
class Body:
    """What a packet said. `stored` None: nothing is kept, or it is not for this viewer."""

    packet: Packet | None
    stored: Any
    rendered: Any
    message: Message | None
    withheld: str | None = None  # why nothing is shown


def read(ctx: PageContext, view: View, report: RowMapping, header: RowMapping) -> Body:
    """The body of a packet that the viewer's own list has shown."""
    packet = catalogue().packets.get(header["packet"])
    with ctx.begin() as conn:
        notification = _notification(conn, view, report, header)
        if notification is not None and notification["recipient_id"] is None:
            return Body(packet, None, None, None, "This message is about the reporter, whom your role does not know.")
        stored = _stored(conn, view, header)
        persons = _people(ctx, conn, view, report, stored, notification)
        facts = _facts(ctx, conn, view, report, header, persons, notification)
    return Body(
        packet,
        None if stored is None else with_personal(stored, lambda owner, kind: _resolve(persons, owner, kind)),
        None if packet is None else render(packet.id, facts),
        None if notification is None else _message(ctx, report, notification, persons),
    )


def may_read_stored(view: View, header: RowMapping) -> bool:
    """Reviewers read what was stored; a teacher what the own app sent or got; others get it rendered for their role."""
    if view is View.REVIEW:
        return True
    return view is View.TEACHER and not OWN_PARTIES.isdisjoint({header["sender"], header["receiver"]})


def _stored(conn: Connection, view: View, header: RowMapping) -> Any:
    if not header["has_body"] or not may_read_stored(view, header):
        return None
    row = queries.one(conn, "trace.packet", id=header["id"], subject_id=header["subject_id"])
    return None if row is None else row["body"]


def _notification(conn: Connection, view: View, report: RowMapping, header: RowMapping) -> RowMapping | None:
    """The message behind an SMS packet, whose key is its id; its recipient is NULL where the viewer may not know them."""
    packet = catalogue().packets.get(header["packet"])
    if packet is None or packet.room != "notifications" or header["key"] is None:
        return None
    return queries.one(
        conn, "trace.notification", id=UUID(header["key"]), report_id=report["id"], sees_reporter=view in {View.REVIEW, View.TEACHER}
    )


def _people(ctx: PageContext, conn: Connection, view: View, report: RowMapping, stored: Any, notification: RowMapping | None) -> People:
    ids = {report["reporter_id"], report["verified_by"], report["assigned_officer_id"], report["modified_by"], *_marked(stored)}
    if notification is not None:
        ids.add(notification["recipient_id"])
    history = queries.rows(conn, "trace.actors", report_id=report["id"], sees_reporter=view in {View.REVIEW, View.TEACHER})
    return people.load(ctx, conn, view, ids | {row["actor_id"] for row in history})


def _marked(body: Any) -> Iterator[UUID]:
    """The persons to whom a stored body refers."""
    if isinstance(body, dict):
        if MARK in body:
            if body[MARK]:
                yield UUID(str(body[MARK]))
            return
        for value in body.values():
            yield from _marked(value)
    elif isinstance(body, list):
        for value in body:
            yield from _marked(value)


def _resolve(persons: People, owner: str, kind: str) -> str:
    return persons.get(UUID(owner), kind) or HIDDEN


def _facts(
    ctx: PageContext,
    conn: Connection,
    view: View,
    report: RowMapping,
    header: RowMapping,
    persons: People,
    notification: RowMapping | None,
) -> RecordedFacts:
    md = ctx.runtime.masterdata.current()
    tenant = md.tenant(report["tenant_id"])
    sees = {"sees_reporter": view in {View.REVIEW, View.TEACHER}, "reviews": view is View.REVIEW}
    history = queries.rows(conn, "trace.history", report_id=report["id"], own=view is View.TEACHER, **sees)
    rules = queries.rows(conn, "trace.rules", report_id=report["id"]) if view is View.REVIEW else []
    evaluation = queries.one(conn, "trace.evaluation", report_id=report["id"]) if view is View.REVIEW else None
    payout = queries.one(conn, "trace.payout", report_id=report["id"]) if sees["sees_reporter"] else None
    attempts = [] if payout is None else queries.rows(conn, "trace.attempts", payout_id=payout["id"])
    files = queries.rows(conn, "trace.files", id=header["subject_id"]) if header["subject_kind"] == "FILE" else []
    told: dict[str, Any] = {}
    if notification is not None:
        told = {**notification, "message": _message(ctx, report, notification, persons).text}
    return RecordedFacts(
        report=_plain(report),
        evidence=[_plain(row) for row in queries.rows(conn, "trace.evidence", report_id=report["id"], with_selfies=sees["sees_reporter"])],
        history=_plain(_change(history, header)),
        timeline=[_plain(row) for row in history],
        checks=[_plain(row) for row in queries.rows(conn, "trace.checks", report_id=report["id"])] if view is not View.FIELD else [],
        fraud={**_plain(evaluation), "rules": [_plain(row) for row in rules]},
        payout=_plain(payout),
        attempt=_plain(_attempt(attempts, header)),
        notification=told,
        persons=persons.rows(),
        tenant={"id": tenant.id, "name": tenant.name, "timezone": str(tenant.timezone)},
        files=[_plain(row) for row in files],
        options={"public_url": ctx.api_url},
        view=view,
    )


def _plain(row: RowMapping | None) -> Mapping[str, Any]:
    return {} if row is None else {str(key): value for key, value in row.items()}


def _change(history: Sequence[RowMapping], header: RowMapping) -> RowMapping | None:
    """The change that caused the packet; where it names none, the one of its moment, else the last before it."""
    named = next((row for row in history if row["id"] == header["causation_id"]), None)
    if named is not None:
        return named
    of_moment = next((row for row in history if row["occurred_at"] == header["occurred_at"]), None)
    return of_moment or next((row for row in reversed(history) if row["occurred_at"] <= header["occurred_at"]), None)


def _attempt(attempts: Sequence[RowMapping], header: RowMapping) -> RowMapping | None:
    """The attempt that was the newest at the packet's time."""
    return next((row for row in reversed(attempts) if row["created_at"] <= header["occurred_at"]), None)


def _message(ctx: PageContext, report: RowMapping, notification: RowMapping, persons: People) -> Message:
    md = ctx.runtime.masterdata.current()
    recipient = notification["recipient_id"]
    resolved = {"trackingUrl": f"{ctx.api_url}/track/{report['tracking_id']}", "vpa": persons.get(recipient, "vpa") or HIDDEN}
    text = message_text(md, notification["template_id"], notification["locale"], notification["params"], resolved)
    phone = persons.get(recipient, "phone") or HIDDEN
    return Message(
        to=f"{persons.name(recipient) or 'Somebody'}, {phone}",
        text=text,
        language={"hi_IN": "Hindi"}.get(notification["locale"], "English"),
        status=formats.words(notification["status"]),
    )
