"""The points of the utility sample and their faults, at the rates that are documented."""

from collections import Counter
from pathlib import Path

import pytest

from billing_assets.sandbox.samples.utility.points import Point, make_points
from billing_assets.sandbox.samples.utility.rates import FAULTS, FILE_FAULTS, POINTS, SEED, SHARES, Pool
from billing_assets.sandbox.samples.utility.world import World
from billing_assets_tests.unit.sandbox.samples.utility.counting import ledger, rows, sets

TABLES = {name: name for name in ("service_points", "meters", "registers", "supply_periods")} | {
    "streams": "stream_terms"
}
SCHEMA = Path(__file__).parents[5] / "sql" / "state" / "metering" / "0002_master_data.sql"


@pytest.fixture(scope="module")
def points() -> list[Point]:
    return make_points(SEED, POINTS)


def test_half_of_the_points_are_in_each_market_and_all_have_names_of_their_own(points: list[Point]) -> None:
    pools = Counter(point.pool for point in points)
    assert pools == {pool: share * 2 for pool, share in SHARES.items()}
    assert pools[Pool.TEXAS_METERS] + pools[Pool.TEXAS_INTERVALS] == 1_000
    assert len({point.name for point in points}) == len({point.account for point in points}) == 2_000
    assert {len(point.name) for point in points} == {10, 17}


def test_every_fault_has_as_many_points_as_its_rate_says(points: list[Point]) -> None:
    pools = Counter(point.pool for point in points)
    found = Counter(point.fault for point in points if point.fault is not None)
    for fault in FAULTS:
        assert found[fault] == max(1, round(fault.rate * pools[fault.pool] / 1_000)), fault


def test_months_of_a_point_differ_as_seasons_do_and_no_more(points: list[Point]) -> None:
    """So that a doubled or halved month in what is billed is a fault and not the world."""
    for point in points:
        assert 0 < max(point.monthly) < 2 * min(point.monthly), point
        assert point.length or sum(point.monthly) // point.multiplier < 60_000, "five dials go round once at most"


def test_every_fault_is_in_a_small_world_and_ends_as_documented(world: World) -> None:
    states: dict[str, set[str]] = {}
    for row in ledger(world.folder, "months"):
        if row["fault"]:
            states.setdefault(row["fault"], set()).add(row["state"])
    assert states.keys() == {fault.name for fault in FAULTS}
    for name, found in states.items():
        assert found == {fault.ends for fault in FAULTS if fault.name == name}, name
    assert {row["fault"] for row in ledger(world.folder, "files")} - {""} == {fault.name for fault in FILE_FAULTS}


def test_master_data_has_the_columns_of_its_tables_and_every_point_but_the_unknown(folder: Path) -> None:
    schema = SCHEMA.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        columns = schema.split(f"create table billing.{table} (")[1].split("\n);")[0]
        for row in rows(folder / "master_data" / f"{name}.csv")[:1]:
            assert all(f"\n    {column} " in columns for column in row), name
    first, later = (
        {row["point"] for row in rows(folder / place / "service_points.csv")}
        for place in ("master_data", "master_data_later")
    )
    unknown = {row["point"] for row in ledger(folder, "months") if row["codes"] == "NO_SERVICE_POINT"}
    every = {row["point"] for row in ledger(folder, "months")}
    assert first < later
    assert every - later == unknown


def test_every_meter_of_the_files_is_in_master_data_on_its_day(folder: Path) -> None:
    known = {(row["point"], row["serial"]) for row in rows(folder / "master_data_later" / "meters.csv")}
    points = {row["point"] for row in rows(folder / "master_data_later" / "service_points.csv")}
    seen: set[tuple[str, str]] = set()
    for row in ledger(folder, "files"):
        if row["format"] == "X12" and row["verdict"] == "accept":
            for one in sets(folder, row):
                seen |= {
                    (one.point, segment[5]) for segment in one.segments if segment[0] == "PTD" and len(segment) > 5
                }
    assert len(seen) > 100
    assert {pair for pair in seen if pair[0] in points} <= known
