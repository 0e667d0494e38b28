"""The expected objects, and the two lists that the modules of cases fill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from billing_assets_tests.data.x12_corpus.x12_text import POINT, Group, Wire

Expected = dict[str, Any]


@dataclass(frozen=True)
class Case:
    number: int
    name: str
    data: bytes
    expected: Expected


@dataclass(frozen=True)
class Sequence:
    name: str
    files: list[bytes]
    expected: Expected


CASES: list[Case] = []
SEQUENCES: list[Sequence] = []


def merged(base: Expected, changes: Expected) -> Expected:
    """The base with the changes; None takes a key away, so that nothing is asserted of it."""
    out = dict(base)
    for key, value in changes.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merged(out[key], value)
        else:
            out[key] = value
    return out


def u(**changes: Any) -> Expected:
    """What is expected of the usage of spec §4.1."""
    keys = {"point": POINT, "id": "U77001", "purpose": "00", "start": "2026-06-03", "end": "2026-07-02"}
    keys |= {"report_type": "DD", "final": False}  # type: ignore[dict-item]
    base = {
        "type": "867",
        "control": "0001",
        "verdict": "accept",
        "codes": [],
        "keys": keys,
        "quantities": {"KH": "1150"},
    }
    return merged(base, changes)


def c(**changes: Any) -> Expected:
    """What is expected of the charges of spec §4.1."""
    keys = {"point": POINT, "id": "I88001", "purpose": "00", "cross_reference": "U77001", "start": "2026-06-03"}
    keys |= {"end": "2026-07-02", "due": "2026-07-25", "final": False}  # type: ignore[dict-item]
    base = {"type": "810", "control": "0001", "verdict": "accept", "codes": [], "keys": keys, "total": "43.21"}
    return merged(base, changes)


def no(kind: str = "867", control: str = "0001") -> Expected:
    """A set that is rejected: nothing of its content is asserted."""
    return {"type": kind, "control": control, "verdict": "refuse"}


def held_u(*codes: str, **changes: Any) -> Expected:
    return u(verdict="hold", codes=sorted(codes) or None, **changes)


def held_c(*codes: str, **changes: Any) -> Expected:
    return c(verdict="hold", codes=sorted(codes) or None, **changes)


def case(
    number: int,
    name: str,
    why: str,
    *groups: Group,
    sets: list[Expected] | None = None,
    results: list[list[str]] | None = None,
    answered: bool = True,
    replies: list[list[str]] | None = None,
    contains: list[list[str]] | None = None,
    advice: str = "",
    wire: Wire | None = None,
    change: Callable[[bytes], bytes] | None = None,
    **expect: Any,
) -> None:
    """Adds one file.

    `results` is the AK5 of each set of each group, `A` unless told otherwise; `replies` are the 997 bodies where they
    cannot be computed from it, `contains` what must be in them; `advice` is the code of an 824 that would answer.
    """
    wire = wire or Wire()
    if wire.control == "000004711" and number != 1:
        wire = replace(wire, control=f"{10000 + number:09d}")
    data = wire.write(list(groups))
    expected: Expected = {"why": why}
    if sets is not None:
        verdicts = {one.get("verdict") for one in sets}
        if len(verdicts) == 1 and None not in verdicts:
            expected["verdict"] = verdicts.pop()
        if all("codes" in one for one in sets):
            expected["codes"] = sorted({code for one in sets for code in one["codes"]})
        expected["sets"] = sets
    if answered:
        replies = [one.reply(results[at] if results else None) for at, one in enumerate(groups)]
        letters = {one[-1].split("*")[1] for one in replies}
        if len(letters) == 1:
            expected["ack"] = letters.pop()
        expected["997"] = replies
    for key, value in (("997", replies), ("997_contains", contains), ("824", advice or None)):
        if value is not None:
            expected[key] = value
    expected |= expect
    CASES.append(Case(number, name, change(data) if change else data, expected))


def refused(number: int, name: str, why: str, *groups: Group, codes: list[str] | None = None, **more: Any) -> None:
    """Adds a file whose interchange is refused: no set of it lives and no 997 answers it."""
    more |= {"codes": codes} if codes else {}
    more |= {"verdict": "refuse", "ack": None}
    case(number, name, why, *groups, answered=False, replies=[], **more)


def rejected(number: int, name: str, why: str, group: Group, code: str, **more: Any) -> None:
    """Adds a file with one set that is rejected with this AK502."""
    one = group.sets[0]
    case(number, name, why, group, sets=[no(one.kind, one.control)], results=[[f"R*{code}"]], **more)


def not_accepted(number: int, name: str, why: str, *groups: Group, **more: Any) -> None:
    """Adds a file that must not pass; the spec leaves open whether it is held or refused."""
    case(number, name, why, *groups, answered=False, verdict_in=["hold", "refuse"], **more)
