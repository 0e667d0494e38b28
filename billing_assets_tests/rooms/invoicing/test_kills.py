"""Workers that are killed at every point of drafting and issuing: each customer is billed once, no number is lost."""

import json
import signal
import subprocess
import sys
from functools import partial

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.processing import process
from billing_assets_tests.rooms.invoicing.victim import CUSTOMERS, IN_ORDER, POLICY, change, prepare, work
from proving.invoicing import contents, invariants, world
from proving.invoicing.points import CHANGED, STALE
from proving.world.waiting import until

VICTIM = "billing_assets_tests.rooms.invoicing.victim"


def test_wherever_workers_are_killed_the_invoices_are_those_of_a_run_in_peace(
    state: Connection, state_url: str, another_state_url: str
) -> None:
    victims = subprocess.run(
        [sys.executable, "-m", VICTIM, state_url], capture_output=True, text=True, timeout=300, check=False
    )
    assert not victims.returncode, victims.stderr
    assert json.loads(victims.stdout.splitlines()[-1]) == dict.fromkeys(IN_ORDER, signal.SIGKILL), victims.stderr
    go_on(state, state_url)
    invariants.check(state)
    with connect(another_state_url) as other:
        for point, batch in prepare(other).items():
            work(another_state_url, other, batch, partial(change, other, point))
        assert contents.documents(state) == contents.documents(other)
    issued = state.execute("select sequence from billing.utility_invoices where state = 'issued' order by 1").fetchall()
    billed = CUSTOMERS * len(IN_ORDER) - len([CHANGED, STALE])
    assert [row["sequence"] for row in issued] == list(range(1, billed + 1)), (
        "each customer once, numbers without a gap"
    )


def go_on(state: Connection, url: str) -> None:
    """A worker that takes what the killed ones left, when their leases have ended."""

    def is_done() -> bool:
        process(url, state, rate_case, "the last one", policy=POLICY, today=world.CUT_OFF)
        (row,) = state.execute(
            "select count(*) as many from billing.invoice_batches where state in ('pending', 'processing')"
        ).fetchall()
        return not row["many"]

    until(is_done, "every batch is invoiced")
    rows = state.execute(
        "select id from billing.invoice_batches where state in ('completed', 'error_occurred') order by id"
    ).fetchall()
    for row in rows:
        work(url, state, row["id"], lambda: None)
