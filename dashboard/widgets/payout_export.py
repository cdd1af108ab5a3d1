"""The payouts of a list as a file, CSV or XLSX. What leaves the console is recorded with who took it, by which filter, and how much.

The file is made when the button is pressed, by a thread of its own, with the rights that the person's session has then.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Literal
from uuid import UUID

import streamlit as st
from sqlalchemy import Connection, RowMapping

import queries
from dashboard import formats, session
from dashboard.backend import BACKEND
from dashboard.console import PageContext
from dashboard.widgets import payout_filter
from dashboard.widgets import payout_words as words
from dashboard.widgets.payout_filter import Wanted
from dashboard.widgets.payout_sheet import Cell, csv_file, xlsx_file
from pipeline.access.caller import Caller
from pipeline.access.policy import check
from pipeline.access.sessions import read_session
from pipeline.audit.log import record
from pipeline.masterdata.master import MasterData
from pipeline.vault.persons import MAX_PERSONS, PersonFields, Vault, mask_vpa

MAX_LINES = 50_000  # some ten megabytes, made within seconds
Kind = Literal["csv", "xlsx"]
KINDS: tuple[tuple[Kind, str], ...] = (("csv", "CSV"), ("xlsx", "Excel (XLSX)"))
MIME: dict[str, str] = {"csv": "text/csv", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
TITLES = (
    "Report",
    "Area",
    "Teacher",
    "User name",
    "UPI address",
    "Amount (INR)",
    "Queue",
    "State",
    "Retries",
    "Reason",
    "Reason in words",
    "Our reference",
    "Provider's payout",
    "Provider's state",
    "Bank reference (UTR)",
    "Paid by hand",
    "Reference by hand",
    "Fees (INR)",
    "Created",
    "First sent",
    "Finished",
    "Changed",
)


def buttons(ctx: PageContext, wanted: Wanted) -> None:
    """The two files of what the list is of."""
    token = session.read_cookie(ctx.runtime.settings)
    with st.popover("Export", icon=":material/download:", key="payouts.export"):
        st.caption(
            f"All payouts of this list with the filters as they are, at most {formats.count(MAX_LINES)}, the newest first. "
            "UPI addresses are masked. Who exports what is recorded."
        )
        for kind, label in KINDS:
            st.download_button(
                label,
                partial(make, token, wanted, kind),
                file_name=f"payouts-{(wanted.queue or 'all').lower()}-{ctx.now.astimezone(ctx.zone):%Y%m%d-%H%M}.{kind}",
                mime=MIME[kind],
                on_click="ignore",
                key=f"payouts.export.{kind}",
                width="stretch",
            )


def make(token: str | None, wanted: Wanted, kind: Kind) -> bytes:
    """The file for whoever holds this session now, and a record of it. Raises SDCRS_NOT_SIGNED_IN and SDCRS_FORBIDDEN. Commits."""
    runtime = BACKEND.runtime()
    caller = read_session(runtime, token)
    check(caller, "search_payouts")
    now, md = runtime.clock.now(), runtime.masterdata.current()
    with runtime.database.begin(caller.scope) as conn:
        params = payout_filter.params_of(conn, wanted, caller, now, md.tenant(caller.tenant_id).timezone)
        rows = conn.execute(queries.statement("payouts.export"), params | {"limit": MAX_LINES}).mappings().all()
        people = persons(runtime.vault, conn, {row["beneficiary_id"] for row in rows})
        details = {
            "kind": kind,
            "rows": len(rows),
            "queue": wanted.queue,
            "tenants": params["tenants"],
            "searched": bool(wanted.filter.text),  # not for what: it may be a person's address
            "reason": wanted.filter.reason,
            "teachers": None if params["teachers"] is None else [str(one) for one in params["teachers"]],
            "from": None if params["from_at"] is None else params["from_at"].isoformat(),
            "to": None if params["to_at"] is None else params["to_at"].isoformat(),
        }
        keep(conn, caller, "PAYOUTS_EXPORTED", details, now)
    lines = (_line(md, row, people.get(row["beneficiary_id"], {})) for row in rows)
    return as_file("Payouts", TITLES, lines, kind)


def as_file(sheet: str, titles: Sequence[str], lines: Iterable[Sequence[Cell]], kind: Kind) -> bytes:
    """The lines in one of the two kinds."""
    return csv_file(titles, lines) if kind == "csv" else xlsx_file(sheet, titles, lines)


def keep(conn: Connection, caller: Caller, action: str, details: dict[str, Any], now: datetime) -> None:
    """Record an export. Does not commit."""
    role = next(role for role in ("STATE_ADMIN", "DISTRICT_ADMIN", "AUDITOR") if role in caller.roles)
    record(conn, caller.tenant_id, caller.account_id, role, action, "EXPORT", None, now, details=details)


def rupees(paise: int | None) -> Decimal | None:
    """An amount as a number of rupees."""
    return None if paise is None else Decimal(paise) / 100


def persons(vault: Vault, conn: Connection, ids: Collection[UUID]) -> dict[UUID, PersonFields]:
    """Names and addresses, as many at once as the vault gives."""
    wanted = list(ids)
    found: dict[UUID, PersonFields] = {}
    for start in range(0, len(wanted), MAX_PERSONS):
        found |= vault.get(conn, wanted[start : start + MAX_PERSONS], ["name", "vpa"])
    return found


def _line(md: MasterData, row: RowMapping, person: PersonFields) -> tuple[Cell, ...]:
    tenant = md.tenant(row["tenant_id"])
    times = (row[name] for name in ("created_at", "first_sent_at", "completed_at", "modified_at"))
    return (
        row["report_number"],
        tenant.name,
        person.get("name"),
        row["username"],
        mask_vpa(person.get("vpa")),
        rupees(row["manual_amount_paise"] or row["amount_paise"]),
        words.QUEUES[row["queue"]],
        formats.payout_label(row["status"]),
        row["retry_count"],
        row["reason"],
        row["needs_person"] or row["reason_text"],
        row["reference_id"],
        row["provider_payout_id"],
        row["provider_status"],
        row["utr"],
        row["method"],
        row["manual_reference"],
        rupees(row["fees_paise"]),
        *(None if at is None else at.astimezone(tenant.timezone) for at in times),
    )
