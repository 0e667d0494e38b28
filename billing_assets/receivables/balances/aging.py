"""Receivables by how long they are past due. Credit memos and unapplied payments stand apart: none hides a debt.

The balances are those that were read last; `as_of` only says from which day the age is counted.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple

from billing_assets.foundation.calendar.business_days import Days, Zones
from billing_assets.foundation.database.connection import Connection
from billing_assets.receivables.balances import store

FIRST_DAYS = (1, 31, 61, 91)
"""The first day past due of every bucket after `current`: 1 to 30, 31 to 60, 61 to 90, over 90."""

CUSTOMER, BRANCH, CURRENCY = ("customer", "branch", "currency"), ("branch", "currency"), ("currency",)
"""What aging can be grouped by."""


class Aged(NamedTuple):
    """What is open of one group. `customer` and `branch` are empty where they are not grouped by.

    The buckets hold invoices; `credit_memos` and `payments` are negative. All of them add up to `total`.
    """

    customer: str
    branch: str
    currency: str
    current: Decimal
    days_1_30: Decimal
    days_31_60: Decimal
    days_61_90: Decimal
    over_90: Decimal
    credit_memos: Decimal
    payments: Decimal
    total: Decimal
    items: int

    @property
    def overdue(self) -> Decimal:
        """What is past due, whatever credits stand against it."""
        return self.days_1_30 + self.days_31_60 + self.days_61_90 + self.over_90

    @property
    def parts(self) -> Decimal:
        """All buckets, credits and payments together."""
        return self.current + self.overdue + self.credit_memos + self.payments


AMOUNTS = Aged._fields[3:11]
"""The columns of money, in order."""


def age(connection: Connection, as_of: Days, by: Sequence[str] = CUSTOMER) -> Iterator[Aged]:
    """What is open per group on a business day of each branch, in the order of the groups, in bounded memory."""
    names = dict(zip((f"bucket_{n}" for n in range(len(FIRST_DAYS) + 1)), AMOUNTS[:5], strict=True))
    for row in store.aged(connection, as_of, by, FIRST_DAYS):
        values = {names.get(name, name): value for name, value in row.items()}
        yield Aged(**{"customer": "", "branch": ""} | values)


def largest(aged: Iterable[Aged], count: int) -> list[Aged]:
    """The groups with most past due, in bounded memory; none without anything past due."""
    return heapq.nlargest(count, (one for one in aged if one.overdue > 0), key=lambda one: one.overdue)


def faults(aged: Iterable[Aged], receivables: dict[str, Decimal]) -> list[str]:
    """Where buckets do not add up exactly to receivables, which are given per currency; none is how it must be."""
    found = []
    sums: dict[str, Decimal] = {}
    for one in aged:
        sums[one.currency] = sums.get(one.currency, Decimal(0)) + one.parts
        if one.parts != one.total:
            found.append(
                f"{one.customer} {one.branch} {one.currency}: the parts are {one.parts}, not {one.total}".strip()
            )
    for currency in sorted(sums.keys() | receivables.keys()):
        parts, total = sums.get(currency, Decimal(0)), receivables.get(currency, Decimal(0))
        if parts != total:
            found.append(f"{currency}: the buckets add up to {parts}, receivables are {total}")
    return found


def business_day(asked: str | None, read_at: datetime | None, zones: Zones) -> Days:
    """The day that was asked for, else of each branch the one on which balances were read. Raises ValueError for no
    date.
    """
    return Days(date.fromisoformat(asked)) if asked else zones.days(read_at or datetime.now(UTC))
