"""The SQL of posting: items to send, intents, outcomes, read-back. Every write carries the epoch of the lock."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from psycopg.types.json import Jsonb

from billing_assets.foundation.database.connection import Connection, settle_order
from billing_assets.posting.ledger import Ledger
from billing_assets.posting.locks import Lock, StaleLockError, is_held
from billing_assets.posting.states import ItemState


class Item(Protocol):
    """What is delivered: its row in the ledger, and the name under which the outside system has it."""

    @property
    def id(self) -> int: ...
    @property
    def external_id(self) -> str: ...
    @property
    def label(self) -> str: ...  # how people name it


AnItem = TypeVar("AnItem", bound=Item)


@dataclass(frozen=True, slots=True)
class Intent:
    """The exact body of a request that may be sent. `facts`: what the ledger keeps beside the item."""

    body: bytes
    facts: Any = None


@dataclass(frozen=True, slots=True)
class OpenAttempt(Generic[AnItem]):
    """An attempt whose end is not known yet, or whose item differs where it is, and the last that was noted about it.

    `due`: its absence from the system counts by now. While nothing was noted that ends its sending, it is never due:
    the run that began it may have sent it at any time until it lost its hold. `payload`: the body that was sent; None
    where it was not kept. `payload_hash`: its SHA-256. `may_have_landed`: an attempt of ours explains that the system
    has it with this body.
    """

    item: AnItem
    attempt: int
    state: ItemState
    payload: bytes | None
    payload_hash: bytes
    may_have_landed: bool
    due: bool
    last_outcome: str | None
    last_http_status: int | None
    last_code: str | None
    last_path: str | None
    last_detail: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt, and the state in which that leaves the item. `seconds`: time of the request.

    `unproven`: the system had it already, and whether with our content could not be seen. `read_back`: the look-up has
    seen all that the read-back would. `facts`: what the system did with an item that it had already.
    """

    document: int
    attempt: int
    outcome: str
    state: ItemState
    http_status: int | None = None
    code: str | None = None
    path: str | None = None
    detail: str | None = None
    remote_id: str | None = None
    remote_number: str | None = None
    seconds: float | None = None
    unproven: bool = False
    read_back: bool = False
    facts: Any = None


class ReadBack(NamedTuple):
    """What the read-back found of an item. `difference`: in words, None where it is as it was sent."""

    document: int
    number: str | None
    difference: str | None
    unproven: bool


def next_to_send(
    connection: Connection,
    held: Lock,
    columns: str,
    item: Callable[[dict[str, Any]], AnItem],
    limit: int,
    after: int = 0,
) -> list[AnItem]:
    """The next items that this run holds and has not sent, oldest first, behind the row `after`. `columns`: SQL over
    the item `d`."""
    rows = connection.execute(
        f"""
        select {columns} from {held.ledger.items} as d
        where d.batch = %s and d.epoch = %s and d.state = 'locked' and d.id > %s order by d.id limit %s""",
        [held.partition_key, held.epoch, after, limit],
    )
    return [item(row) for row in rows]


def anything_to_send(connection: Connection, held: Lock) -> bool:
    """Whether this run holds an item that it has not sent."""
    row = connection.execute(
        f"select from {held.ledger.items} where batch = %s and epoch = %s and state = 'locked' limit 1",
        [held.partition_key, held.epoch],
    ).fetchone()
    return row is not None


def record_intents(connection: Connection, held: Lock, intents: Mapping[int, Intent]) -> dict[int, int]:
    """Commits the intent to send these items (by their row), and keeps each body, or its hash, for a later look-up.
    Attempt by item.

    Raises StaleLockError, writing nothing, when any of them is not ours any more.
    """
    ledger = held.ledger
    columns = {
        "documents": [*intents],
        "payloads": [intent.body for intent in intents.values()],
        "facts": [None if one.facts is None else Jsonb(one.facts) for one in intents.values()],
    }
    facts = f", {ledger.facts} = r.facts" if ledger.facts else ""
    kept = "m.payload" if ledger.keeps_bodies else "null"
    with connection.transaction():
        attempts = connection.execute(
            f"""
            with r as (
                select * from unnest(%(documents)b::bigint[], %(payloads)b::bytea[], %(facts)s::jsonb[])
                    as r (document, payload, facts)),
            moved as (
                update {ledger.items} as d set state = 'posting'{facts}
                from r where d.id = r.document and d.batch = %(key)s and d.epoch = %(epoch)s and d.state = 'locked'
                returning d.id, d.external_id, r.payload)
            insert into {ledger.attempts}
                (document, batch, run_id, epoch, attempt, external_id, payload_hash, payload)
            select m.id, %(key)s, %(run)s, %(epoch)s,
                   coalesce((select max(a.attempt) from {ledger.attempts} as a where a.document = m.id), 0) + 1,
                   m.external_id, sha256(m.payload), {kept}
            from moved as m
            returning document, id""",
            columns | {"key": held.partition_key, "run": held.run_id, "epoch": held.epoch},
        ).fetchall()
        if len(attempts) != len(intents):
            raise StaleLockError(held)
    return {row["document"]: row["id"] for row in attempts}


def record_outcomes(
    connection: Connection, held: Lock, outcomes: Sequence[Outcome], *, some_may_be_written: bool = False
) -> None:
    """Appends outcomes to the log and moves their items on; of several about one item, the last decides.

    Raises StaleLockError, writing nothing, when any of the items is not ours any more. `some_may_be_written`: the
    connection was lost in an earlier try, perhaps after its commit; what that wrote is passed over.
    """
    ledger = held.ledger
    last = {outcome.document: index for index, outcome in enumerate(outcomes)}
    rows = [
        {name: getattr(outcome, name) for name in Outcome.__dataclass_fields__}
        | {"place": index, "last": last[outcome.document] == index}
        for index, outcome in enumerate(outcomes)
    ]
    facts = f", {ledger.facts} = coalesce(nullif(r.facts, 'null'), d.{ledger.facts})" if ledger.facts else ""
    with connection.transaction():
        moved = connection.execute(
            f"""
            with r as (
                select * from jsonb_to_recordset(%(rows)s) as r (
                    document bigint, attempt bigint, outcome text, state text, http_status integer, code text,
                    path text, detail text, remote_id text, remote_number text, seconds numeric,
                    unproven boolean, read_back boolean, facts jsonb, place integer, last boolean)),
            moved as (
                update {ledger.items} as d
                set state = r.state,
                    {ledger.remote_id} = coalesce(r.remote_id, d.{ledger.remote_id}),
                    {ledger.remote_number} = coalesce(r.remote_number, d.{ledger.remote_number}),
                    posted_at = case when r.state = 'posted' then clock_timestamp() end,
                    -- what the read-back will not look at is said at once
                    difference = case when r.state = 'differs' or r.unproven and r.read_back then r.detail end,
                    unproven = r.unproven,
                    read_back_at = case when r.read_back then clock_timestamp() else d.read_back_at end{facts}
                from r
                where r.last and d.id = r.document
                  and d.batch = %(key)s and d.epoch = %(epoch)s and d.state in ('posting', 'differs')
                returning d.id),
            logged as (
                insert into {ledger.outcomes}
                    (attempt, run_id, outcome, http_status, code, path, detail, {ledger.remote_id},
                     {ledger.remote_number}, seconds)
                select r.attempt, %(run)s, r.outcome, r.http_status, r.code, r.path, r.detail, r.remote_id,
                       r.remote_number, r.seconds
                from r join moved as m on m.id = r.document order by r.place)
            select count(*) as n from moved""",
            {"rows": Jsonb(rows), "key": held.partition_key, "run": held.run_id, "epoch": held.epoch},
        ).fetchone()
        if moved is None or moved["n"] != len(last):
            if some_may_be_written and is_held(connection, held):
                return
            raise StaleLockError(held)


def open_attempts(
    connection: Connection,
    held: Lock,
    columns: str,
    item: Callable[[dict[str, Any]], AnItem],
    absence_counts_after: float,
) -> list[OpenAttempt[AnItem]]:
    """The items of the batch whose last attempt has no known end, and those that differ where they are, with what is
    needed to judge a look-up. `columns`: SQL over the item `d`."""
    ledger = held.ledger
    rows = connection.execute(
        f"""
        select {columns}, d.state, a.id as attempt, a.payload, a.payload_hash,
               (  -- unless the system said each time that it did nothing, or nothing left; or another content did
                   select coalesce(bool_and(t.payload_hash = a.payload_hash), false)
                   from {ledger.attempts} as t
                   left join {ledger.outcomes} as w on w.attempt = t.id
                   where t.document = d.id and coalesce(w.outcome, 'unknown') in ('unknown', 'landed', 'found')
               ) as may_have_landed,
               coalesce(o.outcome in ('unknown', 'exists')
                        and o.recorded_at < clock_timestamp() - make_interval(secs => %(after)s), false) as due,
               o.outcome, o.http_status, o.code, o.path, o.detail
        from {ledger.items} as d
        cross join lateral (
            select id, payload, payload_hash from {ledger.attempts}
            where document = d.id order by attempt desc limit 1) as a
        left join lateral (
            -- what was noted before the clock was set back says nothing about how long ago it was: it is noted again
            select outcome, http_status, code, path, detail, recorded_at from {ledger.outcomes}
            where attempt = a.id and recorded_at <= clock_timestamp() order by id desc limit 1) as o on true
        where d.batch = %(key)s and d.epoch = %(epoch)s and d.state in ('posting', 'differs') order by d.id""",
        {"key": held.partition_key, "epoch": held.epoch, "after": absence_counts_after},
    )
    return [
        OpenAttempt(
            item(row),
            row["attempt"],
            ItemState(row["state"]),
            row["payload"],
            row["payload_hash"],
            row["may_have_landed"],
            row["due"],
            row["outcome"],
            row["http_status"],
            row["code"],
            row["path"],
            row["detail"],
        )
        for row in rows
    ]


def last_outcome(ledger: Ledger, item: str) -> str:
    """SQL of a subquery to be joined laterally: the last outcome that was noted about an item, one row or none. `item`:
    SQL of the item's row."""
    return f"""(
            select o.* from {ledger.attempts} as a join {ledger.outcomes} as o on o.attempt = a.id
            where a.document = {item} order by o.id desc limit 1)"""


def payloads(connection: Connection, held: Lock, documents: Sequence[int]) -> dict[int, bytes]:
    """The body of the last attempt of each of the items, where it was kept."""
    rows = connection.execute(
        f"""
        select distinct on (document) document, payload from {held.ledger.attempts}
        where document = any(%s) order by document, attempt desc""",
        [list(documents)],
    )
    return {row["document"]: row["payload"] for row in rows if row["payload"] is not None}


def record_read_back(connection: Connection, held: Lock, rows: Sequence[ReadBack]) -> None:
    """Notes what the read-back found. Raises StaleLockError."""
    ledger = held.ledger
    with connection.transaction():
        settle_order(connection)
        if not is_held(connection, held):
            raise StaleLockError(held)
        connection.execute(
            f"""
            update {ledger.items} as d
            set read_back_at = clock_timestamp(), {ledger.remote_number} = coalesce(r.number, d.{ledger.remote_number}),
                difference = r.difference, unproven = r.unproven
            from jsonb_to_recordset(%s) as r (document bigint, number text, difference text, unproven boolean)
            where d.id = r.document and d.state || '' = 'posted'  -- never by an index of all that is posted""",
            [Jsonb([row._asdict() for row in rows])],
        )


def forget_archived(connection: Connection, ledger: Ledger, items: Sequence[int]) -> None:
    """Takes the attempts and outcomes of items (their rows) out of the log; call in the transaction that copied them to
    the archive. Triggers let go only what the archive has, unchanged."""
    connection.execute(
        f"""
        delete from {ledger.outcomes} as o using {ledger.attempts} as a
        where a.id = o.attempt and a.document = any(%s)""",
        [list(items)],
    )
    connection.execute(f"delete from {ledger.attempts} where document = any(%s)", [list(items)])
