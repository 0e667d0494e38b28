"""Every kWh of a month on exactly one live invoice or in one explained place, in numbers."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.periods import first_day, following, month_of, previous
from billing_assets.invoicing.control import kwh_reports
from billing_assets.invoicing.control.kwh_reports import Place, Wrong

PLACES = {
    "invoiced": "on a live invoice, draft or issued",
    "in_batch": "in a batch; why: where the batch is",
    "waiting": "waiting, or ready for the next request; why: a code of usage, of a failed member, or READY",
    "taken_out": "taken out of its batch; why: who, and their reason",
    "correction": "replaces usage that is billed; why: how far the correction is",
    "cancelled": "its invoice was cancelled and it is not billed again; why: the reason of the cancel",
    "billed_elsewhere": "left out by agreement; why: the issuer that bills it",
    "changed_since": "the difference by which validated intervals changed after they were billed",
    "unexplained": "in no place: a fault",
}
"""The places where usage may be, in the order of a report."""


@dataclass(frozen=True, slots=True)
class MonthOfUsage:
    """Usage whose periods begin in a month. `superseded`: on live invoices although a newer version came, not in the
    sum. `is_right`: each row is in one explained place, and the places add up to what was metered."""

    month: date
    metered: Decimal
    rows: int
    places: tuple[Place, ...]
    superseded: tuple[int, Decimal]

    @property
    def placed(self) -> Decimal:
        """kWh in all places together."""
        return sum((one.kwh for one in self.places), Decimal(0))

    def kwh(self, place: str) -> Decimal:
        """kWh in a place."""
        return sum((one.kwh for one in self.places if one.place == place), Decimal(0))

    def many(self, place: str) -> int:
        """Rows of usage in a place."""
        return sum(one.rows for one in self.places if one.place == place)


@dataclass(frozen=True, slots=True)
class EveryKwh:
    """Months with what is wrong in them."""

    months: tuple[MonthOfUsage, ...]
    wrong: tuple[Wrong, ...]

    @property
    def is_explained(self) -> bool:
        """Whether every row is in exactly one explained place, and the sums agree."""
        return not self.wrong and all(one.placed == one.metered for one in self.months)


def every_kwh(connection: Connection, first: date, until: date) -> EveryKwh:
    """Explains the usage whose periods begin from `first` until before `until`, both the first of a month."""
    found = kwh_reports.places(connection, first, until)
    metered = kwh_reports.metered(connection, first, until)
    superseded = kwh_reports.superseded(connection, first, until)
    months = []
    for month in sorted({one.month for one in found} | set(metered) | set(superseded)):
        of_month = tuple(one for one in found if one.month == month)
        months.append(
            MonthOfUsage(
                month,
                metered.get(month, Decimal(0)),
                sum(one.rows for one in of_month),
                of_month,
                superseded.get(month, (0, Decimal(0))),
            )
        )
    return EveryKwh(tuple(months), tuple(kwh_reports.wrong(connection, first, until)))


def months_until(day: date, many: int) -> tuple[date, date]:
    """The first day of so many months, the last of which is a day's, and the first day after them."""
    month = last = month_of(day)
    for _ in range(many - 1):
        month = previous(month)
    return first_day(month), first_day(following(last))
