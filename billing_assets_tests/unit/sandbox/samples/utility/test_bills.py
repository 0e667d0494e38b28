"""What the utility sample says of bills: master data that billing takes as it stands, and bills that add up."""

from decimal import Decimal
from pathlib import Path

from billing_assets.invoicing.accounts.kinds import KINDS
from billing_assets.invoicing.tariffs.files import read_tariff
from billing_assets.invoicing.tariffs.loading import judged
from billing_assets.metering.contract import read_folder
from billing_assets_tests.unit.sandbox.samples.utility.conftest import SMALL
from billing_assets_tests.unit.sandbox.samples.utility.counting import ledger, rows


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
    bills = ledger(folder, "bills")
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
