"""The machine of usage and charges as data: states, moves, what each arrival does, and the codes with their sentences.

Usage is an 867, charges are an 810: one message for each transaction set. `machine.py` applies what is said here.
"""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What a message is about. The two are cancelled and replaced apart, and billed together."""

    USAGE = "usage"  # 867
    CHARGES = "charges"  # 810


class Purpose(StrEnum):
    """BPT01 of usage, BIG08 of charges."""

    ORIGINAL = "00"
    CANCEL = "01"
    REPLACE = "05"


class State(StrEnum):
    """Where a message is on its way to an invoice. A message has exactly one state."""

    ACCEPTED = "accepted"  # its form is good; it is not settled yet
    DUPLICATE = "duplicate"  # it came before: counted, ignored
    HELD = "held"  # its content conflicts with another message or with itself; the codes say how
    WAITING = "waiting"  # another message is missing; the codes say which
    READY = "ready"  # may be billed with its pair; a cancel: it has its effect
    SUPERSEDED = "superseded"  # cancelled before it was billed
    REJECTED = "rejected"  # a person rejected it, and an 824 says so to the sender
    BILLED = "billed"  # on an invoice
    RESTATED = "restated"  # on an invoice, and cancelled since


AT_REST = frozenset({State.DUPLICATE, State.HELD, State.WAITING, State.READY, State.SUPERSEDED})
"""States that every further message of the point decides again."""

TRANSITIONS: dict[State, frozenset[State]] = {
    State.ACCEPTED: AT_REST,
    State.DUPLICATE: AT_REST - {State.DUPLICATE},
    State.HELD: (AT_REST - {State.HELD}) | {State.REJECTED},
    State.WAITING: (AT_REST - {State.WAITING}) | {State.REJECTED},
    State.READY: (AT_REST - {State.READY}) | {State.BILLED},
    State.SUPERSEDED: AT_REST - {State.SUPERSEDED},
    State.REJECTED: frozenset(),
    State.BILLED: frozenset({State.RESTATED}),
    State.RESTATED: frozenset({State.BILLED}),  # its cancel was rejected
}
"""The allowed moves. The same table guards the database (`sql/state/metering`, held equal by a test)."""


class Code(NamedTuple):
    """Why a message is held, waits or is ignored. `releasable`: a person may let it pass with a reason."""

    meaning: str
    to_do: str
    releasable: bool = False


CODES: dict[str, Code] = {
    # waiting
    "WAIT_CHARGES": Code(
        "The charges for this usage have not come, or cannot be billed yet.",
        "Nothing for some days; then ask the utility for the 810, or see why it is held.",
    ),
    "ORPHAN_CHARGES": Code(
        "The usage for these charges has not come.",
        "Nothing for some days; then ask the utility for the 867, or confirm a suggested pair.",
    ),
    "WAIT_USAGE": Code("The usage of these charges cannot be billed yet.", "See why the usage waits or is held."),
    "CANCEL_WITHOUT_ORIGINAL": Code(
        "It cancels a message that has not come.",
        "Ask the utility for the original, or reject the cancel.",
    ),
    "REPLACE_WITHOUT_CANCEL": Code(
        "A replacement came for a message that is not cancelled.",
        "Nothing for some days: the cancel releases it; then ask the utility for the cancel.",
    ),
    # held
    "HALF_CANCEL": Code(
        "Of usage and charges that belong together only one is cancelled.",
        "Ask the utility for the other cancel. Release the half that is left if it is to stay.",
        releasable=True,
    ),
    "DUP_PERIOD": Code(
        "There is another message for the same period.",
        "Reject one of the two, or ask the utility to cancel one; release it if both are to be billed.",
        releasable=True,
    ),
    "PERIOD_OVERLAP": Code(
        "Its period overlaps that of another message.",
        "Reject one of the two, or ask the utility to cancel one; release it if both are to be billed.",
        releasable=True,
    ),
    "NO_PERIOD": Code("It has no service period.", "Reject it: the utility sends another."),
    "BAD_PERIOD": Code("Its period has no days, or ends before it starts.", "Reject it: the utility sends another."),
    "VERSION_CONFLICT": Code(
        "Another message has the same id and other content.",
        "Reject one of the two: a correction has an id of its own.",
    ),
    "REPLACE_UNKNOWN": Code(
        "It replaces a message that is not known.",
        "Ask the utility for the original. Release it if the original was billed elsewhere.",
        releasable=True,
    ),
    "NO_SERVICE_POINT": Code(
        "Master data has no such service point in its period.",
        "Load it, and the message is freed; or reject it if the point is not ours.",
    ),
    "PAIR_ESI": Code(
        "The charges name the usage of another service point.",
        "Reject the charges, or the usage if that has the wrong point.",
    ),
    "ACTUAL_STAGED": Code(
        "It is estimated, and an actual for the same period is there.",
        "Ask the utility to cancel the estimate, or reject one of the two.",
    ),
    # ignored
    "DUP_TRANSACTION": Code("The same message came before.", "Nothing: it is counted and ignored."),
    "ALREADY_CANCELLED": Code("What it cancels was cancelled before.", "Nothing: it is counted and ignored."),
}
"""Codes of the machine, with sentences for a clerk. Readers add those of the content, such as SUM_CHECK."""

CONTENT_CODE = Code("Its content is implausible.", "See its findings; reject it, or release it.", releasable=True)
"""Of a code that a reader gave."""


def code_of(name: str) -> Code:
    """What a code means. One that the machine does not know is a reader's."""
    return CODES.get(name, CONTENT_CODE)


class Rule(NamedTuple):
    """What a message does when it arrives. `code`: of the message that arrives; empty: none."""

    arrives: str  # 00, 01, 05
    finds: str
    effect: str
    code: str = ""


RULES: dict[str, Rule] = {
    "original_first": Rule("00", "nothing for its period", "It is the first version."),
    "original_again": Rule("00", "a live version with the same id", "It is ignored.", "DUP_TRANSACTION"),
    "original_changed": Rule("00", "a version with the same id and other content", "It is held.", "VERSION_CONFLICT"),
    "original_same_period": Rule("00", "a live version with another id", "It is held; the other stays.", "DUP_PERIOD"),
    "original_overlaps": Rule("00", "a live version for an overlapping period", "It is held.", "PERIOD_OVERLAP"),
    "original_after_gap": Rule("00", "a gap to the version before", "It goes on; the gap is listed, to be asked for."),
    "original_after_cancel": Rule("00", "a cancel that names it", "Both meet: nothing is billed."),
    "original_bad_period": Rule("00, 05", "that its own period has no days", "It is held.", "BAD_PERIOD"),
    "cancel": Rule("01", "a version that is not billed", "That version is cancelled, out of the queue."),
    "cancel_billed": Rule(
        "01",
        "a version that is billed",
        "That version is cancelled. A credit is proposed: due with the replacement, or after ten days without one.",
    ),
    "cancel_again": Rule("01", "a version that is cancelled", "It is ignored.", "ALREADY_CANCELLED"),
    "cancel_unknown": Rule("01", "nothing of that id", "It waits.", "CANCEL_WITHOUT_ORIGINAL"),
    "cancel_half": Rule(
        "01",
        "a version whose other half (usage or charges) is not cancelled",
        "The version is cancelled; the other half is held until its own cancel comes.",
        "HALF_CANCEL",
    ),
    "replace": Rule(
        "05",
        "a version that is cancelled",
        "It is the live version and is paired again. If the cancelled one was billed, a rebill on its price version is "
        "proposed.",
    ),
    "replace_live": Rule(
        "05",
        "a version that is not cancelled",
        "It waits for the cancel; that version keeps its state, but an estimated one is held.",
        "REPLACE_WITHOUT_CANCEL",
    ),
    "replace_unknown": Rule("05", "nothing of that id", "It is held.", "REPLACE_UNKNOWN"),
}
"""What each arrival does. In whatever order messages arrive, the end is the same."""
