"""What a rule is given, and what it gives back; and how numbers are written in findings."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from billing_assets.metering.validation.facts import PeriodFacts, in_kilo
from billing_assets.metering.validation.parameters import Parameters, Severity
from billing_assets.metering.validation.registers import ReadError, Use, between, rounded, unscaled


class Seen(NamedTuple):
    """What a rule saw: the value, its limit, and a sentence for a clerk. `day`: the local day; None: the whole period.
    `severity`: where it is not the rule's own."""

    observed: str
    limit: str
    sentence: str
    day: date | None = None
    severity: Severity | None = None


class Case(NamedTuple):
    """The facts of a period, the parameters of its day, and what both give: what each register counted (None: its reads
    are no numbers), and the energy of the period, exactly (None: there is none)."""

    facts: PeriodFacts
    parameters: Parameters
    uses: tuple[Use | None, ...]
    use: Fraction | None


def case_of(facts: PeriodFacts, parameters: Parameters) -> Case:
    """The case of a period."""
    uses = tuple(_use(facts, parameters, place) for place in range(len(facts.registers)))
    if facts.intervals is not None:
        use: Fraction | None = facts.intervals.exact(facts.intervals.totals[0]) * Fraction(facts.interval_multiplier)
    elif facts.quantity is not None:
        use = Fraction(facts.quantity)
    else:
        use = registered(uses)
    return Case(facts, parameters, uses, use)


def registered(uses: tuple[Use | None, ...]) -> Fraction | None:
    """The energy that all registers counted, one after the other; None: there are none, or a read is no number."""
    if not uses or None in uses:
        return None
    return sum((Fraction(one.energy) for one in uses if one is not None), Fraction(0))


def _use(facts: PeriodFacts, parameters: Parameters, place: int) -> Use | None:
    register = facts.registers[place]
    device = next((one for one in facts.devices if one.serial == register.serial), None)
    known = (register.multiplier, device.multiplier if device else None, Decimal(1))
    try:
        return between(
            register.begin_read,
            register.end_read,
            days=(register.end - register.begin).days,
            use_per_day=Fraction(parameters.of("ROLLOVER")["use_per_day"]) / in_kilo(facts.stream.unit),
            multiplier=next(one for one in known if one is not None),
            device_digits=device.digits if device else None,
        )
    except ReadError:
        return None


def say(value: Fraction | Decimal | int, places: int | None = None) -> str:
    """A number for people, without zeros at its end: rounded to so many places; None: exactly, or to three places
    where its digits have no end."""
    exact = Fraction(value)
    if places is None:
        places = _decimals(exact.denominator)
    return f"{unscaled(rounded(exact * 10**places), places):f}"


def _decimals(denominator: int) -> int:
    twos = fives = 0
    while denominator % 2 == 0:
        denominator, twos = denominator // 2, twos + 1
    while denominator % 5 == 0:
        denominator, fives = denominator // 5, fives + 1
    return max(twos, fives) if denominator == 1 else 3


def interval_text(value: int, decimals: int) -> str:
    """The value of an interval, without zeros at its end: an estimate beside it with more decimals changes no text."""
    return f"{unscaled(value, decimals):f}"
