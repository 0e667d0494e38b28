"""What a file is, is seen from its ending and its content; what is none of it is refused with what to do."""

import json
from pathlib import Path
from typing import Any

import pytest

from billing_assets.invoicing.tariffs.files import TariffFile, read_tariff
from billing_assets.invoicing.tariffs.sheets import TariffFileError, write_sheet
from billing_assets_tests.unit.invoicing.importers.foreign_files import FOLDER
from billing_assets_tests.unit.invoicing.tariffs.test_sheets import TARIFF


def written(folder: Path, content: object, name: str = "tariff.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_tariff_of_ours_a_rate_a_plan_and_a_sheet_are_told_apart(tmp_path: Path) -> None:
    write_sheet(tmp_path / "made.xlsx", TARIFF)
    write_sheet(tmp_path / "made.csv", TARIFF)
    paths = [
        written(tmp_path, TARIFF),
        FOLDER / "urdb" / "leap_year.json",
        FOLDER / "cdr-plans-made" / "demand.json",
        tmp_path / "made.csv",
        tmp_path / "made.xlsx",
    ]
    found = [read_tariff(path) for path in paths]
    assert [one.file.format for one in found] == ["json", "urdb", "cdr", "csv", "xlsx"]
    assert [one.tariff for one in found][0::3] == [TARIFF, TARIFF]
    assert found[0].file.name == "tariff.json"


def test_an_answer_of_openei_with_one_rate_is_that_rate(tmp_path: Path) -> None:
    rate = json.loads((FOLDER / "urdb" / "leap_year.json").read_text())
    assert read_tariff(written(tmp_path, {"items": [rate]})).tariff["currency"] == "USD"


def test_the_place_of_a_finding_is_the_row_of_the_sheet(tmp_path: Path) -> None:
    write_sheet(tmp_path / "made.csv", TARIFF)
    found = read_tariff(tmp_path / "made.csv")
    assert found.place("charges[0].versions[0].windows[0].blocks[1].price") == "row 3"
    assert found.place("charges[0].versions[0].windows[0].days") == "row 2"
    assert found.place("code") == ""
    assert TariffFile(TARIFF, found.file).place("charges[0]") == ""


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        ({"a": 1}, "a.json", "is neither a tariff of ours"),
        ([1], "a.json", "a tariff is an object"),
        ("{", "a.json", "it is no JSON"),
        ({"energyratestructure": [], "coincidentratestructure": 5}, "a.json", "coincidentratestructure is 5"),
        ("x", "a.pdf", "must end in .json, .csv or .xlsx"),
        ("x", "a.xlsx", "cannot be read as an Excel file"),
    ],
)
def test_what_is_no_tariff_is_refused_by_the_name_of_the_file(
    tmp_path: Path, content: Any, name: str, said: str
) -> None:
    with pytest.raises(TariffFileError) as error:
        read_tariff(written(tmp_path, content, name))
    assert said in str(error.value)
    assert name in str(error.value)
