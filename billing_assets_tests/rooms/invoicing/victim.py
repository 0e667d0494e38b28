"""Workers of the invoice engine that kill themselves, one after the other: `python -m … url`.

Each does it at a point of its own, in a batch of its own: while it makes drafts, checks them, or issues them. After
each one everything that must hold of invoices is looked at. Prints the signal that ended each, by point, as JSON.
"""

import json
import os
import sys
from collections.abc import Callable

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.invoicing.invoices import processing, releasing
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.work_queue.working import WorkPolicy
from billing_assets_tests.rooms.posting.victim import Trap, around
from proving.invoicing import invariants, messages, world
from proving.invoicing.points import CHANGED, POINTS, STALE

CUSTOMERS = 2
"""Of each point: one may be through when its worker dies."""
POLICY = WorkPolicy(lease_seconds=1.0)


IN_ORDER = list(POINTS)


def first_of(point: str) -> int:
    """The number of the first customer of a point."""
    return 1 + CUSTOMERS * IN_ORDER.index(point)


def group_of(point: str) -> str:
    """The bill group of a point."""
    return f"G{IN_ORDER.index(point)}"


def prepare(connection: Connection) -> dict[str, int]:
    """The world: for each point a batch that may be invoiced."""
    world.tariff(connection)
    for point in IN_ORDER:
        world.group(connection, group_of(point))
        world.customers(connection, group_of(point), first_of(point), CUSTOMERS)
    world.metered(connection, 1, CUSTOMERS * len(IN_ORDER))
    batches_of = {point: world.pending(connection, group_of(point))[0] for point in IN_ORDER}
    messages.cancel(connection, first_of(CHANGED), world.JUNE)
    return batches_of


def work(url: str, connection: Connection, batch: int, before_issue: Callable[[], None]) -> None:
    """All the way with one batch, as far as it is due."""
    processing.process(url, connection, rate_case, "worker", batch, policy=POLICY, today=world.CUT_OFF)
    releasing.check_quality(connection, batch, world.CUT_OFF)
    before_issue()
    releasing.issue(connection, batch, world.CUT_OFF)


def change(connection: Connection, point: str) -> None:
    """What happens to a customer of a point between draft and issue."""
    if point == STALE:
        messages.cancel(connection, first_of(STALE), world.JUNE)


def _die(url: str, point: str, batch: int) -> None:
    at = POINTS[point]
    with connect(url) as connection:
        around(at.module, at.function, Trap(at.nth), at.when)
        work(url, connection, batch, lambda: change(connection, point))


def main(url: str) -> None:
    """All of them."""
    with connect(url) as connection:
        batches_of = prepare(connection)
    ended = {}
    for point, batch in batches_of.items():
        if (child := os.fork()) == 0:
            try:
                _die(url, point, batch)
            finally:
                os._exit(0)
        ended[point] = os.WTERMSIG(os.waitpid(child, 0)[1])
        with connect(url) as connection:
            invariants.check(connection)
    print(json.dumps(ended))


if __name__ == "__main__":
    main(*sys.argv[1:])
