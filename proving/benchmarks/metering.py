"""NEM12 read and checked, against the reader that others use, and its memory in a file a hundred times as large."""

import random
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from nemreader import NEMFile

from billing_assets.metering.import_engine.formats import read_file
from billing_assets.metering.import_engine.messages import FileReport, IntervalBlock, Verdict
from billing_assets.metering.import_engine.opening import Limits
from proving.benchmarks.measure import Mark, Measure, Place, Round
from proving.benchmarks.world import alone

_ROUNDS = 3
_STREAMS, _DAYS = 200, 30
_LARGE = 100
"""The large file has so many times as many days, each of its own values and numbers of streams."""

_COUNT = 48


def _play_speed(here: Place, small: bool) -> Iterator[Round]:
    path = here.folder / "nem12.csv"
    streams = 5 if small else _STREAMS
    _write(path, streams, _DAYS)
    for _ in range(1 if small else _ROUNDS):
        theirs, ours = (alone(one, path).value for one in (read_by_nemreader, read_by_us))
        yield Round(ours, theirs, streams * _DAYS * _COUNT)
    path.unlink()


def _play_memory(here: Place, small: bool) -> Iterator[Round]:
    little, large = here.folder / "nem12-little.csv", here.folder / "nem12-large.csv"
    streams, times = (5, 3) if small else (_STREAMS, _LARGE)
    _write(little, streams, _DAYS)
    _write(large, streams, _DAYS * times)
    one, other = (alone(read_by_us, path).megabytes for path in (large, little))
    yield Round(one, other, streams * _DAYS * times * _COUNT)
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


def _write(path: Path, streams: int, days: int) -> None:
    """A file of half hours: values as meters give them, none like the one before."""
    drawn = random.Random(7)
    first = date(2024, 7, 1) - timedelta(days)
    with path.open("w", encoding="ascii", newline="\r\n") as file:
        file.write("100,NEM12,202407010000,MDA1,RET1\n")
        for stream in range(streams):
            file.write(f"200,VABD{stream:06},E1,1,E1,N1,METER{stream:05},kWh,30,\n")
            for day in range(days):
                values = ",".join(f"{drawn.randrange(3_000) / 1_000:.3f}" for _ in range(_COUNT))
                when = first + timedelta(day)
                file.write(f"300,{when:%Y%m%d},{values},A,,,{when:%Y%m%d}230000,{when:%Y%m%d}233000\n")
        file.write("900\n")


MEASURES = [
    Measure(
        "nem12_read",
        "CPU of reading NEM12 with every check, half hours of 200 streams",
        "nemreader 0.9.2, strict, without those checks",
        "s",
        Mark(faster=3),
        0.5,
        _play_speed,
    ),
    Measure(
        "nem12_memory",
        "peak memory of reading a NEM12 file of 200 MB",
        "one of 2 MB",
        "MB",
        Mark(at_most=1.2, most=300),
        3,
        _play_memory,
    ),
]
