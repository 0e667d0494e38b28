"""Opens a database of the customer, to read only."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, DBAPIError, PendingRollbackError

from billing_assets.foundation.database.urls import without_secrets
from billing_assets.foundation.source_database import values
from billing_assets.foundation.source_database.errors import (
    BILLING_DATABASE,
    NAMES_OPTION,
    CannotConnect,
    DriverMissing,
    QueryFailed,
    SourceError,
    SourceNames,
    SourceUrlInvalid,
    asking,
    failure,
    names_of,
    not_connected,
    short,
    source_url,
)

_CONNECT_SECONDS = 10
_CONNECT_TIMEOUT = {
    "psycopg": "connect_timeout",
    "psycopg2": "connect_timeout",
    "pyodbc": "timeout",
    "mssqlpython": "timeout",
}
_MICROSOFT = frozenset({"pyodbc", "mssqlpython"})
"""Drivers of SQL Server whose options are those of Microsoft's ODBC driver."""
SNAPSHOT_ALLOWED = "SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()"
_FROM_HERE = "said by a database of the customer"
_CLOCK = {
    # now() is the start of the transaction, so never later than the snapshot that the transaction reads.
    "postgresql": "SELECT now()",
    "mssql": "SELECT SYSUTCDATETIME()",
    "mysql": "SELECT UTC_TIMESTAMP(6)",
    "mariadb": "SELECT UTC_TIMESTAMP(6)",
    "oracle": "SELECT SYS_EXTRACT_UTC(SYSTIMESTAMP) FROM dual",
}


def open_source(
    url: str, *, lock_seconds: int = 30, statement_seconds: int = 900, names: SourceNames = BILLING_DATABASE
) -> Engine:
    """Engine on the database; nothing is connected yet.

    PostgreSQL sessions are read-only, REPEATABLE READ and in UTC, whatever role and database say; their search_path
    stays, as the queries need it. SQL Server reads a snapshot where the database allows
    it, else READ COMMITTED, so that two statements may see two moments; that the pipeline only reads is the login's
    business there. No statement waits longer than `lock_seconds` for a lock, nor takes longer than `statement_seconds`.
    Raises SourceUrlInvalid and DriverMissing.
    """
    parsed = source_url(url, names)
    try:
        timeout = _CONNECT_TIMEOUT.get(parsed.get_dialect().driver)
    except ArgumentError as error:  # no such engine or driver
        raise SourceUrlInvalid(without_secrets(str(error), parsed), names) from None
    if parsed.get_dialect().driver in _MICROSOFT:
        parsed = with_read_only_intent(parsed)
    options: dict[str, Any] = {"pool_pre_ping": True, "execution_options": {NAMES_OPTION: names}}
    if timeout and timeout not in parsed.query:
        options["connect_args"] = {timeout: _CONNECT_SECONDS}
    if parsed.get_backend_name() == "postgresql":
        options["isolation_level"] = "REPEATABLE READ"
    engine = _create(parsed, options, names)
    if engine.dialect.driver in _MICROSOFT:  # a uniqueidentifier as what it is: as text its case is the driver's whim
        engine.dialect.loaded_dbapi.native_uuid = True  # type: ignore[attr-defined]
    event.listen(engine, "handle_error", _note)
    if engine.dialect.name == "postgresql":
        event.listen(engine, "begin", partial(_set_postgresql, lock_seconds, statement_seconds))
    elif engine.dialect.name == "mssql":
        event.listen(engine, "connect", partial(_set_sql_server, lock_seconds, statement_seconds))
    return engine


@contextmanager
def connect_source(engine: Engine) -> Iterator[Connection]:
    """A connection to the database. Raises CannotConnect with the address, never with the password.

    Where the driver finds the URL's fault only now, SourceUrlInvalid; where it lacks a library, DriverMissing. Whatever
    it says in the block is a SourceError: also at a savepoint, and at the end of the transaction.
    """
    try:
        conn = engine.connect()
    except DBAPIError as error:
        raise not_connected(error, engine.url, names_of(engine)) from None
    except Exception as error:
        if not isinstance(error, getattr(engine.dialect.dbapi, "ConnectionStringParseError", ())):
            raise
        # mssql-python's word for an option that it does not know
        raise SourceUrlInvalid(without_secrets(" ".join(str(error).split()), engine.url), names_of(engine)) from None
    before: BaseException | None = None
    try:
        with conn:
            try:
                yield conn
            except BaseException as error:
                before = error
                raise
    except (DBAPIError, PendingRollbackError) as error:
        if error is before:
            if isinstance(error, PendingRollbackError):
                raise CannotConnect(engine.url, "the connection was lost.", names_of(engine)) from None
            if _FROM_HERE not in getattr(error, "__notes__", ()):
                raise  # of Dagster's own storage
            raise failure(error, engine.url, "a statement", names_of(engine)) from None
        if before is not None and not isinstance(before, SourceError):
            raise before from None
        # The end of the transaction failed, too: the connection is lost, though the driver said something else.
        said = before.problem if isinstance(before, QueryFailed) else _said(error)
        raise CannotConnect(engine.url, said, names_of(engine)) from None


def _said(error: DBAPIError | PendingRollbackError) -> str:
    return short(error) if isinstance(error, DBAPIError) else "the connection was lost."


def source_now(conn: Connection) -> datetime:
    """The source's clock in UTC. On PostgreSQL the moment at which the connection's transaction began: whatever was
    created later is not in what that transaction reads, so it is the right watermark."""
    clock = _CLOCK.get(conn.dialect.name)
    with asking(conn, "the time"):
        value = conn.execute(text(clock) if clock else select(func.current_timestamp())).scalar_one()
    return values.moment(value)


def _create(url: URL, options: dict[str, Any], names: SourceNames) -> Engine:
    try:
        return create_engine(url, **options)
    except ImportError as error:  # also a shared library that the driver needs: libodbc.so.2
        raise DriverMissing(url.get_dialect().driver, str(error), names) from error
    except (ArgumentError, TypeError, ValueError) as error:  # an option that the driver does not know
        raise SourceUrlInvalid(without_secrets(str(error), url), names) from None


def with_read_only_intent(url: URL) -> URL:
    """The URL with the intent to read only: an availability group may send it to a replica."""
    known = {key.lower() for key in url.query}
    if known & {"odbc_connect", "applicationintent"}:
        return url
    return url.update_query_dict({"ApplicationIntent": "ReadOnly"})


def _note(context: ExceptionContext) -> None:
    """Marks an error as one of this engine: Dagster's storage has errors of the same type."""
    if context.sqlalchemy_exception is not None:
        context.sqlalchemy_exception.add_note(_FROM_HERE)


def _set_postgresql(lock_seconds: int, statement_seconds: int, connection: Connection) -> None:
    """For this transaction only: a pool may give the session's server connection to others after it."""
    wanted = {
        "timezone": "UTC",
        "application_name": "billing",
        "datestyle": "ISO",  # the order of day and month, which the queries' own texts may need, stays
        "intervalstyle": "postgres",
        "idle_in_transaction_session_timeout": "0",
        "lock_timeout": f"{lock_seconds}s",
        "statement_timeout": f"{statement_seconds}s",
    }
    settings = "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in wanted.items())
    # PostgreSQL has it from 17 on.
    last = "SELECT set_config(name, '0', true) FROM pg_settings WHERE name = 'transaction_timeout'"
    connection.exec_driver_sql(f"SET TRANSACTION READ ONLY; {settings}; {last}")


def _set_sql_server(lock_seconds: int, statement_seconds: int, dbapi_connection: Any, _record: Any) -> None:
    if hasattr(dbapi_connection, "timeout"):  # for each query
        dbapi_connection.timeout = statement_seconds
    cursor = dbapi_connection.cursor()
    cursor.execute(f"SET LOCK_TIMEOUT {1000 * lock_seconds}")
    cursor.execute(SNAPSHOT_ALLOWED)
    if (row := cursor.fetchone()) is not None and row[0] == 1:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
    cursor.close()
    dbapi_connection.commit()
