"""CSV exports come out to the digit by their column mappings; a mapping that does not fit is said with its lines."""

import csv
import gzip
import os
from bisect import bisect_left
from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.foundation.shipped import shipped
from billing_assets.metering.import_engine.csv_exports import read
from billing_assets.metering.import_engine.csv_mapping import ColumnMapping, MappingError, load_mapping
from billing_assets.metering.import_engine.messages import FileReport, IntervalBlock, Verdict

_FOLDER = Path(__file__).parents[2] / "data" / "interval"
_ELSEWHERE = os.environ.get("BILLING_TEST_SHARED_DATA")
_MAPPINGS = {
    "amber": "au-retailer-spot",
    "profiles/": "profile-8760",
    "profiles-15min/selp": "de-profile-weeks",
    "profiles-15min/": "de-profile-by-month",
    "meters/": "start-and-value",
    "reference-only/ausgrid": "half-hours-kw",
    "reference-only/example": "au-distributor-wide",
    "reference-only/ireland": "ie-distributor",
}
with (_FOLDER / "expected.csv").open(encoding="utf-8", newline="") as _file:
    _EXPECTED = {row["file"]: row for row in csv.DictReader(_file)}


def _content(name: str) -> bytes:
    path = _FOLDER / name
    if not path.exists():
        path = Path(_ELSEWHERE or "", "interval", name)
        if _ELSEWHERE is None or not path.exists():
            pytest.skip("may not be copied, or is not needed: BILLING_TEST_SHARED_DATA names the folder that has it")
    content = path.read_bytes()
    return gzip.decompress(content) if name.endswith(".gz") else content


def _mapping(name: str, **times: Any) -> ColumnMapping:
    found = load_mapping(next(mapping for start, mapping in _MAPPINGS.items() if name.startswith(start)))
    return found.model_copy(update={"times": found.times.model_copy(update=times)})


def _read(content: bytes, mapping: ColumnMapping) -> tuple[list[IntervalBlock], FileReport]:
    report = FileReport()
    return [block for block in read(BytesIO(content), mapping, report) if isinstance(block, IntervalBlock)], report


def _sum(blocks: list[IntervalBlock]) -> Decimal:
    return sum((Decimal(sum(one.values.tolist())).scaleb(-one.decimals) for one in blocks), Decimal(0))


def _file_sum(report: FileReport) -> tuple[int, Decimal]:
    totals = report.streams.values()
    return sum(one.readings for one in totals), sum((one.sum for one in totals), Decimal(0))


@pytest.mark.parametrize("name", [name for name in _EXPECTED if name.startswith("profiles/")])
def test_a_profile_of_a_year_has_its_8760_hours_and_its_sum(name: str) -> None:
    blocks, report = _read(_content(name), _mapping(name))
    assert (report.worst, report.counts) == (Verdict.ACCEPT, {})
    assert _file_sum(report) == (8760, Decimal(_EXPECTED[name]["sum"]))
    assert len({block.day for block in blocks}) == 365
    assert _sum(blocks) == Decimal(_EXPECTED[name]["sum"])


@pytest.mark.parametrize("name", ["profiles-15min/h25.csv", "profiles-15min/g25.csv", "profiles-15min/p25.csv"])
def test_a_german_profile_has_a_stream_for_each_month_and_kind_of_day(name: str) -> None:
    blocks, report = _read(_content(name), _mapping(name))
    assert report.counts == {}
    assert _file_sum(report)[1] == Decimal(_EXPECTED[name]["sum"])
    assert len(blocks) == 36
    assert {len(block.values) for block in blocks} == {int(_EXPECTED[name]["rows"])}
    assert "März FT" in {block.stream.suffix for block in blocks}


def test_german_sample_weeks_have_a_stream_for_each_class() -> None:
    name = "profiles-15min/selp_series.csv.gz"
    _, report = _read(_content(name), _mapping(name))
    totals = {stream.suffix: found for stream, found in report.streams.items()}
    assert set(totals) == {"h0", "g0", "g1", "g2", "g3", "g4", "g5", "g6", "l0", "l1", "l2"}
    assert (totals["h0"].readings, totals["h0"].sum) == (int(_EXPECTED[name]["rows"]), Decimal(_EXPECTED[name]["sum"]))


def test_a_retailers_export_comes_out_with_its_cost_to_the_digit() -> None:
    blocks, report = _read(_content("amber_sample.csv"), _mapping("amber"))
    assert (report.worst, report.counts) == (Verdict.ACCEPT, {})
    quantity = {suffix: _sum([block for block in blocks if block.stream.suffix == suffix]) for suffix in ("E1", "B1")}
    assert quantity == {"E1": Decimal("106.418"), "B1": Decimal("3.000")}
    cents = Counter[str]()
    for block in blocks:
        assert block.costs is not None
        assert block.currency == "AUD"
        cents[block.stream.suffix] += sum(block.costs.tolist()) * 10 ** (8 - block.cost_decimals)
    assert {suffix: Decimal(cost).scaleb(-6) for suffix, cost in cents.items()} == {
        "E1": Decimal("1542.8850"),
        "B1": Decimal("-47.4639"),
    }
    assert sorted({block.day for block in blocks}) == [date(2026, 4, 12), date(2026, 4, 13), date(2026, 4, 14)]


def test_a_cost_that_is_not_price_times_quantity_is_told() -> None:
    content = _content("amber_sample.csv").replace(b"9.40567,1.081,10.1675", b"9.40567,1.081,10.2675")
    _, report = _read(content, _mapping("amber"))
    assert report.counts == {"W-PRICE": 1}
    assert report.findings[0].line == 2


_METERS = ("il-electricity-cdd-hdd", "il-gas-hdd-only", "il-gas-intercept-only")


@pytest.mark.parametrize("meter", _METERS)
def test_one_energy_at_four_resolutions_is_the_same_within_the_rounding_of_its_rows(meter: str) -> None:
    hours = {}
    blocks, report = _read(_content(f"meters/{meter}-hourly.csv.gz"), _mapping("meters/", length=3600))
    assert report.counts == {}
    want = _EXPECTED[f"meters/{meter}-hourly.csv.gz"]
    assert _file_sum(report) == (int(want["rows"]), Decimal(want["sum"]))
    for block in blocks:
        start = int(block.start.timestamp())
        for at, value in enumerate(block.values.tolist()):
            hours[start + at * 3600] = Decimal(value).scaleb(-block.decimals)
    starts = sorted(hours)
    for resolution in ("daily", "billing_monthly", "billing_bimonthly"):
        name = f"meters/{meter}-{resolution}.csv.gz"
        blocks, report = _read(_content(name), _mapping(name))
        assert report.counts == {}
        assert _file_sum(report) == (int(_EXPECTED[name]["rows"]) - 1, Decimal(_EXPECTED[name]["sum"]))
        differences = []
        for block in blocks:
            start = int(block.start.timestamp())
            within = starts[bisect_left(starts, start) : bisect_left(starts, start + block.stream.length_seconds)]
            differences.append(abs(_sum([block]) - sum(hours[at] for at in within)))
        assert max(differences) == Decimal(_EXPECTED[name]["notes"].rpartition(" ")[2])


@pytest.mark.parametrize("kind", ["electricity", "gas"])
def test_numbers_with_binary_rounding_come_out_as_they_are_written(kind: str) -> None:
    name = f"meters/uk-{kind}-hdd-only-hourly-sample-0.csv.gz"
    blocks, report = _read(_content(name), _mapping(name, length=3600))
    assert report.counts == {}
    want = int(_EXPECTED[name]["rows"]), Decimal(_EXPECTED[name]["sum"])
    assert _file_sum(report) == want
    assert (sum(len(block.values) for block in blocks), _sum(blocks)) == want


def test_repeated_rows_are_dropped_and_gaps_held() -> None:
    name = "meters/uk-electricity-hdd-only-hourly-sample-1.csv.gz"
    blocks, report = _read(_content(name), _mapping(name, length=1800, stamp_has_offset=False))
    assert report.worst is Verdict.HOLD
    assert report.counts == {"W-REPEATED-ROW": 15, "H-GAP": 5}
    assert _file_sum(report) == (int(_EXPECTED[name]["rows"]), Decimal(_EXPECTED[name]["sum"]))
    repeated = sum((one.repeated_sum for one in report.streams.values()), Decimal(0))
    assert sum(len(block.values) for block in blocks) == 22536 - 15
    assert _sum(blocks) == Decimal(_EXPECTED[name]["sum"]) - repeated
    assert 5 <= len({block.day for block in blocks if block.hold}) <= 10


def test_a_distributors_wide_export_comes_out_to_the_digit() -> None:
    name = next(name for name in _EXPECTED if "example-04" in name)
    blocks, report = _read(_content(name), _mapping(name))
    assert (report.worst, report.counts) == (Verdict.ACCEPT, {})
    assert _file_sum(report) == (17568, Decimal(_EXPECTED[name]["sum"]))
    assert len(blocks) == int(_EXPECTED[name]["rows"])


def test_power_of_half_hours_is_halved() -> None:
    name = next(name for name in _EXPECTED if "ausgrid" in name)
    _, report = _read(_content(name), _mapping(name))
    totals = {stream.suffix: found for stream, found in report.streams.items()}
    assert totals["E1"].readings == int(_EXPECTED[name]["rows"])
    assert {suffix: f"{found.sum:.3f}" for suffix, found in totals.items()} == {"E1": "5938.369", "B1": "1296.404"}


def test_a_local_clock_without_offset_newest_first_gets_both_hours_of_autumn() -> None:
    name = next(name for name in _EXPECTED if "ireland" in name)
    blocks, report = _read(_content(name), _mapping(name))
    totals = {stream.suffix: (found.readings, found.sum) for stream, found in report.streams.items()}
    assert totals == {"import": (31783, Decimal("7174.0005")), "export": (23908, Decimal("4711.5600"))}
    assert set(report.counts) == {"H-GAP"}
    rows = Counter((block.stream.suffix, block.day) for block in blocks for _ in block.values)
    assert rows["import", date(2023, 10, 29)] == 50
    assert rows["import", date(2023, 3, 26)] == 46


def test_a_profile_that_lacks_a_row_is_refused_and_not_moved_in_time() -> None:
    lines = _content("profiles-15min/h25.csv").splitlines(keepends=True)
    _, report = _read(b"".join(lines[:50] + lines[51:]), _mapping("profiles-15min/h25.csv"))
    assert set(report.counts) == {"R-TIME", "R-ROWS"}
    assert next(finding.line for finding in report.findings if finding.code == "R-TIME") == 51
    lines = _content("profiles/crb8760_norm_Houston_FlatLoad.dat.gz").splitlines(keepends=True)
    assert _read(b"".join(lines[:-1]), _mapping("profiles/"))[1].counts == {"R-ROWS": 1}


def _simple(**changes: Any) -> ColumnMapping:
    facts: dict[str, Any] = {
        "name": "test",
        "version": 1,
        "title": "a test",
        "point": {"column": "meter"},
        "channels": {"kwh": {"suffix": "E1"}},
        "times": {"zone": "Europe/Berlin", "start": "time", "length": 3600},
    }
    times = facts["times"] | changes.pop("times", {})
    return ColumnMapping.model_validate(facts | changes | {"times": times})


_HEAD = "meter,time,kwh\n"


@pytest.mark.parametrize(
    ("text", "changes", "code", "line"),
    [
        ("", {}, "R-NO-ROWS", None),
        (_HEAD, {}, "R-NO-ROWS", None),
        ("meter;time;kwh\nm;2025-01-01T00:00;1\n", {}, "R-COLUMN", 1),
        ("meter,time,Wh\nm,2025-01-01T00:00,1\n", {}, "R-COLUMN", 1),
        (_HEAD + "m,2025-01-01T00:00,1,2\n", {}, "R-FIELDS", 2),
        (_HEAD + "m,2025-01-01T00:00\n", {}, "R-FIELDS", 2),
        (_HEAD + "m,01.01.2025,1\n", {}, "R-TIME", 2),
        (_HEAD + "m,2025-01-01T00:00+01:00,1\n", {}, "R-TIME", 2),
        (_HEAD + "m,2025-01-01T00:00,1\n", {"times": {"stamp_has_offset": True}}, "R-TIME", 2),
        (_HEAD + ",2025-01-01T00:00,1\n", {}, "R-POINT", 2),
        (_HEAD + "m,2025-01-01T00:00,\n", {}, "R-VALUE", 2),
        (_HEAD + "m,2025-01-01T00:00,1e3\n", {}, "R-VALUE", 2),
        (_HEAD + 'm,2025-01-01T00:00,"1,5"\n', {}, "R-VALUE", 2),
        (_HEAD + "m,2025-01-01T00:00,nan\n", {}, "R-VALUE", 2),
        (_HEAD + "m,2025-01-01T00:00,0.1234567890123456789\n", {}, "R-VALUE", 2),
        (_HEAD + "m,2025-01-01T00:00,-1\n", {}, "R-NEGATIVE", 2),
        (_HEAD + "m,2025-01-01T01:00,1\nm,2025-01-01T00:00,1\n", {}, "R-ORDER", 3),
        (_HEAD + "m,2025-01-01T00:00,1\nm,2025-01-01T01:00,1\n", {"times": {"order": "falling"}}, "R-ORDER", 3),
        (_HEAD + "m,2025-01-01T00:00,9\nm,2025-01-01T01:00,8\n", {"cumulative": {}}, "R-FELL", 3),
        (_HEAD + "m,2025-01-01T00:00,1\n", {"quality": {"fixed": "X"}}, "R-QUALITY", 2),
        (_HEAD + 'm,2025-01-01T00:00,"1\n', {}, "R-CSV", 2),
        (_HEAD + "m,2025-01-01T00:00,1\udcff\n", {}, "R-ENCODING", 2),
        (_HEAD + "m,2025-01-01T00:00," + "1" * 1_000_000 + "\n", {}, "R-CSV", 1),
    ],
)
def test_what_a_mapping_does_not_allow_is_refused_with_its_line(
    text: str, changes: dict[str, Any], code: str, line: int | None
) -> None:
    _, report = _read(text.encode("utf-8", "surrogateescape"), _simple(**changes))
    assert report.worst is Verdict.REFUSE
    assert report.counts[code] == 1
    assert next(finding.line for finding in report.findings if finding.code == code) == line


def _values(blocks: list[IntervalBlock]) -> list[tuple[str, int, list[Decimal]]]:
    return [
        (
            f"{block.start:%m-%dT%H:%M}",
            block.stream.length_seconds,
            [Decimal(value).scaleb(-block.decimals) for value in block.values.tolist()],
        )
        for block in blocks
    ]


def test_reads_of_a_counter_give_what_is_between_them_and_may_start_again_when_the_mapping_says_so() -> None:
    text = _HEAD + "m,2025-01-01T22:00,10.5\nm,2025-01-01T23:00,12\nm,2025-01-02T00:00,0.25\n"
    blocks, report = _read(text.encode(), _simple(cumulative={"falls_from": "23:30", "falls_until": "00:30"}))
    assert report.counts == {}
    assert _values(blocks) == [("01-01T21:00", 3600, [Decimal("1.5"), Decimal("0.25")])]


def test_rows_last_until_the_next_one_rising_or_falling() -> None:
    rows = ["m,2025-01-01T00:00,1\n", "m,2025-01-02T00:00,2\n", "m,2025-01-04T00:00,nan\n"]
    for order, lines in (("rising", rows), ("falling", rows[::-1])):
        mapping = _simple(end_marker="nan", times={"length": "next", "order": order})
        blocks, report = _read((_HEAD + "".join(lines)).encode(), mapping)
        assert report.counts == {}
        assert _values(blocks) == [("12-31T23:00", 86400, [Decimal(1)]), ("01-01T23:00", 172800, [Decimal(2)])]


def test_other_signs_and_empty_cells_are_read_as_the_mapping_says() -> None:
    text = "meter;time;kwh\nm;2025-01-01T00:00;-1,50\nm;2025-01-01T01:00;\nm;2025-01-01T02:00;-2\n"
    mapping = _simple(
        delimiter=";", decimal=",", empty="missing", channels={"kwh": {"suffix": "B1", "negate": True, "unit": "kWh"}}
    )
    blocks, report = _read(text.encode(), mapping)
    assert report.counts == {"H-GAP": 1}
    assert [values for _, _, values in _values(blocks)] == [[Decimal("1.50")], [Decimal(2)]]
    mapping = mapping.model_copy(update={"times": mapping.times.model_copy(update={"tolerated_gap": 3600})})
    assert _read(text.encode(), mapping)[1].counts == {}


def test_a_row_with_start_and_end_may_be_a_second_off_only_if_the_mapping_says_so() -> None:
    text = "meter,time,until,kwh\nm,2025-01-01T00:00:01,2025-01-01T01:00:00,1\n"
    _, report = _read(text.encode(), _simple(times={"end": "until"}))
    assert report.counts == {"R-LENGTH": 1}
    blocks, report = _read(text.encode(), _simple(times={"end": "until", "length_tolerance": 1}))
    assert report.counts == {}
    assert _values(blocks) == [("12-31T23:00", 3600, [Decimal(1)])]


@pytest.mark.parametrize("order", ["falling", "rising"])
def test_the_hour_that_a_local_clock_repeats_is_told_apart_by_the_order_of_rows(order: str) -> None:
    """Ends of half hours in Dublin, 29 October 2023, as a portal writes them: import and export mixed."""
    ends = ["00:30", "01:00", "01:30", "01:00", "01:30", "02:00"]
    lines = [
        f"X,X,{at},Active {kind} Interval (kWh),29-10-2023 {end}"
        for at, end in enumerate(ends)
        for kind in ("Import", "Export")
    ]
    head = "MPRN,Meter Serial Number,Read Value,Read Type,Read Date and End Time"
    mapping = load_mapping("ie-distributor")
    mapping = mapping.model_copy(update={"times": mapping.times.model_copy(update={"order": order})})
    text = "\n".join([head, *(lines if order == "rising" else lines[::-1])])
    blocks, report = _read(text.encode(), mapping)
    assert report.counts == {}
    assert sorted({block.stream.suffix for block in blocks}) == ["export", "import"]
    for block in blocks:
        assert (f"{block.start:%H:%M}", block.values.tolist()) == ("23:00", [0, 1, 2, 3, 4, 5])


def test_the_distributors_and_the_research_mapping_read_a_day() -> None:
    intervals = [
        f"{at // 2:02d}:{at % 2 * 30:02d} - {(at + 1) // 2 % 24:02d}:{(at + 1) % 2 * 30:02d}" for at in range(48)
    ]
    head = ",".join(["NMI", "METER SERIAL NUMBER", "CON/GEN", "DATE", "ESTIMATED?", *intervals])
    rows = [
        f"1,2,{kind},05/Oct/2014,{flag}," + ",".join(["0.25"] * 48)
        for kind, flag in (("Consumption", "N"), ("Generation", "Yes"))
    ]
    blocks, report = _read("\n".join([head, *rows]).encode(), load_mapping("au-distributor-wide"))
    assert report.counts == {}
    assert [(one.stream.suffix, one.quality, _sum([one])) for one in blocks] == [
        ("E1", "A", Decimal(12)),
        ("B1", "E", Decimal(12)),
    ]

    blocks, report = _read(b",GC,GG\n2011-07-01 00:00:00,0.45399999999999996,3\n", load_mapping("half-hours-kw"))
    assert report.counts == {}
    assert {one.stream.suffix: _sum([one]) for one in blocks} == {
        "E1": Decimal("0.22699999999999998"),
        "B1": Decimal("1.5"),
    }


@pytest.mark.parametrize(
    ("change", "day", "codes", "rows"),
    [
        ("strict", "2025-03-30", {"H-REPEATED-START"}, 24),
        ("drop", "2025-03-30", {"W-SKIPPED-HOUR"}, 23),
        ("strict", "2025-10-26", {"H-GAP"}, 24),
        ("split", "2025-10-26", {"W-SPLIT-HOUR"}, 25),
    ],
)
def test_a_wide_day_of_a_clock_change_is_held_or_fitted_as_the_mapping_says(
    change: str, day: str, codes: set[str], rows: int
) -> None:
    head = ",".join(["meter", "day", *(f"h{hour}" for hour in range(24))])
    line = ",".join(["m", day, *(str(hour + 1) for hour in range(24))])
    mapping = _simple(
        wide={"first": "h0", "count": 24}, times={"start": None, "date": "day", "at_clock_change": change}
    )
    blocks, report = _read(f"{head}\n{line}\n".encode(), mapping)
    assert set(report.counts) == codes
    assert sum(len(block.values) for block in blocks) == rows
    skipped = 3 if change == "drop" else 0
    assert _sum(blocks) == sum(range(1, 25)) - skipped


@pytest.mark.parametrize("path", sorted(shipped("config/metering_mappings").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_mapping_that_ships_is_valid_and_has_the_name_of_its_file(path: Path) -> None:
    assert load_mapping(path.stem).name == path.stem
    assert load_mapping(str(path)) == load_mapping(path.stem)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"times": {"length": 300}, "power": True}, "rounded"),
        ({"times": {"order": "any"}, "cumulative": {}}, "order must be"),
        ({"times": {"zone": "Mars/Olympus"}}, "not a time zone"),
        ({"times": {"zone": "+25:00"}}, "not an offset"),
        ({"times": {"start": None}}, "give start or end"),
        ({"point": {}}, "either column or fixed"),
        ({"wide": {"first": "a", "count": 24}, "times": {"start": None, "date": "d", "length": 1800}}, "not a day"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_a_mapping_that_cannot_work_says_why(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        _simple(**changes)


def test_a_mapping_that_is_not_there_or_no_yaml_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"These ship: .*ie-distributor"):
        load_mapping("ie-distributer")
    path = tmp_path / "own.yaml"
    with pytest.raises(MappingError, match="cannot be read"):
        load_mapping(str(path))
    path.write_text("name: [", encoding="utf-8")
    with pytest.raises(MappingError, match="not valid YAML"):
        load_mapping(str(path))
    path.write_text("name: own", encoding="utf-8")
    with pytest.raises(MappingError, match="version: Field required"):
        load_mapping(str(path))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.decimals(0, 10**6, places=3), min_size=1, max_size=60),
    st.sampled_from((".", ",")),
    st.sampled_from((";", "\t", "|")),
    st.sampled_from(("rising", "falling")),
    st.sampled_from(("%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M", "%d.%b.%Y %H:%M")),
)
def test_what_is_written_is_read_whatever_the_form(
    values: list[Decimal], decimal: str, delimiter: str, order: str, form: str
) -> None:
    start = datetime(2025, 5, 4)  # noqa: DTZ001 (a local clock)
    lines = [
        delimiter.join(["m", f"{start + timedelta(hours=at):{form}}", str(value).replace(".", decimal)])
        for at, value in enumerate(values)
    ]
    lines = lines if order == "rising" else lines[::-1]
    text = "\n".join([delimiter.join(("meter", "time", "kwh")), *lines])
    mapping = _simple(decimal=decimal, delimiter=delimiter, times={"form": form, "order": order})
    blocks, report = _read(text.encode(), mapping)
    assert report.counts == {}
    assert [value for _, _, found in _values(blocks) for value in found] == values
    assert _file_sum(report) == (len(values), sum(values))
