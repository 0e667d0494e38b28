"""080-169: spec §4 points 4 (sets, syntax, numbers) and 6 to 9: what a 997 says, and 824."""

from __future__ import annotations

from dataclasses import replace

from billing_assets_tests.data.x12_corpus.cases_envelope import swap
from billing_assets_tests.data.x12_corpus.expecting import c, case, no, not_accepted, refused, rejected, u
from billing_assets_tests.data.x12_corpus.x12_text import (
    OTHER_POINT,
    Group,
    Set,
    bills,
    charge,
    charges,
    item,
    meter,
    pt,
    seg,
    summary,
    usage,
)

ROW = "§4 table, row 6: "


def without(one: Set, name: str) -> Set:
    return replace(one, body=[line for line in one.body if line.split("*")[0] != name])


def add() -> None:
    sets()
    syntax()
    numbers()
    acknowledgements()
    advices()


def sets() -> None:
    rejected(80, "se02-differs", ROW + "SE02 is not ST02: AK502 3.", pt(replace(usage(), se02="0009")), "3")
    rejected(81, "se01-too-low", ROW + "SE01 is one too low: AK502 4.", pt(replace(usage(), se01="19")), "4")
    rejected(82, "se01-too-high", ROW + "SE01 is one too high: AK502 4.", bills(replace(charges(), se01="17")), "4")
    case(
        83,
        "st02-twice",
        ROW + "ST02 is unique in its group; the second set with the same one is rejected.",
        pt(usage(), usage("U77002", point=OTHER_POINT)),
        answered=False,
        sets=[{"type": "867"}, no()],
    )
    for number, name, one, words in (
        (84, "no-bpt", without(usage(), "BPT"), "an 867 without BPT"),
        (85, "no-big", without(charges(), "BIG"), "an 810 without BIG"),
        (86, "no-tds", without(charges(), "TDS"), "an 810 without TDS"),
    ):
        group = pt(one) if one.kind == "867" else bills(one)
        rejected(number, name, ROW + f"mandatory segments: {words} is rejected by AK502 5.", group, "5")
    for number, name, one, words in (
        (87, "bpt01-unknown", usage(purpose="XX"), "BPT01 is 00, 01 or 05, not XX"),
        (88, "qty01-unknown", usage(flag="XX"), "QTY01 is QD or KA, not XX"),
        (
            89,
            "sac01-unknown",
            charges(items=[item(charge("BAS001", "450"), charge("DIS001", "3871", "X"))]),
            "SAC01 is C, A or N, not X",
        ),
        (90, "big08-unknown", charges(purpose="77"), "BIG08 is 00, 01 or 05, not 77"),
    ):
        group = pt(one) if one.kind == "867" else bills(one)
        rejected(number, name, ROW + f"code values: {words}: AK502 5.", group, "5")
    second = usage("U77002", point=OTHER_POINT, control="0002")
    case(
        91,
        "second-of-two-rejected",
        ROW + "other sets live: AK9 P.",
        pt(usage(), replace(second, se01="7")),
        sets=[u(), no(control="0002")],
        results=[["A", "R*4"]],
    )
    case(
        92,
        "first-of-two-rejected",
        ROW + "other sets live: AK9 P.",
        pt(replace(usage(), se02="0007"), second),
        sets=[no(), u(control="0002", keys={"id": "U77002", "point": OTHER_POINT})],
        results=[["R*3", "A"]],
    )
    case(
        93,
        "both-rejected",
        "§4 point 6: AK9 R when no set is accepted.",
        pt(replace(usage(), se01="7"), replace(second, se02="0007")),
        sets=[no(), no(control="0002")],
        results=[["R*4", "R*3"]],
    )
    case(
        94,
        "one-of-three-lives",
        "§4 point 6: AK9 P with 3 sets in GE01, 3 received, 1 accepted.",
        pt(
            replace(usage(), se01="7"),
            second,
            without(usage("U77003", point="10032780000000066", control="0003"), "BPT"),
        ),
        sets=[no(), u(control="0002", keys={"id": "U77002", "point": OTHER_POINT}), no(control="0003")],
        results=[["R*4", "A", "R*5"]],
    )
    case(
        95,
        "held-set-is-acknowledged",
        "§4 point 8: bad content passes the 997; the sum is held, the form is accepted.",
        pt(usage(loops=[summary("1200"), meter()])),
        sets=[u(verdict="hold", codes=["SUM_CHECK"], quantities={"KH": "1200"})],
        advice="A13",
    )

    case(
        96,
        "no-set-trailer",
        ROW + "without SE no SE02 is ST02; nothing of the set lives, its AK502 is open.",
        pt(replace(usage(), trailer=False)),
        answered=False,
        verdict="refuse",
    )


def syntax() -> None:
    row = "§4 table, row 7: segment ids are upper case, 2 or 3 characters; "
    for number, name, old, new, words in (
        (100, "segment-id-lower-case", b"REF*MT*", b"ref*MT*", "`ref` is refused"),
        (101, "segment-id-four-characters", b"REF*MT*", b"REFX*MT*", "`REFX` is refused"),
        (102, "segment-id-one-character", b"N1*8S*", b"N*8S*", "`N` is refused"),
        (103, "segment-id-after-blanks", b"REF*MT*", b"   REF*MT*", "an id with blanks before it is refused"),
        (104, "segment-id-empty", b"REF*MT*", b"*MT*", "an empty id is refused"),
    ):
        case(
            number,
            name,
            row + words + ".",
            pt(usage()),
            answered=False,
            change=swap(old, new),
            verdict="refuse",
        )


def numbers() -> None:
    row = "§4 table, row 8: "
    for number, name, cents in (
        (110, "sac05-with-point", "4.50"),
        (111, "sac05-with-comma", "4,50"),
        (112, "sac05-with-sign", "-450"),
        (113, "sac05-not-a-number", "45O"),
    ):
        one = charges(items=[item(charge("BAS001", cents), charge("DIS001", "3871"))])
        rejected(number, name, row + f"SAC05 is N2 and has digits only, not {cents}.", bills(one), "5")
    rejected(
        114,
        "tds01-with-point",
        row + "TDS01 is N2: 43.21 is an error, not 43.21 by guess.",
        bills(charges(total="43.21")),
        "5",
    )
    rejected(115, "tds01-not-a-number", row + "TDS01 is N2 and has digits only.", bills(charges(total="43 21")), "5")
    case(
        116,
        "sac05-leading-zeros",
        row + "digits only: 000450 is 4.50.",
        bills(charges(items=[item(charge("BAS001", "000450"), charge("DIS001", "3871"))])),
        sets=[c()],
    )
    for number, name, change, words in (
        (117, "qty02-with-comma", (b"PTD*SU", b"QTY*QD*1150", b"QTY*QD*1,150"), "QTY02 1,150"),
        (118, "qty02-not-a-number", (b"PTD*SU", b"QTY*QD*1150", b"QTY*QD*115O"), "QTY02 115O"),
        (119, "mea03-not-a-number", (b"PTD*SU", b"MEA*AA*PRQ*1150", b"MEA*AA*PRQ*N/A"), "MEA03 N/A"),
        (120, "mea03-two-points", (b"PTD*SU", b"MEA*AA*PRQ*1150", b"MEA*AA*PRQ*1.150.0"), "MEA03 1.150.0"),
    ):
        start, old, new = change
        rejected(
            number,
            name,
            row + f"R is a decimal number, {words} is none.",
            pt(usage()),
            "5",
            change=lambda data, start=start, old=old, new=new: (
                data[: data.index(start)] + data[data.index(start) :].replace(old, new, 1)
            ),
        )
    case(
        121,
        "decimals-in-quantities",
        row + "R may have decimals: 1150.5 in QTY02 and MEA03.",
        pt(usage(loops=[summary("1150.5"), meter("1150.5", ("99950.00", "00065.05"))])),
        sets=[u(quantities={"KH": "1150.5"})],
    )
    case(
        122,
        "quantity-empty",
        "§5.1 row QTY and §4 point 5: QTY02 may be empty (QTY*QD***NV); this is the initial read 867_04.",
        pt(
            Set(
                "867",
                [
                    "BPT*SU*U77001*20260704",
                    "REF*Q5**10032780000000042",
                    "N1*8S*WIRES CO*1*900000026",
                    "N1*AY*ERCOT*1*183529049**41",
                    "N1*SJ*RETAIL CO*9*8290000010000**40",
                    "PTD*BJ***MG*A1234",
                    "DTM*140*20260703",
                    "QTY*QD***NV",
                    "MEA****KH**0*51",
                ],
            )
        ),
        sets=[
            {
                "type": "867",
                "control": "0001",
                "verdict": "accept",
                "codes": [],
                "keys": {"point": "10032780000000042", "id": "U77001", "purpose": "SU"},
            }
        ],
    )


def acknowledgements() -> None:
    why = "§4 point 6: a 997 is never answered by a 997; "
    for number, name, body, words in (
        (130, "997-in-accepted", ["AK1*GE*25", "AK2*814*0002", "AK5*A", "AK9*A*1*1*1"], "this one accepts"),
        (
            131,
            "997-in-rejected",
            ["AK1*GE*25", "AK2*814*0002", "AK3*REF*7**8", "AK4*2**7*X", "AK5*R*5", "AK9*R*1*1*0"],
            "this one rejects, with AK3 and AK4",
        ),
        (
            132,
            "997-in-partly",
            ["AK1*GE*25", "AK2*814*0002", "AK5*A", "AK2*814*0003", "AK5*R*4", "AK9*P*2*2*1"],
            "this one accepts 1 of 2",
        ),
        (
            133,
            "997-in-with-errors",
            ["AK1*GE*25", "AK2*814*0002", "AK5*E*5", "AK9*E*1*1*1"],
            "this one accepts with errors",
        ),
        (134, "997-in-group-rejected", ["AK1*GE*25", "AK9*R*1*1*0*5"], "this one rejects the group by AK905 5"),
    ):
        group = Group("FA", [Set("997", body)], "16")
        expected = {"type": "997", "control": "0001", "verdict": "accept", "codes": []}
        case(number, name, why + words + ".", group, answered=False, sets=[expected], ack=None, replies=[])
    group = Group("FA", [Set("997", ["AK1*GE*25", "AK9*A*1*1*1"], se01="9")], "16")
    case(
        135,
        "997-in-se01-wrong",
        why + "not even a broken one.",
        group,
        answered=False,
        sets=[no("997")],
        ack=None,
        replies=[],
    )
    fine = Group("FA", [Set("997", ["AK1*GE*25", "AK2*814*0002", "AK5*A", "AK9*A*1*1*1"])], "16")
    case(
        136,
        "997-beside-usage",
        why + "the PT group beside it is answered.",
        fine,
        pt(usage()),
        answered=False,
        sets=[{"type": "997", "control": "0001", "verdict": "accept", "codes": []}, u()],
        ack="A",
        replies=[pt(usage()).reply()],
    )


def advice(action: str, level: str, reason: str, original: str = "U77001", aid: str = "A90001") -> Group:
    body = [
        seg("BGN", "11", aid, "20260707", "", "", original, "", action),
        "N1*8S*WIRES CO*1*900000026",
        "N1*SJ*RETAIL CO*9*8290000010000",
        f"OTI*{level}*TN*{original}",
        *([f"REF*7G*{reason}"] if reason else []),
    ]
    return Group("AG", [Set("824", body)], "4720")


def advices() -> None:
    for number, name, action, level, reason, words in (
        (140, "824-whole-set-resend", "82", "TR", "A13*METER READS DO NOT MATCH", "82, whole set, A13 with text"),
        (141, "824-account-not-found", "EV", "TR", "A76", "EV, whole set, A76"),
        (142, "824-duplicate", "EV", "TR", "ABN", "EV, whole set, ABN"),
        (143, "824-information-missing", "82", "IR", "API", "82, item, API"),
        (144, "824-part", "82", "TP", "A13*ONE METER OF TWO", "82, part, A13 with text"),
        (145, "824-accepted", "CF", "TA", "", "CF, accepted, no reason"),
        (146, "824-dup-of-texas", "EV", "TR", "DUP", "EV, whole set, DUP as Texas has it in other sets"),
    ):
        expected = {
            "type": "824",
            "control": "0001",
            "verdict": "accept",
            "codes": [],
            "keys": {"id": "A90001", "refers_to": "U77001"},
        }
        case(
            number,
            name,
            f"§4 point 8: an 824 with {words}; the original id is in BGN06.",
            advice(action, level, reason),
            sets=[expected],
        )
    good = advice("82", "TR", "A13*TEXT")
    rejected(
        147,
        "824-no-bgn",
        ROW + "mandatory segments: an 824 without BGN.",
        replace(good, sets=[without(good.sets[0], "BGN")]),
        "5",
    )
    rejected(
        148,
        "824-se01-wrong",
        ROW + "SE01 of an 824 is one too low.",
        replace(good, sets=[replace(good.sets[0], se01="6")]),
        "4",
    )
    no_q5 = replace(usage(), body=[line for line in usage().body if not line.startswith("REF*Q5")])
    not_accepted(150, "no-esi-867", "§4 point 9: no Q5; an 824 of ours would say API.", pt(no_q5), advice="API")
    no_q5 = replace(charges(), body=[line for line in charges().body if not line.startswith("REF*Q5")])
    not_accepted(151, "no-esi-810", "§4 point 9: no Q5; an 824 of ours would say API.", bills(no_q5), advice="API")
    not_accepted(
        152,
        "esi-in-ref02",
        "§5.1 row REF*Q5: the ESI is in REF03; one in REF02 is no ESI.",
        pt(usage()),
        change=swap(b"REF*Q5**", b"REF*Q5*"),
        advice="API",
    )
    case(
        153,
        "esi-not-ours",
        "§4 point 9: an ESI that is not ours is held; an 824 of ours would say A76.",
        pt(usage()),
        sets=[u(verdict="hold", codes=None)],
        given={"points": ["10032780000000059"]},
        advice="A76",
    )
    refused(160, "isa-only", "§4 table, row 1: an ISA without IEA is no interchange.", change=lambda data: data[:106])
    refused(
        161,
        "csv-named-x12",
        "§4 point 1: a file that does not begin with ISA is no interchange.",
        change=lambda _: b"point,start,kwh\n1003278,20260603,1150\n",
    )
    refused(162, "no-bytes", "§4 table, row 1: an empty file has no ISA.", change=lambda _: b"")
    refused(
        163,
        "binary-junk",
        "issue 16 section 1: binary junk is refused with a sentence.",
        change=lambda _: bytes((7 * n * n + 3) % 256 for n in range(2000)),
    )
