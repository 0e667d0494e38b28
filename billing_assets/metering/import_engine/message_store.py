"""The SQL of messages: written with their file, and the states they go through."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
from psycopg.types.json import Jsonb

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.import_engine.arrivals import (
    MessageState,
    content_hash,
    period,
    quantity,
    readings,
)
from billing_assets.metering.import_engine.messages import IntervalBlock, RegisterRead, SetMessage
from billing_assets.metering.import_engine.store import plain


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message that is to be written. `hashed`: of its content. `sent_at`: of a set the time of its interchange."""

    id: int
    block: IntervalBlock | RegisterRead | SetMessage
    state: MessageState
    hashed: bytes
    sent_at: datetime | None = None


_COPY = """
    copy billing.raw_messages (id, file, type, line, point, suffix, serial, day, begins_at, ends_at, key, control,
        stamp, content_hash, readings, quantity, state, code, sentence, verdict, codes, keys, quantities, total,
        content, text)
    from stdin (format binary)"""
_TYPES = (
    "int8 int8 text int8 text text text date timestamptz timestamptz text text timestamptz "
    "bytea int4 numeric text text text text text[] jsonb jsonb numeric jsonb text"
)


def new_ids(connection: Connection, many: int) -> list[int]:
    """Ids for messages that are to be written."""
    rows = connection.execute(
        "select array(select nextval('billing.raw_messages_id_seq') from generate_series(1, %s)) as ids", [many]
    ).fetchall()
    return list(rows[0]["ids"])


def write(connection: Connection, file: int, messages: Iterable[NewMessage]) -> None:
    """Writes messages by COPY."""
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_TYPES.split())
        for one in messages:
            copy.write_row(
                _set_row(file, one, one.block)
                if isinstance(one.block, SetMessage)
                else _reading_row(file, one, one.block)
            )


def _reading_row(file: int, one: NewMessage, block: IntervalBlock | RegisterRead) -> tuple[Any, ...]:
    stream = block.stream
    is_interval = isinstance(block, IntervalBlock)
    return (
        one.id,
        file,
        "interval" if is_interval else "register",
        block.line,
        stream.point,
        stream.suffix,
        stream.serial,
        block.day if isinstance(block, IntervalBlock) else None,
        *period(block),
        "",
        "",
        block.updated_at,
        one.hashed,
        readings(block),
        quantity(block),
        one.state.state,
        one.state.code,
        one.state.sentence,
        *(None,) * 7,
    )


def _set_row(file: int, one: NewMessage, block: SetMessage) -> tuple[Any, ...]:
    content = block.content
    intervals = intervals_of(block)
    begins, ends = (_moment(getattr(content, name, None)) for name in ("start", "end"))
    return (
        one.id,
        file,
        block.type,
        block.line,
        plain(getattr(content, "point", "") or ""),
        "",
        "",
        None,
        begins,
        ends,
        plain(getattr(content, "id", "") or ""),
        plain(block.control),
        one.sent_at,
        one.hashed,
        sum(readings(of) for of in intervals),
        sum((quantity(of) for of in intervals), Decimal(0)),
        one.state.state,
        one.state.code,
        one.state.sentence,
        block.verdict.value,
        block.codes,
        Jsonb(plain(block.keys)),
        Jsonb(plain(block.quantities)),
        None if block.total is None else Decimal(block.total),
        None if content is None else Jsonb(as_json(content)),
        plain(block.text),
    )


def intervals_of(block: SetMessage) -> list[IntervalBlock]:
    """The readings in a set."""
    return list(getattr(block.content, "intervals", None) or ())


def _moment(found: Any) -> datetime | None:
    if isinstance(found, datetime):
        return found
    return datetime.fromisoformat(f"{found}T00:00Z") if isinstance(found, date) else None


def as_json(found: Any) -> Any:
    """Plain data as JSON has it: decimals and times as text."""
    if found is None or isinstance(found, bool | int | float):
        return found
    if isinstance(found, Decimal | date):
        return str(found) if isinstance(found, Decimal) else found.isoformat()
    if isinstance(found, np.ndarray):
        return found.tolist()
    if is_dataclass(found) and not isinstance(found, type):
        return {one.name: as_json(getattr(found, one.name)) for one in fields(found)}
    if isinstance(found, tuple) and hasattr(found, "_asdict"):
        return {name: as_json(value) for name, value in found._asdict().items()}
    if isinstance(found, dict):
        return {plain(str(name)): as_json(value) for name, value in found.items()}
    if isinstance(found, list | tuple | set | frozenset):
        return [as_json(one) for one in found]
    return plain(str(found))


def set_states(connection: Connection, states: Sequence[MessageState], *, of_readings: bool = False) -> None:
    """Gives messages the states that they have now; what they were is noted. For the rooms that say what became of
    messages, in their transactions. `of_readings`: a set whose intervals are among the readings keeps its own state."""
    if not states:
        return
    last = {one.message: one for one in states}
    rows = [last[message] for message in sorted(last)]  # in one order, so that two never wait for each other
    connection.execute(
        """
        update billing.raw_messages as m set state = s.state, code = s.code, sentence = s.sentence
        from unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) as s (message, state, code, sentence)
        where m.id = s.message and (m.state, m.code, m.sentence) is distinct from (s.state, s.code, s.sentence)
          and (not %s or m.type in ('interval', 'register'))""",
        [*(list(column) for column in zip(*rows, strict=True)), of_readings],
    )


def hash_of(block: IntervalBlock | RegisterRead | SetMessage) -> bytes:
    """Of what a message says: of a set its text as written."""
    if isinstance(block, SetMessage):
        return hashlib.blake2b(block.text.encode("utf-8", "surrogateescape"), digest_size=16).digest()
    return content_hash(block)
