"""What an audit finds: a month's charges of a contract against its services and against the months before.

Plain data in, plain data out. `CODES` is the table in docs/reference.md (held equal by a test).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from statistics import median
from typing import NamedTuple

from billing_assets.foundation.money import decimals


class Code(NamedTuple):
    """A finding as people read about it."""

    meaning: str
    remedy: str


CODES: dict[str, Code] = {
    "SERVICE_MISSING": Code("A monthly service of the contract is not charged, though the contract has it the whole month.", "Charge it before the document is closed, or end the service."),
    "SERVICE_NOT_IN_CONTRACT": Code("A service is charged that the contract does not have.", "Remove the charge, or add the service to the contract."),
    "SERVICE_OUTSIDE_DATES": Code("A service is charged in a month in which the contract does not have it.", "Remove the charge, or correct the service's dates."),
    "ONE_TIME_AGAIN": Code("A service that is charged once was charged in a month before already.", "Remove the charge, unless it was ordered again."),
    "CONTRACT_UNKNOWN": Code("The contract has no services in the billing system.", "Enter the contract's services, or correct the contract's number on the document."),
    "CHARGE_STOPPED": Code("A service that was charged in each of the last three months is not charged any more.", "Find out whether it ended; if not, charge it."),
    "AMOUNT_UNUSUAL": Code("The amount of a service is far from what the contract expects, or from the median of the months before.", "Check quantity and price."),
    "NO_CONTRACT": Code("The document names no contract, so its charges cannot be compared.", "Name the contract in the billing system, if there is one."),
}  # fmt: skip
"""What may be found, what matters most first. None of it holds a document: that is for an auditor to decide."""

OF_THE_CONTRACT = frozenset({"SERVICE_MISSING", "CHARGE_STOPPED"})
"""Found by something that is not there, so no line shows it: they stand on one document of the contract, or on none."""

STEADY_MONTHS = 3
"""In so many months before, one after the other, a service was charged whose absence is a finding."""

LEAST_MONTHS = 3
"""A median of fewer months says nothing."""


@dataclass(frozen=True, slots=True)
class Month:
    """A billing month by its first and its last day."""

    first: date
    last: date


class Term(NamedTuple):
    """That a contract has a service, and when. None is no limit."""

    starts_on: date | None
    ends_on: date | None
    charged: str
    expected: Decimal | None

    def touches(self, month: Month) -> bool:
        """Whether the contract has the service on any day of the month."""
        return (self.starts_on is None or self.starts_on <= month.last) and (
            self.ends_on is None or self.ends_on >= month.first
        )


def cover(terms: Iterable[Term], month: Month) -> bool:
    """Whether the terms together have the service on every day of the month: at a new price one follows another."""
    missing = month.first
    for term in sorted(terms, key=lambda one: one.starts_on or date.min):
        if term.starts_on is not None and term.starts_on > missing:
            return False
        if term.ends_on is None or term.ends_on >= month.last:
            return True
        missing = max(missing, term.ends_on + timedelta(days=1))
    return False


class Charged(NamedTuple):
    """A service of a contract in one currency: what it charged in the month and in those before, oldest first.

    None is no charge at all; the sum of a charge and its credit may be zero. `known`: the contract has services at all.
    """

    service: str
    currency: str | None
    now: Decimal | None
    before: Sequence[Decimal | None]
    terms: Sequence[Term]
    known: bool


class Found(NamedTuple):
    """One finding and its sentence."""

    code: str
    service: str
    message: str


def judge(one: Charged, month: Month, percent: Decimal) -> Iterator[Found]:
    """Every finding about one service of a contract. `percent` is how far an amount may be from the usual one."""
    current = [term for term in one.terms if term.touches(month)]
    if one.now is None:
        yield from _not_charged(one, current, month)
        return
    if one.known and not one.terms:
        yield _found(
            "SERVICE_NOT_IN_CONTRACT", one, f"{_money(one, one.now)} in the month; the contract does not have it."
        )
    elif one.known and not current:
        message = f"{_money(one, one.now)} in the month; the contract has it {_dates(one.terms)}."
        yield _found("SERVICE_OUTSIDE_DATES", one, message)
    if current and all(term.charged == "one_time" for term in current):
        if earlier := sum(amount is not None for amount in one.before):
            message = f"{_money(one, one.now)} in the month; it is charged once, and was in {_months(earlier)} before."
            yield _found("ONE_TIME_AGAIN", one, message)
    else:
        yield from _unusual(one, one.now, current, percent)


def _not_charged(one: Charged, current: Sequence[Term], month: Month) -> Iterator[Found]:
    if cover((term for term in current if term.charged == "monthly"), month):
        expected = next((term.expected for term in current if term.expected is not None), None)
        usual = f" The contract expects {_money(one, expected)}." if expected is not None else ""
        yield _found("SERVICE_MISSING", one, f"Charged monthly, and not charged in this month.{usual}")
        return
    steady = one.before[-STEADY_MONTHS:]
    lasting = [amount for amount in steady if amount is not None]
    ended = bool(one.terms) and not current
    if len(lasting) == STEADY_MONTHS and not ended:
        message = f"Not charged; {_money(one, lasting[-1])} in the month before, and charged in each of the last three."
        yield _found("CHARGE_STOPPED", one, message)


def _unusual(one: Charged, now: Decimal, current: Sequence[Term], percent: Decimal) -> Iterator[Found]:
    expected = next((term.expected for term in current if term.expected is not None), None)
    amounts = [amount for amount in one.before if amount is not None]
    if expected is not None:
        usual, whose = expected, "the contract expects"
    elif len(amounts) >= LEAST_MONTHS:
        usual, whose = median(amounts), f"the median of {_months(len(amounts))} before is"
    else:
        return
    if abs(now - usual) * 100 > percent * abs(usual):
        change = f" ({(now - usual) * 100 / abs(usual):+,.1f} %)" if usual else ""
        message = f"{_money(one, now)} in the month; {whose} {_money(one, usual)}{change}."
        yield _found("AMOUNT_UNUSUAL", one, message)


def _found(code: str, one: Charged, message: str) -> Found:
    return Found(code, one.service, f"{one.service}: {message}")


def _money(one: Charged, amount: Decimal | None) -> str:
    exact = amount or Decimal(0)
    return f"{one.currency or ''} {exact:,.{max(2, decimals(exact))}f}".strip()


def _months(count: int) -> str:
    return "1 month" if count == 1 else f"{count} months"


def _dates(terms: Sequence[Term]) -> str:
    return ", ".join(
        " ".join(
            part
            for part in (
                f"from {term.starts_on}" if term.starts_on else "",
                f"until {term.ends_on}" if term.ends_on else "",
            )
            if part
        )
        for term in terms
    )
