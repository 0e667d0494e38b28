"""Reads a tariff in our JSON (docs/tariff-format.md), strictly. Whether it holds together is asked by `checks`."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from billing_assets.invoicing.rating.price_json import block_rule, seasons_of
from billing_assets.invoicing.rating.strict_json import (
    Fields,
    FormatError,
    count,
    day,
    flag,
    list_of,
    name,
    not_negative,
    number,
    one_of,
    positive,
    text,
    whole,
)
from billing_assets.invoicing.rating.tariff import (
    AppliesTo,
    BlockRule,
    Charge,
    DemandTerms,
    DiscountTerms,
    EnergyTerms,
    FeeTerms,
    FixedTerms,
    GreenTerms,
    IndexTerms,
    Kind,
    ManualTerms,
    MinimumTerms,
    PassthroughCode,
    PassthroughTerms,
    Ratchet,
    Source,
    TableRow,
    TableTerms,
    Tariff,
    TaxTerms,
    Terms,
    Version,
)

GROUPS = ("energy", "delivery", "fixed", "demand", "generation", "passthrough", "fee", "tax", "credit")
PERIODS = ("P1M", "P3M", "P6M", "P1Y")
PRORATIONS = ("none", "by_days_of_period", "by_calendar_month", "thirty", "annual_365")
_GROUP_OF = {
    Kind.USAGE: "energy",
    Kind.TOU: "energy",
    Kind.INDEX: "energy",
    Kind.RATE_TABLE: "energy",
    Kind.GREEN: "energy",
    Kind.FIXED_DAILY: "fixed",
    Kind.FIXED_PERIOD: "fixed",
    Kind.MINIMUM: "fixed",
    Kind.FEED_IN: "credit",
    Kind.DISCOUNT: "credit",
    Kind.MANUAL: "fee",
}
_SEQUENCE_OF = {
    Kind.DEMAND: 200,
    Kind.INDEX: 300,
    Kind.PASSTHROUGH: 400,
    Kind.FEE: 450,
    Kind.MANUAL: 450,
    Kind.DISCOUNT: 700,
    Kind.MINIMUM: 600,
    Kind.FEED_IN: 800,
    Kind.TAX: 900,
}
_ZONE = re.compile(r"UTC([+-])([0-9]{1,2})(:([0-5][0-9]))?")
_ALWAYS = date(1, 1, 1)


def read_tariff(value: Any, path: str = "tariff") -> Tariff:
    """The tariff that a JSON value is. Raises FormatError with the path of what is wrong.

    Errors of content (overlap, gap, hole in a week) are not raised here: `checks.check_tariff` finds them.
    """
    fields = Fields(value, path)
    code = fields.must("code", name)
    includes_tax = fields.otherwise("prices_include_tax", flag, False)
    charges = fields.must("charges", list_of(lambda one, where: _charge(one, where, includes_tax)))
    codes = [one.code for one in charges]
    for place, one in enumerate(codes):
        if one in codes[:place]:
            raise FormatError(f"{path}.charges[{place}].code", one, "another charge has this code.")
    found = Tariff(
        id=fields.otherwise("id", name, code),
        code=code,
        name=fields.otherwise("name", text, code),
        currency=fields.must("currency", _currency),
        market=fields.get("market", text),
        commodity=fields.otherwise("commodity", one_of(("electricity", "gas", "water")), "electricity"),
        customer_class=fields.get("customer_class", text),
        prices_include_tax=includes_tax,
        charges=charges,
        content_hash=content_hash(value),
    )
    fields.done()
    return found


def content_hash(value: Any) -> str:
    """The SHA-256 of a tariff's JSON: names sorted, no spaces, so that the order of names does not count."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _currency(value: Any, path: str) -> str:
    if not isinstance(value, str) or not re.fullmatch("[A-Z]{3}", value):
        raise FormatError(path, value, "a currency of ISO 4217 such as AUD is expected here.")
    return value


def _charge(value: Any, path: str, includes_tax: bool) -> Charge:
    fields = Fields(value, path)
    kind = Kind(fields.must("kind", one_of([*Kind])))
    code = fields.must("code", name)
    versions = fields.must("versions", list_of(lambda one, where: _version(one, where, kind, includes_tax)))
    if not versions:
        fields.refuse("versions", "at least one is expected here.")
    terms = versions[0].terms
    early = isinstance(terms, DiscountTerms) and terms.method == "percent_of_use"
    found = Charge(
        code=code,
        kind=kind,
        bill_text=fields.otherwise("bill_text", text, code),
        group=fields.otherwise("group", one_of(GROUPS), _GROUP_OF.get(kind, kind.value)),
        tax_category=fields.get("tax_category", name),
        channels=fields.otherwise("channels", list_of(name), ("feed_in",) if kind is Kind.FEED_IN else ("general",)),
        registers=fields.get("registers", list_of(text)),
        unit=fields.otherwise("unit", name, "kW" if kind is Kind.DEMAND else "kWh"),
        applies_to=fields.get("applies_to", _applies_to),
        sequence=fields.otherwise("sequence", whole, 500 if early else _SEQUENCE_OF.get(kind, 100)),
        time_zone=fields.otherwise("time_zone", _time_zone, "local"),
        on_change=fields.otherwise("on_change", one_of(("split", "majority", "end_minus_one_day")), "split"),
        split_by=fields.get("split_by", name),
        split_evenly=fields.otherwise("straddle", one_of(("refuse", "split_evenly")), "refuse") == "split_evenly",
        gap_tolerance=fields.otherwise("gap_tolerance", whole, 0),
        proration=fields.otherwise("proration", one_of(PRORATIONS), "none"),
        per=fields.otherwise("per", one_of(("bill", "service_point", "meter")), "bill"),
        loss=fields.otherwise("loss", flag, False),
        allow_negative=fields.otherwise("allow_negative", flag, False),
        net=fields.otherwise("net", one_of(("none", "interval", "window", "period")), "none"),
        net_channel=fields.otherwise("net_channel", name, "feed_in"),
        rounds_down=fields.otherwise("rounding", one_of(("half_up", "down")), "half_up") == "down",
        conditional=fields.otherwise("conditional", flag, False),
        versions=_named(versions),
    )
    fields.done()
    return found


def _named(versions: tuple[Version, ...]) -> tuple[Version, ...]:
    """In the order of `valid_from`; those without an id are v1, v2, … in that order."""
    ordered = sorted(versions, key=lambda one: one.valid_from)
    return tuple(one if one.id else replace(one, id=f"v{number}") for number, one in enumerate(ordered, start=1))


def _time_zone(value: Any, path: str) -> str:
    found = _ZONE.fullmatch(value) if isinstance(value, str) else None
    if value != "local" and (found is None or int(found[2]) > 14):
        raise FormatError(path, value, "local, or a fixed offset such as UTC+10 is expected here.")
    return str(value)


def _applies_to(value: Any, path: str) -> AppliesTo:
    fields = Fields(value, path)
    found = AppliesTo(*(fields.several(one, name) for one in ("codes", "groups", "tax_categories", "taxes")))
    fields.done()
    return found


def _source(value: Any, path: str) -> Source:
    fields = Fields(value, path)
    found = Source(*(fields.get(one, text) for one in ("who", "document", "approved_by")))
    fields.done()
    return found


def _version(value: Any, path: str, kind: Kind, includes_tax: bool) -> Version:
    fields = Fields(value, path)
    found = Version(
        id=fields.otherwise("id", name, ""),
        valid_from=fields.otherwise("valid_from", day, _ALWAYS),
        valid_to=fields.get("valid_to", day),
        source=fields.get("source", _source),
        terms=_terms(fields, kind, includes_tax),
    )
    fields.done()
    return found


def _terms(fields: Fields, kind: Kind, includes_tax: bool) -> Terms:
    if kind is Kind.TAX:
        return _tax(fields, includes_tax)
    return _READERS[kind](fields)


def _fixed_daily(fields: Fields) -> FixedTerms:
    return FixedTerms(seasons_of(fields, windows=False, only_price=True), None)


def _fixed_period(fields: Fields) -> FixedTerms:
    seasons = seasons_of(fields, windows=False, only_price=True)
    return FixedTerms(seasons, fields.must("period", one_of(PERIODS)))


def _feed_in(fields: Fields) -> EnergyTerms | IndexTerms:
    return _index(fields) if fields.has("series") else _energy(fields, windows=None)


def _table(fields: Fields) -> TableTerms:
    lookups = ("end_minus_one_day", "prorate_days")
    by_days = fields.otherwise("lookup", one_of(lookups), lookups[0]) == lookups[1]
    adder = fields.otherwise("adder", number, Decimal(0))
    return TableTerms(fields.must("rows", list_of(_row)), adder, by_days)


def _minimum(fields: Fields) -> MinimumTerms:
    return MinimumTerms(fields.must("amount", not_negative), fields.otherwise("period", one_of(PERIODS), "P1M"))


def _fee(fields: Fields) -> FeeTerms:
    amount, percent = fields.get("amount", number), fields.get("percent", number)
    if (amount is None) == (percent is None):
        fields.refuse("amount", "a fee has either an amount or a percent.")
    return FeeTerms(amount, percent)


def _energy(fields: Fields, windows: bool | None) -> EnergyTerms:
    seasons = seasons_of(fields, windows)
    rule = fields.otherwise("block_rule", block_rule, BlockRule())
    return EnergyTerms(seasons, rule, fields.otherwise("credit_price", number, Decimal(0)))


def _index(fields: Fields) -> IndexTerms:
    return IndexTerms(
        series=fields.must("series", name),
        adder=fields.otherwise("adder", number, Decimal(0)),
        multiplier=fields.otherwise("multiplier", number, Decimal(1)),
        floor=fields.get("floor", number),
        cap=fields.get("cap", number),
        profile=fields.get("profile", name),
        credit_price=fields.otherwise("credit_price", number, Decimal(0)),
    )


def _demand(fields: Fields) -> DemandTerms:
    periods = one_of(("day", "month", "season", "bill"))
    measure = fields.otherwise("measure", one_of(("window_max", "daily_max_average", "top_n_average")), "window_max")
    fields.get("block_rule", block_rule)  # limits of demand are as they are: nothing of it changes them
    return DemandTerms(
        seasons=seasons_of(fields, windows=None),
        demand_window=fields.otherwise("demand_window", count, 30),
        measure=measure,
        n=fields.must("n", count) if measure == "top_n_average" else fields.otherwise("n", count, 1),
        measurement_period=fields.otherwise("measurement_period", periods, "bill"),
        charge_period=fields.otherwise("charge_period", periods, "bill"),
        floor=fields.otherwise("floor", not_negative, Decimal(0)),
        contract_minimum=fields.otherwise("contract_minimum", not_negative, Decimal(0)),
        ratchet=fields.get("ratchet", _ratchet),
        power_factor=fields.get("power_factor", positive),
    )


def _ratchet(value: Any, path: str) -> Ratchet:
    fields = Fields(value, path)
    found = Ratchet(fields.must("percent", not_negative), fields.must("periods", count))
    fields.done()
    return found


def _row(value: Any, path: str) -> TableRow:
    fields = Fields(value, path)
    found = TableRow(fields.must("from", day), fields.get("to", day), fields.must("price", number))
    fields.done()
    return found


def _code(value: Any, path: str) -> PassthroughCode:
    fields = Fields(value, path)
    code = fields.must("code", name)
    found = PassthroughCode(
        fields.otherwise("utility", text, ""),
        code,
        fields.otherwise("bill_text", text, code),
        fields.get("tax_category", name),
    )
    fields.done()
    return found


def _discount(fields: Fields) -> DiscountTerms:
    methods = ("percent_of_bill", "percent_of_use", "fixed", "percent_over_threshold")
    method = fields.must("method", one_of(methods))
    zero = Decimal(0)
    return DiscountTerms(
        method,
        percent=zero if method == "fixed" else fields.must("percent", not_negative),
        amount=fields.must("amount", not_negative) if method == "fixed" else zero,
        threshold=fields.must("threshold", not_negative) if method == "percent_over_threshold" else zero,
    )


def _green(fields: Fields) -> GreenTerms:
    if fields.get("method", one_of(("percent_of_use",))):
        return GreenTerms(None, fields.must("percent", number))
    return GreenTerms(fields.must("price", number), fields.otherwise("percent", number, Decimal(100)))


def _tax(fields: Fields, includes_tax: bool) -> TaxTerms:
    method = one_of(("on_top", "gross_up", "inside"))
    found = TaxTerms(
        fields.otherwise("method", method, "inside" if includes_tax else "on_top"),
        fields.must("rate", number),
        fields.get("jurisdiction", text),
        fields.get("place_codes", list_of(name)),
        fields.get("customer_classes", list_of(name)),
        fields.otherwise("date_rule", one_of(("end", "split")), "end") == "split",
    )
    if found.method == "gross_up" and found.rate >= 1:
        fields.refuse("rate", "a tax on receipts that include it is below 1.")
    if found.method == "inside" and found.rate <= -1:
        fields.refuse("rate", "a rate above -1 is expected here.")
    return found


_READERS: dict[Kind, Callable[[Fields], Terms]] = {
    Kind.FIXED_DAILY: _fixed_daily,
    Kind.FIXED_PERIOD: _fixed_period,
    Kind.USAGE: lambda fields: _energy(fields, windows=False),
    Kind.TOU: lambda fields: _energy(fields, windows=True),
    Kind.FEED_IN: _feed_in,
    Kind.INDEX: _index,
    Kind.DEMAND: _demand,
    Kind.RATE_TABLE: _table,
    Kind.PASSTHROUGH: lambda fields: PassthroughTerms(fields.must("codes", list_of(_code))),
    Kind.MINIMUM: _minimum,
    Kind.DISCOUNT: _discount,
    Kind.FEE: _fee,
    Kind.GREEN: _green,
    Kind.MANUAL: lambda fields: ManualTerms(),
}
"""How the price parts of each kind are read; a tax also asks whether prices include tax."""
