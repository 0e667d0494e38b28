"""What is billable of the utility sample, counted again from its files by the rules of the market."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from billing_assets_tests.unit.sandbox.samples.utility.counting import (
    Block,
    Row,
    Set,
    best,
    ledger,
    rows,
    sets,
)

NEM = timezone(timedelta(hours=10))


@pytest.fixture(scope="module")
def taken(folder: Path) -> dict[str, list[Set]]:
    """The sound sets of accepted interchanges by point, in the order in which they came."""
    found: defaultdict[str, list[Set]] = defaultdict(list)
    for row in ledger(folder, "files"):
        if row["verdict"] in {"accept", "hold"} and row["format"] == "X12":
            for one in sets(folder, row):
                if one.sound:
                    found[one.point].append(one)
    return found


def zones(folder: Path) -> dict[str, str]:
    return {row["point"]: row["zone"] for row in rows(folder / "master_data_later" / "service_points.csv")}


def months(folder: Path, market: str, *suffixes: str) -> list[Row]:
    found = [row for row in ledger(folder, "months") if row["market"] == market]
    return [row for row in found if not suffixes or row["suffix"] in suffixes]


def test_billable_intervals_are_the_best_versions_of_the_month_on_the_local_clock(
    folder: Path, sent: dict[tuple[str, str], list[Block]]
) -> None:
    zone_of = zones(folder)
    billable = [row for row in months(folder, "Australia", "E1", "B1") if row["state"] == "billable"]
    assert len(billable) > 80
    for row in billable:
        total = Decimal(0)
        first = datetime.strptime(row["month"], "%Y-%m").replace(tzinfo=ZoneInfo(zone_of[row["point"]]))
        begin, end = (first.replace(month=first.month + add).astimezone(UTC) for add in (0, 1))
        for block in best(sent[row["point"], row["suffix"]]).values():
            start = datetime.strptime(block.when, "%Y%m%d").replace(tzinfo=NEM)
            length = timedelta(minutes=block.length)
            total += sum(value for at, value in enumerate(block.values) if begin <= start + length * at < end)
        assert total == Decimal(row["kwh"]), row


def test_intervals_that_are_held_lack_data(folder: Path, sent: dict[tuple[str, str], list[Block]]) -> None:
    held = [row for row in months(folder, "Australia", "E1", "B1") if row["state"] == "held"]
    assert {"MISSING", "SIBLING", "NO_SERVICE_POINT"} <= {row["codes"] for row in held}
    for row in held:
        chosen = best(sent[row["point"], row["suffix"]])
        days = [block for day, block in chosen.items() if day.startswith(row["month"].replace("-", ""))]
        of_month = 31 if row["month"] == "2025-10" else 30
        no_data = any(block.qualities["N"] for block in days)
        if "MISSING" in row["codes"]:
            assert no_data or len(days) == of_month - 3
        else:
            assert not no_data
            assert len(days) == of_month


def test_billable_reads_are_the_best_versions_of_each_period(
    folder: Path, sent: dict[tuple[str, str], list[Block]]
) -> None:
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    expected: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in months(folder, "Australia", "11", "41"):
        if row["state"] == "billable":
            expected[row["point"], row["suffix"]] += Decimal(row["kwh"])
    held = {row["point"] for row in months(folder, "Australia", "11", "41") if row["state"] == "held"}
    for key in expected:
        if key[0] not in held:
            sums[key] += sum((block.values[0] for block in best(sent[key]).values()), Decimal(0))
    assert len(sums) > 60
    assert sums == {key: kwh for key, kwh in expected.items() if key[0] not in held}


def live(found: list[Set]) -> list[Set]:
    """What no cancel took away: an original comes once, a replacement needs the cancel of what it replaces."""
    originals: dict[str, Set] = {}
    for one in found:
        if one.purpose == "00" and one.id not in originals:
            originals[one.id] = one
    gone = {one.names for one in found if one.purpose == "01"}
    again = [one for one in found if one.purpose == "05" and one.names in gone]
    return [one for one in originals.values() if one.id not in gone] + again


def test_billable_pairs_of_texas_are_what_no_cancel_took_away(folder: Path, taken: dict[str, list[Set]]) -> None:
    by_point: defaultdict[str, list[Row]] = defaultdict(list)
    for row in months(folder, "Texas"):
        by_point[row["point"]].append(row)
    assert len(by_point) == 100
    for point, of_point in by_point.items():
        usage = {one.id: one for one in live([one for one in taken[point] if one.type == "867"])}
        charges = live([one for one in taken[point] if one.type == "810"])
        pairs = {one.usage: one for one in charges if one.usage in usage}
        billable = [row for row in of_point if row["state"] == "billable"]
        for row in billable:
            month = row["month"].replace("-", "")
            found = [(usage[id_], one) for id_, one in pairs.items() if usage[id_].begin.startswith(month)]
            assert [(one.quantity, pair.total) for one, pair in found] == [(Decimal(row["kwh"]), int(row["charges"]))]
        for row in of_point:
            if row["state"] in {"cancelled", "waiting"} and row["fault"] not in {"total is a cent off"}:
                month = row["month"].replace("-", "")
                assert not [id_ for id_ in pairs if usage[id_].begin.startswith(month)], row


def test_the_day_on_which_the_clock_is_put_back_has_a_hundred_quarter_hours(taken: dict[str, list[Set]]) -> None:
    """On 2 November 2025 the hour from one to two is there twice in Texas: in daylight saving and in standard time."""
    whole = 0
    for one in (one for found in taken.values() for one in found if one.begin <= "20251102" < one.end):
        ends = [segment[2:] for segment in one.segments if segment[:2] == ["DTM", "194"]]
        if not ends:
            continue
        assert len(ends) == len({tuple(end) for end in ends})
        of_day = [end for end in ends if end[0] == "20251102" and end[1] not in {"0000"}]
        whole += len(of_day) + (["20251103", "0000", "CS"] in ends) == 100
        assert ["20251102", "0200", "CD"] in ends
        assert ["20251102", "0200", "CS"] in ends
        assert ["20251102", "0115", "CS"] in ends
    assert whole >= 3


def test_october_is_an_hour_shorter_where_the_clock_is_put_forward(folder: Path) -> None:
    """NEM days have 24 hours all year; the local month of Sydney ends at 23:00 of its last day on that clock."""
    sydney = datetime(2025, 11, 1, tzinfo=ZoneInfo("Australia/Sydney"))
    assert sydney.astimezone(NEM) == datetime(2025, 10, 31, 23, tzinfo=NEM)
    assert "Australia/Sydney" in zones(folder).values()
    assert "Australia/Brisbane" in zones(folder).values()
