"""810: every charge in whole cents, the total to the cent; each rule with a set that keeps it and one that does not."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.metering.import_engine.x12_sets.options import SetOptions
from billing_assets_tests.unit.metering.x12_sets.written import CHARGES, HEAD, POINT, changed, read_one

REFUSED = [
    ("*BAS001*450~", "*BAS001*4.50~", "R-NUMBER"),  # never 4.50 or 450 by guess
    ("*BAS001*450~", "*BAS001*-450~", "R-NUMBER"),
    ("TDS*4321~", "TDS*43.21~", "R-NUMBER"),
    ("TDS*4321~", "", "R-SEGMENT-MISSING"),
    ("TDS*4321~", "TDS*4321~ TDS*4321~", "R-SEGMENT-TWICE"),
    ("**ME*00~", "**ME*02~", "R-CODE"),
    ("**ME*00~", "**ME~", "R-ELEMENT-MISSING"),
    ("**ME*00~", "**QQ*00~", "R-CODE"),
    ("SAC*C**EU*BAS001", "SAC*D**EU*BAS001", "R-CODE"),
    ("BIG*20260705*", "BIG*20260735*", "R-DATE"),
    ("*I88001*", "**", "R-ELEMENT-MISSING"),
    ("*20260725~", "*2026~", "R-DATE"),
    ("CTT*1~", "CTT*x~", "R-NUMBER"),
]


@pytest.mark.parametrize(("old", "new", "code"), REFUSED)
def test_charges_of_broken_form_are_refused(old: str, new: str, code: str) -> None:
    found = read_one("810", changed(CHARGES, old, new))
    assert (found.verdict, found.codes, found.sets[0].total) == ("refuse", [code], None)


HELD = [
    ("TDS*4321~", "TDS*4320~", "CHARGES_NOT_TOTAL"),
    ("TDS*4321~", "TDS*4322~", "CHARGES_NOT_TOTAL"),
    ("SAC*C**EU*BAS001*450~", "SAC*A**EU*BAS001*450~", "CHARGES_NOT_TOTAL"),
    ("SAC*C**EU*BAS001*450~", "SAC*C**EU*BAS001~", "NO_AMOUNT"),
    ("CTT*1~", "CTT*2~", "LINE_COUNT"),
    (f"REF*Q5**{POINT}~", "", "NO_POINT"),
    ("N1*8S*WIRES CO*1*900000026~", "", "NO_PARTY"),
    ("DTM*151*20260702~", "DTM*151*20260603~", "BAD_PERIOD"),
    ("DTM*151*20260702~", "DTM*151*20260601~", "BAD_PERIOD"),
]


@pytest.mark.parametrize(("old", "new", "code"), HELD)
def test_charges_of_good_form_whose_content_conflicts_are_held(old: str, new: str, code: str) -> None:
    found = read_one("810", changed(CHARGES, old, new))
    assert (found.verdict, found.codes[0], found.report.acknowledgement) == ("hold", code, "A")


WARNED = [
    ("*BAS001*450~", "*Q1*450~", "UNKNOWN_CHARGE"),
    ("*20260725~", "~", "NO_DUE_DATE"),
    ("***U77001**ME*00~", "*****ME*00~", "NO_REFERENCE"),
    ("**ME*00~", "**ME*05~", "NO_REFERENCE"),
    ("*C3*METER~", "*C3*HOUSE~", "UNKNOWN_LOOP"),
]


@pytest.mark.parametrize(("old", "new", "code"), WARNED)
def test_charges_that_are_only_odd_are_kept_and_said(old: str, new: str, code: str) -> None:
    found = read_one("810", changed(CHARGES, old, new))
    assert (found.verdict, found.codes, found.sets[0].total) == ("accept", [code], "43.21")


GOOD = [
    ("SAC*C**EU*BAS001*450~", "SAC*C**EU*BAS001*500~ SAC*A**EU*MSC049*50~"),
    ("SAC*C**EU*BAS001*450~", "SAC*C**EU*BAS001*450~ SAC*N**EU*MSC038*999~"),
    ("SAC*C**EU*BAS001*450~", "SAC*C**EU*BAS001*450~ SAC*N**EU*MSC038~"),
    ("SAC*C**EU*BAS001*450~", "SAC*C**EU*BAS001*400~ TXI*ST*.50~"),
    ("SAC*C**EU*BAS001*450~", "SAC*C**EU*BAS001*400~ TXI*ST*0.5*****A~"),
    ("SAC*C**EU*BAS001*450~", "SAC*C**EU*BAS001*450~ TXI*ST*0.5*****O~"),
    ("SAC*C**EU*BAS001*450~", "SAC*C**EU*BAS001*500~ TXI*ST*0.5*****D~"),
    ("SLN*2**A~", ""),  # how charges are grouped does not matter
    ("**ME*00~", "**FB*00~"),
    ("***U77001**ME*00~", "*****26*00~"),  # miscellaneous charges need no usage
    ("**ME*00~", "**ME*05~ REF*OI*I87000~"),
    ("CTT*1~", ""),
    ("TDS*4321~", "IT1*2*****SV*ELECTRIC*C3*ACCOUNT~ DTM*150*20260603~ DTM*151*20260702~ TDS*4321~"),
]


@pytest.mark.parametrize(("old", "new"), GOOD)
def test_charges_may_be_written_in_all_the_ways_of_the_guides(old: str, new: str) -> None:
    body = changed(CHARGES, old, new)
    if "IT1*2" in body:
        body = changed(body, "CTT*1~", "CTT*2~")
    found = read_one("810", body)
    assert (found.verdict, found.codes, found.sets[0].total) == ("accept", [], "43.21")


def test_a_credit_has_allowances_and_a_total_with_a_sign() -> None:
    body = changed(changed(CHARGES, "SAC*C**EU*DIS001*3871~", "SAC*A**EU*DIS001*3871~"), "TDS*4321~", "TDS*-3421~")
    assert (read_one("810", body).codes, read_one("810", body).sets[0].total) == ([], "-34.21")
    assert read_one("810", body, SetOptions(signed_total=False)).codes == ["R-NUMBER"]


def test_the_matrix_of_charge_codes_is_a_setting() -> None:
    matrix = SetOptions(charge_codes=frozenset({"BAS001", "Q1"}))
    assert read_one("810", CHARGES, matrix).codes == ["UNKNOWN_CHARGE"]
    assert read_one("810", changed(CHARGES, "DIS001", "Q1"), matrix).codes == []


def test_the_usage_may_be_named_in_big06() -> None:
    body = changed(CHARGES, "***U77001**ME", "***OTHER*U77001*ME")
    assert read_one("810", body).sets[0].keys["cross_reference"] == "OTHER"
    assert read_one("810", body, SetOptions(cross_reference="BIG06")).sets[0].keys["cross_reference"] == "U77001"


def test_a_cancel_names_its_invoice_and_is_not_held_for_its_amounts() -> None:
    body = changed(changed(CHARGES, "**ME*00~", "**ME*01~ REF*OI*I88000~"), "TDS*4321~", "TDS*4000~")
    found = read_one("810", body)
    assert (found.verdict, found.codes) == ("accept", ["CANCEL_AMOUNTS"])
    assert (found.sets[0].keys["refers_to"], found.sets[0].keys["purpose"]) == ("I88000", "01")


def test_miscellaneous_charges_may_be_of_one_day() -> None:
    body = changed(CHARGES, "DTM*151*20260702~", "DTM*151*20260603~")
    assert read_one("810", body).codes == ["BAD_PERIOD"]
    assert read_one("810", changed(body, "**ME*00~", "**26*00~")).codes == []


def test_a_line_has_rate_quantity_text_and_the_period_of_its_loop() -> None:
    line = "SAC*C**EU*DIS001*3871***0.0336*KH*1152.08*****DISTRIBUTION~"
    body = changed(CHARGES, "SAC*C**EU*DIS001*3871~", line)
    second = "IT1*2*****SV*ELECTRIC*C3*RATE~ DTM*150*20260610~ DTM*151*20260705~ SAC*N**EU*MSC038~ TDS*4321~ CTT*2~"
    found = read_one("810", changed(body, "TDS*4321~ CTT*1~", second))
    first, other, last = found.content.lines
    assert (other.rate, other.unit, other.quantity, other.text) == (
        Decimal("0.0336"),
        "KH",
        Decimal("1152.08"),
        "DISTRIBUTION",
    )
    assert (first.start, first.end) == (date(2026, 6, 3), date(2026, 7, 2))
    assert (last.start, last.end, last.level, last.amount) == (date(2026, 6, 10), date(2026, 7, 5), "RATE", None)
    assert (found.content.start, found.content.end) == (date(2026, 6, 3), date(2026, 7, 5))


def test_an_eastern_invoice_has_balances_notes_and_accounts() -> None:
    head = "REF*12*4455667788~ REF*11*ACC9~ REF*BLT*LDC~ REF*PC*LDC~ N1*8S*UTILITY*1*007909427~ N1*SJ*S*9*12345~"
    body = changed(
        changed(CHARGES, HEAD, f"NTE*ADD*SEE BACK~ {head}"), "IT1*1", "BAL*P*YB*100.25~ BAL*M*YB*143.46~ IT1*1"
    )
    found = read_one("810", body)
    assert (found.codes, found.sets[0].keys["point"]) == ([], "4455667788")
    assert found.content.balances == {"P YB": Decimal("100.25"), "M YB": Decimal("143.46")}
    assert (found.content.notes, found.content.references["BLT"]) == (["SEE BACK"], "LDC")


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("CCCAN"), st.integers(0, 10**9)), min_size=1, max_size=20),
    st.sampled_from([0, 0, 1, -1, 100]),
)
def test_charges_less_allowances_are_the_total_to_the_cent(lines: list[tuple[str, int]], off: int) -> None:
    total = sum(cents * {"C": 1, "A": -1, "N": 0}[kind] for kind, cents in lines) + off
    sacs = " ".join(f"SAC*{kind}**EU*MSC038*{cents}~" for kind, cents in lines)
    body = CHARGES[: CHARGES.index("SLN*1")] + f"{sacs} TDS*{total}~ CTT*1~"
    found = read_one("810", body)
    assert found.codes == ([] if off == 0 else ["CHARGES_NOT_TOTAL"])
    assert found.sets[0].total == f"{Decimal(total) / 100:.2f}"
