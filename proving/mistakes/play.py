"""All mistakes by name, and one of them from start to count."""

import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from billing_assets.foundation.database import embedded
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.shipped import shipped
from billing_assets.sandbox.netsuite.process import start_sandbox
from proving.mistakes.elsewhere import new_prefix, other_account
from proving.mistakes.in_netsuite import landed_but_different, wrong_currency_id
from proving.mistakes.in_time import late_insert, restored_backup
from proving.mistakes.world import Place, World, open_world
from proving.world.world import seeded

FULL, SHORT = 1_000, 40
"""Documents of a backlog."""


class Result(NamedTuple):
    """What came of a mistake. `told`: where it was refused or named; `did`: what the operator did about it;
    `all_posted`: whether after that everything was posted and its month closed for good."""

    name: str
    documents: int
    lost: int
    doubled: int
    cents_off: int
    unequal: int
    told: str
    did: Sequence[str]
    all_posted: bool
    seconds: float

    @property
    def whole(self) -> bool:
        """Nothing lost, doubled or off, and everything posted in the end."""
        return self.all_posted and not (self.lost or self.doubled or self.cents_off or self.unequal)


MISTAKES: dict[str, Callable[[World], str]] = {
    "other_account": other_account,
    "new_prefix": new_prefix,
    "landed_but_different": landed_but_different,
    "restored_backup": restored_backup,
    "late_insert": late_insert,
    "wrong_currency_id": wrong_currency_id,
}


def play(name: str, world: World) -> Result:
    """Plays one. Raises AssertionError when it is not refused or told as it should be."""
    began = time.monotonic()
    told = MISTAKES[name](world)
    counted = world.count()
    return Result(
        name,
        counted.documents,
        counted.lost,
        counted.doubled + counted.sent_twice,
        counted.cents_off,
        counted.unequal,
        told,
        world.did,
        world.all_posted(),
        time.monotonic() - began,
    )


def run(names: Sequence[str] = (*MISTAKES,), documents: int = FULL) -> Iterator[Result]:
    """These at full size, on a PostgreSQL and two sandboxes of their own."""
    folder = Path(tempfile.mkdtemp(prefix="billing mistakes "))
    try:
        server = embedded.start(folder, durable=False)
        with start_sandbox(folder / "netsuite") as here, start_sandbox(folder / "another") as other:
            places = Place(here, seeded(here)), Place(other, seeded(other))
            for name in names:
                with _world(server, places, folder / name, documents) as world:
                    yield play(name, world)
    finally:
        embedded.stop(folder, mode="immediate")
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _world(
    server: embedded.EmbeddedServer, places: tuple[Place, Place], folder: Path, documents: int
) -> Iterator[World]:
    name = uuid.uuid4().hex[:12]
    state, source = f"state_{name}", f"source_{name}"
    for database in (state, source):
        embedded.create_database(server.url(), database)
    migrate(server.url(state), shipped("sql/state"))
    with open_world(server.url(), server.url(state), server.url(source), *places, folder, documents) as opened:
        yield opened
