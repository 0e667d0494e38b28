"""What a bill depends on beside tariff and usage: place, calendar, prices of the market, earlier bills."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from billing_assets.invoicing.rating.scaled import Scaled
from billing_assets.invoicing.rating.usage import Period


@dataclass(frozen=True, slots=True)
class Exemption:
    """A share (percent) of a tax's base that is not taxed, from a day to a day (not included; None: open)."""

    tax: str
    percent: Decimal
    certificate: str
    begins: date
    ends: date | None


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Prices or weights by interval, from the instant `start` (UTC)."""

    version: str
    start: datetime
    minutes: int
    values: Scaled


@dataclass(frozen=True, slots=True)
class LossFactors:
    """What energy of a service point is multiplied by, from a day to a day (not included; None: open)."""

    service_point: str
    begins: date
    ends: date | None
    dlf: Decimal
    mlf: Decimal


@dataclass(frozen=True, slots=True)
class EarlierDemand:
    """What an earlier bill measured."""

    service_point: str
    charge: str
    begins: date
    ends: date
    measured: Decimal


@dataclass(frozen=True, slots=True)
class RatingContext:
    """The context of a bill; the fields are those of the format."""

    time_zone: str = "UTC"
    holidays: tuple[date, ...] = ()
    customer_class: str | None = None
    tax_codes: tuple[str, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    cycles: tuple[Period, ...] = ()
    price_series: Mapping[str, Series] = field(default_factory=dict)
    profiles: Mapping[str, Series] = field(default_factory=dict)
    loss_factors: tuple[LossFactors, ...] = ()
    demand_history: tuple[EarlierDemand, ...] = ()
    earlier_totals: tuple[Decimal, ...] = ()
    implausible_factor: Decimal = Decimal(5)
    as_of: date | None = None
    due_date: date | None = None
