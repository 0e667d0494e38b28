"""Files taken in, validated and paired by Dagster's runs on two Celery workers, of which one dies, against one process.

The machines are those of the Celery deployment (proving/celery). Two runs read files side by side until the machine of
one of them dies with a file in its hands; then the months are validated by a run each, at once.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from billing_assets.foundation.database import embedded
from billing_assets.foundation.database.connection import connect, libpq_url
from billing_assets.foundation.runtime import DATABASE
from billing_assets.foundation.settings import variable
from billing_assets.operations.utility import bring, inbox_settings, made_world
from billing_assets.sandbox.samples.utility.rates import AFTER, MONTHS, SEED
from proving.celery.machines import Machine
from proving.market.contents import digests
from proving.scenarios.world import can_mount
from proving.world.command import typed
from proving.world.servers import free_port, postgres, redis

_LOOK_SECONDS = 0.1
_SECONDS = 1800.0
_IMPORT, _VALIDATE = "import_market_files", "validate_readings"
_SETTINGS = {
    "areas": "metering",
    "metering.lease_seconds": "2",
    "metering.look_seconds": "1",
    "batches.lease_seconds": "5",
}
_FOLDERS = ("control", "worker-1", "worker-2")


class Result(NamedTuple):
    """What came of it. `died_with`: files that the dead machine had begun; `readers`: processes that had
    one in their hands at that moment; `differing`: tables that are not those of one process."""

    points: int
    files: int
    rows: int
    died_with: int
    readers: int
    differing: list[str]
    seconds: float


@dataclass(frozen=True)
class System:
    """`control` has daemon and code server, the others a worker each; `home`: of the input folders, which both see."""

    control: Machine
    workers: list[Machine]
    home: Path
    url: str

    @property
    def machines(self) -> list[Machine]:
        return [self.control, *self.workers]

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """From our database."""
        with connect(self.url) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def wait(self, condition: Callable[[], bool]) -> None:
        """Until it holds. Raises RuntimeError when a process of a machine ends, TimeoutError after half an hour."""
        began = time.monotonic()
        while not condition():
            for machine in self.machines:
                for unit, process in machine.processes.items():
                    if process.poll() is not None:
                        raise RuntimeError(f"{unit} ended with code {process.returncode}:\n{machine.said()}")
            if time.monotonic() - began > _SECONDS:
                raise TimeoutError("\n".join(machine.said() for machine in self.machines))
            time.sleep(_LOOK_SECONDS)


def play(folder: Path, points: int) -> Result:
    """Takes the world of so many points in by workers, and by one process on a database of its own."""
    world = made_world(folder / "world", points, SEED)
    with opened(folder, _SETTINGS) as system:
        began = time.monotonic()
        died_with, readers = _by_workers(system, world)
        seconds = time.monotonic() - began
        _by_one_process(folder / "peace", system.url.rpartition("/")[0] + "/peace", world)
        with connect(system.url) as connection:
            found = digests(connection)
            (row,) = connection.execute("select count(*) as files from billing.raw_files")
        with connect(system.url.rpartition("/")[0] + "/peace") as connection:
            expected = digests(connection)
    return Result(
        points,
        row["files"],
        sum(many for many, _ in expected.values()),
        died_with,
        readers,
        [name for name in expected if expected[name] != found[name]],
        seconds,
    )


@contextmanager
def opened(folder: Path, settings: Mapping[str, str]) -> Iterator[System]:
    """Servers with a database and another, `peace`, and three machines with these settings; nothing is started yet."""
    with postgres(None) as server, redis(folder / "servers" / "redis") as broker:
        base = server.rpartition("/")[0]
        for name in (DATABASE, "peace"):
            embedded.create_database(server, name)
        home, url = folder / "shared", f"{base}/{DATABASE}"
        variables = {
            **{variable(name): value for name, value in ({**settings, **inbox_settings(home)}).items()},
            "BILLING_DATABASE_URL": url,
            "DAGSTER_POSTGRES_URL": libpq_url(url, driver="postgresql+psycopg2"),
            "DAGSTER_CELERY_BROKER_URL": f"{broker}/0",
            "DAGSTER_CELERY_BACKEND_URL": f"{broker}/1",
        }
        folders, port = [folder / name for name in _FOLDERS], free_port()
        machines = []
        for number, own in enumerate(folders):
            others = [other for other in (*folders, folder / "servers") if other != own]
            machines.append(Machine(own, variables, port, others if can_mount() else (), str(number)))
            machines[-1].set_up()
        system = System(machines[0], machines[1:], home, url)
        try:
            yield system
        finally:
            for machine in system.machines:
                machine.die()


def _by_workers(system: System, world: Path) -> tuple[int, int]:
    """Everything by runs of Dagster; how many files the machine had begun that died, and how many processes had one."""
    system.control.run("init")
    _load_master_data(system.control.run, world, system.home)
    for path in sorted((world / "arrivals").glob("*/*/*")):
        bring(path, system.home)
    for unit in ("billing-code-server", "billing-daemon"):
        system.control.start(unit)
    with connect(system.url) as connection, connection.transaction():
        # Every reader waits at its first message, with a file in its hands, however quick the machine is.
        connection.execute("lock table billing.raw_messages in share mode")
        for worker in system.workers:
            worker.start("billing-worker@")
        system.wait(lambda: _runs(system, _IMPORT) > 0)  # the sensor asked for it
        _launch(system, _IMPORT)
        dead, begun, readers = _kill_a_reader(system)
    dead.start("billing-worker@")
    system.wait(lambda: _is_taken_in(system))
    for month in MONTHS:
        _launch(system, _VALIDATE, {"dagster/partition": f"{month:%Y-%m}"})
    system.wait(lambda: _runs(system, _VALIDATE, "SUCCESS") == len(MONTHS))
    return begun, readers


def _launch(system: System, job: str, tags: Mapping[str, str] | None = None) -> None:
    workspace = str(system.control.folder / "etc" / "workspace.yaml")
    options = ["job", "launch", "--workspace", workspace, "--job", job, "--tags", json.dumps(dict(tags or {}))]
    system.control.run(*options, program="dagster")


def _kill_a_reader(system: System) -> tuple[Machine, int, int]:
    """SIGKILL for a worker with all its processes while it has a file in its hands: once two processes have one."""
    victims: list[tuple[Machine, int, int]] = []

    def is_reading() -> bool:
        files = system.rows("select queue_worker from billing.raw_files where queue_state = 'claimed'")
        claimed = {_pid(file["queue_worker"]) for file in files}
        if len(claimed) > 1:
            held = [(worker, len(claimed & worker.pids())) for worker in system.workers]
            victims.extend((worker, many, len(claimed)) for worker, many in held if many)
        return bool(victims)

    system.wait(is_reading)
    machine, begun, readers = victims[0]
    machine.die()
    return machine, begun, readers


def _pid(worker: str) -> int:
    """Of a worker as import's `worker()` names it: host and process."""
    return int(worker.rpartition(" ")[2])


def _is_taken_in(system: System) -> bool:
    (row,) = system.rows(
        """
        select count(*) filter (where queue_state <> 'done' or moved_at is null) as left_over,
            (select count(*) from billing.usage_messages where state = 'accepted') as unsettled
        from billing.raw_files"""
    )
    at_work = _runs(system, _IMPORT, "QUEUED", "STARTING", "STARTED")
    return not row["left_over"] and not row["unsettled"] and not at_work


def _runs(system: System, job: str, *statuses: str) -> int:
    """How many there are; with statuses only those."""
    (row,) = system.rows(
        "select count(*) as n from runs where pipeline_name = %s and status = any(coalesce(%s::text[], array[status]))",
        job,
        list(statuses) or None,
    )
    found: int = row["n"]
    return found


def _by_one_process(home: Path, url: str, world: Path) -> None:
    """The same by commands, one after the other, nothing beside them."""
    settings = _SETTINGS | inbox_settings(home)
    variables = {variable(name): value for name, value in settings.items()} | {
        "BILLING_DATABASE_URL": url,
        "BILLING_HOME": str(home),
    }

    def billing(*command: str) -> str:
        said = typed(variables, *command, seconds=_SECONDS)
        if said.code:
            raise RuntimeError(f"billing {command}: {said.words}")
        return said.out

    billing("init")
    _load_master_data(billing, world, home)
    for path in sorted((world / "arrivals").glob("*/*/*")):
        bring(path, home)
    billing("metering", "import", "--json")
    for begin, end in zip(MONTHS, [*MONTHS[1:], AFTER], strict=True):
        billing("metering", "validate", f"{begin}", f"{end}", "--closing")


def _load_master_data(billing: Callable[..., str], world: Path, home: Path) -> None:
    """Copied to where every machine sees it."""
    for name in ("master_data", "master_data_later"):
        there = home / name
        shutil.copytree(world / name, there)
        billing("metering", "load-master", str(there))
