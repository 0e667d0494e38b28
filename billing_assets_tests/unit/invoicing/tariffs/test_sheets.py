"""A tariff in a spreadsheet: what is written is read back the same; what is wrong is named by row, column and value."""

import csv
import random
from datetime import time
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings

from billing_assets.foundation.cells import csv_cell, csv_text
from billing_assets.invoicing.rating.importers.cdr import from_cdr
from billing_assets.invoicing.rating.importers.urdb import from_urdb
from billing_assets.invoicing.tariffs.sheet_rows import Fault, SheetError, SheetRow, normal, rows_of, tariff_of
from billing_assets.invoicing.tariffs.sheets import TariffFileError, read_sheet, write_sheet
from billing_assets_tests.unit.invoicing.importers.foreign_files import PLANS, RATES, plan_of, rate_of
from billing_assets_tests.unit.invoicing.tariffs.generated import TEXTS, tariffs

TARIFF: dict[str, Any] = {
    "code": "made",
    "currency": "AUD",
    "charges": [
        {
            "code": "usage",
            "kind": "tou",
            "bill_text": "Usage",
            "versions": [
                {
                    "valid_from": "2026-01-01",
                    "windows": [
                        {
                            "name": "peak",
                            "days": ["mon", "tue", "wed", "thu", "fri"],
                            "from": "15:00",
                            "to": "21:00",
                            "blocks": [{"up_to": "10", "price": "0.5280"}, {"price": "-0.0125"}],
                        }
                    ],
                }
            ],
        }
    ],
}

NUMBER = "write a number with a point and without thousands separators, such as 0.0745."


@settings(max_examples=150, deadline=None)
@given(tariffs())
def test_a_tariff_is_the_same_when_it_comes_back_from_rows(tariff: dict[str, Any]) -> None:
    rows = [SheetRow(number, row) for number, row in enumerate(rows_of(tariff), start=2)]
    assert tariff_of(rows).tariff == normal(tariff)


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tariff=tariffs())
def test_a_tariff_is_the_same_when_it_comes_back_from_a_file(
    tmp_path: Path, ending: str, tariff: dict[str, Any]
) -> None:
    path = tmp_path / f"tariff{ending}"
    path.unlink(missing_ok=True)
    write_sheet(path, tariff)
    assert read_sheet(path).tariff == normal(tariff)


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_a_foreign_tariff_goes_through_a_spreadsheet(tmp_path: Path, ending: str) -> None:
    found = [from_urdb(rate_of(name)).tariff for name in RATES] + [from_cdr(plan_of(name)).tariff for name in PLANS]
    for number, tariff in enumerate(found):
        path = tmp_path / f"{number}{ending}"
        write_sheet(path, tariff)
        assert read_sheet(path).tariff == normal(tariff)


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_a_cell_of_a_csv_is_the_text_that_was_written(text: str) -> None:
    assert csv_text(csv_cell(text)) == text


def edited(tmp_path: Path, cells: dict[tuple[int, str], str], tariff: dict[str, Any] = TARIFF) -> Path:
    """The tariff's CSV with cells that a person changed: by row and title."""
    path = tmp_path if tmp_path.suffix else tmp_path / "edited.csv"
    write_sheet(path, tariff)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    for (row, title), text in cells.items():
        rows[row - 1][rows[0].index(title)] = text
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_a_price_keeps_its_digits_and_a_price_below_zero_is_no_formula(tmp_path: Path) -> None:
    path = edited(tmp_path, {})
    assert "0.5280" in path.read_text(encoding="utf-8-sig")
    assert ",-0.0125," in path.read_text(encoding="utf-8-sig")
    assert read_sheet(path).tariff == TARIFF


def test_what_an_analyst_types_into_excel_is_read(tmp_path: Path) -> None:
    path = tmp_path / "made.xlsx"
    write_sheet(path, TARIFF)
    book = openpyxl.load_workbook(path)
    sheet = book["Tariff"]
    titles = [cell.value for cell in sheet[1]]
    sheet.cell(3, titles.index("Price") + 1).value = 0.0745  # a number, not a text
    sheet.cell(2, titles.index("Days") + 1).value = "Mon, Tue, Wed, Thu, Fri"
    sheet.cell(3, titles.index("Window from") + 1).value = time(15, 0)
    book.save(path)
    version = read_sheet(path).tariff["charges"][0]["versions"][0]
    assert version["windows"][0]["blocks"][1] == {"price": "0.0745"}


def test_rows_may_be_sorted_by_charge_and_say_what_they_are_of_once(tmp_path: Path) -> None:
    second = {**TARIFF["charges"][0], "code": "other"}
    tariff = {**TARIFF, "charges": [TARIFF["charges"][0], second]}
    rows = [SheetRow(number, row) for number, row in enumerate(rows_of(tariff), start=2)]
    mixed = [rows[0], rows[2], rows[1], rows[3]]
    assert tariff_of(mixed).tariff == tariff


@pytest.mark.parametrize(
    ("cells", "faults"),
    [
        (
            {(2, "Price"): "0,5280"},
            [Fault(2, "Price", "0,5280", NUMBER)],
        ),
        (
            {(3, "Window from"): "3pm"},
            [Fault(3, "Window from", "3pm", "write a time such as 07:00, or 24:00 for the end of the day.")],
        ),
        ({(2, "Days"): "weekdays"}, [Fault(2, "Days", "weekdays", "write days such as mon-fri; sat; sun; holiday.")]),
        (
            {(2, "Valid from"): "1/7/2026", (3, "Valid from"): "1/7/2026"},
            [Fault(row, "Valid from", "1/7/2026", "write a date such as 2026-07-01.") for row in (2, 3)],
        ),
        (
            {(3, "Kind"): "usage"},
            [Fault(3, "Kind", "usage", "row 2 says “tou” of the same charge. Write the same, or nothing.")],
        ),
        ({(3, "Charge"): ""}, [Fault(3, "Charge", "", "write the code of the charge that this row is of.")]),
        (
            {(2, "Up to"): "1.20E+06"},
            [Fault(2, "Up to", "1.20E+06", "a spreadsheet wrote this instead of what was there. Write it again.")],
        ),
        (
            {(2, "Price"): "x", (3, "Price"): "y"},
            [
                Fault(2, "Price", "x", NUMBER),
                Fault(3, "Price", "y", NUMBER),
            ],
        ),
    ],
)
def test_every_fault_is_named_with_row_column_and_value(
    tmp_path: Path, cells: dict[tuple[int, str], str], faults: list[Fault]
) -> None:
    with pytest.raises(SheetError) as error:
        read_sheet(edited(tmp_path, cells))
    assert list(error.value.faults) == faults


def test_a_window_that_is_there_twice_comes_back_twice_and_is_found_when_it_is_checked(tmp_path: Path) -> None:
    window = {"name": "all", "days": ["mon"], "from": "00:00", "to": "24:00", "price": "1"}
    charge = {"code": "a", "kind": "tou", "versions": [{"valid_from": "2026-01-01", "windows": [window, window]}]}
    tariff = {"code": "x", "charges": [charge]}
    write_sheet(tmp_path / "x.csv", tariff)
    assert read_sheet(tmp_path / "x.csv").tariff == tariff


def test_two_prices_for_the_same_are_a_fault() -> None:
    flat = {"code": "a", "kind": "usage", "versions": [{"valid_from": "2026-01-01", "price": "1"}]}
    rows = rows_of({"code": "x", "charges": [flat]}) * 2
    with pytest.raises(SheetError, match="Row 3, column Price, “1”: there is a price without a limit for the same"):
        tariff_of([SheetRow(number, row) for number, row in enumerate(rows, start=2)])


def test_a_column_that_no_one_knows_is_refused_rather_than_left_out(tmp_path: Path) -> None:
    with pytest.raises(TariffFileError, match="“Prise”: no column of a tariff has this title"):
        read_sheet(edited(tmp_path, {(1, "Price"): "Prise"}))
    path = edited(tmp_path / "none.csv", {(1, "Charge"): ""})
    with pytest.raises(TariffFileError, match="must have the column Charge"):
        read_sheet(path)


def test_a_tariff_with_a_part_that_no_column_holds_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(TariffFileError, match=r"parts that no column holds. Export it as \.json"):
        write_sheet(tmp_path / "x.csv", {**TARIFF, "colour": "blue"})
    assert not (tmp_path / "x.csv").exists()


def test_the_row_of_each_part_is_known_so_that_a_finding_can_name_it() -> None:
    rows = [SheetRow(number, row) for number, row in enumerate(rows_of(TARIFF), start=2)]
    random.Random(1).shuffle(rows[2:])
    found = tariff_of(rows).rows
    assert found["charges[0].versions[0].windows[0].blocks[1]"] == 3
    assert found["charges[0]"] == 2
