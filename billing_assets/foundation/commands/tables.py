"""Tables in the terminal."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from billing_assets.foundation.money import amount


def simple_table(title: str, columns: Iterable[str], right: Iterable[int] | None = None) -> Table:
    """A plain table whose last two columns, or the named ones, are numbers."""
    names = list(columns)
    numbers = set(right) if right is not None else {len(names) - 2, len(names) - 1}
    table = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    for index, name in enumerate(names):
        # Folded where the terminal is too narrow: an amount that ends in three dots is none.
        table.add_column(name, justify="right" if index in numbers else "left", overflow="fold")
    return table


def total_cell(row: Mapping[str, Any]) -> str:
    """A document's total with its currency; empty where it could not be read."""
    return f"{row['currency'] or ''} {amount(row['total'])}" if row["total"] is not None else ""
