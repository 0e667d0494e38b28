"""Oracle against engine: what differs, and the smallest case that still shows it."""

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from proving.rating import oracle
from proving.rating.bill import Json
from proving.rating.money import MINOR, down, half_up

Rate = Callable[[Json], Json]
MEASURED = ("usage", "tou", "rate_table", "feed_in", "green", "demand", "index")
PRICED = ("usage", "tou", "rate_table", "feed_in", "green")
DATED = (*MEASURED, "fixed_daily", "fixed_period")


@dataclass(frozen=True)
class Difference:
    """What oracle and engine say of one thing of a case."""

    what: str
    oracle: str
    engine: str

    def __str__(self) -> str:
        return f"{self.what}: oracle {self.oracle}, engine {self.engine}"


def differences(case: Json, engine: Rate) -> list[Difference]:
    """All differences of one case; an answer that is none counts as one."""
    expected = oracle.rate(case)
    try:
        answer = engine(copy.deepcopy(case))
    except Exception as error:  # noqa: BLE001 - a crash of the engine is a finding here
        return [Difference("answer", _codes(expected), f"{type(error).__name__}: {str(error)[-300:]}")]
    return list(_differences(case, expected, answer))


def _codes(answer: Json) -> str:
    return ", ".join(sorted({found["code"] for found in answer["findings"]})) or "no finding"


def _differences(case: Json, expected: Json, answer: Json) -> Iterator[Difference]:
    for severity in ("error", "warning", "info"):
        ours, theirs = (
            sorted({found["code"] for found in side["findings"] if found["severity"] == severity})
            for side in (expected, answer)
        )
        refused = expected["lines"] is None and answer["lines"] is None
        if ours != theirs and (severity == "error" or not refused):
            yield Difference(f"{severity}s", str(ours), str(theirs))
    if expected["lines"] is None or answer["lines"] is None:
        if (expected["lines"] is None) != (answer["lines"] is None):
            yield Difference("lines", str(expected["lines"] and "some"), str(answer["lines"] and "some"))
        for key in ("lines", "taxes", "net", "tax", "total"):
            if answer["lines"] is None and answer[key] not in (None, []):
                yield Difference(key, "none beside an error", str(answer[key]))
        return
    kinds = {charge["code"]: charge for charge in case["tariff"]["charges"]}
    kept: tuple[tuple[str, Callable[[Json], Iterator[tuple[Any, ...]]]], ...] = (
        ("lines", lambda side: (_line(kinds, line) for line in side["lines"] if _shows(kinds, line))),
        ("taxes", _taxes),
        ("conditional", lambda side: (_conditional(row) for row in side["conditional"] if Fraction(row["amount"]))),
    )
    for what, rows in kept:
        mine, found = Counter(rows(expected)), Counter(rows(answer))
        if mine != found:
            yield Difference(what, _shown(mine - found), _shown(found - mine))
    for key in ("net", "tax", "total"):
        if Fraction(expected[key]) != Fraction(answer[key]):
            yield Difference(key, expected[key], answer[key])
    places = MINOR.get(case["tariff"]["currency"], 2)
    for line in answer["lines"]:
        yield from _recomputed(kinds[line["code"]], line, places)


def _shows(kinds: dict[str, Json], line: Json) -> bool:
    """Whether a discount or a minimum of nothing is a line is left open."""
    return Fraction(line["amount"]) != 0 or kinds[line["code"]]["kind"] not in ("discount", "minimum")


def _line(kinds: dict[str, Json], line: Json) -> tuple[Any, ...]:
    """What is compared of a line. How a percentage or a share is written is the engine's choice, its amount is not."""
    kind = kinds[line["code"]]["kind"]
    found: list[Any] = [line["code"], Fraction(line["amount"]), line["tax_category"], line["estimated"]]
    found += [line["season"], line["window"], line["service_point"]]
    if kind in MEASURED:
        found += [line["unit"]] if kind != "demand" else []
        found += [Fraction(line["quantity"])] if kind != "demand" else []
    if kind in PRICED:
        found += [Fraction(line["price"]), Fraction(line["price_base"]), line["block"] is None]
    if kind in DATED:
        found += [line["from"], line["to"], line["version"]]
    return tuple(found)


def _taxes(answer: Json) -> Iterator[tuple[Any, ...]]:
    """Of each tax that is not zero."""
    for tax in answer["taxes"]:
        if Fraction(tax["amount"]):
            yield _tax(tax)


def _tax(tax: Json) -> tuple[Any, ...]:
    return (tax["code"], tax["jurisdiction"], Fraction(tax["rate"]), Fraction(tax["base"]), Fraction(tax["amount"]))


def _conditional(row: Json) -> tuple[Any, ...]:
    return (row["code"], *(Fraction(row[key]) for key in ("amount", "tax", "payable")), row["by"])


def _recomputed(charge: Json, line: Json, places: int) -> Iterator[Difference]:
    """Printed quantity x printed price ÷ base, rounded, is the printed amount."""
    quantity, price, base = (Fraction(line[key]) for key in ("quantity", "price", "price_base"))
    if base == 0:
        yield Difference(f"line {line['code']}: price base", "above zero", "0")
        return
    rounded = (down if charge.get("rounding") == "down" else half_up)(quantity * price / base, places)
    if rounded != Fraction(line["amount"]):
        yield Difference(
            f"line {line['code']}: {line['quantity']} x {line['price']} / {line['price_base']}",
            str(float(rounded)),
            line["amount"],
        )
    if (quantity * 10**6).denominator != 1:
        yield Difference(f"line {line['code']}: decimals of the quantity", "at most 6", line["quantity"])
    if price < 0 or (Fraction(line["amount"]) < 0) != (quantity < 0 and Fraction(line["amount"]) != 0):
        yield Difference(
            f"line {line['code']}: sign", "negative quantity, positive price", f"{line['quantity']} x {line['price']}"
        )


def _shown(rows: Counter[tuple[Any, ...]]) -> str:
    if not rows:
        return "nothing more"
    texts = [
        "(" + ", ".join(str(float(x)) if isinstance(x, Fraction) else str(x) for x in row) + ")"
        for row in rows.elements()
    ]
    return " ".join(sorted(texts))


def smallest(case: Json, engine: Rate, budget: int = 400) -> Json:
    """A smaller case in which the same things differ: parts are taken out one by one while that holds."""
    wanted = _marks(differences(case, engine))
    tries = 0
    progress = True
    while progress and tries < budget:
        progress = False
        for smaller in _smaller(case):
            tries += 1
            if tries > budget:
                break
            try:
                held = _marks(differences(smaller, engine))
            except (LookupError, ValueError, ZeroDivisionError, AssertionError, StopIteration):
                continue  # not a valid case any more
            if held and held <= wanted:
                case, progress = smaller, True
                break
    return case


def _marks(found: list[Difference]) -> set[str]:
    """What tells one kind of difference from another: for findings their codes."""
    return {x.what.split(":")[0] + (x.oracle + x.engine if x.what == "errors" else "") for x in found}


def _smaller(case: Json) -> Iterator[Json]:
    """Each case with one part less, large parts first."""
    for path in _paths(case, ()):
        smaller = copy.deepcopy(case)
        holder: Any = smaller
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]
        yield smaller


NEEDED = {
    "tariff",
    "usage",
    "period",
    "context",
    "code",
    "currency",
    "charges",
    "kind",
    "versions",
    "price",
    "from",
    "to",
}
NEEDED |= {
    "quantity",
    "start",
    "minutes",
    "values",
    "time_zone",
    "rate",
    "name",
    "method",
    "percent",
    "applies_to",
    "channel",
}
WHOLE = {
    "windows",
    "values",
    "prices",
    "weights",
    "seasons",
    "blocks",
    "rows",
    "days",
    "quality",
    "applies_to",
    "cycle",
    "versions",
}


def _paths(node: Any, above: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key not in NEEDED:
                yield (*above, key)
            if key not in WHOLE or key == "versions":
                yield from _paths(value, (*above, key))
    elif isinstance(node, list):
        for n, value in enumerate(node):
            if above[-1] != "versions":
                yield (*above, n)
            yield from _paths(value, (*above, n))


def campaign(
    make: Callable[[int], Json], count: int, engine: Rate, report: Callable[[int, Json, list[Difference]], None]
) -> int:
    """Compares cases 0 to count − 1; reports each that differs and gives their number."""  # noqa: RUF002
    differing = 0
    for n in range(count):
        case = make(n)
        found = differences(case, engine)
        if found:
            differing += 1
            report(n, case, found)
    return differing


__all__ = ["Difference", "campaign", "differences", "smallest"]
