"""867 with intervals: each local day whole, each interval once, the sum within one percent; both clock changes."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.metering.import_engine.x12_sets.options import SetOptions
from billing_assets_tests.unit.metering.x12_sets.written import HEAD, Read, changed, read_one

CHICAGO = ZoneInfo("America/Chicago")
EASTERN = "REF*12*4455667788~ N1*8S*UTILITY*1*007909427~ N1*SJ*SUPPLIER*9*1234567890000~"

Row = tuple[str, str, str, str]
"""Quantity, date, time and time code of an interval's end."""


def rows_of(start: date, days: int, zone: ZoneInfo = CHICAGO, codes: str = "C", minutes: int = 15) -> list[Row]:
    """Every interval of some local days, 0.250 each, its end on the local clock with the code that it needs."""
    begin = datetime.combine(start, datetime.min.time(), zone).astimezone(UTC)
    end = datetime.combine(start + timedelta(days=days), datetime.min.time(), zone).astimezone(UTC)
    rows = []
    while begin < end:
        begin += timedelta(minutes=minutes)
        local = begin.astimezone(zone)
        code = f"{codes}{'D' if local.dst() else 'S'}"
        rows.append(("0.250", f"{local:%Y%m%d}", f"{local:%H%M}", code))
    return rows


def written(
    rows: list[Row],
    start: date,
    end: date,
    total: str | None = None,
    *,
    detail: str = "PM***MG*A1234",
    summary: str = "IA",
    qualifier: str = "582",
    head: str = HEAD,
    estimated: tuple[int, ...] = (),
) -> str:
    dates = f"DTM*150*{start:%Y%m%d}~ DTM*151*{end:%Y%m%d}~ "
    said = total or str(sum(Decimal(row[0]) for row in rows))
    body = f"BPT*00*U77001*20260704*C1~ {head} "
    if summary:
        body += f"PTD*{summary}~ {dates} QTY*QD*{said}~ MEA**PRQ*{said}*KH***51~ "
    body += f"PTD*{detail}~ {dates} REF*MT*KH015~ REF*JH*A~ "
    for at, (quantity, on, time, code) in enumerate(rows):
        body += f"QTY*{'KA' if at in estimated else 'QD'}*{quantity}~ DTM*{qualifier}*{on}*{time}*{code}~ "
    return body


def read_days(rows: list[Row], start: date, days: int, total: str | None = None) -> Read:
    return read_one("867", written(rows, start, start + timedelta(days=days), total))


NORMAL, SPRING, AUTUMN = date(2026, 6, 3), date(2026, 3, 8), date(2026, 11, 1)


@pytest.mark.parametrize(("day", "count"), [(NORMAL, 96), (SPRING, 92), (AUTUMN, 100)])
def test_each_local_day_has_all_its_intervals_in_utc(day: date, count: int) -> None:
    found = read_days(rows_of(day, 1), day, 1)
    (block,) = found.content.intervals
    assert (found.verdict, found.codes, len(block.values), block.day) == ("accept", [], count, day)
    assert block.start == datetime.combine(day, datetime.min.time(), CHICAGO).astimezone(UTC)
    assert (block.stream.unit, block.stream.serial, block.stream.length_seconds) == ("kWh", "A1234", 900)
    assert (block.values.tolist(), block.decimals, block.quality) == ([250] * count, 3, "A")
    (stream,) = found.report.streams.values()
    assert (stream.readings, stream.sum, found.report.quality["A"]) == (count, Decimal("0.250") * count, count)


@pytest.mark.parametrize(("day", "count"), [(NORMAL, 96), (SPRING, 92), (AUTUMN, 100)])
def test_intervals_that_are_missing_are_reported_before_the_sum(day: date, count: int) -> None:
    rows = rows_of(day, 1)
    del rows[40:42]
    found = read_days(rows, day, 1, str(Decimal("0.250") * count))
    assert (found.verdict, found.codes) == ("hold", ["MISSING_INTERVALS", "SUM_CHECK"])
    assert f"{count - 2} of {count}" in found.report.findings[0].sentence


def test_a_day_of_96_at_a_clock_change_is_not_whole() -> None:
    rows = rows_of(AUTUMN, 1)[:96]
    assert read_days(rows, AUTUMN, 1).codes == ["MISSING_INTERVALS"]


def test_a_day_without_any_interval_is_missing() -> None:
    rows = rows_of(NORMAL, 1)
    found = read_days(rows, NORMAL, 2)
    assert found.codes == ["MISSING_INTERVALS"]
    assert str(NORMAL + timedelta(days=1)) in found.report.findings[0].sentence


def test_an_interval_that_comes_twice_is_held_even_when_count_and_sum_fit() -> None:
    rows = rows_of(NORMAL, 1)
    rows[10] = rows[11]
    assert read_days(rows, NORMAL, 1).codes == ["REPEATED_INTERVAL"]
    rows = rows_of(NORMAL, 1)
    assert read_days([*rows, rows[5]], NORMAL, 1).codes == ["REPEATED_INTERVAL"]


def test_the_doubled_hour_needs_the_time_code_that_tells_standard_from_daylight() -> None:
    rows = [(quantity, on, time, "CT") for quantity, on, time, _ in rows_of(AUTUMN, 1)]
    assert read_days(rows, AUTUMN, 1).codes == ["REPEATED_INTERVAL"]
    for code in ("CT", ""):
        rows = [(quantity, on, time, code) for quantity, on, time, _ in rows_of(NORMAL, 1)]
        assert read_days(rows, NORMAL, 1).codes == []
        rows = [(quantity, on, time, code) for quantity, on, time, _ in rows_of(SPRING, 1)]
        assert read_days(rows, SPRING, 1).codes == []


def test_midnight_is_2400_of_the_day_or_0000_of_the_next() -> None:
    rows = rows_of(NORMAL, 1)
    assert rows[-1][1:3] == ("20260604", "0000")
    other = [*rows[:-1], ("0.250", "20260603", "2400", "CD")]
    one, two = read_days(rows, NORMAL, 1), read_days(other, NORMAL, 1)
    assert one.codes == two.codes == []
    assert one.content.intervals[0].values.tolist() == two.content.intervals[0].values.tolist()
    assert read_days([*rows, other[-1]], NORMAL, 1).codes == ["REPEATED_INTERVAL"]


def test_standard_time_all_year_is_the_same_moments() -> None:
    rows = []
    for quantity, on, time, _ in rows_of(NORMAL, 1):
        standard = datetime.strptime(on + time, "%Y%m%d%H%M").replace(tzinfo=UTC) - timedelta(hours=1)
        rows.append((quantity, f"{standard:%Y%m%d}", f"{standard:%H%M}", "CS"))
    found = read_days(rows, NORMAL, 1)
    assert (found.codes, found.content.intervals[0].day) == ([], NORMAL)


@pytest.mark.parametrize(
    ("total", "codes"), [("24.24", []), ("24.25", ["SUM_CHECK"]), ("23.77", []), ("23.75", ["SUM_CHECK"])]
)
def test_the_intervals_are_the_summary_within_one_percent(total: str, codes: list[str]) -> None:
    assert read_days(rows_of(NORMAL, 1), NORMAL, 1, total).codes == codes


def test_exactly_one_percent_is_within() -> None:
    rows = [("1.000", *rows_of(NORMAL, 1)[0][1:]), *rows_of(NORMAL, 1)[1:]]
    assert read_days(rows, NORMAL, 1, "25").codes == []


def test_the_usage_is_the_summary_and_not_the_intervals() -> None:
    assert read_days(rows_of(NORMAL, 1), NORMAL, 1, "24.1").sets[0].quantities == {"KH": "24.1"}


BROKEN = [
    (("0.250", "20260603", "0107", "CD"), ["BAD_INTERVAL"]),
    (("0.250", "20260603", "0115", "XX"), ["BAD_INTERVAL"]),
    (("", "20260603", "0115", "CD"), ["BAD_INTERVAL"]),
    (("0.250", "20260605", "0115", "CD"), ["INTERVAL_OUTSIDE", "MISSING_INTERVALS"]),
]


@pytest.mark.parametrize(("row", "codes"), BROKEN)
def test_an_interval_that_cannot_be_placed_is_named(row: Row, codes: list[str]) -> None:
    rows = rows_of(NORMAL, 1)
    rows[4] = row
    found = read_days(rows, NORMAL, 1, "24")
    assert found.verdict == "hold"
    assert set(codes) <= set(found.codes)


def test_an_impossible_time_is_broken_form() -> None:
    rows = rows_of(NORMAL, 1)
    rows[4] = ("0.250", "20260603", "2460", "CD")
    assert (read_days(rows, NORMAL, 1).verdict, read_days(rows, NORMAL, 1).codes) == ("refuse", ["R-TIME"])


def test_texas_writes_194_or_582_and_other_senders_what_their_setting_says() -> None:
    body = written(rows_of(NORMAL, 1), NORMAL, NORMAL + timedelta(days=1), qualifier="194")
    assert read_one("867", body).codes == []
    assert read_one("867", body, SetOptions(interval_ends=frozenset({"582"}))).codes == ["NO_DETAIL"]


def test_the_last_day_is_the_day_of_the_read_unless_the_sender_uses_it() -> None:
    body = written(rows_of(NORMAL, 2), NORMAL, NORMAL + timedelta(days=1))
    assert read_one("867", body).codes == ["INTERVAL_OUTSIDE"]
    assert read_one("867", body, SetOptions(end_day_is_used=True)).codes == []


def test_estimated_intervals_are_runs_of_the_block() -> None:
    body = written(rows_of(NORMAL, 1), NORMAL, NORMAL + timedelta(days=1), estimated=(0, 1, 50))
    found = read_one("867", body)
    (block,) = found.content.intervals
    assert (found.content.is_estimated, block.quality) == (False, "V")
    assert [tuple(run)[:3] for run in block.runs] == [(1, 2, "E"), (3, 50, "A"), (51, 51, "E"), (52, 96, "A")]
    assert found.report.quality == {"A": 93, "E": 3}


def test_an_eastern_account_has_its_intervals_in_a_loop_of_its_own() -> None:
    york = ZoneInfo("America/New_York")
    rows = rows_of(AUTUMN, 1, york, "E", 60)
    end = AUTUMN + timedelta(days=1)
    body = written(rows, AUTUMN, end, detail="BQ", summary="SU", head=EASTERN).replace("KH015", "KH060")
    found = read_one("867", body)
    (block,) = found.content.intervals
    assert (found.codes, len(block.values), block.stream.length_seconds) == ([], 25, 3600)
    assert block.start == datetime(2026, 11, 1, 4, tzinfo=UTC)
    assert (block.stream.point, found.sets[0].quantities) == ("4455667788", {"KH": "6.25"})


def test_the_length_is_that_of_the_rows_where_no_meter_type_says_it() -> None:
    rows = rows_of(NORMAL, 1, minutes=30)
    body = changed(written(rows, NORMAL, NORMAL + timedelta(days=1)), "REF*MT*KH015~", "")
    assert read_one("867", body).content.intervals[0].stream.length_seconds == 1800


def test_summaries_by_meter_are_the_usage_where_no_other_is_and_each_is_compared() -> None:
    rows, end = rows_of(NORMAL, 1), NORMAL + timedelta(days=1)
    dates = f"DTM*150*{NORMAL:%Y%m%d}~ DTM*151*{end:%Y%m%d}~"
    of_meter = f"PTD*BO***MG*A1234~ {dates} QTY*QD*24~ MEA**PRQ*24*KH***51~ "
    body = written(rows, NORMAL, end, summary="")
    alone = changed(body, "PTD*PM", of_meter + "PTD*PM")
    assert (read_one("867", alone).codes, read_one("867", alone).sets[0].quantities) == ([], {"KH": "24"})
    assert read_one("867", alone.replace("*24*", "*25*").replace("QD*24~", "QD*25~")).codes == ["SUM_CHECK"]
    assert read_one("867", body).codes == ["NO_SUMMARY"]
    both = changed(written(rows, NORMAL, end), "PTD*PM", of_meter + "PTD*PM")
    assert read_one("867", both).codes == []
    assert read_one("867", both.replace("QD*24~ MEA**PRQ*24*", "QD*26~ MEA**PRQ*26*")).codes == ["SUM_CHECK"]


@settings(max_examples=25, deadline=None)
@given(
    st.dates(date(2026, 1, 1), date(2027, 12, 20)),
    st.integers(1, 3),
    st.lists(st.integers(0, 9_999), min_size=300, max_size=300),
    st.randoms(use_true_random=False),
    st.sampled_from(["whole", "cut", "doubled"]),
)
def test_any_days_of_any_year_are_whole_or_named(
    start: date, days: int, values: list[int], order: Random, fault: str
) -> None:
    """Order of the rows never matters; a row less or twice is found, also at clock changes."""
    rows = [
        (f"{Decimal(value).scaleb(-3)}", *row[1:]) for value, row in zip(values, rows_of(start, days), strict=False)
    ]
    rows = rows if len(rows) <= 300 else rows[:300]
    total = str(sum(Decimal(row[0]) for row in rows))
    order.shuffle(rows)
    if fault == "cut":
        gone = rows.pop()
    elif fault == "doubled":
        rows.append(rows[0])
    found = read_days(rows, start, days, total)
    expected = {"whole": [], "cut": ["MISSING_INTERVALS"], "doubled": ["REPEATED_INTERVAL"]}[fault]
    assert [code for code in found.codes if code != "SUM_CHECK"] == expected
    if fault == "whole":
        assert sum(one.sum for one in found.report.streams.values()) == Decimal(total)
    if fault == "cut":
        assert found.report.quality["A"] == len(rows)
        assert Decimal(total) - Decimal(gone[0]) == sum(one.sum for one in found.report.streams.values())
