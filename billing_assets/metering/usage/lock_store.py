"""Who settles what: locks on service points and ids, held to the end of the transaction."""

from collections.abc import Collection

import psycopg

from billing_assets.foundation.database.connection import Connection


def lock_points(connection: Connection, points: Collection[str]) -> list[str]:
    """Locks these points, those that name usage of theirs, and the ids of what is new. Returns the points.

    Usage of one point and charges of another that names it may be taken in at once: both lock the id, so that the
    second sees the first.
    """
    known = set(points)
    known |= _naming(connection, known)
    while True:
        keys = {f"point {point}" for point in known} | {f"usage {one}" for one in _ids(connection, known)}
        with connection.transaction():
            connection.execute(
                """
                select pg_advisory_xact_lock(key) from (
                    select distinct hashtextextended('billing ' || name, 0) as key from unnest(%s::text[]) as name
                    order by key) as k""",
                [sorted(keys)],
            )
            further = _naming(connection, known) - known
            if further:
                raise psycopg.Rollback  # locks are taken in order: with more points, all over again
        if not further:
            return sorted(known)
        known |= further


def _naming(connection: Connection, points: Collection[str]) -> set[str]:
    """The points whose charges name usage of these points."""
    rows = connection.execute(
        """
        select distinct c.point from billing.usage_messages as u
        join billing.usage_messages as c on c.kind = 'charges' and c.cross_reference = u.id and c.cross_reference <> ''
        where u.point = any(%s) and u.kind = 'usage' and u.purpose <> '01'""",
        [sorted(points)],
    )
    return {row["point"] for row in rows}


def _ids(connection: Connection, points: Collection[str]) -> set[str]:
    """The ids of new usage of these points, and those that new charges of theirs name."""
    rows = connection.execute(
        """
        select distinct case kind when 'usage' then id else cross_reference end as id from billing.usage_messages
        where point = any(%s) and state = 'accepted'
          and (kind = 'usage' and purpose <> '01' or kind = 'charges' and cross_reference <> '')""",
        [sorted(points)],
    )
    return {row["id"] for row in rows}
