"""Texts of others, as people and file systems get them."""

import pytest

from billing_assets.foundation.outside_text import file_name, on_one_line, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zürich 东京 חיפה 🏠", "Zürich 东京 חיפה 🏠"),
        ("two\nlines", "two\nlines"),
        ("a\u202eb", "a[U+202E]b"),
        ("a\tb\x00", "a[U+0009]b[U+0000]"),
        ("Lon\u200bdon\ufeff", "Lon[U+200B]don[U+FEFF]"),
        ("\ue000", "[U+E000]"),
        ("क\u200dष", "क\u200dष"),  # the letters need it
    ],
)
def test_controls_are_seen_and_every_script_stays(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  two\r\nlines\x00of\u2028it ", "two lines of it"),
        ("a\u202eb\u2069c", "abc"),
        ("Lon\u200bdon\u00ad\ufeff", "London"),
        ("חיפה\u200f 1", "חיפה\u200f 1"),
        ("क\u200dष", "क\u200dष"),
        ("東\ue000", "東\ue000"),  # a letter that only its author knows is no other letter
    ],
)
def test_a_text_on_one_line_keeps_its_letters_and_loses_what_turns_or_hides(text: str, line: str) -> None:
    assert on_one_line(text) == line


def test_any_number_makes_a_file_name_of_its_own() -> None:
    numbers = ["500001", "A/1", "A%2F1", "..", "东" * 45, "东" * 44 + "京", "x" * 300, "x" * 301, "a\u202eb", "a\nb"]
    names = [f"{file_name(number)}-due.eml" for number in numbers]
    assert len({*names}) == len(numbers)
    assert max(map(len, names)) < 200
    assert all(name.isascii() and name.isprintable() and "/" not in name for name in names)
    assert names[0] == "500001-due.eml"
