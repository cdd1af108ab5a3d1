"""How the sandbox is started: arguments first, then environment, then defaults that need no secret.

Passwords belong in the environment: arguments can be read by every user of the machine.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# What a client uses when nobody chose anything else. Not secrets: they open nothing but play money.
DEFAULT_KEY_ID = "rzp_test_sandbox"
DEFAULT_KEY_SECRET = "sandbox-key-secret"  # noqa: S105
DEFAULT_WEBHOOK_SECRET = "sandbox-webhook-secret"  # noqa: S105
DEFAULT_ACCOUNT_NUMBER = "7878780080316316"
DEFAULT_PORT = 8503
OPENING_BALANCE_PAISE = 100_000_000_000  # one hundred crore rupees: two million payouts of 500 without a top-up
ACCOUNT_ID = "acc_SandboxAccount"  # the provider's name for us in webhooks


@dataclass(frozen=True)
class Config:
    """Fixed for the life of the process."""

    database_url: str
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT  # 0: any free port
    role: str | None = None  # SET ROLE after connecting
    webhook_url: str | None = None  # None: events are written, none is sent
    key_id: str = DEFAULT_KEY_ID
    key_secret: str = DEFAULT_KEY_SECRET
    webhook_secret: str = DEFAULT_WEBHOOK_SECRET
    account_number: str = DEFAULT_ACCOUNT_NUMBER
    opening_balance_paise: int = OPENING_BALANCE_PAISE
    threads: int = 4  # requests at work at once; more only queue for the one account row
    delay_seconds: float | None = None  # None: as stored, else the default of switches.py


def _parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    def env(name: str, default: str | None = None) -> str | None:
        return environ.get(name, "").strip() or default

    parser = argparse.ArgumentParser(
        prog="python -m pipeline.payouts.sandbox",
        description="A stand-in for RazorpayX with books of its own. It moves no money.",
    )
    add = parser.add_argument
    add("--host", default=env("SANDBOX_HOST", "127.0.0.1"), help="address to listen on; keep it on loopback (SANDBOX_HOST)")
    add("--port", type=int, default=env("SANDBOX_PORT", str(DEFAULT_PORT)), help="0 takes any free port (SANDBOX_PORT)")
    add("--database-url", default=env("DATABASE_URL"), help="Postgres with the schema `sandbox` (DATABASE_URL)")
    add("--role", default=env("SANDBOX_ROLE"), help="role to take after connecting (SANDBOX_ROLE)")
    add("--webhook-url", default=env("SANDBOX_WEBHOOK_URL"), help="where signed events go (SANDBOX_WEBHOOK_URL)")
    add("--key-id", default=env("SANDBOX_KEY_ID", DEFAULT_KEY_ID), help="(SANDBOX_KEY_ID)")
    add("--key-secret", default=env("SANDBOX_KEY_SECRET", DEFAULT_KEY_SECRET), help="(SANDBOX_KEY_SECRET)")
    add("--webhook-secret", default=env("SANDBOX_WEBHOOK_SECRET", DEFAULT_WEBHOOK_SECRET), help="(SANDBOX_WEBHOOK_SECRET)")
    add("--account-number", default=env("SANDBOX_ACCOUNT_NUMBER", DEFAULT_ACCOUNT_NUMBER), help="(SANDBOX_ACCOUNT_NUMBER)")
    add(
        "--opening-balance-paise",
        type=int,
        default=env("SANDBOX_OPENING_BALANCE_PAISE", str(OPENING_BALANCE_PAISE)),
        help="paid in when the account is opened for the first time (SANDBOX_OPENING_BALANCE_PAISE)",
    )
    add("--threads", type=int, default=env("SANDBOX_THREADS", "4"), help="requests at work at once (SANDBOX_THREADS)")
    add(
        "--delay-seconds",
        type=float,
        default=env("SANDBOX_DELAY_SECONDS"),
        help="how long a payout stays in processing; replaces the stored switch (SANDBOX_DELAY_SECONDS)",
    )
    return parser


def read(argv: Sequence[str], environ: Mapping[str, str]) -> Config:
    """The configuration. Prints usage and raises SystemExit(2) when it cannot be used."""
    parser = _parser(environ)
    given = parser.parse_args(argv)
    if not given.database_url:
        parser.error("--database-url or DATABASE_URL is required")
    if not 0 <= given.port <= 65535:
        parser.error(f"--port {given.port} is not between 0 and 65535")
    if given.webhook_url and not re.fullmatch(r"https?://[^/?#\s]+[^\s#]*", given.webhook_url):
        parser.error(f"--webhook-url {given.webhook_url} is not an http or https URL")
    if not 1 <= given.threads <= 32:
        parser.error(f"--threads {given.threads} is not between 1 and 32")
    if given.opening_balance_paise < 0:
        parser.error("--opening-balance-paise cannot be negative")
    return Config(**vars(given))
