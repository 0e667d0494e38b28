"""CDR: an Australian energy plan (detail v2 or v3 of the Consumer Data Right) in our JSON.

What the standard says: prices exclude GST (a quota plan's `generalUnitPrice` includes it), the end of a window is its
last minute, seasons may wrap and `07-01` to `06-30` is a whole year, public holidays are days of their own, and several
feed-in tariffs are alternatives, not a sum. Readings of ours: a `volume` is how much one rate is for; `minDemand` is a
floor; fees are charged by events, and only a membership fee recurs.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing_assets.foundation.money import canonical
from billing_assets.invoicing.rating.importers.cdr_extras import discounts, fees, green_power, metering_charges
from billing_assets.invoicing.rating.importers.cdr_feed_in import feed_in
from billing_assets.invoicing.rating.importers.cdr_parts import (
    DEMAND_UNITS,
    WEEK,
    Part,
    Stepped,
    block_rule,
    dates,
    one_unit,
    plan_dates,
    stepped,
    time_window,
    with_holidays,
    zone,
)
from billing_assets.invoicing.rating.importers.foreign import Imported, Node, TextOnly, distinct, plain, slug

_CLASSES = {"RESIDENTIAL": "residential", "BUSINESS": "business"}
_PERIODS = {"DAY": "day", "MONTH": "month", "TARIFF_PERIOD": "season"}
_GST = "0.10"
_WITH_GST = Decimal("1.1")


def from_cdr(plan: Mapping[str, Any], *, scheme: str | None = None, green: str | None = None) -> Imported:
    """The tariff of a plan: of the response as it was downloaded, or of its `data`.

    `scheme` chooses among several feed-in tariffs, by its scheme, payer or name; `green` the share of green power, in
    percent, that the customer takes. Raises ImportRefusedError.
    """
    node = Node(plan)
    node = node.get("data") if node.get("data") else node
    fuel = node.get("fuelType").one_of({"ELECTRICITY": "electricity", "GAS": "gas"}, "ELECTRICITY")
    contract = node.get(f"{fuel}Contract")
    if not contract:
        contract.refuse("the plan has no prices of this kind.")
    version = {**plan_dates(node), "source": {"who": "CDR", "document": node.get("planId").text()}}
    said: list[TextOnly] = []
    supplied = _supply(contract, version)
    used = [*_usage(contract, version), *_controlled_load(contract, version, said)]
    demanded = _demand(contract, version)
    charges = [*supplied, *used, *demanded, *metering_charges(node, version, said)]
    use = [one["code"] for one in used if one["kind"] in {"usage", "tou"}]
    charges += green_power(contract, version, use, green, said)
    charges += discounts(contract, version, use, [one["code"] for one in charges], said)
    charges += fees(contract, version, said)
    charges += feed_in(contract, version, scheme)
    charges.append(_gst(version))
    if additional := contract.get("additionalFeeInformation"):
        said.append(TextOnly(additional.path, additional.text()))
    tariff = {
        "code": node.get("planId").text(),
        "name": node.get("displayName").text(node.get("planId").text()),
        "currency": "AUD",
        "market": "AU",
        "commodity": fuel,
        **({"customer_class": node.get("customerType").one_of(_CLASSES)} if node.get("customerType") else {}),
        "prices_include_tax": False,
        "charges": charges,
    }
    return Imported(tariff, tuple(said))


def _gst(version: Part) -> Part:
    body = {**version, "method": "on_top", "rate": _GST, "jurisdiction": "AU"}
    applies = {"tax_categories": ["GST"]}
    return {"code": "gst", "kind": "tax", "bill_text": "GST", "applies_to": applies, "versions": [body]}


def _season(period: Node) -> Part:
    return {"from": _month_day(period.get("startDate")), "to": _month_day(period.get("endDate"))}


def _month_day(node: Node) -> str:
    found = node.text()
    return "02-28" if found == "02-29" else found


def _is_whole_year(seasons: Sequence[Part]) -> bool:
    """Whether one season is the year: it ends the day before it begins."""
    if len(seasons) != 1:
        return False
    return (seasons[0]["from"], seasons[0]["to"]) in _YEARS


_LAST_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_YEAR = [f"{month:02}-{day:02}" for month, last in enumerate(_LAST_DAYS, start=1) for day in range(1, last + 1)]
_YEARS = frozenset((first, _YEAR[place - 1]) for place, first in enumerate(_YEAR))


def _by_season(seasons: Sequence[Part], parts: Sequence[Part]) -> Part:
    if _is_whole_year(seasons):
        return parts[0]
    return {"seasons": [{**season, **part} for season, part in zip(seasons, parts, strict=True)]}


def _seasons(periods: Sequence[Node]) -> list[Part]:
    names = distinct([one.get("displayName").text("Season") for one in periods])
    return [{"name": name, **_season(one)} for name, one in zip(names, periods, strict=True)]


def _supply(contract: Node, version: Part) -> list[Part]:
    """The supply charge a day: by season where prices or seasons differ."""
    periods = [one for one in contract.get("tariffPeriod").items() if _supply_price(one) is not None]
    if not periods:
        return []
    parts = [{"price": str(_supply_price(one))} for one in periods]
    head = {"code": "supply", "kind": "fixed_daily", "bill_text": "Supply charge", "tax_category": "GST"}
    return [{**head, "versions": [{**version, **_by_season(_seasons(periods), parts)}]}]


def _supply_price(period: Node) -> str | None:
    single = period.get("dailySupplyCharge") if period.get("dailySupplyCharge") else period.get("dailySupplyCharges")
    bands = list(period.get("bandedDailySupplyCharges").items())
    if len(bands) > 1:
        period.get("bandedDailySupplyCharges").refuse("a supply charge by bands of usage or days cannot be imported.")
    if bands:
        bands[0].get("measureUnit").one_of({"DAYS": "d"}, "DAYS")
        single = bands[0].get("unitPrice")
    return plain(single.number()) if single else None


def _usage(contract: Node, version: Part) -> list[Part]:
    """One charge of usage for each type of tariff period and time zone."""
    kinds = {"singleRate": "usage", "timeOfUseRates": "tou"}
    groups: dict[tuple[str, str], list[Node]] = {}
    for period in contract.get("tariffPeriod").items():
        said = period.get("rateBlockUType").one_of({**kinds, "demandCharges": "demand"})
        kind = period.get("type").text("OTHER")
        if kind == "RCTI":
            period.get("type").refuse("a supply by the customer, with an invoice that we make, cannot be imported.")
        if said != "demand":
            groups.setdefault((kind, zone(period.get("timeZone"), contract.get("timeZone"))), []).append(period)
    return [
        _usage_charge(contract, version, periods, "usage" if not place else f"usage_{slug(kind)}_{place + 1}", where)
        for place, ((kind, where), periods) in enumerate(groups.items())
    ]


def _usage_charge(contract: Node, version: Part, periods: Sequence[Node], code: str, where: str) -> Part:
    every: list[Stepped] = []
    is_timed = any(one.get("rateBlockUType").value == "timeOfUseRates" for one in periods)
    parts: list[Part] = []
    for period in periods:
        if period.get("rateBlockUType").value == "timeOfUseRates":
            windows: list[Part] = []
            for name, rate in _named(list(period.get("timeOfUseRates").items())):
                found = stepped(rate)
                every.append(found)
                windows += [time_window(name, one, found.parts) for one in rate.get("timeOfUse").items()]
            parts.append({"windows": windows})
        else:
            found = _single_rate(contract, period.get("singleRate"))
            every.append(found)
            always = {"name": "Anytime", "days": [*WEEK], "from": "00:00", "to": "24:00", **found.parts}
            parts.append({"windows": [always]} if is_timed else found.parts)
    if is_timed:
        of_all = [window for one in parts for window in one["windows"]]
        parts = [{"windows": with_holidays(one["windows"], of_all)} for one in parts]
    node = contract.get("tariffPeriod")
    body = {**version, **_by_season(_seasons(periods), parts), **block_rule(node, every)}
    return {
        "code": code,
        "kind": "tou" if is_timed else "usage",
        "bill_text": "Usage",
        "tax_category": "GST",
        "channels": ["general"],
        "unit": one_unit(node, every),
        "time_zone": where,
        "versions": [body],
    }


def _named(rates: Sequence[Node]) -> list[tuple[str, Node]]:
    names = distinct([one.get("displayName").text(one.get("type").text("Rate").capitalize()) for one in rates])
    return list(zip(names, rates, strict=True))


def _single_rate(contract: Node, rate: Node) -> Stepped:
    """A single rate; of a quota plan the price above the quota, which includes GST, without it."""
    general = rate.get("generalUnitPrice")
    if not general or contract.get("pricingModel").value != "QUOTA":
        return stepped(rate)
    without = general.number() / _WITH_GST
    if Fraction(without) * Fraction(_WITH_GST) != Fraction(general.number()):
        general.refuse("it includes GST, and without it it is no price that ends. Write the price that is meant.")
    rates = list(rate.get("rates").items())
    limit = sum((one.get("volume").number() for one in rates), Decimal(0))
    last = {"unitPrice": canonical(without)}
    found = stepped(Node({**rate.value, "rates": [*rate.value["rates"], last]}, rate.path))
    return found if limit else stepped(Node({**rate.value, "rates": [last]}, rate.path))


def _controlled_load(contract: Node, version: Part, said: list[TextOnly]) -> list[Part]:
    """Each controlled load: a channel of its own, and its supply charge."""
    charges: list[Part] = []
    for place, load in enumerate(contract.get("controlledLoad").items(), start=1):
        channel = "controlled_load" if place == 1 else f"controlled_load_{place}"
        kind = load.get("rateBlockUType").one_of({"singleRate": "usage", "timeOfUseRates": "tou"})
        head = {
            "bill_text": load.get("displayName").text("Controlled load"),
            "tax_category": "GST",
        }
        rates = [load.get("singleRate")] if kind == "usage" else list(load.get("timeOfUseRates").items())
        every = [stepped(one) for one in rates]
        parts: Part = every[0].parts if kind == "usage" or len(rates) == 1 else {}
        if kind == "tou":
            timed = _load_windows(load, rates, every, said)
            kind, parts = ("tou", {"windows": timed}) if timed else ("usage", every[0].parts)
        body = {**version, **dates(load), **parts, **block_rule(load, every)}
        where = zone(contract.get("timeZone"))
        own = {"channels": [channel], "unit": one_unit(load, every), "time_zone": where}
        charges.append({"code": channel, "kind": kind, **head, **own, "versions": [body]})
        daily = {plain(one.get("dailySupplyCharge").number()) for one in rates if one.get("dailySupplyCharge")}
        if len(daily) > 1:
            load.refuse("its rates have different supply charges.")
        if daily:
            supply = {**version, **dates(load), "price": daily.pop()}
            text = {**head, "bill_text": f"{head['bill_text']} supply"}
            charges.append({"code": f"{channel}_supply", "kind": "fixed_daily", **text, "versions": [supply]})
    return charges


def _load_windows(load: Node, rates: Sequence[Node], every: Sequence[Stepped], said: list[TextOnly]) -> list[Part]:
    """Windows of a controlled load; none where its one rate is for whatever time it runs."""
    windows: list[Part] = []
    for (name, rate), found in zip(_named(rates), every, strict=True):
        for one in rate.get("timeOfUse").items():
            if one.get("startTime") or one.get("endTime"):
                windows.append(time_window(name, one, found.parts))
                continue
            info = one.get("additionalInfo")
            if len(rates) > 1:
                info.refuse("its hours are said in words only, and it has several rates.")
            said.append(TextOnly(info.path, info.text("hours that are not said")))
            return []
    if not windows:
        load.get("timeOfUseRates").refuse("it has no hours.")
    return with_holidays(windows, windows)


def _demand(contract: Node, version: Part) -> list[Part]:
    """Each demand charge: measured in its windows and season, and outside of these not at all."""
    charges: list[Part] = []
    for period in contract.get("tariffPeriod").items():
        if period.get("rateBlockUType").value != "demandCharges":
            continue
        where = zone(period.get("timeZone"), contract.get("timeZone"))
        season = {"name": period.get("displayName").text("Season"), **_season(period)}
        for charge in period.get("demandCharges").items():
            code = "demand" if not charges else f"demand_{len(charges) + 1}"
            charges.append(_demand_charge(charge, version, season, code, where))
    return charges


def _demand_charge(charge: Node, version: Part, season: Part, code: str, where: str) -> Part:
    unit = charge.get("measureUnit")
    if not unit:
        unit.refuse("without it the charge is per kWh, which is no demand. Say KW or KVA.")
    if charge.get("maxDemand") and charge.get("maxDemand").number():
        charge.get("maxDemand").refuse("a demand above which nothing is charged cannot be imported.")
    name = charge.get("displayName").text("Demand")
    window = time_window(name, charge, {"price": plain(charge.get("amount").number())})
    parts: Part = {"windows": [window]}
    if not _is_whole_year([season]):
        rest = {"name": "Rest of the year", "from": _next(season["to"], 1), "to": _next(season["from"], -1)}
        parts = {"seasons": [{**season, "windows": [window]}, {**rest, "windows": []}]}
    periods = {
        "measurement_period": charge.get("measurementPeriod").one_of(_PERIODS),
        "charge_period": charge.get("chargePeriod").one_of(_PERIODS),
    }
    floor = charge.get("minDemand")
    body = {**version, **periods, **({"floor": plain(floor.number())} if floor and floor.number() else {}), **parts}
    head = {"code": code, "kind": "demand", "bill_text": name, "tax_category": "GST", "channels": ["general"]}
    return {**head, "unit": unit.one_of(DEMAND_UNITS), "time_zone": where, "versions": [body]}


def _next(month_day: str, step: int) -> str:
    return _YEAR[(_YEAR.index(month_day) + step) % len(_YEAR)]
