"""The packets of a report as a table and as a sequence diagram; a click on one opens below it what it said."""

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import RowMapping

from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import bodies, rows, sequence
from dashboard.widgets.rows import escape, mark
from pipeline.packets.catalogue import Packet, catalogue
from pipeline.packets.render.facts import View

PAGE_SIZE = 60  # a paid report has about fifty; more come only with many retries
TITLES = ("Id", "Packet", "From → to, channel", "Time", "Body")
OPEN = "trace.packet"


def show(ctx: PageContext, view: View, report: RowMapping, headers: Sequence[RowMapping], as_diagram: bool) -> None:
    """The list in order of time, the open packet's body below its row."""
    if not headers:
        st.info("No packets are recorded for this report.", icon=":material/mail:")
        return
    headers = in_order(headers)
    pages = -(-len(headers) // PAGE_SIZE)
    page = min(max(int(st.session_state.get("trace.page") or 1), 1), pages)
    zone = ctx.runtime.masterdata.current().tenant(report["tenant_id"]).timezone
    lanes = sequence.lanes([(header["sender"], header["receiver"]) for header in headers])
    kind = "hop" if as_diagram else "packet"
    if as_diagram:
        sequence.legend()
    with st.container(key=f"rows-{kind}s"):
        if as_diagram:
            st.html(f'<div class="row row-head row-hop"><div>Time</div><div>Packet</div><div>{sequence.names(lanes)}</div></div>')
        else:
            rows.head("packet", TITLES)
        for number, header in enumerate(headers[(page - 1) * PAGE_SIZE : page * PAGE_SIZE], start=(page - 1) * PAGE_SIZE + 1):
            time = _time(header, zone)
            cells = _hop(header, lanes, time) if as_diagram else _line(view, header, time)
            rows.row(f"{kind}-{number}", kind, cells, f"Open packet {number}, {_title(header)}", _toggle, (str(header["id"]),))
            if st.session_state.get(OPEN) == str(header["id"]):
                _open(ctx, view, report, header)
    if pages > 1:
        st.pagination(pages, key="trace.page", default=page)


def in_order(headers: Sequence[RowMapping]) -> list[RowMapping]:
    """By time; of one moment and one subject, a packet comes after those that the catalogue says lead to it."""
    ordered: list[RowMapping] = []
    for _, group in groupby(headers, key=lambda header: header["occurred_at"]):
        rest = list(group)
        while rest:
            ordered.append(rest.pop(next((i for i, header in enumerate(rest) if not _waits(header, rest)), 0)))
    return ordered


def _waits(header: RowMapping, others: Sequence[RowMapping]) -> bool:
    packet = catalogue().packets.get(header["packet"])
    before = () if packet is None else packet.previous
    return any(other["packet"] in before and other["subject_id"] == header["subject_id"] for other in others if other is not header)


def _time(header: RowMapping, zone: ZoneInfo) -> str:
    here = header["occurred_at"].astimezone(zone)
    return f"{here.day} {here:%b}, {formats.local_clock(here, zone)}"


def _toggle(packet_id: str) -> None:
    st.session_state[OPEN] = None if st.session_state.get(OPEN) == packet_id else packet_id


def _title(header: RowMapping) -> str:
    packet = catalogue().packets.get(header["packet"])
    return packet.title if packet else str(header["packet"])


def _line(view: View, header: RowMapping, time: str) -> dict[str, str]:
    return {
        "id": f"<b>{escape(header['packet'])}</b>",
        "what": escape(_title(header)),
        "way": f"{escape(header['sender'])} → {escape(header['receiver'])}<small>{escape(header['topic'] or 'inside')}</small>",
        "time": escape(time),
        "kept": kept_mark(view, header),
    }


def _hop(header: RowMapping, lanes: Sequence[str], time: str) -> dict[str, str]:
    packet = catalogue().packets.get(header["packet"])
    way = f'<small class="way">{escape(header["sender"])} → {escape(header["receiver"])}</small>'
    return {
        "time": escape(time),
        "what": f"<b>{escape(header['packet'])}</b> {escape(_title(header))}{way}",
        "lanes": sequence.arrow(lanes, header["sender"], header["receiver"], packet.kind if packet else "request"),
    }


def kept_mark(view: View, header: RowMapping) -> str:
    """Whether opening shows what was stored or what is rendered for this viewer."""
    stored = header["has_body"] and bodies.may_read_stored(view, header)
    return mark("Stored", "blue") if stored else mark("Rendered", "gray")


def _open(ctx: PageContext, view: View, report: RowMapping, header: RowMapping) -> None:
    body = bodies.read(ctx, view, report, header)
    with st.container(border=True, key="trace.body"):
        st.html(f'<div class="tray-says">{escape(_about(body.packet, header))}</div>')
        if body.withheld:
            st.caption(body.withheld)
            return
        if body.message is not None:
            st.html(
                f'<div class="tray-says"><b>Text message</b> to {escape(body.message.to)}, in {escape(body.message.language)}, '
                f"{escape(body.message.status.lower())}</div>"
            )
            st.text(body.message.text)
        if body.stored is not None:
            _code("Stored", "as it crossed our border; persons as your role may know them", body.stored)
        rendered = _missing_half(body)
        if rendered is not None:
            _code("Rendered", "from recorded facts, for your role", rendered)


def _missing_half(body: bodies.Body) -> Any:
    """What is rendered beside a stored body: the answer of an exchange, of which only the request came from outside."""
    if body.stored is None:
        return body.rendered
    if body.packet is not None and body.packet.kind == "exchange" and "response" not in body.stored:
        return {"response": body.rendered.get("response")}
    return None


def _about(packet: Packet | None, header: RowMapping) -> str:
    name = f"{packet.name}, version {header['version']}" if packet else str(header["packet"])
    channel = f" · {header['topic']}" if header["topic"] else ""
    return f"{header['packet']} {name} · {header['sender']} → {header['receiver']}{channel}"


def _code(title: str, note: str, body: Any) -> None:
    rows.part(title, note)
    st.code(json.dumps(body, indent=2, ensure_ascii=False, default=str), language="json", height=360, wrap_lines=True)
