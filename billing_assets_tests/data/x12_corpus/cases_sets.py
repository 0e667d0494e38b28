"""450-499: spec §6.4, 814 and 820: parsed, stored, shown."""

from __future__ import annotations

from dataclasses import replace

from billing_assets_tests.data.x12_corpus.cases_answers import ROW, without
from billing_assets_tests.data.x12_corpus.expecting import case, rejected
from billing_assets_tests.data.x12_corpus.x12_text import POINT, Group, Set, bills, charges, pt, seg, usage


def enrolment(
    purpose: str = "13",
    action: str = "7",
    kind: str = "021",
    refs: tuple[str, ...] = ("REF*12*0900000042",),
    bid: str = "E33001",
    original: str = "",
) -> Set:
    return Set(
        "814",
        [
            seg("BGN", purpose, bid, "20260701", "", "", original),
            "N1*8S*WIRES CO*1*900000026",
            "N1*SJ*RETAIL CO*9*8290000010000",
            "N1*8R*A CUSTOMER",
            "LIN*1*SH*EL*SH*CE",
            f"ASI*{action}*{kind}",
            "REF*11*5500042",
            *refs,
            "REF*BLT*LDC",
            "REF*PC*DUAL",
            "DTM*150*20260715",
        ],
    )


def payment(total: str, remittances: list[tuple[str, str]], adjustments: tuple[str, ...] = ()) -> Set:
    lines = [f"RMR*IV*{number}*PO*{amount}" for number, amount in remittances]
    return Set(
        "820",
        [
            f"BPR*C*{total}*C*ACH************20260725",
            "TRN*1*P44001",
            "N1*PE*WIRES CO*1*900000026",
            "N1*PR*RETAIL CO*9*8290000010000",
            "ENT*1",
            *lines,
            *adjustments,
        ],
    )


def ge(*sets: Set) -> Group:
    return Group("GE", list(sets), "4714")


def ra(*sets: Set) -> Group:
    return Group("RA", list(sets), "4715")


def add() -> None:
    row = "§6.4, 814: "
    base = {"type": "814", "control": "0001", "verdict": "accept", "codes": []}
    for number, name, one, words, keys in (
        (
            450,
            "814-request",
            enrolment(),
            "BGN*13 is a request; REF*12 is the account",
            {"id": "E33001", "point": "0900000042"},
        ),
        (
            451,
            "814-response",
            enrolment("11", "WQ", bid="E33002", original="E33001"),
            "BGN*11 is a response, ASI*WQ accepts",
            {"id": "E33002", "point": "0900000042"},
        ),
        (452, "814-reinstatement", enrolment(kind="025"), "maintenance type 025", {"id": "E33001"}),
        (
            453,
            "814-with-esi",
            enrolment(refs=(f"REF*Q5**{POINT}",)),
            "a Texas point in REF*Q5",
            {"id": "E33001", "point": POINT},
        ),
    ):
        case(number, name, row + words + ".", ge(one), sets=[base | {"keys": keys}])
    rejected(454, "814-no-bgn", ROW + "mandatory segments: an 814 without BGN.", ge(without(enrolment(), "BGN")), "5")
    rejected(455, "814-se01-wrong", ROW + "SE01 of an 814 is wrong.", ge(replace(enrolment(), se01="5")), "4")
    row = "§6.4, 820: the sum over RMR is BPR02, amounts with decimals; "
    base = {"type": "820", "control": "0001", "verdict": "accept", "codes": []}
    first = [("I88001", "43.21")]
    case(460, "820-one-invoice", row + "43.21.", ra(payment("43.21", first)), sets=[base | {"total": "43.21"}])
    case(
        461,
        "820-three-invoices",
        row + "43.21 + 100 + 0.5 = 143.71.",
        ra(payment("143.71", [*first, ("I88002", "100"), ("I88003", "0.5")])),
        sets=[base | {"total": "143.71"}],
    )
    case(
        462,
        "820-sum-off",
        row + "43.21 against 43.22; by §4 point 9 sums are held first.",
        ra(payment("43.22", first)),
        sets=[{"type": "820", "control": "0001", "verdict": "hold", "total": "43.22"}],
    )
    case(
        463,
        "820-cents-for-units",
        row + "4321 is 4321.00, not 43.21.",
        ra(payment("4321", [("I88001", "4321")])),
        sets=[base | {"total": "4321.00"}],
    )
    rejected(
        464, "820-amount-not-a-number", "§4 table, row 8: BPR02 is a decimal number.", ra(payment("43,21", first)), "5"
    )
    rejected(
        465,
        "820-no-bpr",
        ROW + "mandatory segments: an 820 without BPR.",
        ra(without(payment("43.21", first), "BPR")),
        "5",
    )
    groups = (ge(enrolment()), pt(usage()), bills(charges()), ra(payment("43.21", first)))
    kinds = ("814", "867", "810", "820")
    case(
        470,
        "four-groups",
        "§4 point 6: each group received has its own 997.",
        *groups,
        sets=[{"type": kind, "control": "0001", "verdict": "accept"} for kind in kinds],
    )
