"""Versions of readings written by COPY, in binary: what their day has in arrays stays an array."""

import json
import struct
from collections.abc import Iterable, Mapping
from datetime import date
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
from billing_assets.metering.readings.store import INTERVALS, REGISTERS, Table
from billing_assets.metering.readings.versions import Outcome

_INT8, _INT8_ARRAY = 20, 1016
_ARRAY_HEAD = struct.Struct(">iiIii")
_ELEMENT = np.dtype([("length", ">i4"), ("value", ">i8")])


class NewRow(NamedTuple):
    """A version that is to be written."""

    stream: int
    day: date
    arrival: Arrival
    content_hash: bytes
    outcome: Outcome


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
