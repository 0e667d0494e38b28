"""The SQL of readings: streams, and the versions of their days and register reads."""

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types.json import Jsonb
from psycopg.types.multirange import Int4Multirange, Multirange
from psycopg.types.range import Int4Range

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.import_engine.arrivals import Arrival
from billing_assets.metering.import_engine.messages import IntervalBlock
from billing_assets.metering.readings.streams import StreamKey
from billing_assets.metering.readings.versions import QUALITY_DOWNGRADE, VERSION_CONFLICT, Outcome, State, Version

_INT8, _INT8_ARRAY = 20, 1016
_ARRAY_HEAD = struct.Struct(">iiIii")
_ELEMENT = np.dtype([("length", ">i4"), ("value", ">i8")])


class Table(Enum):
    """The two kinds of readings."""

    INTERVALS = "interval_readings"
    REGISTERS = "register_readings"


INTERVALS, REGISTERS = Table.INTERVALS, Table.REGISTERS


class KnownStream(NamedTuple):
    """A stream. `supplied`: from when until before when its point is in master data. `is_new`: nothing was there."""

    id: int
    is_new: bool
    supplied: tuple[tuple[date, date | None], ...]

    def is_supplied_on(self, day: date) -> bool:
        """Whether master data has its point on a day."""
        return any(since <= day and (until is None or day < until) for since, until in self.supplied)


class Kept(NamedTuple):
    """A version in the database. `label`: point and suffix. `begins_at`, `ends_at`: of register reads."""

    stream: int
    day: date
    begins_at: datetime | None
    ends_at: datetime | None
    message: int | None
    label: str
    version: Version
    outcome: Outcome


class NewRow(NamedTuple):
    """A version that is to be written."""

    stream: int
    day: date
    arrival: Arrival
    content_hash: bytes
    outcome: Outcome


def lock_streams(connection: Connection, keys: Sequence[StreamKey]) -> dict[StreamKey, KnownStream]:
    """Streams by their keys, made where there are none, and locked to the end of the transaction."""
    arrays = [list(part) for part in zip(*sorted(keys), strict=True)]
    fresh = connection.execute(
        """
        insert into billing.streams (point, suffix, register)
        select * from unnest(%s::text[], %s::text[], %s::text[])
        on conflict do nothing returning id""",
        arrays,
    )
    new = {row["id"] for row in fresh}
    points = connection.execute(
        """
        select point, valid_from, valid_until from billing.service_points
        where replaced_at is null and point = any(%s) order by point, valid_from""",
        [list(dict.fromkeys(arrays[0]))],
    )
    supplied: dict[str, tuple[tuple[date, date | None], ...]] = {}
    for row in points:
        supplied[row["point"]] = (*supplied.get(row["point"], ()), (row["valid_from"], row["valid_until"]))
    rows = connection.execute(
        """
        select s.id, s.point, s.suffix, s.register
        from unnest(%s::text[], %s::text[], %s::text[]) as k (point, suffix, register)
        join billing.streams as s using (point, suffix, register)
        order by s.id for no key update of s""",
        arrays,
    )
    return {
        StreamKey(row["point"], row["suffix"], row["register"]): KnownStream(
            row["id"], row["id"] in new, supplied.get(row["point"], ())
        )
        for row in rows
    }


def open_month(connection: Connection, table: Table, day: date) -> None:
    """Makes the partition of a day's month where there is none."""
    connection.execute("select billing.open_reading_month(%s, %s)", [table.value, day])


_VERSION = {
    INTERVALS: """
        extract(epoch from r.starts_at)::bigint as starts, r.length_seconds, cardinality(r.values) as count, r.quality,
        r.runs, null::timestamptz as begins_at, null::timestamptz as ends_at, r.parts""",
    REGISTERS: """
        0::bigint as starts, 1 as length_seconds, 1 as count, r.end_quality as quality,
        null::jsonb as runs, r.begins_at, r.ends_at, null::int4multirange as parts""",
}
_COMMON = """
    r.id, r.stream, r.day, r.message, r.origin, r.made_at, r.updated_at, r.loaded_at, r.content_hash, r.newest_wins,
    r.ruling, r.state, r.code"""


def kept(connection: Connection, table: Table, keys: Sequence[tuple[int, date]]) -> list[Kept]:
    """All versions of these streams on these days."""
    if not keys:
        return []
    wanted = set(keys)
    streams, days = {stream for stream, _ in wanted}, {day for _, day in wanted}
    # Of all days between: fewer words to the server than each stream with each of its days, and often no row.
    rows = connection.execute(
        f"""
        select {_COMMON}, {_VERSION[table]}, s.point || ' ' || s.suffix as label
        from billing.{table.value} as r join billing.streams as s on s.id = r.stream
        where r.stream = any(%s) and r.day between %s and %s""",  # noqa: S608
        [sorted(streams), min(days), max(days)],
    )
    return [_kept(row) for row in rows if (row["stream"], row["day"]) in wanted]


def _kept(row: dict[str, Any]) -> Kept:
    parts = row["parts"]
    version = Version(
        row["id"],
        row["starts"],
        row["length_seconds"],
        row["count"],
        row["quality"],
        tuple((first, last, quality) for first, last, quality, *_ in row["runs"] or ()),
        row["made_at"],
        row["updated_at"],
        row["loaded_at"],
        bytes(row["content_hash"]),
        row["newest_wins"],
        row["origin"] == "edit",
        row["ruling"],
        None if row["code"] in _AMONG_VERSIONS else row["code"],
    )
    outcome = Outcome(
        State(row["state"]), row["code"], (parts and tuple((one.lower, one.upper - 1) for one in parts)) or None
    )
    return Kept(
        row["stream"], row["day"], row["begins_at"], row["ends_at"], row["message"], row["label"], version, outcome
    )


_AMONG_VERSIONS = (QUALITY_DOWNGRADE, VERSION_CONFLICT)
"""Codes of versions that are held because of others of their day; by all other codes whatever these are."""

_COPY = {
    INTERVALS: (
        """
        copy billing.interval_readings (stream, day, message, origin, starts_at, length_seconds, values, decimals, unit,
            serial, quality, runs, reason, reason_text, costs, cost_decimals, currency, facts, visits, made_at,
            updated_at, loaded_at, content_hash, newest_wins, method, inputs, decision, state, code, parts)
            from stdin (format binary)""",
        "int8 date int8 text timestamptz int4 int8[] int2 text text text jsonb text text int8[] int2 text jsonb jsonb "
        "timestamptz timestamptz timestamptz bytea bool text jsonb int8 text text int4multirange",
    ),
    REGISTERS: (
        """
        copy billing.register_readings (stream, day, message, origin, begins_at, ends_at, begin_read, end_read,
            begin_quality, end_quality, quantity, unit, serial, direction, explained, facts, made_at, updated_at,
            loaded_at, content_hash, newest_wins, method, inputs, decision, state, code) from stdin (format binary)""",
        "int8 date int8 text timestamptz timestamptz text text text text numeric text text text text jsonb timestamptz "
        "timestamptz timestamptz bytea bool text jsonb int8 text text",
    ),
}


def write(connection: Connection, table: Table, rows: Iterable[NewRow]) -> None:
    """Writes versions by COPY, with the place that each has among its like."""
    statement, types = _COPY[table]
    with connection.cursor() as cursor:
        cursor.adapters.register_dumper(np.ndarray, _Int8Array)
        with cursor.copy(statement) as copy:
            copy.set_types(types.split())
            facts = _Facts()
            for row in rows:
                copy.write_row(_interval_row(row, facts) if table is INTERVALS else _register_row(row))


class _Facts:
    """Facts as JSON. All days of a stream in a file have the same object, which is made into text once."""

    def __init__(self) -> None:
        self._last: Mapping[str, str] | None = None
        self._json: Jsonb | None = None

    def json(self, facts: Mapping[str, str] | None) -> Jsonb | None:
        if facts is not self._last:
            self._last, text = facts, json.dumps(dict(facts)) if facts else ""
            self._json = Jsonb(text, dumps=str) if text else None
        return self._json


def _interval_row(row: NewRow, facts: _Facts) -> tuple[Any, ...]:
    arrival, block = row.arrival, row.arrival.block
    if not isinstance(block, IntervalBlock):
        raise TypeError("a register read is no interval block")
    runs = Jsonb([list(run) for run in block.runs]) if block.runs else None
    return (
        row.stream,
        row.day,
        arrival.message,
        arrival.origin,
        block.start,
        block.stream.length_seconds,
        block.values,
        block.decimals,
        block.stream.unit,
        block.stream.serial,
        block.quality,
        runs,
        block.reason,
        block.reason_text,
        block.costs,
        block.cost_decimals,
        block.currency,
        facts.json(block.facts),
        Jsonb(list(block.visits)) if block.visits else None,
        *_stamps(row),
        _parts(row.outcome),
    )


def _register_row(row: NewRow) -> tuple[Any, ...]:
    arrival, block = row.arrival, row.arrival.block
    if isinstance(block, IntervalBlock):
        raise TypeError("an interval block is no register read")
    return (
        row.stream,
        row.day,
        arrival.message,
        arrival.origin,
        block.begin,
        block.end,
        block.begin_read,
        block.end_read,
        block.begin_quality,
        block.end_quality,
        block.quantity,
        block.stream.unit,
        block.stream.serial,
        block.direction,
        block.explained,
        Jsonb(block.facts),
        *_stamps(row),
    )


def _stamps(row: NewRow) -> tuple[Any, ...]:
    arrival, block = row.arrival, row.arrival.block
    return (
        arrival.made_at,
        block.updated_at,
        block.loaded_at,
        row.content_hash,
        arrival.newest_wins,
        arrival.method,
        None if arrival.inputs is None else Jsonb(arrival.inputs),
        arrival.decision,
        row.outcome.state.value,
        row.outcome.code,
    )


def _parts(outcome: Outcome) -> Multirange[Any] | None:
    if outcome.parts is None:
        return None
    return Int4Multirange([Int4Range(first, last + 1) for first, last in outcome.parts])


_CHANGE = {
    INTERVALS: """
        update billing.interval_readings as r set state = c.state, code = c.code, parts = c.parts::int4multirange
        from unnest(%s::bigint[], %s::date[], %s::bigint[], %s::text[], %s::text[], %s::text[])
            as c (stream, day, id, state, code, parts)
        where (r.stream, r.day, r.id) = (c.stream, c.day, c.id)""",
    REGISTERS: """
        update billing.register_readings as r set state = c.state, code = c.code
        from unnest(%s::bigint[], %s::date[], %s::bigint[], %s::text[], %s::text[], %s::text[])
            as c (stream, day, id, state, code, parts)
        where (r.stream, r.day, r.id) = (c.stream, c.day, c.id)""",
}
_MADE_EARLIER = {
    INTERVALS: """
        update billing.interval_readings as r set made_at = c.made_at
        from unnest(%s::bigint[], %s::date[], %s::bigint[], %s::timestamptz[]) as c (stream, day, id, made_at)
        where (r.stream, r.day, r.id) = (c.stream, c.day, c.id)""",
    REGISTERS: """
        update billing.register_readings as r set made_at = c.made_at
        from unnest(%s::bigint[], %s::date[], %s::bigint[], %s::timestamptz[]) as c (stream, day, id, made_at)
        where (r.stream, r.day, r.id) = (c.stream, c.day, c.id)""",
}


def change(
    connection: Connection,
    table: Table,
    changed: Sequence[tuple[Kept, Outcome]],
    made_earlier: Sequence[tuple[Kept, datetime]],
) -> None:
    """Gives versions another place, and notes when a message that came again was made."""
    if changed:
        rows = [
            (one.stream, one.day, one.version.id, to.state.value, to.code, _parts_text(to.parts)) for one, to in changed
        ]
        connection.execute(_CHANGE[table].encode(), [list(column) for column in zip(*rows, strict=True)])
    if made_earlier:
        rows_made = [(one.stream, one.day, one.version.id, at) for one, at in made_earlier]
        connection.execute(_MADE_EARLIER[table].encode(), [list(column) for column in zip(*rows_made, strict=True)])


def _parts_text(parts: Sequence[tuple[int, int]] | None) -> str | None:
    return None if parts is None else "{" + ",".join(f"[{first},{last + 1})" for first, last in parts) + "}"


_RULE = {
    INTERVALS: """
        update billing.interval_readings set ruling = %s, ruled_by = %s where (stream, day, id) = (%s, %s, %s)""",
    REGISTERS: """
        update billing.register_readings set ruling = %s, ruled_by = %s where (stream, day, id) = (%s, %s, %s)""",
}


def rule(connection: Connection, table: Table, of: Kept, ruling: str, decision: int) -> None:
    """Notes what a person decided about a version."""
    connection.execute(_RULE[table].encode(), [ruling, decision, of.stream, of.day, of.version.id])


def of_message(connection: Connection, message: int) -> tuple[Table, Kept] | None:
    """The version that a message became, its stream locked to the end of the transaction; None where it has none."""
    row = connection.execute(
        "select type, point, suffix, day, begins_at, ends_at from billing.raw_messages where id = %s", [message]
    ).fetchone()
    if row is None:
        return None
    table = REGISTERS if row["type"] == "register" else INTERVALS
    streams = connection.execute(
        "select id from billing.streams where (point, suffix) = (%s, %s) order by id for no key update",
        [row["point"], row["suffix"]],
    )
    ends = row["ends_at"] or row["begins_at"]
    day = row["day"] or (ends.date() if ends else None)
    if day is None:
        return None
    found = kept(connection, table, [(one["id"], day) for one in streams])
    return next(((table, one) for one in found if one.message == message), None)


def waiting_for_points(connection: Connection, table: Table, after: int, limit: int) -> list[tuple[int, date]]:
    """Streams and days with versions that are held for want of a service point that master data has by now: of the next
    so many streams after one. The streams are locked, so that what is read next is the last that was written."""
    rows = connection.execute(
        f"""
        with held as materialized (
            select distinct r.stream, r.day from billing.{table.value} as r
            join billing.streams as s on s.id = r.stream
            join billing.service_points as p on p.point = s.point and p.replaced_at is null
                and p.valid_from <= r.day and (p.valid_until is null or r.day < p.valid_until)
            where r.state = 'held' and r.code = 'NO_SERVICE_POINT' and r.stream > %s),
        locked as materialized (
            select s.id from billing.streams as s
            where s.id in (select distinct stream from held order by stream limit %s)
            order by s.id for no key update)
        select held.stream, held.day from held join locked on locked.id = held.stream order by 1, 2""",  # noqa: S608
        [after, limit],
    )
    return [(row["stream"], row["day"]) for row in rows]


class Reading(NamedTuple):
    """A version that counts, for those who read. `parts`: the intervals for which it does, where not for all."""

    version: int
    message: int | None
    day: date
    starts_at: datetime
    length_seconds: int
    values: NDArray[np.int64]
    decimals: int
    unit: str
    quality: str
    runs: tuple[tuple[Any, ...], ...]
    parts: tuple[tuple[int, int], ...] | None


def current(connection: Connection, stream: int, first: date, last: date) -> list[Reading]:
    """What counts of a stream, from day to day inclusive: in the order of the days, and of their intervals."""
    rows = connection.execute(
        """
        select id, message, day, starts_at, length_seconds, values, decimals, unit, quality, runs, parts
        from billing.interval_readings
        where stream = %s and day between %s and %s and state = 'current' order by day, starts_at, id""",
        [stream, first, last],
    )
    return [_reading(row) for row in rows]


def _reading(row: Mapping[str, Any]) -> Reading:
    parts = row["parts"]
    return Reading(
        row["id"],
        row["message"],
        row["day"],
        row["starts_at"],
        row["length_seconds"],
        np.array(row["values"], np.int64),
        row["decimals"],
        row["unit"],
        row["quality"],
        tuple(tuple(run) for run in row["runs"] or ()),
        (parts and tuple((one.lower, one.upper - 1) for one in parts)) or None,
    )


class _Int8Array(Dumper):
    """An array of integers as PostgreSQL's bigint[], in binary."""

    format = Format.BINARY
    oid = _INT8_ARRAY

    def dump(self, obj: NDArray[np.int64]) -> bytes:
        """One dimension, from 1, no nulls."""
        if not len(obj):
            return _ARRAY_HEAD.pack(0, 0, _INT8, 0, 0)[:12]
        elements = np.empty(len(obj), _ELEMENT)
        elements["length"] = 8
        elements["value"] = obj
        return _ARRAY_HEAD.pack(1, 0, _INT8, len(obj), 1) + elements.tobytes()
