"""Contacts, fund accounts and validations: whom we pay, where, and whether the address is real. Equal ones are returned, not doubled."""

import hashlib
import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from pipeline.payouts.sandbox import refusals, rules, shapes
from pipeline.payouts.sandbox.box import Box
from pipeline.payouts.sandbox.ids import new_id
from pipeline.payouts.sandbox.outcomes import PAID
from pipeline.payouts.sandbox.payouts import due_of
from pipeline.payouts.sandbox.refusals import RefusedError
from pipeline.payouts.sandbox.replies import Reply, Request, ok

CONTACT_FIELDS = ("name", "email", "contact", "type", "reference_id", "notes")
FUND_ACCOUNT_FIELDS = ("contact_id", "account_type", "vpa")


def fingerprint(wanted: rules.NewContact) -> str:
    """The five values that make two contacts the same, as one hash; absent and empty differ."""
    five = [wanted.name, wanted.email, wanted.contact, wanted.type, wanted.reference_id]
    return hashlib.sha256(json.dumps(five).encode()).hexdigest()


def create_contact(box: Box, request: Request) -> Reply:
    """A new contact, or the one that equals it in all five values."""
    body = rules.parse(request.raw)
    rules.only(body, CONTACT_FIELDS)
    with box.engine.begin() as conn:
        return ok(shapes.contact(_contact(conn, rules.new_contact(body), box.now())))


def _contact(conn: Connection, wanted: rules.NewContact, now: datetime) -> RowMapping:
    mark = fingerprint(wanted)
    values = {**vars(wanted), "notes": json.dumps(wanted.notes), "id": new_id("cont"), "mark": mark, "now": now}
    row = (
        conn.execute(
            text(
                "INSERT INTO sandbox.contact (id, name, email, contact, type, reference_id, notes, active, fingerprint, created_at) "
                "VALUES (:id, :name, :email, :contact, :type, :reference_id, CAST(:notes AS jsonb), true, :mark, :now) "
                "ON CONFLICT (fingerprint) DO NOTHING RETURNING *"
            ),
            values,
        )
        .mappings()
        .one_or_none()
    )
    if row is not None:
        return row
    return conn.execute(text("SELECT * FROM sandbox.contact WHERE fingerprint = :mark"), {"mark": mark}).mappings().one()


def _one(conn: Connection, statement: str, row_id: str, field: str = "id") -> RowMapping:
    row = conn.execute(text(statement), {"id": row_id}).mappings().one_or_none()
    if row is None:
        raise RefusedError(refusals.UNKNOWN_ID, field=field)
    return row


def get_contact(box: Box, request: Request) -> Reply:
    contact_id = rules.check_id("cont", request.path["id"])
    with box.single.connect() as conn:
        return ok(shapes.contact(_one(conn, "SELECT * FROM sandbox.contact WHERE id = :id", contact_id)))


def update_contact(box: Box, request: Request) -> Reply:
    """Change a contact or (de)activate it; contacts are never deleted."""
    contact_id = rules.check_id("cont", request.path["id"])
    body = rules.parse(request.raw)
    rules.only(body, (*CONTACT_FIELDS, "active"))
    with box.engine.begin() as conn:
        old = _one(conn, "SELECT * FROM sandbox.contact WHERE id = :id FOR UPDATE", contact_id)
        wanted = rules.new_contact({**{name: old[name] for name in CONTACT_FIELDS}, **body})
        values = {
            **vars(wanted),
            "notes": json.dumps(wanted.notes),
            "active": rules.check_active(body) if "active" in body else old["active"],
            "mark": fingerprint(wanted),
            "id": contact_id,
        }
        # changed into the likeness of another: both stay, and the older answers for that likeness
        taken = text("SELECT EXISTS (SELECT 1 FROM sandbox.contact WHERE fingerprint = :mark AND id <> :id)")
        if conn.execute(taken, {"mark": values["mark"], "id": contact_id}).scalar():
            values["mark"] = None
        row = conn.execute(
            text(
                "UPDATE sandbox.contact SET name = :name, email = :email, contact = :contact, type = :type, reference_id = :reference_id, "
                "notes = CAST(:notes AS jsonb), active = :active, fingerprint = :mark WHERE id = :id RETURNING *"
            ),
            values,
        )
        return ok(shapes.contact(row.mappings().one()))


def create_fund_account(box: Box, request: Request) -> Reply:
    """A new fund account, or the one with the same contact and address."""
    body = rules.parse(request.raw)
    rules.only(body, FUND_ACCOUNT_FIELDS)
    if not body.get("contact_id"):
        raise RefusedError("The contact id field is required.", field="contact_id")
    contact_id = rules.check_id("cont", body["contact_id"], "contact_id")
    address = rules.vpa_address(body)
    with box.engine.begin() as conn:
        return ok(shapes.fund_account(_fund_account(conn, contact_id, address, box.now())))


def _fund_account(conn: Connection, contact_id: str, address: str, now: datetime) -> RowMapping:
    contact = _one(conn, "SELECT active FROM sandbox.contact WHERE id = :id", contact_id, "contact_id")
    if not contact["active"]:
        raise RefusedError(refusals.INACTIVE_CONTACT, field="contact_id")
    values = {"id": new_id("fa"), "contact_id": contact_id, "address": address, "now": now}
    row = (
        conn.execute(
            text(
                "INSERT INTO sandbox.fund_account (id, contact_id, address, active, created_at) "
                "VALUES (:id, :contact_id, :address, true, :now) ON CONFLICT (contact_id, address) DO NOTHING RETURNING *"
            ),
            values,
        )
        .mappings()
        .one_or_none()
    )
    if row is not None:
        return row
    same = text("SELECT * FROM sandbox.fund_account WHERE contact_id = :contact_id AND address = :address")
    return conn.execute(same, values).mappings().one()


def get_fund_account(box: Box, request: Request) -> Reply:
    account_id = rules.check_id("fa", request.path["id"])
    with box.single.connect() as conn:
        return ok(shapes.fund_account(_one(conn, "SELECT * FROM sandbox.fund_account WHERE id = :id", account_id)))


def update_fund_account(box: Box, request: Request) -> Reply:
    """(De)activate a fund account; nothing else of it can change."""
    account_id = rules.check_id("fa", request.path["id"])
    body = rules.parse(request.raw)
    rules.only(body, ("active",))
    active = rules.check_active(body)
    with box.engine.begin() as conn:
        _one(conn, "SELECT id FROM sandbox.fund_account WHERE id = :id FOR UPDATE", account_id)
        statement = text("UPDATE sandbox.fund_account SET active = :active WHERE id = :id RETURNING *")
        return ok(shapes.fund_account(conn.execute(statement, {"id": account_id, "active": active}).mappings().one()))


# Only constants become part of the statements; values are always bound.
CONTACT_FILTERS = {
    "name": "name = :name",
    "email": "email = :email",
    "contact": "contact = :contact",
    "reference_id": "reference_id = :reference_id",
    "type": "type = :type",
    "active": "active = (:active = '1')",
}
FUND_ACCOUNT_FILTERS = {"contact_id": "contact_id = :contact_id", "account_type": "CAST(:account_type AS text) = 'vpa'"}


def _listed(box: Box, request: Request, table: str, filters: dict[str, str]) -> list[RowMapping]:
    page = rules.page(request.query, filters)
    where = [filters[name] for name in page.filters] + [
        "(CAST(:since AS timestamptz) IS NULL OR created_at >= :since)",
        "(CAST(:until AS timestamptz) IS NULL OR created_at < :until)",
    ]
    values: dict[str, Any] = {**page.filters, "count": page.count, "skip": page.skip}
    values.update(since=page.created_from, until=page.created_to)
    statement = f"SELECT * FROM {table} WHERE {' AND '.join(where)} ORDER BY seq DESC LIMIT :count OFFSET :skip"  # noqa: S608
    with box.single.connect() as conn:
        return list(conn.execute(text(statement), values).mappings())


def list_contacts(box: Box, request: Request) -> Reply:
    """Contacts, newest first."""
    rows = _listed(box, request, "sandbox.contact", CONTACT_FILTERS)
    return ok(shapes.collection(shapes.contact(row) for row in rows))


def list_fund_accounts(box: Box, request: Request) -> Reply:
    """Fund accounts, newest first."""
    rows = _listed(box, request, "sandbox.fund_account", FUND_ACCOUNT_FILTERS)
    return ok(shapes.collection(shapes.fund_account(row) for row in rows))


VALIDATION_FIELDS = (
    "account_number",
    "source_account_number",
    "validation_type",
    "reference_id",
    "notes",
    "fund_account",
    "amount",
    "currency",
)


def create_validation(box: Box, request: Request) -> Reply:
    """Ask whether a VPA is real; the answer comes after the usual delay."""
    if not box.switches.validations:
        raise refusals.bad_url()
    body = rules.parse(request.raw)
    rules.only(body, VALIDATION_FIELDS)
    rules.check_account(body.get("source_account_number") or body.get("account_number"), box.config.account_number)
    wanted = body.get("fund_account")
    if not isinstance(wanted, dict) or not wanted:
        raise RefusedError("The fund account field is required.", field="fund_account")
    now = box.now()
    with box.engine.begin() as conn:
        account = _validated_account(conn, wanted, now)
        values = {
            "id": new_id("fav"),
            "account": account["id"],
            "reference_id": rules.check_text(body, "reference_id", rules.REFERENCE_MAX),
            "notes": json.dumps(rules.check_notes(body)),
            "due_at": due_of(box, PAID[0], now),
            "now": now,
        }
        row = conn.execute(
            text(
                "INSERT INTO sandbox.validation (id, fund_account_id, reference_id, notes, status, due_at, created_at) "
                "VALUES (:id, :account, :reference_id, CAST(:notes AS jsonb), 'created', :due_at, :now) RETURNING *"
            ),
            values,
        )
        entity = shapes.validation(row.mappings().one(), account)
    if values["due_at"] is not None:
        box.life_bell.ring(values["due_at"])
    return ok(entity)


def _validated_account(conn: Connection, wanted: dict[str, Any], now: datetime) -> RowMapping:
    if "id" in wanted:
        rules.only(wanted, ("id",))
        account_id = rules.check_id("fa", wanted["id"], "fund_account.id")
        return _one(conn, "SELECT * FROM sandbox.fund_account WHERE id = :id", account_id, "fund_account.id")
    rules.only(wanted, ("account_type", "vpa", "contact", "contact_id"))
    address = rules.vpa_address(wanted)
    person = wanted.get("contact")
    if not isinstance(person, dict):
        raise RefusedError("The fund account.contact field is required.", field="fund_account.contact")
    rules.only(person, CONTACT_FIELDS)
    contact = _contact(conn, rules.new_contact(person), now)
    return _fund_account(conn, contact["id"], address, now)


VALIDATIONS = "SELECT v.* FROM sandbox.validation AS v"


def _with_accounts(conn: Connection, rows: list[RowMapping]) -> list[shapes.Entity]:
    wanted = list({row["fund_account_id"] for row in rows})
    found = conn.execute(text("SELECT * FROM sandbox.fund_account WHERE id = ANY (:ids)"), {"ids": wanted}).mappings()
    accounts = {row["id"]: row for row in found}
    return [shapes.validation(row, accounts[row["fund_account_id"]]) for row in rows]


def get_validation(box: Box, request: Request) -> Reply:
    validation_id = rules.check_id("fav", request.path["id"])
    with box.single.connect() as conn:
        row = _one(conn, "SELECT * FROM sandbox.validation WHERE id = :id", validation_id)
        return ok(_with_accounts(conn, [row])[0])


def list_validations(box: Box, request: Request) -> Reply:
    """Validations, newest first."""
    rows = _listed(box, request, "sandbox.validation", {"account_number": "CAST(:account_number AS text) <> ''"})
    with box.single.connect() as conn:
        return ok(shapes.collection(_with_accounts(conn, rows)))
