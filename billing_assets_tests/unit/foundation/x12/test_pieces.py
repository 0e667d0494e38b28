"""What is said of a file does not depend on the pieces that it arrives in."""

import io
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.foundation.x12 import envelope
from billing_assets.foundation.x12.interchange import FileEnd, Group, Interchange, TransactionSet
from billing_assets.foundation.x12.syntax import LONGEST_SEGMENT
from billing_assets_tests.unit.foundation.x12.samples import ISA, PAIR, USAGE_GROUP, interchange, usage

_CORPUS = sorted((Path(__file__).parents[3] / "data" / "x12_corpus").glob("*.x12"))
_FILES = [path.read_bytes() for path in _CORPUS]
_PIECES = ("*", "~", "\r", "\n", " ", "\t", "\0", "\x1a", "\xef\xbb\xbf", "ISA", "IEA", "SE", "~IEA*1*000004711~", ISA)


class Cut(io.RawIOBase):
    """A file whose reads end at the given places, and elsewhere only where they have all that was asked for."""

    def __init__(self, data: bytes, places: list[int]) -> None:
        self._data, self._places, self._at = data, sorted(places), 0

    def read(self, size: int = -1) -> bytes:
        next_place = bisect_right(self._places, self._at)
        end = self._places[next_place] if next_place < len(self._places) else len(self._data)
        data = self._data[self._at : min(end, self._at + size)]
        self._at += len(data)
        return data


def _said(source: io.RawIOBase | io.BytesIO) -> Iterator[object]:
    for one in envelope.read(source, {}):  # type: ignore[arg-type]  # a reader of bytes, which is all that it needs
        match one:
            case TransactionSet():
                yield one.text, one.position, one.segments, one.result, list(one.findings)
            case Group():
                yield one.control, one.declared, list(one.findings)
            case Interchange():
                yield one.isa, one.digest, one.whole, one.acknowledged, list(one.findings)
            case FileEnd():
                yield one


def _everywhere(data: bytes, step: int) -> list[int]:
    return list(range(step, len(data), step))


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    data = draw(st.sampled_from(_FILES))[:4000]
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        piece = draw(st.sampled_from(_PIECES)).encode("latin-1") * draw(st.integers(0, 3))
        data = data[:at] + piece + data[at + draw(st.integers(0, 5)) :]
    return data


@pytest.mark.parametrize("step", [1, 67, 402])
def test_every_file_of_the_corpus_in_pieces_is_the_file_at_once(step: int) -> None:
    for path, data in zip(_CORPUS, _FILES, strict=True):
        assert list(_said(Cut(data[:6000], _everywhere(data, step)))) == list(_said(io.BytesIO(data[:6000]))), path


@settings(max_examples=250, deadline=None)
@given(_mutated(), st.data())
def test_a_damaged_file_cut_anywhere_is_the_file_at_once(data: bytes, drawn: st.DataObject) -> None:
    places = drawn.draw(st.lists(st.integers(1, len(data) + 1), max_size=6))
    at_once = list(_said(io.BytesIO(data)))
    assert list(_said(Cut(data, places))) == at_once
    assert list(_said(Cut(data, _everywhere(data, drawn.draw(st.integers(1, 90)))))) == at_once


@pytest.mark.parametrize("blanks", range(8))
@pytest.mark.parametrize("padding", range(290, 300))
def test_an_isa_as_long_as_may_be_is_read_wherever_a_piece_ends(blanks: int, padding: int) -> None:
    text = "\n" * blanks + ISA.replace("*01*", "*" + " " * padding + "01*", 1) + PAIR[len(ISA) :]
    data = text.encode("latin-1")
    at_once = list(_said(io.BytesIO(data)))
    for place in range(395 + blanks, 406 + blanks):
        assert list(_said(Cut(data, [place]))) == at_once, place


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("step", [8191, 5000])
def test_the_longest_segment_is_the_same_in_all_pieces(more: int, step: int) -> None:
    long = "REF*" + "x" * (LONGEST_SEGMENT - 4 + more)
    data = interchange(USAGE_GROUP.replace("~QTY", f"~{long}~QTY", 1)).encode("latin-1")
    at_once = list(_said(io.BytesIO(data)))
    assert list(_said(Cut(data, _everywhere(data, step)))) == at_once
    end = at_once[-1]
    assert isinstance(end, FileEnd)
    assert [one.code for one in end.findings] == ["R-TOO-LONG"] * more


@pytest.mark.parametrize("limit", ["MOST_SEGMENTS", "MOST_SETS", "MOST_GROUPS"])
def test_a_file_beyond_a_limit_ends_at_the_same_segment_in_all_pieces(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(envelope, limit, 1 if limit == "MOST_GROUPS" else 2)
    sets = "".join(usage(f"{number:04}") for number in range(1, 6))
    data = interchange(USAGE_GROUP, f"GS*PT*9*8*20260706*0732*2*X*004010~{sets}GE*5*2~").encode("latin-1")
    at_once = list(_said(io.BytesIO(data)))
    end = at_once[-1]
    assert isinstance(end, FileEnd)
    assert [one.code for one in end.findings] == ["R-TOO-LONG"]
    for step in (1, 67, 1000):
        assert list(_said(Cut(data, _everywhere(data, step)))) == at_once
