"""400-449: spec §6.1 and §6.2, 810 charges."""

from __future__ import annotations

from dataclasses import replace

from billing_assets_tests.data.x12_corpus.expecting import c, case, held_c, merged, not_accepted
from billing_assets_tests.data.x12_corpus.x12_text import END, START, Set, bills, charge, charges, item, period, seg

BASE, DIST = charge("BAS001", "450"), charge("DIS001", "3871")


def add() -> None:
    header()
    sums()
    layout()
    eastern()


def header() -> None:
    row = "§6.1 row BIG: "
    case(400, "charges-monthly", row + "type ME, purpose 00.", bills(charges()), sets=[c()])
    case(
        401,
        "charges-final",
        row + "type FB is the final bill.",
        bills(charges(kind="FB")),
        sets=[c(keys={"final": True})],
    )
    case(
        402,
        "charges-miscellaneous",
        row + "type 26 needs no 867 and names none.",
        bills(charges(kind="26", cross="")),
        sets=[c(keys={"cross_reference": None})],
    )
    case(
        403,
        "charges-cancel",
        row + "08 is 01, REF*OI names the original.",
        bills(charges("I88002", purpose="01", original="I88001")),
        sets=[c(keys={"id": "I88002", "purpose": "01", "refers_to": "I88001"}, total=None)],
    )
    case(
        404,
        "charges-replace",
        row + "08 is 05, REF*OI names the original.",
        bills(charges("I88003", purpose="05", original="I88001", cross="U77003")),
        sets=[c(keys={"id": "I88003", "purpose": "05", "refers_to": "I88001", "cross_reference": "U77003"})],
    )
    case(
        405,
        "charges-without-cross-reference",
        "§7, pair key 2: an 810 may name no usage.",
        bills(charges(cross="")),
        sets=[c(keys={"cross_reference": None})],
    )
    case(
        406,
        "charges-period-of-zero-days",
        "§7: zero days is BAD_PERIOD.",
        bills(charges(end=START)),
        sets=[held_c("BAD_PERIOD", keys={"end": "2026-06-03"})],
        advice="A13",
    )
    case(
        407,
        "charges-period-backwards",
        "§7: a start after the end is BAD_PERIOD.",
        bills(charges(start=END, end=START)),
        sets=[held_c("BAD_PERIOD", keys={"start": "2026-07-02", "end": "2026-06-03"})],
    )

    moved = charges()
    moved = replace(moved, body=[line.replace("***U77001**ME", "****U77001*ME") for line in moved.body])
    case(
        408,
        "cross-reference-in-big06",
        row + "the cross reference is in BIG05 or, by setting, in BIG06.",
        bills(moved),
        sets=[c()],
        given={"cross_reference": "BIG06"},
    )


def sums() -> None:
    row = "§6.1 row TDS: "
    case(
        410,
        "total-one-cent-high",
        row + "4322 against 4321.",
        bills(charges(total="4322")),
        sets=[held_c("CHARGES_NOT_TOTAL", total="43.22")],
        advice="A13",
    )
    case(
        411,
        "total-one-cent-low",
        row + "4320 against 4321.",
        bills(charges(total="4320")),
        sets=[held_c("CHARGES_NOT_TOTAL", total="43.20")],
    )
    four = [
        item(charge("MSC038", "35996"), charge("MSC049", "600"), charge("MSC050", "1000"), charge("TAX001", "3596"))
    ]
    case(
        412,
        "total-of-the-spec",
        row + "35996 + 600 + 1000 + 3596 = 41192.",
        bills(charges(items=four, total="41192")),
        sets=[c(total="411.92")],
    )
    less = [item(BASE, DIST, charge("CRE001", "321", "A"))]
    case(
        413,
        "allowance",
        row + "an allowance is subtracted: 4321 - 321.",
        bills(charges(items=less, total="4000")),
        sets=[c(total="40.00")],
    )
    case(
        414,
        "allowance-added",
        row + "an allowance was added.",
        bills(charges(items=less, total="4642")),
        sets=[held_c("CHARGES_NOT_TOTAL", total="46.42")],
    )
    case(
        415,
        "allowance-forgotten",
        row + "an allowance was left out of the total.",
        bills(charges(items=less, total="4321")),
        sets=[held_c("CHARGES_NOT_TOTAL", total="43.21")],
    )
    note = [item(BASE, DIST, charge("INF001", "9999", "N"))]
    case(416, "information-line", row + "SAC01 N is information only.", bills(charges(items=note)), sets=[c()])
    case(
        417,
        "information-line-counted",
        row + "an information line was counted.",
        bills(charges(items=note, total="14320")),
        sets=[held_c("CHARGES_NOT_TOTAL", total="143.20")],
    )
    even = [item(BASE, charge("CRE001", "450", "A"))]
    case(
        418,
        "total-of-zero",
        row + "a charge and an allowance of 450 make 0, which is a total.",
        bills(charges(items=even, total="0")),
        sets=[c(total="0.00")],
    )
    case(
        419,
        "total-in-whole-units",
        "§6.1 row SAC05: cents with two implied decimals; a total of 43 for 4321 cents is wrong by hundreds.",
        bills(charges(total="43")),
        sets=[held_c("CHARGES_NOT_TOTAL", total="0.43")],
    )
    big = [item(charge("DIS001", "123456789012"), charge("BAS001", "1"))]
    case(
        420,
        "total-of-a-billion",
        row + "cents are exact at any size.",
        bills(charges(items=big, total="123456789013")),
        sets=[c(total="1234567890.13")],
    )
    pair = [item(BASE, DIST), item(charge("RAT001", "1000"), number=2, role="RATE")]
    case(
        421,
        "total-leaves-out-second-item",
        row + "the total is over all IT1 loops.",
        bills(charges(items=pair, total="4321")),
        sets=[held_c("CHARGES_NOT_TOTAL", total="43.21")],
    )


def layout() -> None:
    row = "§6.1 row IT1: "
    for number, role in ((425, "ACCOUNT"), (426, "RATE"), (427, "UNMET")):
        case(
            number,
            f"item-{role.lower()}",
            row + f"IT109 is {role}.",
            bills(charges(items=[item(BASE, DIST, role=role)])),
            sets=[c()],
        )
    pair = [item(BASE, DIST), item(charge("RAT001", "1000"), number=2, role="RATE")]
    case(
        428,
        "two-items",
        "§6.1 row CTT: CTT01 is the number of IT1, here 2.",
        bills(charges(items=pair, total="5321")),
        sets=[c(total="53.21")],
    )
    not_accepted(
        429,
        "ctt-wrong",
        "§6.1 row CTT: CTT01 says 1, there are 2 IT1.",
        bills(charges(items=pair, total="5321", count="1")),
    )
    row = "§6.1 row SLN, SAC: "
    one_group = [["IT1*1*****SV*ELECTRIC*C3*METER", *period(), "SLN*1**A", BASE, DIST]]
    case(
        430, "one-sln-for-all", row + "the grouping under SLN is ignored.", bills(charges(items=one_group)), sets=[c()]
    )
    bare = [["IT1*1*****SV*ELECTRIC*C3*METER", *period(), BASE, DIST]]
    case(431, "no-sln", row + "SACs are read without SLN, too.", bills(charges(items=bare)), sets=[c()])
    case(
        432,
        "unknown-charge-code",
        row + "an unknown code is a warning, the set passes.",
        bills(charges(items=[item(BASE, charge("QQQ999", "3871"))])),
        sets=[c()],
    )
    full = seg("SAC", "C", "", "EU", "DIS001", "3871", "", "", "0.033661", "KH", "1150", "", "", "", "", "DISTRIBUTION")
    case(
        433,
        "charge-with-rate-and-text",
        row + "08 rate, 09 unit, 10 quantity, 15 text; 05 counts.",
        bills(charges(items=[item(BASE, full)])),
        sets=[c()],
    )
    twice = [item(BASE, charge("DIS001", "2000"), charge("DIS001", "1871"))]
    case(434, "one-code-twice", row + "two charges of one code both count.", bills(charges(items=twice)), sets=[c()])


def ldc(*lines: str, total: str, balances: tuple[str, ...] = (), count: str = "1", bid: str = "L66001") -> Set:
    return Set(
        "810",
        [
            f"BIG*20260705*{bid}***M55001**ME*00",
            "NTE*ADD*A NOTE",
            "REF*11*5500042",
            "REF*12*0900000042",
            "REF*45*0811111111",
            "REF*BLT*LDC",
            "REF*PC*DUAL",
            "N1*8S*WIRES EAST*1*900000026",
            "N1*SJ*RETAIL CO*9*829000001",
            "N1*8R*A CUSTOMER",
            "ITD*01*3****20260725",
            *balances,
            *lines,
            f"TDS*{total}",
            f"CTT*{count}",
        ],
    )


def eastern() -> None:
    row = "§6.2: "
    expected = merged(c(), {"keys": {"point": "0900000042", "id": "L66001", "cross_reference": None}})
    plain = ["IT1*1*****SV*ELECTRIC*C3*ACCOUNT", *period(), "SLN*1**A", BASE, DIST]
    case(
        440,
        "eastern-charges",
        row + "the account of REF*12 is the key.",
        bills(ldc(*plain, total="4321")),
        sets=[expected],
    )
    kept = ("BAL*P*YB*120.50", "BAL*M*J9*20.50", "BAL*M*YB*63.71")
    case(
        441,
        "eastern-balances",
        row + "BAL balances are no part of the total of this bill.",
        bills(ldc(*plain, total="4321", balances=kept)),
        sets=[expected],
    )
    taxed = [plain[0], "TXI*LS*1.50", *plain[1:]]
    case(
        442,
        "eastern-tax",
        row + "TXI is a tax; TDS is charges and taxes, 4321 + 150.",
        bills(ldc(*taxed, total="4471")),
        sets=[merged(expected, {"total": "44.71"})],
    )
    case(
        443,
        "eastern-tax-forgotten",
        row + "the tax of TXI was left out of TDS.",
        bills(ldc(*taxed, total="4321")),
        sets=[merged(expected, {"verdict": "hold", "codes": ["CHARGES_NOT_TOTAL"], "total": "43.21"})],
    )
    case(
        444,
        "eastern-total-off",
        row + "TDS is off by 100 cents.",
        bills(ldc(*plain, total="4421")),
        sets=[merged(expected, {"verdict": "hold", "codes": ["CHARGES_NOT_TOTAL"], "total": "44.21"})],
    )
    two = [
        *plain,
        "IT1*2*****SV*ELECTRIC*C3*RATE",
        *period(),
        "SLN*1**A",
        charge("SUP001", "10000"),
        charge("CRE001", "321", "A"),
    ]
    case(
        445,
        "eastern-account-and-rate",
        row + "IT1 ACCOUNT and IT1 RATE, 4321 + 10000 - 321.",
        bills(ldc(*two, total="14000", count="2")),
        sets=[merged(expected, {"total": "140.00"})],
    )
