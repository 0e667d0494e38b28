"""Cells of files that people open in a spreadsheet: what may not become a formula, and what a spreadsheet changes."""

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, TextIO

FOR_PEOPLE = "utf-8-sig"
"""The encoding of every CSV that a person opens: a spreadsheet takes a file for UTF-8 only by this mark."""

_SIGNS = "=+\\-@＝＋－＠﹦﹢﹣﹫"  # noqa: RUF001  a Japanese Excel takes the wide and the small ones for a formula, too
# Which sign separates cells, the country of the reader says, not the file. Commas are ours: no text is cut at them, and
# "a, -b" is prose.
_FORMULA = re.compile(
    rf"""^(?=["'\s]*[{_SIGNS}]|[\t\r\n])|(?<=[;|\t\r\n])(?=["'\s]*[{_SIGNS}])|(?<=,)(?=["']*[{_SIGNS}])"""
)

_SPOILED = re.compile(r"[-+]?\d([.,]\d+)?E\+\d{2,3}|##+|#[^\W\d_]\S*[?!]|#N/[AV]", re.ASCII | re.IGNORECASE)
_MONTH = (  # as spreadsheets in English read them
    "jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?|dec(ember)?"
)
_TAKEN_FOR_ANOTHER = re.compile(
    rf"[-+]?[\d.,:/\\' -]*\d[\d.,:/\\' -]*(E[-+]?\d+)?%?|(?=.*\d)\d*[-/. ]?({_MONTH})[-/. ]?\d*",
    re.ASCII | re.IGNORECASE,
)
_KEPT = re.compile(r"[1-9]\d{0,14}", re.ASCII)  # more digits than 15 are lost


def looks_like_formula(text: str) -> bool:
    """Whether a spreadsheet takes a text, or what stands behind a separator in it, for a formula."""
    return _FORMULA.search(text) is not None


def csv_cell(value: Any) -> Any:
    """A text that looks like a formula gets an apostrophe before it, or behind the separator: it is shown as text."""
    return _FORMULA.sub("'", value) if isinstance(value, str) else value


def csv_text(cell: str) -> str:
    """The text that `csv_cell` made a cell of; a cell that it did not make is its own text."""
    places = [found.start() for found in _FORMULA.finditer(cell) if cell[found.start() : found.start() + 1] == "'"]
    for place in reversed(places):
        cell = cell[:place] + cell[place + 1 :]
    return cell


def write_csv(file: TextIO, rows: Iterable[Sequence[Any]]) -> int:
    """Writes rows, titles first. Returns how many. Every text is quoted and none becomes a formula."""
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007  the last one is the answer
        writer.writerow([csv_cell(cell) for cell in row])
    return count


def read_csv(text: str | TextIO, titles: Collection[str]) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV, each with the number of its last line, whatever separates the cells. A file is opened with
    `newline=""`, and read as its rows are asked for.

    A first line `sep=;` is for spreadsheets, which do not show it. Else the separator is the one that finds most of
    `titles`. Raises csv.Error, and UnicodeDecodeError of a file.
    """
    lines = io.StringIO(text, newline="") if isinstance(text, str) else text
    first = lines.readline()
    said = re.fullmatch(r'"?sep=([^\w\s"]|\t)"?[,;|\t]*[\r\n]*', first, re.IGNORECASE)
    if said:
        first = lines.readline()
    wanted = {title.casefold() for title in titles}

    def found(delimiter: str) -> int:
        head: list[str] = next(csv.reader([first], delimiter=delimiter), [])
        return sum(cell.strip().casefold() in wanted for cell in head)

    delimiter = max([said[1], *",;\t|"] if said else ",;\t|", key=found)
    reader = csv.reader(chain([first] if first else [], lines), delimiter=delimiter, strict=True)
    for cells in reader:
        yield reader.line_num + bool(said), cells


def spoiled(text: str) -> bool:
    """Whether a text is what a spreadsheet writes in place of another: `1.20E+06`, `#NAME?`, `#####`."""
    # Most cells have neither sign, and looking for them is quicker than the pattern.
    return ("#" in text or "+" in text) and _SPOILED.fullmatch(text) is not None


def changed_by_spreadsheet(text: str, became: str) -> bool:
    """Whether a spreadsheet explains that a text became another: it took it for a number, a date or a time."""
    if not became or spoiled(became):
        return bool(became)
    if _KEPT.fullmatch(text):  # shown as 495,815 or 495815.00 at most
        digits = re.sub(r"[.,'\s]", "", became)
        return digits.startswith(text) and not digits[len(text) :].strip("0")
    return _TAKEN_FOR_ANOTHER.fullmatch(text) is not None
