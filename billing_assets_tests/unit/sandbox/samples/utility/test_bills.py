"""What the utility sample says of bills: master data that billing takes as it stands, and bills that add up."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from billing_assets.invoicing.accounts.kinds import KINDS
from billing_assets.invoicing.tariffs.files import read_tariff
from billing_assets.invoicing.tariffs.loading import judged
from billing_assets.metering.contract import read_folder
from billing_assets_tests.unit.sandbox.samples.utility.conftest import SMALL
from billing_assets_tests.unit.sandbox.samples.utility.counting import Block, best, ledger, rows

PRICES = {"peak": Decimal("0.4870"), "shoulder": Decimal("0.2640"), "off-peak": Decimal("0.1930")}


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def time_of(when: datetime) -> str:
    if when.weekday() > 4 or when.hour < 7 or when.hour >= 22:
        return "off-peak"
    return "peak" if 15 <= when.hour < 21 else "shoulder"


def hours_of(sent: list[Block], zone: str) -> Iterator[tuple[datetime, Decimal]]:
    """The intervals that count with the moments of the customer's clock in which they begin."""
    for block in best(sent).values():
        begin = datetime.strptime(block.when, "%Y%m%d").replace(tzinfo=timezone(timedelta(hours=10)))
        for number, kwh in enumerate(block.values):
            yield (begin + timedelta(minutes=number * block.length)).astimezone(ZoneInfo(zone)), kwh


def test_half_of_australia_is_billed_elsewhere_and_every_other_known_point_has_account_and_agreement(
    folder: Path,
) -> None:
    read_folder(folder / "billing", KINDS)  # raises for what cannot be loaded
    agreements = {row["point"]: row["account"] for row in rows(folder / "billing" / "agreements.csv")}
    accounts = {row["account"]: row["bill_group"] for row in rows(folder / "billing" / "accounts.csv")}
    supplied = {row["point"]: row["account"] for row in rows(folder / "master_data_later" / "supply_periods.csv")}
    assert set(accounts) == set(agreements.values())
    assert agreements.items() <= supplied.items()
    left = [point for point in supplied if point not in agreements]
    australia = SMALL // 2
    assert len([point for point in supplied if point.startswith("9")]) > len(left) >= australia // 2 - 2
    assert not [point for point in left if point.startswith("10")]
    assert {group for group in accounts.values() if group.startswith("TX")} == {"TX-NORTH", "TX-COAST", "TX-WEST"}


def test_every_tariff_that_an_agreement_names_is_there_and_without_a_finding(folder: Path) -> None:
    found = {path.stem: judged(read_tariff(path)) for path in (folder / "billing" / "tariffs").glob("*.json")}
    assert {row["tariff"] for row in rows(folder / "billing" / "agreements.csv")} <= set(found)
    assert [one.findings for one in found.values() if one.findings] == []


def test_a_month_of_texas_is_billed_where_its_usage_is_billable_and_nothing_before_it_is_open(folder: Path) -> None:
    months = {(row["point"], row["month"]): row for row in ledger(folder, "months") if row["market"] == "Texas"}
    bills = [row for row in ledger(folder, "bills") if row["currency"] == "USD"]
    assert {(row["point"], row["month"]) for row in bills} == set(months)
    is_open: dict[str, bool] = {}
    for row in bills:
        month = months[row["point"], row["month"]]
        billable = month["state"] == "billable"
        was_open = is_open.get(row["point"], False)
        assert row["state"] == ("unbilled" if not billable else "gap" if was_open else "billed")
        is_open[row["point"]] = was_open or not billable
        if billable:
            assert (Decimal(row["kwh"]), row["begin"], row["end"]) == (
                Decimal(month["kwh"]), month["begin"], month["end"],
            )  # fmt: skip
            assert Decimal(row["net"]) + Decimal(row["tax"]) == Decimal(row["total"])
            assert Decimal(row["net"]) > Decimal(month["charges"]) / 100


def test_a_bill_of_the_month_of_the_clock_change_is_what_a_person_computes_from_the_files_hour_by_hour(
    folder: Path, sent: dict[tuple[str, str], list[Block]]
) -> None:
    agreements = {row["point"]: row["tariff"] for row in rows(folder / "billing" / "agreements.csv")}
    zones = {row["point"]: row["zone"] for row in rows(folder / "master_data_later" / "service_points.csv")}
    seen = set()
    for row in ledger(folder, "bills"):
        tariff = agreements.get(row["point"], "")
        if row["month"] != "2025-10" or row["state"] != "billed" or tariff not in {"AU-TIMES", "AU-SOLAR"}:
            continue
        seen.add(tariff)
        used: defaultdict[str, Decimal] = defaultdict(Decimal)
        for when, kwh in hours_of(sent[row["point"], "E1"], zones[row["point"]]):
            if row["begin"] <= f"{when:%Y-%m-%d}" < row["end"]:
                used[time_of(when)] += kwh
        assert sum(used.values()) == Decimal(row["kwh"])
        days = (date.fromisoformat(row["end"]) - date.fromisoformat(row["begin"])).days
        taxed = cents(days * Decimal("1.0450")) + sum(cents(kwh * PRICES[name]) for name, kwh in used.items())
        credit = Decimal(0)
        if tariff == "AU-SOLAR":
            fed_in = hours_of(sent[row["point"], "B1"], zones[row["point"]])
            whole = sum((kwh for when, kwh in fed_in if row["begin"] <= f"{when:%Y-%m-%d}" < row["end"]), Decimal(0))
            credit = cents(whole * Decimal("0.0520"))
        assert (Decimal(row["net"]), Decimal(row["tax"])) == (taxed - credit, cents(taxed / 10)), row["account"]
    assert seen == {"AU-TIMES", "AU-SOLAR"}
