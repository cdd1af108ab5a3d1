"""Sign-in by the state's identity provider, for apps (packets 01/01 to 01/12). The provider's tokens never leave the server."""

from fastapi import APIRouter, Request, Response

from pipeline.access.refresh import give_refresh_token, refresh
from pipeline.access.sso import FLOW_LIFE, Proof, begin, finish
from pipeline.api.answers import ok
from pipeline.api.call import Call
from pipeline.api.serving import parts_of, serve
from pipeline.api.users import MAX_FORM_BYTES, token_answer
from pipeline.errors import AppError
from pipeline.packets.contracts.common import parse
from pipeline.packets.contracts.users import AuthUrlQuery, TokenExchange, TokenRefresh

router = APIRouter(prefix="/sso/v1", tags=["Sign-in"])


@router.get("/auth-url")
async def auth_url(request: Request) -> Response:
    """Where to sign in: the provider's address for one sign-in of this app."""
    return await serve(request, give_auth_url, MAX_FORM_BYTES, parts_of(request).sign_in_gate)


@router.post("/token-exchange")
async def token_exchange(request: Request) -> Response:
    """The code that the provider gave, for a token of ours."""
    return await serve(request, exchange, MAX_FORM_BYTES, parts_of(request).sign_in_gate)


@router.post("/token-refresh")
async def token_refresh(request: Request) -> Response:
    """A refresh token for the next one."""
    return await serve(request, renew, MAX_FORM_BYTES)


def give_auth_url(call: Call) -> Response:
    """Packet 01/02. Only to redirect addresses of the operator's list: a code must not be sent to a stranger."""
    wanted = parse(AuthUrlQuery, dict(call.query))
    if wanted.redirect_uri not in call.rt.settings.oidc_redirect_uris:
        raise AppError("SDCRS_SSO_REDIRECT_URI")
    if wanted.code_challenge_method is not None and wanted.code_challenge is None:
        raise AppError("SDCRS_INVALID_REQUEST", field="code_challenge", detail="is required")
    begun = begin(call.rt, "API", wanted.redirect_uri, correlation=_correlation(call), challenge=wanted.code_challenge)
    return ok(call, {"authUrl": begun.url, "state": begun.state, "expiresIn": int(FLOW_LIFE.total_seconds())})


def exchange(call: Call) -> Response:
    """Packet 01/12 to packet 01/04."""
    sent = call.parse(TokenExchange)
    proof = Proof(correlation=_correlation(call), verifier=sent.code_verifier)
    signed_in = finish(call.rt, "API", sent.state, sent.code, sent.redirect_uri, proof, issuer=sent.iss).signed_in
    return token_answer(call, signed_in, give_refresh_token(call.rt, signed_in))


def renew(call: Call) -> Response:
    """Packet 01/12 again. A refresh token is good once; coming twice it ends the session."""
    signed_in, following = refresh(call.rt, call.parse(TokenRefresh).refresh_token)
    return token_answer(call, signed_in, following)


def _correlation(call: Call) -> str | None:
    """The X-Correlation-Id, whatever its form: an app that sent one when it began must send it again."""
    return call.headers.get("x-correlation-id", "")[:200] or None
