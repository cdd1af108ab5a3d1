"""Which validators are asked: switched on, named by an enabled rule, and with an address in the environment.

Master data names variables, never secrets; the values come from the environment as it was when the process started. The
variables of our own settings are not among them, so that no configuration can send them away. A validator whose address
is set but which lacks anything else is not quietly skipped: it fails without a call, and its fallback counts.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from urllib.parse import urlsplit

from pipeline.fraud.validators.paths import parse
from pipeline.fraud.validators.questions import paths_of, sends_links
from pipeline.masterdata.fraud_models import Endpoint, ExternalValidator
from pipeline.masterdata.master import MasterData
from pipeline.outbound.addresses import Network, networks
from pipeline.settings import Settings

MODULE = "SDCRS"
SWITCHED_OFF = "is switched off"
MAX_CONNECT_S = 10.0  # whatever is configured: a report waits, and a line is taken
MAX_READ_S = 60.0
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PRINTABLE = re.compile(r"[\x20-\x7e]+")


@dataclass(frozen=True)
class Asked:
    """A validator that can be called, or (`problem`) why it cannot although it has an address."""

    validator: ExternalValidator
    url: str
    token_url: str | None
    secrets: Mapping[str, str] = field(repr=False)  # by the variable's name
    problem: str | None = None

    @property
    def id(self) -> str:
        return self.validator.id

    @property
    def breaker(self) -> str:
        """What fails together: this validator at this host."""
        parts = urlsplit(self.url)
        return f"{self.id} {parts.scheme}://{parts.netloc}"

    @property
    def connect_s(self) -> float:
        return min(self.validator.timeout.connect_ms / 1000, MAX_CONNECT_S)

    @property
    def read_s(self) -> float:
        return min(self.validator.timeout.read_ms / 1000, MAX_READ_S)

    @property
    def wants_past(self) -> bool:
        """Whether it is sent what the applicant did before."""
        return self.problem is None and any(path.startswith("applicant.") for path in paths_of(self.validator.input_mapping))


Tenants = Mapping[str, Mapping[str, Asked]]  # tenant id -> validator id -> whom to ask; tenants with nobody to ask are left out


@dataclass(frozen=True)
class Setup:
    """For one state of the master data: whom each tenant asks, and which of the others are switched off."""

    tenants: Tenants
    switched_off: Mapping[str, tuple[str, ...]]

    @cached_property
    def asking(self) -> list[str]:
        """The tenants whose reports wait for answers."""
        return sorted(self.tenants)

    @cached_property
    def pairs(self) -> Mapping[str, list[str]]:
        """Tenants and validators side by side, as statements take them."""
        both = [(tenant_id, validator_id) for tenant_id, asked in self.tenants.items() for validator_id in asked]
        return {"tenants": [tenant_id for tenant_id, _ in both], "validators": [validator_id for _, validator_id in both]}


NOBODY = Setup(MappingProxyType({}), MappingProxyType({}))


class Configured:
    """The setup of this process, made anew when the master data is. Threads share it."""

    def __init__(self, settings: Settings) -> None:
        self.networks: tuple[Network, ...] = networks(settings.validator_networks)
        self._settings = settings
        self._held: tuple[MasterData, Setup] | None = None

    def at(self, md: MasterData) -> Setup:
        """Whom to ask by this state of the master data."""
        held = self._held
        if held is None or held[0] is not md:
            held = self._held = (md, _setup(self._settings, md))
        return held[1]


def _setup(settings: Settings, md: MasterData) -> Setup:
    tenants: dict[str, Mapping[str, Asked]] = {}
    switched_off: dict[str, tuple[str, ...]] = {}
    for tenant_id in md.leaves():
        validators = md.external_validators(tenant_id)
        named = {
            rule.condition.validator_id
            for rule in md.fraud_rules(tenant_id)
            if rule.condition.type == "EXTERNAL_VALIDATOR" and rule.enabled and MODULE in rule.applicable_modules
        }
        wanted = [validator for validator in validators.values() if validator.id in named]
        found = {validator.id: asked for validator in wanted if validator.enabled and (asked := asked_of(settings, validator)) is not None}
        if found:
            tenants[tenant_id] = MappingProxyType(found)
        off = tuple(validator.id for validator in wanted if not validator.enabled)
        if off:
            switched_off[tenant_id] = off
    return Setup(MappingProxyType(tenants), MappingProxyType(switched_off))


def asked_of(settings: Settings, validator: ExternalValidator) -> Asked | None:
    """The validator with its address and secrets; None when a variable of its address is not set."""
    endpoint, environment = validator.endpoint, settings.environment
    url = _expanded(endpoint.url, environment)
    if url is None:
        return None
    token_url = None if endpoint.token_endpoint is None else _expanded(endpoint.token_endpoint, environment)
    names = [name for name in _secret_names(endpoint) if name]
    secrets = {name: environment[name] for name in names if environment.get(name)}
    problem = next(_problems(settings, validator, url, token_url, secrets), None)
    return Asked(validator, url, token_url, MappingProxyType(secrets), problem)


def _secret_names(endpoint: Endpoint) -> tuple[str | None, ...]:
    match endpoint.auth_type:
        case "API_KEY" | "BEARER_TOKEN":
            return (endpoint.auth_secret_key,)
        case "BASIC":
            return (endpoint.username_key, endpoint.password_key)
        case "OAUTH2":
            return (endpoint.client_id_key, endpoint.client_secret_key)


def _problems(
    settings: Settings, validator: ExternalValidator, url: str, token_url: str | None, secrets: Mapping[str, str]
) -> Iterator[str]:
    """What keeps it from being called, for the operator; no secret is in the words."""
    endpoint = validator.endpoint
    if not _is_address(url):
        yield "its address is not one of http:// or https:// with a host"
    if endpoint.auth_type == "OAUTH2" and (token_url is None or not _is_address(token_url)):
        yield "the address of its tokens is not set or is none"
    for name in _secret_names(endpoint):
        if name is None:
            yield f"its configuration names no variable for {endpoint.auth_type}"
        elif name not in secrets:
            yield f"{name} is not set"
        elif not _PRINTABLE.fullmatch(secrets[name]):
            yield f"{name} holds characters that no header can carry"
    if endpoint.auth_header is not None and not re.fullmatch(r"[A-Za-z0-9-]+", endpoint.auth_header):
        yield "its authHeader is not the name of a header"
    if sends_links(validator) and settings.api_public_url is None:
        yield "API_PUBLIC_URL is not set, so it cannot be sent links"
    try:
        for path in paths_of(validator.input_mapping):
            parse(path)
        for path in validator.output_mapping.values():
            parse(path)
    except ValueError as error:
        yield f"its mapping: {error}"


def _expanded(template: str, environment: Mapping[str, str]) -> str | None:
    """The text with its variables put in; None when one is not set."""
    if any(not environment.get(name) for name in _VARIABLE.findall(template)):
        return None
    return _VARIABLE.sub(lambda match: environment[match[1]].rstrip("/"), template)


def _is_address(url: str) -> bool:
    """Whether a call can go there: scheme, host, and neither user, fragment nor anything that no request line has."""
    if not url.isascii() or re.search(r"[\x00-\x20\x7f\\]", url):
        return False
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port_is_fine and "@" not in parts.netloc and not parts.fragment
