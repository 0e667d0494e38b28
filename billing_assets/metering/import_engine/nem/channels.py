"""The streams of a NEM12 file: what its 200 records say, and what the file has of each."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from billing_assets.metering.import_engine.messages import EXACT, FileReport, Stream
from billing_assets.metering.import_engine.nem import fields as checks
from billing_assets.metering.import_engine.nem.day_lines import DayLines
from billing_assets.metering.import_engine.nem.fields import Found
from billing_assets.metering.import_engine.nem.frame import fit, note_all
from billing_assets.metering.import_engine.options import EMPTY_UNIT, ReadOptions

LENGTHS = {"1": 1, "5": 5, "10": 10, "15": 15, "30": 30}
_MOST_REMEMBERED = 10_000


@dataclass(slots=True)
class Sums:
    """What a file has of a stream so far. `totals`: sums of values by their decimals."""

    readings: int = 0
    totals: dict[int, int] = field(default_factory=dict)
    first: date = date.max
    last: date = date.min


@dataclass(slots=True)
class Channel:
    """What a 200 record says. `days`: of its NMI and suffix; `places`: decimals of the last day's values."""

    stream: Stream
    minutes: int
    count: int
    facts: dict[str, str]
    sums: Sums
    days: DayLines
    found: list[Found]
    places: int = 3


class Channels:
    """Every stream of a file. Providers repeat the 200 for every day: the same fields are checked once."""

    def __init__(self, options: ReadOptions, report: FileReport) -> None:
        self.have_data = False
        self._options = options
        self._report = report
        self._known: dict[tuple[str, ...], Channel] = {}
        self._days: dict[tuple[str, str], DayLines] = {}
        self._sums: dict[Stream, Sums] = {}

    def named(self, number: int, fields: list[str]) -> Channel | None:
        """The channel of a 200 record; None where it has no interval length that its days could be read by."""
        key = tuple(fields)
        channel = self._known.get(key)
        if channel is None or len(fields) != 10:
            channel = self._checked(number, fields)
            if channel is not None:
                if len(self._known) >= _MOST_REMEMBERED:
                    self._known.clear()
                self._known[key] = channel
        else:
            note_all(self._report, number, channel.found)
        self.have_data = self.have_data or channel is not None
        return channel

    def add_up(self, report: FileReport) -> None:
        """Puts what the file has of each stream into the report."""
        for stream, sums in self._sums.items():
            if sums.readings:
                totals = report.totals(stream)
                quantity = Decimal(0)
                for places, total in sums.totals.items():
                    quantity = EXACT.add(quantity, Decimal(total).scaleb(-places, EXACT))
                totals.add(sums.readings, quantity, sums.first)
                totals.add(0, Decimal(0), sums.last)

    def _checked(self, number: int, fields: list[str]) -> Channel | None:
        _, nmi, config, register, suffix, identifier, serial, unit, length, next_read = fit(
            fields, 9, 10, self._report, number
        )
        found: list[Found] = []
        point = checks.point(nmi, found)
        checks.suffix(suffix, config, found)
        checks.too_long("RegisterID", register, 10, found)
        checks.too_long("MDMDataStreamIdentifier", identifier, 2, found)
        checks.too_long("MeterSerialNumber", serial, 12, found)
        self._check_unit(unit, found)
        if len(fields) == 9:
            found.append(("W-FIELDS", {}))
        if next_read and checks.day_of(next_read) is None:
            found.append(("R-DATE", {"field": "NextScheduledReadDate", "value": next_read}))
        minutes = LENGTHS.get(length.lstrip("0"))
        if minutes is None:
            note_all(self._report, number, [*found, ("R-INTERVAL-LENGTH", {"length": length})])
            self.have_data = True
            return None
        note_all(self._report, number, found)
        stream = Stream(point, suffix, serial, unit, minutes * 60)
        facts = {
            "NMIConfiguration": config,
            "RegisterID": register,
            "MDMDataStreamIdentifier": identifier,
            "NextScheduledReadDate": next_read,
        }
        sums = self._sums.setdefault(stream, Sums())
        days = self._days.setdefault((point, suffix), DayLines())
        return Channel(stream, minutes, 1440 // minutes, facts, sums, days, found)

    def _check_unit(self, unit: str, found: list[Found]) -> None:
        usual = checks.usual_unit(unit)
        if not unit and EMPTY_UNIT in self._options.lenient:
            found.append(("W-UOM-EMPTY", {}))
        elif usual is None:
            found.append(("R-UOM", {"unit": unit}))
        elif usual != unit:
            found.append(("W-UOM-CASE", {"unit": unit, "usual": usual}))
