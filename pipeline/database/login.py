"""Which rights a production login may have: those of our roles, taken one at a time, and no others."""

import psycopg

from pipeline.errors import AppError

_RIGHTS = """
    SELECT r.rolsuper, r.rolbypassrls, r.rolcreaterole,
           EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = 'sdcrs' AND pg_has_role(session_user, n.nspowner, 'MEMBER')) AS owns,
           EXISTS (SELECT FROM pg_roles o WHERE o.rolname = ANY (%(roles)s) AND pg_has_role(session_user, o.oid, 'USAGE')) AS inherits
    FROM pg_roles r WHERE r.rolname = session_user
"""
_WHAT = {
    "rolsuper": "is a superuser",
    "rolbypassrls": "has BYPASSRLS",
    "rolcreaterole": "may make roles",
    "owns": "may act as the owner of the tables",
    "inherits": "has the rights of our roles without taking one; make it NOINHERIT",
}


def check_login(conn: psycopg.Connection, prefix: str) -> None:
    """Refuse a login that could pass by row-level security. Raises SDCRS_UNSAFE_SETTINGS saying all that is wrong with it."""
    roles = [f"{prefix}_{name}" for name in ("app", "worker", "public", "audit", "backup")]
    cursor = conn.execute(_RIGHTS, {"roles": roles})
    row = cursor.fetchone()
    names = [column.name for column in cursor.description or ()]
    wrong = [_WHAT[name] for name, holds in zip(names, row or (), strict=True) if holds]
    if wrong:
        raise AppError("SDCRS_UNSAFE_SETTINGS", settings=["DATABASE_URL"], why=f"DATABASE_URL: the login {', '.join(wrong)}")
