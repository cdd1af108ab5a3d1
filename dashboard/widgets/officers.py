"""The officers of an area as a supervisor sees them: who, which wards, how much they carry, and whether they are on duty."""

import html
from collections.abc import Mapping, Sequence
from uuid import UUID

import streamlit as st
from sqlalchemy import Connection

from dashboard import formats
from dashboard.console import PageContext
from pipeline.reports.assignment import Officer, officers


def load(ctx: PageContext, conn: Connection, tenants: Sequence[str]) -> tuple[list[Officer], dict[UUID, str]]:
    """The officers of some tenants and their names; the user name stands in for a name that the vault does not have."""
    found = [one for tenant_id in tenants for one in officers(conn, tenant_id)]
    persons = ctx.runtime.vault.get(conn, [one.id for one in found], ["name"])
    return found, {one.id: persons.get(one.id, {}).get("name") or one.username for one in found}


def table(found: Sequence[Officer], names: Mapping[UUID, str], ward_names: Mapping[str, str]) -> None:
    """One line an officer with the load as a bar and in figures; those who can take more come first."""
    if not found:
        st.caption("No officers in this area.")
        return
    lines = "".join(_line(one, names[one.id], ward_names) for one in sorted(found, key=_free_first))
    st.html(
        '<table class="officers"><caption>Officers</caption><thead><tr><th scope="col">Name</th><th scope="col">Wards</th>'
        f'<th scope="col">Reports in hand</th><th scope="col">Duty</th></tr></thead><tbody>{lines}</tbody></table>'
    )


def choice(one: Officer, names: Mapping[UUID, str]) -> str:
    """An officer in a list to choose from."""
    duty = "" if one.on_duty else ", off duty"
    full = ", full" if one.load >= one.max_load else ""
    return f"{names[one.id]} ({', '.join(one.wards) or 'no wards'}; {one.load} of {one.max_load}{full}{duty})"


def in_order_for(found: Sequence[Officer], wards: Sequence[str | None]) -> list[Officer]:
    """Those on duty with room first, among them those who cover most of the wards, then the least loaded."""
    wanted = set(wards)
    return sorted(found, key=lambda one: (not _has_room(one), -len(wanted & set(one.wards)), one.load, one.username))


def _has_room(one: Officer) -> bool:
    return one.on_duty and one.load < one.max_load


def _free_first(one: Officer) -> tuple[bool, bool, int, str]:
    return (not one.on_duty, not _has_room(one), one.load, one.username)


def _line(one: Officer, name: str, ward_names: Mapping[str, str]) -> str:
    wards = ", ".join(f'<abbr title="{html.escape(ward_names.get(code, code))}">{html.escape(code)}</abbr>' for code in one.wards)
    share = min(100, round(100 * one.load / one.max_load)) if one.max_load else 100
    full = " full" if one.load >= one.max_load else ""
    duty = "On duty" if one.on_duty else "Off duty"
    return (
        f'<tr class="{"" if one.on_duty else "away"}"><th scope="row">{html.escape(name)}<small>{html.escape(one.username)}</small></th>'
        f"<td>{wards or formats.ABSENT}</td>"
        f'<td><span class="load{full}" aria-hidden="true"><i style="width:{share}%"></i></span>{one.load} of {one.max_load}</td>'
        f"<td>{duty}</td></tr>"
    )
