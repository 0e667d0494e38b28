"""Sets as the market writes them, for tests: bodies in, whole interchanges out, and what our reader makes of them."""

import io
from dataclasses import dataclass
from typing import Any

from billing_assets.metering.import_engine.formats import read_file
from billing_assets.metering.import_engine.messages import FileReport, SetMessage
from billing_assets.metering.import_engine.options import ReadOptions
from billing_assets.metering.import_engine.x12_sets.options import SetOptions

GROUPS = {"867": "PT", "810": "IN", "814": "GE", "820": "RA", "997": "FA", "824": "AG"}
POINT = "10032780000000042"
HEAD = f"""REF*Q5**{POINT}~ N1*8S*WIRES CO*1*900000026~ N1*AY*ERCOT*1*183529049**41~
N1*SJ*RETAIL CO*9*8290000010000**40~"""

USAGE = f"""BPT*00*U77001*20260704*DD~ {HEAD}
PTD*SU~ DTM*150*20260603~ DTM*151*20260702~ QTY*QD*1150~ MEA*AA*PRQ*1150*KH***51~
PTD*PL***MG*A1234~ DTM*150*20260603~ DTM*151*20260702~ REF*MT*KHMON~ REF*JH*A~
QTY*QD*1150~ MEA*AA*PRQ*1150*KH*99950*00065*51~ MEA**MU*10~"""

CHARGES = f"""BIG*20260705*I88001***U77001**ME*00~ {HEAD} ITD*01*3****20260725~
IT1*1*****SV*ELECTRIC*C3*METER~ DTM*150*20260603~ DTM*151*20260702~
SLN*1**A~ SAC*C**EU*BAS001*450~ SLN*2**A~ SAC*C**EU*DIS001*3871~ TDS*4321~ CTT*1~"""


def a_set(kind: str, body: str, control: str = "0001", count: int | None = None) -> str:
    """A set from ST to SE. `count`: SE01, the right one if none is given."""
    segments = [one.strip() for one in body.split("~") if one.strip()]
    said = len(segments) + 2 if count is None else count
    return "".join(f"{one}~" for one in (f"ST*{kind}*{control}", *segments, f"SE*{said}*{control}"))


def a_group(kind: str, sets: list[str], number: int = 1, count: int | None = None) -> str:
    """A group of sets. `count`: GE01, the right one if none is given."""
    begin = f"GS*{kind}*900000026*8290000010000*20260706*0732*{number}*X*004010~"
    return f"{begin}{''.join(sets)}GE*{len(sets) if count is None else count}*{number}~"


def an_interchange(*groups: str, control: str = "000004711") -> bytes:
    """An interchange of groups."""
    blank = " " * 10
    isa = f"ISA*00*{blank}*00*{blank}*01*900000026      *01*829000001      *260706*0732*U*00401*{control}*0*P*>~"
    return f"{isa}{''.join(groups)}IEA*{len(groups)}*{control}~".encode("latin-1")


@dataclass(slots=True)
class Read:
    """What the reader made of a file."""

    sets: list[SetMessage]
    report: FileReport

    @property
    def codes(self) -> list[str]:
        """Those of its only set."""
        (one,) = self.sets
        return one.codes

    @property
    def verdict(self) -> str:
        """That of its only set."""
        (one,) = self.sets
        return one.verdict.value

    @property
    def content(self) -> Any:
        """That of its only set."""
        (one,) = self.sets
        return one.content


def read(data: bytes, options: SetOptions | None = None) -> Read:
    """Reads a file as the import does."""
    report = FileReport()
    read_options = ReadOptions(sets=options or SetOptions())
    return Read(
        [one for one in read_file(io.BytesIO(data), report, read_options) if isinstance(one, SetMessage)], report
    )


def read_one(kind: str, body: str, options: SetOptions | None = None) -> Read:
    """Reads an interchange with one set."""
    return read(an_interchange(a_group(GROUPS[kind], [a_set(kind, body)])), options)


def changed(body: str, old: str, new: str) -> str:
    """The body with one thing changed; it must be there."""
    assert old in body, old
    return body.replace(old, new, 1)
