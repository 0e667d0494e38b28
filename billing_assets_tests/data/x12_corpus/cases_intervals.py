"""218, 219 and 265-299: spec §5.1, Texas 867_03 with intervals."""

from __future__ import annotations

from typing import Any

from billing_assets_tests.data.x12_corpus.expecting import case, not_accepted, u
from billing_assets_tests.data.x12_corpus.x12_text import (
    OTHER_POINT,
    POINT,
    Set,
    intervals,
    loop,
    pt,
    quantity,
    summary,
    usage,
)

FLAT = ["8.75"] * 96


def add() -> None:
    interval_estimates()
    interval_days()
    interval_faults()


def interval_estimates() -> None:
    row = "§5.1 row REF*5I: "
    given = {"investor_owned": ["900000026"]}
    day = interval_loops(FLAT, "840", flag="KA")
    case(
        218,
        "interval-estimate-with-reason",
        row + "for interval usage the summary is IA.",
        pt(usage(loops=day, refs=("REF*5I*NA",), start="20260603", end="20260604")),
        sets=[one_day("840")],
        given=given,
    )
    not_accepted(
        219,
        "interval-estimate-without-reason",
        row + "for interval usage the summary is IA; its reason is missing.",
        pt(usage(loops=day, start="20260603", end="20260604")),
        given=given,
    )


def interval_loops(
    values: list[str],
    total: str,
    *,
    start: str = "20260603",
    end: str = "20260604",
    flag: str = "QD",
    rows: list[str] | None = None,
    **more: Any,
) -> list[list[str]]:
    rows = rows if rows is not None else intervals(values, first=start, **more)
    return [
        summary(total, "IA", start, end, flag=flag),
        loop("BO", quantity(total, flag=flag), serial="A1234", start=start, end=end, refs=("REF*MT*KH015", "REF*JH*A")),
        loop("PM", rows, serial="A1234", start=start, end=end, refs=("REF*MT*KH015",)),
    ]


def one_day(total: str, start: str = "2026-06-03", end: str = "2026-06-04", **more: Any) -> dict[str, Any]:
    return u(keys={"start": start, "end": end}, quantities={"KH": total}, **more)


def day_set(loops: list[list[str]], start: str = "20260603", end: str = "20260604") -> Set:
    return usage(loops=loops, start=start, end=end)


def interval_days() -> None:
    row = "§5.1 row interval loop: "
    case(
        265,
        "interval-day-96",
        row + "96 quarter hours of a normal day, DTM 194, CD; IA, BO and PM count once.",
        pt(day_set(interval_loops(FLAT, "840"))),
        sets=[one_day("840")],
    )
    case(
        266,
        "interval-day-582",
        row + "DTM 582 is accepted beside 194.",
        pt(day_set(interval_loops(FLAT, "840", qualifier="582"))),
        sets=[one_day("840")],
    )
    case(
        267,
        "interval-day-midnight-0000",
        row + "midnight may be 0000 of the next day.",
        pt(day_set(interval_loops(FLAT, "840", midnight="0000"))),
        sets=[one_day("840")],
    )
    case(
        268,
        "interval-day-local-clock",
        row + "CT is the local clock, good on every day without a doubled hour.",
        pt(day_set(interval_loops(FLAT, "840", code="CT"))),
        sets=[one_day("840")],
    )
    spring = interval_loops(["10"] * 92, "920", start="20260308", end="20260309")
    case(
        269,
        "interval-day-92",
        row + "92 quarter hours on the day that loses an hour.",
        pt(day_set(spring, "20260308", "20260309")),
        sets=[one_day("920", "2026-03-08", "2026-03-09")],
    )
    autumn = interval_loops([f"{n + 1}" for n in range(100)], "5050", start="20261101", end="20261102")
    case(
        270,
        "interval-day-100",
        row + "100 quarter hours on the day with a doubled hour; CD and CS tell its halves apart.",
        pt(day_set(autumn, "20261101", "20261102")),
        sets=[one_day("5050", "2026-11-01", "2026-11-02")],
    )
    two = interval_loops(["8.75"] * 96 + ["5"] * 96, "1320", end="20260605")
    case(
        271,
        "interval-two-days",
        row + "two days of 96.",
        pt(day_set(two, end="20260605")),
        sets=[one_day("1320", end="2026-06-05")],
    )
    over = interval_loops(["10"] * 188, "1880", start="20260307", end="20260309")
    case(
        272,
        "interval-days-over-the-change",
        row + "96 and 92 quarter hours of two days.",
        pt(day_set(over, "20260307", "20260309")),
        sets=[one_day("1880", "2026-03-07", "2026-03-09")],
    )
    case(
        273,
        "interval-sum-within-one-percent",
        "§5.1 rules: 840 against 845 is 0.6 %; the summary counts.",
        pt(day_set(interval_loops(FLAT, "845"))),
        sets=[one_day("845")],
    )


def interval_faults() -> None:
    row = "§5.1 rules: "
    hold: dict[str, Any] = {"verdict": "hold"}
    case(
        275,
        "interval-sum-off",
        row + "840 against 860 is 2.4 %.",
        pt(day_set(interval_loops(FLAT, "860"))),
        sets=[one_day("860", codes=["SUM_CHECK"], **hold)],
    )
    rows = intervals(["0", *FLAT[1:]])
    case(
        276,
        "interval-missing-95",
        row + "95 of 96 quarter hours; the sum still fits, as the missing one is 0.",
        pt(day_set(interval_loops([], "831.25", rows=rows[2:]))),
        sets=[one_day("831.25", codes=["MISSING_INTERVALS"], **hold)],
    )
    spare = interval_loops([], "840", rows=intervals(FLAT)[:160])
    case(
        277,
        "interval-missing-16",
        row + "80 of 96 quarter hours and a sum that is off: MISSING_INTERVALS is among the codes.",
        pt(day_set(spare)),
        sets=[one_day("840", codes=None, codes_include=["MISSING_INTERVALS"], **hold)],
    )
    short = interval_loops(["10"] * 96, "960", start="20261101", end="20261102")
    case(
        278,
        "interval-96-on-a-day-of-100",
        row + "96 quarter hours on the day with a doubled hour.",
        pt(day_set(short, "20261101", "20261102")),
        sets=[one_day("960", "2026-11-01", "2026-11-02", codes=["MISSING_INTERVALS"], **hold)],
    )
    doubled = intervals(FLAT)
    doubled[103] = doubled[101]
    case(
        279,
        "interval-twice",
        row + "one interval end comes twice and another not at all; count and sum fit.",
        pt(day_set(interval_loops([], "840", rows=doubled))),
        sets=[one_day("840", codes=["REPEATED_INTERVAL"], **hold)],
    )
    coded = intervals(FLAT)
    coded[105] = "DTM*194*20260603*1200*CS"
    if coded[103] != "DTM*194*20260603*1300*CD":
        raise ValueError(coded[103])
    case(
        280,
        "interval-twice-by-time-code",
        row + "1200 CS is 1300 CD: twice after the time code is applied; count and sum fit.",
        pt(day_set(interval_loops([], "840", rows=coded))),
        sets=[one_day("840", codes=["REPEATED_INTERVAL"], **hold)],
    )
    extra = intervals(FLAT)
    extra += extra[:2]
    case(
        281,
        "interval-97",
        row + "the first interval comes again at the end: 97 rows.",
        pt(day_set(interval_loops([], "840", rows=extra))),
        sets=[one_day("840", codes=None, codes_include=["REPEATED_INTERVAL"], **hold)],
    )
    split = intervals(FLAT + ["5"] * 96)
    case(
        282,
        "interval-missing-on-second-day",
        row + "each local day is counted: 96 and 95.",
        pt(day_set(interval_loops([], "1315", end="20260605", rows=split[:-2]), end="20260605")),
        sets=[one_day("1315", end="2026-06-05", codes=["MISSING_INTERVALS"], **hold)],
    )
    local = interval_loops(["10"] * 100, "1000", start="20261101", end="20261102", code="CT")
    case(
        283,
        "interval-doubled-hour-local-clock",
        row + "CT cannot tell the halves of the doubled hour apart.",
        pt(day_set(local, "20261101", "20261102")),
        sets=[one_day("1000", "2026-11-01", "2026-11-02", codes=None, **hold)],
    )
    case(
        284,
        "interval-meter-summary-off",
        row + "summary is the sum of its meters: IA 900, BO and intervals 840.",
        pt(day_set([summary("900", "IA", "20260603", "20260604"), *interval_loops(FLAT, "840")[1:]])),
        sets=[one_day("900", codes=["SUM_CHECK"], **hold)],
    )
    case(
        285,
        "other-point",
        "§5.1 row REF*Q5: a second point with the same content is its own.",
        pt(usage(point=OTHER_POINT), usage("U77002", control="0002")),
        sets=[u(keys={"point": OTHER_POINT}), u(control="0002", keys={"id": "U77002", "point": POINT})],
    )
