"""The systems that the settings name, and passes over them."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.settings import Settings
from billing_assets.foundation.source_database.connection import open_source
from billing_assets.foundation.source_database.queries import shipped_queries
from billing_assets.metering.extraction.api_reader import Access, ApiReader
from billing_assets.metering.extraction.errors import ExtractionBusyError
from billing_assets.metering.extraction.extracting import Extracted, Source, extract
from billing_assets.metering.extraction.settings import MeteringApiSettings, MeteringSourceSettings
from billing_assets.metering.extraction.sql_reader import NAMES, SqlReader
from billing_assets.metering.import_engine.extracts.contract import RESOURCES, Resource


class System(NamedTuple):
    """A system with what is read of it, master data first."""

    source: Source
    resources: tuple[Resource, ...]


class Passed(NamedTuple):
    """Passes: what they did, and why others failed, by source and resource."""

    done: list[Extracted]
    failed: list[tuple[str, str, BillingError]]


@contextmanager
def opened_database(settings: MeteringSourceSettings) -> Iterator[SqlReader | None]:
    """The metering database, where the settings name one. Raises SourceError."""
    if settings.url is None:
        yield None
        return
    url = settings.url.get_secret_value()
    engine = open_source(
        url, lock_seconds=settings.lock_seconds, statement_seconds=settings.statement_seconds, names=NAMES
    )
    try:
        queries = settings.queries or shipped_queries(url, NAMES)
        yield SqlReader(engine, queries, timedelta(days=settings.window_days))
    finally:
        engine.dispose()


@contextmanager
def opened_api(settings: MeteringApiSettings) -> Iterator[ApiReader | None]:
    """The API, where the settings name one."""
    if settings.base_url is None:
        yield None
        return
    access = Access(
        base_url=settings.base_url,
        token_url=settings.token_url,
        client_id=settings.client_id.get_secret_value() if settings.client_id else "",
        client_secret=settings.client_secret.get_secret_value() if settings.client_secret else "",
        timeout_seconds=settings.timeout_seconds,
        longest_wait_seconds=settings.longest_wait_seconds,
        page_size=settings.page_size,
    )
    reader = ApiReader(access)
    try:
        yield reader
    finally:
        reader.close()


@contextmanager
def opened_systems(settings: Settings) -> Iterator[list[System]]:
    """The systems that are read. Raises SourceError."""
    database, api = settings.of(MeteringSourceSettings), settings.of(MeteringApiSettings)
    with opened_database(database) as sql_reader, opened_api(api) as api_reader:
        found = []
        if sql_reader is not None:
            found.append(_system(database, database.name, "sql", sql_reader))
        if api_reader is not None:
            found.append(_system(api, api.name, "api", api_reader))
        yield found


def _system(
    settings: MeteringSourceSettings | MeteringApiSettings, name: str, channel: str, reader: SqlReader | ApiReader
) -> System:
    source = Source(name, channel, reader.read, settings.overlap, settings.time_zone, settings.records_per_file)
    return System(source, tuple(RESOURCES[one] for one in RESOURCES if one in settings.resources))


def extract_each(connection: Connection, systems: list[System], names: Collection[str] = ()) -> Passed:
    """A pass over each resource (default: all that the settings name). One that fails costs no other; one that another
    process reads now is left to it."""
    found = Passed([], [])
    for source, resources in systems:
        for resource in resources:
            if names and resource.name not in names:
                continue
            try:
                with suppress(ExtractionBusyError):
                    found.done.append(extract(connection, source, resource))
            except BillingError as error:
                found.failed.append((source.name, resource.name, error))
    return found
