"""What an alert is, as plain data: one alert per cause, a cause being what a person would call one problem.

The `cause` is the key under which repeats are held back, so it names the problem and not the document, the batch or the
run: NetSuite being unavailable is one cause however many batches meet it. No customer data and no secrets in any text.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

Money = tuple[tuple[str, Decimal], ...]
"""Sums by currency, credit memos negative: (("GBP", Decimal("12.50")), …), sorted by currency."""

_SHOWN = 5


class Severity(StrEnum):
    WARNING = "warning"  # somebody should look today
    CRITICAL = "critical"  # billing stands still or is wrong


@dataclass(frozen=True, slots=True)
class Alert:
    """One problem to tell people about.

    `documents` counts the documents that it concerns (0: not known or none), `money` is their signed total by currency,
    `link` the page of the web UI to begin with ("" if there is none).
    """

    cause: str
    title: str
    what_happened: str
    documents: int
    money: Money
    what_to_do: str
    link: str
    severity: Severity


def sum_money(pairs: Iterable[tuple[str, Decimal]]) -> Money:
    """Sums by currency of any number of (currency, amount)."""
    sums: dict[str, Decimal] = {}
    for currency, amount in pairs:
        sums[currency] = sums.get(currency, Decimal(0)) + amount
    return tuple(sorted(sums.items()))


def page(ui_url: str, path: str) -> str:
    """A page of the web UI."""
    return f"{ui_url.rstrip('/')}/{path}"


def some(keys: Iterable[str]) -> str:
    """`a, b, c and 4 more`."""
    names = sorted(keys)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: `1 batch`, `1,000 documents`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def clock(when: datetime) -> str:
    """A time as people read it."""
    return f"{when:%Y-%m-%d %H:%M} UTC"
