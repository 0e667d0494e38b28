"""Opens the billing database, to read only."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from billing_assets.billing_system import contract
from billing_assets.billing_system.errors import (
    CannotConnect,
    DriverMissing,
    SourceUrlInvalid,
    asking,
    short,
    source_url,
)
from billing_assets.state.urls import without_secrets

_CONNECT_SECONDS = 10
_CONNECT_TIMEOUT = {"psycopg": "connect_timeout", "psycopg2": "connect_timeout", "pyodbc": "timeout"}
_CLOCK = {
    # now() is the start of the transaction, so never later than the snapshot that the transaction reads.
    "postgresql": "SELECT now()",
    "mssql": "SELECT SYSUTCDATETIME()",
    "mysql": "SELECT UTC_TIMESTAMP(6)",
    "mariadb": "SELECT UTC_TIMESTAMP(6)",
    "oracle": "SELECT SYS_EXTRACT_UTC(SYSTIMESTAMP) FROM dual",
}


def open_source(url: str) -> Engine:
    """Engine on the billing database; nothing is connected yet.

    PostgreSQL sessions are read-only, REPEATABLE READ and in UTC. SQL Server keeps READ COMMITTED (with row versions
    where READ_COMMITTED_SNAPSHOT is on), so two statements may see two moments; that the pipeline only reads is the
    login's business there. Raises SourceUrlInvalid and DriverMissing.
    """
    parsed = source_url(url)
    try:
        timeout = _CONNECT_TIMEOUT.get(parsed.get_dialect().driver)
    except ArgumentError as error:  # no such engine or driver
        raise SourceUrlInvalid(without_secrets(str(error), parsed)) from None
    options: dict[str, Any] = {"pool_pre_ping": True}
    if timeout and timeout not in parsed.query:
        options["connect_args"] = {timeout: _CONNECT_SECONDS}
    if parsed.get_backend_name() == "postgresql":
        options["isolation_level"] = "REPEATABLE READ"
    engine = _create(parsed, options)
    if engine.dialect.driver == "pyodbc":  # a uniqueidentifier as what it is: as text its case is the driver's whim
        engine.dialect.loaded_dbapi.native_uuid = True  # type: ignore[attr-defined]
    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _read_only_in_utc)
    return engine


@contextmanager
def connect_source(engine: Engine) -> Iterator[Connection]:
    """A connection to the billing database. Raises CannotConnect with the address, never with the password."""
    try:
        conn = engine.connect()
    except DBAPIError as error:
        raise CannotConnect(engine.url, short(error)) from None
    with conn:
        yield conn


def source_now(conn: Connection) -> datetime:
    """The source's clock in UTC. On PostgreSQL the moment at which the connection's transaction began: whatever was
    created later is not in what that transaction reads, so it is the right watermark."""
    clock = _CLOCK.get(conn.dialect.name)
    with asking(conn, "the time"):
        value = conn.execute(text(clock) if clock else select(func.current_timestamp())).scalar_one()
    return contract.moment(value)


def _create(url: URL, options: dict[str, Any]) -> Engine:
    try:
        return create_engine(url, **options)
    except ImportError as error:  # also a shared library that the driver needs: libodbc.so.2
        raise DriverMissing(url.get_dialect().driver, str(error)) from error
    except (ArgumentError, TypeError, ValueError) as error:  # an option that the driver does not know
        raise SourceUrlInvalid(without_secrets(str(error), url)) from None


def _read_only_in_utc(dbapi_connection: Any, _record: Any) -> None:
    cursor = dbapi_connection.cursor()
    cursor.execute("SET default_transaction_read_only = on; SET timezone = 'UTC'; SET application_name = 'billing'")
    cursor.close()
    dbapi_connection.commit()
