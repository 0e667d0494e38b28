"""814 and 820: parsed, stored and shown, and the total of a payment checked."""

import os
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from billing_assets_tests.unit.metering.x12_sets.written import (
    HEAD,
    POINT,
    Read,
    a_group,
    an_interchange,
    changed,
    read,
    read_one,
)

ENROLMENT = f"""BGN*13*2016091609334602*20160916~ {HEAD} N1*8R*NO NAME~ LIN*2*SH*EL*SH*CE~ ASI*7*021~
REF*11*0977777777~ DTM*150*20161001~"""
PAYMENT = (
    "BPR*I*43.21*C*CHK************20260801*VEN~ TRN*3*4529952~ ENT*1~ RMR*IV*I88001*PO*50.00~ ADX*-6.79*59*CM*I88001~"
)


def test_an_enrolment_tells_which_point_is_asked_for_and_from_when() -> None:
    found = read_one("814", ENROLMENT)
    keys = found.sets[0].keys
    assert (found.verdict, found.codes) == ("accept", [])
    assert (keys["point"], keys["id"], keys["purpose"], keys["start"]) == (
        POINT,
        "2016091609334602",
        "13",
        "2016-10-01",
    )
    (action,) = found.content.actions
    assert (action.services, action.action, action.maintenance) == (("EL", "CE"), "7", "021")
    assert (action.starts_on, action.references["11"]) == (date(2016, 10, 1), "0977777777")


@pytest.mark.parametrize(
    ("old", "new", "verdict", "codes"),
    [
        ("BGN*13*", "BGN*11*", "accept", ["NO_REFERENCE"]),
        ("*20160916~", "*20160916***R1~", "accept", []),
        ("ASI*7*021~", "ASI*WQ*025~", "accept", []),
        ("ASI*7*021~", "ASI*7*999~", "accept", ["UNKNOWN_ACTION"]),
        ("ASI*7*021~", "ASI*7~", "refuse", ["R-ELEMENT-MISSING"]),
        ("BGN*13*", "BGN*99*", "refuse", ["R-CODE"]),
        ("LIN*2*SH*EL*SH*CE~", "", "refuse", ["R-SEGMENT-MISSING"]),
        (f"REF*Q5**{POINT}~", "", "hold", ["NO_POINT"]),
        (f"REF*Q5**{POINT}~", "REF*12*4455~", "accept", []),
    ],
)
def test_every_rule_of_an_enrolment(old: str, new: str, verdict: str, codes: list[str]) -> None:
    found = read_one("814", changed(ENROLMENT, old, new))
    assert (found.verdict, found.codes) == (verdict, codes)


@pytest.mark.parametrize(
    ("old", "new", "verdict", "codes"),
    [
        ("BPR*I*43.21*", "BPR*I*43.22*", "hold", ["REMITTANCE_NOT_TOTAL"]),
        ("ADX*-6.79*", "ADX*6.79*", "hold", ["REMITTANCE_NOT_TOTAL"]),
        ("*PO*50.00~", "*PO~", "hold", ["NO_AMOUNT", "REMITTANCE_NOT_TOTAL"]),
        ("*PO*50.00~", "*PO*40.00~ RMR*IV*I88002*PO*10~", "accept", []),
        ("ENT*1~ RMR*IV*I88001*PO*50.00~ ADX", "RMR*IV*I88001*PO*50.00~ ENT*1~ ADX", "accept", []),
        ("*PO*50.00~", "*PO*43.21*50.00~", "accept", []),  # net of its adjustment: 50.00 - 6.79
        ("*PO*50.00~", "*PO*43.21*51.00*1.00~", "accept", []),
        ("*PO*50.00~", "*PO*50.00*56.79~ ENT*2~", "accept", []),  # the adjustment is that of no payment
        ("*PO*50.00~", "*PO*50.00*56.79~", "hold", ["REMITTANCE_NOT_TOTAL"]),  # it is in the payment
        ("*PO*50.00~", "*PO*43.21*51.00~", "hold", ["REMITTANCE_NOT_TOTAL"]),
        ("BPR*I*43.21*", "BPR*I*43,21*", "refuse", ["R-NUMBER"]),
        ("ADX*-6.79*", "ADX**", "refuse", ["R-ELEMENT-MISSING"]),
    ],
)
def test_payments_and_adjustments_are_the_total_paid(old: str, new: str, verdict: str, codes: list[str]) -> None:
    found = read_one("820", changed(PAYMENT, old, new))
    assert (found.verdict, found.codes) == (verdict, codes)


def test_a_payment_names_its_invoices() -> None:
    found = read_one("820", PAYMENT)
    (payment,) = found.content.payments
    assert (payment.invoice, payment.paid, payment.adjustments[0].amount) == (
        "I88001",
        Decimal("50.00"),
        Decimal("-6.79"),
    )
    assert (found.sets[0].keys, found.sets[0].total) == ({"id": "4529952", "paid": "2026-08-01"}, "43.21")


SHARED = os.environ.get("BILLING_TEST_SHARED_DATA")


def shared(name: str) -> Read:
    return read(Path(SHARED or "", "x12", name).read_bytes())


@pytest.mark.skipif(not SHARED, reason="BILLING_TEST_SHARED_DATA names no folder with messages that cannot ship")
def test_messages_of_the_market_s_own_tests_are_read() -> None:
    reads, enrolment, answer = (
        shared(f"tx-set/flight-{name}.edi") for name in ("867_04-initial-read", "814-enrollment-request", "997-a")
    )
    assert [found.verdict for found in (reads, enrolment, answer)] == ["accept"] * 3
    assert (reads.content.kind, reads.sets[0].keys["point"]) == ("reads", "10032789419418520")
    assert enrolment.sets[0].keys["point"] == "0977777777"
    assert answer.sets[0].keys == {"group_type": "GE", "group": "25", "acknowledgement": "A"}
    paid = shared("edi.net/x12.820.issue140.edi")
    assert (paid.verdict, paid.codes, paid.sets[0].total, len(paid.content.payments)) == ("accept", [], "21298.97", 7)


def test_a_set_of_another_trade_is_kept_and_has_no_effect() -> None:
    order = "ST*850*0001~BEG*00*SA*A1~SE*3*0001~"
    found = read(an_interchange(a_group("PO", [order])))
    assert (found.verdict, found.codes, found.content, found.sets[0].text) == ("accept", ["UNKNOWN_SET"], None, order)
