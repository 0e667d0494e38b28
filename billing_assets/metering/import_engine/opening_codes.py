"""What can be wrong with a file before anything is read in it."""

from billing_assets.metering.import_engine.findings import Code, table
from billing_assets.metering.import_engine.messages import Severity

_AGAIN = "Ask the sender for the file again, zipped alone."

OPENING = table(
    Code("R-EMPTY", Severity.REFUSE, "The file is empty.", "Ask the sender whether the transfer broke off."),
    Code(
        "R-FORMAT",
        Severity.REFUSE,
        "The file is {what}.",
        "Import exports that have a column mapping with that mapping; ask the sender for a market format otherwise.",
    ),
    Code(
        "R-SIZE",
        Severity.REFUSE,
        "The file has more than {limit} bytes.",
        "Ask the sender for several files, or raise the limit in the settings and move the file back into its folder.",
    ),
    Code("R-ZIP-BROKEN", Severity.REFUSE, "The zip cannot be read: {why}.", _AGAIN),
    Code("R-ZIP-MEMBERS", Severity.REFUSE, "The zip has {members} members instead of one file.", _AGAIN),
    Code("R-ZIP-ENCRYPTED", Severity.REFUSE, "The zip is encrypted.", "Ask the sender for the file without password."),
    Code(
        "R-ZIP-PATH",
        Severity.REFUSE,
        "The zip's member “{name}” has an absolute path or one that leads upwards.",
        "Ask the sender who made this zip: market systems do not write such paths.",
    ),
    Code(
        "R-ZIP-SIZE",
        Severity.REFUSE,
        "The zip's member has {size} bytes, more than {limit}.",
        "Ask the sender for several files, or raise the limit in the settings.",
    ),
    Code(
        "R-ZIP-RATIO",
        Severity.REFUSE,
        "The zip's member is {ratio} times as large as the zip, more than {limit} times.",
        "Look at what it is: so much repetition is no meter data. Raise the limit in the settings if it is.",
    ),
    Code("R-ZIP-NESTED", Severity.REFUSE, "The zip has another zip in it.", _AGAIN),
)
"""Source: AEMO MDFF procedures and practice for zips; the limits are settings."""
