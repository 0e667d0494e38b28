"""What the parts of the oracle share: the case, the lines so far and the findings."""

from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from proving.rating import clock
from proving.rating.money import MINOR, down, half_up

Json = dict[str, Any]
NOMINAL = {
    "P1D": Fraction(1),
    "P7D": Fraction(7),
    "P1M": Fraction(365, 12),
    "P3M": Fraction(365, 4),
    "P6M": Fraction(365, 2),
    "P1Y": Fraction(365),
}
MONTHS = {"P1M": 1, "P3M": 3, "P6M": 6, "P1Y": 12}
SEQUENCE = {
    "demand": 200,
    "index": 300,
    "passthrough": 400,
    "fee": 450,
    "manual": 450,
    "minimum": 600,
    "feed_in": 800,
    "tax": 900,
}
GROUP = {
    **dict.fromkeys(("usage", "tou", "index", "rate_table", "green"), "energy"),
    **dict.fromkeys(("fixed_daily", "fixed_period", "minimum"), "fixed"),
    **dict.fromkeys(("feed_in", "discount"), "credit"),
    "manual": "fee",
}


@dataclass
class Line:
    """One line; `quantity x price ÷ base` is the exact amount, `amount` the rounded one."""

    charge: Json
    first: date
    end: date
    quantity: Fraction
    unit: str | None
    price: Fraction
    amount: Fraction
    base: Fraction = Fraction(1)
    estimated: bool = False
    service_point: str = ""
    version: str | None = None
    season: str | None = None
    window: str | None = None
    block: int | None = None
    tax_category: str | None = None
    surplus: bool = False


@dataclass
class Bill:
    case: Json
    lines: list[Line] = field(default_factory=list)
    findings: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context: Json = self.case.get("context", {})
        self.usage: Json = self.case.get("usage", {})
        self.charges: list[Json] = self.case["tariff"]["charges"]
        self.first = clock.day(self.case["period"]["from"])
        self.end = clock.day(self.case["period"]["to"])
        self.days = clock.days(self.first, self.end)
        self.places = MINOR.get(self.case["tariff"]["currency"], 2)

    def found(self, code: str, severity: str = "error") -> None:
        self.findings.append((code, severity))

    @property
    def failed(self) -> bool:
        return any(severity == "error" for _, severity in self.findings)

    def zone(self, charge: Json) -> str:
        named = charge.get("time_zone", "local")
        return str(self.context.get("time_zone", "UTC") if named == "local" else named)

    def money(self, charge: Json, value: Fraction) -> Fraction:
        return (down if charge.get("rounding") == "down" else half_up)(value, self.places)

    def add(self, charge: Json, quantity: Fraction, price: Fraction, base: Fraction = Fraction(1), **more: Any) -> None:
        """A line whose amount is quantity x price ÷ base; below zero with a negative quantity and a positive price."""
        if price < 0:
            quantity, price = -quantity, -price
        amount = self.money(charge, quantity * price / base)
        more.setdefault("first", self.first)
        more.setdefault("end", self.end)
        more.setdefault("unit", None)
        more.setdefault("tax_category", charge.get("tax_category"))
        self.lines.append(Line(charge, quantity=quantity, price=price, base=base, amount=amount, **more))

    def version_on(self, charge: Json, when: date) -> int:
        for n, version in enumerate(versions(charge)):
            start, end = span(version)
            if start <= when < end:
                return n
        raise LookupError(when)

    def parts(self, charge: Json, first: date | None = None, end: date | None = None) -> list[Json]:
        """Runs of days with one version and one season, in order of time."""
        runs: list[Json] = []
        for when in clock.days(first or self.first, end or self.end):
            n = self.version_on(charge, when)
            version = versions(charge)[n]
            season = next((s for s in version.get("seasons", []) if clock.in_season(s, when)), None)
            if runs and runs[-1]["n"] == n and runs[-1]["season"] is season:
                runs[-1]["days"].append(when)
            else:
                runs.append({"n": n, "version": version, "season": season, "days": [when]})
        return runs


def versions(charge: Json) -> list[Json]:
    return sorted(charge["versions"], key=lambda version: version.get("valid_from") or "0001-01-01")


def version_id(charge: Json, n: int) -> str:
    return str(versions(charge)[n].get("id", f"v{n + 1}"))


def span(version: Json) -> tuple[date, date]:
    start, end = version.get("valid_from"), version.get("valid_to")
    return (clock.day(start) if start else date.min), (clock.day(end) if end else date.max)


def group(charge: Json) -> str:
    return str(charge.get("group", GROUP.get(charge["kind"], charge["kind"])))


def sequence(charge: Json) -> int:
    if "sequence" in charge:
        return int(charge["sequence"])
    if charge["kind"] == "discount":
        return 500 if versions(charge)[0]["method"] == "percent_of_use" else 700
    return SEQUENCE.get(charge["kind"], 100)


def named(what: Json, charge: Json, tax_category: str | None) -> bool:
    """Whether `applies_to` names a line of this charge."""
    return (
        charge["code"] in what.get("codes", [])
        or group(charge) in what.get("groups", [])
        or (tax_category is not None and tax_category in what.get("tax_categories", []))
    )
