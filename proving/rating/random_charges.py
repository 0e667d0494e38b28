"""Random charges beside energy: fixed, demand, feed-in, documents, fees, discounts, minimum and taxes."""

from datetime import timedelta
from itertools import pairwise

from proving.rating.bill import Json
from proving.rating.maker import ALL, WORKING, Maker
from proving.rating.random_energy import priced

_LONGEST_CYCLE = 60
"""Days: a longer one is no month's."""


def fixed(m: Maker) -> None:
    r = m.r
    if r.random() < 0.7:
        m.add("supply", "fixed_daily", m.versions(lambda: {"price": m.price(1000, 15000)}))
    if r.random() < 0.6:
        how = r.choice(("none", "by_days_of_period", "by_days_of_period", "by_calendar_month", "thirty", "annual_365"))
        if how == "thirty" and (m.first.year, m.first.month) != (m.days[-1].year, m.days[-1].month):
            how = "by_calendar_month"
        period = {"by_days_of_period": r.choice(("P1M", "P3M", "P6M", "P1Y")), "annual_365": "P1Y"}.get(how, "P1M")
        if how == "by_days_of_period" and period == "P1M" and r.random() < 0.6 and len(m.days) > 1:
            middle = r.choice(m.days[1:])
            edges = [m.first - timedelta(days=r.randrange(9)), middle, m.end + timedelta(days=r.randrange(9))]
            if max((b - a).days for a, b in pairwise(edges)) <= _LONGEST_CYCLE:
                m.context["cycle"] = [{"from": a.isoformat(), "to": b.isoformat()} for a, b in pairwise(edges)]
        changes = how not in ("none", "thirty")
        versions = m.versions(lambda: {"price": m.amount(), "period": period}, changes)
        m.add("base", "fixed_period", versions, proration=how)


def demand(m: Maker) -> None:
    r = m.r
    part: Json = {"demand_window": max(m.minutes, r.choice((15, 30, 60)))}
    blocks = r.random() < 0.3

    def priced() -> Json:
        return {"blocks": m.blocks(20)} if blocks else {"price": m.price(1000, 90000)}

    if r.random() < 0.4:
        part["windows"] = [
            {"name": "peak", "days": WORKING, "from": "15:00", "to": "21:00", **priced()},
            *([{"name": "night", "days": ALL, "from": "22:00", "to": "06:00", **priced()}] if r.random() < 0.5 else []),
        ]
    else:
        part.update(priced())
    part["measure"] = r.choice(("window_max", "window_max", "daily_max_average", "top_n_average"))
    if part["measure"] == "top_n_average":
        part["n"] = r.choice((1, 2, 4))
    elif part["measure"] == "window_max" and r.random() < 0.2:
        part["power_factor"] = "0.92"
    periods = (("bill", "bill"), ("bill", "day"), ("month", "day"), ("month", "month"))
    part["measurement_period"], part["charge_period"] = r.choice(periods)
    if r.random() < 0.3:
        part["floor"] = f"{r.randrange(1, 9)}.5"
    if r.random() < 0.2:
        part["contract_minimum"] = str(r.randrange(1, 9))
    if r.random() < 0.4 and part["measurement_period"] == "bill" and "windows" not in part:
        part["ratchet"] = {"percent": r.choice(("80", "62.5", "100")), "periods": r.choice((2, 3, 11))}
        known = [
            {
                "charge": "demand",
                "from": f"2023-{n:02}-01",
                "to": f"2023-{n + 1:02}-01",
                "measured": f"{r.randrange(1, 9000) / 1000:.3f}",
            }
            for n in range(1, r.choice((2, 4, 12)))
        ]
        m.context["demand_history"] = known
    how = {"proration": "by_calendar_month"} if part["charge_period"] == "month" else {}
    unit = {"unit": "kVA"} if "power_factor" in part else {}
    m.add("demand", "demand", [part], **m.own_zone, **how, **unit)
    if part["measure"] == "window_max" and "power_factor" not in part and r.random() < 0.15:
        part["demand_window"] = m.minutes
        row = m.usage["intervals"][0]
        values = [f"{r.randrange(0, 300) / 1000:.3f}" for _ in row["values"]]
        m.usage["reactive"] = [
            {"channel": "general", "unit": "kvarh", "start": row["start"], "minutes": m.minutes, "values": values}
        ]
        m.charges[-1]["unit"] = "kVA"


def others(m: Maker) -> None:
    r = m.r
    if r.random() < 0.25:
        m.register("controlled2")
        m.add("controlled2", "usage", [{"price": m.price()}], channels=["controlled2"])
    if r.random() < 0.3 and not any(c.get("net") for c in m.charges):
        blocks = m.blocks() if r.random() < 0.5 else None
        part = {
            **priced(m, blocks),
            **({"block_rule": {"period": r.choice(("P1D", "bill", "P1M"))}} if blocks else {}),
        }
        m.add("feed_in", "feed_in", [part], tax_category="Z")
        m.register("feed_in")
    if r.random() < 0.15:
        m.register("green_channel")
        m.add(
            "green",
            "green",
            [{"price": m.price(), "percent": r.choice(("100", "25", "10"))}],
            channels=["green_channel"],
        )
    if r.random() < 0.2:
        amounts = [f"{r.randrange(-500, 4000) / 100:.2f}" for _ in range(r.randrange(1, 4))]
        total = sum(round(float(x) * 100) for x in amounts)
        charges = [{"code": f"C{n}", "amount": amount} for n, amount in enumerate(amounts)]
        sign, cents = "-" if total < 0 else "", f"{abs(total):03}"
        document = {
            "utility": "U",
            "number": "1",
            "purpose": "00",
            **m.dates,
            "total": f"{sign}{cents[:-2]}.{cents[-2:]}",
            "charges": charges,
        }
        m.usage["documents"] = [document]
        codes = [
            {"utility": "U", "code": f"C{n}", "bill_text": f"Charge {n}", "tax_category": r.choice("TZ")}
            for n in range(3)
        ]
        m.add("tdsp", "passthrough", [{"codes": codes}])
    if r.random() < 0.2:
        late = r.random() < 0.5
        m.add(
            "fee", "fee", [{"percent": "5"} if late else {"amount": m.amount()}], rounding=r.choice(("half_up", "down"))
        )
        event = {"charge": "fee", "date": m.first.isoformat()}
        m.usage["events"] = [{**event, **({"base": m.amount(90000)} if late else {"quantity": str(r.randrange(1, 4))})}]
    if r.random() < 0.1:
        m.add("special", "manual", [{}])
        row = {
            "charge": "special",
            "bill_text": "Special",
            "quantity": str(r.randrange(1, 5)),
            "unit": "each",
            "price": m.amount(),
        }
        m.usage["manual"] = [{**row, "tax_category": "T", **m.dates}]
    if r.random() < 0.3:
        m.add("use_discount", "discount", [{"method": "percent_of_use", "percent": r.choice(("12", "7.5", "3"))}])
    if r.random() < 0.25:
        how = r.choice(("percent_of_bill", "fixed", "percent_over_threshold"))
        terms: Json = {"method": how, **({"amount": m.amount(500)} if how == "fixed" else {"percent": "4"})}
        what: Json = {}
        if how == "percent_over_threshold":
            terms["threshold"] = m.amount(9000)
            what = {"applies_to": {"codes": ["energy"]}}
        elif how == "percent_of_bill" and r.random() < 0.4:
            what = {"applies_to": {"groups": ["energy", "fixed"]}}
        m.add("discount", "discount", [terms], **what)
    if r.random() < 0.2:
        m.add(
            "on_time", "discount", [{"method": "percent_of_bill", "percent": "5"}], conditional=True, tax_category="T"
        )
        m.context["due_date"] = (m.end + timedelta(days=21)).isoformat()
    if r.random() < 0.25:
        how = r.choice(("none", "by_days_of_period", "by_calendar_month"))
        if "cycle" in m.context and how == "by_days_of_period":
            how = "by_calendar_month"
        counted = ["energy", "base", "supply", "use_discount"]
        m.add("minimum", "minimum", [{"amount": m.amount(40000)}], proration=how, applies_to={"codes": counted})


def taxes(m: Maker) -> None:
    r = m.r
    conditional = any(charge.get("conditional") for charge in m.charges)
    inside = not conditional and r.random() < 0.15
    method = "inside" if inside else "on_top" if conditional else r.choice(("on_top", "on_top", "gross_up"))
    rates = ("0.10", "0.0825", "0.19", "0.059", "0.01997")
    versions = m.versions(lambda: {"method": method, "rate": r.choice(rates), "jurisdiction": "J1"})
    if r.random() < 0.3:
        versions = [{**version, "date_rule": "split"} for version in versions] if not conditional else versions
    m.add("gst", "tax", versions, applies_to={"tax_categories": ["T"]})
    if r.random() < 0.4 and not inside and not conditional:
        local: Json = {"rate": "0.06"}
        if r.random() < 0.4:
            local["place_codes"] = ["TX-1"]
            m.context["tax_codes"] = r.choice((["TX-1", "TX-2"], ["TX-2"]))
        if r.random() < 0.3:
            local["customer_classes"] = ["business"]
            m.context["customer_class"] = r.choice(("business", "residential"))
        m.add("sales", "tax", [local], applies_to={"groups": ["energy", "fixed"], "taxes": ["gst"]})
        if r.random() < 0.5:
            ends = "2030-01-01" if r.random() < 0.7 else "2023-06-01"
            row = {
                "tax": "sales",
                "percent": r.choice(("40", "100", "33.3")),
                "certificate": "C-1",
                "from": "2023-01-01",
                "to": ends,
            }
            m.context["exemptions"] = [row]
    if inside:
        m.context["_inside"] = True
