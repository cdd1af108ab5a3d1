"""A master data document: what identifies it, which ones there are, and how one is checked against its model."""

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from pipeline.errors import AppError
from pipeline.masterdata.base import COMMON
from pipeline.masterdata.dashboard_models import Chart, Dashboard, RoleDashboards
from pipeline.masterdata.fraud_models import ExternalValidator, FraudRule, Penalty, PenaltyEscalation, RiskConfig
from pipeline.masterdata.geo import TenantBoundary
from pipeline.masterdata.identity_models import IdentityStages, IdSchema, Partner
from pipeline.masterdata.models import (
    PayoutConfig,
    RejectionReason,
    ReportType,
    ResolutionType,
    Role,
    Send,
    Template,
    Topic,
    UnableReason,
    UpiConfig,
    ValidationLimits,
)
from pipeline.masterdata.tenants import TenantEntry
from pipeline.masterdata.workflow import BusinessService

Key = tuple[str, str]  # module and master

NAMING_KEYS = ("id", "code", "action", "state", "rolecode", "name")  # what an entry of a list is called by in a message


@dataclass(frozen=True)
class Document:
    """One JSON document: `content` has tenantId, moduleName and one more key, the master, with what it says."""

    tenant_id: str
    module: str
    master: str
    content: Mapping[str, Any]
    source: str  # a file's path in the folder, or where in the database it is; for messages
    version: int = 0  # 0: not published

    @property
    def key(self) -> Key:
        return (self.module, self.master)

    @property
    def checksum(self) -> str:
        """SHA-256 of the content in one fixed writing: order of keys and white space do not matter."""
        text = json.dumps(self.content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class MasterSpec:
    """What one master holds, and which tenants may have one: COMMON all alike, ANY level may override, LEAF each its own."""

    adapter: TypeAdapter[Any]
    level: Literal["COMMON", "ANY", "LEAF"]


MASTERS: dict[Key, MasterSpec] = {
    ("tenant", "tenants"): MasterSpec(TypeAdapter(tuple[TenantEntry, ...]), "COMMON"),
    ("egov-location", "TenantBoundary"): MasterSpec(TypeAdapter(TenantBoundary), "LEAF"),
    ("ACCESSCONTROL-ROLES", "roles"): MasterSpec(TypeAdapter(tuple[Role, ...]), "COMMON"),
    ("workflow", "BusinessServices"): MasterSpec(TypeAdapter(tuple[BusinessService, ...]), "ANY"),
    ("SDCRS", "ServiceType"): MasterSpec(TypeAdapter(tuple[ReportType, ...]), "ANY"),
    ("SDCRS", "RejectionReason"): MasterSpec(TypeAdapter(tuple[RejectionReason, ...]), "ANY"),
    ("SDCRS", "ResolutionType"): MasterSpec(TypeAdapter(tuple[ResolutionType, ...]), "ANY"),
    ("SDCRS", "UnableToLocateReason"): MasterSpec(TypeAdapter(tuple[UnableReason, ...]), "ANY"),
    ("SDCRS", "PayoutConfig"): MasterSpec(TypeAdapter(tuple[PayoutConfig, ...]), "ANY"),
    ("SDCRS", "ValidationLimits"): MasterSpec(TypeAdapter(ValidationLimits), "ANY"),
    ("SDCRS", "topics"): MasterSpec(TypeAdapter(tuple[Topic, ...]), "COMMON"),
    ("SDCRS", "NotificationTemplate"): MasterSpec(TypeAdapter(tuple[Template, ...]), "COMMON"),
    ("SDCRS", "NotificationSend"): MasterSpec(TypeAdapter(tuple[Send, ...]), "COMMON"),
    ("upi-payout-adapter", "UPIPayoutConfig"): MasterSpec(TypeAdapter(UpiConfig), "COMMON"),
    ("FRAUD-DETECTION", "FraudRules"): MasterSpec(TypeAdapter(tuple[FraudRule, ...]), "ANY"),
    ("FRAUD-DETECTION", "RiskScoreConfig"): MasterSpec(TypeAdapter(RiskConfig), "ANY"),
    ("FRAUD-DETECTION", "ApplicantPenalties"): MasterSpec(TypeAdapter(tuple[Penalty, ...]), "ANY"),
    ("FRAUD-DETECTION", "PenaltyEscalation"): MasterSpec(TypeAdapter(PenaltyEscalation), "ANY"),
    ("FRAUD-DETECTION", "ExternalValidators"): MasterSpec(TypeAdapter(tuple[ExternalValidator, ...]), "ANY"),
    ("IDENTITY", "Stages"): MasterSpec(TypeAdapter(IdentityStages), "ANY"),
    ("IDENTITY", "IdSchema"): MasterSpec(TypeAdapter(tuple[IdSchema, ...]), "ANY"),
    ("IDENTITY", "Partners"): MasterSpec(TypeAdapter(tuple[Partner, ...]), "ANY"),
    ("DSS", "MasterChartConfig"): MasterSpec(TypeAdapter(tuple[Chart, ...]), "COMMON"),
    ("DSS", "DashboardConfig"): MasterSpec(TypeAdapter(tuple[Dashboard, ...]), "COMMON"),
    ("DSS", "RoleDashboardMapping"): MasterSpec(TypeAdapter(tuple[RoleDashboards, ...]), "COMMON"),
}


def invalid(source: str, field: str, detail: str) -> AppError:
    """The one error of this room, to be raised."""
    return AppError("SDCRS_INVALID_MASTER_DATA", file=source, field=field, detail=detail)


def read_document(text: str, source: str) -> Document:
    """A document from JSON text. Raises SDCRS_INVALID_MASTER_DATA when it is not JSON or not one of our masters."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise invalid(source, "(whole file)", f"is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise invalid(source, "(whole file)", "must be an object with tenantId, moduleName and one master")
    for name in ("tenantId", "moduleName"):
        if not isinstance(content.get(name), str):
            raise invalid(source, name, "is missing or not text")
    masters = [name for name in content if name not in ("tenantId", "moduleName") and not name.startswith("_")]
    if len(masters) != 1:
        raise invalid(source, "(whole file)", f"must hold exactly one master beside tenantId and moduleName, found {masters}")
    key = (content["moduleName"], masters[0])
    if key not in MASTERS:
        known = ", ".join(sorted(master for module, master in MASTERS if module == key[0])) or "none"
        raise invalid(source, masters[0], f"is not a master of module {key[0]!r}; known there: {known}")
    if MASTERS[key].level == "COMMON" and content["tenantId"] != COMMON:
        raise invalid(source, "tenantId", f"{masters[0]} holds for everybody and must have tenantId {COMMON!r}")
    return Document(content["tenantId"], *key, content=content, source=source)


def parse(document: Document) -> Any:
    """What the document says, as frozen models. Raises SDCRS_INVALID_MASTER_DATA naming the field and what is wrong with it."""
    spec = MASTERS[document.key]
    value = _without_remarks(document.content[document.master])
    try:
        return spec.adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        # a misspelt key is reported twice, as unknown and as missing: the unknown one says more
        first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        field = document.master + "".join(_steps(value, first["loc"]))
        raise invalid(document.source, field, _sentence(first, spec.adapter) + more) from error


def _without_remarks(value: Any) -> Any:
    """The value without the keys that begin with `_`, which are remarks for people."""
    if isinstance(value, dict):
        return {name: _without_remarks(inner) for name, inner in value.items() if not name.startswith("_")}
    if isinstance(value, list):
        return [_without_remarks(inner) for inner in value]
    return value


def _steps(value: Any, path: tuple[int | str, ...]) -> Iterator[str]:
    """The path in words: list entries by their code or id where they have one; the names of union members left out."""
    for position, step in enumerate(path):
        if isinstance(step, int):
            value = value[step]
            names = [value[key] for key in NAMING_KEYS if value.get(key)] if isinstance(value, dict) else []
            yield f"[{names[0] if names else step}]"
        elif isinstance(value, dict) and step in value:
            value = value[step]
            yield f".{step}"
        elif position == len(path) - 1:
            yield f".{step}"


def _sentence(error: Any, adapter: TypeAdapter[Any]) -> str:
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "extra_forbidden":
        guess = difflib.get_close_matches(str(error["loc"][-1]), _known_keys(adapter.json_schema()), n=1)
        return "is not a key of this document" + (f"; did you mean {guess[0]}?" if guess else "")
    given = "" if isinstance(error["input"], dict | list) else f" (found {error['input']!r})"
    return f"{error['msg']}{given}"


def _known_keys(schema: Any) -> set[str]:
    found: set[str] = set()
    if isinstance(schema, dict):
        found |= set(schema.get("properties", {}))
        for inner in schema.values():
            found |= _known_keys(inner)
    elif isinstance(schema, list):
        for inner in schema:
            found |= _known_keys(inner)
    return found
