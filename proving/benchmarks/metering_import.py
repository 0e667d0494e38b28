"""Files into PostgreSQL, against COPY of the rows that they become; its memory; a point's month among many points."""

import random
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.files.local import LocalFolder
from billing_assets.metering.import_engine import engine
from billing_assets.metering.import_engine.settings import MeteringSettings
from billing_assets.metering.import_engine.taking import Source
from billing_assets.metering.importing import import_connection, loader_of
from billing_assets.metering.readings import store
from billing_assets.work_queue.working import WorkPolicy
from proving.benchmarks.measure import Mark, Measure, Place, Round
from proving.benchmarks.nem_files import COUNT, write_nem12
from proving.benchmarks.world import alone, database

_ROUNDS = 5
_STREAMS, _DAYS = 200, 30
_LARGE = 50
"""The large file has so many times as many days."""

_POINTS, _FEW = 1_000_000, 10_000
_MONTH = date(2026, 7, 1)
_LOOKED_UP = 500
"""Points of which a month is read; these have all days of it, the others one."""

_WRITTEN = ("raw_chunks", "raw_messages", "interval_readings")
"""What a file becomes: its bytes, its messages, its readings."""


def _play_speed(here: Place, small: bool) -> Iterator[Round]:
    streams = 5 if small else _STREAMS
    with database(here, migrated=True) as url:
        _supply(url, streams)
        for number in range(1 if small else _ROUNDS):
            inbox = _inbox(here, streams, _DAYS, _MONTH - timedelta(_DAYS * number))
            ours = alone(_import, url, inbox).value
            against = alone(_copy, url, f"{number:02}").value
            yield Round(ours, against, streams * _DAYS * COUNT)
            _empty(inbox)


def _play_memory(here: Place, small: bool) -> Iterator[Round]:
    streams, times = (5, 3) if small else (_STREAMS, _LARGE)
    with database(here, migrated=True) as url:
        _supply(url, streams)
        little, large = (
            _inbox(here, streams, days, until)
            for days, until in ((_DAYS, _MONTH + timedelta(_DAYS)), (_DAYS * times, _MONTH))
        )
        one, other = (alone(_import, url, inbox).megabytes for inbox in (large, little))
        yield Round(one, other, streams * _DAYS * times * COUNT)
        _empty(little)
        _empty(large)


def _play_month(here: Place, small: bool) -> Iterator[Round]:
    few, many = (600, 2_000) if small else (_FEW, _POINTS)
    with database(here, migrated=True) as little, database(here, migrated=True) as large:
        took = {url: _fill(url, points) for url, points in ((little, few), (large, many))}
        for _ in range(1 if small else _ROUNDS):
            against, ours = (alone(_read_months, url).value for url in (little, large))
            yield Round(ours, against, _LOOKED_UP, {"seconds to load a day of all points": took[large]})


def _inbox(here: Place, streams: int, days: int, until: date) -> Path:
    """A folder with a file, whose days no other file has."""
    folder = here.folder / f"in-{until}"
    folder.mkdir()
    write_nem12(folder / "nem12.csv", streams, days, until)
    return folder


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def _supply(url: str, streams: int) -> None:
    with connect(url) as connection:
        connection.execute(
            "insert into billing.service_points (point, valid_from) "
            "select 'VABD' || lpad(n::text, 6, '0'), '2000-01-01' from generate_series(0, %s) as n",
            [streams - 1],
        )


def _import(url: str, inbox: Path) -> float:
    """CPU seconds of taking a folder in, ours and the server's. Raises RuntimeError where a file is not accepted."""
    source = Source(str(inbox), lambda: LocalFolder(inbox), stable_seconds=0)
    settings = MeteringSettings(max_file_bytes=10**10)
    with import_connection(url) as connection:

        def work() -> None:
            policy = WorkPolicy()
            found = engine.run(url, connection, [source], loader_of(settings), "benchmark", policy, may_move=False)
            if found.states.keys() != {"accepted"}:
                raise RuntimeError(f"{inbox} was not taken in: {found}")

        return _cpu_seconds(connection, work)


def _copy(url: str, name: str) -> float:
    """CPU seconds of writing the same rows by COPY into tables with the same indexes."""
    with connect(url) as connection:
        total = 0.0
        for table in _WRITTEN:
            connection.execute(f"create table copied_{name} (like billing.{table} including all)")
            newest = {
                "raw_chunks": "file = (select max(id) from billing.raw_files)",
                "raw_messages": "file = (select max(id) from billing.raw_files)",
                "interval_readings": "message in (select id from billing.raw_messages "
                "where file = (select max(id) from billing.raw_files))",
            }[table]
            with connection.cursor().copy(
                f"copy (select * from billing.{table} where {newest}) to stdout"  # noqa: S608  our own names
            ) as copy:
                rows = [bytes(one) for one in copy]

            def work(rows: list[bytes] = rows) -> None:
                with connection.cursor().copy(f"copy copied_{name} from stdin") as copy:
                    for one in rows:
                        copy.write(one)

            total += _cpu_seconds(connection, work)
            connection.execute(f"drop table copied_{name}")
    return total


def _cpu_seconds(connection: Connection, work: Callable[[], None]) -> float:
    """Of this process and of the server's that serves the connection (Linux)."""
    server = Path(f"/proc/{connection.info.backend_pid}/schedstat")
    before, began = server.read_text(encoding="ascii"), time.process_time()
    work()
    ours, after = time.process_time() - began, server.read_text(encoding="ascii")
    return ours + (int(after.split()[0]) - int(before.split()[0])) / 1e9


def _fill(url: str, points: int) -> float:
    """Quarter hours of one day for all points, of the month for some; seconds that the day took."""
    rows = """
        insert into billing.interval_readings (stream, day, message, starts_at, length_seconds, values, decimals, unit,
            quality, content_hash, state)
        select n, %(day)s::date + d, n, %(day)s::date + d, 900,
            (select array_agg((n::bigint * 7919 + i * 104729) %% 3000) from generate_series(1, 96) as i),
            3, 'kWh', 'A', '\\x00', 'current'
        from generate_series(1, %(points)s::integer) as n
        cross join generate_series(%(first)s::integer, %(last)s::integer) as d"""
    with connect(url) as connection:
        connection.execute("select billing.open_reading_month('interval_readings', %s)", [_MONTH])
        began = time.monotonic()
        connection.execute(rows.encode(), {"day": _MONTH, "points": points, "first": 0, "last": 0})
        took = time.monotonic() - began
        some = {"day": _MONTH, "points": _LOOKED_UP, "first": 1, "last": 30}
        connection.execute(rows.encode(), some)
        connection.execute("vacuum analyze billing.interval_readings")
    return took


def _read_months(url: str) -> float:
    """CPU seconds of reading the month of some points, one query each, in no order; the second time counts."""
    streams = list(range(1, _LOOKED_UP + 1))
    random.Random(3).shuffle(streams)
    with connect(url) as connection:

        def work() -> None:
            for stream in streams:
                found = store.current(connection, stream, _MONTH, _MONTH + timedelta(30))
                if len(found) != 31:
                    raise RuntimeError(f"stream {stream} has {len(found)} days")

        work()
        return _cpu_seconds(connection, work)


MEASURES = [
    Measure(
        "metering_import",
        "CPU of a NEM12 file into PostgreSQL: stored, read, checked, 288,000 half hours written",
        "COPY of the same rows",
        "s",
        Mark(at_most=4),
        2,
        _play_speed,
    ),
    Measure(
        "metering_import_memory",
        "peak memory of taking in a NEM12 file of 100 MB",
        "one of 2 MB",
        "MB",
        Mark(at_most=1.2, most=300),
        2,
        _play_memory,
    ),
    Measure(
        "readings_month",
        "CPU of reading a point's month of quarter hours among a million points",
        "among ten thousand",
        "s",
        Mark(at_most=1.2),
        5,
        _play_month,
    ),
]
