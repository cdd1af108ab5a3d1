"""The addresses of one database. Knows no server: server.py and connect.py make them, migrations, tests and the pool use them."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from pipeline.errors import AppError


@dataclass(frozen=True)
class Urls:
    """Where the database is, for the application's login and for its owner. Never printed: they hold passwords."""

    app: str = field(repr=False)  # the NOINHERIT login: cannot change the schema, sees rows by role and scope
    owner_or_none: str | None = field(repr=False)  # None: an external server whose owner this process was not told
    maintenance: str | None = field(repr=False)  # the owner in another database, from where databases are made and dropped
    embedded: bool

    @property
    def owner(self) -> str:
        """Who may migrate. Raises SDCRS_BAD_SETTING when DATABASE_OWNER_URL is needed and not set."""
        if self.owner_or_none is None:
            raise AppError(
                "SDCRS_BAD_SETTING", setting="DATABASE_OWNER_URL", detail="needed to change the schema; set it beside DATABASE_URL"
            )
        return self.owner_or_none

    @property
    def admin(self) -> str:
        """From where this database may be copied or dropped, since nobody can while signed in to it. Raises like `owner`."""
        return self.maintenance or self.owner

    @property
    def login(self) -> str:
        """The role that the application signs in as, which `migrate` grants the five roles."""
        return urlsplit(self.app).username or ""

    def for_database(self, name: str) -> "Urls":
        """The same logins in another database of the same server."""
        owner = None if self.owner_or_none is None else with_database(self.owner_or_none, name)
        return Urls(app=with_database(self.app, name), owner_or_none=owner, maintenance=self.maintenance, embedded=self.embedded)


def with_database(url: str, name: str) -> str:
    """`url` with its database replaced; login, host and options stay."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
