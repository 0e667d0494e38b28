"""The states of a correction as data; the database is guarded by the same table."""

from enum import StrEnum


class Correction(StrEnum):
    """Where a correction is."""

    OPENED = "opened"
    WAITING = "waiting"  # for the replacement of what the utility cancelled
    READY = "ready"  # it may be done; a code says what keeps it
    DONE = "done"  # its outcome says how
    WITHDRAWN = "withdrawn"  # there is nothing to correct any more


TRANSITIONS: dict[Correction, frozenset[Correction]] = {
    Correction.OPENED: frozenset({Correction.WAITING, Correction.READY, Correction.WITHDRAWN}),
    Correction.WAITING: frozenset({Correction.READY, Correction.WITHDRAWN}),
    Correction.READY: frozenset({Correction.DONE, Correction.WITHDRAWN}),
}


class Outcome(StrEnum):
    """How a correction ended."""

    CANCELLED = "cancelled"  # a cancel alone
    REBILLED = "rebilled"  # a cancel and a rebill, issued together
    NOTED = "noted"  # billed again it is the same: the invoice stays
    ADJUSTED = "adjusted"  # the difference is small: it is on the next bill
