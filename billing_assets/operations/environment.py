"""Preparing this machine: our database migrated, Dagster's instance made.

What is found out here goes into the environment of this process, so that every process started from it sees the same.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout

from billing_assets.foundation.commands.machine import (
    SYSTEM_LOCK,
    MayDiffer,
    opened_runtime,
    prepare_database,
    say_difference,
)
from billing_assets.foundation.database.connection import storage_url
from billing_assets.foundation.logs import configure_logs
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import SettingsError, load_settings, variable
from billing_assets.foundation.shipped import shipped
from billing_assets.operations.stopping import supervising

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


@contextmanager
def prepared_machine(*, keep_server: bool = False, only_reads: bool = False) -> Iterator[Prepared]:
    """A prepared machine; an embedded database that was started for it stops at the end, unless it is to be kept.

    Settings that name another account, environment or prefix than the database is bound to are refused; a command that
    `only_reads` our own tables says it and goes on.
    """
    with opened_runtime(keep_server=keep_server) as runtime:
        configure_logs(runtime.settings.log_format)
        yield prepare(runtime, may_differ=say_difference if only_reads else None)


def prepare(found: Runtime, *, may_differ: MayDiffer = None) -> Prepared:
    """Prepares our database and makes Dagster's instance. Safe again and again, also from several starters at once.

    Raises BoundElsewhereError and DatabaseUnfit, as `prepare_database` does.
    """
    home, is_embedded = found.settings.home, found.settings.embedded
    pooled = prepare_database(found, may_differ=may_differ)
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
