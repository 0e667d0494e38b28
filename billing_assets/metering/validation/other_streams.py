"""What other streams of a point say about one of them: which days they lack, what the registers by time of use add up
to, and the highest demand. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from billing_assets.metering.validation.assembling import MasterData, counts_in, register_days
from billing_assets.metering.validation.facts import Quality, SiblingFacts, in_kilo
from billing_assets.metering.validation.rows import RegisterRow, StreamRow

_DAY = timedelta(days=1)


def days_without(qualities: Any, starts: Sequence[int], days: Iterable[date]) -> frozenset[date]:
    """The days of a row that have no value that counts."""
    parts = zip(days, pairwise(starts), strict=False)
    return frozenset(day for day, (first, after) in parts if not bool((qualities[first:after] > Quality.NULL).any()))


def siblings(
    one: StreamRow,
    master: MasterData,
    begin: date,
    end: date,
    there: Mapping[str, Collection[date]],
    with_reads: Collection[str],
) -> tuple[SiblingFacts, ...]:
    """The other streams of the point that master data names, and how many days of the period each lacks. `there`: days
    without data by suffix; a stream that is not in it has none at all. Of days without a service, and of those before
    a stream began or after it ended, nothing is expected."""
    served = _served(master, one.point, begin, end)
    found = []
    for suffix, billed in sorted(master.billed_suffixes(one.point, begin, end).items()):
        if suffix == one.suffix or (suffix not in there and suffix in with_reads):
            continue
        terms = master.terms.get((one.point, suffix), [])
        expected = [day for day in served if any(counts_in(row, day, day + _DAY) for row in terms)]
        lacking = there.get(suffix, expected)
        found.append(SiblingFacts(suffix, billed, sum(day in lacking for day in expected)))
    return tuple(found)


def _served(master: MasterData, point: str, begin: date, end: date) -> list[date]:
    closed = master.closed(point, begin, end)
    days = [begin + n * _DAY for n in range((end - begin).days)]
    return [day for day in days if not any(first <= day and (last is None or day < last) for first, last in closed)]


def parts_of(
    suffix: str,
    unit: str,
    begin: date,
    end: date,
    others: Iterable[tuple[StreamRow, RegisterRow, ZoneInfo]],
    names: set[str],
) -> tuple[Decimal, ...]:
    """The quantities of the registers by time of use (`names`: their suffixes) over just these days, in the unit of
    the total; none unless all of them are there."""
    found: dict[str, Decimal] = {}
    for stream, row, zone in others:
        if stream.suffix in names and stream.suffix != suffix and register_days(row, zone) == (begin, end):
            ratio = in_kilo(row.unit) / in_kilo(unit)
            quantity = row.quantity * ratio.numerator / ratio.denominator
            found[stream.suffix] = found.get(stream.suffix, Decimal(0)) + quantity
    return tuple(found[name] for name in sorted(found)) if names and found.keys() == names else ()


def demand_of(
    unit: str, begin: date, end: date, others: Iterable[tuple[StreamRow, RegisterRow, ZoneInfo]]
) -> Decimal | None:
    """The highest demand that a register of the point showed for just these days, in the unit of power that belongs to
    the energy's; None: there is none."""
    power = _bare(unit).removesuffix("H")
    if power == _bare(unit):
        return None
    found = []
    for _, row, zone in others:
        if _bare(row.unit) == power and register_days(row, zone) == (begin, end):
            ratio = in_kilo(row.unit) / in_kilo(unit)
            found.append(row.quantity * ratio.numerator / ratio.denominator)
    return max(found, default=None)


def _bare(unit: str) -> str:
    """A unit without its prefix, in capitals: KWH and MWh are WH."""
    large = unit.upper()
    return large[1:] if large[:1] in {"K", "M"} else large
