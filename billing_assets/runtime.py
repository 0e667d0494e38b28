"""What a process needs to work, built from its settings once and on first use: database, source, mapping, NetSuite."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import sqlalchemy

from billing_assets import sample_files
from billing_assets.billing_system.connection import connect_source, open_source
from billing_assets.billing_system.queries import Queries, load_queries, shipped_queries
from billing_assets.billing_system.receivables import load_receivables_query
from billing_assets.domain import rules
from billing_assets.domain.periods import ClosedMonths, LateDocuments
from billing_assets.netsuite import mapping as mapping_rules
from billing_assets.netsuite.client import NetSuiteClient
from billing_assets.netsuite.governance import heed_governance
from billing_assets.netsuite.lanes import Lanes
from billing_assets.netsuite.mapping import NetSuiteMapping, load_mapping
from billing_assets.receivables.late_fee_rules import LateFeeRules, load_rules
from billing_assets.settings import Settings, SettingsError, variable
from billing_assets.shipped import shipped
from billing_assets.staging.staging import Validation
from billing_assets.state import embedded
from billing_assets.state.database import Connection, connect

DATABASE = "billing"
"""Name of our database on the embedded server."""


# The code that judges a document: when it changes, in an upgrade, every document is judged anew.
_RULES = b"".join(Path(str(code.__file__)).read_bytes() for code in (rules, mapping_rules))


@dataclass(frozen=True)
class Runtime:
    """The outside world of one process. Everything on it is made on first use and kept.

    `may_start_server`: the `billing` command may start the embedded database. Dagster's processes may not: on a machine
    whose environment lacks our database's address they would work on an empty one.
    """

    settings: Settings
    may_start_server: bool = True

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

    @cached_property
    def source_url(self) -> str:
        """The billing database. Raises SettingsError when none is set."""
        if self.settings.source.url is None:
            raise SettingsError(
                f"{variable('source.url')} is not set: it names the billing database, e.g. "
                "mssql+pyodbc://user:password@host/billing?driver=ODBC+Driver+18+for+SQL+Server. "
                "`make run` sets it for the sample."
            )
        return self.settings.source.url.get_secret_value()

    @cached_property
    def source(self) -> sqlalchemy.Engine:
        """Read-only engine on the billing database."""
        return open_source(self.source_url)

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
        return self.settings.source.queries or shipped_queries(self.source_url)

    @cached_property
    def mapping(self) -> NetSuiteMapping:
        """The mapping to NetSuite's fields. Raises MappingError, and OnlyForTheSampleError for the sample's tables."""
        found = load_mapping(self.settings.mapping)
        folder = self.settings.mapping.parent
        sample_files.refuse_sample_tables(self.settings, [folder / one.file for one in found.file.tables.values()])
        return found

    @property
    def in_sample(self) -> bool:
        """Whether NetSuite is a stand-in on this machine."""
        return sample_files.in_sample(self.settings)

    @cached_property
    def late_fee_rules(self) -> LateFeeRules:
        """The rules of late fees; none where no file is set. Raises LateFeeError, and OnlyForTheSampleError."""
        path = self.settings.receivables.late_fees
        if path is None:
            return LateFeeRules()
        found = load_rules(path)
        sample_files.refuse_sample_late_fees(self.settings, same=found == load_rules(shipped("config/late_fees.yaml")))
        return found

    @cached_property
    def validation(self) -> Validation:
        """The mapping as staging sees it."""
        return validation_of(self.mapping, self.settings.close.late_documents)

    @cached_property
    def netsuite(self) -> NetSuiteClient:
        """The client of the NetSuite account."""
        return NetSuiteClient(self.settings.netsuite)

    @contextmanager
    def opened(self) -> Iterator[Self]:
        """This runtime for a block; what was opened in it is closed at its end."""
        try:
            yield self
        finally:
            if "source" in self.__dict__:
                self.source.dispose()
            if "netsuite" in self.__dict__:
                self.netsuite.close()

    @contextmanager
    def lanes(self) -> Iterator[Lanes]:
        """This run's share of the account's concurrency, as far as settings and NetSuite allow."""
        limit, lease_seconds = self.settings.netsuite.lanes, self.settings.batches.lease_seconds
        account = self.settings.netsuite.account
        with Lanes(self.database_url, account, limit, lease_seconds=lease_seconds) as lanes:
            heed_governance(self.netsuite, lanes)
            yield lanes

    @contextmanager
    def state(self) -> Iterator[Connection]:
        """A connection to our PostgreSQL. A process stopped for longer than its lease loses its transaction too."""
        with connect(self.database_url, idle_transaction_seconds=self.settings.batches.lease_seconds) as connection:
            yield connection

    @contextmanager
    def billing_system(self) -> Iterator[sqlalchemy.Connection]:
        """A connection to the billing database."""
        with connect_source(self.source) as connection:
            yield connection


def validation_of(mapping: NetSuiteMapping, late: LateDocuments = "hold") -> Validation:
    """A mapping reduced to what staging needs of it, and what is to happen with what comes late."""
    digest = hashlib.sha256(mapping.digest + _RULES).digest()
    policy = replace(mapping.policy, closed=ClosedMonths(late=late))
    return Validation(policy, mapping.check, mapping.external_id, digest)


def _postgresql_url(url: str) -> str:
    try:
        is_ours = sqlalchemy.make_url(url).get_backend_name() == "postgresql"
    except sqlalchemy.exc.ArgumentError:
        is_ours = False
    if not is_ours:  # the URL itself may hold a password: it is not shown
        raise SettingsError(
            f"{variable('database_url')} is no PostgreSQL URL. Write postgresql+psycopg://user:password@host/database."
        )
    return url
