"""Reading an interchange of 10,000 usage sets: to segments, against pyx12's reader and against two bare splits; to
messages with everything checked, against pyx12's reader, which checks the envelope. And the memory for it, which must
not grow with the file. Times are CPU time, of alternate turns in one process.
"""

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from pyx12.x12file import X12Reader

from billing_assets.foundation.x12.syntax import segments
from billing_assets.metering.import_engine.messages import FileReport, SetMessage, Verdict
from billing_assets.metering.import_engine.options import ReadOptions
from billing_assets.metering.import_engine.x12_reader import read
from proving.benchmarks.measure import Mark, Measure, Place, Round
from proving.benchmarks.world import alone

_SETS = 10_000
_ISA = "ISA*00*          *00*          *01*900000026      *01*829000001      *260706*0732*U*00401*000004711*0*P*>~"
_GS = "GS*PT*900000026*8290000010000*20260706*0732*4711*X*004010~"


def _usage(number: int) -> str:
    """June on one meter with a multiplier of 10; what it used differs from set to set."""
    used = 100 + number % 400
    begin = 99_950 - number % 1_000
    quantity, end = used * 10, (begin + used) % 100_000
    return (
        f"ST*867*{number:06}~BPT*00*U{number}*20260704*DD~REF*Q5**1003278{number:010}~N1*8S*WIRES CO*1*900000026~"
        "N1*AY*ERCOT*1*183529049**41~N1*SJ*RETAIL CO*9*8290000010000**40~"
        f"PTD*SU~DTM*150*20260603~DTM*151*20260702~QTY*QD*{quantity}~MEA*AA*PRQ*{quantity}*KH***51~"
        f"PTD*PL***MG*A{number}~DTM*150*20260603~DTM*151*20260702~REF*MT*KHMON~REF*JH*A~QTY*QD*{quantity}~"
        f"MEA*AA*PRQ*{quantity}*KH*{begin:05}*{end:05}*51~MEA**MU*10~SE*20*{number:06}~"
    )


def _interchange(path: Path, sets: int) -> None:
    with path.open("w", encoding="latin-1", newline="") as out:
        out.write(_ISA + _GS)
        for number in range(sets):
            out.write(_usage(number))
        out.write(f"GE*{sets}*4711~IEA*1*000004711~")


def _to_segments(data: bytes) -> int:
    last = 0
    for one in segments(io.BytesIO(data)):
        last = one.position
    return last


def _to_messages(data: bytes) -> int:
    return 4 + sum(one.text.count("~") for one in _accepted(io.BytesIO(data)))


def _accepted(source: BinaryIO) -> Iterator[SetMessage]:
    """The sets of a file. Raises RuntimeError where one is not accepted."""
    for one in read(source, ReadOptions(), FileReport()):
        if one.verdict is not Verdict.ACCEPT:
            raise RuntimeError(f"set {one.control} is not accepted: {one.codes}")
        yield one


def _by_pyx12(data: bytes) -> int:
    count = 0
    with X12Reader(io.StringIO(data.decode("ascii"))) as reader:
        for _ in reader:
            count += 1
    return count


def _by_splits(data: bytes) -> int:
    count = 0
    for piece in data.decode("ascii").split("~"):
        count += bool(piece.split("*"))
    return count - 1  # behind the last terminator


_SIDES = (_to_segments, _to_messages, _by_pyx12, _by_splits)


def in_turn(path: str, sets: int, turns: int) -> list[tuple[float, ...]]:
    """CPU seconds: to segments, to messages, pyx12, splits. Raises RuntimeError where one misses a segment."""
    data = Path(path).read_bytes()
    return [tuple(_seconds(side, data, sets) for side in _SIDES) for _ in range(turns)]


def _seconds(side: Callable[[bytes], int], data: bytes, sets: int) -> float:
    began = time.process_time()
    count = side(data)
    took = time.process_time() - began
    if count != sets * 20 + 4:
        raise RuntimeError(f"{side.__name__} found {count} segments, the file has {sets * 20 + 4}")
    return took


def _play(here: Place, small: bool) -> Iterator[Round]:
    sets = 200 if small else _SETS
    path = here.folder / "usage.edi"
    _interchange(path, sets)
    for to_segments, to_messages, pyx12, splits in alone(in_turn, str(path), sets, 1 if small else 5).value:
        rate = {"segments a second": (sets * 20 + 4) / to_segments}
        yield Round(to_segments, pyx12, sets, rate, measure="metering_x12_pyx12")
        yield Round(to_segments, splits, sets, rate, measure="metering_x12_split")
        yield Round(to_messages, pyx12, sets, measure="metering_x12_messages")


def read_file(path: str) -> int:
    """Reads a file to checked messages and keeps none of them; returns how many there were."""
    with Path(path).open("rb") as source:
        return sum(1 for _ in _accepted(source))


def _memory(here: Place, small: bool) -> Iterator[Round]:
    """The small file has more sets than are kept in memory until their interchange has ended."""
    few, many = (200, 1_000) if small else (30_000, 150_000)
    paths = [here.folder / f"{sets}.edi" for sets in (few, many)]
    for path, sets in zip(paths, (few, many), strict=True):
        _interchange(path, sets)
    before, after = (alone(read_file, str(path)) for path in paths)
    if (before.value, after.value) != (few, many):
        raise RuntimeError(f"{before.value} and {after.value} sets were read")
    yield Round(after.megabytes, before.megabytes, many)


_WHAT = "X12 to segments, 10,000 sets"
MEASURES = [
    Measure("metering_x12_pyx12", _WHAT, "pyx12's reader", "s", Mark(faster=5), 1, _play),
    Measure("metering_x12_split", _WHAT, "two bare `split` of the text", "s", Mark(faster=0.15), 1, _play),
    Measure(
        "metering_x12_messages",
        "X12 to checked messages, 10,000 sets",
        "pyx12's reader, which checks only the envelope",
        "s",
        Mark(faster=1),
        1,
        _play,
    ),
    Measure(
        "metering_x12_memory",
        "memory for an X12 group of 150,000 sets",
        "for one of 30,000; what the 997 says of each set is kept to the end of its group",
        "MB",
        Mark(at_most=1.5, most=300),
        1,
        _memory,
    ),
]
