"""The parameters of the rules: defaults of the table, and what was set for a class or a stream from a day on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from billing_assets.foundation.errors import BillingError

ON = "on"
"""Of every rule: 0 switches it off, as for customers of irregular use."""

SEVERITY = "severity"
"""Of every rule: another severity than the table's; 0 info, 1 issue, 2 stop."""


class Severity(StrEnum):
    """What a finding does: `info` keeps the data, `issue` holds the period, `stop` also ends the list of rules."""

    INFO = "info"
    ISSUE = "issue"
    STOP = "stop"


SEVERITIES = (Severity.INFO, Severity.ISSUE, Severity.STOP)


class ParameterError(BillingError, ValueError):
    """A parameter that no rule has, or a value that it cannot have."""


class Setting(NamedTuple):
    """A parameter from a day on. Empty `customer_class`, `point` and `suffix` mean all; a point's goes before a
    class's."""

    rule: str
    name: str
    value: Decimal
    valid_from: date
    customer_class: str = ""
    point: str = ""
    suffix: str = ""

    def rank(self) -> tuple[bool, bool, bool, date]:
        """What is nearer to a stream is greater; of the same the later."""
        return bool(self.point), bool(self.customer_class), bool(self.suffix), self.valid_from

    def applies(self, customer_class: str, point: str, suffix: str, day: date) -> bool:
        """Whether it holds for a stream on a day."""
        return (
            self.valid_from <= day
            and self.customer_class in ("", customer_class)
            and self.point in ("", point)
            and self.suffix in ("", suffix)
        )


@dataclass(frozen=True, eq=False)
class Parameters:
    """The parameters of all rules for one stream and day, by rule and name."""

    values: Mapping[str, Mapping[str, Decimal]]

    def of(self, rule: str) -> Mapping[str, Decimal]:
        """A rule's parameters by their names."""
        return self.values[rule]

    def is_on(self, rule: str) -> bool:
        """Whether a rule is looked at."""
        return self.values[rule].get(ON) != 0

    def severity(self, rule: str, default: Severity) -> Severity:
        """The severity of a rule's findings."""
        set_to = self.values[rule].get(SEVERITY)
        return default if set_to is None else SEVERITIES[int(set_to)]


class ParameterTable:
    """Defaults with what was set over them. Streams that have the same settings are given the same `Parameters`.

    Raises ParameterError for a setting that no rule has.
    """

    def __init__(self, defaults: Mapping[str, Mapping[str, Decimal]], settings: Iterable[Setting] = ()) -> None:
        self._defaults = defaults
        self._settings = sorted(settings, key=Setting.rank)
        for one in self._settings:
            check(defaults, one.rule, one.name, one.value)
        self._general = [place for place, one in enumerate(self._settings) if not one.point]
        self._of_point: dict[str, list[int]] = {}
        for place, one in enumerate(self._settings):
            if one.point:
                self._of_point.setdefault(one.point, []).append(place)
        self._known: dict[tuple[int, ...], Parameters] = {}

    def resolve(self, customer_class: str, point: str, suffix: str, day: date) -> Parameters:
        """The parameters of a stream on a day."""
        chosen = tuple(
            place
            for place in (*self._general, *self._of_point.get(point, ()))  # those of a point come last: they are nearer
            if self._settings[place].applies(customer_class, point, suffix, day)
        )
        if chosen not in self._known:
            values = {rule: dict(its) for rule, its in self._defaults.items()}
            for place in chosen:
                one = self._settings[place]
                values[one.rule][one.name] = one.value
            self._known[chosen] = Parameters({rule: MappingProxyType(its) for rule, its in values.items()})
        return self._known[chosen]


def check(defaults: Mapping[str, Mapping[str, Decimal]], rule: str, name: str, value: Decimal) -> None:
    """Raises ParameterError where the rule has no such parameter, or it cannot have the value."""
    if rule not in defaults:
        raise ParameterError(f"There is no rule {rule}: use one of {', '.join(sorted(defaults))}.")
    names = (*defaults[rule], ON, SEVERITY)
    if name not in names:
        raise ParameterError(f"{rule} has no parameter {name}: use one of {', '.join(names)}.")
    if not value.is_finite() or value < 0:
        raise ParameterError(f"{rule}.{name} = {value}: use a number that is not below zero.")
    if name == ON and value not in (0, 1):
        raise ParameterError(f"{rule}.{name} = {value}: use 1 for on or 0 for off.")
    if name == SEVERITY and value not in (0, 1, 2):
        raise ParameterError(f"{rule}.{name} = {value}: use 0 for info, 1 for issue or 2 for stop.")


def number(text: str) -> Decimal:
    """A parameter's value as it was written. Raises ParameterError."""
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        raise ParameterError(f"“{text}” is not a number.") from None
