"""Reads CSV exports of portals and meters by a column mapping: the same blocks and findings as from a market format."""

import codecs
import csv
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from billing_assets.metering.import_engine.csv_cells import Cell, Cells
from billing_assets.metering.import_engine.csv_codes import CSV
from billing_assets.metering.import_engine.csv_columns import Columns, NoColumnError, columns
from billing_assets.metering.import_engine.csv_mapping import ColumnMapping
from billing_assets.metering.import_engine.csv_stamps import Clock, NotAStampError, SkippedHourError
from billing_assets.metering.import_engine.findings import note
from billing_assets.metering.import_engine.interval_blocks import Shape, blocks
from billing_assets.metering.import_engine.interval_rows import LONGEST, NO_TIME, ROW, Qualities, RowSpool
from billing_assets.metering.import_engine.messages import FileReport, Message, Verdict

FORMAT = "CSV"
_AT_ONCE = 20_000
_LONGEST_LINE = 1_000_000
_LINE = re.compile("[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_MOST_STREAMS = 100_000
_ROWS_LOST = ("R-VALUE", "R-TIME", "R-FIELDS", "R-QUALITY", "R-LENGTH", "R-NEGATIVE")


class _Key(NamedTuple):
    """A stream, as the rows name it."""

    point: str
    suffix: str
    serial: str
    unit: str


class _Waiting(NamedTuple):
    """The row before of a stream, where the next one says when it ends or what it was."""

    instant: int
    cell: Cell


def read(source: BinaryIO, mapping: ColumnMapping, report: FileReport) -> Iterator[Message]:
    """Yields the interval blocks of an export, stream by stream, each rising by time; notes all findings in `report`.

    Quantities are exactly as written, in the unit of their channel. Raises nothing for what is in the file.
    """
    report.format = FORMAT
    report.header |= {"mapping": mapping.name, "mapping_version": str(mapping.version)}
    with RowSpool() as spool:
        reader = _Reader(mapping, spool, report)
        reader.take(source)
        whole = not any(report.counts[code] for code in _ROWS_LOST)
        for key in spool.keys:
            if not isinstance(key, _Key):
                continue
            shape = Shape(
                point=key.point,
                suffix=key.suffix,
                serial=key.serial,
                unit=key.unit,
                days=reader.clock.days,
                currency=mapping.cost.currency if mapping.cost else "",
                whole=whole,
                tolerated_gap=mapping.times.tolerated_gap,
                repeats_expected=mapping.rows_per_reading > 1,
            )
            yield from blocks(spool, [key], shape, reader.qualities, report)


class _Reader:
    """Where the reading of an export is."""

    def __init__(self, mapping: ColumnMapping, spool: RowSpool, report: FileReport) -> None:
        self.clock = Clock(mapping.times)
        self.qualities = Qualities()
        self._mapping = mapping
        self._spool = spool
        self._report = report
        self._rows: dict[_Key, list[tuple[int | bool, ...]]] = {}
        self._size = 0
        self._waiting: dict[_Key, _Waiting] = {}
        self._last: dict[_Key, int] = {}
        self._row_number = 0  # of rows after the head
        times = mapping.times
        self._length = times.length if isinstance(times.length, int) else 0
        self._cells = Cells(mapping, self.qualities, report)
        self._begin = 0
        if times.from_ is not None:
            self._begin = self.clock.at(times.from_.toordinal(), times.from_.hour * 3600 + times.from_.minute * 60)

    def take(self, source: BinaryIO) -> None:
        """Reads all rows."""
        encoding = "utf-8-sig" if self._mapping.encoding == "utf-8" else self._mapping.encoding
        lines = csv.reader(_lines(source, encoding), delimiter=self._mapping.delimiter, strict=True)
        try:
            self._take(lines)
        except UnicodeDecodeError:
            note(self._report, CSV["R-ENCODING"], lines.line_num + 1, encoding=self._mapping.encoding)
        except csv.Error as error:
            note(self._report, CSV["R-CSV"], lines.line_num, why=error)
        except NoColumnError as error:
            column = error.column
            note(self._report, CSV["R-COLUMN"], lines.line_num, column=column, mapping=self._mapping)
        self._end()

    def _take(self, lines: "Iterator[list[str]]") -> None:
        heads = [next(lines, []) for _ in range(self._mapping.head_lines)]
        if heads and not any(heads):
            return
        head = heads[-1] if heads else None
        if heads and self._mapping.head_joined:
            head = [" ".join(part.strip() for part in parts if part.strip()) for parts in zip(*heads, strict=False)]
        where = columns(self._mapping, head)
        for fields in lines:
            if not any(fields):
                continue
            line: int = lines.line_num  # type: ignore[attr-defined]  # csv's reader has it
            if where.width is not None and len(fields) != where.width:
                note(self._report, CSV["R-FIELDS"], line, got=len(fields), want=where.width)
                continue
            try:
                self._row(fields, where, line)
            except IndexError:
                note(self._report, CSV["R-FIELDS"], line, got=len(fields), want="more")
            self._row_number += 1
            if self._size >= _AT_ONCE:
                self._flush()
            if len(self._last) > _MOST_STREAMS:
                note(self._report, CSV["R-STREAMS"], line, most=f"{_MOST_STREAMS:,}")
                return

    def _end(self) -> None:
        if not self._row_number and self._report.worst is not Verdict.REFUSE:
            note(self._report, CSV["R-NO-ROWS"])
        want = self._mapping.rows
        if want is not None and self._row_number != want:
            note(self._report, CSV["R-ROWS"], got=self._row_number, want=want, mapping=self._mapping)
        if self._mapping.times.order == "rising" and not self._mapping.cumulative:
            for before in self._waiting.values():
                note(self._report, CSV["W-OPEN-END"], before.cell.line, text=before.cell.text)
        self._flush()

    def _row(self, fields: list[str], where: Columns, line: int) -> None:
        mapping = self._mapping
        point = mapping.point.fixed if where.point is None else fields[where.point].strip()
        serial = mapping.serial.fixed if where.serial is None else fields[where.serial].strip()
        if not point:
            note(self._report, CSV["R-POINT"], line)
            return
        named = None
        if where.channel is not None:
            text = fields[where.channel].strip()
            named = mapping.channels.get(text)
            if named is None:
                note(self._report, CSV["R-CHANNEL"], line, text=text, mapping=mapping)
                return
        elif mapping.wide:
            named = next(iter(mapping.channels.values()))
        if named is not None and named.ignore:
            return
        quality = self._cells.quality(fields, where, line)
        if quality is None:
            return
        for number, (at, channel) in enumerate(where.values):
            of = channel or named
            if of is None:
                continue
            key = _Key(point, of.suffix, serial or "", of.unit)
            cell = self._cells.cell(fields, at, where, of, quality, line)
            if cell is not None:
                self._place(key, cell, fields, where, number)

    def _place(self, key: _Key, cell: Cell, fields: list[str], where: Columns, number: int) -> None:
        """Puts a quantity to its time."""
        text = ""
        try:
            if where.date is not None:
                text = fields[where.date].strip()
                self._at_day(key, cell, self.clock.day(text), number, text)
                return
            if where.start is None and where.end is None:
                if where.label is not None and not self._fits(fields[where.label].strip()):
                    text = fields[where.label].strip()
                    note(self._report, CSV["R-TIME"], cell.line, text=text, mapping=self._mapping)
                    return
                self._add(key, cell, self._begin + self._row_number * self._length, self._length)
                return
            start = end = None
            if where.start is not None:
                text = fields[where.start].strip()
                start = self.clock.instant(text, key)
            if where.end is not None:
                text = fields[where.end].strip()
                end = self.clock.instant(text, key if where.start is None else None)
        except NotAStampError:
            note(self._report, CSV["R-TIME"], cell.line, text=text, mapping=self._mapping)
            return
        except SkippedHourError as error:
            if self._mapping.times.at_clock_change == "drop":
                note(self._report, CSV["W-SKIPPED-HOUR"], cell.line, text=text)
                return
            start, end = error.instant, None
        self._timed(key, cell, start, end, text)

    def _fits(self, label: str) -> bool:
        """Whether the time of day that a row says is that of its place."""
        instant = self._begin + self._row_number * self._length
        days = self.clock.days
        minute = (instant - days.midnight(days.ordinal(instant))) // 60
        return label.startswith(f"{minute // 60:02d}:{minute % 60:02d}")

    def _at_day(self, key: _Key, cell: Cell, ordinal: int, number: int, text: str) -> None:
        """A column of a day. In an hour that the clock repeats the export has one column for two hours."""
        seconds, days = number * self._length, self.clock.days
        if days.midnight(ordinal + 1) - days.midnight(ordinal) == 86_400:
            self._add(key, cell, days.midnight(ordinal) + seconds, self._length)
            return
        change = self._mapping.times.at_clock_change
        try:
            early, late = self.clock.both(ordinal, seconds)
        except SkippedHourError as error:
            if change == "drop" or not cell.value:
                note(self._report, CSV["W-SKIPPED-HOUR"], cell.line, text=text)
            else:
                self._add(key, cell, error.instant, self._length)
            return
        if early != late and change == "split" and cell.decimals < 18 and abs(cell.value) < 2**60:
            note(self._report, CSV["W-SPLIT-HOUR"], cell.line, text=text)
            half = cell._replace(value=cell.value * 5, decimals=cell.decimals + 1)
            self._add(key, half, early, self._length)
            self._add(key, half, late, self._length)
            return
        self._add(key, cell, early, self._length)

    def _timed(self, key: _Key, cell: Cell, start: int | None, end: int | None, text: str) -> None:
        times = self._mapping.times
        stamp = start if start is not None else end
        if stamp is None:
            return
        last = self._last.get(key)
        rising = times.order == "rising"
        if times.order != "any" and last is not None and (stamp < last if rising else stamp > last):
            note(self._report, CSV["R-ORDER"], cell.line, text=text, order=times.order)
        self._last[key] = stamp
        if self._mapping.cumulative is not None:
            self._counted(key, cell, stamp)
        elif times.length == "next":
            self._until_next(key, cell, stamp)
        elif start is not None and end is not None:
            length = end - start
            if abs(length - self._length) > times.length_tolerance:
                note(self._report, CSV["R-LENGTH"], cell.line, got=length, want=self._length, mapping=self._mapping)
                return
            self._add(key, cell, end - self._length, self._length)
        else:
            self._add(key, cell, stamp if start is not None else stamp - self._length, self._length)

    def _until_next(self, key: _Key, cell: Cell, stamp: int) -> None:
        before = self._waiting.get(key)
        self._waiting[key] = _Waiting(stamp, cell)
        if self._mapping.times.order == "rising":
            if cell.quality < 0:  # it only ends the one before
                del self._waiting[key]
            if before is not None:
                self._add(key, before.cell, before.instant, stamp - before.instant)
        elif cell.quality >= 0:
            if before is None:
                note(self._report, CSV["W-OPEN-END"], cell.line, text=cell.text)
            else:
                self._add(key, cell, stamp, before.instant - stamp)

    def _counted(self, key: _Key, cell: Cell, stamp: int) -> None:
        """A read of a counter: the quantity since the read before."""
        before = self._waiting.get(key)
        self._waiting[key] = _Waiting(stamp, cell)
        if before is None:
            return
        old, new = (before, self._waiting[key]) if stamp >= before.instant else (self._waiting[key], before)
        most = max(old.cell.decimals, new.cell.decimals)
        now = new.cell.value * 10 ** (most - new.cell.decimals)
        delta = now - old.cell.value * 10 ** (most - old.cell.decimals)
        if delta < 0 and not self._mapping.negative:
            if not self._may_fall(new.instant):
                note(self._report, CSV["R-FELL"], new.cell.line, before=old.cell.text, text=new.cell.text)
                return
            delta = now
        if abs(delta) >= 2**63:
            note(self._report, CSV["R-VALUE"], new.cell.line, what="counter", text=new.cell.text)
            return
        if new.instant > old.instant:
            counted = new.cell._replace(value=delta, decimals=most)
            self._add(key, counted, old.instant, new.instant - old.instant)

    def _may_fall(self, instant: int) -> bool:
        cumulative = self._mapping.cumulative
        if cumulative is None or cumulative.falls_from is None or cumulative.falls_until is None:
            return False
        days = self.clock.days
        minute = (instant - days.midnight(days.ordinal(instant))) // 60
        first, last = (int(text[:2]) * 60 + int(text[3:]) for text in (cumulative.falls_from, cumulative.falls_until))
        return first <= minute <= last if first <= last else minute >= first or minute <= last

    def _add(self, key: _Key, cell: Cell, start: int, length: int) -> None:
        if cell.quality < 0:
            return
        if not 0 <= length <= LONGEST:
            note(self._report, CSV["R-LENGTH"], cell.line, got=length, want=self._length, mapping=self._mapping)
            return
        self._last.setdefault(key, start)
        self._size += 1
        self._rows.setdefault(key, []).append(
            (
                start,
                length,
                -1,
                cell.value,
                cell.cost,
                NO_TIME,
                0,
                cell.line,
                cell.quality,
                cell.has_cost,
                cell.decimals,
                cell.cost_decimals,
            )
        )

    def _flush(self) -> None:
        for key, rows in self._rows.items():
            self._spool.add(key, np.array(rows, ROW))
        self._rows = {}
        self._size = 0


def _lines(source: BinaryIO, encoding: str) -> Iterator[str]:
    """The lines of a text, each with its end, whichever it is. Raises UnicodeDecodeError at the line that is none, and
    csv.Error for one that is longer than any row."""
    decoder = codecs.getincrementaldecoder(encoding)()
    rest = ""
    while data := source.readline(_LONGEST_LINE):
        rest += decoder.decode(data)
        *lines, rest = _LINE.findall(rest) or [""]
        yield from lines
        if rest.endswith("\n"):
            yield rest
            rest = ""
        elif len(rest) >= _LONGEST_LINE:
            raise csv.Error(f"a line of more than {_LONGEST_LINE:,} characters")
    if rest := rest + decoder.decode(b"", final=True):
        yield rest
