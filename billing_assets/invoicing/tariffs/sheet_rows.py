"""A tariff's JSON as rows, one for each charge, version, season, window and block, and rows as a tariff's JSON.

The two are each other's inverse, but for what says the same in another way: a null is left out, and a single open
block is a price.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from billing_assets.foundation.errors import BillingError
from billing_assets.invoicing.tariffs.sheet_cells import CellError, text_of, value_of
from billing_assets.invoicing.tariffs.sheet_columns import COLUMNS, Column, Level

Parts = dict[str, Any]
_Cells = dict[Column, tuple[str, Any]]
"""Cells of a level, as text and as value."""


class Fault(NamedTuple):
    """What is wrong in a sheet: its row as a spreadsheet counts, its column, what is there, and what to do."""

    row: int
    column: str
    value: str
    message: str

    def __str__(self) -> str:
        return f"Row {self.row}, column {self.column}, “{self.value}”: {self.message}"


class SheetError(BillingError):
    """A sheet is no tariff. `faults` are all that were found, in the order of the rows."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(" ".join(map(str, faults)))
        self.faults = tuple(faults)


class SheetRow(NamedTuple):
    """A row: its number as a spreadsheet counts, and the cells that are not empty."""

    number: int
    cells: Mapping[Column, str]


class SheetTariff(NamedTuple):
    """The tariff of a sheet, and the row in which each part of it begins, by its path (`charges[0].versions[1]`)."""

    tariff: Parts
    rows: Mapping[str, int]


def normal(value: Any) -> Any:
    """A JSON value without nulls, and with a price for a single open block."""
    if isinstance(value, list):
        return [normal(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {name: normal(one) for name, one in value.items() if one is not None}
    blocks = found.get("blocks")
    if isinstance(blocks, list) and len(blocks) == 1 and [*blocks[0]] == ["price"]:
        del found["blocks"]
        found |= blocks[0]
    return found


def rows_of(tariff: Parts) -> list[dict[Column, str]]:
    """The rows of a tariff. What is said of a charge or version is in its first row alone."""
    tariff = normal(tariff)
    rows: list[dict[Column, str]] = []
    for charge in tariff.get("charges", ()):
        for version_place, version in enumerate(charge.get("versions", ()) or ({},)):
            for leaf_place, leaf in enumerate(_leaves(version)):
                levels = {Level.TARIFF: tariff, Level.CHARGE: charge, Level.VERSION: version, **leaf}
                is_first = {
                    Level.TARIFF: not rows,
                    Level.CHARGE: version_place + leaf_place == 0,
                    Level.VERSION: leaf_place == 0,
                }
                rows.append(_row(levels, is_first))
    return rows or [_row({Level.TARIFF: tariff}, {})]


def _row(levels: Mapping[Level, Parts], is_first: Mapping[Level, bool]) -> dict[Column, str]:
    found = {}
    for column in COLUMNS:
        value: Any = levels.get(column.level) if column.is_key or is_first.get(column.level, True) else None
        for name in column.path:
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            found[column] = text_of(value, column.form)
    return found


def _leaves(version: Parts) -> Iterator[dict[Level, Parts]]:
    if "rows" in version:  # their price is in the column of prices
        yield from ({Level.ROW: one, Level.BLOCK: one} for one in version["rows"])
    elif "codes" in version:
        yield from ({Level.CODE: one} for one in version["codes"])
    elif "seasons" in version:
        for season in version["seasons"]:
            yield from ({Level.SEASON: season, **leaf} for leaf in _in_windows(season))
    else:
        yield from _in_windows(version)


def _in_windows(parts: Parts) -> Iterator[dict[Level, Parts]]:
    if not parts.get("windows"):
        yield from _in_blocks(parts)
    for window in parts.get("windows", ()):
        yield from ({Level.WINDOW: window, **leaf} for leaf in _in_blocks(window))


def _in_blocks(parts: Parts) -> Iterator[dict[Level, Parts]]:
    if "blocks" in parts:
        yield from ({Level.BLOCK: block} for block in parts["blocks"])
    else:
        yield {Level.BLOCK: {"price": parts["price"]}} if "price" in parts else {}


class _Node:
    """A part of the tariff that is being read: its values, each with the row that said it first."""

    def __init__(self, path: str, row: int) -> None:
        self.path = path
        self.row = row
        self.values: Parts = {}
        self.said: dict[Column, tuple[int, str, Any]] = {}
        self.children: dict[object, _Node] = {}
        self.lists: dict[str, list[_Node]] = {}
        self.is_open = False

    def child(self, name: str, key: object, row: int) -> "_Node":
        """The part with this key in the list of this name; a new one at its end where there is none."""
        found = self.children.get((name, key))
        return found if found is not None else self.add(name, key, row)

    def add(self, name: str, key: object, row: int) -> "_Node":
        found = _Node(f"{self.path}.{name}[{len(self.lists.get(name, ()))}]".lstrip("."), row)
        self.lists.setdefault(name, []).append(found)
        self.children[name, key] = found
        return found

    def nodes(self) -> "Iterator[_Node]":
        """The part and all in it."""
        yield self
        for one in self.lists.values():
            for child in one:
                yield from child.nodes()

    def json(self) -> Parts:
        """What was read."""
        lists = {name: [one.json() for one in each] for name, each in self.lists.items()}
        found: Parts = normal({**self.values, **lists})
        return found


def tariff_of(rows: Sequence[SheetRow]) -> SheetTariff:
    """The tariff of rows, whatever their order within a charge. Raises SheetError with all that is wrong."""
    faults: list[Fault] = []
    tariff = _Node("", rows[0].number if rows else 1)
    for row in rows:
        _read_row(tariff, row, faults)
    found = tariff.json()
    found.setdefault("charges", [])
    if faults:
        raise SheetError(sorted(faults))
    return SheetTariff(found, {node.path: node.row for node in tariff.nodes()})


def _read_row(tariff: _Node, row: SheetRow, faults: list[Fault]) -> None:
    levels: dict[Level, _Cells] = {}
    for column, text in row.cells.items():
        try:
            value = value_of(text, column.form)
        except CellError as error:
            faults.append(Fault(row.number, column.title, text, str(error)))
            value = text  # the row is read on: all that is wrong is found at once
        levels.setdefault(column.level, {})[column] = (text, value)
    _say(tariff, levels.pop(Level.TARIFF, {}), row.number, faults)
    if not levels:
        return
    code = next((text for column, (text, _) in levels.get(Level.CHARGE, {}).items() if column.path == ("code",)), "")
    if not code:
        faults.append(Fault(row.number, "Charge", "", "write the code of the charge that this row is of."))
        return
    charge = tariff.child("charges", code, row.number)
    _say(charge, levels.pop(Level.CHARGE), row.number, faults)
    version = charge.child("versions", _key(levels, Level.VERSION), row.number)
    _say(version, levels.pop(Level.VERSION, {}), row.number, faults)
    for level, name in ((Level.ROW, "rows"), (Level.CODE, "codes")):
        if level in levels:
            cells = levels[level] | (levels.get(Level.BLOCK, {}) if level == Level.ROW else {})
            _say(version.add(name, row.number, row.number), cells, row.number, faults)
            return
    part = version
    if Level.SEASON in levels:
        part = version.child("seasons", _key(levels, Level.SEASON), row.number)
        _say(part, levels[Level.SEASON], row.number, faults)
    if Level.WINDOW in levels:
        part = _window(part, _key(levels, Level.WINDOW), row.number)
        _say(part, levels[Level.WINDOW], row.number, faults)
    if Level.BLOCK in levels:
        _block(part, levels[Level.BLOCK], row.number, faults)
    elif Level.SEASON in levels and Level.WINDOW not in levels:
        part.lists.setdefault("windows", [])  # a season in which nothing is measured


def _window(part: _Node, key: object, row: int) -> _Node:
    """The window of this key that may have another block; after its open block another of the same key begins."""
    found = part.children.get(("windows", key))
    return part.add("windows", key, row) if found is None or found.is_open else found


def _block(part: _Node, cells: _Cells, row: int, faults: list[Fault]) -> None:
    if part.is_open:
        said = next((column, text) for column, (text, _) in cells.items())
        what = "there is a price without a limit for the same already. Write the limits under “Up to”."
        faults.append(Fault(row, said[0].title, said[1], what))
        return
    part.is_open = all(column.path != ("up_to",) for column in cells)
    _say(part.add("blocks", row, row), cells, row, faults)


def _key(levels: Mapping[Level, _Cells], level: Level) -> object:
    return tuple(sorted((one.title, str(value)) for one, (_, value) in levels.get(level, {}).items() if one.is_key))


def _say(node: _Node, cells: _Cells, row: int, faults: list[Fault]) -> None:
    """Puts what a row says of a part into it; another row may say the same, and nothing else."""
    for column, (text, value) in cells.items():
        first, said, known = node.said.setdefault(column, (row, text, value))
        if known != value:
            what = f"row {first} says “{said}” of the same {column.level}. Write the same, or nothing."
            faults.append(Fault(row, column.title, text, what))
        elif first == row:
            *within, last = column.path
            values = node.values
            for name in within:
                values = values.setdefault(name, {})
            values[last] = value
