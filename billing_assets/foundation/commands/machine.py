"""What every command begins with: this process's runtime, and our database checked and migrated.

What is found out here goes into the environment of this process, so that every process started from it sees the same.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from filelock import FileLock, Timeout

from billing_assets.foundation.database import embedded, refusals
from billing_assets.foundation.database.connection import connect
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.journal.compared import journal_of
from billing_assets.foundation.journal.errors import JournalError
from billing_assets.foundation.logs import configure_logs
from billing_assets.foundation.runtime import BoundElsewhereError, Runtime
from billing_assets.foundation.settings import load_settings, variable
from billing_assets.foundation.shipped import shipped
from billing_assets.foundation.texts import visible

log = structlog.get_logger(__name__)

SYSTEM_LOCK = "system.lock"
"""A file in the home folder: a running system holds its lock, and works with the embedded server."""

MayDiffer = Callable[[BoundElsewhereError], None] | None


@contextmanager
def opened_runtime(*, keep_server: bool = False) -> Iterator[Runtime]:
    """The runtime of this process's settings; nothing is migrated.

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


@contextmanager
def prepared_runtime(*, only_reads: bool = False) -> Iterator[Runtime]:
    """A runtime whose database is migrated; an embedded server that was started for it stops at the end.

    Settings that name another account, environment or prefix than the database is bound to are refused; a command that
    `only_reads` our own tables says it and goes on.
    """
    with opened_runtime() as runtime:
        configure_logs(runtime.settings.log_format)
        prepare_database(runtime, may_differ=say_difference if only_reads else None)
        yield Runtime(load_settings())


def prepare_database(found: Runtime, *, may_differ: MayDiffer = None) -> bool:
    """Checks and migrates our database. Safe again and again, also from several starters at once. Returns whether a
    pooler is between us and it.

    Raises BoundElsewhereError where the settings name another account, environment or prefix than the database is bound
    to; with `may_differ` it is called instead, and all else is prepared. Raises DatabaseUnfit.
    """
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
    return pooled


def check_database(url: str) -> bool:
    """Whether a pooler is between us and our database. Raises DatabaseUnfit where we cannot work with it: behind a
    pooler that shares sessions, a read replica, read-only."""
    with connect(url) as one, connect(url) as another:
        return refusals.check(one, another)


def say_difference(error: BoundElsewhereError) -> None:
    """Says that the settings and the database differ, to a person who only reads."""
    print(f"billing: {visible(str(error))}", file=sys.stderr)  # what a script reads is on standard output


def set_default(setting: str, value: str) -> None:
    """Gives a setting a value through the environment, unless somebody set it already."""
    os.environ.setdefault(variable(setting), value)


def _compare_with_journal(found: Runtime) -> None:
    """Notices a database that was put back. Without a journal posting goes on: closing and mailing ask for it again."""
    try:
        with found.state() as connection:
            journal_of(connection, found.settings)
    except JournalError as error:
        log.warning("journal_unusable", reason=str(error))
