"""Reaching the billing database, and what is said when it cannot be reached."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import DBAPIError

from billing_assets.erp.billing_system import reader
from billing_assets.foundation.source_database.connection import with_read_only_intent
from billing_assets.foundation.source_database.errors import (
    CannotConnect,
    DriverMissing,
    OdbcDriverMissing,
    QueriesMissing,
    QueryFailed,
    SourceBusy,
    SourceSlow,
    SourceUrlInvalid,
    asking,
    failure,
    not_connected,
)


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


def test_the_odbc_driver_gives_a_uniqueidentifier_as_what_it_is() -> None:
    pyodbc = pytest.importorskip("pyodbc", exc_type=ImportError)
    reader.open_source("mssql+pyodbc://reader@host/billing").dispose()
    assert pyodbc.native_uuid is True


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


def test_a_connection_whose_loss_the_driver_words_in_its_own_way_is_lost_all_the_same(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FreeTDS has texts that SQLAlchemy takes for an ordinary error; then the end of the transaction fails, too."""
    engine = reader.open_source(database)
    monkeypatch.setattr(engine.dialect, "is_disconnect", lambda *_: False)

    def ask() -> None:
        with reader.connect_source(engine) as source:
            _cut(database, source)
            reader.source_now(source)

    with pytest.raises(CannotConnect, match="the billing database"):
        ask()
    engine.dispose()


def test_what_fails_beside_the_queries_is_the_billing_databases_too(database: str) -> None:
    engine = reader.open_source(database)
    with pytest.raises(QueryFailed, match="does not exist"), reader.connect_source(engine) as source:
        source.execute(text("SELECT * FROM nowhere"))
    engine.dispose()


def test_an_error_of_our_own_database_stays_what_it_is_while_the_billing_database_is_lost(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = reader.open_source(database)
    monkeypatch.setattr(engine.dialect, "is_disconnect", lambda *_: False)

    def ask() -> None:
        with reader.connect_source(engine) as source:
            _cut(database, source)
            raise psycopg.OperationalError("ours")

    with pytest.raises(psycopg.OperationalError, match="ours"):
        ask()
    engine.dispose()


def _cut(database: str, source: Connection) -> None:
    pid = source.scalar(text("SELECT pg_backend_pid()"))
    with psycopg.connect(make_url(database).set(drivername="postgresql").render_as_string(False)) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])


def test_rows_that_somebody_has_locked_are_waited_for_only_so_long(database: str) -> None:
    engine = reader.open_source(database, lock_seconds=1)
    with psycopg.connect(make_url(database).set(drivername="postgresql").render_as_string(False)) as writer:
        writer.execute("CREATE TABLE h (k integer)")
        writer.commit()
        writer.execute("LOCK TABLE h")
        with (
            pytest.raises(SourceBusy, match="BILLING_SOURCE__LOCK_SECONDS"),
            reader.connect_source(engine) as source,
            asking(source, "documents.sql"),
        ):
            source.execute(text("SELECT * FROM h"))
    engine.dispose()


def test_a_query_takes_only_so_long(database: str) -> None:
    engine = reader.open_source(database, statement_seconds=1)
    with (
        pytest.raises(SourceSlow, match=r"documents\.sql within BILLING_SOURCE__STATEMENT_SECONDS"),
        reader.connect_source(engine) as source,
        asking(source, "documents.sql"),
    ):
        source.execute(text("SELECT pg_sleep(60)"))
    engine.dispose()


_ODBC = make_url("mssql+pyodbc://reader:s3cret@db.example/billing?driver=ODBC+Driver+18+for+SQL+Server")
_NOT_THERE = "[01000] [unixODBC][Driver Manager]Can't open lib 'ODBC Driver 18 for SQL Server' : file not found (0)"
_NO_SOURCE = "[IM002] [unixODBC][Driver Manager]Data source name not found and no default driver specified (0)"
_LOGIN = "[28000] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]Login failed for user 'reader'. (18456)"


@pytest.mark.parametrize(
    ("state", "said", "kind"),
    [
        ("01000", _NOT_THERE, OdbcDriverMissing),
        ("IM002", _NO_SOURCE, OdbcDriverMissing),
        ("28000", _LOGIN, CannotConnect),
    ],
)
def test_an_odbc_driver_that_is_not_there_is_no_wrong_host_or_password(
    state: str, said: str, kind: type[Exception]
) -> None:
    found = not_connected(DBAPIError("", {}, Exception(state, said)), _ODBC)
    assert type(found) is kind
    assert said in str(found)
    assert "s3cret" not in str(found)


@pytest.mark.parametrize(
    ("state", "said", "kind"),
    [
        ("42000", "[42000] [SQL Server]Lock request time out period exceeded. (1222) (SQLExecDirectW)", SourceBusy),
        ("HYT00", "[HYT00] [Microsoft][ODBC Driver 18 for SQL Server]Query timeout expired (0)", SourceSlow),
        (
            "08S01",
            "[08S01] [Microsoft][SQL Server]TCP Provider: Error code 0x68 (104)",
            CannotConnect,
        ),
        ("42S02", "[42S02] [SQL Server]Invalid object name 'dbo.nowhere'. (208)", QueryFailed),
    ],
)
def test_what_sql_server_says_is_told_apart_by_its_codes(state: str, said: str, kind: type[Exception]) -> None:
    lost = state in {"08S01", "HYT00"}  # as SQLAlchemy has it
    found = failure(DBAPIError("", {}, Exception(state, said), connection_invalidated=lost), _ODBC, "documents.sql")
    assert type(found) is kind


def test_sql_server_is_asked_with_the_intent_to_read_only_unless_the_url_says_otherwise() -> None:
    assert with_read_only_intent(_ODBC).query["ApplicationIntent"] == "ReadOnly"
    said = _ODBC.update_query_dict({"applicationintent": "ReadWrite"})
    assert with_read_only_intent(said) == said
    whole = make_url("mssql+pyodbc:///?odbc_connect=DSN%3Dbilling")
    assert with_read_only_intent(whole) == whole
