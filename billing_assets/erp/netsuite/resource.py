"""NetSuite as a process sees it: account, mapping and this run's share of the account's concurrency."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, partial

from billing_assets.erp.billing_system.resource import BillingSystems
from billing_assets.erp.bindings import Named
from billing_assets.erp.netsuite import sample_files
from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.governance import heeding_governance
from billing_assets.erp.netsuite.mapping import NetSuiteMapping, load_mapping
from billing_assets.erp.netsuite.mapping_file import MappingError, read_prefixes
from billing_assets.erp.netsuite.recheck import Recheck, Source
from billing_assets.erp.netsuite.wire import named
from billing_assets.erp.settings import NetSuiteSettings
from billing_assets.foundation.runtime import Runtime
from billing_assets.posting.lanes import QUESTIONS, Lanes


class NetSuite:
    """The account that the settings name, and how documents become its transactions."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = runtime.settings.of(NetSuiteSettings)

    @cached_property
    def client(self) -> NetSuiteClient:
        """The client of the account."""
        return NetSuiteClient(self._settings)

    @cached_property
    def mapping(self) -> NetSuiteMapping:
        """The mapping to NetSuite's fields. Raises MappingError, and OnlyForTheSampleError for the sample's tables."""
        settings = self._runtime.settings
        found = load_mapping(settings.mapping)
        folder = settings.mapping.parent
        sample_files.refuse_sample_tables(settings, [folder / one.file for one in found.file.tables.values()])
        return found

    @property
    def in_sample(self) -> bool:
        """Whether NetSuite is a stand-in on this machine."""
        return sample_files.in_sample(self._runtime.settings)

    def named(self) -> Named:
        """What the settings, and the mapping file as it is now, name. A mapping that cannot be read is no matter here:
        what needs it says what is wrong. Raises SettingsError."""
        try:
            prefixes = read_prefixes(self._runtime.settings.mapping).by_kind()
        except MappingError:
            prefixes = {}
        return named(self._runtime.settings, prefixes)

    @contextmanager
    def lanes(self) -> Iterator[Lanes]:
        """This run's share of the account's concurrency, as far as settings and NetSuite allow."""
        lease_seconds = self._runtime.settings.batches.lease_seconds
        url, account = self._runtime.database_url, self.client.account
        with (
            Lanes(url, account, self._settings.lanes, at_first=QUESTIONS, lease_seconds=lease_seconds) as lanes,
            heeding_governance(self.client, lanes),
        ):
            yield lanes

    def recheck(self) -> Recheck:
        """The comparison with the billing system that a run makes of its batch before it sends anything."""
        sources = [
            Source(system.name, system.connection, partial(getattr, system, "queries"))
            for system in self._runtime.of(BillingSystems)
        ]
        return Recheck(sources, self._settings.outage_seconds)

    def close(self) -> None:
        """Closes the client's connections, if it was ever used."""
        if "client" in self.__dict__:
            self.client.close()
