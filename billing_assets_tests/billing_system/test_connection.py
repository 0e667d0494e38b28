"""Reaching the billing database, and what is said when it cannot be reached."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, text

from billing_assets.billing_system import reader
from billing_assets.billing_system.errors import CannotConnect, DriverMissing, QueriesMissing, SourceUrlInvalid


def test_a_database_that_is_down_is_named_without_its_password() -> None:
    engine = reader.open_source("postgresql+psycopg://reader:s3cret@127.0.0.1:1/billing")
    with (
        pytest.raises(CannotConnect, match=r"postgresql\+psycopg 127\.0\.0\.1:1/billing") as caught,
        reader.connect_source(engine),
    ):
        pass
    assert "s3cret" not in str(caught.value)
    assert "BILLING_SOURCE__URL" in str(caught.value)


def test_a_connection_that_was_cut_is_said_to_be_gone(database: str) -> None:
    engine = reader.open_source(database)
    with reader.connect_source(engine) as source:
        pid = source.scalar(text("SELECT pg_backend_pid()"))
        with psycopg.connect(make_url(database).set(drivername="postgresql").render_as_string(False)) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])
        with pytest.raises(CannotConnect, match="Cannot connect to the billing database"):
            reader.source_now(source)
    with reader.connect_source(engine) as source:
        assert reader.source_now(source)
    engine.dispose()


def test_a_missing_odbc_driver_names_debians_package_and_our_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyodbc", None)
    with pytest.raises(DriverMissing, match=r"billing-assets\[mssql\].*unixodbc") as caught:
        reader.open_source("mssql+pyodbc://reader:s3cret@billing")
    assert "s3cret" not in str(caught.value)


def test_any_other_missing_driver_is_named() -> None:
    with pytest.raises(DriverMissing, match="Install the Python package oracledb"):
        reader.open_source("oracle+oracledb://reader@host/db")


@pytest.mark.parametrize("url", ["reader:s3cret at host", "nosuch://reader:s3cret@host/db", ""])
def test_what_is_no_database_url_is_refused_without_repeating_the_password(url: str) -> None:
    with pytest.raises(SourceUrlInvalid, match="BILLING_SOURCE__URL") as caught:
        reader.open_source(url)
    assert "s3cret" not in str(caught.value)


def test_the_clock_is_the_sources_and_in_utc(database: str) -> None:
    engine = reader.open_source(database)
    with reader.connect_source(engine) as source:
        now = reader.source_now(source)
    engine.dispose()
    assert now.utcoffset() == timedelta(0)
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=30)


def test_missing_query_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "documents.sql").write_text("SELECT 1")
    with pytest.raises(QueriesMissing, match=r"lines\.sql"):
        reader.load_queries(tmp_path)


def test_an_engine_without_shipped_queries_says_where_ones_own_belong() -> None:
    with pytest.raises(QueriesMissing, match="BILLING_SOURCE__QUERIES"):
        reader.shipped_queries("oracle+oracledb://reader@host/db")


@pytest.mark.parametrize(
    "url", ["postgresql://h/d", "postgresql+psycopg://h/d", "mssql+pyodbc://d", "mssql+mssqlpython://d"]
)
def test_queries_ship_for_both_engines(url: str) -> None:
    queries = reader.load_queries(reader.shipped_queries(url))
    assert "document_id" in queries.documents
    assert "document_id" in queries.lines
