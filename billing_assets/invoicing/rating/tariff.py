"""A tariff as plain data: charges, each with versions in time. `tariff_json` reads it, `tariff_checks` checks it."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

DAY_TYPES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday")
"""The days that a window names, in the order of `date.weekday()`."""


class Kind(StrEnum):
    """What a charge is computed from."""

    FIXED_DAILY = "fixed_daily"
    FIXED_PERIOD = "fixed_period"
    USAGE = "usage"
    TOU = "tou"
    DEMAND = "demand"
    INDEX = "index"
    RATE_TABLE = "rate_table"
    FEED_IN = "feed_in"
    PASSTHROUGH = "passthrough"
    MINIMUM = "minimum"
    DISCOUNT = "discount"
    FEE = "fee"
    GREEN = "green"
    TAX = "tax"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Block:
    """A price up to a cumulative limit; None is the open block, the last one. A plain price is one open block."""

    up_to: Decimal | None
    price: Decimal


@dataclass(frozen=True, slots=True)
class Window:
    """Local times of some days. `start` and `end` are minutes of the day; `end` not after `start` crosses midnight."""

    name: str
    days: tuple[str, ...]
    start: int
    end: int
    blocks: tuple[Block, ...]
    register: str | None = None


@dataclass(frozen=True, slots=True)
class Season:
    """A part of the year with its prices; `first` and `last` are month and day, both included.

    What has no seasons has one, without a name, from 1 January to 31 December. Either `blocks` or `windows` is filled.
    """

    name: str | None
    first: tuple[int, int]
    last: tuple[int, int]
    blocks: tuple[Block, ...]
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class BlockRule:
    """How blocks fill."""

    period: str = "bill"
    by_days: bool = False
    scope: str = "window"
    evaluate: str = "pooled"
    mode: str = "graduated"


@dataclass(frozen=True, slots=True)
class FixedTerms:
    """A price a day (`period` None) or a period (`P1M`…)."""

    seasons: tuple[Season, ...]
    period: str | None


@dataclass(frozen=True, slots=True)
class EnergyTerms:
    """Prices of energy, by season, window and block."""

    seasons: tuple[Season, ...]
    rule: BlockRule
    credit_price: Decimal


@dataclass(frozen=True, slots=True)
class Ratchet:
    """A percentage of the highest demand of so many earlier periods."""

    percent: Decimal
    periods: int


@dataclass(frozen=True, slots=True)
class DemandTerms:
    """Prices of demand. A season has blocks (measured all the time) or windows (nothing is measured outside them)."""

    seasons: tuple[Season, ...]
    demand_window: int
    measure: str
    n: int
    measurement_period: str
    charge_period: str
    floor: Decimal
    contract_minimum: Decimal
    ratchet: Ratchet | None
    power_factor: Decimal | None


@dataclass(frozen=True, slots=True)
class IndexTerms:
    """Prices of a series, per MWh: kWh · loss · (price · multiplier + adder) / 1000; floor and cap act on the price."""

    series: str
    adder: Decimal
    multiplier: Decimal
    floor: Decimal | None
    cap: Decimal | None
    profile: str | None
    credit_price: Decimal


@dataclass(frozen=True, slots=True)
class TableRow:
    """A price between two days, half-open."""

    valid_from: date
    valid_to: date | None
    price: Decimal


@dataclass(frozen=True, slots=True)
class TableTerms:
    """A table of prices a unit, and what is added to them."""

    rows: tuple[TableRow, ...]
    adder: Decimal
    by_days: bool


@dataclass(frozen=True, slots=True)
class PassthroughCode:
    """How a utility's charge is billed."""

    utility: str
    code: str
    bill_text: str
    tax_category: str | None


@dataclass(frozen=True, slots=True)
class PassthroughTerms:
    """The utility's charges that are known."""

    codes: tuple[PassthroughCode, ...]


@dataclass(frozen=True, slots=True)
class MinimumTerms:
    """The least that is to pay a period."""

    amount: Decimal
    period: str


@dataclass(frozen=True, slots=True)
class DiscountTerms:
    """`method` percent_of_bill, percent_of_use, percent_over_threshold (all with `percent`) or fixed (`amount`)."""

    method: str
    percent: Decimal
    amount: Decimal
    threshold: Decimal


@dataclass(frozen=True, slots=True)
class FeeTerms:
    """An amount an event, or a percentage."""

    amount: Decimal | None
    percent: Decimal | None


@dataclass(frozen=True, slots=True)
class GreenTerms:
    """A price a unit for a share of the usage (percent), or a percentage of what the usage costs (`price` None)."""

    price: Decimal | None
    percent: Decimal


@dataclass(frozen=True, slots=True)
class TaxTerms:
    """`method` on_top, gross_up or inside; `rate` as a factor (0.10). None of the lists: everywhere, every class."""

    method: str
    rate: Decimal
    jurisdiction: str | None
    place_codes: tuple[str, ...] | None
    customer_classes: tuple[str, ...] | None
    by_days: bool


@dataclass(frozen=True, slots=True)
class ManualTerms:
    """Nothing: the usage lists the charges."""


Terms = (
    FixedTerms
    | EnergyTerms
    | DemandTerms
    | IndexTerms
    | TableTerms
    | PassthroughTerms
    | MinimumTerms
    | DiscountTerms
    | FeeTerms
    | GreenTerms
    | TaxTerms
    | ManualTerms
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a version is from and who approved it."""

    who: str | None = None
    document: str | None = None
    approved_by: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """What a charge costs from a day (included) to a day (not included; None: open)."""

    id: str
    valid_from: date
    valid_to: date | None
    terms: Terms
    source: Source | None = None

    def __hash__(self) -> int:
        """Of what tells versions of a charge apart; each bill looks up by versions what is kept by value."""
        return hash((self.id, self.valid_from, self.valid_to))


@dataclass(frozen=True, slots=True)
class AppliesTo:
    """Lines and taxes that something is computed from: a line counts if any list names it."""

    codes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tax_categories: tuple[str, ...] = ()
    taxes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Charge:
    """One position of a tariff; the fields are those of the format."""

    code: str
    kind: Kind
    bill_text: str
    group: str
    tax_category: str | None
    channels: tuple[str, ...]
    registers: tuple[str, ...] | None
    unit: str
    applies_to: AppliesTo | None
    sequence: int
    time_zone: str
    on_change: str
    split_by: str | None
    split_evenly: bool
    gap_tolerance: int
    proration: str
    per: str
    loss: bool
    allow_negative: bool
    net: str
    net_channel: str
    rounds_down: bool
    conditional: bool
    versions: tuple[Version, ...]


@dataclass(frozen=True, slots=True)
class Tariff:
    """A tariff; it never changes. `content_hash` is the SHA-256 of its canonical JSON."""

    id: str
    code: str
    name: str
    currency: str
    market: str | None
    commodity: str
    customer_class: str | None
    prices_include_tax: bool
    charges: tuple[Charge, ...]
    content_hash: str
