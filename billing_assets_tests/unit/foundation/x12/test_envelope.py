"""Each check of the envelope refuses what the 997 can name: the set, the group, the interchange, or the file."""

import hashlib
import io
import itertools
import tracemalloc

import pytest

from billing_assets.foundation.x12 import envelope
from billing_assets.foundation.x12.delimiters import Isa
from billing_assets.foundation.x12.envelope import Checks, Problem, Seen, read
from billing_assets.foundation.x12.findings import CODES, Findings, Scope
from billing_assets.foundation.x12.interchange import Acknowledgement, TransactionSet
from billing_assets.foundation.x12.rules import ElementKind, ElementRule, SegmentRule, SetRules
from billing_assets.foundation.x12.syntax import segments
from billing_assets_tests.unit.foundation.x12.samples import (
    CHARGES,
    CHARGES_GROUP,
    ISA,
    PAIR,
    RULES,
    USAGE,
    USAGE_GROUP,
    found,
    group,
    interchange,
    usage,
)
from billing_assets_tests.unit.foundation.x12.test_syntax import Made


def test_a_pair_of_usage_and_charges_is_read_as_it_should_look() -> None:
    read = found(PAIR)
    assert read.whole
    assert read.codes == []
    assert read.end == ([], 1, 42)
    assert [(one.type, one.control, one.position, one.result.acknowledgement) for one in read.sets] == [
        ("867", "0001", 3, "A"),
        ("810", "0001", 25, "A"),
    ]
    assert [(one.type, one.sender, one.receiver, one.control, one.version, one.declared) for one in read.groups] == [
        ("PT", "900000026", "8290000010000", "4711", "004010", 1),
        ("IN", "900000026", "8290000010000", "4712", "004010", 1),
    ]
    (one,) = read.interchanges
    assert (one.isa.sender, one.isa.receiver, one.isa.control, one.isa.usage) == (
        "900000026",
        "829000001",
        "000004711",
        "P",
    )
    assert one.digest == hashlib.sha256(PAIR.encode()).hexdigest()
    assert one.groups == read.groups
    assert read.sets[0].text == USAGE
    assert read.sets[1].text == CHARGES


_INTERCHANGE = [
    ("ISA*00*  ", "ISA*00* ", "R-ISA-WIDTH"),
    ("*00*          *01*9", "*00*         *01*9", "R-ISA-WIDTH"),
    ("*000004711*0*P", "*00000471X*0*P", "R-ISA-CONTROL"),
    ("IEA*2*000004711", "IEA*2*000004712", "R-IEA-CONTROL"),
    ("IEA*2*000004711", "IEA*2*4711", "R-IEA-CONTROL"),
    ("IEA*2*", "IEA*1*", "R-IEA-COUNT"),
    ("IEA*2*", "IEA**", "R-IEA-COUNT"),
    ("~REF*Q5", "~ref*Q5", "R-SEGMENT-ID"),
    ("~REF*Q5", "~rEF*Q5", "R-SEGMENT-ID"),
    ("~REF*Q5", "~REFE*Q5", "R-SEGMENT-ID"),
    ("~REF*Q5", "~R*Q5", "R-SEGMENT-ID"),
    ("~REF*Q5", "~5EF*Q5", "R-SEGMENT-ID"),
    ("~REF*Q5", "~RE *Q5", "R-SEGMENT-ID"),
    ("WIRES", "WI\0RES", "R-CHARACTER"),
    ("829000001      *", "829000001\0     *", "R-CHARACTER"),
    ("~ST*867*0001~", "~", "R-ORDER"),
    ("~GE*1*4711~", "~N1*8S~GE*1*4711~", "R-ORDER"),
    ("~GE*1*4711~", "~GE*1*4711~GE*1*4711~", "R-ORDER"),
    ("~SE*20*0001~", "~SE*20*0001~SE*20*0001~", "R-ORDER"),
    ("~GS*PT*900000026*8290000010000*20260706*0732*4711*X*004010~", "~", "R-ORDER"),
    ("~GE*1*4711~", "~TA1*000000001*260706*0732*A*000~GE*1*4711~", "R-ORDER"),
]


@pytest.mark.parametrize(("old", "new", "code"), _INTERCHANGE)
def test_a_broken_interchange_is_refused_and_no_997_goes_back(old: str, new: str, code: str) -> None:
    assert old in PAIR
    read = found(PAIR.replace(old, new, 1))
    assert code in read.codes
    assert CODES[code].scope is Scope.INTERCHANGE
    assert read.interchanges[0].refused
    assert read.interchanges[0].acknowledgement is Acknowledgement.REJECTED
    assert not read.end.refused


def test_a_broken_interchange_leaves_the_one_behind_it_alone() -> None:
    good = PAIR.replace("000004711", "000004712")
    read = found(PAIR.replace("IEA*2*", "IEA*3*") + good)
    assert [one.refused for one in read.interchanges] == [True, False]
    assert not read.end.refused


@pytest.mark.parametrize("behind", ["x", "~", "IEA*2*000004711~", "GS*PT~", PAIR[:200], "\x00"])
def test_anything_else_behind_the_iea_refuses_the_file_with_what_came_before(behind: str) -> None:
    read = found(PAIR + behind)
    assert read.end.refused


def test_an_interchange_that_another_one_interrupts_refuses_the_file() -> None:
    read = found(PAIR[: PAIR.index("IEA")] + PAIR)
    assert read.end.refused
    assert "R-NO-IEA" in read.codes
    assert [one.whole for one in read.interchanges] == [False, True]


def test_a_ta1_between_isa_and_group_is_kept() -> None:
    read = found(PAIR.replace("~GS*PT", "~TA1*000000001*260706*0732*A*000~GS*PT"))
    assert read.whole
    assert [one.at(1) for one in read.interchanges[0].acknowledged] == ["000000001"]


_GROUP = [
    ("GE*1*4711", "GE*1*4712", "R-GE-CONTROL", "4"),
    ("GE*1*4711", "GE*2*4711", "R-GE-COUNT", "5"),
    ("GE*1*4711", "GE**4711", "R-GE-COUNT", "5"),
    ("*4711*X*004010", "*4711*X*004020", "R-GS-VERSION", "2"),
    ("*4711*X*004010", "*4711*X", "R-GS-VERSION", "2"),
    ("*4711*X*004010", "*47A11*X*004010", "R-GS-CONTROL", "6"),
    ("GE*1*4711~", "", "R-NO-GE", "3"),
]


@pytest.mark.parametrize(("old", "new", "code", "ak905"), _GROUP)
def test_a_broken_group_is_rejected_and_the_other_group_lives(old: str, new: str, code: str, ak905: str) -> None:
    read = found(PAIR.replace(old, new, 1))
    first, second = read.groups
    assert code in [one.code for one in first.findings]
    assert (first.acknowledgement, first.accepted, first.errors[0]) == ("R", 0, ak905)
    assert (second.acknowledgement, second.accepted, second.errors) == ("A", 1, ())
    assert not read.interchanges[0].refused
    assert read.interchanges[0].acknowledgement is Acknowledgement.PARTLY


_SET = [
    ("SE*20*0001", "SE*20*0002", "R-SE-CONTROL", "3"),
    ("SE*20*0001", "SE*19*0001", "R-SE-COUNT", "4"),
    ("SE*20*0001", "SE*2O*0001", "R-SE-COUNT", "4"),
    ("SE*20*0001", "SE*" + "9" * 5_000 + "*0001", "R-SE-COUNT", "4"),
    ("SE*20*0001~", "", "R-NO-SE", "2"),
    ("ST*867*0001", "ST**0001", "R-ST", "6"),
    ("ST*867*0001", "ST*810*0001", "R-ST", "6"),
    ("ST*867*0001", "ST*867*1", "R-ST-CONTROL", "7"),
    ("BPT*00*U77001*20260704*DD~", "", "R-SEGMENT-MISSING", "5"),
    ("~PTD*SU", "~BPT*00*U77001~PTD*SU", "R-SEGMENT-TWICE", "5"),
    ("BPT*00*U77001", "BPT*00*", "R-ELEMENT-MISSING", "5"),
    ("BPT*00*", "BPT*99*", "R-CODE", "5"),
    ("BPT*00*", "BPT**", "R-ELEMENT-MISSING", "5"),
    ("*20260704*DD", "*20260231*DD", "R-DATE", "5"),
    ("*20260704*DD", "*260704*DD", "R-DATE", "5"),
    ("*20260704*DD", "*2026 704*DD", "R-DATE", "5"),
    ("DTM*150*20260603", "DTM*150*20260603*2360", "R-TIME", "5"),
    ("DTM*150*20260603", "DTM*150*20260603*0:15", "R-TIME", "5"),
    ("QTY*QD*1150", "QTY*QD*1,150", "R-NUMBER", "5"),
    ("QTY*QD*1150", "QTY*QD*1E3", "R-NUMBER", "5"),
    ("QTY*QD*1150", "QTY*QD*NaN", "R-NUMBER", "5"),
    ("QTY*QD*1150", "QTY*QD*.", "R-NUMBER", "5"),
    ("QTY*QD*1150", "QTY*QD*+5", "R-NUMBER", "5"),
    ("QTY*QD*1150", "QTY*QD*" + "9" * 19, "R-NUMBER", "5"),
]


@pytest.mark.parametrize(("old", "new", "code", "ak502"), _SET)
def test_a_broken_set_is_rejected_and_the_others_live(old: str, new: str, code: str, ak502: str) -> None:
    assert old in USAGE
    sets = group(usage("0003"), USAGE.replace(old, new, 1), usage("0004"), count=3)
    read = found(interchange(sets, CHARGES_GROUP))
    verdicts = [one.result.acknowledgement for one in read.sets]
    assert verdicts == ["A", "R", "A", "A"]
    assert code in [one.code for one in read.sets[1].findings]
    assert ak502 in read.sets[1].result.errors
    assert (read.groups[0].acknowledgement, read.groups[0].accepted) == ("P", 2)
    assert all(one.sentence.endswith(".") for one in read.sets[1].findings)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("QTY*QD*1150", "QTY*QD*"),
        ("QTY*QD*1150", "QTY*QD***NV"),
        ("QTY*QD*1150", "QTY*QD*-1150.5"),
        ("QTY*QD*1150", "QTY*QD*.5"),
        ("QTY*QD*1150", "QTY*QD*5."),
        ("DTM*150*20260603", "DTM*150*20260603*2400"),
        ("DTM*150*20260603", "DTM*150*20260603*235959"),
        ("*20260704*DD", "*20240229*DD"),
        ("*20260704*DD", ""),
    ],
)
def test_what_is_empty_or_of_its_type_is_accepted(old: str, new: str) -> None:
    assert old in PAIR
    assert found(PAIR.replace(old, new)).codes == []


@pytest.mark.parametrize(
    ("old", "new", "accepted"),
    [
        ("BAS001*450~", "BAS001*4.50~", False),
        ("BAS001*450~", "BAS001*-450~", False),
        ("BAS001*450~", "BAS001*450 ~", False),
        ("BAS001*450~", "BAS001~", True),
        ("TDS*4321~", "TDS*43.21~", False),
        ("TDS*4321~", "TDS*-4321~", True),
        ("CTT*1~", "CTT*1.0~", False),
    ],
)
def test_cents_are_digits_and_never_a_guess(old: str, new: str, accepted: bool) -> None:
    read = found(PAIR.replace(old, new, 1))
    assert read.sets[1].findings.refused != accepted
    assert read.groups[1].acknowledgement == ("A" if accepted else "R")
    assert read.groups[0].acknowledgement == "A"


def test_an_error_that_a_rule_only_warns_of_is_noted_and_the_set_accepted() -> None:
    read = found(PAIR.replace("*DD~", "*ZZ~", 1))
    assert read.sets[0].result.acknowledgement is Acknowledgement.WITH_ERRORS
    assert (read.groups[0].acknowledgement, read.groups[0].accepted) == ("E", 1)
    assert read.interchanges[0].acknowledgement is Acknowledgement.WITH_ERRORS
    assert [(one.segment, one.element, one.element_error) for one in read.sets[0].result.notes] == [("BPT", 4, "7")]


def test_the_second_set_with_a_number_is_rejected_and_the_first_lives() -> None:
    read = found(interchange(group(usage("0001"), usage("0001"), usage("0002"))))
    assert [one.result.acknowledgement for one in read.sets] == ["A", "R", "A"]
    assert read.sets[1].findings[0].code == "R-ST-TWICE"
    assert found(PAIR).whole, "another group may use the number"


def test_a_text_may_have_to_be_one_of_some() -> None:
    rules = {
        "867": SetRules("867", "PT", (SegmentRule("N1", (ElementRule(2, ElementKind.AN, frozenset({"ERCOT"})),)),))
    }
    read = found(PAIR, rules=rules)
    assert [one.code for one in read.sets[0].findings] == ["R-CODE", "R-CODE"]


def test_a_type_without_rules_is_accepted_by_its_envelope() -> None:
    assert found(PAIR, rules={}).whole


def _from(*problems: Problem) -> Checks:
    return Checks(admit=lambda isa: problems)


@pytest.mark.parametrize("code", ["R-SENDER", "R-RECEIVER", "R-ENVIRONMENT"])
def test_an_interchange_that_the_caller_does_not_admit_is_refused(code: str) -> None:
    read = found(PAIR, _from(Problem(code, "for a reason.")))
    assert read.interchanges[0].refused
    assert [(one.code, one.sentence) for one in read.interchanges[0].findings] == [(code, "Segment 1: for a reason.")]


@pytest.mark.parametrize(
    ("seen", "refused", "duplicate"), [("no", False, False), ("same", False, True), ("other", True, False)]
)
def test_a_number_that_was_here_is_a_duplicate_or_refused_by_its_content(
    seen: str, refused: bool, duplicate: bool
) -> None:
    asked: list[tuple[tuple[str, str], str, str]] = []

    def answer(*question: tuple[str, str] | str) -> Seen:
        asked.append(question)  # type: ignore[arg-type]
        return Seen(seen)

    (one,) = found(PAIR, Checks(seen=answer)).interchanges
    assert (one.refused, one.duplicate) == (refused, duplicate)
    assert asked == [(("01", "900000026"), "000004711", hashlib.sha256(PAIR.encode()).hexdigest())]


def test_within_a_file_a_number_counts_once_for_each_sender() -> None:
    other = PAIR.replace("QD*1150", "QD*1151")
    elsewhere = PAIR.replace("900000026      ", "900000027      ")
    read = found(PAIR + PAIR + other + elsewhere)
    assert [one.duplicate for one in read.interchanges] == [False, True, False, False]
    assert [one.refused for one in read.interchanges] == [False, False, True, False]
    assert read.codes == ["CONTROL_REUSED"]


def test_what_was_refused_is_not_asked_for() -> None:
    def never(*question: object) -> Seen:
        raise AssertionError(question)

    assert found(PAIR.replace("IEA*2", "IEA*3"), Checks(seen=never)).interchanges[0].refused


def test_what_is_asked_of_the_caller_is_the_isa_as_read() -> None:
    isas: list[Isa] = []

    def admit(isa: Isa) -> tuple[Problem, ...]:
        isas.append(isa)
        return ()

    found(PAIR, Checks(admit=admit))
    assert [isa.text for isa in isas] == [ISA]


def test_a_file_cut_anywhere_is_refused() -> None:
    text = f"{PAIR}\r\n"
    for end in range(len(PAIR)):
        read = found(text[:end])
        assert read.end.refused, end
    assert found(PAIR).whole


def test_every_finding_of_a_file_is_reported_in_one_pass() -> None:
    text = PAIR.replace("IEA*2*", "IEA*3*").replace("SE*20*", "SE*21*").replace("GE*1*4712", "GE*1*4713")
    assert set(found(text).codes) == {"R-IEA-COUNT", "R-SE-COUNT", "R-GE-CONTROL"}


def test_a_refusal_behind_a_hundred_warnings_is_not_lost() -> None:
    findings = Findings()
    for position in range(150):
        findings.note("W-BLANKS", position, "Blanks.")
    assert not findings.refused
    findings.note("R-SE-COUNT", 200, "A count.")
    findings.note("W-BLANKS", 201, "Blanks.")
    assert findings.refused
    assert len(findings) == 100


def test_what_a_sentence_quotes_is_short_and_can_be_seen() -> None:
    read = found(PAIR.replace("SE*20*", "SE*2\x07\xa0\n0" + "x" * 100 + "*"))
    sentence = read.sets[0].findings[0].sentence
    assert sentence.isprintable()
    assert "“2[U+0007][U+00A0][U+000A]0xxx" in sentence
    assert len(sentence) < 120


def test_findings_of_an_interchange_are_in_the_order_of_the_file() -> None:
    text = PAIR.replace("IEA*2*", "IEA*3*").replace("ISA*00*  ", "ISA*00* ").replace("~REF*Q5", "~ref*Q5", 1)
    read = found(text)
    assert [(one.code, one.position) for one in read.interchanges[0].findings] == [
        ("R-ISA-WIDTH", 1),
        ("R-SEGMENT-ID", 5),
        ("R-IEA-COUNT", 42),
    ]


def test_a_set_whose_head_is_lost_is_one_finding_and_not_one_for_each_segment() -> None:
    assert found(PAIR.replace("~ST*867*0001~", "~", 1)).codes.count("R-ORDER") == 1


def test_segments_count_from_their_st_and_outside_of_sets_not_at_all() -> None:
    text = interchange(group(USAGE.replace("SE*20*0001~", ""), usage("0002") + "N1*8S~", count=2))
    read = found(text)
    assert [[one.number for one in found_set.segments] for found_set in read.sets] == [
        list(range(1, 20)),
        list(range(1, 21)),
    ]
    stray = [one for one in segments(io.BytesIO(text.encode())) if one.id == "N1"][-1]
    assert stray.number == 0


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ("MOST_SEGMENTS", interchange(group(usage("0001", "N1*8S~" * 5_000)))),
        ("MOST_SETS", interchange(group(*(usage(f"{number:06}") for number in range(1, 200))))),
        ("MOST_GROUPS", interchange(*[group()] * 200)),
    ],
)
def test_more_than_any_real_file_has_is_given_up(monkeypatch: pytest.MonkeyPatch, limit: str, text: str) -> None:
    assert found(text).whole
    monkeypatch.setattr(envelope, limit, 100)
    read = found(text)
    assert read.end.refused
    assert [one.code for one in read.end.findings] == ["R-TOO-LONG"]


def test_junk_without_end_keeps_the_first_hundred_findings() -> None:
    read = found(PAIR.replace("~REF*Q5", "~x*" * 5_000 + "REF*Q5", 1))
    assert len(read.interchanges[0].findings) <= 100
    assert read.interchanges[0].refused


def test_each_further_set_of_a_group_costs_a_few_words_of_memory() -> None:
    def peak(sets: int) -> int:
        head, end = group().split("GE*")[0], f"GE*{sets}*4711~IEA*1*000004711~"
        made = (usage(f"{number:06}").encode() for number in range(sets))
        source = Made(itertools.chain([(ISA + head).encode()], made, [end.encode()]))
        tracemalloc.start()
        last = None
        for one in read(source, RULES):  # type: ignore[arg-type]
            assert not isinstance(one, TransactionSet) or one.result.acknowledgement == "A"
            last = one
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert last == ([], 1, sets * 20 + 4)
        return most

    small, large = peak(300), peak(1_100)
    assert (large - small) / 800 < 800, "bytes that each further set leaves"


def test_the_usage_group_alone_is_an_interchange() -> None:
    assert found(interchange(USAGE_GROUP)).whole
