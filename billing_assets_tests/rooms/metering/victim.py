"""Runs of the import engine that kill themselves, one after the other: `python -m … url inbox`.

Each does it at a point of its own. Before each one new files come in, so that every point is passed. Prints the signal
that ended each, by point, as JSON.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from billing_assets.foundation.files import local
from billing_assets.foundation.files.local import LocalFolder
from billing_assets.metering.import_engine import loading, message_store, store
from billing_assets.work_queue import claims
from billing_assets_tests.rooms.metering.inboxes import fill, run, source
from billing_assets_tests.rooms.metering.market_files import nem12
from billing_assets_tests.rooms.posting.victim import Trap, around

POINTS: dict[str, Callable[[Trap], None]] = {
    "a file is about to be stored": lambda trap: around(store, "store_raw", trap, "before"),
    "its bytes are on their way": lambda trap: around(store, "_even", trap, "after"),
    "it is stored": lambda trap: around(store, "store_raw", trap, "after"),
    "it is claimed": lambda trap: around(claims, "claim", trap, "after"),
    "some of its messages are written": lambda trap: around(message_store, "write", trap, "after"),
    "its verdict is written and not committed": lambda trap: around(store, "decide", trap, "after"),
    "its claim is about to be completed": lambda trap: around(claims, "complete", trap, "before"),
    "its claim is completed and not committed": lambda trap: around(claims, "complete", trap, "after"),
    "it is read": lambda trap: around(loading, "load", trap, "after"),
    "it is about to be moved": lambda trap: around(store, "plan_move", trap, "after"),
    "it has two names": lambda trap: around(local, "_give_name", trap, "after"),
    "it is moved": lambda trap: around(LocalFolder, "move", trap, "after"),
    "that it was moved is noted": lambda trap: around(store, "note_moved", trap, "after"),
}
POINTS_NTH = {"some of its messages are written": 2}
POINTS_IN_ORDER = list(POINTS)


def files(number: int) -> dict[str, bytes]:
    """What comes in before the n-th run: more blocks than are written at once, and a broken file."""
    points = [f"400100000{n}" for n in range(4)]
    good = nem12(*points, days=10, created=f"20260801{number:02}00", stamp=f"202608{number + 1:02}000000", value=number)
    return {f"good {number}.csv": good, f"bad {number}.csv": nem12(points[0], value=number)[:-9]}


def main(url: str, inbox: str) -> None:
    """All of them."""
    loading.BATCH = 20
    ended = {}
    for number, point in enumerate(POINTS_IN_ORDER):
        fill(Path(inbox), files(number))
        if (child := os.fork()) == 0:
            try:
                POINTS[point](Trap(POINTS_NTH.get(point, 1)))
                run(url, source(Path(inbox)), worker=point)
            finally:
                os._exit(0)
        ended[point] = os.WTERMSIG(os.waitpid(child, 0)[1])
    print(json.dumps(ended))


if __name__ == "__main__":
    main(*sys.argv[1:])
