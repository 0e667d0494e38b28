"""The 824: it answers the content of a set whose form the 997 accepted. Built for what a clerk decides, and read.

BGN*11*<its number>*<date>***<number of the set>**<82 send again | EV do not | CF accepted>
OTI*<TR whole set | TP a part | IR an item | TA accepted>*TN*<number of the set>*…*<GS06>*<ST02>*<ST01>
REF*7G*<reason>*<text>
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.x12.form import is_date
from billing_assets.foundation.x12.rules import ElementKind, ElementRule, SegmentRule, SetRules
from billing_assets.foundation.x12.segments import Segment
from billing_assets.foundation.x12.writer import Elements, SetToWrite

GROUP = "AG"
"""GS01 of a group of 824s."""

OTHER = "A13"
"""The reason that needs a text."""

REASONS = {
    OTHER: "another reason, in the text",
    "A76": "account or ESI ID not found",
    "ABN": "duplicate",
    "API": "required information missing",
    "DUP": "duplicate",
}
"""The reasons that are known; another one is kept as it is, and reported."""

_LONGEST_TEXT = 80
_NUMBER = "TN"  # OTI02: the reference that follows is a transaction's number


class Request(StrEnum):
    """What the receiver of an 824 is asked for (BGN08)."""

    RESEND = "82"
    DO_NOT_RESEND = "EV"
    ACCEPTED = "CF"


class Action(StrEnum):
    """What became of what an OTI names (OTI01)."""

    SET_REJECTED = "TR"
    PART_REJECTED = "TP"
    ITEM_REJECTED = "IR"
    ACCEPTED = "TA"


RULES = SetRules(
    "824",
    GROUP,
    (
        SegmentRule(
            "BGN",
            (
                ElementRule(2, ElementKind.AN, mandatory=True),
                ElementRule(3, ElementKind.DT, mandatory=True),
                ElementRule(8, ElementKind.ID, frozenset(Request), warn=True),
            ),
            mandatory=True,
            at_most=1,
        ),
        SegmentRule("OTI", (ElementRule(1, ElementKind.ID, frozenset(Action), mandatory=True),), mandatory=True),
    ),
)
"""The form of an 824."""


class Reason(NamedTuple):
    """Why a set is not taken. `code`: of `REASONS`, or another one that a partner uses."""

    code: str
    text: str = ""


class Advice(NamedTuple):
    """An 824. `number`: its own; `original`: that of the set it is about (BPT02, BIG02), with where it came."""

    number: str
    on: date | None
    original: str
    request: str
    action: str
    reasons: tuple[Reason, ...] = ()
    original_type: str = ""  # ST01
    original_set: str = ""  # ST02
    original_group: str = ""  # GS06
    references: tuple[tuple[str, str], ...] = ()  # REF of the header: (Q5, ESI ID), (12, account), …
    parties: tuple[Elements, ...] = ()  # N1 of the header, without the id


class ReasonUnclearError(BillingError):
    """An 824 would not say why."""

    to_do = "Say the reason in a sentence of at most 80 characters."


def reason_for(finding: str, codes: Mapping[str, str], text: str = "") -> Reason:
    """The reason that the partner gets for a finding of ours; `A13` where `codes` has none. Raises ReasonUnclearError
    when the code needs a text and there is none.
    """
    return _checked(Reason(codes.get(finding, OTHER), text.strip()))


def build(advice: Advice, control: str) -> SetToWrite:
    """The set. `control`: its ST02. Raises ReasonUnclearError for a rejection whose reason is missing or too long."""
    rejects = advice.action != Action.ACCEPTED
    if rejects and not advice.reasons:
        raise ReasonUnclearError(f"The 824 about {advice.original} rejects and has no reason.")
    if advice.on is None:
        raise ReasonUnclearError(f"The 824 about {advice.original} has no date.")
    about, day = advice.original, f"{advice.on:%Y%m%d}"
    segments: list[Elements] = [("BGN", "11", advice.number, day, "", "", about, "", advice.request)]
    segments += [("N1", *party) for party in advice.parties]
    # The form of an ESI ID is that of every set: REF02 is empty.
    segments += [("REF", kind, "", text) if kind == "Q5" else ("REF", kind, text) for kind, text in advice.references]
    where = (advice.original_group, advice.original_set, advice.original_type)
    segments.append(("OTI", advice.action, _NUMBER, about, "", "", "", "", *where))
    segments += [("REF", "7G", *_checked(one)) for one in advice.reasons]
    return SetToWrite("824", control, segments)


def _checked(reason: Reason) -> Reason:
    if reason.code == OTHER and not reason.text:
        raise ReasonUnclearError(f"The reason {OTHER} says nothing without a text.")
    if len(reason.text) > _LONGEST_TEXT:
        raise ReasonUnclearError(f"The text of the reason has {len(reason.text)} characters.")
    return reason


class AdviceRead(NamedTuple):
    """What was read of an 824: one advice for each OTI, and sentences on what is unknown in them or missing."""

    advices: tuple[Advice, ...]
    odd: tuple[str, ...]


def read_advice(segments: Iterable[Segment]) -> AdviceRead:
    """What an 824 says. Its form was checked by `RULES`; nothing in it stops the reading."""
    header: Segment | None = None
    parties: list[Elements] = []
    references: list[tuple[str, str]] = []
    open_items: list[tuple[Segment, list[Reason]]] = []
    for one in segments:
        match one.id:
            case "BGN":
                header = one
            case "OTI":
                open_items.append((one, []))
            case "REF" if one.at(1) == "7G" and open_items:
                open_items[-1][1].append(Reason(one.at(2), one.at(3)))
            case "REF" if not open_items:
                references.append((one.at(1), one.at(3) if one.at(1) == "Q5" else one.at(2)))
            case "N1" if not open_items:
                parties.append(one.elements)
    if header is None:
        return AdviceRead((), ("The 824 has no BGN.",))
    advices = tuple(
        Advice(
            header.at(2),
            _day(header.at(3)),
            _original(header, item, alone=len(open_items) == 1),
            header.at(8),
            item.at(1),
            tuple(reasons),
            item.at(10),
            item.at(9),
            item.at(8),
            tuple(references),
            tuple(parties),
        )
        for item, reasons in open_items
    )
    return AdviceRead(advices, tuple(_odd(header, advices)))


def _original(header: Segment, item: Segment, *, alone: bool) -> str:
    """BGN06; of several OTI each names its own."""
    first, second = (header.at(6), item.at(3)) if alone else (item.at(3), header.at(6))
    return first or second


def _odd(header: Segment, advices: tuple[Advice, ...]) -> Iterable[str]:
    at = header.position
    if header.at(8) not in frozenset(Request):
        yield f"Segment {at}: BGN08 says neither to send again, nor not to, nor that it is accepted."
    if not advices:
        yield f"Segment {at}: the 824 has no OTI."
    for one in advices:
        if not one.original:
            yield f"Segment {at}: the 824 does not say which set it is about."
        rejects = one.action != Action.ACCEPTED
        if rejects and not one.reasons:
            yield f"Segment {at}: the 824 rejects and gives no reason."
        if rejects == (one.request == Request.ACCEPTED):
            yield f"Segment {at}: BGN08 and OTI01 contradict each other."
        for reason in one.reasons:
            if reason.code not in REASONS:
                yield f"Segment {at}: the reason {_shown(reason.code)} is not known."
            elif reason.code == OTHER and not reason.text:
                yield f"Segment {at}: the reason {OTHER} has no text."


def _shown(code: str) -> str:
    return code if re.fullmatch("[A-Za-z0-9]{1,6}", code) else "of the REF"


def _day(text: str) -> date | None:
    return date(int(text[:4]), int(text[4:6]), int(text[6:])) if is_date(text) else None
