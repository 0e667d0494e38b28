"""Real rates and a real customer's data: five US rates over a year, month by month, and three days of Amber."""

import csv
import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from billing_assets.invoicing.rating.cases import rate_text
from billing_assets_tests.unit.invoicing.importers.foreign_files import FOLDER, RATES
from billing_assets_tests.unit.invoicing.rating.examples import WORKED_FOLDER, rated

YEAR = 2018


def expected_bills() -> dict[tuple[str, str], list[tuple[str, Decimal]]]:
    """Lines by rate and month; the line `TOTAL` is the bill."""
    found: dict[tuple[str, str], list[tuple[str, Decimal]]] = {}
    with (FOLDER / "expected" / "urdb-2018.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault((row["rate"], row["month"]), []).append((row["line"], Decimal(row["amount"])))
    return found


EXPECTED = expected_bills()
HOURS = [datetime(YEAR, 1, 1) + timedelta(hours=hour) for hour in range(8760)]  # noqa: DTZ001 - a clock without a zone


def load(hour: int) -> int:
    """kWh of an hour of the year."""
    at = HOURS[hour]
    return 20 + 37 * hour % 41 + (30 if at.weekday() < 5 and 8 <= at.hour < 18 else 0) + 5 * at.month


@pytest.mark.parametrize("name", RATES)
def test_a_year_of_a_us_rate_is_billed_line_by_line_as_expected(name: str) -> None:
    rate = (FOLDER / "urdb" / f"{name}.json").read_text(encoding="utf-8")
    for month in range(1, 13):
        begins, ends = date(YEAR, month, 1), date(YEAR + month // 12, month % 12 + 1, 1)
        values = [str(load(hour)) for hour, at in enumerate(HOURS) if at.month == month]
        rest = {
            "period": {"from": str(begins), "to": str(ends)},
            "usage": {"intervals": [{"start": f"{begins}T00:00:00Z", "minutes": 60, "values": values}]},
        }
        found = rate_text(f'{{"urdb": {rate}, {json.dumps(rest)[1:]}')
        assert found.totals is not None, [one.sentence for one in found.findings]
        *lines, (_, total) = EXPECTED[name, str(month)]
        assert sorted(one.amount for one in found.lines if one.amount) == sorted(one for _, one in lines if one)
        assert found.totals.total == total


def amber(channel: str) -> dict[str, Any]:
    """The case of a channel of the export: an index price in cents a kWh, as money a MWh."""
    with (WORKED_FOLDER / "amber_sample.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["Channel Type"] == channel]
    start = datetime(2026, 4, 12, tzinfo=ZoneInfo("UTC")) - timedelta(
        hours=10
    )  # labels are one second after it, NEM time
    head = {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "minutes": 30}
    version = {"valid_from": "2026-01-01", "series": "AMBER"}
    charge = {"code": "energy", "kind": "index", "channels": [channel], "time_zone": "UTC+10", "versions": [version]}
    prices = [str(Decimal(row["Price"]) * 10) for row in rows]
    return {
        "tariff": {"code": "AMBER", "currency": "AUD", "charges": [charge]},
        "usage": {"intervals": [{"channel": channel, **head, "values": [row["Usage"] for row in rows]}]},
        "period": {"from": "2026-04-12", "to": "2026-04-15"},
        "context": {"time_zone": "Australia/Brisbane", "price_series": {"AMBER": {**head, "prices": prices}}},
    }


@pytest.mark.parametrize(
    ("channel", "amount", "exact", "kwh"),
    [("general", "15.43", "15.4288539428", "106.418"), ("feedIn", "-0.47", "-0.4746395607", "3")],
)
def test_three_days_of_negative_and_positive_prices_add_up_exactly(
    channel: str, amount: str, exact: str, kwh: str
) -> None:
    found = rated(amber(channel))
    (line,) = found.lines
    assert (str(line.amount), found.evidence[0]["exact"]) == (amount, exact)
    assert abs(line.quantity) == Decimal(kwh)
