"""The rules that join documents: whatever one names must exist in another. Run before any set of documents counts.

Each check takes the whole library and raises SDCRS_INVALID_MASTER_DATA at the first thing that is wrong.
"""

from collections.abc import Callable, Iterable
from typing import get_args

from shapely import STRtree
from shapely.geometry import shape
from shapely.validation import explain_validity

from pipeline.masterdata.base import LOCALES
from pipeline.masterdata.documents import Document, Key, invalid
from pipeline.masterdata.geo import TenantBoundary, uncovered_share
from pipeline.masterdata.identity_models import IdentityStages, IdSchema, StageName
from pipeline.masterdata.library import Entry, Library
from pipeline.masterdata.models import PLACEHOLDERS, Template
from pipeline.masterdata.workflow import ASSIGNEE_CONDITIONS, QUEUE_CONDITIONS, BusinessService, StateEntry, WorkflowTable, table

WORKFLOW: Key = ("workflow", "BusinessServices")
BUSINESS_SERVICE = "SDCRS"  # the packets' name for the one workflow there is

# What a later stage reads an earlier one has written, so the order is given; the others may be left out
STAGE_ORDER = get_args(StageName)
NEEDED_STAGES = frozenset({"SECUREZONE_NOTIFICATION", "VALIDATOR", "UIN_GENERATION", "FINALIZATION"})

# Edges are stored with five decimals (1 m), so rounding leaves no gap that matters; this is 1 m² of 1,000 km².
TILING_TOLERANCE = 1e-9
OVERLAP_TOLERANCE = 1e-6  # neighbours drawn by different offices may disagree by a few metres along their border


def check(library: Library) -> None:
    """Raises SDCRS_INVALID_MASTER_DATA when the documents do not fit together."""
    for one in CHECKS:
        one(library)


def sdcrs_service(entry: Entry) -> BusinessService:
    """The one workflow of a document. Raises SDCRS_INVALID_MASTER_DATA when it is missing or not alone."""
    services: tuple[BusinessService, ...] = entry.value
    if [service.business_service for service in services] != [BUSINESS_SERVICE]:
        raise invalid(entry.document.source, "BusinessServices", f"must hold exactly one, named {BUSINESS_SERVICE}")
    return services[0]


def _unique(document: Document, field: str, names: Iterable[object]) -> None:
    seen = set()
    for name in names:
        if name in seen:
            raise invalid(document.source, field, f"{name} is there twice")
        seen.add(name)


def _exists(document: Document, field: str, name: str | None, known: Iterable[str], what: str) -> None:
    if name is not None and name not in known:
        raise invalid(document.source, field, f"{what} {name!r} does not exist")


def _roles(library: Library) -> set[str]:
    return {role.code for role in library.entry(("ACCESSCONTROL-ROLES", "roles")).value}


def _workflow_for(library: Library, document: Document) -> WorkflowTable:
    return table(sdcrs_service(library.entry(WORKFLOW, document.tenant_id)), version=0)


def _check_codes(library: Library) -> None:
    naming: dict[Key, str] = {
        ("ACCESSCONTROL-ROLES", "roles"): "code",
        ("tenant", "tenants"): "code",
        ("SDCRS", "ServiceType"): "code",
        ("SDCRS", "RejectionReason"): "code",
        ("SDCRS", "ResolutionType"): "code",
        ("SDCRS", "UnableToLocateReason"): "code",
        ("SDCRS", "PayoutConfig"): "code",
        ("SDCRS", "topics"): "name",
        ("FRAUD-DETECTION", "FraudRules"): "id",
        ("FRAUD-DETECTION", "ExternalValidators"): "id",
        ("FRAUD-DETECTION", "ApplicantPenalties"): "code",
        ("IDENTITY", "IdSchema"): "version",
        ("IDENTITY", "Partners"): "id",
        ("DSS", "MasterChartConfig"): "id",
        ("DSS", "DashboardConfig"): "id",
        ("DSS", "RoleDashboardMapping"): "rolecode",
    }
    for key, attribute in naming.items():
        for entry in library.all(key):
            _unique(entry.document, key[1], (getattr(item, attribute) for item in entry.value))


def _check_workflow(library: Library) -> None:
    roles = _roles(library)
    for entry in library.all(WORKFLOW):
        service, document = sdcrs_service(entry), entry.document
        _unique(document, "states", (state.state for state in service.states))
        starts = [state for state in service.states if state.is_start_state]
        if len(starts) != 1 or starts[0].state is not None:
            raise invalid(document.source, "states", "exactly one state must be the start, and its name must be null")
        states = {state.state for state in service.states if state.state is not None}
        for state in service.states:
            _check_state(document, state, states, roles)
        reached: set[str | None] = {None}
        for _ in service.states:  # as many rounds as there are states reach everything that can be reached
            reached |= {action.next_state for state in service.states if state.state in reached for action in state.actions}
        unreached = sorted(states - reached)
        if unreached:
            raise invalid(document.source, f"states[{unreached[0]}]", "no chain of actions leads here")


def _check_state(document: Document, state: StateEntry, states: set[str], roles: set[str]) -> None:
    where = f"states[{state.state}]"
    if state.application_status != state.state:
        raise invalid(document.source, f"{where}.applicationStatus", f"must equal the state, {state.state!r}")
    if state.is_terminate_state != (not state.actions):
        raise invalid(document.source, f"{where}.isTerminateState", "must be true exactly where the state has no actions")
    if state.is_terminate_state and not state.is_final_state:
        raise invalid(document.source, f"{where}.isFinalState", "must be true: a terminal state is final")
    _exists(document, f"{where}.publicState", state.public_state, states, "state")
    for action in state.actions:
        _exists(document, f"{where}.actions[{action.action}].nextState", action.next_state, states, "state")
        for role in action.roles:
            _exists(document, f"{where}.actions[{action.action}].roles", role, roles, "role")
    for name in {action.action for action in state.actions}:
        conditions = [action.when for action in state.actions if action.action == name and action.active]
        field = f"{where}.actions[{name}].when"
        _unique(document, field, conditions)
        if len(conditions) > 1 and not any(family.issuperset(conditions) for family in (QUEUE_CONDITIONS, ASSIGNEE_CONDITIONS)):
            raise invalid(document.source, field, "entries of one action must exclude each other: both by queue or both by assignee")


def _check_reasons(library: Library) -> None:
    for entry in library.all(("SDCRS", "RejectionReason")):
        workflow = _workflow_for(library, entry.document)
        by_system = {name for (_, name), rows in workflow.transitions.items() if all(row.roles == {"SYSTEM"} for row in rows)}
        for reason in entry.value:
            field = f"RejectionReason[{reason.code}]"
            for action in reason.actions:
                _exists(entry.document, f"{field}.actions", action, workflow.actions, "action")
            if reason.is_auto != by_system.issuperset(reason.actions):
                raise invalid(entry.document.source, f"{field}.isAuto", "must be true exactly where only SYSTEM takes the reason's actions")
        _unique(entry.document, "RejectionReason", (name for reason in entry.value for name in (reason.code, *reason.aliases)))


def _check_settings(library: Library) -> None:
    for entry in library.all(("SDCRS", "ResolutionType")):
        if {kind.triggers_payout for kind in entry.value if kind.active} != {True, False}:
            raise invalid(entry.document.source, "ResolutionType", "needs an active type that triggers a payout and one that does not")
    for entry in library.all(("SDCRS", "PayoutConfig")):
        if sum(config.active for config in entry.value) != 1:
            raise invalid(entry.document.source, "PayoutConfig", "exactly one entry must be active")
    for key in (("SDCRS", "ServiceType"), ("SDCRS", "UnableToLocateReason")):
        for entry in library.all(key):
            if not any(item.active for item in entry.value):
                raise invalid(entry.document.source, key[1], "at least one entry must be active")
    mapping = library.entry(("upi-payout-adapter", "UPIPayoutConfig"))
    words = (word for state in mapping.value.status_mapping.values() for word in state.provider_status)
    _unique(mapping.document, "UPIPayoutConfig.statusMapping", words)


def _check_messages(library: Library) -> None:
    templates = library.entry(("SDCRS", "NotificationTemplate"))
    by_id: dict[str, dict[str, Template]] = {}
    for template in templates.value:
        field = f"NotificationTemplate[{template.template_id}, {template.locale}]"
        if template.locale in by_id.setdefault(template.template_id, {}):
            raise invalid(templates.document.source, field, "is there twice")
        by_id[template.template_id][template.locale] = template
        try:
            unknown = template.placeholders - PLACEHOLDERS
        except ValueError as error:
            raise invalid(templates.document.source, f"{field}.content", str(error)) from error
        if unknown:
            raise invalid(templates.document.source, f"{field}.content", f"placeholder {{{min(unknown)}}} is not one that messages know")
    for template_id, translations in by_id.items():
        field = f"NotificationTemplate[{template_id}]"
        missing = [locale for locale in LOCALES if locale not in translations]
        if missing:
            raise invalid(templates.document.source, field, f"has no text in {missing[0]}")
        if len({template.placeholders for template in translations.values()}) > 1:
            raise invalid(templates.document.source, field, "its languages use different placeholders")
    sends = library.entry(("SDCRS", "NotificationSend"))
    workflow = _workflow_for(library, sends.document)
    _unique(sends.document, "NotificationSend", ((send.action, send.to_state, send.recipient) for send in sends.value))
    for send in sends.value:
        field = f"NotificationSend[{send.action}]"
        _exists(sends.document, f"{field}.templateId", send.template_id, by_id, "template")
        _exists(sends.document, f"{field}.action", send.action, workflow.actions, "action")
        ends = {row.to_state for (_, name), rows in workflow.transitions.items() if name == send.action for row in rows}
        _exists(sends.document, f"{field}.toState", send.to_state, ends, f"an end of {send.action} in")


def _check_fraud(library: Library) -> None:
    roles = _roles(library)
    for entry in library.all(("FRAUD-DETECTION", "FraudRules")):
        source, tenant_id = entry.document.source, entry.document.tenant_id
        weights = library.entry(("FRAUD-DETECTION", "RiskScoreConfig"), tenant_id).value.weights
        validators = {item.id for item in library.entry(("FRAUD-DETECTION", "ExternalValidators"), tenant_id).value}
        for rule in entry.value:
            field = f"FraudRules[{rule.id}]"
            _exists(entry.document, f"{field}.category", rule.category, weights, "the weight of category")
            _exists(entry.document, f"{field}.action.escalateToRole", rule.action.escalate_to_role, roles, "role")
            external = rule.condition.type == "EXTERNAL_VALIDATOR"
            if external != (rule.rule_type == "EXTERNAL"):
                raise invalid(source, f"{field}.ruleType", f"does not fit the condition {rule.condition.type}")
            if external:
                _exists(entry.document, f"{field}.condition.validatorId", rule.condition.validator_id, validators, "validator")
    for entry in library.all(("FRAUD-DETECTION", "RiskScoreConfig")):
        bands = sorted((band.min, band.max) for band in entry.value.thresholds.values())
        if [score for low, high in bands for score in range(low, high + 1)] != list(range(101)):
            raise invalid(entry.document.source, "RiskScoreConfig.thresholds", "must cover the scores 0 to 100 without gap or overlap")
        if entry.value.approve_threshold > entry.value.auto_reject_threshold:
            raise invalid(entry.document.source, "RiskScoreConfig.approveThreshold", "is above autoRejectThreshold")
    for entry in library.all(("FRAUD-DETECTION", "ApplicantPenalties")):
        if [penalty.level for penalty in entry.value] != list(range(1, len(entry.value) + 1)):
            raise invalid(entry.document.source, "ApplicantPenalties", "levels must be 1, 2, 3 … in this order")
        for penalty in entry.value:
            field = f"ApplicantPenalties[{penalty.code}]"
            _exists(entry.document, f"{field}.appealToRole", penalty.appeal_to_role, roles, "role")
            if (penalty.duration is None) != (penalty.code in ("WARNING", "BAN")):
                raise invalid(entry.document.source, f"{field}.duration", "a warning and a ban have none, the others need one")


def _check_identity(library: Library) -> None:
    for entry in library.all(("IDENTITY", "Stages")):
        stages: IdentityStages = entry.value
        names = [stage.name for stage in stages.stages]
        _unique(entry.document, "Stages.stages", names)
        _unique(entry.document, "Stages.pauseRules", (rule.id for rule in stages.pause_rules))
        if names != [name for name in STAGE_ORDER if name in names] or not NEEDED_STAGES.issubset(names):
            raise invalid(entry.document.source, "Stages.stages", f"must be, in this order, some of {', '.join(STAGE_ORDER)}")
        if ("DEMO_DEDUPE" in names) != ("MANUAL_ADJUDICATION" in names):
            raise invalid(entry.document.source, "Stages.stages", "DEMO_DEDUPE and MANUAL_ADJUDICATION go together")
        for rule in stages.pause_rules:
            _exists(entry.document, f"Stages.pauseRules[{rule.id}].stage", rule.stage, names, "stage")
    for entry in library.all(("IDENTITY", "IdSchema")):
        for schema in entry.value:
            _check_schema(entry.document, schema)
    for entry in library.all(("IDENTITY", "Partners")):
        fields = {name for one in library.entry(("IDENTITY", "IdSchema"), entry.document.tenant_id).value for name in one.by_name}
        for partner in entry.value:
            for name in partner.attributes:
                _exists(entry.document, f"Partners[{partner.id}].attributes", name, fields, "field")


def _check_schema(document: Document, schema: IdSchema) -> None:
    where = f"IdSchema[{schema.version}]"
    _unique(document, f"{where}.fields", (field.name for field in schema.fields))
    for name in ("fullName", "dateOfBirth", "gender", "phone"):  # by these duplicates are found
        _exists(document, f"{where}.fields", name, schema.by_name, "field")
    kinds = {field.name: field.kind for field in schema.fields}
    for name in schema.handle_fields:
        if kinds.get(name) != "TEXT":
            raise invalid(document.source, f"{where}.handleFields", f"{name!r} is no text field")
    for group in schema.mandatory:
        for name in group.documents:
            if kinds.get(name) != "DOCUMENT":
                raise invalid(document.source, f"{where}.mandatory", f"{name!r} is no document")


def _check_dashboards(library: Library) -> None:
    roles = _roles(library)
    charts = library.entry(("DSS", "MasterChartConfig"))
    chart_ids = {chart.id for chart in charts.value}
    for chart in charts.value:
        _exists(charts.document, f"MasterChartConfig[{chart.id}].drillChart", chart.drill_chart, chart_ids | {"none"}, "chart")
    dashboards = library.entry(("DSS", "DashboardConfig"))
    for dashboard in dashboards.value:
        field = f"DashboardConfig[{dashboard.id}]"
        for role in dashboard.role_ids:
            _exists(dashboards.document, f"{field}.roleIds", role, roles, "role")
        for row in dashboard.rows:
            for tile in row:
                _exists(dashboards.document, f"{field}.visualizations", tile.id, chart_ids, "chart")
    mapping = library.entry(("DSS", "RoleDashboardMapping"))
    open_to = {dashboard.id: dashboard.role_ids for dashboard in dashboards.value}
    for item in mapping.value:
        field = f"RoleDashboardMapping[{item.rolecode}]"
        for link in item.dashboards:
            _exists(mapping.document, field, link.id, open_to, "dashboard")
            _exists(mapping.document, field, item.rolecode, open_to[link.id], f"{link.id} is not for it: in its roleIds,")


def _check_boundaries(library: Library) -> None:
    codes: dict[tuple[str, str], str] = {}  # state and code -> the document that has it
    for entry in library.all(("egov-location", "TenantBoundary")):
        boundary: TenantBoundary = entry.value
        document = entry.document
        state_id = library.tree.get(document.tenant_id).state_id
        for kind, items in (("districts", boundary.districts), ("wards", boundary.wards), ("localities", boundary.localities)):
            for item in items:
                other = codes.setdefault((state_id, item.code), f"{document.source}#{kind}#{item.name}")
                if other != f"{document.source}#{kind}#{item.name}":
                    raise invalid(document.source, f"{kind}[{item.code}]", f"the code is used before, in {other.split('#')[0]}")
        _unique(document, "wards", (ward.code for ward in boundary.wards))
        _check_area(document, boundary)
    _check_neighbours(library)


def _check_neighbours(library: Library) -> None:
    entries = library.all(("egov-location", "TenantBoundary"))
    areas = [shape(entry.value.boundary.model_dump()) for entry in entries]
    for mine, other in STRtree(areas).query(areas, predicate="intersects").T:
        if mine < other and areas[mine].intersection(areas[other]).area > OVERLAP_TOLERANCE * min(areas[mine].area, areas[other].area):
            raise invalid(entries[other].document.source, "boundary", f"overlaps {entries[mine].document.tenant_id}")


def _check_area(document: Document, boundary: TenantBoundary) -> None:
    shapes = {"boundary": boundary.boundary} | {f"wards[{ward.code}]": ward.geometry for ward in boundary.wards}
    for field, geometry in shapes.items():
        area = shape(geometry.model_dump())
        if not area.is_valid:
            raise invalid(document.source, field, f"is not a proper polygon: {explain_validity(area)}")
    districts = {district.code for district in boundary.districts}
    for ward in boundary.wards:
        _exists(document, f"wards[{ward.code}].districtCode", ward.district_code, districts, "district")
        if not shape(boundary.boundary.model_dump()).buffer(1e-7).covers(shape(ward.geometry.model_dump())):
            raise invalid(document.source, f"wards[{ward.code}].geometry", "reaches outside the tenant")
    share = uncovered_share(boundary.boundary, [ward.geometry for ward in boundary.wards])
    if share > TILING_TOLERANCE:
        raise invalid(document.source, "wards", f"do not tile the tenant: {share:.2%} of it is missing or covered twice")
    wards = {ward.code: shape(ward.geometry.model_dump()) for ward in boundary.wards}
    for place in boundary.localities:
        field = f"localities[{place.code}]"
        _exists(document, f"{field}.wardCode", place.ward_code, wards, "ward")
        if not wards[place.ward_code].intersects(shape({"type": "Point", "coordinates": (place.longitude, place.latitude)})):
            raise invalid(document.source, field, f"its middle is not in ward {place.ward_code}")


CHECKS: tuple[Callable[[Library], None], ...] = (
    _check_codes,
    _check_workflow,
    _check_reasons,
    _check_settings,
    _check_messages,
    _check_fraud,
    _check_identity,
    _check_dashboards,
    _check_boundaries,
)
