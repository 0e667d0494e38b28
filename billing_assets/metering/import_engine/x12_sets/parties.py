"""What all sets of the utility market have: the service point, the utility, the retailer."""

from billing_assets.foundation.x12.segments import Segment
from billing_assets.metering.import_engine.messages import Finding
from billing_assets.metering.import_engine.x12_sets.codes import finding
from billing_assets.metering.import_engine.x12_sets.options import SetOptions

POINTS = frozenset({"Q5", "12"})
"""REF01 of a service point: the ESI ID of Texas (in REF03), the utility's account number in the east (in REF02)."""


def note_point(references: dict[str, str], segment: Segment, options: SetOptions, found: list[Finding]) -> None:
    """Takes a REF*Q5 or REF*12 into `references`, checked: one service point a set, an ESI ID of digits."""
    kind = segment.at(1)
    value = segment.at(3) if kind == "Q5" else segment.at(2)
    if not value:
        return
    before = references.setdefault(kind, value)
    if before != value:
        found.append(finding("TWO_POINTS", segment.position, f"A second REF*{kind} names another service point."))
        return
    fewest, most = options.point_digits
    if kind == "Q5" and not (value.isascii() and value.isdigit() and fewest <= len(value) <= most):
        sentence = f"The ESI ID has {len(value)} characters; it must be {fewest} to {most} digits."
        found.append(finding("BAD_POINT", segment.position, sentence))


def point_of(references: dict[str, str]) -> str:
    """The service point: ESI ID, else the utility's account number, else empty."""
    return references.get("Q5") or references.get("12", "")


def check_parties(point: str, utility: str, retailer: str, line: int, found: list[Finding]) -> None:
    """Whether the set names its point, its utility and its retailer. `line`: of its ST."""
    if not point:
        sentence = (
            "The set names no service point: REF*Q5 with the ESI ID in REF03, or REF*12 with the account in REF02."
        )
        found.append(finding("NO_POINT", line, sentence))
    for party, kind, name in ((utility, "8S", "utility"), (retailer, "SJ", "retailer")):
        if not party:
            found.append(finding("NO_PARTY", line, f"The set names no {name}: N1*{kind} is missing or has no number."))
