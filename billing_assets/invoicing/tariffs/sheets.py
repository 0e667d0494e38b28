"""A tariff as a file that an analyst edits in a spreadsheet: CSV or Excel, one row for each charge, version, season,
window and block.

Every cell is text, in Excel too, so that a price keeps the digits that it was written with.
"""

import csv
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import chain
from pathlib import Path

import xlsxwriter

from billing_assets.foundation.cells import FOR_PEOPLE, csv_text, looks_like_formula, read_csv, write_csv
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.workbooks import Place, Sheet, Unseen, WorkbookError, read_sheets
from billing_assets.invoicing.tariffs.sheet_columns import ALWAYS, BY_TITLE, COLUMNS, Column, Form
from billing_assets.invoicing.tariffs.sheet_rows import (
    Fault,
    Parts,
    SheetError,
    SheetRow,
    SheetTariff,
    normal,
    rows_of,
    tariff_of,
)

ENDINGS = (".csv", ".xlsx")
_SHEET = "Tariff"
_LARGEST_FILE = 64 * 2**20
_TITLES = [column.title for column in COLUMNS]
_HELP = (
    "How to fill in the sheet “Tariff”",
    "",
    "One row for each charge, version, season, window and block. Rows with the same Charge are one charge.",
    "What is said of a charge or a version is said once, in any of its rows; the other rows are empty there.",
    "A limit under “Up to” makes a block; the last block of each price has none.",
    "All cells are text: a price is kept as it is written.",
    "Then: billing tariffs load FILE",
    "",
    "Columns",
)


class TariffFileError(BillingError):
    """A file is no sheet of a tariff, or a tariff cannot be a sheet; the message says what to do."""


def write_sheet(path: Path, tariff: Parts) -> int:
    """Writes a tariff to a new CSV or Excel file, by the path's ending. Returns the number of rows.

    Raises TariffFileError for another ending, or where a part of the tariff has no column: nothing is lost silently.
    """
    rows = rows_of(tariff)
    again = tariff_of([SheetRow(number, row) for number, row in enumerate(rows, start=2)])
    if again.tariff != normal(tariff):
        raise TariffFileError("This tariff has parts that no column holds. Export it as .json.")
    columns = [column for column in COLUMNS if column in ALWAYS or any(column in row for row in rows)]
    write = {".csv": _write_csv, ".xlsx": _write_excel}.get(path.suffix.lower())
    if write is None:
        raise TariffFileError(f"{path}: the file's name must end in .xlsx or .csv.")
    write(path, columns, [[row.get(column, "") for column in columns] for row in rows])
    return len(rows)


def read_sheet(path: Path) -> SheetTariff:
    """The tariff of a CSV or Excel file. Raises TariffFileError, SheetError with all faults, OSError."""
    if path.stat().st_size > _LARGEST_FILE:
        raise TariffFileError(f"{path} has more than {_LARGEST_FILE // 2**20} MB: it is no sheet of a tariff.")
    content = path.read_bytes()
    read = {".csv": _csv_sheet, ".xlsx": _excel_sheet}.get(path.suffix.lower())
    if read is None:
        raise TariffFileError(f"{path}: the file's name must end in .xlsx or .csv.")
    sheet = read(path, content)
    columns = _columns(path, sheet.rows[0] if sheet.rows else [])
    return tariff_of([*_rows(sheet, columns)])


def _write_csv(path: Path, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    with path.open("x", encoding=FOR_PEOPLE, newline="") as file:
        cells = ([_csv_value(*one) for one in zip(columns, row, strict=True)] for row in rows)
        write_csv(file, chain([[column.title for column in columns]], cells))


def _csv_value(column: Column, cell: str) -> str | Decimal:
    """A number where its digits stay as they are: a price below zero is no formula."""
    if cell and column.form in {Form.NUMBER, Form.WHOLE} and str(Decimal(cell)) == cell:
        return Decimal(cell)
    return cell


def _write_excel(path: Path, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    with path.open("xb") as file, xlsxwriter.Workbook(file, {"constant_memory": True}) as book:
        sheet = book.add_worksheet(_SHEET)
        text = book.add_format({"num_format": "@"})
        quoted = book.add_format({"num_format": "@", "quote_prefix": True})
        head = book.add_format({"bold": True, "font_color": "#FFFFFF", "bg_color": "#1F3864", "text_wrap": True})
        sheet.freeze_panes(1, 1)
        sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{len(rows) + 1000}"})
        for place, column in enumerate(columns):
            widest = max((len(row[place]) for row in rows), default=0)
            sheet.set_column(place, place, min(max(widest, len(column.title)) + 2, 40), text)
            sheet.write_string(0, place, column.title, head)
        for number, row in enumerate(rows, start=1):
            for place, cell in enumerate(row):
                if cell:
                    sheet.write_string(number, place, cell, quoted if looks_like_formula(cell) else text)
        sheet.autofilter(0, 0, len(rows), len(columns) - 1)
        guide = book.add_worksheet("How to")
        guide.set_column(0, 0, 26)
        guide.set_column(1, 1, 16)
        guide.set_column(2, 2, 90)
        bold = book.add_format({"bold": True})
        for number, line in enumerate(_HELP):
            guide.write_string(number, 0, line, bold if line in {_HELP[0], _HELP[-1]} else None)
        for number, column in enumerate(COLUMNS, start=len(_HELP)):
            guide.write_row(number, 0, [column.title, str(column.form), column.says])


def _csv_sheet(path: Path, content: bytes) -> Sheet:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TariffFileError(f"{path} is not in UTF-8. Save it as “CSV UTF-8”, or as .xlsx.") from None
    try:
        rows = [[csv_text(cell.strip()) for cell in cells] for _, cells in read_csv(text, _TITLES)]
    except csv.Error as error:
        raise TariffFileError(f"{path} cannot be read as CSV: {error}. Save it as .xlsx instead.") from None
    return Sheet(path.name, hidden=False, rows=rows, faults={}, merged={}, notes={})


def _excel_sheet(path: Path, content: bytes) -> Sheet:
    """The one sheet whose first row has the titles of a tariff."""
    try:
        found = [one for one in read_sheets(content) if one.rows and "charge" in map(str.casefold, one.rows[0])]
    except WorkbookError as error:
        raise TariffFileError(f"{path}: {error}") from None
    if len(found) != 1:
        names = " and ".join(f"“{one.name}”" for one in found) or "no sheet"
        raise TariffFileError(f"{path}: {names} with the column Charge in the first row; exactly one is expected.")
    return found[0]


def _columns(path: Path, titles: Sequence[str]) -> list[Column | None]:
    known = [BY_TITLE.get(title.strip().casefold()) for title in titles]
    unknown = [title for title, column in zip(titles, known, strict=True) if title and column is None]
    twice = sorted({column.title for column in known if column is not None and known.count(column) > 1})
    missing = [name for name in ("Tariff", "Charge", "Kind", "Valid from") if BY_TITLE[name.casefold()] not in known]
    for names, what in (
        (unknown, "no column of a tariff has this title. See the sheet “How to” of `billing tariffs export`, or"),
        (twice, "this column is there more than once;"),
    ):
        if names:
            raise TariffFileError(f"{path}, first row, “{names[0]}”: {what} delete it.")
    if missing:
        raise TariffFileError(f"{path}: its first row must have the column {', '.join(missing)}.")
    return known


def _rows(sheet: Sheet, columns: Sequence[Column | None]) -> Iterator[SheetRow]:
    """The rows that say anything. Raises SheetError for cells that are not seen as they are stored."""
    faults = _faults(sheet.faults, columns) + _faults(sheet.merged, columns)
    for number, cells in enumerate(sheet.rows[1:], start=2):
        beyond = [cell for cell in cells[len(columns) :] if cell]
        if beyond:
            faults.append(Fault(number, str(len(columns) + 1), beyond[0], "it is beyond the last title. Delete it."))
    if faults:
        raise SheetError(sorted(faults))
    for number, cells in enumerate(sheet.rows[1:], start=2):
        found = {column: cell for column, cell in zip(columns, cells, strict=False) if column is not None and cell}
        if found:
            yield SheetRow(number, found)


def _faults(unseen: dict[Place, Unseen], columns: Sequence[Column | None]) -> list[Fault]:
    found = []
    for (row, place), one in unseen.items():
        column = columns[place] if place < len(columns) else None
        if row and column is not None:
            found.append(Fault(row + 1, column.title, one.value, one.message))
    return found
