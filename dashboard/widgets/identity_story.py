"""Everything recorded about one registration on all six steps, read once: rows of each participant, and every message.

Numbers and demographics are not read: what is shown of a number is its kind and the beginning of its hash.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, RowMapping

import queries
from dashboard.console import PageContext

REG_ID = re.compile(r"[0-9]{29}")
NUMBER = re.compile(r"[0-9]{10}|[0-9]{16}")  # a UIN or a VID
HASH = re.compile(r"[0-9A-Fa-f]{64}")


@dataclass(frozen=True)
class Story:
    """One registration. `head` is its announcement with its registration beside it; the others as queries/identity.sql says."""

    head: RowMapping
    announced: Sequence[RowMapping]
    components: Sequence[RowMapping]
    transactions: Sequence[RowMapping]
    pairs: Sequence[RowMapping]
    numbers: Sequence[RowMapping]
    wanted: Sequence[RowMapping]
    requests: Sequence[RowMapping]
    issuances: Sequence[RowMapping]
    headers: Sequence[RowMapping]
    subscriptions: Sequence[RowMapping]

    def request(self, request_id: UUID | None) -> RowMapping | None:
        """The generator's row of a request."""
        return next((one for one in self.requests if one["id"] == request_id), None)

    def issued(self, request_id: UUID | None) -> list[RowMapping]:
        """The issuances of a request, the newest last."""
        return [one for one in self.issuances if one["request_id"] == request_id]

    def wanted_by(self, row_id: UUID | None) -> RowMapping | None:
        """The row of step 3 with this id or this request id."""
        return None if row_id is None else next((one for one in self.wanted if row_id in (one["id"], one["request_id"])), None)


def find(
    conn: Connection, state_id: str, *, reg_id: str | None = None, id_hash: str | None = None, row_id: UUID | None = None
) -> UUID | None:
    """The registration that exactly one of these names, as far as the caller's area shows it."""
    found = queries.rows(conn, "identity.find", state_id=state_id, reg_id=reg_id, id_hash=id_hash, id=row_id)
    return found[0]["id"] if found else None


def load(ctx: PageContext, registration_id: UUID) -> Story | None:
    """The story; None when there is no such registration in the caller's area."""
    with ctx.begin() as conn:
        head = queries.one(conn, "identity.announcement", id=registration_id)
        if head is None:
            return None

        def read(name: str) -> list[RowMapping]:
            return queries.rows(conn, f"identity.{name}", id=registration_id)

        return Story(
            head=head,
            announced=read("announced"),
            components=read("components"),
            transactions=read("transactions"),
            pairs=read("pairs"),
            numbers=read("numbers"),
            wanted=read("wanted"),
            requests=read("requests"),
            issuances=read("issuances"),
            headers=read("headers"),
            subscriptions=queries.rows(conn, "identity.subscriptions"),
        )
