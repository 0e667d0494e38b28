"""The interval readings of a block as rows. A value is a whole number of 48 bits, a start and a duration whole seconds.

Source: NAESB ESPI, IntervalReading, DateTimeInterval, ReadingQuality.
"""

from datetime import UTC, datetime

import numpy as np

from billing_assets.foundation.outside_text import on_one_line
from billing_assets.foundation.phrases import shortened
from billing_assets.metering.import_engine.espi.code_lists import QUALITIES, RANKS
from billing_assets.metering.import_engine.espi.entries import Element, text_of, whole_number
from billing_assets.metering.import_engine.espi.espi_codes import ESPI
from billing_assets.metering.import_engine.findings import note
from billing_assets.metering.import_engine.interval_rows import (
    LATEST,
    LONGEST,
    NO_DURATION,
    NO_START,
    NO_TIME,
    ROW,
    Qualities,
    Rows,
)
from billing_assets.metering.import_engine.messages import FileReport

_MOST = 2**47
_COST_DECIMALS = 5


def version(text: str) -> int:
    """The `updated` of an entry in seconds since 1970; NO_TIME: it says no time."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return NO_TIME
    try:
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (OverflowError, ValueError):  # the year 1 or 9999, moved over its end by the offset
        return NO_TIME


class BlockReader:
    """Reads the rows of one IntervalBlock, in as many parts as it comes."""

    def __init__(self, block: Element, qualities: Qualities, report: FileReport) -> None:
        namespace = str(block.tag).rpartition("}")[0] + "}" if "}" in str(block.tag) else ""
        names = ("interval", "IntervalReading", "timePeriod", "start", "duration", "value", "cost", "ReadingQuality")
        self._names = tuple(namespace + name for name in names)
        self._qualities = qualities
        self._report = report
        self._start: int | None = None  # of the block
        self._ordinal = 0

    def rows(self, children: list[Element]) -> Rows:
        """The rows among complete children of the block."""
        interval, reading, start_name = self._names[0], self._names[1], self._names[3]
        found: list[tuple[int, int, int, int, int, int, int, int, int, bool, int, int]] = []
        for row in children:
            tag = row.tag
            if tag == interval:
                self._start = _seconds(_child(row, start_name), 0, LATEST)
            if tag != reading:
                continue
            timed, start_text, duration_text, value_text, cost_text, codes = self._texts(row)
            line = row.sourceline or 0
            ordinal = self._ordinal
            self._ordinal += 1
            value = _number(value_text)
            if value is None or not -_MOST <= value < _MOST:
                note(self._report, ESPI["R-VALUE"], line, what="value", text=value_text or "")
                continue
            cost = 0 if cost_text is None else _number(cost_text)
            if cost is None or not -_MOST <= cost < _MOST:
                note(self._report, ESPI["R-VALUE"], line, what="cost", text=cost_text or "")
                cost = 0
            quality = self._quality(codes, line) if codes else Qualities.NOT_SAID
            start, duration, ordinal = self._time(timed, start_text, duration_text, ordinal, line)
            found.append(
                (
                    start,
                    duration,
                    ordinal,
                    value,
                    cost,
                    NO_TIME,
                    0,
                    line,
                    quality,
                    cost_text is not None,
                    0,
                    _COST_DECIMALS,
                )
            )
        return np.array(found, ROW) if found else np.empty(0, ROW)

    def _texts(self, row: Element) -> tuple[bool, str | None, str | None, str | None, str | None, list[str]]:
        """Of a reading: whether it has a time, its start, duration, value and cost, and its quality codes."""
        _, _, period_name, start_name, duration_name, value_name, cost_name, quality_name = self._names
        start = duration = value = cost = None
        timed = False
        codes: list[str] = []
        for child in row:
            name = child.tag
            if name == value_name:
                value = child.text
            elif name == period_name:
                timed = True
                for part in child:
                    if part.tag == start_name:
                        start = part.text
                    elif part.tag == duration_name:
                        duration = part.text
            elif name == cost_name:
                cost = child.text or ""
            elif name == quality_name:
                codes += [text_of(part) for part in child] or [text_of(child)]
        return timed, start, duration, value, cost, codes

    def _time(
        self, timed: bool, start_text: str | None, duration_text: str | None, ordinal: int, line: int
    ) -> tuple[int, int, int]:
        """Start, duration and place of a row; NO_START where it has a start that is none."""
        duration = _number(duration_text) if duration_text is not None else NO_DURATION
        if duration is None or not NO_DURATION <= duration <= LONGEST or (duration < 0 and duration_text is not None):
            note(self._report, ESPI["R-DURATION"], line, text=duration_text or "")
            return NO_START, 0, -1
        if timed and start_text is not None:
            start = _number(start_text)
            if start is None or not 0 <= start <= LATEST:
                note(self._report, ESPI["R-START"], line, text=start_text)
                return NO_START, duration if duration >= 0 else 0, -1
            return start, duration, -1
        if timed or self._start is None:
            note(self._report, ESPI["R-START"], line, text="")
            return NO_START, max(duration, 0), -1
        return self._start, NO_DURATION, ordinal

    def _quality(self, codes: list[str], line: int) -> int:
        """The number of the lowest of some quality codes."""
        ranked = []
        for code in codes[:10]:
            number = whole_number(code)
            quality = QUALITIES.get(number, "") if number is not None else ""
            if not quality:
                note(self._report, ESPI["W-QUALITY"], line, text=code)
            ranked.append((RANKS.index(quality or "N"), shortened(on_one_line(code), 20)))
        rank, _ = min(ranked)
        return self._qualities.number(RANKS[rank], " ".join(code for _, code in ranked))


def _number(text: str | None) -> int | None:
    if text is not None and len(text) <= 15 and text.isdecimal() and text.isascii():
        return int(text)
    return whole_number(text)


def _seconds(text: str | None, least: int, most: int) -> int | None:
    number = _number(text)
    return number if number is not None and least <= number <= most else None


def _child(element: Element, name: str) -> str | None:
    found = element.find(name)
    return None if found is None else found.text
