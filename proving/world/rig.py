"""A whole money path for tests: staged rows, the planner, the lock, the posting, and the sandbox to count against."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import orjson
from psycopg.types.json import Jsonb

from billing_assets.erp.batches.ledger import DOCUMENTS, lease_policy
from billing_assets.erp.batches.planning import plan
from billing_assets.erp.batches.store import wanting_a_run
from billing_assets.erp.documents.documents import Document
from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.mapping import NetSuiteMapping
from billing_assets.erp.netsuite.sink import netsuite_sink, run_policy
from billing_assets.erp.netsuite.wire import account_of
from billing_assets.erp.settings import NetSuiteSettings
from billing_assets.erp.staging.content import applications_json, content_hash, lines_json
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.sections import BatchSettings
from billing_assets.posting.batch_lease import Lease, holding
from billing_assets.posting.lanes import Lanes, LaneStats
from billing_assets.posting.run import PostingResult, post_batch, post_through_outages
from proving.world import builders
from proving.world.waiting import PATIENCE_SECONDS
from proving.world.world import World


def stage_rows(state: Connection, documents: Iterable[Document], row_state: str = "ready") -> None:
    """Puts documents into the staging table as staging would, in one state."""
    rows = []
    for document in documents:
        lines = lines_json(document.lines)
        row = {name: getattr(document, name) for name in Document.__dataclass_fields__}
        row |= {
            "period": document.period,
            "line_count": len(document.lines),
            "extra": Jsonb(document.extra),
            "lines": Jsonb(orjson.loads(lines)),
            "applications": Jsonb(orjson.loads(applications_json(document.targets))) if document.targets else None,
            "content_hash": content_hash(document, lines),
            "external_id": builders.shipped_mapping().external_id(document.kind, document.number),
            "state": row_state,
            "findings": Jsonb([]),
        }
        rows.append(row)
    names = list(rows[0])
    values = ", ".join(f"%({name})s" for name in names)
    state.cursor().executemany(
        f"insert into billing.staged_invoices ({', '.join(names)}) values ({values})",  # noqa: S608
        rows,
    )


def invoices(count: int, first: int = 500_000, **changes: Any) -> list[Document]:
    """Invoices of distinct totals, two lines each; the pennies differ, so that no error cancels another."""
    return [
        builders.document(
            str(first + n), builders.line(1, f"{n + 1}.{n % 100:02d}"), builders.line(2, "0.07"), **changes
        )
        for n in range(count)
    ]


class Rig(World):
    """Plans and posts as runs do, without Dagster; documents are staged as rows."""

    lane_stats: LaneStats | None = None
    """Of the last run, at its end."""

    def planned(self, documents: Iterable[Document]) -> str:
        """Stages and plans documents that fill one batch; its key."""
        stage_rows(self.state, documents)
        (key,) = plan(self.state, BatchSettings(at_once_below=1000))
        return key

    @contextmanager
    def hold(
        self, key: str, run_id: str = "run-1", *, retry_rejected: bool = False
    ) -> Iterator[tuple[Connection, Lease]]:
        """A hold as a run of its own has it, on a connection of its own."""
        with (
            connect(self.state_url) as connection,
            holding(
                self.state_url,
                connection,
                DOCUMENTS,
                key,
                run_id,
                lease_policy(self.settings),
                retry_rejected=retry_rejected,
            ) as lease,
        ):
            yield connection, lease

    def post(
        self,
        key: str,
        run_id: str = "run-1",
        *,
        retry_rejected: bool = False,
        mapping: NetSuiteMapping | None = None,
        client: NetSuiteClient | None = None,
    ) -> PostingResult:
        """One run over one batch."""
        client = client or NetSuiteClient(self.settings.of(NetSuiteSettings))
        netsuite = self.settings.of(NetSuiteSettings)
        try:
            with (
                self.hold(key, run_id, retry_rejected=retry_rejected) as (connection, lease),
                Lanes(self.state_url, account_of(netsuite), netsuite.lanes) as lanes,
            ):
                sink = netsuite_sink(client, mapping or builders.shipped_mapping(), self.settings)
                try:
                    return post_batch(connection, sink, lanes, lease, run_policy(self.settings))
                finally:
                    self.lane_stats = lanes.stats()
        finally:
            client.close()

    def post_what_netsuite_has(self, key: str, *, mapping: NetSuiteMapping | None = None) -> PostingResult:
        """Two runs over a batch of which NetSuite has something that it shows to no query before we sent it."""
        self.account.switch(suiteql_lag_seconds=600)
        self.post(key, mapping=mapping)
        self.account.switch(suiteql_lag_seconds=0)
        return self.post(key, "run-2", mapping=mapping)

    def post_through_outages(self, key: str, run_id: str = "run-1") -> PostingResult:
        """One run as Dagster starts it: it makes its connections anew when they are lost."""
        client, netsuite = NetSuiteClient(self.settings.of(NetSuiteSettings)), self.settings.of(NetSuiteSettings)
        try:
            with (
                self.hold(key, run_id) as (_, lease),
                Lanes(self.state_url, account_of(netsuite), netsuite.lanes, lease_seconds=2) as lanes,
            ):
                sink = netsuite_sink(client, builders.shipped_mapping(), self.settings)
                return post_through_outages(self.state_url, sink, lanes, lease, run_policy(self.settings))
        finally:
            client.close()

    def post_until_done(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Runs for every batch that wants one, as the sensor asks, until all is posted; how many it took."""
        return self.post_until(self.done, seconds)

    def post_until(self, condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> int:
        """The same until a condition holds."""
        deadline = time.monotonic() + seconds
        runs = 0
        while not condition():
            assert time.monotonic() < deadline, f"not done in time: {self.counts()}"
            for batch in wanting_a_run(self.state):
                runs += 1
                self.post(batch.partition_key, f"again-{runs}")
            time.sleep(0.05)
        return runs

    def post_planned(self) -> int:
        """Plans what is ready and runs the new batches once; how many."""
        keys = plan(self.state, BatchSettings(at_once_below=1000))
        for number, key in enumerate(keys):
            self.post(key, f"new-{number}")
        return len(keys)

    def done(self) -> bool:
        """Whether every planned batch is posted."""
        row = self.state.execute("select bool_and(state = 'posted') as done from billing.locked_batches").fetchone()
        return bool(row and row["done"])

    def counts(self) -> dict[str, int]:
        """Documents by state."""
        return dict(Counter(builders.states(self.state).values()))

    def batch(self, key: str) -> dict[str, Any]:
        row = self.state.execute("select * from billing.locked_batches where partition_key = %s", [key]).fetchone()
        assert row is not None
        return row

    def log(self, number: str) -> list[dict[str, Any]]:
        """Everything that was noted about a document, in order."""
        return self.state.execute(
            "select * from billing.posting_log where number = %s order by attempt, recorded_at", [number]
        ).fetchall()

    def outcomes(self, number: str) -> list[str]:
        """The same in one word each."""
        return [row["outcome"] for row in self.log(number)]

    def assert_whole(self, documents: int) -> None:
        """Nothing lost, doubled or a cent off: every document is posted, and NetSuite holds them and no other."""
        rows = self.state.execute("select * from billing.staged_invoices").fetchall()
        assert Counter(row["state"] for row in rows) == {"posted": documents}
        records = self.records()
        assert records.keys() == {row["external_id"] for row in rows}
        for row in rows:
            record = records[row["external_id"]]
            assert record["id"] == row["netsuite_id"]
            assert abs(Decimal(record["total"])) == abs(row["total"])
            assert record["lines"]["count"] == row["line_count"]
            assert row["read_back_at"] is not None
            assert row["difference"] is None
            assert row["transaction_number"] == record["tranId"]
        summary = self.account.admin("summary")
        assert summary["invoice"]["count"] + summary["creditMemo"]["count"] == documents
        assert summary["posts"]["created"] == documents
        for kind, record_type in (("invoice", "invoice"), ("credit_memo", "creditMemo")):
            ours = sum((row["total"] for row in rows if row["kind"] == kind), Decimal(0))
            assert abs(Decimal(summary[record_type]["total"])) == abs(ours)
