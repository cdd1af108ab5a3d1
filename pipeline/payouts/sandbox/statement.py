"""The account statement and the balance, read only."""

from typing import Any

from sqlalchemy import Connection, RowMapping, text

from pipeline.payouts.sandbox import refusals, rules, shapes
from pipeline.payouts.sandbox.box import Box
from pipeline.payouts.sandbox.refusals import RefusedError
from pipeline.payouts.sandbox.replies import Reply, Request, ok

ACCOUNT_TYPES = ("current_account", "razorpayx_lite")


def _entities(conn: Connection, rows: list[RowMapping]) -> list[shapes.Entity]:
    wanted = list({row["payout_id"] for row in rows if row["payout_id"]})
    found = conn.execute(text("SELECT * FROM sandbox.payout WHERE id = ANY (:ids)"), {"ids": wanted}).mappings()
    payouts = {row["id"]: row for row in found}
    return [shapes.transaction(row, payouts.get(row["payout_id"])) for row in rows]


def listed(box: Box, request: Request) -> Reply:
    """Statement lines, newest first. `balance` is the account's balance after the line."""
    rules.check_account(request.query.get("account_number"), box.config.account_number)
    page = rules.page(request.query, ("account_number",))
    values: dict[str, Any] = {**page.filters, "count": page.count, "skip": page.skip}
    values.update(since=page.created_from, until=page.created_to)
    statement = text(
        "SELECT * FROM sandbox.transaction WHERE account_number = :account_number "
        "AND (CAST(:since AS timestamptz) IS NULL OR created_at >= :since) "
        "AND (CAST(:until AS timestamptz) IS NULL OR created_at < :until) "
        "ORDER BY seq DESC LIMIT :count OFFSET :skip"
    )
    with box.single.connect() as conn:
        return ok(shapes.collection(_entities(conn, list(conn.execute(statement, values).mappings()))))


def get(box: Box, request: Request) -> Reply:
    """One statement line."""
    transaction_id = rules.check_id("txn", request.path["id"])
    with box.single.connect() as conn:
        rows = list(conn.execute(text("SELECT * FROM sandbox.transaction WHERE id = :id"), {"id": transaction_id}).mappings())
        if not rows:
            raise RefusedError(refusals.UNKNOWN_ID, field="id")
        return ok(_entities(conn, rows)[0])


def balances(box: Box, request: Request) -> Reply:
    """The balance of the one account."""
    rules.only(request.query, ("account_type", "bank_code"))
    kind = request.query.get("account_type")
    if kind and kind not in ACCOUNT_TYPES:
        raise RefusedError("The selected account type is invalid.", field="account_type")
    with box.single.connect() as conn:
        statement = text("SELECT * FROM sandbox.account WHERE account_number = :number")
        rows = conn.execute(statement, {"number": box.config.account_number}).mappings().all()
    shown = rows if kind in (None, "", "razorpayx_lite") and not request.query.get("bank_code") else []
    return ok(shapes.collection(shapes.balance(row, int(box.now().timestamp())) for row in shown))
