"""Reads a rating case (docs/tariff-format.md) strictly: tariff, usage, period and context in one file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from billing_assets.invoicing.rating.context import EarlierDemand, Exemption, LossFactors, RatingContext, Series
from billing_assets.invoicing.rating.scaled import scaled
from billing_assets.invoicing.rating.strict_json import (
    Fields,
    FormatError,
    count,
    day,
    instant,
    list_of,
    name,
    number,
    one_of,
    positive,
    text,
)
from billing_assets.invoicing.rating.tariff import Tariff
from billing_assets.invoicing.rating.tariff_json import read_tariff
from billing_assets.invoicing.rating.usage import (
    QUALITIES,
    DemandRead,
    Document,
    DocumentCharge,
    Event,
    Intervals,
    Manual,
    Period,
    Register,
    Usage,
)

ENERGY_PLACES = 6
PRICE_PLACES = 5


@dataclass(frozen=True, slots=True)
class Case:
    """All that one bill is rated from."""

    tariff: Tariff
    usage: Usage
    period: Period
    context: RatingContext


class Span(NamedTuple):
    """Two days, half-open."""

    begins: date
    ends: date


def read_case(value: Any) -> Case:
    """The case that a JSON value is; its tariff is in our format. Raises FormatError with the path of what is wrong."""
    fields = Fields(value, "")
    tariff = fields.must("tariff", read_tariff)
    rest = read_usage_period_context(fields)
    fields.done()
    return Case(tariff, *rest)


def read_usage_period_context(fields: Fields) -> tuple[Usage, Period, RatingContext]:
    """What of a case is not the tariff."""
    usage = fields.otherwise("usage", read_usage, Usage())
    return usage, fields.must("period", _period), fields.otherwise("context", read_context, RatingContext())


def read_usage(value: Any, path: str = "usage") -> Usage:
    """Usage, in the order of the file."""
    fields = Fields(value, path)
    found = Usage(
        registers=fields.several("registers", _register),
        intervals=fields.several("intervals", lambda one, where: _intervals(one, where, "kWh")),
        demand=fields.several("demand", _demand_read),
        reactive=fields.several("reactive", lambda one, where: _intervals(one, where, "kvarh")),
        documents=fields.several("documents", _document),
        events=fields.several("events", _event),
        manual=fields.several("manual", _manual),
    )
    fields.done()
    keys = [(one.utility, one.number, one.purpose) for one in found.documents]
    for place, key in enumerate(keys):
        if key in keys[:place]:
            raise FormatError(f"{path}.documents[{place}].number", key[1], "this document is there twice.")
    return found


def _span(fields: Fields) -> Span:
    begins, ends = fields.must("from", day), fields.must("to", day)
    if ends <= begins:
        fields.refuse("to", "a day after `from` is expected here: it is the first that no longer belongs.")
    return Span(begins, ends)


def _open_span(fields: Fields) -> tuple[date, date | None]:
    begins, ends = fields.otherwise("from", day, date.min), fields.get("to", day)
    if ends is not None and ends <= begins:
        fields.refuse("to", "a day after `from` is expected here: it is the first that no longer belongs.")
    return begins, ends


def _period(value: Any, path: str) -> Period:
    fields = Fields(value, path)
    found = Period(*_span(fields))
    fields.done()
    return found


def _register(value: Any, path: str) -> Register:
    fields = Fields(value, path)
    found = Register(
        fields.otherwise("service_point", text, ""),
        fields.otherwise("meter", text, ""),
        fields.otherwise("register", text, ""),
        fields.otherwise("channel", name, "general"),
        fields.must("quantity", number),
        fields.otherwise("unit", name, "kWh"),
        *_span(fields),
        fields.otherwise("quality", one_of(QUALITIES), "A"),
    )
    fields.done()
    return found


def _intervals(value: Any, path: str, unit: str) -> Intervals:
    fields = Fields(value, path)
    values = scaled(fields.must("values", _numbers), ENERGY_PLACES)
    if not len(values):
        fields.refuse("values", "at least one value is expected here.")
    found = Intervals(
        fields.otherwise("service_point", text, ""),
        fields.otherwise("channel", name, "general"),
        fields.otherwise("unit", name, unit),
        fields.must("start", instant),
        fields.must("minutes", count),
        values,
        fields.get("quality", lambda one, where: _estimated(one, where, len(values))),
    )
    fields.done()
    return found


def _numbers(value: Any, path: str) -> Sequence[Decimal | None]:
    if not isinstance(value, list):
        raise FormatError(path, value, "a list is expected here.")
    return [None if one is None else number(one, f"{path}[{place}]") for place, one in enumerate(value)]


def _estimated(value: Any, path: str, length: int) -> NDArray[np.bool_]:
    """Which intervals are not actual: from one letter, or a list of [count, letter]."""
    if isinstance(value, str):
        return np.full(length, one_of(QUALITIES)(value, path) != "A")
    found = []
    for place, run in enumerate(list_of(lambda one, _: one)(value, path)):
        where = f"{path}[{place}]"
        if not isinstance(run, list) or len(run) != 2:
            raise FormatError(where, run, "a list of a count and a letter is expected here.")
        found += [one_of(QUALITIES)(run[1], where) != "A"] * count(run[0], where)
        if len(found) > length:
            break
    if len(found) != length:
        raise FormatError(path, value, f"qualities of {length} intervals are expected here.")
    return np.array(found, bool)


def _demand_read(value: Any, path: str) -> DemandRead:
    fields = Fields(value, path)
    found = DemandRead(
        fields.otherwise("service_point", text, ""),
        fields.otherwise("channel", name, "general"),
        fields.must("quantity", number),
        fields.otherwise("unit", name, "kW"),
        *_span(fields),
        fields.get("window", text),
    )
    fields.done()
    return found


def _document(value: Any, path: str) -> Document:
    fields = Fields(value, path)
    found = Document(
        fields.otherwise("utility", text, ""),
        fields.otherwise("number", text, ""),
        fields.otherwise("purpose", text, "00"),
        *_span(fields),
        fields.must("total", number),
        fields.must("charges", list_of(_document_charge)),
    )
    fields.done()
    return found


def _document_charge(value: Any, path: str) -> DocumentCharge:
    fields = Fields(value, path)
    found = DocumentCharge(fields.must("code", name), fields.must("amount", number), fields.get("text", text))
    fields.done()
    return found


def _event(value: Any, path: str) -> Event:
    fields = Fields(value, path)
    found = Event(
        fields.must("charge", name),
        fields.must("date", day),
        fields.otherwise("quantity", number, Decimal(1)),
        fields.get("base", number),
    )
    fields.done()
    return found


def _manual(value: Any, path: str) -> Manual:
    fields = Fields(value, path)
    charge = fields.must("charge", name)
    found = Manual(
        charge,
        fields.otherwise("bill_text", text, charge),
        fields.otherwise("quantity", number, Decimal(1)),
        fields.otherwise("unit", text, ""),
        fields.must("price", number),
        fields.get("tax_category", name),
        *_span(fields),
    )
    fields.done()
    return found


def read_context(value: Any, path: str = "context") -> RatingContext:
    """The context; every field may be missing."""
    fields = Fields(value, path)
    found = RatingContext(
        time_zone=fields.otherwise("time_zone", _zone, "UTC"),
        holidays=tuple(sorted(set(fields.several("holidays", day)))),
        customer_class=fields.get("customer_class", text),
        tax_codes=fields.several("tax_codes", name),
        exemptions=fields.several("exemptions", _exemption),
        cycles=fields.otherwise("cycle", _cycles, ()),
        price_series=fields.otherwise("price_series", lambda one, where: _series(one, where, "prices"), {}),
        profiles=fields.otherwise("profiles", lambda one, where: _series(one, where, "weights"), {}),
        loss_factors=fields.otherwise("loss_factors", _one_or_more(_loss), ()),
        demand_history=fields.several("demand_history", _earlier),
        earlier_totals=fields.several("earlier_totals", number),
        implausible_factor=fields.otherwise("implausible_factor", positive, Decimal(5)),
        as_of=fields.get("as_of", day),
        due_date=fields.get("due_date", day),
    )
    fields.done()
    return found


def _one_or_more(read: Any) -> Any:
    return lambda one, path: list_of(read)(one, path) if isinstance(one, list) else (read(one, path),)


def _zone(value: Any, path: str) -> str:
    found = name(value, path)
    try:
        ZoneInfo(found)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise FormatError(path, value, "a time zone such as Australia/Sydney is expected here.") from None
    return found


def _cycles(value: Any, path: str) -> tuple[Period, ...]:
    found: tuple[Period, ...] = _one_or_more(_period)(value, path)
    return tuple(sorted(found, key=lambda one: one.begins))


def _exemption(value: Any, path: str) -> Exemption:
    fields = Fields(value, path)
    percent = fields.must("percent", number)
    if not 0 <= percent <= 100:
        fields.refuse("percent", "a percentage from 0 to 100 is expected here.")
    found = Exemption(fields.must("tax", name), percent, fields.otherwise("certificate", text, ""), *_open_span(fields))
    fields.done()
    return found


def _series(value: Any, path: str, what: str) -> dict[str, Series]:
    found = {}
    for one in Fields(value, path).raw_names():
        fields = Fields(value[one], f"{path}.{one}")
        values = scaled(fields.must(what, _numbers), PRICE_PLACES)
        version = fields.otherwise("version", text, "1")
        found[one] = Series(version, fields.must("start", instant), fields.otherwise("minutes", count, 15), values)
        fields.done()
    return found


def _loss(value: Any, path: str) -> LossFactors:
    fields = Fields(value, path)
    found = LossFactors(
        fields.otherwise("service_point", text, ""),
        *_open_span(fields),
        fields.otherwise("dlf", positive, Decimal(1)),
        fields.otherwise("mlf", positive, Decimal(1)),
    )
    fields.done()
    return found


def _earlier(value: Any, path: str) -> EarlierDemand:
    fields = Fields(value, path)
    found = EarlierDemand(
        fields.otherwise("service_point", text, ""),
        fields.must("charge", name),
        *_span(fields),
        fields.must("measured", number),
    )
    fields.done()
    return found
