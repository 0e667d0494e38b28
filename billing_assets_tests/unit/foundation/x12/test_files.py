"""The files of others: each is read as its row of `expected.csv` says, and not a byte of it was changed here."""

import ast
import csv
import hashlib
import io
import os
from pathlib import Path

import pytest
from pyx12.x12file import X12Reader

from billing_assets.foundation.x12.syntax import Tokenizer, segments
from billing_assets_tests.unit.foundation.x12.samples import DATA, found

_ELSEWHERE = os.environ.get("BILLING_TEST_SHARED_DATA")
_ROWS = list(csv.DictReader((DATA / "expected.csv").open(encoding="utf-8")))
_X12 = [row for row in _ROWS if row["kind"] == "X12"]
_PADDED_WITH_OTHER_BLANKS = "edi.net/x12.850.edi"
"""It is 106 characters wide in UTF-8. As Latin-1, which is how X12 is read, each no-break space in it is two."""

_CODES = {"ISA not 106": "R-ISA-WIDTH", "IEA02": "R-IEA-CONTROL", "SE01": "R-SE-COUNT", "GE02": "R-GE-CONTROL"}


def _path(row: dict[str, str]) -> Path:
    path = DATA / row["file"]
    if not path.exists() and _ELSEWHERE:
        path = Path(_ELSEWHERE) / "x12" / row["file"]
    if not path.exists():
        pytest.skip("may not be copied: BILLING_TEST_SHARED_DATA names the folder that has it")
    return path


def _id(row: dict[str, str]) -> str:
    return row["file"]


@pytest.mark.parametrize("row", _ROWS, ids=_id)
def test_every_file_is_the_one_that_was_published(row: dict[str, str]) -> None:
    assert hashlib.sha256(_path(row).read_bytes()).hexdigest() == row["sha256"]


@pytest.mark.parametrize("row", _X12, ids=_id)
def test_the_delimiters_the_mark_and_the_width_are_read_from_the_file(row: dict[str, str]) -> None:
    with _path(row).open("rb") as source:
        tokenizer = Tokenizer(source)
        isa = tokenizer.header()
    assert isa is not None
    assert isa.delimiters == (row["element"], row["component"], ast.literal_eval(row["segment"]))
    assert ("W-BOM" in [one.code for one in tokenizer.findings]) == (row["bom"] == "yes")
    assert isa.has_width == (row["isa_106"] == "yes" and row["file"] != _PADDED_WITH_OTHER_BLANKS)


@pytest.mark.parametrize("row", _X12, ids=_id)
def test_segments_sets_and_the_invoice_total_come_out_as_counted(row: dict[str, str]) -> None:
    with _path(row).open("rb") as source:
        read = list(segments(source))
    assert len(read) == int(row["segments"])
    assert [one.position for one in read] == list(range(1, len(read) + 1))
    assert [one.at(1) for one in read if one.id == "ST"] == row["sets"].split()
    assert [one.at(1) for one in read if one.id == "TDS"] == row["tds01"].split()


@pytest.mark.parametrize("row", _X12, ids=_id)
def test_the_envelope_is_accepted_or_refused_for_what_is_wrong_with_it(row: dict[str, str]) -> None:
    read = found(_path(row).read_bytes(), rules={})
    assert read.whole == (row["strict"] == "accept")
    wanted = {code for words, code in _CODES.items() if words in row["findings"]}
    assert wanted <= set(read.codes)
    assert [one.type for one in read.sets] == row["sets"].split()


_ACCEPTED = [row for row in _X12 if row["strict"] == "accept"]


@pytest.mark.parametrize("row", _ACCEPTED, ids=_id)
def test_another_reader_finds_the_same_segments(row: dict[str, str]) -> None:
    text = _path(row).read_bytes().decode("ascii")
    isa, *ours = segments(io.BytesIO(text.encode()))
    with X12Reader(io.StringIO(text)) as reader:
        first, *theirs = [(one.get_seg_id(), [element.format(":") for element in one.elements]) for one in reader]
    assert first[0] == isa.id == "ISA"
    assert [(one.id, [element.replace(">", ":") for element in one.elements]) for one in ours] == theirs


@pytest.mark.parametrize("row", [row for row in _ROWS if row["kind"] != "X12"], ids=_id)
def test_other_formats_are_refused_as_no_interchange(row: dict[str, str]) -> None:
    assert found(_path(row).read_bytes()).codes == ["R-NO-ISA"]
