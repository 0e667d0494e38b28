"""What a person sees in a CSV that was filled in is what is read, or is named with what to do; and no formula in it."""

import csv
import io

import pytest

from billing_assets_tests.rooms.erp.audit.conftest import Office, held, queued, said
from billing_assets_tests.unit.foundation.test_cells import SIGNS, seen
from proving.world.builders import insert_document


@pytest.mark.parametrize(
    ("separator", "first"),
    [(";", "sep=;\r\n"), ("^", "sep=^\r"), ("\t", '"sep=;"\t\t\n'), ("|", ""), (";", ""), ("\t", "")],
)
def test_any_separator_and_the_line_that_names_it_are_understood(office: Office, separator: str, first: str) -> None:
    queued(office, "1", "2")
    text = office.filled_in(("1", "hold", "wait"), ("2", "perhaps", "")).read_text(encoding="utf-8")
    path = office.folder / "other.csv"
    path.write_text(first + text.replace(",", separator), encoding="utf-8-sig", newline="")
    result = office.take(path)
    assert (held(result), result.problems[0][:3]) == (["1"], (3, "Decision", "perhaps")), "rows as they are shown"


def test_a_comment_that_a_separator_cuts_is_named_not_cut(office: Office) -> None:
    queued(office, "1")
    path = office.folder / "cut.csv"
    entry = office.filled_in(("1", "hold", "wait")).read_text().splitlines()[1].split(",")
    path.write_text(f"For the machine,Reference,Number,Decision,Comment\n{entry[4]},{entry[0]},1,hold,wait, then ask\n")
    result = office.take(path)
    assert result.taken == []
    assert "row 2, column 6, “then ask”: it is beyond the last title" in said(result)[0]


@pytest.mark.parametrize(
    ("number", "became"),
    [
        ("12E5", "1.20E+06"),
        ("5-11", "05. Nov"),
        ("1234567890123456", "1.23457E+15"),
        ("1234567890123456", "1234567890123450"),
        ("495815", "495,815.00"),
        ("MAR1", "01. Mrz"),
        ("2010.50", "2010.5"),
        ("5:30", "########"),
    ],
)
def test_a_number_that_a_spreadsheet_changed_is_said_to_be_so(office: Office, number: str, became: str) -> None:
    queued(office, number, "77")
    path = office.filled_in((number, "hold", "wait"), ("77", "hold", "wait"))
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(f",{number},", f',"{became}",'), encoding="utf-8")
    result = office.take(path)
    assert held(result) == ["77"]
    (problem,) = result.problems
    assert problem[:3] == (2, "Number", became)
    assert f"is of number {number}, which a spreadsheet took for a number or a date and changed" in problem.message


def test_lost_leading_zeros_are_forgiven_unless_another_document_has_that_number(office: Office) -> None:
    queued(office, "007", "042", "42")
    path = office.filled_in(("007", "hold", "wait"), ("042", "hold", "wait"), ("42", "hold", "wait"))
    path.write_text(path.read_text().replace(",007,", ",7,").replace(",042,", ",42,"))
    result = office.take(path)
    assert (held(result), [problem[:3] for problem in result.problems]) == (["007", "42"], [(3, "Number", "42")])
    assert "a spreadsheet took" in said(result)[0]


@pytest.mark.parametrize("other", ["6-11", "12E6"])
def test_a_number_of_another_document_in_the_file_is_sorting_not_a_spreadsheet(office: Office, other: str) -> None:
    queued(office, "5-11", other)
    path = office.filled_in(("5-11", "hold", "wait"), (other, "hold", "wait"))
    path.write_text(path.read_text().replace(",5-11,", f",{other},"))
    assert "Undo the sorting of single columns" in said(office.take(path))[0]


HOSTILE = ["1;=1+2", "1\t=1+2", "=1+2", "＝1+2", "＠SUM(1)", "＋1", "－1", '1;"=1', "1|-1", "'=1", " =1"]  # noqa: RUF001


@pytest.mark.parametrize("number", HOSTILE)
def test_no_reader_of_the_csv_sees_a_formula_and_the_number_comes_back(office: Office, number: str) -> None:
    insert_document(office.bench.source, number, status="open", country=f"{number}\n=1")
    office.audit()
    path = office.export("queue.csv")
    text = path.read_text(encoding="utf-8-sig")
    assert [cell for cell in seen(text) if cell.lstrip(' "').startswith(tuple(SIGNS))] == []
    rows = list(csv.reader(io.StringIO(text, newline="")))
    rows[1][rows[0].index("Decision")], rows[1][rows[0].index("Comment")] = "hold", "wait"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows)
    assert held(office.take(path)) == [number]


def test_every_text_of_the_csv_is_quoted_and_excel_is_told_that_it_is_utf_8(office: Office) -> None:
    queued(office, "1")
    content = office.export("queue.csv").read_bytes()
    assert content.startswith(b'\xef\xbb\xbf"Reference","Number"')
    assert b',"1","","","2010-' in content
