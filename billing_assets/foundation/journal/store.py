"""The SQL of the journal: which one belongs to this database, and how far it was compared."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection

_LOCK = "billing journal"


class Known(NamedTuple):
    """The journal that belongs to this database, and the database in which it was last compared."""

    id: str
    database: str


def lock(connection: Connection) -> None:
    """Waits until no other process compares or closes; held to the end of the transaction."""
    connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [_LOCK])


def known(connection: Connection) -> Known | None:
    """The journal of this database, if it has one."""
    row = connection.execute("select id, database from billing.journal").fetchone()
    return Known(**row) if row else None


def database_identity(connection: Connection) -> str:
    """Cluster, timeline and database: what a dump carries over, and a promoted or rewound server, has another one."""
    row = connection.execute(
        """
        select format('%s/%s/%s', s.system_identifier, c.timeline_id, d.oid) as identity
        from pg_control_system() as s, pg_control_checkpoint() as c, pg_database as d
        where d.datname = current_database()"""
    ).fetchone()
    return str(row["identity"]) if row else ""


def belong(connection: Connection, journal: str, database: str) -> None:
    """Notes which journal belongs to this database; of another one than before nothing was compared yet."""
    connection.execute(
        "delete from billing.journal_files where not exists (select from billing.journal where id = %s)", [journal]
    )
    connection.execute(
        """
        insert into billing.journal (id, database) values (%s, %s)
        on conflict (one) do update set (id, database, since) = (excluded.id, excluded.database, clock_timestamp())""",
        [journal, database],
    )


def compared_until(connection: Connection, kind: str) -> tuple[str, dict[str, int]]:
    """From which month's folder on a kind's files are looked at, and how far each of them was compared.

    A file is written within hours: the month before the newest one is far enough.
    """
    row = connection.execute(
        """
        select to_char(to_date(split_part(max(name), '/', 2), 'YYYY-MM') - interval '1 month', 'YYYY-MM') as since
        from billing.journal_files where name between %(kind)s || '/' and %(kind)s || '0'""",
        {"kind": kind},
    ).fetchone()
    since = str(row["since"]) if row and row["since"] else ""
    rows = connection.execute(
        """
        select name, bytes from billing.journal_files
        where name between %(kind)s || '/' || %(since)s and %(kind)s || '0'""",
        {"kind": kind, "since": since},
    ).fetchall()
    return since, {one["name"]: one["bytes"] for one in rows}


def note_compared(connection: Connection, ends: Mapping[str, int]) -> None:
    """Notes how far files were compared."""
    _many(
        connection,
        """
        insert into billing.journal_files (name, bytes) values (%s, %s)
        on conflict (name) do update set bytes = excluded.bytes""",
        ends.items(),
    )


def _many(connection: Connection, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(statement, list(rows))
