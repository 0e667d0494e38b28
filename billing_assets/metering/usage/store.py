"""The SQL of usage and charges: taking messages in, and settling service points, on the caller's connection.

Settling finds everything again from all messages of a point and writes what differs: safe to repeat, and side by side.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.import_engine.arrivals import MessageState
from billing_assets.metering.import_engine.message_store import set_states
from billing_assets.metering.usage.facts import Decided, Fact, Options, Outcome, Pair, Settled
from billing_assets.metering.usage.intake_store import reader_sentences
from billing_assets.metering.usage.lock_store import lock_points
from billing_assets.metering.usage.machine import named_elsewhere
from billing_assets.metering.usage.machine import settle as settle_facts
from billing_assets.metering.usage.states import CODES, CONTENT_CODE, Kind, Purpose, State

CHUNK = 50
"""Points that are settled in one transaction: it holds a lock for each and for each new message of it."""

_FACTS = {
    "message": "bigint",
    "kind": "text",
    "id": "text",
    "purpose": "text",
    "refers_to": "text",
    "point": "text",
    "period_start": "date",
    "period_end": "date",
    "content": "text",
    "sent_at": "timestamptz",
    "arrived_at": "timestamptz",
    "amount": "numeric",
    "is_estimated": "boolean",
    "is_final": "boolean",
    "cross_reference": "text",
    "needs_no_pair": "boolean",
    "reader_codes": "text[]",
    "control": "text",
    "utility": "text",
}
"""The columns of a fact with their types, in the order of its fields."""

_COLUMNS = ", ".join(_FACTS)
_OUTCOME = "state, codes, other, since, is_live, gap_from, replaces, cancelled_by"


class Moved(NamedTuple):
    """A message whose state or codes changed; its set in raw_messages has the same. `sentence`: of the main code."""

    message: int
    state: State
    code: str | None
    sentence: str | None


def take_in(connection: Connection, facts: Iterable[Fact]) -> int:
    """Keeps usage and charges, each once; `settle` their points then, in this transaction or a later one.

    Returns how many are new. What is taken in and not settled is found by `unsettled`.
    """
    rows = [dict(zip(_FACTS, fact, strict=True)) for fact in facts]
    return connection.execute(
        f"""
        insert into billing.usage_messages ({_COLUMNS}, since)
        select {_COLUMNS}, arrived_at from jsonb_to_recordset(%s::jsonb)
            as f ({", ".join(f"{name} {kind}" for name, kind in _FACTS.items())})
        order by message
        on conflict (message) do nothing""",  # noqa: S608  constants
        [_json(rows)],
    ).rowcount


def settle(
    connection: Connection, points: Collection[str], *, now: datetime | None = None, options: Options | None = None
) -> list[Moved]:
    """Finds and writes what became of all usage and charges of these points.

    Call it once in a transaction, at its end, with all its points and not many more than `CHUNK`. Points whose charges
    name usage of these are settled, too. Two transactions settle a point one after the other. `now`: the clock for
    time-outs.
    """
    with connection.transaction():
        return _settle(connection, lock_points(connection, points), now or datetime.now(UTC), options or Options())


def _settle(connection: Connection, everything: Sequence[str], now: datetime, options: Options) -> list[Moved]:
    before: dict[str, list[tuple[Fact, Outcome]]] = defaultdict(list)
    for fact, outcome in _kept(connection, everything):
        before[fact.point].append((fact, outcome))
    decided = _decided(connection, everything)
    usage = _named_usage(connection, everything)
    moved: list[Moved] = []
    settled = Settled()
    changes: dict[int, Outcome] = {}
    for point in everything:
        facts = [fact for fact, _ in before[point]]
        found = settle_facts(facts, now, decided, options, named_elsewhere(facts, usage))
        settled.pairs += found.pairs
        settled.candidates += found.candidates
        for fact, was in before[point]:
            outcome = found.outcomes[fact.message]
            if outcome != was:
                changes[fact.message] = outcome
            if (outcome.state, outcome.codes) != (was.state, was.codes):
                moved.append(_moved(fact.message, outcome))
    _write_outcomes(connection, changes)
    _write_pairs(connection, everything, settled.pairs)
    _write_candidates(connection, everything, settled)
    _tell(connection, moved)
    return moved


def settle_what_waits(
    connection: Connection, *, now: datetime | None = None, options: Options | None = None, chunk: int = CHUNK
) -> list[Moved]:
    """Settles what was taken in and not settled, and what the clock has changed since; in transactions of its own."""
    now = now or datetime.now(UTC)
    points = unsettled(connection, now)
    moved: list[Moved] = []
    for first in range(0, len(points), chunk):
        with connection.transaction():
            moved += settle(connection, points[first : first + chunk], now=now, options=options)
    return moved


def unsettled(connection: Connection, now: datetime) -> list[str]:
    """The points with messages that are not settled yet, whose time is up, or whose point is in master data by now."""
    rows = connection.execute(
        """
        select distinct point from billing.usage_messages where state = 'accepted'
        union
        select m.point from billing.usage_candidates as c join billing.usage_messages as m using (message)
        where c.state = 'waiting' and c.due_at <= %s
        union
        select m.point from billing.usage_messages as m
        where m.state = 'held' and 'NO_SERVICE_POINT' = any(m.codes) and exists (
            select from billing.service_points as s where s.point = m.point and s.replaced_at is null
              and (s.valid_from < m.period_end and m.period_start < s.valid_until) is not false)
        order by point""",
        [now],
    )
    return [row["point"] for row in rows]


def note_billed(
    connection: Connection, messages: Collection[int], invoice: str, *, now: datetime | None = None
) -> list[Moved]:
    """Puts usage and charges that are ready on an invoice, and settles their points. For one invoice: safe to repeat.

    Raises psycopg.errors.CheckViolation where one of them may not be billed: `guard_usage` names it.
    """
    return note_all_billed(connection, dict.fromkeys(messages, invoice), now=now)


def note_all_billed(connection: Connection, invoices: Mapping[int, str], *, now: datetime | None = None) -> list[Moved]:
    """The same for many invoices at once. `invoices`: by message."""
    with connection.transaction():
        points = lock_points(connection, points_of(connection, invoices))
        connection.execute(
            """
            insert into billing.usage_billed (message, invoice)
            select m, i from unnest(%s::bigint[], %s::text[]) as n (m, i)
            on conflict (message) do nothing""",
            [list(invoices), list(invoices.values())],
        )
        return _settle(connection, points, now or datetime.now(UTC), Options())


def lock_ready(connection: Connection, messages: Collection[int]) -> set[int]:
    """Which of these messages are ready to be billed; they stay so until the transaction ends."""
    lock_points(connection, points_of(connection, messages))
    rows = connection.execute(
        "select message from billing.usage_messages where message = any(%s) and state = 'ready'", [sorted(messages)]
    )
    return {row["message"] for row in rows}


def take_candidate(connection: Connection, kind: str, message: int, taken_by: str) -> bool:
    """Notes what invoicing made of a candidate that is due. False: it is not due, or is taken."""
    done = connection.execute(
        "update billing.usage_candidates set state = 'taken', taken_by = %s, since = clock_timestamp() "
        "where kind = %s and message = %s and state = 'due'",
        [taken_by, kind, message],
    )
    return done.rowcount == 1


def points_of(connection: Connection, messages: Collection[int]) -> list[str]:
    """The points of these messages."""
    rows = connection.execute(
        "select distinct point from billing.usage_messages where message = any(%s) order by point", [list(messages)]
    )
    return [row["point"] for row in rows]


# Reading


def _kept(connection: Connection, points: Sequence[str]) -> Iterable[tuple[Fact, Outcome]]:
    rows = connection.execute(
        f"select {_COLUMNS}, {_OUTCOME} from billing.usage_messages where point = any(%s) order by message",  # noqa: S608
        [list(points)],
    )
    for row in rows:
        *facts, state, codes, other, since, is_live, gap_from, replaces, cancelled_by = row.values()
        outcome = Outcome(State(state), tuple(codes), other, since, is_live, gap_from, replaces, cancelled_by)
        yield _fact(facts), outcome


def _fact(values: list[Any]) -> Fact:
    fact = Fact(*values)
    return fact._replace(kind=Kind(fact.kind), purpose=Purpose(fact.purpose), codes=tuple(fact.codes))


def _decided(connection: Connection, points: Sequence[str]) -> Decided:
    rows = connection.execute(
        """
        select d.what, d.message, d.code, d.charges from billing.usage_decisions as d
        join billing.usage_messages as m using (message) where m.point = any(%s) order by d.id""",
        [list(points)],
    ).fetchall()
    billed = connection.execute(
        "select message from billing.usage_billed join billing.usage_messages as m using (message) "
        "where m.point = any(%s)",
        [list(points)],
    )
    not_ours = connection.execute(
        """
        select m.message from billing.usage_messages as m
        where m.point = any(%s) and not exists (
            select from billing.service_points as s where s.point = m.point and s.replaced_at is null
              and (s.valid_from < m.period_end and m.period_start < s.valid_until) is not false)""",
        [list(points)],
    )
    said = {(row["message"], row["charges"]): row["what"] for row in rows if row["charges"] is not None}
    return Decided(
        rejected=frozenset(row["message"] for row in rows if row["what"] == "reject"),
        released=frozenset((row["message"], row["code"]) for row in rows if row["what"] == "release"),
        confirmed=frozenset(pair for pair, what in said.items() if what == "confirm"),
        declined=frozenset(pair for pair, what in said.items() if what == "decline"),
        billed=frozenset(row["message"] for row in billed),
        not_ours=frozenset(row["message"] for row in not_ours),
    )


def _named_usage(connection: Connection, points: Sequence[str]) -> dict[str, list[Fact]]:
    """Usage that charges of these points name, by its id, wherever it is; not what was rejected."""
    rows = connection.execute(
        f"""
        select {_COLUMNS} from billing.usage_messages as u
        where u.kind = 'usage' and u.purpose <> '01' and u.id in (
            select c.cross_reference from billing.usage_messages as c
            where c.point = any(%s) and c.kind = 'charges' and c.cross_reference <> '')
          and not exists (
            select from billing.usage_decisions as d where d.message = u.message and d.what = 'reject')
        order by message""",  # noqa: S608
        [list(points)],
    )
    found = defaultdict(list)
    for row in rows:
        found[row["id"]].append(_fact(list(row.values())))
    return found


# Writing


def _tell(connection: Connection, moved: Sequence[Moved]) -> None:
    """The sets in raw_messages have the same states; what a reader holds keeps the reader's sentence."""
    of_readers = [one.message for one in moved if one.code is not None and one.code not in CODES]
    sentences = reader_sentences(connection, of_readers) if of_readers else {}
    set_states(
        connection,
        [
            MessageState(one.message, one.state, one.code, sentences.get((one.message, one.code or ""), one.sentence))
            for one in moved
        ],
    )


def _moved(message: int, outcome: Outcome) -> Moved:
    code = outcome.codes[0] if outcome.codes else None
    sentence = None
    if code is not None:
        known = CODES.get(code)
        sentence = known.meaning if known else f"{code}: {CONTENT_CODE.meaning}"
    return Moved(message, outcome.state, code, sentence)


def _write_outcomes(connection: Connection, changes: dict[int, Outcome]) -> None:
    if not changes:
        return
    names = _OUTCOME.split(", ")
    rows = [{"message": message, **dict(zip(names, outcome, strict=True))} for message, outcome in changes.items()]
    connection.execute(
        f"""
        update billing.usage_messages as m set ({_OUTCOME}) = (
            select f.state, f.codes, f.other, f.since, f.is_live, f.gap_from, f.replaces, f.cancelled_by)
        from jsonb_to_recordset(%s::jsonb) as f (
            message bigint, state text, codes text[], other bigint, since timestamptz, is_live boolean, gap_from date,
            replaces bigint, cancelled_by bigint)
        where m.message = f.message""",  # noqa: S608
        [_json(rows)],
    )


def _write_pairs(connection: Connection, points: Sequence[str], pairs: Iterable[Pair]) -> None:
    wanted = {(one.usage, one.charges): (str(one.by), "suggested" if one.suggested else "paired") for one in pairs}
    rows = connection.execute(
        """
        select p.usage, p.charges, p.found_by, p.state from billing.usage_pairs as p
        join billing.usage_messages as m on m.message = p.usage where m.point = any(%s)""",
        [list(points)],
    )
    was = {(row["usage"], row["charges"]): (row["found_by"], row["state"]) for row in rows}
    ended = [
        (*pair, found_by, "ended") for pair, (found_by, state) in was.items() if pair not in wanted and state != "ended"
    ]
    # First what ends: of each message there is one pair at most.
    for changed in (ended, [(*pair, *new) for pair, new in wanted.items() if was.get(pair) != new]):
        if changed:
            connection.execute(
                """
                insert into billing.usage_pairs (usage, charges, found_by, state)
                select * from unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[])
                on conflict (usage, charges) do update
                set found_by = excluded.found_by, state = excluded.state, since = clock_timestamp()""",
                [list(part) for part in zip(*sorted(changed), strict=True)],
            )


def _write_candidates(connection: Connection, points: Sequence[str], settled: Settled) -> None:
    wanted = {
        (str(one.kind), one.message): (one.original, one.cause, str(one.state), one.due_at, one.old, one.new)
        for one in settled.candidates
    }
    rows = connection.execute(
        """
        select c.kind, c.message, c.original, c.cause, c.state, c.due_at, c.old_amount, c.new_amount
        from billing.usage_candidates as c join billing.usage_messages as m using (message)
        where m.point = any(%s)""",
        [list(points)],
    ).fetchall()
    was = {(row["kind"], row["message"]): tuple(row.values())[2:] for row in rows}
    changed = [(*key, *new) for key, new in wanted.items() if _state(was.get(key)) != "taken" and was.get(key) != new]
    for key, old in was.items():
        if key not in wanted and _state(old) not in ("taken", "withdrawn"):
            changed.append((*key, *old[:2], "withdrawn", *old[3:]))
    names = ("kind", "message", "original", "cause", "state", "due_at", "old_amount", "new_amount")
    if changed:
        connection.execute(
            """
            insert into billing.usage_candidates
                (kind, message, original, cause, state, due_at, old_amount, new_amount)
            select kind, message, original, cause, state, due_at, old_amount, new_amount
            from jsonb_to_recordset(%s::jsonb) as f (
                kind text, message bigint, original bigint, cause bigint, state text, due_at timestamptz,
                old_amount numeric, new_amount numeric)
            on conflict (kind, message) do update set
                original = excluded.original, cause = excluded.cause, state = excluded.state, due_at = excluded.due_at,
                old_amount = excluded.old_amount, new_amount = excluded.new_amount, since = clock_timestamp()""",
            [_json([dict(zip(names, row, strict=True)) for row in changed])],
        )


def _state(row: tuple[Any, ...] | None) -> str | None:
    return None if row is None else row[2]


def _json(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows, default=str)  # dates, times and decimals as PostgreSQL reads them
