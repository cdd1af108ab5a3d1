"""Who is connected with whom: shared devices, photos alike and reports close together, as a graph, on the map and as tables."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import figures, fraud_graph, people, rows
from dashboard.widgets import map as maps
from dashboard.widgets.figures import Column
from dashboard.widgets.fraud_graph import Link, Node
from dashboard.widgets.people import People
from dashboard.widgets.work import Area
from pipeline.packets.render.facts import View

PERIODS = {7: "7 days", 30: "30 days", 90: "90 days"}
DEVICES = 30  # shared devices in the graph: more are no picture any more
MIN_TEACHERS = 2
PAIRS = 200  # pairs of reports of a kind, in the graph and on the map
MIN_NEAR = 2  # reports of two teachers that met once are chance in a dense ward; the map and its table have them too
LEGEND = {
    "device": ("violet", "Device of several teachers"),
    "photo": ("red", "Photos alike"),
    "near": ("orange", f"Reports close together, {MIN_NEAR} times or more"),
}


def show(ctx: PageContext, where: Area) -> None:
    """The graph of teachers and devices, then reports of different teachers close together on the map."""
    days = st.segmented_control(
        "Since", list(PERIODS), default=30, required=True, key="fraud.network.days", format_func=lambda one: PERIODS[one]
    )
    asked = {"tenants": list(where.tenants), "since": ctx.now - timedelta(days=int(days or 30))}
    with ctx.begin() as conn:
        edges = queries.rows(conn, "fraud.device_edges", **asked, min_teachers=MIN_TEACHERS, limit=DEVICES)
        near = queries.rows(conn, "fraud.pair_edges", **asked, kinds=["CLUSTER"], limit=PAIRS)
        alike = queries.rows(conn, "fraud.pair_edges", **asked, kinds=["PHOTO_EXACT", "PHOTO_SIMILAR"], limit=PAIRS)
        accounts = {row["reporter_id"] for row in edges}
        accounts |= {row[end] for row in (*near, *alike) for end in ("earlier_reporter_id", "later_reporter_id")}
        known = people.load(ctx, conn, View.REVIEW, accounts)
    _graph(edges, near, alike, known)
    _clusters(ctx, where, near)
    _alike(alike, known)


def _graph(edges: Sequence[RowMapping], near: Sequence[RowMapping], alike: Sequence[RowMapping], known: People) -> None:
    devices: dict[str, str] = {}
    for row in edges:
        devices.setdefault(row["device_id"], f"Device {len(devices) + 1}")
    links = [Link(f"t:{row['reporter_id']}", f"d:{row['device_id']}", int(row["reports"])) for row in edges]
    links += _between(near, "near", MIN_NEAR) + _between(alike, "photo", 1)
    rows.part("Teachers and devices", _found(len(devices), links, full=len(near) == PAIRS))
    if not links:
        st.info(
            f"0 connections: no device was shared, no photos of different teachers are alike, and no two teachers' reports were close "
            f"together {MIN_NEAR} times.",
            icon=":material/hub:",
        )
        return
    names = {f"t:{row['reporter_id']}": known.name(row["reporter_id"]) or row["username"] for row in edges}
    for row in (*near, *alike):
        for end in ("earlier", "later"):
            account = row[f"{end}_reporter_id"]
            names[f"t:{account}"] = known.name(account) or row[f"{end}_username"]
    nodes = [Node(f"d:{device}", label, "device") for device, label in devices.items()]
    drawn = {end for link in links for end in (link.one, link.other)}
    nodes += [Node(one, name, "teacher") for one, name in names.items() if one in drawn]
    alt = f"{len(devices)} shared devices and {len(nodes) - len(devices)} teachers; the tables below say the same."
    st.plotly_chart(fraud_graph.figure(nodes, links), key="fraud.network.graph", config=figures.CONFIG, alt=alt, width="stretch")
    kinds = {link.kind for link in links}
    meanings = {"blue": "Teacher", **{colour: said for kind, (colour, said) in LEGEND.items() if kind in kinds}}
    maps.legend(meanings)
    if edges:
        _devices(edges, devices, names)


def _between(pairs: Sequence[RowMapping], kind: Literal["photo", "near"], least: int) -> list[Link]:
    """Teachers whose reports make at least so many of these pairs."""
    met = Counter(tuple(sorted((f"t:{row['earlier_reporter_id']}", f"t:{row['later_reporter_id']}"))) for row in pairs)
    return [Link(one, other, count, kind) for (one, other), count in met.items() if count >= least]


def _found(devices: int, links: Sequence[Link], *, full: bool) -> str:
    """What the graph shows, in numbers."""
    pairs = Counter(link.kind for link in links)
    newest = f" (of the newest {PAIRS} pairs of reports)" if full else ""
    return (
        f"shared devices: {devices}, pairs of teachers with photos alike: {pairs['photo']}, often close together: {pairs['near']}{newest}"
    )


def _devices(edges: Sequence[RowMapping], devices: dict[str, str], names: dict[str, str]) -> None:
    columns = [Column("Device"), Column("Teacher"), Column("School"), Column("Reports", number=True)]
    lines = [
        (
            f"{devices[row['device_id']]} ({formats.masked(row['device_id'], 4)})",
            names[f"t:{row['reporter_id']}"],
            row["school_name"] or formats.ABSENT,
            formats.count(row["reports"]),
        )
        for row in edges
    ]
    with st.expander("Shared devices as a table"):
        st.html(figures.table(columns, lines, "Shared devices and the teachers who used them", []))


def _clusters(ctx: PageContext, where: Area, pairs: Sequence[RowMapping]) -> None:
    rows.part(
        "Reports close together", "of different teachers, in place and time" + (f", the newest {PAIRS}" if len(pairs) == PAIRS else "")
    )
    if not pairs:
        st.info("0 reports: nothing of different teachers was close together in this time.", icon=":material/location_on:")
        return
    md = ctx.runtime.masterdata.current()
    markers = {
        row[f"{end}_id"]: maps.Marker(
            str(row[f"{end}_id"]), row[f"{end}_latitude"], row[f"{end}_longitude"], _spot(row, end, ctx), colour="orange"
        )
        for row in pairs
        for end in ("earlier", "later")
    }
    maps.draw(
        "fraud.network.map",
        boundaries=md.boundary_geojson(where.root),
        markers=list(markers.values()),
        tiles_url=ctx.runtime.settings.tiles_url,
        height=360,
    )
    columns = [Column("Report"), Column("Earlier report"), Column("Apart", number=True), Column("Time between", number=True)]
    lines = [
        (row["later_number"], row["earlier_number"], formats.distance(row["metres"]), formats.duration(_seconds(row))) for row in pairs
    ]
    with st.expander("Pairs as a table"):
        hrefs = [f"/trace?report={row['later_number']}" for row in pairs]
        st.html(figures.table(columns, lines, "Reports close together", hrefs))


def _alike(pairs: Sequence[RowMapping], known: People) -> None:
    rows.part("Photos alike", "of different teachers" + (f", the newest {PAIRS}" if len(pairs) == PAIRS else ""))
    if not pairs:
        st.caption("0 pairs: no photo of one teacher is much like another's.")
        return
    columns = [Column("Report"), Column("Earlier report"), Column("Teachers"), Column("Alike", number=True)]
    lines = [
        (
            row["later_number"],
            row["earlier_number"],
            " and ".join(known.name(row[f"{end}_reporter_id"]) or row[f"{end}_username"] for end in ("later", "earlier")),
            "the same file"
            if row["kind"] == "PHOTO_EXACT"
            else formats.ABSENT
            if row["similarity"] is None
            else f"{row['similarity']:.0%}",
        )
        for row in pairs
    ]
    hrefs = [f"/trace?report={row['later_number']}" for row in pairs]
    st.html(figures.table(columns, lines, "Photos of different teachers that are alike", hrefs))


def _spot(row: RowMapping, end: str, ctx: PageContext) -> str:
    return f"{row[f'{end}_number']}, {formats.status_label(row[f'{end}_status'])}, {ctx.tenants.get(row['tenant_id'], row['tenant_id'])}"


def _seconds(row: RowMapping) -> float | None:
    return None if row["minutes"] is None else float(row["minutes"]) * 60
