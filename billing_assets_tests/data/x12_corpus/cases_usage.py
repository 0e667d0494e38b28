"""200-299: spec §5.1, Texas 867_03 with registers."""

from __future__ import annotations

from billing_assets_tests.data.x12_corpus.expecting import case, held_u, not_accepted, u
from billing_assets_tests.data.x12_corpus.x12_text import (
    END,
    OTHER_POINT,
    START,
    loop,
    meter,
    pt,
    quantity,
    seg,
    summary,
    usage,
)


def add() -> None:
    header()
    estimates()
    loops()
    sums()
    registers()
    times_of_use()


def header() -> None:
    row = "§5.1 row BPT: "
    case(
        200,
        "purpose-cancel",
        row + "01 cancels the usage named in BPT09.",
        pt(usage("U77002", purpose="01", refers="U77001")),
        sets=[u(keys={"id": "U77002", "purpose": "01", "refers_to": "U77001"}, quantities=None)],
    )
    case(
        201,
        "purpose-replace",
        row + "05 replaces the usage named in BPT09.",
        pt(usage("U77003", purpose="05", refers="U77001")),
        sets=[u(keys={"id": "U77003", "purpose": "05", "refers_to": "U77001"})],
    )
    case(202, "final-usage", row + "BPT07 F is the final usage.", pt(usage(final="F")), sets=[u(keys={"final": True})])
    case(
        203,
        "report-type-c1",
        row + "BPT04 is the report type, here C1.",
        pt(usage(report="C1")),
        sets=[u(keys={"report_type": "C1"})],
    )
    long = "U" + "7" * 29
    case(
        204, "id-of-30-characters", row + "BPT02 has up to 30 characters.", pt(usage(long)), sets=[u(keys={"id": long})]
    )
    row = "§5.1 row REF*Q5: "
    for number, digits in ((206, "10032780000000042"), (207, "1003278000000004200000")):
        case(
            number,
            f"esi-of-{len(digits)}-digits",
            row + "17 to 22 digits.",
            pt(usage(point=digits)),
            sets=[u(keys={"point": digits})],
        )
    for number, digits in ((208, "1003278000000004"), (209, "10032780000000042000000"), (210, "1003278000000O042")):
        not_accepted(number, f"esi-{digits.lower()}", row + "17 to 22 digits; this is none.", pt(usage(point=digits)))
    case(
        211,
        "esi-with-leading-zeros",
        row + "an ESI is text, zeros in front stay.",
        pt(usage(point="00032780000000042")),
        sets=[u(keys={"point": "00032780000000042"})],
    )
    not_accepted(
        212, "two-esis-in-one-set", "§4 point 3: one ESI ID per ST to SE.", pt(usage(refs=(f"REF*Q5**{OTHER_POINT}",)))
    )

    case(
        213,
        "profile",
        "§5.1 row REF in PTD: LO is the load profile.",
        pt(usage(loops=[summary(), meter(more=("REF*LO*RESLOWR",))])),
        sets=[u()],
    )


def estimates() -> None:
    row = "§5.1 row REF*5I: "
    given = {"investor_owned": ["900000026"]}
    guess = [summary(flag="KA", measure="EE"), meter(flag="KA", measure="EE")]
    case(
        215,
        "estimate-with-reason",
        row + "the summary is KA and the reason is there.",
        pt(usage(loops=guess, refs=("REF*5I*NA",))),
        sets=[u()],
        given=given,
    )
    not_accepted(
        216,
        "estimate-without-reason",
        row + "required from an investor-owned TDSP when the summary is KA.",
        pt(usage(loops=guess)),
        given=given,
    )
    mixed = [
        summary(),
        loop(
            "PL", quantity("1150", flag="KA", measure="AE", reads=("99950", "00065"), multiplier="10"), serial="A1234"
        ),
    ]
    case(
        217,
        "estimated-meter-actual-summary",
        row + "only the summary's KA asks for a reason.",
        pt(usage(loops=mixed)),
        sets=[u()],
        given=given,
    )


def loops() -> None:
    row = "§5.1 row PTD and rules: "
    case(
        220,
        "two-meters",
        row + "usage is the summary once; two meters of 600 and 550 make 1150.",
        pt(
            usage(loops=[summary(), meter("600", ("00100", "00160")), meter("550", ("00200", "00255"), serial="A1235")])
        ),
        sets=[u()],
    )
    flat = [loop("BC", quantity("88")), loop("BD", quantity("88"))]
    case(
        221,
        "unmetered",
        row + "BC is its own summary, BD its detail.",
        pt(usage(loops=flat)),
        sets=[u(quantities={"KH": "88"})],
    )
    not_accepted(222, "summary-without-detail", row + "detail and summary always.", pt(usage(loops=[summary()])))
    not_accepted(223, "detail-without-summary", row + "detail and summary always.", pt(usage(loops=[meter()])))
    not_accepted(224, "no-loop", row + "an 867 without any PTD has neither.", pt(usage(loops=[])))
    row = "§5.1 row MEA: "
    demand = [
        loop("SU", quantity("1150"), quantity("12.5", "K1")),
        loop(
            "PL",
            quantity("1150", reads=("99950", "00065"), multiplier="10"),
            quantity("12.5", "K1"),
            serial="A1234",
            refs=("REF*MT*KHMON", "REF*JH*A"),
        ),
    ]
    case(
        225,
        "demand-beside-energy",
        row + "K1 is kW and no part of the energy.",
        pt(usage(loops=demand)),
        sets=[u(quantities={"K1": "12.5"})],
    )
    units = [
        [
            seg("PTD", kind, *(("", "", "MG", "A1234") if kind == "PL" else ())),
            f"DTM*150*{START}",
            f"DTM*151*{END}",
            *(
                line
                for value, unit in (("1150", "KH"), ("12.5", "K1"), ("13.1", "K2"), ("310", "K3"))
                for line in quantity(value, unit, measure="AF")
            ),
        ]
        for kind in ("SU", "PL")
    ]
    case(
        226,
        "four-units",
        row + "KH kWh, K1 kW, K2 kVAr, K3 kVArh.",
        pt(usage(loops=units)),
        sets=[u(quantities={"K1": "12.5", "K2": "13.1", "K3": "310"})],
    )
    factor = [loop("SU", quantity("1150"), ["MEA**ZA*0.95"]), meter()]
    case(
        227,
        "power-factor",
        row + "ZA is the power factor and no quantity of energy.",
        pt(usage(loops=factor)),
        sets=[u()],
    )
    case(
        228,
        "multiplier-absent",
        row + "an absent MU is 1.",
        pt(usage(loops=[summary("115"), meter("115", ("99950", "00065"), "")])),
        sets=[u(quantities={"KH": "115"})],
    )
    for number, code in ((229, "AE"), (230, "EA"), (231, "EE"), (232, "AF"), (233, "BO")):
        case(
            number,
            f"measure-{code.lower()}",
            row + f"MEA01 {code}.",
            pt(usage(loops=[summary(measure=code), meter(measure=code)])),
            sets=[u()],
        )
    total = [
        summary(measure="AF"),
        loop("PL", quantity("1150", measure="AF"), serial="A1234", refs=("REF*MT*KHMON", "REF*JH*A")),
    ]
    case(
        234,
        "meter-without-reads",
        row + "AF is an actual total; MEA05 and MEA06 may be absent.",
        pt(usage(loops=total)),
        sets=[u()],
    )


def sums() -> None:
    row = "§5.1 rules, meters against summary: "
    case(
        235,
        "sum-one-unit-off",
        row + "1149 against 1150 is within 1 unit; the summary counts.",
        pt(
            usage(
                loops=[
                    summary(),
                    meter("600", ("00100", "00160")),
                    meter("549", ("00200", "00749"), "1", serial="A1235"),
                ]
            )
        ),
        sets=[u()],
    )
    case(
        236,
        "sum-two-units-off",
        row + "1148 against 1150 is more than 1 unit.",
        pt(
            usage(
                loops=[
                    summary(),
                    meter("600", ("00100", "00160")),
                    meter("548", ("00200", "00748"), "1", serial="A1235"),
                ]
            )
        ),
        sets=[held_u("SUM_CHECK")],
    )
    case(
        237,
        "sum-above-summary",
        row + "1152 against 1150 is more than 1 unit.",
        pt(usage(loops=[summary(), meter("1152", ("00200", "01352"), "1")])),
        sets=[held_u("SUM_CHECK")],
    )
    case(
        238,
        "sum-second-meter-forgotten",
        row + "the second meter is not in the summary.",
        pt(usage(loops=[summary(), meter(), meter("550", ("00200", "00255"), serial="A1235")])),
        sets=[held_u("SUM_CHECK")],
    )
    row = "§5.1 rules, role JH: "
    main, other = meter("1000", ("00100", "00200")), meter("200", ("00500", "00520"), serial="A1235", role="S")
    case(
        240,
        "role-subtractive",
        row + "summary is additive less subtractive, 1000 - 200.",
        pt(usage(loops=[summary("800"), main, other])),
        sets=[u(quantities={"KH": "800"})],
    )
    case(
        241,
        "role-subtractive-added",
        row + "a subtractive meter was added.",
        pt(usage(loops=[summary("1200"), main, other])),
        sets=[held_u("SUM_CHECK", quantities={"KH": "1200"})],
    )
    ignored = meter("200", ("00500", "00520"), serial="A1235", role="I")
    case(
        242,
        "role-ignored",
        row + "a meter with I does not count.",
        pt(usage(loops=[summary("1000"), main, ignored])),
        sets=[u(quantities={"KH": "1000"})],
    )
    case(
        243,
        "role-ignored-counted",
        row + "a meter with I was counted.",
        pt(usage(loops=[summary("1200"), main, ignored])),
        sets=[held_u("SUM_CHECK", quantities={"KH": "1200"})],
    )
    case(
        244,
        "all-three-roles",
        row + "1000 + 300 - 200, 77 ignored.",
        pt(
            usage(
                loops=[
                    summary("1100"),
                    main,
                    meter("300", ("00000", "00030"), serial="A1236"),
                    other,
                    meter("77", ("00001", "00078"), "1", serial="A1237", role="I"),
                ]
            )
        ),
        sets=[u(quantities={"KH": "1100"})],
    )


def registers() -> None:
    row = "§5.1 rules, meter quantity is (end - begin) x multiplier with rollover: "
    for number, name, value, reads, multiplier, words in (
        (246, "rollover-four-dials", "112", ("9950", "0062"), "1", "9950 to 0062 on four dials is 112"),
        (247, "rollover-six-dials", "260", ("999900", "000160"), "1", "999900 to 000160 on six dials is 260"),
        (248, "rollover-with-decimals", "11", ("99999.5", "00010.5"), "1", "five dials before the point, 11.0"),
        (249, "no-rollover-multiplier-40", "4000", ("01000", "01100"), "40", "100 x 40"),
        (250, "multiplier-with-decimals", "120", ("01000", "01100"), "1.2", "100 x 1.2"),
        (251, "no-use", "0", ("01000", "01000"), "10", "equal reads are 0, which is a quantity"),
    ):
        case(
            number,
            name,
            row + words + ".",
            pt(usage(loops=[summary(value), meter(value, reads, multiplier)])),
            sets=[u(quantities={"KH": value})],
        )
    case(
        252,
        "multiplier-wrong",
        row + "the reads give 115 x 20 = 2300, the summary 1150.",
        pt(usage(loops=[summary(), meter(multiplier="20")])),
        sets=[held_u("SUM_CHECK")],
    )
    case(
        253,
        "multiplier-forgotten",
        row + "115 without the multiplier 10 against 1150.",
        pt(usage(loops=[summary(), meter(multiplier="")])),
        sets=[held_u("SUM_CHECK")],
    )
    case(
        254,
        "end-below-begin",
        row + "5000 to 4000 on four dials is no rollover (§9: begin below 90 % of the dial).",
        pt(usage(loops=[summary("1000"), meter("1000", ("5000", "4000"), "1")])),
        sets=[held_u(quantities={"KH": "1000"})],
    )
    old = meter("500", ("04000", "04500"), "1", start=START, end="20260618", more=("DTM*514*20260618",))
    new = meter("650", ("00000", "00065"), "10", serial="B9", start="20260618", end=END, more=("DTM*514*20260618",))
    case(
        255,
        "meter-exchange",
        "§5.1 row DTM 514 and §9: old and new meter, each with its own multiplier and dials, 500 + 650.",
        pt(usage(loops=[summary(), old, new])),
        sets=[u()],
    )
    wrong = meter("650", ("00000", "00065"), "1", serial="B9", start="20260618", end=END, more=("DTM*514*20260618",))
    case(
        256,
        "meter-exchange-one-multiplier",
        "§5.1 row DTM 514 and §9: the new meter with the old one's multiplier gives 500 + 65.",
        pt(usage(loops=[summary(), old, wrong])),
        sets=[held_u("SUM_CHECK")],
    )
    row = "§7: "
    case(
        258,
        "period-of-zero-days",
        row + "zero days is BAD_PERIOD.",
        pt(usage(end=START, value="1000")),
        sets=[held_u("BAD_PERIOD", keys={"end": "2026-06-03"}, quantities=None)],
        advice="A13",
    )
    case(
        259,
        "period-backwards",
        row + "a start after the end is BAD_PERIOD.",
        pt(usage(start=END, end=START, value="1000")),
        sets=[held_u("BAD_PERIOD", keys={"start": "2026-07-02", "end": "2026-06-03"}, quantities=None)],
    )


def times_of_use() -> None:
    row = "§5.1 rules: TOU rows 41 + 42 = 51; "

    def both(total: str, low: str, high: str, reads: tuple[tuple[str, str], ...]) -> list[list[str]]:
        rows = ((total, "51"), (low, "41"), (high, "42"))
        return [
            loop("SU", *(quantity(value, tou=code) for value, code in rows)),
            loop(
                "PL",
                *(quantity(value, tou=code, reads=pair) for (value, code), pair in zip(rows, reads, strict=True)),
                serial="A1234",
                refs=("REF*MT*KHMON", "REF*JH*A"),
            ),
        ]

    fine = both("1150", "750", "400", (("01000", "02150"), ("00500", "01250"), ("00500", "00900")))
    case(260, "tou-fits", row + "750 + 400 = 1150, and the usage is 1150 once.", pt(usage(loops=fine)), sets=[u()])
    wrong = both("1150", "700", "400", (("01000", "02150"), ("00500", "01200"), ("00500", "00900")))
    case(
        261,
        "tou-does-not-fit",
        row + "700 + 400 is not 1150; the spec names no code here.",
        pt(usage(loops=wrong)),
        sets=[held_u()],
    )
