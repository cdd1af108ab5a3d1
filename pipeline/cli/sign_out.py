"""`sign-out`: a phone was lost or somebody left. Every session of the account ends; the account stays."""

import argparse
import sys

from sqlalchemy import text

from pipeline.access.sessions import sign_out_everywhere
from pipeline.errors import AppError
from pipeline.runtime import open_runtime
from pipeline.settings import Settings

EXAMPLES = """examples:
  python -m pipeline sign-out T12345              every session of T12345, console and API
  python -m pipeline sign-out T12345 --state dj   where two states have somebody of that name
"""
_FIND = text("""
    SELECT id, tenant_id, state_id FROM access.account
    WHERE username = :username AND (CAST(:state_id AS text) IS NULL OR state_id = :state_id) ORDER BY state_id LIMIT 2
""")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("username", metavar="USER", help="the user name")
    parser.add_argument("--state", metavar="STATE", help="the state's tenant, such as dj")


def run(args: argparse.Namespace, settings: Settings) -> int:
    with open_runtime(settings, pool_size=1) as rt:
        with rt.database.worker() as conn:
            found = conn.execute(_FIND, {"username": args.username, "state_id": args.state}).all()
        if not found:
            raise AppError("SDCRS_NOT_FOUND", kind="Account", id=args.username)
        if len(found) > 1:
            states = ", ".join(row.state_id for row in found)
            raise AppError("SDCRS_INVALID_REQUEST", field="--state", detail=f"is needed: there is such an account in {states}")
        ended = sign_out_everywhere(rt, found[0].id, found[0].tenant_id, None)
    print(f"{args.username}: {ended} sessions ended", file=sys.stderr)
    return 0
