"""Our PostgreSQL: the engine every room gets, and transactions as plain context managers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.rows import RowFactory, dict_row
from sqlalchemy.engine import make_url

from billing_assets.foundation.database.refusals import explain
from billing_assets.foundation.database.urls import without_secrets

Connection = psycopg.Connection[dict[str, Any]]
"""A psycopg connection whose rows are dicts. Rooms take one and never open their own."""

_Row = TypeVar("_Row")

SESSION = {
    "default_transaction_isolation": "read committed",  # who waited for a lock must see what the other one wrote
    "default_transaction_deferrable": "off",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "search_path": "public",
    "standard_conforming_strings": "on",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    # Several of our partial indexes hold the same rows. A bitmap scan reads two of them where one does, and all of
    # a small one where a key leads to few rows; and it passes by dead entries that an index scan clears away.
    "enable_bitmapscan": "off",
}
"""What every connection of ours works with, whatever role and database say."""

STORAGE = ("default_transaction_isolation", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
"""What of it Dagster's storage needs; its tables stay where the user's search_path had them."""

_TRANSACTION_TIMEOUT_SINCE = 17_00_00
# An intent is on disk before its request leaves. Stricter settings (remote_apply) stay.
_COMMIT = """pg_catalog.set_config('synchronous_commit', case pg_catalog.current_setting('synchronous_commit')
    when 'off' then 'on' else pg_catalog.current_setting('synchronous_commit') end, false)"""


def libpq_url(url: str, driver: str = "postgresql") -> str:
    """A SQLAlchemy URL as psycopg and libpq want it (without the driver's name), or with another driver."""
    return make_url(url).set(drivername=driver).render_as_string(hide_password=False)


def storage_url(url: str, *, pooled: bool = False) -> str:
    """The same for Dagster's storage, which opens its own connections: what they must not take from role or database
    goes with the URL. A pooler (`pooled`) takes no options of a connection, so none are given through one."""
    found = make_url(url).set(drivername="postgresql+psycopg2")
    if not pooled:
        before = found.query.get("options", ())
        given = (before,) if isinstance(before, str) else before
        ours = (f"-c {name}={SESSION[name].replace(' ', chr(92) + ' ')}" for name in STORAGE)
        found = found.update_query_dict({"options": " ".join((*given, *ours))})
    return found.render_as_string(hide_password=False)


def open_connection(
    url: str,
    row_factory: RowFactory[_Row],
    application: str,
    settings: Mapping[str, str] | None = None,
    **keepalives: int,
) -> psycopg.Connection[_Row]:
    """A connection in autocommit mode with `SESSION`, and with `settings` of its own before those.

    They go in one statement and not into the connection's options: a pooler in session mode refuses these, or drops
    them. Raises psycopg.OperationalError when the database cannot be reached.
    """
    wire: dict[str, Any] = {
        "client_encoding": "utf8",
        "connect_timeout": 10,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    try:
        connection = psycopg.connect(
            libpq_url(url),
            autocommit=True,
            row_factory=row_factory,
            application_name=application,
            **(wire | keepalives),
        )
    except psycopg.Error as error:
        error.args = (without_secrets(str(error), url),)
        raise
    try:
        wanted = {**SESSION, **(settings or {})}
        if connection.info.server_version >= _TRANSACTION_TIMEOUT_SINCE:
            wanted = {"transaction_timeout": "0"} | wanted
        each = ["pg_catalog.set_config(%s, %s, false)"] * len(wanted)
        values = [part for one in wanted.items() for part in one]
        connection.execute(f"select {', '.join([*each, _COMMIT])}", values)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def connect(
    url: str,
    *,
    application: str = "billing",
    idle_transaction_seconds: float | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Connection]:
    """One connection in autocommit mode; `with connection.transaction():` makes a transaction.

    Autocommit is what keeps invariant 7: no transaction is open unless a `with` says so. A process that is stopped in
    the middle of one (a paused machine) would keep its locks from everybody: PostgreSQL ends its connection after
    `idle_transaction_seconds`. What role or database say of transactions, dates and time-outs does not count: see
    `SESSION`; `settings` come before it.
    Raises psycopg.OperationalError when the database cannot be reached.
    """
    own = dict(settings or {})
    if idle_transaction_seconds is not None:
        own["idle_in_transaction_session_timeout"] = f"{round(1000 * idle_transaction_seconds)}ms"
    with open_connection(url, dict_row, application, own) as connection:
        try:
            yield connection
        except psycopg.Error as error:
            explain(error)
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
