"""What every room needs of a process: its settings and our database; and what rooms make of them, once each."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, Self, TypeVar

import sqlalchemy

from billing_assets.areas import verbs
from billing_assets.foundation.database import embedded
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.database.urls import has_unquoted
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.settings import Settings, SettingsError, variable

DATABASE = "billing"
"""Name of our database on the embedded server."""


class BoundElsewhereError(SettingsError):
    """The settings name another account, environment, source or prefix than this database belongs to."""

    chapter = "what-a-database-belongs-to"


class Resource(Protocol):
    """A room's outside world (a client, a database of the customer's): made from a runtime on first use, closed with
    it."""

    def __init__(self, runtime: "Runtime") -> None: ...

    def close(self) -> None:
        """Gives back what was opened."""
        ...


R = TypeVar("R", bound=Resource)


@dataclass(frozen=True)
class Runtime:
    """Settings and database of one process, and the resources of its rooms.

    `may_start_server`: the `billing` command may start the embedded database. Dagster's processes may not: on a machine
    whose environment lacks our database's address they would work on an empty one.
    """

    settings: Settings
    may_start_server: bool = True
    _resources: dict[type[Resource], Resource] = field(default_factory=dict, init=False, repr=False, compare=False)

    def started(self) -> None:
        """Raises why it could not start, if it could not."""

    def of(self, kind: type[R]) -> R:
        """A room's resource, the same one every time."""
        found = self._resources.get(kind)
        if not isinstance(found, kind):
            found = self._resources[kind] = kind(self)
        return found

    @cached_property
    def database_url(self) -> str:
        """Our PostgreSQL; the embedded one is started where no other is set. Raises SettingsError for a wrong URL."""
        if self.settings.database_url is not None:
            return _postgresql_url(self.settings.database_url.get_secret_value())
        if not self.may_start_server:
            raise SettingsError(
                f"{variable('database_url')} is not set, and a process of Dagster starts no database of its own. "
                "`billing up` and `billing run` set it for theirs; for Dagster's own commands load <home>/env, which "
                "`billing init` writes. Where several machines work together, each needs the address of the one "
                "database that all of them share."
            )
        server = embedded.start(self.settings.home)
        embedded.create_database(server.url(), DATABASE)
        return server.url(DATABASE)

    @contextmanager
    def opened(self) -> Iterator[Self]:
        """This runtime for a block; what its rooms opened in it is closed at its end."""
        try:
            yield self
        finally:
            while self._resources:
                self._resources.popitem()[1].close()

    @contextmanager
    def state(self) -> Iterator[Connection]:
        """A connection to our PostgreSQL. A process stopped for longer than its lease loses its transaction too."""
        with connect(self.database_url, idle_transaction_seconds=self.settings.batches.lease_seconds) as connection:
            yield connection

    def compare(self, connection: Connection) -> None:
        """Refuses settings that do not fit our database: called before anything is sent or looked up.

        Raises BoundElsewhereError, e.g. where they name another account, environment or prefix than it is bound to.
        """
        for compare in verbs("guards", "compare", self.settings.areas):
            compare(self, connection)


@dataclass(frozen=True)
class NotStarted(Runtime):
    """A runtime that could not start, and why: it gives its settings and nothing else."""

    error: Exception = field(default_factory=BillingError, kw_only=True)

    def started(self) -> None:
        """Raises why it could not start."""
        raise self.error

    def of(self, kind: type[R]) -> R:
        """Raises why it could not start."""
        raise self.error

    @property
    def database_url(self) -> str:
        """Raises why it could not start."""
        raise self.error


def _postgresql_url(url: str) -> str:
    try:
        parsed = sqlalchemy.make_url(url)
        is_ours = parsed.get_backend_name() == "postgresql" and not has_unquoted(url, parsed)
    except (sqlalchemy.exc.ArgumentError, ValueError):  # a port that is none
        is_ours = False
    if not is_ours:  # the URL itself may hold a password: it is not shown
        raise SettingsError(
            f"{variable('database_url')} is no PostgreSQL URL. Write postgresql+psycopg://user:password@host/database, "
            "and in user and password %40 for @, %3F for ?, %2F for /."
        )
    return url
