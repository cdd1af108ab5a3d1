"""Sign-in in DIGIT's form, and the officers of a municipality with their load."""

from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

import queries
from pipeline.access.caller import Caller
from pipeline.access.policy import check_tenant, sight
from pipeline.access.refresh import give_refresh_token, refresh
from pipeline.access.sessions import TOKEN_LIFE, SignedIn, sign_in, sign_out, sign_out_everywhere
from pipeline.api.answers import ok
from pipeline.api.call import Call
from pipeline.api.serving import parts_of, serve
from pipeline.errors import AppError
from pipeline.packets.contracts.common import as_uuid, parse
from pipeline.packets.contracts.fields import Id, PlaceCode
from pipeline.packets.contracts.users import SignOutRequest, TokenForm, UserSearchRequest
from pipeline.packets.render.reading import user_answer
from pipeline.reports.assignment import Officer, officers, recommend, recommendation_reason
from pipeline.vault.persons import mask_phone

MAX_FORM_BYTES = 8192  # two short fields, a tenant, a token
MAX_FORM_FIELDS = 16
OFFICER = "MC_OFFICER"

router = APIRouter(prefix="/user", tags=["People"])


class OfficerSearch(UserSearchRequest):
    """The search of 05/02; with a report or a ward the answer also says who fits best."""

    report_id: Id | None = None
    ward_code: PlaceCode | None = None


@router.post("/oauth/token")
async def token(request: Request) -> Response:
    """Sign in with a user name and password, or go on with a refresh token."""
    return await serve(request, give_token, MAX_FORM_BYTES, parts_of(request).sign_in_gate)


@router.post("/v1/_search")
async def search(request: Request) -> Response:
    """List officers."""
    return await serve(request, search_officers)


@router.post("/_logout")
async def logout(request: Request) -> Response:
    """Sign out: this session, or every session of the account."""
    return await serve(request, end_session)


def end_session(call: Call) -> Response:
    """End the caller's session, or with `everywhere` all of the account's, the console's too."""
    wanted = call.parse(SignOutRequest) if call.raw else SignOutRequest()
    caller = call.caller
    if wanted.everywhere:
        ended = sign_out_everywhere(call.rt, caller.account_id, caller.tenant_id, caller)
    else:
        sign_out(call.rt, call.token)
        ended = 1
    return ok(call, {"sessionsEnded": ended})


def give_token(call: Call) -> Response:
    """The answer of packet 01/12 to a password or a refresh token."""
    form = parse(TokenForm, _form(call))
    if form.grant_type == "refresh_token":
        if form.refresh_token is None:
            raise AppError("SDCRS_INVALID_REQUEST", field="refresh_token", detail="is required")
        signed_in, refresh_token = refresh(call.rt, form.refresh_token)
    else:
        signed_in = _by_password(call, form)
        refresh_token = give_refresh_token(call.rt, signed_in)
    return token_answer(call, signed_in, refresh_token)


def token_answer(call: Call, signed_in: SignedIn, refresh_token: str) -> Response:
    """Packet 01/12. The token names only the session; roles come from its row at every request."""
    left_s = (signed_in.expires_at - call.now).total_seconds()
    return ok(
        call,
        {
            "access_token": signed_in.token,
            "token_type": "Bearer",
            "expires_in": int(min(TOKEN_LIFE.total_seconds(), left_s)),
            "refresh_token": refresh_token,
            "scope": "read write",
            "userInfo": _user_info(call, signed_in.caller),
        },
    )


def search_officers(call: Call) -> Response:
    """The officers of a tenant with wards and load, and with a report or ward who fits best. Phones are masked."""
    caller = call.allowed("search_officers")
    wanted = call.parse(OfficerSearch)
    check_tenant(caller, wanted.tenant_id)
    if wanted.role_codes and OFFICER not in wanted.role_codes:
        raise AppError("SDCRS_FORBIDDEN", reason="only officers are listed here")
    with call.rt.database.begin(caller.scope) as conn:
        everybody = officers(conn, wanted.tenant_id, active=wanted.active is not False)
        ward_code = _ward(conn, caller, wanted)
        shown = [officer for officer in everybody if _matches(officer, wanted)]
        page = shown[wanted.offset : wanted.offset + wanted.limit]
        persons = call.rt.vault.get(conn, [officer.id for officer in page], ("name", "phone"))
    answer: dict[str, Any] = {"user": [_officer_answer(officer, persons.get(officer.id, {})) for officer in page], "TotalCount": len(shown)}
    if ward_code is not None:
        best = recommend(everybody, ward_code)
        answer["assignmentRecommendation"] = {
            "recommendedOfficer": None if best is None else str(best.id),
            "reason": f"Nobody on duty with room covers ward {ward_code}" if best is None else recommendation_reason(best, ward_code),
        }
    return ok(call, answer)


def _form(call: Call) -> dict[str, str]:
    kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise AppError("SDCRS_INVALID_REQUEST", field="Content-Type", detail="must be application/x-www-form-urlencoded")
    try:
        fields = parse_qs(call.raw.decode("ascii"), max_num_fields=MAX_FORM_FIELDS, errors="strict")
    except ValueError as error:
        raise AppError("SDCRS_INVALID_REQUEST", field="body", detail="is not a form that can be read") from error
    return {name: values[-1] for name, values in fields.items()}


def _by_password(call: Call, form: TokenForm) -> SignedIn:
    for field in ("username", "password"):
        if not getattr(form, field):
            raise AppError("SDCRS_INVALID_REQUEST", field=field, detail="is required")
    state_id = form.tenant_id.split(".")[0] if form.tenant_id else None
    signed_in = sign_in(call.rt, form.username or "", form.password or "", "API", call.client, state_id)
    if form.tenant_id is not None and form.tenant_id not in signed_in.caller.scope:
        sign_out(call.rt, signed_in.token)
        raise AppError("SDCRS_TENANT_OUT_OF_SCOPE", tenantId=form.tenant_id)
    return signed_in


def _user_info(call: Call, caller: Caller) -> dict[str, Any]:
    """Who signed in, to themselves. The UPI address is not told."""
    with call.rt.database.begin(caller.scope) as conn:
        person = call.rt.vault.get(conn, [caller.account_id], ("name", "phone", "email")).get(caller.account_id, {})
        account = queries.one(conn, "accounts.own", id=caller.account_id)
    names = {role.code: role.name for role in call.md.roles()}
    return {
        "id": str(caller.account_id),
        "uuid": str(caller.account_id),
        "userName": caller.username,
        "name": person.get("name"),
        "mobileNumber": person.get("phone"),
        "emailId": person.get("email"),
        "type": "EMPLOYEE",
        "tenantId": caller.tenant_id,
        "roles": [{"code": role, "name": names.get(role, role), "tenantId": caller.tenant_id} for role in sorted(caller.roles)],
        "additionalDetails": {
            "hrmsEmpId": caller.username,
            "schoolCode": account["school_code"] if account else None,
            "schoolName": caller.school_name,
            "designation": account["designation"] if account else None,  # the state's provider says it
            "assignedWards": list(caller.wards),
        },
    }


def _matches(officer: Officer, wanted: OfficerSearch) -> bool:
    if wanted.user_name is not None and officer.username != wanted.user_name:
        return False
    return wanted.uuid is None or str(officer.id) in {sent.lower() for sent in wanted.uuid}


def _ward(conn: Connection, caller: Caller, wanted: OfficerSearch) -> str | None:
    """The ward asked about: the one sent, or the report's."""
    if wanted.ward_code is not None or wanted.report_id is None:
        return wanted.ward_code
    seen = sight(caller)
    row = queries.one(
        conn,
        "reports.ward",
        id=as_uuid(wanted.report_id) or UUID(int=0),
        sees_all=seen.all,
        own_reporter=seen.reporter_id,
        own_officer=seen.officer_id,
    )
    if row is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Report", id=wanted.report_id)
    return str(row["ward_code"]) if row["ward_code"] else None


def _officer_answer(officer: Officer, person: dict[str, str]) -> dict[str, Any]:
    return user_answer(
        {
            "id": officer.id,
            "username": officer.username,
            "tenant_id": officer.tenant_id,
            "roles": (OFFICER,),
            "wards": officer.wards,
            "load": officer.load,
            "max_load": officer.max_load,
            "on_duty": officer.on_duty,
            "active": officer.active,
            "name": person.get("name"),
            "phone": mask_phone(person.get("phone")),
        }
    )
