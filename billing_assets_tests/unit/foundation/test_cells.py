"""CSV files that people open in a spreadsheet: no formula, whatever separates cells; and what a spreadsheet changes."""

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_assets.foundation.cells import changed_by_spreadsheet, csv_cell, looks_like_formula, write_csv

SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫"  # noqa: RUF001
TEXTS = st.text(st.sampled_from(f"{SIGNS},;|\t\r\n\"' a1"), max_size=12)


def seen(text: str) -> Iterator[str]:
    """Every cell of a CSV as readers with any separator see it."""
    for delimiter in ",;\t|":
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            yield from row


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=3), min_size=1, max_size=3))
def test_no_reader_sees_a_formula_and_the_right_one_sees_the_texts(rows: list[list[str]]) -> None:
    out = io.StringIO(newline="")
    assert write_csv(out, rows) == len(rows)
    assert [cell for cell in seen(out.getvalue()) if cell.lstrip(" ").startswith(tuple(SIGNS))] == []
    read = list(csv.reader(io.StringIO(out.getvalue(), newline=""), strict=True))
    assert read == [[csv_cell(text) for text in row] for row in rows]


@pytest.mark.parametrize("text", ["A-1", "a, -b", "5 = 5", "user@example.com", "GBP -5.00", "it's"])
def test_a_text_that_no_spreadsheet_takes_for_a_formula_is_left_as_it_is(text: str) -> None:
    assert (csv_cell(text), looks_like_formula(text)) == (text, False)


@pytest.mark.parametrize(
    ("text", "became", "explained"),
    [
        ("=A1", "#NAME?", True),
        ("A-1", "########", True),
        ("5/11", "5. Nov", True),
        ("1-Mar", "01. Mrz", True),
        ("50%", "0.5", True),
        ("495815", "495'815", True),
        ("495815", "495816", False),
        ("495815", "4958", False),
        ("5-11", "", False),
        ("A-1", "A-2", False),
        ("INV-2010", "INV-2011", False),
        ("MARKET", "1", False),
        ("MAY", "1", False),
    ],
)
def test_a_spreadsheet_explains_only_what_it_does(text: str, became: str, *, explained: bool) -> None:
    assert changed_by_spreadsheet(text, became) is explained
