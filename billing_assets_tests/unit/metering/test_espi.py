"""Green Button feeds come out to the digit; what is wrong with one is said with its line, and holds only its days."""

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.metering.import_engine.espi import read, recognises
from billing_assets.metering.import_engine.formats import read_file
from billing_assets.metering.import_engine.messages import FileReport, IntervalBlock, Verdict
from billing_assets.metering.import_engine.options import ReadOptions
from billing_assets_tests.unit.metering.espi_writer import Reading, Row, Style, entries, feed

_FOLDER = Path(__file__).parents[2] / "data" / "green-button"
_HOUR = 3600
_NEW_YORK = (
    "<dstEndRule>B40E2000</dstEndRule><dstOffset>3600</dstOffset>"
    "<dstStartRule>360E2000</dstStartRule><tzOffset>-18000</tzOffset>"
)


def _table(name: str) -> list[dict[str, str]]:
    with (_FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


_FILES = {row["file"]: row for row in _table("expected.csv")}
_STREAMS = _table("expected-streams.csv")


def _content(name: str) -> bytes:
    content = (_FOLDER / name).read_bytes()
    return gzip.decompress(content) if name.endswith(".gz") else content


def _read(content: bytes, zone: str | None = None) -> tuple[list[IntervalBlock], FileReport]:
    report = FileReport()
    found = list(read(BytesIO(content), ReadOptions(zone=ZoneInfo(zone) if zone else None), report))
    assert all(isinstance(block, IntervalBlock) for block in found)
    return [block for block in found if isinstance(block, IntervalBlock)], report


def _starts(block: IntervalBlock) -> Iterator[int]:
    start = int(block.start.timestamp())
    return (start + at * block.stream.length_seconds for at in range(len(block.values)))


def _rows(blocks: list[IntervalBlock]) -> Counter[tuple[str, str, int, int, Decimal, int | None, str]]:
    """Every reading: point, suffix, start, length, quantity, cost, quality."""
    found: Counter[tuple[str, str, int, int, Decimal, int | None, str]] = Counter()
    for block in blocks:
        qualities = [block.quality] * len(block.values)
        for run in block.runs:
            qualities[run.first - 1 : run.last] = [run.quality] * (run.last - run.first + 1)
        costs = [None] * len(block.values) if block.costs is None else block.costs.tolist()
        for start, value, cost, quality in zip(_starts(block), block.values.tolist(), costs, qualities, strict=True):
            one, stream = Decimal(value).scaleb(-block.decimals), block.stream
            found[stream.point, stream.suffix, start, stream.length_seconds, one, cost, quality] += 1
    return found


@pytest.mark.parametrize("name", _FILES)
def test_a_feed_comes_out_as_expected_with_its_verdict_and_findings(name: str) -> None:
    want = _FILES[name]
    blocks, report = _read(_content(name))

    assert report.worst == want["verdict"]
    assert report.counts == {
        code: int(n) for code, _, n in (found.partition(":") for found in want["findings"].split())
    }
    assert sum(totals.readings for totals in report.streams.values()) == int(want["readings"])
    assert sum(report.quality.values()) == (int(want["readings"]) if want["verdict"] != "refuse" else 0)
    if report.worst is not Verdict.REFUSE:
        assert sum(len(block.values) for block in blocks) == int(want["readings"])
        assert sum(sum(block.costs.tolist()) for block in blocks if block.costs is not None) == int(want["cost_raw"])
        assert report.header["created"][:2] == "20"
        for count in ("usage_points", "meter_readings", "reading_types", "interval_blocks", "usage_summaries"):
            assert report.header[count] == want[count]


@pytest.mark.parametrize(
    "want", _STREAMS, ids=lambda row: f"{row['file']}-{row['usage_point']}-{row['meter_reading'][-2:]}"
)
def test_a_stream_comes_out_to_the_digit(want: dict[str, str]) -> None:
    blocks, report = _read(_content(want["file"]))

    alone = len({(stream.point, stream.suffix) for stream in report.streams}) == 1  # one exporter misspells its point

    def is_it(point: str, serial: str) -> bool:
        return alone or f"{point}/meterreading/{serial}".endswith(want["meter_reading"])

    totals = [found for stream, found in report.streams.items() if is_it(stream.point, stream.serial)]
    assert sum(found.readings for found in totals) == int(want["readings"])
    assert sum((found.sum for found in totals), Decimal(0)) == Decimal(want["quantity"])
    if report.worst is Verdict.REFUSE:
        return
    mine = [block for block in blocks if is_it(block.stream.point, block.stream.serial)]
    raw = sum(sum(block.values.tolist()) * Decimal(10) ** -block.decimals for block in mine)
    assert raw / Decimal(10) ** int(want["power_of_ten"]) == int(want["sum_raw"])
    assert {block.stream.unit for block in mine} == {want["unit"]}
    costs = [cost for block in mine if block.costs is not None for cost in block.costs.tolist()]
    assert len(costs) == int(want["readings_with_cost"])
    assert Decimal(sum(costs)).scaleb(-5) == Decimal(want["cost"] or 0)
    starts = sorted(start for block in mine for start in _starts(block))
    assert f"{datetime.fromtimestamp(starts[0], UTC):%Y-%m-%dT%H:%M:%SZ}" == want["first_start"]
    assert f"{datetime.fromtimestamp(starts[-1], UTC):%Y-%m-%dT%H:%M:%SZ}" == want["last_start"]
    lengths = Counter(block.stream.length_seconds for block in mine for _ in block.values)
    assert {f"{length}s:{count}" for length, count in lengths.items()} == set(want["durations"].split())
    codes = Counter(
        run.reason for block in mine for run in block.runs for _ in range(run.first, run.last + 1) if run.reason
    )
    assert codes == {code: int(n) for code, _, n in (found.partition(":") for found in want["qualities"].split())}


def test_only_the_days_of_a_clock_change_are_held_and_the_others_of_the_year_pass() -> None:
    blocks, report = _read(_content("Coastal_Single_Family_Jan_1_2011_to_Jan_1_2012.xml.gz"))

    held = {block.day: block.hold for block in blocks if block.hold}
    assert held == {date(2011, 3, 13): "H-REPEATED-START", date(2011, 11, 6): "H-GAP"}
    assert all(block.hold for block in blocks if block.day in held)
    assert len({block.day for block in blocks}) == 365
    assert {finding.line for finding in report.findings} == {12146, 52193, 52130}


def test_a_day_is_that_of_the_zone_of_the_point_and_a_feed_that_says_another_clock_is_told() -> None:
    content = _content("hourlyForMonthMar.xml")
    own, _ = _read(content)
    same, quiet = _read(content, "America/New_York")
    other, told = _read(content, "Europe/Berlin")

    assert [(block.day, len(block.values)) for block in own] == [(block.day, len(block.values)) for block in same]
    assert [len(block.values) for block in own if block.day == date(2011, 3, 13)] == [23]
    assert quiet.counts["W-ZONE"] == 0
    assert told.counts["W-ZONE"] == 1
    assert _rows(other) == _rows(own)
    assert [block.day for block in other] != [block.day for block in own]


def test_a_bill_of_the_utility_that_differs_from_its_intervals_is_told_and_changes_nothing() -> None:
    content = _content("Gas.xml")
    blocks, report = _read(content.replace(b"<value>85263</value>\n", b"<value>95263</value>\n", 1))
    assert report.counts == {"W-SUMMARY": 1}  # the month's row is 95.263 therm now, the utility's summary 85.263
    assert "95.263" in report.findings[0].sentence
    _, report = _read(content.replace(b"<billLastPeriod>28684000", b"<billLastPeriod>29684000"))
    assert report.counts == {"W-SUMMARY": 1}
    assert "296.84" in report.findings[0].sentence
    assert report.worst is Verdict.ACCEPT
    assert len(blocks) == 13


def _one(rows: list[Row], **facts: object) -> bytes:
    reading = Reading("1", "1", blocks=[rows])
    for name, value in facts.items():
        setattr(reading, name, value)
    return feed(entries([reading], Style("e:")))


def _hours(values: list[int], start: int = 1_700_006_400) -> list[Row]:
    return [(start + at * _HOUR, _HOUR, value, None, None) for at, value in enumerate(values)]


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        (b"", {"R-XML"}),
        (b" \n", {"R-XML"}),
        (b"\x00\xff" * 300, {"R-XML"}),
        (b"200,QB00000123,E1", {"R-XML"}),
        (b"<html><body>log in</body></html>", {"R-NO-POINT"}),
        (b'<!DOCTYPE feed [<!ENTITY a "aaaa">]>' + feed([]).partition(b"\n")[2], {"R-XML"}),
        (b'<!DOCTYPE feed SYSTEM "file:///etc/passwd">' + feed([]).partition(b"\n")[2], {"R-XML"}),
        (b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>", {"R-XML"}),
        (feed(["<entry>" + "<a>" * 300 + "</a>" * 300 + "</entry>"]), {"R-XML"}),
        (feed(["<entry><id>" + "x" * 11_000_000 + "</id></entry>"]), {"R-XML"}),
        (feed(["<entry>" + "<a/>" * 5_000_000 + "</entry>"]), {"R-XML"}),
        (feed([]), {"R-NO-POINT"}),
        (_one(_hours([1])).replace(b"<e:value>1<", b"<e:value>1.0<"), {"R-VALUE"}),
        (_one(_hours([1])).replace(b"<e:value>1<", b"<e:value>1_0<"), {"R-VALUE"}),
        (_one(_hours([1])).replace(b"<e:value>1<", b"<e:value><"), {"R-VALUE"}),
        (_one(_hours([1])).replace(b"<e:value>1</e:value>", b""), {"R-VALUE"}),
        (_one(_hours([2**47])), {"R-VALUE"}),
        (_one(_hours([10**12]), power=12), {"R-RANGE"}),
        (_one([(1_700_000_000, _HOUR, 1, None, None)]).replace(b"1700000000", b"1700000000.5"), {"R-START"}),
        (_one([(99_999_999_999_999, _HOUR, 1, None, None)]), {"R-START"}),
        (_one([(1_700_000_000, -1, 1, None, None)]), {"R-DURATION"}),
        (_one(_hours([1]), uom=None), {"R-NO-UOM"}),
        (_one(_hours([1]), power=4), {"R-POWER"}),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else "+".join(sorted(value)),
)
def test_a_broken_or_hostile_file_is_refused_with_a_sentence(content: bytes, codes: set[str]) -> None:
    _, report = _read(content)
    assert report.worst is Verdict.REFUSE
    assert set(report.counts) == codes
    assert all(finding.sentence.endswith(".") for finding in report.findings)


@pytest.mark.parametrize(
    ("rows", "code", "held"),
    [
        (_hours([1, 2]) + _hours([9], 1_700_006_400 + 5 * _HOUR), "H-GAP", 3),
        ([*_hours([1, 2, 3]), (1_700_006_400 + 1800, _HOUR, 4, None, None)], "H-OVERLAP", 4),
        (_hours([1, 2]) + _hours([3]), "H-REPEATED-START", 3),
        ([(1_700_006_400, _HOUR, 1, 5, None), (1_700_010_000, _HOUR, 1, None, None)], "H-COST-PART", 2),
        (_hours([1, 2]) + _hours([1]), "W-REPEATED-ROW", 0),
        ([(1_700_006_400, 0, 1, None, None), *_hours([2])], "W-ZERO-DURATION", 1),
        ([(1_700_006_400, _HOUR, 1, None, 99)], "W-QUALITY", 0),
        ([(1_696_000_000, 86_400 * 30, 1, None, None), (1_698_595_600, 86_400 * 30, 1, None, None)], "W-GAP", 0),
        ([(1_696_000_000, 86_400 * 30, 1, None, None), (1_698_588_400, 86_400 * 30, 1, None, None)], "W-OVERLAP", 0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_finding_names_its_line_and_holds_its_day_or_none(rows: list[Row], code: str, held: int) -> None:
    blocks, report = _read(_one(rows))
    assert set(report.counts) == {code}
    assert report.findings[0].line
    assert sum(len(block.values) for block in blocks if block.hold == code) == held


def test_a_long_feed_comes_out_the_same_in_any_order_of_its_entries() -> None:
    """More rows than are looked at together: with a gap, a row that is there twice, and a start with two values."""
    days: list[list[Row]] = [
        [(1_400_000_400 + (day * 96 + row) * 900, 900, (day * 7 + row * 13) % 999, None, None) for row in range(96)]
        for day in range(250)
    ]
    del days[100][10:14]
    days[150].append(days[150][50])
    days[200].append((days[200][20][0], 900, 5000, None, None))
    days[0].append(days[249].pop(50))
    made = entries([Reading("1", "1", blocks=days)], Style("e:"))
    blocks, report = _read(feed(made))
    again, same = _read(feed(made[::-1]))
    assert report.counts == same.counts == {"H-GAP": 1, "W-REPEATED-ROW": 1, "H-REPEATED-START": 1}
    assert _rows(blocks) == _rows(again)
    assert [(one.start, one.hold, one.values.tolist()) for one in blocks] == [
        (one.start, one.hold, one.values.tolist()) for one in again
    ]
    assert sum(len(one.values) for one in blocks) == 250 * 96 - 4 + 1


def test_a_row_that_is_there_twice_counts_once_in_the_messages_and_is_accounted_for() -> None:
    blocks, report = _read(_one(_hours([1, 2]) + _hours([1])))
    (totals,) = report.streams.values()
    assert (totals.readings, totals.sum, totals.repeated, totals.repeated_sum) == (3, Decimal(4), 1, Decimal(1))
    assert sum(sum(block.values.tolist()) for block in blocks) == totals.sum - totals.repeated_sum


def test_rows_without_a_time_of_their_own_follow_the_start_of_their_block() -> None:
    timeless = "".join(f"<e:IntervalReading><e:value>{value}</e:value></e:IntervalReading>" for value in (5, 6, 7))
    interval = "<e:interval><e:duration>2700</e:duration><e:start>1700006400</e:start></e:interval>"
    content = _one(_hours([1]), type_extra="<e:intervalLength>900</e:intervalLength>")
    begin, end = content.index(b"<e:IntervalReading>"), content.index(b"</e:IntervalBlock>")
    blocks, report = _read(content[:begin] + (interval + timeless).encode() + content[end:])
    assert report.counts == {}
    assert [(block.values.tolist(), list(_starts(block))) for block in blocks] == [
        ([5, 6, 7], [1_700_006_400, 1_700_007_300, 1_700_008_200])
    ]


def test_blocks_that_no_link_joins_are_held_and_two_points_of_one_account_too() -> None:
    made = entries([Reading("1", "1", blocks=[_hours([1])]), Reading("2", "1", blocks=[_hours([2])])], Style("e:"))
    elsewhere = [("/MeterReading/1/", "/Elsewhere/1/") if "<e:IntervalBlock>" in entry else ("", "") for entry in made]
    loose = feed([entry.replace(*change) for entry, change in zip(made, elsewhere, strict=True)])
    blocks, report = _read(loose)
    assert report.worst is Verdict.HOLD
    assert report.counts["H-UNLINKED"] >= 1
    assert {block.hold for block in blocks} == {"H-UNLINKED"}

    blocks, report = _read(feed([entry.replace("RetailCustomer/9", "BillingAccount/9") for entry in made]))
    assert report.counts == {"H-TWO-POINTS": 1}
    assert {block.hold for block in blocks} == {"H-TWO-POINTS"}


def test_a_meter_reading_whose_type_is_not_in_the_feed_is_held_where_there_are_types_to_choose_from() -> None:
    made = entries([Reading("1", "1", blocks=[_hours([1])]), Reading("1", "2", blocks=[_hours([2])])], Style("e:"))
    loose = [
        entry.replace("ReadingType/1-2", "ReadingType/9") if "<e:MeterReading>" in entry else entry for entry in made
    ]
    blocks, report = _read(feed(loose))
    assert report.counts == {"H-UNLINKED": 1}
    assert [block.hold for block in blocks] == ["", "H-UNLINKED"]


def test_meter_readings_of_one_point_and_kind_are_streams_of_their_own() -> None:
    blocks, _ = _read(_content("1hrLP_32Days_Additional2_M.xml"))
    assert len({block.stream.suffix for block in blocks}) == 10


def test_a_feed_is_found_by_its_content_and_read_through_the_registry_too() -> None:
    report = FileReport()
    messages = list(read_file(BytesIO(_content("test_usage_data_01.xml")), report))
    assert (report.format, report.worst, len(messages)) == ("ESPI", "accept", 1)


def test_a_feed_is_recognised_by_its_head() -> None:
    assert all(recognises(_content(name)[:4096]) for name in _FILES)
    assert not recognises(b"100,NEM12,200506081149,UNITEDDP,NEMMCO")
    assert not recognises(b"ISA*00*          *00*")
    assert not recognises(b"<html>")


_VALUES = st.integers(-(10**6), 10**6)


@st.composite
def _readings(draw: st.DrawFn) -> list[Reading]:
    made = []
    for point in range(draw(st.integers(1, 3))):
        for name in range(draw(st.integers(1, 2))):
            reading = Reading(f"p{point}", f"m{name}", flow=(1, 19)[name], power=draw(st.sampled_from((-3, -1, 0, 3))))
            priced = draw(st.booleans())
            start = 1_699_920_000 + 900 * draw(st.integers(0, 96))
            for _ in range(draw(st.integers(1, 3))):
                length = draw(st.sampled_from((900, _HOUR)))
                rows: list[Row] = []
                for value in draw(st.lists(_VALUES, min_size=1, max_size=30)):
                    quality = draw(st.sampled_from((None, 0, 7, 8, 10, 19)))
                    rows.append((start, length, value, abs(value) if priced else None, quality))
                    start += length
                reading.blocks.append(rows)
            made.append(reading)
    return made


_STYLES = st.builds(
    Style,
    st.sampled_from(("", "e:")),
    st.sampled_from(("", "/", "https://host.example/DataCustodian/espi/1_1/resource/")),
    st.booleans(),
    st.sampled_from(("", " ", "\n\t")),
)
_QUALITY = {None: "A", 0: "A", 19: "A", 7: "F", 8: "E", 10: "N"}


@settings(max_examples=60, deadline=None)
@given(_readings(), _STYLES, st.randoms(use_true_random=False))
def test_what_is_written_is_read_in_any_style_and_any_order_of_entries(
    readings: list[Reading], style: Style, random: object
) -> None:
    want = Counter(
        (
            f"retailcustomer/9/usagepoint/{reading.point}",
            f"{reading.flow}-12",
            start,
            length,
            Decimal(value).scaleb(reading.power),
            cost,
            _QUALITY[quality],
        )
        for reading in readings
        for rows in reading.blocks
        for start, length, value, cost, quality in rows
    )
    made = entries(
        readings, style, _NEW_YORK.replace("<", f"<{style.prefix}").replace(f"<{style.prefix}/", f"</{style.prefix}")
    )
    blocks, report = _read(feed(made))
    assert report.counts == {}
    assert _rows(blocks) == want
    random.shuffle(made)  # type: ignore[attr-defined]
    again, report = _read(feed(made))
    assert report.counts == {}
    assert _rows(again) == want
    zone = ZoneInfo("America/New_York")
    assert all(block.day == block.start.astimezone(zone).date() for block in blocks)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_feed_that_is_cut_anywhere_is_refused(data: st.DataObject) -> None:
    content = feed(entries([Reading("1", "1", blocks=[_hours([1, 2, 3])])], Style())).rstrip()
    _, report = _read(content[: data.draw(st.integers(0, len(content) - 1))])
    assert report.worst is Verdict.REFUSE


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 23), st.integers(0, 3), st.integers(1, 8))
def test_one_other_digit_in_a_value_changes_that_reading_and_no_other(row: int, place: int, more: int) -> None:
    values = [1111] * 24
    whole, _ = _read(_one(_hours(values)))
    values[row] += more * 10**place
    changed, _ = _read(_one(_hours(values)))
    assert sum((_rows(whole) - _rows(changed)).values()) == 1
    assert sum((_rows(changed) - _rows(whole)).values()) == 1
