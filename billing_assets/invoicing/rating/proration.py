"""Shares of a period: what part of a monthly, quarterly or yearly amount the days of a bill cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from billing_assets.invoicing.rating.usage import Period

MONTHS = {"P1M": 1, "P3M": 3, "P6M": 6, "P1Y": 12}
NOMINAL_DAYS = {
    "P1D": Fraction(1),
    "P7D": Fraction(7),
    "P1M": Fraction(365, 12),
    "P3M": Fraction(365, 4),
    "P6M": Fraction(365, 2),
    "P1Y": Fraction(365),
}
UNITS = {"P1M": "month", "P3M": "quarter", "P6M": "half-year", "P1Y": "year"}
_LONGEST_CYCLE = {"P1M": 60, "P3M": 136, "P6M": 273, "P1Y": 10**6}  # half-way between their nominal days
_THIRTY = 30


@dataclass(frozen=True, slots=True)
class Share:
    """amount · times · quantity / base is what the days [begins, ends) cost."""

    begins: date
    ends: date
    quantity: int
    base: int
    times: int
    unit: str

    @property
    def part(self) -> Fraction:
        """The share as a number."""
        return Fraction(self.quantity * self.times, self.base)


def nominal_period(day: date, period: str, cycles: Sequence[Period]) -> Period:
    """The nominal period that contains the day: a cycle of about that length, else the calendar's."""
    shortest = max((one for one in (0, *_LONGEST_CYCLE.values()) if one < _LONGEST_CYCLE[period]), default=0)
    for one in cycles:
        if one.begins <= day < one.ends and shortest < one.days <= _LONGEST_CYCLE[period]:
            return one
    return calendar_period(day, MONTHS[period])


def calendar_period(day: date, months: int) -> Period:
    """The calendar's month, quarter, half-year or year of a day."""
    first = (day.month - 1) // months * months
    begins = date(day.year, first + 1, 1)
    after = first + months
    return Period(begins, date(day.year + after // 12, after % 12 + 1, 1))


def shares(method: str, period: str, days: Sequence[date], bill: Period, cycles: Sequence[Period]) -> list[Share]:
    """What the days cost of an amount a `period` (`P1M`…); `days` are some of the bill's, in order.

    `none` is the whole amount once a bill: a share only for days with the bill's last.
    """
    if not days:
        return []
    after = days[-1] + timedelta(days=1)
    if method == "none":
        return [Share(bill.begins, bill.ends, 1, 1, 1, UNITS[period])] if after == bill.ends else []
    if method == "annual_365":
        return [Share(days[0], after, len(days), 365, 12 // MONTHS[period], "day")]
    found = []
    by_calendar = method == "by_calendar_month"
    for nominal, inside in _by_nominal(days, period, () if by_calendar else cycles, by_calendar or method == "thirty"):
        if method == "thirty":
            used = max(0, (inside[0] - max(nominal.begins, bill.begins)).days)
            counted = max(0, min(len(inside), _THIRTY - used))
            base = _THIRTY * MONTHS[period]
        else:
            counted, base = len(inside), nominal.days * (MONTHS[period] if by_calendar else 1)
        if counted:
            found.append(Share(inside[0], inside[-1] + timedelta(days=1), counted, base, 1, "day"))
    return found


def _by_nominal(
    days: Sequence[date], period: str, cycles: Sequence[Period], by_month: bool
) -> list[tuple[Period, list[date]]]:
    found: list[tuple[Period, list[date]]] = []
    for day in days:
        if found and found[-1][0].begins <= day < found[-1][0].ends:
            found[-1][1].append(day)
        else:
            found.append((nominal_period(day, "P1M" if by_month else period, cycles), [day]))
    return found
