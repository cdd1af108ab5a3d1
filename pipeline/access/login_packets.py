"""The packets of a sign-in, stage 01, as headers of its session. Codes, tokens and persons' values are in none of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from pipeline.access.caller import Caller
from pipeline.access.federation import Found
from pipeline.packets.catalogue import get
from pipeline.packets.log import PacketHeader, header_of, write_packets

# What the claims say of work and of the token itself; the rest are persons' values
KEPT_CLAIMS = (
    *("emp_id", "designation", "subject", "school_code", "school_name", "district_code", "district_name", "status", "joining_date"),
    *("iss", "aud", "exp", "iat"),
)
MAX_LINE = 256  # the longest school has fewer
BEFORE_THE_CODE = ("01/01", "01/02")


def record_login(
    conn: Connection,
    caller: Caller,
    found: Found,
    begun_at: datetime,
    now: datetime,
    redirect_uri: str,
    tokens: Mapping[str, Any],
    claims: Mapping[str, Any],
) -> None:
    """Append the headers of one sign-in of an app. Does not commit."""
    answered = _sane(tokens, ("token_type", "expires_in", "scope"))
    bodies: dict[str, Mapping[str, Any] | None] = {
        "01/01": {"redirect_uri": redirect_uri},
        "01/02": None,
        "01/04": {"redirect_uri": redirect_uri},
        "01/05": {"grant_type": "authorization_code", "redirect_uri": redirect_uri},
        "01/06": {**answered, "claims": _sane(claims, KEPT_CLAIMS)},
        "01/07": None,
        "01/08": None,
        "01/09": None,
        "01/10" if found.made else "01/11": None,
        "01/12": None,
    }
    write_packets(conn, [_header(caller, packet_id, body, begun_at, now) for packet_id, body in bodies.items()])


def _sane(said: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Those of the names that are said in a number or a line that can be stored."""
    kept = {name: said[name] for name in names if isinstance(said.get(name), str | int)}
    return {name: value for name, value in kept.items() if isinstance(value, int) or (len(value) <= MAX_LINE and value.isprintable())}


def _header(caller: Caller, packet_id: str, body: Mapping[str, Any] | None, begun_at: datetime, now: datetime) -> PacketHeader:
    at = begun_at if packet_id in BEFORE_THE_CODE else now
    return header_of(get(packet_id), caller.tenant_id, caller.session_id, at, kind="SESSION", key=str(caller.account_id), body=body)
