"""Our PostgreSQL: the engine every room gets, and transactions as plain context managers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row
from sqlalchemy.engine import make_url

from billing_assets.state.urls import without_secrets

Connection = psycopg.Connection[dict[str, Any]]
"""A psycopg connection whose rows are dicts. Rooms take one and never open their own."""


def libpq_url(url: str, driver: str = "postgresql") -> str:
    """A SQLAlchemy URL as psycopg and libpq want it (without the driver's name), or with another driver."""
    return make_url(url).set(drivername=driver).render_as_string(hide_password=False)


def connecting(url: str, **options: Any) -> psycopg.Connection[Any]:
    """`psycopg.connect`, whose error has no part of the URL's secrets in it."""
    try:
        return psycopg.connect(libpq_url(url), **options)
    except psycopg.Error as error:
        error.args = (without_secrets(str(error), url),)
        raise


@contextmanager
def connect(
    url: str, *, application: str = "billing", idle_transaction_seconds: float | None = None
) -> Iterator[Connection]:
    """One connection in autocommit mode; `with connection.transaction():` makes a transaction.

    Autocommit is what keeps invariant 7: no transaction is open unless a `with` says so. A process that is stopped in
    the middle of one (a paused machine) would keep its locks from everybody: PostgreSQL ends its connection after
    `idle_transaction_seconds`.
    Raises psycopg.OperationalError when the database cannot be reached.
    """
    with connecting(
        url,
        autocommit=True,
        row_factory=dict_row,
        application_name=application,
        connect_timeout=10,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
    ) as connection:
        # Several of our partial indexes hold the same rows. A bitmap scan reads two of them where one does, and all of
        # a small one where a key leads to few rows; and it passes by dead entries that an index scan clears away.
        connection.execute("set enable_bitmapscan = off")
        if idle_transaction_seconds is not None:
            _set_idle_limit(connection, f"{round(1000 * idle_transaction_seconds)}ms", local=False)
        try:
            yield connection
        except psycopg.Error as error:
            if error.diag.message_primary:  # below it stand details, which may be a row with its customer
                error.args = (error.diag.message_primary,)
            raise


def lift_idle_limit(connection: Connection) -> str:
    """Lets the open transaction idle while another system answers; for one that holds nothing that others wait for.

    Returns the limit, to be set again by `restore_idle_limit`; the transaction's end does so too.
    """
    row = connection.execute("select current_setting('idle_in_transaction_session_timeout') as idle").fetchone()
    _set_idle_limit(connection, "0", local=True)
    return str(row["idle"]) if row else "0"


def restore_idle_limit(connection: Connection, limit: str) -> None:
    """Ends what `lift_idle_limit` began: from now on others may wait for this transaction."""
    _set_idle_limit(connection, limit, local=True)


def _set_idle_limit(connection: Connection, value: str, *, local: bool) -> None:
    connection.execute("select set_config('idle_in_transaction_session_timeout', %s, %s)", [value, local])


def settle_order(connection: Connection, *, merging: bool = False) -> None:
    """Keeps staging's merge and the batches' writes over many rows from deadlocking; call first in a transaction.

    The merge takes it alone, everything else side by side. Held to the end of the transaction.
    """
    kind = "" if merging else "_shared"
    connection.execute(f"select pg_advisory_xact_lock{kind}(hashtextextended('billing documents', 0))")
