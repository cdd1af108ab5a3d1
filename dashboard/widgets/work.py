"""What the working pages share: their few styles, and the area to work in, and a place in words."""

import streamlit as st
from sqlalchemy import RowMapping

from dashboard import formats
from dashboard.console import PageContext
from dashboard.routes.static import read_asset


def styles() -> None:
    """The rules for officers, cards and evidence that the theme cannot say."""
    st.html(f"<style>{read_asset('work.css')}</style>")


def areas(ctx: PageContext, page: str) -> str:
    """The tenant to work in: the only one that takes reports in the person's area, or the one chosen."""
    leaves = ctx.runtime.masterdata.current().leaves(ctx.caller.tenant_id)
    if len(leaves) == 1:
        return leaves[0]
    names = {ctx.tenants[one]: one for one in leaves if one in ctx.tenants}
    chosen = st.selectbox("Area", list(names), key=f"{page}.area", bind="query-params")
    return names[chosen]


def place(row: RowMapping) -> str:
    """Address and landmark, else the locality, in one line."""
    parts = [part for part in (row["address"], row["landmark"]) if part]
    return ", ".join(parts) or row["locality"] or formats.ABSENT
