"""What a person sees in a workbook that was filled in is what is read, or it is named with what to do."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from openpyxl.comments import Comment as Note
from openpyxl.workbook import Workbook

from billing_assets.erp.audit.decisions import Imported
from billing_assets.erp.audit.files import FileError
from billing_assets_tests.rooms.erp.audit.conftest import Office, held, queued, said

WHICH = ("Reference", "Number", "For the machine")


def filled(office: Office, fill: Callable[[Any, dict[str, int]], None]) -> Path:
    """The exported workbook after it was filled in by another program; `fill` gets the sheet and each title's place."""
    path = office.export()
    book = load_workbook(path)
    fill(book["Audit"], {str(cell.value): place for place, cell in enumerate(book["Audit"][1], start=1)})
    book.save(path)
    return path


def hold_all(sheet: Any, place: dict[str, int]) -> None:
    for row in range(2, sheet.max_row + 1):
        sheet.cell(row, place["Decision"]).value = "hold"
        sheet.cell(row, place["Comment"]).value = "wait"


def changed(path: Path, change: Callable[[str, str], str]) -> Path:
    """The same workbook with the text of its parts changed."""
    out = path.with_name("changed.xlsx")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith((".xml", ".rels")):
                content = change(name, content.decode()).encode()
            new.writestr(name, content)
    return out


@pytest.mark.parametrize("says", ["A1", "A1:U2", "A1:D4", "A1:XFD1048576"])
def test_every_row_is_read_whatever_the_sheet_says_of_its_size(office: Office, says: str) -> None:
    queued(office, "1", "2", "3")
    dimension = re.compile(r'<dimension ref="[^"]*"\s*/>')
    path = changed(filled(office, hold_all), lambda _, text: dimension.sub(f'<dimension ref="{says}"/>', text))
    assert held(office.take(path)) == ["1", "2", "3"]


def test_a_cell_far_outside_is_named_before_it_takes_the_memory(office: Office) -> None:
    queued(office, "1")

    def fill(sheet: Any, place: dict[str, int]) -> None:
        hold_all(sheet, place)
        sheet["XFD1048576"].value = " "

    with pytest.raises(FileError, match="row 1048576 lies far outside of the table"):
        office.take(filled(office, fill))


def test_a_merged_decision_counts_for_each_row_that_it_is_seen_beside(office: Office) -> None:
    queued(office, "1", "2", "3")

    def fill(sheet: Any, place: dict[str, int]) -> None:
        sheet.cell(2, place["Decision"]).value, sheet.cell(2, place["Comment"]).value = "hold", "wait"
        for title in ("Decision", "Comment"):  # further than the table, as people merge
            sheet.merge_cells(start_row=2, end_row=9, start_column=place[title], end_column=place[title])
        sheet.cell(12, place["Findings"]).value = "seen on Monday"

    result = office.take(filled(office, fill))
    assert (held(result), result.problems) == (["1", "2", "3"], [])


def test_what_is_below_a_merged_cell_is_not_seen_and_not_read(office: Office) -> None:
    queued(office, "1", "2")
    path = filled(office, hold_all)

    def change(name: str, text: str) -> str:
        if name != "xl/worksheets/sheet1.xml":
            return text
        assert "C3" in text
        text = re.sub(r'(<c r="C3"[^>]*)>.*?</c>', r"\1><f>C2</f><v></v></c>", text)
        return text.replace("</sheetData>", '</sheetData><mergeCells><mergeCell ref="C2:C3"/></mergeCells>').replace(
            ">hold<", ">approve<", 1
        )

    result = office.take(changed(path, change))
    assert [one.decision for one in result.taken] == ["approve", "approve"]


@pytest.mark.parametrize("title", WHICH)
def test_a_merged_reference_number_or_mark_is_named_not_taken_for_another_document(office: Office, title: str) -> None:
    queued(office, "1", "2")

    def fill(sheet: Any, place: dict[str, int]) -> None:
        hold_all(sheet, place)
        sheet.merge_cells(start_row=2, end_row=3, start_column=place[title], end_column=place[title])

    result = office.take(filled(office, fill))
    assert len(result.taken) == 1
    (problem,) = result.problems
    assert problem[:2] == (3, title)
    assert "merged with row 2. Unmerge the cells" in problem.message


def test_a_text_merged_over_several_columns_is_named(office: Office) -> None:
    queued(office, "1", "2")

    def fill(sheet: Any, place: dict[str, int]) -> None:
        sheet.cell(3, place["Decision"]).value = "hold"
        sheet.merge_cells(start_row=3, end_row=3, start_column=place["Decision"], end_column=place["Comment"])

    (problem,) = office.take(filled(office, fill)).problems
    assert problem[:3] == (3, "Decision", "hold")
    assert problem.message == "merged over several columns (row 3). Unmerge the cells and fill in each of them."


@pytest.mark.parametrize("title", ["Decision", "Comment", *WHICH])
def test_a_formula_without_a_result_is_named_in_every_column_that_is_read(office: Office, title: str) -> None:
    queued(office, "1", "2")

    def fill(sheet: Any, place: dict[str, int]) -> None:
        hold_all(sheet, place)
        cell = sheet.cell(3, place[title])
        cell.value = f"={cell.column_letter}2"

    result = office.take(filled(office, fill))
    assert len(result.taken) == 1
    (problem,) = result.problems
    assert problem[:2] == (3, title)
    assert problem.value.startswith("=")
    assert "a formula without a result. Open the file in Excel and save it" in problem.message


def test_formulas_alone_are_not_a_row_that_was_left_empty(office: Office) -> None:
    queued(office, "1", "2")

    def fill(sheet: Any, place: dict[str, int]) -> None:
        for row in (2, 3):
            sheet.cell(row, place["Decision"]).value = '=IF(A2>"","hold","")'
        sheet.cell(9, place["Decision"]).value = "=C2"

    problems = office.take(filled(office, fill)).problems
    assert [problem[:2] for problem in problems] == [(row, "Decision") for row in (2, 3, 9)], "also below the table"


def computed(office: Office, cell: str, *, again: bool = False) -> Imported:
    """The import of a workbook whose Decision of row 3 is a formula as Excel saves it, or as a library does."""
    queued(office, "1", "2")

    def fill(sheet: Any, place: dict[str, int]) -> None:
        sheet.cell(3, place["Decision"]).value = "=C2"
        sheet.cell(3, place["Comment"]).value = "wait" if "hold" in cell else None

    def change(name: str, text: str) -> str:
        text = re.sub(r'<c r="C3"[^>]*>.*?</c>', cell, text)
        return text if again else text.replace('fullCalcOnLoad="1"', "")

    return office.take(changed(filled(office, fill), change))


def test_a_formula_with_a_result_counts_as_what_it_shows(office: Office) -> None:
    assert len(computed(office, '<c r="C3" t="str"><f>C2</f><v>hold</v></c>').taken) == 1


def test_a_formula_that_shows_nothing_is_an_empty_cell(office: Office) -> None:
    result = computed(office, '<c r="C3" t="str"><f>IF(1,"","")</f><v></v></c>')
    assert (result.taken, result.problems) == ([], [])


def test_a_result_that_is_computed_only_when_it_is_opened_is_not_believed(office: Office) -> None:
    result = computed(office, '<c r="C3" t="str"><f>C2</f><v>hold</v></c>', again=True)
    assert "a formula without a result" in said(result)[0]


def test_an_error_that_is_shown_is_not_an_empty_cell(office: Office) -> None:
    result = computed(office, '<c r="C3" t="e"><f>C2</f><v>#REF!</v></c>')
    (problem,) = result.problems
    assert problem[:3] == (3, "Decision", "#REF!")
    assert "shows an error here. Write what it should be" in problem.message


def test_a_note_beside_an_empty_row_is_named_not_passed_over(office: Office) -> None:
    queued(office, "1", "2", "3")

    def fill(sheet: Any, place: dict[str, int]) -> None:
        hold_all(sheet, place)
        sheet.cell(3, place["Decision"]).value = sheet.cell(3, place["Comment"]).value = None
        sheet.cell(2, place["Total"]).comment = Note("too much", "Ann")
        sheet.cell(3, place["Total"]).comment = Note("hold this one", "Ann")

    result = office.take(filled(office, fill))
    assert (len(result.taken), [one[:3] for one in result.problems]) == (2, [(3, "Total", "hold this one")])
    assert "a note on a cell is not read. Write it under Comment" in said(result)[0]


def test_a_filter_that_hides_rows_without_a_decision_is_no_problem(office: Office) -> None:
    queued(office, "1", "2", "3")

    def fill(sheet: Any, place: dict[str, int]) -> None:
        sheet.cell(2, place["Decision"]).value, sheet.cell(2, place["Comment"]).value = "hold", "wait"
        sheet.auto_filter.add_filter_column(place["Number"] - 1, ["1"])
        sheet.row_dimensions[3].hidden = sheet.row_dimensions[4].hidden = True
        sheet.column_dimensions["A"].hidden = sheet.column_dimensions["U"].hidden = True

    result = office.take(filled(office, fill))
    assert (held(result), result.problems) == (["1"], [])


def test_a_decision_in_a_hidden_row_decides_no_document_that_was_not_seen(office: Office) -> None:
    queued(office, "1", "2", "3")

    def fill(sheet: Any, place: dict[str, int]) -> None:
        hold_all(sheet, place)  # as filling down in a filtered list fills rows that are hidden
        sheet.row_dimensions[3].hidden = True

    flat = changed(filled(office, fill), lambda _, text: text.replace('<row r="4"', '<row r="4" ht="0"'))
    result = office.take(flat)
    assert len(result.taken) == 1
    assert [problem[:3] for problem in result.problems] == [(3, "Decision", "hold"), (4, "Decision", "hold")]
    assert "its row is hidden. Show it (Data, Clear for a filter" in said(result)[0]


@pytest.mark.parametrize(("title", "group"), [("Decision", False), ("Comment", True)])
def test_what_is_filled_in_in_a_hidden_column_is_named_in_each_row(office: Office, title: str, group: bool) -> None:
    queued(office, "1", "2")

    def fill(sheet: Any, place: dict[str, int]) -> None:
        hold_all(sheet, place)
        columns, column = sheet.column_dimensions, sheet.cell(1, place[title]).column_letter
        columns.group(column, "F", hidden=True) if group else setattr(columns[column], "hidden", True)

    result = office.take(filled(office, fill))
    assert (result.taken, [problem[:2] for problem in result.problems]) == ([], [(2, title), (3, title)])
    assert "its column is hidden. Show it" in said(result)[0]


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_a_sheet_that_is_hidden_decides_nothing(office: Office, state: str) -> None:
    queued(office, "1")

    def copy(book: Workbook, sheet: Any) -> None:
        hold_all(sheet, {"Decision": 3, "Comment": 4})
        sheet.sheet_state = state

    with pytest.raises(FileError, match=r"what is filled in is in the sheet “Audit Copy” \(hidden\)\. Show it"):
        office.take(copied(office, copy))


def copied(office: Office, copy: Callable[[Workbook, Any], None]) -> Path:
    """The exported workbook with a second sheet that looks like the first."""
    path = office.export()
    book = load_workbook(path)
    copy(book, book.copy_worksheet(book["Audit"]))
    book.save(path)
    return path


def test_decisions_in_a_copied_sheet_are_read(office: Office) -> None:
    queued(office, "1", "2")

    def copy(book: Workbook, sheet: Any) -> None:
        hold_all(sheet, {"Decision": 3, "Comment": 4})

    assert held(office.take(copied(office, copy))) == ["1", "2"]


@pytest.mark.parametrize("state", ["visible", "hidden"])
def test_two_sheets_that_differ_in_what_is_filled_in_are_refused(office: Office, state: str) -> None:
    queued(office, "1", "2")

    def copy(book: Workbook, sheet: Any) -> None:
        sheet.sheet_state = state
        hold_all(sheet, {"Decision": 3, "Comment": 4})
        hold_all(book["Audit"], {"Decision": 3, "Comment": 4})
        sheet["C3"].value = "approve"

    with pytest.raises(FileError, match=r"the sheets “Audit” and “Audit Copy”.* differ in what is filled in. Delete"):
        office.take(copied(office, copy))


@pytest.mark.parametrize("hidden", ["none", "Audit", "Audit Copy"])
def test_two_sheets_that_say_the_same_count_once(office: Office, hidden: str) -> None:
    queued(office, "1", "2")

    def copy(book: Workbook, sheet: Any) -> None:
        for one in (sheet, book["Audit"]):
            hold_all(one, {"Decision": 3, "Comment": 4})
            one.sheet_state = "hidden" if one.title == hidden else "visible"

    assert held(office.take(copied(office, copy))) == ["1", "2"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda sheet: sheet.insert_rows(1), "“Audit Copy”: the titles are not in its first row"),
        (lambda sheet: sheet.delete_cols(1), "“Audit Copy”: its first row must have the column Reference once"),
    ],
)
def test_a_copied_sheet_with_decisions_that_cannot_be_read_is_named(
    office: Office, spoil: Callable[[Any], None], words: str
) -> None:
    queued(office, "1", "2")

    def copy(book: Workbook, sheet: Any) -> None:
        hold_all(sheet, {"Decision": 3, "Comment": 4})
        spoil(sheet)

    with pytest.raises(FileError, match=words):
        office.take(copied(office, copy))


@pytest.mark.parametrize("number", ["_x0041_", "A\tB", "'1", "0012", "<&>", "Ünï 中"])
def test_characters_that_a_workbook_escapes_come_back_as_they_were(office: Office, number: str) -> None:
    queued(office, number)

    def fill(sheet: Any, place: dict[str, int]) -> None:
        sheet.cell(2, place["Decision"]).value, sheet.cell(2, place["Comment"]).value = "hold", "see _x005F_x0041_"

    result = office.take(filled(office, fill))
    assert ([(one.subject.number, one.comment) for one in result.taken], result.problems) == (
        [(number, "see _x0041_")],
        [],
    )


def test_a_nul_character_in_any_column_is_a_problem_of_its_row(office: Office) -> None:
    queued(office, "1", "2")

    def fill(sheet: Any, place: dict[str, int]) -> None:
        hold_all(sheet, place)
        sheet.cell(2, place["Reference"]).value = "1_x0000_"

    result = office.take(filled(office, fill))
    assert (len(result.taken), [problem[:2] for problem in result.problems]) == (1, [(2, "Reference")])


def test_a_date_typed_as_a_comment_is_kept_as_the_date_it_shows(office: Office) -> None:
    queued(office, "1")

    def fill(sheet: Any, place: dict[str, int]) -> None:
        hold_all(sheet, place)
        sheet.cell(2, place["Comment"]).value = 40487
        sheet.cell(2, place["Comment"]).number_format = "dd/mm/yyyy"

    (one,) = office.take(filled(office, fill)).taken
    assert one.comment == "2010-11-05"


def test_a_workbook_with_a_password_or_of_the_old_kind_says_what_to_do(office: Office) -> None:
    path = office.folder / "locked.xlsx"
    path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(4096))
    with pytest.raises(FileError, match=r"has a password, or is of the old kind \(\.xls\)\. Take the password out"):
        office.take(path)


def test_a_strict_workbook_is_read_and_its_formulas_too(office: Office) -> None:
    queued(office, "1", "2")
    here, there = "http://schemas.openxmlformats.org/", "http://purl.oclc.org/ooxml/"

    def change(name: str, text: str) -> str:
        text = text.replace(f"{here}spreadsheetml/2006/main", f"{there}spreadsheetml/main")
        return text.replace(f"{here}officeDocument/2006/relationships", f"{there}officeDocument/relationships")

    def fill(sheet: Any, place: dict[str, int]) -> None:
        hold_all(sheet, place)
        sheet.cell(3, place["Decision"]).value = "=C2"

    result = office.take(changed(filled(office, fill), change))
    assert ([one.row for one in result.taken], [one[:2] for one in result.problems]) == ([2], [(3, "Decision")])


def test_rows_that_do_not_say_their_number_are_counted(office: Office) -> None:
    queued(office, "1", "2")

    def fill(sheet: Any, place: dict[str, int]) -> None:
        hold_all(sheet, place)
        sheet.cell(3, place["Decision"]).value = "=C2"

    result = office.take(changed(filled(office, fill), lambda _, text: re.sub(r'<row r="\d+"', "<row", text)))
    assert ([one.row for one in result.taken], [one[:3] for one in result.problems]) == ([2], [(3, "Decision", "=C2")])
