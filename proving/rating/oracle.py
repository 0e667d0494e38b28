"""The oracle: rates a case from the words of the specification alone, slow and obvious."""

from fractions import Fraction
from typing import Any

from proving.rating import clock, energy, energy_lines, load
from proving.rating.bill import MONTHS, Bill, Json, Line, named, sequence, version_id, versions
from proving.rating.demand import demand
from proving.rating.money import number, text
from proving.rating.taxes import conditional, discount, places_known, taxes

INTERVAL_KINDS = ("usage", "tou", "green", "rate_table", "feed_in", "index", "demand")


def rate(case: Json) -> Json:
    """The answer of the format for a case (parsed JSON, numbers as text)."""
    bill = Bill(case)
    load.check(bill)
    if not bill.failed:
        load.coverage(bill)
    if not bill.failed:
        _usage(bill)
        places_known(bill)
    if not bill.failed:
        _lines(bill)
    if bill.failed:
        return {**dict.fromkeys(("lines", "taxes", "conditional", "net", "tax", "total")), "findings": _findings(bill)}
    taxed = taxes(bill)
    inside = sum((tax["amount"] for tax in taxed if tax["inside"]), Fraction(0))
    lines = sum((line.amount for line in bill.lines), Fraction(0))
    tax = sum((tax["amount"] for tax in taxed), Fraction(0))
    total = lines + tax - inside
    shown = conditional(bill, total)
    _quality(bill)
    _plausible(bill, total)
    return {
        "lines": [_written(bill, line) for line in bill.lines],
        "taxes": [
            {
                **{key: tax[key] for key in ("code", "jurisdiction", "rate")},
                "base": text(tax["base"], bill.places),
                "amount": text(tax["amount"], bill.places),
            }
            for tax in taxed
        ],
        "conditional": shown,
        "net": text(lines - inside, bill.places),
        "tax": text(tax, bill.places),
        "total": text(total, bill.places),
        "findings": _findings(bill),
    }


def _findings(bill: Bill) -> list[Json]:
    return [{"code": code, "severity": severity} for code, severity in sorted(set(bill.findings))]


def _written(bill: Bill, line: Line) -> Json:
    return {
        "code": line.charge["code"],
        "from": line.first.isoformat(),
        "to": line.end.isoformat(),
        "quantity": text(line.quantity),
        "unit": line.unit,
        "price": text(line.price),
        "price_base": text(line.base),
        "amount": text(line.amount, bill.places),
        "tax_category": line.tax_category,
        "estimated": line.estimated,
        "service_point": line.service_point,
        "version": line.version,
        "season": line.season,
        "window": line.window,
        "block": line.block,
    }


def _usage(bill: Bill) -> None:
    """Is there usage, and has it ended?"""
    sources = [*bill.usage.get("registers", []), *bill.usage.get("intervals", [])]
    if any(charge["kind"] in ("usage", "tou", "index", "rate_table") for charge in bill.charges) and not sources:
        bill.found("USAGE_NONE")
    if bill.context.get("as_of") and sources and bill.end > clock.day(bill.context["as_of"]):
        bill.found("USAGE_FUTURE")


def _lines(bill: Bill) -> None:
    plain = [c for c in bill.charges if c["kind"] in energy.KINDS and not _is_index(c) and not _by_use(c)]
    held = energy_lines.lines(bill, plain)
    for charge in sorted(bill.charges, key=sequence):
        kind = charge["kind"]
        if id(charge) in held:
            for line in held[id(charge)]:
                bill.add(charge, **line)
        elif kind in ("index", "feed_in"):
            energy_lines.index(bill, charge)
        elif kind == "demand":
            demand(bill, charge)
        elif kind == "fixed_daily":
            _fixed_daily(bill, charge)
        elif kind == "fixed_period":
            for share in shares(bill, charge):
                for point in _points(bill, charge):
                    price, days, base, more = share
                    bill.add(charge, days, price, base, service_point=point, **more)
        elif kind == "minimum":
            _minimum(bill, charge)
        elif kind in ("discount", "green"):
            if not charge.get("conditional"):
                amount = discount(bill, charge)
                if amount:
                    bill.add(charge, Fraction(-1 if kind == "discount" else 1), amount)
        else:
            {"passthrough": _documents, "fee": _fees, "manual": _manual, "tax": lambda *_: None}[kind](bill, charge)


def _is_index(charge: Json) -> bool:
    return charge["kind"] == "feed_in" and "series" in versions(charge)[0]


def _by_use(charge: Json) -> bool:
    return charge["kind"] == "green" and versions(charge)[0].get("method") == "percent_of_use"


def _points(bill: Bill, charge: Json) -> list[str]:
    """One line for the bill, for each service point or for each meter."""
    per = charge.get("per", "bill")
    if per == "bill":
        return [""]
    sources = [*bill.usage.get("registers", []), *bill.usage.get("intervals", [])]
    if per == "service_point":
        return sorted({source.get("service_point", "") for source in sources})
    return [point for point, _ in sorted({(s.get("service_point", ""), s.get("meter", "")) for s in sources})]


def _run(days: list[Any]) -> Json:
    return {"first": days[0], "end": type(days[0]).fromordinal(days[-1].toordinal() + 1)}


def _fixed_daily(bill: Bill, charge: Json) -> None:
    for part in bill.parts(charge):
        for point in _points(bill, charge):
            more = {"version": version_id(charge, part["n"]), "service_point": point, **_run(part["days"])}
            bill.add(charge, Fraction(len(part["days"])), number(part["version"]["price"]), **more)


def shares(bill: Bill, charge: Json) -> list[tuple[Fraction, Fraction, Fraction, Json]]:
    """(price, days, days of the nominal period) of a price per period, and the days."""
    how, found = charge.get("proration", "none"), []
    for part in bill.parts(charge):
        version = part["version"]
        price = number(version.get("price", version.get("amount")))
        about = {"version": version_id(charge, part["n"])}
        months = MONTHS[version.get("period", "P1M")]
        if how == "none":  # once, by the version that ends the bill
            found = [(price, Fraction(1), Fraction(1), {**about, "first": bill.first, "end": bill.end})]
        elif how == "annual_365":
            found.append((price, Fraction(len(part["days"])), Fraction(365), {**about, **_run(part["days"])}))
        else:
            months = months if how == "by_days_of_period" else 1
            pots: dict[Any, list[Any]] = {}
            for when in part["days"]:
                pots.setdefault(_nominal(bill, when, months, how), []).append(when)
            for (first, end), days in pots.items():
                count, base = len(days), (end - first).days
                if how == "thirty":
                    count, base = min(count, 30), 30
                found.append((price, Fraction(count), Fraction(base), {**about, **_run(days)}))
    return found


def _nominal(bill: Bill, when: Any, months: int, how: str) -> Any:
    cycles = bill.context.get("cycle") if how == "by_days_of_period" else None
    for cycle in [cycles] if isinstance(cycles, dict) else cycles or []:
        if clock.day(cycle["from"]) <= when < clock.day(cycle["to"]):
            return clock.day(cycle["from"]), clock.day(cycle["to"])
    return clock.calendar_period(when, months)


def _minimum(bill: Bill, charge: Json) -> None:
    """The shortfall: feed-in and credits never count, discounts count."""
    wanted = sum((price * days / base for price, days, base, _ in shares(bill, charge)), Fraction(0))
    counted = sum(
        (
            line.amount
            for line in bill.lines
            if named(charge["applies_to"], line.charge, line.tax_category)
            and line.charge["kind"] != "feed_in"
            and not line.surplus
        ),
        Fraction(0),
    )
    if wanted > counted and bill.money(charge, wanted - counted):
        bill.add(charge, Fraction(1), bill.money(charge, wanted - counted))
        bill.found("MINIMUM_APPLIED", "info")


def _documents(bill: Bill, charge: Json) -> None:
    """Each charge of the utility is one line, to the cent as delivered."""
    known = {(c["utility"], c["code"]): c for version in charge["versions"] for c in version["codes"]}
    for document in bill.usage.get("documents", []):
        if sum(number(c["amount"]) for c in document["charges"]) != number(document["total"]):
            bill.found("PASSTHROUGH_TOTAL")
        for delivered in document["charges"]:
            mapped = known.get((document["utility"], delivered["code"]))
            if mapped is None:
                bill.found("PASSTHROUGH_CODE_UNKNOWN")
                continue
            category = mapped.get("tax_category", charge.get("tax_category"))
            bill.add(charge, Fraction(1), number(delivered["amount"]), tax_category=category)


def _fees(bill: Bill, charge: Json) -> None:
    version = versions(charge)[0]
    for event in bill.usage.get("events", []):
        if event["charge"] != charge["code"]:
            continue
        if "amount" in version:
            bill.add(charge, number(event.get("quantity", "1")), number(version["amount"]))
            continue
        base = number(event.get("base"))
        if "applies_to" in charge:
            base = sum(
                (x.amount for x in bill.lines if named(charge["applies_to"], x.charge, x.tax_category)), Fraction(0)
            )
        bill.add(charge, base, number(version["percent"]), Fraction(100))


def _manual(bill: Bill, charge: Json) -> None:
    for row in bill.usage.get("manual", []):
        if row["charge"] == charge["code"]:
            category = row.get("tax_category", charge.get("tax_category"))
            more: Json = {"first": clock.day(row["from"]), "end": clock.day(row["to"])} if "from" in row else {}
            bill.add(charge, number(row.get("quantity", "1")), number(row["price"]), tax_category=category, **more)


def _quality(bill: Bill) -> None:
    sources = (*bill.usage.get("registers", []), *bill.usage.get("intervals", []))
    letters = [source.get("quality", "A") for source in sources]
    if any(letter != "A" if isinstance(letter, str) else any(x != "A" for _, x in letter) for letter in letters):
        bill.found("ESTIMATED", "info")


def _plausible(bill: Bill, total: Fraction) -> None:
    earlier = [number(value) for value in bill.context.get("earlier_totals", [])]
    if earlier and total > number(bill.context.get("implausible_factor", "5")) * sum(earlier) / len(earlier):
        bill.found("AMOUNT_IMPLAUSIBLE", "warning")
