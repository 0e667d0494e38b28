"""814: requests and answers about a service point: enrolment, drop, change. It says which point is ours from when.

The customer's name in N1*8R is not taken: an account is its id. Source: the 814 guides, as far as messages are known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from billing_assets.foundation.x12.segments import Segment
from billing_assets.metering.import_engine.messages import Finding
from billing_assets.metering.import_engine.x12_sets.codes import finding
from billing_assets.metering.import_engine.x12_sets.elements import day
from billing_assets.metering.import_engine.x12_sets.options import SetOptions
from billing_assets.metering.import_engine.x12_sets.parties import POINTS, check_parties, note_point, point_of

REQUEST, RESPONSE = "13", "11"
"""BGN01."""

ACTIONS = frozenset({"7", "WQ"})
MAINTENANCE = frozenset({"021", "025"})
"""ASI01 and ASI02 that are known; others are stored and named."""


@dataclass(slots=True)
class Action:
    """A LIN loop: what is asked or answered about a service. `starts_on`: DTM 150."""

    position: int
    line: str
    services: tuple[str, ...]  # such as EL, CE
    action: str = ""
    maintenance: str = ""
    starts_on: date | None = None
    references: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Enrolment:
    """An 814. `refers_to`: of an answer, the id of the request."""

    id: str = ""
    purpose: str = ""
    issued_on: date | None = None
    refers_to: str = ""
    point: str = ""
    utility: str = ""
    retailer: str = ""
    starts_on: date | None = None
    zone: str = ""  # of the sender's points, by its settings
    references: dict[str, str] = field(default_factory=dict)
    actions: list[Action] = field(default_factory=list)


def read_enrolment(segments: Sequence[Segment], options: SetOptions) -> tuple[Enrolment, list[Finding]]:
    """What an 814 says, from its ST to its SE, and the findings. It never raises for what is in the set."""
    found: list[Finding] = []
    read = Enrolment(zone=options.zone)
    for segment in segments:
        name, kind = segment.id, segment.at(1)
        last = read.actions[-1] if read.actions else None
        if name == "BGN":
            read.purpose, read.id, read.issued_on = kind, segment.at(2), day(segment.at(3))
            read.refers_to = segment.at(6)
        elif name == "N1":
            if kind == "8S":
                read.utility = segment.at(4) or segment.at(2)
            elif kind == "SJ":
                read.retailer = segment.at(4) or segment.at(2)
        elif name == "LIN":
            read.actions.append(Action(segment.position, kind, segment.elements[2::2]))
        elif name == "ASI" and last:
            last.action, last.maintenance = kind, segment.at(2)
            _check_action(segment, found)
        elif name == "REF":
            if kind in POINTS:
                note_point(read.references, segment, options, found)
            (last.references if last else read.references).setdefault(kind, segment.at(2) or segment.at(3))
        elif name == "DTM" and kind == "150":
            value = day(segment.at(2))
            read.starts_on = read.starts_on or value
            if last:
                last.starts_on = value
    read.point = point_of(read.references)
    check_parties(read.point, read.utility, read.retailer, segments[0].position, found)
    if read.purpose == RESPONSE and not read.refers_to:
        found.append(finding("NO_REFERENCE", segments[0].position, "BGN06 does not name the request of this answer."))
    return read, found


def _check_action(segment: Segment, found: list[Finding]) -> None:
    if segment.at(1) not in ACTIONS or segment.at(2) not in MAINTENANCE:
        sentence = f"ASI {segment.at(1)[:10]!r} {segment.at(2)[:10]!r} is no action that is known."
        found.append(finding("UNKNOWN_ACTION", segment.position, sentence))
