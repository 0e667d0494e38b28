"""A US rate as OpenEI publishes it, in our format; for the oracle alone. Numbers are read as text."""

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

from proving.rating.bill import Json
from proving.rating.clock import WEEK
from proving.rating.money import text

OPEN = 10**12
LAST = {1: 31, 2: 28, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}


def read(path: Path) -> Json:
    found: Json = json.loads(path.read_text(encoding="utf-8"), parse_float=str)
    return found


def _price(tier: Json) -> str:
    return text(Fraction(tier.get("rate", 0)) + Fraction(tier.get("adj", 0)))


def _blocks(tiers: list[Json]) -> list[Json]:
    blocks = []
    for tier in tiers:
        block = {"price": _price(tier)}
        top = tier.get("max")
        if top is not None and float(top) < OPEN:
            block["up_to"] = str(top)
        blocks.append(block)
    return blocks


def _windows(weekday: list[int], weekend: list[int], tiers: list[list[Json]]) -> list[Json]:
    found = []
    for days, hours in ((WEEK[:5], weekday), (WEEK[5:], weekend)):
        for period, run in groupby(enumerate(hours), key=lambda item: item[1]):
            held = [hour for hour, _ in run]
            edges = {"from": f"{held[0]:02}:00", "to": f"{held[-1] + 1:02}:00"}
            found.append({"name": f"p{period}", "days": list(days), **edges, "blocks": _blocks(tiers[period])})
    return found


def _charge(code: str, kind: str, seasons: list[Json], **more: Any) -> Json:
    return {"code": code, "kind": kind, "versions": [{"seasons": seasons, **more}]}


def _months(weekday: Any, weekend: Any, tiers: Any) -> list[Json]:
    """One season for each month."""
    return [
        {
            "name": f"m{month + 1:02}",
            "from": f"{month + 1:02}-01",
            "to": f"{month + 1:02}-{LAST[month + 1]}",
            "windows": _windows(weekday[month], weekend[month], tiers),
        }
        for month in range(12)
    ]


def tariff(rate: Json) -> Json:
    """Energy, demand, flat demand and the fixed charge; tiers count within their own period, by bill."""
    charges = []
    if "energyratestructure" in rate:
        seasons = _months(rate["energyweekdayschedule"], rate["energyweekendschedule"], rate["energyratestructure"])
        charges.append(_charge("energy", "tou", seasons))
    window = {"demand_window": int(rate.get("demandwindow", 30))}
    if "demandratestructure" in rate:
        seasons = _months(rate["demandweekdayschedule"], rate["demandweekendschedule"], rate["demandratestructure"])
        charges.append(_charge("demand", "demand", seasons, **window))
    if "flatdemandstructure" in rate:
        flat = [
            {
                "name": f"m{month:02}",
                "from": f"{month:02}-01",
                "to": f"{month:02}-{LAST[month]}",
                "blocks": _blocks(rate["flatdemandstructure"][rate["flatdemandmonths"][month - 1]]),
            }
            for month in range(1, 13)
        ]
        charges.append(_charge("flat_demand", "demand", flat, **window))
    fixed = rate.get("fixedmonthlycharge") or rate.get("fixedchargefirstmeter")
    if fixed:
        daily = "fixedmonthlycharge" not in rate and rate.get("fixedchargeunits") == "$/day"
        part = {"price": str(fixed)} if daily else {"price": str(fixed), "period": "P1M"}
        charges.append({"code": "fixed", "kind": "fixed_daily" if daily else "fixed_period", "versions": [part]})
    return {"code": "urdb", "currency": "USD", "charges": charges}


def load_2018(month: int) -> list[int]:
    """The made load of a month of 2018: kWh of each hour, no clock change and no holidays."""
    found = []
    for hour in range(8760):
        at = datetime(2018, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
        if at.month == month:
            busy = 30 if at.weekday() < 5 and 8 <= at.hour < 18 else 0
            found.append(20 + 37 * hour % 41 + busy + 5 * month)
    return found


def case(rate: Json, month: int) -> Json:
    following = f"{2018 + month // 12}-{month % 12 + 1:02}-01"
    intervals = {
        "start": f"2018-{month:02}-01T00:00:00Z",
        "minutes": 60,
        "values": [str(kwh) for kwh in load_2018(month)],
    }
    return {
        "tariff": tariff(rate),
        "usage": {"intervals": [intervals]},
        "period": {"from": f"2018-{month:02}-01", "to": following},
        "context": {"time_zone": "UTC"},
    }
