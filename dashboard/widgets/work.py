"""What the working pages share: their few styles, and the area to work in, and a place in words."""

from dataclasses import dataclass

import streamlit as st
from sqlalchemy import RowMapping

from dashboard import formats
from dashboard.console import PageContext
from dashboard.routes.static import read_asset


def styles() -> None:
    """The rules for officers, cards and evidence that the theme cannot say."""
    st.html(f"<style>{read_asset('work.css')}</style>")


@dataclass(frozen=True)
class Area:
    """Where somebody works: a tenant for names and boundaries, and those at and below it that take reports."""

    root: str
    tenants: tuple[str, ...]


def area(ctx: PageContext, page: str) -> Area:
    """The person's whole area, or the part of it that is chosen where it has several."""
    md = ctx.runtime.masterdata.current()
    leaves = md.leaves(ctx.caller.tenant_id)
    whole = Area(ctx.caller.tenant_id, leaves)
    if len(leaves) == 1:
        return whole
    names = {ctx.tenants[one]: Area(one, (one,)) for one in leaves}
    return names.get(st.selectbox("Area", ["All", *names], key=f"{page}.area", bind="query-params", width=220), whole)


def place(row: RowMapping) -> str:
    """Address and landmark, else the locality, in one line; a landmark that the address names is not said twice."""
    address, landmark = row["address"] or "", row["landmark"] or ""
    parts = [address, "" if landmark.casefold() in address.casefold() else landmark]
    return ", ".join(part for part in parts if part) or row["locality"] or formats.ABSENT
