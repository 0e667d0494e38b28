"""A billing database with the sample's schema, and our reading side of it."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection

from billing_assets.erp.billing_system import reader
from billing_assets.foundation.database.connection import libpq_url
from billing_assets.sandbox.samples.loader import create_sample_schema

Execute = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def billing(database: str) -> Execute:
    """Run a statement as the billing system does; returns its rows."""
    create_sample_schema(database)

    def execute(statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(libpq_url(database)) as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    return execute


@pytest.fixture
def queries(database: str) -> reader.Queries:
    return reader.load_queries(reader.shipped_queries(database))


@pytest.fixture
def source(database: str, billing: Execute) -> Iterator[Connection]:
    """Our connection to the billing database; `rollback()` lets it see what happened since."""
    engine = reader.open_source(database)
    with reader.connect_source(engine) as connection:
        yield connection
    engine.dispose()


def insert(billing: Execute, number: str = "536365", lines: int = 1, **columns: object) -> str:
    """Create a document with lines of 2 x 1.250; returns its id as we see it."""
    values = {"kind": "I", "status": "closed", "document_date": "2010-11-30", "total": lines * 2.5} | columns
    names = ", ".join(["number", *values])
    places = ", ".join(["%s"] * (len(values) + 1))
    rows = billing(f"INSERT INTO invoices ({names}) VALUES ({places}) RETURNING id", number, *values.values())  # noqa: S608
    for line_no in range(1, lines + 1):
        add_line(billing, str(rows[0][0]), line_no)
    return str(rows[0][0])


def add_line(billing: Execute, document_id: str, line_no: int, **columns: object) -> None:
    values = {
        "stock_code": "85123A",
        "description": "HOLDER",
        "quantity": 2,
        "price": "1.250",
        "amount": "2.5",
    } | columns
    names = ", ".join(["invoice_id", "line_no", *values])
    places = ", ".join(["%s"] * (len(values) + 2))
    billing(f"INSERT INTO invoice_lines ({names}) VALUES ({places})", int(document_id), line_no, *values.values())  # noqa: S608
