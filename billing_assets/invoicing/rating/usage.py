"""What was used: registers, intervals, demand, the utility's documents, events and charges made by hand."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from billing_assets.invoicing.rating.scaled import Scaled

QUALITIES = ("A", "E", "S", "F")
"""Actual, estimated, substituted, forward estimate."""


@dataclass(frozen=True, slots=True)
class Register:
    """A quantity between two days, half-open, as a register gives it."""

    service_point: str
    meter: str
    register: str
    channel: str
    quantity: Decimal
    unit: str
    begins: date
    ends: date
    quality: str = "A"


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """Consecutive intervals of `minutes` from the instant `start`, a whole minute in UTC. `estimated` None: none is."""

    service_point: str
    channel: str
    unit: str
    start: datetime
    minutes: int
    values: Scaled
    estimated: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class DemandRead:
    """Demand as the meter or the utility measured it."""

    service_point: str
    channel: str
    quantity: Decimal
    unit: str
    begins: date
    ends: date
    window: str | None = None


@dataclass(frozen=True, slots=True)
class DocumentCharge:
    """A charge on a utility's document."""

    code: str
    amount: Decimal
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """What a utility charges us for the customer (an 810)."""

    utility: str
    number: str
    purpose: str
    begins: date
    ends: date
    total: Decimal
    charges: tuple[DocumentCharge, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """What a fee is charged for. `base`: what a percentage is of."""

    charge: str
    day: date
    quantity: Decimal
    base: Decimal | None


@dataclass(frozen=True, slots=True)
class Manual:
    """A charge made by hand."""

    charge: str
    bill_text: str
    quantity: Decimal
    unit: str
    price: Decimal
    tax_category: str | None
    begins: date
    ends: date


@dataclass(frozen=True, slots=True)
class Usage:
    """All that a bill is made from."""

    registers: tuple[Register, ...] = ()
    intervals: tuple[Intervals, ...] = ()
    demand: tuple[DemandRead, ...] = ()
    reactive: tuple[Intervals, ...] = ()
    documents: tuple[Document, ...] = ()
    events: tuple[Event, ...] = ()
    manual: tuple[Manual, ...] = ()


@dataclass(frozen=True, slots=True)
class Period:
    """Days of a bill: `begins` belongs to it, `ends` does not."""

    begins: date
    ends: date

    @property
    def days(self) -> int:
        """How many."""
        return (self.ends - self.begins).days
