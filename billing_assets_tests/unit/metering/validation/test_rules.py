"""The rules of validation: the example of each in the specification, and the limit itself, worked out by hand."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from billing_assets.metering.validation.facts import (
    DeviceFacts,
    Direction,
    Kind,
    PeriodFacts,
    Quality,
    RegisterFacts,
    Replaced,
    SiblingFacts,
    Statistics,
    StreamFacts,
)
from billing_assets.metering.validation.parameters import ParameterError, Setting, Severity
from billing_assets.metering.validation.rules import RULES, holds, judge, parameter_table
from billing_assets_tests.unit.metering.validation.periods import (
    CHICAGO,
    JULY,
    JUNE,
    a_day,
    before,
    found,
    of_intervals,
    of_quantity,
    of_reads,
    series,
)

SYDNEY = ZoneInfo("Australia/Sydney")


def test_a_plain_day_and_a_plain_register_have_no_findings() -> None:
    for facts in (of_intervals(a_day()), of_reads("01200", "01500")):
        assert judge(facts, parameter_table().resolve("", "P1", "E1", JUNE)) == []


def test_a_day_with_95_of_96_intervals_is_an_issue() -> None:
    (one,) = found(of_intervals(a_day((17, None))), "MISSING")
    assert (one.severity, one.observed, one.limit, one.day) == (Severity.ISSUE, "95", "96", JUNE)
    assert one.sentence == "2026-06-01: 95 of 96 intervals have a value."


def test_a_value_marked_as_no_data_is_missing() -> None:
    (one,) = found(of_intervals(a_day((3, "0.0"), qualities="AAAN" + "A" * 92)), "MISSING")
    assert one.observed == "95"


@pytest.mark.parametrize(
    ("day", "zone", "intervals"),
    [
        (date(2026, 3, 8), CHICAGO, 92),
        (date(2026, 11, 1), CHICAGO, 100),
        (date(2026, 3, 9), CHICAGO, 96),
        (date(2026, 10, 4), SYDNEY, 92),
        (date(2026, 4, 5), SYDNEY, 100),
    ],
)
def test_a_day_of_a_clock_change_has_the_intervals_that_it_has(day: date, zone: ZoneInfo, intervals: int) -> None:
    values: list[str | None] = [str(Decimal(5 + place % 2) / 10) for place in range(intervals)]
    assert found(of_intervals(series(values, begin=day, zone=zone)), "MISSING") == []
    (one,) = found(of_intervals(series([*values[:-1], None], begin=day, zone=zone)), "MISSING")
    assert (one.observed, one.limit) == (str(intervals - 1), str(intervals))


def test_nothing_delivered_is_missing() -> None:
    nothing = PeriodFacts(stream=StreamFacts("P1", "11", "kWh", 0), begin=JUNE, end=JULY, zone=CHICAGO, today=JULY)
    assert len(found(nothing, "MISSING")) == 1


def test_nothing_is_missing_of_days_before_the_supply_began_or_after_it_ended() -> None:
    second = date(2026, 6, 2)
    two = series([None] * 24 + ["1"] * 23 + [None], days=2, length_seconds=3600)
    stream = StreamFacts("P1", "E1", "kWh", 3600)
    (one,) = found(of_intervals(two, stream=stream, closed=((JUNE, second),)), "MISSING")
    assert (one.day, one.observed, one.limit) == (second, "23", "24")
    (one,) = found(of_intervals(two, stream=stream, closed=((second, None),)), "MISSING")
    assert (one.day, one.observed) == (JUNE, "0")
    nothing = PeriodFacts(
        stream=StreamFacts("P1", "11", "kWh", 0),
        begin=JUNE,
        end=JULY,
        zone=CHICAGO,
        today=JULY,
        closed=((date(2026, 5, 1), None),),
    )
    assert found(nothing, "MISSING") == []


def test_a_second_copy_and_another_value_only_inform() -> None:
    copies, others = found(of_intervals(a_day(), copies=2, conflicts=1), "DUPLICATE")
    assert {copies.severity, others.severity} == {Severity.INFO}
    assert (copies.observed, others.observed) == ("2", "1")


def test_half_hours_on_a_quarter_hour_meter_end_the_list() -> None:
    facts = of_intervals(a_day((4, "-1.0"), (5, None)), lengths=(1800,))
    findings = judge(facts, parameter_table().resolve("", "P1", "E1", JUNE))
    assert [(one.rule, one.severity, one.observed, one.limit) for one in findings] == [
        ("SIZE", Severity.STOP, "1800 s", "900 s")
    ]


def test_watts_for_watt_hours_end_the_list_and_the_case_does_not_matter() -> None:
    stream = StreamFacts("P1", "E1", "Wh", 900)
    findings = judge(
        of_intervals(a_day((5, None)), stream=stream, units=("W",)), parameter_table().resolve("", "", "", JUNE)
    )
    assert [(one.rule, one.severity) for one in findings] == [("UNIT", Severity.STOP)]
    assert found(of_intervals(a_day(), stream=stream, units=("WH", "wh")), "UNIT") == []


def test_a_multiplier_of_40_on_a_device_with_1() -> None:
    (one,) = found(
        of_reads("00100", "00200", register={"multiplier": Decimal(40)}, devices=(DeviceFacts("M1", 5),)), "MULTIPLIER"
    )
    assert (one.severity, one.observed, one.limit) == (Severity.ISSUE, "40", "1")


@pytest.mark.parametrize(
    ("begin", "end", "device", "observed"),
    [
        ("012345", "123456", DeviceFacts("M1", digits=5), ["6", "6"]),
        ("12345", "23456", DeviceFacts("M1", digits=5), []),
        ("123.4", "125.4", DeviceFacts("M1", digits=5, decimals=0), ["1", "1"]),
        ("123.4", "125.4", DeviceFacts("M1", digits=5, decimals=1), []),
        ("123.400", "125.4", DeviceFacts("M1", digits=5, decimals=1), []),
        ("123.000", "125.010", DeviceFacts("M1", digits=5, decimals=0), ["3"]),
        ("00123", "00125", DeviceFacts("M2", digits=5), ["M1"]),
        ("00123", "0o125", DeviceFacts("M1", digits=5), ["0o125"]),
    ],
)
def test_digits_decimals_and_serial_are_those_of_the_device(
    begin: str, end: str, device: DeviceFacts, observed: list[str]
) -> None:
    findings = found(of_reads(begin, end, devices=(device,)), "METER")
    assert [one.observed for one in findings] == observed
    assert all(one.severity is Severity.ISSUE for one in findings)


def test_an_estimate_that_was_too_high_leaves_a_negative_use() -> None:
    (one,) = found(of_reads("1250", "1210"), "NEGATIVE")
    assert (one.severity, one.observed) == (Severity.ISSUE, "-40")
    (day,) = found(of_intervals(a_day((3, "-0.1"), (4, "-0.2"))), "NEGATIVE")
    assert (day.observed, day.day) == ("-0.2", JUNE)


def test_99950_to_00210_on_five_dials_is_a_rollover_of_260() -> None:
    facts = of_reads("99950", "00210")
    (one,) = found(facts, "ROLLOVER")
    assert (one.severity, one.observed) == (Severity.INFO, "260")
    assert one.parameters == {"use_per_day": "500"}
    assert not found(facts, "NEGATIVE")


def test_a_rollover_needs_the_last_tenth_of_the_dials_and_a_use_that_can_be() -> None:
    assert found(of_reads("90000", "00000"), "ROLLOVER")  # 90,000 is nine tenths of 100,000; 10,000 in 30 days
    assert found(of_reads("89999", "00000"), "NEGATIVE")
    assert found(of_reads("90000", "05000"), "ROLLOVER")  # 15,000 in 30 days: 500 a day exactly
    assert found(of_reads("90000", "05001"), "NEGATIVE")
    assert found(of_reads("90000", "05001"), "NEGATIVE")[0].parameters == {"use_per_day": "500"}


def _year(last_period: str = "620", last_year: str = "400") -> dict[str, object]:
    return {
        "history": (
            before(last_period, date(2026, 5, 1), date(2026, 6, 1)),
            before(last_year, date(2025, 7, 1), date(2025, 8, 1)),
        )
    }


def test_930_in_31_days_is_high_against_400_the_year_before() -> None:
    facts = of_quantity("930", JULY, date(2026, 8, 1), **_year("930"))
    (one,) = found(facts, "HIGH")
    assert (one.severity, one.observed, one.limit) == (Severity.ISSUE, "2.33", "2")
    assert one.sentence == "The use is 30 a day: 2.33 times the same period last year (12.9 a day)."


def test_twice_the_use_of_both_is_not_high_and_half_is_not_low() -> None:
    august = date(2026, 8, 1)
    assert not found(of_quantity("800", JULY, august, **_year("400")), "HIGH")
    assert found(of_quantity("800.001", JULY, august, **_year("400")), "HIGH")
    assert not found(of_quantity("200", JULY, august, **_year("400")), "LOW")
    assert found(of_quantity("199.999", JULY, august, **_year("400")), "LOW")


def test_high_and_low_compare_days_not_periods_and_need_two_earlier_periods() -> None:
    both = (before("280", date(2026, 2, 1), date(2026, 3, 1)), before("310", date(2025, 3, 1), date(2025, 4, 1)))
    march, april = date(2026, 3, 1), date(2026, 4, 1)
    assert not found(of_quantity("620", march, april, history=both), "HIGH")  # 20 a day against 10 a day
    assert found(of_quantity("621", march, april, history=both), "HIGH")
    assert not found(of_quantity("6210", march, april, history=both[:1]), "HIGH")


def test_estimated_history_and_history_of_an_outage_are_no_measure() -> None:
    past = (
        before("31", date(2026, 5, 1), date(2026, 6, 1), estimated=Fraction(51, 100)),
        before("31", date(2026, 4, 1), date(2026, 5, 1), outage=True),
        before("300", date(2026, 3, 1), date(2026, 4, 1)),
        before("300", date(2026, 2, 1), date(2026, 3, 1)),
    )
    assert not found(of_quantity("310", JUNE, JULY, history=past), "HIGH")


@pytest.mark.parametrize(("highest", "spikes"), [("9.0", True), ("8.0", False), ("8.4", False), ("8.5", True)])
def test_a_spike_is_more_than_180_percent_above_the_third_highest(highest: str, spikes: bool) -> None:
    day = a_day((10, highest), (11, "4.0"), (12, "3.0"))
    findings = found(of_intervals(day), "SPIKE")
    assert bool(findings) is spikes
    if highest == "9.0":
        assert (findings[0].observed, findings[0].limit, findings[0].day) == ("200 %", "180 %", JUNE)


def test_a_value_above_nothing_is_a_spike_and_a_value_that_does_not_count_is_none() -> None:
    nothing: list[str | None] = ["0"] * 96
    nothing[5] = "3"
    assert found(of_intervals(series(nothing)), "SPIKE")
    assert not found(of_intervals(series(nothing, "AAAAAN" + "A" * 90)), "SPIKE")


@pytest.mark.parametrize(
    ("total", "fails"),
    [("1260.4", False), ("1274.62", False), ("1274.63", True), ("1249.38", False), ("1249.37", True)],
)
def test_intervals_and_register_may_be_two_units_or_one_percent_apart(total: str, fails: bool) -> None:
    # the register counts 1,262: one per cent is 12.62
    values: list[str | None] = [total, *["0"] * 95]
    registers = (RegisterFacts("M1", "10000", "11262", JUNE, date(2026, 6, 2)),)
    findings = found(of_intervals(series(values), registers=registers), "SUM")
    assert bool(findings) is fails
    assert all((one.severity, one.limit) == (Severity.ISSUE, "12.62") for one in findings)


def test_two_units_are_allowed_of_a_small_register() -> None:
    registers = (RegisterFacts("M1", "10000", "10010", JUNE, date(2026, 6, 2)),)
    for total, fails in (("12", False), ("12.001", True), ("8", False), ("7.999", True)):
        values: list[str | None] = [total, *["0"] * 95]
        assert bool(found(of_intervals(series(values), registers=registers), "SUM")) is fails


def test_the_sum_is_compared_after_the_multiplier_and_through_a_meter_exchange() -> None:
    values: list[str | None] = ["2", *["1"] * 94, "4"]  # 100
    registers = (
        RegisterFacts("M1", "00100", "00105", JUNE, date(2026, 6, 1), multiplier=Decimal(10)),
        RegisterFacts("M2", "00000", "00050", date(2026, 6, 1), date(2026, 6, 2)),
    )
    assert not found(of_intervals(series(values), registers=registers), "SUM")
    assert found(of_intervals(series(values), registers=registers[:1]), "SUM")[0].observed == "50"


def test_registers_by_time_of_use_may_be_one_unit_each_off() -> None:
    for total, fails in (("1234", False), ("1235", False), ("1236", True)):
        facts = of_quantity(total, JUNE, JULY, parts=(Decimal(410), Decimal(823)))
        assert bool(found(facts, "TOU_SUM")) is fails


def test_nothing_used_on_an_active_service() -> None:
    day = series(["0"] * 96)
    (one,) = found(of_intervals(day), "ZERO")
    assert (one.severity, one.observed) == (Severity.ISSUE, "1")
    assert not found(of_intervals(day, active=False), "ZERO")
    assert not found(of_intervals(day, outage=True), "ZERO")
    assert not found(of_intervals(series(["0"] * 96, outages=[True] * 96)), "ZERO")
    assert found(of_intervals(series(["0"] * 96, outages=[True] * 95 + [False])), "ZERO")
    assert not found(of_intervals(day, stream=StreamFacts("P1", "B1", "kWh", 900, Direction.GENERATION)), "ZERO")
    assert not found(of_quantity("0", JUNE, JULY), "ZERO", Setting("ZERO", "periods", Decimal(2), JUNE))
    twice = (before("0", date(2026, 5, 1), JUNE),)
    assert found(of_quantity("0", JUNE, JULY, history=twice), "ZERO", Setting("ZERO", "periods", Decimal(2), JUNE))


def test_14_kwh_after_a_disconnection() -> None:
    (one,) = found(of_quantity("14", JUNE, JULY, closed=((date(2026, 5, 20), None),)), "INACTIVE")
    assert (one.severity, one.observed, one.limit) == (Severity.ISSUE, "14", "1")
    for quantity, fails in (("1", False), ("1.001", True)):
        assert bool(found(of_quantity(quantity, JUNE, JULY, closed=((JUNE, JULY),)), "INACTIVE")) is fails


def test_only_the_use_of_closed_days_counts_in_watt_hours_too() -> None:
    two = series(["10"] * 24 + ["41.7"] * 24, days=2, length_seconds=3600)
    stream = StreamFacts("P1", "E1", "Wh", 3600)
    closed = ((date(2026, 6, 2), None),)
    assert found(of_intervals(two, stream=stream, closed=closed), "INACTIVE")[0].observed == "1000.8"
    assert not found(of_intervals(two, stream=stream, closed=((JUNE, date(2026, 6, 2)),)), "INACTIVE")


def test_96_times_the_same_quarter_hour_inform() -> None:
    (one,) = found(of_intervals(series(["0.250"] * 96)), "CONSECUTIVE")
    assert (one.severity, one.observed, one.limit) == (Severity.INFO, "96 times 0.25", "24 h")
    assert not found(of_intervals(series(["0.250"] * 95 + ["0.251"])), "CONSECUTIVE")
    across = series(["0.1"] * 50 + ["0.2"] * 96 + ["0.1"] * 46, days=2)
    assert [one.observed for one in found(of_intervals(across), "CONSECUTIVE")] == ["96 times 0.2"]


def test_the_third_estimated_period_in_a_row_is_one_too_many() -> None:
    second = before("300", date(2026, 5, 1), JUNE, estimated=Fraction(1))
    first = before("300", date(2026, 4, 1), date(2026, 5, 1), estimated=Fraction(1))
    bill = of_reads("01000", "01300", register={"end_quality": Quality.ESTIMATE}, history=(second, first))
    (one,) = found(bill, "PROLONGED")
    assert (one.severity, one.observed, one.limit) == (Severity.ISSUE, "3", "2")
    assert not found(
        of_reads("01000", "01300", register={"end_quality": Quality.ESTIMATE}, history=(second,)), "PROLONGED"
    )
    assert not found(of_reads("01000", "01300", history=(second, first)), "PROLONGED")


def test_a_sibling_that_is_billed_is_asked_for_when_the_period_closes() -> None:
    siblings = (SiblingFacts("B1", True, 3), SiblingFacts("Q1", False, 30), SiblingFacts("E2", True, 0))
    findings = found(of_intervals(a_day(), siblings=siblings, closing=True), "SIBLING")
    assert [(one.severity, one.observed) for one in findings] == [(Severity.ISSUE, "3 d"), (Severity.INFO, "30 d")]
    assert not found(of_intervals(a_day(), siblings=siblings), "SIBLING")


def test_300_to_180_is_a_change_of_two_thirds() -> None:
    past = (before("300", date(2026, 5, 2), JUNE),)  # 30 days, as June has
    (one,) = found(of_quantity("180", JUNE, JULY, history=past), "CHANGE")
    assert (one.severity, one.observed, one.limit) == (Severity.INFO, "66.7 %", "50 %")
    assert not found(of_quantity("200", JUNE, JULY, history=past), "CHANGE")  # 100 of 200: 50 % exactly
    assert found(of_quantity("0", JUNE, JULY, history=past), "CHANGE")


def test_450_is_3_75_standard_deviations_from_300() -> None:
    kept = Statistics(12, Fraction(300), Fraction(40 * 40))
    day = {"begin": JUNE, "end": date(2026, 6, 2), "statistics": kept}
    (one,) = found(of_quantity("450", **day), "STAT")  # type: ignore[arg-type]
    assert (one.severity, one.observed, one.limit) == (Severity.INFO, "3.75", "3")
    assert not found(of_quantity("420", **day), "STAT")  # type: ignore[arg-type]
    assert found(of_quantity("179.99", **day), "STAT")  # type: ignore[arg-type]
    few = Statistics(11, Fraction(300), Fraction(40 * 40))
    assert not found(of_quantity("450", JUNE, date(2026, 6, 2), statistics=few), "STAT")


def test_statistics_are_of_the_sample() -> None:
    assert Statistics.of([Fraction(2), Fraction(4), Fraction(9)]) == Statistics(3, Fraction(5), Fraction(13))


def test_a_gap_an_overlap_and_the_future_are_issues() -> None:
    (gap,) = found(of_quantity("300", date(2026, 7, 4), date(2026, 8, 4), previous_end=date(2026, 7, 2)), "PERIOD")
    assert (gap.severity, gap.observed, gap.limit) == (Severity.ISSUE, "2 d", "0 d")
    assert found(of_quantity("300", JUNE, JULY, previous_end=date(2026, 6, 3)), "PERIOD")[0].observed == "2 d"
    assert not found(of_quantity("300", JUNE, JULY, previous_end=JUNE), "PERIOD")
    assert found(of_quantity("300", JUNE, JULY, today=date(2026, 6, 30)), "PERIOD")[0].observed == "1 d"
    assert not found(of_quantity("300", JUNE, JULY, today=JULY), "PERIOD")


def test_a_period_that_shares_days_with_another_names_it() -> None:
    both = ((date(2026, 5, 20), date(2026, 6, 3)), (date(2026, 6, 10), date(2026, 6, 12)))
    first, second = found(of_quantity("300", JUNE, JULY, overlapping=both), "PERIOD")
    assert (first.observed, second.observed) == ("2 d", "2 d")
    assert "2026-06-10 to 2026-06-12" in second.sentence
    tolerated = Setting("PERIOD", "days", Decimal(2), JUNE)
    assert not found(of_quantity("300", JUNE, JULY, overlapping=both), "PERIOD", tolerated)


def test_an_estimated_read_may_lie_in_the_future() -> None:
    forward = of_reads("01000", "01300", register={"end_quality": Quality.ESTIMATE}, today=JUNE)
    assert not found(forward, "PERIOD")
    assert found(of_reads("01000", "01300", today=JUNE), "PERIOD")


@pytest.mark.parametrize(("seconds", "fails"), [(180, False), (181, True), (-180, False), (-181, True)])
def test_a_clock_may_be_three_minutes_off(seconds: int, fails: bool) -> None:
    assert bool(found(of_intervals(a_day(), clock_seconds=seconds), "TIME")) is fails


def test_744_kwh_in_744_hours_need_one_kilowatt() -> None:
    august = date(2026, 8, 1)
    assert not found(of_quantity("744", JULY, august, demand=Decimal("1.0")), "DEMAND")
    (one,) = found(of_quantity("744", JULY, august, demand=Decimal("0.999")), "DEMAND")
    assert (one.severity, one.observed, one.limit) == (Severity.ISSUE, "0.999", "1")


def test_a_month_with_a_spring_change_has_743_hours() -> None:
    march, april = date(2026, 3, 1), date(2026, 4, 1)
    assert not found(of_quantity("743", march, april, demand=Decimal(1)), "DEMAND")
    assert found(of_quantity("743.5", march, april, demand=Decimal(1)), "DEMAND")


def test_a_billed_substitute_that_becomes_actual_needs_a_restatement() -> None:
    s15 = Replaced(Decimal("100"), Quality.SUBSTITUTE, Quality.ACTUAL, billed=True)
    (one,) = found(of_quantity("103.2", JUNE, JULY, replaces=s15), "REPLACE")
    assert (one.severity, one.observed) == (Severity.ISSUE, "3.2")
    assert "restatement" in one.sentence
    (free,) = found(
        of_quantity("103.2", JUNE, JULY, replaces=s15.__class__(Decimal(100), Quality.SUBSTITUTE, Quality.ACTUAL)),
        "REPLACE",
    )
    assert free.severity is Severity.INFO


@pytest.mark.parametrize(
    ("old", "new", "severity"),
    [
        ("1000", "1000.499", Severity.INFO),  # below 0.5 kWh and below 0.5 %
        ("1000", "1000.5", Severity.ISSUE),  # 0.5 kWh
        ("10", "10.049", Severity.INFO),
        ("10", "10.05", Severity.ISSUE),  # 0.5 %
    ],
)
def test_a_small_change_of_a_billed_period_is_only_recorded(old: str, new: str, severity: Severity) -> None:
    was = Replaced(Decimal(old), Quality.ESTIMATE, Quality.ACTUAL, billed=True)
    assert [one.severity for one in found(of_quantity(new, JUNE, JULY, replaces=was), "REPLACE")] == [severity]


def test_a_lower_quality_replaces_a_higher_one_only_as_a_revision() -> None:
    for revision in (False, True):
        was = Replaced(Decimal(100), Quality.ACTUAL, Quality.SUBSTITUTE, revision=revision)
        assert bool(found(of_quantity("100", JUNE, JULY, replaces=was), "REPLACE")) is not revision


def test_12_of_48_half_hours_estimated_are_a_quarter() -> None:
    values: list[str | None] = [str(1 + place % 2) for place in range(48)]
    (one,) = found(of_intervals(series(values, "E" * 12 + "A" * 36, length_seconds=1800)), "QUALITY_MIX")
    assert (one.severity, one.observed, one.limit) == (Severity.INFO, "25 %", "20 %")
    hours: list[str | None] = [str(1 + place % 2) for place in range(25)]  # the autumn day: a fifth is five hours
    for estimated, fails in ((5, False), (6, True)):
        flags = "E" * estimated + "A" * (25 - estimated)
        day = series(hours, flags, begin=date(2026, 11, 1), length_seconds=3600)
        assert bool(found(of_intervals(day), "QUALITY_MIX")) is fails


def test_an_issue_does_not_end_the_list_and_the_order_is_that_of_the_run() -> None:
    facts = of_intervals(
        a_day((3, None), (4, "-0.1"), (5, "90")),
        registers=(RegisterFacts("M9", "100", "101", JUNE, date(2026, 6, 2)),),
        devices=(DeviceFacts("M1"),),
        previous_end=date(2026, 5, 30),
    )
    findings = judge(facts, parameter_table().resolve("", "P1", "E1", JUNE))
    assert [one.rule for one in findings] == ["METER", "MISSING", "PERIOD", "NEGATIVE", "SUM", "SPIKE"]
    assert holds(findings)


def test_the_run_is_in_the_order_of_the_specification() -> None:
    order = (
        "SIZE UNIT METER MULTIPLIER MISSING PERIOD DUPLICATE ROLLOVER NEGATIVE SUM TOU_SUM DEMAND SPIKE HIGH LOW ZERO "
    )
    order += "INACTIVE STAT CHANGE QUALITY_MIX PROLONGED REPLACE"
    assert [code for code in RULES if code in order.split()] == order.split()
    assert set(RULES) - set(order.split()) == {"TIME", "SIBLING", "CONSECUTIVE"}


def test_each_kind_of_data_has_its_rules() -> None:
    flat = series(["0.250"] * 96)
    assert found(of_intervals(flat), "CONSECUTIVE")
    assert not found(of_intervals(flat, kind=Kind.ESTIMATED), "CONSECUTIVE")
    assert not found(of_intervals(flat, kind=Kind.MANUAL, clock_seconds=999), "TIME")
    assert found(of_intervals(a_day((1, None)), kind=Kind.ESTIMATED), "MISSING")


def test_parameters_count_from_their_day_and_the_nearest_to_the_stream_wins() -> None:
    table = parameter_table(
        [
            Setting("SPIKE", "percent", Decimal(100), date(2026, 1, 1)),
            Setting("SPIKE", "percent", Decimal(200), date(2026, 1, 1), customer_class="farm"),
            Setting("SPIKE", "percent", Decimal(300), date(2026, 7, 1), customer_class="farm"),
            Setting("SPIKE", "percent", Decimal(400), date(2026, 1, 1), point="P1"),
            Setting("SPIKE", "percent", Decimal(500), date(2026, 1, 1), point="P1", suffix="E1"),
        ]
    )

    def percent(customer_class: str, point: str, suffix: str, day: date) -> int:
        return int(table.resolve(customer_class, point, suffix, day).of("SPIKE")["percent"])

    assert percent("", "P2", "E1", date(2025, 12, 31)) == 180
    assert percent("", "P2", "E1", date(2026, 1, 1)) == 100
    assert percent("farm", "P2", "E1", date(2026, 6, 30)) == 200
    assert percent("farm", "P2", "E1", date(2026, 7, 1)) == 300
    assert percent("farm", "P1", "B1", date(2026, 7, 1)) == 400
    assert percent("farm", "P1", "E1", date(2026, 7, 1)) == 500


def test_a_finding_says_by_which_parameters_and_a_rule_can_be_off_or_weaker() -> None:
    day = of_intervals(a_day((10, "9.0"), (11, "4.0"), (12, "3.0")))
    assert found(day, "SPIKE")[0].parameters == {"percent": "180"}
    assert not found(day, "SPIKE", Setting("SPIKE", "percent", Decimal(200), JUNE))
    assert not found(day, "SPIKE", Setting("SPIKE", "on", Decimal(0), JUNE, point="P1"))
    assert found(day, "SPIKE", Setting("SPIKE", "severity", Decimal(0), JUNE))[0].severity is Severity.INFO


@pytest.mark.parametrize(
    ("rule", "name", "value"),
    [
        ("NONE", "percent", "1"),
        ("SPIKE", "ratio", "1"),
        ("SPIKE", "percent", "-1"),
        ("SPIKE", "on", "2"),
        ("SPIKE", "percent", "NaN"),
    ],
)
def test_a_parameter_that_no_rule_has_is_refused(rule: str, name: str, value: str) -> None:
    with pytest.raises(ParameterError, match=rule):
        parameter_table([Setting(rule, name, Decimal(value), JUNE)])
