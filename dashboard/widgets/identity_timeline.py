"""One registration's timeline over the six steps: what each participant recorded and every message, in the order of time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import RowMapping

from dashboard import formats
from dashboard.widgets import identity_waiting as waiting
from dashboard.widgets import identity_words as words
from dashboard.widgets import rows
from dashboard.widgets.identity_details import details_of
from dashboard.widgets.identity_story import Story
from dashboard.widgets.people import People
from dashboard.widgets.rows import escape
from pipeline.packets.catalogue import catalogue

MAX_ENTRIES = 120  # of one step; more come only with many attempts, and the newest are shown
RECEIVER = "PACKET_RECEIVER"  # takes the upload in: the end of step 1
HASH_SHOWN = 12  # characters of a hash by which people tell two apart


@dataclass(frozen=True)
class Entry:
    """One thing that happened. `html` parts are escaped already."""

    at: datetime
    step: int
    title: str
    status: str | None = None
    facts: Sequence[tuple[str, str]] = field(default_factory=tuple)
    said: str | None = None
    packet: str | None = None  # the catalogue's id, for a message
    run: UUID | None = None  # the row of idrepo.credential_request_status whose credential it is about


def show(story: Story, known: People, zone: ZoneInfo, *, packets: bool) -> None:
    """The timeline, a part for each step; without :packets only what was recorded, without the messages."""
    found = sorted([*recorded(story, known), *(messages(story) if packets else ())], key=lambda one: (one.at, one.packet or ""))
    at_step = waiting.step_of(story)
    for step, title in words.STEPS.items():
        mine = [one for one in found if one.step == step]
        rows.part(f"{step} {title}", _note(mine, step, at_step, waiting.ended(story), zone))
        for about, entries in _by_credential(story, mine):
            if about:
                st.caption(about)
            left_out = len(entries) - MAX_ENTRIES
            if left_out > 0:
                st.caption(f"{formats.count(left_out)} older entries are not shown.")
            st.html(f'<ol class="timeline">{"".join(_item(one, zone) for one in entries[-MAX_ENTRIES:])}</ol>')


def _by_credential(story: Story, mine: Sequence[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    """The entries credential by credential where there are several; those about none first."""
    if len(story.wanted) < 2:
        if mine:
            yield "", list(mine)
        return
    for run, about in [(None, ""), *((row["id"], _named(row)) for row in story.wanted)]:
        entries = [one for one in mine if one.run == run]
        if entries:
            yield about, entries


def _note(mine: Sequence[Entry], step: int, at_step: int, ended: str | None, zone: ZoneInfo) -> str:
    if not mine:
        return "nothing yet" if ended is None else "nothing"
    took = (mine[-1].at - mine[0].at).total_seconds()
    first = formats.local_time(mine[0].at, zone)
    if step == at_step and ended is None:
        return f"since {first}"
    return first if took < 1 else f"{first}, took {formats.duration(took)}"


def _item(one: Entry, zone: ZoneInfo) -> str:
    told = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in one.facts)
    said = f'<p class="said">{escape(one.said)}</p>' if one.said else ""
    when = escape(moment(one.at, zone))
    if one.packet is not None:
        return f'<li class="message"><span class="who"><b>{escape(one.packet)}</b> {escape(one.title)} · {when}</span></li>'
    mark = words.badge(one.status) if one.status else ""
    return f'<li><b>{escape(one.title)}</b> {mark}<div class="who">{when}</div>{said}{f"<dl>{told}</dl>" if told else ""}</li>'


def moment(at: datetime | None, zone: ZoneInfo) -> str:
    """To the second: the steps follow each other faster than minutes."""
    if at is None:
        return formats.ABSENT
    here = at.astimezone(zone)
    return f"{here.day} {here:%b}, {here:%H:%M:%S}"


def messages(story: Story) -> Iterator[Entry]:
    """Every message as an entry of its step."""
    for header in story.headers:
        packet = catalogue().packets.get(header["packet"])
        if packet is None or packet.flow != "identity":
            continue
        row = story.wanted_by(header["correlation_id"]) or story.wanted_by(header["causation_id"])
        yield Entry(header["occurred_at"], int(packet.stage) - 20, packet.title, packet=packet.id, run=None if row is None else row["id"])


def recorded(story: Story, known: People) -> Iterator[Entry]:
    """What the participants recorded, as entries of their steps."""
    yield from _first_step(story, known)
    yield from _second_step(story, known)
    yield from _third_step(story)
    for issuance in story.issuances:
        yield from _issuance(story, issuance)
    for request in story.requests:
        if request["stored_at"] is not None:
            yield Entry(request["stored_at"], 6, f"Acknowledged: {_about(story, request['id'])}", "STORED", run=_run(story, request["id"]))


def _first_step(story: Story, known: People) -> Iterator[Entry]:
    head = story.head
    size = sum(one["size_bytes"] for one in story.announced)
    told = [
        ("Process", f"{head['process']}, upload {head['upload_number']}"),
        ("Supervisor", words.status(head["supervisor_status"])),
        ("Components", f"{len(story.announced)}, {formats.count(size)} bytes"),
        ("By", known.name(head["synced_by"]) or formats.ABSENT),
    ]
    yield Entry(head["synced_at"], 1, "Announced", None, told, head["supervisor_comment"])
    uploads: dict[int, list[RowMapping]] = {}
    for component in story.components:
        uploads.setdefault(component["upload_number"], []).append(component)
    for number, parts in uploads.items():
        names = ", ".join(f"{one['name']} ({formats.count(one['size_bytes'])} bytes)" for one in parts)
        again = "" if number == 1 else f", the {number}. time"
        yield Entry(min(one["stored_at"] for one in parts), 1, f"Uploaded{again}", None, [("Components", names)])


def _second_step(story: Story, known: People) -> Iterator[Entry]:
    for one in story.transactions:
        told = [("Said", words.sub_status(one["sub_status_code"]))] if one["sub_status_code"] else []
        if one["attempt"] > 1:
            told.append(("Attempt", str(one["attempt"])))
        if one["actor_id"] is not None:
            told.append(("By", known.name(one["actor_id"]) or formats.ABSENT))
        told += details_of(one["details"] or {})
        step = 1 if one["trn_type_code"] == RECEIVER else 2
        yield Entry(
            one["ended_at"], step, words.stage(one["trn_type_code"]), one["status_code"], told, one["reason"] or one["status_comment"]
        )
    for pair in story.pairs:
        if pair["decided_at"] is not None:
            told = [
                ("With", pair["candidate_reg_id"]),
                ("Score", str(pair["score"])),
                ("By", known.name(pair["decided_by"]) or formats.ABSENT),
            ]
            yield Entry(pair["decided_at"], 2, "Compared by a person", pair["status_code"], told, pair["reason"])
    for number in story.numbers:
        told = [("Hash", f"{number['id_hash'][:HASH_SHOWN]}…")]
        if number["transaction_limit"] is not None:
            told.append(("Uses", str(number["transaction_limit"])))
        yield Entry(number["created_at"], 2, f"{words.KINDS.get(number['kind'], number['kind'])} given", None, told)


def _third_step(story: Story) -> Iterator[Entry]:
    for one in story.wanted:
        yield Entry(one["cr_dtimes"], 3, f"Credential wanted: {_named(one)}", "NEW", run=one["id"])
        if one["status"] != "NEW":
            told = [("Request", str(one["request_id"]))] if one["request_id"] else []
            if one["attempts"] > 1:
                told.append(("Attempts", str(one["attempts"])))
            yield Entry(one["upd_dtimes"], 3, f"Asked for: {_named(one)}", one["status"], told, one["status_comment"], run=one["id"])
    for one in story.requests:
        if one["status_code"] in ("FAILED", "RETRY", "CANCELLED"):
            told = [("Retries", str(one["trn_retry_count"])), ("Request", str(one["id"]))]
            title = f"Not issued: {_about(story, one['id'])}"
            yield Entry(one["upd_dtimes"], 4, title, one["status_code"], told, one["status_comment"], run=_run(story, one["id"]))


def _issuance(story: Story, one: RowMapping) -> Iterator[Entry]:
    about, run = _about(story, one["request_id"]), _run(story, one["request_id"])
    again = "" if one["number"] == 1 else f", the {one['number']}. time"
    told = [("Credential", str(one["id"]))]
    if one["expires_at"] is not None:
        told.append(("Share", f"{one['uses']} of {one['uses_allowed']} uses"))
    if one["published"] > 1:
        told.append(("Published", f"{one['published']} times"))
    yield Entry(one["begun_at"], 4, f"Issued: {about}{again}", one["status_code"], told, one["status_comment"], run=run)
    if one["deliveries"]:
        status = "FAILED" if one["delivered_at"] is None and one["failing"] else None
        told = [("Deliveries", str(one["deliveries"]))]
        at = one["delivered_at"] or one["published_at"]
        yield Entry(at, 5, f"Event delivered: {about}", status, told, one["delivery_comment"], run=run)
    if one["event_at"] is None:
        return
    told = [("Retries", str(one["retry_count"]))] if one["retry_count"] else []
    if one["received"] > 1:
        told.append(("Received", f"{one['received']} times, kept once"))
    if one["cached_at"] is not None:
        told.append(("In the cache", "yes"))
    ended = one["event_ended_at"] or one["event_at"]
    yield Entry(ended, 5, f"At the authentication side: {about}", one["event_status"], told, one["event_comment"], run=run)
    if one["acknowledged_at"] is not None:
        said = "STORED" if one["event_status"] == "STORED" else "FAILED"
        yield Entry(one["acknowledged_at"], 6, f"Said to the generator: {about}", said, run=run)


def _run(story: Story, request_id: UUID) -> UUID | None:
    row = story.wanted_by(request_id)
    return None if row is None else row["id"]


def _about(story: Story, request_id: UUID) -> str:
    row = story.wanted_by(request_id)
    return "a credential" if row is None else _named(row)


def _named(row: RowMapping) -> str:
    return f"{words.KINDS.get(row['kind'], row['kind'])} for {row['partner_id']}"
