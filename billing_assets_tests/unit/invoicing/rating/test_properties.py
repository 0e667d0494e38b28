"""What holds of every bill: generated tariffs and usage."""

import random
from copy import deepcopy
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.invoicing.rating.case_json import read_case
from billing_assets.invoicing.rating.explain import amount_again, explain
from billing_assets.invoicing.rating.local_time import cell_map, instant_of, zone_of
from billing_assets.invoicing.rating.rated_json import as_bytes
from billing_assets.invoicing.rating.rounding import half_up
from billing_assets.invoicing.rating.tariff_checks import check_tariff
from billing_assets_tests.unit.invoicing.rating.examples import NAMES, example, rated
from billing_assets_tests.unit.invoicing.rating.small_cases import ALL_DAYS, case, charge, window

QUICK = settings(max_examples=40, deadline=None)
ZONES = ("UTC", "Australia/Sydney", "Australia/Lord_Howe", "America/Chicago", "Europe/Berlin", "Asia/Kathmandu")
PRICES = st.decimals("-0.5", "1.5", places=5).map(str)
ENERGY = st.integers(0, 5000).map(lambda thousandth: str(Decimal(thousandth).scaleb(-3)))


@st.composite
def blocks(draw: st.DrawFn) -> dict[str, Any]:
    if draw(st.booleans()):
        return {"price": draw(PRICES)}
    limits = sorted(draw(st.sets(st.integers(1, 400), min_size=1, max_size=3)))
    found = [{"up_to": str(limit), "price": draw(PRICES)} for limit in limits]
    return {"blocks": [*found, {"price": draw(PRICES)}]}


@st.composite
def energy_charges(draw: st.DrawFn, code: str = "energy") -> dict[str, Any]:
    """A charge by usage or by time of use, with blocks of any rule."""
    rule = {
        "period": draw(st.sampled_from(("bill", "cycle", "P1D", "P1M", "P3M"))),
        "scale": draw(st.sampled_from(("by_days", "none"))),
        "scope": draw(st.sampled_from(("window", "charge", "bill"))),
        "evaluate": draw(st.sampled_from(("pooled", "each_day", "each_month"))),
        "mode": draw(st.sampled_from(("graduated", "volume"))),
    }
    if draw(st.booleans()):
        return charge(code, "usage", {**draw(blocks()), "block_rule": rule})
    edge, other = sorted(draw(st.sets(st.integers(1, 23), min_size=2, max_size=2)))
    inside, outside = draw(blocks()), draw(blocks())
    times = (f"{edge:02}:00", f"{other:02}:00")
    workdays, rest = ALL_DAYS[:5], [*ALL_DAYS[5:], "holiday"]
    windows = [
        {"name": "in", "days": workdays, "from": times[0], "to": times[1], **inside},
        {"name": "out", "days": workdays, "from": times[1], "to": times[0], **outside},
        {"name": "out", "days": rest, "from": "00:00", "to": "24:00", **deepcopy(outside)},
    ]
    return charge(code, "tou", {"windows": windows, "block_rule": rule})


@st.composite
def interval_cases(draw: st.DrawFn) -> dict[str, Any]:
    """A bill of some days of intervals, around any day of the year, in any zone."""
    zone = draw(st.sampled_from(ZONES))
    begins = draw(st.dates(date(2025, 1, 1), date(2026, 12, 20)))
    ends = begins + timedelta(days=draw(st.integers(1, 9)))
    seed = random.Random(draw(st.integers(0, 10**6)))
    start, end = (instant(day, zone) for day in (begins, ends))
    values = [str(Decimal(seed.randrange(0, 4000)).scaleb(-3)) for _ in range((end - start) // timedelta(minutes=15))]
    found = case(
        draw(energy_charges()),
        charge("supply", "fixed_daily", {"price": "1.1"}),
        usage={"intervals": [{"start": f"{start:%Y-%m-%dT%H:%MZ}", "minutes": 15, "values": values}]},
        period={"from": str(begins), "to": str(ends)},
        context={"time_zone": zone, "holidays": [str(begins)]},
    )
    if draw(st.booleans()):
        found["tariff"]["charges"].append(charge("demand", "demand", {**draw(blocks()), "demand_window": 30}))
    return found


def instant(day: date, zone: str) -> Any:
    return instant_of(day, zone_of("local", zone))


def used(content: dict[str, Any]) -> Decimal:
    return sum((Decimal(one) for series in content["usage"]["intervals"] for one in series["values"]), Decimal(0))


@QUICK
@given(interval_cases())
def test_quantities_of_windows_and_blocks_add_up_to_the_usage(content: dict[str, Any]) -> None:
    lines = [one for one in rated(content).lines if one.code == "energy"]
    assert sum((abs(one.quantity) for one in lines), Decimal(0)) == used(content)


@QUICK
@given(interval_cases())
def test_the_same_case_is_the_same_bytes_in_whatever_order_its_intervals_come(content: dict[str, Any]) -> None:
    other = deepcopy(content)
    (series,) = content["usage"]["intervals"]
    start = read_case(content).usage.intervals[0].start
    days = [
        {
            **series,
            "start": f"{start + timedelta(minutes=15 * at):%Y-%m-%dT%H:%MZ}",
            "values": series["values"][at : at + 96],
        }
        for at in range(0, len(series["values"]), 96)
    ]
    other["usage"]["intervals"] = days[::-1]
    assert as_bytes(rated(content)) == as_bytes(rated(content)) == as_bytes(rated(other))


@QUICK
@given(interval_cases(), st.sampled_from(("2", "0.5", "3")))
def test_prices_times_k_are_exact_amounts_times_k(content: dict[str, Any], k: str) -> None:
    other = deepcopy(content)
    scale(other["tariff"], Decimal(k))
    one, two = rated(content), rated(other)
    exact = [Decimal(found["exact"]) * Decimal(k) for found in one.evidence]
    assert exact == [Decimal(found["exact"]) for found in two.evidence]


def scale(part: Any, k: Decimal) -> None:
    for name, value in part.items() if isinstance(part, dict) else ():
        if name == "price":
            part[name] = f"{Decimal(value) * k:f}"
        for one in value if isinstance(value, list) else ():
            scale(one, k)


@QUICK
@given(interval_cases(), st.integers(1, 8))
def test_a_period_split_at_a_day_bills_the_same_energy_and_a_cent_more_or_less_a_line(
    content: dict[str, Any], after: int
) -> None:
    """Blocks that fill over the whole bill are another price; a window's own limits by days are not."""
    content["tariff"]["charges"] = [one for one in content["tariff"]["charges"] if one["kind"] != "demand"]
    for version in content["tariff"]["charges"][0]["versions"]:
        version["block_rule"] = {"period": "P1D", "evaluate": "each_day"}
    begins, ends = (date.fromisoformat(content["period"][name]) for name in ("from", "to"))
    middle = begins + timedelta(days=after)
    if middle >= ends:
        return
    parts = []
    for period in ((begins, middle), (middle, ends)):
        part = deepcopy(content)
        part["period"] = dict(zip(("from", "to"), map(str, period), strict=True))
        parts.append(rated(part))
    whole = rated(content)
    assert whole.totals is not None
    lines = [one for part in parts for one in part.lines]
    assert sum(abs(one.quantity) for one in lines) == sum(abs(one.quantity) for one in whole.lines)
    difference = abs(sum((one.amount for one in lines), Decimal(0)) - whole.totals.net)
    assert difference <= Decimal("0.01") * max(1, len(lines))


@QUICK
@given(interval_cases())
def test_without_usage_only_fixed_lines_are_left(content: dict[str, Any]) -> None:
    (series,) = content["usage"]["intervals"]
    series["values"] = ["0"] * len(series["values"])
    assert {one.code for one in rated(content).lines} == {"supply"}


@QUICK
@given(interval_cases())
def test_the_evidence_is_enough_to_compute_each_amount_again(content: dict[str, Any]) -> None:
    assert_evidence(content)


def assert_evidence(content: dict[str, Any]) -> None:
    tariff = read_case(content).tariff
    found = rated(content)
    charges = {one.code: one for one in tariff.charges}
    for line in found.lines:
        evidence = found.evidence[line.evidence]
        assert evidence["tariff"] == tariff.content_hash
        again = amount_again(charges[line.code], evidence, line, 2)
        assert f"{again:f}" == f"{line.amount:f}"
    assert len(list(explain(found))) == len(found.lines) + len(found.taxes)


def test_the_evidence_of_every_worked_example_is_enough_too() -> None:
    for name in NAMES:
        assert_evidence(example(name))


@QUICK
@given(interval_cases())
def test_a_cancel_line_by_line_and_the_original_are_nothing(content: dict[str, Any]) -> None:
    """A cancelled line has the quantity with the other sign, and half up is the same away from zero."""
    for line in rated(content).lines:
        cancel = half_up(-line.quantity * line.price / line.price_base, 2)
        assert cancel + line.amount == 0


@QUICK
@given(energy_charges(), st.integers(1950, 2090), st.sampled_from(ZONES))
def test_every_minute_of_any_year_is_in_one_window(content: dict[str, Any], year: int, zone: str) -> None:
    tariff = read_case(case(content)).tariff
    assert [one.code for one in check_tariff(tariff)] == []
    begins, ends = date(year, 1, 1), date(year + 1, 1, 1)
    local = zone_of("local", zone)
    start, end = instant(begins, zone), instant(ends, zone)
    versions = tuple(type(one)(one.id, date.min, None, one.terms) for one in tariff.charges[0].versions)
    minutes = (end - start) // timedelta(minutes=1)
    cells = cell_map(versions, local, (), begins, ends, (), start, 1, minutes)
    assert (cells.of >= 0).all()
    assert cells.across == ()


@QUICK
@given(st.lists(ENERGY, min_size=1, max_size=4), st.integers(1, 29), st.sampled_from(("split", "majority")))
def test_parts_of_a_register_add_up_to_it(quantities: list[str], day: int, on_change: str) -> None:
    change = date(2026, 6, 1) + timedelta(days=day)
    versions = [{"price": "0.3", "valid_to": str(change)}, {"price": "0.4", "valid_from": str(change)}]
    registers = [{"quantity": one, "from": "2026-06-01", "to": "2026-07-01"} for one in quantities]
    found = rated(case(charge("energy", "usage", versions, on_change=on_change), usage={"registers": registers}))
    assert sum((one.quantity for one in found.lines), Decimal(0)) == sum(map(Decimal, quantities))
    assert len(found.lines) <= (2 if on_change == "split" else 1)


def test_windows_in_pieces_are_one_line() -> None:
    pieces = [
        window("peak", "07:00", "09:00", "0.5"),
        window("off", "09:00", "17:00", "0.2"),
        window("peak", "17:00", "21:00", "0.5"),
        window("off", "21:00", "07:00", "0.2"),
    ]
    series = {"start": "2026-06-01T00:00:00Z", "minutes": 60, "values": ["1"] * 24}
    period = {"from": "2026-06-01", "to": "2026-06-02"}
    found = rated(case(charge("energy", "tou", {"windows": pieces}), usage={"intervals": [series]}, period=period))
    assert [(one.window, one.quantity) for one in found.lines] == [("peak", Decimal(6)), ("off", Decimal(18))]
