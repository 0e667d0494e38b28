"""A metering system on a real PostgreSQL, what is written into it, and a pass over it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from billing_assets.foundation.database.connection import Connection, libpq_url
from billing_assets.foundation.shipped import shipped
from billing_assets.foundation.source_database.connection import open_source
from billing_assets.metering.extraction.extracting import Extracted, Source, extract
from billing_assets.metering.extraction.sql_reader import NAMES, SqlReader
from billing_assets.metering.import_engine.extracts.contract import RESOURCES
from billing_assets_tests.rooms.metering.inboxes import run

NMI = "NMI0000001"
JULY = datetime(2026, 7, 1, tzinfo=UTC)
OVERLAP = timedelta(minutes=10)
WINDOW = timedelta(days=36_500)


class MeteringSystem:
    """The customer's database, as its own software writes it. `now`: the time that its next change gets."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.now = JULY + timedelta(days=5)
        with self.connection() as connection:
            connection.execute(shipped("sql/source/metering_sample.sql").read_bytes())

    @contextmanager
    def connection(self) -> Iterator["psycopg.Connection[Any]"]:
        with psycopg.connect(libpq_url(self.url)) as connection:
            yield connection

    def write(self, table: str, **values: Any) -> None:
        """Inserts a row, changed now."""
        values = {"updated_at": self.now, **values}
        names, places = ", ".join(values), ", ".join(["%s"] * len(values))
        with self.connection() as connection:
            statement = f"insert into {table} ({names}) values ({places})"  # noqa: S608 (names of the test)
            connection.execute(statement.encode(), list(values.values()))

    def execute(self, statement: str, *values: Any) -> None:
        with self.connection() as connection:
            connection.execute(statement.encode(), values)

    def point(self, nmi: str = NMI) -> None:
        """A point with an account, a device, and a register with multiplier and five dials."""
        since = datetime(2020, 1, 1, tzinfo=UTC).date()
        self.write("supply_points", nmi=nmi, valid_from=since, zone="Australia/Brisbane")
        self.write("supplies", nmi=nmi, account=f"A-{nmi}", supplied_from=since)
        self.write("metering_devices", device_id=f"D-{nmi}", nmi=nmi, serial_number="M1", installed_from=since)
        self.write(
            "metering_registers",
            device_id=f"D-{nmi}",
            register="1",
            suffix="11",
            digits=5,
            multiplier=10,
            unit="kWh",
            valid_from=since,
        )

    def reading(self, day: int, value: int, *, version: int = 1, quality: str = "A", nmi: str = NMI) -> None:
        """A read of a day of July."""
        at = JULY + timedelta(days=day - 1)
        values = {"device_id": f"D-{nmi}", "register": "1", "read_at": at, "value": value, "quality": quality}
        self.write("register_reads", **values, version=version)

    def day(self, day: int, *numbers: str, nmi: str = NMI) -> None:
        """Half hours of a day of July in Brisbane, from its beginning."""
        begins = JULY + timedelta(days=day - 1, hours=-10)
        for n, value in enumerate(numbers):
            at = {"day": begins.date() + timedelta(days=1), "starts_at": begins + timedelta(minutes=30 * n)}
            values = {"nmi": nmi, "suffix": "E1", "serial_number": "M1", "unit": "kWh", "length_seconds": 1800}
            self.write("interval_values", **values, **at, value=value, quality="A")

    def price(self, valid_from: str, valid_until: str | None, price: str, component: str = "energy") -> None:
        values = {"tariff": "HOME", "component": component, "valid_from": valid_from, "valid_until": valid_until}
        self.write("tariff_components", **values, price=price, unit="kWh", currency="AUD")


def sql_source(url: str, *, records_per_file: int = 100_000) -> Source:
    """The system as a source, by the shipped queries."""
    reader = SqlReader(open_source(url, names=NAMES), shipped("sql/source/postgresql"), WINDOW)
    return Source("metering", "sql", reader.read, OVERLAP, "Australia/Brisbane", records_per_file)


def extract_all(connection: Connection, source: Source, *names: str) -> list[Extracted]:
    """A pass over resources (default: all)."""
    return [extract(connection, source, RESOURCES[name]) for name in names or RESOURCES]


def passed(state: Connection, state_url: str, source: Source, *names: str) -> dict[str, Extracted]:
    """A pass, and what it brought is read."""
    found = extract_all(state, source, *names)
    run(state_url)
    return {one.resource: one for one in found}


def registers(state: Connection) -> list[tuple[Any, ...]]:
    """The register readings that count: begin and end by day, quantity, quality, reads."""
    rows = state.execute(
        """
        select begins_at, ends_at, quantity, end_quality, begin_read, end_read from billing.register_readings
        where state = 'current' order by ends_at, begins_at"""
    )
    return [
        (
            row["begins_at"].day,
            row["ends_at"].day,
            int(row["quantity"]),
            row["end_quality"],
            row["begin_read"],
            row["end_read"],
        )
        for row in rows
    ]


def intervals(state: Connection) -> list[tuple[Any, ...]]:
    """The interval readings that count: day and values."""
    rows = state.execute(
        "select day, values, decimals from billing.interval_readings where state = 'current' order by day"
    )
    return [(row["day"].day, [int(value) for value in row["values"]], row["decimals"]) for row in rows]
