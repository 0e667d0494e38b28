"""The outside systems that the conformance suite is played against, each with its sink, behind one set of verbs."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.posting.batch_lease import LeasePolicy, holding
from billing_assets.posting.lanes import Lanes, LaneStats
from billing_assets.posting.look_up import AbsencePolicy
from billing_assets.posting.run import PostingResult, RunPolicy, post_batch
from billing_assets_tests.rooms.posting.fake import LEDGER, FakeSink
from proving.world.rig import Rig, invoices
from proving.world.waiting import PATIENCE_SECONDS

LONGEST_REQUEST_SECONDS = 1.0
LEASE = LeasePolicy(1.0, 1.0 + LONGEST_REQUEST_SECONDS)
LANES = 4


class System(Protocol):
    """An outside system with its ledger. A fault strikes as many of the next requests as are named."""

    def planned(self, items: int) -> str:
        """A batch of so many items; its key."""
        ...

    def fault(self, kind: str, times: int = 1) -> None: ...
    def clear(self) -> None:
        """No fault is left."""
        ...

    def is_down(self, *, down: bool) -> None: ...
    def post(self, key: str, run_id: str = "run-1") -> PostingResult: ...

    def copies(self) -> Mapping[str, int]:
        """How often the system has each item, by external id."""
        ...

    def states(self) -> Mapping[str, int]:
        """Items by state."""
        ...

    def outcomes(self) -> Mapping[str, int]:
        """Everything that was noted about attempts, by outcome."""
        ...

    def lanes(self) -> LaneStats:
        """Of the last run, at its end."""
        ...


def until_done(system: System, key: str) -> int:
    """Runs the batch until nothing is on its way; how often."""
    deadline, runs = time.monotonic() + PATIENCE_SECONDS, 0
    while {"batched", "locked", "posting"} & system.states().keys():
        assert time.monotonic() < deadline, f"not done in time: {system.states()}"
        runs += 1
        system.post(key, f"again-{runs}")
        time.sleep(0.05)
    return runs


@dataclass
class Fake:
    """The schema `outside`. `sees`: whether its sink can look up. `before_sending`: called in the thread that sends."""

    url: str
    state: Connection
    sees: bool = True
    outage_seconds: float = 0.0
    before_sending: Callable[[str], None] = lambda _: None
    _lanes: LaneStats | None = None

    @classmethod
    def made(cls, url: str, state: Connection) -> "Fake":
        """On an empty database."""
        state.execute(Path(__file__).with_name("outside.sql").read_bytes())
        return cls(url, state)

    def planned(self, items: int) -> str:
        """A batch of so many items; its key."""
        self.state.execute("insert into fake.batches (partition_key) values ('batch')")
        self.state.execute(
            "insert into fake.items (batch, external_id, body) "
            "select 'batch', 'THING-' || n, 'the body of ' || n from generate_series(1, %s) as n",
            [items],
        )
        return "batch"

    def waiting(self, items: int, region: str = "north", *, may_go: bool = True) -> None:
        """So many items more that are in no batch."""
        self.state.execute(
            """
            insert into fake.items (state, region, may_go, external_id, body)
            select 'ready', %(region)s, %(may_go)s, 'THING-' || before + n, 'the body of ' || before + n
            from (select count(*) as before from fake.items) as b, generate_series(1, %(items)s) as n""",
            {"region": region, "may_go": may_go, "items": items},
        )

    def batches(self) -> Mapping[str, int]:
        """Items by batch; those that are in none are left out."""
        return self._counts("select batch from fake.items where batch is not null")

    def fault(self, kind: str, times: int = 1) -> None:
        """As `fake.ANSWERS` and `fake.LANDS` name them."""
        self.state.execute("insert into outside.faults (kind) select %s from generate_series(1, %s)", [kind, times])

    def clear(self) -> None:
        """No fault is left."""
        self.state.execute("delete from outside.faults")

    def is_down(self, *, down: bool) -> None:
        """No request reaches it, no question is answered."""
        self.state.execute("update outside.switches set down = %s", [down])

    def policy(self) -> RunPolicy:
        """With the waiting times scaled down."""
        return RunPolicy(LANES, self.outage_seconds, 1.0, AbsencePolicy(LONGEST_REQUEST_SECONDS, 0.2))

    def post(self, key: str, run_id: str = "run-1") -> PostingResult:
        """One run over one batch."""
        sink = FakeSink(self.url, run_id, self.sees, before_sending=self.before_sending)
        with (
            connect(self.url) as connection,
            holding(self.url, connection, LEDGER, key, run_id, LEASE, retry_rejected=False) as lease,
            Lanes(self.url, "fake", LANES) as lanes,
        ):
            try:
                return post_batch(connection, sink, lanes, lease, self.policy())
            finally:
                self._lanes = lanes.stats()
                sink.close()

    def copies(self) -> Mapping[str, int]:
        """Also what does not show yet."""
        return self._counts("select external_id from outside.records")

    def states(self) -> Mapping[str, int]:
        """Items by state."""
        return self._counts("select state from fake.items")

    def outcomes(self) -> Mapping[str, int]:
        """By outcome."""
        return self._counts("select outcome from fake.outcomes")

    def lanes(self) -> LaneStats:
        """Of the last run."""
        assert self._lanes is not None
        return self._lanes

    def _counts(self, query: str) -> Mapping[str, int]:
        return Counter(value for row in self.state.execute(query.encode()).fetchall() for value in row.values())


_NETSUITE: dict[str, dict[str, object]] = {
    "lost": {"fault": "commit_then_drop"},
    "nothing done": {"fault": "drop_without_commit"},
    "refused": {"fault": "refuse", "code": "INVALID_CONTENT", "detail": "Invalid Field Value 9999", "path": "entity"},
    "refused in unknown words": {"fault": "refuse", "code": "USER_ERROR", "detail": "Das geht so nicht."},
    "busy": {"fault": "refuse_concurrency"},
    "later": {"fault": "refuse_record_changed"},
    "no login": {"fault": "refuse_unauthorized"},
    "no right": {"fault": "refuse_permission"},
}


@dataclass
class NetSuite:
    """The sandbox over HTTP, with the product's own sink."""

    rig: Rig

    def planned(self, items: int) -> str:
        """Invoices."""
        return self.rig.planned(invoices(items))

    def fault(self, kind: str, times: int = 1) -> None:
        """As the sandbox calls them."""
        faults: Sequence[dict[str, object]] = self.rig.account.admin("switches")["faults"]
        self.rig.account.switch(faults=[*faults, {"next": times} | _NETSUITE[kind]])

    def clear(self) -> None:
        """No fault is left."""
        self.rig.account.switch(faults=[])

    def is_down(self, *, down: bool) -> None:
        """A gateway answers everything with 503."""
        everything = ["create", "transform", "read", "update", "suiteql", "batch"]
        self.rig.account.switch(faults=[{"fault": "html_502", "status": 503, "operations": everything}] if down else [])

    def post(self, key: str, run_id: str = "run-1") -> PostingResult:
        """One run over one batch."""
        return self.rig.post(key, run_id)

    def copies(self) -> Mapping[str, int]:
        """What the sandbox holds."""
        return dict.fromkeys(self.rig.records(), 1)

    def states(self) -> Mapping[str, int]:
        """Documents by state."""
        return self.rig.counts()

    def outcomes(self) -> Mapping[str, int]:
        """By outcome."""
        return Counter(row["outcome"] for row in self.rig.state.execute("select outcome from billing.posting_outcomes"))

    def lanes(self) -> LaneStats:
        """Of the last run."""
        assert self.rig.lane_stats is not None
        return self.rig.lane_stats
