"""What can be wrong with rows of interval data, whatever file they are from."""

from billing_assets.metering.import_engine.findings import Code, table
from billing_assets.metering.import_engine.messages import Severity

_DAYS_WAIT = "The days that it touches wait, all others pass."

INTERVALS = table(
    Code(
        "R-RANGE",
        Severity.REFUSE,
        "{stream}: {what}.",
        "Ask the sender for the file again: the number is beyond what a meter counts.",
    ),
    Code(
        "H-REPEATED-START",
        Severity.HOLD,
        "{stream}: {begin} has another row on line {other}, with another value, cost or quality.",
        f"Ask the sender which of the two is right. {_DAYS_WAIT}",
    ),
    Code(
        "H-GAP",
        Severity.HOLD,
        "{stream}: nothing between {begin} and {end}.",
        f"Ask the sender for the missing intervals, or estimate them. {_DAYS_WAIT}",
    ),
    Code(
        "H-OVERLAP",
        Severity.HOLD,
        "{stream}: the row of {begin} begins before {end}, the end of another.",
        f"Ask the sender which of the two is right. {_DAYS_WAIT}",
    ),
    Code(
        "H-COST-PART",
        Severity.HOLD,
        "{stream}: the row of {begin} has no cost, and others have.",
        "Ask the sender for the missing costs. Days with a row without cost wait, all others pass.",
    ),
    Code(
        "W-GAP",
        Severity.WARN,
        "{stream}: nothing between {begin} and {end}, as at a clock change.",
        "Nothing: rows of a day or longer are often an hour off at a clock change.",
    ),
    Code(
        "W-OVERLAP",
        Severity.WARN,
        "{stream}: the row of {begin} begins before {end}, the end of another, as at a clock change.",
        "Nothing: rows of a day or longer are often an hour off at a clock change.",
    ),
    Code(
        "W-REPEATED-ROW",
        Severity.WARN,
        "{stream}: the row of {begin} is there before with the same value; it counts once.",
        "Nothing: it is dropped, and counted as repeated.",
    ),
    Code(
        "W-ZERO-DURATION",
        Severity.WARN,
        "{stream}: the row of {begin} lasts 0 seconds: its quantity counts in the file, and waits.",
        "Compare the day's total with the meter's register, and put the quantity to the interval that it is of.",
    ),
)
"""Source: NAESB ESPI and files as found; a clock change done wrong holds two days a year, not the year."""
