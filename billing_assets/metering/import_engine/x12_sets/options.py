"""What differs between markets and senders, or what their guides leave open. The defaults are those of Texas."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import ConfigDict


@dataclass(frozen=True)  # without slots: pydantic reads it as part of the settings
class SetOptions:
    """How to read the sets of one sender. Energy in the unit of its row, such as kWh."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    zone: str = "America/Chicago"
    """Of interval ends without a time code."""
    eastern_zone: str = "America/New_York"
    """Of interval ends with an eastern time code (ES, ED, ET)."""
    interval_minutes: int = 15
    """Where the meter type (REF*MT) does not say it and the rows do not either."""
    interval_ends: frozenset[str] = frozenset({"582", "194"})
    """DTM01 of an interval's end: 582 in the eastern guides, 194 or 582 in Texas."""
    end_day_is_used: bool = False
    """Whether the last day of the period has usage of its own. By default it is the day of the read."""

    purposes: frozenset[str] = frozenset({"00", "01", "05"})
    """BPT01 and BIG08: original, cancel, replace."""
    quantity_kinds: frozenset[str] = frozenset({"QD", "KA"})
    """QTY01: actual, estimated."""
    charge_kinds: frozenset[str] = frozenset({"ME", "FB", "26"})
    """BIG07: monthly, final, miscellaneous."""

    additive: str = "A"
    subtractive: str = "S"
    ignored: str = "I"
    """Roles of a meter (REF*JH) in the summary."""
    investor_owned: frozenset[str] = frozenset()
    """Utilities (number in N1*8S) that must send the reason of an estimate; of others its absence is a warning."""
    summary_only_types: frozenset[str] = frozenset()
    """BPT04 of a set that has a summary and no detail."""
    no_time_of_use_when_unmetered: bool = False
    """New York: MEA07 is not used in an unmetered summary (PTD*BC)."""
    point_digits: tuple[int, int] = (17, 22)
    """Digits of an ESI ID: fewest, most."""

    sum_tolerance: Decimal = Decimal(1)
    """Units by which meters and summary may differ."""
    time_of_use_tolerance: Decimal = Decimal(1)
    interval_tolerance: Decimal = Decimal("0.01")
    """Share of the summary by which the sum of the intervals may differ from it."""
    most_a_day: Decimal = Decimal(500)
    """A register has rolled over only if it moved by at most so many units a day."""

    cross_reference: Literal["BIG05", "BIG06"] = "BIG05"
    """The element of an invoice that names the usage (BPT02): BIG05 or BIG06."""
    charge_codes: frozenset[str] | None = None
    """Charge codes of the market's matrix. None: any code of three letters and three digits is taken as known."""
    signed_total: bool = True
    """Whether TDS01 of a credit may have a minus sign; a single charge never has one."""
    taxes_added: frozenset[str] = frozenset({"", "A"})
    """TXI07 of a tax that is part of the total; O is information."""
    taxes_deducted: frozenset[str] = frozenset({"D"})


EASTERN = SetOptions(zone="America/New_York")
"""Of the eastern guides: their clock, where a set names none."""
