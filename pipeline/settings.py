"""Configuration, read once from the environment. Every setting is named in docs/settings.md."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path

from pipeline.errors import AppError

ROOT = Path(__file__).resolve().parent.parent
# How libraries are told the credentials of databases and clouds: no validator's configuration may name them
CREDENTIALS = ("PG", "AWS_", "AZURE_", "GOOGLE_", "GCS_")
SESSION_COOKIE = "sdcrs_session"
SECURE_SESSION_COOKIE = "__Host-sdcrs_session"  # a browser takes this name only over TLS, for this host, for the whole site


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
    bind_address: str = "127.0.0.1"  # where console and API listen; 0.0.0.0 for other machines or a container
    embedded_fsync: bool = True  # False: the embedded server is for tests, and a power cut may lose its data
    validator_networks: tuple[str, ...] = ()  # networks of our own in which validators may be called
    # What else the environment holds: addresses and secrets that the validators' configuration names
    environment: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def session_cookies(self) -> tuple[str, ...]:
        """The cookies that may carry a session, first match first; production believes only the one that needs TLS."""
        return (SECURE_SESSION_COOKIE,) if self.production else (SECURE_SESSION_COOKIE, SESSION_COOKIE)

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
    fsync = switch("EMBEDDED_FSYNC", True)
    if not fsync and env == "production":
        raise AppError("SDCRS_BAD_SETTING", setting="EMBEDDED_FSYNC", detail="is on, or off outside production")
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
        bind_address=text("BIND_ADDRESS") or "127.0.0.1",
        embedded_fsync=fsync,
        validator_networks=_networks("VALIDATOR_NETWORKS", text("VALIDATOR_NETWORKS")),
    )
    _check(settings)
    others = {name: value for name, value in environ.items() if name not in ours and not name.startswith(CREDENTIALS)}
    return replace(settings, environment=others)


def _networks(name: str, raw: str | None) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(item)) for item in (raw or "").split())
    except ValueError as error:
        raise AppError("SDCRS_BAD_SETTING", setting=name, detail=str(error)) from error


def _check(settings: Settings) -> None:
    """What goes together."""
    if settings.production and settings.keys_file is None:
        raise AppError("SDCRS_BAD_SETTING", setting="KEYS_FILE", detail="required when APP_ENV=production")
    if settings.razorpayx_key_id and not (
        settings.razorpayx_key_secret and settings.razorpayx_account_number and settings.razorpayx_webhook_secrets
    ):
        raise AppError(
            "SDCRS_BAD_SETTING",
            setting="RAZORPAYX_KEY_ID",
            detail="also set RAZORPAYX_KEY_SECRET, RAZORPAYX_ACCOUNT_NUMBER and RAZORPAYX_WEBHOOK_SECRET",
        )
