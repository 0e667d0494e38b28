"""Preparing this machine: our database migrated, Dagster's instance made, the sample's stand-ins started.

What is found out here goes into the environment of this process, so that every process started from it sees the same.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import structlog
from filelock import FileLock, Timeout

from billing_assets.erp.bindings import BoundElsewhereError
from billing_assets.foundation.database import embedded, refusals
from billing_assets.foundation.database.connection import connect, storage_url
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.journal.compared import journal_of
from billing_assets.foundation.journal.errors import JournalError
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import SettingsError, load_settings, variable
from billing_assets.foundation.shipped import shipped
from billing_assets.operations.stopping import SYSTEM_LOCK, supervising

log = structlog.get_logger(__name__)

POOL = "netsuite_batches"
_IN_PROGRESS = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_DAGSTER = {"DAGSTER_HOME", "DAGSTER_POSTGRES_URL"}


@dataclass(frozen=True)
class Prepared:
    """A machine that is ready: its runtime, its folder, Dagster's instance, and whether the database is ours to run."""

    runtime: Runtime
    home: Path
    instance: dg.DagsterInstance
    embedded: bool


def set_default(setting: str, value: str) -> None:
    """Gives a setting a value through the environment, unless somebody set it already."""
    os.environ.setdefault(variable(setting), value)


@contextmanager
def runtime(*, keep_server: bool = False) -> Iterator[Runtime]:
    """The runtime of this process's settings.

    An embedded server that was not running before is stopped at the end, unless it is to be kept or a system that was
    started meanwhile works with it.
    """
    settings = load_settings()
    home = settings.home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    os.environ[variable("home")] = str(home)
    keep_server = keep_server or not settings.embedded or embedded.running(home) is not None
    try:
        yield Runtime(load_settings())
    finally:
        if not keep_server:
            try:
                with FileLock(home / SYSTEM_LOCK, timeout=0):
                    embedded.stop(home)
            except Timeout:
                log.info("the embedded server is kept: another command works with it", home=str(home))


def prepare(found: Runtime, *, may_differ: Callable[[BoundElsewhereError], None] | None = None) -> Prepared:
    """Migrates our database and makes Dagster's instance. Safe again and again, also from several starters at once.

    Raises BoundElsewhereError where the settings name another account, environment or prefix than the database is bound
    to; with `may_differ` it is called instead, and all else is prepared. Raises DatabaseUnfit.
    """
    home, is_embedded = found.settings.home, found.settings.embedded
    os.environ[variable("database_url")] = found.database_url
    pooled = check_database(found.database_url)
    migrate(found.database_url, shipped("sql/state"))
    try:
        with found.state() as connection:
            found.compare(connection)
    except BoundElsewhereError as error:
        if may_differ is None:
            raise
        may_differ(error)
    _compare_with_journal(found)
    dagster_home = home / "dagster"
    dagster_home.mkdir(parents=True, exist_ok=True)
    if not (dagster_home / "dagster.yaml").exists():  # an operator may have given it another launcher
        shutil.copyfile(shipped("dagster.yaml"), dagster_home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(dagster_home)
    os.environ["DAGSTER_POSTGRES_URL"] = storage_url(found.database_url, pooled=pooled)
    instance = dg.DagsterInstance.get()
    instance.upgrade()
    instance.event_log_storage.set_concurrency_slots(POOL, found.settings.batches.parallel_runs)
    return Prepared(Runtime(load_settings()), home, instance, is_embedded)


def check_database(url: str) -> bool:
    """Whether a pooler is between us and our database. Raises DatabaseUnfit where we cannot work with it: behind a
    pooler that shares sessions, a read replica, read-only."""
    with connect(url) as one, connect(url) as another:
        return refusals.check(one, another)


def _compare_with_journal(found: Runtime) -> None:
    """Notices a database that was put back. Without a journal posting goes on: closing and mailing ask for it again."""
    try:
        with found.state() as connection:
            journal_of(connection, found.settings)
    except JournalError as error:
        log.warning("journal_unusable", reason=str(error))


def end_dead_runs(instance: dg.DagsterInstance) -> int:
    """Marks as failed what a crash of the whole machine left as running; Dagster itself would wait for hours.

    Only for a system that no other process shares: its runs are children of processes that have just been found gone.
    Returns how many there were.
    """
    dead = instance.get_runs(dg.RunsFilter(statuses=_IN_PROGRESS))
    for run in dead:
        instance.report_run_failed(run, "The machine or the system was stopped while this run was at work.")
    return len(dead)


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Holds the machine's system for one `billing run` or `billing up` at a time. Raises SettingsError."""
    try:
        with FileLock(home / SYSTEM_LOCK, timeout=0), supervising(home):
            yield
    except Timeout:
        raise SettingsError(
            f"Another `billing run` or `billing up` works in {home}. Stop it (Ctrl-C there, or `billing down`), "
            f"or choose another folder with {variable('home')}."
        ) from None


def write_environment_file(home: Path) -> Path:
    """Writes what other tools need (`dg dev`, the Dagster daemon) to `<home>/env`, readable by its owner only."""
    path = home / "env"
    path.touch(mode=0o600)
    path.chmod(0o600)  # also where somebody had opened it
    names = sorted(name for name in os.environ if name.startswith("BILLING_") or name in _DAGSTER)
    quoted = [f"export {name}='{os.environ[name].replace(chr(39), chr(39) + chr(92) + chr(39) * 2)}'" for name in names]
    path.write_text("\n".join(quoted) + "\n", encoding="utf-8")
    return path
