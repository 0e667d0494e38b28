"""A set against the rules of its type: what is missing, and what is not of its type. Nothing about what it means."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from billing_assets.foundation.x12.findings import FINDINGS_KEPT, Findings, Scope, quoted
from billing_assets.foundation.x12.rules import ElementKind, ElementRule, SetRules
from billing_assets.foundation.x12.segments import Segment

_DIGITS = 18
"""The most that a number may have; the standard has fewer."""

_WHOLE = re.compile(rf"[0-9]{{1,{_DIGITS}}}")
_SIGNED = re.compile(rf"-?[0-9]{{1,{_DIGITS}}}")
_DECIMAL = re.compile(r"-?(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?")
_TIME = re.compile(r"(?:(?:[01][0-9]|2[0-3])[0-5][0-9](?:[0-5][0-9](?:[0-9]{1,2})?)?|2400(?:00(?:00?)?)?)")
_DATE = re.compile(r"[0-9]{8}")


class Note(NamedTuple):
    """A place of a set that is in error, as the 997 names it (AK3, AK4). Without `element`: the segment itself."""

    segment: str
    number: int  # AK302: in its set, ST is 1
    segment_error: str  # AK304
    element: int | None = None  # AK401
    element_error: str = ""  # AK403
    value: str = ""  # AK404


class _Test(NamedTuple):
    """An element's rule, ready to be asked."""

    place: int  # from 0
    mandatory: bool
    good: Callable[[str], object]
    code: str
    rule: ElementRule


class Form(NamedTuple):
    """Rules by segment, for `check`. `tests`: of elements; `counted`: segments that must come, or not often."""

    rules: SetRules
    tests: dict[str, tuple[_Test, ...]]
    counted: frozenset[str]


@lru_cache(maxsize=256)
def form_of(rules: SetRules) -> Form:
    """The rules as `check` takes them."""
    tests = {rule.id: tuple(map(_test, rule.elements)) for rule in rules.segments if rule.elements}
    counted = (rule.id for rule in rules.segments if rule.mandatory or rule.at_most is not None)
    return Form(rules, tests, frozenset(counted))


def check(segments: Sequence[Segment], form: Form, findings: Findings) -> list[Note]:
    """The breaches of the rules in a set, as notes for its 997 (at most a hundred) and as findings."""
    notes: list[Note] = []
    counts = Counter[str]()
    tests, counted = form.tests, form.counted
    for segment in segments:
        name, elements = segment[0], segment[1]
        if name in counted:
            counts[name] += 1
        if name not in tests:
            continue
        size = len(elements)
        for index, mandatory, good, code, rule in tests[name]:
            value = elements[index] if index < size else ""
            if value:
                if good(value):
                    continue
            elif not mandatory:
                continue
            fault = code if value else "R-ELEMENT-MISSING"
            findings.note(fault, segment.position, _sentence(segment, rule, value), _scope(rule))
            notes.append(Note(name, segment.number, "8", rule.index, _ELEMENT_ERRORS[fault], value))
    last, rules = segments[-1], form.rules
    for wanted in rules.segments:
        if wanted.mandatory and not counts[wanted.id]:
            sentence = f"Segment {last.position}: the {rules.type} ends without the segment {wanted.id}."
            findings.note("R-SEGMENT-MISSING", last.position, sentence)
            notes.append(Note(wanted.id, last.number, "3"))
        elif wanted.at_most is not None and counts[wanted.id] > wanted.at_most:
            sentence = (
                f"The {rules.type} has {counts[wanted.id]} segments {wanted.id}, and {wanted.at_most} are allowed."
            )
            findings.note("R-SEGMENT-TWICE", last.position, sentence)
            notes.append(Note(wanted.id, last.number, "5"))
    return notes[:FINDINGS_KEPT]


_ELEMENT_ERRORS = {
    "R-ELEMENT-MISSING": "1",
    "R-LENGTH": "5",
    "R-NUMBER": "6",
    "R-CODE": "7",
    "R-DATE": "8",
    "R-TIME": "9",
}
"""AK403 of each code."""

_WANTED = {
    ElementKind.N0: "a whole number: digits only",
    ElementKind.N2: "a number with two implied decimals: digits only",
    ElementKind.R: "a decimal number",
    ElementKind.DT: "a date (CCYYMMDD)",
    ElementKind.TM: "a time of day (HHMM)",
    ElementKind.ID: "one of its codes",
    ElementKind.AN: "one of its texts",
}


def _is_decimal(value: str) -> bool:
    found = _DECIMAL.fullmatch(value)
    return found is not None and len(found[1]) + len(found[2] or "") <= _DIGITS


@lru_cache(maxsize=10_000)
def is_date(value: str) -> bool:
    """Whether a text is a date, CCYYMMDD."""
    if not _DATE.fullmatch(value):
        return False
    try:
        date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError:
        return False
    return True


def _test(rule: ElementRule) -> _Test:
    good: Callable[[str], object]
    match rule.kind:
        case ElementKind.N0 | ElementKind.N2:
            code, good = "R-NUMBER", (_SIGNED if rule.signed else _WHOLE).fullmatch
        case ElementKind.R:
            code, good = "R-NUMBER", _is_decimal
        case ElementKind.DT:
            code, good = "R-DATE", is_date
        case ElementKind.TM:
            code, good = "R-TIME", _TIME.fullmatch
        case ElementKind.AN if (longest := rule.longest) is not None:
            code, good = "R-LENGTH", lambda value: len(value) <= longest
        case ElementKind.ID | ElementKind.AN:
            code, good = "R-CODE", rule.codes.__contains__ if rule.codes else bool
    return _Test(rule.index - 1, rule.mandatory, good, code, rule)


def _scope(rule: ElementRule) -> Scope | None:
    return Scope.WARNING if rule.warn else None


def _sentence(segment: Segment, rule: ElementRule, value: str) -> str:
    name = f"{segment.id}{rule.index:02}"
    if rule.longest is not None and len(value) > rule.longest:
        return f"Segment {segment.position}: {name} has {len(value)} characters, and {rule.longest} are allowed."
    if not value:
        return f"Segment {segment.position}: {name} is empty."
    return f"Segment {segment.position}: {name} {quoted(value)} is not {_WANTED[rule.kind]}."
