"""Demand charges: measured, ratchet, floor, tiers."""

from datetime import date
from fractions import Fraction
from typing import Any

from proving.rating import clock
from proving.rating.bill import Bill, Json, version_id, versions
from proving.rating.energy import Places, of_channels, stream
from proving.rating.energy_lines import fill
from proving.rating.money import half_up, number, root


def demand(bill: Bill, charge: Json) -> None:
    version = versions(charge)[0]
    places = Places(bill, charge)
    for pot in _pots(bill, places, version):
        for point in sorted({source.get("service_point", "") for source in _sources(bill, charge)}) or [""]:
            _lines(bill, charge, places, pot, point)


def _sources(bill: Bill, charge: Json) -> list[Json]:
    channels = charge.get("channels", ["general"])
    return [*of_channels(bill, "intervals", channels), *of_channels(bill, "demand", channels)]


def _pots(bill: Bill, places: Places, version: Json) -> list[Json]:
    """The days that are measured together: the bill or each calendar month, cut where version or season changes."""
    monthly = version.get("measurement_period", "bill") == "month"
    pots: list[Json] = []
    for part in places.parts:
        for when in part["days"]:
            mark = (id(part), (when.year, when.month) if monthly else None)
            if not pots or pots[-1]["mark"] != mark:
                pots.append({**part, "mark": mark, "days": []})
            pots[-1]["days"].append(when)
    return pots


def _lines(bill: Bill, charge: Json, places: Places, pot: Json, point: str) -> None:
    version = pot["version"]
    node = pot["season"] or version
    names = list(dict.fromkeys(w["name"] for w in node.get("windows", []))) or [None]
    for name in names:
        part = next((w for w in node.get("windows", []) if w["name"] == name), node)
        if "price" not in part and "blocks" not in part:
            continue
        measured, estimated = _measured(bill, charge, places, pot, point, name)
        kw = _billed(bill, charge, version, measured, point)
        blocks = part.get("blocks") or [{"price": part["price"]}]
        edges = [number(b["up_to"]) if b.get("up_to") is not None else None for b in blocks]
        mode = version.get("block_rule", {}).get("mode", "graduated")
        days = len(pot["days"])
        for n, quantity in enumerate(fill(kw, edges, mode)):
            times, base = Fraction(1), Fraction(1)
            if version.get("charge_period", "bill") == "day":
                times = Fraction(days)
            elif version.get("charge_period") == "month" and charge.get("proration", "none") == "by_calendar_month":
                times, base = Fraction(days), Fraction(clock.month_days(pot["days"][0]))
            if quantity:
                bill.add(
                    charge,
                    quantity * times,
                    number(blocks[n]["price"]),
                    base,
                    first=pot["days"][0],
                    end=date.fromordinal(pot["days"][-1].toordinal() + 1),
                    unit=charge.get("unit", "kW"),
                    estimated=estimated,
                    version=version_id(charge, pot["n"]),
                    season=pot["season"]["name"] if pot["season"] else None,
                    window=name,
                    block=n + 1 if "blocks" in part else None,
                    service_point=point,
                )


def _measured(
    bill: Bill, charge: Json, places: Places, pot: Json, point: str, name: str | None
) -> tuple[Fraction, bool]:
    """The measured demand of these days in this window, rounded half up to 3 decimals."""
    channels = charge.get("channels", ["general"])
    given = [
        row
        for row in of_channels(bill, "demand", channels)
        if row.get("service_point", "") == point and row.get("window") == name
    ]
    if given:
        return max(number(row["quantity"]) for row in given), False
    version = pot["version"]
    energy, estimated = _blocks(bill, charge, places, pot, point, name, "intervals")
    reactive, _ = _blocks(bill, charge, places, pot, point, name, "reactive")
    if not energy:
        return Fraction(0), False
    measure = version.get("measure", "window_max")
    if reactive:
        top = max(kw * kw + reactive.get(key, Fraction(0)) ** 2 for key, kw in energy.items())
        return root(top, 3), estimated
    if measure == "window_max":
        kw = max(energy.values())
    elif measure == "top_n_average":
        best = sorted(energy.values(), reverse=True)[: version["n"]]
        kw = sum(best, Fraction(0)) / len(best)
    else:
        by_day: dict[date, Fraction] = {}
        for (when, _), value in energy.items():
            by_day[when] = max(by_day.get(when, value), value)
        kw = sum(by_day.values(), Fraction(0)) / len(by_day)
    if version.get("power_factor"):
        kw /= number(version["power_factor"])
    return half_up(kw, 3), estimated


def _blocks(
    bill: Bill, charge: Json, places: Places, pot: Json, point: str, name: str | None, kind: str
) -> tuple[dict[tuple[date, int], Fraction], bool]:
    """The mean kW of each demand block of these days that lies in the window; a block is aligned to the clock."""
    size = pot["version"].get("demand_window", 30)
    energy: dict[tuple[date, int], Fraction] = {}
    estimated = False
    offset: dict[Any, int] = {}
    for source in of_channels(bill, kind, charge.get("channels", ["general"])):
        if source.get("service_point", "") != point:
            continue
        for start, minutes, value, quality in stream(source):
            where = places.at(start)
            if value is None or where is None or where[1] not in pot["days"] or where[0][2] != name:
                continue
            length = max(size, minutes)
            of_day = clock.local(places.zone, start)[1]
            key = (where[1], start - of_day % length)
            energy[key] = energy.get(key, Fraction(0)) + number(value) * 60 / length
            estimated = estimated or quality != "A"
            offset[key] = of_day
    return energy, estimated


def _billed(bill: Bill, charge: Json, version: Json, measured: Fraction, point: str) -> Fraction:
    candidates = [measured, number(version.get("floor", "0")), number(version.get("contract_minimum", "0"))]
    ratchet = version.get("ratchet")
    if ratchet:
        history = [
            number(row["measured"])
            for row in bill.context.get("demand_history", [])
            if row["charge"] == charge["code"] and row.get("service_point", "") == point
        ][-ratchet["periods"] :]
        if len(history) < ratchet["periods"]:
            bill.found("DEMAND_HISTORY_SHORT", "warning")
        if history:
            candidates.append(half_up(number(ratchet["percent"]) / 100 * max(history), 3))
    return max(candidates)
