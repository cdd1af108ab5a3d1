"""/openapi.json: the requests' models, the answers' shapes, and an example for each, put together when it is asked for."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from pipeline.api import examples, identity_told, registration_told, shapes
from pipeline.api.envelope import is_identity
from pipeline.api.fraud_shapes import EvaluateAnswer
from pipeline.api.health_shapes import AliveAnswer, ReadyAnswer
from pipeline.api.identity_shapes import EnvelopeErrorAnswer
from pipeline.api.sign_in_shapes import AuthUrlAnswer, SignedOutAnswer
from pipeline.api.told import REPEATABLE, WRITE_ERRORS, Told, query
from pipeline.api.users import OfficerSearch
from pipeline.packets.contracts.boundary import BoundaryRequest
from pipeline.packets.contracts.fraud import EvaluateRequest
from pipeline.packets.contracts.payouts import PayoutRetryRequest, PayoutSearchRequest
from pipeline.packets.contracts.reports import CreateRequest, SearchRequest, TrackRequest, UpdateRequest
from pipeline.packets.contracts.users import SignOutRequest, TokenExchange, TokenForm, TokenRefresh
from pipeline.packets.contracts.workflow import TransitionRequest

DESCRIPTION = (
    "Stray dog reports, from a teacher's packet to a settled payout. Sign in at `/user/oauth/token`, or with the state's account "
    "from `/sso/v1/auth-url` on; send the token as "
    "`Authorization: Bearer` or as `RequestInfo.authToken`. A browser's session cookie is believed on GET only. Errors have "
    "one shape and stable codes. A request with the same `RequestInfo.msgId` and body, or the same `Idempotency-Key`, is "
    "answered again and not done again."
)
REF = "#/components/schemas/{model}"
OPEN = (
    *("/user/oauth/token", "/sso/v1/auth-url", "/sso/v1/token-exchange", "/sso/v1/token-refresh"),
    *("/sdcrs-services/v1/report/_track", "/track/{tracking_id}", "/webhook/v1/razorpay", "/livez", "/readyz"),
    *identity_told.OPEN,
)


REPORT = "/sdcrs-services/v1/report"
WORKFLOW = "/egov-workflow-v2/egov-wf/process"
_UPDATE = Told(UpdateRequest, examples.UPDATE, answer=shapes.DogReportsAnswer, errors=WRITE_ERRORS, parameters=REPEATABLE)

TOLD: Mapping[tuple[str, str], Told] = {
    ("/user/oauth/token", "post"): Told(
        TokenForm, examples.TOKEN, "application/x-www-form-urlencoded", shapes.TokenAnswer, errors=(400, 401, 403, 413, 429, 503)
    ),
    ("/user/_logout", "post"): Told(SignOutRequest, examples.SIGN_OUT, answer=SignedOutAnswer, errors=(400, 401, 413, 429, 503)),
    ("/sso/v1/auth-url", "get"): Told(
        answer=AuthUrlAnswer,
        errors=(400, 404, 413, 429, 503),
        parameters=(
            {**query("redirect_uri", "where the app is sent back to; one of the operator's list", maxLength=256), "required": True},
            query("client_type", "such as mobile", maxLength=64),
            query("code_challenge", "the app's own PKCE challenge; its verifier then goes with the exchange", minLength=43, maxLength=128),
            query("code_challenge_method", "how it is made", enum=["S256"]),
        ),
    ),
    ("/sso/v1/token-exchange", "post"): Told(
        TokenExchange, examples.TOKEN_EXCHANGE, answer=shapes.TokenAnswer, errors=(400, 401, 403, 404, 413, 429, 503)
    ),
    ("/sso/v1/token-refresh", "post"): Told(
        TokenRefresh, examples.TOKEN_REFRESH, answer=shapes.TokenAnswer, errors=(400, 401, 413, 429, 503)
    ),
    ("/user/v1/_search", "post"): Told(OfficerSearch, examples.OFFICERS, answer=shapes.OfficersAnswer),
    ("/user/v1/mydata", "get"): Told(answer=shapes.OwnDataAnswer),
    ("/filestore/v1/files", "post"): Told(
        answer=shapes.FilesAnswer,
        status=201,
        parameters=(query("tenantId", "whose file it is"), query("module", "such as SDCRS"), query("tag", "such as capture-evidence")),
    ),
    ("/filestore/v1/files/{file_store_id}", "get"): Told(
        parameters=(
            query("variant", "photo when left out", enum=["photo", "thumbnail", "original"]),
            query("expires", "of a signed link"),
            query("signature", "of a signed link"),
        )
    ),
    (f"{REPORT}/_create", "post"): Told(
        CreateRequest, examples.CREATE, answer=shapes.DogReportsAnswer, status=201, errors=WRITE_ERRORS, parameters=REPEATABLE
    ),
    (f"{REPORT}/_update", "post"): _UPDATE,
    (f"{REPORT}/_update", "put"): _UPDATE,
    (f"{REPORT}/_search", "post"): Told(SearchRequest, examples.SEARCH, answer=shapes.DogReportsAnswer),
    (f"{REPORT}/_count", "post"): Told(SearchRequest, examples.SEARCH, answer=shapes.CountAnswer),
    (f"{REPORT}/_track", "post"): Told(TrackRequest, examples.TRACK, answer=shapes.TrackAnswer, errors=(400, 404, 413, 429, 503)),
    ("/location/v1/_boundary", "post"): Told(BoundaryRequest, examples.BOUNDARY, answer=shapes.BoundaryAnswer),
    ("/fraud/v1/_evaluateSync", "post"): Told(EvaluateRequest, examples.EVALUATE, answer=EvaluateAnswer),
    (f"{WORKFLOW}/_search", "post"): Told(
        answer=shapes.ProcessInstancesAnswer,
        parameters=(
            {**query("businessIds", "report numbers, separated by commas"), "required": True},
            query("history", "true: every change", enum=["true", "false"]),
            query("tenantId", "whose reports"),
            query("offset", "rows to skip"),
            query("limit", "rows of the page"),
        ),
    ),
    (f"{WORKFLOW}/_transition", "post"): Told(
        TransitionRequest, examples.TRANSITION, answer=shapes.ProcessInstancesAnswer, errors=WRITE_ERRORS, parameters=REPEATABLE
    ),
    ("/payout/v1/_search", "post"): Told(PayoutSearchRequest, examples.PAYOUTS, answer=shapes.PayoutsAnswer),
    ("/payout/v1/_retry", "post"): Told(
        PayoutRetryRequest, examples.RETRY, answer=shapes.RetryAnswer, errors=WRITE_ERRORS, parameters=REPEATABLE
    ),
    ("/webhook/v1/razorpay", "post"): Told(errors=(400, 401, 413, 429, 503)),
    ("/track/{tracking_id}", "get"): Told(errors=(429, 503), media="text/html", pages=(404,)),
    ("/livez", "get"): Told(answer=AliveAnswer, errors=()),
    ("/readyz", "get"): Told(answer=ReadyAnswer, errors=(), also=(503,)),
    ("/metrics", "get"): Told(errors=(401, 403, 429, 503), media="text/plain"),
    **registration_told.TOLD,
    **identity_told.TOLD,
}


def schema(app: FastAPI) -> dict[str, Any]:
    """The description, made once for each app."""
    if app.openapi_schema is None:
        app.openapi_schema = _build(app)
    return app.openapi_schema


def _build(app: FastAPI) -> dict[str, Any]:
    built: dict[str, Any] = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    components: dict[str, Any] = {}
    for path, operations in built["paths"].items():
        for method, operation in operations.items():
            refusal = EnvelopeErrorAnswer if is_identity(path) else shapes.ErrorAnswer
            _describe(operation, TOLD.get((path, method), Told(errors=())), refusal, components)
            if path not in OPEN:
                operation["security"] = [{"bearer": []}]
    built["components"] = {
        "schemas": dict(sorted(components.items())),
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": "the access_token of /user/oauth/token"}},
    }
    return built


def _describe(operation: dict[str, Any], told: Told, refusal: type[BaseModel], components: dict[str, Any]) -> None:
    path_parameters = [entry for entry in operation.get("parameters", []) if entry["in"] == "path"]
    operation["parameters"] = [*path_parameters, *(dict(entry) for entry in told.parameters)]
    if told.request is not None:
        content = {"schema": _reference(told.request, components, "validation"), "example": told.example}
        operation["requestBody"] = {"required": True, "content": {told.content: content}}
    answers: dict[str, Any] = {}
    if told.answer is not None:
        described = {"application/json": {"schema": _reference(told.answer, components, "serialization")}}
        for status in (told.status, *told.also):
            answers[str(status)] = {"description": (told.answer.__doc__ or "").strip(), "content": described}
    else:
        page = {"content": {told.media: {"schema": {"type": "string"}}}} if told.media else {}
        answers[str(told.status)] = {"description": "as the path says", **page}
        for status in told.pages:
            answers[str(status)] = {"description": "refused", **page}
    for status in told.errors:
        answers[str(status)] = {
            "description": "refused",
            "content": {"application/json": {"schema": _reference(refusal, components, "serialization")}},
        }
    operation["responses"] = answers


def _reference(model: type[BaseModel], components: dict[str, Any], mode: Any) -> dict[str, str]:
    made = model.model_json_schema(by_alias=True, ref_template=REF, mode=mode)
    components.update(made.pop("$defs", {}))
    components[model.__name__] = made
    return {"$ref": REF.format(model=model.__name__)}
