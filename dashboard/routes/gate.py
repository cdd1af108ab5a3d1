"""The gate before every request of the console: who may open a page, and the headers of every answer.

It is plain ASGI, because Starlette's class-based middleware does not see WebSockets. A page without a session leads to
the sign-in; a WebSocket needs the console's own Origin and a session. The policy lets a browser load nothing from any
host but ours (and the tiles, where they are configured), so that a slip in a page cannot call out.
"""

from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from dashboard.backend import BACKEND
from dashboard.session import token_from
from pipeline.access.sessions import read_session
from pipeline.errors import AppError
from pipeline.settings import Settings, load

OPEN_PREFIXES = ("/auth/", "/assets/", "/leaflet/", "/static/", "/_stcore/", "/media/", "/component/", "/favicon")
# Streamlit answers these by itself; nobody here uses them, and two of them tell or drive more than a visitor should.
CLOSED_PATHS = ("/_stcore/metrics", "/_stcore/script-health-check", "/auth/callback", "/oauth2callback")
AGENT_PREFIX = "/_stcore/agent"
POLICY_VIOLATION = 1008  # WebSocket close code


def same_origin(headers: Headers) -> bool:
    """Whether the request says that it comes from a page of this very host. A missing Origin is another origin."""
    origin = headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc == headers.get("host")


class SecurityHeaders:
    """ASGI middleware that gives every HTTP answer its headers; an answer's own header of the same name stays."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.settings = load()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        wanted = security_headers(HTTPConnection(scope), self.settings)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in wanted.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)


class Gate:
    """ASGI middleware that lets only signed-in people reach a page or its WebSocket."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.settings = load()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        path = scope["path"]
        if "origin" in connection.headers and not same_origin(connection.headers) and not path.startswith("/auth/"):
            # no other site has business here; Streamlit would ask an outside service for our address to judge it
            await PlainTextResponse("Refused: another site asks", 403)(scope, receive, send)
        elif path.startswith(CLOSED_PATHS) or (self.settings.production and path.startswith(AGENT_PREFIX)):
            await PlainTextResponse("Not found", 404)(scope, receive, send)
        elif _wants_page(scope["method"], path) and not await run_in_threadpool(self._signed_in, connection):
            wanted = quote(path + (f"?{connection.url.query}" if connection.url.query else ""), safe="")
            answer = RedirectResponse("/auth/login" if path == "/" else f"/auth/login?next={wanted}", 303)
            answer.headers["Cache-Control"] = "no-store"
            await answer(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        if same_origin(connection.headers) and await run_in_threadpool(self._signed_in, connection):
            await self.app(scope, receive, send)
        else:
            await WebSocketClose(POLICY_VIOLATION, "sign in first")(scope, receive, send)

    def _signed_in(self, connection: HTTPConnection) -> bool:
        try:
            read_session(BACKEND.runtime(), token_from(connection.cookies, self.settings))
        except AppError:
            return False
        return True


def _wants_page(method: str, path: str) -> bool:
    return method in ("GET", "HEAD") and not path.startswith(OPEN_PREFIXES)


def security_headers(connection: HTTPConnection, settings: Settings) -> dict[str, str]:
    """The headers of every answer. Streamlit needs inline styles and compiles its components' scripts, hence the two unsafe-*."""
    images = f"'self' data: blob: {api_origin(connection, settings)}"
    if settings.tiles_url:
        tiles = urlsplit(settings.tiles_url.replace("{s}", "*"))
        images += f" {tiles.scheme}://{tiles.netloc}"
    headers = {
        "Content-Security-Policy": "; ".join(
            (
                "default-src 'self'",
                "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",  # Streamlit hands a component's script over as a blob
                "style-src 'self' 'unsafe-inline'",
                f"img-src {images}",
                "font-src 'self' data:",
                f"connect-src 'self' {'wss' if connection.url.scheme == 'https' else 'ws'}://{connection.url.netloc}",
                "worker-src 'self' blob:",
                "object-src 'none'",
                "base-uri 'self'",
                "form-action 'self'",
                "frame-ancestors 'self'",
            )
        ),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "SAMEORIGIN",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(self), geolocation=(self), microphone=(), payment=()",
    }
    if connection.url.scheme == "https":
        headers["Strict-Transport-Security"] = "max-age=31536000"  # a year, what browsers ask for
    return headers


def api_origin(connection: HTTPConnection, settings: Settings) -> str:
    """Where a browser finds the API: API_PUBLIC_URL, else the host that it is on with the API's port."""
    if settings.api_public_url:
        parts = urlsplit(settings.api_public_url)
        return f"{parts.scheme}://{parts.netloc}"
    return f"{connection.url.scheme}://{connection.url.hostname}:{settings.api_port}"
