"""Signing in to the console with the state's account: to the provider and back, over plain links that work without scripts.

The way back is the console's own address of CONSOLE_PUBLIC_URL; without it only a browser on this very machine is offered the
way, since a Host header is not to be believed where a code is sent to.
"""

import html
import logging
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from dashboard.backend import BACKEND
from dashboard.routes.cookies import flow_of, give_flow, give_session, take_flow
from dashboard.routes.paths import safe_next
from dashboard.session import token_from
from pipeline.access.sessions import sign_out
from pipeline.access.sso import Proof, begin, finish
from pipeline.errors import REGISTRY, AppError
from pipeline.settings import LOOPBACK, Settings

LOGGER = logging.getLogger(__name__)

BEGIN, RETURN = "/auth/state-account", "/auth/return"
NO_STORE = {"Cache-Control": "no-store"}
MAX_VALUE = 4096  # of a code; longer ones are no code
# What the sign-in page may be told by its address: a code of the registry, never a sentence
TOLD = frozenset(
    {"SDCRS_SSO_OFF", "SDCRS_SSO_STATE", "SDCRS_ACCOUNT_INACTIVE", "SDCRS_SSO_REDIRECT_URI"}
    | {"SDCRS_SSO_REFUSED", "SDCRS_SSO_AWAY", "SDCRS_SSO_NO_ACCOUNT"}
)
IN_GENERAL = {
    "SDCRS_SSO_REFUSED": {"reason": "the operator finds why in the log"},
    "SDCRS_SSO_AWAY": {"why": "the operator finds why in the log"},
    "SDCRS_SSO_NO_ACCOUNT": {"reason": "ask your administrator for one"},
}


async def to_provider(request: Request) -> Response:
    """Begin a sign-in and send the browser to the provider."""
    return await run_in_threadpool(_begin, request)


async def back(request: Request) -> Response:
    """The provider sends the browser back here with a code."""
    return await run_in_threadpool(_finish, request)


ROUTES: list[BaseRoute] = [Route(BEGIN, to_provider, methods=["GET"]), Route(RETURN, back, methods=["GET"])]


def link(request: Request, settings: Settings, wanted: str) -> str:
    """The way to the provider for the sign-in page; nothing where there is none, or none from this browser."""
    if (settings.oidc_issuer is None and not settings.demo_hrms) or _address(request, settings) is None:
        return ""
    words = "For teachers, with the account that they have at the state."
    if settings.demo_hrms:
        words = "For teachers. In this demo a stand-in for the state's HRMS asks for the account."
    return (
        f'<section class="state"><a class="second" href="{BEGIN}?next={html.escape(quote(wanted, safe=""))}">'
        f"Sign in with the state's account</a><p>{html.escape(words)}</p></section>"
    )


def told(request: Request) -> AppError | None:
    """What went wrong with the provider, as the sign-in page is to say it."""
    code = request.query_params.get("why", "")
    return AppError(code, **IN_GENERAL.get(code, {})) if code in TOLD and code in REGISTRY else None


def _begin(request: Request) -> Response:
    wanted = safe_next(request.query_params.get("next"))
    try:
        runtime = BACKEND.runtime()
        address = _address(request, runtime.settings)
        if address is None:
            raise AppError("SDCRS_SSO_REDIRECT_URI")
        begun = begin(runtime, "CONSOLE", address, next_path=wanted)
    except AppError as error:
        return _failed(error, wanted)
    answer = RedirectResponse(begun.url, 303, NO_STORE)
    give_flow(answer, request, runtime, begun.cookie or "")
    return answer


def _finish(request: Request) -> Response:
    query = request.query_params
    state, code = query.get("state", ""), query.get("code", "")
    try:
        runtime = BACKEND.runtime()
        address = _address(request, runtime.settings)
        if address is None or not state or not 0 < len(code) <= MAX_VALUE or len(state) > MAX_VALUE:
            raise AppError("SDCRS_SSO_STATE")  # also when the person turned back at the provider
        arrival = finish(runtime, "CONSOLE", state, code, address, Proof(cookie=flow_of(request, runtime)), issuer=query.get("iss"))
        sign_out(runtime, token_from(request.cookies, runtime.settings))
    except AppError as error:
        return _failed(error)
    answer = RedirectResponse(safe_next(arrival.next_path), 303, NO_STORE)
    give_session(answer, request, runtime, arrival.signed_in)
    take_flow(answer)
    return answer


def _failed(error: AppError, wanted: str = "/") -> Response:
    """Back to the sign-in page, which says what happened. What the provider said goes to the log alone."""
    LOGGER.warning("Sign-in by the provider failed: %s: %s", error.code, error.message)
    answer = RedirectResponse(f"/auth/login?why={error.code}&next={quote(wanted, safe='')}", 303, NO_STORE)
    take_flow(answer)
    return answer


def _address(request: Request, settings: Settings) -> str | None:
    """Where the provider sends the browser back to; None from a browser that is not on this machine, unless the address is set."""
    if settings.console_public_url:
        return settings.console_public_url + RETURN
    if settings.production or request.url.hostname not in LOOPBACK:
        return None
    return f"http://{request.url.netloc}{RETURN}"
