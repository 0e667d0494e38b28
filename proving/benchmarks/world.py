"""What measures work on: a durable embedded PostgreSQL, databases on it, the sample, settings, own processes."""

import logging
import multiprocessing
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import structlog
from psycopg import sql
from sqlalchemy import make_url

from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.erp.netsuite.validation import validation
from billing_assets.erp.staging.settings import StagingSettings
from billing_assets.erp.staging.staging import StagingResult, stage
from billing_assets.foundation.database import embedded
from billing_assets.foundation.database.connection import libpq_url
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import load_settings, variable
from billing_assets.foundation.shipped import shipped
from proving.benchmarks.measure import Place

ALL, MONTH = "all", "2010-11"
"""Periods of the sample: all of it, and a large month."""


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """A PostgreSQL server of its own below `folder`, as `billing up` starts it; stopped at the end."""
    home = folder / "server"
    home.mkdir()
    server = embedded.start(home)
    try:
        yield Place(server.url(), folder)
    finally:
        embedded.stop(home, mode="immediate")


@contextmanager
def database(here: Place, *, migrated: bool = False) -> Iterator[str]:
    """SQLAlchemy URL of a new database, empty or with our schema; dropped at the end."""
    name = f"bench_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(libpq_url(here.server_url), autocommit=True) as connection:
        connection.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
        try:
            url = make_url(here.server_url).set(database=name).render_as_string(hide_password=False)
            if migrated:
                migrate(url, shipped("sql/state"))
            yield url
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@contextmanager
def source(here: Place, period: str = ALL, documents: int | None = None) -> Iterator[str]:
    """URL of a billing database with a period of the sample, all of it closed, or only its first so many documents."""
    from billing_assets.sandbox.samples.loader import load_sample  # noqa: PLC0415  brings pyarrow: not into every process

    with database(here) as url:
        load_sample(url, period)
        with psycopg.connect(libpq_url(url), autocommit=True) as connection:
            if documents is not None:
                keep = "select id from invoices order by id limit %s"
                connection.execute(f"delete from invoice_lines where invoice_id not in ({keep})", [documents])  # noqa: S608
                connection.execute(f"delete from invoices where id not in ({keep})", [documents])  # noqa: S608
            connection.execute("vacuum analyze")
        yield url


@contextmanager
def runtime(
    here: Place, state_url: str, source_url: str, settings: Mapping[str, str] | None = None
) -> Iterator[Runtime]:
    """The product on these databases with these settings (dotted names), for this process and all that it starts."""
    before = dict(os.environ)
    # The sample's mapping is for a NetSuite on this machine; where none is named, nothing is sent.
    nowhere = {"netsuite.account": "TSTDRV1234567", "netsuite.base_url": "http://127.0.0.1:9"}
    named = {"home": str(here.folder / "home"), "database_url": state_url, "source.url": source_url}
    named |= nowhere | dict(settings or {})
    try:
        for name in [name for name in os.environ if name.startswith("BILLING_") and "_TEST_" not in name]:
            del os.environ[name]
        os.environ.update({variable(name): value for name, value in named.items()})
        found = Runtime(load_settings())
        yield found
        found.of(BillingSystem).close()
    finally:
        os.environ.clear()
        os.environ.update(before)


def stage_once(found: Runtime) -> StagingResult:
    """One staging, as the asset does it."""
    with found.state() as connection, found.of(BillingSystem).connection() as billing:
        return stage(
            connection,
            billing,
            found.of(BillingSystem).queries,
            "billing",
            validation(found),
            found.settings.of(StagingSettings),
            "benchmark",
        )


class Run(NamedTuple):
    """What a function returned in a process of its own, its seconds on the wall and on the CPU, and the process's peak.

    The seconds leave out the process's start and its imports, the peak does not.
    """

    value: Any
    seconds: float
    cpu_seconds: float
    megabytes: float


def alone(function: Callable[..., Any], *arguments: Any) -> Run:
    """Calls a function of a module in a new process, with the environment as it is now. Raises what it raises."""
    with processes(1) as pool:
        return pool.submit(measured, function, *arguments).result()


@contextmanager
def processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """So many new processes that inherit nothing but the environment."""
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def measured(function: Callable[..., Any], *arguments: Any) -> Run:
    """Calls the function in this process."""
    only_warnings()
    began, cpu = time.monotonic(), time.process_time()
    value = function(*arguments)
    return Run(value, time.monotonic() - began, time.process_time() - cpu, peak_megabytes())


def only_warnings() -> None:
    """What is going as it should is not said."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


def peak_megabytes() -> float:
    """The most memory that this process ever had (Linux). Not getrusage: its peak begins with the parent's."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
