"""The console's cookies: the session, and for ten minutes a sign-in that is under way. Out of reach of scripts, secure behind TLS."""

from starlette.requests import Request
from starlette.responses import Response

from pipeline.access.sessions import SignedIn
from pipeline.access.sso import FLOW_LIFE
from pipeline.runtime import Runtime
from pipeline.settings import SECURE_SESSION_COOKIE, SESSION_COOKIE

FLOW_COOKIE, SECURE_FLOW_COOKIE = "sdcrs_sign_in", "__Host-sdcrs_sign_in"


def give_session(answer: Response, request: Request, runtime: Runtime, signed_in: SignedIn) -> None:
    """The session's token, as long as the session may last."""
    secure = _secure(request, runtime)
    answer.set_cookie(
        SECURE_SESSION_COOKIE if secure else SESSION_COOKIE,
        signed_in.token,
        max_age=int((signed_in.expires_at - runtime.clock.now()).total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def take_session(answer: Response) -> None:
    """Both of its names, since the console may have been behind TLS or not."""
    for name in (SESSION_COOKIE, SECURE_SESSION_COOKIE):
        answer.delete_cookie(name, path="/", secure=name == SECURE_SESSION_COOKIE, httponly=True, samesite="lax")


def give_flow(answer: Response, request: Request, runtime: Runtime, value: str) -> None:
    """What shows on the way back that the sign-in began in this browser. Lax: the provider's redirect brings it along."""
    secure = _secure(request, runtime)
    answer.set_cookie(
        SECURE_FLOW_COOKIE if secure else FLOW_COOKIE,
        value,
        max_age=int(FLOW_LIFE.total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def flow_of(request: Request, runtime: Runtime) -> str | None:
    """The value given by `give_flow`, or None."""
    return request.cookies.get(SECURE_FLOW_COOKIE if _secure(request, runtime) else FLOW_COOKIE)


def take_flow(answer: Response) -> None:
    for name in (FLOW_COOKIE, SECURE_FLOW_COOKIE):
        answer.delete_cookie(name, path="/", secure=name == SECURE_FLOW_COOKIE, httponly=True, samesite="lax")


def _secure(request: Request, runtime: Runtime) -> bool:
    return runtime.settings.production or request.url.scheme == "https"
