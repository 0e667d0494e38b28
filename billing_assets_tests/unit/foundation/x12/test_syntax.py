"""Segments come out of a file whatever its delimiters, its line ends and the size of the pieces that it arrives in."""

import io
import itertools
import tracemalloc
from collections.abc import Iterator
from typing import BinaryIO, cast

import pytest

from billing_assets.foundation.x12 import envelope
from billing_assets.foundation.x12.delimiters import LONGEST_ISA
from billing_assets.foundation.x12.interchange import FileEnd, TransactionSet
from billing_assets.foundation.x12.syntax import LONGEST_SEGMENT, Tokenizer, segments
from billing_assets_tests.unit.foundation.x12.samples import (
    CHARGES_GROUP,
    ISA,
    PAIR,
    USAGE_GROUP,
    found,
    group,
    interchange,
    other_delimiters,
    usage,
)


def _segments(text: str) -> list[tuple[str, ...]]:
    return [(one.id, *one.elements) for one in segments(io.BytesIO(text.encode("latin-1")))]


_PLAIN = _segments(PAIR)


class Made(io.RawIOBase):
    """A file that is made while it is read, and that is nowhere as a whole."""

    def __init__(self, parts: Iterator[bytes], at_once: int | None = None) -> None:
        self._parts, self._left, self._at_once = parts, b"", at_once

    def read(self, size: int = -1) -> bytes:
        size = self._at_once or size
        while len(self._left) < size and (more := next(self._parts, b"")):
            self._left += more
        data, self._left = self._left[:size], self._left[size:]
        return data


def test_a_segment_knows_its_elements_and_its_places() -> None:
    read = list(segments(io.BytesIO(PAIR.encode())))
    assert (read[0].id, read[0].at(13), read[0].number, read[0].position) == ("ISA", "000004711", 0, 1)
    bpt = read[3]
    assert (bpt.id, bpt.elements, bpt.number, bpt.position) == ("BPT", ("00", "U77001", "20260704", "DD"), 2, 4)
    assert (bpt.at(2), bpt.at(9)) == ("U77001", "")
    assert [one.number for one in read if one.id in {"SE", "GE", "IEA"}] == [20, 0, 16, 0, 0]


@pytest.mark.parametrize("terminator", ["~", "'", "\x1c", "\x85", "\n", "\r", "|"])
@pytest.mark.parametrize("separator", ["*", "\x1d", "^", "+"])
def test_the_delimiters_are_those_of_the_isa(terminator: str, separator: str) -> None:
    assert _segments(other_delimiters(PAIR, separator, ":", terminator)) == [
        tuple(":" if element == ">" else element for element in segment) for segment in _PLAIN
    ]


@pytest.mark.parametrize("ends", ["~\r\n", "~\n", "~\r"])
def test_line_ends_behind_a_terminator_are_passed_over_without_a_word(ends: str) -> None:
    text = PAIR.replace("~", ends)
    assert _segments(text) == _PLAIN
    assert found(text).codes == []


@pytest.mark.parametrize(
    "text", [PAIR.replace("~N1", "~\r\n\r\n\r\nN1"), PAIR.replace("~N1", "~\n  \t \nN1"), f" \r\n{PAIR}"]
)
def test_blank_lines_before_a_segment_are_passed_over_and_reported_once(text: str) -> None:
    assert _segments(text) == _PLAIN
    assert found(text).codes == ["W-BLANKS"]
    assert found(text).whole


def test_blank_lines_are_passed_over_where_a_line_end_is_the_terminator() -> None:
    lines = other_delimiters(PAIR, segment="\n")
    assert _segments(lines.replace("\nN1", "\n\n  \nN1")) == _PLAIN
    assert found(lines.replace("\nN1", "\n\n  \nN1")).codes == ["W-BLANKS"]
    assert found(lines.replace("\nN1", "\n\nN1")).codes == ["W-BLANKS"]
    assert found(lines + "\n\n").codes == []
    assert found(lines[:-1]).whole, "the last line needs no end"
    assert found(lines.replace("\n", "\r\n").replace(">\r\n", ">\r\n", 1)).whole


@pytest.mark.parametrize("terminator", ["~", "\n", "\r"])
@pytest.mark.parametrize("at_once", [1, 100_000])
@pytest.mark.parametrize("blanks", [" ", "\t", "\r\n ", " \n \t"])
@pytest.mark.parametrize(
    ("before", "codes"),
    [("N1*SJ", ["R-SEGMENT-ID"]), ("SE*", ["R-SEGMENT-ID"]), ("GS*", ["R-SEGMENT-ID"]), ("ISA*", ["R-NO-ISA"])],
)
def test_blanks_before_an_id_are_refused_however_it_arrives(
    terminator: str, at_once: int, blanks: str, before: str, codes: list[str]
) -> None:
    text = other_delimiters(PAIR.replace(before, f"{blanks}{before}", 1), segment=terminator)
    file = cast("BinaryIO", Made(iter([text.encode()]), at_once))
    ends = [one for one in envelope.read(file, {}) if not isinstance(one, TransactionSet)]
    refusing = [found.code for one in ends for found in one.findings if found.code.startswith("R-")]
    assert refusing == codes


def test_blanks_between_two_interchanges_are_no_part_of_either() -> None:
    assert found(f"{PAIR}  \x1a  {PAIR}").codes == []


@pytest.mark.parametrize("terminator", ["~", "\n", "\r"])
@pytest.mark.parametrize("at_once", [1, 100_000])
def test_the_first_blanks_of_a_file_are_reported_however_it_arrives(terminator: str, at_once: int) -> None:
    text = other_delimiters(PAIR.replace("~BPT", "~\n \t\nBPT").replace("~N1", "~\n\n\n\nN1"), segment=terminator)
    source = Made(iter([text.encode()]), at_once)
    end = [one for one in envelope.read(source, {}) if isinstance(one, FileEnd)]  # type: ignore[arg-type]
    assert [(one.code, one.position) for one in end[0].findings] == [("W-BLANKS", 4)]


@pytest.mark.parametrize("longer", range(-3, 4))
@pytest.mark.parametrize("at_once", [1, 100_000])
def test_an_isa_must_end_in_as_many_characters_however_it_arrives(longer: int, at_once: int) -> None:
    """One that is padded so far that its end is near the limit is read or not, and the same way in any pieces."""
    padding = "9" * (LONGEST_ISA - len(ISA) + longer)
    source = Made(iter([PAIR.replace("*900000026 ", f"*900000026{padding} ", 1).encode()]), at_once)
    end = [one for one in envelope.read(source, {}) if isinstance(one, FileEnd)]  # type: ignore[arg-type]
    assert ("R-ISA" in [one.code for one in end[0].findings]) == (longer > 0)


@pytest.mark.parametrize("terminator", ["\n", "\r"])
def test_a_blank_line_is_reported_where_a_line_end_is_the_terminator(terminator: str) -> None:
    assert found(other_delimiters(PAIR.replace("~BPT", "~~BPT"), segment=terminator)).codes == ["W-BLANKS"]


def test_a_byte_order_mark_is_passed_over_and_reported() -> None:
    read = found(b"\xef\xbb\xbf" + PAIR.encode())
    assert read.codes == ["W-BOM"]
    assert read.whole


def test_an_empty_segment_is_not_a_blank_line() -> None:
    assert found(PAIR.replace("~N1*SJ", "~~N1*SJ", 1)).codes == ["R-SE-COUNT", "R-SEGMENT-ID"]


def test_trailing_empty_elements_are_dropped_and_inner_ones_are_kept() -> None:
    read = next(one for one in segments(io.BytesIO((ISA + "REF*Q5**1***~").encode())) if one.id == "REF")
    assert read.elements == ("Q5", "", "1")


def test_every_byte_that_is_no_delimiter_comes_back_unchanged() -> None:
    odd = bytes(set(range(1, 256)) - set(b"*>~")).decode("latin-1")
    read = found(PAIR.replace("WIRES CO", odd))
    assert odd.encode("latin-1") in read.sets[0].text.encode("latin-1")
    assert read.whole


def test_letters_of_latin_1_come_through() -> None:
    text = PAIR.replace("WIRES CO", "CÂBLES É°")
    assert "N1*8S*CÂBLES É°*1*900000026~" in found(text).sets[0].text
    assert found(text).whole


@pytest.mark.parametrize("at_once", [1, 2, 3, 7, 105, 106, 107])
def test_a_file_that_trickles_in_reads_the_same(at_once: int) -> None:
    pieces = Made(iter([PAIR.replace("~", "~\r\n").encode()]), at_once)
    assert [(one.id, *one.elements) for one in segments(pieces)] == _PLAIN  # type: ignore[arg-type]


def test_an_interchange_behind_another_may_have_its_own_delimiters() -> None:
    second = other_delimiters(PAIR.replace("000004711", "000004712"), "|", "^", "\n")
    read = found(f"{PAIR}\r\n \x1a{second}")
    assert read.whole
    assert [one.isa.delimiters.element for one in read.interchanges] == ["*", "|"]
    assert [one.position for one in read.interchanges] == [1, 43]


def test_the_text_of_a_set_is_what_the_sender_wrote() -> None:
    text = PAIR.replace("~", "~\r\n").replace("~\r\nQTY", "~\r\n\r\n  QTY").replace("PTD*SU~", "PTD*SU**~")
    sets = found(text).sets
    assert [one.text for one in sets] == [
        text[text.index(f"ST*{one.type}") : text.index("SE*", text.index(f"ST*{one.type}")) + 11] for one in sets
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "R-EMPTY"),
        ("\r\n   \r\n", "R-EMPTY"),
        ("UNB+UNOC:3'", "R-NO-ISA"),
        ("isa" + PAIR[3:], "R-NO-ISA"),
        ("ISA", "R-ISA"),
        ("ISA*00*~", "R-ISA"),
        (ISA[:-1], "R-ISA"),
        (ISA[:-1] + "*" + PAIR[106:], "R-DELIMITERS"),
        (ISA[:-2] + "A~" + PAIR[106:], "R-DELIMITERS"),
        (ISA[:-1] + PAIR[106:], "R-DELIMITERS"),
        (PAIR.replace("*900000026      *", "*9000*0026      *"), "R-DELIMITERS"),
        (other_delimiters(PAIR, element="\n"), "R-DELIMITERS"),
        (other_delimiters(PAIR, component="\r"), "R-DELIMITERS"),
        (other_delimiters(PAIR, segment="\t"), "R-DELIMITERS"),
        (other_delimiters(PAIR, segment="\x1a"), "R-DELIMITERS"),
        (other_delimiters(PAIR, segment="\0"), "R-DELIMITERS"),
        (ISA + "REF*" + "x" * LONGEST_SEGMENT, "R-TOO-LONG"),
        (ISA + "\r\n" * LONGEST_SEGMENT, "R-TOO-LONG"),
        (PAIR[:-1], "R-CUT"),
        (PAIR + "GS*PT~", "R-AFTER-IEA"),
        (PAIR + "\0", "R-AFTER-IEA"),
        (PAIR + PAIR[:-1], "R-CUT"),
    ],
)
def test_what_is_no_whole_interchange_refuses_the_file(text: str, code: str) -> None:
    read = found(text)
    assert read.end.refused
    assert code in read.codes


def test_blank_lines_without_end_are_given_up() -> None:
    endless = itertools.chain([other_delimiters(ISA, segment="\n").encode()], itertools.repeat(b"\n" * 50_000))
    tokenizer = Tokenizer(Made(endless))  # type: ignore[arg-type]
    isa = tokenizer.header()
    assert isa is not None
    assert [segment for part in tokenizer.parts(isa.delimiters) for segment in part.segments] == []
    assert tokenizer.findings[-1].code == "R-TOO-LONG"


def test_trailing_blanks_and_ctrl_z_are_no_data() -> None:
    assert found(f"{PAIR}  \r\n\r\n\x1a  ").whole


def test_memory_does_not_grow_with_the_file() -> None:
    def peak(sets: int) -> int:
        made = (usage(f"{number:06}").encode() for number in range(sets))
        parts = itertools.chain([(ISA + group().split("GE*")[0]).encode()], made, [f"GE*{sets}*4711~".encode()])
        source = Made(itertools.chain(parts, [b"IEA*1*000004711~"]))
        tracemalloc.start()
        last = 0
        for one in segments(source):  # type: ignore[arg-type]
            last = one.position
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert last == sets * 20 + 4
        return most

    assert peak(1_500) < peak(600) * 1.3


def test_a_group_that_an_editor_shifted_in_is_refused_with_each_of_its_segments_named() -> None:
    refused = found(interchange(USAGE_GROUP.replace("~", "~\n\t"), CHARGES_GROUP))
    assert set(refused.codes) == {"R-SEGMENT-ID"}
    assert refused.codes.count("R-SEGMENT-ID") == USAGE_GROUP.count("~")
