"""The same with Dagster around it: its daemon, the code server that the daemon starts, and the run worker of a batch.

What Dagster 1.13.27 does by itself after each death: a dead run worker is noticed by the code server, and the sensor
asks for its batch again once the lease has ended. A dead code server takes nobody with it: its run workers finish, and
the daemon starts a new one at its next look, within a minute. A dead daemon stays dead until its supervisor starts
another; meanwhile run workers finish, and the code server ends itself after 20 s.
"""

import random
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import psutil

from billing_assets.foundation.database.connection import libpq_url
from billing_assets.operations.processes import daemon_command, stop_trees
from proving.kills.rounds import Round, recover
from proving.kills.victim import is_done
from proving.kills.world import FIRST, World, fill
from proving.world.command import PROGRAM

DAEMON, RUN_WORKER, CODE_SERVER = "of the Dagster daemon", "of the run worker", "of the code server"
DAEMON_POINTS = (DAEMON, RUN_WORKER, CODE_SERVER)

_QUICK = {
    "BILLING_STAGING__DETECT_SECONDS": "1",
    "BILLING_BATCHES__SENSOR_SECONDS": "1",
    "BILLING_BATCHES__LEASE_SECONDS": "3",
    "BILLING_BATCHES__MAX_DOCUMENTS": "20",  # more batches than run side by side: some are queued when the daemon dies
    "BILLING_NETSUITE__LANES": "4",
}
_SLOW_MS, _FAST_MS = 150, 20
_SECONDS = 200.0
_LOOK_SECONDS = 0.05


@dataclass
class Dagster:
    """A world that Dagster works on. `family`: every process that was ever seen below the daemon."""

    world: World
    daemon: subprocess.Popen[bytes] | None = None
    family: set[psutil.Process] = field(default_factory=set)
    filled: int = 0

    def start(self) -> None:
        """What a supervisor (systemd, `billing up`) does when it finds no daemon."""
        with self.world.log.open("ab") as log:
            self.daemon = subprocess.Popen(
                daemon_command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.world.log.parent,
                env=dict(self.world.variables),
            )

    def kill(self, points: Sequence[str], documents: int, chance: random.Random) -> Round:
        """New documents close, and in the middle of their posting these processes die, one after the other.

        Only a dead daemon is started again by us. Counts everything, then runs everything once more for nothing.
        """
        self.world.account.switch(latency_median_ms=_SLOW_MS)
        before = self.world.created()
        fill(self.world.source, documents, FIRST + self.filled, applied=False)
        self.filled += documents
        enough = before + chance.uniform(0.1, 0.5) * documents
        struck = []
        if _comes(lambda: self.world.created() > enough):
            for point in points:
                time.sleep(chance.uniform(0, 0.5))
                self._look()
                struck += [point] if _comes(partial(self._kill, point)) else []
        since = time.monotonic()
        self.world.account.switch(latency_median_ms=_FAST_MS)
        if DAEMON in points:
            self.start()
        done = _comes(lambda: self.world.created() >= before + documents and is_done(self.world.state))
        took = time.monotonic() - since if done else None
        self._look()
        _, again = recover(self.world, since)
        return Round(tuple(struck), self.world.count(), self.world.posted(), took, again)

    def _look(self) -> None:
        assert self.daemon is not None
        if self.daemon.poll() is None:
            self.family |= set(psutil.Process(self.daemon.pid).children(recursive=True))

    def _kill(self, point: str) -> bool:
        """Kills it, if it lives now."""
        assert self.daemon is not None
        if point == DAEMON:
            self.daemon.kill()
            self.daemon.wait(10)
            return True
        pid = self._worker() if point == RUN_WORKER else self._code_server()
        if pid is None or not psutil.pid_exists(pid):
            return False
        one = psutil.Process(pid)
        one.kill()
        return True

    def _code_server(self) -> int | None:
        assert self.daemon is not None
        for one in psutil.Process(self.daemon.pid).children():
            if "dagster api grpc" in " ".join(one.cmdline()):
                return one.pid
        return None

    def _worker(self) -> int | None:
        """The process of a run that holds a batch now, as Dagster noted it."""
        row = self.world.state.execute(
            r"""
            select (regexp_match(e.event, '\(pid: (\d+)\)'))[1]::int as pid
            from billing.locked_batches as b join public.event_logs as e on e.run_id = b.run_id
            where e.event like '%%Started process for run%%' and b.locked_until > clock_timestamp()
            order by random() limit 1"""
        ).fetchone()
        return row["pid"] if row else None

    def end(self) -> None:
        """Ends everything that was started."""
        self._look()
        if self.daemon is not None:
            stop_trees([self.daemon.pid])
            self.daemon.wait(10)
        for one in self.family:
            if one.is_running():
                one.kill()


@contextmanager
def dagster_on(world: World) -> Iterator[Dagster]:
    """Dagster's instance in our database, and its daemon at work until the block ends."""
    home = world.log.parent / "dagster"
    url = libpq_url(world.variables["BILLING_DATABASE_URL"], driver="postgresql+psycopg2")
    ours = {"DAGSTER_HOME": str(home), "DAGSTER_POSTGRES_URL": url}
    world = world.like(variables={**world.variables, **_QUICK, **ours})
    subprocess.run([PROGRAM, "init"], env=dict(world.variables), capture_output=True, check=True, timeout=120)
    settings = home / "dagster.yaml"  # a run that is killed while it starts is waited for this long
    settings.write_text(settings.read_text().replace("start_timeout_seconds: 90", "start_timeout_seconds: 20"))
    running = Dagster(world)
    try:
        running.start()
        yield running
    finally:
        running.end()


def _comes(condition: Callable[[], bool]) -> bool:
    """Waits until a condition holds; false when it does not in time."""
    deadline = time.monotonic() + _SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_SECONDS)
    return True
