"""Persons as one viewer may know them: names of staff, the reporter only where the role allows, phones masked.

What a role may not know is not read from the vault: the queries leave the reporter's id out, so there is nothing to ask for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

import queries
from dashboard import formats
from dashboard.console import PageContext
from pipeline.access.caller import SYSTEM_ID
from pipeline.packets.render.facts import View, view_of
from pipeline.vault.persons import mask_phone, mask_vpa

HIDDEN = "hidden"  # what stands for a value that the viewer may not know
CONTACT = ("phone", "vpa", "email")


@dataclass(frozen=True)
class People:
    """The persons of a page by account id, cut to what its viewer may see."""

    view: View
    viewer_id: UUID
    found: Mapping[UUID, Mapping[str, Any]] = field(default_factory=dict)

    def name(self, account_id: UUID | None) -> str | None:
        """The name, or the user name where there is none; None for whom the viewer may not know."""
        person = self.found.get(account_id) if account_id is not None else None
        return None if person is None else str(person.get("name") or person["username"])

    def get(self, account_id: UUID | None, what: str) -> str | None:
        """One field of a person, None where it is missing or not for the viewer."""
        person = self.found.get(account_id) if account_id is not None else None
        value = None if person is None else person.get(what)
        return None if value is None else str(value)

    def who(self, account_id: UUID | None, role: str) -> str:
        """Who acted: the name where the viewer may know it, and always the role."""
        if role == "SYSTEM":
            return "Automatic"
        label = formats.ROLES.get(role, formats.words(role))
        if account_id == self.viewer_id:
            return f"You ({label.lower()})"
        name = self.name(account_id)
        return label if name is None else f"{name} ({label.lower()})"

    def rows(self) -> dict[str, Mapping[str, Any]]:
        """The persons as renderers of packets take them: by id as text."""
        return {str(account_id): person for account_id, person in self.found.items()}


def view_for(ctx: PageContext, own: bool) -> View:
    """How much of a report the signed-in person may see."""
    return view_of(ctx.caller.roles, owner=own)


def load(ctx: PageContext, conn: Connection, view: View, ids: Iterable[UUID | None]) -> People:
    """Read persons for a viewer. Contact data is masked; only what is the viewer's own is in full.

    A teacher learns the role of the staff who acted and not their names.
    """
    wanted = {account_id for account_id in ids if account_id is not None and account_id != SYSTEM_ID}
    if view is View.TEACHER:
        wanted &= {ctx.caller.account_id}
    if not wanted:
        return People(view, ctx.caller.account_id)
    fields = ["name", *(CONTACT if view in {View.REVIEW, View.TEACHER} else ())]
    values = ctx.runtime.vault.get(conn, list(wanted), fields)
    found = {}
    for row in queries.rows(conn, "trace.people", ids=list(wanted)):
        person = values.get(row["id"], {})
        if row["id"] != ctx.caller.account_id:
            person = masked(person)
        found[row["id"]] = {**row, **person}
    return People(view, ctx.caller.account_id, found)


def masked(person: Mapping[str, str]) -> dict[str, str]:
    """A person's fields with phone, VPA and e-mail masked."""
    shown = dict(person)
    for what, mask in (("phone", mask_phone), ("vpa", mask_vpa), ("email", mask_vpa)):
        if what in shown:
            shown[what] = mask(shown[what]) or HIDDEN
    return shown
