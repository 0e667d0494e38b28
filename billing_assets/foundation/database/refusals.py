"""What our PostgreSQL refuses for a reason that a person removes: said with what to do."""

from typing import Any, LiteralString

import psycopg
from psycopg.errors import DiskFull, InsufficientPrivilege, ReadOnlySqlTransaction
from psycopg.rows import scalar_row

from billing_assets.foundation.errors import BillingError

REFUSALS = (DiskFull, InsufficientPrivilege, ReadOnlySqlTransaction)
"""Errors with a remedy: no disk space, a missing right, a database that takes no writes."""

_URL = "BILLING_DATABASE_URL"
_REMEDIES: dict[str | None, str] = {
    DiskFull.sqlstate: "The disk of our PostgreSQL is full. Free or add space there: nothing is lost, and what stopped "
    "goes on where it was.",
    InsufficientPrivilege.sqlstate: "The user in {url} lacks a right in our database. Make it the database's owner "
    "(ALTER DATABASE … OWNER TO …), and the owner of the schema billing and of what is in it and in public, if "
    "another user made them.",
    ReadOnlySqlTransaction.sqlstate: "Our database takes no writes: it is a read replica, or set to read-only. Name "
    "the primary server in {url}, or reset default_transaction_read_only for user and database.",
}


class DatabaseUnfit(BillingError):  # noqa: N818  says what is so
    """Our database cannot be worked with as it is reached or set up; the message says what to do."""


def remedy(sqlstate: str | None) -> str | None:
    """What to do about an error with this SQLSTATE, where a person can do something."""
    found = _REMEDIES.get(sqlstate)
    return found.format(url=_URL) if found else None


def explain(error: psycopg.Error) -> None:
    """Leaves of an error's text what may be shown, and adds what to do: below PostgreSQL's first line stand details,
    which may be a row with its customer."""
    if said := error.diag.message_primary:
        todo = remedy(error.sqlstate)
        error.args = (f"PostgreSQL says: {said}. {todo}" if todo else said,)


def check(connection: psycopg.Connection[Any], another: psycopg.Connection[Any]) -> bool:
    """Whether a pooler is between us and our database, one that gives each session a server connection of its own.

    `another` is a second connection to the same address. Raises DatabaseUnfit for a pooler that does not, and for a
    database that takes no writes.
    """
    pooled = _backend(connection) != connection.info.backend_pid  # a pooler hands out numbers of its own
    if pooled and _shares(connection, another):
        raise DatabaseUnfit(
            f"{_URL} leads to a connection pool that shares server connections between sessions (PgBouncer with "
            "pool_mode = transaction or statement). Locks, lanes and running work are kept by locks of a session, "
            f"which do not hold there. Name PostgreSQL itself in {_URL}, or a pool with pool_mode = session."
        )
    if _value(connection, "select pg_catalog.pg_is_in_recovery()"):
        raise DatabaseUnfit(
            f"{_URL} leads to a read replica, which takes no writes. Name the primary server. (With several hosts in "
            "the URL, target_session_attrs=read-write finds it.)"
        )
    if _value(connection, "select pg_catalog.current_setting('transaction_read_only')::boolean"):
        raise DatabaseUnfit(
            f"Our database takes no writes: default_transaction_read_only is on for the user in {_URL}, the database "
            "or the server. Some providers set it when the disk is almost full: then add space. Else reset it (ALTER "
            "ROLE … RESET default_transaction_read_only, the same with ALTER DATABASE), or name another user."
        )
    return pooled


_LOOKS = 3  # other clients of the pool may come between


def _shares(one: psycopg.Connection[Any], another: psycopg.Connection[Any]) -> bool:
    """Whether two open sessions come to the same server connection, or one to several."""
    first = _backend(one)
    for _ in range(_LOOKS):
        try:
            with another.transaction():  # holds its server connection
                if _backend(another) == first or _backend(one) != first:
                    return True
        except psycopg.errors.ProtocolViolation:  # pool_mode = statement knows no transactions
            return True
    return False


def _backend(connection: psycopg.Connection[Any]) -> int:
    return int(_value(connection, "select pg_catalog.pg_backend_pid()"))


def _value(connection: psycopg.Connection[Any], query: LiteralString) -> Any:
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(query).fetchone()
