"""What can be wrong with a Green Button feed, besides its rows of intervals."""

from billing_assets.metering.import_engine.findings import Code, table
from billing_assets.metering.import_engine.messages import Severity

_AGAIN = "Ask the sender for the file again."

ESPI = table(
    Code(
        "R-XML",
        Severity.REFUSE,
        "Line {line}: the file is not one feed in well-formed XML: {why}.",
        f"{_AGAIN} It may be cut off, or two files in one.",
    ),
    Code(
        "R-NO-POINT",
        Severity.REFUSE,
        "The file has no UsagePoint: it does not say what was measured.",
        "Ask the sender for the feed of usage; that of customer data is another one.",
    ),
    Code(
        "R-START",
        Severity.REFUSE,
        "Line {line}: the start of an interval reading is “{text}”, not a whole number of seconds since 1970.",
        "Ask the sender to repair the export: some write the time of the export into every row.",
    ),
    Code(
        "R-DURATION",
        Severity.REFUSE,
        "Line {line}: the duration of an interval reading is “{text}”, not a whole number of seconds.",
        _AGAIN,
    ),
    Code(
        "R-VALUE",
        Severity.REFUSE,
        "Line {line}: the {what} of an interval reading is “{text}”, not a whole number of 48 bits.",
        _AGAIN,
    ),
    Code(
        "R-NO-UOM",
        Severity.REFUSE,
        "Line {line}: the reading type has no unit of measure (uom).",
        "Ask the sender for the unit: a quantity without one cannot be billed.",
    ),
    Code(
        "R-POWER",
        Severity.REFUSE,
        "Line {line}: the power of ten “{text}” is none of the standard's.",
        _AGAIN,
    ),
    Code(
        "H-UNLINKED",
        Severity.HOLD,
        "No link leads from the interval blocks of “{path}” to a reading type and a usage point.",
        "Ask the sender for the whole feed: the entries that are missing say what was measured, and where.",
    ),
    Code(
        "H-TWO-POINTS",
        Severity.HOLD,
        "Line {line}: the usage point and that of line {other} are both under account {account}.",
        "Find out which meter the account is billed for, and put the other one to its own account.",
    ),
    Code(
        "W-NO-INTERVALS",
        Severity.WARN,
        "The file has no IntervalBlock: there is nothing to bill.",
        "Nothing, if only master data was asked for.",
    ),
    Code(
        "W-QUALITY",
        Severity.WARN,
        "Line {line}: quality “{text}” is not known; the row is not billed unless a person says so.",
        "Ask the sender what the quality means.",
    ),
    Code(
        "W-UOM",
        Severity.WARN,
        "Line {line}: unit of measure {text} is not known; the quantity is kept as it is.",
        "Look the number up in the standard; nothing is billed in a unit that no tariff has.",
    ),
    Code(
        "W-ZONE",
        Severity.WARN,
        "Line {line}: the feed's clock ({seconds} s from UTC) is not that of {zone}; the days are of {zone}.",
        "Compare the zone that is set for the sender with where the meters are.",
    ),
    Code(
        "W-SUMMARY",
        Severity.WARN,
        "Line {line}: the utility's summary has {theirs}, its intervals add up to {ours}.",
        "Ask the utility what its bill has besides these intervals; our quantities stay.",
    ),
)
"""Source: NAESB ESPI 4.0 and exports as found."""
