"""Who works through the backlog: `billing up` with Dagster's daemon, or, in the short form, run processes alone."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psutil
import psycopg

from billing_assets.erp.batches.planning import plan, runs_wanted
from billing_assets.foundation.database import embedded
from billing_assets.foundation.database.connection import connect
from billing_assets.foundation.database.server_programs import EmbeddedServerError
from billing_assets.foundation.sections import BatchSettings
from billing_assets.operations.processes import stop_noted
from proving.scenarios.world import World
from proving.world.command import PROGRAM

_LOOK_SECONDS = 0.2
_STARTED = """
    select (regexp_match(e.event, '\\(pid: (\\d+)\\)'))[1]::int as pid
    from billing.locked_batches as b join public.event_logs as e on e.run_id = b.run_id
    where e.event like '%%Started process for run%%' and b.state = 'running'"""


class Fleet(Protocol):
    """Starts runs for the batches of a world until it is stopped."""

    def start(self) -> None: ...
    def workers(self) -> list[int]: ...
    def stop(self) -> None: ...


@dataclass
class DagsterFleet:
    """`billing up`: supervisor, database, web server, daemon, code server, and a process for every run."""

    world: World
    variables: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns at once; the first run takes some seconds to come."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [PROGRAM, "up", "--port", str(_free_port())],
                env=dict(self.variables),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def workers(self) -> list[int]:
        """Processes of the runs that hold a batch."""
        try:
            with connect(self.world.url) as connection:
                pids = [row["pid"] for row in connection.execute(_STARTED).fetchall()]
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable):
            return []
        return [pid for pid in pids if psutil.pid_exists(pid)]

    def stop(self) -> None:
        """As Ctrl-C does."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        stop_noted(Path(self.variables["BILLING_HOME"]))


@dataclass
class PlainFleet:
    """A loop that plans and starts a process for every run that is wanted, as sensor, queue and launcher do."""

    world: World
    variables: Mapping[str, str]
    log: Path
    side_by_side: int = 3
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def start(self) -> None:
        """Returns at once."""
        self.thread = threading.Thread(target=self._work, name="fleet")
        self.thread.start()

    def workers(self) -> list[int]:
        """Processes of the runs."""
        return [process.pid for process in list(self.processes.values()) if process.poll() is None]

    def stop(self) -> None:
        """Kills what runs still."""
        self.stopping.set()
        if self.thread:
            self.thread.join()
        for process in self.processes.values():
            process.kill()
            process.wait()

    def _work(self) -> None:
        batch = self.world.scale.batch
        settings = BatchSettings(max_documents=batch, at_once_below=min(500, batch))
        while not self.stopping.wait(_LOOK_SECONDS):
            for key in [key for key, process in self.processes.items() if process.poll() is not None]:
                del self.processes[key]
            # Down or full: looked at again, as `billing up` does.
            with suppress(psycopg.Error, EmbeddedServerError):
                embedded.start(self.world.home)
                with connect(self.world.url) as connection:
                    plan(connection, settings)
                    free = self.side_by_side - len(self.processes)
                    busy = {key: ["a process"] for key in self.processes}
                    for wanted in runs_wanted(connection, busy)[:free]:
                        self.processes[wanted.partition_key] = self._run(wanted.partition_key)

    def _run(self, key: str) -> subprocess.Popen[bytes]:
        variables = {**self.variables, "BILLING_DATABASE_URL": self.world.url}
        command = [sys.executable, "-m", "proving.scenarios.run_batch", key, str(uuid.uuid4())]
        with self.log.open("ab") as output:
            return subprocess.Popen(command, env=variables, stdout=output, stderr=subprocess.STDOUT)


def kill_one(fleet: Fleet, seconds: float = 10) -> bool:
    """SIGKILL for one of the runs; false when none came in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for pid in fleet.workers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return True
        time.sleep(0.1)
    return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
