"""All points, many rounds, on a PostgreSQL and a sandbox of its own."""

import random
import statistics
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from billing_assets.foundation.database import embedded
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.shipped import shipped
from billing_assets.sandbox.netsuite.process import RunningSandbox, start_sandbox
from proving.kills.daemon import DAEMON_POINTS, dagster_on
from proving.kills.points import POINTS
from proving.kills.rounds import Round, kill_and_recover, stop_and_wake
from proving.kills.world import World, fill, open_world
from proving.world.account import Account
from proving.world.world import seeded

STOPPED = "SIGSTOP longer than the lease, then SIGCONT"
_STOP_POINTS = [point for point in POINTS if not any(word in point for word in ("staging", "sensor", "the lock"))]
"""Those where a run holds its batch: before, it would lock anew and find nothing to do."""
_DOCUMENTS = 120
_KILLS = 3


class KillRow(NamedTuple):
    """All rounds of one point. `seconds_to_recover`: from the last kill until everything was posted and read back, the
    dead run's lease and the start of a new process included; None where that never came. `unequal`: documents with a
    field or line that differs. `sent_again`: POSTs that only NetSuite's uniqueness refused, and those of a run over
    everything after the end. `failed`: rounds that did not end whole, or whose process was never struck.
    """

    point: str
    kills: int
    documents: int
    lost: int
    doubled: int
    cents_off: int
    unequal: int
    sent_again: int
    failed: int
    seconds_to_recover_median: float | None
    seconds_to_recover_max: float | None


@dataclass(frozen=True)
class _Servers:
    home: Path
    server: embedded.EmbeddedServer
    sandbox: RunningSandbox
    account: Account

    @contextmanager
    def world(self) -> Iterator[World]:
        name = uuid.uuid4().hex[:12]
        state, source = f"state_{name}", f"source_{name}"
        for database in (state, source):
            embedded.create_database(self.server.url(), database)
        state_url, source_url = self.server.url(state), self.server.url(source)
        migrate(state_url, shipped("sql/state"))
        with open_world(state_url, source_url, self.sandbox, self.account, self.home / name) as opened:
            yield opened


@contextmanager
def _servers() -> Iterator[_Servers]:
    with tempfile.TemporaryDirectory(prefix="billing kills ", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        server = embedded.start(home)
        try:
            with start_sandbox(home / "sandbox") as sandbox:
                yield _Servers(home, server, sandbox, seeded(sandbox))
        finally:
            embedded.stop(home, mode="immediate")


def run(rounds: int, seed: int | None = None) -> list[KillRow]:
    """So many rounds of every point; each of the first ten kills three processes in a row on one backlog.

    Raises nothing for what a round loses or doubles: it stands in its row.
    """
    return list(rows(rounds, seed))


def rows(rounds: int, seed: int | None = None) -> Iterator[KillRow]:
    """The same, each row as soon as it is there."""
    chance = random.Random(seed)
    with _servers() as servers:
        for point in POINTS:
            yield _row(point, [_killed(servers, point, chance) for _ in range(rounds)])
        yield _row(STOPPED, [_stopped(servers, chance) for _ in range(rounds)])
        with servers.world() as world, dagster_on(world) as dagster:
            for point in DAEMON_POINTS:
                yield _row(point, [dagster.kill([point], _DOCUMENTS, chance) for _ in range(rounds)])


def _killed(servers: _Servers, point: str, chance: random.Random) -> Round:
    with servers.world() as world:
        fill(world.source, _DOCUMENTS)
        return kill_and_recover(world, [point] * _KILLS, chance)


def _stopped(servers: _Servers, chance: random.Random) -> Round:
    with servers.world() as world:
        fill(world.source, _DOCUMENTS)
        return stop_and_wake(world, chance.choice(_STOP_POINTS), chance)


def _row(point: str, found: Sequence[Round]) -> KillRow:
    seconds = [one.recovered_in for one in found if one.recovered_in is not None]
    complete = bool(seconds) and len(seconds) == len(found)
    return KillRow(
        point,
        sum(len(one.struck) for one in found),
        sum(one.count.documents for one in found),
        sum(one.count.lost for one in found),
        sum(one.count.doubled for one in found),
        sum(one.count.cents_off for one in found),
        sum(one.count.unequal for one in found),
        sum(one.count.sent_twice + one.sent_again for one in found),
        sum(not (one.whole and one.struck) for one in found),
        round(statistics.median(seconds), 1) if complete else None,
        round(max(seconds), 1) if complete else None,
    )
