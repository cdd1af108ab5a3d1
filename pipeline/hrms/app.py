"""The stand-in HRMS over HTTP: its description, its keys, the sign-in page and the token endpoint."""

import html
from collections.abc import Mapping
from pathlib import Path
from string import Template
from urllib.parse import parse_qsl, urlsplit

from authlib.oauth2 import OAuth2Error
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from pipeline.access.provider import DEMO_CLIENT_ID, DEMO_SECRET_PURPOSE, DISCOVERY
from pipeline.errors import AppError
from pipeline.hrms.register import sign_in
from pipeline.hrms.server import SCOPES, Client, Request, Server
from pipeline.runtime import Runtime
from pipeline.settings import Settings

MAX_FORM_BYTES = 8192  # a code, a verifier and two short fields
MAX_FIELDS = 20
CONSOLE_RETURN = "/auth/return"
AUTHORIZE, TOKEN, KEYS = "/oauth2/authorize", "/oauth2/token", "/.well-known/jwks.json"
CACHED = {"Cache-Control": "public, max-age=60"}  # the keys change with every start


def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


_PAGE = Template(_read("page.html"))
_FORM = Template(_read("form.html"))


def demo_client(rt: Runtime) -> Client:
    """Us, as this provider knows us."""
    return Client(DEMO_CLIENT_ID, rt.keyring.lookup_key(DEMO_SECRET_PURPOSE).hex(), redirect_uris(rt.settings))


def redirect_uris(settings: Settings) -> tuple[str, ...]:
    """The apps' addresses and the console's, under every name that it has on this machine."""
    consoles = [f"http://{host}:{settings.port}" for host in ("localhost", "127.0.0.1")]
    consoles += [settings.console_public_url] if settings.console_public_url else []
    return (*settings.oidc_redirect_uris, *(f"{console}{CONSOLE_RETURN}" for console in dict.fromkeys(consoles)))


def build(rt: Runtime, issuer: str) -> Starlette:
    """The provider under this address. Raises SDCRS_BAD_SETTING where it must not run."""
    if not rt.settings.demo_hrms:
        raise AppError(
            "SDCRS_BAD_SETTING", setting="OIDC_ISSUER", detail="the demo's own HRMS does not run beside a real provider, nor in production"
        )
    return _Hrms(rt, Server(issuer, demo_client(rt), rt.clock)).app()


class _Hrms:
    def __init__(self, rt: Runtime, server: Server) -> None:
        self.rt, self.server = rt, server

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self.home, methods=["GET"]),
                Route(DISCOVERY, self.describe, methods=["GET"]),
                Route(KEYS, self.keys, methods=["GET"]),
                Route(AUTHORIZE, self.authorize, methods=["GET", "POST"]),
                Route(TOKEN, self.token, methods=["POST"]),
            ]
        )

    async def home(self, _request: HttpRequest) -> Response:
        return _page("Demo HRMS", "<h1>Demo HRMS</h1><p>Sign-in begins in SDCRS, from where you are sent here and back.</p>")

    async def describe(self, _request: HttpRequest) -> Response:
        issuer = self.server.issuer
        told = {
            "issuer": issuer,
            "authorization_endpoint": issuer + AUTHORIZE,
            "token_endpoint": issuer + TOKEN,
            "jwks_uri": issuer + KEYS,
            "scopes_supported": list(SCOPES),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
        }
        return JSONResponse(told, headers=CACHED)

    async def keys(self, _request: HttpRequest) -> Response:
        return JSONResponse(self.server.public_keys(), headers=CACHED)

    async def authorize(self, request: HttpRequest) -> Response:
        """The sign-in page; a POST with the right password leads back with a code."""
        form = await _form(request) if request.method == "POST" else None
        return await run_in_threadpool(self._authorize, request, form)

    async def token(self, request: HttpRequest) -> Response:
        """The code and its verifier for the tokens."""
        form = await _form(request)
        if form is None:
            return JSONResponse({"error": "invalid_request"}, 400)
        asked = Request("POST", self.server.issuer + TOKEN, form, request.headers)
        response: Response = await run_in_threadpool(self.server.create_token_response, asked)
        return response

    def _authorize(self, request: HttpRequest, form: Mapping[str, str] | None) -> Response:
        query = _once(request.query_params)
        if query is None:
            return _page("Refused", "<h1>Refused</h1><p>A field of the request is there more than once.</p>", 400)
        asked = Request("GET", f"{self.server.issuer}{AUTHORIZE}?{request.url.query}", query, {})
        try:
            grant = self.server.get_consent_grant(asked)
        except OAuth2Error as error:
            if error.redirect_uri:
                refused: Response = self.server.handle_error_response(asked, error)
                return refused
            return _page("Refused", f"<h1>Refused</h1><p>{html.escape(error.description or error.error or '')}</p>", 400)
        if form is None:
            return self._form_page(query)
        try:
            client = request.client.host if request.client else "unknown"
            employee = sign_in(self.rt, form.get("username", ""), form.get("password", ""), client)
        except AppError as error:
            return self._form_page(query, form.get("username", ""), error.message, error.status)
        if employee is None:
            return self._form_page(query, form.get("username", ""), "Employee ID or password is wrong.", 401)
        granted: Response = self.server.create_authorization_response(asked, grant_user=employee, grant=grant)
        return granted

    def _form_page(self, query: Mapping[str, str], username: str = "", message: str = "", status: int = 200) -> Response:
        body = _FORM.substitute(
            username=html.escape(username[:64]),
            message=f'<p class="error" role="alert" id="message">{html.escape(message)}</p>' if message else "",
            described='aria-describedby="message"' if message else "",
        )
        return _page("Sign in", body, status, query.get("redirect_uri", self.server.client.redirect_uris[0]))


def _page(title: str, body: str, status: int = 200, back: str | None = None) -> Response:
    """A page that loads nothing and posts to itself; browsers judge where a form's answer leads, so the way back is named."""
    parts = urlsplit(back or "")
    way_back = f" {parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f" {parts.scheme}:" if parts.scheme else ""
    policy = f"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'{way_back}; frame-ancestors 'none'; base-uri 'none'"
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(_PAGE.substitute(title=html.escape(title), body=body), status, headers)


def _once(params: QueryParams) -> dict[str, str] | None:
    """The fields, or None when one is there twice."""
    items = params.multi_items()
    return dict(items) if len({name for name, _ in items}) == len(items) else None


async def _form(request: HttpRequest) -> dict[str, str] | None:
    """A short urlencoded form with every field once; None for anything else."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM_BYTES:
            return None
    try:
        items = parse_qsl(body.decode("utf-8"), max_num_fields=MAX_FIELDS, keep_blank_values=True)
    except ValueError:
        return None
    return dict(items) if len({name for name, _ in items}) == len(items) else None
