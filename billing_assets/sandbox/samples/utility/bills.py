"""The ledger of bills: what each account is to pay for each period, in cents, computed from what was measured and what
is sold. Whole numbers and fractions alone; the engine that bills is not asked."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from billing_assets.sandbox.samples.utility.billing_data import group_of, places_of
from billing_assets.sandbox.samples.utility.index_prices import MINUTES, price
from billing_assets.sandbox.samples.utility.outcomes import Outcome, decimal
from billing_assets.sandbox.samples.utility.points import Point
from billing_assets.sandbox.samples.utility.products import TEXAS_TAXES, Product, product_of
from billing_assets.sandbox.samples.utility.rates import MONTHS, Ends
from billing_assets.sandbox.samples.utility.texas_sets import ChargesSet, TexasSet, UsageSet
from billing_assets.sandbox.samples.utility.usage import Quarter

BILLED, GAP, UNBILLED = "billed", "gap", "unbilled"


class BillRow(NamedTuple):
    """What becomes of an account's month: `billed` to the cent; `gap`: it may be billed, but a month before it is not;
    `unbilled`: it may not, by the usage's own state; `elsewhere`: another system bills it. Amounts are of the
    currency, `kwh` without what was fed in."""

    account: str
    point: str
    bill_group: str
    tariff: str
    currency: str
    month: str
    begin: str
    end: str
    state: str
    why: str
    kwh: Decimal
    net: Decimal
    tax: Decimal
    total: Decimal


def texas_bills(seed: int, points: Iterable[Point], sets: Iterable[TexasSet]) -> Iterator[BillRow]:
    """The bills of Texas: a month for each read period."""
    current: defaultdict[tuple[str, int], list[TexasSet]] = defaultdict(list)
    for one in sets:
        if one.outcome is Outcome.CURRENT:
            current[one.point.name, one.month].append(one)
    for point in points:
        before = True
        for month in range(len(MONTHS)):
            found = current[point.name, month]
            usage = next((one for one in found if isinstance(one, UsageSet)), None)
            charges = next((one for one in found if isinstance(one, ChargesSet)), None)
            fault = point.fault if point.known == 2 or month == point.faulty_month else None
            if usage is None or charges is None or (fault is not None and fault.ends is not Ends.BILLABLE):
                why = fault.ends.value if fault is not None else ""
                yield bill_row(point, month, UNBILLED, why, "", "", 0, 0, 0)
                before = False
                continue
            lines = [*energy_cents(seed, product_of(point), usage), *(cents for *_, cents in charges.charges)]
            net = sum(lines)
            tax = sum(texas_taxes(places_of(seed, point), point.klass, net))
            state = BILLED if before else GAP
            yield bill_row(point, month, state, "", f"{usage.begin}", f"{usage.end}", usage.quantity, net, tax)


def bill_row(
    point: Point, month: int, state: str, why: str, begin: str, end: str, quantity: int, net: int, tax: int
) -> BillRow:
    """A row. `quantity`: thousandths of a kWh; `net`, `tax`: cents."""
    product = product_of(point)
    money = [Decimal(cents).scaleb(-2) for cents in (net, tax, net + tax)]
    return BillRow(
        point.account, point.name, group_of(point), product.code, product.currency, f"{MONTHS[month]:%Y-%m}",
        begin, end, state, why, decimal(quantity), *money,
    )  # fmt: skip


def energy_cents(seed: int, product: Product, usage: UsageSet) -> list[int]:
    """Cents of each line for energy and fixed charges of a period."""
    days = (usage.end - usage.begin).days
    if product.series:
        lines = [half_up(Fraction(_at_hub_prices(seed, product, usage.quarters), 1_000_000))]
    elif product.windows:
        rows = {code: kwh for meter in usage.meters for code, kwh, *_ in meter.rows}
        lines = [_cents(rows[one.register] * one.price) for one in product.windows]
    else:
        lines = [_cents(kwh * price) for kwh, price in _in_steps(product, usage.kwh)]
    least = max(0, product.least - sum(lines))
    return [*lines, product.month, _cents(days * product.day), least]


def _at_hub_prices(seed: int, product: Product, quarters: Iterable[Quarter]) -> int:
    """Thousandths of a kWh times cents a MWh, each quarter hour at its own price."""
    return sum(
        one.thousandths * (price(seed, one.end.astimezone(UTC) - timedelta(minutes=MINUTES)) + product.adder)
        for one in quarters
    )


def _in_steps(product: Product, kwh: int) -> Iterator[tuple[int, int]]:
    below = 0
    for step in product.steps:
        top = kwh if step.up_to is None else min(kwh, step.up_to)
        yield max(0, top - below), step.price
        below = max(below, top)


def texas_taxes(places: Sequence[str], klass: str, net: int) -> list[int]:
    """Cents of each tax on so many cents."""
    found: list[int] = []
    for tax in TEXAS_TAXES:
        if tax.place not in places or tax.of_class not in {"", klass}:
            continue
        base = net + (sum(found) if tax.on_taxes else 0)
        rate = tax.rate / (1 - tax.rate) if tax.on_receipts else tax.rate
        found.append(half_up(base * rate))
    return found


def _cents(ten_thousandths: int) -> int:
    return half_up(Fraction(ten_thousandths, 100))


def half_up(cents: Fraction) -> int:
    """The nearest whole number; of a half the one further from zero."""
    sign = -1 if cents < 0 else 1
    return sign * ((2 * abs(cents.numerator) + cents.denominator) // (2 * cents.denominator))
