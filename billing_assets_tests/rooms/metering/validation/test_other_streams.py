"""What other streams and registers of a point, and the clock of its meter, say about a period."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.import_engine.messages import IntervalBlock, RegisterRead, Stream
from billing_assets.metering.readings import master_store
from billing_assets.metering.readings.master_data import read_folder
from billing_assets.metering.validation import store
from billing_assets_tests.rooms.metering.validation.points import (
    AUGUST,
    JULY,
    POINT,
    a_day,
    a_month,
    judge,
    master_data,
    reads,
    take,
)

FOURTH = date(2026, 7, 4)


def load(state: Connection, folder: Path, **files: str) -> None:
    """Master data of these files, without their line of names' `point` column."""
    folder.mkdir()
    for name, text in files.items():
        names, *rows = text.split()
        lines = [f"point,{names}", *(f"{POINT},{row}" for row in rows)]
        (folder / f"{name}.csv").write_text("\n".join(lines), encoding="utf-8")
    with state.transaction():
        master_store.load(state, read_folder(folder))


def quarters(day: date, suffix: str) -> IntervalBlock:
    """A day of quarter hours."""
    half = a_day(day, suffix=suffix)
    half.stream = half.stream._replace(length_seconds=900)
    half.values = half.values.repeat(2) // 2
    return half


def test_days_before_a_supply_began_or_a_stream_did_lack_nothing(state: Connection, tmp_path: Path) -> None:
    supplied = {"supply_periods": "account,valid_from A,2026-07-03"}
    load(
        state,
        tmp_path / "master",
        service_points="valid_from,zone 2020-01-01,Australia/Brisbane",
        streams="suffix,unit,length_seconds,valid_from E1,kWh,1800,2020-01-01 B1,kWh,1800,2026-07-04",
        **supplied,
    )
    take(state, *(one for one in a_month() if one.day >= date(2026, 7, 3)))
    take(state, *(one for one in a_month(suffix="B1") if one.day >= FOURTH))
    judge(state, closing=True)
    assert not store.findings(state, rule="SIBLING")


def test_a_sibling_of_another_interval_length_is_there(state: Connection, tmp_path: Path) -> None:
    load(
        state,
        tmp_path / "master",
        service_points="valid_from,zone 2020-01-01,Australia/Brisbane",
        streams="suffix,unit,length_seconds,valid_from E1,kWh,1800,2020-01-01 B1,kWh,900,2020-01-01",
    )
    take(state, *a_month(), *(quarters(JULY + n * timedelta(days=1), "B1") for n in range(30)))
    judge(state, closing=True)
    (one,) = store.findings(state, rule="SIBLING")
    assert (one["suffix"], one["observed"]) == ("E1", "1 d")


def demand_read(begin: date, end: date, kilowatts: str, unit: str = "KW") -> RegisterRead:
    """What a demand register showed at the end of a period."""
    found = reads(begin, end, "0", kilowatts, suffix="D1")
    return RegisterRead(
        Stream(POINT, "D1", "M1", unit, 0), 1, found.begin, found.end, "0", kilowatts, "A", "A", Decimal(kilowatts)
    )


@pytest.mark.parametrize(
    ("shown", "unit", "observed"), [("1.0", "KW", []), ("0.999", "KW", ["0.999"]), ("999", "W", ["0.999"])]
)
def test_a_demand_below_the_mean_one_holds_the_energy_of_its_register(
    state: Connection, shown: str, unit: str, observed: list[str]
) -> None:
    """744 kWh in 744 hours need a kilowatt."""
    master_data(state, POINT, "Australia/Brisbane", "11", "D1")
    take(state, reads(JULY, AUGUST, "00000", "00744"), demand_read(JULY, AUGUST, shown, unit))
    judge(state)
    assert [one["observed"] for one in store.findings(state, rule="DEMAND")] == observed


@pytest.mark.parametrize(("peak", "observed"), [("00411", []), ("00414", ["4"])])
def test_registers_by_time_of_use_add_up_to_the_total_that_they_are_parts_of(
    state: Connection, tmp_path: Path, peak: str, observed: list[str]
) -> None:
    load(
        state,
        tmp_path / "master",
        service_points="valid_from,zone 2020-01-01,Australia/Brisbane",
        streams="suffix,unit,part_of,valid_from 11,kWh,,2020-01-01 41,kWh,11,2020-01-01 42,kWh,11,2020-01-01",
    )
    take(state, reads(JULY, AUGUST, "00000", "01233"), reads(JULY, AUGUST, "00000", peak, suffix="41"))
    judge(state)
    assert not store.findings(state, rule="TOU_SUM"), "one of its parts is not there yet"
    take(state, reads(JULY, AUGUST, "00000", "00823", suffix="42"))
    judge(state)
    found = store.findings(state, rule="TOU_SUM")
    assert [one["observed"] for one in found] == observed
    assert {one["suffix"] for one in found} <= {"11"}


@pytest.mark.parametrize(("seconds", "observed"), [("-180", []), ("-181", ["3.02 min"]), ("+200", ["3.33 min"])])
def test_a_clock_that_was_found_to_differ_holds_the_periods_until_it_was_set(
    state: Connection, tmp_path: Path, seconds: str, observed: list[str]
) -> None:
    master_data(state)
    load(
        state,
        tmp_path / "clocks",
        meter_clocks=f"serial,seconds,valid_from,valid_until M1,{seconds},2026-06-01,2026-07-09",
    )
    take(state, *a_month())
    judge(state)
    assert [one["observed"] for one in store.findings(state, rule="TIME")] == observed
    judge(state, date(2026, 7, 9), AUGUST)
    assert len(store.findings(state, rule="TIME")) == len(observed), "it was set on the 9th"
