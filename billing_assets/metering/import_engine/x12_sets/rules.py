"""The form of the utility market's sets: what each must have, and the types of its elements. A breach refuses a set."""

from functools import lru_cache

from billing_assets.foundation.x12.acknowledgement import RULES as ACKNOWLEDGEMENT
from billing_assets.foundation.x12.application_advice import RULES as ADVICE
from billing_assets.foundation.x12.rules import ElementKind, ElementRule, SegmentRule, SetRules
from billing_assets.metering.import_engine.x12_sets.options import SetOptions

_DT, _TM, _R, _N0, _N2, _AN, _ID = (
    ElementKind.DT,
    ElementKind.TM,
    ElementKind.R,
    ElementKind.N0,
    ElementKind.N2,
    ElementKind.AN,
    ElementKind.ID,
)


def _must(index: int, kind: ElementKind = _AN) -> ElementRule:
    return ElementRule(index, kind, mandatory=True)


def _one_of(index: int, codes: frozenset[str]) -> ElementRule:
    return ElementRule(index, _ID, codes, mandatory=True)


_DTM = SegmentRule("DTM", (_must(1), ElementRule(2, _DT), ElementRule(3, _TM)))
_REF = SegmentRule("REF", (_must(1),))
_N1 = SegmentRule("N1", (_must(1),), mandatory=True)


@lru_cache(maxsize=64)
def set_rules(options: SetOptions) -> dict[str, SetRules]:
    """The rules by ST01."""
    ours = (_usage(options), _charges(options), _ENROLMENT, _REMITTANCE)
    return {one.type: one for one in (*ours, ACKNOWLEDGEMENT, ADVICE)}


def _usage(options: SetOptions) -> SetRules:
    number = ElementRule(2, _AN, mandatory=True, longest=30)
    head = (_one_of(1, options.purposes | {"SU"}), number, _must(3, _DT))
    return SetRules(
        "867",
        "PT",
        (
            SegmentRule("BPT", head, mandatory=True, at_most=1),
            _N1,
            _REF,
            _DTM,
            SegmentRule("PTD", (_must(1),), mandatory=True),
            SegmentRule("QTY", (_one_of(1, options.quantity_kinds), ElementRule(2, _R))),
            SegmentRule("MEA", (ElementRule(3, _R), ElementRule(5, _R), ElementRule(6, _R))),
        ),
    )


def _charges(options: SetOptions) -> SetRules:
    kind = ElementRule(7, _ID, options.charge_kinds)
    head = (_must(1, _DT), _must(2), kind, _one_of(8, options.purposes))
    charge = (
        _one_of(1, frozenset({"C", "A", "N"})),
        ElementRule(5, _N2),
        ElementRule(8, _R),
        ElementRule(10, _R),
    )
    total = ElementRule(1, _N2, mandatory=True, signed=options.signed_total)
    return SetRules(
        "810",
        "IN",
        (
            SegmentRule("BIG", head, mandatory=True, at_most=1),
            _N1,
            _REF,
            _DTM,
            SegmentRule("ITD", (ElementRule(6, _DT),)),
            SegmentRule("SAC", charge),
            SegmentRule("TXI", (ElementRule(2, _R),)),
            SegmentRule("BAL", (ElementRule(3, _R),)),
            SegmentRule("TDS", (total,), mandatory=True, at_most=1),
            SegmentRule("CTT", (_must(1, _N0),), at_most=1),
        ),
    )


_ENROLMENT = SetRules(
    "814",
    "GE",
    (
        SegmentRule("BGN", (_one_of(1, frozenset({"13", "11"})), _must(2), _must(3, _DT)), mandatory=True, at_most=1),
        _N1,
        _REF,
        _DTM,
        SegmentRule("LIN", mandatory=True),
        SegmentRule("ASI", (_must(1), _must(2))),
    ),
)

_REMITTANCE = SetRules(
    "820",
    "RA",
    (
        SegmentRule("BPR", (_must(1), _must(2, _R), ElementRule(16, _DT)), mandatory=True, at_most=1),
        _REF,
        _DTM,
        SegmentRule("RMR", (ElementRule(4, _R), ElementRule(5, _R), ElementRule(6, _R))),
        SegmentRule("ADX", (_must(1, _R), _must(2))),
    ),
)
