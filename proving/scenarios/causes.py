"""What strikes a running system. Each function does its worst for the seconds it is given, then puts the cause away."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

import psutil
import psycopg
import requests

from billing_assets.foundation.database import embedded
from billing_assets.foundation.database.connection import libpq_url
from billing_assets.operations.processes import daemon_command
from proving.scenarios.fleet import DagsterFleet, Fleet, PlainFleet, kill_one
from proving.scenarios.world import World
from proving.world import clock

_IDLE_CONNECTIONS = 300
_KILL_EVERY_SECONDS = 3.0
_TERMINATE_EVERY_SECONDS = 0.1
_OTHER_INTEGRATION = 11  # of the account's 15 lanes
_JUMP_SECONDS = 3600.0


@dataclass
class Here:
    """A world, who works in it, and for how long the cause lasts (s)."""

    world: World
    fleet: Fleet
    seconds: float


def crash_recovery(here: Here) -> None:
    """One of three runs is killed."""
    assert kill_one(here.fleet), "no run to kill"


def repeated_kills(here: Here) -> None:
    """A run is killed every few seconds."""
    end = time.monotonic() + here.seconds
    pause = min(_KILL_EVERY_SECONDS, here.seconds / 3)
    while time.monotonic() < end:
        kill_one(here.fleet, max(0.1, end - time.monotonic()))
        time.sleep(pause)


def postgres_restart(here: Here) -> None:
    """Our PostgreSQL is stopped in mode `immediate`, as by a crash, and started again."""
    embedded.stop(here.world.home, mode="immediate")
    here.world.server = embedded.start(here.world.home)


def pg_backend_kill(here: Here) -> None:
    """A stream of pg_terminate_backend: ten connections a second, whichever."""
    with _looking(here.world) as connection:
        end = time.monotonic() + here.seconds
        while time.monotonic() < end:
            connection.execute(
                """
                select pg_terminate_backend(pid) from pg_stat_activity
                where backend_type = 'client backend' and pid <> pg_backend_pid() order by random() limit 1"""
            )
            time.sleep(_TERMINATE_EVERY_SECONDS)


def pool_exhaustion(here: Here) -> None:
    """Somebody opens idle connections until PostgreSQL takes no more, and keeps them."""
    with ExitStack() as held:
        opened, end = 0, float("inf")
        while time.monotonic() < end:
            try:
                held.enter_context(psycopg.connect(libpq_url(here.world.url), connect_timeout=5))
                opened += 1
            except psycopg.OperationalError:
                end = min(end, time.monotonic() + here.seconds)
                time.sleep(0.05)
        assert opened >= _IDLE_CONNECTIONS / 2, f"only {opened} connections were left to take"


def netsuite_down(here: Here) -> None:
    """NetSuite refuses connections, then answers nothing until the timeout, then a gateway answers with HTML."""
    world, third = here.world, here.seconds / 3
    world.sandbox.kill()
    time.sleep(third)
    world.restart_sandbox()
    world.account.switch(latency_median_ms=600_000)
    time.sleep(third)
    world.sandbox.kill()  # else what hangs would land after all
    world.restart_sandbox()
    world.account.switch(faults=[{"fault": "html_502", "operations": ["create", "read", "suiteql"]}])
    time.sleep(third)
    world.account.switch(faults=[])


def slow_commit(here: Here) -> None:
    """NetSuite commits seconds after the client gave up on its answer."""
    late = {"fault": "late_commit", "seconds": 0.8 * here.world.scale.longest_request, "probability": 0.2}
    here.world.account.switch(faults=[late])
    time.sleep(here.seconds)
    here.world.account.switch(faults=[])


def rate_storm(here: Here) -> None:
    """Another integration takes most of the account's lanes, without a pause."""
    stop = threading.Event()
    url = f"{here.world.sandbox.base_url}/services/rest/query/v1/suiteql"

    def press() -> None:
        session = requests.Session()
        session.headers.update(here.world.account.session.headers)
        session.auth = here.world.account.session.auth
        while not stop.is_set():
            session.post(url, json={"q": "SELECT id FROM currency ORDER BY id"}, headers={"Prefer": "transient"})

    count = round(_OTHER_INTEGRATION * here.world.scale.lanes / 15)
    here.world.account.switch(concurrency_limit=here.world.scale.lanes)
    threads = [threading.Thread(target=press, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    time.sleep(here.seconds)
    stop.set()
    for thread in threads:
        thread.join()


def disk_full(here: Here) -> None:
    """The volume of our database, and of all that we write, is full to the last byte."""
    filler = here.world.home / "filler"
    with filler.open("wb", buffering=0) as file:
        end = time.monotonic() + here.seconds
        while time.monotonic() < end:
            try:
                file.write(b"\0" * 65_536)
            except OSError:
                time.sleep(0.1)
    filler.unlink()


def clock_jump(here: Here) -> None:
    """The clock of our database goes an hour ahead, then an hour back, then right, and runs die meanwhile."""
    for ahead in (_JUMP_SECONDS, -_JUMP_SECONDS, 0.0):
        clock.set_ahead(here.world.url, ahead)
        kill_one(here.fleet, here.seconds / 3)
        time.sleep(here.seconds / 3)


def two_daemons(here: Here) -> None:
    """A second daemon is started by mistake beside the first."""
    if isinstance(here.fleet, DagsterFleet):
        with _second_daemon(here.fleet):
            time.sleep(here.seconds)
        return
    with _second_fleet(here, here.world.variables):
        time.sleep(here.seconds)


def two_deployments(here: Here) -> None:
    """A second deployment, with a folder of its own, is pointed at the same database."""
    home = here.world.home.parent / "another home"
    with _second_fleet(here, {**here.world.variables, "BILLING_HOME": str(home)}):
        time.sleep(here.seconds)


def lane_dropped(here: Here) -> None:
    """The connection that keeps one run's lanes is cut; the run lives on."""
    with _looking(here.world) as connection:
        cut = connection.execute(
            """
            select pg_terminate_backend(pid) from pg_stat_activity
            where application_name = 'billing lanes' order by random() limit 1"""
        ).fetchall()
    assert cut, "no run had lanes"


class Scenario(NamedTuple):
    """A cause, and for how many seconds it lasts at full size and in the short form (0: a moment).

    `volume_megabytes`: the world stands on a small volume of its own.
    """

    cause: Callable[[Here], None]
    full: float = 0
    short: float = 0
    volume_megabytes: int | None = None
    documents: int | None = None  # at full size, where the usual backlog ends before the cause does


SCENARIOS: dict[str, Scenario] = {
    "crash_recovery": Scenario(crash_recovery),
    "repeated_kills": Scenario(repeated_kills, full=15, short=3),
    "postgres_restart": Scenario(postgres_restart),
    "pg_backend_kill": Scenario(pg_backend_kill, full=12, short=2),
    "pool_exhaustion": Scenario(pool_exhaustion, full=12, short=2),
    "netsuite_down": Scenario(netsuite_down, full=180, short=4.5),
    "slow_commit": Scenario(slow_commit, full=12, short=2),
    "rate_storm": Scenario(rate_storm, full=12, short=2),
    "disk_full": Scenario(disk_full, full=12, short=2, volume_megabytes=1500),
    "clock_jump": Scenario(clock_jump, full=18, short=3),
    "two_daemons": Scenario(two_daemons, full=20, short=3),
    "two_deployments": Scenario(two_deployments, full=30, short=3, documents=2300),
    "lane_dropped": Scenario(lane_dropped),
}


@contextmanager
def _looking(world: World) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(libpq_url(world.url), autocommit=True) as connection:
        yield connection


@contextmanager
def _second_daemon(fleet: DagsterFleet) -> Iterator[None]:
    """A daemon in the environment of the first: Dagster's own, whose folder and database it shares."""
    assert fleet.process is not None
    daemon = next(
        one for one in psutil.Process(fleet.process.pid).children() if "dagster._daemon" in " ".join(one.cmdline())
    )
    with fleet.log.open("ab") as output, suppress(ProcessLookupError):
        second = subprocess.Popen(
            daemon_command(),
            env=daemon.environ(),
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=daemon.cwd(),
            start_new_session=True,
        )
        try:
            yield
        finally:
            for process in [*psutil.Process(second.pid).children(recursive=True), psutil.Process(second.pid)]:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            second.wait()


@contextmanager
def _second_fleet(here: Here, variables: Mapping[str, str]) -> Iterator[None]:
    log = here.world.home.parent / "second.log"
    if isinstance(here.fleet, DagsterFleet):
        second: Fleet = DagsterFleet(here.world, {**variables, "BILLING_DATABASE_URL": here.world.url}, log)
    else:
        second = PlainFleet(here.world, variables, log)
    second.start()
    try:
        yield
    finally:
        second.stop()
