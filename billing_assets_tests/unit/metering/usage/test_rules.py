"""Every row of the table of usage and charges: what arrives, what it finds, what becomes of both."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest

from billing_assets.metering.usage.facts import CandidateKind, Decided, Fact, Options, Rank, Settled
from billing_assets.metering.usage.machine import settle, settle_points
from billing_assets.metering.usage.states import CODES, RULES
from billing_assets_tests.unit.metering.usage.messages import JULY, JUNE, NOW, charges, proposed, said, usage

OVERLAPPING = (date(2026, 6, 20), date(2026, 7, 20))
AUGUST = (date(2026, 8, 10), date(2026, 9, 9))


def settled(*messages: Fact, now: object = NOW, **decided: object) -> Settled:
    """Settled, in whatever order they came."""
    made = Decided(**{name: frozenset(given) for name, given in decided.items()})  # type: ignore[call-overload]
    forth = settle(messages, now, made)  # type: ignore[arg-type]
    back = settle(messages[::-1], now, made)  # type: ignore[arg-type]
    assert forth.outcomes == back.outcomes
    assert sorted(forth.pairs) == sorted(back.pairs)
    assert sorted(forth.candidates, key=str) == sorted(back.candidates, key=str)
    return forth


def original_first() -> None:
    one = usage()
    assert said(settled(one), [one]) == ["waiting WAIT_CHARGES"]


def original_again() -> None:
    one = usage()
    again = usage(day=9)
    assert said(settled(one, again), [one, again]) == ["waiting WAIT_CHARGES", "duplicate DUP_TRANSACTION"]


def original_changed() -> None:
    one, changed = usage(), usage(amount=Decimal(1151))
    assert said(settled(one, changed), [one, changed]) == ["waiting WAIT_CHARGES", "held VERSION_CONFLICT"]


def original_same_period() -> None:
    one, other = usage("U1"), usage("U2")
    assert said(settled(one, other), [one, other]) == ["waiting WAIT_CHARGES", "held DUP_PERIOD"]


def original_overlaps() -> None:
    one, other, next_one = usage("U1"), usage("U2", period=OVERLAPPING), usage("U3", period=JULY)
    found = settled(one, other, next_one)
    assert said(found, [one, other, next_one]) == [
        "waiting WAIT_CHARGES",
        "held PERIOD_OVERLAP",
        "waiting WAIT_CHARGES",
    ]


def original_after_gap() -> None:
    one, later = usage("U1"), usage("U2", period=AUGUST)
    found = settled(one, later)
    assert said(found, [later]) == ["waiting WAIT_CHARGES"]
    assert found.outcomes[later.message].gap_from == JUNE[1]
    adjacent = usage("U3", period=JULY)
    assert settled(one, adjacent).outcomes[adjacent.message].gap_from is None
    last = usage("U1", final=True)
    assert settled(last, later).outcomes[later.message].gap_from is None, "the account had left"


def original_after_cancel() -> None:
    cancel, one = usage("X1", "01", of="U1", day=5), usage("U1", day=6)
    assert said(settled(cancel, one), [cancel, one]) == ["ready", "superseded"]


def original_bad_period() -> None:
    back, none = usage("U1", period=JUNE[::-1]), usage("U2", period=(JUNE[0], JUNE[0]))
    assert said(settled(back, none), [back, none]) == ["held BAD_PERIOD"] * 2


def cancel() -> None:
    one, gone = usage("U1"), usage("X1", "01", of="U1")
    found = settled(one, gone)
    assert said(found, [one, gone]) == ["superseded", "ready"]
    assert found.candidates == []
    bill, half = charges("I1", names="U1"), charges("Y1", "01", of="I1")
    everything = [one, bill, gone, half]
    assert said(settled(*everything), everything) == ["superseded", "superseded", "ready", "ready"]


def cancel_billed() -> None:
    one, bill = usage("U1"), charges("I1", names="U1")
    gone, half = usage("X1", "01", of="U1", day=9), charges("Y1", "01", of="I1", day=10)
    billed = [one.message, bill.message]
    nine_days = gone.arrived_at + timedelta(days=9)
    found = settled(one, bill, gone, half, billed=billed, now=nine_days)
    assert said(found, [one, bill, gone, half]) == ["restated", "restated", "ready", "ready"]
    assert proposed(found) == ["credit waiting"], "one for the invoiced pair"
    assert proposed(settled(one, bill, gone, half, billed=billed, now=nine_days + timedelta(days=1))) == ["credit due"]


def cancel_again() -> None:
    one, gone, again = usage("U1"), usage("X1", "01", of="U1"), usage("X2", "01", of="U1")
    assert said(settled(one, gone, again), [gone, again]) == ["ready", "duplicate ALREADY_CANCELLED"]
    copy = usage("X1", "01", of="U1")
    assert said(settled(one, gone, copy), [gone, copy]) == ["ready", "duplicate DUP_TRANSACTION"]


def cancel_unknown() -> None:
    other, gone = usage("U1"), usage("X1", "01", of="U9")
    assert said(settled(other, gone), [other, gone]) == ["waiting WAIT_CHARGES", "waiting CANCEL_WITHOUT_ORIGINAL"]


def cancel_half() -> None:
    one, bill, gone = usage("U1"), charges("I1", names="U1"), usage("X1", "01", of="U1")
    found = settled(one, bill, gone)
    assert said(found, [one, bill, gone]) == ["superseded", "held HALF_CANCEL", "waiting HALF_CANCEL"]
    shorter = charges("I1", names="U1", period=(JUNE[0], date(2026, 6, 30)))
    assert said(settled(one, shorter, gone), [shorter, gone]) == ["held HALF_CANCEL", "waiting HALF_CANCEL"]
    half = charges("Y1", "01", of="I1")
    found = settled(one, bill, half)
    assert said(found, [one, bill, half]) == ["held HALF_CANCEL", "superseded", "waiting HALF_CANCEL"]
    found = settled(one, bill, gone, billed=[one.message, bill.message], now=NOW + timedelta(days=99))
    assert said(found, [one, bill, gone]) == ["restated", "billed", "waiting HALF_CANCEL"]
    assert proposed(found) == ["credit due"], "after the time-out the cancel has its effect alone"


def replace() -> None:
    one, bill = usage("U1"), charges("I1", names="U1")
    gone, half = usage("X1", "01", of="U1"), charges("Y1", "01", of="I1")
    new, new_bill = usage("U2", "05", of="U1", amount=Decimal(1200)), charges("I2", "05", names="U2", of="I1")
    found = settled(one, bill, gone, half, new, new_bill)
    assert said(found, [one, bill, new, new_bill]) == ["superseded", "superseded", "ready", "ready"]
    assert found.candidates == [], "nothing was billed"
    found = settled(one, bill, gone, half, new, new_bill, billed=[one.message, bill.message])
    assert said(found, [one, bill, new, new_bill]) == ["restated", "restated", "ready", "ready"]
    assert proposed(found) == ["credit due", "rebill due", "restatement due"]
    at_once = settled(one, bill, gone, half, new, new_bill, billed=[one.message, bill.message], now=new.arrived_at)
    assert "credit due" in proposed(at_once), "the replacement is there: no ten days"
    rebill = next(each for each in found.candidates if each.kind is CandidateKind.REBILL)
    assert (rebill.message, rebill.original) == (new.message, one.message), "on the original's price version"
    other_dates = usage("U2", "05", of="U1", period=(JUNE[0], date(2026, 7, 1)))
    assert said(settled(one, gone, other_dates), [other_dates]) == ["waiting WAIT_CHARGES"], "dates need not be equal"


def replace_live() -> None:
    one, new = usage("U1"), usage("U2", "05", of="U1")
    found = settled(one, new)
    assert said(found, [one, new]) == ["waiting WAIT_CHARGES", "waiting REPLACE_WITHOUT_CANCEL"]
    estimate = usage("U1", estimated=True)
    bill = charges("I1", names="U1")
    found = settled(estimate, bill, new)
    assert said(found, [estimate, bill]) == ["held REPLACE_WITHOUT_CANCEL", "waiting WAIT_USAGE"]


def replace_unknown() -> None:
    new = usage("U2", "05", of="U9")
    assert said(settled(new), [new]) == ["held REPLACE_UNKNOWN"]
    released = [(new.message, "REPLACE_UNKNOWN")]
    assert said(settled(new, released=released), [new]) == ["waiting WAIT_CHARGES"]


ROWS: list[Callable[[], None]] = [
    original_first,
    original_again,
    original_changed,
    original_same_period,
    original_overlaps,
    original_after_gap,
    original_after_cancel,
    original_bad_period,
    cancel,
    cancel_billed,
    cancel_again,
    cancel_unknown,
    cancel_half,
    replace,
    replace_live,
    replace_unknown,
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
def test_each_row_of_the_table_happens(row: Callable[[], None]) -> None:
    row()


def test_every_row_of_the_table_has_its_example_here_and_no_unknown_code() -> None:
    assert [row.__name__ for row in ROWS] == list(RULES)
    assert {rule.code for rule in RULES.values()} - {""} <= CODES.keys()


# Pairs


def test_usage_and_the_charges_that_name_it_are_ready_together() -> None:
    one, bill = usage("U1"), charges("I1", names="U1", period=JULY)
    found = settled(one, bill)
    assert said(found, [one, bill]) == ["ready", "ready"]
    assert [pair.by for pair in found.pairs] == [Rank.REFERENCE]


def test_charges_without_a_reference_are_paired_by_equal_periods() -> None:
    one, bill, other = usage("U1"), charges("I1"), charges("I2", period=JULY)
    found = settled(one, bill, other)
    assert said(found, [one, bill, other]) == ["ready", "ready", "waiting ORPHAN_CHARGES"]
    assert [pair.by for pair in found.pairs] == [Rank.PERIOD]


def test_charges_that_name_the_usage_of_another_point_are_held_and_that_usage_goes_on_waiting() -> None:
    theirs, ours, bill = usage("U1", point="10032780000000059"), usage("U2"), charges("I1", names="U1")
    found = settle_points([theirs, ours, bill], NOW)
    assert said(found[bill.point], [ours, bill]) == ["waiting WAIT_CHARGES", "held PAIR_ESI"], "not paired by period"
    assert said(found[theirs.point], [theirs]) == ["waiting WAIT_CHARGES"]


def test_charges_are_free_once_the_usage_of_the_other_point_that_they_name_is_rejected() -> None:
    theirs, ours, bill = usage("U1", point="10032780000000059"), usage("U1"), charges("I1", names="U1")
    decided = Decided(rejected=frozenset({theirs.message}))
    assert said(settle_points([theirs, bill], NOW, decided)[bill.point], [bill]) == ["waiting ORPHAN_CHARGES"]
    found = settle_points([theirs, ours, bill], NOW, decided)[bill.point]
    assert said(found, [ours, bill]) == ["ready", "ready"]


def test_two_utilities_may_use_the_same_id() -> None:
    theirs = usage("U1", point="10032780000000059", utility="900000026")
    bill = charges("I1", names="U1", utility="900000034")
    assert said(settle_points([theirs, bill], NOW)[bill.point], [bill]) == ["waiting ORPHAN_CHARGES"]


def test_a_near_match_is_suggested_and_billed_only_after_a_person_confirms_it() -> None:
    near = (JUNE[0], JUNE[1] - timedelta(days=2))  # 27 of 29 days
    one, bill = usage("U1"), charges("I1", period=near)
    found = settled(one, bill)
    assert said(found, [one, bill]) == ["waiting WAIT_CHARGES", "waiting ORPHAN_CHARGES"]
    assert [(pair.by, pair.suggested) for pair in found.pairs] == [(Rank.OVERLAP, True)]
    pair = (one.message, bill.message)
    assert said(settled(one, bill, confirmed=[pair]), [one, bill]) == ["ready", "ready"]
    assert settled(one, bill, declined=[pair]).pairs == []


def test_below_ninety_percent_or_with_two_candidates_nothing_is_suggested() -> None:
    far = (JUNE[0], JUNE[1] - timedelta(days=3))  # 26 of 29 days
    assert settled(usage("U1"), charges("I1", period=far)).pairs == []
    near = [charges(name, period=(JUNE[0], JUNE[1] - timedelta(days=days))) for name, days in (("I1", 1), ("I2", 2))]
    others = settled(usage("U1"), *near, released=[(near[1].message, "PERIOD_OVERLAP")])
    assert others.pairs == []


def test_exactly_ninety_percent_is_near_enough() -> None:
    thirty = (date(2026, 6, 1), date(2026, 7, 1))
    found = settled(usage("U1", period=thirty), charges("I1", period=(thirty[0], date(2026, 6, 28))))
    assert [pair.suggested for pair in found.pairs] == [True]


def test_charges_sent_after_the_cancel_of_their_period_belong_to_what_comes_instead() -> None:
    wrong, gone = usage("U1", day=4), usage("X1", "01", of="U1", day=5)
    right, bill = usage("U2", day=6), charges("I1", day=6)
    assert said(settled(wrong, gone, right, bill), [right, bill]) == ["ready", "ready"]
    early = charges("I1", day=4)
    assert said(settled(wrong, gone, right, early), [right, early]) == ["waiting WAIT_CHARGES", "held HALF_CANCEL"]
    again = usage("X2", "01", of="U1", day=8)
    assert said(settled(wrong, gone, again, right, bill), [bill]) == ["ready"], "the first cancel counts"
    copy = charges("I1", day=4)
    assert said(settled(wrong, gone, right, bill, copy), [right]) == ["waiting WAIT_CHARGES"], "sent before, too"


def test_what_its_reader_holds_keeps_its_pair_waiting_until_a_person_releases_it() -> None:
    one, bill = usage("U1"), charges("I1", names="U1", codes=("CHARGES_NOT_TOTAL",))
    assert said(settled(one, bill), [one, bill]) == ["waiting WAIT_CHARGES", "held CHARGES_NOT_TOTAL"]
    released = [(bill.message, "CHARGES_NOT_TOTAL")]
    assert said(settled(one, bill, released=released), [one, bill]) == ["ready", "ready"]
    one = usage("U1", codes=("SUM_CHECK",))
    bill = charges("I1", names="U1")
    assert said(settled(one, bill), [one, bill]) == ["held SUM_CHECK", "waiting WAIT_USAGE"]


def test_miscellaneous_charges_need_no_usage() -> None:
    bill, misc = charges("I1"), charges("I2", alone=True)
    assert said(settled(bill, misc), [bill, misc]) == ["waiting ORPHAN_CHARGES", "ready"]


def test_usage_of_a_utility_that_sends_no_charges_is_ready_without() -> None:
    one, bill = usage("U1", utility="900000034"), charges("I1", names="U1", utility="900000034")
    options = Options(without_charges=frozenset({"900000034"}))
    assert said(settle([one], NOW, options=options), [one]) == ["ready"]
    assert said(settle([one, bill], NOW, options=options), [one, bill]) == ["ready", "ready"]
    other = usage("U1", utility="900000026")
    assert said(settle([other], NOW, options=options), [other]) == ["waiting WAIT_CHARGES"]


def test_charges_come_before_their_usage_in_one_interchange() -> None:
    bill, one = charges("I1", names="U1", day=3), usage("U1", day=4)
    assert said(settled(bill, one), [one, bill]) == ["ready", "ready"]


def test_a_replacement_without_references_is_paired_with_its_own_charges_by_period() -> None:
    old = [usage("U1"), charges("I1"), usage("X1", "01", of="U1", day=9), charges("Y1", "01", of="I1", day=9)]
    new = [usage("U2", "05", of="U1", day=9), charges("I2", "05", of="I1", day=9)]
    assert said(settled(*old, *new), new) == ["ready", "ready"]
    assert said(settled(*old[:3], *new[:1]), [old[1], new[0]]) == ["held HALF_CANCEL", "waiting WAIT_CHARGES"]


def test_a_person_may_keep_the_half_that_is_left() -> None:
    one, bill, gone = usage("U1"), charges("I1", names="U1"), usage("X1", "01", of="U1")
    new = usage("U2", "05", of="U1")
    found = settled(one, bill, gone, new, released=[(bill.message, "HALF_CANCEL")])
    assert said(found, [one, bill, gone, new]) == ["superseded", "ready", "ready", "ready"]


# Cancels, replacements, decisions


def test_an_estimate_is_not_billed_when_an_actual_for_the_period_is_there() -> None:
    estimate, bill, actual = usage("U1", estimated=True), charges("I1", names="U1"), usage("U2", day=9)
    found = settled(estimate, bill, actual)
    assert said(found, [estimate, actual]) == ["held ACTUAL_STAGED", "held DUP_PERIOD"]


def test_what_is_billed_keeps_its_place_whatever_comes_later_with_an_earlier_date() -> None:
    one, bill, older = usage("U1", day=9), charges("I1", names="U1", day=9), usage("U0", day=2)
    found = settled(one, bill, older, billed=[one.message, bill.message])
    assert said(found, [one, bill, older]) == ["billed", "billed", "held DUP_PERIOD"]


def test_a_rejected_message_makes_room_for_the_other() -> None:
    one, other = usage("U1"), usage("U2")
    assert said(settled(one, other, rejected=[one.message]), [one, other]) == ["rejected", "waiting WAIT_CHARGES"]
    changed = usage("U1", amount=Decimal(9))
    assert said(settled(one, changed, rejected=[one.message]), [changed]) == ["waiting WAIT_CHARGES"]


def test_a_rejected_cancel_gives_back_what_it_cancelled() -> None:
    one, bill, gone = usage("U1"), charges("I1", names="U1"), usage("X1", "01", of="U1")
    found = settled(one, bill, gone, rejected=[gone.message])
    assert said(found, [one, bill, gone]) == ["ready", "ready", "rejected"]


def test_a_cancel_that_names_nothing_finds_the_one_message_of_its_period() -> None:
    one, gone = usage("U1"), usage("X1", "01", day=9)
    assert said(settled(one, gone), [one, gone]) == ["superseded", "ready"]
    later = usage("U1", day=10)
    assert said(settled(later, gone), [gone]) == ["waiting CANCEL_WITHOUT_ORIGINAL"], "it was sent before"


def test_of_two_cancels_the_first_to_arrive_has_the_effect() -> None:
    one, late, early = usage("U1"), usage("X2", "01", of="U1", day=9), usage("X1", "01", of="U1", day=5)
    assert said(settled(one, late, early), [late, early]) == ["ready", "duplicate ALREADY_CANCELLED"]


def test_a_credit_is_not_due_while_half_of_the_pair_is_not_cancelled() -> None:
    one, bill = usage("U1"), charges("I1", names="U1")
    gone, new = usage("X1", "01", of="U1", day=9), usage("U2", "05", of="U1", day=9)
    new_bill = charges("I2", names="U2", period=JULY, day=9)
    billed = [one.message, bill.message]
    found = settled(one, bill, gone, new, new_bill, billed=billed, now=gone.arrived_at)
    assert said(found, [bill, new, new_bill]) == ["billed", "ready", "ready"]
    assert proposed(found) == ["credit waiting", "rebill due", "restatement recorded"]


def test_a_replacement_that_names_nothing_takes_the_place_of_the_one_cancelled_in_its_period() -> None:
    one, gone, new = usage("U1"), usage("X1", "01", of="U1"), usage("U2", "05")
    found = settled(one, gone, new)
    assert said(found, [new]) == ["waiting WAIT_CHARGES"]
    assert found.outcomes[new.message].replaces == one.message
    assert said(settled(one, new), [new]) == ["waiting REPLACE_WITHOUT_CANCEL"]


def test_a_second_replacement_of_the_same_is_held() -> None:
    one, gone = usage("U1"), usage("X1", "01", of="U1")
    new, newer = usage("U2", "05", of="U1"), usage("U3", "05", of="U1")
    assert said(settled(one, gone, new, newer), [new, newer]) == ["waiting WAIT_CHARGES", "held DUP_PERIOD"]


def test_a_chain_of_replacements_is_one_rebill_on_the_price_of_what_was_billed() -> None:
    first = [usage("U1"), charges("I1", names="U1")]
    second = [usage("U2", "05", of="U1"), charges("I2", "05", of="I1", names="U2")]
    third = [usage("U3", "05", of="U2"), charges("I3", "05", of="I2", names="U3")]
    gone = [usage("X1", "01", of="U1"), usage("X2", "01", of="U2")]
    gone += [charges("Y1", "01", of="I1"), charges("Y2", "01", of="I2")]
    found = settled(*first, *second, *third, *gone, billed=[one.message for one in first])
    assert said(found, second + third) == ["superseded", "superseded", "ready", "ready"]
    rebills = [one for one in found.candidates if one.kind is CandidateKind.REBILL]
    assert [(one.message, one.original) for one in rebills] == [(third[0].message, first[0].message)]


def test_a_small_change_of_quantity_is_recorded_only() -> None:
    old = [usage("U1", amount=Decimal("1150")), charges("I1", names="U1")]
    gone = [usage("X1", "01", of="U1"), charges("Y1", "01", of="I1")]
    for new, state in ((Decimal("1150.4"), "recorded"), (Decimal("1150.5"), "due"), (Decimal("1149.6"), "recorded")):
        again = usage("U2", "05", of="U1", amount=new)
        found = settled(*old, *gone, again, billed=[one.message for one in old])
        assert [one.state for one in found.candidates if one.kind is CandidateKind.RESTATEMENT] == [state]
    tiny = [usage("U1", amount=Decimal(2)), charges("I1", names="U1")]
    again = usage("U2", "05", of="U1", amount=Decimal("2.4"))
    found = settled(*tiny, *gone, again, billed=[one.message for one in tiny])
    assert "restatement due" in proposed(found), "20 percent"


def test_both_charges_of_one_usage_are_never_billed() -> None:
    one, bill, other = usage("U1"), charges("I1", names="U1"), charges("I2", names="U1", period=JULY)
    assert said(settled(one, bill, other), [bill, other]) == ["ready", "waiting WAIT_USAGE"]


def test_options_set_the_days_that_a_credit_waits() -> None:
    one, gone = usage("U1", alone=True), usage("X1", "01", of="U1")
    decided = Decided(billed=frozenset({one.message}))
    after = gone.arrived_at + timedelta(days=3)
    assert proposed(settle([one, gone], after, decided, Options(credit_wait_days=3))) == ["credit due"]
    assert proposed(settle([one, gone], after, decided, Options(credit_wait_days=4))) == ["credit waiting"]


def test_messages_of_two_points_are_not_settled_as_one() -> None:
    with pytest.raises(ValueError, match="one service point"):
        settle([usage(), usage(point="1")], NOW)
