"""The oracle of rating gives the published bills; the engine gives what the oracle gives, over random cases."""

import copy
import csv
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import pytest

import billing_assets_tests
from proving.rating import clock, compare, engine, generate, oracle, urdb
from proving.rating.bill import Json

CASES = Path(compare.__file__).parent / "cases"
TARIFFS = Path(billing_assets_tests.__file__).parent / "data" / "tariffs-foreign"
EXPECTED = json.loads((CASES / "expected.json").read_text(encoding="utf-8"))
BILLS = sorted(path.stem for path in CASES.glob("W*.json"))
# A cancel, a budget and a true-up are work of the invoice engine, not of rating.
NOT_RATED = {"W10b", "W15b", "W16"}


def _case(name: str) -> Json:
    found: Json = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - NOT_RATED))
def test_the_oracle_gives_the_worked_bills_line_by_line(name: str) -> None:
    answer, expected = oracle.rate(_case(name)), EXPECTED[name]
    inside = Fraction(answer["total"]) - sum(Fraction(line["amount"]) for line in answer["lines"]) == 0
    lines = Counter(Fraction(line["amount"]) for line in answer["lines"])
    if name == "W14b":  # the example shows the net, the line has the price with its tax
        assert inside
        lines = Counter([Fraction(answer["net"])])
    assert lines == Counter(Fraction(amount) for _, amount in expected["lines"])
    taxes = Counter(Fraction(tax["amount"]) for tax in answer["taxes"])
    assert taxes == Counter(Fraction(amount) for amount in expected["tax"].values())
    assert (answer["net"], answer["total"]) == (expected["net"], expected["total"])


def test_the_oracle_gives_what_the_examples_say_beside_their_lines() -> None:
    assert oracle.rate(_case("W13"))["conditional"][0]["payable"] == EXPECTED["W13"]["extra"]["pay by due date"]
    assert oracle.rate(_case("W20"))["conditional"][0]["payable"] == EXPECTED["W20"]["extra"]["pay by due date"]
    assert oracle.rate(_case("W10b"))["total"] == EXPECTED["W10b"]["extra"]["new rounded"]
    later = oracle.rate(_case("W22b"))["lines"][0]
    assert (later["amount"], later["version"]) == ("93.18", "v2"), "fifteen days each: the later version"


def _bills() -> Iterator[tuple[str, int, list[Fraction]]]:
    held: dict[tuple[str, int], list[Fraction]] = defaultdict(list)
    with (TARIFFS / "expected" / "urdb-2018.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["line"] not in ("TOTAL", "YEAR"):
                held[(row["rate"], int(row["month"]))].append(Fraction(row["amount"]))
    for (rate, month), amounts in sorted(held.items()):
        yield rate, month, amounts


@pytest.mark.parametrize(("rate", "month", "amounts"), [bill for bill in _bills() if bill[1] in (2, 7)])
def test_the_oracle_gives_the_bills_of_us_rates(rate: str, month: int, amounts: list[Fraction]) -> None:
    answer = oracle.rate(urdb.case(urdb.read(TARIFFS / "urdb" / f"{rate}.json"), month))
    assert Counter(Fraction(line["amount"]) for line in answer["lines"] if Fraction(line["amount"])) == Counter(amounts)


def test_the_random_cases_reach_every_kind_of_charge_and_both_clock_changes() -> None:
    cases = [generate.case(1, n) for n in range(300)]
    kinds = {charge["kind"] for case in cases for charge in case["tariff"]["charges"]}
    assert kinds == {
        *("fixed_daily", "fixed_period", "usage", "tou", "demand", "index", "rate_table", "feed_in"),
        *("passthrough", "minimum", "discount", "fee", "green", "tax", "manual"),
    }
    lengths = set()
    for case in cases:
        zone = case["context"]["time_zone"]
        for day in clock.days(clock.day(case["period"]["from"]), clock.day(case["period"]["to"])):
            lengths.add(clock.midnight(zone, day + timedelta(days=1)) - clock.midnight(zone, day))
    assert lengths == {23 * 60, 24 * 60, 25 * 60}


def _no_holidays(case: Json) -> None:
    case["context"]["holidays"] = []


def _no_clock_change(case: Json) -> None:
    if case["context"]["time_zone"] == "Australia/Sydney":
        case["context"]["time_zone"] = "UTC+10"


def _pooled(case: Json) -> None:
    for version in _versions(case):
        version.get("block_rule", {}).pop("evaluate", None)


def _graduated(case: Json) -> None:
    for version in _versions(case):
        version.get("block_rule", {}).pop("mode", None)


def _always_split(case: Json) -> None:
    for charge in case["tariff"]["charges"]:
        charge.pop("on_change", None)


def _no_ratchet(case: Json) -> None:
    for version in _versions(case):
        version.pop("ratchet", None)


def _no_exemption(case: Json) -> None:
    case["context"].pop("exemptions", None)


def _no_floor(case: Json) -> None:
    for version in _versions(case):
        version.pop("floor", None)


def _versions(case: Json) -> Iterator[Json]:
    for charge in case["tariff"]["charges"]:
        yield from charge["versions"]


@pytest.mark.parametrize(
    "forget",
    [_no_holidays, _no_clock_change, _pooled, _graduated, _always_split, _no_ratchet, _no_exemption, _no_floor],
)
def test_an_engine_that_forgets_one_rule_is_seen_and_its_case_becomes_smaller(forget: Callable[[Json], None]) -> None:
    """The oracle itself, less a rule, plays the engine."""

    def wrong(case: Json) -> Json:
        forget(case)
        return oracle.rate(case)

    cases = (generate.case(2, n) for n in range(600))
    small = (case for case in cases if len(json.dumps(case)) < 6_000 and _changed(case, forget))
    found = next(case for case in small if compare.differences(case, wrong))
    smallest = compare.smallest(found, wrong, budget=15)
    assert compare.differences(smallest, wrong)
    assert len(json.dumps(smallest)) < len(json.dumps(found))


def _changed(case: Json, forget: Callable[[Json], None]) -> bool:
    other = copy.deepcopy(case)
    forget(other)
    return other != case


needs_engine = pytest.mark.skipif(not engine.there(), reason="this version has no `billing rate`")


@needs_engine
@pytest.mark.parametrize("name", BILLS)
def test_the_engine_gives_what_the_oracle_gives_for_the_worked_bills(name: str) -> None:
    assert compare.differences(_case(name), engine.rate) == []


def _of_a_month(charge: Json, intervals: Json | None = None) -> Json:
    """A month of one charge, from a register or from half hours."""
    usage: Json = {"registers": [{"quantity": "210.7", "from": "2026-06-01", "to": "2026-07-01"}]}
    if intervals is not None:
        half_hours: Json = {
            "channel": "general",
            "start": "2026-05-31T14:00:00Z",
            "minutes": 30,
            "values": ["0.5"] * 1440,
        }
        usage = {"intervals": [{**half_hours, **intervals}]}
    return {
        "tariff": {"code": "T", "currency": "AUD", "charges": [{"code": "energy", **charge}]},
        "period": {"from": "2026-06-01", "to": "2026-07-01"},
        "context": {"time_zone": "Australia/Brisbane"},
        "usage": usage,
    }


@needs_engine
@pytest.mark.parametrize("intervals", [None, {}], ids=["a register", "intervals"])
def test_a_week_without_any_window_is_a_gap_and_no_crash(intervals: Json | None) -> None:
    charge = {"kind": "tou", "versions": [{"valid_from": "2020-01-01", "windows": []}]}
    case = _of_a_month(charge, intervals)
    assert {one["code"] for one in oracle.rate(case)["findings"]} == {"TOU_GAP"}
    assert compare.differences(case, engine.rate) == []


@needs_engine
def test_a_row_of_a_rate_table_is_estimated_where_a_day_of_its_own_is() -> None:
    rows = [
        {"from": "2020-01-01", "to": "2026-06-11", "price": "0.1"},
        {"from": "2026-06-11", "to": "2030-01-01", "price": "0.2"},
    ]
    version = {"valid_from": "2020-01-01", "rows": rows, "lookup": "prorate_days"}
    case = _of_a_month({"kind": "rate_table", "versions": [version]}, {"quality": [[480, "E"], [960, "A"]]})
    assert [one["estimated"] for one in oracle.rate(case)["lines"]] == [True, False]
    assert compare.differences(case, engine.rate) == []


@needs_engine
@pytest.mark.campaign
def test_the_engine_gives_what_the_oracle_gives_for_random_tariffs_and_usages() -> None:
    differing: list[str] = []
    compare.campaign(
        lambda n: generate.case(17, n),
        300,
        engine.rate,
        lambda n, _case, found: differing.append(f"case {n}: {'; '.join(map(str, found))}"),
    )
    assert differing == []
