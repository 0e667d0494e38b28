"""NEM12 read and checked, against the reader that others use, and its memory in a file a hundred times as large."""

import time
from collections.abc import Iterator
from pathlib import Path

from nemreader import NEMFile

from billing_assets.metering.import_engine.formats import read_file
from billing_assets.metering.import_engine.messages import FileReport, IntervalBlock, Verdict
from billing_assets.metering.import_engine.opening import Limits
from proving.benchmarks.measure import Mark, Measure, Place, Round
from proving.benchmarks.nem_files import COUNT, write_nem12
from proving.benchmarks.world import alone

_ROUNDS = 3
_STREAMS, _DAYS = 200, 30
_LARGE = 100
"""The large file has so many times as many days, each of its own values and numbers of streams."""


def _play_speed(here: Place, small: bool) -> Iterator[Round]:
    path = here.folder / "nem12.csv"
    streams = 5 if small else _STREAMS
    write_nem12(path, streams, _DAYS)
    for _ in range(1 if small else _ROUNDS):
        theirs, ours = (alone(one, path).value for one in (read_by_nemreader, read_by_us))
        yield Round(ours, theirs, streams * _DAYS * COUNT)
    path.unlink()


def _play_memory(here: Place, small: bool) -> Iterator[Round]:
    little, large = here.folder / "nem12-little.csv", here.folder / "nem12-large.csv"
    streams, times = (5, 3) if small else (_STREAMS, _LARGE)
    write_nem12(little, streams, _DAYS)
    write_nem12(large, streams, _DAYS * times)
    one, other = (alone(read_by_us, path).megabytes for path in (large, little))
    yield Round(one, other, streams * _DAYS * times * COUNT)
    little.unlink()
    large.unlink()


def read_by_us(path: Path) -> float:
    """CPU seconds of reading a file with every check. Raises RuntimeError where it is not accepted."""
    began = time.process_time()
    report = FileReport()
    with path.open("rb") as file:
        messages = read_file(file, report, limits=Limits(max_bytes=10**10))
        read = sum(len(one.values) for one in messages if isinstance(one, IntervalBlock))
    took = time.process_time() - began
    if report.worst is not Verdict.ACCEPT or read != sum(one.readings for one in report.streams.values()):
        raise RuntimeError(f"{path} was not read whole: {report.findings}")
    return took


def read_by_nemreader(path: Path) -> float:
    """CPU seconds of nemreader in its strict mode, which leaves most checks to others."""
    began = time.process_time()
    NEMFile(str(path), strict=True).nem_data()
    return time.process_time() - began


MEASURES = [
    Measure(
        "metering_nem12",
        "CPU of reading NEM12 with every check, half hours of 200 streams",
        "nemreader 0.9.2, strict, without those checks",
        "s",
        Mark(faster=3),
        0.5,
        _play_speed,
    ),
    Measure(
        "metering_nem12_memory",
        "peak memory of reading a NEM12 file of 200 MB",
        "one of 2 MB",
        "MB",
        Mark(at_most=1.2, most=300),
        3,
        _play_memory,
    ),
]
