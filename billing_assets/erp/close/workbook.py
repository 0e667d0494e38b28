"""The close as an Excel workbook: what finance filters, sums and files. The same data make the same bytes."""

import io
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from billing_assets.erp.close.causes import CAUSES, Sort
from billing_assets.erp.close.differences import Difference
from billing_assets.erp.close.reconciliation import MonthClose, Row, StateRow, Step
from billing_assets.erp.close.sums import Sum, add
from billing_assets.foundation.cells import looks_like_formula
from billing_assets.foundation.money import amount
from billing_assets.foundation.outside_text import visible

_SIDES = ("billing", "moved", "staged", "netsuite")
_SUMS = ("billing", "moved", "held", "excluded", "in_flight", "posted", "netsuite")
_LABELS = {
    "billing": "Billing system",
    "moved": "Moved and corrected",
    "staged": "Staged",
    "moved_in": "From earlier months",
    "corrections": "Credit memos for voids",
    "moved_out": "To later months",
    "held": "Held",
    "excluded": "Excluded",
    "in_flight": "On its way or refused",
    "posted": "Posted",
    "netsuite": "NetSuite",
}
_DIFFERENCE = ["Cause", "Kind", "Number", "Branch", "Currency", "Billing", "NetSuite", "NetSuite id", "What", "To do"]
_POSTED = [
    ("Number", "number"),
    ("Kind", "kind"),
    ("Branch", "branch"),
    ("Currency", "currency"),
    ("Total", "staged"),
    ("NetSuite total", "netsuite"),
    ("NetSuite number", "transaction_number"),
    ("NetSuite id", "netsuite_id"),
    ("Document date", "document_date"),
    ("Posted (UTC)", "posted_at"),
    ("Batch", "batch"),
]

_NAMES = frozenset({"Branch", "Number", "Currency"})
"""Columns whose texts are read to the end, in several lines if need be."""

_LONGEST_CELL = 32_000  # Excel takes 32,767 characters, and those beyond the first plane count twice
_OTHER_WIDTH = 15
_WIDE = {
    "What": 70,
    "To do": 60,
    "Branch": 22,
    "Posted (UTC)": 19,
    "NetSuite number": 17,
    "Cause": 26,
    "Kind": 14,
    "Sum": 26,
    "Total, exact": 22,
}


def label(what: str) -> str:
    """A column or cause as people read it."""
    return _LABELS.get(what) or what.replace("_", " ").capitalize().replace("netsuite", "NetSuite")


def workbook(
    close: MonthClose,
    differences: Iterable[Difference],
    kept_back: Iterable[Difference],
    posted: Iterable[Mapping[str, Any]],
) -> bytes:
    """The workbook's bytes. The rows are taken one by one and not kept."""
    buffer = io.BytesIO()
    # Text is written as text whatever it begins with: a memo is no formula. Rows go to disk as they come.
    with xlsxwriter.Workbook(buffer, {"constant_memory": True}) as book:
        made_at = close.compared_at.replace(tzinfo=None)
        book.set_properties({"title": f"Month close {close.period}", "author": "billing_assets", "created": made_at})
        sheets = _Book(book)
        _summary(sheets, close)
        _by_branch(sheets, close)
        _by_state(sheets, close)
        sheets.sheet("Differences", _DIFFERENCE, map(_difference, differences))
        sheets.sheet("Held and rejected", _DIFFERENCE, map(_difference, kept_back))
        names = [name for name, _ in _POSTED]
        sheets.sheet(
            "Posting log",
            names,
            ([label(row["kind"]) if column == "kind" else row[column] for _, column in _POSTED] for row in posted),
        )
        _control_totals(sheets, close)
    return buffer.getvalue()


class _Book:
    """A workbook with the few formats that its sheets share."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self._book = book
        self._head = book.add_format({"bold": True, "bg_color": "#1F3A5F", "font_color": "#FFFFFF", "text_wrap": True})
        self._money = book.add_format({"num_format": "#,##0.00;[Red]-#,##0.00"})
        self._finer = book.add_format({"num_format": "#,##0.00##;[Red]-#,##0.00##"})
        self._day = book.add_format({"num_format": "yyyy-mm-dd"})
        self._moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._title = book.add_format({"bold": True, "font_size": 14})
        self._strong = book.add_format({"bold": True})
        # By whether a text may begin a formula when somebody edits the cell, and whether it takes several lines.
        self._texts = {
            (formula, lines): book.add_format({"quote_prefix": formula, "text_wrap": lines})
            for formula, lines in ((False, True), (True, False), (True, True))
        }

    def sheet(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A sheet that is one table: its head stays in view, and every column can be filtered."""
        sheet = self._book.add_worksheet(name)
        for column, title in enumerate(columns):
            sheet.set_column(column, column, _WIDE.get(title, _OTHER_WIDTH))
        sheet.freeze_panes(1, 0)
        last = self.rows(sheet, 0, columns, rows)
        sheet.autofilter(0, 0, max(last - 1, 1), len(columns) - 1)

    def page(self, name: str, widths: Sequence[float]) -> Worksheet:
        """A sheet of several tables."""
        sheet = self._book.add_worksheet(name)
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        return sheet

    def title(self, sheet: Worksheet, row: int, text: str) -> None:
        """A line of large text."""
        sheet.write_string(row, 0, text, self._title)

    def fact(self, sheet: Worksheet, row: int, name: str, value: str) -> None:
        """A name and its value."""
        sheet.write_string(row, 0, name, self._strong)
        sheet.write_string(row, 1, value)

    def rows(self, sheet: Worksheet, row: int, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
        """A table from a row on. Returns the row behind it."""
        for column, title in enumerate(columns):
            sheet.write_string(row, column, title, self._head)
        for cells in rows:
            row += 1
            for column, (title, value) in enumerate(zip(columns, cells, strict=True)):
                self._cell(
                    sheet, row, column, value, _WIDE.get(title, _OTHER_WIDTH) if title in _NAMES else _LONGEST_CELL
                )
        return row + 1

    def _cell(self, sheet: Worksheet, row: int, column: int, value: object, lines_of: int) -> None:
        match value:
            case None:
                return
            case Decimal():
                sheet.write_number(row, column, value, self._money_format(value))
            case datetime():
                sheet.write_datetime(
                    row, column, value.astimezone(UTC).replace(tzinfo=None, microsecond=0), self._moment
                )
            case date():
                sheet.write_datetime(row, column, value, self._day)
            case int():
                sheet.write_number(row, column, value)
            case _:
                text = _readable(str(value))
                in_lines = "\n" in text or (2 * len(text) > lines_of and _width(text) > lines_of)
                sheet.write_string(row, column, text, self._texts.get((looks_like_formula(text), in_lines)))

    def _money_format(self, value: Decimal) -> Format:
        """Two decimals, more where the amount has more: nothing may look rounded that is not."""
        return self._money if value == round(value, 2) else self._finer


def _readable(text: str) -> str:
    """A text of a cell: with nothing in it that hides or turns round the rest, and no longer than Excel takes it."""
    shown = visible(text)
    if 2 * len(shown) <= _LONGEST_CELL:
        return shown
    units = shown.encode("utf-16-le")
    cut = units[: 2 * _LONGEST_CELL].decode("utf-16-le", "ignore")
    return shown if len(units) <= 2 * _LONGEST_CELL else f"{cut}\u2026 (cut: it has {len(text):,} characters)"


def _width(text: str) -> int:
    """How many Latin letters are as wide as a text."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _summary(book: _Book, close: MonthClose) -> None:
    sheet = book.page("Summary", [34, 16, 14, 20, 62, 40])
    book.title(sheet, 0, f"Month close {close.period}")
    book.fact(sheet, 1, "Compared (UTC)", f"{close.compared_at:%Y-%m-%d %H:%M:%S}")
    book.fact(sheet, 2, "Billing equals NetSuite", "yes" if close.reconciled else "NO")
    book.fact(sheet, 3, "Nothing unknown", "yes" if not close.count(Sort.UNKNOWN) else "NO")
    book.fact(
        sheet, 4, "Nothing on its way or refused", "yes" if not close.count(Sort.UNPOSTED, Sort.UNKNOWN) else "NO"
    )
    book.fact(sheet, 5, "Different, but answered for", f"{close.count(Sort.DECIDED):,} documents")
    book.fact(sheet, 6, "Digest of all figures", close.figures.hex())
    row = 8
    book.title(sheet, row, "From billing to NetSuite")
    row = book.rows(sheet, row + 1, ["Step", "Currency", "Documents", "Total"], _steps(close.steps)) + 1
    book.title(sheet, row, "Why they differ")
    columns = ["Cause", "Currency", "Documents", "Amount concerned", "What it means", "Reason"]
    causes = (
        (label(one.cause), one.currency, one.documents, one.total, CAUSES[one.cause].meaning, one.reason)
        for one in close.causes
    )
    row = book.rows(sheet, row + 1, columns, causes) + 1
    if close.elsewhere:
        book.title(sheet, row, "Other invoices and credit memos in NetSuite, none of ours")
        book.rows(sheet, row + 1, ["Type", "Currency", "Documents", "Total"], _steps(close.elsewhere))


def _steps(steps: Iterable[Step]) -> Iterator[tuple[object, ...]]:
    for step in steps:
        yield label(step.what), step.currency, step.documents, step.total


def _by_branch(book: _Book, close: MonthClose) -> None:
    columns = ["Branch", "Kind", "Currency", "Agrees", *_sum_columns(_SUMS)]
    rows = (
        [
            row.branch,
            label(row.kind),
            row.currency,
            "yes" if row.agrees else "NO",
            *_sum_cells(row, _SUMS),
        ]
        for row in close.rows
    )
    book.sheet("By branch", columns, rows)


def _by_state(book: _Book, close: MonthClose) -> None:
    columns = ["Branch", "Kind", "Currency", "State", *_sum_columns(_SIDES)]
    rows = (
        [row.branch, label(row.kind), row.currency, label(row.state), *_sum_cells(row, _SIDES)] for row in close.states
    )
    book.sheet("By state", columns, rows)


def _sum_columns(names: Sequence[str]) -> list[str]:
    return [f"{label(name)} {what}" for name in names for what in ("documents", "total")]


def _sum_cells(row: Row | StateRow, names: Sequence[str]) -> list[object]:
    """Documents and total of some columns: empty where there is nothing, so that the rest stands out."""
    return [cell or None for name in names for cell in getattr(row, name)]


def _difference(one: Difference) -> list[object]:
    return [
        label(one.cause),
        label(one.kind),
        one.number,
        one.branch,
        one.currency,
        one.billing,
        one.netsuite,
        one.netsuite_id,
        one.what,
        CAUSES[one.cause].to_do,
    ]


def _control_totals(book: _Book, close: MonthClose) -> None:
    """Each sum once more as exact text: Excel computes with 15 digits."""

    def rows() -> Iterator[list[object]]:
        for currency in sorted({row.currency for row in close.rows}):
            for kind in sorted({row.kind for row in close.rows if row.currency == currency}):
                for name in ("staged", *_SUMS):
                    found: Sum = add(
                        getattr(row, name) for row in close.rows if (row.currency, row.kind) == (currency, kind)
                    )
                    yield [label(name), label(kind), currency, found.documents, amount(found.total).replace(",", "")]

    book.sheet("Control totals", ["Sum", "Kind", "Currency", "Documents", "Total, exact"], rows())
