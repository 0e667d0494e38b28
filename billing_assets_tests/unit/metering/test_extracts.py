"""Extracts of a metering system: what their records become, and what refuses them."""

import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing_assets.metering.import_engine.extracts.reads import counted
from billing_assets.metering.import_engine.formats import read_file
from billing_assets.metering.import_engine.messages import FileReport, IntervalBlock, RegisterRead, Verdict

READ = {
    "reading_id": "1",
    "nmi": "NMI0000001",
    "device_id": "D1",
    "serial_number": "M1",
    "register": "1",
    "suffix": "11",
    "read_at": "2026-07-01T00:00:00Z",
    "value": "250",
    "unit": "kWh",
    "quality": "A",
    "previous_at": "2026-06-01T00:00:00Z",
    "previous_value": "100",
    "previous_quality": "A",
    "multiplier": "10",
    "digits": "5",
    "updated_at": "2026-07-01T06:00:00Z",
}
ROW = {
    "nmi": "NMI0000001",
    "suffix": "E1",
    "serial_number": "M1",
    "unit": "kWh",
    "day": "2026-07-01",
    "starts_at": "2026-06-30T14:00:00Z",
    "length_seconds": "1800",
    "value": "0.125",
    "quality": "A",
    "updated_at": "2026-07-02T00:00:00Z",
}


def extract(resource: str, *records: dict[str, Any], **head: Any) -> bytes:
    first = {"extract": resource, "source": "metering", "version": 1, "records": len(records), **head}
    return b"".join(json.dumps(one).encode() + b"\n" for one in (first, *records))


def read(content: bytes) -> tuple[list[Any], FileReport]:
    report = FileReport()
    return list(read_file(io.BytesIO(content), report)), report


def day(*values: str, **changed: str) -> list[dict[str, Any]]:
    """Half hours from the first of a day in Brisbane."""
    starts = [datetime(2026, 6, 30, 14 + n // 2, 30 * (n % 2), tzinfo=UTC) for n in range(len(values))]
    return [
        ROW | changed | {"starts_at": at.isoformat(), "value": value} for at, value in zip(starts, values, strict=True)
    ]


def test_a_read_and_the_one_before_it_are_the_quantity_between_them_times_the_multiplier() -> None:
    (found,), report = read(extract("meter_readings", READ))
    assert isinstance(found, RegisterRead)
    assert (found.begin_read, found.end_read, found.quantity) == ("00100", "00250", Decimal(1500))
    assert found.explained == "multiplier 10"
    assert (found.begin, found.end) == (datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
    assert found.updated_at == datetime(2026, 7, 1, 6, tzinfo=UTC)
    assert report.worst is Verdict.ACCEPT
    assert report.format == "extract"
    (totals,) = report.streams.values()
    assert (totals.readings, totals.sum) == (1, Decimal(1500))


@pytest.mark.parametrize(
    ("before", "after", "digits", "expected"),
    [
        ("99950", "65", 5, (Decimal(115), "rollover")),
        ("99950.5", "65.5", 5, (Decimal(115), "rollover")),
        ("50000", "65", 5, (Decimal(-49935), "")),  # not nearly full
        ("99950", "65", None, (Decimal(-99885), "")),  # how many dials it has is not known
        ("999500", "65", 5, (Decimal(-999435), "")),  # more than five dials show
    ],
)
def test_a_register_that_fell_rolled_over_only_where_its_dials_were_nearly_full(
    before: str, after: str, digits: int | None, expected: tuple[Decimal, str]
) -> None:
    assert counted(Decimal(before), Decimal(after), Decimal(1), digits, "kWh") == expected


def test_a_register_that_fell_holds_its_read_alone() -> None:
    fell = READ | {"reading_id": "2", "register": "2", "suffix": "12", "value": "99"}
    found, report = read(extract("meter_readings", READ, fell))
    assert [one.hold for one in found] == ["", "H-NEGATIVE-USE"]
    assert report.worst is Verdict.ACCEPT
    (said,) = report.findings
    assert (said.code, said.line) == ("H-NEGATIVE-USE", 3)
    assert "from 100 to 99" in said.sentence


def test_the_demand_of_a_register_is_what_it_shows() -> None:
    (found,), _ = read(extract("meter_readings", READ | {"unit": "kW"}))
    assert (found.quantity, found.explained) == (Decimal(2500), "demand multiplier 10")


def test_the_first_read_of_a_register_is_no_quantity() -> None:
    first = {name: value for name, value in READ.items() if not name.startswith("previous")}
    found, report = read(extract("meter_readings", first, READ))
    assert [one.line for one in found] == [3]
    assert report.counts == {"W-FIRST-READ": 1}
    assert report.worst is Verdict.ACCEPT


def test_intervals_are_blocks_of_whole_local_days_with_the_version_of_their_newest_row() -> None:
    rows = day("0.125", "1.5", "2", "0")
    rows[1]["updated_at"] = "2026-07-03T00:00:00Z"
    (found,), report = read(extract("consumption", *rows, zone="Australia/Brisbane"))
    assert isinstance(found, IntervalBlock)
    assert found.day == date(2026, 7, 1)
    assert (found.values.tolist(), found.decimals) == ([125, 1500, 2000, 0], 3)
    assert found.updated_at == datetime(2026, 7, 3, tzinfo=UTC)
    (totals,) = report.streams.values()
    assert (totals.readings, totals.sum) == (4, Decimal("3.625"))


def test_days_that_are_not_in_an_extract_are_no_gap_and_intervals_that_are_missing_within_one_are() -> None:
    later = [one | {"day": "2026-07-09", "starts_at": one["starts_at"].replace("06-30", "07-08")} for one in day("1")]
    found, report = read(extract("consumption", *day("1"), *later, zone="Australia/Brisbane"))
    assert [one.hold for one in found] == ["", ""]
    assert report.worst is Verdict.ACCEPT
    first, _, third = day("1", "2", "3")
    found, report = read(extract("consumption", first, third, zone="Australia/Brisbane"))
    assert {one.hold for one in found} == {"H-GAP"}
    assert report.worst is Verdict.HOLD


def test_a_row_that_came_twice_counts_once_and_one_with_another_value_holds_its_day() -> None:
    (one, other) = day("1", "2")
    found, report = read(extract("consumption", one, one, other, zone="Australia/Brisbane"))
    assert [block.values.tolist() for block in found] == [[1, 2]]
    assert report.counts == {"W-REPEATED-ROW": 1}
    _, report = read(extract("consumption", one, one | {"value": "7"}, other, zone="Australia/Brisbane"))
    assert "H-REPEATED-START" in report.counts


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"value": None}, "value is missing"),
        ({"value": " "}, "value is missing"),
        ({"value": "1e3"}, "value is no plain decimal number"),
        ({"value": 1.5}, "value is neither a text nor an exact number"),
        ({"value": "-1"}, "value is below zero"),
        ({"read_at": "2026-07-01T00:00:00"}, "read_at is no time in UTC"),
        ({"quality": "X"}, "quality is no quality"),
        ({"multiplier": "0"}, "multiplier is not above zero"),
        ({"digits": "-5"}, "digits is no whole number"),
    ],
)
def test_a_field_that_cannot_be_read_refuses_the_file_with_its_line(changed: dict[str, Any], words: str) -> None:
    _, report = read(extract("meter_readings", READ, READ | changed))
    assert report.worst is Verdict.REFUSE
    (said,) = report.findings
    assert (said.code, said.line) == ("R-EXTRACT-FIELD", 3)
    assert words in said.sentence


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (extract("meters", READ), "R-EXTRACT-HEAD"),
        (extract("meter_readings", READ, version=2), "R-EXTRACT-HEAD"),
        (extract("meter_readings", READ, zone="Mars/Base"), "R-EXTRACT-HEAD"),
        (extract("meter_readings", READ, records=2), "R-EXTRACT-COUNT"),
        (extract("meter_readings", READ)[:-9], "R-EXTRACT-LINE"),
        (extract("meter_readings", READ) + b"[1]\n", "R-EXTRACT-LINE"),
        (extract("meter_readings", READ) + b"\xff\n", "R-EXTRACT-LINE"),
        (extract("meter_readings", READ | {"previous_at": READ["read_at"]}), "R-EXTRACT-PERIOD"),
        (extract("consumption", ROW | {"length_seconds": "0"}), "R-EXTRACT-FIELD"),
    ],
)
def test_an_extract_whose_form_is_broken_is_refused(content: bytes, code: str) -> None:
    _, report = read(content)
    assert report.worst is Verdict.REFUSE
    assert code in report.counts


def test_master_data_and_prices_are_checked_and_are_no_messages() -> None:
    price = {"tariff": "T", "component": "energy", "valid_from": "2026-07-01", "price": "0.31", "unit": "kWh"}
    found, report = read(extract("tariffs", price | {"currency": "AUD"}))
    assert (found, report.worst) == ([], Verdict.ACCEPT)
    _, report = read(extract("tariffs", price))
    assert report.counts == {"R-EXTRACT-FIELD": 1}
