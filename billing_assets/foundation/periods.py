"""Billing months (`YYYY-MM`), which of them are closed, and the month in which a late document is posted."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

LateDocuments = Literal["hold", "next_period"]


def month_of(day: date) -> str:
    """The billing month of a date."""
    return f"{day.year:04d}-{day.month:02d}"  # %Y leaves zeros out before 1000


def first_day(period: str) -> date:
    """The first day of a month."""
    return date.fromisoformat(f"{period}-01")


def previous(period: str) -> str:
    """The month before."""
    return month_of(first_day(period) - timedelta(days=1))


def following(period: str) -> str:
    """The month after."""
    first = first_day(period)
    return month_of(date(first.year + first.month // 12, first.month % 12 + 1, 1))


@dataclass(frozen=True)
class ClosedMonths:
    """Months closed soft, one by one, and the last one that is closed hard: with it all before it are.

    `late`: whether a document of a month that is closed hard is held, or posted in the next month that is open.
    """

    soft: frozenset[str] = field(default_factory=frozenset)
    hard_through: str | None = None
    late: LateDocuments = "hold"

    def is_hard(self, period: str) -> bool:
        """Whether the month is closed for good."""
        return self.hard_through is not None and period <= self.hard_through

    def closed(self, period: str) -> bool:
        """Whether nothing new may be posted in the month."""
        return period in self.soft or self.is_hard(period)

    def posting_date(self, document_date: date) -> date | None:
        """The day under which a late document is posted: the first of the next open month. None: under its own date."""
        period = month_of(document_date)
        if self.late != "next_period" or not self.is_hard(period):
            return None
        while self.closed(period):
            period = following(period)
        return first_day(period)
