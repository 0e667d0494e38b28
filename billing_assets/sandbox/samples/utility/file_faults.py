"""Which files are broken, doubled or strange, and how what was in a broken one comes again."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from billing_assets.sandbox.samples.utility.chance import draw
from billing_assets.sandbox.samples.utility.outcomes import Item, Sending
from billing_assets.sandbox.samples.utility.rates import FILE_FAULTS, FileFault

_Message = TypeVar("_Message", bound=Item)
_STRANGE = {"sender unknown", "EDIFACT"}


def with_file_faults(
    seed: int,
    format_: str,
    sendings: Sequence[Sending[_Message]],
    fitting: Callable[[str, Sending[_Message]], bool] = lambda fault, sending: True,
) -> list[Sending[_Message]]:
    """The files with those of the faults among them, in the order in which they come."""
    free = sorted(range(len(sendings)), key=lambda number: draw(seed, "file", format_, number))
    chosen: dict[int, FileFault] = {}
    for fault in (fault for fault in FILE_FAULTS if fault.format == format_):
        able = [number for number in free if number not in chosen and fitting(fault.name, sendings[number])]
        for number in able[: max(1, (fault.rate * len(sendings) + 500) // 1_000)]:
            chosen[number] = fault
    found = [
        one
        for number, sending in enumerate(sendings)
        for one in _sent(sending, chosen.get(number))
    ]  # fmt: skip
    return sorted(found, key=lambda one: (one.day, one.sender, one.lane, bool(one.fault), bool(one.like)))


def _sent(sending: Sending[_Message], fault: FileFault | None) -> Iterator[Sending[_Message]]:
    if fault is None:
        yield sending
        return
    bad = replace(sending, fault=fault.name, verdict=fault.verdict, code=fault.code)
    if fault.name == "empty":
        bad.items = []
    if fault.verdict == "duplicate":
        yield sending
        yield replace(bad, day=sending.day + timedelta(days=2), like=sending)
    elif fault.name in _STRANGE:  # beside the good one
        yield sending
        yield replace(bad, items=sending.items[:1] if fault.name == "sender unknown" else [])
    else:
        yield bad
        yield replace(sending, day=sending.day + timedelta(days=1))
