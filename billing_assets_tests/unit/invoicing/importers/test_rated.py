"""Foreign tariffs rated by `billing rate`: the year of every URDB rate line by line, and the worked CDR plans."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from billing_assets_tests.unit.invoicing.importers.foreign_files import FOLDER, RATES
from proving.world.command import call

Bill = dict[str, Any]
Line = tuple[Decimal, Decimal, Decimal]


@pytest.fixture
def rate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    """Rates a case; the foreign tariff is put into it as text, as it was downloaded."""

    def rated(kind: str, tariff: Path, **case: Any) -> Bill:
        path = tmp_path / "case.json"
        rest = json.dumps(case)
        path.write_text(f'{{"{kind}": {tariff.read_text(encoding="utf-8")}, {rest[1:]}', encoding="utf-8")
        said = call(capsys, {}, "rate", str(path), "--json")
        assert said.code == 0, said
        found: Bill = json.loads(said.out)
        assert [one for one in found["findings"] if one["severity"] == "error"] == []
        return found

    return rated


def lines_of(bill: Bill) -> Counter[Line]:
    """Quantity, price and amount of the lines that cost anything."""
    found = ((Decimal(one["quantity"]), Decimal(one["price"]), Decimal(one["amount"])) for one in bill["lines"])
    return Counter(line for line in found if line[2])


def expected(name: str) -> Iterator[tuple[int, list[tuple[str, Decimal]]]]:
    """The twelve bills of a rate: month and lines."""
    with (FOLDER / "expected" / "urdb-2018.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["rate"] == name and row["month"]]
    for month in range(1, 13):
        yield month, [(row["line"], Decimal(row["amount"])) for row in rows if int(row["month"]) == month]


def load(month: int) -> list[str]:
    """The made load of a month of 2018 by the hour (SOURCE.md)."""
    first = datetime(2018, 1, 1)  # noqa: DTZ001  a clock without daylight saving
    found = []
    for hour in range(8760):
        at = first + timedelta(hours=hour)
        if at.month == month:
            daytime = 30 if at.weekday() < 5 and 8 <= at.hour < 18 else 0
            found.append(str(20 + 37 * hour % 41 + daytime + 5 * month))
    return found


@pytest.mark.parametrize("name", RATES)
def test_a_year_of_a_rate_is_billed_line_by_line(rate: Any, name: str) -> None:
    year = Decimal(0)
    for month, wanted in expected(name):
        begin, end = date(2018, month, 1), date(2018 + month // 12, month % 12 + 1, 1)
        intervals = {"start": f"{begin}T00:00:00Z", "minutes": 60, "values": load(month)}
        bill = rate(
            "urdb",
            FOLDER / "urdb" / f"{name}.json",
            usage={"intervals": [intervals]},
            period={"from": str(begin), "to": str(end)},
            context={"time_zone": "UTC"},
        )
        of_load, fixed = Counter[Line](), Counter[Decimal]()
        for text, amount in wanted[:-1]:
            *_, quantity, times, price = ["", "", *text.split()]
            if times == "x":
                of_load[Decimal(quantity), Decimal(price), amount] += 1
            elif text == "fixed":
                fixed[amount] += 1
        assert Counter({one: many for one, many in lines_of(bill).items() if one[2] not in fixed}) == of_load, month
        assert Decimal(bill["total"]) == wanted[-1][1] == sum(amount for _, amount in wanted[:-1]), month
        year += Decimal(bill["total"])
    assert year == sum(lines[-1][1] for _, lines in expected(name))


def half_hours(zone: str, begin: date, end: date, load: Any) -> dict[str, Any]:
    """Half hours of a period of local days."""
    where = ZoneInfo(zone)
    at = datetime(begin.year, begin.month, begin.day, tzinfo=where).astimezone(UTC)
    last = datetime(end.year, end.month, end.day, tzinfo=where).astimezone(UTC)
    values = []
    start = at
    while at < last:
        values.append(str(load(at.astimezone(where))))
        at += timedelta(minutes=30)
    return {"start": start.strftime("%Y-%m-%dT%H:%M:%SZ"), "minutes": 30, "values": values}


def amounts(bill: Bill) -> list[tuple[str, str]]:
    """Lines as a person sees them, in cents' order."""
    return sorted((one["quantity"], one["amount"]) for one in bill["lines"])


def test_w20_seasons_holiday_blocks_controlled_load_feed_in_and_discounts(rate: Any) -> None:
    def load(at: datetime) -> Decimal:
        evening = Decimal("0.350") if 17 <= at.hour < 21 else Decimal(0)
        return Decimal("0.150") + evening + (Decimal("0.040") if at.weekday() >= 5 else Decimal(0))

    begin, end = date(2026, 10, 20), date(2026, 11, 10)
    intervals = half_hours("Australia/Melbourne", begin, end, load)
    assert len(intervals["values"]) == 1008
    register = {"from": str(begin), "to": str(end)}
    registers = [
        {**register, "channel": "controlled_load", "quantity": "61.2"},
        {**register, "channel": "feed_in", "quantity": "240.5"},
    ]
    bill = rate(
        "cdr",
        FOLDER / "cdr-plans-made" / "seasonal-tou.json",
        usage={"intervals": [intervals], "registers": registers},
        period=register,
        context={"time_zone": "Australia/Melbourne", "holidays": ["2026-11-03"], "due_date": "2026-12-01"},
    )
    assert Counter(one["amount"] for one in bill["lines"]) == Counter(
        ["20.66", "6.16", "6.36", "9.98", "14.89", "4.87", "10.53", "11.94", "8.96", "0.65", "-4.41", "-16.80", "-2.90"]
    )
    assert (bill["net"], bill["tax"], bill["total"]) == ("70.89", "9.06", "79.95")
    (on_time,) = bill["conditional"]
    assert (on_time["payable"], on_time["by"]) == ("77.96", "2026-12-01")


def test_w21_demand_measured_by_month_and_charged_by_day(rate: Any) -> None:
    def load(at: datetime) -> Decimal:
        afternoon = Decimal("0.110") * (at.day % 7) if 15 <= at.hour < 21 else Decimal(0)
        return Decimal("0.300") + afternoon + (Decimal("2.0") if at.hour == 21 else Decimal(0))

    begin, end = date(2026, 11, 20), date(2026, 12, 21)
    intervals = half_hours("Australia/Brisbane", begin, end, load)
    assert len(intervals["values"]) == 1488
    bill = rate(
        "cdr",
        FOLDER / "cdr-plans-made" / "demand.json",
        usage={"intervals": [intervals]},
        period={"from": str(begin), "to": str(end)},
        context={"time_zone": "Australia/Brisbane"},
    )
    assert Counter(one["amount"] for one in bill["lines"]) == Counter(["169.82", "40.92", "6.55", "9.30"])
    assert (bill["net"], bill["tax"], bill["total"]) == ("226.59", "22.66", "249.25")
