"""The days of a NEM12 file: 300 records with their 400 and 500 records. A fast way for what is plainly right."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from billing_assets.metering.import_engine.findings import note
from billing_assets.metering.import_engine.messages import FileReport, IntervalBlock, QualityRun
from billing_assets.metering.import_engine.nem import fields as checks
from billing_assets.metering.import_engine.nem import values
from billing_assets.metering.import_engine.nem.channels import Channel
from billing_assets.metering.import_engine.nem.codes import NEM
from billing_assets.metering.import_engine.nem.fields import Found
from billing_assets.metering.import_engine.nem.frame import fit, note_all
from billing_assets.metering.import_engine.options import ReadOptions

_MOST_REMEMBERED = 10_000
_LONGEST_REMEMBERED = 400
_VALUES_AT = len("300,yyyymmdd,")


class _Tail(NamedTuple):
    """What follows the values of a 300. `letters`: what of it no number has. `size`: in bytes, with a comma before."""

    quality: str
    reason: str
    reason_text: str
    updated_at: datetime | None
    loaded_at: datetime | None
    letters: bytes
    size: int
    found: list[Found]


class _When(NamedTuple):
    """A day, its ordinal, and when it begins in UTC."""

    day: date
    ordinal: int
    start: datetime


class _Event(NamedTuple):
    run: QualityRun
    line: int


@dataclass(slots=True)
class Day:
    """A 300 record that 400s and 500s may follow. `block`: None where it is refused; its events are checked even so."""

    line: int
    count: int
    quality: str
    channel: Channel
    block: IntervalBlock | None
    events: list[_Event] | None = None
    unclear: bool = False  # an event is refused already: what the day has is not counted

    def visit(self, facts: dict[str, str]) -> None:
        """Adds a 500."""
        if self.block is not None:
            self.block.visits = (*self.block.visits, facts)


class Days:
    """Reads days. Dates, and what follows the values, are the same in many lines: they are checked once."""

    def __init__(self, options: ReadOptions, report: FileReport) -> None:
        self._offset = options.nem_offset
        self._report = report
        self._tails: dict[tuple[bytes, ...], _Tail] = {}
        self._dates: dict[bytes, _When] = {}

    def quick(self, number: int, line: bytes, channel: Channel) -> Day | None:
        """The day of a line that is plainly right; None: look closer."""
        fields = line.split(b",")
        end = channel.count + 2
        key = tuple(fields[end:])
        tail = self._tails.get(key) or self._plain_tail(key)
        when = self._dates.get(fields[1]) or self._when(fields[1].decode(), [])
        if tail is None or when is None or line.translate(None, values.NUMERIC) != tail.letters:
            return None
        found = values.fast(fields[2:end], line, _VALUES_AT, len(line) - tail.size, channel.places)
        if found is None or channel.days.put(when.ordinal, number):
            return None
        note_all(self._report, number, tail.found)
        channel.places = found[1]
        return self._day(number, channel, when, found, tail)

    def checked(self, number: int, fields: list[str], line: bytes, channel: Channel) -> Day:
        """The day of any 300 record. Whatever is wrong with it is noted, and it has no block then.

        `fields`: without blanks around, which values may not have: those are taken from the line.
        """
        count = channel.count
        end = count + 2
        got = len(fields)
        complete = end + 4 <= got and not any(fields[end + 5 :])
        if got == end + 4 and fields[end - 1][:1].isalpha():  # rather a value is missing than the last field
            complete = False
        if not complete:
            want = end + 5
            facts = {"got": got, "want": want, "count": count, "minutes": channel.minutes}
            note(self._report, NEM["R-300-FIELDS"], number, **facts)
        found: list[Found] = []
        when = self._when(fields[1] if got > 1 else "", found)
        numbers = values.slow(line.decode().split(",")[2:end], found)
        tail = self._tail(fields[end : end + 5], found) if complete else None
        if got > end + 5 and not complete:  # of another interval length, or not: is there a quality where it must be?
            checks.quality(fields[end], may_vary=True, found=found)
        elif got > end + 5:
            found.append(("W-PADDING", {}))
        refused = note_all(self._report, number, found) or not complete
        if when is not None and (other := channel.days.put(when.ordinal, number)):
            same = {"nmi": channel.stream.point, "suffix": channel.stream.suffix, "day": when.day, "other": other}
            note(self._report, NEM["R-DUP-DAY"], number, **same)
            refused = True
        if refused or when is None or numbers is None or tail is None:
            return Day(number, count, tail.quality if tail else "", channel, None)
        return self._day(number, channel, when, numbers, tail)

    def event(self, number: int, fields: list[str], day: Day) -> None:
        """Takes a 400 record of a day."""
        _, first, last, quality, reason, words = fit(fields, 4, 6, self._report, number)
        if day.events is None:
            day.events = []
            if day.quality not in {"V", ""}:
                note(self._report, NEM["W-400-WITHOUT-V"], number, quality=day.quality)
        found: list[Found] = []
        if checks.quality(quality, may_vary=False, found=found):
            checks.reason(reason, words, quality[:1], found)
        begin, end = _place(first), _place(last)
        if not 1 <= begin <= end <= day.count:
            found.append(("R-400-RANGE", {"first": first, "last": last, "count": day.count}))
            day.unclear = True
        note_all(self._report, number, found)
        if not day.unclear:
            day.events.append(_Event(QualityRun(begin, end, quality, reason, words), number))

    def close(self, day: Day) -> IntervalBlock | None:
        """The block of a day with the qualities of its intervals; None where it is refused."""
        block = day.block
        if day.events is not None and not day.unclear:
            runs = self._runs(day, day.events)
            if block is not None and runs:
                block.runs = runs
                if {run.quality for run in runs} != {block.quality}:
                    block.quality = "V"
        elif day.events is None and day.quality == "V":
            note(self._report, NEM["R-V-NO-400"], day.line)
        if block is not None:
            for run in block.runs or (QualityRun(1, day.count, block.quality),):
                self._report.quality[run.quality] += run.last - run.first + 1
        return block

    def _runs(self, day: Day, events: list[_Event]) -> list[QualityRun]:
        """The qualities of a whole day: of its events, and its own between them where it has one."""
        runs: list[QualityRun] = []
        place, other, missing = 1, day.line, 0
        for run, line in [*sorted(events), _Event(QualityRun(day.count + 1, day.count, ""), 0)]:
            if run.first < place:
                note(self._report, NEM["R-400-OVERLAP"], line, first=run.first, other=other)
            elif run.first > place:
                missing += run.first - place
                if day.block is not None:
                    own = day.block
                    runs.append(QualityRun(place, run.first - 1, own.quality, own.reason, own.reason_text))
            if line:
                runs.append(run)
                place, other = max(place, run.last + 1), line
        if missing and day.quality == "V":
            note(self._report, NEM["R-400-GAP"], day.line, missing=missing, count=day.count)
        return runs

    def _day(
        self,
        number: int,
        channel: Channel,
        when: _When,
        found: tuple[NDArray[np.int64], int, int],
        tail: _Tail,
    ) -> Day:
        numbers, places, total = found
        day = when.day
        sums = channel.sums
        sums.readings += channel.count
        sums.totals[places] = sums.totals.get(places, 0) + total
        sums.first = min(sums.first, day)
        sums.last = max(sums.last, day)
        block = IntervalBlock(
            channel.stream,
            day,
            when.start,
            numbers,
            places,
            tail.quality,
            number,
            [],
            tail.reason,
            tail.reason_text,
            tail.updated_at,
            tail.loaded_at,
            None,
            "",
            channel.facts,
        )
        return Day(number, channel.count, tail.quality, channel, block)

    def _when(self, text: str, found: list[Found]) -> _When | None:
        """A day, and when it begins in UTC."""
        day = checks.day_of(text)
        if day is None:
            found.append(("R-DATE", {"field": "IntervalDate", "value": text}))
            return None
        if len(self._dates) >= _MOST_REMEMBERED:
            self._dates.clear()
        start = datetime(day.year, day.month, day.day, tzinfo=UTC) - self._offset
        return self._dates.setdefault(text.encode(), _When(day, day.toordinal(), start))

    def _plain_tail(self, key: tuple[bytes, ...]) -> _Tail | None:
        """What follows the values, where nothing of it is refused and no blanks are around it."""
        fields = [one.decode() for one in key]
        if 4 <= len(key) <= 5 and all(one == one.strip() for one in fields):
            self._tail(fields, [])
        return self._tails.get(key)

    def _tail(self, fields: list[str], found: list[Found]) -> _Tail:
        quality, reason, words, updated, loaded = [*fields, *[""] * (5 - len(fields))]
        own: list[Found] = []
        if checks.quality(quality, may_vary=True, found=own):
            checks.reason(reason, words, quality[:1], own)
        updated_at = checks.version_stamp("UpdateDateTime", updated, self._offset, own)
        loaded_at = checks.version_stamp("MSATSLoadDateTime", loaded, self._offset, own)
        if not updated:
            own.append(("W-UPDATE", {"field": "UpdateDateTime", "value": ""}))
        if len(fields) == 4:
            own.append(("W-FIELDS", {}))
        found += own
        written = ",".join(fields).encode()
        letters = written.translate(None, values.NUMERIC)
        tail = _Tail(quality, reason, words, updated_at, loaded_at, letters, len(written) + 1, own)
        if (
            len(fields) >= 4
            and len(written) <= _LONGEST_REMEMBERED
            and not any(code.startswith("R-") for code, _ in own)
        ):
            if len(self._tails) >= _MOST_REMEMBERED:
                self._tails.clear()
            self._tails[tuple(one.encode() for one in fields)] = tail
        return tail


def _place(text: str) -> int:
    """The number of an interval; 0 for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 4 else 0
