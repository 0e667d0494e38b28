"""867: the summary once, and every rule about it with one set that keeps it and one that breaks it."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.metering.import_engine.x12_sets.options import SetOptions
from billing_assets_tests.unit.metering.x12_sets.written import HEAD, POINT, USAGE, changed, read_one

DATES = "DTM*150*20260603~ DTM*151*20260702~"


def usage(loops: str, purpose: str = "00", head: str = HEAD, rest: str = "") -> str:
    return f"BPT*{purpose}*U77001*20260704*DD{rest}~ {head} {loops}"


def loop(
    kind: str, quantity: str, *, dates: str = DATES, qualifier: str = "QD", more: str = "", meter: str = ""
) -> str:
    begin = f"PTD*{kind}***MG*{meter}~" if meter else f"PTD*{kind}~"
    return f"{begin} {dates} {more} QTY*{qualifier}*{quantity}~ MEA*AA*PRQ*{quantity}*KH***51~ "


REFUSED = [
    ("BPT*00*", "BPT*04*", "R-CODE"),
    ("BPT*00*", "BPT**", "R-ELEMENT-MISSING"),
    ("*U77001*", "**", "R-ELEMENT-MISSING"),
    ("*U77001*", f"*{'U' * 31}*", "R-LENGTH"),
    ("*20260704*DD", "*20260231*DD", "R-DATE"),
    ("QTY*QD*1150~", "QTY*XX*1150~", "R-CODE"),
    ("QTY*QD*1150~", "QTY*QD*1,150~", "R-NUMBER"),
    ("DTM*150*20260603~", "DTM*150*2026063~", "R-DATE"),
    ("PRQ*1150*KH***51", "PRQ*1E3*KH***51", "R-NUMBER"),
]


@pytest.mark.parametrize(("old", "new", "code"), REFUSED)
def test_a_usage_of_broken_form_is_refused(old: str, new: str, code: str) -> None:
    found = read_one("867", changed(USAGE, old, new))
    assert (found.verdict, found.codes, found.content) == ("refuse", [code], None)
    assert found.report.acknowledgement == "R"


HELD = [
    (f"REF*Q5**{POINT}~", "", "NO_POINT"),
    (f"REF*Q5**{POINT}~", f"REF*Q5*{POINT}~", "NO_POINT"),
    (POINT, POINT[:-1], "BAD_POINT"),
    (POINT, "X" + POINT[1:], "BAD_POINT"),
    (f"REF*Q5**{POINT}~", f"REF*Q5**{POINT}~REF*Q5**{POINT}99~", "TWO_POINTS"),
    ("N1*8S*WIRES CO*1*900000026~", "", "NO_PARTY"),
    ("N1*SJ*RETAIL CO*9*8290000010000**40~", "", "NO_PARTY"),
    ("DTM*150*20260603~", "DTM*150*20260702~", "BAD_PERIOD"),
    ("DTM*150*20260603~", "DTM*150*20260703~", "BAD_PERIOD"),
    ("QTY*QD*1150~ MEA*AA*PRQ*1150*KH***51~", "QTY*QD***NV~", "NO_QUANTITY"),
    ("QTY*QD*1150~ MEA*AA*PRQ*1150*KH***51~", "QTY*QD*1152~ MEA*AA*PRQ*1152*KH***51~", "SUM_CHECK"),
    ("QTY*QD*1150~ MEA*AA*PRQ*1150*KH***51~", "QTY*QD*1150~ MEA*AA*PRQ*1152*KH***51~", "SUM_CHECK"),
    ("*99950*00065*", "*99950*00064*", "SUM_CHECK"),
    ("MEA**MU*10~", "", "SUM_CHECK"),
    ("*99950*00065*", "*89950*00065*", "NEGATIVE"),
    ("*00065*51~ MEA", "*00065*51~ MEA*AA*PRQ*500*KH***41~ MEA*AA*PRQ*648*KH***42~ MEA", "TOU_SUM"),
    ("PTD*SU~", "PTD*ZZ~", "NO_SUMMARY"),
    ("PTD*PL***", "PTD*ZZ***", "NO_DETAIL"),
]


@pytest.mark.parametrize(("old", "new", "code"), HELD)
def test_a_usage_of_good_form_whose_content_conflicts_is_held(old: str, new: str, code: str) -> None:
    found = read_one("867", changed(USAGE, old, new))
    assert (found.verdict, found.report.worst, found.report.acknowledgement) == ("hold", "hold", "A")
    assert found.codes[0] == code
    assert all(one.line and one.sentence.endswith(".") for one in found.report.findings)


WARNED = [
    ("QTY*QD*1150~ MEA*AA*PRQ*1150*KH***51~", "QTY*KA*1150~ MEA*AA*PRQ*1150*KH***51~", "UNEXPLAINED_ESTIMATE"),
    ("BPT*00*", "BPT*05*", "NO_REFERENCE"),
    ("REF*JH*A~", "REF*JH*Q~", "UNKNOWN_ROLE"),
    ("MEA*AA*PRQ*1150*KH*9", "MEA*ZZ*PRQ*1150*KH*9", "UNKNOWN_MEASURE"),
    ("MEA**MU*10~", "MEA**MU*10~ MEA*AA*PRQ*3*XX~", "UNKNOWN_UNIT"),
    ("PTD*PL***", "PTD*QQ~ PTD*PL***", "UNKNOWN_LOOP"),
]


@pytest.mark.parametrize(("old", "new", "code"), WARNED)
def test_a_usage_that_is_only_odd_is_kept_and_said(old: str, new: str, code: str) -> None:
    found = read_one("867", changed(USAGE, old, new))
    assert (found.verdict, found.codes) == ("accept", [code])
    assert found.content.quantities == {"KH": Decimal(1150)}


GOOD = [
    ("*U77001*", f"*{'U' * 30}*", "1150"),
    ("QTY*QD*1150~ MEA*AA*PRQ*1150*KH***51~", "QTY*QD*1151~ MEA*AA*PRQ*1151*KH***51~", "1151"),  # within one unit
    ("QTY*QD*1150~ MEA*AA*PRQ*1150*KH***51~", "QTY*QD*1150~", "1150"),
    ("QTY*QD*1150~ MEA*AA*PRQ*1150*KH***51~", "QTY*QD~ MEA*AA*PRQ*1150*KH***51~", "1150"),
    ("*00065*51~ MEA", "*00065*51~ MEA*AA*PRQ*500*KH***41~ MEA*AA*PRQ*649*KH***42~ MEA", "1150"),
    ("QTY*QD*1150~ MEA*AA*PRQ*1150*KH***51~", "QTY*QD*1150~ MEA*AA*PRQ*500*KH***41~ MEA*AA*PRQ*650*KH***42~", "1150"),
    ("QTY*QD*1150~ MEA*AA*PRQ*1150*KH***51~", "REF*5I*12~ QTY*KA*1150~ MEA*AA*PRQ*1150*KH***51~", "1150"),
    ("BPT*00*U77001*20260704*DD", "BPT*05*U77001*20260704*DD*****U76000", "1150"),
    ("MEA**MU*10~", "MEA**MU*10~ MEA*AA*ZA*0.93~ QTY*QD*12.3~ MEA*AA*PRQ*12.3*K1~", "1150"),
    ("*99950*00065*51~ MEA**MU*10~", "*0000*1150*51~", "1150"),  # no multiplier is one
    ("DTM*150*20260603~", "DTM*150*20260603~ DTM*514*20260610~", "1150"),
]


@pytest.mark.parametrize(("old", "new", "quantity"), GOOD)
def test_a_usage_may_be_written_in_all_the_ways_of_the_guides(old: str, new: str, quantity: str) -> None:
    found = read_one("867", changed(USAGE, old, new))
    assert (found.verdict, found.codes, found.sets[0].quantities["KH"]) == ("accept", [], quantity)


def test_a_multiplier_before_the_quantity_is_that_of_the_meter() -> None:
    body = changed(USAGE, "REF*JH*A~\nQTY", "REF*JH*A~ MEA**MU*10~ QTY")
    assert read_one("867", changed(body, "*51~ MEA**MU*10~", "*51~")).codes == []


def test_an_estimate_a_final_and_what_it_replaces_are_known() -> None:
    body = changed(USAGE, "QTY*QD*1150~ MEA*AA*PRQ*1150*KH***51~", "REF*5I*12~ QTY*KA*1150~ MEA*EE*PRQ*1150*KH***51~")
    found = read_one("867", changed(body, "BPT*00*U77001*20260704*DD", "BPT*05*U77001*20260704*DD***F**U76000"))
    usage_found = found.content
    assert (usage_found.is_estimated, usage_found.estimate_reason, usage_found.is_final) == (True, "12", True)
    assert found.sets[0].keys["refers_to"] == "U76000"
    assert (found.sets[0].keys["estimated"], found.sets[0].keys["final"]) == ("true", "true")


def test_subtractive_meters_are_deducted_and_ignored_ones_left_out() -> None:
    meters = (
        loop("PL", "700", more="REF*JH*A~", meter="A")
        + loop("PL", "150", more="REF*JH*S~", meter="B")
        + loop("PL", "999", more="REF*JH*I~", meter="C")
    )
    assert read_one("867", usage(loop("SU", "550") + meters)).codes == []
    assert read_one("867", usage(loop("SU", "850") + meters)).codes == ["SUM_CHECK"]
    other = SetOptions(additive="1", subtractive="2", ignored="3")
    renamed = meters.replace("JH*A", "JH*1").replace("JH*S", "JH*2").replace("JH*I", "JH*3")
    assert read_one("867", usage(loop("SU", "550") + renamed), other).codes == []


def test_a_meter_exchange_is_two_meters_with_a_multiplier_and_dials_each() -> None:
    old = "PTD*PL***MG*A~ DTM*150*20260603~ DTM*151*20260612~ DTM*514*20260612~ QTY*QD*300~"
    new = "PTD*PL***MG*B~ DTM*150*20260612~ DTM*151*20260702~ QTY*QD*850~"
    reads = ("MEA*AA*PRQ*300*KH*99990*00020*51~ MEA**MU*10~", "MEA*AA*PRQ*850*KH*000000*000850*51~")
    found = read_one("867", usage(f"{loop('SU', '1150')} {old} {reads[0]} {new} {reads[1]}"))
    assert (found.codes, [one.rows[0].rolled_over for one in found.content.loops]) == ([], [False, True, False])
    assert found.content.loops[1].exchanged_on == date(2026, 6, 12)


def test_times_of_use_of_the_summary_are_kept_by_unit() -> None:
    rows = "QTY*QD*1150~ MEA*AA*PRQ*1150*KH***51~ MEA*AA*PRQ*500*KH***41~ MEA*AA*PRQ*650*KH***42~"
    found = read_one("867", changed(USAGE, "QTY*QD*1150~ MEA*AA*PRQ*1150*KH***51~", rows))
    assert found.content.times_of_use == {"KH": {"41": Decimal(500), "42": Decimal(650)}}
    assert found.sets[0].quantities == {"KH": "1150"}


def test_demand_is_the_highest_and_never_added_up() -> None:
    def demand(kind: str, kw: str, meter: str = "") -> str:
        return loop(kind, "575", meter=meter) + f"QTY*QD*{kw}~ MEA*AA*PRQ*{kw}*K1***51~ "

    summary = loop("SU", "1150") + "QTY*QD*4.5~ MEA*AA*PRQ*4.5*K1***51~ "
    found = read_one("867", usage(summary + demand("PL", "3.1", "A") + demand("PL", "2.2", "B")))
    assert (found.codes, found.sets[0].quantities) == ([], {"KH": "1150", "K1": "4.5"})


def test_demand_of_two_summaries_is_the_higher() -> None:
    metered, unmetered = "QTY*QD*4.5~ MEA*AA*PRQ*4.5*K1***51~ ", "QTY*QD*0.3~ MEA*AA*PRQ*0.3*K1***51~ "
    loops = loop("SU", "500") + metered + loop("PL", "500", meter="A") + loop("BC", "88") + unmetered
    assert read_one("867", usage(loops)).sets[0].quantities == {"KH": "588", "K1": "4.5"}


@pytest.mark.parametrize(("moved", "codes"), [(14_500, []), (14_501, ["NEGATIVE", "SUM_CHECK"])])
def test_a_register_rolls_over_only_within_what_it_may_move_a_day(moved: int, codes: list[str]) -> None:
    """500 units a day, 29 days."""
    meter = f"PTD*PL***MG*A~ {DATES} QTY*QD*{moved}~ MEA*AA*PRQ*{moved}*KH*99000*{moved - 1_000:05}*51~ "
    assert read_one("867", usage(loop("SU", str(moved)) + meter)).codes == codes


def test_an_unmetered_summary_is_its_own_and_adds_to_a_metered_one() -> None:
    assert read_one("867", usage(loop("BC", "88"))).sets[0].quantities == {"KH": "88"}
    assert read_one("867", usage(loop("BC", "88") + loop("BD", "88"))).codes == []
    assert read_one("867", usage(loop("BC", "88") + loop("BD", "80"))).codes == ["SUM_CHECK"]
    both = read_one("867", usage(loop("SU", "500") + loop("PL", "500", meter="A") + loop("BC", "88")))
    assert (both.codes, both.sets[0].quantities) == ([], {"KH": "588"})


def test_new_york_has_no_time_of_use_in_an_unmetered_summary() -> None:
    york = SetOptions(no_time_of_use_when_unmetered=True)
    assert read_one("867", usage(loop("BC", "88")), york).codes == ["MEA07_UNUSED"]
    assert read_one("867", usage(loop("BC", "88").replace("***51", "")), york).codes == []


EASTERN = "REF*12*4455667788~ N1*8S*UTILITY*1*007909427~ N1*SJ*SUPPLIER*9*1234567890000~ N1*8R*A~"


def test_an_eastern_set_has_the_account_for_a_point_and_its_billed_summary_is_not_added() -> None:
    loops = loop("BB", "1150") + loop("SU", "1150") + loop("PM", "1150", meter="A")
    found = read_one("867", usage(loops, head=EASTERN + "DTM*649*20260710*1700~ REF*45*99~ REF*BLT*LDC~"))
    assert (found.codes, found.sets[0].quantities) == ([], {"KH": "1150"})
    assert found.sets[0].keys["point"] == "4455667788"
    assert (found.sets[0].keys["due"], found.content.references["45"]) == ("2026-07-10", "99")
    assert read_one("867", usage(loops.replace("1150", "1190", 2), head=EASTERN)).codes == ["BILLED_DIFFERS"]
    alone = usage(loop("BB", "1150") + loop("PM", "1150", meter="A"), head=EASTERN)
    assert read_one("867", alone).sets[0].quantities == {"KH": "1150"}


def test_a_share_of_the_account_is_kept() -> None:
    loops = loop("SU", "1150") + loop("PM", "1150", meter="A")
    assert read_one("867", usage(loops, head=EASTERN + "MEA**NP*40~")).content.share == Decimal(40)


def test_a_utility_that_must_explain_its_estimates_is_held_to_it() -> None:
    body = changed(USAGE, "QTY*QD*1150~ MEA*AA*PRQ*1150*KH***51~", "QTY*KA*1150~ MEA*EE*PRQ*1150*KH***51~")
    found = read_one("867", body, SetOptions(investor_owned=frozenset({"900000026"})))
    assert (found.verdict, found.codes) == ("hold", ["NO_ESTIMATE_REASON"])


def test_a_set_of_an_agreed_report_type_may_have_a_summary_only() -> None:
    body = usage(loop("SU", "1150"), head=EASTERN)
    assert read_one("867", body).codes == ["NO_DETAIL"]
    assert read_one("867", body, SetOptions(summary_only_types=frozenset({"DD"}))).codes == []


def test_a_cancel_is_not_held_for_its_amounts_and_has_no_due_date() -> None:
    body = changed(USAGE, "BPT*00*U77001*20260704*DD", "BPT*01*U77009*20260704*DD*****U77001")
    found = read_one("867", changed(body, "MEA**MU*10~", ""))
    assert (found.verdict, found.codes, found.sets[0].keys["refers_to"]) == ("accept", ["CANCEL_AMOUNTS"], "U77001")
    summary = usage(loop("SU", "1150") + "DTM*649*20260710~", "01", EASTERN, "*****U77001")
    assert read_one("867", summary).codes == ["DUE_ON_CANCEL"]
    assert read_one("867", changed(body, POINT, "12")).verdict == "hold"


def test_reads_of_an_867_04_are_stored_and_are_no_usage() -> None:
    body = f"BPT*SU*R1*20161028~ {HEAD} PTD*BJ***MG*134404448~ DTM*140*20161027~ QTY*QD***NV~ MEA****KH**0*51~"
    found = read_one("867", body)
    (read_loop,) = found.content.loops
    assert (found.verdict, found.codes, found.sets[0].quantities, found.content.kind) == ("accept", [], {}, "reads")
    assert (read_loop.read_on, read_loop.meter) == (date(2016, 10, 27), "134404448")
    assert (read_loop.rows[0].end_read, read_loop.rows[0].unit) == ("0", "KH")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 99_999), st.integers(0, 20_000), st.sampled_from([1, 2, 10, 40])),
        min_size=1,
        max_size=5,
    ),
    st.integers(-50, 50),
)
def test_the_usage_is_the_sum_of_its_meters_whatever_their_dials_show(
    meters: list[tuple[int, int, int]], off: int
) -> None:
    """Registers roll over; the summary may be one unit off and no more."""
    loops, total = "", 0
    for number, (begin, units, multiplier) in enumerate(meters):
        moved = min(units, 99_999 - begin) if begin < 90_000 else units % 14_500
        quantity, end = moved * multiplier, (begin + moved) % 100_000
        total += quantity
        loops += f"PTD*PL***MG*M{number}~ {DATES} QTY*QD*{quantity}~ "
        loops += f"MEA*AA*PRQ*{quantity}*KH*{begin:05}*{end:05}*51~ MEA**MU*{multiplier}~ "
    found = read_one("867", usage(loop("SU", str(total + off)) + loops))
    assert found.codes == ([] if abs(off) <= 1 else ["SUM_CHECK"])
    assert found.sets[0].quantities == {"KH": str(total + off)}
