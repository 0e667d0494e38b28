"""Readings, prices and master data from a metering system by SQL."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.settings import make_settings
from billing_assets.foundation.source_database.connection import open_source
from billing_assets.foundation.source_database.errors import ColumnsWrong
from billing_assets.metering.extraction import store
from billing_assets.metering.extraction.causes import alerts
from billing_assets.metering.extraction.errors import ExtractionBusyError
from billing_assets.metering.extraction.extracting import extract
from billing_assets.metering.extraction.sql_reader import SqlReader
from billing_assets.metering.import_engine.extracts.contract import RESOURCES
from billing_assets_tests.rooms.metering.extraction.metering_system import (
    NMI,
    MeteringSystem,
    intervals,
    passed,
    registers,
    sql_source,
)
from billing_assets_tests.rooms.metering.inboxes import fill, run, source
from billing_assets_tests.unit.metering.test_extracts import extract as extract_file


def told(state: Connection, days: float = 0) -> dict[str, str]:
    """The alerts so many days from now, by cause: what happened."""
    now = datetime.now(UTC) + timedelta(days=days)
    return {one.cause: one.what_happened for one in alerts(state, make_settings(), now)}


def files(state: Connection) -> list[tuple[str, str, str]]:
    rows = state.execute("select name, channel, state from billing.raw_files order by id").fetchall()
    return [(row["name"].split()[1], row["channel"], row["state"]) for row in rows]


def test_reads_and_intervals_come_in_with_the_master_data_that_they_need(
    state: Connection, state_url: str, system: MeteringSystem
) -> None:
    system.reading(1, 99_900)
    system.reading(2, 20)  # over the top of five dials
    system.day(1, "0.125", "1.5", "2")
    passed(state, state_url, sql_source(system.url))
    assert registers(state) == [(1, 2, 1200, "A", "99900.000", "00020.000")]
    assert intervals(state) == [(1, [125, 1500, 2000], 3)]
    assert files(state) == [
        (name, "sql", "accepted") for name in ("service_points", "devices", "meter_readings", "consumption")
    ]
    (account,) = state.execute("select account, point from billing.supply_periods").fetchall()
    assert account == {"account": f"A-{NMI}", "point": NMI}
    (held,) = state.execute("select count(*) as n from billing.raw_messages where state = 'held'").fetchall()
    assert held["n"] == 0


def test_a_late_read_comes_in_by_its_change_whatever_its_date(
    state: Connection, state_url: str, system: MeteringSystem
) -> None:
    system.reading(1, 100)
    system.reading(9, 300)
    source = sql_source(system.url)
    passed(state, state_url, source)
    assert registers(state) == [(1, 9, 2000, "A", "00100.000", "00300.000")]
    system.now += timedelta(days=20)
    system.reading(1, 150, version=2)
    passed(state, state_url, source)
    assert registers(state) == [(1, 9, 1500, "A", "00150.000", "00300.000")]


def test_of_a_day_in_which_one_interval_changed_all_come_and_other_days_do_not(
    state: Connection, state_url: str, system: MeteringSystem
) -> None:
    source = sql_source(system.url)
    system.day(1, "1", "2", "3")
    system.day(2, "4", "5")
    passed(state, state_url, source, "service_points", "consumption")
    system.now += timedelta(days=1)
    system.execute("update interval_values set value = 9, updated_at = %s where value = 2", system.now)
    found = passed(state, state_url, source, "consumption")["consumption"]
    assert (found.pieces, len(found.files)) == (1, 1)
    assert intervals(state) == [(1, [1000, 9000, 3000], 3), (2, [4000, 5000], 3)]


def test_the_overlap_is_read_again_and_what_is_known_is_dropped(
    state: Connection, state_url: str, system: MeteringSystem
) -> None:
    source = sql_source(system.url)
    system.reading(1, 100)
    system.reading(2, 110)
    first = passed(state, state_url, source)
    second = passed(state, state_url, source)
    assert first["meter_readings"].pieces == 2
    assert [(one.records, one.pieces, one.files) for one in second.values()] == [
        (1, 0, ()),
        (1, 0, ()),
        (0, 0, ()),
        (2, 0, ()),
        (0, 0, ()),
    ]
    system.now -= timedelta(minutes=5)  # written before what was seen, and committed after
    system.reading(3, 120)
    assert passed(state, state_url, source)["meter_readings"].pieces == 1
    assert [row[:3] for row in registers(state)] == [(1, 2, 100), (2, 3, 100)]


def test_a_change_that_lies_in_the_future_hides_none_that_comes_before_it(
    state: Connection, state_url: str, system: MeteringSystem
) -> None:
    source = sql_source(system.url)
    now = system.now
    system.now += timedelta(days=36_500)
    system.reading(1, 100)
    watermark = passed(state, state_url, source)["meter_readings"].watermark
    assert watermark is not None
    assert watermark < now + timedelta(days=18_250)


def test_a_source_that_tells_no_changes_is_compared_by_what_its_rows_say(
    state: Connection, state_url: str, system: MeteringSystem
) -> None:
    for table in ("register_reads", "interval_values", "supply_points", "supplies"):
        system.execute(f"alter table {table} alter updated_at drop not null")
    system.now = None  # type: ignore[assignment]
    system.execute("update supply_points set updated_at = null")
    system.execute("update supplies set updated_at = null")
    system.reading(1, 100)
    system.reading(2, 110)
    system.day(1, "1", "2")
    source = sql_source(system.url)
    first = passed(state, state_url, source, "service_points", "meter_readings", "consumption")
    assert [one.watermark for one in first.values()] == [None, None, None]
    assert [one.pieces for one in first.values()] == [1, 2, 1]
    assert [one.pieces for one in passed(state, state_url, source, *first).values()] == [0, 0, 0]
    system.reading(3, 130)
    system.execute("update interval_values set quality = 'F14' where value = 2")
    assert [one.pieces for one in passed(state, state_url, source, *first).values()] == [0, 1, 1]
    assert [row[:3] for row in registers(state)] == [(1, 2, 100), (2, 3, 200)]


def test_files_have_whole_days_however_small_they_are(
    state: Connection, state_url: str, system: MeteringSystem
) -> None:
    for day in range(1, 5):
        system.day(day, "1", "2", "3")
    found = passed(state, state_url, sql_source(system.url, records_per_file=4), "service_points", "consumption")
    assert len(found["consumption"].files) == 2
    assert intervals(state) == [(day, [1000, 2000, 3000], 3) for day in range(1, 5)]


def test_a_record_that_cannot_be_read_is_refused_in_a_file_of_its_own_and_costs_no_other(
    state: Connection, state_url: str, system: MeteringSystem
) -> None:
    system.reading(1, 100)
    system.reading(2, 110)
    system.reading(3, 120, quality="?")
    found = passed(state, state_url, sql_source(system.url), "service_points", "meter_readings")["meter_readings"]
    assert (len(found.files), len(found.bad)) == (1, 1)
    assert [row[:3] for row in registers(state)] == [(1, 2, 100)]
    (said,) = state.execute("select * from billing.raw_findings where file = %s", [found.bad[0]]).fetchall()
    assert (said["code"], said["line"]) == ("R-EXTRACT-FIELD", 2)
    assert passed(state, state_url, sql_source(system.url), "meter_readings")["meter_readings"].bad == ()


def test_a_pass_from_the_beginning_changes_nothing(state: Connection, state_url: str, system: MeteringSystem) -> None:
    system.reading(1, 100)
    system.reading(2, 110)
    source = sql_source(system.url)
    passed(state, state_url, source, "service_points", "meter_readings")
    store.forget(state, "metering", "meter_readings")
    assert passed(state, state_url, source, "meter_readings")["meter_readings"].pieces == 2
    assert files(state)[-1] == ("meter_readings", "sql", "duplicate")
    assert [row[:3] for row in registers(state)] == [(1, 2, 100)]


def test_two_that_extract_at_once_do_it_once(state: Connection, state_url: str, system: MeteringSystem) -> None:
    source = sql_source(system.url)
    with connect(state_url) as other:
        store.lock(other, "metering", "devices")
        other.commit()
        with other.transaction():
            store.lock(other, "metering", "devices")
            with pytest.raises(ExtractionBusyError, match="devices of metering"):
                extract(state, source, RESOURCES["devices"])
    assert extract(state, source, RESOURCES["devices"]).pieces == 1


def test_a_query_that_lacks_a_column_says_which(state: Connection, system: MeteringSystem, tmp_path: Path) -> None:
    (tmp_path / "tariffs.sql").write_text("SELECT tariff, component, place FROM tariff_components")
    reader = SqlReader(open_source(system.url), tmp_path, timedelta(days=1))
    with pytest.raises(ColumnsWrong, match=r"tariffs\.sql lacks the column valid_from"):
        reader.check(RESOURCES["tariffs"])


def test_prices_count_without_gap_or_overlap_and_are_replaced_never_changed(
    state: Connection, state_url: str, system: MeteringSystem
) -> None:
    def prices() -> list[tuple[str, str, str | None]]:
        rows = state.execute(
            """
            select valid_from::text as valid_from, price::text as price, code from billing.tariff_prices
            where replaced_at is null order by state, valid_from"""
        )
        return [(row["valid_from"], row["price"], row["code"]) for row in rows]

    source = sql_source(system.url)
    system.price("2026-01-01", None, "0.30")
    passed(state, state_url, source, "tariffs")
    assert prices() == [("2026-01-01", "0.300000", None)]
    system.now += timedelta(days=1)
    system.price("2026-07-01", None, "0.31")  # the row before it is still open
    passed(state, state_url, source, "tariffs")
    assert prices() == [("2026-01-01", "0.300000", None), ("2026-07-01", "0.310000", "TARIFF_OVERLAP")]
    (load,) = state.execute("select * from billing.extract_loads where held > 0").fetchall()
    assert "HOME energy: The row from 2026-01-01 holds until open" in load["sentence"]
    assert "HOME energy" in told(state)["extracts_held:TARIFF_OVERLAP"]
    system.now += timedelta(days=1)
    close = "update tariff_components set valid_until = '2026-07-01', updated_at = %s where price = 0.30"
    system.execute(close, system.now)
    passed(state, state_url, source, "tariffs")
    assert prices() == [("2026-01-01", "0.300000", None), ("2026-07-01", "0.310000", None)]
    (kept,) = state.execute("select count(*) as n from billing.tariff_prices").fetchall()
    assert kept["n"] == 4
    assert told(state) == {}


def test_master_data_of_an_extract_that_does_not_load_is_told_until_it_does(
    state: Connection, state_url: str, system: MeteringSystem
) -> None:
    source = sql_source(system.url)
    system.execute("update supplies set supplied_until = '2026-07-01'")
    since = date(2026, 6, 1)  # overlaps
    system.write("supplies", nmi=NMI, account="B", supplied_from=since)
    passed(state, state_url, source, "service_points")
    assert "service_points" in told(state)["extracts_held:MASTER_DATA"]
    assert "service_points" in told(state, days=9)["extracts_held:MASTER_DATA"], "nothing came that loads"
    system.now += timedelta(days=1)
    system.execute("update supplies set supplied_until = '2026-06-01', updated_at = %s", system.now)
    system.execute("update supplies set supplied_until = null where account = 'B'")
    passed(state, state_url, source, "service_points")
    assert "extracts_held:MASTER_DATA" in told(state), "for some days"
    assert told(state, days=4) == {}


def test_an_extract_that_a_sender_puts_into_a_folder_is_refused(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    price = {"tariff": "T", "component": "energy", "valid_from": "2026-07-01", "price": "0", "unit": "kWh"}
    content = extract_file("tariffs", price | {"currency": "AUD"})
    run(state_url, source(fill(tmp_path / "in", {"prices.jsonl": content})))
    (said,) = state.execute("select code, sentence from billing.raw_findings").fetchall()
    assert said["code"] == "R-EXTRACT-FOLDER"
    assert state.execute("select * from billing.tariff_prices").fetchall() == []
