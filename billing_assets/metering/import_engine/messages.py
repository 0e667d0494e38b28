"""What a reader makes of a file: messages as it goes, and a report of the whole at the end. Plain data, no database.

A reader is a generator: `read(source, options, report)` yields messages in the file's order, in bounded memory, and
notes in `report` what it finds. It never raises for what is in the file. Only after the last message is it known
whether the file is accepted: of a refused one nothing counts, and the caller drops what it was given.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Context, Decimal, Inexact
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

EXACT = Context(prec=10_000, traps=[Inexact])
"""Sums of quantities: the usual context would round them at 28 digits."""

FINDINGS_KEPT = 100
"""Findings of a file that are kept with their sentences; of the rest only the code is counted."""


class Severity(StrEnum):
    """What a finding means for its unit: the file, the interchange, or the transaction set."""

    REFUSE = "refuse"  # the form is broken: the sender must send it again
    HOLD = "hold"  # the form is good, the content conflicts or is implausible
    WARN = "warn"  # kept and said


class Verdict(StrEnum):
    """What became of a unit."""

    ACCEPT = "accept"
    HOLD = "hold"
    REFUSE = "refuse"


class Finding(NamedTuple):
    """A finding. `line`: counted from 1; of X12 the segment's number in the file; None: of the whole file."""

    code: str
    line: int | None
    sentence: str
    severity: Severity


class Stream(NamedTuple):
    """A channel of a meter as a file names it. `length_seconds`: of its intervals; 0 for register reads."""

    point: str
    suffix: str
    serial: str
    unit: str
    length_seconds: int


class QualityRun(NamedTuple):
    """Intervals `first` to `last` (from 1, inclusive) of a block with one quality, such as `A` or `S14`."""

    first: int
    last: int
    quality: str
    reason: str = ""
    reason_text: str = ""


@dataclass(slots=True)
class IntervalBlock:
    """Consecutive intervals of one stream: a day (or the part of one that the file has), of one length.

    `values` times 10 to the minus `decimals` is the quantity in the stream's unit, exactly as it was written.
    """

    stream: Stream
    day: date  # on the file's own clock
    start: datetime  # UTC, of the first interval
    values: NDArray[np.int64]
    decimals: int
    quality: str  # of all intervals, such as `A` or `S14`; `V`: `runs` says it of each
    line: int
    runs: list[QualityRun] = field(default_factory=list)
    reason: str = ""
    reason_text: str = ""
    updated_at: datetime | None = None  # UTC: the provider's version of this block
    loaded_at: datetime | None = None  # UTC: when the market's system had it; breaks ties
    costs: NDArray[np.int64] | None = None  # times 10 to the minus `cost_decimals`, where the file has them
    currency: str = ""
    facts: Mapping[str, str] | None = None  # of the record that names the stream, by the standard's names
    visits: tuple[dict[str, str], ...] = ()  # what people did at the meter that day (500 of NEM12), the same way
    hold: str = ""  # the code that holds this block, such as `H-GAP`; the others of a held file pass
    cost_decimals: int = 5


@dataclass(slots=True)
class RegisterRead:
    """Two reads of a register and the quantity between them. Reads are text as on the dials: leading zeros count."""

    stream: Stream
    line: int
    begin: datetime | None  # UTC
    end: datetime | None
    begin_read: str
    end_read: str
    begin_quality: str
    end_quality: str
    quantity: Decimal  # billed: after multiplier and rollover, positive in the direction of its suffix
    direction: str = ""
    explained: str = ""  # how the reads explain the quantity: equal, sign, multiplier 10, rollover, decimals
    updated_at: datetime | None = None
    loaded_at: datetime | None = None
    facts: dict[str, str] = field(default_factory=dict)  # the record's fields, by the standard's names
    hold: str = ""  # code of the finding that holds this read alone, although its file is accepted
    visits: tuple[dict[str, str], ...] = ()  # what people did at the meter (550 of NEM13)


@dataclass(slots=True)
class SetMessage:
    """A transaction set of X12. `content`: what its type makes of it (`x12_sets/`); None where it could not be read."""

    type: str  # 867, 810, 814, 820, 824, 997
    control: str
    line: int  # segment number of its ST in the file
    verdict: Verdict
    codes: list[str]
    text: str  # the set as it was written, from ST to SE
    keys: dict[str, str] = field(default_factory=dict)
    quantities: dict[str, str] = field(default_factory=dict)
    total: str | None = None
    content: Any = None
    interchange: str = ""  # ISA13
    group: str = ""  # GS06
    sender: str = ""  # ISA06


Message = IntervalBlock | RegisterRead | SetMessage


class StreamTotals:
    """What a file has of a stream. `sum` is exact.

    `repeated`: those of its readings that say the same as another of the same start; they count in `readings` and `sum`
    (`repeated_sum` of it), and are in no message.
    """

    __slots__ = ("first", "last", "readings", "repeated", "repeated_sum", "sum")

    def __init__(self) -> None:
        self.readings = 0
        self.sum = Decimal(0)
        self.repeated = 0
        self.repeated_sum = Decimal(0)
        self.first: date | None = None
        self.last: date | None = None

    def add(self, readings: int, quantity: Decimal, day: date) -> None:
        """Counts readings of a day."""
        self.readings += readings
        self.sum = EXACT.add(self.sum, quantity)
        self.first = day if self.first is None or day < self.first else self.first
        self.last = day if self.last is None or day > self.last else self.last


@dataclass(slots=True)
class FileReport:
    """What a reader found in a file. `quality`: readings by quality and method, such as `A` or `S14`."""

    format: str = ""
    header: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)  # of all findings, by code
    worst: Verdict = Verdict.ACCEPT
    streams: dict[Stream, StreamTotals] = field(default_factory=dict)
    quality: Counter[str] = field(default_factory=Counter)
    acknowledgement: str | None = None  # of X12: A, E, P or R
    interchanges: list[Any] = field(default_factory=list)  # of X12: `Interchange`, with what the 997 says of each group

    def add(
        self,
        code: str,
        line: int | None,
        sentence: str,
        severity: Severity = Severity.REFUSE,
        *,
        whole: bool = True,
    ) -> None:
        """Notes a finding; only the first hundred keep their sentences. One that is not of the whole file leaves its
        verdict: it holds one message, which says so itself."""
        self.counts[code] += 1
        if len(self.findings) < FINDINGS_KEPT:
            self.findings.append(Finding(code, line, sentence, severity))
        if not whole:
            return
        if severity is Severity.REFUSE:
            self.worst = Verdict.REFUSE
        elif severity is Severity.HOLD and self.worst is Verdict.ACCEPT:
            self.worst = Verdict.HOLD

    def totals(self, stream: Stream) -> StreamTotals:
        """The totals of a stream."""
        return self.streams.setdefault(stream, StreamTotals())
