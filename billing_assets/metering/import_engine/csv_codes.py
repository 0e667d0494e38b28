"""What can be wrong with a CSV export that is read by a column mapping, besides its rows of intervals."""

from billing_assets.metering.import_engine.findings import Code, table
from billing_assets.metering.import_engine.messages import Severity

_MAPPING = "Compare the file with the preview of the mapping; ask the sender whether the export has changed."

CSV = table(
    Code("R-CSV", Severity.REFUSE, "Line {line}: {why}.", _MAPPING),
    Code("R-ENCODING", Severity.REFUSE, "Line {line}: the text is not {encoding}.", _MAPPING),
    Code(
        "R-COLUMN",
        Severity.REFUSE,
        "Line {line}: mapping {mapping} reads column “{column}”, and there is none.",
        _MAPPING,
    ),
    Code("R-FIELDS", Severity.REFUSE, "Line {line}: {got} fields, {want} by the head.", _MAPPING),
    Code("R-NO-ROWS", Severity.REFUSE, "The file has no rows.", "Ask the sender whether the transfer broke off."),
    Code("R-ROWS", Severity.REFUSE, "The file has {got} rows instead of {want} (mapping {mapping}).", _MAPPING),
    Code("R-POINT", Severity.REFUSE, "Line {line}: the row does not say its point.", _MAPPING),
    Code("R-CHANNEL", Severity.REFUSE, "Line {line}: channel “{text}” is not in mapping {mapping}.", _MAPPING),
    Code("R-QUALITY", Severity.REFUSE, "Line {line}: quality “{text}” is not in mapping {mapping}.", _MAPPING),
    Code("R-VALUE", Severity.REFUSE, "Line {line}: {what} “{text}” is not a number.", _MAPPING),
    Code("R-NEGATIVE", Severity.REFUSE, "Line {line}: quantity “{text}” is below zero.", _MAPPING),
    Code("R-TIME", Severity.REFUSE, "Line {line}: “{text}” is not a time as mapping {mapping} has them.", _MAPPING),
    Code(
        "R-LENGTH",
        Severity.REFUSE,
        "Line {line}: the interval lasts {got} seconds instead of {want} (mapping {mapping}).",
        _MAPPING,
    ),
    Code("R-ORDER", Severity.REFUSE, "Line {line}: “{text}” is not {order} after the row before.", _MAPPING),
    Code(
        "R-FELL",
        Severity.REFUSE,
        "Line {line}: the counter fell from {before} to {text}.",
        "Ask the sender whether the meter was exchanged; a mapping can say at which time of day it may start again.",
    ),
    Code("R-STREAMS", Severity.REFUSE, "Line {line}: the file has more than {most} streams.", _MAPPING),
    Code(
        "W-SKIPPED-HOUR",
        Severity.WARN,
        "Line {line}: “{text}” is in an hour that the clock skips; the row is dropped.",
        "Nothing: the mapping says so.",
    ),
    Code(
        "W-SPLIT-HOUR",
        Severity.WARN,
        "Line {line}: the quantity of {text} is shared among both hours of the clock change.",
        "Nothing: the mapping says so.",
    ),
    Code(
        "W-OPEN-END",
        Severity.WARN,
        "Line {line}: no row says when the interval of {text} ends; it is left out.",
        "Nothing, if the next file has it.",
    ),
    Code(
        "W-PRICE",
        Severity.WARN,
        "Line {line}: the quantity at its price is {ours}, the cost is {theirs}.",
        "Ask the sender what the cost has besides.",
    ),
)
"""Source: exports of portals as found."""
