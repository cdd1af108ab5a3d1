"""What is stuck, class by class: how many, since when, whose move it is, and the remedy for all of them or for one."""

from collections.abc import Sequence
from datetime import datetime

import pandas
import streamlit as st

from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import identity_bulk, identity_search, rows
from dashboard.widgets import identity_words as words
from dashboard.widgets.identity_bulk import Subject
from dashboard.widgets.rows import escape, mark
from pipeline.identity.checks import BY_CODE, CHECKS, MOST, Case, Check, Counted, counts, found

SHOWN = 50  # cases of a class that a list shows; a command takes all of them, up to MOST
WHO = {"admin": ("An admin", "orange"), "job": ("A job, by itself", "blue")}


def show(ctx: PageContext) -> None:
    """The classes that have cases, and the cases of the one that the address names."""
    md = ctx.runtime.masterdata.current()
    with ctx.begin() as conn:
        counted = counts(conn, md, ctx.now)
    identity_bulk.show_done()
    present = [check for check in CHECKS if counted[check.code].count]
    if not present:
        st.success(f"None of the {len(CHECKS)} classes has a case.", icon=":material/check_circle:")
        return
    rows.part("Stuck", f"{len(present)} of {len(CHECKS)} classes have cases")
    with st.container(key="rows-stuck"):
        rows.head("stuck", ("Class", "Cases", "Oldest", "Whose move"))
        for check in present:
            cells = _cells(check, counted[check.code], ctx.now)
            rows.row(f"stuck-{check.code}", "stuck", cells, f"Open {check.title}", _open, (check.code,))
    chosen = str(st.query_params.get("stuck") or "").upper()
    if chosen in BY_CODE and counted[chosen].count:
        _cases(ctx, BY_CODE[chosen], counted[chosen])


def _open(code: str) -> None:
    st.query_params["stuck"] = code.lower()


def _cells(check: Check, counted: Counted, now: datetime) -> dict[str, str]:
    label, colour = WHO[check.who]
    return {
        "what": f"<b>{escape(check.title)}</b><small>{escape(check.what)}</small>",
        "count": f"<b>{escape(formats.count(counted.count))}</b>",
        "age": escape(formats.ago(counted.oldest, now)),
        "who": mark(label, colour),
    }


def _cases(ctx: PageContext, check: Check, counted: Counted) -> None:
    md = ctx.runtime.masterdata.current()
    with ctx.begin() as conn:
        cases = found(conn, md, check.code, ctx.now, MOST)
    rows.part(check.title, f"{formats.count(counted.count)}, the oldest first")
    st.dataframe(
        _frame(ctx, cases[:SHOWN]),
        hide_index=True,
        column_config={
            "Registration": st.column_config.LinkColumn("Registration", display_text=rf"{identity_search.ADDRESS}=(.*)$", width="medium"),
            "Since": st.column_config.DatetimeColumn("Since", format="D MMM, h:mm a", timezone=ctx.zone.key),
            "Said": st.column_config.TextColumn("Said", width="medium"),
        },
        height=min(360, 38 + 35 * min(len(cases), SHOWN)),
        alt=check.title,
        placeholder=formats.ABSENT,
    )
    if len(cases) > SHOWN:
        st.caption(f"The oldest {SHOWN} are shown.")
    subjects = [Subject(case.subject_id, case.reg_id) for case in cases]
    identity_bulk.show(ctx, f"stuck.{check.code}", (check.remedy,), subjects, counted.count)


def _frame(ctx: PageContext, cases: Sequence[Case]) -> pandas.DataFrame:
    lines = [
        (
            f"/identity?{identity_search.ADDRESS}={case.reg_id}" if case.reg_id else None,
            ctx.tenants.get(case.tenant_id or "", case.tenant_id or formats.ABSENT),
            words.status(case.comment) if case.comment and case.comment.isupper() else case.comment or formats.ABSENT,
            case.since,
        )
        for case in cases
    ]
    return pandas.DataFrame(lines, columns=["Registration", "Area", "Said", "Since"])
