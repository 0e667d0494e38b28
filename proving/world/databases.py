"""Fixtures that all rooms share: one real PostgreSQL per test session, and fresh databases on it.

The server is the embedded one, in a temporary folder, started by the first test that asks for it and stopped at the
session's end; BILLING_TEST_DATABASE_URL names another one to use instead.
"""

import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import hypothesis
import psutil
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, create_engine, make_url
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from billing_assets.foundation.database import embedded
from billing_assets.foundation.database.connection import libpq_url
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.shipped import shipped

_URL = "BILLING_TEST_DATABASE_URL"
_HOME = "BILLING_TEST_HOME"  # from xdist's controller to its workers


_ON_ONE_WORKER = (
    "/sample/test_data.py",
    "/sample/test_contracts.py",
    "test_every_command.py",
    "batches/test_every_code.py",
    "batches/test_code_limits.py",
    "invoices/test_every_check.py",
)
"""Files whose tests share a costly fixture, or one system that they work on in turn. xdist's own mark for it no longer
reaches the scheduler with pytest 9.2."""

_WHOLE_SYSTEMS = (
    "/browser/",
    "/system/",
    "/tests/test_celery.py",
    "/tests/test_kill_points.py",
    "/tests/test_mistakes.py",
    "/tests/test_scenarios.py",
)
"""Tests that start Dagster or many processes, and wait for them, most of them on one running system: one after the
other on a worker that begins with them, so that two never load the machine at once, and the others have the rest."""

_SHORT = "/unit/"
"""Tests of a few milliseconds: a file at once, because handing out each takes longer. They come last and fill gaps."""


class _Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if any(part in file for part in _WHOLE_SYSTEMS):
            return "whole systems"
        return file if _SHORT in file or file.endswith(_ON_ONE_WORKER) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    config.option.loadscopereorder = False  # they come in the order below, not by how many tests they have
    return _Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What takes longest begins, so that no worker is left alone with it at the end.
    items.sort(key=lambda item: _turn(item.nodeid))


def _turn(nodeid: str) -> int:
    file = nodeid.partition("::")[0]
    if any(part in file for part in _WHOLE_SYSTEMS):
        return 0
    return 3 if _SHORT in file else 1 if file.endswith(_ON_ONE_WORKER) or "kills.py" in file else 2


def pytest_configure(config: pytest.Config) -> None:
    # A shell lets what it starts in the background ignore Ctrl-C, and every process started from there does, too.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # How long an example takes is up to the machine.
    slow = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile("suite", deadline=None, suppress_health_check=slow)
    hypothesis.settings.load_profile("suite")
    for name in [name for name in os.environ if name.startswith("BILLING_") and not name.startswith("BILLING_TEST_")]:
        del os.environ[name]  # the settings of whoever runs the tests (`make` sets some) are not the tests'
    if not hasattr(config, "workerinput"):
        _clear_after_killed_sessions()
        # Spaces, for whoever forgets to quote.
        os.environ[_HOME] = tempfile.mkdtemp(prefix=f"billing tests {os.getpid()} ")


def pytest_unconfigure(config: pytest.Config) -> None:
    # Only the controller stops: workers may come and die. embedded.start() lets just one of them start it.
    if not hasattr(config, "workerinput"):
        _clear(Path(os.environ.pop(_HOME)))


def _clear_after_killed_sessions() -> None:
    for home in Path(tempfile.gettempdir()).glob("billing tests *"):
        if not psutil.pid_exists(int(home.name.split()[2])) and os.access(home, os.W_OK):
            _clear(home)


def _clear(home: Path) -> None:
    embedded.stop(home, mode="immediate")
    shutil.rmtree(home, ignore_errors=True)  # another session may be clearing it too


@pytest.fixture(scope="session")
def server_url() -> str:
    """SQLAlchemy URL of the test server's database `postgres`, as a superuser."""
    return os.environ.get(_URL) or embedded.start(Path(os.environ[_HOME]), durable=False).url()


@pytest.fixture(scope="session")
def _migrated(server_url: str) -> Iterator[str]:
    """Name of a database with all our migrations, to copy: one per worker, as copying needs it to itself."""
    with _database(server_url, template="template0") as url:
        migrate(url, shipped("sql/state"))
        yield make_url(url).database or ""


@pytest.fixture(scope="session")
def _empty_ones(server_url: str) -> Iterator[Callable[[], str]]:
    with _made_ahead(server_url, "template0") as next_one:
        yield next_one


@pytest.fixture(scope="session")
def _migrated_ones(server_url: str, _migrated: str) -> Iterator[Callable[[], str]]:
    with _made_ahead(server_url, _migrated) as next_one:
        yield next_one


@pytest.fixture
def database(server_url: str, _empty_ones: Callable[[], str]) -> Iterator[str]:
    """SQLAlchemy URL of an empty database of the test's own."""
    with dropped_at_the_end(server_url, _empty_ones()) as url:
        yield url


@pytest.fixture
def another_database(server_url: str, _empty_ones: Callable[[], str]) -> Iterator[str]:
    """A second one."""
    with dropped_at_the_end(server_url, _empty_ones()) as url:
        yield url


@pytest.fixture
def state_url(server_url: str, _migrated_ones: Callable[[], str]) -> Iterator[str]:
    """SQLAlchemy URL of a database of the test's own with our whole schema, empty."""
    with dropped_at_the_end(server_url, _migrated_ones()) as url:
        yield url


@pytest.fixture
def another_state_url(server_url: str, _migrated_ones: Callable[[], str]) -> Iterator[str]:
    """A second one, to compare with."""
    with dropped_at_the_end(server_url, _migrated_ones()) as url:
        yield url


@pytest.fixture
def state_engine(state_url: str) -> Iterator[Engine]:
    """Engine on `state_url`."""
    engine = create_engine(state_url)
    yield engine
    engine.dispose()


@contextmanager
def _made_ahead(server_url: str, template: str) -> Iterator[Callable[[], str]]:
    """Gives a new database's name at each call, and makes the next one while the test works: that takes 0.1 s."""
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(_create, server_url, template)

        def next_one() -> str:
            nonlocal ahead
            name = ahead.result()
            ahead = pool.submit(_create, server_url, template)
            return name

        yield next_one
        _drop(server_url, ahead.result())


def _database(server_url: str, *, template: str) -> AbstractContextManager[str]:
    return dropped_at_the_end(server_url, _create(server_url, template))


@contextmanager
def dropped_at_the_end(server_url: str, name: str) -> Iterator[str]:
    """SQLAlchemy URL of a database of this name, which goes with the block."""
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        _drop(server_url, name)


def _create(server_url: str, template: str) -> str:
    name = f"test_{uuid.uuid4().hex}"
    # Copying files costs half of the default, which writes every page to the log, and so does dropping the copy.
    command = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
    with psycopg.connect(libpq_url(server_url), autocommit=True) as connection:
        connection.execute(command.format(sql.Identifier(name), sql.Identifier(template)))
    return name


def _drop(server_url: str, name: str) -> None:
    with psycopg.connect(libpq_url(server_url), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
