"""Column mappings: how a sender's CSV export is read. A mapping is a file in YAML with a name and a version.

Everything that a mapping does not allow is refused: the defaults are strict.
"""

from datetime import datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.shipped import shipped

EVERY_OTHER = "*"
DAY = 86_400
_HOUR = 3_600


class MappingError(BillingError):
    """A column mapping is missing or wrong. The message names what is wrong and what to do."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Part):
    """Where a text comes from: a column by its name (or number from 0), or always the same."""

    column: str | int | None = Field(None, description="Name of the column in the last head line, or number from 0")
    fixed: str | None = Field(None, description="The same text for every row")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.column is None) == (self.fixed is None):
            raise ValueError("give either column or fixed")
        return self


class Channel(_Part):
    """What a text in the channel column, or a column of values, is."""

    suffix: str = Field(min_length=1, description="The stream, such as E1 or B1")
    unit: str = Field("kWh", description="Unit of the quantity that is billed")
    negate: bool = Field(False, description="The export writes this channel with the opposite sign")
    ignore: bool = Field(False, description="Rows of this channel are not read")


class Times(_Part):
    """The clock of the rows."""

    zone: str = Field(description="IANA zone, or an offset such as +10:00: the clock of stamps, and of days")
    start: str | int | None = Field(None, description="Column with the start of an interval")
    end: str | int | None = Field(None, description="Column with its end; the start is a length before, if not given")
    date: str | int | None = Field(None, description="Column with the day; in a wide export all there is")
    from_: datetime | None = Field(
        None, alias="from", description="Local start of the first row, where rows have no time, or only a time of day"
    )
    label: str | int | None = Field(
        None, description="Column with the time of day, such as 00:00-00:15, to compare where rows have no other time"
    )
    form: str = Field("iso", description="`iso`, or the form of a stamp as strptime takes it, such as %d-%m-%Y %H:%M")
    stamp_has_offset: bool = Field(False, description="Every stamp ends with its offset from UTC, which counts")
    length: int | Literal["next"] = Field(
        description="Seconds of an interval; `next`: until the next stamp of the stream"
    )
    length_tolerance: int = Field(0, ge=0, le=60, description="Seconds that a row may be longer or shorter")
    tolerated_gap: int = Field(0, ge=0, description="Seconds without a row that are no gap")
    order: Literal["rising", "falling", "any"] = Field("rising", description="Of the rows of a stream")
    at_clock_change: Literal["strict", "drop", "split"] = Field(
        "strict",
        description="A row of an hour that the clock skips or repeats: `strict` holds the day where it does not fit, "
        "`drop` leaves out rows of a skipped hour, `split` shares the quantity of a repeated hour among both",
    )


class Wide(_Part):
    """One row a day, with a column for each interval."""

    first: str | int = Field(description="Column of the first interval of the day")
    count: int = Field(ge=1, le=1440, description="Number of columns; they follow each other")


class Cost(_Part):
    """What the sender billed for an interval."""

    column: str | int = Field(description="Column with the cost")
    currency: str = Field(pattern="^[A-Z]{3}$", description="ISO 4217")
    decimals: int = Field(0, ge=0, le=5, description="2: the column is in cents")
    price: str | int | None = Field(None, description="Column with the price of a unit, in the unit of the cost")
    price_tolerance: Decimal = Field(
        Decimal("0.0001"), ge=0, description="How far a cost may be from price by quantity"
    )


class Cumulative(_Part):
    """Rows are reads of a counter: a row is the difference from the one before, and the first row only opens."""

    falls_from: str | None = Field(
        None, pattern=r"^\d\d:\d\d$", description="Local time from which it may start again at 0"
    )
    falls_until: str | None = Field(None, pattern=r"^\d\d:\d\d$", description="Local time until which it may")

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.falls_from is None) != (self.falls_until is None):
            raise ValueError("give falls_from and falls_until, or neither")
        return self


class ColumnMapping(_Part):
    """A column mapping."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="What the mapping is called, in small letters")
    version: int = Field(ge=1, description="Counts up with every change: a file says by which one it was read")
    title: str = Field(description="What it reads, for people")
    encoding: Literal["utf-8", "latin-1"] = Field("utf-8", description="Of the text; a byte order mark is skipped")
    delimiter: str = Field(",", min_length=1, max_length=1, description="Between columns")
    decimal: Literal[".", ","] = Field(".", description="Decimal sign; there is none for thousands")
    exponent: bool = Field(False, description="Numbers may be written as 6.7e-05, as programs write small ones")
    head_lines: int = Field(1, ge=0, le=20, description="Lines before the first row; the last has the column names")
    head_joined: bool = Field(False, description="A column's name is its texts of all head lines, with blanks between")
    point: Source = Field(description="The service point: a `column`, or a `fixed` text where the file has one point")
    serial: Source = Field(Source(fixed=""), description="The meter's serial number, likewise")
    channel: Source | None = Field(None, description="Where a row names its stream, likewise")
    channels: dict[str, Channel] = Field(
        min_length=1, description="By the text in the channel column; without one by the column of values"
    )
    value: str | int | None = Field(None, description="Column of the quantity, where a row has one")
    wide: Wide | None = Field(None, description="For one row a day with a column for each interval")
    times: Times = Field(description="The clock of the rows")
    power: bool = Field(False, description="Values are power (kW): a quantity is value by hours")
    quality: Source = Field(Source(fixed="A"), description="Where a row says its quality, likewise")
    qualities: dict[str, Literal["A", "F", "S", "E", "N"]] = Field(
        {"A": "A"}, description="By the text in the quality column"
    )
    cost: Cost | None = Field(None, description="For rows with what the sender billed")
    cumulative: Cumulative | None = Field(None, description="For reads of a counter; `{}`: it may never fall")
    negative: bool = Field(False, description="Quantities may be below zero")
    empty: Literal["refuse", "missing"] = Field("refuse", description="A cell without a value: `missing` is a gap")
    end_marker: str | None = Field(
        None, description="Value of a row that only says when the one before ends, such as nan"
    )
    rows: int | None = Field(None, ge=1, description="Rows that a whole file has")
    rows_per_reading: int = Field(1, ge=1, le=100, description="How often a reading is in the file, with equal values")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        times = self.times
        kinds = [times.start is not None or times.end is not None, times.date is not None, times.from_ is not None]
        if not any(kinds) or (times.from_ is not None and times.date is not None):
            raise ValueError("times: give start or end, or date, or from")
        if (self.wide is None) == (times.date is not None):
            raise ValueError("times: date goes with wide")
        if self.wide and (times.length == "next" or times.length * self.wide.count != DAY):
            raise ValueError("wide: count times length is not a day")
        if self.channel and self.value is None and self.wide is None:
            raise ValueError("channel: without wide it needs value")
        if self.power and not (isinstance(times.length, int) and _divides(times.length)):
            raise ValueError("power: an hour is not a round multiple of length, so the quantity would be rounded")
        if (self.cumulative or times.length == "next") and times.order == "any":
            raise ValueError("times: order must be rising or falling where a row depends on the next")
        if times.from_ is not None and times.length == "next":
            raise ValueError("times: with from, length is a number of seconds")
        if times.label is not None and times.from_ is None:
            raise ValueError("times: label goes with from")
        if (self.cumulative or times.length == "next") and (self.wide or times.from_ is not None):
            raise ValueError("times: a row that depends on the next needs a start or end")
        zone_of(times.zone)
        return self

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def _divides(length: int) -> bool:
    """Whether a value by length ÷ 3600 is a decimal number of a few digits."""
    return length > 0 and (length * 10_000) % _HOUR == 0


def zone_of(text: str) -> tzinfo:
    """A zone by its IANA name or as an offset. Raises ValueError."""
    if text[:1] in {"+", "-"}:
        hours, _, minutes = text[1:].partition(":")
        if not (hours.isdecimal() and (minutes or "0").isdecimal() and int(hours) <= 14 and int(minutes or 0) < 60):
            raise ValueError(f"{text!r} is not an offset such as +10:00")
        shift = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return timezone(shift if text[0] == "+" else -shift)
    try:
        return ZoneInfo(text)
    except (OSError, ValueError, KeyError):
        raise ValueError(f"{text!r} is not a time zone of IANA, such as Europe/Dublin") from None


def load_mapping(name: str, folder: Path | None = None) -> ColumnMapping:
    """The mapping of a name, from `folder` or else from those that ship; a path ending in `.yaml` is that file.

    Raises MappingError with one line per fault.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else None
    folders = [folder] if folder else []
    for place in (*folders, shipped("config/metering_mappings")):
        path = path or next((one for one in place.glob("*.yaml") if one.stem == name), None)
    if path is None:
        known = ", ".join(sorted(one.stem for one in shipped("config/metering_mappings").glob("*.yaml")))
        raise MappingError(f"There is no column mapping {name!r}. These ship: {known}; your own is a path to a file.")
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingError(f"{path} cannot be read ({error.strerror}).") from None
    except (UnicodeDecodeError, yaml.YAMLError):
        raise MappingError(f"{path} is not valid YAML.") from None
    try:
        return ColumnMapping.model_validate(content)
    except ValidationError as error:
        faults = [f"{path}: {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise MappingError("\n".join(faults)) from None
