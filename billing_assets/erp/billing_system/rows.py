"""Rows of the extraction queries by column, checked against the contract, and grouped by their document."""

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import partial
from operator import ne
from typing import Any, NamedTuple

from billing_assets.erp.billing_system import contract
from billing_assets.erp.billing_system.queries import DOCUMENTS_FILE, LINES_FILE
from billing_assets.erp.documents.documents import Application, Line
from billing_assets.foundation.source_database import values
from billing_assets.foundation.source_database.errors import ColumnsWrong
from billing_assets.foundation.source_database.values import Column, Unreadable

_NO_EXTRA: dict[str, str | None] = {}  # shared by all rows without further columns; never changed
_new_line = partial(tuple.__new__, Line)  # Line._make without its Python frame: a million lines pay for each frame


class Problem(NamedTuple):
    """Why a row cannot be understood: its column, the value there, and the rest of a sentence about the column."""

    column: str
    value: Any
    message: str


class Table(NamedTuple):
    """The rows of one statement, by column. `problems` has the first problem of a row, by its index."""

    columns: list[Sequence[Any]]  # in the order of the contract
    extras: Sequence[dict[str, str | None]]
    problems: dict[int, Problem]
    key_type: Any = None
    """Of the column `document_id`, as the driver has it."""


def table_of(
    names: list[str], rows: Sequence[Sequence[Any]], file: str, columns: Sequence[Column], key_type: Any
) -> Table:
    """Rows as a table with the columns of the contract. Raises ColumnsWrong."""
    if missing := [one.name for one in columns if one.name not in names]:
        raise ColumnsWrong({file: missing}, {})
    if len(set(names)) < len(names):
        raise ColumnsWrong({}, {file: sorted({name for name in names if names.count(name) > 1})})
    by_column: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else [()] * len(names)
    cells = dict(zip(names, by_column, strict=True))
    if file == DOCUMENTS_FILE:
        cells.pop(contract.VERSION, None)  # it may change though the document does not
    problems: dict[int, Problem] = {}
    converted = [_convert(one, cells.pop(one.name), problems) for one in columns]
    return Table(converted, _extras(cells) or [_NO_EXTRA] * len(rows), problems, key_type)


def _convert(column: Column, cells: Sequence[Any], problems: dict[int, Problem]) -> Sequence[Any]:
    types = set(map(type, cells))
    if types <= column.plain and (Decimal not in types or all(map(Decimal.is_finite, filter(None, cells)))):
        return cells
    if column.of_int and types == {int}:
        return list(map(column.of_int, cells))
    converted: list[Any] = []
    for row, value in enumerate(cells):
        try:
            converted.append(column.convert(value))
        except Unreadable as error:
            problems.setdefault(row, Problem(column.name, value, str(error)))
            converted.append(None)
    return converted


def _extras(cells: dict[str, Sequence[Any]]) -> list[dict[str, str | None]]:
    """Rows that say the same share one dict: a service stands on thousands of lines."""
    columns = [map(values.further, column) for column in cells.values()]
    made: dict[tuple[str | None, ...], dict[str, str | None]] = {}
    return [
        made.get(row) or made.setdefault(row, dict(zip(cells, row, strict=True))) for row in zip(*columns, strict=True)
    ]


def lines_by_document(table: Table) -> tuple[dict[str, list[Line]], dict[str, Problem]]:
    """Lines by document id, and the first problem of each document that has one in its lines."""
    ids, line_numbers = table.columns[:2]
    lines = list(map(_new_line, zip(*table.columns[1:], table.extras, strict=True)))
    lines_of: dict[str, list[Line]] = {}
    problems: dict[str, Problem] = {}
    for row, problem in table.problems.items():
        where = line_numbers[row] if line_numbers[row] is not None else "?"
        problems.setdefault(ids[row], problem._replace(column=f"lines[{where}].{problem.column}"))
    if sum(map(ne, ids[1:], ids)) >= len(set(ids)) > 0:
        # Ordered by document, but not by our idea of one: to the database `a` and `A`, or 1.0 and 1.00, may be equal.
        order = sorted(range(len(ids)), key=lambda row: repr(ids[row]))
        ids, line_numbers, lines = ([cells[row] for row in order] for cells in (ids, line_numbers, lines))
    start = 0
    for document_id, count in Counter(ids).items():  # each document's lines are together
        end = start + count
        lines_of[document_id] = lines[start:end]
        if len(set(line_numbers[start:end])) < count and document_id not in problems:
            twice = next(number for number, times in Counter(line_numbers[start:end]).items() if times > 1)
            message = f"stands more than once; number a document's lines uniquely in {LINES_FILE}"
            problems[document_id] = Problem(f"lines[{twice}].line_no", twice, message)
        start = end
    return lines_of, problems


def applications_by_document(
    table: Table,
) -> tuple[dict[str, tuple[Application, ...]], dict[str, Problem]]:
    """Applications by document id, in the order of the invoices' numbers, and the first problem of each document."""
    found: dict[str, list[Application]] = {}
    problems: dict[str, Problem] = {}
    for row, (document_id, *cells) in enumerate(zip(*table.columns, strict=True)):
        found.setdefault(document_id, []).append(Application(*cells))
        if problem := table.problems.get(row):
            where = problem._replace(column=f"applications[{cells[0] or '?'}].{problem.column}")
            problems.setdefault(document_id, where)
    return {
        document_id: tuple(sorted(ones, key=lambda one: (one.applies_to, one.amount is None, one.amount or 0)))
        for document_id, ones in found.items()
        if document_id not in problems
    }, problems
