"""The flow's own sequence diagram, all its messages in order, with one registration's times on it.

A message that has not come yet stands there pale; one that came more than once says how often. A registration has several
credentials, and the steps 3 to 6 are drawn for one of them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import RowMapping

from dashboard import formats
from dashboard.widgets import identity_words as words
from dashboard.widgets import sequence
from dashboard.widgets.identity_story import Story
from dashboard.widgets.identity_timeline import moment
from dashboard.widgets.rows import escape
from pipeline.packets.catalogue import Packet, packets_of, stages

CREDENTIAL_STAGES = frozenset({"23", "24", "25", "26"})


def show(story: Story, zone: ZoneInfo) -> None:
    """The diagram, with the choice of a credential where there are several."""
    chosen = _credential(story)
    times = times_of(story, chosen)
    packets = packets_of("identity")
    lanes = sequence.lanes([(one.sender, one.receiver) for one in packets])
    came = [one for one in packets if one.id in times]
    sequence.legend()
    st.caption(f"{len(came)} of {len(packets)} messages have come. Those that have not stand pale.")
    body = [f'<div class="row row-head row-hop"><div>Time</div><div>Message</div><div>{sequence.names(lanes)}</div></div>']
    for stage in stages("identity"):
        body.append(f'<div class="row hop-step"><b>{int(stage.number) - 20}</b> {escape(stage.title)}</div>')
        body += [_hop(one, times.get(one.id, ()), lanes, zone) for one in stage.packets]
    with st.container(key="rows-hops-identity"):
        st.html(f'<div class="hops" role="region" aria-label="Sequence diagram" tabindex="0">{"".join(body)}</div>')


def times_of(story: Story, request_id: UUID | None) -> Mapping[str, Sequence[datetime]]:
    """When each message came, by its id: those about the registration, and those of one credential's own run."""
    found: dict[str, list[datetime]] = {}
    row = next((one for one in story.wanted if one["request_id"] == request_id and request_id is not None), None)
    for header in story.headers:
        if header["packet"].split("/")[0] in CREDENTIAL_STAGES and not _of_run(header, request_id, row):
            continue
        found.setdefault(header["packet"], []).append(header["occurred_at"])
    for packet_id, when in _subscribed(story).items():
        found[packet_id] = [when]
    return {packet_id: sorted(times) for packet_id, times in found.items()}


def _of_run(header: RowMapping, request_id: UUID | None, row: RowMapping | None) -> bool:
    """Whether a message belongs to the run of one request; one without a correlation belongs to the row that caused it, else to all."""
    if header["correlation_id"] is not None:
        return bool(header["correlation_id"] == request_id)
    return header["causation_id"] is None or row is None or header["causation_id"] == row["id"]


def _subscribed(story: Story) -> Mapping[str, datetime]:
    """When the two subscribers subscribed: about no registration, so it may be long before it."""
    found: dict[str, datetime] = {}
    for one in story.subscriptions:
        packet_id = "26/02" if one["topic"].endswith("CREDENTIAL_STATUS_UPDATE") else "25/01"
        if one["status_code"] in ("ACTIVE", "ENDED"):
            found.setdefault(packet_id, one["asked_at"])
    return found


def _credential(story: Story) -> UUID | None:
    """Which credential's run is drawn: the first that is not stored, else the first."""
    options = [one["request_id"] for one in story.wanted if one["request_id"] is not None]
    if len(options) < 2:
        return options[0] if options else None
    labels = {one["request_id"]: _label(story, one) for one in story.wanted}
    return st.selectbox(
        "Credential", options, format_func=lambda one: labels[one], key=f"identity.credential.{story.head['reg_id']}", width=420
    )


def _label(story: Story, row: RowMapping) -> str:
    request = story.request(row["request_id"])
    state = words.status(request["status_code"] if request is not None else row["status"])
    return f"{words.KINDS.get(row['kind'], row['kind'])} for {row['partner_id']}: {state.lower()}"


def _hop(packet: Packet, times: Sequence[datetime], lanes: Sequence[str], zone: ZoneInfo) -> str:
    when = moment(times[0], zone) if times else formats.ABSENT
    more = f"<small>{len(times)} times, last {escape(moment(times[-1], zone))}</small>" if len(times) > 1 else ""
    more += "<small>the subscription in force; it is renewed by itself</small>" if packet.table and times else ""
    way = f'<small class="way">{escape(packet.sender)} → {escape(packet.receiver)} · {escape(when)}</small>'
    return (
        f'<div class="row row-hop{"" if times else " not-yet"}"><div class="c-time">{escape(when)}</div>'
        f'<div class="c-what"><b>{escape(packet.id)}</b> {escape(packet.title)}{more}{way}</div>'
        f'<div class="c-lanes">{sequence.arrow(lanes, packet.sender, packet.receiver, packet.kind)}</div></div>'
    )
