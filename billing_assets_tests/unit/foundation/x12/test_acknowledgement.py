"""Every group that came gets its 997; the 997 for a group that was sent says what became of each set."""

from datetime import datetime

import pytest

from billing_assets.foundation.x12.acknowledgement import (
    RULES,
    Answer,
    Matched,
    SentGroup,
    UnreadableAnswer,
    acknowledge,
    acknowledge_interchange,
    answers,
    match,
    read_answer,
)
from billing_assets.foundation.x12.envelope import Checks, Seen
from billing_assets.foundation.x12.form import Note
from billing_assets.foundation.x12.writer import GroupToWrite, InterchangeToWrite, write, write_set
from billing_assets_tests.unit.foundation.x12.samples import (
    PAIR,
    USAGE,
    found,
    group,
    interchange,
    other_delimiters,
    usage,
)

_AT = datetime(2026, 7, 6, 7, 45)  # noqa: DTZ001  a partner's clock


def _said(text: str) -> list[str]:
    (one,) = found(text).interchanges
    return [write_set(answer) for answer in answers(one)]


def test_the_pair_is_answered_by_its_two_997s_to_the_byte() -> None:
    assert _said(PAIR) == [
        "ST*997*0001~AK1*PT*4711~AK2*867*0001~AK5*A~AK9*A*1*1*1~SE*6*0001~",
        "ST*997*0002~AK1*IN*4712~AK2*810*0001~AK5*A~AK9*A*1*1*1~SE*6*0002~",
    ]


def test_a_wrong_count_rejects_the_usage_and_not_the_charges() -> None:
    assert _said(PAIR.replace("SE*20*", "SE*19*")) == [
        "ST*997*0001~AK1*PT*4711~AK2*867*0001~AK5*R*4~AK9*R*1*1*0~SE*6*0001~",
        "ST*997*0002~AK1*IN*4712~AK2*810*0001~AK5*A~AK9*A*1*1*1~SE*6*0002~",
    ]


def test_a_group_is_taken_in_part_where_one_of_its_sets_is_broken() -> None:
    text = interchange(group(usage("0001"), usage("0002").replace("SE*20*0002", "SE*20*0009"), usage("0003")))
    assert _said(text) == [
        "ST*997*0001~AK1*PT*4711~AK2*867*0001~AK5*A~AK2*867*0002~AK5*R*3~AK2*867*0003~AK5*A~AK9*P*3*3*2~SE*10*0001~"
    ]


def test_the_place_of_an_error_is_named_where_it_is_known() -> None:
    text = interchange(group(USAGE.replace("BPT*00*U77001*20260704", "BPT*99**2026", 1)))
    assert _said(text) == [
        "ST*997*0001~AK1*PT*4711~AK2*867*0001~AK3*BPT*2**8~AK4*1**7*99~AK4*2**1~AK4*3**8*2026~"
        "AK5*R*5~AK9*R*1*1*0~SE*10*0001~"
    ]


def test_a_missing_segment_is_named_by_its_id() -> None:
    text = interchange(group(USAGE.replace("BPT*00*U77001*20260704*DD~", "").replace("SE*20", "SE*19")))
    assert _said(text) == ["ST*997*0001~AK1*PT*4711~AK2*867*0001~AK3*BPT*19**3~AK5*R*5~AK9*R*1*1*0~SE*7*0001~"]


def test_a_bad_element_with_odd_characters_is_not_copied() -> None:
    text = interchange(group(USAGE.replace("QTY*QD*1150", "QTY*QD*1\x151|50", 1)))
    assert "~AK3*QTY*10**8~AK4*2**6~AK5*R*5~" in _said(text)[0]


@pytest.mark.parametrize(
    ("old", "new", "ak9"),
    [
        ("GE*2*4711", "GE*2*4712", "AK9*R*2*2*0*4"),
        ("GE*2*4711", "GE*3*4711", "AK9*R*3*2*0*5"),
        ("GE*2*4711", "GE*3*4712", "AK9*R*3*2*0*4*5"),
        ("X*004010", "X*002002", "AK9*R*2*2*0*2"),
        ("GE*2*4711~", "", "AK9*R*2*2*0*3"),
    ],
)
def test_of_a_rejected_group_every_set_is_rejected_with_the_groups_reason(old: str, new: str, ak9: str) -> None:
    text = interchange(group(usage("0001"), usage("0002")))
    (said,) = _said(text.replace(old, new, 1))
    assert f"AK2*867*0001~AK5*R~AK2*867*0002~AK5*R~{ak9}~" in said


def test_what_the_sender_wrote_into_control_numbers_never_stops_a_997() -> None:
    text = other_delimiters(interchange(group(usage("0001"))), "|", "^", "!")
    text = (
        text.replace("ST|867|0001", "ST|8*67|0~01")
        .replace("|4711|X|", "|4~7*11|X|")
        .replace("GE|1|4711", "GE|1|4~7*11")
    )
    assert _said(text) == [
        "ST*997*0001~AK1*PT*4711~AK2*867*001~AK5*R~AK9*R*1*1*0*6~SE*6*0001~".replace("AK5*R", "AK5*R*7*3")
    ]


def test_errors_that_are_only_noted_leave_the_set_accepted() -> None:
    (said,) = _said(interchange(group(USAGE.replace("*DD~", "*ZZ~"))))
    assert "~AK3*BPT*2**8~AK4*4**7*ZZ~AK5*E*5~AK9*E*1*1*1~" in said


def test_a_997_is_never_answered_by_a_997() -> None:
    text = (
        PAIR[:106] + "GS*FA*829000001*900000026*20260706*0745*16*X*004010~"
        "ST*997*0001~AK1*PT*4711~AK2*867*0001~AK5*A~AK9*A*1*1*1~SE*6*0001~GE*1*16~IEA*1*000004711~"
    )
    assert found(text).whole
    assert _said(text) == []


@pytest.mark.parametrize("broken", [PAIR.replace("IEA*2", "IEA*1"), PAIR[:-1]])
def test_nothing_answers_an_interchange_that_is_refused(broken: str) -> None:
    assert _said(broken) == []


def test_a_duplicate_is_not_answered_twice() -> None:
    (one,) = found(PAIR, Checks(seen=lambda sender, control, digest: Seen.SAME)).interchanges
    assert list(answers(one)) == []


@pytest.mark.parametrize(
    ("old", "new", "ta1"),
    [
        ("", "", "TA1*000004711*260706*0732*A*000"),
        ("IEA*2*000004711", "IEA*2*000004712", "TA1*000004711*260706*0732*R*001"),
        ("IEA*2*", "IEA*7*", "TA1*000004711*260706*0732*R*021"),
    ],
)
def test_a_ta1_says_what_became_of_the_interchange(old: str, new: str, ta1: str) -> None:
    (one,) = found(PAIR.replace(old, new, 1)).interchanges
    assert "*".join(acknowledge_interchange(one)) == ta1


def _read(text: str) -> Answer | UnreadableAnswer:
    (one,) = found(
        f"{PAIR[:106]}GS*FA*8*9*20260706*0745*16*X*004010~{text}GE*1*16~IEA*1*000004711~", rules={"997": RULES}
    ).sets
    assert one.result.acknowledgement == "A", one.findings
    return read_answer(one.segments)


def test_our_own_997_is_read_as_it_was_meant() -> None:
    text = interchange(group(usage("0001"), USAGE.replace("0001", "0002").replace("BPT*00", "BPT*99"), usage("0003")))
    (came,) = found(text).groups
    said = _read(write_set(acknowledge(came, "0001")))
    assert isinstance(said, Answer)
    assert said == Answer("PT", "4711", "P", 3, 3, 2, (), tuple(came.results))


@pytest.mark.parametrize(("place", "element"), [("2", 2), ("4>1", 4), ("4:1", 4), ("x", 0)])
def test_the_place_of_an_error_in_a_997_is_read_with_or_without_its_component(place: str, element: int) -> None:
    said = _read(f"ST*997*0001~AK1*PT*4711~AK2*867*0001~AK3*BPT*2**8~AK4*{place}**7*99~AK5*R*5~AK9*R*1*1*0~SE*8*0001~")
    assert isinstance(said, Answer)
    assert said.results[0].notes == (Note("BPT", 2, "8", element, "7", "99"),)


_SENT = SentGroup("PT", "4711", (("867", "0001"), ("867", "0002")))
_BOTH = _SENT.sets


@pytest.mark.parametrize(
    ("body", "accepted", "rejected"),
    [
        ("AK2*867*0001~AK5*A~AK2*867*0002~AK5*A~AK9*A*2*2*2~SE*8", _BOTH, ()),
        ("AK2*867*0001~AK5*A~AK2*867*0002~AK5*E*5~AK9*E*2*2*2~SE*8", _BOTH, ()),
        ("AK2*867*0001~AK5*A~AK2*867*0002~AK5*R*4~AK9*P*2*2*1~SE*8", _BOTH[:1], _BOTH[1:]),
        ("AK2*867*0001~AK5*R*5~AK2*867*0002~AK5*R*4~AK9*R*2*2*0~SE*8", (), _BOTH),
        ("AK9*A*2*2*2~SE*4", _BOTH, ()),
        ("AK9*R*2*2*0*5~SE*4", (), _BOTH),
    ],
)
def test_each_set_that_was_sent_is_accepted_or_rejected(
    body: str, accepted: tuple[tuple[str, str], ...], rejected: tuple[tuple[str, str], ...]
) -> None:
    said = _read(f"ST*997*0001~AK1*PT*4711~{body}*0001~")
    assert isinstance(said, Answer)
    assert match(said, _SENT) == Matched(accepted, rejected, ())


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ("AK1*IN*4711~AK9*A*2*2*2~SE*4", "is for the group IN 4711"),
        ("AK1*PT*4712~AK9*A*2*2*2~SE*4", "is for the group PT 4712"),
        ("AK1*PT*4711~AK9*A*3*3*3~SE*4", "counts 3 sets"),
        ("AK1*PT*4711~AK9*A*2*2*1~SE*4", "counts 1 accepted sets"),
        ("AK1*PT*4711~AK2*867*0003~AK5*A~AK9*A*2*2*2~SE*6", "names the set 867 0003"),
        ("AK1*PT*4711~AK2*867*0001~AK5*A~AK9*P*2*2*1~SE*6", "does not name the set 867 0002"),
    ],
)
def test_a_997_that_does_not_fit_what_was_sent_is_for_a_person(body: str, wrong: str) -> None:
    said = _read(f"ST*997*0001~{body}*0001~")
    assert isinstance(said, Answer)
    matched = match(said, _SENT)
    assert not matched.clear
    assert wrong in " ".join(matched.wrong)


@pytest.mark.parametrize(
    "body",
    ["AK2*867*0001~AK9*A*1*1*1~SE*5", "AK5*A~AK9*A*1*1*1~SE*5", "AK2*867*0001~AK2*867*0002~AK5*A~AK9*A*1*1*1~SE*7"],
)
def test_a_997_that_says_nothing_clear_is_for_a_person(body: str) -> None:
    assert isinstance(_read(f"ST*997*0001~AK1*PT*4711~{body}*0001~"), UnreadableAnswer)


def test_the_997s_travel_in_an_interchange_that_is_good_itself() -> None:
    (came,) = found(PAIR).interchanges
    back = GroupToWrite("FA", "8290000010000", "900000026", 16, list(answers(came)))
    out = InterchangeToWrite("01", "829000001", "01", "900000026", 31, "P", _AT, [back])
    read = found(write(out), rules={"997": RULES})
    assert read.whole
    assert [isinstance(read_answer(one.segments), Answer) for one in read.sets] == [True, True]
