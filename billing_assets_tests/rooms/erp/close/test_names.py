"""Names of any script, length and direction in what finance signs and files: each to be told from every other, nothing
covered, nothing turned round."""

import io
import re
import shutil
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import openpyxl
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.erp.close.differences import Difference
from billing_assets.erp.close.lettering import FONTS, fonts_with, names, sentences
from billing_assets.erp.close.reconciliation import CauseTotal, MonthClose, Row, Step
from billing_assets.erp.close.statement import statement
from billing_assets.erp.close.store import MonthFigures
from billing_assets.erp.close.sums import NOTHING, Sum, add
from billing_assets.erp.close.trend import trend_picture
from billing_assets.erp.close.workbook import workbook
from billing_assets.foundation.money import amount
from billing_assets_tests.rooms.erp.close.test_pack import pack, sheets
from proving.world.builders import insert_document
from proving.world.system import System

MARGIN = 56.6  # 20 mm
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def closed(
    *branches: str, total: str = "1234.50", currency: str = "GBP", differences: Sequence[Difference] = ()
) -> MonthClose:
    """A month in which every branch has a sum in every column."""
    one = Sum(1, Decimal(total))
    rows = (
        Row(branch, currency, "invoice", one, one, NOTHING, one, one, one, NOTHING, NOTHING, agrees=True)
        for branch in sorted(branches)
    )
    steps = (Step(side, currency, len(branches), add([one] * len(branches)).total) for side in ("billing", "netsuite"))
    causes = (
        CauseTotal(one.cause, one.what, currency, 1, one.billing or one.netsuite or Decimal(0)) for one in differences
    )
    compared_at = datetime(2010, 12, 1, tzinfo=UTC)
    return MonthClose(
        "2010-11", compared_at, (*rows,), (), (*steps,), (*causes,), (*differences,), (), (), bytes(range(32))
    )


def difference(number: str, what: str, billing: str = "1.00") -> Difference:
    return Difference(
        "AMOUNT_DIFFERS", "invoice", number, "France", "GBP", Decimal(billing), Decimal("2.00"), "1", what
    )


class Glyph(NamedTuple):
    char: str
    left: float
    bottom: float
    right: float
    top: float


@contextmanager
def pages(document: bytes) -> Iterator[list[pypdfium2.PdfPage]]:
    opened = pypdfium2.PdfDocument(document)
    try:
        yield [*opened]
    finally:
        opened.close()


def glyphs(page: pypdfium2.PdfPage) -> list[Glyph]:
    """What is drawn on a page, character by character."""
    content = page.get_textpage()
    found = (Glyph(char, *content.get_charbox(place)) for place, char in enumerate(content.get_text_range()))
    return [one for one in found if one.right > one.left and one.char not in " \u200b"]


def text(document: bytes) -> str:
    with pages(document) as found:
        return "\n".join(page.get_textpage().get_text_range() for page in found).replace("\u200b", "")


def covered(page: list[Glyph]) -> Iterator[str]:
    """Digits that something else lies on."""
    by_height = sorted(page, key=lambda one: one.bottom)
    heights = [one.bottom for one in by_height]
    for digit in (one for one in page if one.char.isdigit()):
        near = by_height[bisect_left(heights, digit.bottom - 12) : bisect_left(heights, digit.top)]
        for other in near:
            width = min(digit.right, other.right) - max(digit.left, other.left)
            height = min(digit.top, other.top) - max(digit.bottom, other.bottom)
            if other is not digit and width > 0.8 and height > 0.8:
                yield f"{other.char} on {digit.char}"


def assert_all_can_be_read(document: bytes) -> None:
    with pages(document) as found:
        for page in found:
            drawn = glyphs(page)
            assert min(one.left for one in drawn) > MARGIN - 1
            assert max(one.right for one in drawn) < page.get_width() - MARGIN + 1
            assert not [*covered(drawn)]
            assert min(one.top - one.bottom for one in drawn if one.char.isdigit()) > 3  # points: none too small


def looks(document: bytes, branch: str) -> bytes | None:
    """The branch as it is drawn, if the text of the document has it."""
    with pages(document) as found:
        for page in found:
            content = page.get_textpage()
            start = content.get_text_range().find(branch)
            if start >= 0:
                boxes = [content.get_charbox(place) for place in range(start, start + len(branch))]
                left, bottom = min(box[0] for box in boxes), min(box[1] for box in boxes)
                right, top = max(box[2] for box in boxes), max(box[3] for box in boxes)
                image = page.render(scale=4).to_pil().convert("L")
                edges = (left, page.get_height() - top, right, page.get_height() - bottom)
                return bytes(image.crop(tuple(round(4 * edge) for edge in edges)).resize((96, 24)).tobytes())
    return None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("东京支店", "北海道府"),
        ("서울부산", "대전광주"),
        ("กรุงเทพ", "นนทบุรี"),
        ("Αθήνα", "Πάτρα"),
        ("Москва", "Казань"),
        ("חיפה", "יפו"),
        ("القاهرة", "طنجة"),
        ("Łódź", "Żory"),
        ("🏠", "🏢"),
    ],
)
def test_two_branches_of_any_script_look_different(one: str, other: str) -> None:
    document = statement(closed(one, other))
    first, second = looks(document, one), looks(document, other)
    # A box for a missing glyph reads as any character: as one of the two names, and not as the other.
    assert (first is None) == (second is None), "boxes"
    if first is None or second is None:
        shown = text(document)
        for name in (one, other):
            assert "[U+" + " ".join(f"{ord(char):04X}" for char in name) + "]" in shown
        return
    differ = sum(abs(x - y) for x, y in zip(first, second, strict=True)) / len(first)
    assert differ > 12, f"they differ by {differ:.1f} of 255"


@pytest.mark.parametrize("script", ["Zürich", "Αθήνα", "Москва", "חיפה", "القاهرة", "Երևան", "თბილისი", "Hà Nội"])
def test_what_the_fonts_have_is_shown_as_it_is(script: str) -> None:
    assert names([script], 80, FONTS)[script].strip("\u2068\u2069") == script
    assert "Unicode" not in text(statement(closed(script)))


def test_letters_come_from_the_folder_that_the_settings_name(tmp_path: Path) -> None:
    shutil.copy(Path(mpl.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", tmp_path)
    name, usual = "ⵜⴰⵏⴳⴰ", closed("Zürich")  # Tanger, in Tifinagh
    fonts = fonts_with(tmp_path)
    assert name in text(statement(closed(name), fonts))
    assert name not in text(statement(closed(name), fonts_with(None)))
    assert statement(usual, fonts) == statement(usual)


@pytest.mark.parametrize(
    "name",
    [
        "x" * 300,
        "W" * 300,
        "word " * 60,
        "东" * 300,
        "القاهرة" * 43,
        "\u0430" * 300,
        "Z" + "\u0301" * 60,
        "=2+5;" * 60,
        "🏠" * 9,
    ],
)
def test_a_long_name_covers_no_amount_and_stays_on_the_page(name: str) -> None:
    documents = [difference(name, f"NetSuite has {name} instead of 12.00.")]
    document = statement(closed(name, name[:-1] + "y", "Paris", differences=documents))
    assert_all_can_be_read(document)
    assert text(document).count("1,234.50") == 3 * 4


@pytest.mark.parametrize(
    "total", ["1234567890123.00", "-98765432109876543.21", "1" * 25, "123456789012345678901234567.125"]
)
def test_a_large_amount_covers_no_other_and_is_complete(total: str) -> None:
    branches = ("Donaudampfschifffahrtsgesellschaft", "United Kingdom")
    found = difference("500001", "NetSuite has 1.00.", billing=total)
    document = statement(closed(*branches, total=total, currency="VND", differences=[found]))
    assert_all_can_be_read(document)
    said = amount(total).replace(",", "")
    assert re.sub(r"[\s,]", "", text(document)).count(said) == 2 * 4 + 2  # two branches; the cause, and the exception


@pytest.mark.parametrize("turning", TURNING)
def test_a_name_turns_nothing_round(turning: str) -> None:
    name = f"a{turning}b"
    documents = [difference(f"5{turning}1", f"NetSuite has {turning}12.50 instead.")]
    shown = text(statement(closed(name, differences=documents)))
    assert not set(TURNING) & set(shown)
    assert f"a[U+{ord(turning):04X}]b GBP" in shown
    assert f"5[U+{ord(turning):04X}]1" in shown
    assert shown.count(f"[U+{ord(turning):04X}]12.50 instead.") == 2  # as a reason, and as an exception


def test_a_name_from_right_to_left_keeps_its_direction_to_itself() -> None:
    said = "NetSuite has חיפה 12.50 instead of 7."
    with pages(statement(closed("78 חיפה", differences=[difference("1", said)]))) as found:
        drawn = [one for one in glyphs(found[0]) if one.bottom < 400]  # the table of branches, and what follows it
    hebrew = [one for one in drawn if "\u0590" < one.char < "\u05ff"]

    branch = {one for one in drawn if abs(one.bottom - hebrew[0].bottom) < 4}
    name = [one for one in branch if one in hebrew]
    assert min(one.left for one in branch if one.char == "7") > max(one.right for one in name)  # it is read first
    assert min(one.left for one in branch if one.char == "G") > max(one.right for one in branch if one.char == "8")
    sentence = {one for one in drawn if abs(one.bottom - hebrew[-1].bottom) < 4}
    behind = min(one.left for one in sentence if one.char == "5")
    assert behind > max(one.right for one in sentence if one in hebrew)


LOOK_ALIKE = [
    "London",
    "L\u043endon",
    "London\u200b",
    "London\u00a0",
    " London",
    "London\u200e",
    "London\t",
    "Lon\u00addon",
]


def test_names_that_look_alike_are_told_apart() -> None:
    found = [*LOOK_ALIKE, "All", "(none)", "", "  ", "\u3164", "\u200d", "e\u0301", "\u00e9", "x" * 300, "x" * 301]
    shown = names(found, 80, FONTS, empty="(none)", beside=["All"])
    assert len({" ".join(one.split()) for one in shown.values()} | {"All"}) == len(found) + 1
    assert shown[""] == "(none)"
    for alike in ("London", "L\u043endon", "London\u00a0", " London", "e\u0301", "\u00e9", "All", "(none)"):
        assert re.fullmatch(r".+ #[0-9a-f]{8}", shown[alike])
    document = text(statement(closed(*found)))
    assert all(" ".join(one.split()) in " ".join(document.split()) for one in shown.values() if len(one) < 80)


def test_a_branch_that_is_called_like_a_sum_is_told_from_it() -> None:
    shown = text(statement(closed("All", "3 more", "(none)", "", "Paris")))
    assert len(re.findall(r"^(?:All|3 more|\(none\)) #[0-9a-f]{8} GBP, row \d", shown, re.MULTILINE)) == 3
    assert "(none) GBP 1" in shown
    assert "All GBP 5" in shown


def test_marks_that_would_grow_into_the_line_above_are_shown_by_their_numbers() -> None:
    assert names(["Z" + 4 * "\u0301"], 80, FONTS) == {"Z" + 4 * "\u0301": "Z[U+0301 0301 0301 0301]"}


def test_the_row_beside_a_name_is_where_the_workbook_has_it_in_full() -> None:
    close = closed("Paris", "东京支店", "x" * 300, "서울", "Athens")
    by_branch = openpyxl.load_workbook(io.BytesIO(workbook(close, [], [], [])))["By branch"]
    shown = " ".join(text(statement(close)).split())
    for beginning, name in {"[U+4E1C 4EAC 652F 5E97]": "东京支店", "[U+C11C C6B8]": "서울", " #": "x" * 300}.items():
        (row,) = re.findall(re.escape(beginning) + r"\S* GBP, row (\d+)", shown)
        assert by_branch.cell(int(row), 1).value == name
    assert "Paris GBP 1" in shown
    assert "the given row of its sheet “By branch”" in shown


def test_a_statement_of_usual_names_has_no_remark() -> None:
    shown = text(statement(closed("United Kingdom", "Zürich", differences=[difference("500001", "It has 2.00.")])))
    assert "row" not in shown
    assert "Unicode" not in shown


@given(st.lists(st.text(max_size=12), max_size=30, unique=True))
@settings(max_examples=12, deadline=None)
def test_whatever_the_names_no_two_are_alike_and_none_is_hidden(found: list[str]) -> None:
    shown = names(found, 80, FONTS, empty="(none)")
    assert len({*shown.values()}) == len(found)
    again = names(shown.values(), 200, FONTS)  # all of it can be drawn, and nothing is to be marked
    assert all(again[one].translate(dict.fromkeys(map(ord, "\u2068\u2069"))) in again[one] or one for one in again)
    assert all(one.strip("\u2068\u2069").strip() for one in shown.values())
    assert not any(char in one.strip("\u2068\u2069") for one in shown.values() for char in "\u202e\u200b\n\t")
    assert all(sentences(found, 600, FONTS)[one] or not one for one in found)


def test_a_currency_of_any_letters_is_drawn_in_the_trend() -> None:
    def picture(currency: str) -> bytes:
        return trend_picture([MonthFigures("2010-11", currency, 1, Decimal(5), Decimal(0), 1.0, 2.0)], 3.0)

    assert picture("元") != picture("원")


def test_the_workbook_has_every_name_in_full_and_none_hides_or_calculates() -> None:
    found = ["东京支店", "x" * 300, "a\u202eb", "=2+5", "new\nline", "חיפה 12", "🏠" * 20_000, "b\x07\u200b", "_x0041_"]
    content = workbook(closed(*found), [], [], [])
    cells = {cell.value: cell for (cell, *_) in openpyxl.load_workbook(io.BytesIO(content))["By branch"].iter_rows(2)}
    for name in ("东京支店", "x" * 300, "=2+5", "new\nline", "חיפה 12"):
        assert cells[name].data_type == "s"
    assert cells["=2+5"].quotePrefix
    assert {"a[U+202E]b", "b[U+0007][U+200B]"} <= {*cells}
    for name in ("x" * 300, "new\nline"):  # it is as wide as the others, and higher
        assert cells[name].alignment.wrap_text
    (longest,) = [str(name) for name in cells if "🏠" in str(name)]
    assert longest.endswith("… (cut: it has 20,000 characters)")


def test_branches_of_any_script_go_all_the_way_from_the_billing_system_to_the_pack(system: System) -> None:
    branches = ["东京支店", "서울", "กรุงเทพ", "x" * 300, "a\u202eb", "חיפה", "=2+5"]
    for place, branch in enumerate(branches):
        insert_document(system.source, f"50000{place}", country=branch, customer_no=None)
    assert system.stage().success
    made = pack(system)[1]
    assert_all_can_be_read(made.statement)
    assert {row[0] for row in sheets(made.workbook)["By branch"][1:]} == {*branches} - {"a\u202eb"} | {"a[U+202E]b"}
