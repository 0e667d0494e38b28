"""Corrections that kill themselves, one run after the other: `python -m … url`.

Each run answers what a utility sent after the bills, and dies at a point of its own. After each one everything that
must hold of invoices is looked at. Prints the signal that ended each, by point, as JSON.
"""

import json
import os
import sys
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.invoicing.batches import planning_store
from billing_assets.invoicing.corrections import answers, arrivals, correcting, store
from billing_assets.invoicing.corrections.arrivals import answer
from billing_assets.invoicing.invoices import adjustment_store, mirror_store, releasing
from billing_assets.invoicing.invoices import store as invoices
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets_tests.rooms.invoicing.customers import CUT_OFF
from billing_assets_tests.rooms.posting.victim import Trap, around
from proving.invoicing import invariants


class Point(NamedTuple):
    """Before or after a function, at its n-th call."""

    module: Any
    function: str
    when: str = "after"
    nth: int = 1


POINTS: dict[str, Point] = {
    "a draft is discarded and not committed": Point(releasing, "_drop"),
    "its account is about to be asked for again": Point(planning_store, "request", "before"),
    "a correction is opened": Point(store, "open_one"),
    "the batch of a pair is made": Point(planning_store, "correction_batch"),
    "the cancel is about to be written": Point(mirror_store, "write_cancel", "before"),
    "the cancel is written and nothing is billed again": Point(mirror_store, "write_cancel"),
    "the rebill is about to be drafted": Point(correcting, "invoice_next", "before"),
    "the rebill is drafted": Point(correcting, "invoice_next"),
    "the pair is checked": Point(releasing, "check_quality"),
    "the pair has its numbers": Point(invoices, "issue"),
    "metering knows that it is billed": Point(releasing, "note_all_billed"),
    "the original is about to be rebilled": Point(mirror_store, "note_rebilled", "before"),
    "the correction is done and not committed": Point(store, "end"),
    "the first proposal is taken": Point(answers, "take_candidate"),
    "a pair is committed": Point(arrivals, "_rebill"),
    "what came is on the invoice that stays": Point(mirror_store, "exchange"),
    "a difference is held and not committed": Point(adjustment_store, "hold"),
    "a cancel alone is issued and not committed": Point(correcting, "_issue"),
    "a cancel alone is committed": Point(arrivals, "_credit"),
}


def answering(connection: Connection) -> None:
    """One night."""
    answer(connection, rate_case, CUT_OFF)


def _die(url: str, at: Point) -> None:
    with connect(url) as connection:
        around(at.module, at.function, Trap(at.nth), at.when)
        answering(connection)


def main(url: str) -> None:
    """All of them."""
    ended = {}
    for name, point in POINTS.items():
        if (child := os.fork()) == 0:
            try:
                _die(url, point)
            finally:
                os._exit(0)
        ended[name] = os.WTERMSIG(os.waitpid(child, 0)[1])
        with connect(url) as connection:
            invariants.check(connection)
    print(json.dumps(ended))


if __name__ == "__main__":
    main(*sys.argv[1:])
