"""What is in the world, and what goes wrong in it how often. The tables of the docs are made of these."""

from datetime import date
from enum import StrEnum
from typing import NamedTuple

SEED = 16
POINTS = 2_000
MONTHS = (date(2025, 9, 1), date(2025, 10, 1), date(2025, 11, 1))
AFTER = date(2025, 12, 1)
"""The day after the last month. Texas has its clock change on 2 November, most of Australia on 5 October."""


AFTER_BILLS = date(2026, 2, 1)
"""Everything else has come, and is billed, before this day: what comes later corrects a bill."""


class Pool(StrEnum):
    """Points of one kind: a fault happens in one of them."""

    TEXAS_METERS = "Texas, monthly reads"
    TEXAS_INTERVALS = "Texas, quarter hours"
    AUSTRALIA_READS = "Australia, monthly reads"
    AUSTRALIA_INTERVALS = "Australia, intervals"


SHARES: dict[Pool, int] = {
    Pool.TEXAS_METERS: 480,
    Pool.TEXAS_INTERVALS: 20,
    Pool.AUSTRALIA_READS: 350,
    Pool.AUSTRALIA_INTERVALS: 150,
}
"""Of a thousand points."""


class Ends(StrEnum):
    """What a point's month is in the end."""

    BILLABLE = "billable"
    HELD = "held"
    WAITING = "waiting"
    CANCELLED = "cancelled"


class Fault(NamedTuple):
    """A fault. `rate`: of a thousand points of the pool (one at least), each in one of the three months."""

    name: str
    pool: Pool
    rate: int
    what: str
    ends: Ends
    code: str = ""
    only: str = ""  # the kind of point that can have it


_T, _TI, _A, _AI = Pool.TEXAS_METERS, Pool.TEXAS_INTERVALS, Pool.AUSTRALIA_READS, Pool.AUSTRALIA_INTERVALS
_B, _H, _W = Ends.BILLABLE, Ends.HELD, Ends.WAITING

FAULTS: tuple[Fault, ...] = (
    Fault("late", _T, 40, "the usage comes three weeks late, its charges wait", _B),
    Fault("doubled usage", _T, 20, "the same 867 again in a later interchange", _B),
    Fault("doubled charges", _T, 10, "the same 810 again in a later interchange", _B),
    Fault("replaced", _T, 30, "both cancelled and replaced by another quantity", _B),
    Fault("cancelled", _T, 5, "both cancelled, nothing in their place", Ends.CANCELLED),
    Fault("half cancelled", _T, 4, "the usage cancelled, its charges not", _H, "HALF_CANCEL"),
    Fault("estimated, then actual", _T, 25, "an estimate, later cancelled and replaced by the read", _B),
    Fault("estimated", _T, 15, "an estimate that stays; the next read is right again", _B),
    Fault("usage without charges", _T, 8, "the 810 never comes", _W, "WAIT_CHARGES"),
    Fault("charges without usage", _T, 8, "the 867 never comes", _W, "ORPHAN_CHARGES"),
    Fault("set broken, sent again", _T, 6, "SE01 of the 867 is wrong; it comes right three days later", _B),
    Fault("set broken", _T, 3, "SE01 of the 867 is wrong and it is not sent again", _W, "ORPHAN_CHARGES"),
    Fault("meter exchange", _T, 8, "two meters, one after the other, in one 867", _B, only="single"),
    Fault("rollover", _T, 8, "the register goes over 99999", _B, only="single"),
    Fault("unknown, then known", _T, 8, "master data brings the service point two months later", _B),
    Fault("unknown", _T, 3, "master data never has the service point", _H, "NO_SERVICE_POINT"),
    Fault("replacement without cancel", _T, 3, "a replacement of what was not cancelled; it waits", _B),
    Fault("cancel without original", _T, 3, "a cancel of a summer month that we never had; it waits", _B),
    Fault("period twice", _T, 4, "another 867 for a period that we have; it is held", _B),
    Fault("period overlaps", _T, 3, "the period begins five days early", _H, "PERIOD_OVERLAP"),
    Fault("total is a cent off", _T, 4, "TDS of the 810 is not the sum of its charges", _W, "WAIT_CHARGES"),
    Fault("meters do not add up", _T, 4, "the summary is seven more than its meters", _H, "SUM_CHECK", "single"),
    Fault(
        "replaced after the bill", _T, 8, "both cancelled and replaced in February, after the bill", _B, only="single"
    ),
    Fault("missing intervals", _TI, 50, "a day has 95 of 96 quarter hours", _H, "MISSING_INTERVALS"),
    Fault("missing intervals, replaced", _TI, 50, "the same, later cancelled and replaced by the whole", _B),
    Fault("late", _TI, 50, "the usage comes three weeks late", _B),
    Fault("late", _A, 40, "the read comes three weeks late", _B),
    Fault("doubled", _A, 20, "the same read again in a later file", _B),
    Fault("estimated, then actual", _A, 30, "an estimate (E62), then the read of the same day", _B),
    Fault("estimated", _A, 20, "an estimate (E62) of the last month", _B),
    Fault("meter exchange", _A, 9, "two meters, one after the other, with transaction code A", _B, only="single"),
    Fault("rollover", _A, 12, "the register goes over 99999", _B, only="single"),
    Fault("quantity is not the reads", _A, 6, "nothing explains the quantity", _H, "QTY_NOT_READS", "single"),
    Fault("downgrade", _A, 5, "a later substitute (S62) for an actual read; it is held", _B),
    Fault("unknown, then known", _A, 9, "master data brings the service point two months later", _B),
    Fault("unknown", _A, 3, "master data never has the service point", _H, "NO_SERVICE_POINT"),
    Fault("late", _AI, 40, "three days come nine days late", _B),
    Fault("doubled", _AI, 20, "a day again in a later file", _B),
    Fault("substituted, then actual", _AI, 60, "three days S14, actual a week later", _B),
    Fault("estimated, then actual", _AI, 40, "three days E52, actual a week later", _B),
    Fault("substituted", _AI, 40, "three days F14 for good", _B),
    Fault("qualities vary", _AI, 40, "a day V: some of its intervals S14", _B),
    Fault("intervals missing", _AI, 10, "a day V: some of its intervals without data (N)", _H, "MISSING"),
    Fault("intervals missing, then actual", _AI, 10, "the same, actual a week later", _B),
    Fault("days missing", _AI, 10, "three days that never come", _H, "MISSING"),
    Fault("sibling missing", _AI, 20, "three days without B1, which is billed", _H, "SIBLING", "solar"),
    Fault("sibling late", _AI, 20, "three days of B1 come a week after E1", _B, only="solar"),
    Fault("meter exchange", _AI, 10, "another serial from one day on", _B),
    Fault("downgrade", _AI, 7, "a later substitute (S14) for an actual day; it is held", _B),
    Fault("version conflict", _AI, 7, "other values with the same time of update; they are held", _B),
    Fault("older version late", _AI, 7, "an older version of a day comes after the newer one", _B),
    Fault("unknown, then known", _AI, 7, "master data brings the service point two months later", _B),
    Fault("unknown", _AI, 4, "master data never has the service point", _H, "NO_SERVICE_POINT"),
)
"""In the order in which points are dealt to them. Each point has one at most."""


class FileFault(NamedTuple):
    """A fault of whole files. `rate`: of a thousand files of its format (one at least)."""

    name: str
    format: str
    rate: int
    what: str
    verdict: str
    code: str = ""


FILE_FAULTS: tuple[FileFault, ...] = (
    FileFault("file twice", "X12", 6, "the same bytes again two days later", "duplicate"),
    FileFault("IEA02 differs", "X12", 6, "IEA02 is not ISA13; sent again right", "refuse"),
    FileFault("cut off", "X12", 6, "the end is missing; sent again whole", "refuse"),
    FileFault(
        "control number again", "X12", 3, "a number that was used; sent again with its own", "refuse", "CONTROL_REUSED"
    ),
    FileFault("sender unknown", "X12", 3, "an interchange of a stranger", "refuse"),
    FileFault("EDIFACT", "X12", 3, "another format", "refuse", "R-FORMAT"),
    FileFault("zipped twice", "NEM", 6, "the same content in another zip", "duplicate"),
    FileFault("cut off", "NEM", 6, "the 900 is missing; sent again whole", "refuse", "R-NO-900"),
    FileFault("a value short", "NEM", 6, "a row with a value too few; sent again whole", "refuse", "R-300-FIELDS"),
    FileFault("quality without method", "NEM", 6, "S without a method; sent again right", "refuse", "R-QUALITY"),
    FileFault("joined", "NEM", 6, "two files in one; sent again apart", "refuse", "R-AFTER-900"),
    FileFault("empty", "NEM", 6, "no bytes; the file comes the day after", "refuse", "R-EMPTY"),
)
