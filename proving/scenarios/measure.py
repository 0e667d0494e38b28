"""One scenario: a system at work, a cause, its end; what is lost, doubled, off, and how soon all is as before."""

import threading
import time
from bisect import bisect_left
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import NamedTuple

import psycopg
import requests

from billing_assets.foundation.database.connection import connect
from proving.scenarios.causes import SCENARIOS, Here
from proving.scenarios.fleet import DagsterFleet, Fleet, PlainFleet
from proving.scenarios.world import Scale, World, open_world

_LOOK_SECONDS = 0.2
_WINDOW_SECONDS = 2.0
_AS_BEFORE = 0.9
_START_SECONDS = 900.0  # a busy machine needs minutes
_DONE_SECONDS = 900.0
_MEASURED_SECONDS = 3.0
_BEFORE_THE_END = 0.9  # then the first run is through with its batch, and the last lanes run empty


class Result(NamedTuple):
    """What came of a scenario. Rates in documents per second; None where the backlog was too short to measure it.

    `recovery_seconds`: from the end of the cause until every batch that it found at work is at work again or done, and
    for two seconds documents land at nine tenths of the rate before. None: never.
    """

    name: str
    documents: int
    documents_lost: int
    documents_doubled: int
    cents_off: int
    unequal: int
    recovery_seconds: float | None
    before: float | None
    during: float | None
    after: float | None
    seconds: float

    @property
    def whole(self) -> bool:
        """Nothing lost, doubled or off."""
        return not (self.documents_lost or self.documents_doubled or self.cents_off or self.unequal)

    @property
    def at_its_mark(self) -> bool:
        """Whole, well within ten seconds, and as fast as before."""
        well = self.recovery_seconds is not None and self.recovery_seconds < 10
        fast = self.before is None or (self.after is not None and self.after >= 0.95 * self.before)
        return self.whole and well and fast


@dataclass
class Landings:
    """How many documents the sandbox had created, looked at five times a second."""

    world: World
    seen: list[tuple[float, int]] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Looks until it is stopped; while the sandbox is down there is nothing to see."""
        while not self.stopping.wait(_LOOK_SECONDS):
            with suppress(requests.RequestException):
                answer = requests.get(f"{self.world.sandbox.base_url}/sandbox/summary", timeout=5)
                self.seen.append((time.monotonic(), int(answer.json()["posts"]["created"])))

    def at(self, moment: float) -> float:
        """How many there were at a moment, between two looks by their distance."""
        seen = self.seen
        place = bisect_left(seen, (moment, 0))
        if place in (0, len(seen)):
            return seen[min(place, len(seen) - 1)][1] if seen else 0
        (before, few), (after, more) = seen[place - 1], seen[place]
        return few + (more - few) * (moment - before) / (after - before)

    def rate(self, begin: float, end: float) -> float:
        """Documents per second between two moments."""
        return (self.at(end) - self.at(begin)) / (end - begin)


def play(name: str, folder: Path, scale: Scale, *, dagster: bool) -> Result:
    """Plays one scenario in a folder of its own."""
    began = time.monotonic()
    scenario = SCENARIOS[name]
    if dagster and scenario.documents:
        # One batch for each run: where all runs change to their next at once, the rate falls without any cause.
        scale = scale._replace(documents=scenario.documents, batch=ceil(scenario.documents / scale.at_work))
    with open_world(folder, scale, volume_megabytes=scenario.volume_megabytes) as world:
        fleet: Fleet = (DagsterFleet if dagster else PlainFleet)(world, world.variables, folder / "fleet.log")
        landings = Landings(world)
        watcher = threading.Thread(target=landings.watch, name="landings", daemon=True)
        watcher.start()
        fleet.start()
        try:
            assert _wait(lambda: len(_at_work(world)) >= scale.at_work, _START_SECONDS), "the runs did not come to work"
            time.sleep(min(1.0, scale.before))
            steady = time.monotonic()
            time.sleep(scale.before)
            found = _at_work(world)
            struck = time.monotonic()
            scenario.cause(Here(world, fleet, scenario.full if dagster else scenario.short))
            gone = time.monotonic()
            before = landings.rate(steady, struck)
            recovered = _recovered(world, landings, found, gone, before)
            settled = None if recovered is None else recovered + _WINDOW_SECONDS
            time.sleep(scale.after and scale.after + _WINDOW_SECONDS)
            after = _after(landings, settled, scale) if settled else None
            _wait(lambda: _is_done(world), _DONE_SECONDS)
        finally:
            fleet.stop()
            landings.stopping.set()
            watcher.join()
        counted = world.count()
        return Result(
            name,
            counted.documents,
            counted.lost,
            counted.doubled,
            counted.cents_off,
            counted.unequal,
            None if recovered is None else round(recovered - gone, 1),
            before if scale.before >= _MEASURED_SECONDS else None,
            landings.rate(struck, gone) if gone - struck >= _MEASURED_SECONDS else None,
            after,
            time.monotonic() - began,
        )


def _at_work(world: World) -> dict[str, int]:
    """Batches that are not done and of which something was posted or tried, and how many outcomes each has."""
    with suppress(psycopg.OperationalError), connect(world.url) as connection:
        rows = connection.execute(
            """
            select a.batch, count(o.id) as outcomes
            from billing.locked_batches as b
            join billing.posting_attempts as a on a.batch = b.partition_key
            left join billing.posting_outcomes as o on o.attempt = a.id
            where b.state <> 'posted' group by 1 having count(o.id) > 0"""
        )
        return {row["batch"]: row["outcomes"] for row in rows}
    return {}


def _is_done(world: World) -> bool:
    with suppress(psycopg.OperationalError), connect(world.url) as connection:
        row = connection.execute(
            """
            select not exists (select from billing.locked_batches where state <> 'posted')
               and not exists (select from billing.staged_invoices
                               where state in ('ready', 'batched', 'locked', 'posting')) as done"""
        ).fetchone()
        return bool(row and row["done"])
    return False


def _recovered(world: World, landings: Landings, found: dict[str, int], gone: float, before: float) -> float | None:
    """The moment from which all is as it was."""
    moments: dict[str, float] = {}
    at_gone: dict[str, int] | None = None
    deadline = gone + _DONE_SECONDS
    while time.monotonic() < deadline:
        now = time.monotonic()
        outcomes = _outcomes(world, found)
        if outcomes is not None:
            at_gone = at_gone if at_gone is not None else outcomes
            for key in found.keys() - moments.keys():
                if key not in outcomes or outcomes[key] > at_gone.get(key, 0):
                    moments[key] = now
        flowing = _flowing(landings, gone, now, before) or (_is_done(world) and now)
        if len(moments) == len(found) and flowing:
            return max([gone, flowing, *moments.values()])
        time.sleep(_LOOK_SECONDS)
    return None


def _outcomes(world: World, found: dict[str, int]) -> dict[str, int] | None:
    """Outcomes of those batches that are not done yet; None while the database does not say."""
    with suppress(psycopg.OperationalError), connect(world.url) as connection:
        rows = connection.execute(
            """
            select b.partition_key, (
                select count(*) from billing.posting_attempts as a
                join billing.posting_outcomes as o on o.attempt = a.id where a.batch = b.partition_key) as outcomes
            from billing.locked_batches as b where b.state <> 'posted' and b.partition_key = any(%s)""",
            [list(found)],
        )
        return {row["partition_key"]: row["outcomes"] for row in rows}
    return None


def _flowing(landings: Landings, gone: float, now: float, before: float) -> float | None:
    """The first moment after the cause from which documents land as before, for a window."""
    for moment, _ in list(landings.seen):
        seen_out = gone <= moment <= now - _WINDOW_SECONDS
        if seen_out and landings.rate(moment, moment + _WINDOW_SECONDS) >= _AS_BEFORE * before:
            return moment
    return None


def _after(landings: Landings, settled: float, scale: Scale) -> float | None:
    """The rate from then on, for as long as all runs have something left to post."""
    enough = _BEFORE_THE_END * scale.documents
    end = next((moment for moment, count in landings.seen if count >= enough), time.monotonic())
    end = min(end, settled + scale.after)
    return landings.rate(settled, end) if end - settled >= _MEASURED_SECONDS else None


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    return met
