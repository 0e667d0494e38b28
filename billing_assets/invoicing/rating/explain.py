"""Each line as a person with a pocket calculator checks it, and its amount again from the evidence alone."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from billing_assets.foundation.money import canonical
from billing_assets.invoicing.rating.index import amount_of
from billing_assets.invoicing.rating.rated import Evidence, Line, Rated, TaxLine
from billing_assets.invoicing.rating.rounding import down, half_up
from billing_assets.invoicing.rating.tariff import Charge, IndexTerms, Kind


def explain(rated: Rated) -> Iterator[str]:
    """A sentence a line and tax, in the order of the bill."""
    for line in rated.lines:
        yield _line(line, rated.evidence[line.evidence])
    for tax in rated.taxes:
        yield _tax(tax, rated.evidence[tax.evidence])


def _line(line: Line, evidence: Evidence) -> str:
    base = "" if line.price_base == 1 else f" / {canonical(line.price_base)}"
    unit = f" {line.unit}" if line.unit else ""
    head = f"{line.code} {line.begins} to {line.ends}: {canonical(line.quantity)}{unit} * {line.price:f}{base}"
    said = [f"{head} = {_rounded(evidence)} {line.amount:f}", f"version {line.version}"]
    if "parts" in evidence:
        said[0] = f"{line.code} {line.begins} to {line.ends}: {_index(evidence)} = {_rounded(evidence)} {line.amount:f}"
    if evidence.get("limits"):
        said.append("limits " + "; ".join(", ".join(one) for one in evidence["limits"]))
    if "billed" in evidence:
        names = ("measured", "ratchet", "contract_minimum", "floor")
        said.append(f"billed {evidence['billed']} = the highest of " + ", ".join(f"{n} {evidence[n]}" for n in names))
    if "minimum" in evidence:
        said.append(f"minimum {evidence['minimum']} less {evidence['counted']}")
    if evidence.get("intervals"):
        said.append(f"{evidence['intervals']} intervals, {evidence['missing']} missing")
    return "; ".join(said) + "."


def _rounded(evidence: Evidence) -> str:
    way = "down" if evidence["rounding"] == "down" else "half up"
    return f"{evidence['exact']}, rounded {way}"


def _index(evidence: Evidence) -> str:
    parts = " + ".join(
        f"(kWh by price {one['kwh_price']}, kWh {one['kwh']}, loss {one['loss']})" for one in evidence["parts"]
    )
    return f"{parts} at {evidence['series']} version {evidence['series_version']}"


def _tax(tax: TaxLine, evidence: Evidence) -> str:
    form = {
        "on_top": f"{tax.base:f} * {tax.rate:f}",
        "gross_up": f"{tax.base:f} * {tax.rate:f} / (1 - {tax.rate:f})",
        "inside": f"{tax.base:f} * {tax.rate:f} / (1 + {tax.rate:f})",
    }[evidence["method"]]
    exempt = ""
    if evidence["exempt_percent"] != "0":
        exempt = f"; {evidence['exempt_percent']} % of {evidence['before_exemption']} is exempt"
    return f"{tax.code}: {form} = {_rounded(evidence)} {tax.amount:f}{exempt}."


def amount_again(charge: Charge, evidence: Evidence, line: Line, places: int) -> Decimal:
    """The amount of a line, computed again from its evidence and the version of the tariff that it names."""
    way = down if evidence["rounding"] == "down" else half_up
    version = next(one for one in charge.versions if one.id == evidence["version"])
    if isinstance(version.terms, IndexTerms) and "parts" in evidence:
        whole = sum(
            (
                amount_of(Fraction(one["kwh"]), Fraction(one["kwh_price"]), Fraction(one["loss"]), version.terms)
                for one in evidence["parts"]
            ),
            Fraction(0),
        )
        sign = -1 if charge.kind is Kind.FEED_IN else 1
        return way(Fraction(sign * whole, 1000), places)
    return way(Fraction(Fraction(line.quantity) * Fraction(line.price), Fraction(line.price_base)), places)
