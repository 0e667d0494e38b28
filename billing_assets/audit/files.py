"""Auditors' files: the queue written as CSV or Excel, and what they filled in read back. No SQL.

A cell is text, a number or a date, never a formula: a text that a spreadsheet would take for one is written as text.
"""

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.datavalidation import DataValidation

from billing_assets.audit.findings import CODES

DECISIONS = ("approve", "hold", "comment")
"""What an auditor may decide."""

_SHEET = "Audit"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LARGEST_FILE = 64 * 2**20
_LONGEST_CELL = 32_000  # Excel takes 32,767 characters
_HEAD, _FILL_IN = PatternFill("solid", fgColor="FF1F3864"), PatternFill("solid", fgColor="FFFFF2CC")


class FileError(Exception):
    """A file cannot be taken for an auditor's; the message says what to do."""


class FileRow(NamedTuple):
    """A row as it stands in the file, counted as a spreadsheet counts it; texts without blanks around them."""

    row: int
    reference: str
    number: str
    decision: str
    comment: str


class _Column(NamedTuple):
    title: str
    width: int
    value: Callable[[Mapping[str, Any]], Any]
    style: str = ""  # a number format, or `wrap`


def _findings(entry: Mapping[str, Any]) -> str:
    return "\n".join(f"{found['code']}  {found['message']}" for found in entry["findings"])


def _state(entry: Mapping[str, Any]) -> str:
    if entry["document"] is None:
        return "no document in the month"
    return str(entry["state"])


_COLUMNS = (
    _Column("Reference", 11, lambda e: e["reference"]),
    _Column("Number", 12, lambda e: e["number"]),
    _Column("Decision", 11, lambda e: None),
    _Column("Comment", 32, lambda e: None),
    _Column("Month", 9, lambda e: e["period"]),
    _Column("Kind", 12, lambda e: (e["kind"] or "").replace("_", " ")),
    _Column("State", 12, _state),
    _Column("Date", 11, lambda e: e["document_date"], "yyyy-mm-dd"),
    _Column("Age in days", 8, lambda e: e["age_days"], "0"),
    _Column("Branch", 18, lambda e: e["branch"]),
    _Column("Contract", 14, lambda e: e["contract"]),
    _Column("Customer", 11, lambda e: e["customer"]),
    _Column("Services", 18, lambda e: ", ".join(e["services"]), "wrap"),
    _Column("Currency", 9, lambda e: e["currency"]),
    _Column("Total", 13, lambda e: e["total"], "#,##0.00#"),
    _Column("Findings", 95, _findings, "wrap"),
    _Column("Decided so far", 10, lambda e: e["decision"]),
    _Column("Last comment", 30, lambda e: e["comment"], "wrap"),
    _Column("By", 12, lambda e: e["decided_by"]),
    _Column("On", 20, lambda e: e["decided_at"] and f"{e['decided_at'].astimezone(UTC):%Y-%m-%d %H:%M} UTC"),
)
_NEEDED = ("Reference", "Number", "Decision", "Comment")
_TITLES = [column.title for column in _COLUMNS]


def export(path: Path, entries: Iterable[Mapping[str, Any]]) -> int:
    """Writes entries of `billing.audit_list` to a CSV or Excel file, by the path's ending. Returns how many.

    Raises FileError for another ending, OSError where the file cannot be written.
    """
    write = {".csv": _write_csv, ".xlsx": _write_excel}.get(path.suffix.lower())
    if write is None:
        raise FileError(f"{path}: the file's name must end in .xlsx or .csv.")
    return write(path, entries)


def read(path: Path) -> tuple[bytes, list[FileRow]]:
    """The SHA-256 of a file and its rows. Raises FileError for one that is none of ours, OSError if it is not there."""
    if path.stat().st_size > _LARGEST_FILE:
        raise FileError(f"{path} has more than {_LARGEST_FILE // 2**20} MB. Export it anew and fill in that one.")
    content = path.read_bytes()
    rows = {".csv": _csv_rows, ".xlsx": _excel_rows}.get(path.suffix.lower())
    if rows is None:
        raise FileError(f"{path}: the file's name must end in .xlsx or .csv.")
    return hashlib.sha256(content).digest(), list(_file_rows(path, rows(path, content)))


def _write_csv(path: Path, entries: Iterable[Mapping[str, Any]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # Excel takes UTF-8 by the mark only
        writer = csv.writer(file)
        writer.writerow(_TITLES)
        for entry in entries:
            writer.writerow([_in_csv(column.value(entry)) for column in _COLUMNS])
            count += 1
    return count


def _in_csv(value: Any) -> Any:
    """A text that begins like a formula gets an apostrophe before it: spreadsheets then show it as text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _write_excel(path: Path, entries: Iterable[Mapping[str, Any]]) -> int:
    book = Workbook(write_only=True)
    sheet: Any = book.create_sheet(_SHEET)
    sheet.freeze_panes = "E2"  # what is to be filled in stays in sight
    for place, column in enumerate(_COLUMNS, start=1):
        dimension = sheet.column_dimensions[get_column_letter(place)]
        dimension.width = column.width
        if column.title in {"Decision", "Comment"}:
            dimension.fill = _FILL_IN
    decision = get_column_letter(_TITLES.index("Decision") + 1)
    choice = DataValidation("list", formula1=f'"{",".join(DECISIONS)}"', allow_blank=True, showErrorMessage=True)
    choice.error, choice.errorTitle = f"Choose one of {', '.join(DECISIONS)}, or leave it empty.", "Decision"
    choice.add(f"{decision}2:{decision}1048576")
    sheet.data_validations.append(choice)
    sheet.page_setup.orientation, sheet.page_setup.fitToHeight = "landscape", 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = "1:1"
    sheet.append([_head(sheet, title) for title in _TITLES])
    count = 0
    for entry in entries:
        sheet.append([_cell(sheet, column, column.value(entry)) for column in _COLUMNS])
        count += 1
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(_COLUMNS))}{count + 1}"
    _write_help(book)
    book.save(path)
    return count


def _head(sheet: Any, title: str) -> Any:
    cell = WriteOnlyCell(sheet, title)
    cell.font, cell.fill = Font(bold=True, color="FFFFFFFF"), _HEAD
    cell.alignment = Alignment(wrap_text=True, vertical="center")
    return cell


def _cell(sheet: Any, column: _Column, value: Any) -> Any:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        value = ILLEGAL_CHARACTERS_RE.sub("\N{REPLACEMENT CHARACTER}", value)[:_LONGEST_CELL]
    cell = WriteOnlyCell(sheet, value)
    if isinstance(value, str):
        cell.data_type = "s"  # never a formula, whatever it begins with
        cell.quotePrefix = value.startswith(_FORMULA)  # and no formula when it is edited
    elif column.style:
        cell.number_format = column.style
    cell.alignment = Alignment(vertical="top", wrap_text=column.style == "wrap")
    return cell


_HELP = (
    "How to fill in the sheet “Audit”",
    "",
    "Only the two yellow columns are read; the others say what stands today. Leave a row empty to decide nothing.",
    "approve   The document may go. It ends a hold.",
    "hold      The document is not posted until somebody approves it. Say why under Comment.",
    "comment   Only the comment is kept.",
    "",
    "Do not change Reference and Number: they say which document is meant. Rows may be sorted, filtered and deleted.",
    "Then, on the machine of the pipeline: billing audit import FILE --by NAME",
    "",
    "What the findings mean",
)


def _write_help(book: Workbook) -> None:
    sheet: Any = book.create_sheet("How to")
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 28, 110
    for line in _HELP:
        cell = WriteOnlyCell(sheet, line)
        cell.font = Font(bold=line in {_HELP[0], _HELP[-1]})
        sheet.append([cell])
    for code, said in CODES.items():
        sheet.append([code, f"{said.meaning} {said.remedy}"])


def _csv_rows(path: Path, content: bytes) -> Iterator[list[Any]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileError(f"{path} is not in UTF-8. Save it as “CSV UTF-8”, or as .xlsx.") from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)  # Excel writes what the country separates lists by
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    except csv.Error as error:
        raise FileError(f"{path} cannot be read as CSV: {error}. Save it as .xlsx instead.") from None


def _excel_rows(path: Path, content: bytes) -> Iterator[list[Any]]:
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheet: Any = book[_SHEET] if _SHEET in book.sheetnames else book.worksheets[0]
        for row in sheet.iter_rows(values_only=True):
            yield list(row)
    except (BadZipFile, InvalidFileException, KeyError, IndexError, ValueError, SyntaxError) as error:
        raise FileError(f"{path} cannot be read as an Excel file ({type(error).__name__}). Save it anew.") from None


def _file_rows(path: Path, rows: Iterator[list[Any]]) -> Iterator[FileRow]:
    titles = [_text(cell).casefold() for cell in next(rows, [])]
    missing = [name for name in _NEEDED if titles.count(name.casefold()) != 1]
    if missing:
        raise FileError(
            f"{path}: its first row must have the column {', '.join(missing)} once. "
            "Use a file of `billing audit export`."
        )
    places = [titles.index(name.casefold()) for name in _NEEDED]
    for number, cells in enumerate(rows, start=2):
        values = [_text(cells[place]) if place < len(cells) else "" for place in places]
        if any(values):
            yield FileRow(number, *values)


def _text(cell: Any) -> str:
    """A cell as text, as it was before a spreadsheet made a number of it."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime | date):
        return cell.isoformat()[:10]
    if isinstance(cell, Decimal | int | float):
        return str(cell)
    text = re.sub(r"^'(?=[=+\-@\t\r])", "", str(cell))  # as `_in_csv` wrote it
    return text.strip()
