"""Is it alive, is it ready, how is it doing: for supervisors, load balancers and Prometheus. Nothing personal, no secret."""

import ipaddress
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime

import psycopg
from fastapi import APIRouter, Request
from sqlalchemy.exc import DBAPIError
from starlette.responses import JSONResponse, PlainTextResponse, Response

import queries
from pipeline.api.answers import HEADERS
from pipeline.api.call import Call, Parts
from pipeline.api.serving import serve
from pipeline.audit.seal import unsealed_for_s
from pipeline.database.migrate import read_migrations
from pipeline.errors import AppError
from pipeline.identity import checks
from pipeline.runtime import Runtime

LOGGER = logging.getLogger(__name__)

MIN_FREE_BYTES = 200 * 1024 * 1024  # about eighty photos: below it uploads are about to fail
METRICS_TTL_S = 10.0  # counting a million reports takes a tenth of a second; scrapers ask every 15 s
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")

router = APIRouter(tags=["Health"])

_counted: dict[int, tuple[float, str]] = {}
_counting = threading.Lock()


@router.get("/livez")
async def live() -> Response:
    """The process answers."""
    return JSONResponse({"status": "alive"}, 200, HEADERS)


@router.get("/readyz")
async def ready(request: Request) -> Response:
    """Requests would succeed: database, schema, disk and key are as they must be; 503 names what is not."""
    return await serve(request, check_ready, max_bytes=0)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Figures for Prometheus: from this machine, or with the token of a state admin or the auditor."""
    return await serve(request, show_metrics, max_bytes=0)


def check_ready(call: Call) -> Response:
    """Every check by name with `ok` or `failed`; why stands in the log."""
    checks: dict[str, Callable[[Runtime], None]] = {"database": _schema, "disk": _disk, "key": _key}
    results = {name: _result(name, check, call.rt) for name, check in checks.items()}
    good = all(result == "ok" for result in results.values())
    return JSONResponse({"status": "ready" if good else "not ready", "checks": results}, 200 if good else 503, HEADERS)


def show_metrics(call: Call) -> Response:
    """Prometheus text; figures are at most METRICS_TTL_S old."""
    if not _from_here(call):
        call.allowed("read_metrics")
    lines = [*_of_process(call.parts), _of_database(call)]
    return PlainTextResponse("\n".join(lines) + "\n", 200, HEADERS, "text/plain; version=0.0.4")


def _result(name: str, check: Callable[[Runtime], None], rt: Runtime) -> str:
    try:
        check(rt)
    except (AppError, DBAPIError, psycopg.Error, OSError) as error:
        LOGGER.warning("Not ready: %s: %s", name, error.code if isinstance(error, AppError) else type(error).__name__)
        return "failed"
    return "ok"


def _schema(rt: Runtime) -> None:
    with rt.database.worker() as conn:
        found = queries.one(conn, "operations.schema")
    number = found["number"] if found else 0
    if number != NEEDED_MIGRATIONS:
        raise AppError("SDCRS_NOT_MIGRATED", found=number, needed=NEEDED_MIGRATIONS)


def _disk(rt: Runtime) -> None:
    if shutil.disk_usage(rt.settings.data_dir).free < MIN_FREE_BYTES:
        raise OSError("less than the least free space")


def _key(rt: Runtime) -> None:
    """Our key opens what is stored; an empty vault says nothing against it."""
    with rt.database.worker() as conn:
        row = queries.one(conn, "operations.anybody")
        if row is not None:
            rt.vault.get(conn, [row["person_id"]], [row["field"]])


def _from_here(call: Call) -> bool:
    """Whether the request comes from this machine and was not passed on by a proxy of it."""
    if any(name in call.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(call.client).is_loopback
    except ValueError:
        return False


def _of_process(parts: Parts) -> Iterator[str]:
    yield "# TYPE sdcrs_api_waiting gauge"
    yield f"sdcrs_api_waiting {parts.gate.waiting}"
    yield "# TYPE sdcrs_api_shed_total counter"
    yield f"sdcrs_api_shed_total {parts.gate.shed + parts.sign_in_gate.shed}"


def _of_database(call: Call) -> str:
    with _counting:
        held = _counted.get(id(call.rt))
        if held is None or time.monotonic() - held[0] > METRICS_TTL_S:
            held = _counted[id(call.rt)] = (time.monotonic(), "\n".join(_count(call)))
        return held[1]


def _count(call: Call) -> Iterator[str]:
    tenants = list(call.md.leaves())
    states = sorted({state for tenant in tenants for state in call.md.workflow(tenant).states})
    waits = sorted({code for tenant in tenants for code, state in call.md.workflow(tenant).states.items() if not state.final})
    with call.rt.database.worker() as conn:
        by_state = queries.rows(conn, "operations.reports_by_state", tenants=tenants, states=states)
        oldest = queries.rows(conn, "operations.oldest_by_state", tenants=tenants, states=waits)
        failures = queries.rows(conn, "operations.failures")
        payouts = queries.rows(conn, "operations.payouts", tenants=tenants)
        flow = dict(queries.one(conn, "operations.flow") or {})
        unsealed_s = unsealed_for_s(conn, call.now)
        ages = {row["age"]: row["payouts"] for row in queries.rows(conn, "operations.payouts_by_age", tenants=tenants, now=call.now)}
        followers = queries.rows(conn, "operations.followers")
        stuck = checks.counts(conn, call.md, call.now)
    yield "# HELP sdcrs_reports Reports by state."
    yield "# TYPE sdcrs_reports gauge"
    yield from (f'sdcrs_reports{{state="{row["state"]}"}} {row["reports"]}' for row in by_state)
    yield "# HELP sdcrs_queue_age_seconds How long the longest waiting report has been in a state that is not final."
    yield "# TYPE sdcrs_queue_age_seconds gauge"
    yield from (f'sdcrs_queue_age_seconds{{state="{row["state"]}"}} {_age(row["entered_at"], call.now)}' for row in oldest)
    yield "# HELP sdcrs_dead_letters Subjects that a job has given up; they wait for a person."
    yield "# TYPE sdcrs_dead_letters gauge"
    yield f"sdcrs_dead_letters {sum(row['dead'] for row in failures)}"
    yield from (f'sdcrs_dead_letters_by_job{{job="{row["job"]}"}} {row["dead"]}' for row in failures)
    yield from (f'sdcrs_failures_waiting{{job="{row["job"]}"}} {row["waiting"]}' for row in failures)
    yield "# TYPE sdcrs_payouts gauge"
    yield from (f'sdcrs_payouts{{status="{row["status"]}"}} {row["payouts"]}' for row in payouts)
    yield "# HELP sdcrs_payouts_pending Payouts not settled, by how long ago they were begun."
    yield "# TYPE sdcrs_payouts_pending gauge"
    yield from (f'sdcrs_payouts_pending{{age="{age}"}} {ages.get(age, 0)}' for age in ("1h", "1d", "3d", "older"))
    yield "# HELP sdcrs_follower_behind Transactions between a follower's place and the newest that it could have read."
    yield "# TYPE sdcrs_follower_behind gauge"
    yield from (f'sdcrs_follower_behind{{follower="{row["name"]}"}} {row["behind"]}' for row in followers)
    if flow.get("at_provider") and flow.get("webhook_last_at") is not None:  # silence means something only while something is awaited
        yield "# HELP sdcrs_webhook_silent_seconds Since when the provider has told nothing, while it has payouts in hand."
        yield "# TYPE sdcrs_webhook_silent_seconds gauge"
        yield f"sdcrs_webhook_silent_seconds {_age(flow['webhook_last_at'], call.now)}"
    for name, column in (
        ("sdcrs_worker_silent_seconds", "worker_seen_at"),
        ("sdcrs_webhook_age_seconds", "webhook_received_at"),
        ("sdcrs_notification_age_seconds", "notification_created_at"),
    ):
        if flow.get(column) is not None:
            yield f"# TYPE {name} gauge"
            yield f"{name} {_age(flow[column], call.now)}"
    yield "# HELP sdcrs_audit_unsealed_seconds How long the oldest row of the audit has waited to be sealed; over 60 is an alarm."
    yield "# TYPE sdcrs_audit_unsealed_seconds gauge"
    yield f"sdcrs_audit_unsealed_seconds {round(unsealed_s, 1)}"
    yield "# HELP sdcrs_stray_partition_bytes Rows that fell into a DEFAULT partition: a month was not prepared."
    yield "# TYPE sdcrs_stray_partition_bytes gauge"
    yield f"sdcrs_stray_partition_bytes {flow.get('stray_bytes') or 0}"
    yield "# HELP sdcrs_identity_stuck Cases of the identity flow that do not go on, by class, at most 1000 of each."
    yield "# TYPE sdcrs_identity_stuck gauge"
    yield from (f'sdcrs_identity_stuck{{check="{code}"}} {counted.count}' for code, counted in stuck.items())
    yield "# TYPE sdcrs_identity_stuck_oldest_seconds gauge"
    yield from (
        f'sdcrs_identity_stuck_oldest_seconds{{check="{code}"}} {_age(counted.oldest, call.now)}'
        for code, counted in stuck.items()
        if counted.oldest is not None
    )


def _age(since: datetime, now: datetime) -> float:
    return round(max((now - since).total_seconds(), 0.0), 1)


NEEDED_MIGRATIONS = len(read_migrations())
