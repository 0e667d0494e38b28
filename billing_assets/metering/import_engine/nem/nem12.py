"""NEM12: interval data, a day of a stream a line. Source: AEMO Meter Data File Format.

Records: `100 (200 (300 400* 500*)+)+ 900`. A 200 names the stream, a 300 has a day of it, 400s say which intervals have
which quality, 500s what people did at the meter.
"""

from collections.abc import Iterator
from typing import BinaryIO

from billing_assets.metering.import_engine.findings import note
from billing_assets.metering.import_engine.messages import FileReport, IntervalBlock, Verdict
from billing_assets.metering.import_engine.nem.channels import Channel, Channels
from billing_assets.metering.import_engine.nem.codes import NEM
from billing_assets.metering.import_engine.nem.days import Day, Days
from billing_assets.metering.import_engine.nem.fields import TRANSACTIONS, Found, moment, too_long
from billing_assets.metering.import_engine.nem.frame import Frame, fit, note_all, starts_as
from billing_assets.metering.import_engine.nem.lines import Lines
from billing_assets.metering.import_engine.options import ReadOptions


def recognises(head: bytes) -> bool:
    """Whether a file begins as NEM12, or as one whose header is missing."""
    return starts_as(head) == "NEM12"


def read(source: BinaryIO, options: ReadOptions, report: FileReport) -> Iterator[IntervalBlock]:
    """The days of a file. What is wrong with it is in the report, all of it after one pass; from a refused file on
    nothing more is yielded. Memory: a chunk of the file, and a few bytes for each day that it has."""
    report.format = "NEM12"
    frame = Frame("NEM12", report)
    lines = Lines(source, report)
    body = _Body(options, report)
    for number, line in lines:
        day = None
        if body.channel is not None and frame.is_open and line.startswith(b"300,"):
            day = body.days.quick(number, line, body.channel)
        if day is not None:
            block = body.close_day()
            body.open_day(day)
        elif (fields := frame.admit(number, line)) is not None:
            block = body.take(number, fields, line)
        else:
            block = None
        if block is not None and report.worst is not Verdict.REFUSE:
            yield block
    block = body.close_day()
    body.close_channel()
    if block is not None and report.worst is not Verdict.REFUSE:
        yield block
    frame.finish(lines.number, has_data=body.channels.have_data)
    body.channels.add_up(report)


class _Body:
    """Where in the order of the records we are."""

    def __init__(self, options: ReadOptions, report: FileReport) -> None:
        self.channels = Channels(options, report)
        self.days = Days(options, report)
        self.channel: Channel | None = None  # None also where its 200 has no interval length
        self.day: Day | None = None
        self._options = options
        self._report = report
        self._named = 0  # line of the 200, 0 before the first
        self._has_day = False
        self._in_events = False

    def take(self, number: int, fields: list[str], line: bytes) -> IntervalBlock | None:
        """Takes a record; gives the day before where it is complete now."""
        match fields[0]:
            case "200":
                block = self.close_day()
                self.close_channel()
                self._named, self._has_day = number, False
                self.channel = self.channels.named(number, fields)
                return block
            case "300":
                return self._take_day(number, fields, line)
            case "400":
                self._take_event(number, fields)
            case _:
                self._take_visit(number, fields)
        return None

    def close_day(self) -> IntervalBlock | None:
        """The day that was open, with its events; None where there is none, or it is refused."""
        day, self.day = self.day, None
        return self.days.close(day) if day else None

    def open_day(self, day: Day | None) -> None:
        """A day that further records may belong to; None: its 200 has no interval length to read it by."""
        self.day = day
        self._has_day = self._in_events = True

    def close_channel(self) -> None:
        """Notes a 200 that had no day."""
        if self._named and not self._has_day:
            note(self._report, NEM["W-200-WITHOUT-300"], self._named)

    def _take_day(self, number: int, fields: list[str], line: bytes) -> IntervalBlock | None:
        block = self.close_day()
        if self._named:
            self.open_day(self.days.checked(number, fields, line, self.channel) if self.channel else None)
        else:
            note(self._report, NEM["R-300-BEFORE-200"], number)
        return block

    def _take_event(self, number: int, fields: list[str]) -> None:
        if not (self._named and self._has_day and self._in_events):
            note(self._report, NEM["R-400-BEFORE-300"], number)
        elif self.day is not None:
            self.days.event(number, fields, self.day)

    def _take_visit(self, number: int, fields: list[str]) -> None:
        if not (self._named and self._has_day):
            note(self._report, NEM["R-500-BEFORE-300"], number)
            return
        self._in_events = False
        _, code, order, when, index = fit(fields, 4, 5, self._report, number)
        found: list[Found] = []
        if code not in TRANSACTIONS:
            found.append(("W-TRANS-CODE", {"value": code}))
        if when and moment(when, 14, self._options.nem_offset) is None:
            found.append(("R-DATE", {"field": "ReadDateTime", "value": when}))
        too_long("RetServiceOrder", order, 15, found)
        too_long("IndexRead", index, 15, found)
        note_all(self._report, number, found)
        if self.day is not None:
            self.day.visit({"TransCode": code, "RetServiceOrder": order, "ReadDateTime": when, "IndexRead": index})
