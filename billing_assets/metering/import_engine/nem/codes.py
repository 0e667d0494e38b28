"""What can be found in NEM12 and NEM13 files. Source: AEMO Meter Data File Format, and the practice of its market."""

from billing_assets.metering.import_engine.findings import Code, table
from billing_assets.metering.import_engine.messages import Severity

_CUT = "The transfer broke off, or files were joined: ask the sender for the file again."
_FAULT = "The sender's system is at fault: send them the sentence and ask for a right file."
_KNOW = "Nothing to do for this file; tell the sender if it goes on."
_TEXT = "Ask the sender for plain text in UTF-8 with usual line ends; do not open and save the file in between."


def _refuse(code: str, sentence: str, to_do: str = _FAULT) -> Code:
    return Code(code, Severity.REFUSE, sentence, to_do)


def _warn(code: str, sentence: str, to_do: str = _KNOW) -> Code:
    return Code(code, Severity.WARN, sentence, to_do)


NEM = table(
    # The file as a whole
    _refuse("R-LINE-LENGTH", "Line {line}: longer than {limit} bytes.", _TEXT),
    _refuse("R-TEXT", "Line {line}: a {what} within the line.", _TEXT),
    _refuse("R-ENCODING", "Line {line}: “{value}” is not text in UTF-8.", _TEXT),
    _refuse("R-NO-100", "Line {line}: the file starts with {indicator}, not with a 100 header.", _CUT),
    _refuse("R-VERSION", "Line {line}: version {version} is not NEM12 or NEM13."),
    _refuse("R-HEADER-DATE", "Line {line}: “{value}” is not a date and time of 12 digits."),
    _refuse("R-SECOND-100", "Line {line}: a second 100 header; it looks like two files in one.", _CUT),
    _refuse("R-SECOND-900", "Line {line}: a second 900 end record; it looks like two files in one.", _CUT),
    _refuse("R-AFTER-900", "Line {line}: data after the end record; it looks like two files in one.", _CUT),
    _refuse("R-NO-900", "The file stops at line {line} without a 900; it may be cut off.", _CUT),
    _refuse("R-UNKNOWN-RECORD", "Line {line}: record {indicator} does not belong in {version}.", _CUT),
    _refuse("R-WRONG-VERSION", "Line {line}: record {indicator} does not belong in {version}."),
    _refuse("R-FIELDS", "Line {line}: {got} fields, {want} for a record {indicator}.", _CUT),
    # Order
    _refuse("R-300-BEFORE-200", "Line {line}: a 300 without a 200 before it.", _CUT),
    _refuse("R-400-BEFORE-300", "Line {line}: a 400 without a 300 before it.", _CUT),
    _refuse("R-500-BEFORE-300", "Line {line}: a 500 without a 300 before it.", _CUT),
    _refuse("R-550-BEFORE-250", "Line {line}: a 550 without a 250 before it.", _CUT),
    # The stream: 200 and 250
    _refuse("R-NMI", "Line {line}: “{value}” is not an NMI."),
    _refuse("R-NMI-CONFIG", "Line {line}: “{config}” is not a configuration of suffixes."),
    _refuse("R-SUFFIX", "Line {line}: “{suffix}” is not a suffix."),
    _refuse("R-SUFFIX-NOT-IN-CONFIG", "Line {line}: suffix {suffix} is not part of configuration {config}."),
    _refuse(
        "R-UOM",
        "Line {line}: “{unit}” is not a unit that is known.",
        "Ask the sender for the unit; a sender that always leaves it empty may be allowed to (leniency empty_unit).",
    ),
    _refuse("R-INTERVAL-LENGTH", "Line {line}: “{length}” is not an interval length; use 5, 15 or 30 minutes."),
    _refuse("R-DIRECTION", "Line {line}: direction “{value}” is neither E nor I."),
    # Values
    _refuse(
        "R-300-FIELDS",
        "Line {line}: {got} fields, {want} for {count} intervals of {minutes} minutes.",
        "A line was broken in two, or the data have another interval length than the 200 says: ask for a right file.",
    ),
    _refuse("R-VALUE", "Line {line}, {where}: “{value}” is not a quantity{more}."),
    _refuse("R-NEGATIVE", "Line {line}, {where}: “{value}” has a sign; quantities have none{more}."),
    _refuse("R-DATE", "Line {line}: {field} “{value}” is not a date."),
    _refuse("R-PERIOD", "Line {line}: the current read of {current} is before the previous one of {previous}."),
    _refuse("R-QUALITY", "Line {line}: quality “{value}” is not valid here."),
    _refuse("R-V-NO-400", "Line {line}: the day's quality varies (V), and no 400 says how."),
    _refuse("R-400-RANGE", "Line {line}: intervals “{first}” to “{last}” are not within 1 to {count}."),
    _refuse("R-400-GAP", "Line {line}: events leave {missing} of {count} intervals without quality."),
    _refuse("R-400-OVERLAP", "Line {line}: interval {first} has a quality already, of line {other}."),
    _refuse(
        "R-DUP-DAY",
        "Line {line}: {nmi} {suffix} {day} is already on line {other}.",
        "Ask the sender which of the two holds, and for a file with that one.",
    ),
    Code(
        "QTY_NOT_READS",
        Severity.HOLD,
        "Line {line}: the reads {previous} and {current} do not explain the quantity {quantity}.",
        "Ask the sender, or look at the meter: it is billed only once a person has taken it, or another comes.",
        whole=False,
    ),
    # Kept all the same
    _warn("W-BOM", "The file starts with a byte order mark."),
    _warn("W-NO-DATA", "The file has no data between header and end.", "Ask the sender whether there should be some."),
    _warn("W-BLANK-LEAD", "Line {line}: blank, before the header."),
    _warn("W-BLANK-LINE", "Line {line}: blank."),
    _warn("W-PADDING", "Line {line}: empty fields at the end, as a spreadsheet leaves them."),
    _warn("W-SPACES", "Line {line}: blanks around fields."),
    _warn("W-PARTICIPANT", "Line {line}: sender “{sender}” or receiver “{receiver}” is not 1 to 10 characters."),
    _warn("W-NMI-LENGTH", "Line {line}: NMI “{nmi}” has not 10 characters."),
    _warn("W-NMI-LETTER", "Line {line}: NMI “{nmi}” has an O or I, or another character that none has."),
    _warn("W-NMI-CHECK", "Line {line}: the check digit of NMI “{nmi}” is not {digit}."),
    _warn("W-SUFFIX", "Line {line}: suffix {suffix} is of no kind that is known."),
    _warn("W-UOM-CASE", "Line {line}: unit “{unit}” is usually written {usual}."),
    _warn("W-UOM-EMPTY", "Line {line}: no unit, as this sender is allowed."),
    _warn("W-LENGTH", "Line {line}: {field} is longer than {limit} characters."),
    _warn("W-200-WITHOUT-300", "Line {line}: a 200 without a day of data after it."),
    _warn("W-FIELDS", "Line {line}: optional fields at the end are missing."),
    _warn(
        "W-UPDATE",
        "Line {line}: {field} “{value}” has not 14 digits.",
        "Versions of this day are told apart by arrival.",
    ),
    _warn("W-METHOD", "Line {line}: quality “{value}” has a method that is not known with this flag."),
    _warn("W-REASON", "Line {line}: reason “{reason}” with quality {quality}: {rule}."),
    _warn("W-400-WITHOUT-V", "Line {line}: 400 records after a day whose quality does not vary: {quality}."),
    _warn("W-TRANS-CODE", "Line {line}: transaction code “{value}” is not known."),
    _warn("W-NEGATIVE-QUANTITY", "Line {line}: the quantity {quantity} is negative."),
    _warn("W-PREVIOUS-ESTIMATE", "Line {line}: the previous read is an estimate ({quality})."),
    _warn(
        "W-QUANTITY-NOT-DIFFERENCE", "Line {line}: the quantity {quantity} is not the difference of the reads: {why}."
    ),
)
