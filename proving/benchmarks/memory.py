"""The most memory that any process needs for a million documents, against 54,000: it must not grow with them."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import psutil
import psycopg

from billing_assets.erp.batches.planning import plan
from billing_assets.foundation.database.connection import libpq_url
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import load_settings
from proving.benchmarks.backlog import post
from proving.benchmarks.measure import Mark, Measure, Place, Round
from proving.benchmarks.sandbox import Sandbox, sandbox
from proving.benchmarks.world import ALL, MONTH, alone, database, only_warnings, runtime, source, stage_once

_LOOK_SECONDS = 0.2
_COPIES = """
    insert into invoices (id, number, kind, status, created_at, document_date, due_date, customer_no, country, currency,
        terms, total)
    select id + k * 1000000, number || '-' || k, kind, status, created_at, document_date, due_date, customer_no,
        country, currency, terms, total
    from invoices cross join generate_series(1, %(copies)s) as k order by k, id"""
_COPIED_LINES = """
    insert into invoice_lines
    select invoice_id + k * 1000000, line_no, stock_code, description, quantity, price, amount
    from invoice_lines cross join generate_series(1, %(copies)s) as k order by k, invoice_id, line_no"""


def _play(here: Place, small: bool) -> Iterator[Round]:
    few, many = (60, 600) if small else (None, 1_000_000)
    with sandbox(here.folder / "netsuite-memory") as netsuite:
        with source(here, MONTH if small else ALL, few) as billing:
            there = _documents(billing)
            works = (_stage, _plan_and_post) if small else (_stage, _stage, _plan_and_post)
            little = _peak(here, billing, netsuite, works)
            _multiply(billing, copies=-(-many // there) - 1)
            yield Round(_peak(here, billing, netsuite, works), little, _documents(billing))


def _multiply(source_url: str, copies: int) -> None:
    """Every document so many times more, with numbers of their own: the whole sample again and again, as twenty years
    of it would stand there, and not twenty large invoices side by side."""
    with psycopg.connect(libpq_url(source_url), autocommit=True) as connection:
        for statement in (_COPIES, _COPIED_LINES):
            connection.execute(statement, {"copies": copies})
        connection.execute("vacuum analyze")


def _documents(source_url: str) -> int:
    with psycopg.connect(libpq_url(source_url)) as connection:
        row = connection.execute("select count(*) from invoices").fetchone()
    return int(row[0]) if row else 0


def _peak(here: Place, billing: str, netsuite: Sandbox, works: Sequence[Callable[[], None]]) -> float:
    """The largest peak (MB) of: each of the works in a process of its own; and of any process of PostgreSQL meanwhile,
    without the buffers that all of them share."""
    netsuite.reset()
    with (
        database(here, migrated=True) as state,
        runtime(here, state, billing, netsuite.settings),
        _watched(state) as seen,
    ):
        peaks = [alone(one).megabytes for one in works]
        return max([*peaks, *seen])


def _stage() -> None:
    _be_a_run()
    stage_once(Runtime(load_settings()))


def _plan_and_post() -> None:
    _be_a_run()
    found = Runtime(load_settings())
    with found.state() as connection:
        keys = plan(connection, found.settings.batches)
    post(keys[0])


def _be_a_run() -> None:
    """Has in its memory what every run of Dagster has."""
    import_module("billing_assets.definitions")
    only_warnings()


@contextmanager
def _watched(url: str) -> Iterator[list[float]]:
    """What the server's processes have of their own, looked at five times a second; empty where they are elsewhere."""
    seen: list[float] = []
    stopping = threading.Event()
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        row = connection.execute("select pg_backend_pid()").fetchone()
        backend = int(row[0]) if row else 0
        watcher = threading.Thread(target=_watch, args=(backend, seen, stopping))
        watcher.start()
        try:
            yield seen
        finally:
            stopping.set()
            watcher.join()


def _watch(backend: int, seen: list[float], stopping: threading.Event) -> None:
    try:
        server = psutil.Process(backend).parent()
    except psutil.NoSuchProcess:
        return
    if server is None or server.pid in (0, 1, os.getpid()):
        return
    while not stopping.wait(_LOOK_SECONDS):
        for process in server.children():
            seen.append(_own_megabytes(process.pid))


def _own_megabytes(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except FileNotFoundError:  # it ended between the two
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("RssAnon")), 0.0)


MEASURES = [
    Measure(
        "memory",
        "peak memory of any process: staging, staging again, planning and posting a batch; 1,000,000 documents",
        "53,628 documents",
        "MB",
        Mark(at_most=1.1, most=300),
        20,
        _play,
    )
]
