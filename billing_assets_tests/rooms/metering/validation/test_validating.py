"""Validation in the database: what was judged, what people decided, and what a new version changes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from billing_assets.decisions.store import Subject, history
from billing_assets.foundation.calendar.business_days import DayKind
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.metering.validation import clerk, store
from billing_assets.metering.validation.clerk import Change, FindingError
from billing_assets.metering.validation.parameters import ParameterError, Setting
from billing_assets.metering.validation.profiles import Profile
from billing_assets.metering.validation.series import EditError
from billing_assets.metering.validation.validating import Summary, validate
from billing_assets_tests.rooms.metering.validation.points import (
    AUGUST,
    JULY,
    POINT,
    TODAY,
    a_day,
    a_month,
    judge,
    master_data,
    reads,
    take,
)

TENTH = date(2026, 7, 10)
CLERK = "A. Clerk"


@pytest.fixture
def point(state: Connection) -> Connection:
    """A database with the point."""
    master_data(state)
    return state


def july(state: Connection, *others: Any) -> None:
    """July, with these days in place of the plain ones."""
    days = {one.day: one for one in a_month()} | {one.day: one for one in others}
    take(state, *days.values())


def period(state: Connection) -> dict[str, Any]:
    """The one period that was judged."""
    (row,) = store.periods(state)
    return row


def open_findings(state: Connection) -> list[tuple[str, date | None, str]]:
    """Rule, day and what was observed."""
    return [(one["rule"], one["day"], one["observed"]) for one in store.findings(state)]


def what_counts(state: Connection, day: date) -> list[tuple[str, str, str]]:
    """Origin, quality and method of the versions of a day that count, in the order in which they came."""
    rows = state.execute(
        """
        select origin, quality, method from billing.interval_readings
        where state = 'current' and day = %s order by id""",
        [day],
    )
    return [(row["origin"], row["quality"], row["method"]) for row in rows]


def test_a_plain_month_passes_with_its_sum_and_judging_it_again_leaves_nothing_new(point: Connection) -> None:
    july(point)
    first = judge(point)
    assert (first.periods, first.new, first.held, first.findings) == (1, 1, 0, 0)
    found = period(point)
    assert (found["state"], found["quantity"], found["intervals"], found["unit"]) == (
        "passed",
        Decimal("772.83"),
        1488,
        "kWh",
    )
    assert len(found["versions"]) == 31
    assert judge(point).new == 0
    assert len(point.execute("select from billing.validations").fetchall()) == 1


def test_two_that_judge_the_same_at_once_write_one_result(point: Connection, state_url: str) -> None:
    july(point, a_day(TENTH, missing=(20, 23)))
    point.commit()

    def once() -> Summary:
        with connect(state_url) as connection:
            return validate(connection, [POINT], JULY, AUGUST, today=TODAY)

    with ThreadPoolExecutor(4) as pool:
        summaries = [one.result() for one in [pool.submit(once) for _ in range(4)]]
    assert sorted(one.new for one in summaries) == [0, 0, 0, 1]
    assert len(point.execute("select from billing.validations").fetchall()) == 1
    assert len(point.execute("select from billing.validation_findings").fetchall()) == 1


def test_intervals_of_another_length_than_the_stream_stop_the_validation(point: Connection) -> None:
    quarters = a_day(TENTH)
    quarters.stream = quarters.stream._replace(length_seconds=900)
    take(point, quarters)
    judge(point, TENTH, TENTH + timedelta(days=1))
    ((rule, day, observed),) = open_findings(point)
    assert (rule, day, observed) == ("SIZE", None, "900 s")
    assert period(point)["quantity"] is None


def test_a_month_with_a_gap_is_held_with_a_sentence_and_the_version_that_was_looked_at(point: Connection) -> None:
    july(point, a_day(TENTH, missing=(20, 23)))
    judge(point)
    (one,) = store.findings(point)
    assert (one["rule"], one["day"], one["observed"], one["allowed"]) == ("MISSING", TENTH, "45", "48")
    assert one["sentence"] == "2026-07-10: 45 of 48 intervals have a value."
    (version,) = point.execute("select id from billing.interval_readings where day = %s", [TENTH]).fetchall()
    assert one["versions"] == [version["id"]]
    assert period(point)["state"] == "held"


def test_verified_clears_one_finding_of_one_version_and_a_new_version_is_judged_afresh(point: Connection) -> None:
    july(point, a_day(TENTH, (5, 9_000)), a_day(JULY, (7, 9_000)))
    judge(point)
    first, second = store.findings(point)
    assert [(one["rule"], one["day"]) for one in (first, second)] == [("SPIKE", JULY), ("SPIKE", TENTH)]
    clerk.verify(point, second["id"], CLERK, "The customer welded on that day.")
    assert open_findings(point) == [("SPIKE", JULY, first["observed"])]
    assert period(point)["state"] == "held"
    clerk.verify(point, first["id"], CLERK, "The same on the first.")
    assert period(point)["state"] == "passed"
    judge(point)
    assert period(point)["state"] == "passed"
    (said, *_) = history(point, Subject.METER_DATA, f"finding {second['id']}")
    assert (said.decided_by, said.decision, said.why) == (CLERK, "verified", "The customer welded on that day.")

    take(point, a_day(TENTH, (5, 9_001), stamp=2))
    judge(point)
    assert [(rule, day) for rule, day, _ in open_findings(point)] == [("SPIKE", TENTH)]
    assert period(point)["state"] == "held"


def test_what_cannot_be_cleared_is_refused_with_a_reason(point: Connection) -> None:
    july(point, a_day(TENTH, (5, 9_000)), a_day(JULY, quality="E52"))
    judge(point)
    (spike,) = store.findings(point)
    info = next(one for one in store.findings(point, only_open=False) if one["rule"] == "QUALITY_MIX")
    for number, why in ((10**6, "There is no finding"), (info["id"], "only informs")):
        with pytest.raises(FindingError, match=why):
            clerk.verify(point, number, CLERK, "x")
    take(point, a_day(TENTH, stamp=2))
    judge(point)
    with pytest.raises(FindingError, match="do not count any more"):
        clerk.verify(point, spike["id"], CLERK, "x")
    assert not history(point, Subject.METER_DATA)


def test_a_finding_is_cleared_once_and_one_that_stops_never(point: Connection) -> None:
    point.execute("update billing.stream_terms set replaced_at = now()")
    point.execute(
        """
        insert into billing.stream_terms (point, suffix, unit, length_seconds, valid_from)
        values (%s, 'E1', 'MWh', 1800, '2020-01-01')""",
        [POINT],
    )
    july(point)
    judge(point)
    (unit,) = store.findings(point)
    assert (unit["rule"], unit["severity"], unit["observed"], unit["allowed"]) == ("UNIT", "stop", "KWH", "MWh")
    with pytest.raises(FindingError, match="stops the validation"):
        clerk.verify(point, unit["id"], CLERK, "x")


def test_a_finding_that_was_cleared_says_by_whom(point: Connection) -> None:
    july(point, a_day(TENTH, (5, 9_000)))
    judge(point)
    (spike,) = store.findings(point)
    clerk.verify(point, spike["id"], CLERK, "x")
    with pytest.raises(FindingError, match=f"cleared by {CLERK}"):
        clerk.verify(point, spike["id"], "B. Clerk", "x")


def test_an_estimate_fills_the_gap_as_a_new_version_and_the_month_passes(point: Connection) -> None:
    july(point, a_day(TENTH, (19, 1_200), (23, 2_000), missing=(20, 23)))
    judge(point)
    assert period(point)["state"] == "held"
    done = clerk.estimate(
        point, POINT, "E1", TENTH, TENTH + timedelta(days=1), CLERK, "The meter was offline.", today=TODAY
    )
    assert (done.intervals, done.methods, done.left) == (3, ("linear",), ())
    (row,) = point.execute("select * from billing.interval_readings where origin = 'estimate'").fetchall()
    assert [value / 10 ** row["decimals"] for value in row["values"]] == [1.4, 1.6, 1.8]
    assert (row["quality"], row["method"], row["state"], row["day"], row["decision"]) == (
        "E",
        "linear",
        "current",
        TENTH,
        done.decision,
    )
    assert (row["inputs"]["before"], row["inputs"]["after"]) == ("1.2", "2")
    assert len(row["inputs"]["versions"]) == 1
    assert row["starts_at"] == datetime(2026, 7, 10, 0, 0, tzinfo=UTC)  # 10:00 in Brisbane
    found = period(point)
    assert (found["state"], found["estimates"], found["intervals"]) == ("passed", 3, 1488)
    assert (history(point, Subject.METER_DATA)[0].reference) == f"{POINT} E1 2026-07-10 to 2026-07-11"


def test_the_actual_takes_the_place_of_our_estimate_when_it_comes(point: Connection) -> None:
    july(point, a_day(TENTH, missing=(20, 23)))
    judge(point)
    clerk.estimate(point, POINT, "E1", TENTH, TENTH + timedelta(days=1), CLERK, "x", today=TODAY)
    assert what_counts(point, TENTH) == [("message", "V", ""), ("estimate", "E", "linear")]
    take(point, a_day(TENTH, stamp=5))
    assert what_counts(point, TENTH) == [("message", "A", "")]
    judge(point)
    found = period(point)
    assert (found["state"], found["estimates"], found["quantity"]) == ("passed", 0, Decimal("772.83"))


def test_estimates_meet_the_register_that_was_read_at_both_ends(point: Connection) -> None:
    july(point, a_day(TENTH, missing=(0, 48)))
    take(point, reads(JULY, AUGUST, "01000", "01773", suffix="E1"))
    judge(point)
    assert ("MISSING", TENTH, "0") in open_findings(point)
    done = clerk.estimate(point, POINT, "E1", TENTH, TENTH + timedelta(days=1), CLERK, "x", today=TODAY)
    assert done.methods == ("like days",)
    intervals = next(one for one in store.periods(point) if one["register"] == "")
    assert (intervals["state"], intervals["quantity"]) == ("passed", Decimal(773))


def test_estimates_are_scaled_only_when_nothing_else_of_the_register_period_is_missing(point: Connection) -> None:
    twentieth = date(2026, 7, 20)
    july(point, a_day(TENTH, missing=(0, 48)), a_day(twentieth, missing=(0, 48)))
    take(point, reads(JULY, AUGUST, "01000", "01776", suffix="E1"))
    judge(point)
    clerk.estimate(point, POINT, "E1", TENTH, TENTH + timedelta(days=1), CLERK, "x", today=TODAY)
    (row,) = point.execute("select values, inputs from billing.interval_readings where origin = 'estimate'").fetchall()
    assert (sum(row["values"]), "register" in row["inputs"]) == (24_930_000, False)  # as its like days
    clerk.estimate(point, POINT, "E1", twentieth, twentieth + timedelta(days=1), CLERK, "x", today=TODAY)
    assert next(one for one in store.periods(point) if one["register"] == "")["quantity"] == 776


def test_a_suspicious_day_is_estimated_over_and_what_came_stays_to_be_seen(point: Connection) -> None:
    july(point, a_day(TENTH, (5, 90_000)))
    judge(point)
    with pytest.raises(EditError, match="has a value for each interval"):
        clerk.estimate(point, POINT, "E1", TENTH, TENTH + timedelta(days=1), CLERK, "x", today=TODAY)
    clerk.estimate(point, POINT, "E1", TENTH, TENTH + timedelta(days=1), CLERK, "A fault.", today=TODAY, over=True)
    assert what_counts(point, TENTH) == [("edit", "E", "like days")]
    assert open_findings(point) == []
    (before,) = point.execute(
        "select values from billing.interval_readings where day = %s and origin = 'message'", [TENTH]
    ).fetchall()
    assert before["values"][5] == 90_000


def test_what_no_method_can_estimate_is_left_and_said(point: Connection) -> None:
    take(point, a_day(TENTH, missing=(0, 20)))
    judge(point, TENTH, TENTH + timedelta(days=1))
    done = clerk.estimate(point, POINT, "E1", TENTH, TENTH + timedelta(days=1), CLERK, "x", today=TODAY)
    assert (done.intervals, done.methods) == (0, ())
    ((start, count, why),) = done.left
    assert (start, count) == (datetime(2026, 7, 9, 14, 0, tzinfo=UTC), 20)
    assert "No earlier days" in why
    assert ("MISSING", TENTH, "28") in open_findings(point)


def test_all_that_is_missing_is_estimated_at_once_each_stream_by_a_decision_of_its_own(point: Connection) -> None:
    other = "3000000002"
    master_data(point, other)
    july(point, a_day(TENTH, missing=(20, 23)), a_day(date(2026, 7, 20), missing=(0, 48)))
    take(point, *a_month(point=other))
    take(point, a_day(TENTH, missing=(20, 47), point=other, stamp=2, quality="F14"))
    judge(point)
    assert {one["point"] for one in store.findings(point)} == {POINT}  # an actual stays where less came later
    done = clerk.estimate_missing(point, JULY, AUGUST, CLERK, "The close of July.", today=TODAY)
    assert {key: (one.intervals, one.methods) for key, one in done.items()} == {
        (POINT, "E1"): (51, ("linear", "like days"))
    }
    assert store.findings(point) == []
    assert clerk.estimate_missing(point, JULY, AUGUST, CLERK, "Again.", today=TODAY) == {}
    assert [one.why for one in history(point, Subject.METER_DATA)] == ["The close of July."]


def test_a_class_profile_gives_the_shape_where_there_are_no_earlier_days(point: Connection) -> None:
    eleventh = TENTH + timedelta(days=1)
    take(point, a_day(TENTH, missing=(0, 24)), reads(TENTH, eleventh, "00000.00", "00023.99", suffix="E1"))
    judge(point, TENTH, TENTH + timedelta(days=1))
    night = Profile("night", {(0, kind): [3] * 6 + [1] * 18 for kind in DayKind})
    done = clerk.estimate_missing(
        point, TENTH, TENTH + timedelta(days=1), CLERK, "x", today=TODAY, profiles={"home": night}
    )
    assert done[POINT, "E1"].methods == ("profile",)
    (row,) = point.execute("select values from billing.interval_readings where origin = 'estimate'").fetchall()
    # 23.99 kWh less the afternoon's 12.47: 11.52; three parts for each half hour until 6:00, then one
    assert sum(row["values"]) == 11_520_000
    assert row["values"] == [720_000] * 12 + [240_000] * 12


def test_an_edit_counts_over_what_came_and_names_who_and_why(point: Connection) -> None:
    july(point, a_day(TENTH, (5, 9_000)))
    judge(point)
    at = datetime(2026, 7, 9, 16, 30, tzinfo=UTC)  # 02:30 in Brisbane: the sixth half hour
    done = clerk.edit(point, POINT, "E1", [Change(at, Decimal("0.5"))], CLERK, "Read from the display.", today=TODAY)
    assert what_counts(point, TENTH) == [("message", "A", ""), ("edit", "F", "edit")]
    assert (open_findings(point), period(point)["quantity"]) == ([], Decimal("772.83"))
    (said,) = history(point, Subject.METER_DATA)
    assert (said.id, said.decision, said.why) == (done.decision, "edited 1 intervals", "Read from the display.")


@pytest.mark.parametrize(
    ("suffix", "start", "value", "why"),
    [
        ("E9", datetime(2026, 7, 9, 16, 30, tzinfo=UTC), "1", "No interval data"),
        ("E1", datetime(2026, 7, 9, 16, 31, tzinfo=UTC), "1", "No interval of 3000000001 E1 begins"),
        ("E1", datetime(2026, 7, 9, 16, 30, tzinfo=UTC), "NaN", "not a quantity"),
    ],
)
def test_an_edit_of_what_is_not_there_is_refused(
    point: Connection, suffix: str, start: datetime, value: str, why: str
) -> None:
    july(point)
    with pytest.raises(EditError, match=why):
        clerk.edit(point, POINT, suffix, [Change(start, Decimal(value))], CLERK, "x", today=TODAY)
    assert not history(point, Subject.METER_DATA)


def test_a_summer_day_in_sydney_takes_its_first_hour_from_the_day_before_in_the_file(state: Connection) -> None:
    """The file's day runs from 14:00 UTC; the day that is billed begins an hour earlier."""
    master_data(state, POINT, "Australia/Sydney")
    fifteenth = date(2026, 1, 15)
    take(state, a_day(fifteenth), a_day(fifteenth - timedelta(days=1), (46, 700), (47, 701)))
    judge(state, fifteenth, fifteenth + timedelta(days=1))
    # A day of the file has 24.930. Its last two, 0.510 and 0.520, are of the next day; two of the day before are first.
    found = period(state)
    assert (found["intervals"], found["quantity"]) == (48, Decimal("25.301"))
    clerk.edit(
        state, POINT, "E1", [Change(datetime(2026, 1, 14, 13, 30, tzinfo=UTC), Decimal(1))], CLERK, "x", today=TODAY
    )
    (row,) = state.execute("select day from billing.interval_readings where origin = 'edit'").fetchall()
    assert row["day"] == date(2026, 1, 14)  # the file's


def test_register_periods_are_judged_with_the_ones_before_as_their_history(point: Connection) -> None:
    year = [date(2025, 7, 1), *(date(2026, month, 1) for month in (4, 5, 6, 7))]
    take(
        point,
        reads(date(2025, 6, 1), year[0], "00000", "00300"),
        reads(year[1], year[2], "03000", "03310"),
        reads(year[2], year[3], "03310", "03620"),
        reads(year[3], year[4], "03620", "05000"),
    )
    for begin, end in ((date(2025, 6, 1), year[0]), (year[1], year[2]), (year[2], year[3]), (year[3], year[4])):
        judge(point, begin, end)
    rules = [(one["rule"], one["begins"]) for one in store.findings(point)]
    assert rules == [("PERIOD", year[1]), ("HIGH", year[3])]  # nine months are missing; 46 a day against 10
    assert next(one["observed"] for one in store.findings(point, rule="HIGH")) == "4.6"
    assert judge(point, year[3], year[4]).new == 0


def test_a_period_is_no_part_of_its_own_history(point: Connection) -> None:
    days = [date(2025, month, 1) for month in range(7, 13)] + [date(2026, month, 1) for month in range(1, 9)]
    dials = [0]
    for number, (begin, end) in enumerate(pairwise(days)):
        daily = 15 if number == 12 else 9 + number % 3  # 10 a day, more or less; the last 15
        dials.append(dials[-1] + daily * (end - begin).days)
    take(
        point,
        *(reads(*span, f"{a:05}", f"{b:05}") for span, (a, b) in zip(pairwise(days), pairwise(dials), strict=True)),
    )
    for begin, end in pairwise(days):
        judge(point, begin, end)
    # 12 periods with mean 10 and variance 8 / 11: (15 - 10) / 0.853
    (one,) = store.findings(point, rule="STAT", only_open=False)
    assert (one["begins"], one["observed"]) == (JULY, "5.86")
    assert judge(point).new == 0


def test_a_register_that_rolled_over_informs_and_one_that_went_back_is_held(point: Connection) -> None:
    rolled = reads(JULY, AUGUST, "99950", "00210")
    rolled.quantity = Decimal(260)
    take(point, rolled)
    judge(point)
    assert [(one["rule"], one["observed"]) for one in store.findings(point, only_open=False)] == [("ROLLOVER", "260")]
    back = reads(AUGUST, date(2026, 9, 1), "00210", "00200")
    take(point, back)
    assert judge(point, AUGUST, date(2026, 9, 1), today=date(2026, 9, 5)).periods == 1  # July's ended before it
    assert {rule for rule, *_ in open_findings(point)} == {"NEGATIVE"}


def test_a_parameter_counts_from_its_day_and_has_a_maker(point: Connection) -> None:
    july(point, a_day(TENTH, (5, 9_000)))
    farm = Setting("SPIKE", "percent", Decimal(3000), JULY, point=POINT)
    clerk.set_parameter(point, farm._replace(valid_from=AUGUST), Decimal(3000), CLERK, "A pump.")
    judge(point)
    assert [rule for rule, *_ in open_findings(point)] == ["SPIKE"]
    number = clerk.set_parameter(point, farm, Decimal(3000), CLERK, "A pump.")
    judge(point)
    assert open_findings(point) == []
    (said,) = [one for one in history(point, Subject.METER_DATA) if one.id == number]
    assert (said.reference, said.decision) == (f"SPIKE percent from 2026-07-01 for {POINT}", "3000")
    clerk.set_parameter(point, farm, None, CLERK, "The pump is gone.")
    judge(point)
    assert [rule for rule, *_ in open_findings(point)] == ["SPIKE"]
    with pytest.raises(ParameterError, match="has no parameter"):
        clerk.set_parameter(point, farm._replace(name="ratio"), Decimal(1), CLERK, "x")


def test_a_billed_sibling_without_data_holds_the_period_only_when_it_closes(state: Connection) -> None:
    master_data(state, POINT, "Australia/Brisbane", "E1", "B1")
    july(state)
    take(state, *(one for one in a_month(suffix="B1") if one.day.day > 3))
    judge(state)
    assert not store.findings(state, rule="SIBLING")
    judge(state, closing=True)
    (one,) = store.findings(state, rule="SIBLING")
    assert (one["suffix"], one["observed"], one["severity"]) == ("E1", "3 d", "issue")
    assert "Stream B1 of the point is billed with this one" in one["sentence"]


@pytest.mark.parametrize(
    ("added", "severity", "observed"),
    [(100, "issue", "3.2"), (15, "info", "0.48")],  # 32 half hours: 3.2 kWh; or below half a kWh and half a per cent
)
def test_another_quantity_of_a_billed_period_asks_for_a_restatement(
    point: Connection, added: int, severity: str, observed: str
) -> None:
    july(point, a_day(TENTH, quality="S15"))
    judge(point)
    more = [(place, 500 + 10 * (place % 5) + added) for place in range(32)]
    take(point, a_day(TENTH, *more, stamp=5))
    (stream,) = point.execute("select id from billing.streams").fetchall()
    for _ in range(2):
        validate(point, [POINT], JULY, AUGUST, today=TODAY, billed={(stream["id"], JULY, AUGUST)})
        (one,) = store.findings(point, rule="REPLACE", only_open=False)
        assert (one["severity"], one["observed"]) == (severity, observed)
    assert len(point.execute("select from billing.validations").fetchall()) == 2


def test_use_without_a_supply_period_is_found(point: Connection) -> None:
    point.execute(
        """
        insert into billing.supply_periods (point, account, valid_from, valid_until)
        values (%s, 'A1', '2020-01-01', '2026-07-30')""",
        [POINT],
    )
    july(point)
    judge(point)
    (one,) = store.findings(point)
    assert (one["rule"], one["observed"]) == ("INACTIVE", "49.86")


@pytest.mark.parametrize("table", ["validation_findings", "validations", "cleared_findings", "validation_parameters"])
def test_nothing_of_it_is_ever_changed_or_deleted(point: Connection, table: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
        point.execute(f"delete from billing.{table}")  # noqa: S608
