"""Puts the sample into its billing database, all at once or in waves. Loading is safe to repeat.

`url` is the URL of the sample's own database throughout, as SQLAlchemy or libpq write it. These functions write to it:
never give them a customer's database.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from sqlalchemy import make_url

from billing_assets.foundation.errors import BillingError
from billing_assets.sandbox.samples.contacts import contact
from billing_assets.sandbox.samples.contracts import contract_number, contract_services
from billing_assets.sandbox.samples.data import ALL, Sample, SampleDocument, read_sample
from billing_assets.sandbox.samples.tables import customer_name, customers
from billing_assets.sandbox.samples.waves import schedule

_SCHEMA = Path(__file__).with_name("schema.sql")
_FIRST_TABLES = ["customers", "invoice_lines", "invoices"]
_TABLES = [*_FIRST_TABLES, "contracts", "contract_services", "credit_applications"]  # a sample made earlier has less
_LOADER_LOCK = 0x5A3B1E  # one loader at a time, so that no document is created twice
_PAYMENT_TERM = timedelta(days=30)
_TERMS = "NET30"
_ROWS_PER_WRITE = 50_000


class NotTheSampleError(BillingError):
    """The database holds something else. Nothing was written to it."""

    def __init__(self, tables: Sequence[str]) -> None:
        self.tables = tables
        super().__init__(
            f"This database holds other tables ({', '.join(tables[:3])}, …), so the sample is not loaded into it. "
            "Give BILLING_SOURCE__URL an empty PostgreSQL database, or unset it."
        )


class WaveResult(NamedTuple):
    """What one wave did: documents created, and documents that became closed (at creation or later)."""

    created: int
    closed: int


def create_sample_schema(url: str) -> None:
    """Create the tables of the sample billing system in an empty database; harmless if they are there.

    Raises NotTheSampleError for a database with other tables: it may be somebody's billing system.
    """
    with _connect(url) as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = ANY(current_schemas(false)) ORDER BY 1"
            )
        ]
        ours = connection.execute(
            "SELECT FROM pg_constraint WHERE conname = 'invoices_kind' AND conrelid = to_regclass('invoices')"
        ).fetchone()
        if tables and (not set(_FIRST_TABLES) <= set(tables) <= set(_TABLES) or ours is None):
            raise NotTheSampleError(tables)
        connection.execute(_SCHEMA.read_bytes())


def load_customers(url: str) -> int:
    """Create the customers of the data set; returns how many were new."""
    with _connect(url) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO customers AS c (customer_no, name, country, email, language, country_code)"
            " VALUES (%s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (customer_no) DO UPDATE SET"
            " (email, language, country_code) = (excluded.email, excluded.language, excluded.country_code)"
            " WHERE c.country_code IS NULL AND excluded.country_code IS NOT NULL",
            [(number, customer_name(number), country, *contact(number, country)) for number, country in customers()],
        )
        return cursor.rowcount


def load_contracts(url: str) -> int:
    """Create the contracts of the data set with their services; returns how many services were new."""
    with _connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOADER_LOCK])
        if cursor.execute("SELECT 1 FROM contract_services LIMIT 1").fetchone():
            return 0
        found = contract_services()
        contracts = {(one.contract, one.customer, one.country) for one in found}
        with cursor.copy("COPY contracts (contract_no, customer_no, country) FROM STDIN") as copy:
            for row in sorted(contracts):
                copy.write_row(row)
        with cursor.copy(
            "COPY contract_services (contract_no, service, description, starts_on, ends_on, charged) FROM STDIN"
        ) as copy:
            for one in found:
                copy.write_row((one.contract, one.service, one.description, one.starts_on, one.ends_on, one.charged))
        return len(found)


def load_sample(url: str, period: str = ALL) -> WaveResult:
    """Create schema and customers and load a whole period (`YYYY-MM` or `all`) at once, everything closed."""
    create_sample_schema(url)
    load_customers(url)
    return load_wave(url, period, wave=1, waves=1)


def load_wave(url: str, period: str, wave: int, waves: int) -> WaveResult:
    """Bring the database to where it stands after `wave` of `waves` (1-based): create and close what is still missing.

    A wave that already ran, or that a later one overtook, does nothing. Raises ValueError for a period without
    documents or a wave out of range, psycopg.Error where the database refuses.
    """
    if not 1 <= wave <= waves:
        raise ValueError(f"Wave {wave} is not one of 1 to {waves}.")
    sample = read_sample(period)
    plan = schedule(sample.documents, waves)
    with _connect(url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOADER_LOCK])
        due = [number.number for number, when in zip(sample.documents, plan, strict=True) if when.created <= wave]
        found = connection.execute("SELECT number FROM invoices WHERE number = ANY(%s)", [due])
        present = {number for (number,) in found}
        new = [
            rank
            for rank, document in enumerate(sample.documents)
            if plan[rank].created <= wave and document.number not in present
        ]
        statuses = ["closed" if plan[rank].closed <= wave else "open" for rank in new]
        _create(connection, sample, new, statuses)
        closing = [d.number for d, when in zip(sample.documents, plan, strict=True) if when.closed <= wave]
        closed = connection.execute(
            "UPDATE invoices SET status = 'closed' WHERE status = 'open' AND number = ANY(%s)", [closing]
        )
        return WaveResult(created=len(new), closed=closed.rowcount + statuses.count("closed"))


def _create(connection: psycopg.Connection[Any], sample: Sample, ranks: Sequence[int], statuses: Sequence[str]) -> None:
    """Insert documents by COPY. `created_at` is left to the database's clock: the pipeline finds new documents by it,
    so it must be when the row came to be, not the business time of 2009."""
    if not ranks:
        return
    ids = [
        row[0]
        for row in connection.execute(
            "SELECT nextval(pg_get_serial_sequence('invoices', 'id')) FROM generate_series(1, %s)", [len(ranks)]
        )
    ]
    with connection.cursor() as cursor:
        with cursor.copy(
            "COPY invoices (id, number, kind, status, document_date, due_date, customer_no, country, currency, terms,"
            " contract_no, total) FROM STDIN"
        ) as copy:
            for document_id, rank, status in zip(ids, ranks, statuses, strict=True):
                copy.write_row((document_id, *_header(sample.documents[rank], status)))
        with cursor.copy(
            "COPY invoice_lines (invoice_id, line_no, stock_code, description, quantity, price, amount, service)"
            " FROM STDIN WITH (FORMAT csv)"
        ) as copy:
            for piece in _lines_as_csv(sample, ids, ranks):
                copy.write(piece)
    connection.execute("ANALYZE invoices, invoice_lines")  # else the first reader plans for empty tables


def _header(document: SampleDocument, status: str) -> tuple[object, ...]:
    return (
        document.number,
        document.kind,
        status,
        document.document_date,
        document.document_date + _PAYMENT_TERM,
        document.customer,
        document.country,
        "GBP",
        _TERMS,
        contract_number(document.customer, document.country),
        document.total,
    )


def _lines_as_csv(sample: Sample, ids: Sequence[int], ranks: Sequence[int]) -> Iterator[memoryview]:
    id_of_rank = np.zeros(len(sample.documents), dtype=np.int64)
    id_of_rank[np.asarray(ranks)] = ids
    line_ids = id_of_rank[sample.lines["rank"].to_numpy()]
    lines = sample.lines.set_column(0, "rank", pa.array(line_ids)).filter(pc.not_equal(pa.array(line_ids), 0))
    options = csv.WriteOptions(include_header=False)
    for start in range(0, lines.num_rows, _ROWS_PER_WRITE):
        buffer = io.BytesIO()
        csv.write_csv(lines.slice(start, _ROWS_PER_WRITE), buffer, options)
        yield buffer.getbuffer()


@contextmanager
def _connect(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection with one transaction: committed at the end, rolled back on an error."""
    conninfo = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(conninfo) as connection:
        yield connection
