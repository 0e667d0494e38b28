"""Files that a spreadsheet program saved: what is seen in them is what is read.

`libreoffice/` has queues of eight documents as `files.export` writes them, filled in, then opened and saved by
LibreOffice 7.4 (`soffice --headless --convert-to xlsx`; for the CSV `csv:Text - txt - csv (StarCalc):59,34,76`).
`opened_as.csv` is our CSV, `windows_1252.csv` the workbook, saved as LibreOffice does it unasked.
"""

from pathlib import Path

import pytest

from billing_assets.erp.audit.files import FileError, read
from billing_assets.foundation.cells import changed_by_spreadsheet

FOLDER = Path(__file__).parent / "libreoffice"
NUMBERS = ["12E5", "5-11", "0012", "=1+2", "Ünï 中", "_x0041_", "77", "1;=1+2"]


@pytest.mark.parametrize("name", ["filled_in.xlsx", "filled_in.csv"])
def test_what_was_filled_in_is_read_as_it_was_seen(name: str) -> None:
    _, rows = read(FOLDER / name)
    assert [(row.reference, row.number) for row in rows] == [(str(at), it) for at, it in enumerate(NUMBERS, start=1)]
    assert [(row.decision, row.comment) for row in rows] == [("hold", f"wait, “{row.row}”") for row in rows]
    assert {(row.seen, row.fault) for row in rows} == {("d0-0123456789ab", None)}


def test_merged_cells_and_formulas_count_as_they_are_shown_and_an_error_is_named() -> None:
    _, rows = read(FOLDER / "merged_and_formulas.xlsx")
    assert [(row.decision, row.comment) for row in rows[:4]] == [("hold", "wait")] * 3 + [("hold", "wait too")]
    faults = {row.row: row.fault[:2] for row in rows if row.fault}
    assert faults == {6: ("Decision", "#NAME?"), 7: ("Decision", "hold")}, "an error, and a row that is hidden"
    assert [row.filled_in for row in rows[6:]] == [False, False], "hidden, or a formula that shows nothing"


def test_of_a_filtered_list_only_what_was_shown_is_taken() -> None:
    _, rows = read(FOLDER / "filtered.xlsx")
    assert [(row.row, row.decision, row.fault is None) for row in rows if row.filled_in] == [
        (2, "approve", True),
        (7, "hold", False),
    ]


def test_numbers_that_it_changed_in_a_csv_are_known_for_its_doing() -> None:
    _, rows = read(FOLDER / "opened_as.csv")
    changed = {number: row.number for number, row in zip(NUMBERS, rows, strict=True) if row.number.strip("'") != number}
    assert changed == {"12E5": "1.20E+06", "0012": "12", "1;=1+2": "1;'=1+2"}
    assert all(changed_by_spreadsheet(number, changed[number]) for number in ("12E5", "0012"))


def test_a_csv_in_the_letters_of_windows_is_refused_with_what_to_do() -> None:
    with pytest.raises(FileError, match=r"is not in UTF-8\. Save it as “CSV UTF-8”"):
        read(FOLDER / "windows_1252.csv")
