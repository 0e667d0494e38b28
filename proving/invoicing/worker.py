"""A worker that brings all batches to their end, beside others: `python -m proving.invoicing.worker URL`.

It validates what waits for it, invoices what is due, checks the drafts, and issues them. It ends when nothing is left.
"""

import os
import sys
import time
from contextlib import suppress
from datetime import date

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.invoicing.batches import reviewing
from billing_assets.invoicing.batches.store import BatchStateError
from billing_assets.invoicing.batches.validating import validate
from billing_assets.invoicing.invoices import releasing
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.processing import process
from billing_assets.work_queue.working import WorkPolicy
from proving.benchmarks.world import only_warnings
from proving.invoicing.world import CUT_OFF

POLICY = WorkPolicy(lease_seconds=2.0)
_LOOK_SECONDS = 0.1
_OPEN = ("pending_validation", "validating", "in_review", "pending", "processing")


def work(url: str, name: str, today: date = CUT_OFF) -> None:
    """All there is to do, until others have done the rest, too."""
    with connect(url) as connection:
        while _open(connection):
            for batch in _batches(connection, "b.state in ('pending_validation', 'in_review')"):
                with suppress(BatchStateError):  # another worker was quicker
                    validate(connection, batch, today=today)
                    reviewing.proceed(connection, batch, name, "All is clear")
            if process(url, connection, rate_case, name, policy=POLICY, today=today) is None:
                time.sleep(_LOOK_SECONDS)
            for batch in _batches(connection, _WITH_DRAFTS):
                releasing.check_quality(connection, batch, today)
                releasing.issue(connection, batch, today)


_WITH_DRAFTS = """b.state in ('completed', 'error_occurred') and exists (
    select from billing.utility_invoices as i where i.batch = b.id and i.state in ('drafted', 'approved'))"""


def _batches(connection: Connection, which: str) -> list[int]:
    rows = connection.execute(f"select b.id from billing.invoice_batches as b where {which} order by b.id".encode())  # noqa: S608
    return [row["id"] for row in rows]


def _open(connection: Connection) -> bool:
    return bool(_batches(connection, f"b.state in {_OPEN} or {_WITH_DRAFTS}"))


if __name__ == "__main__":
    only_warnings()
    work(sys.argv[1], f"worker {os.getpid()}")
