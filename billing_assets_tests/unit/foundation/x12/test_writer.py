"""What is written is padded, counted and numbered right, the same each time, or refused."""

from datetime import datetime
from typing import Any

import pytest

from billing_assets.foundation.x12.delimiters import Delimiters
from billing_assets.foundation.x12.writer import (
    Elements,
    GroupToWrite,
    InterchangeToWrite,
    SetToWrite,
    UnwritableX12Error,
    write,
)
from billing_assets_tests.unit.foundation.x12.samples import CHARGES, PAIR, USAGE, found

_AT = datetime(2026, 7, 6, 7, 32)  # noqa: DTZ001  a partner's clock


def _body(text: str) -> list[Elements]:
    return [tuple(segment.split("*")) for segment in text.split("~")[1:-2]]


def _pair(usage: list[Elements] | None = None) -> InterchangeToWrite:
    groups = [
        GroupToWrite(kind, "900000026", "8290000010000", control, [SetToWrite(number, "0001", body)])
        for kind, control, number, body in (
            ("PT", 4711, "867", usage or _body(USAGE)),
            ("IN", 4712, "810", _body(CHARGES)),
        )
    ]
    return InterchangeToWrite("01", "900000026", "01", "829000001", 4711, "P", _AT, groups)


def test_the_pair_is_written_as_it_should_look_to_the_byte_each_time() -> None:
    assert write(_pair()) == PAIR.encode()
    assert write(_pair()) == write(_pair())


def test_a_ta1_goes_before_the_groups() -> None:
    out = _pair()._replace(acknowledged=[("TA1", "000000001", "260706", "0732", "A", "000")], wants_ta1=True)
    assert not found(write(_pair())).interchanges[0].isa.wants_ta1
    read = found(write(out))
    assert read.interchanges[0].isa.wants_ta1
    assert read.whole
    assert read.interchanges[0].acknowledged[0].at(1) == "000000001"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("A*B", "has a delimiter in it"),
        ("A~B", "has a delimiter in it"),
        ("A\nB", "has a control character in it"),
        ("A\0B", "has a control character in it"),
        ("5 €", "is not in Latin-1"),
    ],
)
def test_a_text_that_would_be_read_as_another_is_not_written(text: str, why: str) -> None:
    with pytest.raises(UnwritableX12Error, match=why):
        write(_pair([("N1", "8S", text)]))


def test_another_delimiter_lets_the_text_through() -> None:
    out = _pair([("N1", "8S", "A*B~")])._replace(delimiters=Delimiters("|", ">", "\n"))
    assert found(write(out), rules={}).sets[0].segments[1].at(2) == "A*B~"


@pytest.mark.parametrize(
    "wrong", [{"sender": "1" * 16}, {"sender_qualifier": "001"}, {"control": 10**9}, {"control": 0}]
)
def test_an_isa_that_would_be_too_wide_is_not_written(wrong: dict[str, Any]) -> None:
    with pytest.raises(UnwritableX12Error, match="cannot be written"):
        write(_pair()._replace(**wrong))
