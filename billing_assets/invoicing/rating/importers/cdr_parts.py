"""The small parts of a CDR plan: times of day, days, units, stepped rates, in the form of our JSON."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from billing_assets.foundation.money import canonical
from billing_assets.invoicing.rating.importers.foreign import Node, plain

Part = dict[str, Any]
"""Price parts of a version, a season or a window."""

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAYS = {**{day.upper(): day for day in WEEK}, "PUBLIC_HOLIDAYS": "holiday"}
_ZONES = {"LOCAL": "local", "AEST": "UTC+10"}
UNITS = {"KWH": "kWh", "MJ": "MJ"}
DEMAND_UNITS = {"KW": "kW", "KVA": "kVA"}
_PERIODS = {
    "P1D": "P1D",
    "P1W": "P7D",
    "P7D": "P7D",
    "P1M": "P1M",
    "P3M": "P3M",
    "P1Q": "P3M",
    "P6M": "P6M",
    "P1Y": "P1Y",
    "P12M": "P1Y",
}
_TIME = re.compile(r"T?(\d\d):?(\d\d)(?::?(\d\d)(?:\.\d+)?)?")


@dataclass(frozen=True, slots=True)
class Stepped:
    """A price, or blocks with the duration that their limits are for; `unit` is what is priced."""

    parts: Part
    period: str | None
    unit: str


def percent(rate: Node) -> str:
    """A rate of CDR as percent: 0.06 is 6."""
    return canonical(rate.number() * 100)


def zone(*nodes: Node) -> str:
    """The time zone of a charge: the first that says one, else AEST, which is the standard's default."""
    return next((one.one_of(_ZONES) for one in nodes if one), _ZONES["AEST"])


def duration(period: Node, default: str = "P1Y") -> str:
    """A duration that limits can be for."""
    return period.one_of(_PERIODS, default)


def days(node: Node) -> list[str]:
    """Days of a window; every day of the week where there are none."""
    return [one.one_of(_DAYS) for one in node.items()] or [*WEEK]


def start_time(node: Node) -> str:
    """The first minute of a window; midnight where it is not said."""
    hour, minute, second = _time(node, "00:00")
    if second:
        node.refuse("a window begins at a whole minute.")
    return f"{hour:02}:{minute:02}"


def end_time(node: Node) -> str:
    """The minute after a window: CDR's end is the last minute that belongs to it, `20:59` for nine o'clock."""
    hour, minute, _ = _time(node, "23:59")
    after = hour * 60 + minute + 1
    return f"{after // 60:02}:{after % 60:02}"


def _time(node: Node, default: str) -> tuple[int, int, int]:
    found = _TIME.fullmatch(node.text(default).removesuffix("Z") if not node else node.text())
    if not found:
        node.refuse("a local time of day such as 07:00 is expected here, without an offset.")
    hour, minute, second = (int(one or 0) for one in found.groups())
    if hour > 23 or minute > 59 or second > 59:
        node.refuse("there is no such time of day.")
    return hour, minute, second


def time_window(name: str, node: Node, price: Part) -> Part:
    """A window of a rate."""
    times = {"from": start_time(node.get("startTime")), "to": end_time(node.get("endTime"))}
    return {"name": name, "days": days(node.get("days")), **times, **price}


def stepped(owner: Node, units: dict[str, str] = UNITS) -> Stepped:
    """The rates of something that has them: a `volume` is how much one rate is for, so limits are their sums.

    The last rate is open; a volume on it is refused, as what is used above it has no price. Rates of the first
    versions of the standard are one `amount`.
    """
    rates = list(owner.get("rates").items())
    if not rates and owner.get("amount"):
        return Stepped({"price": plain(owner.get("amount").number())}, None, "kWh")
    if not rates:
        owner.get("rates").refuse("a rate has at least one price.")
    blocks: list[Part] = []
    limit = Decimal(0)
    for place, one in enumerate(rates):
        volume = one.get("volume")
        price = {"price": plain(one.get("unitPrice").number())}
        if place == len(rates) - 1:
            if volume:
                volume.refuse("it is the last rate, and what is used above it has no price.")
            blocks.append(price)
        else:
            limit += volume.number()
            blocks.append({"up_to": plain(limit), **price})
    found = {one.get("measureUnit").one_of(units, "KWH") for one in rates}
    if len(found) > 1:
        owner.get("rates").refuse("its rates are per different units.")
    if len(blocks) == 1:
        return Stepped(blocks[0], None, *found)
    return Stepped({"blocks": blocks}, duration(owner.get("period")), *found)


def block_rule(owner: Node, found: Iterable[Stepped]) -> Part:
    """How the blocks of a version fill; nothing where it has none. Limits of one version are for one duration."""
    periods = sorted({one.period for one in found if one.period})
    if len(periods) > 1:
        owner.refuse(f"its blocks are for different durations ({', '.join(periods)}).")
    rule = {"scale": "by_days", "scope": "window", "evaluate": "pooled"}
    return {"block_rule": {"period": periods[0], **rule}} if periods else {}


def one_unit(owner: Node, found: Sequence[Stepped]) -> str:
    """The unit that all of them are priced by."""
    units = sorted({one.unit for one in found})
    if len(units) != 1:
        owner.refuse(f"its rates are per different units ({', '.join(units)}).")
    return units[0]


def with_holidays(windows: Sequence[Part], all_of: Sequence[Part]) -> list[Part]:
    """Windows of every day, with holidays where another window of the charge sets these apart."""
    if not any("holiday" in one["days"] for one in all_of):
        return [*windows]
    whole = {*WEEK}
    return [{**one, "days": [*one["days"], "holiday"]} if {*one["days"]} == whole else one for one in windows]


def dates(node: Node) -> Part:
    """Validity by a first and a last day, both of which belong to it."""
    first, last = node.get("startDate"), node.get("endDate")
    found: Part = {}
    if first:
        found["valid_from"] = _date(first).isoformat()
    if last:
        found["valid_to"] = (_date(last) + timedelta(days=1)).isoformat()
    return found


def _date(node: Node) -> date:
    try:
        return date.fromisoformat(node.text()[:10])
    except ValueError:
        node.refuse("a date such as 2026-07-01 is expected here.")


def plan_dates(plan: Node) -> Part:
    """From when a plan is offered: what its charges are valid from. When it is retired ends no contract made before."""
    begins = plan.get("effectiveFrom")
    return {"valid_from": _date(begins).isoformat() if begins else "1970-01-01", "valid_to": None}
