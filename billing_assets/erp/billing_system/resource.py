"""The billing systems as a process sees them: made from the settings, each opened on first use."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import sqlalchemy

from billing_assets.erp import bindings
from billing_assets.erp.billing_system.identity import identity
from billing_assets.erp.billing_system.queries import Queries, load_queries
from billing_assets.erp.billing_system.receivables import load_receivables_query
from billing_assets.erp.settings import BillingSource, SourceSettings, source_names, sources
from billing_assets.foundation.runtime import BoundElsewhereError, Runtime
from billing_assets.foundation.settings import SettingsError
from billing_assets.foundation.source_database.connection import connect_source, open_source
from billing_assets.foundation.source_database.queries import shipped_queries

_OURS = "our own database"


class BillingSystem:
    """A billing database and the queries that read it; the first of the settings where none is named."""

    def __init__(self, runtime: Runtime, source: BillingSource | None = None) -> None:
        self._runtime = runtime
        self._settings = runtime.settings.of(SourceSettings)
        self._source = source or sources(runtime.settings)[0]

    @property
    def name(self) -> str:
        """Of the source: part of the key of each of its documents."""
        return self._source.name

    @cached_property
    def url(self) -> str:
        """Of the billing database. Raises SettingsError when none is set."""
        if self._source.url is None and self._source.is_ours:
            return self._runtime.database_url
        if self._source.url is None:
            raise SettingsError(
                f"{self._source.setting} is not set: it names the billing database, e.g. "
                "mssql+pyodbc://user:password@host/billing?driver=ODBC+Driver+18+for+SQL+Server. "
                "`make run` sets it for the sample."
            )
        return self._source.url.get_secret_value()

    @cached_property
    def engine(self) -> sqlalchemy.Engine:
        """Read-only engine on the billing database."""
        found = self._settings
        return open_source(self.url, lock_seconds=found.lock_seconds, statement_seconds=found.statement_seconds)

    @cached_property
    def queries(self) -> Queries:
        """The extraction queries: the integrator's, or those shipped for the source's engine."""
        return load_queries(self._queries_folder)

    @cached_property
    def receivables_query(self) -> str:
        """The integrator's query of open balances. Raises QueriesMissing where there is none."""
        return load_receivables_query(self._queries_folder)

    @property
    def _queries_folder(self) -> Path:
        return self._source.queries or shipped_queries(self.url)

    @contextmanager
    def connection(self, *, unbound: bool = False) -> Iterator[sqlalchemy.Connection]:
        """A connection to the billing database, in no transaction yet.

        Raises BoundElsewhereError where it is another one than our database was staged from, unless that does not
        matter (`unbound`).
        """
        with connect_source(self.engine) as connection:
            if not unbound:
                found = self.identity(connection)
                with self._runtime.state() as ours:
                    names = source_names(self._runtime.settings)
                    bindings.compare_source(ours, self.name, found, names, self._source.setting)
            yield connection

    def identity(self, connection: sqlalchemy.Connection) -> str:
        """Which database a connection to it leads to; the transaction is ended. Our own is itself wherever it moves.

        Raises SourceError where it cannot be asked, and BoundElsewhereError where a URL of ours leads elsewhere.
        """
        found = identity(connection)
        connection.rollback()  # what is read later has its moment from then
        if not self._source.is_ours:
            return found
        if self._source.url is not None:
            self._compare_with_ours(found)
        return _OURS

    def _compare_with_ours(self, found: str) -> None:
        engine = open_source(self._runtime.database_url)
        try:
            with connect_source(engine) as connection:
                ours = identity(connection)
        finally:
            engine.dispose()
        if ours != found:
            raise BoundElsewhereError(
                f"{self._source.setting} leads to {found}, and our own database is {ours}. Nothing was read there. "
                "Correct it: the same database, as a role that may only read."
            )

    def compare(self) -> None:
        """Refuses a billing database that is not the one that our database was staged from. Raises
        BoundElsewhereError, and SourceError when it cannot be asked."""
        with self.connection():
            pass

    def close(self) -> None:
        """Closes the engine's connections, if it was ever opened."""
        if "engine" in self.__dict__:
            self.engine.dispose()


class BillingSystems:
    """Every billing system of the settings, the first one first."""

    def __init__(self, runtime: Runtime) -> None:
        self._further = [BillingSystem(runtime, source) for source in sources(runtime.settings)[1:]]
        self._all = (runtime.of(BillingSystem), *self._further)

    def __iter__(self) -> Iterator[BillingSystem]:
        return iter(self._all)

    def named(self, name: str) -> BillingSystem:
        """The one of this name. Raises SettingsError where the settings have none."""
        for one in self:
            if one.name == name:
                return one
        raise SettingsError(f"There is no source {name}: the settings name {', '.join(one.name for one in self)}.")

    def close(self) -> None:
        """Closes the further ones; the first is the runtime's own."""
        for one in self._further:
            one.close()
