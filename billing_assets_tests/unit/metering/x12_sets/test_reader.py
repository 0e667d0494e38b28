"""The reader of X12 files: sets apart from each other, groups and interchanges with their last word, bounded memory."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.metering.import_engine import x12_reader
from billing_assets.metering.import_engine.x12_sets.codes import CODES
from billing_assets_tests.unit.metering.x12_sets.written import (
    CHARGES,
    USAGE,
    Read,
    a_group,
    a_set,
    an_interchange,
    changed,
    read,
)


def sets_of(*ids: str) -> list[str]:
    return [a_set("867", changed(USAGE, "U77001", one), f"{at:04}") for at, one in enumerate(ids, 1)]


def verdicts(found: Read) -> list[str]:
    return [one.verdict.value for one in found.sets]


def test_each_code_means_one_thing_for_every_set() -> None:
    """Other rooms know a set by its codes: they need not know which of them held it."""
    sets = [
        a_set("867", changed(USAGE, "BPT*00*", f"BPT*{purpose}*"), f"00{purpose}") for purpose in ("00", "01", "05")
    ]
    broken = [one.replace("MEA**MU*10~", "MEA**MU*11~") for one in sets]
    found = read(an_interchange(a_group("PT", broken))).report.findings
    assert len(found) == 5
    assert all(CODES[one.code].severity is one.severity for one in found)


def test_a_refused_set_and_a_held_one_leave_the_others() -> None:
    good, held, broken = sets_of("U1", "U2", "U3")
    held, broken = held.replace("MEA**MU*10~", "MEA**MU*11~"), broken.replace("SE*20*", "SE*21*")
    found = read(an_interchange(a_group("PT", [good, held, broken])))
    assert verdicts(found) == ["accept", "hold", "refuse"]
    assert (found.report.worst, found.report.acknowledgement) == ("hold", "P")
    assert [one.acknowledgement for one in found.report.interchanges[0].groups[0].results] == ["A", "A", "R"]


def test_a_group_that_is_refused_takes_its_sets_with_it_and_no_other() -> None:
    one = a_group("PT", sets_of("U1", "U2"), 1, count=3)
    found = read(an_interchange(one, a_group("IN", [a_set("810", CHARGES)], 2)))
    assert verdicts(found) == ["refuse", "refuse", "accept"]
    assert [one.codes for one in found.sets] == [["R-GE-COUNT"], ["R-GE-COUNT"], []]
    assert (found.sets[0].content, found.sets[0].quantities) == (None, {})
    assert (found.report.worst, found.report.acknowledgement) == ("accept", "P")


def test_a_refused_interchange_refuses_all_its_sets_and_leaves_the_next_one() -> None:
    bad = an_interchange(a_group("PT", sets_of("U1"))).replace(b"IEA*1*", b"IEA*2*")
    good = an_interchange(a_group("PT", sets_of("U2")), control="000004712")
    found = read(bad)
    assert (verdicts(found), found.report.worst, found.report.acknowledgement) == (["refuse"], "refuse", None)
    found = read(bad + good)
    assert (verdicts(found), found.report.worst, found.report.acknowledgement) == (["refuse", "accept"], "accept", "A")


def test_a_file_that_is_cut_is_refused_wherever_it_is_cut() -> None:
    whole = an_interchange(a_group("PT", sets_of("U1")))
    for at in range(1, len(whole) - 1, 7):
        assert read(whole[:at]).report.worst == "refuse"
    assert read(whole + b"\r\n\x1a").report.worst == "accept"


def test_an_interchange_that_comes_twice_in_a_file_has_one_effect() -> None:
    one = an_interchange(a_group("PT", sets_of("U1")))
    found = read(one + one)
    assert (verdicts(found), dict(found.report.counts)) == (["accept"], {"DUPLICATE_INTERCHANGE": 1})


def test_a_set_in_the_wrong_group_is_refused() -> None:
    found = read(an_interchange(a_group("IN", sets_of("U1"))))
    assert (found.verdict, found.codes) == ("refuse", ["R-ST"])


def test_a_set_says_where_it_comes_from() -> None:
    (one,) = read(an_interchange(a_group("PT", sets_of("U1"), 99))).sets
    assert (one.sender, one.interchange, one.group, one.line) == ("900000026", "000004711", "99", 3)


def test_sets_beyond_the_limit_of_memory_come_back_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = sets_of(*(f"U{number}" for number in range(60)))
    data = an_interchange(a_group("PT", sets[:40]), a_group("PT", sets[40:], 2, count=1))
    in_memory = read(data)
    monkeypatch.setattr(x12_reader, "KEPT_CHARACTERS", 5_000)
    in_file = read(data)
    assert in_file.sets == in_memory.sets
    assert verdicts(in_file) == ["accept"] * 40 + ["refuse"] * 20
    assert in_file.report.counts == in_memory.report.counts


@pytest.mark.parametrize("terminator", ["~", "\n", "~\r\n", "'"])
def test_a_set_is_read_the_same_whatever_ends_its_segments(terminator: str) -> None:
    plain = an_interchange(a_group("PT", sets_of("U1")))
    other = plain.replace(b">~", b">" + terminator.encode()).replace(b"~", terminator.encode())
    found = read(other.replace(b"PTD", b"\n\nPTD"))
    assert (found.codes, found.report.worst) == ([], "accept")
    expected, got = read(plain).content, found.content
    assert got == expected


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(6)), st.sets(st.integers(0, 5)))
def test_the_order_of_sets_changes_nothing_about_each(order: list[int], broken: set[int]) -> None:
    sets = [
        one.replace("SE*20*", "SE*19*") if number in broken else one
        for number, one in enumerate(sets_of(*(f"U{number}" for number in range(6))))
    ]
    found = read(an_interchange(a_group("PT", [sets[number] for number in order])))
    assert {one.keys["id"]: one.verdict.value for one in found.sets} == {
        f"U{number}": "refuse" if number in broken else "accept" for number in range(6)
    }
    said = "R" if len(broken) == 6 else "P" if broken else "A"
    assert found.report.acknowledgement == said
