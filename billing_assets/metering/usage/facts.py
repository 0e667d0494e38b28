"""What the machine takes and gives: plain data. Dates are of the meter's clock, times UTC, energy and money exact."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from billing_assets.metering.usage.states import Kind, Purpose, State


class Fact(NamedTuple):
    """One message: an 867 or an 810 whose form is good.

    `message`: our number of it, in the order of arrival. `amount`: kWh of usage, currency of charges. `content`: a
    hash of all that it says but its control numbers and its own date. `codes`: what its reader holds it for.
    """

    message: int
    kind: Kind
    id: str  # BPT02, BIG02
    purpose: Purpose
    refers_to: str  # the id of what it cancels or replaces
    point: str
    start: date | None
    end: date | None  # the day of the read: the next period starts on it
    content: str
    sent_at: datetime
    arrived_at: datetime
    amount: Decimal = Decimal(0)
    estimated: bool = False
    final: bool = False
    cross_reference: str = ""  # of charges: the id of their usage
    alone: bool = False  # needs no pair: miscellaneous charges, usage for which the utility sends no 810
    codes: tuple[str, ...] = ()
    control: str = ""  # interchange, group and set control numbers: the order within one time
    utility: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """What people, invoicing and master data said so far, by message numbers."""

    rejected: frozenset[int] = frozenset()
    released: frozenset[tuple[int, str]] = frozenset()  # message and code
    confirmed: frozenset[tuple[int, int]] = frozenset()  # usage and charges: a pair
    declined: frozenset[tuple[int, int]] = frozenset()  # usage and charges: no pair
    billed: frozenset[int] = frozenset()
    not_ours: frozenset[int] = frozenset()
    """Messages whose service point is not in master data for any day of their period."""


@dataclass(frozen=True, slots=True)
class Options:
    """What may be set of the machine."""

    credit_wait_days: int = 10
    """Days that a credit waits for the replacement and for the other half of its cancel."""
    ageing_days: tuple[int, ...] = (3, 5, 10)
    """Ages at which what waits for its pair is reported."""
    overlap_percent: int = 90
    """Share of the longer period that two must have in common for a pair to be suggested."""
    gap_days: int = 0
    """Days between two periods that are not called a gap."""
    restated_kwh: Decimal = Decimal("0.5")
    """A restatement that is smaller than this, and than the percentage, is recorded only."""
    restated_percent: Decimal = Decimal("0.5")
    without_charges: frozenset[str] = frozenset()
    """Utilities that send no charges: their usage is ready without."""


class Outcome(NamedTuple):
    """What became of a message. `codes`: the first is the main one. `other`: the message that it hangs on.

    `live`: the version that counts for its period. `gap_from`: the end of the period before, where days are missing.
    """

    state: State
    codes: tuple[str, ...] = ()
    other: int | None = None
    since: datetime | None = None
    live: bool = False
    gap_from: date | None = None
    replaces: int | None = None
    cancelled_by: int | None = None


class Rank(StrEnum):
    """By what usage and charges were found to belong together."""

    CONFIRMED = "confirmed"  # a person said so
    REFERENCE = "reference"  # the charges name the usage
    PERIOD = "period"  # the same point, start and end
    OVERLAP = "overlap"  # the same point, nearly the same period: suggested, a person confirms


class Pair(NamedTuple):
    """Usage and charges that belong together, or, `suggested`, may."""

    usage: int
    charges: int
    by: Rank
    suggested: bool = False


class CandidateKind(StrEnum):
    """What invoicing may have to do about an invoice that was sent."""

    CREDIT = "credit"  # of the whole invoiced pair
    REBILL = "rebill"  # on the price version of the original
    RESTATEMENT = "restatement"  # the quantity of a billed period changed


class CandidateState(StrEnum):
    """Where a candidate is."""

    WAITING = "waiting"  # for the replacement, the other half, or its day
    DUE = "due"
    RECORDED = "recorded"  # below the thresholds: for the record only


class Candidate(NamedTuple):
    """A proposal to invoicing. `original`: what was billed; `message`: the same for a credit, else the replacement."""

    kind: CandidateKind
    message: int
    original: int
    cause: int
    state: CandidateState
    due_at: datetime | None = None
    old: Decimal | None = None
    new: Decimal | None = None


@dataclass(slots=True)
class Settled:
    """What became of all messages of a point."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
