"""URDB: a rate as OpenEI's Utility Rate Database publishes it, in our JSON.

Readings of ours, where the format leaves it open: tiers count within their own period, and the usage of a bill in a
period fills its tiers from below; a rate without dates is valid always; hours follow the local clock; the lookback is
of the flat demand where there is one. What changes a bill and is not handled is refused by its name, never left out.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing_assets.foundation.money import canonical
from billing_assets.invoicing.rating.importers.foreign import Imported, Node, TextOnly, plain, slug
from billing_assets.invoicing.rating.importers.urdb_schedules import Part, month_plans, seasons, windows

_OPEN = Decimal(10) ** 9
"""A limit from here on is none: rates write 1e38 or 1e14 for it."""
_ALWAYS = "1970-01-01"
_CLASSES = {"residential": "residential"}
_ENERGY_UNITS = {"kWh": "kWh"}
_DEMAND_UNITS = {"kW": "kW", "kVA": "kVA"}
_RULE_OF_BLOCKS = {"period": "bill", "scope": "window", "evaluate": "pooled", "mode": "graduated"}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HANDLED = _names(
    "energyratestructure energyweekdayschedule energyweekendschedule demandratestructure demandweekdayschedule "
    "demandweekendschedule demandrateunit demandunits flatdemandstructure flatdemandmonths flatdemandunit "
    "fixedmonthlycharge fixedchargefirstmeter fixedchargeunits minmonthlycharge annualmincharge mincharge "
    "minchargeunits lookbackpercent lookbackmonths lookbackrange demandwindow startdate enddate label name sector "
    "usenetmetering dgrules"
)
_DESCRIBES = _names(
    "approved attrs basicinformationcomments country demandattrs demandcomments description eiaid energyattrs "
    "energycomments fixedattrs is_default peakkwcapacityhistory peakkwcapacitymax peakkwcapacitymin "
    "peakkwhusagehistory peakkwhusagemax peakkwhusagemin phasewiring revisions servicetype source sourceparent "
    "supersedes uri utility voltagecategory voltagemaximum voltageminimum"
)
"""Fields that say what a rate is and whom it is for, and change no bill."""


def from_urdb(rate: Mapping[str, Any]) -> Imported:
    """The tariff of a rate. Numbers in it must not be floats (`foreign.read_json`). Raises ImportRefusedError."""
    node = Node(rate)
    said = [_known(node.get(name)) for name in rate]
    version = _validity(node)
    charges = [*_fixed(node, version), *_energy(node, version), *_demand(node, version)]
    charges += _minimum(node, version, [one["code"] for one in charges if one["kind"] != "feed_in"])
    if not charges:
        node.refuse("it has no charge of any kind.")
    name = node.get("name").text(node.get("label").text("URDB rate"))
    sector = node.get("sector").text("").lower()
    tariff = {
        "code": node.get("label").text(slug(name)),
        "name": name,
        "currency": "USD",
        "market": "US",
        "commodity": "electricity",
        **({"customer_class": _CLASSES.get(sector, "business")} if sector else {}),
        "charges": charges,
    }
    return Imported(tariff, tuple(one for one in said if one))


def _known(field: Node) -> TextOnly | None:
    """Nothing for a field that is handled or changes no bill. Raises ImportRefusedError for another with a value."""
    if field.path in {"usenetmetering", "dgrules"} and field and field.value is not False:
        return TextOnly(field.path, f"{field.path} {field.value}")
    if field.path not in _HANDLED | _DESCRIBES and not _says_nothing(field.value):
        field.refuse("this field cannot be imported. Write the tariff by hand, or take it out if it changes no bill.")
    return None


def _says_nothing(value: Any) -> bool:
    """Whether a value is zero, empty or null, or a list of such."""
    if isinstance(value, Mapping):
        return all(map(_says_nothing, value.values()))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return all(map(_says_nothing, value))
    return not value


def _validity(node: Node) -> Part:
    """The dates of the one version: the UTC days of the two instants, the last of which no longer belongs."""
    starts, ends = (node.get(name) for name in ("startdate", "enddate"))
    return {
        "valid_from": _day(starts) if starts else _ALWAYS,
        "valid_to": _day(ends) if ends else None,
        "source": {"who": "OpenEI URDB", "document": node.get("uri").text(node.get("label").text("a rate of URDB"))},
    }


def _day(instant: Node) -> str:
    try:
        return datetime.fromtimestamp(instant.whole(), UTC).date().isoformat()
    except (OverflowError, ValueError, OSError):
        instant.refuse("seconds since 1970 are expected here.")


def _fixed(node: Node, version: Part) -> list[Part]:
    monthly, first = node.get("fixedmonthlycharge"), node.get("fixedchargefirstmeter")
    if monthly and first and monthly.number() and first.number():
        monthly.refuse("fixedchargefirstmeter says a fixed charge, too. Take out the one that is not meant.")
    unit = node.get("fixedchargeunits")
    kinds = {"$/day": "fixed_daily", "$/month": "P1M", "$/year": "P1Y"}
    if first and first.number():
        kind, price = unit.one_of(kinds, "$/month"), plain(first.number())
    elif monthly and monthly.number():
        kind, price = "P1M", plain(monthly.number())
    else:
        return []
    head = {"code": "fixed", "bill_text": "Customer charge", "group": "fixed"}
    if kind == "fixed_daily":
        return [{**head, "kind": "fixed_daily", "versions": [{**version, "price": price}]}]
    versions = [{**version, "price": price, "period": kind}]
    return [{**head, "kind": "fixed_period", "proration": "by_days_of_period", "versions": versions}]


def _price(tier: Node, field: str) -> Decimal:
    if field == "sell":
        return tier.get("sell").number("0")
    return tier.get("rate").number("0") + tier.get("adj").number("0")


def _tiers(period: Node, units: Mapping[str, str], unit: str, field: str = "rate") -> Part:
    """Price or blocks of a period: `max` is cumulative, a huge one is open."""
    tiers = list(period.items())
    if not tiers:
        period.refuse("a period has at least one tier.")
    blocks: list[Part] = []
    for place, tier in enumerate(tiers):
        for name in tier.value if isinstance(tier.value, Mapping) else ():
            if name not in {"rate", "adj", "sell", "max", "unit"} and not _says_nothing(tier.value[name]):
                tier.get(name).refuse("this field of a tier cannot be imported.")
        tier.get("unit").one_of(units, unit)
        limit = tier.get("max")
        is_last = place == len(tiers) - 1
        closed = bool(limit) and limit.number() < _OPEN
        if is_last and closed:
            limit.refuse("it is the last tier, and what usage above it costs is not said.")
        if not is_last and not closed:
            limit.refuse("only the last tier may be without a limit.")
        blocks.append({**({"up_to": plain(limit.number())} if closed else {}), "price": plain(_price(tier, field))})
    return {"price": blocks[0]["price"]} if len(blocks) == 1 else {"blocks": blocks}


def _is_free(parts: Part) -> bool:
    return all(not Decimal(one["price"]) for one in parts.get("blocks", [parts]))


def _rule(parts: Part) -> Part:
    """How blocks fill, for a version that has any."""
    return {"block_rule": _RULE_OF_BLOCKS} if _has_blocks(parts) else {}


def _has_blocks(parts: Part) -> bool:
    return "blocks" in parts or any(_has_blocks(one) for kind in ("seasons", "windows") for one in parts.get(kind, ()))


def _energy(node: Node, version: Part) -> list[Part]:
    structure = node.get("energyratestructure")
    if not structure:
        return []
    periods = list(structure.items())
    plans = month_plans(node.get("energyweekdayschedule"), node.get("energyweekendschedule"), len(periods))
    used = set().union(*(plan.periods for plan in plans))
    prices = {one: _tiers(periods[one], _ENERGY_UNITS, "kWh") for one in used}
    sells = {one: _tiers(periods[one], _ENERGY_UNITS, "kWh", "sell") for one in used}

    def charge(head: Part, of: Mapping[int, Part]) -> Part:
        if len(used) == 1:
            (parts,) = of.values()
            kind = "usage"
        else:
            parts, kind = seasons(plans, lambda month: {"windows": windows(plans[month], of.__getitem__)}), "tou"
        return {"kind": kind, **head, "versions": [{**version, **parts, **_rule(parts)}]}

    found = [charge({"code": "energy", "bill_text": "Energy", "group": "energy"}, prices)]
    if not all(map(_is_free, sells.values())):
        head = {"code": "sell_back", "kind": "feed_in", "bill_text": "Energy sold", "group": "credit"}
        found.append(charge(head, sells))
    return found


def _demand(node: Node, version: Part) -> list[Part]:
    """Demand by time of use, each period measured and priced on its own, and the flat one of the month."""
    window = node.get("demandwindow")
    measured: Part = {"demand_window": window.whole()} if window else {}
    flat, by_time = _flat_demand(node), _timed_demand(node)
    ratchet = _ratchet(node)
    if ratchet and flat is None and by_time is not None and len(by_time[1]) > 1:
        node.get("lookbackpercent").refuse("which of several demand periods looks back is not said.")
    found = []
    for code, text, parts, unit, looks_back in (
        ("demand", "Demand", by_time and by_time[0], _unit(node, "demandrateunit", "demandunits"), flat is None),
        ("flat_demand", "Monthly demand", flat, _unit(node, "flatdemandunit"), True),
    ):
        if parts is not None:
            body = {**version, **measured, **parts, **(ratchet if looks_back else {})}
            head = {"code": code, "kind": "demand", "bill_text": text, "group": "demand", "unit": unit}
            found.append({**head, "versions": [body]})
    return found


def _unit(node: Node, *names: str) -> str:
    return next((node.get(name).one_of(_DEMAND_UNITS) for name in names if node.get(name)), "kW")


def _timed_demand(node: Node) -> tuple[Part, set[int]] | None:
    structure = node.get("demandratestructure")
    if not structure:
        return None
    periods = list(structure.items())
    plans = month_plans(node.get("demandweekdayschedule"), node.get("demandweekendschedule"), len(periods))
    unit = _unit(node, "demandrateunit", "demandunits")
    prices = {
        one: parts
        for one in set().union(*(plan.periods for plan in plans))
        if not _is_free(parts := _tiers(periods[one], _DEMAND_UNITS, unit))
    }
    if not prices:
        return None
    if all(len(plan.periods) == 1 for plan in plans):  # one price at a time: the whole month is measured
        months = [plan.weekday[0] for plan in plans]
        return seasons(months, lambda month: prices.get(months[month], {"price": "0"})), set(prices)
    return seasons(plans, lambda month: {"windows": windows(plans[month], prices.get)}), set(prices)


def _flat_demand(node: Node) -> Part | None:
    structure, months = node.get("flatdemandstructure"), list(node.get("flatdemandmonths").items())
    if not structure:
        return None
    if len(months) != 12:
        node.get("flatdemandmonths").refuse("it has the period of each of the 12 months.")
    periods = list(structure.items())
    for month in months:
        if not 0 <= month.whole() < len(periods):
            month.refuse(f"there are only the periods 0 to {len(periods) - 1}.")
    parts = [_tiers(periods[month.whole()], _DEMAND_UNITS, _unit(node, "flatdemandunit")) for month in months]
    return None if all(map(_is_free, parts)) else seasons(parts, lambda month: parts[month])


def _ratchet(node: Node) -> Part:
    """A share of the highest of earlier bills; the months that look back must be all, or a number of them."""
    percent = node.get("lookbackpercent").number("0")
    if not percent:
        return {}
    if not 0 < percent <= 1:
        node.get("lookbackpercent").refuse("a share from 0 to 1 is expected here.")
    months = [month.whole() for month in node.get("lookbackmonths").items()]
    if any(months):
        if len(months) != 12 or not all(months):
            node.get("lookbackmonths").refuse("a lookback on some months of the year cannot be imported.")
        periods = 11  # the year that ends with the month that is billed
    else:
        periods = node.get("lookbackrange").whole(0)
        if periods < 1:
            node.get("lookbackpercent").refuse("lookbackmonths or lookbackrange must say how far it looks back.")
    return {"ratchet": {"percent": canonical(percent * 100), "periods": periods}}


def _minimum(node: Node, version: Part, counts: Sequence[str]) -> list[Part]:
    yearly, monthly, other = (node.get(name) for name in ("annualmincharge", "minmonthlycharge", "mincharge"))
    if yearly and yearly.number():
        yearly.refuse("a minimum of a whole year cannot be imported: a bill sees one month.")
    if other and other.number():
        node.get("minchargeunits").one_of({"$/month": "P1M"})
    given = [one for one in (monthly, other) if one and one.number()]
    if not given:
        return []
    if len(given) > 1 and given[0].number() != given[1].number():
        other.refuse("minmonthlycharge says another minimum.")
    body = {**version, "amount": plain(given[0].number()), "period": "P1M"}
    head = {"code": "minimum", "kind": "minimum", "bill_text": "Minimum charge", "group": "fixed"}
    return [{**head, "proration": "by_days_of_period", "applies_to": {"codes": [*counts]}, "versions": [body]}]
