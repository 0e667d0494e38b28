"""001-079: spec §4 points 1 to 3, and the rows of its table on the interchange and the group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from billing_assets_tests.data.x12_corpus.expecting import c, case, merged, no, refused, u
from billing_assets_tests.data.x12_corpus.x12_text import OTHER_POINT, Group, Set, Wire, bills, charges, pt, seg, usage

PAIR = (pt(usage()), bills(charges()))
BOTH = [u(), c()]
NEXT = Wire(control="000019999")


def swap(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """A change of the one place where `old` is."""

    def change(data: bytes) -> bytes:
        if data.count(old) != 1:
            message = f"{old!r} is {data.count(old)} times in the file"
            raise ValueError(message)
        return data.replace(old, new)

    return change


def add() -> None:
    case(1, "example-of-4-1", "§4.1: the pair as it should look, to the letter.", *PAIR, sets=BOTH)
    case(
        2,
        "example-of-4-1-se-19",
        "§4.1: SE*19 rejects the 867 by AK5*R*4 and its group by AK9*R*1*1*0; the 810 lives.",
        pt(replace(usage(), se01="19")),
        bills(charges()),
        sets=[no(), c()],
        results=[["R*4"], ["A"]],
    )
    delimiters()
    interchange()
    partners()
    group()


def delimiters() -> None:
    for number, name, wire, words in (
        (3, "tilde-alone", Wire(line_end=""), "`~` without any line end"),
        (4, "tilde-and-crlf", Wire(line_end="\r\n"), "`~` and CRLF, the CRLF is skipped"),
        (5, "terminator-newline", Wire(terminator="\n", line_end=""), "a newline"),
        (6, "terminator-apostrophe", Wire(terminator="'", line_end=""), "an apostrophe"),
        (7, "terminator-hex-1c", Wire(terminator="\x1c", line_end=""), "hex 1C"),
        (8, "terminator-hex-85", Wire(terminator="\x85", line_end=""), "hex 85"),
        (
            9,
            "terminator-cr-then-lf",
            Wire(terminator="\r", line_end="\n"),
            "char 106, here CR; the LF after it is skipped",
        ),
        (10, "elements-by-pipe", Wire(element="|"), "`~`; the element separator is char 4, here `|`"),
        (11, "elements-by-hex-1d", Wire(element="\x1d"), "`~`; the element separator is char 4, here hex 1D"),
        (12, "component-colon", Wire(component=":"), "`~`; the component separator is char 105, here `:`"),
        (13, "blank-lines", Wire(line_end="\n\n"), "`~`; blank lines after it are skipped"),
        (
            14,
            "pipe-and-apostrophe-and-crlf",
            Wire(element="|", terminator="'", line_end="\r\n"),
            "an apostrophe and CRLF, with `|`",
        ),
    ):
        case(
            number,
            name,
            f"§4 point 1: delimiters come from the data; the segment terminator is {words}.",
            *PAIR,
            sets=BOTH,
            wire=wire,
        )
    case(
        15,
        "byte-order-mark",
        "§4 point 1: a byte order mark before ISA is skipped with a warning.",
        *PAIR,
        sets=BOTH,
        change=lambda data: b"\xef\xbb\xbf" + data,
    )
    case(
        16,
        "latin-1-name",
        "§4 point 1: read as Latin-1; the bytes E9 and DF in a name are no error.",
        *PAIR,
        sets=BOTH,
        change=lambda data: data.replace(b"WIRES CO", b"WIR\xc9S STRA\xdfE \xe9"),
    )
    case(
        17,
        "trailing-empty-elements",
        "§4 point 5: trailing empty elements say the same as dropped ones.",
        *PAIR,
        sets=BOTH,
        change=lambda data: (
            data.replace(b"*20260704*DD~", b"*20260704*DD*****~")
            .replace(b"KHMON~", b"KHMON**~")
            .replace(b"TDS*4321~", b"TDS*4321***~")
        ),
    )
    refused(
        18,
        "body-with-other-separator",
        "§4 point 1: the element separator is char 4; a body written with another one has no GS and no IEA.",
        *PAIR,
        change=lambda data: data[:106] + data[106:].replace(b"*", b"|"),
    )
    refused(
        19,
        "body-with-other-terminator",
        "§4 point 1: the segment terminator is char 106; other ends make one long segment without IEA.",
        *PAIR,
        change=lambda data: data[:106] + data[106:].replace(b"~", b"'"),
    )


def interchange() -> None:
    row = "§4 table, row 1: "
    refused(
        20, "isa-105-characters", row + "ISA has 105 characters, the sender is padded to 14.", *PAIR, wire=Wire(pad=14)
    )
    refused(
        21, "isa-107-characters", row + "ISA has 107 characters, the sender is padded to 16.", *PAIR, wire=Wire(pad=16)
    )
    refused(
        22,
        "isa-not-padded",
        row + "ISA is written without any padding.",
        *PAIR,
        change=lambda data: b" ".join(part for part in data[:106].split(b" ") if part) + data[106:],
    )
    refused(23, "iea-missing", row + "IEA is missing.", *PAIR, wire=Wire(iea=False))
    refused(24, "iea02-differs", row + "IEA02 is not ISA13.", *PAIR, wire=Wire(iea02="000000001"))
    refused(25, "iea01-too-high", row + "IEA01 says 3, there are 2 groups.", *PAIR, wire=Wire(iea01="3"))
    refused(26, "iea01-too-low", row + "IEA01 says 1, there are 2 groups.", *PAIR, wire=Wire(iea01="1"))
    refused(
        27,
        "cut-in-the-middle",
        row + "the file stops in the first set; IEA is missing.",
        *PAIR,
        change=lambda data: data[: len(data) // 2],
    )
    refused(
        28,
        "cut-inside-iea",
        row + "the last segment is cut, so IEA02 is not ISA13.",
        *PAIR,
        change=lambda data: data.rstrip(b"~\n")[:-3],
    )
    case(
        29,
        "no-group-trailer",
        "§4 table, row 5: without GE no GE02 is GS06; nothing of the file lives.",
        replace(PAIR[0], trailer=False),
        answered=False,
        verdict="refuse",
    )
    after = "§4 table, row 3: "
    case(
        30,
        "blanks-after-iea",
        after + "blanks, CR, LF and Ctrl-Z after IEA are allowed.",
        *PAIR,
        sets=BOTH,
        change=lambda data: data + b"  \r\n\r\n \x1a",
    )
    other = NEXT.write([pt(usage("U77009", point=OTHER_POINT), control="4719")])
    case(
        31,
        "two-interchanges",
        after + "another whole ISA to IEA may follow.",
        pt(usage()),
        sets=[u(), u(keys={"id": "U77009", "point": OTHER_POINT})],
        change=lambda data: data + other,
        replies=[pt(usage()).reply(), pt(usage(), control="4719").reply()],
    )
    refused(
        32,
        "text-after-iea",
        after + "text after IEA refuses the file.",
        *PAIR,
        change=lambda data: data + b"END OF FILE\n",
    )
    refused(
        33,
        "second-interchange-cut",
        after + "the second interchange is not whole.",
        *PAIR,
        change=lambda data: data + other[:-40],
    )
    refused(
        34,
        "segment-after-iea",
        after + "a group after IEA is neither blank nor an interchange.",
        *PAIR,
        change=lambda data: data + other[107:],
    )
    refused(
        35,
        "nul-bytes-after-iea",
        after + "NUL bytes are not among the bytes allowed after IEA.",
        *PAIR,
        change=lambda data: data + b"\x00" * 16,
    )
    refused(
        36,
        "tradacoms",
        "§13 and issue 16 section 1: TRADACOMS is refused as a format.",
        codes=["R-FORMAT"],
        change=lambda _: (
            b"STX=ANA:1+9000000000026:WIRES CO+8290000010000:RETAIL CO+260706:073200+4711++UTLHDR'\r\n"
            b"MHD=1+UTLHDR:3'\r\nTYP=0715'\r\nMTR=3'\r\nEND=1'\r\n"
        ),
    )
    refused(
        37,
        "edifact",
        "§13 and issue 16 section 1: EDIFACT is refused as a format.",
        codes=["R-FORMAT"],
        change=lambda _: (
            b"UNA:+.? 'UNB+UNOC:3+9000000000026:14+8290000010000:14+260706:0732+4711'"
            b"UNH+1+MSCONS:D:04B:UN:2.2e'BGM+7+M1+9'UNT+3+1'UNZ+1+4711'"
        ),
    )


def partners() -> None:
    row = "§4 table, row 2: "
    us = {"partners": ["900000026"], "receiver": "829000001", "environment": "production"}
    case(40, "partner-known", row + "sender, receiver and ISA15 are as configured.", *PAIR, sets=BOTH, given=us)
    refused(
        41,
        "sender-unknown",
        row + "the sender is not a configured partner.",
        *PAIR,
        wire=Wire(sender="900000099"),
        given=us,
    )
    refused(42, "receiver-not-us", row + "the receiver is not us.", *PAIR, wire=Wire(receiver="829000077"), given=us)
    refused(
        43,
        "test-in-production",
        row + "ISA15 is T, the environment is production.",
        *PAIR,
        wire=Wire(environment="T"),
        given=us,
    )
    test = {"partners": ["900000026T"], "receiver": "829000001T", "environment": "test"}
    case(
        44,
        "test-ids-with-t",
        "§4 point 2: in test traffic the id has a T suffix and ISA15 is T.",
        *PAIR,
        sets=BOTH,
        wire=Wire(sender="900000026T", receiver="829000001T", environment="T"),
        given=test,
    )
    refused(
        45,
        "production-in-test",
        row + "ISA15 is P, the environment is test.",
        *PAIR,
        wire=Wire(sender="900000026T", receiver="829000001T"),
        given=test,
    )


def group() -> None:
    for number, name, more, words in (
        (50, "gs-time-hhmmss", {"time": "073228"}, "GS05 is hhmmss"),
        (51, "gs-time-tenths", {"time": "0732285"}, "GS05 is hhmmssd"),
        (52, "gs-nine-digits", {"receiver": "829000001"}, "GS03 has 9 digits"),
        (53, "gs-thirteen-digits", {"sender": "9000000260000"}, "GS02 has 13 digits"),
    ):
        case(number, name, f"§4 point 3: {words}.", pt(usage(), **more), sets=[u()])
    row = "§4 table, row 5: "
    for number, name, more, code, words in (
        (60, "ge02-differs", {"ge02": "4799"}, "4", "GE02 is not GS06: AK905 4"),
        (61, "ge01-too-high", {"ge01": "2"}, "5", "GE01 says 2, there is 1 set: AK905 5"),
        (62, "gs08-unknown", {"version": "009999"}, "2", "GS08 is unknown: AK905 2"),
    ):
        bad = pt(usage(), **more)
        case(
            number,
            name,
            row + words + "; the group is rejected.",
            bad,
            answered=False,
            sets=[no()],
            ack="R",
            contains=[["AK1*PT*4711", bad.closing("R", 0, code)]],
        )
    two = pt(usage(), usage("U77002", control="0002"), ge01="1")
    case(
        63,
        "ge01-too-low",
        row + "GE01 says 1, there are 2 sets: AK905 5.",
        two,
        answered=False,
        sets=[no(), no(control="0002")],
        ack="R",
        contains=[["AK1*PT*4711", two.closing("R", 0, "5")]],
    )
    bad = pt(usage(), ge02="4799")
    case(
        64,
        "group-rejected-other-lives",
        row + "the PT group is rejected, the IN group of the same interchange lives.",
        bad,
        bills(charges()),
        answered=False,
        sets=[no(), c()],
        contains=[["AK1*PT*4711", bad.closing("R", 0, "4")], bills(charges()).reply()],
    )
    many = [usage(f"U77{n:03d}", point=f"100327800000001{n:02d}", control=f"{n:04d}") for n in range(1, 13)]
    expected = [
        u(control=one.control, keys={"id": f"U77{at:03d}", "point": f"100327800000001{at:02d}"})
        for at, one in enumerate(many, 1)
    ]
    case(
        65,
        "twelve-sets",
        "§4 table, rows 1, 5 and 6: counts and control numbers hold over 12 sets.",
        pt(*many),
        sets=expected,
    )
    later = Group("PT", [Set("867", usage("U77002", point=OTHER_POINT).body)], control="4713")
    case(
        66,
        "two-groups-of-one-kind",
        "§4 point 6: one 997 for each group received; ST02 is unique in its group only.",
        pt(usage()),
        later,
        sets=[u(), merged(u(), {"keys": {"id": "U77002", "point": OTHER_POINT}})],
    )
    case(
        67,
        "in-before-pt",
        "§7: an IN group may be before its PT group.",
        bills(charges()),
        pt(usage()),
        sets=[c(), u()],
    )
    case(
        68,
        "empty-text-segment-elements",
        "§4 point 5: an element left empty in the middle of a segment is not a zero and not an error.",
        pt(usage(refs=(seg("REF", "TN", "", "X1"),))),
        sets=[u()],
    )
