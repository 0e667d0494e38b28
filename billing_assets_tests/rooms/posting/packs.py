"""A folder on a real OpenSSH server as an outside system of the conformance suite, with the product's own sink."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from billing_assets.erp.pack_delivery.store import PACKS
from billing_assets.file_exchange.sink import FolderSink
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.posting.batch_lease import holding
from billing_assets.posting.lanes import Lanes, LaneStats
from billing_assets.posting.look_up import AbsencePolicy
from billing_assets.posting.run import PostingResult, RunPolicy, post_batch
from billing_assets_tests.rooms.posting.systems import LANES, LEASE, LONGEST_REQUEST_SECONDS
from proving.world.sshd import Sshd

MONTH = "2010-11"


@dataclass
class Packs:
    """The server's inbox."""

    url: str
    state: Connection
    sshd: Sshd
    _lanes: LaneStats | None = None

    def planned(self, items: int) -> str:
        """More files than a pack has; its month."""
        self.state.execute("insert into billing.close_pack_deliveries (partition_key) values (%s)", [MONTH])
        self.state.execute(
            """
            with packs as (
                insert into billing.close_packs (period, figures, compared_at, workbook, statement)
                select %(month)s, n::text::bytea, clock_timestamp(), ('workbook ' || n)::bytea, 'not sent'
                from generate_series(1, %(items)s) as n returning id, workbook)
            insert into billing.close_pack_files (batch, pack, part, external_id, sha256, size)
            select %(month)s, id, 'workbook', 'file-' || id || '.xlsx', sha256(workbook), length(workbook)
            from packs""",
            {"month": MONTH, "items": items},
        )
        return MONTH

    def fault(self, kind: str, times: int = 1) -> None:
        """As the relay behind the server names them."""
        if kind == "no login":
            self.sshd.is_open(to_us=False)
        else:
            self.sshd.fault(kind, times)

    def clear(self) -> None:
        """No fault is left."""
        self.sshd.clear()

    def is_down(self, *, down: bool) -> None:
        """The server is gone with every connection, or listens again."""
        if down:
            self.sshd.stop()
        else:
            self.sshd.start()

    def post(self, key: str, run_id: str = "run-1") -> PostingResult:
        """One run over one batch."""
        policy = RunPolicy(LANES, 0.0, 1.0, AbsencePolicy(LONGEST_REQUEST_SECONDS, 0.2))
        with (
            connect(self.url) as connection,
            holding(self.url, connection, PACKS.ledger, key, run_id, LEASE, retry_rejected=True) as lease,
            Lanes(self.url, "sftp", LANES) as lanes,
            FolderSink(PACKS, key, self.sshd.opened) as sink,
        ):
            try:
                return post_batch(connection, sink, lanes, lease, policy)
            finally:
                self._lanes = lanes.stats()

    def copies(self) -> Mapping[str, int]:
        """Each file of the inbox whose content is right, what is hidden in it included."""
        rows = self.state.execute("select external_id, sha256 from billing.close_pack_files")
        right = {row["external_id"]: row["sha256"] for row in rows}
        return {
            one.name: int(right.get(one.name) == hashlib.sha256(one.read_bytes()).digest())
            for one in self.sshd.inbox.iterdir()
        }

    def states(self) -> Mapping[str, int]:
        """Files by state."""
        return Counter(row["state"] for row in self.state.execute("select state from billing.close_pack_files"))

    def outcomes(self) -> Mapping[str, int]:
        """By outcome."""
        return Counter(row["outcome"] for row in self.state.execute("select outcome from billing.close_pack_outcomes"))

    def lanes(self) -> LaneStats:
        """Of the last run."""
        assert self._lanes is not None
        return self._lanes
