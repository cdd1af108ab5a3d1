"""Configuration, read once from the environment. Every setting is named in docs/settings.md."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pipeline.errors import AppError

ROOT = Path(__file__).resolve().parent.parent
# How libraries are told the credentials of databases and clouds: no validator's configuration may name them
CREDENTIALS = ("PG", "AWS_", "AZURE_", "GOOGLE_", "GCS_")
SESSION_COOKIE = "sdcrs_session"
SECURE_SESSION_COOKIE = "__Host-sdcrs_session"  # a browser takes this name only over TLS, for this host, for the whole site
LOOPBACK = ("localhost", "127.0.0.1", "::1")
SAFE_TLS = frozenset({"require", "verify-ca", "verify-full"})  # libpq's sslmodes that never fall back to plain text
LEAST_PREFIX = {4: 8, 6: 16}  # bits of a proxy's network; a wider one is half of the world
ROLES = ("TEACHER", "VERIFIER", "SENIOR_VERIFIER", "MC_OFFICER", "MC_SUPERVISOR", "DISTRICT_ADMIN", "STATE_ADMIN", "AUDITOR")
# What we want to know of a person, and the claim that says it where OIDC_CLAIMS names no other
CLAIMS = {
    "employeeId": "emp_id",
    "district": "district_code",
    "schoolCode": "school_code",
    "schoolName": "school_name",
    "designation": "designation",
    "status": "status",
    "roles": "roles",
    "name": "name",
    "phone": "phone",
    "email": "email",
    "vpa": "upi_vpa",
    "bankAccount": "bank_account",
    "ifsc": "ifsc",
}


@dataclass(frozen=True)
class Settings:
    """What the environment says; an empty variable counts as unset."""

    data_dir: Path  # everything we store outside the database, and the embedded server
    production: bool  # APP_ENV=production: keys from a file, no demo, no superuser login
    port: int  # console
    api_port: int
    sandbox_port: int
    database_url: str | None  # None: the embedded server
    database_owner_url: str | None
    role_prefix: str | None  # None: what the database has stored, else its name
    api_public_url: str | None  # None: the browser's host with api_port
    filestore_url: str | None  # None: data_dir/filestore
    audit_anchor_url: str | None  # None: data_dir/audit
    keys_file: Path | None  # None: data_dir/keys
    tiles_url: str | None  # None: no background tiles, ward boundaries only
    sms_gateway_url: str | None  # None: messages are stored and shown
    razorpayx_base_url: str | None  # None: the sandbox when no key id is set, else the provider
    razorpayx_key_id: str | None  # None: the sandbox
    razorpayx_key_secret: str | None
    razorpayx_account_number: str | None
    razorpayx_webhook_secrets: tuple[str, ...]  # newest first; several during a rotation
    validate_vpa: bool  # the provider is asked whether a new UPI address can be paid, before it is
    demo_password: str
    packet_body_days: int
    selfie_days: int
    # proxies that are believed when they say who asks and whether by TLS
    trusted_proxies: tuple[str, ...] = ("127.0.0.1/32", "::1/128")
    log_json: bool = False  # one JSON object a line, and a line for each request
    bind_address: str = "127.0.0.1"  # where console and API listen; 0.0.0.0 for other machines or a container
    embedded_fsync: bool = True  # False: the embedded server is for tests, and a power cut may lose its data
    validator_networks: tuple[str, ...] = ()  # networks of our own in which validators may be called
    api_processes: int = 1  # that serve the API, each with an interpreter of its own
    hrms_port: int = 8504  # the demo's own identity provider
    console_public_url: str | None = None  # None: the browser's host, where that is this machine itself
    oidc_issuer: str | None = None  # None: the demo's provider, and in production none
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = field(default=None, repr=False)  # None: a client without one, which PKCE alone protects
    oidc_scope: str = "openid profile employee"
    oidc_redirect_uris: tuple[str, ...] = ("sdcrs://callback",)  # where apps may be sent back to
    oidc_claims: Mapping[str, str] = field(default_factory=lambda: dict(CLAIMS))  # what we want to know -> the claim that says it
    oidc_roles: Mapping[str, str] = field(default_factory=dict)  # a value of the roles claim -> our role; empty: claims give no role
    oidc_state: str | None = None  # the state whose people the provider knows; None: the district says it
    # where the identity flow's participants are, when not in this process; None: here
    credential_request_url: str | None = None
    credential_service_url: str | None = None
    datashare_url: str | None = None
    websub_hub_url: str | None = None
    websub_subscribers: tuple[str, ...] = ()  # addresses, or beginnings of some, that the hub may deliver to besides our own
    identity_networks: tuple[str, ...] = ()  # networks of our own in which participants and subscribers may be called
    # What else the environment holds: addresses and secrets that the validators' configuration names
    environment: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def session_cookies(self) -> tuple[str, ...]:
        """The cookies that may carry a session, first match first; production believes only the one that needs TLS."""
        return (SECURE_SESSION_COOKIE,) if self.production else (SECURE_SESSION_COOKIE, SESSION_COOKIE)

    @property
    def demo_hrms(self) -> bool:
        """Whether the demo's own identity provider signs teachers in."""
        return self.oidc_issuer is None and not self.production

    @property
    def sandboxed(self) -> bool:
        """Whether payouts go to the stand-in provider."""
        return self.razorpayx_key_id is None


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings. Raises SDCRS_BAD_SETTING naming the variable that cannot be used."""
    ours: set[str] = set()

    def text(name: str) -> str | None:
        ours.add(name)
        return environ.get(name, "").strip() or None

    def number(name: str, default: int, low: int, high: int) -> int:
        raw = text(name)
        if raw is None:
            return default
        if not raw.isdecimal() or not low <= int(raw) <= high:
            raise AppError("SDCRS_BAD_SETTING", setting=name, detail=f"{raw!r} is not a number from {low} to {high}")
        return int(raw)

    def switch(name: str, default: bool) -> bool:
        raw = (text(name) or ("on" if default else "off")).lower()
        if raw not in ("on", "off"):
            raise AppError("SDCRS_BAD_SETTING", setting=name, detail=f"{raw!r} is neither on nor off")
        return raw == "on"

    def path(name: str) -> Path | None:
        raw = text(name)
        return Path(raw).expanduser().absolute() if raw else None

    env = text("APP_ENV") or "demo"
    if env not in ("demo", "production"):
        raise AppError("SDCRS_BAD_SETTING", setting="APP_ENV", detail=f"{env!r} is neither demo nor production")
    port = number("PORT", 8501, 1024, 65000)
    settings = Settings(
        data_dir=path("DATA_DIR") or ROOT / ".data",
        production=env == "production",
        port=port,
        api_port=number("API_PORT", port + 1, 1024, 65535),
        sandbox_port=number("SANDBOX_PORT", port + 2, 1024, 65535),
        database_url=text("DATABASE_URL"),
        database_owner_url=text("DATABASE_OWNER_URL"),
        role_prefix=text("DATABASE_ROLE_PREFIX"),
        api_public_url=text("API_PUBLIC_URL"),
        filestore_url=text("FILESTORE_URL"),
        audit_anchor_url=text("AUDIT_ANCHOR_URL"),
        keys_file=path("KEYS_FILE"),
        tiles_url=text("TILES_URL"),
        sms_gateway_url=text("SMS_GATEWAY_URL"),
        razorpayx_base_url=text("RAZORPAYX_BASE_URL"),
        razorpayx_key_id=text("RAZORPAYX_KEY_ID"),
        razorpayx_key_secret=text("RAZORPAYX_KEY_SECRET"),
        razorpayx_account_number=text("RAZORPAYX_ACCOUNT_NUMBER"),
        validate_vpa=switch("RAZORPAYX_VALIDATE_VPA", False),
        razorpayx_webhook_secrets=tuple((text("RAZORPAYX_WEBHOOK_SECRET") or "").split()),
        demo_password=text("DEMO_PASSWORD") or "demo",
        packet_body_days=number("PACKET_BODY_DAYS", 400, 1, 36500),
        selfie_days=number("SELFIE_DAYS", 90, 1, 36500),
        trusted_proxies=_networks("TRUSTED_PROXIES", text("TRUSTED_PROXIES") or "127.0.0.1 ::1"),
        log_json=_log_format(text("LOG_FORMAT"), env) == "json",
        bind_address=text("BIND_ADDRESS") or "127.0.0.1",
        embedded_fsync=switch("EMBEDDED_FSYNC", True),
        validator_networks=_networks("VALIDATOR_NETWORKS", text("VALIDATOR_NETWORKS")),
        api_processes=number("API_PROCESSES", min(os.cpu_count() or 1, 2), 1, 64),
        hrms_port=number("HRMS_PORT", port + 3, 1024, 65535),
        console_public_url=(text("CONSOLE_PUBLIC_URL") or "").rstrip("/") or None,
        **_sign_in(text),
        **_identity(text),
    )
    _check(settings)
    others = {name: value for name, value in environ.items() if name not in ours and not name.startswith(CREDENTIALS)}
    return replace(settings, environment=others)


def _sign_in(text: Callable[[str], str | None]) -> dict[str, Any]:
    """What is said of the state's identity provider."""
    return {
        "oidc_issuer": text("OIDC_ISSUER"),
        "oidc_client_id": text("OIDC_CLIENT_ID"),
        "oidc_client_secret": text("OIDC_CLIENT_SECRET"),
        "oidc_scope": text("OIDC_SCOPE") or "openid profile employee",
        "oidc_redirect_uris": tuple((text("OIDC_REDIRECT_URIS") or "sdcrs://callback").split()),
        "oidc_claims": CLAIMS | _pairs("OIDC_CLAIMS", text("OIDC_CLAIMS"), left=tuple(CLAIMS)),
        "oidc_roles": _pairs("OIDC_ROLES", text("OIDC_ROLES"), right=ROLES),
        "oidc_state": text("OIDC_STATE"),
    }


def _identity(text: Callable[[str], str | None]) -> dict[str, Any]:
    """Where the participants of the identity flow are, and who may subscribe."""
    found = {
        "credential_request_url": text("CREDENTIAL_REQUEST_URL"),
        "credential_service_url": text("CREDENTIAL_SERVICE_URL"),
        "datashare_url": text("DATASHARE_URL"),
        "websub_hub_url": text("WEBSUB_HUB_URL"),
    }
    subscribers = tuple((text("WEBSUB_SUBSCRIBERS") or "").split())
    for name, url in [*((name.upper(), url) for name, url in found.items() if url), *(("WEBSUB_SUBSCRIBERS", url) for url in subscribers)]:
        _check_address(name, url)
    return {
        **{name: url.rstrip("/") if url else None for name, url in found.items()},
        "websub_subscribers": subscribers,
        "identity_networks": _networks("IDENTITY_NETWORKS", text("IDENTITY_NETWORKS")),
    }


def _check_address(name: str, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise AppError("SDCRS_BAD_SETTING", setting=name, detail="must be an http or https address without query and name")


def _log_format(raw: str | None, env: str) -> str:
    chosen = raw or ("json" if env == "production" else "text")
    if chosen not in ("json", "text"):
        raise AppError("SDCRS_BAD_SETTING", setting="LOG_FORMAT", detail=f"{chosen!r} is neither json nor text")
    return chosen


def _networks(name: str, raw: str | None) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(item)) for item in (raw or "").split())
    except ValueError as error:
        raise AppError("SDCRS_BAD_SETTING", setting=name, detail=str(error)) from error


def _pairs(name: str, raw: str | None, left: tuple[str, ...] = (), right: tuple[str, ...] = ()) -> dict[str, str]:
    """`a=b c=d` as a mapping; where names are given, no others may stand on that side."""
    found: dict[str, str] = {}
    for item in (raw or "").split():
        one, equals, other = item.partition("=")
        if not (one and equals and other):
            raise AppError("SDCRS_BAD_SETTING", setting=name, detail=f"{item!r} is not a pair such as {(left or ('theirs',))[0]}=name")
        for side, allowed in ((one, left), (other, right)):
            if allowed and side not in allowed:
                raise AppError("SDCRS_BAD_SETTING", setting=name, detail=f"{side!r} is none of {', '.join(allowed)}")
        found[one] = other
    return found


def _check_sign_in(settings: Settings) -> None:
    """What the state's identity provider needs to be asked safely."""
    if settings.oidc_issuer is None:
        if settings.oidc_client_id or settings.oidc_client_secret:
            raise AppError("SDCRS_BAD_SETTING", setting="OIDC_ISSUER", detail="is missing, though a client is set")
        return
    if settings.oidc_client_id is None:
        raise AppError("SDCRS_BAD_SETTING", setting="OIDC_CLIENT_ID", detail="required with OIDC_ISSUER")
    for name, address in (("OIDC_ISSUER", settings.oidc_issuer), ("CONSOLE_PUBLIC_URL", settings.console_public_url)):
        if address is None:
            continue
        parts = urlsplit(address)
        plain = parts.scheme == "http" and parts.hostname in LOOPBACK and not settings.production
        if not parts.hostname or parts.query or parts.fragment or not (parts.scheme == "https" or plain):
            raise AppError(
                "SDCRS_BAD_SETTING", setting=name, detail="must be an https address without query (http on this machine, for the demo)"
            )


def _check(settings: Settings) -> None:
    """What goes together."""
    _check_sign_in(settings)
    if settings.razorpayx_key_id and not (
        settings.razorpayx_key_secret and settings.razorpayx_account_number and settings.razorpayx_webhook_secrets
    ):
        raise AppError(
            "SDCRS_BAD_SETTING",
            setting="RAZORPAYX_KEY_ID",
            detail="also set RAZORPAYX_KEY_SECRET, RAZORPAYX_ACCOUNT_NUMBER and RAZORPAYX_WEBHOOK_SECRET",
        )
    unsafe = list(_unsafe(settings)) if settings.production else []
    if unsafe:  # all at once, so that nobody has to start five times to learn of five
        raise AppError(
            "SDCRS_UNSAFE_SETTINGS", settings=[name for name, _ in unsafe], why="; ".join(f"{name} {why}" for name, why in unsafe)
        )


def _unsafe(settings: Settings) -> Iterator[tuple[str, str]]:
    """What production refuses to start with: it would lose money, or show people's data to others. Each setting with what is wrong."""
    if settings.keys_file is None:
        yield "KEYS_FILE", "is missing: keys do not lie beside what they protect"
    if settings.razorpayx_key_id is None:
        yield "RAZORPAYX_KEY_ID", "is missing: payouts would go to the sandbox, and nobody would be paid"
    if not settings.embedded_fsync:
        yield "EMBEDDED_FSYNC", "is off: a power cut would lose what was acknowledged"
    if settings.api_public_url is None:
        yield "API_PUBLIC_URL", "is missing: links to photos would go wherever a client's Host header says"
    if settings.database_url is not None and not _encrypted(settings.database_url):
        yield "DATABASE_URL", "needs sslmode=require, verify-ca or verify-full for a server on another machine"
    for name, address in (
        ("API_PUBLIC_URL", settings.api_public_url),
        ("CONSOLE_PUBLIC_URL", settings.console_public_url),
        ("RAZORPAYX_BASE_URL", settings.razorpayx_base_url),
        ("SMS_GATEWAY_URL", settings.sms_gateway_url),
        ("OIDC_ISSUER", settings.oidc_issuer),
        ("CREDENTIAL_REQUEST_URL", settings.credential_request_url),
        ("CREDENTIAL_SERVICE_URL", settings.credential_service_url),
        ("DATASHARE_URL", settings.datashare_url),
        ("WEBSUB_HUB_URL", settings.websub_hub_url),
        *(("WEBSUB_SUBSCRIBERS", address) for address in settings.websub_subscribers),
    ):
        if address is not None and urlsplit(address).scheme != "https":
            yield name, "is not https"
    for network in map(ip_network, settings.trusted_proxies):
        if network.prefixlen < LEAST_PREFIX[network.version]:
            yield "TRUSTED_PROXIES", f"believes {network}: anybody could name an address of their choice"


def _encrypted(url: str) -> bool:
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    host = parts.hostname or (query.get("host") or [""])[0]
    near = not host or host.startswith("/") or host in LOOPBACK
    return near or (query.get("sslmode") or [""])[0] in SAFE_TLS
