"""Queries for people: the versions of a reading, which counts, and which messages they came in."""

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection


class VersionRow(NamedTuple):
    """A version of a stream's day, or of a register read. `parts`: the intervals for which it counts, where not for
    all. `begin_read`, `end_read`: of a register read, as on the dials."""

    version: int
    message: int | None
    origin: str
    state: str
    code: str | None
    quality: str
    quantity: Decimal
    unit: str
    updated_at: datetime | None
    made_at: datetime | None
    parts: str | None
    begins_at: datetime | None
    ends_at: datetime | None
    begin_read: str | None
    end_read: str | None


def versions_of_day(connection: Connection, point: str, suffix: str, day: date) -> list[VersionRow]:
    """All versions of a stream's day, in the order in which they count."""
    rows = connection.execute(
        """
        select r.id as version, r.message, r.origin, r.state, r.code, r.quality,
            (select sum(v) from unnest(r.values) as v) / power(10::numeric, r.decimals) as quantity, r.unit,
            r.updated_at, r.made_at, r.parts::text as parts, r.starts_at as begins_at,
            r.starts_at + make_interval(secs => r.length_seconds * cardinality(r.values)) as ends_at,
            null as begin_read, null as end_read
        from billing.interval_readings as r join billing.streams as s on s.id = r.stream
        where s.point = %s and s.suffix = %s and r.day = %s
        order by r.made_at nulls first, r.updated_at nulls first, r.id""",
        [point, suffix, day],
    )
    return [VersionRow(**row) for row in rows]


def versions_of_read(
    connection: Connection, point: str, suffix: str, begins_at: datetime | None, ends_at: datetime | None
) -> list[VersionRow]:
    """All versions of a register's read over a period, in the order in which they count."""
    rows = connection.execute(
        """
        select r.id as version, r.message, r.origin, r.state, r.code, r.end_quality as quality, r.quantity, r.unit,
            r.updated_at, r.made_at, null as parts, r.begins_at, r.ends_at, r.begin_read, r.end_read
        from billing.register_readings as r join billing.streams as s on s.id = r.stream
        where s.point = %s and s.suffix = %s
          and r.begins_at is not distinct from %s and r.ends_at is not distinct from %s
        order by r.made_at nulls first, r.updated_at nulls first, r.id""",
        [point, suffix, begins_at, ends_at],
    )
    return [VersionRow(**row) for row in rows]
