"""What anybody may know of a report who has its tracking id: as JSON for _track, and as a page that works on any phone.

The page is plain HTML without script, cookie or request to anywhere else. It tells ward, state and times, never a person.
"""

import base64
import hashlib
import html
from datetime import datetime
from pathlib import Path
from string import Template
from typing import Any

import psycopg
from fastapi import APIRouter, Request
from sqlalchemy.exc import DBAPIError
from starlette.responses import HTMLResponse, Response

import queries
from pipeline.api.answers import database_error, internal_error
from pipeline.api.call import Call
from pipeline.api.serving import serve
from pipeline.errors import AppError
from pipeline.masterdata.master import MasterData
from pipeline.packets.render.facts import RecordedFacts
from pipeline.packets.render.report import track_answer
from pipeline.reports.numbering import ALPHABET, TRACKING_LENGTH
from pipeline.runtime import Runtime

ASSETS = Path(__file__).parent / "assets"
MAX_ID = 64  # the token of the public link has 22 characters
_STYLE = (ASSETS / "track.css").read_text(encoding="utf-8")
_PAGE = Template((ASSETS / "track.html").read_text(encoding="utf-8"))
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}

router = APIRouter(tags=["Tracking"])


@router.get("/track/{tracking_id}", response_class=HTMLResponse)
async def page(request: Request) -> Response:
    """The public page of a report."""
    return await serve(request, show, max_bytes=0)


def look_up(rt: Runtime, md: MasterData, sent: str) -> dict[str, Any]:
    """The tracking answer of an id (8 characters, any case) or of a link's token. Raises SDCRS_NOT_FOUND."""
    wanted = _normal(sent)
    row = None
    if wanted is not None:
        with rt.database.public(wanted) as conn:
            row = queries.one(conn, "tracking.report")
    if row is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Report", id=sent[:MAX_ID])
    steps = [{"to_state": step["state"], "occurred_at": datetime.fromisoformat(step["at"])} for step in row["timeline"] or ()]
    return track_answer(RecordedFacts(report=dict(row), timeline=steps, tenant={"timezone": md.tenant(row["tenant_id"]).timezone.key}))


def show(call: Call) -> Response:
    """The page; a report that is not there is told kindly, with the status that machines need."""
    try:
        found = look_up(call.rt, call.md, call.path_params["tracking_id"])
    except AppError as error:
        return _failed(error)
    except (DBAPIError, psycopg.Error) as error:
        return _failed(database_error(error))
    except Exception as error:  # noqa: BLE001 - the edge: logged with its reference, and told on the page
        return _failed(internal_error(error))
    place = ", ".join(text for text in (found["location"]["locality"], _ward(found["location"]["wardCode"])) if text)
    steps = "".join(
        f"<li><strong>{html.escape(step['status'])}</strong><span>{html.escape(_day(step['date']) + ', ' + step['time'])}</span></li>"
        for step in found["timeline"]
    )
    body = (
        f'<p class="number">{html.escape(found["reportNumber"])}</p><h1>{html.escape(found["statusLabel"])}</h1>'
        f'<p class="place">{html.escape(place)}</p><h2>What happened so far</h2><ol>{steps}</ol>'
        '<p class="note">Times are local. This page shows no names. Look again later: it is always current.</p>'
    )
    return _html(f"{found['statusLabel']} · {found['reportNumber']}", body)


def _failed(error: AppError) -> Response:
    if error.status == 404:
        body = (
            "<h1>No report with this number</h1><p>Check the tracking ID: it has eight letters and digits, such as "
            "<code>7KD4WQ2M</code>. It was sent to the reporter by SMS.</p>"
        )
        return _html("Not found", body, 404)
    body = f'<h1>Not available just now</h1><p>{html.escape(error.message)}</p><p class="note">{error.code}</p>'
    answer = _html("Not available", body, error.status)
    if error.status == 503:
        answer.headers["Retry-After"] = "5"
    return answer


def _html(title: str, body: str, status: int = 200) -> Response:
    return HTMLResponse(_PAGE.substitute(title=html.escape(title), style=_STYLE, body=body), status, HEADERS)


def _normal(sent: str) -> str | None:
    """The id as it is stored; None for what cannot be one."""
    trimmed = sent.strip()
    if not trimmed or len(trimmed) > MAX_ID or not trimmed.isascii() or not trimmed.isprintable():
        return None
    if len(trimmed) != TRACKING_LENGTH:
        return trimmed  # a token: case matters
    typed = trimmed.upper()
    return typed if set(typed) <= set(ALPHABET) else None


def _ward(code: str | None) -> str | None:
    return f"ward {code}" if code else None


def _day(date: str) -> str:
    """2026-03-10 as 10 March 2026."""
    day = datetime.strptime(date, "%Y-%m-%d").date()  # noqa: DTZ007 - a calendar day, of the tenant's zone already
    return f"{day.day} {day:%B %Y}"
