"""From a member to a rating case: tariff, usage, period and context as rating's format of JSON has them. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from billing_assets.foundation.money import canonical
from billing_assets.invoicing.invoices.interval_usage import IntervalUsage

Rate = Callable[[dict[str, Any]], dict[str, Any]]
"""Rates a case: JSON in, JSON out. Same input, same bytes; with a finding of severity error there are no lines."""

ENERGY, DEMAND, TOTAL = "KH", "K1", "51"
_CENTS = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What a case is made from. `usage`, `charges`: contents of the 867 and the 810 as their readers left them; usage
    may be `intervals` alone. `exemptions`: `tax`, `percent`, `certificate`, `valid_from`, `valid_until`.
    """

    point: str
    period_start: date
    period_end: date
    kwh: Decimal
    is_estimated: bool
    usage: Mapping[str, Any] | None
    charges: Mapping[str, Any] | None
    zone: str
    customer_class: str
    tax_codes: list[str]
    is_taxed: bool
    earlier_totals: list[str]
    today: date
    intervals: IntervalUsage | None = None
    exemptions: Sequence[Mapping[str, Any]] = ()
    holidays: Sequence[date] = ()
    demand_history: Sequence[Mapping[str, Any]] = ()


def case_of(tariff: dict[str, Any], facts: CaseFacts, series: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The case. `series`: `price_series` and `profiles` by name, as the tariff names them."""
    usage: dict[str, Any] = {}
    if facts.usage is not None:
        usage["registers"] = _registers(facts, facts.usage)
    if facts.intervals is not None:
        usage["intervals"] = list(facts.intervals.intervals)
        if facts.intervals.reactive:
            usage["reactive"] = list(facts.intervals.reactive)
    elif facts.usage is not None and (demand := facts.usage.get("quantities", {}).get(DEMAND)):
        usage["demand"] = [_dated(facts) | {"quantity": canonical(Decimal(demand)), "unit": "kW"}]
    if facts.charges is not None:
        usage["documents"] = [_document(facts, facts.charges)]
    context: dict[str, Any] = {
        "time_zone": facts.zone,
        "customer_class": facts.customer_class,
        "tax_codes": facts.tax_codes,
        "earlier_totals": facts.earlier_totals,
        "as_of": facts.today.isoformat(),
    }
    if its := _exemptions(tariff, facts.exemptions, taxed=facts.is_taxed):
        context["exemptions"] = its
    if facts.holidays:
        context["holidays"] = [one.isoformat() for one in facts.holidays]
    if facts.demand_history:
        context["demand_history"] = list(facts.demand_history)
    context |= {name: dict(values) for name, values in series.items() if values}
    period = {"from": facts.period_start.isoformat(), "to": facts.period_end.isoformat()}
    return {"tariff": tariff, "usage": usage, "period": period, "context": context}


def _dated(facts: CaseFacts) -> dict[str, Any]:
    return {
        "service_point": facts.point,
        "from": facts.period_start.isoformat(),
        "to": facts.period_end.isoformat(),
    }


def context_of(
    tariff: Mapping[str, Any],
    zone: str,
    customer_class: str,
    tax_codes: list[str],
    exemptions: Sequence[Mapping[str, Any]],
    today: date,
) -> dict[str, Any]:
    """The context of a case without usage."""
    return {
        "time_zone": zone,
        "customer_class": customer_class,
        "tax_codes": tax_codes,
        "as_of": today.isoformat(),
        "exemptions": _exemptions(tariff, exemptions, taxed=True),
    }


def _exemptions(tariff: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], *, taxed: bool) -> list[dict[str, Any]]:
    taxes = [one["code"] for one in tariff["charges"] if one["kind"] == "tax"]
    if not taxed:
        return [{"tax": code, "percent": "100"} for code in taxes]
    return [_exemption(one) for one in rows if one["tax"] in taxes]


def _exemption(row: Mapping[str, Any]) -> dict[str, Any]:
    until = {} if row["valid_until"] is None else {"to": row["valid_until"].isoformat()}
    return {
        "tax": row["tax"],
        "percent": canonical(row["percent"]),
        "certificate": row["certificate"],
        "from": row["valid_from"].isoformat(),
    } | until


def _registers(facts: CaseFacts, usage: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One for each time of use where these add up to the total, else one."""
    common = _dated(facts) | {"channel": "general", "unit": "kWh", "quality": "E" if facts.is_estimated else "A"}
    times = {
        name: Decimal(value)
        for name, value in usage.get("times_of_use", {}).get(ENERGY, {}).items()
        if name not in ("", TOTAL)
    }
    if not times or sum(times.values()) != facts.kwh:
        return [common | {"quantity": canonical(facts.kwh)}]
    return [common | {"register": name, "quantity": canonical(value)} for name, value in sorted(times.items())]


def _document(facts: CaseFacts, charges: Mapping[str, Any]) -> dict[str, Any]:
    lines = [
        {
            "code": one["code"],
            "amount": canonical((-1 if one["indicator"] == "A" else 1) * Decimal(one["amount"]) * _CENTS),
            "text": one["text"],
        }
        for one in charges.get("lines", ())
        if one["indicator"] != "N" and one["amount"] is not None
    ]
    return {
        "utility": charges.get("utility", ""),
        "number": charges.get("id", ""),
        "purpose": charges.get("purpose", "00"),
        "from": charges.get("start") or facts.period_start.isoformat(),
        "to": charges.get("end") or facts.period_end.isoformat(),
        "total": canonical(Decimal(charges.get("total") or 0) * _CENTS),
        "charges": lines,
    }


def series_named(tariff: Mapping[str, Any]) -> dict[str, set[str]]:
    """Names of the price series and the profiles that a tariff takes."""
    prices: set[str] = set()
    profiles: set[str] = set()
    for charge in tariff["charges"]:
        if split := charge.get("split_by"):
            profiles.add(split)
        for version in charge.get("versions", ()):
            prices |= {name for name in [version.get("series")] if name}
            profiles |= {name for name in [version.get("profile")] if name}
    return {"price": prices, "profile": profiles}


def instants(begin: date, end: date, zone: str) -> tuple[datetime, datetime]:
    """The instants at which local days begin and end."""
    clock = ZoneInfo(zone)
    return datetime.combine(begin, time(), clock), datetime.combine(end, time(), clock)
