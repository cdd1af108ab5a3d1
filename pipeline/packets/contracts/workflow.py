"""Bodies of the workflow API: process/_transition and process/_search."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.packets.contracts.common import Body, Request
from pipeline.packets.contracts.fields import DEFAULT_PAGE, Code, Id, Line64, PageLimit, PageOffset, Remarks, TenantId

MAX_INSTANCES = 100  # one page of a list, as in _update


class ProcessInstance(Body):
    """An action on one report, named by its number."""

    IGNORED = frozenset({"id", "state", "previousStatus", "stateSla", "businesssServiceSla", "auditDetails"})  # what answers carry

    tenant_id: TenantId
    business_service: Literal["SDCRS"] = "SDCRS"
    business_id: Line64
    module_name: Line64 | None = None
    action: Code
    comment: Remarks | None = None
    assignee: Annotated[list[Id], Field(max_length=1)] | None = None


class TransitionRequest(Request):
    """process/_transition: people's actions through the same door as _update."""

    process_instances: Annotated[list[ProcessInstance], Field(min_length=1, max_length=MAX_INSTANCES)] = Field(alias="ProcessInstances")


class ProcessCriteria(Body):
    """process/_search, whose criteria come as query parameters; see `from_query`."""

    tenant_id: TenantId | None = None
    business_ids: Annotated[list[Line64], Field(min_length=1, max_length=MAX_INSTANCES)]
    history: bool = False  # false: the present state only
    offset: PageOffset = 0
    limit: PageLimit = DEFAULT_PAGE


def from_query(parameters: dict[str, str]) -> dict[str, object]:
    """Query parameters as a body for ProcessCriteria: lists split at commas, words and digits made values; the rest stays text."""
    body: dict[str, object] = dict(parameters)
    if "businessIds" in parameters:
        body["businessIds"] = [entry.strip() for entry in parameters["businessIds"].split(",") if entry.strip()]
    if "history" in parameters:
        body["history"] = {"true": True, "false": False}.get(parameters["history"].lower(), parameters["history"])
    for name in ("offset", "limit"):
        if parameters.get(name, "").isdecimal() and len(parameters[name]) <= 6:
            body[name] = int(parameters[name])
    return body
