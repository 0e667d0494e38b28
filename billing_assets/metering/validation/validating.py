"""Judges the readings that are in the database: periods of streams, some hundred points at once.

Safe to repeat: the same readings judged by the same parameters leave nothing new behind. Each number of points is a
transaction in which their streams are locked, so that what is judged is what counts.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import islice, pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.validation import store
from billing_assets.metering.validation.assembling import (
    MasterData,
    Placed,
    history_of,
    kind_of,
    neighbours,
    place,
    register_days,
    register_facts,
    statistics_of,
    stream_facts,
)
from billing_assets.metering.validation.batches import Batch, intervals_of, judge_batch, parameters_of
from billing_assets.metering.validation.facts import (
    PeriodFacts,
    Quality,
    RegisterFacts,
    Replaced,
    SiblingFacts,
    StreamFacts,
)
from billing_assets.metering.validation.grids import grid_of
from billing_assets.metering.validation.parameters import ParameterTable
from billing_assets.metering.validation.registers import unscaled
from billing_assets.metering.validation.rows import (
    IntervalRow,
    Judgement,
    NewFinding,
    RegisterRow,
    StreamRow,
)
from billing_assets.metering.validation.rules import RuleFinding, holds, judge, parameter_table

POINTS_AT_ONCE = 250
HISTORY_DAYS = 800
_DAY = timedelta(days=1)
_MOST_DAYS_OF_A_READ = 400

Period = tuple[int, date, date]
"""A stream and its local days, begin (inclusive) and end (exclusive)."""


class Summary(NamedTuple):
    """What came of judging. `new`: periods whose result is another than before. `held`: by issues, cleared or not."""

    periods: int = 0
    new: int = 0
    held: int = 0
    findings: int = 0

    def plus(self, other: "Summary") -> "Summary":
        """Both together."""
        return Summary(*(one + another for one, another in zip(self, other, strict=True)))


class _Judged(NamedTuple):
    """A period with what was found in it. `of_day`: versions by local day."""

    stream: int
    facts: PeriodFacts
    versions: list[int]
    of_day: dict[date, list[int]]
    found: list[RuleFinding]


def validate_all(
    connection: Connection,
    begin: date,
    end: date,
    *,
    today: date,
    closing: bool = False,
    billed: Collection[Period] = (),
) -> Summary:
    """Judges all points from local day `begin` (inclusive) to `end` (exclusive), each number of them on its own."""
    summary = Summary()
    todo = iter(store.points(connection, begin, end))
    while some := list(islice(todo, POINTS_AT_ONCE)):
        done = validate(connection, some, begin, end, today=today, closing=closing, billed=billed)
        summary = summary.plus(done)
    return summary


def validate(
    connection: Connection,
    points: Sequence[str],
    begin: date,
    end: date,
    *,
    today: date,
    closing: bool = False,
    billed: Collection[Period] = (),
) -> Summary:
    """Judges the interval streams of these points from local day `begin` (inclusive) to `end` (exclusive), and the
    register reads that end in it, each for its own period.

    `closing`: the period is being closed, so that all streams should be there. `billed`: periods that were billed.
    """
    with connection.transaction():
        streams = store.lock_streams(connection, points)
        master = _master(connection, points)
        table = parameter_table(store.settings(connection))
        work = _Work(connection, streams, master, table, begin, end, today)
        judged = [*work.intervals(closing=closing, billed=billed), *work.registers(billed=billed)]
        return _note(connection, judged, work.before)


def _master(connection: Connection, points: Sequence[str]) -> MasterData:
    return MasterData.of(
        store.point_rows(connection, points),
        store.terms(connection, points),
        store.devices(connection, points),
        store.supplies(connection, points),
    )


class _Work:
    """What is read once for some points."""

    def __init__(
        self,
        connection: Connection,
        streams: Sequence[StreamRow],
        master: MasterData,
        table: ParameterTable,
        begin: date,
        end: date,
        today: date,
    ) -> None:
        self.streams, self.master, self.table = streams, master, table
        self.begin, self.end, self.today = begin, end, today
        ids = [one.id for one in streams]
        self.history = store.history(connection, ids, begin - HISTORY_DAYS * _DAY, end)
        self.before = store.earlier_judgements(connection, ids, begin - _MOST_DAYS_OF_A_READ * _DAY, end + _DAY)
        self.interval_rows: dict[int, list[IntervalRow]] = defaultdict(list)
        # The day of a file is that of its own clock, which may be a day beside ours.
        for row in store.interval_rows(connection, ids, begin - _DAY, end + _DAY):
            self.interval_rows[row.stream].append(row)
        self.register_rows: dict[int, list[RegisterRow]] = defaultdict(list)
        # Also those that end later: they may have begun before.
        most = _MOST_DAYS_OF_A_READ * _DAY
        for read in store.register_rows(connection, ids, begin - most, end + most):
            self.register_rows[read.stream].append(read)
        self.replaced = store.replaced_days(connection, ids, begin, end - _DAY)

    def intervals(self, *, closing: bool, billed: Collection[Period]) -> Iterator[_Judged]:
        """Judges interval streams, those of one zone and length together."""
        groups: dict[tuple[ZoneInfo, int], list[tuple[StreamRow, StreamFacts]]] = defaultdict(list)
        for one in self.streams:
            rows = self.interval_rows.get(one.id, [])
            zone, customer_class = self.master.point(one.point, self.begin, self.end)
            terms = self.master.terms_of(one.point, one.suffix, self.begin, self.end)
            lengths = Counter(row.length_seconds for row in rows)
            length = (terms.length_seconds if terms else 0) or (lengths.most_common(1)[0][0] if lengths else 0)
            if one.register or not length:
                continue
            units = Counter(row.unit for row in rows)
            stream = stream_facts(one.point, one.suffix, customer_class, terms, units, length)
            groups[zone, length].append((one, stream))
        for (zone, length), members in groups.items():
            yield from self._group(zone, length, members, closing=closing, billed=billed)

    def _group(
        self,
        zone: ZoneInfo,
        length: int,
        members: list[tuple[StreamRow, StreamFacts]],
        *,
        closing: bool,
        billed: Collection[Period],
    ) -> Iterator[_Judged]:
        grid = grid_of(self.begin, self.end, zone, length)
        values = np.zeros((len(members), len(grid)), np.int64)
        qualities = np.full(values.shape, Quality.MISSING, np.int8)
        placed = [
            place(grid, self.interval_rows.get(one.id, []), values[row], qualities[row])
            for row, (one, _) in enumerate(members)
        ]
        empty = {}
        if closing:
            empty = {one.id: days_without(qualities[row], grid.starts) for row, (one, _) in enumerate(members)}
        facts = []
        for row, ((one, stream), its) in enumerate(zip(members, placed, strict=True)):
            intervals = intervals_of(grid, values, qualities, its.decimals, row)
            intervals.outages = its.outages
            judged = self._facts(one, stream, zone, self.begin, self.end, kind_of(its.origins))
            facts.append(
                replace(
                    judged,
                    intervals=intervals,
                    registers=self._same_period(one, zone),
                    lengths=tuple(sorted(its.lengths)),
                    units=tuple(sorted(its.units)),
                    serials=tuple(sorted(its.serials)),
                    conflicts=self.replaced.get(one.id, 0),
                    closing=closing,
                    siblings=self._siblings(one, members, empty) if closing else (),
                )
            )
        facts = [
            self._with_replaced(one, its, p, billed) for (one, _), its, p in zip(members, facts, placed, strict=True)
        ]
        found = judge_batch(Batch(grid, values, qualities, facts), self.table)
        for (one, _), known, where, findings in zip(members, facts, placed, found, strict=True):
            yield _Judged(one.id, known, where.versions, where.of_day, findings)

    def registers(self, *, billed: Collection[Period]) -> Iterator[_Judged]:
        """Judges register reads, each for the period between its reads; and periods that were judged and have none
        that counts any more, whose findings are of the past."""
        counting = set()
        for one in self.streams:
            rows = self.register_rows.get(one.id, [])
            for row in rows:
                zone, customer_class = self.master.point(one.point, row.ends_at.date(), row.ends_at.date() + _DAY)
                begin, end = register_days(row, zone)
                counting.add((one.id, begin, end))
                if not self.begin < end <= self.end:
                    continue
                previous_end, overlapping = neighbours(row, rows, zone)
                terms = self.master.terms_of(one.point, one.suffix, begin, end)
                stream = stream_facts(one.point, one.suffix, customer_class, terms, Counter([row.unit]), 0)
                facts = replace(
                    self._facts(one, stream, zone, begin, end, kind_of({row.origin})),
                    registers=(register_facts(row, zone),),
                    quantity=row.quantity,
                    units=(row.unit,),
                    serials=(row.serial,),
                    previous_end=previous_end,
                    overlapping=overlapping,
                )
                placed = Placed(versions=[row.id])
                facts = self._with_replaced(one, facts, placed, billed)
                yield _Judged(one.id, facts, [row.id], {}, judge(facts, parameters_of(facts, self.table)))
        yield from self._gone(counting)

    def _gone(self, counting: Collection[Period]) -> Iterator[_Judged]:
        registers = {one.id: one for one in self.streams if one.register}
        for key, judged in self.before.items():
            one, (_, begin, end) = registers.get(key[0]), key
            if one is None or key in counting or not self.begin < end <= self.end or not judged[0]["versions"]:
                continue
            zone, customer_class = self.master.point(one.point, begin, end)
            terms = self.master.terms_of(one.point, one.suffix, begin, end)
            stream = stream_facts(one.point, one.suffix, customer_class, terms, Counter([judged[0]["unit"]]), 0)
            yield _Judged(one.id, self._facts(one, stream, zone, begin, end, kind_of(set())), [], {}, [])

    def _facts(
        self, one: StreamRow, stream: StreamFacts, zone: ZoneInfo, begin: date, end: date, kind: Any
    ) -> PeriodFacts:
        history = history_of(row for row in self.history.get(one.id, []) if row["ends"] <= begin)
        closed = self.master.closed(one.point, begin, end)
        return PeriodFacts(
            stream=stream,
            begin=begin,
            end=end,
            zone=zone,
            today=self.today,
            kind=kind,
            devices=self.master.devices_of(one.point, one.suffix, begin, end),
            history=history,
            statistics=statistics_of(history),
            closed=closed,
        )

    def _same_period(self, one: StreamRow, zone: ZoneInfo) -> tuple[RegisterFacts, ...]:
        """The reads of the point's registers of the same suffix that cover just the period of the intervals."""
        found = []
        for other in self.streams:
            if other.point == one.point and other.suffix == one.suffix and other.id != one.id:
                reads = [register_facts(row, zone) for row in self.register_rows.get(other.id, [])]
                found += [read for read in reads if self.begin <= read.begin and read.end <= self.end]
        found.sort(key=lambda read: read.begin)
        edges = [self.begin, *(read.end for read in found)]
        joined = all(read.begin == edge for read, edge in zip(found, edges, strict=False))
        return tuple(found) if found and joined and edges[-1] == self.end else ()

    def _siblings(
        self, one: StreamRow, members: list[tuple[StreamRow, StreamFacts]], empty: dict[int, int]
    ) -> tuple[SiblingFacts, ...]:
        there = {other.suffix: empty[other.id] for other, _ in members if other.point == one.point}
        days = (self.end - self.begin).days
        suffixes = self.master.billed_suffixes(one.point, self.begin, self.end)
        with_reads = {other.suffix for other in self.streams if other.point == one.point and other.register}
        return tuple(
            SiblingFacts(suffix, billed, there.get(suffix, days))
            for suffix, billed in sorted(suffixes.items())
            if suffix != one.suffix and (suffix in there or suffix not in with_reads)
        )

    def _with_replaced(
        self, one: StreamRow, facts: PeriodFacts, placed: Placed, billed: Collection[Period]
    ) -> PeriodFacts:
        """The facts with what these versions replace: what was judged last of other ones."""
        key = (one.id, facts.begin, facts.end)
        versions = sorted(placed.versions)
        last = next((row for row in self.before.get(key, []) if sorted(row["versions"]) != versions), None)
        if last is None or last["quantity"] is None:
            return facts
        was = Quality.ESTIMATE if last["estimates"] else Quality.ACTUAL
        is_now = Quality.ESTIMATE if _counts(facts)[1] else Quality.ACTUAL
        # Whether a lower quality may replace a higher one was decided when it was taken in.
        return replace(facts, replaces=Replaced(last["quantity"], was, is_now, key in billed, revision=True))


def days_without(qualities: Any, starts: Sequence[int]) -> int:
    """How many days of a row have no value that counts."""
    return sum(not bool((qualities[first:after] > Quality.NULL).any()) for first, after in pairwise(starts))


def _counts(facts: PeriodFacts) -> tuple[int, int]:
    """How many values count, and how many of them are estimates."""
    if facts.intervals is not None:
        return facts.intervals.totals[2:]
    if not facts.registers:
        return 0, 0
    return 1, int(bool(facts.registers) and facts.registers[-1].end_quality is Quality.ESTIMATE)


def _note(connection: Connection, judged: Sequence[_Judged], known: dict[Period, list[dict[str, Any]]]) -> Summary:
    rows = [(one, [_new_finding(one, its) for its in one.found]) for one in judged]
    fresh = []
    for one, found in rows:
        result = _judgement(one, [its.content_hash for its in found])
        before = known.get((one.stream, one.facts.begin, one.facts.end))
        if not before or bytes(before[0]["content_hash"]) != result.content_hash:
            fresh.append((result, found))
    ids = store.note_findings(connection, [one for _, found in fresh for one in found])
    store.note_judgements(
        connection, [result._replace(findings=[ids[one.content_hash] for one in found]) for result, found in fresh]
    )
    held = sum(holds(one.found) for one in judged)
    return Summary(len(judged), len(fresh), held, sum(len(one.found) for one in judged))


def _new_finding(one: _Judged, found: RuleFinding) -> NewFinding:
    facts = one.facts
    versions = one.versions if found.day is None else one.of_day.get(found.day, [])
    said = (
        one.stream,
        facts.begin,
        facts.end,
        found.day,
        found.rule,
        found.version,
        str(found.severity),
        found.parameters,
        found.observed,
        found.limit,
        found.sentence,
        sorted(versions),
    )
    return NewFinding(*said, _hash(said))


def _judgement(one: _Judged, findings: list[bytes]) -> Judgement:
    facts = one.facts
    quantity, peak = _quantity(facts)
    counted, estimates = _counts(facts)
    said = (
        one.stream,
        facts.begin,
        facts.end,
        str(facts.kind),
        sorted(one.versions),
        quantity,
        facts.stream.unit,
        counted,
        estimates,
        peak,
    )
    return Judgement(*said, [], _hash((said, findings)))


def _quantity(facts: PeriodFacts) -> tuple[Decimal | None, Decimal | None]:
    """What a period comes to, and its highest interval; exact."""
    if facts.intervals is None:
        return facts.quantity, None
    total, highest, counted, _ = facts.intervals.totals
    decimals = facts.intervals.decimals
    return (unscaled(total, decimals), unscaled(highest, decimals)) if counted and highest is not None else (None, None)


def _hash(said: object) -> bytes:
    return hashlib.blake2b(repr(said).encode(), digest_size=16).digest()
