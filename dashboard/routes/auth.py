"""Sign-in and sign-out as plain HTML: they work without scripts, on any phone, and before Streamlit is reached.

GET and POST are registered on both paths, or a GET would fall through to Streamlit's built-in routes of the same name. A
POST counts only from a page of this host. Nobody is signed out by a link: sign-out acts on POST alone.
"""

import html
import logging
from string import Template
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

import queries
from dashboard.backend import BACKEND
from dashboard.routes.cookies import give_session, take_session
from dashboard.routes.gate import same_origin
from dashboard.routes.paths import safe_next
from dashboard.routes.single_sign_on import ROUTES as SSO_ROUTES
from dashboard.routes.single_sign_on import link, told
from dashboard.routes.static import read_asset
from dashboard.session import token_from
from pipeline.access.sessions import read_session, sign_in, sign_out, sign_out_everywhere
from pipeline.errors import AppError
from pipeline.runtime import Runtime
from pipeline.settings import Settings, load

LOGGER = logging.getLogger(__name__)

MAX_FORM_BYTES = 8192  # two short fields and a path
LOOK_AGAIN_S = 2

PAGE_POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

# Named in the demo by their role; shown only where the demo made these accounts.
TEACHER = "T12345"
DEMO_ACCOUNTS: dict[str, str] = {
    TEACHER: "Teacher",
    "V001": "Verifier",
    "SV001": "Senior verifier",
    "SUP001": "Supervisor",
    "MCO001": "Officer",
    "DADMIN001": "District admin",
    "ADMIN001": "State admin",
    "AUD001": "Auditor",
}
DEFAULT_DEMO_PASSWORD = "demo"  # noqa: S105 - printed by `make run` and in the README; another one is never shown

NOBODY_YET = (
    '<section class="demo"><h2>No accounts yet</h2><p>This database is new. <code>make run</code> fills it with demo data; '
    "give it a minute, then load this page again.</p></section>"
)

_PAGE = Template(read_asset("auth.html"))
_SIGN_IN = Template(read_asset("sign_in.html"))
_SIGN_OUT = read_asset("sign_out.html")


async def login(request: Request) -> Response:
    """The sign-in form; a POST opens a session and leads to the page that was wanted."""
    if request.method != "POST":
        return await run_in_threadpool(_login_page, request)
    form = await _form(request)
    return await run_in_threadpool(_sign_in, request, form)


async def logout(request: Request) -> Response:
    """Asks on GET; a POST ends the session in the database and takes the cookie back."""
    if request.method != "POST":
        return _page("Sign out", _SIGN_OUT)
    if not same_origin(request.headers):
        return _refused("SDCRS_BAD_ORIGIN")
    form = await _form(request)
    return await run_in_threadpool(_sign_out, request, "everywhere" in form)


ROUTES: list[BaseRoute] = [
    Route("/auth/login", login, methods=["GET", "POST"]),
    Route("/auth/logout", logout, methods=["GET", "POST"]),
    *SSO_ROUTES,
]


def _login_page(request: Request) -> Response:
    wanted = safe_next(request.query_params.get("next"))
    try:
        runtime = BACKEND.runtime()
        read_session(runtime, token_from(request.cookies, runtime.settings))
    except AppError as error:
        if error.code == "SDCRS_NOT_SIGNED_IN":
            return _form_page(request, BACKEND.runtime(), wanted, error=told(request))
        return _waiting(error)
    return RedirectResponse(wanted, 303, {"Cache-Control": "no-store"})


def _sign_in(request: Request, form: dict[str, str]) -> Response:
    if not same_origin(request.headers):
        return _refused("SDCRS_BAD_ORIGIN")
    wanted = safe_next(form.get("next"))
    username, password = form.get("username", ""), form.get("password", "")
    try:
        runtime = BACKEND.runtime()
    except AppError as error:
        return _waiting(error)
    try:
        chosen = form.get("demo")
        if chosen is not None and chosen in _demo_usernames(runtime) and _demo_password_is_known(runtime.settings):
            username, password = chosen, runtime.settings.demo_password
        before = token_from(request.cookies, runtime.settings)
        signed_in = sign_in(runtime, username, password, "CONSOLE", request.client.host if request.client else "unknown")
        sign_out(runtime, before)
    except AppError as error:
        return _form_page(request, runtime, wanted, username, error)
    answer = RedirectResponse(wanted, 303, {"Cache-Control": "no-store"})
    give_session(answer, request, runtime, signed_in)
    return answer


def _sign_out(request: Request, everywhere: bool) -> Response:
    try:
        runtime = BACKEND.runtime()
        token = token_from(request.cookies, load())
        if everywhere:
            caller = read_session(runtime, token)
            sign_out_everywhere(runtime, caller.account_id, caller.tenant_id, caller)
        sign_out(runtime, token)
    except AppError as error:
        if error.code != "SDCRS_NOT_SIGNED_IN":  # who is not signed in need not be signed out
            return _waiting(error)
    answer = RedirectResponse("/auth/login", 303, {"Cache-Control": "no-store", "Clear-Site-Data": '"cache"'})
    take_session(answer)
    return answer


async def _form(request: Request) -> dict[str, str]:
    """The fields of a short urlencoded form; anything longer is treated as empty."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM_BYTES:
            return {}
    try:
        fields = parse_qs(body.decode("utf-8"), max_num_fields=8, keep_blank_values=True)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in fields.items()}


def _demo_usernames(runtime: Runtime) -> list[str]:
    if runtime.settings.production:
        return []
    with runtime.database.worker() as conn:
        found = {row["username"] for row in queries.rows(conn, "shell.demo_accounts", usernames=list(DEMO_ACCOUNTS))}
    if runtime.settings.oidc_issuer is not None:  # teachers have no password here then
        found -= {TEACHER}
    return [username for username in DEMO_ACCOUNTS if username in found]


def _nobody_yet(runtime: Runtime) -> bool:
    with runtime.database.worker() as conn:
        row = queries.one(conn, "shell.has_accounts")
    return row is not None and not row["any"]


def _demo_password_is_known(settings: Settings) -> bool:
    return settings.demo_password == DEFAULT_DEMO_PASSWORD


def _form_page(request: Request, runtime: Runtime, wanted: str, username: str = "", error: AppError | None = None) -> Response:
    try:
        demo = _demo_block(runtime)
    except AppError as trouble:
        return _waiting(trouble)
    body = _SIGN_IN.substitute(
        next=html.escape(wanted),
        username=html.escape(username[:64]),
        message="" if error is None else f'<p class="error" role="alert" id="message">{html.escape(error.message)}</p>',
        described='aria-describedby="message"' if error else "",
        state_account=link(request, runtime.settings, wanted),
        demo=demo,
    )
    return _page("Sign in", body, 200 if error is None else error.status)


def _demo_block(runtime: Runtime) -> str:
    usernames = _demo_usernames(runtime)
    if not usernames:
        return NOBODY_YET if _nobody_yet(runtime) else ""
    known = _demo_password_is_known(runtime.settings)
    items = "".join(
        f'<li><button name="demo" value="{name}" formnovalidate><span>{DEMO_ACCOUNTS[name]}</span><code>{name}</code></button></li>'
        if known
        else f"<li><span>{DEMO_ACCOUNTS[name]}</span> <code>{name}</code></li>"
        for name in usernames
    )
    hint = "Choose a role to sign in with its demo account." if known else "The operator has set a password for these demo accounts."
    return f'<section class="demo" aria-labelledby="demo"><h2 id="demo">Demo data</h2><p>{hint}</p><ul>{items}</ul></section>'


def _waiting(error: AppError) -> Response:
    """The page while the database starts or cannot be reached; it looks again by itself."""
    title = "Starting" if error.code == "SDCRS_STARTING" else "Not available"
    body = f'<h1>{title}</h1><p role="status">{html.escape(error.message)}</p><p class="code">{error.code}</p>'
    answer = _page(title, body, 503, head=f'<meta http-equiv="refresh" content="{LOOK_AGAIN_S}">')
    answer.headers["Retry-After"] = str(LOOK_AGAIN_S)
    return answer


def _refused(code: str) -> Response:
    error = AppError(code)
    LOGGER.warning("Refused: %s", error.code)
    return _page(
        "Refused", f'<h1>Refused</h1><p role="alert">{html.escape(error.message)}</p><p><a href="/auth/login">Sign in</a></p>', error.status
    )


def _page(title: str, body: str, status: int = 200, head: str = "") -> HTMLResponse:
    return HTMLResponse(
        _PAGE.substitute(title=title, head=head, body=body),
        status,
        {"Cache-Control": "no-store", "Content-Security-Policy": PAGE_POLICY},
    )
