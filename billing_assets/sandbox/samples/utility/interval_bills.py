"""The ledger of bills of Australia: customers with intervals month by month; of the others why there is no bill."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from fractions import Fraction

from billing_assets.sandbox.samples.utility.bills import BILLED, GAP, UNBILLED, BillRow, bill_row, half_up
from billing_assets.sandbox.samples.utility.ledger import MonthRow
from billing_assets.sandbox.samples.utility.points import Point
from billing_assets.sandbox.samples.utility.products import GST, Product, product_of
from billing_assets.sandbox.samples.utility.rates import AFTER, MONTHS, Ends
from billing_assets.sandbox.samples.utility.times_of_use import Kept, by_time

ELSEWHERE = "elsewhere"
SAP, REGISTERS = "SAP", "register reads"
"""Why there is no bill of ours: another system's customer; usage that our engine does not bill yet."""


def australian_bills(
    points: Iterable[Point], elsewhere: Collection[int], kept: Mapping[tuple[str, str], Kept], rows: Iterable[MonthRow]
) -> Iterator[BillRow]:
    """A row for each month of each point. `elsewhere`: numbers of the points that another system bills."""
    months: defaultdict[tuple[str, str], list[MonthRow]] = defaultdict(list)
    for row in rows:
        months[row.point, row.month].append(row)
    for point in points:
        before = True
        used = by_time(point, kept[point.name, "E1"]) if point.length else []
        fed_in = by_time(point, kept[point.name, "B1"]) if point.kind == "solar" else []
        for month, first in enumerate(MONTHS):
            streams = months[point.name, f"{first:%Y-%m}"]
            state = next((one.state for one in streams if one.state != Ends.BILLABLE), None)
            begin, end = streams[0].begin, streams[0].end
            if point.known < 2 and (point.number in elsewhere or not point.length):
                quantity = sum(int(one.kwh * 1_000) for one in streams if not one.suffix.startswith("B"))
                where, why = (ELSEWHERE, SAP) if point.number in elsewhere else (UNBILLED, state or REGISTERS)
                yield bill_row(point, month, where, why, begin, end, quantity, 0, 0)
            elif state is not None:
                yield bill_row(point, month, UNBILLED, state, begin, end, 0, 0, 0)
                before = False
            else:
                net, tax = _cents(product_of(point), used[month], sum(fed_in[month].values()) if fed_in else 0, month)
                place = BILLED if before else GAP
                yield bill_row(point, month, place, "", begin, end, sum(used[month].values()), net, tax)


def _cents(product: Product, used: Mapping[str, int], fed_in: int, month: int) -> tuple[int, int]:
    """Net and tax of a month. The tax is on energy and the daily charge, not on what is fed in."""
    prices = {one.name: one.price for one in product.windows}
    taxed = sum(half_up(Fraction(thousandths * prices[name], 100_000)) for name, thousandths in used.items())
    taxed += half_up(Fraction(_days(month) * product.day, 100))
    return taxed - half_up(Fraction(fed_in * product.fed_in, 100_000)), half_up(taxed * GST)


def _days(month: int) -> int:
    first, after = (*MONTHS, AFTER)[month : month + 2]
    return (after - first).days
