"""Lines for energy: prices, blocks, pools, net metering, index and rate tables."""

from collections.abc import Callable
from datetime import date
from fractions import Fraction
from typing import Any

from proving.rating import clock
from proving.rating.bill import NOMINAL, Bill, Json, version_id, versions
from proving.rating.energy import Cell, cells, gaps, holder, loss, of_channels, stream, weights
from proving.rating.money import half_up, number


def rule(charge: Json, cell: Cell) -> Json:
    return dict(versions(charge)[cell.n].get("block_rule", {}))


def limits(bill: Bill, charge: Json, rules: Json, blocks: list[Json], days: int) -> list[Fraction | None]:
    """Block limits as they are printed."""
    period = rules.get("period", "bill")
    scale = rules.get("scale", "none" if period == "bill" else "by_days")
    found: list[Fraction | None] = []
    for block in blocks:
        if block.get("up_to") is None:
            found.append(None)
        elif scale == "none" or period == "bill":
            found.append(number(block["up_to"]))
        else:
            nominal = NOMINAL.get(period) or Fraction(_cycle_days(bill))
            found.append(half_up(number(block["up_to"]) * days / nominal, 3))
    return found


def _cycle_days(bill: Bill) -> int:
    cycle = bill.context["cycle"]
    one = cycle if isinstance(cycle, dict) else cycle[0]
    return (clock.day(one["to"]) - clock.day(one["from"])).days


def fill(energy: Fraction, edges: list[Fraction | None], mode: str) -> list[Fraction]:
    """The energy in each block."""
    held = [Fraction(0)] * len(edges)
    below = Fraction(0)
    for n, edge in enumerate(edges):
        if edge is None or energy <= edge:
            if mode == "volume":
                held = [Fraction(0)] * len(edges)
                held[n] = energy
            else:
                held[n] = energy - below
            return held
        held[n] = edge - below
        below = edge
    return held


def in_blocks(bill: Bill, charge: Json, cell: Cell, blocks: list[Json]) -> list[Fraction]:
    """The energy of a cell in its blocks, pooled, or laid in by day or by month."""
    rules = rule(charge, cell)
    evaluate, mode = rules.get("evaluate", "pooled"), rules.get("mode", "graduated")
    if evaluate == "pooled" or None in cell.by_day:
        return fill(half_up(cell.total, 6), limits(bill, charge, rules, blocks, len(cell.days)), mode)
    pots: dict[Any, Fraction] = {}
    for when, energy in cell.by_day.items():
        assert when is not None
        pot = when if evaluate == "each_day" else (when.year, when.month)
        pots[pot] = pots.get(pot, Fraction(0)) + energy
    total = [Fraction(0)] * len(blocks)
    for pot, energy in pots.items():
        days = 1 if evaluate == "each_day" else sum((when.year, when.month) == pot for when in cell.days)
        for n, part in enumerate(fill(energy, limits(bill, charge, rules, blocks, days), mode)):
            total[n] += part
    return [half_up(part, 6) for part in total]


def shared(bill: Bill, charge: Json, cell: Cell, blocks: list[Json], pool: Fraction) -> list[Fraction]:
    """The window's part of blocks that a pool fills: rounded half up to 3 decimals, the last takes the remainder."""
    rules = rule(charge, cell)
    filled = fill(half_up(pool, 6), limits(bill, charge, rules, blocks, len(bill.days)), rules.get("mode", "graduated"))
    energy = half_up(cell.total, 6)
    held = [Fraction(0)] * len(blocks)
    reached = [n for n, part in enumerate(filled) if part]
    for n in reached[:-1]:
        held[n] = half_up(energy * filled[n] / pool, 3)
    if reached:
        held[reached[-1]] = energy - sum(held)
    return held


def lines(bill: Bill, charges: list[Json]) -> dict[int, list[Json]]:
    """For each charge of energy its lines as arguments of `Bill.add`."""
    held = {id(charge): _netted(bill, charge, cells(bill, charge)) for charge in charges}
    pools: dict[str, Fraction] = {}
    for charge in charges:
        for cell, _ in held[id(charge)]:
            if rule(charge, cell).get("scope") == "bill":
                unit = charge.get("unit", "kWh")
                pools[unit] = pools.get(unit, Fraction(0)) + cell.total
    return {id(charge): _of_charge(bill, charge, held[id(charge)], pools) for charge in charges}


def _of_charge(bill: Bill, charge: Json, held: list[tuple[Cell, Fraction]], pools: dict[str, Fraction]) -> list[Json]:
    found: list[Json] = []
    own = sum((cell.total for cell, _ in held), Fraction(0))
    sign = -1 if charge["kind"] == "feed_in" else 1
    for cell, surplus in held:
        about = _about(charge, cell)
        scope = rule(charge, cell).get("scope", "window")
        part = holder(charge, cell)
        if charge["kind"] == "rate_table":
            found.extend(_table(bill, charge, cell, about))
        elif charge["kind"] == "green":
            percent = number(part.get("percent", "100"))
            found.append({**about, "quantity": half_up(cell.total * percent / 100, 6), "price": number(part["price"])})
        elif "blocks" in part:
            blocks = part["blocks"]
            if scope == "window":
                filled = in_blocks(bill, charge, cell, blocks)
            else:
                filled = shared(
                    bill, charge, cell, blocks, own if scope == "charge" else pools[charge.get("unit", "kWh")]
                )
            for n, quantity in enumerate(filled):
                found.append(
                    {**about, "quantity": sign * quantity, "price": number(blocks[n]["price"]), "block": n + 1}
                )
        else:
            found.append({**about, "quantity": sign * half_up(cell.total, 6), "price": number(part["price"])})
        if surplus:
            price = number(versions(charge)[cell.n].get("credit_price", "0"))
            found.append({**about, "quantity": -surplus, "price": price, "surplus": True})
    return [line for line in found if line["quantity"]]


def _about(charge: Json, cell: Cell) -> Json:
    return {
        "first": cell.days[0] if cell.days else None,
        "end": date.fromordinal(cell.days[-1].toordinal() + 1) if cell.days else None,
        "unit": charge.get("unit", "kWh"),
        "estimated": cell.estimated,
        "version": version_id(charge, cell.n),
        "season": cell.season["name"] if cell.season else None,
        "window": cell.window,
    }


def _table(bill: Bill, charge: Json, cell: Cell, about: Json) -> list[Json]:
    """Half-open rows: the row on the day before the end, or by days."""
    version = versions(charge)[cell.n]
    adder = number(version.get("adder", "0"))

    def row_on(when: date) -> int:
        rows = enumerate(version["rows"])
        return next(n for n, row in rows if clock.day(row["from"]) <= when < clock.day(row["to"]))

    if version.get("lookup", "end_minus_one_day") == "end_minus_one_day":
        price = number(version["rows"][row_on(cell.days[-1])]["price"]) + adder
        return [{**about, "quantity": half_up(cell.total, 6), "price": price}]
    runs: list[tuple[int, list[date]]] = []
    for when in cell.days:
        if runs and runs[-1][0] == row_on(when):
            runs[-1][1].append(when)
        else:
            runs.append((row_on(when), [when]))
    left, found = cell.total, []
    for row, days in runs:
        if None in cell.by_day:
            share = left if row == runs[-1][0] else half_up(cell.total * len(days) / len(cell.days), 3)
        else:
            share = sum((cell.by_day.get(when, Fraction(0)) for when in days), Fraction(0))
        left -= share
        own = {
            "first": days[0],
            "end": date.fromordinal(days[-1].toordinal() + 1),
            "estimated": not cell.estimated_on.isdisjoint([None, *days]),
        }
        found.append(
            {**about, **own, "quantity": half_up(share, 6), "price": number(version["rows"][row]["price"]) + adder}
        )
    return found


def _netted(bill: Bill, charge: Json, held: list[Cell]) -> list[tuple[Cell, Fraction]]:
    """Net metering: each cell with what is left to pay, and the surplus to credit."""
    net = charge.get("net", "none")
    if net == "none":
        return [(cell, Fraction(0)) for cell in held]
    channel = charge.get("net_channel", "feed_in")
    out = cells(bill, {**charge, "channels": [channel]})
    result: list[tuple[Cell, Fraction]] = []
    if net == "interval":
        return _netted_by_interval(bill, charge, held, out, channel)
    for cell, exported in zip(held, out, strict=True):
        left = cell.total - exported.total
        cell.estimated = cell.estimated or exported.estimated
        cell.by_day = {None: max(left, Fraction(0))}
        result.append((cell, max(-left, Fraction(0))))
    return result


def _same(one: Cell, other: Cell) -> bool:
    return (one.n, one.season, one.window) == (other.n, other.season, other.window)


def _netted_by_interval(
    bill: Bill, charge: Json, held: list[Cell], out: list[Cell], channel: str
) -> list[tuple[Cell, Fraction]]:
    """Both channels have the same intervals: the difference of each is energy to pay, or surplus."""
    exported = {s: number(v) for source in of_channels(bill, "intervals", [channel]) for s, _, v, _ in stream(source)}
    positive, negative = [], []
    for source in of_channels(bill, "intervals", charge.get("channels", ["general"])):
        left = [number(value) - exported.get(start, Fraction(0)) for start, _, value, _ in stream(source)]
        positive.append({**source, "values": [max(value, Fraction(0)) for value in left]})
        negative.append({**source, "values": [max(-value, Fraction(0)) for value in left]})
    plain = {**charge, "net": "none"}
    one, other = (
        cells(Bill({**bill.case, "usage": {"intervals": sources}}), plain) for sources in (positive, negative)
    )
    for cell, before in zip(one, held, strict=True):
        cell.estimated = before.estimated or any(given.estimated for given in out if _same(given, before))
    return [(cell, surplus.total) for cell, surplus in zip(one, other, strict=True)]


def _terms(version: Json) -> Callable[[Fraction], Fraction]:
    """Floor and cap act on the price, then the multiplier, then the adder."""
    floor, cap = (None if version.get(key) is None else number(version[key]) for key in ("floor", "cap"))
    multiplier, adder = number(version.get("multiplier", "1")), number(version.get("adder", "0"))

    def unit(spot: Fraction) -> Fraction:
        spot = spot if floor is None else max(spot, floor)
        spot = spot if cap is None else min(spot, cap)
        return spot * multiplier + adder

    return unit


def index(bill: Bill, charge: Json) -> None:
    """The sum of energy x loss x (price x multiplier + adder) ÷ 1000 by version, rounded once."""
    zone, sign = bill.zone(charge), -1 if charge["kind"] == "feed_in" else 1
    channels = charge.get("channels", ["feed_in"] if charge["kind"] == "feed_in" else ["general"])
    taken: list[tuple[int, date, Fraction, str, str]] = []
    sources = of_channels(bill, "intervals", channels)
    for source in sources:
        for start, _, value, quality in stream(source):
            when = clock.local(zone, start)[0]
            if value is not None and bill.first <= when < bill.end:
                if number(value) < 0 and not charge.get("allow_negative"):
                    bill.found("NEGATIVE_USAGE")
                taken.append((start, when, number(value), quality, source.get("service_point", "")))
        if gaps(zone, bill, [source]) > charge.get("gap_tolerance", 0):
            bill.found("USAGE_GAP")
    for source in (*sources, *of_channels(bill, "registers", channels)):
        if source.get("unit", "kWh") != charge.get("unit", "kWh"):
            bill.found("UNIT_MISMATCH")
    for register in [] if sources else of_channels(bill, "registers", channels):
        if number(register["quantity"]) < 0 and not charge.get("allow_negative"):
            bill.found("NEGATIVE_USAGE")
        first, end = clock.day(register["from"]), clock.day(register["to"])
        profile = weights(bill, versions(charge)[0].get("profile", ""), zone, first, end)
        if profile is None:
            bill.found("PROFILE_MISSING")
            continue
        total = sum(weight for _, weight in profile)
        for start, weight in profile:
            when = clock.local(zone, start)[0]
            energy = number(register["quantity"]) * weight / total
            taken.append((start, when, energy, register.get("quality", "A"), register.get("service_point", "")))
    for part in bill.parts(charge):
        version = part["version"]
        series = bill.context.get("price_series", {}).get(
            version["series"], {"start": "1970-01-01T00:00:00Z", "minutes": 15, "prices": []}
        )
        begin, step = clock.instant(series["start"]), series["minutes"]
        energy, exact, estimated = Fraction(0), Fraction(0), False
        terms = _terms(version)
        for start, when, kwh, quality, point in taken:
            if when not in part["days"]:
                continue
            at = (start - begin) // step
            price = series["prices"][at] if 0 <= at < len(series["prices"]) else None
            if price is None:
                bill.found("PRICE_MISSING")
                continue
            unit = terms(number(price))
            exact += kwh * loss(bill, charge, point, when) * unit / 1000
            energy += kwh
            estimated = estimated or quality != "A"
        amount = sign * bill.money(charge, exact)
        if energy == 0:
            continue
        dates = {"first": part["days"][0], "end": date.fromordinal(part["days"][-1].toordinal() + 1)}
        about = {
            "unit": charge.get("unit", "kWh"),
            "estimated": estimated,
            "version": version_id(charge, part["n"]),
            **dates,
        }
        shown = half_up(energy, 6)
        bill.add(charge, shown if amount >= 0 else -shown, abs(amount), shown, **about)
