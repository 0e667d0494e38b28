"""What the retailer sells: prices as plain facts, from which the tariffs are written and the bills of the ledger
are computed. Prices are whole ten-thousandths of the currency a kWh (or a day), amounts are cents."""

from datetime import date
from fractions import Fraction
from typing import NamedTuple

from billing_assets.sandbox.samples.utility.index_prices import HUB
from billing_assets.sandbox.samples.utility.points import Point
from billing_assets.sandbox.samples.utility.rates import Pool

SINCE = date(2020, 1, 1)
US_PLACE, CITY = "TX", "TX-10000"
"""Places of taxes: the state, and a city of that size in it."""


class Step(NamedTuple):
    """A block: up to so many kWh; None: without end."""

    up_to: int | None
    price: int


class Window(NamedTuple):
    """A time of use on the local clock. `register`: the meter register that counts it."""

    name: str
    days: str
    begin: int
    end: int
    price: int
    register: str = ""


class Product(NamedTuple):
    """A tariff. `month`: cents a bill; `day`: a day; `least`: cents of energy at least; `controlled`, `fed_in`: prices
    of these channels. One of `steps`, `windows` and `series` prices the rest: steps are those of a month where they are
    `scaled`; a series is prices by quarter hour, with `adder` cents a MWh on each."""

    code: str
    name: str
    currency: str
    steps: tuple[Step, ...] = ()
    windows: tuple[Window, ...] = ()
    month: int = 0
    day: int = 0
    least: int = 0
    controlled: int = 0
    fed_in: int = 0
    scaled: bool = False
    series: str = ""
    adder: int = 0

    @property
    def is_texan(self) -> bool:
        return self.currency == "USD"


class Tax(NamedTuple):
    """A tax of Texas. `place`: where it applies; `of_class`: to whom; `on_receipts`: on the receipts with itself."""

    code: str
    name: str
    rate: Fraction
    place: str
    of_class: str = ""
    on_receipts: bool = False
    on_taxes: bool = False


TEXAS_TAXES = (
    Tax("puc", "PUC assessment", Fraction(1_667, 1_000_000), US_PLACE),
    Tax("receipts", "Gross receipts reimbursement", Fraction(1_997, 100_000), CITY, on_receipts=True),
    Tax("sales", "Sales tax", Fraction(825, 10_000), US_PLACE, of_class="commercial", on_taxes=True),
)
GST = Fraction(1, 10)
WORK, WEEKEND = "mon tue wed thu fri", "sat sun"
_ALL = f"{WORK} {WEEKEND}"
DAYS_OF = tuple(_ALL.split())
"""Names of the days, from Monday."""

TIMES = (
    Window("peak", WORK, 15, 21, 4_870),
    Window("shoulder", WORK, 7, 15, 2_640),
    Window("shoulder", WORK, 21, 22, 2_640),
    Window("off-peak", WORK, 22, 7, 1_930),
    Window("off-peak", WEEKEND, 0, 24, 1_930),
)

PRODUCTS = {
    one.code: one
    for one in (
        Product("TX-FLAT", "Flat", "USD", steps=(Step(None, 1_390),), month=995),
        Product(
            "TX-STEPS", "Falling steps", "USD", steps=(Step(1_000, 1_180), Step(5_000, 1_040), Step(None, 920)),
            day=7_500,
        ),
        Product(
            "TX-NIGHT", "Day and night", "USD", month=1_295,
            windows=(Window("night", _ALL, 21, 6, 890, "41"), Window("day", _ALL, 6, 21, 1_570, "42")),
        ),
        Product("TX-INDEX", "Hub prices by quarter hour", "USD", series=HUB, adder=1_250, month=1_495),
        Product("TX-LIGHTS", "Lights", "USD", steps=(Step(None, 990),), least=6_000),
        Product("AU-FLAT", "Flat", "AUD", steps=(Step(None, 3_160),), day=11_030, controlled=2_140),
        Product(
            "AU-STEPS", "Steps", "AUD", steps=(Step(1_000, 3_340), Step(None, 2_990)), day=14_600, controlled=2_310,
            scaled=True,
        ),
        Product("AU-TIMES", "Time of use", "AUD", windows=TIMES, day=10_450),
        Product("AU-SOLAR", "Time of use with feed-in", "AUD", windows=TIMES, day=10_450, fed_in=520),
    )
}  # fmt: skip


def product_of(point: Point) -> Product:
    """What a point has: by what its meters can tell."""
    match point.pool:
        case Pool.TEXAS_INTERVALS:
            code = "TX-STEPS" if point.number % 2 else "TX-INDEX"
        case Pool.TEXAS_METERS:
            by_kind = {"unmetered": "TX-LIGHTS", "time of use": "TX-NIGHT"}
            code = by_kind.get(point.kind, "TX-FLAT" if point.klass == "residential" else "TX-STEPS")
        case Pool.AUSTRALIA_READS:
            code = "AU-FLAT" if point.klass == "residential" else "AU-STEPS"
        case _:
            code = "AU-SOLAR" if point.kind == "solar" else "AU-TIMES"
    return PRODUCTS[code]
