"""Taxes and conditional discounts of the oracle."""

from datetime import timedelta
from fractions import Fraction

from proving.rating import clock
from proving.rating.bill import Bill, Json, named, sequence, span, versions
from proving.rating.money import half_up, number, text


def taxes(bill: Bill) -> list[Json]:
    """In sequence; a tax may stand on earlier ones. Each is rounded once on the sum of rounded lines."""
    found: list[Json] = []
    for charge in sorted((c for c in bill.charges if c["kind"] == "tax"), key=sequence):
        what = charge.get("applies_to", {})
        base = sum((x.amount for x in bill.lines if named(what, x.charge, x.tax_category)), Fraction(0))
        base += sum((tax["amount"] for tax in found if tax["code"] in what.get("taxes", [])), Fraction(0))
        for version, part in _by_rate(bill, charge, base):
            if not _applies(bill, version):
                continue
            taxable = half_up(part * (1 - _exempt(bill, charge)), bill.places)
            rate = number(version["rate"])
            method = version.get("method", "on_top")
            factor = {"on_top": rate, "gross_up": rate / (1 - rate), "inside": rate / (1 + rate)}[method]
            found.append(
                {
                    "code": charge["code"],
                    "jurisdiction": version.get("jurisdiction"),
                    "rate": version["rate"],
                    "base": taxable,
                    "amount": bill.money(charge, taxable * factor),
                    "inside": method == "inside",
                }
            )
    return found


def _by_rate(bill: Bill, charge: Json, base: Fraction) -> list[tuple[Json, Fraction]]:
    """The rate at the end of the period, or the base split by days at each change of rate."""
    held = versions(charge)
    last = held[bill.version_on(charge, bill.end - timedelta(days=1))]
    if last.get("date_rule", "end") == "end":
        return [(last, base)]
    parts = [(v, sum(span(v)[0] <= when < span(v)[1] for when in bill.days)) for v in held]
    parts = [(v, days) for v, days in parts if days]
    left, found = base, []
    for n, (version, days) in enumerate(parts):
        part = left if n == len(parts) - 1 else half_up(base * days / len(bill.days), bill.places)
        left -= part
        found.append((version, part))
    return found


def _applies(bill: Bill, version: Json) -> bool:
    classes, codes = version.get("customer_classes"), version.get("place_codes")
    if classes is not None and bill.context.get("customer_class") not in classes:
        return False
    if codes is None:
        return True
    return bool(set(codes) & set(bill.context.get("tax_codes", [])))


def places_known(bill: Bill) -> None:
    """A tax by place needs the tax codes of the service address."""
    for charge in bill.charges:
        by_place = charge["kind"] == "tax" and any("place_codes" in version for version in charge["versions"])
        if by_place and not bill.context.get("tax_codes"):
            bill.found("TAX_PLACE_UNKNOWN")


def _exempt(bill: Bill, charge: Json) -> Fraction:
    last = bill.end - timedelta(days=1)
    for row in bill.context.get("exemptions", []):
        if row["tax"] == charge["code"]:
            if row.get("to") and last >= clock.day(row["to"]):
                bill.found("EXEMPTION_EXPIRED", "warning")
            elif not row.get("from") or clock.day(row["from"]) <= last:
                return number(row["percent"]) / 100
    return Fraction(0)


def discount(bill: Bill, charge: Json) -> Fraction:
    """The amount of a discount, or of a percentage of use, above zero."""
    version = versions(charge)[0]
    method = version["method"]
    if method == "fixed":
        return number(version["amount"])
    what = charge.get("applies_to")
    base = Fraction(0)
    for line in bill.lines:
        use = line.charge["kind"] in ("usage", "tou", "rate_table", "index")
        if line.surplus:
            continue
        default = use if method == "percent_of_use" else line.charge["kind"] != "feed_in"
        if default if what is None else named(what, line.charge, line.tax_category):
            base += line.amount
    if method == "percent_over_threshold":
        base = max(base - number(version["threshold"]), Fraction(0))
    return bill.money(charge, base * number(version["percent"]) / 100)


def conditional(bill: Bill, total: Fraction) -> list[Json]:
    """Shown, not deducted: the amount, its part of the tax, and what is left to pay by the date."""
    found = []
    for charge in bill.charges:
        if charge["kind"] != "discount" or not charge.get("conditional"):
            continue
        amount = discount(bill, charge)
        tax = Fraction(0)
        for levied in bill.charges:
            if levied["kind"] == "tax" and named(levied["applies_to"], charge, charge.get("tax_category")):
                version = versions(levied)[bill.version_on(levied, bill.end - timedelta(days=1))]
                if _applies(bill, version):
                    taxable = half_up(amount * (1 - _exempt(bill, levied)), bill.places)
                    tax += bill.money(levied, taxable * number(version["rate"]))
        places = bill.places
        found.append(
            {
                "code": charge["code"],
                "amount": text(amount, places),
                "tax": text(tax, places),
                "payable": text(total - amount - tax, places),
                "by": bill.context.get("due_date"),
            }
        )
    return found
