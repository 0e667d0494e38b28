"""Taking versions in: each gets its place among those of its stream and day, and none is ever overwritten."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.import_engine.arrivals import Arrival, MessageState, content_hash, day_of
from billing_assets.metering.import_engine.messages import RegisterRead
from billing_assets.metering.readings import store
from billing_assets.metering.readings.store import INTERVALS, REGISTERS, Kept, KnownStream, NewRow, Table
from billing_assets.metering.readings.streams import StreamKey, version_of
from billing_assets.metering.readings.versions import (
    QUALITY_DOWNGRADE,
    VERSION_CONFLICT,
    Outcome,
    State,
    resolve,
)

NO_SERVICE_POINT = "NO_SERVICE_POINT"
NO_PERIOD = "NO_PERIOD"

_STREAMS_REMEMBERED = 100_000
_STREAMS_AT_ONCE = 200
_MESSAGE_STATES = {
    State.CURRENT: "ready",
    State.SUPERSEDED: "superseded",
    State.HELD: "held",
    State.REJECTED: "rejected",
}


class _Key(NamedTuple):
    """Versions of one key compete. `begins`, `ends`: of register reads, whose periods are their own."""

    stream: int
    day: date
    begins: datetime | None = None
    ends: datetime | None = None


@dataclass
class Intake:
    """Takes versions in, within one transaction of `connection`; remembers streams and months that it has seen in it.

    Streams are locked to the end of the transaction: two that bring the same stream come one after the other.
    """

    connection: Connection
    _streams: dict[StreamKey, KnownStream] = field(default_factory=dict)
    _months: set[tuple[str, int, int]] = field(default_factory=set)

    def take_in(self, arrivals: Sequence[Arrival]) -> list[MessageState]:
        """Takes versions in. Returns, by message, the states of theirs and of those whose state changed by it."""
        states: list[MessageState] = []
        for table, of_table in (
            (INTERVALS, [one for one in arrivals if not isinstance(one.block, RegisterRead)]),
            (REGISTERS, [one for one in arrivals if isinstance(one.block, RegisterRead)]),
        ):
            if of_table:
                states += self._take_in(table, of_table)
        return sorted(states, key=lambda one: one.message)

    def _take_in(self, table: Table, arrivals: list[Arrival]) -> list[MessageState]:
        streams = self._known([StreamKey.of(one.block.stream) for one in arrivals])
        keyed: dict[_Key, list[int]] = defaultdict(list)
        for index, one in enumerate(arrivals):
            keyed[_key(streams[StreamKey.of(one.block.stream)].id, one)].append(index)
        self._open_months(table, {key.day for key in keyed})
        old = {key.stream for key in keyed} - {one.id for one in streams.values() if one.is_new}
        kept: dict[_Key, list[Kept]] = defaultdict(list)
        for found in store.kept(self.connection, table, [(key.stream, key.day) for key in keyed if key.stream in old]):
            kept[_Key(found.stream, found.day, found.begins_at, found.ends_at)].append(found)
        changes = _Changes()
        for key, indexes in keyed.items():
            new = [(arrivals[index], _held(streams, arrivals[index], key.day)) for index in indexes]
            _place(changes, key, new, kept.get(key, []))
        store.write(self.connection, table, changes.rows)
        store.change(self.connection, table, changes.changed, changes.made_earlier)
        self._streams |= {key: one._replace(is_new=False) for key, one in streams.items() if one.is_new}
        return list(changes.states.values())

    def _known(self, keys: Iterable[StreamKey]) -> dict[StreamKey, KnownStream]:
        wanted = dict.fromkeys(keys)
        if missing := [key for key in wanted if key not in self._streams]:
            if len(self._streams) > _STREAMS_REMEMBERED:
                self._streams.clear()
                missing = list(wanted)
            self._streams.update(store.lock_streams(self.connection, missing))
        return {key: self._streams[key] for key in wanted}

    def _open_months(self, table: Table, days: set[date]) -> None:
        for day in days:
            month = (table.name, day.year, day.month)
            if month not in self._months:
                store.open_month(self.connection, table, day)
                self._months.add(month)


@dataclass
class _Changes:
    """What is to be written: new versions, and those whose place changed."""

    rows: list[NewRow] = field(default_factory=list)
    changed: list[tuple[Kept, Outcome]] = field(default_factory=list)
    made_earlier: list[tuple[Kept, datetime]] = field(default_factory=list)
    states: dict[int, MessageState] = field(default_factory=dict)

    def note(self, message: int | None, outcome: Outcome, said: str) -> None:
        if message is not None:
            sentence = said if outcome.code else None
            self.states[message] = MessageState(message, _MESSAGE_STATES[outcome.state], outcome.code, sentence)


def _place(changes: _Changes, key: _Key, new: list[tuple[Arrival, str | None]], kept: list[Kept]) -> None:
    """Finds the place of new versions of a key among those that it has."""
    if not kept and len(new) == 1:  # as nearly always
        ((arrival, held),) = new
        hashed = arrival.content_hash or content_hash(arrival.block)
        outcome = Outcome(State.HELD, held) if held else Outcome(State.CURRENT)
        changes.rows.append(NewRow(key.stream, key.day, arrival, hashed, outcome))
        changes.note(arrival.message, outcome, _sentence(arrival, key, outcome))
        return
    known = {one.version.id: one for one in kept}
    versions = {one.version.id: one.version for one in kept}
    made: dict[int, datetime | None] = {}
    arrived: dict[int, tuple[Arrival, bytes]] = {}
    identities = {one.identity: one.id for one in versions.values()}
    for number, (arrival, held) in enumerate(new, 1):
        version = version_of(arrival, -number, arrival.content_hash or content_hash(arrival.block), held)
        twin = identities.get(version.identity) if arrival.message is not None else None
        if twin is not None:  # it came before: counted, ignored
            if arrival.message is not None:
                changes.states[arrival.message] = MessageState(arrival.message, "duplicate")
            earlier = _earlier(versions[twin].made_at, version.made_at)
            if earlier != versions[twin].made_at:
                versions[twin] = versions[twin]._replace(made_at=earlier)
                made[twin] = earlier
            continue
        identities[version.identity] = version.id
        versions[version.id] = version
        arrived[version.id] = (arrival, version.content_hash)
    for number, outcome in resolve(versions.values()).items():
        if number in arrived:
            arrival, hashed = arrived[number]
            arrival = arrival._replace(made_at=versions[number].made_at)
            changes.rows.append(NewRow(key.stream, key.day, arrival, hashed, outcome))
            changes.note(arrival.message, outcome, _sentence(arrival, key, outcome))
        elif outcome != known[number].outcome:
            changes.changed.append((known[number], outcome))
            changes.note(known[number].message, outcome, _said_of(known[number].label, key, outcome))
    changes.made_earlier += [(known[number], at) for number, at in made.items() if number in known and at is not None]


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """None is before everything."""
    return None if one is None or other is None else min(one, other)


def _key(stream: int, arrival: Arrival) -> _Key:
    block = arrival.block
    if isinstance(block, RegisterRead):
        return _Key(stream, day_of(block), block.begin, block.end)
    return _Key(stream, block.day)


def _held(streams: dict[StreamKey, KnownStream], arrival: Arrival, day: date) -> str | None:
    """Why a version is held whatever others there are."""
    if arrival.held is not None:
        return arrival.held[0]
    if isinstance(arrival.block, RegisterRead) and arrival.block.end is None:
        return NO_PERIOD
    known = streams[StreamKey.of(arrival.block.stream)]
    return None if known.is_supplied_on(day) else NO_SERVICE_POINT


def _sentence(arrival: Arrival, key: _Key, outcome: Outcome) -> str:
    if arrival.held is not None and outcome.code == arrival.held[0]:
        return arrival.held[1]
    stream = arrival.block.stream
    return _said_of(f"{stream.point} {stream.suffix}", key, outcome) if outcome.code else ""


def _said_of(label: str, key: _Key, outcome: Outcome) -> str:
    if outcome.code is None:
        return ""
    return {
        NO_SERVICE_POINT: f"{label}, {key.day}: master data has no such service point on that day. Load it, and "
        "what waits for it is freed.",
        NO_PERIOD: f"{label}: the register read has no end.",
        VERSION_CONFLICT: f"{label}, {key.day}: there are other values under the same version stamp. Ask the sender "
        "which of them are right.",
        QUALITY_DOWNGRADE: f"{label}, {key.day}: it is newer but of lower quality than what counts now. Accept or "
        "reject it.",
    }.get(outcome.code, f"{label}, {key.day}: its reader holds it by {outcome.code}; the findings of its file say why.")


class Freed(NamedTuple):
    """What was freed of some streams. `last`: the last of them; None: there were no more."""

    states: list[MessageState]
    last: int | None


def free_waiting(connection: Connection, table: Table, after: int = 0) -> Freed:
    """Frees versions that waited for a service point that master data has by now, of some streams after one; in the
    caller's transaction. To be called again, after the last, until there is none."""
    keys = store.waiting_for_points(connection, table, after, _STREAMS_AT_ONCE)
    states = _settle(connection, table, store.kept(connection, table, keys), {NO_SERVICE_POINT})
    return Freed(states, keys[-1][0] if keys else None)


def decide(connection: Connection, table: Table, of: Kept, ruling: str, decision: int) -> list[MessageState]:
    """Has a person's decision about a version count: `accepted` or `rejected`. In the caller's transaction."""
    store.rule(connection, table, of, ruling, decision)
    same_key = [
        one
        for one in store.kept(connection, table, [(of.stream, of.day)])
        if (one.begins_at, one.ends_at) == (of.begins_at, of.ends_at)
    ]
    return _settle(connection, table, same_key, set())


def _settle(connection: Connection, table: Table, kept: list[Kept], freed: set[str]) -> list[MessageState]:
    keyed: dict[_Key, list[Kept]] = defaultdict(list)
    for one in kept:
        keyed[_Key(one.stream, one.day, one.begins_at, one.ends_at)].append(one)
    changes = _Changes()
    for key, versions in keyed.items():
        known = {one.version.id: one for one in versions}
        freely = [one.version._replace(held=None) if one.version.held in freed else one.version for one in versions]
        for number, outcome in resolve(freely).items():
            if outcome != known[number].outcome:
                changes.changed.append((known[number], outcome))
                changes.note(known[number].message, outcome, _said_of(known[number].label, key, outcome))
    store.change(connection, table, changes.changed, [])
    return list(changes.states.values())
