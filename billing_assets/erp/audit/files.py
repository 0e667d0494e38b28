"""Auditors' files: the queue written as CSV or Excel, and what they filled in read back. No SQL.

A cell is text, a number or a date, never a formula: a text that a spreadsheet would take for one is written as text.
"""

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date
from pathlib import Path
from typing import Any, NamedTuple

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from billing_assets.erp.audit.findings import CODES
from billing_assets.foundation.cells import FOR_PEOPLE, looks_like_formula, read_csv, write_csv
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.workbooks import Place, Sheet, Unseen, WorkbookError, read_sheets

DECISIONS = ("approve", "hold", "comment")
"""What an auditor may decide."""

_SHEET = "Audit"
_LARGEST_FILE = 64 * 2**20
_LONGEST_CELL = 32_000  # Excel takes 32,767 characters
_LAST_ROW = 1_048_575


class FileError(BillingError):
    """A file cannot be taken for an auditor's; the message says what to do."""


class Fault(NamedTuple):
    """Why a row that was filled in cannot be read: where it is, what is in it, and what to do."""

    column: str
    value: str
    message: str


class FileRow(NamedTuple):
    """A row as a person sees it, counted as a spreadsheet counts it; texts without blanks around them."""

    row: int
    reference: str
    number: str
    decision: str
    comment: str
    seen: str
    fault: Fault | None = None

    @property
    def filled_in(self) -> bool:
        """Whether a person wrote anything in it."""
        return bool(self.decision or self.comment or self.fault)


class Seen(NamedTuple):
    """What an auditor saw of a row when it was exported: the last decision about it, and the mark of its content."""

    last_decision: int
    content: str

    def __str__(self) -> str:
        return f"d{self.last_decision}-{self.content}"  # no spreadsheet takes it for a number or a date


def parse_seen(text: str) -> Seen | None:
    """The inverse of `str(Seen)`; None for anything else."""
    found = re.fullmatch(r"d([0-9]{1,18})-([0-9a-f]{12})", text, re.ASCII)
    return Seen(int(found[1]), found[2]) if found else None


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
    _Column("For the machine", 18, lambda e: str(Seen(e["last_decision"] or 0, e["content"]))),
)
_NEEDED = ("Reference", "Number", "Decision", "Comment", "For the machine")
_FILLED_IN = ("Decision", "Comment")
_WHICH = ("Reference", "Number", "For the machine")
_OURS = "Use a file of `billing audit export`."
_TITLES_WITHIN = 20  # rows; titles further down are none
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
        raise FileError(f"{path} has more than {_LARGEST_FILE // 2**20} MB. Export it again and fill in that one.")
    content = path.read_bytes()
    rows = {".csv": _csv_rows, ".xlsx": _excel_rows}.get(path.suffix.lower())
    if rows is None:
        what = "Save the file as “Excel Workbook (*.xlsx)”."
        raise FileError(f"{path}: the file's name must end in .xlsx or .csv. {what}")
    return hashlib.sha256(content).digest(), rows(path, content)


def _write_csv(path: Path, entries: Iterable[Mapping[str, Any]]) -> int:
    def rows() -> Iterator[Sequence[Any]]:
        yield _TITLES
        for entry in entries:
            yield [column.value(entry) for column in _COLUMNS]

    with path.open("w", encoding=FOR_PEOPLE, newline="") as file:
        return write_csv(file, rows()) - 1


def _write_excel(path: Path, entries: Iterable[Mapping[str, Any]]) -> int:
    # Written row by row, in constant memory. A text stays one, whatever it looks like.
    with path.open("wb") as file, xlsxwriter.Workbook(file, {"constant_memory": True}) as book:
        sheet = book.add_worksheet(_SHEET)
        sheet.freeze_panes(1, 4)  # what is to be filled in stays in sight
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        fill_in = book.add_format({"bg_color": "#FFF2CC", "text_wrap": True, "valign": "top", "border": 1})
        for place, column in enumerate(_COLUMNS):
            sheet.set_column(place, place, column.width, fill_in if column.title in {"Decision", "Comment"} else None)
        decision = _TITLES.index("Decision")
        choice = {"validate": "list", "source": list(DECISIONS), "error_title": "Decision"}
        choice["error_message"] = f"Choose one of {', '.join(DECISIONS)}, or leave it empty."
        sheet.data_validation(1, decision, _LAST_ROW, decision, choice)
        head = {"bold": True, "font_color": "#FFFFFF", "bg_color": "#1F3864", "text_wrap": True, "valign": "vcenter"}
        sheet.write_row(0, 0, _TITLES, book.add_format(head))
        styles = {column.style: _style(book, column.style) for column in _COLUMNS}
        quoted = _style(book, "wrap", quote_prefix=True)
        count = 0
        for count, entry in enumerate(entries, start=1):
            for place, column in enumerate(_COLUMNS):
                _write_cell(sheet, count, place, column.value(entry), styles[column.style], quoted)
        sheet.autofilter(0, 0, count, len(_COLUMNS) - 1)
        _write_help(book)
    return count


def _style(book: xlsxwriter.Workbook, style: str, **more: Any) -> Format:
    number = {"text_wrap": True} if style == "wrap" else {"num_format": style or "General"}
    return book.add_format({"valign": "top", **number, **more})


def _write_cell(sheet: Worksheet, row: int, place: int, value: Any, style: Format, quoted: Format) -> None:
    if isinstance(value, str):
        if value:  # with the quote it becomes no formula when somebody edits it
            sheet.write_string(row, place, value[:_LONGEST_CELL], quoted if looks_like_formula(value) else style)
    elif isinstance(value, date):
        sheet.write_datetime(row, place, value, style)
    elif value is not None:
        sheet.write_number(row, place, value, style)


_HELP = (
    "How to fill in the sheet “Audit”",
    "",
    "Only the two yellow columns are read; the others say what stands today. Leave a row empty to decide nothing.",
    "approve   The document may go. It ends a hold.",
    "hold      The document is not posted until somebody approves it. Say why under Comment.",
    "comment   Only the comment is kept.",
    "",
    "Do not change Reference, Number and For the machine: they say which document is meant, and what you saw of it.",
    "Rows may be sorted, filtered and deleted. Rows that are hidden when you save the file are not taken.",
    "A file is for one round: to decide again, export again.",
    "Then, on the machine of the pipeline: billing audit import FILE --by NAME",
    "",
    "What the findings mean",
)


def _write_help(book: xlsxwriter.Workbook) -> None:
    sheet, bold = book.add_worksheet("How to"), book.add_format({"bold": True})
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, 1, 110)
    for row, line in enumerate(_HELP):
        sheet.write_string(row, 0, line, bold if line in {_HELP[0], _HELP[-1]} else None)
    for row, (code, said) in enumerate(CODES.items(), start=len(_HELP)):
        sheet.write_string(row, 0, code)
        sheet.write_string(row, 1, f"{said.meaning} {said.remedy}")


def _csv_rows(path: Path, content: bytes) -> list[FileRow]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileError(f"{path} is not in UTF-8. Save it as “CSV UTF-8”, or as .xlsx.") from None
    try:
        rows = [[cell.strip() for cell in cells] for _, cells in read_csv(text, _NEEDED)]
    except csv.Error as error:
        raise FileError(f"{path} cannot be read as CSV: {error}. Save it as .xlsx instead.") from None
    _must_have_titles(path, rows[0] if rows else [])
    found = _file_rows(Sheet(path.name, hidden=False, rows=rows, faults={}, merged={}, notes={}))
    return [_within_titles(row, rows[row.row - 1], len(rows[0])) for row in found]


def _within_titles(row: FileRow, cells: Sequence[str], width: int) -> FileRow:
    beyond = [cell for cell in cells[width:] if cell]
    if not row.filled_in or not beyond:
        return row
    what = "it is beyond the last title. Put a text that has a separator in it in quotes, or fill in the .xlsx."
    return row._replace(fault=Fault(str(width + 1), beyond[0], what))


def _excel_rows(path: Path, content: bytes) -> list[FileRow]:
    """The rows of the sheet that was filled in: it may be a copy of the one that was exported."""
    ours = []
    try:
        for sheet in read_sheets(content):
            where = f"“{sheet.name}” (hidden)" if sheet.hidden else f"“{sheet.name}”"
            if any("decision" in _titles(cells) for cells in sheet.rows[:_TITLES_WITHIN]):
                if "decision" not in _titles(sheet.rows[0]):
                    raise FileError(f"{path}, sheet {where}: the titles are not in its first row. {_OURS}")
                ours.append((where, sheet._replace(rows=sheet.rows[:1]), _file_rows(sheet)))
    except WorkbookError as error:
        raise FileError(f"{path}: {error}") from None
    filled_in = [one for one in ours if any(row.filled_in for row in one[2])]
    for where, sheet, _ in filled_in or ours[:1]:
        _must_have_titles(f"{path}, sheet {where}", sheet.rows[0])
    if not ours:
        _must_have_titles(path, [])
    said = [Counter(row[1:] for row in rows if row.filled_in) for *_, rows in filled_in]
    if any(one != said[0] for one in said):
        sheets = " and ".join(where for where, *_ in filled_in)
        raise FileError(
            f"{path}: the sheets {sheets} differ in what is filled in. Delete all but the one that counts, or import "
            "each from a file of its own."
        )
    where, sheet, rows = next((one for one in filled_in if not one[1].hidden), (filled_in or ours)[0])
    if filled_in and sheet.hidden:
        raise FileError(
            f"{path}: what is filled in is in the sheet {where}. Show it (right-click a tab, Unhide), or delete it."
        )
    return [_if_shown(row, sheet) for row in rows]


def _if_shown(row: FileRow, sheet: Sheet) -> FileRow:
    """A row, with a fault where what is filled in was hidden when the file was saved: no filter decides a document."""
    titles = _titles(sheet.rows[0])
    for title, value in zip(_FILLED_IN, (row.decision, row.comment), strict=True):
        if row.fault or not value:
            continue
        if row.row - 1 in sheet.hidden_rows:
            what = "its row is hidden. Show it (Data, Clear for a filter; else Unhide), or empty the cell."
        elif titles.index(title.casefold()) in sheet.hidden_columns:
            what = "its column is hidden. Show it (select the columns beside it, Unhide), or empty the cell."
        else:
            continue
        row = row._replace(fault=Fault(title, value, what))
    return row


def _titles(cells: Sequence[str]) -> list[str]:
    return [cell.casefold() for cell in cells]


def _must_have_titles(where: object, cells: Sequence[str]) -> None:
    titles = _titles(cells)
    missing = [name for name in _NEEDED if titles.count(name.casefold()) != 1]
    if missing:
        raise FileError(f"{where}: its first row must have the column {', '.join(missing)} once. {_OURS}")


def _file_rows(sheet: Sheet) -> list[FileRow]:
    """The rows below the titles that have anything. A column that is missing counts as empty."""
    titles = _titles(sheet.rows[0])
    places = {name: titles.index(name.casefold()) for name in _NEEDED if name.casefold() in titles}
    noted = {row: (sheet.rows[0][place], text) for (row, place), text in sheet.notes.items() if place < len(titles)}
    found = []
    for number, cells in enumerate(sheet.rows[1:], start=1):
        values = {name: cells[place] for name, place in places.items() if place < len(cells)}
        fault = _fault_in(number, places, _FILLED_IN, sheet.faults)
        if fault is None and any(values.get(name) for name in _FILLED_IN):
            fault = _fault_in(number, places, _NEEDED, sheet.faults)
            fault = fault or _fault_in(number, places, _WHICH, sheet.merged)
        elif fault is None and number in noted:
            title, text = noted[number]
            fault = Fault(
                title, text, "a note on a cell is not read. Write it under Comment, and a word under Decision."
            )
        if fault or any(values.values()):
            reference, shown, decision, comment, seen = (values.get(name, "") for name in _NEEDED)
            found.append(FileRow(number + 1, reference, shown, decision, comment, seen, fault))
    return found


def _fault_in(
    row: int, places: Mapping[str, int], columns: Sequence[str], faults: Mapping[Place, Unseen]
) -> Fault | None:
    found = ((name, faults.get((row, places[name]))) for name in columns if name in places)
    return next((Fault(name, *fault) for name, fault in found if fault), None)
