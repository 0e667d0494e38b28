"""The utility sample taken in by processes that are killed again and again, against a run in peace.

The whole world goes in: files, readings, validation, pairs. `billing utility` is the process; it goes on where one that
was killed stood, and at its end compares the tables with the world's ledger, which no reader of ours has written.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from billing_assets.foundation.database import embedded
from billing_assets.foundation.database.connection import connect
from billing_assets.operations.utility import made_world
from billing_assets.sandbox.samples.utility.rates import SEED
from proving.market.contents import digests
from proving.world.command import PROGRAM, environment

_LEASE_SECONDS = "2"
_FIRST_SECONDS = 2.0
"""No process is killed before: it would only have begun to import Python's modules."""
_SECONDS = 3600.0


class Result(NamedTuple):
    """What came of it. `differing`: tables that are not as in peace; `files`: of the world."""

    points: int
    files: int
    rows: int
    kills: int
    differing: list[str]
    as_the_ledger_says: bool
    peace_seconds: float
    killed_seconds: float

    @property
    def whole(self) -> bool:
        """Killed and in peace are the same, and as the ledger says."""
        return not self.differing and self.as_the_ledger_says


@dataclass
class Home:
    """A database and a home of its own, on a world that all share."""

    folder: Path
    url: str
    points: int
    days_at_once: int

    @property
    def variables(self) -> Mapping[str, str]:
        """Of each process."""
        return environment(
            {
                "BILLING_HOME": str(self.folder),
                "BILLING_DATABASE_URL": self.url,
                "BILLING_METERING__LEASE_SECONDS": _LEASE_SECONDS,
            }
        )

    def start(self) -> subprocess.Popen[bytes]:
        """`billing utility`, its output in a file of the home."""
        options = ["utility", "--points", str(self.points), "--days-at-once", str(self.days_at_once)]
        with (self.folder / "utility.log").open("ab") as log:
            return subprocess.Popen(
                [PROGRAM, *options], env=dict(self.variables), stdout=log, stderr=log, start_new_session=True
            )

    def log(self) -> str:
        """The end of what it said."""
        return (self.folder / "utility.log").read_text(encoding="utf-8", errors="replace")[-3000:]


def play(folder: Path, points: int, kills: int, *, days_at_once: int = 1, seed: int | None = None) -> Result:
    """Takes the world of so many points in, twice. Raises RuntimeError where a run ends otherwise than told."""
    chance = random.Random(seed)
    server = embedded.start(folder / "server")
    try:
        peace, killed = (_home(folder / name, server.url(name), points, days_at_once) for name in ("peace", "killed"))
        for name in ("peace", "killed"):
            embedded.create_database(server.url(), name)
        world = made_world(peace.folder, points, SEED)
        (killed.folder / "utility_world").symlink_to(world, target_is_directory=True)
        peace_seconds, is_right = _to_its_end(peace)
        began = time.monotonic()
        struck = _kill_again_and_again(killed, kills, peace_seconds, chance)
        _, is_still_right = _to_its_end(killed)
        killed_seconds = time.monotonic() - began
        with connect(peace.url) as one, connect(killed.url) as other:
            expected, found = digests(one), digests(other)
        return Result(
            points,
            sum(1 for path in (world / "arrivals").rglob("*") if path.is_file()),
            sum(many for many, _ in expected.values()),
            struck,
            [name for name in expected if expected[name] != found[name]],
            is_right and is_still_right,
            peace_seconds,
            killed_seconds,
        )
    finally:
        embedded.stop(folder / "server", mode="immediate")


def _home(folder: Path, url: str, points: int, days_at_once: int) -> Home:
    folder.mkdir(parents=True)
    return Home(folder, url, points, days_at_once)


def _to_its_end(home: Home) -> tuple[float, bool]:
    """Seconds that it took, and whether the ledger agrees."""
    began = time.monotonic()
    code = home.start().wait(timeout=_SECONDS)
    if code not in {0, 1}:
        raise RuntimeError(f"billing utility ended with {code}:\n{home.log()}")
    return time.monotonic() - began, code == 0


def _kill_again_and_again(home: Home, kills: int, peace_seconds: float, chance: random.Random) -> int:
    """SIGKILL for so many processes, each after a while drawn so that all of them fit into the work that there is; how
    many were struck before the work was through."""
    mean = peace_seconds / (kills + 1)
    for number in range(kills):
        process = home.start()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_FIRST_SECONDS + chance.uniform(0.1, 1.5) * mean)
            return number
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return kills
