"""The master data as other rooms ask it: one frozen object for one state of all documents.

A job or a request takes it once and uses it to its end, so that rules do not change in between. A setting is looked up
in the tenant, then in those above it, then in `common`; an unknown tenant raises SDCRS_NOT_FOUND everywhere.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pipeline.errors import AppError
from pipeline.masterdata import checks
from pipeline.masterdata.base import COMMON
from pipeline.masterdata.dashboard_models import Chart, Dashboard, RoleDashboards
from pipeline.masterdata.documents import Document, Key
from pipeline.masterdata.fraud_models import ExternalValidator, FraudRule, Penalty, PenaltyEscalation, RiskConfig
from pipeline.masterdata.geo import District, Geography, Locality, Place, Ward
from pipeline.masterdata.identity_models import IdentityStages, IdSchema, Partner
from pipeline.masterdata.library import Entry, Library
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
from pipeline.masterdata.tenants import Tenant
from pipeline.masterdata.workflow import WorkflowTable, table

CODED: tuple[Key, ...] = (
    ("SDCRS", "ServiceType"),
    ("SDCRS", "RejectionReason"),
    ("SDCRS", "ResolutionType"),
    ("SDCRS", "UnableToLocateReason"),
)


class MasterData:
    """One consistent state of the master data. Threads share it; nothing in it changes."""

    def __init__(self, documents: Sequence[Document]) -> None:
        """Raises SDCRS_INVALID_MASTER_DATA when a document is wrong in itself or does not fit the others."""
        self._library = Library(documents)
        checks.check(self._library)
        self._tree = self._library.tree
        self._geography = Geography(
            self._tree, {entry.document.tenant_id: entry.value for entry in self._library.all(("egov-location", "TenantBoundary"))}
        )
        self._workflows = {
            entry.document.tenant_id: table(checks.sdcrs_service(entry), entry.document.version)
            for entry in self._library.all(checks.WORKFLOW)
        }
        self._templates = {(item.template_id, item.locale): item for item in self._common(("SDCRS", "NotificationTemplate"))}
        self._coded: dict[tuple[Key, str], Mapping[str, Any]] = {
            (key, entry.document.tenant_id): MappingProxyType({item.code: item for item in entry.value})
            for key in CODED
            for entry in self._library.all(key)
        }

    def _common(self, key: Key) -> Any:
        return self._library.entry(key).value

    def _by_code(self, key: Key, tenant_id: str, retired: bool) -> Mapping[str, Any]:
        found = self._coded[key, self._library.entry(key, tenant_id).document.tenant_id]
        return found if retired else {code: item for code, item in found.items() if item.active}

    # tenants and places

    def tenant(self, tenant_id: str) -> Tenant:
        """The tenant with what it inherits."""
        return self._tree.get(tenant_id)

    def tenants(self) -> tuple[Tenant, ...]:
        """Every tenant, states before the tenants in them."""
        return self._tree.all()

    def descendants(self, tenant_id: str) -> tuple[str, ...]:
        """The tenant itself and all below it: what somebody whose home it is may see."""
        return self._tree.descendants(tenant_id)

    def leaves(self, tenant_id: str | None = None) -> tuple[str, ...]:
        """The tenants that take reports, those with none below them: all, or those at and below `tenant_id`."""
        leaves = self._tree.leaves()
        return leaves if tenant_id is None else tuple(below for below in self._tree.descendants(tenant_id) if below in leaves)

    def locate(self, tenant_id: str, latitude: float, longitude: float) -> Place:
        """What a position means for the tenant: inside or how far outside, nearest other tenant, ward, locality, district."""
        return self._geography.locate(tenant_id, latitude, longitude)

    def inside(self, tenant_id: str, latitudes: Sequence[float], longitudes: Sequence[float]) -> list[bool]:
        """Which of many positions lie inside the tenant; the first half of what `locate` tells, for whole batches."""
        return self._geography.inside(tenant_id, latitudes, longitudes)

    def boundary_geojson(self, tenant_id: str) -> dict[str, Any]:
        """A FeatureCollection for maps: the outline of every tenant at and below this one, and their wards, told apart by `kind`."""
        return self._geography.feature_collection(tenant_id)

    def wards(self, tenant_id: str) -> tuple[Ward, ...]:
        """The wards of the tenant and of those below it."""
        return tuple(ward for area in self._geography.areas(tenant_id) for ward in area.wards)

    def localities(self, tenant_id: str) -> tuple[Locality, ...]:
        """The localities of the tenant and of those below it."""
        return tuple(place for area in self._geography.areas(tenant_id) for place in area.source.localities)

    def districts(self, tenant_id: str) -> tuple[District, ...]:
        """The districts of the tenant and of those below it."""
        return tuple(district for area in self._geography.areas(tenant_id) for district in area.source.districts)

    # the programme

    def roles(self) -> tuple[Role, ...]:
        """Every role, those that no account may have included."""
        return tuple(self._common(("ACCESSCONTROL-ROLES", "roles")))

    def workflow(self, tenant_id: str) -> WorkflowTable:
        """The table of states and transitions that counts for the tenant."""
        return self._workflows[self._library.entry(checks.WORKFLOW, tenant_id).document.tenant_id]

    def report_types(self, tenant_id: str, *, retired: bool = False) -> Mapping[str, ReportType]:
        """Report types by code; with `retired` also those that new reports may no longer use."""
        return self._by_code(("SDCRS", "ServiceType"), tenant_id, retired)

    def rejection_reasons(self, tenant_id: str, *, retired: bool = False) -> Mapping[str, RejectionReason]:
        """Rejection reasons by code."""
        return self._by_code(("SDCRS", "RejectionReason"), tenant_id, retired)

    def rejection_reason(self, tenant_id: str, code: str, action: str) -> RejectionReason:
        """The active reason of this code or alias that may go with `action`. Raises SDCRS_UNKNOWN_REASON naming the ones that may."""
        usable = [reason for reason in self.rejection_reasons(tenant_id).values() if action in reason.actions]
        for reason in usable:
            if code == reason.code or code in reason.aliases:
                return reason
        raise AppError("SDCRS_UNKNOWN_REASON", reason=code, known=", ".join(reason.code for reason in usable))

    def resolution_types(self, tenant_id: str, *, retired: bool = False) -> Mapping[str, ResolutionType]:
        """How field visits end, by code."""
        return self._by_code(("SDCRS", "ResolutionType"), tenant_id, retired)

    def unable_reasons(self, tenant_id: str, *, retired: bool = False) -> Mapping[str, UnableReason]:
        """Why a dog was not found, by code."""
        return self._by_code(("SDCRS", "UnableToLocateReason"), tenant_id, retired)

    def payout_config(self, tenant_id: str) -> PayoutConfig:
        """The active payout setting."""
        configs: tuple[PayoutConfig, ...] = self._library.entry(("SDCRS", "PayoutConfig"), tenant_id).value
        return next(config for config in configs if config.active)

    def validation_limits(self, tenant_id: str) -> ValidationLimits:
        """The limits of the automatic checks."""
        limits: ValidationLimits = self._library.entry(("SDCRS", "ValidationLimits"), tenant_id).value
        return limits

    def upi_config(self) -> UpiConfig:
        """What payout requests say, and the provider's words for states."""
        config: UpiConfig = self._common(("upi-payout-adapter", "UPIPayoutConfig"))
        return config

    def topics(self) -> tuple[Topic, ...]:
        """Every topic."""
        return tuple(self._common(("SDCRS", "topics")))

    # messages

    def template(self, template_id: str, locale: str) -> Template:
        """The message in this language, in English where the language is not one of ours. Raises KeyError for an unknown id."""
        return self._templates.get((template_id, locale)) or self._templates[template_id, "en_IN"]

    def templates(self, locale: str) -> Mapping[str, Template]:
        """All messages in one language, by template id."""
        return {template_id: template for (template_id, language), template in self._templates.items() if language == locale}

    def sends_for(self, action: str, to_state: str) -> tuple[Send, ...]:
        """Which messages follow from the action when it led to `to_state`."""
        sends: tuple[Send, ...] = self._common(("SDCRS", "NotificationSend"))
        return tuple(send for send in sends if send.action == action and send.to_state in (None, to_state))

    # fraud

    def fraud_rules(self, tenant_id: str) -> tuple[FraudRule, ...]:
        """The rules in the document's order, disabled ones included."""
        return tuple(self._library.entry(("FRAUD-DETECTION", "FraudRules"), tenant_id).value)

    def risk_config(self, tenant_id: str) -> RiskConfig:
        """Weights, levels and thresholds of the fraud score."""
        config: RiskConfig = self._library.entry(("FRAUD-DETECTION", "RiskScoreConfig"), tenant_id).value
        return config

    def penalties(self, tenant_id: str) -> tuple[Penalty, ...]:
        """The ladder of penalties, mildest first."""
        return tuple(self._library.entry(("FRAUD-DETECTION", "ApplicantPenalties"), tenant_id).value)

    def penalty_escalation(self, tenant_id: str) -> PenaltyEscalation:
        """How the ladder of penalties forgets."""
        found: PenaltyEscalation = self._library.entry(("FRAUD-DETECTION", "PenaltyEscalation"), tenant_id).value
        return found

    def external_validators(self, tenant_id: str) -> Mapping[str, ExternalValidator]:
        """Outside validators by id, disabled ones included."""
        return {item.id: item for item in self._library.entry(("FRAUD-DETECTION", "ExternalValidators"), tenant_id).value}

    # identity

    def identity_stages(self, tenant_id: str) -> IdentityStages:
        """Stages, pauses and limits of the registrations of a tenant."""
        found: IdentityStages = self._library.entry(("IDENTITY", "Stages"), tenant_id).value
        return found

    def id_schemas(self, tenant_id: str) -> Mapping[str, IdSchema]:
        """The schemas of registrations by version."""
        return {schema.version: schema for schema in self._library.entry(("IDENTITY", "IdSchema"), tenant_id).value}

    def partners(self, tenant_id: str) -> tuple[Partner, ...]:
        """The active partners to whom credentials go."""
        return tuple(partner for partner in self._library.entry(("IDENTITY", "Partners"), tenant_id).value if partner.active)

    # analytics

    def charts(self) -> Mapping[str, Chart]:
        """Every chart by id."""
        return {chart.id: chart for chart in self._common(("DSS", "MasterChartConfig"))}

    def dashboards(self) -> Mapping[str, Dashboard]:
        """Every active dashboard by id."""
        return {dashboard.id: dashboard for dashboard in self._common(("DSS", "DashboardConfig")) if dashboard.is_active}

    def dashboards_for(self, role: str) -> tuple[tuple[str, Dashboard], ...]:
        """The role's active dashboards, each after the name it has in that role's menu; none for a role without any."""
        active = self.dashboards()
        mapping: tuple[RoleDashboards, ...] = self._common(("DSS", "RoleDashboardMapping"))
        return tuple(
            (link.name, active[link.id]) for item in mapping if item.rolecode == role for link in item.dashboards if link.id in active
        )

    # versions

    def version_of(self, module: str, master: str, tenant_id: str = COMMON) -> int:
        """The version of the document that counts for the tenant, for rows that say by which rules they were made; 0: from a file.

        Raises KeyError for a master that there is not.
        """
        return self.entry_of(module, master, tenant_id).document.version

    def entry_of(self, module: str, master: str, tenant_id: str = COMMON) -> Entry:
        """The document itself with its source and version, for screens that show it."""
        return self._library.entry((module, master), tenant_id)
