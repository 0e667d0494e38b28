"""Judges the readings that are in the database: periods of streams, some hundred points at once.

Safe to repeat: the same readings judged by the same parameters leave nothing new behind. Each number of points is a
transaction in which their streams are locked, so that what is judged is what counts.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import islice
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

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
from billing_assets.metering.validation.grids import Grid, grid_of
from billing_assets.metering.validation.other_streams import days_without, demand_of, parts_of, siblings
from billing_assets.metering.validation.parameters import ParameterTable
from billing_assets.metering.validation.results import Judged, Period, counts, note
from billing_assets.metering.validation.rows import (
    IntervalRow,
    RegisterRow,
    StreamRow,
)
from billing_assets.metering.validation.rules import judge, parameter_table

POINTS_AT_ONCE = 250
HISTORY_DAYS = 800
_DAY = timedelta(days=1)
_MOST_DAYS_OF_A_READ = 400


class Summary(NamedTuple):
    """What came of judging. `new`: periods whose result is another than before. `held`: by issues, cleared or not."""

    periods: int = 0
    new: int = 0
    held: int = 0
    findings: int = 0

    def plus(self, other: "Summary") -> "Summary":
        """Both together."""
        return Summary(*(one + another for one, another in zip(self, other, strict=True)))


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
        return Summary(len(judged), *note(connection, judged, work.before))


def _master(connection: Connection, points: Sequence[str]) -> MasterData:
    return MasterData.of(
        store.point_rows(connection, points),
        store.terms(connection, points),
        store.devices(connection, points),
        store.supplies(connection, points),
        store.clocks(connection, points),
    )


class _Group(NamedTuple):
    """Streams of one zone and interval length with their values on one grid, a row each."""

    zone: ZoneInfo
    members: list[tuple[StreamRow, StreamFacts]]
    grid: Grid
    values: NDArray[np.int64]
    qualities: NDArray[np.int8]
    placed: list[Placed]


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
        self.of_point: dict[str, list[StreamRow]] = defaultdict(list)
        for one in streams:
            self.of_point[one.point].append(one)
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

    def intervals(self, *, closing: bool, billed: Collection[Period]) -> Iterator[Judged]:
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
        placed = [self._placed(zone, length, members) for (zone, length), members in groups.items()]
        empty: dict[str, dict[str, frozenset[date]]] = defaultdict(dict)
        for group in placed if closing else ():
            for row, (one, _) in enumerate(group.members):
                without = days_without(group.qualities[row], group.grid.starts, group.grid.days)
                empty[one.point][one.suffix] = without
        for group in placed:
            yield from self._group(group, empty, closing=closing, billed=billed)

    def _placed(self, zone: ZoneInfo, length: int, members: list[tuple[StreamRow, StreamFacts]]) -> _Group:
        grid = grid_of(self.begin, self.end, zone, length)
        values = np.zeros((len(members), len(grid)), np.int64)
        qualities = np.full(values.shape, Quality.MISSING, np.int8)
        placed = [
            place(grid, self.interval_rows.get(one.id, []), values[row], qualities[row])
            for row, (one, _) in enumerate(members)
        ]
        return _Group(zone, members, grid, values, qualities, placed)

    def _group(
        self,
        group: _Group,
        empty: dict[str, dict[str, frozenset[date]]],
        *,
        closing: bool,
        billed: Collection[Period],
    ) -> Iterator[Judged]:
        zone, members, grid, values, qualities, placed = group
        facts = []
        for row, ((one, stream), its) in enumerate(zip(members, placed, strict=True)):
            intervals = intervals_of(grid, values, qualities, its.decimals, row)
            intervals.outages = its.outages
            judged = self._facts(one, stream, zone, self.begin, self.end, kind_of(its.origins))
            its_facts = replace(
                judged,
                intervals=intervals,
                registers=self._same_period(one, zone),
                lengths=tuple(sorted(its.lengths)),
                units=tuple(sorted(its.units)),
                serials=tuple(sorted(its.serials)),
                conflicts=self.replaced.get(one.id, 0),
                closing=closing,
                siblings=self._siblings(one, empty[one.point]) if closing else (),
            )
            facts.append(self._compared(its_facts, one))
        facts = [
            self._with_replaced(one, its, p, billed) for (one, _), its, p in zip(members, facts, placed, strict=True)
        ]
        found = judge_batch(Batch(grid, values, qualities, facts), self.table)
        for (one, _), known, where, findings in zip(members, facts, placed, found, strict=True):
            yield Judged(one.id, known, where.versions, where.of_day, findings)

    def registers(self, *, billed: Collection[Period]) -> Iterator[Judged]:
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
                facts = self._compared(facts, one)
                facts = self._with_replaced(one, facts, placed, billed)
                yield Judged(one.id, facts, [row.id], {}, judge(facts, parameters_of(facts, self.table)))
        yield from self._gone(counting)

    def _gone(self, counting: Collection[Period]) -> Iterator[Judged]:
        registers = {one.id: one for one in self.streams if one.register}
        for key, judged in self.before.items():
            one, (_, begin, end) = registers.get(key[0]), key
            if one is None or key in counting or not self.begin < end <= self.end or not judged[0]["versions"]:
                continue
            zone, customer_class = self.master.point(one.point, begin, end)
            terms = self.master.terms_of(one.point, one.suffix, begin, end)
            stream = stream_facts(one.point, one.suffix, customer_class, terms, Counter([judged[0]["unit"]]), 0)
            yield Judged(one.id, self._facts(one, stream, zone, begin, end, kind_of(set())), [], {}, [])

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

    def _siblings(self, one: StreamRow, there: dict[str, frozenset[date]]) -> tuple[SiblingFacts, ...]:
        with_reads = {other.suffix for other in self.of_point[one.point] if other.register}
        return siblings(one, self.master, self.begin, self.end, there, with_reads)

    def _beside(self, one: StreamRow, end: date) -> list[tuple[StreamRow, RegisterRow, ZoneInfo]]:
        """The reads of the point's other registers that end about a local day."""
        return [
            (other, row, self.master.point(one.point, row.ends_at.date(), row.ends_at.date() + _DAY)[0])
            for other in self.of_point[one.point]
            if other.register and other.id != one.id
            for row in self.register_rows.get(other.id, ())
            if abs((row.ends_at.date() - end).days) <= 1
        ]

    def _compared(self, facts: PeriodFacts, one: StreamRow) -> PeriodFacts:
        """The facts with what other registers of the point say of the period, and the clock of its meters."""
        begin, end, unit = facts.begin, facts.end, facts.stream.unit
        beside, names = self._beside(one, end), self.master.parts_of(one.point, one.suffix, begin, end)
        return replace(
            facts,
            parts=parts_of(one.suffix, unit, begin, end, beside, names),
            demand=demand_of(unit, begin, end, beside),
            clock_seconds=self.master.clock_of(one.point, facts.serials, begin, end),
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
        is_now = Quality.ESTIMATE if counts(facts)[1] else Quality.ACTUAL
        # Whether a lower quality may replace a higher one was decided when it was taken in.
        return replace(facts, replaces=Replaced(last["quantity"], was, is_now, key in billed, revision=True))
