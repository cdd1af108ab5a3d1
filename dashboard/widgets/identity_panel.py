"""One registration: where it stands, what it waits for and who must act, its timeline, its diagram, its packet and credentials."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import RowMapping

from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import identity_bulk, identity_decide, identity_diagram, identity_story, identity_timeline, people, rows
from dashboard.widgets import identity_waiting as waiting
from dashboard.widgets import identity_words as words
from dashboard.widgets.identity_acts import OF_STATUS
from dashboard.widgets.identity_bulk import Subject
from dashboard.widgets.identity_story import Story
from dashboard.widgets.payout_part import cards
from dashboard.widgets.rows import escape
from pipeline.packets.render.facts import View

TIMELINE, DIAGRAM, PACKET, CREDENTIALS = "Timeline", "Diagram", "Packet", "Credentials"


def show(ctx: PageContext, registration_id: UUID) -> None:
    """The registration with this id."""
    story = identity_story.load(ctx, registration_id)
    if story is None:
        st.info("This registration is not there any more.", icon=":material/search_off:")
        return
    zone = ctx.runtime.masterdata.current().tenant(story.head["tenant_id"]).timezone
    identity_bulk.show_done()
    head(ctx, story, zone)
    if story.head["received_at"] is not None:
        identity_decide.of_registration(ctx, registration_id)
        deeds = OF_STATUS.get(story.head["status_code"], ())
        identity_bulk.show(ctx, f"one {registration_id}", deeds, [Subject(registration_id, story.head["reg_id"])], 1)
    parts(ctx, story, zone)


def parts(ctx: PageContext, story: Story, zone: ZoneInfo) -> None:
    """The parts below the head, one at a time."""
    chosen = st.segmented_control(
        "Part",
        [TIMELINE, DIAGRAM, PACKET, CREDENTIALS],
        default=TIMELINE,
        required=True,
        key="identity.part",
        bind="query-params",
        label_visibility="collapsed",
    )
    if chosen == DIAGRAM:
        identity_diagram.show(story, zone)
    elif chosen == PACKET:
        _packet(story, zone)
    elif chosen == CREDENTIALS:
        _credentials(story, ctx.now, zone)
    else:
        messages = st.toggle("With every message", value=True, key="identity.messages")
        identity_timeline.show(story, _people(ctx, story), zone, packets=messages)


def _people(ctx: PageContext, story: Story) -> people.People:
    """Who announced, acted and decided."""
    ids = {story.head["synced_by"], *(one["actor_id"] for one in story.transactions), *(one["decided_by"] for one in story.pairs)}
    with ctx.begin() as conn:
        return people.load(ctx, conn, View.REVIEW, ids)


def head(ctx: PageContext, story: Story, zone: ZoneInfo) -> None:
    """Which registration it is, its state, and what it waits for."""
    row = story.head
    state = words.badge(row["status_code"]) if row["received_at"] is not None else rows.mark("Announced", "gray")
    place = f"{ctx.tenants.get(row['tenant_id'], row['tenant_id'])} · {formats.words(row['process']).lower()}, {row['source']}"
    lines = "".join(f"<p>{one}</p>" for one in told(story, ctx.now, zone))
    st.html(
        f'<div class="report-head"><h2>{escape(words.registration_id(row["reg_id"]))}</h2>{state}'
        f'<span class="tray-says">{escape(place)}</span>{lines}</div>'
    )


def told(story: Story, now: datetime, zone: ZoneInfo) -> list[str]:
    """How it ended, or what is waited for and by whom it is done, as HTML; one line a credential that is not there yet."""
    how = waiting.ended(story)
    if how is not None:
        return [f"<b>{escape(how)}</b>"]
    return [_told(wait, now, zone) for wait in waiting.of(story)]


def _told(wait: waiting.Wait, now: datetime, zone: ZoneInfo) -> str:
    about = f"{wait.about}: " if wait.about else ""
    since = f"since {formats.local_time_zoned(wait.since, zone)} ({formats.duration((now - wait.since).total_seconds())})"
    again = f"; {formats.ago(wait.until, now)} it goes on by itself" if wait.until is not None and wait.until > now else ""
    return f"<b>{escape(about)}Waits for {escape(wait.what)}</b> {escape(since)}<br>{escape(waiting.WHO[wait.who])} must act{escape(again)}"


def _packet(story: Story, zone: ZoneInfo) -> None:
    """What was announced and what came of it, component by component."""
    rows.part("As announced", f"{story.head['source']}, schema {story.head['schema_version']}")
    lines = [(escape(one["name"]), _bytes(one), f"<code>{escape(one['sha256'][:16])}…</code>") for one in story.announced]
    st.html(cards(("Component", "Size", "SHA-256"), lines, "Announced components"))
    if not story.components:
        st.caption("Nothing has been uploaded.")
        return
    rows.part("As uploaded", "each component, verified against the hashes that it brings itself")
    uploaded = [
        (
            escape(one["name"]),
            str(one["upload_number"]),
            words.badge(one["verified"]) if one["verified"] else rows.mark("Not looked at yet", "gray"),
            escape(one["mismatch"] or formats.ABSENT),
            _bytes(one),
            escape(formats.local_time(one["stored_at"], zone)),
        )
        for one in story.components
    ]
    st.html(cards(("Component", "Upload", "State", "What differs", "Size", "Stored"), uploaded, "Uploaded components"))


def _bytes(one: RowMapping) -> str:
    return escape(f"{formats.count(one['size_bytes'])} bytes")


def _credentials(story: Story, now: datetime, zone: ZoneInfo) -> None:
    """Each number and partner with its request, and each issuance as a child of it."""
    if not story.wanted:
        st.info("No credential is wanted yet: that is the end of step 2.", icon=":material/badge:")
        return
    for row in story.wanted:
        request = story.request(row["request_id"])
        state = request["status_code"] if request is not None else row["status"]
        rows.part(f"{words.KINDS.get(row['kind'], row['kind'])} for {row['partner_id']}", words.status(state).lower())
        with st.container(width=760):
            rows.facts(_facts(row, request, now, zone))
        issued = story.issued(row["request_id"])
        if issued:
            titles = ("Issuance", "State", "Share", "Event", "Authentication side", "Cached")
            st.html(cards(titles, [_issuance(one, zone) for one in issued], "Issuances"))


def _facts(row: RowMapping, request: RowMapping | None, now: datetime, zone: ZoneInfo) -> list[tuple[str, str]]:
    told_of = [
        ("Hash of the number", row["individual_id_hash"]),
        ("In the repository", f"{row['status']}, {number(row['attempts'], 'attempt')}{_dead(row, now, zone)}"),
        ("Request id", str(row["request_id"]) if row["request_id"] else formats.ABSENT),
    ]
    if request is not None:
        retries = number(request["trn_retry_count"], "retry", "retries")
        tried = f"{number(request['issuances'], 'issuance')}, {retries}{_dead(request, now, zone)}"
        told_of.append(("At the generator", f"{request['status_code']}, {tried}"))
        if request["status_comment"]:
            told_of.append(("Said", request["status_comment"]))
    return told_of


def number(count: int, one: str, many: str | None = None) -> str:
    """1 attempt, 2 attempts."""
    return f"{formats.count(count)} {one if count == 1 else many or f'{one}s'}"


def _dead(row: RowMapping, now: datetime, zone: ZoneInfo) -> str:
    if row["dead_at"] is not None:
        return f", given up {formats.local_time(row['dead_at'], zone)}"
    over = (row.get("status") or row.get("status_code")) in ("REQUESTED", "STORED", "CANCELLED", "DELETED", "INVALID")
    waits = not over and row["next_attempt_at"] is not None and row["next_attempt_at"] > now
    return f", next attempt {formats.ago(row['next_attempt_at'], now)}" if waits else ""


def _issuance(one: RowMapping, zone: ZoneInfo) -> Sequence[str]:
    share = f"{one['uses']} of {one['uses_allowed']} uses, until {formats.local_time(one['expires_at'], zone)}" if one["expires_at"] else ""
    event = f"published {number(one['published'], 'time')}, delivered {number(one['deliveries'] or 0, 'time')}" if one["published"] else ""
    other = words.badge(one["event_status"]) if one["event_status"] else ""
    comment = f"<small>{escape(one['event_comment'])}</small>" if one["event_comment"] else ""
    return (
        f"{one['number']}<small>{escape(formats.local_time(one['begun_at'], zone))}</small>",
        words.badge(one["status_code"]) + (f"<small>{escape(one['status_comment'])}</small>" if one["status_comment"] else ""),
        escape(share or formats.ABSENT),
        escape(event or formats.ABSENT),
        (other or escape(formats.ABSENT)) + comment,
        escape(formats.local_time(one["cached_at"], zone)),
    )
