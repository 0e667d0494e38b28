"""The SQL of validation: what is read to judge periods, and what comes of it. Each works on the caller's connection."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format
from psycopg.types.json import Jsonb

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.validation.parameters import Setting
from billing_assets.metering.validation.rows import (
    ClockRow,
    DeviceRow,
    IntervalRow,
    Judgement,
    NewFinding,
    PointRow,
    RegisterRow,
    StreamRow,
    SupplyRow,
    Terms,
)

_HEAD = struct.Struct(">iiIii")
_ELEMENT = np.dtype([("length", ">i4"), ("value", ">i8")])


def settings(connection: Connection) -> list[Setting]:
    """The parameters that were set and not withdrawn."""
    rows = connection.execute(
        """
        select rule, name, value, valid_from, customer_class, point, suffix from (
            select distinct on (rule, name, customer_class, point, suffix, valid_from) *
            from billing.validation_parameters
            order by rule, name, customer_class, point, suffix, valid_from, id desc) as last
        where value is not null"""
    )
    return [Setting(**row) for row in rows]


def set_parameter(connection: Connection, key: Setting, value: Decimal | None, decision: int) -> None:
    """Notes a parameter from a day on, or that it is withdrawn (None)."""
    connection.execute(
        """
        insert into billing.validation_parameters
            (rule, name, value, customer_class, point, suffix, valid_from, decision)
        values (%s, %s, %s, %s, %s, %s, %s, %s)""",
        [key.rule, key.name, value, key.customer_class, key.point, key.suffix, key.valid_from, decision],
    )


def points(connection: Connection, first: date, after: date) -> list[str]:
    """The points that have readings or terms in a period, in order."""
    rows = connection.execute(
        """
        select point from billing.streams
        union select point from billing.stream_terms
        where replaced_at is null and valid_from < %(after)s and coalesce(valid_until > %(first)s, true)
        order by point""",
        {"first": first, "after": after},
    )
    return [row["point"] for row in rows]


def lock_streams(connection: Connection, of_points: Sequence[str]) -> list[StreamRow]:
    """The streams of these points, locked to the end of the transaction: no reading of them comes in meanwhile."""
    rows = connection.execute(
        """
        select id, point, suffix, register from billing.streams where point = any(%s) order by id
        for no key update""",
        [list(of_points)],
    )
    return [StreamRow(**row) for row in rows]


def streams_of(connection: Connection, point: str) -> list[StreamRow]:
    """The interval streams of a point."""
    rows = connection.execute(
        "select id, point, suffix, register from billing.streams where point = %s and register = '' order by id",
        [point],
    )
    return [StreamRow(**row) for row in rows]


def point_rows(connection: Connection, of_points: Sequence[str]) -> list[PointRow]:
    """Service points, the latest of each last."""
    rows = connection.execute(
        """
        select point, zone, class as customer_class, valid_from, valid_until from billing.service_points
        where replaced_at is null and point = any(%s) order by point, valid_from""",
        [list(of_points)],
    )
    return [PointRow(**row) for row in rows]


def terms(connection: Connection, of_points: Sequence[str]) -> list[Terms]:
    """What master data says of the streams of these points."""
    rows = connection.execute(
        """
        select point, suffix, unit, length_seconds, billed, direction, valid_from, valid_until,
            part_of
        from billing.stream_terms where replaced_at is null and point = any(%s) order by point, suffix, valid_from""",
        [list(of_points)],
    )
    return [Terms(**row) for row in rows]


def devices(connection: Connection, of_points: Sequence[str]) -> list[DeviceRow]:
    """The registers of the meters of these points, and meters without registers in master data."""
    rows = connection.execute(
        """
        select m.point, m.serial, coalesce(r.suffix, '') as suffix, r.digits, r.decimals,
            r.multiplier, greatest(m.valid_from, r.valid_from) as valid_from,
            least(m.valid_until, r.valid_until) as valid_until
        from billing.meters as m
        left join billing.registers as r on (r.point, r.serial) = (m.point, m.serial) and r.replaced_at is null
        where m.replaced_at is null and m.point = any(%s) order by m.point, m.serial, r.register""",
        [list(of_points)],
    )
    return [DeviceRow(**row) for row in rows]


def supplies(connection: Connection, of_points: Sequence[str]) -> list[SupplyRow]:
    """When these points are supplied."""
    rows = connection.execute(
        """
        select point, valid_from, valid_until from billing.supply_periods
        where replaced_at is null and point = any(%s) order by point, valid_from""",
        [list(of_points)],
    )
    return [SupplyRow(**row) for row in rows]


def clocks(connection: Connection, of_points: Sequence[str]) -> list[ClockRow]:
    """How far the clocks of the meters of these points were off."""
    rows = connection.execute(
        """
        select point, serial, seconds, valid_from, valid_until from billing.meter_clocks
        where replaced_at is null and point = any(%s) order by point, serial, valid_from""",
        [list(of_points)],
    )
    return [ClockRow(**row) for row in rows]


def interval_rows(connection: Connection, streams: Sequence[int], first: date, last: date) -> list[IntervalRow]:
    """What counts of these streams on the days of their files from `first` to `last`, both inclusive."""
    with connection.cursor(binary=True) as cursor:
        cursor.adapters.register_loader(1016, _Int8Array)
        rows = cursor.execute(
            """
            select id, stream, day, starts_at, length_seconds, values, decimals, unit, serial, quality, reason, runs,
                parts, origin
            from billing.interval_readings
            where stream = any(%s) and day between %s and %s and state = 'current'
            order by stream, day, starts_at, id""",
            [list(streams), first, last],
        ).fetchall()
    return [IntervalRow(**row | {"parts": _parts(row["parts"])}) for row in rows]


def _parts(parts: Any) -> list[tuple[int, int]] | None:
    return None if parts is None else [(one.lower, one.upper - 1) for one in parts]


def replaced_days(connection: Connection, streams: Sequence[int], first: date, last: date) -> dict[int, int]:
    """How many versions of these streams another one of higher rank or a newer one has taken the place of."""
    rows = connection.execute(
        """
        select stream, count(*) as versions from billing.interval_readings
        where stream = any(%s) and day between %s and %s and state = 'superseded' group by stream""",
        [list(streams), first, last],
    )
    return {row["stream"]: row["versions"] for row in rows}


def register_rows(connection: Connection, streams: Sequence[int], first: date, last: date) -> list[RegisterRow]:
    """What counts of register reads that end on days from `first` to `last` (UTC), in the order of their ends."""
    rows = connection.execute(
        """
        select id, stream, begins_at, ends_at, begin_read, end_read, begin_quality, end_quality, quantity, unit, serial,
            explained, case when explained ~ 'multiplier' then substring(explained from 'multiplier ([0-9]+)$')::numeric
                when explained ~ '^(equal|sign|rollover|decimals)' then 1 end as multiplier, origin
        from billing.register_readings
        where stream = any(%s) and day between %s and %s and state = 'current' and ends_at is not null
        order by stream, ends_at, id""",
        [list(streams), first, last],
    )
    return [RegisterRow(**row) for row in rows]


def history(
    connection: Connection, streams: Sequence[int], since: date, before: date
) -> dict[int, list[dict[str, Any]]]:
    """The last validations of earlier periods of these streams, those that end in the given time."""
    rows = connection.execute(
        """
        select distinct on (stream, begins, ends) stream, begins, ends, quantity, intervals, estimates, peak
        from billing.validations where stream = any(%s) and ends > %s and ends <= %s
        order by stream, begins, ends, id desc""",
        [list(streams), since, before],
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["stream"], []).append(row)
    return found


def earlier_judgements(
    connection: Connection, streams: Sequence[int], first: date, after: date
) -> dict[tuple[int, date, date], list[dict[str, Any]]]:
    """All validations of the periods of these streams that touch the days, by stream, begin and end, the last first."""
    rows = connection.execute(
        """
        select stream, begins, ends, quantity, unit, estimates, versions, content_hash
        from billing.validations where stream = any(%s) and ends > %s and begins < %s order by id desc""",
        [list(streams), first, after],
    )
    found: dict[tuple[int, date, date], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["stream"], row["begins"], row["ends"]), []).append(row)
    return found


def judged_periods(connection: Connection, point: str, begin: date, end: date) -> list[tuple[date, date]]:
    """The periods of a point's streams that were judged and touch the days, the earliest first."""
    rows = connection.execute(
        """
        select distinct v.begins, v.ends from billing.validations as v join billing.streams as s on s.id = v.stream
        where s.point = %s and v.ends > %s and v.begins < %s order by v.begins, v.ends""",
        [point, begin, end],
    )
    return [(row["begins"], row["ends"]) for row in rows]


def note_findings(connection: Connection, found: Sequence[NewFinding]) -> dict[bytes, int]:
    """Writes the findings that are not there yet. The ids of all, by their hashes."""
    if not found:
        return {}
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into billing.validation_findings (stream, begins, ends, day, rule, rule_version, severity,
                parameters, observed, allowed, sentence, versions, content_hash)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict (content_hash) do nothing""",
            [[Jsonb(cell) if isinstance(cell, Mapping) else cell for cell in one] for one in found],
        )
    rows = connection.execute(
        "select id, content_hash from billing.validation_findings where content_hash = any(%s)",
        [[one.content_hash for one in found]],
    )
    return {bytes(row["content_hash"]): row["id"] for row in rows}


def note_judgements(connection: Connection, judged: Iterable[Judgement]) -> None:
    """Writes the results of judging."""
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into billing.validations (stream, begins, ends, kind, versions, quantity, unit, intervals, estimates,
                peak, findings, content_hash)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            list(judged),
        )


def clear(connection: Connection, finding: int, decision: int) -> None:
    """Notes that a finding was verified."""
    connection.execute("insert into billing.cleared_findings (finding, decision) values (%s, %s)", [finding, decision])


_FINDINGS = """
    select f.id, s.point, s.suffix, s.register, f.stream, f.begins, f.ends, f.day, f.rule, f.severity, f.observed,
        f.allowed, f.sentence, f.parameters, f.noted_at, f.versions, d.decided_by, d.decided_at, d.why
    from billing.validation_findings as f
    join billing.streams as s on s.id = f.stream
    left join billing.cleared_findings as c on c.finding = f.id
    left join billing.decisions as d on d.id = c.decision"""


def findings(
    connection: Connection,
    *,
    point: str | None = None,
    rule: str | None = None,
    only_open: bool = True,
    most: int | None = None,
) -> list[dict[str, Any]]:
    """Findings that count now, the oldest first; open: those that hold their period."""
    return connection.execute(
        f"""{_FINDINGS}
        join billing.validated_periods as v on (v.stream, v.begins, v.ends) = (f.stream, f.begins, f.ends)
            and f.id = any (v.findings)
        where (%(point)s::text is null or s.point = %(point)s) and (%(rule)s::text is null or f.rule = %(rule)s)
            and (not %(open)s or f.severity <> 'info' and c.finding is null)
        order by f.noted_at, f.id limit %(most)s""",
        {"point": point, "rule": rule, "open": only_open, "most": most},
    ).fetchall()


def held_for(connection: Connection, rule: str, begin: date, end: date) -> list[dict[str, Any]]:
    """Streams and periods that touch the days and are held by an open finding of a rule, with the point's class."""
    return connection.execute(
        """
        select distinct s.point, s.suffix, s.register, v.begins, v.ends, (
            select p.class from billing.service_points as p
            where p.point = s.point and p.replaced_at is null and p.valid_from < v.ends
            order by p.valid_from desc limit 1) as customer_class
        from billing.validated_periods as v join billing.streams as s on s.id = v.stream
        join billing.validation_findings as f on f.id = any (v.findings)
        where v.ends > %(begin)s and v.begins < %(end)s and v.open > 0 and f.rule = %(rule)s
            and not exists (select from billing.cleared_findings as c where c.finding = f.id)
        order by s.point, s.suffix, v.begins""",
        {"begin": begin, "end": end, "rule": rule},
    ).fetchall()


def finding(connection: Connection, number: int) -> dict[str, Any] | None:
    """A finding, whether it counts now or not; `counts` says it."""
    return connection.execute(
        f"""
        select f.*, exists (select from billing.validated_periods as v
            where (v.stream, v.begins, v.ends) = (f.stream, f.begins, f.ends) and f.id = any (v.findings)) as counts
        from ({_FINDINGS} where f.id = %s) as f""",  # noqa: S608
        [number],
    ).fetchone()


def periods(connection: Connection, point: str | None = None) -> list[dict[str, Any]]:
    """The last validation of each period, in the order of point, stream and day."""
    return connection.execute(
        """
        select s.point, s.suffix, s.register, v.* from billing.validated_periods as v
        join billing.streams as s on s.id = v.stream
        where %(point)s::text is null or s.point = %(point)s order by s.point, s.suffix, v.begins, v.ends""",
        {"point": point},
    ).fetchall()


class _Int8Array(Loader):
    """PostgreSQL's bigint[] in binary as an array; of one dimension, without nulls."""

    format = Format.BINARY

    def load(self, data: Buffer) -> NDArray[np.int64]:
        """An array of its own."""
        dimensions, has_null, *_ = struct.unpack_from(">ii", data)
        if not dimensions:
            return np.empty(0, np.int64)
        if dimensions != 1 or has_null:
            raise ValueError("values of intervals are one row of numbers")
        return np.frombuffer(data, _ELEMENT, offset=_HEAD.size)["value"].astype(np.int64)
