"""An 824 says which set is not taken and why; one that comes is read, and what is odd in it is reported."""

from datetime import date

import pytest

from billing_assets.foundation.x12.application_advice import (
    RULES,
    Action,
    Advice,
    AdviceRead,
    Reason,
    ReasonUnclearError,
    Request,
    build,
    read_advice,
    reason_for,
)
from billing_assets.foundation.x12.segments import Segment
from billing_assets.foundation.x12.writer import write_set
from billing_assets_tests.unit.foundation.x12.samples import PAIR, found

_ADVICE = Advice(
    "R1",
    date(2026, 7, 7),
    "U77001",
    Request.RESEND,
    Action.SET_REJECTED,
    (Reason("A76"), Reason("A13", "No such meter, sorry.")),
    "867",
    "0001",
    "4711",
    (("Q5", "10032780000000042"), ("12", "77")),
    (("SJ", "RETAIL CO", "9", "8290000010000"),),
)
_TEXT = (
    "ST*824*0001~BGN*11*R1*20260707***U77001**82~N1*SJ*RETAIL CO*9*8290000010000~REF*Q5**10032780000000042~"
    "REF*12*77~OTI*TR*TN*U77001*****4711*0001*867~REF*7G*A76~REF*7G*A13*No such meter, sorry.~SE*9*0001~"
)


def _read(text: str) -> AdviceRead:
    envelope = f"{PAIR[:106]}GS*AG*8*900000026*20260707*0745*16*X*004010~{text}GE*1*16~IEA*1*000004711~"
    (one,) = found(envelope, rules={"824": RULES}).sets
    assert one.result.acknowledgement in {"A", "E"}, one.findings
    return read_advice(one.segments)


def test_an_824_is_written_as_the_guides_have_it() -> None:
    assert write_set(build(_ADVICE, "0001")) == _TEXT


def test_what_was_written_is_read_again() -> None:
    assert _read(_TEXT) == ((_ADVICE,), ())


def test_an_acceptance_needs_no_reason() -> None:
    accepted = _ADVICE._replace(request=Request.ACCEPTED, action=Action.ACCEPTED, reasons=())
    assert _read(write_set(build(accepted, "0001"))) == ((accepted,), ())


@pytest.mark.parametrize(
    "reasons", [(), (Reason("A13"),), (Reason("A76", "x" * 81),)], ids=["none", "other without a text", "too long"]
)
def test_a_rejection_that_does_not_say_why_is_not_written(reasons: tuple[Reason, ...]) -> None:
    with pytest.raises(ReasonUnclearError):
        build(_ADVICE._replace(reasons=reasons), "0001")


def test_the_reason_for_a_finding_is_that_of_the_partner() -> None:
    codes = {"NO_ESI": "API", "NOT_OURS": "A76"}
    assert reason_for("NO_ESI", codes) == ("API", "")
    assert reason_for("NOT_OURS", codes, " not served by us ") == ("A76", "not served by us")
    assert reason_for("SUM_CHECK", codes, "the meters give 1,140") == ("A13", "the meters give 1,140")
    with pytest.raises(ReasonUnclearError):
        reason_for("SUM_CHECK", codes)


@pytest.mark.parametrize(
    ("old", "new", "odd"),
    [
        ("**82~", "**XX~", "neither to send again"),
        ("**82~", "~", "neither to send again"),
        ("**82~", "**CF~", "contradict"),
        ("REF*7G*A76~", "REF*7G*QQQ~", "the reason QQQ is not known"),
        ("A13*No such meter, sorry.", "A13", "A13 has no text"),
        ("REF*7G*A76~REF*7G*A13*No such meter, sorry.~", "", "gives no reason"),
        ("***U77001**82~", "*****82~", ""),
    ],
)
def test_what_is_odd_in_an_824_is_reported_and_the_rest_is_read(old: str, new: str, odd: str) -> None:
    assert old in _TEXT
    text = _TEXT.replace(old, new)
    text = text.replace("SE*9*", f"SE*{text.count('~')}*")
    read = _read(text)
    assert odd in " ".join(read.odd)
    assert read.advices[0].number == "R1"
    assert read.advices[0].original == "U77001"


def test_each_item_of_an_824_has_its_own_reasons() -> None:
    text = _TEXT.replace("~SE*9*", "~OTI*TA*TN*U77002~OTI*IR*TN*U77003~REF*7G*ABN~SE*12*")
    read = _read(text)
    assert [(one.action, one.original, [reason.code for reason in one.reasons]) for one in read.advices] == [
        ("TR", "U77001", ["A76", "A13"]),
        ("TA", "U77002", []),
        ("IR", "U77003", ["ABN"]),
    ]


def test_the_head_names_the_set_that_an_824_of_one_item_is_about() -> None:
    (one,) = _read(_TEXT.replace("TN*U77001", "TN*ELSEWHERE")).advices
    assert one.original == "U77001"
    (one,) = _read(_TEXT.replace("***U77001**82", "*****82")).advices
    assert one.original == "U77001"


def test_of_an_824_without_head_or_items_that_is_said() -> None:
    head = Segment("BGN", ("11", "R1", "20260707", "", "", "U77001", "", "82"), 2, 4)
    assert "has no OTI" in read_advice([head]).odd[0]
    assert "has no BGN" in read_advice([]).odd[0]


def test_an_824_that_names_no_set_is_reported() -> None:
    text = _TEXT.replace("***U77001**82", "*****82").replace("TN*U77001", "TN*")
    assert "which set it is about" in " ".join(_read(text).odd)
