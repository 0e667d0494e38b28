"""What can be wrong with an extract, besides its rows of intervals; and why prices and master data of one do not
count."""

from billing_assets.metering.import_engine.findings import Code, table
from billing_assets.metering.import_engine.messages import Severity

_QUERY = "Compare the query or the API with the contract of its columns (sql/source/README.md)."
_AGAIN = "Extract again; report it with the file if it stays so: extracts are written by this pipeline."

EXTRACTS = table(
    Code(
        "R-EXTRACT-FOLDER",
        Severity.REFUSE,
        "The file is an extract, and came in a folder.",
        "Ask who put it there: extracts are read from their source, and no sender writes them.",
    ),
    Code("R-EXTRACT-HEAD", Severity.REFUSE, "Line 1: {why}.", _AGAIN),
    Code("R-EXTRACT-LINE", Severity.REFUSE, "Line {line}: {why}.", _AGAIN),
    Code("R-EXTRACT-COUNT", Severity.REFUSE, "The file has {got} records; its head says {want}.", _AGAIN),
    Code("R-EXTRACT-FIELD", Severity.REFUSE, "Line {line}: {field} {why}.", _QUERY),
    Code(
        "R-EXTRACT-PERIOD",
        Severity.REFUSE,
        "Line {line}: the read before, of {begin}, is not before that of {end}.",
        _QUERY,
    ),
    Code(
        "H-NEGATIVE-USE",
        Severity.HOLD,
        "Line {line}: the register fell from {before} to {after}, which no rollover explains.",
        "Ask whether the meter was exchanged or a read is wrong; then correct it in the metering system.",
        whole=False,
    ),
    Code(
        "W-FIRST-READ",
        Severity.WARN,
        "Line {line}: the first read of the register: there is no quantity before it.",
        "Nothing, if the register is new.",
    ),
)
"""The form is ours; the meaning of reads is that of NEM13."""

_SOURCE = "Correct it in the system that it was read from: what changed there is extracted and tried again."

LOADS = table(
    Code(
        "TARIFF_TWICE",
        Severity.HOLD,
        "There are two rows from {begin}, which say different things.",
        _SOURCE,
        whole=False,
    ),
    Code(
        "TARIFF_OVERLAP",
        Severity.HOLD,
        "The row from {begin} holds until {end}, the next begins on {next}.",
        "End the earlier row in the system that it was read from: both are tried again with what changed there.",
        whole=False,
    ),
    Code("TARIFF_GAP", Severity.HOLD, "No row holds from {begin} until {next}.", _SOURCE, whole=False),
    Code(
        "MASTER_DATA",
        Severity.HOLD,
        "{why} Nothing of the extract counts.",
        "Correct it in the system that it was read from, then run `billing metering extract --again`.",
        whole=False,
    ),
)
"""What is held of an extract that was accepted. `tariff_prices` has each price; `extract_loads` the first sentence."""
