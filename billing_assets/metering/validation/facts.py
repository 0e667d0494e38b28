"""What the rules look at: the facts of one stream and period. Plain data; where it comes from is the caller's business.

Energy is in the stream's unit, positive in the direction of its suffix, and exact: scaled integers in arrays, else
`Decimal`. Days are local days of the point's zone; a period is from `begin` (inclusive) to `end` (exclusive).
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from billing_assets.metering.validation.grids import Grid


class Kind(StrEnum):
    """Where the values come from; each kind has its own set of rules."""

    INITIAL = "initial"  # from a meter or the market
    MANUAL = "manual"  # edited by a person
    ESTIMATED = "estimated"  # by a rule of ours


class Quality(IntEnum):
    """The quality of a value by its rank: of two values for one interval the higher rank counts."""

    MISSING = -1  # there is no value
    NULL = 0  # N: delivered as "no data"; its number is not a quantity
    ESTIMATE = 1  # E
    SUBSTITUTE = 2  # S
    FINAL = 3  # F
    ACTUAL = 4  # A


_FLAGS = {"A": Quality.ACTUAL, "F": Quality.FINAL, "S": Quality.SUBSTITUTE, "E": Quality.ESTIMATE}


def quality_of(text: str) -> Quality:
    """The quality of a flag with or without a method, such as `A` or `S14`."""
    return _FLAGS.get(text[:1], Quality.NULL)


class Direction(StrEnum):
    """What a stream measures, seen from the customer."""

    CONSUMPTION = "consumption"
    GENERATION = "generation"
    OTHER = "other"  # reactive, check, voltage: not billed as energy


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """A stream as the master data have it. `length_seconds`: of its intervals; 0: it has register reads."""

    point: str
    suffix: str
    unit: str
    length_seconds: int
    direction: Direction = Direction.CONSUMPTION
    customer_class: str = ""


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """A register of a meter on the point as the master data have it; None: not known."""

    serial: str
    digits: int | None = None
    decimals: int | None = None
    multiplier: Decimal | None = Decimal(1)


@dataclass(frozen=True, slots=True)
class RegisterFacts:
    """Two reads of a register, as text on its dials. `multiplier`: as the file has it; None: it has none."""

    serial: str
    begin_read: str
    end_read: str
    begin: date
    end: date
    multiplier: Decimal | None = None
    end_quality: Quality = Quality.ACTUAL


class Intervals:
    """The values of a period on its grid. `values` times 10 to the minus `decimals` times the multiplier is the
    energy.

    `qualities` has the rank of each value (`Quality`); a value with rank 0 or -1 counts nowhere. `outages`: where the
    power was off; None: nowhere. The totals are counted when they are asked for; who has counted many at once notes
    them.
    """

    __slots__ = ("_totals", "decimals", "grid", "outages", "qualities", "values")

    def __init__(
        self,
        grid: Grid,
        values: NDArray[np.int64],
        qualities: NDArray[np.int8],
        decimals: int,
        outages: NDArray[np.bool_] | None = None,
    ) -> None:
        if values.shape != (len(grid),) or qualities.shape != values.shape:
            raise ValueError(f"{values.shape} values and {qualities.shape} qualities for {len(grid)} intervals")
        self.grid, self.values, self.qualities, self.decimals, self.outages = grid, values, qualities, decimals, outages
        self._totals: tuple[int, int | None, int, int] | None = None

    def note(self, total: int, highest: int, counted: int, estimates: int) -> None:
        """Notes totals that were counted elsewhere."""
        self._totals = total, highest, counted, estimates

    @property
    def totals(self) -> tuple[int, int | None, int, int]:
        """Σ values, the highest value (None: there is none), how many count, and how many of them are estimates."""
        if self._totals is None:
            good = self.good()
            values: list[int] = self.values[good].tolist()
            estimates = int(np.count_nonzero(self.qualities == Quality.ESTIMATE))
            self._totals = sum(values), max(values, default=None), len(values), estimates
        return self._totals

    def good(self) -> NDArray[np.bool_]:
        """Which intervals have a value that counts."""
        return np.asarray(self.qualities > Quality.NULL)

    def of_day(self, place: int) -> tuple[list[int], list[int]]:
        """Values and qualities of a day, by its place in the grid's days."""
        part = slice(self.grid.starts[place], self.grid.starts[place + 1])
        return self.values[part].tolist(), self.qualities[part].tolist()

    def exact(self, scaled: int) -> Fraction:
        """A scaled value, or a sum of some, in the stream's unit."""
        return Fraction(scaled, 10**self.decimals)


@dataclass(frozen=True, slots=True)
class HistoryPeriod:
    """An earlier period of the stream. Data that is about to be replaced is no history: leave it out.

    `estimated`: the share of it that is estimated, 0 to 1. `peak`: its highest interval, in the stream's unit.
    """

    begin: date
    end: date
    quantity: Decimal
    estimated: Fraction = Fraction(0)
    outage: bool = False
    peak: Decimal | None = None

    @property
    def days(self) -> int:
        """Its days; at least one."""
        return max((self.end - self.begin).days, 1)

    @property
    def per_day(self) -> Fraction:
        """Its average daily use, exactly."""
        return Fraction(self.quantity) / self.days


@dataclass(frozen=True, slots=True)
class Statistics:
    """What is kept of a point's use per day over its earlier periods. `variance`: of the sample (n - 1); exact."""

    count: int
    mean: Fraction
    variance: Fraction

    @classmethod
    def of(cls, values: list[Fraction]) -> "Statistics":
        """The statistics of some values. Raises ValueError for fewer than two."""
        if len(values) < 2:
            raise ValueError("statistics need two values")
        mean = sum(values, Fraction(0)) / len(values)
        squares = sum(((one - mean) ** 2 for one in values), Fraction(0))
        return cls(len(values), mean, squares / (len(values) - 1))


@dataclass(frozen=True, slots=True)
class SiblingFacts:
    """Another stream of the point. `missing_days`: local days of the period of which it has nothing."""

    suffix: str
    billed: bool
    missing_days: int


@dataclass(frozen=True, slots=True)
class Replaced:
    """What these values replace. `revision`: the sender calls them a revision, or a person gave a reason."""

    quantity: Decimal
    quality: Quality
    new_quality: Quality
    billed: bool = False
    revision: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodFacts:
    """A stream and period to be judged, a day or a month: all that the rules may look at.

    `registers`: reads of the period, one after the other where the meter was exchanged; of a stream of intervals they
    are what its sum is compared with. `quantity`: what the sender says that is billed of a register; None: what the
    reads give. `lengths`, `units`, `serials`: as they were delivered. `devices`: on the point in the period; empty:
    not known.
    """

    stream: StreamFacts
    begin: date
    end: date
    zone: ZoneInfo
    today: date
    kind: Kind = Kind.INITIAL
    intervals: Intervals | None = None
    interval_multiplier: Decimal = Decimal(1)  # what the values are still to be multiplied by
    registers: tuple[RegisterFacts, ...] = ()
    quantity: Decimal | None = None
    parts: tuple[Decimal, ...] = ()  # of the registers by time of use, which add up to this one
    demand: Decimal | None = None  # the highest of the period, in the unit of power
    lengths: tuple[int, ...] = ()
    units: tuple[str, ...] = ()
    serials: tuple[str, ...] = ()
    devices: tuple[DeviceFacts, ...] = ()
    copies: int = 0  # values that came again, the same
    conflicts: int = 0  # versions that others took the place of; the rank chose
    clock_seconds: int | None = None  # by which the meter's clock differs
    previous_end: date | None = None  # the last one not after its begin
    overlapping: tuple[tuple[date, date], ...] = ()  # other periods that count, and share days with it
    history: tuple[HistoryPeriod, ...] = ()
    statistics: Statistics | None = None
    active: bool = True
    closed: tuple[tuple[date, date | None], ...] = ()  # days from (inclusive) to (exclusive) without a service
    outage: bool = False  # the power was off all the period
    closing: bool = False  # the period is being closed: all streams should be there
    siblings: tuple[SiblingFacts, ...] = ()
    replaces: Replaced | None = field(default=None)

    @property
    def days(self) -> int:
        """The days of the period; at least one."""
        return max((self.end - self.begin).days, 1)

    def is_closed(self, day: date) -> bool:
        """Whether the point has no service on a day."""
        return any(begin <= day and (end is None or day < end) for begin, end in self.closed)

    @property
    def closed_days(self) -> int:
        """The days of the period without a service."""
        return sum(self.is_closed(self.begin + timedelta(days=n)) for n in range(self.days)) if self.closed else 0


_KILO = {"M": Fraction(1000), "k": Fraction(1), "K": Fraction(1), "m": Fraction(1000)}
_OF_ENERGY = ("WH", "VARH", "VAH", "W", "VAR", "VA")


def in_kilo(unit: str) -> Fraction:
    """How many kWh (kVArh, kW…) one of the unit is; 1 for what is no energy or power. Units are compared without
    case, so `M` and `m` are both a million."""
    if unit.upper() in _OF_ENERGY:
        return Fraction(1, 1000)
    return _KILO.get(unit[:1], Fraction(1)) if unit[1:].upper() in _OF_ENERGY else Fraction(1)
