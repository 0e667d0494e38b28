"""Writes X12 text: sets into groups into an interchange, with counts, control numbers and paddings computed.

Every builder takes an override for what it computes, so that a broken case is the valid base with one change.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

POINT = "10032780000000042"
OTHER_POINT = "10032780000000059"
TDSP, RETAILER, RETAILER_GROUP = "900000026", "829000001", "8290000010000"
START, END = "20260603", "20260702"


def seg(*elements: object) -> str:
    """One segment; trailing empty elements fall away."""
    parts = ["" if one is None else str(one) for one in elements]
    while parts and not parts[-1]:
        parts.pop()
    return "*".join(parts)


@dataclass(frozen=True)
class Set:
    kind: str
    body: list[str]
    control: str = "0001"
    se01: str | None = None
    se02: str | None = None
    trailer: bool = True

    def lines(self) -> list[str]:
        count = self.se01 or str(len(self.body) + 2)
        end = [seg("SE", count, self.se02 or self.control)] if self.trailer else []
        return [seg("ST", self.kind, self.control), *self.body, *end]


@dataclass(frozen=True)
class Group:
    gs01: str
    sets: list[Set]
    control: str = "4711"
    ge01: str | None = None
    ge02: str | None = None
    version: str = "004010"
    sender: str = TDSP
    receiver: str = RETAILER_GROUP
    date: str = "20260706"
    time: str = "0732"
    trailer: bool = True

    def lines(self) -> list[str]:
        head = seg("GS", self.gs01, self.sender, self.receiver, self.date, self.time, self.control, "X", self.version)
        end = [seg("GE", self.ge01 or len(self.sets), self.ge02 or self.control)] if self.trailer else []
        return [head, *(line for one in self.sets for line in one.lines()), *end]

    def reply(self, results: list[str] | None = None, group_code: str = "") -> list[str]:
        """The body of the 997 that answers this group: AK1, then AK2 and AK5 for each set, then AK9."""
        results = results or ["A"] * len(self.sets)
        good = sum(one[0] in "AE" for one in results)
        letter = "A" if good == len(results) else "P" if good else "R"
        loops = [
            line
            for one, result in zip(self.sets, results, strict=True)
            for line in (seg("AK2", one.kind, one.control), f"AK5*{result}")
        ]
        return [seg("AK1", self.gs01, self.control), *loops, self.closing(letter, good, group_code)]

    def closing(self, letter: str, good: int, code: str = "") -> str:
        return seg("AK9", letter, self.ge01 or len(self.sets), len(self.sets), good, code)


@dataclass(frozen=True)
class Wire:
    """The envelope round the groups and the characters that it is written with."""

    control: str = "000004711"
    sender: str = TDSP
    receiver: str = RETAILER
    environment: str = "P"
    date: str = "260706"
    element: str = "*"
    component: str = ">"
    terminator: str = "~"
    line_end: str = "\n"
    pad: int = 15
    iea: bool = True
    iea01: str | None = None
    iea02: str | None = None
    encoding: str = field(default="latin-1")

    def isa(self) -> str:
        blanks = " " * 10
        parts = ["ISA", "00", blanks, "00", blanks, "01", self.sender.ljust(self.pad), "01", self.receiver.ljust(15)]
        return "*".join([*parts, self.date, "0732", "U", "00401", self.control, "0", self.environment, self.component])

    def write(self, groups: list[Group]) -> bytes:
        lines = [self.isa(), *(line for one in groups for line in one.lines())]
        if self.iea:
            lines.append(seg("IEA", self.iea01 or len(groups), self.iea02 or self.control))
        text = (self.terminator + self.line_end).join(lines) + self.terminator + self.line_end
        return text.replace("*", self.element).encode(self.encoding)


# --- 867 -------------------------------------------------------------------------------------------------------------


def period(start: str = START, end: str = END) -> list[str]:
    return [seg("DTM", "150", start), seg("DTM", "151", end)]


def quantity(
    value: str,
    unit: str = "KH",
    *,
    flag: str = "QD",
    measure: str = "AA",
    tou: str = "51",
    reads: tuple[str, str] = ("", ""),
    multiplier: str = "",
) -> list[str]:
    """QTY, the MEA of the same quantity with its reads, and the multiplier where there is one."""
    more = [seg("MEA", "", "MU", multiplier)] if multiplier else []
    return [seg("QTY", flag, value), seg("MEA", measure, "PRQ", value, unit, *reads, tou), *more]


def loop(
    kind: str, *content: list[str], serial: str = "", start: str = START, end: str = END, refs: tuple[str, ...] = ()
) -> list[str]:
    head = seg("PTD", kind, "", "", "MG", serial) if serial else seg("PTD", kind)
    return [head, *period(start, end), *refs, *(line for one in content for line in one)]


def summary(value: str = "1150", kind: str = "SU", start: str = START, end: str = END, **more: Any) -> list[str]:
    return loop(kind, quantity(value, **more), start=start, end=end)


def meter(
    value: str = "1150",
    reads: tuple[str, str] = ("99950", "00065"),
    multiplier: str = "10",
    *,
    serial: str = "A1234",
    role: str = "A",
    start: str = START,
    end: str = END,
    more: tuple[str, ...] = (),
    **kind: Any,
) -> list[str]:
    refs = ("REF*MT*KHMON", f"REF*JH*{role}", *more)
    content = quantity(value, reads=reads, multiplier=multiplier, **kind)
    return loop("PL", content, serial=serial, start=start, end=end, refs=refs)


def usage(
    uid: str = "U77001",
    *,
    loops: list[list[str]] | None = None,
    purpose: str = "00",
    report: str = "DD",
    final: str = "",
    refers: str = "",
    point: str = POINT,
    refs: tuple[str, ...] = (),
    start: str = START,
    end: str = END,
    flag: str = "QD",
    control: str = "0001",
    value: str = "1150",
) -> Set:
    """A Texas 867_03: the one of spec §4.1 unless told otherwise."""
    if loops is None:
        reads = ("99950", "00065") if value == "1150" else ("00000", f"{int(value) // 10:05d}")
        loops = [summary(value, start=start, end=end, flag=flag), meter(value, reads, start=start, end=end, flag=flag)]
    head = [
        seg("BPT", purpose, uid, "20260704", report, "", "", final, "", refers),
        seg("REF", "Q5", "", point),
        *refs,
        f"N1*8S*WIRES CO*1*{TDSP}",
        "N1*AY*ERCOT*1*183529049**41",
        f"N1*SJ*RETAIL CO*9*{RETAILER_GROUP}**40",
    ]
    return Set("867", head + [line for one in loops for line in one], control)


def intervals(
    values: list[str],
    *,
    first: str = "20260603",
    zone: str = "America/Chicago",
    code: str = "",
    qualifier: str = "194",
    midnight: str = "2400",
) -> list[str]:
    """QTY and DTM of each quarter hour from local midnight on; the time code is standard or daylight unless given."""
    letters = {"America/Chicago": "C", "America/New_York": "E"}[zone]
    step = dt.timedelta(minutes=15)
    now = dt.datetime.strptime(first, "%Y%m%d").replace(tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)
    lines = []
    for value in values:
        local = now.astimezone(ZoneInfo(zone))
        end = local.replace(tzinfo=None) + step
        stamp = end.strftime("%Y%m%d*%H%M")
        if stamp.endswith("*0000") and midnight == "2400":
            stamp = local.strftime("%Y%m%d*2400")
        lines += [f"QTY*QD*{value}", f"DTM*{qualifier}*{stamp}*{code or letters + ('D' if local.dst() else 'S')}"]
        now += step
    return lines


# --- 810 -------------------------------------------------------------------------------------------------------------


def charge(code: str, cents: str, kind: str = "C") -> str:
    return seg("SAC", kind, "", "EU", code, cents)


def item(*lines: str, number: int = 1, role: str = "METER", start: str = START, end: str = END) -> list[str]:
    """IT1 with its period; each line under an SLN of its own."""
    grouped = [text for place, line in enumerate(lines, 1) for text in (f"SLN*{place}**A", line)]
    return [f"IT1*{number}*****SV*ELECTRIC*C3*{role}", *period(start, end), *grouped]


def charges(
    cid: str = "I88001",
    *,
    cross: str = "U77001",
    kind: str = "ME",
    purpose: str = "00",
    original: str = "",
    point: str = POINT,
    items: list[list[str]] | None = None,
    total: str = "4321",
    count: str = "",
    start: str = START,
    end: str = END,
    control: str = "0001",
    refs: tuple[str, ...] = (),
) -> Set:
    """A Texas 810_02: the one of spec §4.1 unless told otherwise."""
    if items is None:
        items = [item(charge("BAS001", "450"), charge("DIS001", "3871"), start=start, end=end)]
    body = [
        seg("BIG", "20260705", cid, "", "", cross, "", kind, purpose),
        seg("REF", "Q5", "", point),
        *([f"REF*OI*{original}"] if original else []),
        *refs,
        f"N1*8S*WIRES CO*1*{TDSP}",
        f"N1*SJ*RETAIL CO*9*{RETAILER_GROUP}",
        "ITD*01*3****20260725",
        *(line for one in items for line in one),
        f"TDS*{total}",
        f"CTT*{count or len(items)}",
    ]
    return Set("810", body, control)


def pt(*sets: Set, control: str = "4711", **more: Any) -> Group:
    return Group("PT", list(sets), control, **more)


def bills(*sets: Set, control: str = "4712", **more: Any) -> Group:
    return Group("IN", list(sets), control, **more)
