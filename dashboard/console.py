"""The frame around every page: who may open which, what a page is given, and what happens when something goes wrong.

A page is a module of dashboard/views/ with one function::

    def render(ctx: PageContext) -> None

The shell has drawn the header, the title and the banners before it is called. A page reads through `queries` inside
`ctx.begin()`, lays out, and changes things only by calling a service of the pipeline, which checks the role again:

* A callback runs before the page and a fragment without it, so neither may trust the `ctx` it was defined with. A callback
  is `on_click=perform, args=(command,)`, where `command(ctx)` gets a context made from the session row as it is now and
  returns the sentence to show; a fragment begins with `ctx = context()` and calls `show_messages()` where they shall stand.
* AppError may be raised anywhere: its sentence is shown. Anything else is logged and shown by reference only.
* Session keys are `<page>.<name>`; texts written by people go through `st.text` or `formats.plain_markdown`.
"""

import importlib
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from urllib.parse import urlsplit
from uuid import uuid4
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import Connection

import queries
from dashboard.backend import BACKEND
from dashboard.routes.static import ASSETS
from dashboard.session import current_caller
from dashboard.widgets import shell
from pipeline.access.caller import Caller
from pipeline.database.engine import Database
from pipeline.errors import AppError
from pipeline.runtime import Runtime

LOGGER = logging.getLogger(__name__)

EVERYONE = frozenset({"TEACHER", "VERIFIER", "SENIOR_VERIFIER", "MC_OFFICER", "MC_SUPERVISOR", "DISTRICT_ADMIN", "STATE_ADMIN", "AUDITOR"})
ADMINS = frozenset({"DISTRICT_ADMIN", "STATE_ADMIN"})
LOOK_AGAIN_S = 2  # while the database starts
SIDEBAR_PX = 220  # the longest page name and its icon; hidden at first on a phone


@dataclass(frozen=True)
class PageSpec:
    """A page of the console: its address, its words and the roles that may open it."""

    path: str
    title: str
    icon: str
    roles: frozenset[str]
    view: str  # module with render(ctx)


# The first page that a role may open is the one it lands on.
PAGES: tuple[PageSpec, ...] = (
    PageSpec("my_reports", "My reports", ":material/assignment_ind:", frozenset({"TEACHER"}), "dashboard.views.my_reports"),
    PageSpec("visits", "Field visits", ":material/directions_walk:", frozenset({"MC_OFFICER"}), "dashboard.views.visits"),
    PageSpec("payouts", "Payouts", ":material/payments:", ADMINS | {"AUDITOR"}, "dashboard.views.payouts"),
    PageSpec("assignment", "Assignment", ":material/map:", ADMINS | {"MC_SUPERVISOR"}, "dashboard.views.assignment"),
    PageSpec("inbox", "Inbox", ":material/inbox:", frozenset({"VERIFIER", "SENIOR_VERIFIER"}) | ADMINS, "dashboard.views.inbox"),
    PageSpec("fraud", "Fraud", ":material/shield:", ADMINS | {"AUDITOR"}, "dashboard.views.fraud"),
    PageSpec("identity", "Identity", ":material/fingerprint:", ADMINS | {"AUDITOR"}, "dashboard.views.identity"),
    PageSpec("analytics", "Analytics", ":material/monitoring:", EVERYONE, "dashboard.views.analytics"),
    PageSpec("trace", "Trace", ":material/timeline:", EVERYONE, "dashboard.views.trace"),
)


@dataclass(frozen=True)
class PageContext:
    """What a page is given, made anew for every run."""

    runtime: Runtime
    caller: Caller
    now: datetime
    zone: ZoneInfo  # of the caller's home tenant
    tenants: dict[str, str]  # names of the tenants in the caller's scope, by id
    api_url: str  # where the browser finds the API, without a slash at the end: for photo and tracking links
    demo: bool  # the caller's area holds demo data, and says so

    def begin(self) -> AbstractContextManager[Connection]:
        """A transaction that sees the caller's scope and nothing else; commits at the end."""
        return self.runtime.database.begin(self.caller.scope)


def pages_for(caller: Caller) -> list[PageSpec]:
    """The pages that the person may open, the one to land on first."""
    return [spec for spec in PAGES if caller.has(*spec.roles)]


def context() -> PageContext:
    """A fresh context: the session row is read again. Raises SDCRS_NOT_SIGNED_IN, or why the database is not there."""
    runtime = BACKEND.runtime()
    caller = current_caller(runtime)
    masterdata, now = runtime.masterdata.current(), runtime.clock.now()
    return PageContext(
        runtime=runtime,
        caller=caller,
        now=now,
        zone=masterdata.tenant(caller.tenant_id).timezone,
        tenants={tenant_id: masterdata.tenant(tenant_id).name for tenant_id in caller.scope},
        api_url=_api_url(runtime),
        demo=_has_demo(runtime.database, caller.scope, int(now.timestamp()) // 60),
    )


def perform(command: Callable[[PageContext], str | None]) -> None:
    """Run a person's command with the rights that they have now, and keep its sentence, or the error's, to be shown."""
    try:
        said = command(context())
    except AppError as error:
        notify("error", error.message)
    else:
        if said:
            notify("success", said)


def notify(kind: str, sentence: str) -> None:
    """Keep a sentence for the next `show_messages`; kind is success, info, warning or error."""
    st.session_state["shell.told"] = told() + 1
    st.session_state.setdefault("shell.messages", []).append((kind, sentence))


def told() -> int:
    """How many sentences were kept in this tab so far: a long page scrolls to its top when there is a new one."""
    return int(st.session_state.get("shell.told", 0))


def show_messages() -> None:
    """Show what `notify` kept, once. The shell does so above every page; a fragment calls it itself."""
    for kind, sentence in st.session_state.pop("shell.messages", []):
        shell.message(kind, sentence)


def render() -> None:
    """Draw one run of the console: the whole of dashboard/script.py."""
    st.set_page_config(page_title="SDCRS", page_icon=str(ASSETS / "icon.svg"), layout="wide", initial_sidebar_state=SIDEBAR_PX)
    shell.styles()
    try:
        ctx = context()
    except AppError as error:
        _without_context(error)
        return
    pages = [st.Page(partial(_run, spec, ctx), title=spec.title, icon=spec.icon, url_path=spec.path) for spec in pages_for(ctx.caller)]
    # The default page stands at the address / only, not at its own; so it is one that leads on, and every page keeps its address.
    home = st.Page(lambda: st.switch_page(pages[0]), title="SDCRS", url_path="home", visibility="hidden", default=True)
    st.logo(str(ASSETS / "logo.svg"), icon_image=str(ASSETS / "icon.svg"), size="large")
    st.navigation([home, *pages]).run()


def _run(spec: PageSpec, ctx: PageContext) -> None:
    """One page. The role is asked for here too: what a person may not open must not depend on a menu."""
    if not ctx.caller.has(*spec.roles):
        raise AppError("SDCRS_FORBIDDEN", reason=f"{spec.title} is not for it.")
    shell.header(spec.title, _who(ctx), ctx.tenants.get(ctx.caller.tenant_id, ctx.caller.tenant_id), ctx.demo)
    shell.health(BACKEND.health)
    show_messages()
    try:
        importlib.import_module(spec.view).render(ctx)
    except AppError as error:
        shell.message("error", error.message)


def on_script_error(error: Exception) -> bool:
    """What a person sees when a run fails: a registered error's own sentence, else a reference to our log. Always handled."""
    if isinstance(error, AppError):
        _without_context(error)
        return True
    reference = uuid4().hex[:8]
    LOGGER.error("A page failed (reference %s)", reference, exc_info=error)
    shell.message("error", AppError("SDCRS_INTERNAL", reference=reference).message)
    return True


def _without_context(error: AppError) -> None:
    """Nobody is signed in, or nothing can be asked: say so, and look again by itself while the database starts."""
    if error.code == "SDCRS_NOT_SIGNED_IN":
        shell.signed_out()
    elif error.status == 503:
        shell.waiting(error, _look_again)
    else:
        shell.message("error", error.message)


@st.fragment(run_every=LOOK_AGAIN_S)
def _look_again() -> None:
    try:
        BACKEND.runtime()
    except AppError as error:
        st.caption(error.message)
        return
    st.rerun()


def _who(ctx: PageContext) -> shell.Who:
    return shell.Who(_display_name(ctx.runtime, ctx.caller), ctx.caller.username, ctx.caller.roles)


def _display_name(runtime: Runtime, caller: Caller) -> str:
    """The person's own name, read from the vault once per tab; the user name where there is none."""
    key = "shell.name"
    if key not in st.session_state:
        with runtime.database.begin(caller.scope) as conn:
            found = runtime.vault.get(conn, [caller.account_id], ["name"])
        st.session_state[key] = found.get(caller.account_id, {}).get("name", caller.username)
    return str(st.session_state[key])


@lru_cache(maxsize=200)  # scopes in use at once: one for each tenant with people in it
def _has_demo(database: Database, scope: tuple[str, ...], _minute: int) -> bool:
    """`_minute` only makes the answer be asked for again in the next one."""
    with database.begin(scope) as conn:
        row = queries.one(conn, "shell.has_demo")
    return row is not None and bool(row["demo"])


def _api_url(runtime: Runtime) -> str:
    settings = runtime.settings
    if settings.api_public_url:
        return settings.api_public_url.rstrip("/")
    parts = urlsplit(st.context.url or f"http://127.0.0.1:{settings.port}")
    return f"{parts.scheme}://{parts.hostname}:{settings.api_port}"
