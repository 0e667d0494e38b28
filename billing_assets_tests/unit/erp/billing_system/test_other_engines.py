"""An engine that keeps no types (SQLite): what is exact is taken over exactly, what is not is set apart."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, QueuePool

from billing_assets.erp.billing_system import reader
from billing_assets.foundation.source_database import values
from billing_assets.foundation.source_database.query_text import without_end

_HEADER = (
    "SELECT id AS DOCUMENT_ID, number, 'invoice' AS kind, 'open' AS status, created_at, document_date,"
    " NULL AS due_date, NULL AS customer, NULL AS branch, 'GBP' AS currency, NULL AS terms,"
    " NULL AS purchase_order, memo, NULL AS applies_to, total FROM d"
)
_LINE = (
    "SELECT id AS document_id, 1 AS line_no, 4711 AS item, memo AS description, total AS quantity, 1 AS unit_price,"
    " total AS amount, NULL AS tax_code, NULL AS tax_rate, NULL AS tax_amount FROM d"
)
QUERIES = reader.Queries(_HEADER, _LINE)


@pytest.fixture
def lax(tmp_path: Path) -> Iterator[Connection]:
    path = tmp_path / "billing.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE d (id, number, created_at, document_date, memo, total)")
        rows = [(f"A{n}", n, "2010-12-01", "2010-12-01", "a\0b", 3) for n in range(1500)]
        connection.executemany("INSERT INTO d VALUES (?, ?, ?, ?, ?, ?)", rows)
    connection.close()
    engine = reader.open_source(f"sqlite:///{path}")
    with reader.connect_source(engine) as source:
        yield source
    engine.dispose()


def test_dates_as_text_are_not_guessed_at(lax: Connection) -> None:
    documents, bad = reader.read_documents(lax, QUERIES, "billing", ["A1", "A2"])
    assert documents == []
    assert [(one.document_id, one.number, one.field, one.value_repr) for one in bad] == [
        ("A1", "1", "created_at", "'2010-12-01'"),
        ("A2", "2", "created_at", "'2010-12-01'"),
    ]
    assert "CAST it in the query" in bad[0].message


def test_column_names_may_come_in_capitals(lax: Connection) -> None:
    reader.check_columns(lax, QUERIES)


def test_no_select_waits_while_documents_are_read(lax: Connection) -> None:
    """It would have locks that block the writers there, and SQL Server serves one result at a time on a connection."""
    pool = lax.engine.pool
    assert isinstance(pool, QueuePool)
    sizes = []
    for ids in reader.new_document_ids(lax, QUERIES, None):
        _, bad = reader.read_documents(lax, QUERIES, "billing", ids)
        sizes.append((len(ids), len(bad)))
        assert pool.checkedout() == 1
    assert pool.checkedout() == 1
    assert sizes == [(1000, 1000), (500, 500)]


@pytest.mark.parametrize(
    ("convert", "value", "expected"),
    [
        (values.number, 12, Decimal(12)),
        (values.number, Decimal("0.100"), Decimal("0.100")),
        (values.whole_number, Decimal("7.0"), 7),
        (values.day, datetime(2010, 12, 1, 23, 59), date(2010, 12, 1)),  # noqa: DTZ001
        (values.day, datetime(2010, 12, 1, tzinfo=ZoneInfo("Australia/Sydney")), date(2010, 12, 1)),
        (values.moment, datetime(2010, 12, 1, 8, 26), datetime(2010, 12, 1, 8, 26, tzinfo=UTC)),  # noqa: DTZ001
        (values.text, "CHAR    ", "CHAR    "),
        (values.text, "a\0b", "a\0b"),
        (values.text, 17850, "17850"),
        (values.text, Decimal("1E+3"), "1000"),
        (values.text, UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (values.further, b"\x00\x1f", "0x001F"),
        (values.further, time(10, 11, 12, 500_000), "10:11:12.500000"),
        (values.further, 1.5, "1.5"),
    ],
)
def test_what_is_exact_is_taken_over_exactly(convert: Any, value: object, expected: object) -> None:
    assert convert(value) == expected


@pytest.mark.parametrize(
    ("convert", "value", "reason"),
    [
        (values.number, 0.1, "floating point"),
        (values.number, float("nan"), "floating point"),
        (values.number, Decimal("NaN"), "not a number"),
        (values.number, Decimal("Infinity"), "not a number"),
        (values.number, Decimal("sNaN"), "not a number"),
        (values.number, True, "bool"),
        (values.number, "12.50", "str"),
        (values.number, None, "NULL"),
        (values.whole_number, Decimal("1.5"), "whole number"),
        (values.day, "2010-12-01", "date is expected"),
        (values.day, datetime(2010, 11, 30, 13, tzinfo=UTC), "on two days"),  # midnight in Sydney
        (values.day, None, "NULL"),
        (values.moment, date(2010, 12, 1), "timestamp is expected"),
        (values.text, None, "NULL"),
        (values.text, b"x", "bytes"),
        (values.text, 17850.0, "float"),
    ],
)
def test_what_is_not_exact_is_refused_with_the_reason(convert: Any, value: object, reason: str) -> None:
    with pytest.raises(values.Unreadable, match=reason):
        convert(value)


@pytest.mark.parametrize("end", ["", ";", ";\n-- the end; it's over\n", " -- x\n;\n/* y; */ ;\n"])
def test_what_ends_a_query_is_no_part_of_it(end: str) -> None:
    assert without_end(f"-- first; it's ours\nSELECT 'a;--b' AS x FROM d{end}").endswith("SELECT 'a;--b' AS x FROM d")
