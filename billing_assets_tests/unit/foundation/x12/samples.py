"""Interchanges for the tests, as text: a pair of usage and charges with invented names, and its smaller relatives."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from billing_assets.foundation.x12.envelope import Checks, read
from billing_assets.foundation.x12.findings import Findings
from billing_assets.foundation.x12.interchange import FileEnd, Group, Interchange, TransactionSet
from billing_assets.foundation.x12.rules import ElementKind, ElementRule, SegmentRule, SetRules

DATA = Path(__file__).parents[3] / "data" / "x12"

ISA = "ISA*00*          *00*          *01*900000026      *01*829000001      *260706*0732*U*00401*000004711*0*P*>~"

USAGE = (
    "ST*867*0001~BPT*00*U77001*20260704*DD~REF*Q5**10032780000000042~N1*8S*WIRES CO*1*900000026~"
    "N1*AY*ERCOT*1*183529049**41~N1*SJ*RETAIL CO*9*8290000010000**40~"
    "PTD*SU~DTM*150*20260603~DTM*151*20260702~QTY*QD*1150~MEA*AA*PRQ*1150*KH***51~"
    "PTD*PL***MG*A1234~DTM*150*20260603~DTM*151*20260702~REF*MT*KHMON~REF*JH*A~QTY*QD*1150~"
    "MEA*AA*PRQ*1150*KH*99950*00065*51~MEA**MU*10~SE*20*0001~"
)
CHARGES = (
    "ST*810*0001~BIG*20260705*I88001***U77001**ME*00~REF*Q5**10032780000000042~N1*8S*WIRES CO*1*900000026~"
    "N1*SJ*RETAIL CO*9*8290000010000~ITD*01*3****20260725~"
    "IT1*1*****SV*ELECTRIC*C3*METER~DTM*150*20260603~DTM*151*20260702~SLN*1**A~SAC*C**EU*BAS001*450~SLN*2**A~"
    "SAC*C**EU*DIS001*3871~TDS*4321~CTT*1~SE*16*0001~"
)
USAGE_GROUP = f"GS*PT*900000026*8290000010000*20260706*0732*4711*X*004010~{USAGE}GE*1*4711~"
CHARGES_GROUP = f"GS*IN*900000026*8290000010000*20260706*0732*4712*X*004010~{CHARGES}GE*1*4712~"
PAIR = f"{ISA}{USAGE_GROUP}{CHARGES_GROUP}IEA*2*000004711~"

_KIND = ElementKind
RULES = {
    "867": SetRules(
        "867",
        "PT",
        (
            SegmentRule(
                "BPT",
                (
                    ElementRule(1, _KIND.ID, frozenset({"00", "01", "05"}), mandatory=True),
                    ElementRule(2, _KIND.AN, mandatory=True),
                    ElementRule(3, _KIND.DT),
                    ElementRule(4, _KIND.ID, frozenset({"DD", "C1"}), warn=True),
                ),
                mandatory=True,
                at_most=1,
            ),
            SegmentRule("QTY", (ElementRule(2, _KIND.R),)),
            SegmentRule("DTM", (ElementRule(2, _KIND.DT), ElementRule(3, _KIND.TM))),
            SegmentRule("PTD", mandatory=True),
        ),
    ),
    "810": SetRules(
        "810",
        "IN",
        (
            SegmentRule("SAC", (ElementRule(5, _KIND.N2),)),
            SegmentRule("TDS", (ElementRule(1, _KIND.N2, signed=True),)),
            SegmentRule("CTT", (ElementRule(1, _KIND.N0),)),
        ),
    ),
}
"""Enough of the two types to have every kind of rule."""


class Found(NamedTuple):
    """All that came of a file."""

    sets: list[TransactionSet]
    groups: list[Group]
    interchanges: list[Interchange]
    end: FileEnd

    @property
    def codes(self) -> list[str]:
        """Of all findings, those of the sets first, then of the groups, the interchanges and the file."""
        of_sets = [one.code for unit in self.sets for one in unit.findings]
        of_groups = [one.code for unit in self.groups for one in unit.findings]
        of_interchanges = [one.code for unit in self.interchanges for one in unit.findings]
        return [*of_sets, *of_groups, *of_interchanges, *(one.code for one in self.end.findings)]

    @property
    def whole(self) -> bool:
        """Whether nothing is refused."""
        refused = any(one.refused for one in self.interchanges) or self.end.refused
        return not refused and all(one.acknowledgement == "A" for one in self.groups)


def found(data: bytes | str, checks: Checks | None = None, rules: Mapping[str, SetRules] = RULES) -> Found:
    """Reads a file to its end."""
    source = io.BytesIO(data if isinstance(data, bytes) else data.encode("latin-1"))
    sets, groups, interchanges, end = [], [], [], FileEnd(Findings(), 0, 0)
    for one in read(source, rules, checks):
        match one:
            case TransactionSet():
                sets.append(one)
            case Group():
                groups.append(one)
            case Interchange():
                interchanges.append(one)
            case FileEnd():
                end = one
    return Found(sets, groups, interchanges, end)


def usage(control: str, extra: str = "") -> str:
    """An 867 with this ST02, and with more segments at its end."""
    body = USAGE.replace("ST*867*0001~", f"ST*867*{control}~").replace("SE*20*0001~", extra)
    return f"{body}SE*{20 + extra.count('~')}*{control}~"


def group(*sets: str, count: int | None = None, control: str = "4711") -> str:
    """A PT group of these sets."""
    head = f"GS*PT*900000026*8290000010000*20260706*0732*{control}*X*004010~"
    return f"{head}{''.join(sets)}GE*{len(sets) if count is None else count}*{control}~"


def interchange(*groups: str, control: str = "000004711", isa: str = ISA) -> str:
    """An interchange of these groups."""
    return f"{isa.replace('000004711', control)}{''.join(groups)}IEA*{len(groups)}*{control}~"


def other_delimiters(text: str, element: str = "*", component: str = ">", segment: str = "~") -> str:
    """The same interchange with other delimiters."""
    return text.translate(str.maketrans("*>~", element + component + segment))
