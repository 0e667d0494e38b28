"""A backlog to post: a period of the sample staged and planned, and run processes that work through it.

The processes do what Dagster's runs do with a batch, without Dagster.
"""

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing.pool import Pool
from multiprocessing.synchronize import Barrier

from billing_assets.erp.batches.ledger import DOCUMENTS, lease_policy
from billing_assets.erp.batches.planning import plan
from billing_assets.erp.documents.documents import Kind
from billing_assets.erp.netsuite import store
from billing_assets.erp.netsuite.client import RecordType
from billing_assets.erp.netsuite.mapping import RECORD_TYPES
from billing_assets.erp.netsuite.proof import prove
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.erp.netsuite.sink import netsuite_sink, run_policy
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import load_settings
from billing_assets.posting.batch_lease import holding
from billing_assets.posting.run import post_through_outages
from proving.benchmarks.measure import Place
from proving.benchmarks.sandbox import Sandbox
from proving.benchmarks.world import database, only_warnings, runtime, stage_once

_START_SECONDS = 120.0


@dataclass(frozen=True)
class Backlog:
    """Planned batches, and how many documents are in them."""

    runtime: Runtime
    keys: list[str]
    documents: int

    def bodies(self) -> list[tuple[RecordType, bytes]]:
        """The requests that will be sent, as record type and body; ask before they are."""
        mapping = self.runtime.of(NetSuite).mapping
        with self.runtime.state() as connection:
            return [
                (RECORD_TYPES[Kind(one.document.kind)], mapping.payload(one.document, one.external_id))
                for key in self.keys
                for one in store.in_batch(connection, key)
            ]

    def first_and_last_intent(self) -> tuple[float, float]:
        """When the first and the last document were taken up to be sent (seconds since the epoch)."""
        with self.runtime.state() as connection:
            row = connection.execute(
                "select extract(epoch from min(started_at))::float as first, "
                "extract(epoch from max(started_at))::float as last from billing.posting_attempts"
            ).fetchone()
        assert row is not None
        return row["first"], row["last"]

    def check(self, netsuite: Sandbox) -> None:
        """Raises RuntimeError unless every document is posted, and NetSuite created each once: else nothing counts."""
        with self.runtime.state() as connection:
            row = connection.execute(
                "select count(*) as n from billing.staged_invoices where state = 'posted' and read_back_at is not null"
            ).fetchone()
        posted, created = row["n"] if row else 0, netsuite.created()
        if not posted == created == self.documents:
            raise RuntimeError(f"of {self.documents} documents {posted} are posted and {created} were created")


@contextmanager
def backlog(here: Place, source_url: str, netsuite: Sandbox, settings: dict[str, str]) -> Iterator[Backlog]:
    """All of the source staged and planned in a database of its own, and a NetSuite that is empty."""
    netsuite.reset()
    with (
        database(here, migrated=True) as state_url,
        runtime(here, state_url, source_url, netsuite.settings | settings) as found,
    ):
        stage_once(found)
        with found.state() as connection:
            keys = plan(connection, found.settings.batches)
            row = connection.execute(
                "select count(*) as n from billing.staged_invoices where state = 'batched'"
            ).fetchone()
            connection.execute("vacuum analyze billing.staged_invoices")
            prove(
                connection, found.of(NetSuite).client, found.of(NetSuite).mapping
            )  # asked once a day, however much is posted
        yield Backlog(found, keys, row["n"] if row else 0)


@contextmanager
def runs(count: int) -> Iterator[Pool]:
    """So many run processes that have begun and read their settings, mapping and login."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(count + 1)
    with context.Pool(count, _begin, (ready,)) as pool:
        ready.wait(_START_SECONDS)
        yield pool


def _begin(ready: Barrier) -> None:
    warm()
    ready.wait(_START_SECONDS)


def warm() -> None:
    """Makes ready what a run process needs for every batch, so that it is not measured."""
    only_warnings()
    found = _runtime()
    _ = found.of(NetSuite).mapping, found.of(NetSuite).client


@cache
def _runtime() -> Runtime:
    return Runtime(load_settings())


def post(key: str) -> None:
    """Posts a batch as a run does."""
    found = _runtime()
    url, settings, run_id = found.database_url, found.settings, str(os.getpid())
    with (
        found.state() as connection,
        holding(url, connection, DOCUMENTS, key, run_id, lease_policy(settings), retry_rejected=False) as lease,
        found.of(NetSuite).lanes() as lanes,
    ):
        sink = netsuite_sink(
            found.of(NetSuite).client, found.of(NetSuite).mapping, settings, found.of(NetSuite).recheck()
        )
        post_through_outages(url, sink, lanes, lease, run_policy(settings))
