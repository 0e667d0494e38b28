"""Excel workbooks that people filled in, read as they are seen.

What the file says of the size of a sheet is not believed. A value that is not seen as it is stored, or not stored at
all, is a fault, never an empty cell: formulas without a result, errors, merged cells.
"""

import io
import posixpath
import re
import zlib
from collections.abc import Iterator
from datetime import date, datetime
from string import ascii_uppercase
from typing import IO, Any, NamedTuple
from xml.etree.ElementTree import Element, ParseError, iterparse, parse
from zipfile import BadZipFile, ZipFile

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from billing_assets.foundation.errors import BillingError

_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_LARGEST = 2**30  # bytes, unpacked
_UNREADABLE = (BadZipFile, CalamineError, ParseError, LookupError, ValueError, RuntimeError, EOFError, zlib.error)
"""What reading a damaged file raises; RuntimeError: a part has a password of its own."""
_MOST_CELLS = 10_000_000  # 32 bytes each: a sheet is read as a rectangle

Place = tuple[int, int]
"""Row and column of a cell, from 0 on."""


class WorkbookError(BillingError):
    """A file cannot be read as a workbook; the message says what to do, without the file's name."""


class Unseen(NamedTuple):
    """Why a cell is not read: what is in it, and what to do."""

    value: str
    message: str


class Sheet(NamedTuple):
    """A sheet as it is seen: `rows` from its first row and column on, texts in them without blanks around.

    `faults` are cells that cannot be read. `merged` are cells that are merged with those above them, with what is seen
    beside their row: it is in `rows`, too. `notes` are what Excel calls notes or comments, which lie upon cells.
    `hidden_rows` and `hidden_columns` are not shown, because of a filter or by a person's hand; they are read like all.
    """

    name: str
    hidden: bool
    rows: list[list[str]]
    faults: dict[Place, Unseen]
    merged: dict[Place, Unseen]
    notes: dict[Place, str]
    hidden_rows: frozenset[int] = frozenset()
    hidden_columns: frozenset[int] = frozenset()


class _Unseen(NamedTuple):
    """What a sheet has and does not show."""

    faults: dict[Place, Unseen]
    rows: frozenset[int]
    columns: frozenset[int]


def read_sheets(content: bytes) -> Iterator[Sheet]:
    """The sheets of a workbook (.xlsx), one after another. Raises WorkbookError."""
    if content.startswith(_OLE):
        raise WorkbookError(
            "it has a password, or is of the old kind (.xls). Take the password out (File, Info, Protect Workbook, "
            "Encrypt with Password) or save it as “Excel Workbook (*.xlsx)”."
        )
    try:
        with ZipFile(io.BytesIO(content)) as parts:
            if sum(part.file_size for part in parts.infolist()) > _LARGEST:
                raise WorkbookError(
                    f"it unpacks to more than {_LARGEST // 2**20} MB. Export it again and fill in that."
                )
            recomputes, names = _sheet_parts(parts)
            book = CalamineWorkbook.from_filelike(io.BytesIO(content))
            for one in book.sheets_metadata:
                if one.typ == SheetTypeEnum.WorkSheet:
                    with parts.open(names[one.name]) as part:
                        unseen = _unseen(part, recomputes=recomputes)
                    hidden = one.visible != SheetVisibleEnum.Visible
                    rows, merged = _as_seen(book.get_sheet_by_name(one.name), unseen.faults)
                    notes = _notes(parts, names[one.name])
                    yield Sheet(one.name, hidden, rows, unseen.faults, merged, notes, unseen.rows, unseen.columns)
    except _UNREADABLE as error:
        raise WorkbookError(
            f"it cannot be read as an Excel file ({type(error).__name__}). Open it in Excel and save it as “Excel "
            "Workbook (*.xlsx)”."
        ) from None


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]  # the strict kind has other namespaces and the same names


def _sheet_parts(parts: ZipFile) -> tuple[bool, dict[str, str]]:
    """Whether results count only after Excel has computed them again, and the part of each sheet by its name."""
    (main, *_) = [target for kind, target in _targets(parts, "").values() if kind == "officeDocument"]
    targets = _targets(parts, main)
    with parts.open(main) as part:
        root = parse(part).getroot()  # noqa: S314  expat bounds entities, and fetches none
    recomputes = any(
        _tag(element) == "calcPr" and element.get("fullCalcOnLoad") in {"1", "true"} for element in root.iter()
    )
    names: dict[str, str] = {}
    for element in root.iter():
        if _tag(element) == "sheet":
            (key,) = [value for name, value in element.attrib.items() if name.endswith("}id")]
            names[element.attrib["name"]] = targets[key][1]
    return recomputes, names


def _targets(parts: ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """The kind and the part of each relationship of a part, by its key; of the whole file for no part."""
    folder, name = posixpath.split(part)
    own = posixpath.join(folder, "_rels", f"{name}.rels")
    if own not in parts.namelist():
        return {}
    with parts.open(own) as file:
        root = parse(file).getroot()  # noqa: S314  as there
    return {
        one.attrib["Id"]: (
            one.attrib["Type"].rpartition("/")[2],
            posixpath.normpath(posixpath.join("/", folder, one.attrib["Target"])).lstrip("/"),
        )
        for one in root
        if one.get("TargetMode") != "External"
    }


def _unseen(part: IO[bytes], *, recomputes: bool) -> _Unseen:
    """Cells whose value is not what a person sees: formulas without a result, and errors; and what is hidden.

    Raises WorkbookError.
    """
    faults: dict[Place, Unseen] = {}
    rows, columns = set(), set()
    row, width = -1, 0
    for _, element in iterparse(part):  # noqa: S314  as there
        tag = _tag(element)
        if tag == "col" and _is_hidden(element, "width"):
            columns |= {*range(int(element.attrib["min"]) - 1, int(element.attrib["max"]))}
        if tag != "row":
            continue
        row = int(element.get("r", row + 2)) - 1
        if _is_hidden(element, "ht"):
            rows.add(row)
        column = -1
        for cell in element:
            column = _column(cell.get("r"), column + 1)
            fault, filled = _fault(cell, recomputes=recomputes)
            if fault:
                faults[row, column] = fault
            if filled:
                width = max(width, column + 1)
                if (row + 1) * width > _MOST_CELLS:
                    raise WorkbookError(
                        f"a cell in row {row + 1} lies far outside of the table. Delete the rows below it and the "
                        "columns beside it."
                    )
        element.clear()
    return _Unseen(faults, frozenset(rows), frozenset(columns))


def _is_hidden(element: Element, size: str) -> bool:
    return element.get("hidden") in {"1", "true"} or float(element.get(size, 1)) == 0


def _notes(parts: ZipFile, sheet: str) -> dict[Place, str]:
    notes: dict[Place, str] = {}
    for kind, target in _targets(parts, sheet).values():
        if kind != "comments":
            continue
        with parts.open(target) as part:
            root = parse(part).getroot()  # noqa: S314  as there
        for element in root.iter():
            if _tag(element) == "comment":
                place = element.attrib["ref"]
                row = int(place.lstrip(ascii_uppercase)) - 1
                notes[row, _column(place, 0)] = "".join(one.text or "" for one in element.iter() if _tag(one) == "t")
    return notes


def _column(reference: str | None, following: int) -> int:
    letters = re.match("[A-Z]+", reference or "")
    if not letters:
        return following
    number = 0
    for letter in letters[0]:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _fault(cell: Element, *, recomputes: bool) -> tuple[Unseen | None, bool]:
    formula = value = None
    for child in cell:
        match _tag(child):
            case "f":
                formula = "=" + (child.text or "…")
            case "v" | "is":
                value = child
    if cell.get("t") == "e":
        what = "the spreadsheet shows an error here. Write what it should be, or empty the cell."
        return Unseen(_text(value.text if value is not None else "") or formula or "", what), True
    if formula:
        # An empty text is a result, and said to be a text; other programs write `<v/>` for none.
        computed = value is not None and (value.text or cell.get("t") == "str")
        if recomputes or not computed:
            what = "a formula without a result. Open the file in Excel and save it, or write the word itself."
            return Unseen(formula, what), True
    return None, value is not None


def _as_seen(sheet: CalamineSheet, faults: dict[Place, Unseen]) -> tuple[list[list[str]], dict[Place, Unseen]]:
    """The rows of a sheet, and cells that are merged with those above them. Adds to `faults`."""
    left = [""] * sheet.start[1] if sheet.start else []
    rows = [left + [_text(cell) for cell in row] for row in sheet.iter_rows()]
    lowest = max((row for row, _ in faults), default=0)
    rows += [[] for _ in range(len(rows), lowest + 1)]
    merged: dict[Place, Unseen] = {}
    for (top, first), (bottom, last) in sheet.merged_cell_ranges or ():
        seen = rows[top][first] if top < len(rows) and first < len(rows[top]) else ""
        broken = faults.get((top, first))
        for row in range(top, min(bottom + 1, len(rows))):
            if row > top and not any(rows[row]):
                continue  # beside a row without anything
            for column in range(first, min(last + 1, len(rows[row]))):
                here = row, column
                if here != (top, first):  # what is below a merged cell is not seen
                    rows[row][column] = seen if first == last else ""
                    faults.pop(here, None)
                if broken:
                    faults[here] = broken
                elif seen and first != last:
                    what = f"merged over several columns (row {top + 1}). Unmerge the cells and fill in each of them."
                    faults[here] = Unseen(seen, what)
                elif seen and row > top:
                    merged[here] = Unseen(seen, f"merged with row {top + 1}. Unmerge the cells and fill in each row.")
    return rows, merged


def _text(cell: Any) -> str:
    """A cell as text, as it was before a spreadsheet made a number of it."""
    match cell:
        case None:
            return ""
        case bool():
            return str(cell).upper()
        case float() if cell.is_integer():
            return str(int(cell))
        case datetime():
            return cell.isoformat(" ", "seconds")
        case date():
            return cell.isoformat()
        case _:
            return str(cell).strip()
