"""Our PostgreSQL: the engine every room gets, and transactions as plain context managers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row
from sqlalchemy.engine import make_url

Connection = psycopg.Connection[dict[str, Any]]
"""A psycopg connection whose rows are dicts. Rooms take one and never open their own."""


def libpq_url(url: str, driver: str = "postgresql") -> str:
    """A SQLAlchemy URL as psycopg and libpq want it (without the driver's name), or with another driver."""
    return make_url(url).set(drivername=driver).render_as_string(hide_password=False)


@contextmanager
def connect(url: str, *, application: str = "billing") -> Iterator[Connection]:
    """One connection in autocommit mode; `with connection.transaction():` makes a transaction.

    Autocommit is what keeps invariant 7: no transaction is open unless a `with` says so.
    Raises psycopg.OperationalError when the database cannot be reached.
    """
    with psycopg.connect(
        libpq_url(url),
        autocommit=True,
        row_factory=dict_row,
        application_name=application,
        connect_timeout=10,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
    ) as connection:
        yield connection


def settle_order(connection: Connection, *, merging: bool = False) -> None:
    """Keeps staging's merge and the batches' writes over many rows from deadlocking; call first in a transaction.

    The merge takes it alone, everything else side by side. Held to the end of the transaction.
    """
    kind = "" if merging else "_shared"
    connection.execute(f"select pg_advisory_xact_lock{kind}(hashtextextended('billing documents', 0))")
