"""The content of an 867: usage of a service point over a period, with the loops that it was written in."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

from billing_assets.metering.import_engine.messages import IntervalBlock

UNITS = {"KH": "kWh", "K1": "kW", "K2": "kVAr", "K3": "kVArh"}
"""MEA04, and what people call it."""

LOOPS = {
    "SU": "metered summary",
    "IA": "net interval summary",
    "BC": "unmetered summary",
    "BB": "billed summary",
    "BO": "interval summary of a meter",
    "PL": "meter",
    "BD": "unmetered detail",
    "PM": "meter, or its intervals",
    "PP": "intervals of all meters",
    "BQ": "intervals of the account",
    "BJ": "read",
}
"""PTD01."""

MEASURES = frozenset({"AA", "AE", "EA", "EE", "AF", "BO", ""})
"""MEA01."""

TOTAL = "51"
WHOLE = frozenset({TOTAL, ""})
"""MEA07 of a quantity that is all of its period, not one time of use."""

ORIGINAL, CANCEL, REPLACE = "00", "01", "05"
STATUS = "SU"
"""BPT01 of an 867_04: reads, no usage."""


class IntervalRow(NamedTuple):
    """An interval as it was written: its end on the sender's clock, with time code."""

    day: str
    time: str
    time_code: str
    quantity: str
    is_estimated: bool
    unit: str
    position: int


@dataclass(slots=True)
class Row:
    """A quantity in one unit and time of use (`51` total, `41` off-peak, `42` on-peak). Reads: text as on the dials."""

    unit: str
    time_of_use: str
    quantity: Decimal | None
    is_estimated: bool
    measure: str  # MEA01: AA both reads actual, AE EA EE partly or wholly estimated, AF actual total, BO as billed
    begin_read: str
    end_read: str
    multiplier: Decimal | None
    position: int
    rolled_over: bool = False


@dataclass(slots=True)
class Loop:
    """A PTD loop. `type`: PTD01, of `LOOPS`. `start`, `end`: days, the end exclusive."""

    type: str
    position: int
    meter: str = ""
    meter_type: str = ""
    role: str = ""
    profile: str = ""
    start: date | None = None
    end: date | None = None
    read_on: date | None = None
    exchanged_on: date | None = None
    multiplier: Decimal | None = None
    power_factor: Decimal | None = None
    rows: list[Row] = field(default_factory=list)
    intervals: list[IntervalRow] = field(default_factory=list)


@dataclass(slots=True)
class Usage:
    """An 867. `quantities`: by unit (MEA04), energy once, demand the highest. `start`, `end`: days, end exclusive."""

    id: str
    purpose: str  # 00 original, 01 cancel, 05 replace
    kind: Literal["usage", "reads"] = "usage"
    issued_on: date | None = None
    report_type: str = ""
    is_final: bool = False
    refers_to: str = ""
    point: str = ""
    utility: str = ""
    retailer: str = ""
    start: date | None = None
    end: date | None = None
    due_on: date | None = None
    is_estimated: bool = False
    estimate_reason: str = ""
    share: Decimal | None = None  # percent of the account that the set is about (MEA NP)
    quantities: dict[str, Decimal] = field(default_factory=dict)
    times_of_use: dict[str, dict[str, Decimal]] = field(default_factory=dict)  # of the summary: unit, MEA07
    references: dict[str, str] = field(default_factory=dict)  # REF01 to its value, of the header
    loops: list[Loop] = field(default_factory=list)
    intervals: list[IntervalBlock] = field(default_factory=list)  # of the account where given, else of its meters
