"""Random charges for energy, with their usage."""

from collections.abc import Callable
from itertools import pairwise

from proving.rating import clock
from proving.rating.bill import Json
from proving.rating.maker import Maker


def _rule(m: Maker, scopes: tuple[str, ...] = ("window",)) -> Json:
    r = m.r
    rule: Json = {"period": r.choice(("bill", "P1D", "P7D", "P1M", "P3M", "P6M", "P1Y"))}
    if r.random() < 0.5 and rule["period"] != "bill":
        rule["scale"] = r.choice(("by_days", "none"))
    rule["scope"] = r.choice(scopes)
    if rule["scope"] == "window" and m.by_interval:
        rule["evaluate"] = r.choice(("pooled", "each_day", "each_month"))
    rule["mode"] = r.choice(("graduated", "graduated", "volume"))
    return rule


def priced(m: Maker, blocks: list[Json] | None) -> Json:
    """A price, or blocks with the limits given."""
    if blocks is None:
        return {"price": m.price() if m.r.random() < 0.95 else "-" + m.price(1, 500)}
    return {"blocks": [{**block, "price": m.price()} for block in blocks]}


def _usage(m: Maker) -> None:
    blocks = m.blocks() if m.r.random() < 0.6 else None
    rule = {"block_rule": _rule(m)} if blocks else {}
    seasonal = m.r.random() < 0.35

    def part() -> Json:
        return {"seasons": m.seasons(lambda: priced(m, blocks))} if seasonal else priced(m, blocks)

    more: Json = {}
    if not m.by_interval and not seasonal:
        more["on_change"] = m.r.choice(("split", "split", "majority", "end_minus_one_day"))
    if m.r.random() < 0.1:
        more["loss"] = True
        m.context["loss_factors"] = [{"from": "2020-01-01", "to": "2030-01-01", "dlf": "1.0425", "mlf": "0.991"}]
    m.add("energy", "usage", m.versions(lambda: {**part(), **rule}), **m.own_zone, **more)


def _tou(m: Maker) -> None:
    shared = m.blocks() if m.r.random() < 0.5 else None
    scopes = ("window", "charge") if shared else ("window",)
    rule = {"block_rule": _rule(m, scopes)} if shared else {}
    seasonal = m.r.random() < 0.3

    def windows() -> Json:
        return {"windows": m.windows(lambda: priced(m, shared))}

    def part() -> Json:
        return {"seasons": m.seasons(windows)} if seasonal else windows()

    more: Json = {}
    m.add("energy", "tou", m.versions(lambda: {**part(), **rule}), **m.own_zone, **more)
    if not m.by_interval:
        for version in m.charges[-1]["versions"]:
            for holder in version.get("seasons", [version]):
                for window in holder["windows"]:
                    window["register"] = window["name"]
        held = [
            {window["name"] for window in holder["windows"]}
            for version in m.charges[-1]["versions"]
            for holder in version.get("seasons", [version])
        ]
        for name in sorted(set.intersection(*held)):
            m.register("general", name)


def _bill_scope(m: Maker) -> None:
    blocks = m.blocks()
    rule = {**_rule(m), "scope": "bill"}
    rule.pop("evaluate", None)
    for code, channel in (("energy", "general"), ("controlled", "controlled")):
        m.add(code, "usage", [{**priced(m, blocks), "block_rule": rule}], channels=[channel], **m.own_zone)
    m.register("controlled")


def _index(m: Maker) -> None:
    r = m.r
    start, end = clock.midnight(m.zone, m.first), clock.midnight(m.zone, m.end)
    step = r.choice([minutes for minutes in (5, 15, 30, 60) if minutes >= (m.minutes if m.by_interval else 15)])
    count = (end - start) // step
    prices = [
        f"{r.choice((r.randrange(-3000, 9000), r.randrange(1000, 6000), r.randrange(0, 200000))) / 100:.2f}"
        for _ in range(count)
    ]
    m.context["price_series"] = {
        "RT": {"version": "7", "start": clock.written(start), "minutes": step, "prices": prices}
    }
    part: Json = {"series": "RT"}
    if not m.by_interval:
        part["profile"] = "RES"
        weights = [f"{r.randrange(1, 40) / 10:.1f}" for _ in range(count)]
        m.context["profiles"] = {
            "RES": {"version": "2", "start": clock.written(start), "minutes": step, "weights": weights}
        }
    for key, value in (("adder", m.amount(900)), ("multiplier", "1.05"), ("floor", "-5.00"), ("cap", "300")):
        if r.random() < 0.5:
            part[key] = value
    more = {"loss": True} if r.random() < 0.5 else {}
    m.context["loss_factors"] = [{"from": "2020-01-01", "to": "2030-01-01", "dlf": "1.0487", "mlf": "1"}]
    m.add("energy", "index", m.versions(lambda: dict(part)), **m.own_zone, **more)


def _table(m: Maker) -> None:
    edges = ["2020-01-01", *sorted({m.r.choice(m.days).isoformat() for _ in range(2)}), "2030-01-01"]
    edges = list(dict.fromkeys(edges))
    rows = [{"from": a, "to": b, "price": m.price()} for a, b in pairwise(edges)]
    part = {"rows": rows, "lookup": m.r.choice(("end_minus_one_day", "prorate_days"))}
    if m.r.random() < 0.5:
        part["adder"] = m.price(1, 300)
    m.add("energy", "rate_table", [part], **m.own_zone)


def _net(m: Maker) -> None:
    how = m.r.choice(("interval", "window", "period"))
    if how == "window":
        windows = m.windows(lambda: {"price": m.price()})
        m.add("energy", "tou", [{"windows": windows, "credit_price": m.price()}], net=how, **m.own_zone)
    else:
        m.add("energy", "usage", [{"price": m.price(), "credit_price": m.price()}], net=how, **m.own_zone)
    m.intervals("feed_in", 0, 1200)


def energy(m: Maker) -> None:
    r = m.r
    choices: list[tuple[Callable[[Maker], None], int]] = [
        (_usage, 4),
        (_tou, 4),
        (_index, 2),
        (_table, 1),
        (_bill_scope, 1),
    ]
    if m.by_interval:
        choices.append((_net, 1))
    make = r.choices([c for c, _ in choices], [w for _, w in choices])[0]
    make(m)
    if m.by_interval:
        row = m.intervals("general")
        if make is _bill_scope:
            m.usage["registers"] = [x for x in m.usage["registers"] if x["channel"] != "general"]
        if make in (_usage, _tou) and r.random() < 0.08:
            gone = r.sample(range(len(row["values"])), min(2, len(row["values"])))
            for n in gone:
                row["values"][n] = None
            m.charges[0]["gap_tolerance"] = r.choice((2, 3))
    elif make is not _tou:
        m.register("general", whole=make in (_index, _table))
    if not m.usage["registers"] and not m.usage["intervals"]:
        m.charges = [c for c in m.charges if c["code"] != "energy"]
        m.add("energy", "usage", [{"price": m.price()}])
        m.register("general")
