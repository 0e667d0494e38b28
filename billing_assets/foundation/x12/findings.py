"""What can be wrong with an interchange: the codes, what each refuses, and what it is in the 997."""

from enum import StrEnum
from typing import NamedTuple

from billing_assets.foundation.outside_text import code
from billing_assets.foundation.phrases import shortened

FINDINGS_KEPT = 100
"""Findings of one set, group, interchange or file that are kept; the rest is only counted."""

_LONGEST_QUOTE = 30


class Scope(StrEnum):
    """What a finding refuses."""

    FILE = "file"  # nothing of it counts
    INTERCHANGE = "interchange"  # no 997 goes back, a TA1 where the partner wants one
    GROUP = "group"  # AK9*R with `acknowledged` as AK905
    SET = "set"  # AK5*R with `acknowledged` as AK502; the other sets of the group live
    WARNING = "warning"  # nothing: it is kept and reported


class Code(NamedTuple):
    """A code: what it refuses, its number in the 997 (AK905, AK502), the TA1's note (TA105), and what it says."""

    scope: Scope
    meaning: str
    acknowledged: str = ""
    ta1: str = ""


class Finding(NamedTuple):
    """A finding. `position`: the segment's in the file, from 1; None: of the whole file."""

    code: str
    position: int | None
    sentence: str
    scope: Scope


class Findings(list[Finding]):
    """Findings of one unit: the first hundred, and whether any of them refuses it."""

    def note(self, code: str, position: int | None, sentence: str, scope: Scope | None = None) -> None:
        """Adds a finding; `scope`: where it is not the code's own."""
        found = Finding(code, position, sentence, scope or CODES[code].scope)
        if len(self) < FINDINGS_KEPT:
            self.append(found)
        elif found.scope is not Scope.WARNING and not self.refused:
            self[-1] = found

    @property
    def refused(self) -> bool:
        """Whether one of them is more than a warning."""
        return any(found.scope is not Scope.WARNING for found in self)


def quoted(text: str) -> str:
    """A text of the file as a sentence has it: short, and with nothing in it that cannot be seen."""
    short = shortened(text, _LONGEST_QUOTE)
    return f"“{''.join(one if one.isprintable() else code(one) for one in short)}”"


_F, _I, _G, _S, _W = Scope.FILE, Scope.INTERCHANGE, Scope.GROUP, Scope.SET, Scope.WARNING

CODES = {
    "R-EMPTY": Code(_F, "no bytes, or blanks only"),
    "R-NO-ISA": Code(_F, "the file does not begin with an ISA; only blank lines may precede it"),
    "R-ISA": Code(_F, "the ISA cannot be read: it has no sixteen elements"),
    "R-DELIMITERS": Code(_F, "two delimiters are the same, or one is a letter, a digit or a blank"),
    "R-CUT": Code(_F, "the file ends in the middle of a segment"),
    "R-NO-IEA": Code(_F, "an interchange has no IEA"),
    "R-AFTER-IEA": Code(_F, "something follows the IEA that is no interchange"),
    "R-TOO-LONG": Code(_F, "a segment or a set is longer than the limit: a delimiter may be lost"),
    "R-ISA-WIDTH": Code(_I, "the ISA is not 106 characters wide", ta1="024"),
    "R-ISA-CONTROL": Code(_I, "ISA13 is not nine digits", ta1="018"),
    "R-IEA-CONTROL": Code(_I, "IEA02 is not ISA13", ta1="001"),
    "R-IEA-COUNT": Code(_I, "IEA01 is not the number of groups", ta1="021"),
    "R-SENDER": Code(_I, "the sender is no partner of ours", ta1="006"),
    "R-RECEIVER": Code(_I, "the receiver is not us", ta1="008"),
    "R-ENVIRONMENT": Code(_I, "test data for the production environment, or the other way round", ta1="020"),
    "R-SEGMENT-ID": Code(
        _I, "a segment's id is not two or three capital letters or digits, or blanks precede it", ta1="022"
    ),
    "R-CHARACTER": Code(_I, "a NUL character", ta1="022"),
    "R-ORDER": Code(_I, "a segment is outside of the envelope that it belongs to", ta1="022"),
    "CONTROL_REUSED": Code(_I, "the sender used the ISA13 before, for something else", ta1="025"),
    "R-GS-VERSION": Code(_G, "GS08 is a version that is not known here", "2"),
    "R-GS-CONTROL": Code(_G, "GS06 is not one to nine digits", "6"),
    "R-NO-GE": Code(_G, "the group has no GE", "3"),
    "R-GE-CONTROL": Code(_G, "GE02 is not GS06", "4"),
    "R-GE-COUNT": Code(_G, "GE01 is not the number of sets", "5"),
    "R-ST": Code(_S, "ST01 is empty, or no type for this GS01", "6"),
    "R-ST-CONTROL": Code(_S, "ST02 is not four to nine letters and digits", "7"),
    "R-ST-TWICE": Code(_S, "ST02 is that of another set of the group", "5"),
    "R-NO-SE": Code(_S, "the set has no SE", "2"),
    "R-SE-CONTROL": Code(_S, "SE02 is not ST02", "3"),
    "R-SE-COUNT": Code(_S, "SE01 is not the number of segments, ST and SE included", "4"),
    "R-SEGMENT-MISSING": Code(_S, "a mandatory segment is missing", "5"),
    "R-SEGMENT-TWICE": Code(_S, "a segment comes more often than it may", "5"),
    "R-ELEMENT-MISSING": Code(_S, "a mandatory element is empty", "5"),
    "R-LENGTH": Code(_S, "an element is longer than it may be", "5"),
    "R-NUMBER": Code(_S, "an element is not a number of its type", "5"),
    "R-DATE": Code(_S, "an element is not a date", "5"),
    "R-TIME": Code(_S, "an element is not a time of day", "5"),
    "R-CODE": Code(_S, "an element is none of its codes", "5"),
    "W-BOM": Code(_W, "a byte order mark before the ISA"),
    "W-BLANKS": Code(_W, "blank lines"),
}
"""Every code of the envelope. `CONTROL_REUSED` is the only one without an R: the form is good."""
