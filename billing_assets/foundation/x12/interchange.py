"""What an interchange is made of: groups, their sets, and what a 997 says of each. Plain data."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from billing_assets.foundation.x12.delimiters import Isa
from billing_assets.foundation.x12.findings import CODES, Findings, Scope
from billing_assets.foundation.x12.form import Note
from billing_assets.foundation.x12.segments import Segment


class Acknowledgement(StrEnum):
    """What a 997 says of a set (AK501) or a group (AK901)."""

    ACCEPTED = "A"
    WITH_ERRORS = "E"  # accepted, and errors noted
    PARTLY = "P"  # of a group: some of its sets
    REJECTED = "R"


class SetResult(NamedTuple):
    """What became of a set, as its group's 997 says it. `errors`: AK502 and on, at most five."""

    type: str
    control: str
    acknowledgement: Acknowledgement
    errors: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(slots=True)
class TransactionSet:
    """A set. `text`: as written, from ST to the terminator of SE. Without its SE: as far as it goes."""

    group: "Group"
    type: str
    control: str
    position: int  # of its ST in the file
    segments: list[Segment]
    text: str
    findings: Findings
    result: SetResult


@dataclass(slots=True)
class Group:
    """A functional group. `results`: of its sets, in their order. `declared`: GE01, None without one."""

    interchange: "Interchange"
    position: int  # of its GS
    type: str  # GS01
    sender: str
    receiver: str
    date: str
    time: str
    control: str
    version: str
    results: list[SetResult] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    declared: int | None = None

    @property
    def errors(self) -> tuple[str, ...]:
        """AK905 and on, at most five."""
        return acknowledged_as(self.findings)

    @property
    def accepted(self) -> int:
        """How many of its sets were accepted: none if the group was not."""
        return 0 if self.findings.refused else sum(one.acknowledgement != "R" for one in self.results)

    @property
    def acknowledgement(self) -> Acknowledgement:
        """AK901."""
        accepted = self.accepted
        if self.findings.refused or (self.results and not accepted):
            return Acknowledgement.REJECTED
        if accepted < len(self.results):
            return Acknowledgement.PARTLY
        with_errors = any(one.acknowledgement is Acknowledgement.WITH_ERRORS for one in self.results)
        return Acknowledgement.WITH_ERRORS if with_errors else Acknowledgement.ACCEPTED


@dataclass(slots=True)
class Interchange:
    """An interchange. `digest`: SHA-256 of its bytes from ISA to the terminator of IEA, and of what stands between."""

    isa: Isa
    position: int  # of its ISA
    groups: list[Group] = field(default_factory=list)
    acknowledged: list[Segment] = field(default_factory=list)  # TA1: what the partner says of interchanges of ours
    findings: Findings = field(default_factory=Findings)
    whole: bool = False  # its IEA is there
    duplicate: bool = False  # the very same came before: no effect, and no second 997
    digest: str = ""

    @property
    def refused(self) -> bool:
        """Whether nothing of it counts, and no 997 goes back."""
        return self.findings.refused or not self.whole

    @property
    def acknowledgement(self) -> Acknowledgement:
        """All its groups in one word."""
        said = {group.acknowledgement for group in self.groups}
        if self.refused or said == {Acknowledgement.REJECTED}:
            return Acknowledgement.REJECTED
        if said & {Acknowledgement.REJECTED, Acknowledgement.PARTLY}:
            return Acknowledgement.PARTLY
        return Acknowledgement.WITH_ERRORS if Acknowledgement.WITH_ERRORS in said else Acknowledgement.ACCEPTED


class FileEnd(NamedTuple):
    """The end of a file. `refused`: nothing of it counts, whatever came before."""

    findings: Findings
    interchanges: int
    segments: int

    @property
    def refused(self) -> bool:
        """Whether the file as a whole is refused."""
        return self.findings.refused


def acknowledged_as(findings: Findings) -> tuple[str, ...]:
    """What the 997 names of findings: its codes, each once, at most five."""
    codes = (CODES[one.code].acknowledged for one in findings if one.scope is not Scope.WARNING)
    return tuple(dict.fromkeys(code for code in codes if code))[:5]
