"""What a process needs to work, built from its settings once and on first use: database, source, mapping, NetSuite."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Self

import sqlalchemy

from billing_assets import sample_files
from billing_assets.billing_system.connection import connect_source, open_source
from billing_assets.billing_system.identity import identity
from billing_assets.billing_system.queries import Queries, load_queries, shipped_queries
from billing_assets.billing_system.receivables import load_receivables_query
from billing_assets.domain import rules
from billing_assets.domain.business_days import Days, Zones
from billing_assets.domain.periods import ClosedMonths, LateDocuments
from billing_assets.journal.comparing import Compared
from billing_assets.journal.files import Journal
from billing_assets.netsuite import mapping as mapping_rules
from billing_assets.netsuite.client import NetSuiteClient
from billing_assets.netsuite.governance import heeding_governance
from billing_assets.netsuite.mapping import NetSuiteMapping, load_mapping
from billing_assets.netsuite.mapping_file import MappingError, read_prefixes
from billing_assets.netsuite.recheck import Recheck
from billing_assets.netsuite.wire import named
from billing_assets.posting.lanes import QUESTIONS, Lanes
from billing_assets.receivables.late_fee_rules import LateFeeRules, load_rules
from billing_assets.recovery import compared_journal
from billing_assets.settings import Settings, SettingsError, variable
from billing_assets.shipped import shipped
from billing_assets.staging.staging import Validation
from billing_assets.state import bindings, embedded
from billing_assets.state.bindings import Named
from billing_assets.state.database import Connection, connect
from billing_assets.state.urls import has_unquoted

DATABASE = "billing"
"""Name of our database on the embedded server."""


# The code that judges a document: when it changes, in an upgrade, every document is judged again.
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
        found = self.settings.source
        return open_source(self.source_url, lock_seconds=found.lock_seconds, statement_seconds=found.statement_seconds)

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
    def zones(self) -> Zones:
        """The time zone of each branch: what decides which business day it is."""
        return self.settings.calendar.zones

    def today(self) -> Days:
        """The business day of each branch now."""
        return self.zones.days(datetime.now(UTC))

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
        limit, seconds = self.settings.netsuite.lanes, self.settings.batches.lease_seconds
        account = self.netsuite.account
        with (
            Lanes(self.database_url, account, limit, at_first=QUESTIONS, lease_seconds=seconds) as lanes,
            heeding_governance(self.netsuite, lanes),
        ):
            yield lanes

    @contextmanager
    def state(self) -> Iterator[Connection]:
        """A connection to our PostgreSQL. A process stopped for longer than its lease loses its transaction too."""
        with connect(self.database_url, idle_transaction_seconds=self.settings.batches.lease_seconds) as connection:
            yield connection

    def compare(self, connection: Connection) -> None:
        """Refuses settings that name another account, environment or prefix than our database is bound to: called
        before anything is sent or looked up. Raises BoundElsewhereError.

        The mapping's prefixes are read again. A mapping that cannot be read is no matter here: what needs it says what
        is wrong.
        """
        bindings.compare(connection, self.named())

    def named(self) -> Named:
        """What the settings, and the mapping file as it is now, name. Raises SettingsError."""
        try:
            prefixes = read_prefixes(self.settings.mapping).by_kind()
        except MappingError:
            prefixes = {}
        return named(self.settings, prefixes)

    def compare_source(self) -> None:
        """Refuses a billing database that is not the one that our database was staged from. Raises
        BoundElsewhereError, and SourceError when it cannot be asked."""
        with self.billing_system():
            pass

    def journal(self, connection: Connection) -> Journal:
        """The journal, after the database was compared with it. Raises JournalError."""
        return self.compared_journal(connection)[0]

    def compared_journal(self, connection: Connection) -> tuple[Journal, Compared]:
        """The same, and what the comparison found."""
        return compared_journal(connection, self.settings)

    @contextmanager
    def billing_system(self, *, unbound: bool = False) -> Iterator[sqlalchemy.Connection]:
        """A connection to the billing database, in no transaction yet.

        Raises BoundElsewhereError where it is another one than our database was staged from, unless that does not
        matter (`unbound`).
        """
        with connect_source(self.source) as connection:
            if not unbound:
                found = identity(connection)
                connection.rollback()  # what is read later has its moment from then
                with self.state() as ours:
                    bindings.compare_source(ours, self.settings.source.name, found)
            yield connection

    def recheck(self) -> Recheck:
        """The comparison with the billing system that a run makes of its batch before it sends anything."""
        name, seconds = self.settings.source.name, self.settings.netsuite.outage_seconds
        return Recheck(name, self.billing_system, lambda: self.queries, seconds)


def validation_of(mapping: NetSuiteMapping, late: LateDocuments = "hold") -> Validation:
    """A mapping reduced to what staging needs of it, and what is to happen with what comes late."""
    digest = hashlib.sha256(mapping.digest + _RULES).digest()
    policy = replace(mapping.policy, closed=ClosedMonths(late=late))
    return Validation(policy, mapping.check, mapping.external_id, digest)


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
