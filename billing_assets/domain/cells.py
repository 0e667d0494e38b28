"""Cells of files that people open in a spreadsheet."""

from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a text begins with that a spreadsheet takes for a formula."""


def csv_cell(value: Any) -> Any:
    """A text that begins like a formula gets an apostrophe before it: spreadsheets then show it as text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
