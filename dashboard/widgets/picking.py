"""One selection shared by a map and a list: a click, a drawn area or a ticked row changes it, and both show it.

What is chosen is kept as ids. The list's widget knows positions only, so the ids of the rows that were drawn are kept beside
it, and its ticks are set again from the ids in every run: a row that went away takes no other row's tick with it.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas
import streamlit as st

from dashboard.widgets import map as maps

LIST_HEIGHT_PX = 420  # about eleven rows: the list scrolls in itself, the page keeps its length


def chosen(page: str, ids: Sequence[str]) -> list[str]:
    """The chosen ones among those shown, in the order shown."""
    kept = st.session_state.get(f"{page}.chosen", frozenset())
    return [one for one in ids if one in kept]


def choose(page: str, ids: Sequence[str]) -> None:
    """Make these the selection."""
    st.session_state[f"{page}.chosen"] = frozenset(ids)


def follow_map(page: str, markers: Sequence[maps.Marker]) -> None:
    """Take over what was done on the map since the last run: a click adds or removes a marker, an area replaces the selection."""
    answer = st.session_state.pop(f"{page}.map", None)
    if not answer:
        return
    before = st.session_state.get(f"{page}.map_before", {})
    st.session_state[f"{page}.map_before"] = dict(answer)
    kept = frozenset(st.session_state.get(f"{page}.chosen", frozenset()))
    if _part(answer, "all_drawings") != _part(before, "all_drawings"):
        inside = maps.selection({"all_drawings": answer.get("all_drawings")}, markers, "marker or area")
        st.session_state[f"{page}.chosen"] = frozenset(inside.ids)
    elif _part(answer, "last_object_clicked") != _part(before, "last_object_clicked"):
        clicked = maps.selection({"last_object_clicked": answer.get("last_object_clicked")}, markers, "marker")
        st.session_state[f"{page}.chosen"] = kept ^ frozenset(clicked.ids)


def table(page: str, frame: pandas.DataFrame, ids: Sequence[str], columns: Mapping[str, Any], alt: str) -> None:
    """The list, with the chosen rows ticked; ticking changes the selection. `ids` are the rows' ids in the frame's order."""
    key = f"{page}.list"
    picked = set(chosen(page, ids))
    wanted = [position for position, one in enumerate(ids) if one in picked]
    if list(st.session_state.get(key, {}).get("selection", {}).get("rows", [])) != wanted:
        st.session_state[key] = {"selection": {"rows": wanted}}
    st.session_state[f"{page}.list_ids"] = tuple(ids)
    st.dataframe(
        frame,
        key=key,
        on_select=partial(_follow_list, page),
        selection_mode="multi-row",
        hide_index=True,
        column_config=dict(columns),
        height=min(LIST_HEIGHT_PX, 38 + 35 * len(frame)),
        alt=alt,
    )


def _part(answer: Mapping[str, Any], name: str) -> Any:
    return answer.get(name) or None


def _follow_list(page: str) -> None:
    ids = st.session_state.get(f"{page}.list_ids", ())
    rows = st.session_state[f"{page}.list"]["selection"]["rows"]
    choose(page, [ids[row] for row in rows if row < len(ids)])
