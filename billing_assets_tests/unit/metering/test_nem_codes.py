"""Every code that a NEM12 or NEM13 file can get: one file that gets it, and that it says where and why."""

import io
import re
import tracemalloc
from collections import Counter
from datetime import date, timedelta

import pytest

from billing_assets.metering.import_engine.codes import CODES
from billing_assets.metering.import_engine.messages import (
    FINDINGS_KEPT,
    FileReport,
    IntervalBlock,
    RegisterRead,
    Severity,
    Verdict,
)
from billing_assets.metering.import_engine.nem import nem12 as nem12_module
from billing_assets.metering.import_engine.nem.codes import NEM
from billing_assets.metering.import_engine.nem.fields import check_digit
from billing_assets.metering.import_engine.options import EMPTY_UNIT, ReadOptions
from billing_assets_tests.unit.metering.nem_files import HEADER, STREAM, day, nem12, nem13, read

READ = (
    "250,VABD000163,1141,1,11,11,METER1,E,001000,20240101080000,A,,,001500,20240401080000,A,,,500,kWh,20240701,"
    "20240402010000,20240402020000"
)
VARIES = "V,,,20050316014209,"


def values(**other: str) -> str:
    """The values of a day, with others at some places: `v3="x"` is interval 3."""
    found = ["1.5"] * 48
    for place, value in other.items():
        found[int(place[1:]) - 1] = value
    return ",".join(found)


def changed(place: int, value: str) -> bytes:
    """A NEM13 file whose read has another value in a field; fields count from 1."""
    fields = READ.split(",")
    fields[place - 1] = value
    return nem13(",".join(fields))


def stream(place: int, value: str) -> bytes:
    """A NEM12 file whose stream has another value in a field."""
    fields = STREAM.split(",")
    fields[place - 1] = value
    return nem12(",".join(fields), day())


def tailed(tail: str, *more: str) -> bytes:
    """A NEM12 file whose day ends with other fields."""
    return nem12(STREAM, day(tail=tail), *more)


CASES: list[tuple[str, int | None, bytes, str]] = [
    ("R-LINE-LENGTH", 3, nem12(STREAM, "3" * 70_000, day()), "longer than 65,536 bytes"),
    ("R-LINE-LENGTH", 3, nem12(STREAM, "3" * 10_000_000, day()), "longer than 65,536 bytes"),
    ("R-LINE-LENGTH", 2, stream(7, "3" * 5_000), "longer than 4,096 bytes"),
    ("R-TEXT", 3, nem12(STREAM, "300,\0"), "a NUL character within the line"),
    ("R-TEXT", 1, nem12(STREAM, day()).replace(b"\r\n", b"\r"), "a carriage return within the line"),
    ("R-TEXT", 1, nem12(STREAM, *(day(f"{y}0101") for y in range(1990, 2190))).replace(b"\r\n", b"\r"), "carriage"),
    ("R-ENCODING", 3, tailed("A,1,caf\xe9,20050316014209,").decode().encode("latin-1"), "is not text in UTF-8"),
    ("R-NO-100", 1, nem12(STREAM, day()).split(b"\r\n", 1)[1], "the file starts with 200, not with a 100 header"),
    ("R-NO-100", 1, nem13(READ).split(b"\r\n", 1)[1], "the file starts with 250, not with a 100 header"),
    ("R-VERSION", 1, nem12(STREAM, day()).replace(b"NEM12", b"NEM14"), "version NEM14 is not NEM12 or NEM13"),
    ("R-HEADER-DATE", 1, nem12(STREAM, day()).replace(b"200405011135", b"200405321135"), "“200405321135” is not"),
    ("R-HEADER-DATE", 1, nem12(STREAM, day()).replace(b"200405011135", b"20040501"), "date and time of 12 digits"),
    ("R-SECOND-100", 4, nem12(STREAM, day(), HEADER, STREAM, day("20050316")), "two files in one"),
    ("R-SECOND-900", 5, nem12(STREAM, day(), "900"), "two files in one"),
    ("R-AFTER-900", 5, nem12(STREAM, day(), "900", STREAM, day("20050316")), "data after the end record"),
    ("R-NO-900", 3, nem12(STREAM, day())[:-5], "stops at line 3 without a 900"),
    ("R-UNKNOWN-RECORD", 4, nem12(STREAM, day(), "301,x"), "record 301 does not belong in NEM12"),
    ("R-UNKNOWN-RECORD", 3, nem13(READ, "9"), "record 9 does not belong in NEM13"),
    ("R-WRONG-VERSION", 4, nem12(STREAM, day(), READ), "record 250 does not belong in NEM12"),
    ("R-WRONG-VERSION", 3, nem13(READ, STREAM), "record 200 does not belong in NEM13"),
    ("R-FIELDS", 2, nem12("200,VABD000163,E1B1,1,E1,N1,M,kWh", day()), "8 fields, 9 to 10 for a record 200"),
    ("R-FIELDS", 2, nem13(READ + ",x"), "24 fields, 22 to 23 for a record 250"),
    ("R-FIELDS", 4, tailed(VARIES, "400,1,48"), "3 fields, 4 to 6 for a record 400"),
    ("R-300-BEFORE-200", 2, nem12(day()), "a 300 without a 200"),
    ("R-400-BEFORE-300", 2, nem12("400,1,48,A,,"), "a 400 without a 300"),
    ("R-400-BEFORE-300", 3, nem12(STREAM, "400,1,48,A,,", day()), "a 400 without a 300"),
    ("R-400-BEFORE-300", 5, nem12(STREAM, day(), "500,N,,20050316000001,1", "400,1,1,A,,"), "a 400 without a 300"),
    ("R-500-BEFORE-300", 3, nem12(STREAM, "500,N,,20050316000001,1", day()), "a 500 without a 300"),
    ("R-550-BEFORE-250", 2, nem13("550,N,,A,", READ), "a 550 without a 250"),
    ("R-NMI", 2, stream(2, ""), "“” is not an NMI"),
    ("R-NMI", 2, changed(2, "A B"), "“A B” is not an NMI"),
    ("R-NMI-CONFIG", 2, stream(3, ""), "“” is not a configuration"),
    ("R-NMI-CONFIG", 2, changed(3, "114"), "“114” is not a configuration"),
    ("R-SUFFIX", 2, stream(5, "E"), "“E” is not a suffix"),
    ("R-SUFFIX", 2, stream(5, "EO"), "“EO” is not a suffix"),
    ("R-SUFFIX-NOT-IN-CONFIG", 2, stream(5, "Q1"), "suffix Q1 is not part of configuration E1B1"),
    ("R-SUFFIX-NOT-IN-CONFIG", 2, stream(5, "1B"), "suffix 1B is not part of configuration E1B1"),
    ("R-SUFFIX-NOT-IN-CONFIG", 2, changed(5, "12"), "suffix 12 is not part of configuration 1141"),
    ("R-UOM", 2, stream(8, ""), "“” is not a unit"),
    ("R-UOM", 2, stream(8, "kWhh"), "“kWhh” is not a unit"),
    ("R-UOM", 2, changed(20, "m3"), "“m3” is not a unit"),
    ("R-INTERVAL-LENGTH", 2, stream(9, "60"), "“60” is not an interval length"),
    ("R-INTERVAL-LENGTH", 2, stream(9, ""), "“” is not an interval length"),
    ("R-DIRECTION", 2, changed(8, "X"), "direction “X” is neither E nor I"),
    ("R-300-FIELDS", 3, nem12(STREAM, day(count=47)), "54 fields, 55 for 48 intervals of 30 minutes"),
    ("R-300-FIELDS", 3, nem12(STREAM, day(count=96)), "103 fields, 55 for 48 intervals of 30 minutes"),
    ("R-300-FIELDS", 3, tailed("A,,,20050316014209,20050316014209,x"), "56 fields, 55 for 48"),
    ("R-300-FIELDS", 3, tailed("A,,"), "53 fields, 55 for 48"),
    *[
        ("R-VALUE", 3, nem12(STREAM, day(values=values(v3=one))), f"interval 3: “{one}” is not a quantity.")
        for one in ("", "x", "1e3", "1E3", "+1", " 1", "1 ", "NaN", "inf", "1_000", "0x1", "1.2.3", ".", "१", "1/2")
    ],
    ("R-VALUE", 3, nem12(STREAM, day(values=values(v1="1234567890123456"))), "“1234567890123456” is not a quantity"),
    ("R-VALUE", 3, nem12(STREAM, day(values=values(v1="1.123456789012345"))), "“1.123456789012345” is not a quantity"),
    ("R-VALUE", 3, nem12(STREAM, day(values=values(v1="99999999999999", v2="0.12345678901234"))), "28 digits"),
    (
        "R-VALUE",
        3,
        nem12(STREAM, day(values=values(v4="", v7="", v9="x"))),
        "interval 4: “” is not a quantity, nor are 2",
    ),
    ("R-VALUE", 2, changed(14, "12a"), "CurrentRegisterRead: “12a” is not a quantity"),
    ("R-VALUE", 2, changed(19, ""), "Quantity: “” is not a quantity"),
    ("R-VALUE", 2, changed(19, "1E5"), "Quantity: “1E5” is not a quantity"),
    ("R-NEGATIVE", 3, nem12(STREAM, day(values=values(v48="-1.5"))), "interval 48: “-1.5” has a sign"),
    ("R-NEGATIVE", 2, changed(9, "-5"), "PreviousRegisterRead: “-5” has a sign"),
    ("R-DATE", 3, nem12(STREAM, day("20050230")), "IntervalDate “20050230” is not a date"),
    ("R-DATE", 3, nem12(STREAM, day("00010101")), "IntervalDate “00010101” is not a date"),
    ("R-DATE", 3, nem12(STREAM, day("2005-3-1")), "IntervalDate “2005-3-1” is not a date"),
    ("R-DATE", 2, stream(10, "20051332"), "NextScheduledReadDate “20051332” is not a date"),
    ("R-DATE", 3, tailed("A,,,20050316254209,"), "UpdateDateTime “20050316254209” is not a date"),
    ("R-DATE", 3, tailed("A,,,20050316014209,x"), "MSATSLoadDateTime “x” is not a date"),
    ("R-DATE", 4, nem12(STREAM, day(), "500,N,,20050399000001,1"), "ReadDateTime “20050399000001” is not a date"),
    ("R-DATE", 2, changed(15, "202404010800"), "CurrentRegisterReadDateTime “202404010800” is not a date"),
    ("R-PERIOD", 2, changed(10, "20240402080000"), "20240401080000 is before the previous one of 20240402080000"),
    *[
        ("R-QUALITY", 3, tailed(f"{q},1,,20050316014209,"), f"quality “{q}” is not")
        for q in ("", "a", "X", "S", "E1", "F1x")
    ],
    ("R-QUALITY", 4, tailed(VARIES, "400,1,48,V,,"), "quality “V” is not valid here"),
    ("R-QUALITY", 2, changed(16, "V"), "quality “V” is not valid here"),
    ("R-V-NO-400", 3, tailed(VARIES), "no 400 says how"),
    ("R-V-NO-400", 3, tailed(VARIES, day("20050316")), "no 400 says how"),
    ("R-400-RANGE", 4, tailed(VARIES, "400,0,48,A,,"), "“0” to “48” are not within 1 to 48"),
    ("R-400-RANGE", 4, tailed(VARIES, "400,1,49,A,,"), "“1” to “49” are not within 1 to 48"),
    ("R-400-RANGE", 4, tailed(VARIES, "400,9,8,A,,"), "“9” to “8” are not within 1 to 48"),
    ("R-400-RANGE", 4, tailed(VARIES, "400,x,,A,,"), "“x” to “” are not within 1 to 48"),
    ("R-400-GAP", 3, tailed(VARIES, "400,1,20,A,,", "400,25,48,A,,"), "events leave 4 of 48 intervals without quality"),
    ("R-400-GAP", 3, tailed(VARIES, "400,2,47,A,,"), "events leave 2 of 48 intervals without quality"),
    (
        "R-400-OVERLAP",
        5,
        tailed(VARIES, "400,1,20,A,,", "400,20,48,A,,"),
        "interval 20 has a quality already, of line 4",
    ),
    (
        "R-400-OVERLAP",
        4,
        tailed(VARIES, "400,20,48,A,,", "400,1,48,A,,"),
        "interval 20 has a quality already, of line 5",
    ),
    ("R-DUP-DAY", 4, nem12(STREAM, day(), day()), "VABD000163 E1 2005-03-15 is already on line 3"),
    ("R-DUP-DAY", 5, nem12(STREAM, day(), STREAM.replace("METSER123", "OTHER"), day()), "is already on line 3"),
    ("R-DUP-DAY", 3, nem13(READ, READ), "VABD000163 11 20240401080000 is already on line 2"),
    ("QTY_NOT_READS", 2, changed(19, "501"), "the reads 001000 and 001500 do not explain the quantity 501"),
    ("W-BOM", None, b"\xef\xbb\xbf" + nem12(STREAM, day()), "byte order mark"),
    ("W-NO-DATA", None, nem12(), "no data between header and end"),
    ("W-NO-DATA", None, nem13(), "no data between header and end"),
    ("W-BLANK-LEAD", 1, b"\r\n" + nem12(STREAM, day()), "blank, before the header"),
    ("W-BLANK-LINE", 3, nem12(STREAM, "", day()), "blank"),
    ("W-PADDING", 1, nem12(STREAM, day()).replace(b"MDA1,Ret1", b"MDA1,Ret1,,,"), "as a spreadsheet leaves them"),
    ("W-PADDING", 3, nem12(STREAM, day() + ",,"), "as a spreadsheet leaves them"),
    ("W-PADDING", 4, nem12(STREAM, day(), ",,,,"), "as a spreadsheet leaves them"),
    ("W-SPACES", 2, changed(5, " 11"), "blanks around fields"),
    ("W-SPACES", 3, tailed("A,, ,20050316014209,"), "blanks around fields"),
    ("W-PARTICIPANT", 1, nem12(STREAM, day()).replace(b"MDA1", b""), "sender “” or receiver “Ret1”"),
    ("W-PARTICIPANT", 1, nem12(STREAM, day()).replace(b",Ret1", b""), "sender “MDA1” or receiver “”"),
    ("W-NMI-LENGTH", 2, stream(2, "123"), "NMI “123” has not 10 characters"),
    ("W-NMI-LETTER", 2, stream(2, "NMI1234567"), "NMI “NMI1234567” has an O or I"),
    ("W-NMI-CHECK", 2, stream(2, "20019857329"), "the check digit of NMI “20019857329” is not 8"),
    ("W-SUFFIX", 2, nem12(STREAM.replace("E1", "X1"), day()), "suffix X1 is of no kind"),
    ("W-UOM-CASE", 2, stream(8, "KWH"), "unit “KWH” is usually written kWh"),
    ("W-LENGTH", 2, stream(4, "12345678901"), "RegisterID is longer than 10"),
    ("W-LENGTH", 3, tailed(f"A,1,{'x' * 241},20050316014209,"), "ReasonDescription is longer than 240"),
    ("W-200-WITHOUT-300", 2, nem12(STREAM, STREAM, day()), "a 200 without a day"),
    ("W-200-WITHOUT-300", 4, nem12(STREAM, day(), STREAM), "a 200 without a day"),
    ("W-FIELDS", 2, nem12(STREAM.removesuffix(","), day()), "optional fields at the end are missing"),
    ("W-FIELDS", 3, tailed("A,,,20050316014209"), "optional fields at the end are missing"),
    ("W-UPDATE", 3, tailed("A,,,200503160142,"), "UpdateDateTime “200503160142” has not 14 digits"),
    ("W-UPDATE", 3, tailed("A,,,,"), "UpdateDateTime “” has not 14 digits"),
    ("W-METHOD", 3, tailed("S99,1,,20050316014209,"), "quality “S99” has a method that is not known"),
    ("W-METHOD", 3, tailed("A14,,,20050316014209,"), "quality “A14” has a method that is not known"),
    ("W-REASON", 3, tailed("S14,,,20050316014209,"), "reason “” with quality S: final and other substitutes need one"),
    ("W-REASON", 3, tailed("A,0,,20050316014209,"), "0 needs a description"),
    ("W-REASON", 3, tailed("A,100,,20050316014209,"), "reasons are 0 to 99"),
    ("W-REASON", 3, tailed("V,5,,20050316014209,", "400,1,48,A,,"), "a day that varies has none itself"),
    ("W-400-WITHOUT-V", 4, nem12(STREAM, day(), "400,1,2,A,79,Outage"), "whose quality does not vary: A"),
    ("W-TRANS-CODE", 4, nem12(STREAM, day(), "500,X,,20050316000001,1"), "transaction code “X” is not known"),
    ("W-TRANS-CODE", 3, nem13(READ, "550,N,,X,"), "transaction code “X” is not known"),
    ("W-NEGATIVE-QUANTITY", 2, changed(19, "-500"), "the quantity -500 is negative"),
    ("W-PREVIOUS-ESTIMATE", 2, changed(11, "E61"), "the previous read is an estimate (E61)"),
    ("W-QUANTITY-NOT-DIFFERENCE", 2, changed(19, "5000"), "is not the difference of the reads: multiplier 10"),
]


@pytest.mark.parametrize(("code", "line", "data", "words"), CASES, ids=lambda one: one if isinstance(one, str) else "")
def test_a_file_gets_its_code_and_a_sentence_that_names_line_and_value(
    code: str, line: int | None, data: bytes, words: str
) -> None:
    messages, report = read(data)
    those = [one for one in report.findings if one.code == code]
    assert [one for one in those if one.line == line or one.line is None], report.findings
    assert any(words in one.sentence for one in those), report.findings
    severity = NEM[code].severity
    assert severity is those[0].severity
    if severity is Severity.REFUSE:
        assert report.worst is Verdict.REFUSE
    else:
        assert not [one for one in report.findings if one.severity is Severity.REFUSE]
        assert report.worst is Verdict.ACCEPT
        assert sum(len(one.values) if isinstance(one, IntervalBlock) else 1 for one in messages) == sum(
            one.readings for one in report.streams.values()
        )


def test_every_code_of_the_table_has_such_a_file() -> None:
    assert {code for code, *_ in CASES} | {"W-UOM-EMPTY"} == set(NEM)


def test_the_plain_file_that_all_others_are_made_of_has_no_finding() -> None:
    for data in (nem12(STREAM, day()), nem13(READ), tailed(VARIES, "400,1,48,A,,"), nem12(STREAM, day(), "500,N,,,")):
        messages, report = read(data)
        assert (len(messages), report.findings) == (1, [])


def test_a_refused_line_names_no_other_line_as_wrong() -> None:
    """The sender sees all that is wrong, and nothing that follows from it alone."""
    data = nem12(
        STREAM, day(count=47, tail=VARIES), "400,1,48,A,,", "500,N,,20050316000001,1", day("20050316"), day("20050399")
    )
    assert read(data)[1].counts == {"R-300-FIELDS": 1, "R-VALUE": 1, "R-DATE": 1}, "and no gap in a day that is none"
    data = tailed(VARIES, "400,1,40,A,,", "400,5,10,A,,", "400,41,48,A,,")
    assert read(data)[1].counts == {"R-400-OVERLAP": 1}
    data = nem12(STREAM.replace(",30,", ",60,"), day(), "400,1,48,A,,", STREAM, day())
    assert read(data)[1].counts == {"R-INTERVAL-LENGTH": 1}


def test_of_a_thousand_findings_the_first_hundred_have_sentences_and_all_are_counted() -> None:
    days = [day("20050315", values=values(v1="x"))] * 1000
    report = read(nem12(STREAM, *days))[1]
    assert len(report.findings) == FINDINGS_KEPT
    assert report.counts == {"R-VALUE": 1000, "R-DUP-DAY": 999}


class Endless(io.RawIOBase):
    """A file of so many bytes, all the same, that is nowhere in memory."""

    def __init__(self, start: bytes, left: int) -> None:
        super().__init__()
        self._start = start
        self._left = left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # typeshed names no common buffer
        given = self._start or b"1" * min(len(buffer), self._left)
        self._left -= 0 if self._start else len(given)
        self._start = b""
        buffer[: len(given)] = given
        return len(given)


def test_texts_that_are_long_and_never_the_same_take_no_memory() -> None:
    days = [day(f"{date.fromordinal(731_000 + n):%Y%m%d}", tail=f"A,1,{n}{'x' * 20_000},,") for n in range(300)]
    data = nem12(STREAM, *days)
    tracemalloc.start()
    report = FileReport()
    assert sum(1 for _ in nem12_module.read(io.BytesIO(data), ReadOptions(), report)) == len(days)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.counts.keys() == {"W-LENGTH", "W-UPDATE"}
    assert peak < 3_000_000


def test_a_line_without_an_end_takes_no_memory() -> None:
    report = FileReport()
    source = io.BufferedReader(Endless(f"{HEADER}\n{STREAM}\n300,".encode(), 30_000_000), 65_536)
    tracemalloc.start()
    assert not list(nem12_module.read(source, ReadOptions(), report))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert list(report.counts) == ["R-LINE-LENGTH", "W-200-WITHOUT-300", "R-NO-900"]
    assert peak < 3_000_000


def test_a_sentence_shows_nothing_that_moves_the_cursor() -> None:
    report = read(nem12(STREAM, day(values=values(v1="\x1b[2J"))))[1]
    assert "“[U+001B][2J”" in report.findings[0].sentence


def test_a_sender_may_be_allowed_to_leave_units_empty() -> None:
    data = stream(8, "")
    messages, report = read(data, ReadOptions(lenient=frozenset({EMPTY_UNIT})))
    assert (report.worst, report.counts, len(messages)) == (Verdict.ACCEPT, {"W-UOM-EMPTY": 1}, 1)
    assert read(stream(8, "x"), ReadOptions(lenient=frozenset({EMPTY_UNIT})))[1].worst is Verdict.REFUSE
    with pytest.raises(ValueError, match="There is no leniency other; use empty_unit"):
        ReadOptions(lenient=frozenset({"other"}))


def test_the_markets_clock_is_an_option_of_the_sender() -> None:
    for hours in (10, 8):
        offset = timedelta(hours=hours)
        (block,), _ = read(nem12(STREAM, day()), ReadOptions(nem_offset=offset))
        assert isinstance(block, IntervalBlock)
        assert block.start.isoformat() == f"2005-03-14T{24 - hours}:00:00+00:00"
        assert block.day.isoformat() == "2005-03-15"
        assert block.updated_at is not None
        assert (block.updated_at + offset).isoformat() == "2005-03-16T01:42:09+00:00"
        (one,), _ = read(nem13(READ), ReadOptions(nem_offset=offset))
        assert isinstance(one, RegisterRead)
        assert one.begin is not None
        assert (one.begin + offset).isoformat() == "2024-01-01T08:00:00+00:00"


def test_events_cover_the_day() -> None:
    events = ("400,41,48,N,,", "400,1,10,S14,76,Comms", "400,11,40,A,,")
    (block,), report = read(tailed(VARIES, *events))
    assert isinstance(block, IntervalBlock)
    assert block.quality == "V"
    assert [tuple(run) for run in block.runs] == [
        (1, 10, "S14", "76", "Comms"),
        (11, 40, "A", "", ""),
        (41, 48, "N", "", ""),
    ]
    assert report.quality == {"S14": 10, "A": 30, "N": 8}


def test_events_after_an_actual_day_give_reasons_to_their_intervals_alone() -> None:
    (block,), report = read(nem12(STREAM, day(), "400,5,6,A,79,Outage"))
    assert isinstance(block, IntervalBlock)
    assert (block.quality, report.quality) == ("A", {"A": 48})
    assert [tuple(run) for run in block.runs] == [
        (1, 4, "A", "", ""),
        (5, 6, "A", "79", "Outage"),
        (7, 48, "A", "", ""),
    ]


def test_an_event_of_another_quality_makes_a_day_vary() -> None:
    (block,), report = read(nem12(STREAM, day(), "400,48,48,S14,76,Comms"))
    assert isinstance(block, IntervalBlock)
    assert (block.quality, report.quality) == ("V", {"A": 47, "S14": 1})


def test_the_facts_of_the_records_are_kept() -> None:
    visits = ("500,N,S1,20050316000001,001234.5", "500,O,,,")
    (block,), _ = read(nem12(STREAM + "20050601", day(), *visits))
    assert isinstance(block, IntervalBlock)
    assert block.facts == {
        "NMIConfiguration": "E1B1",
        "RegisterID": "1",
        "MDMDataStreamIdentifier": "N1",
        "NextScheduledReadDate": "20050601",
    }
    assert [tuple(one.values()) for one in block.visits] == [
        ("N", "S1", "20050316000001", "001234.5"),
        ("O", "", "", ""),
    ]
    (one,), _ = read(nem13(READ, "550,N,S1,A,S2", "550,O,,,"))
    assert isinstance(one, RegisterRead)
    assert one.facts["RegisterID"] == "1"
    assert [tuple(visit.values()) for visit in one.visits] == [("N", "S1", "A", "S2"), ("O", "", "", "")]


@pytest.mark.parametrize(
    ("fields", "quantity", "explained"),
    [
        ({}, "500", "equal"),
        ({19: "-500"}, "500", "sign"),
        ({8: "I", 19: "-500"}, "500", "sign"),
        ({8: "I", 9: "23220", 14: "23210", 19: "-10"}, "10", "equal"),
        ({9: "23220", 14: "23210", 19: "-10"}, "-10", "equal"),
        ({19: "20000"}, "20000", "multiplier 40"),
        ({19: "5005000"}, "5005000", ""),
        ({9: "0.1", 14: "0.2", 19: "9" * 30}, "9" * 30, ""),
        ({9: "1" + "0" * 28 + "1", 14: "1" + "0" * 28 + "2", 19: "1"}, "1", "equal"),
        ({9: "1" + "0" * 28 + "1", 14: "1" + "0" * 28 + "2", 19: "2"}, "2", "multiplier 2"),
        ({9: "99890", 14: "02034", 19: "2144"}, "2144", "rollover"),
        ({9: "9999941.00", 14: "0000106.00", 19: "165"}, "165", "rollover"),
        ({9: "99950", 14: "00065", 19: "1150"}, "1150", "rollover multiplier 10"),
        ({9: "89890", 14: "02034", 19: "12144"}, "12144", ""),
        ({9: "677599", 14: "682732", 19: "5133.000"}, "5133.000", "equal"),
        ({9: "113680", 14: "114548", 19: "868.294"}, "868.294", "decimals"),
        ({9: "113680", 14: "114548", 19: "869.000"}, "869.000", ""),
        ({9: "38841", 14: "39013", 19: "31"}, "31", ""),
        ({9: "00105.4", 14: "99110.5", 19: "994.900"}, "994.900", ""),
        ({9: "0000950", 14: "0010015", 19: "65"}, "65", ""),
        ({9: "000120", 14: "000095", 19: "95", 20: "kW"}, "95", "demand"),
        ({9: "000120", 14: "000095", 19: "1900", 20: "kW"}, "1900", "demand multiplier 20"),
        ({9: "001000", 14: "001000", 19: "0"}, "0", "equal"),
        ({9: "001000", 14: "001000", 19: "7"}, "7", ""),
    ],
)
def test_the_reads_explain_the_quantity_or_the_read_is_held(
    fields: dict[int, str], quantity: str, explained: str
) -> None:
    record = READ.split(",")
    for place, value in fields.items():
        record[place - 1] = value
    (one,), report = read(nem13(",".join(record)))
    assert isinstance(one, RegisterRead)
    assert (str(one.quantity), one.explained) == (quantity, explained)
    assert one.hold == ("" if explained else "QTY_NOT_READS")
    assert report.worst is Verdict.ACCEPT, "the file is taken; the read alone is held"
    assert bool(explained) != ("QTY_NOT_READS" in report.counts)


@pytest.mark.parametrize(
    ("nmi", "digit"),
    [("2001985732", 8), ("2001985733", 6), ("3075621875", 8), ("VAAA000065", 7), ("VAAA000066", 5), ("QAAAVZZZZZ", 3)],
)
def test_the_check_digit_of_an_nmi(nmi: str, digit: int) -> None:
    assert check_digit(nmi) == digit
    (block,), report = read(stream(2, f"{nmi}{digit}"))
    assert isinstance(block, IntervalBlock)
    assert block.stream.point == nmi, "an 11th character that is the check digit is no part of it"
    assert report.counts == {"W-NMI-LENGTH": 1}


def test_every_code_says_what_it_is_and_what_to_do() -> None:
    for codes in CODES.values():
        for name, code in codes.items():
            assert name == code.code
            assert code.sentence.endswith(".")
            assert code.to_do.endswith((".", ").")), name
            assert re.fullmatch(r"[RWH]-[0-9A-Z-]+|[A-Z0-9_]+", name)
    twice = Counter(code.sentence for code in NEM.values())
    assert max(twice.values()) <= 2
