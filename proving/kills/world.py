"""One system to be killed: a billing database, our database and a sandbox, and the settings that name them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from billing_assets.foundation.sections import BatchSettings
from billing_assets.foundation.shipped import shipped
from billing_assets.sandbox.netsuite.process import RunningSandbox
from proving.kills.counting import Count, count
from proving.world import world
from proving.world.account import Account
from proving.world.builders import (
    ITEM,
    OTHER_CUSTOMER,
    OTHER_ITEM,
    BillingSystem,
    insert_document,
)
from proving.world.command import environment, netsuite_variables

LANES = 6
LEASE_SECONDS = 1.0
_LATENCY_MS = 40
_BATCH = 40
FIRST = 500_000

PATIENCE = {"lanes": LANES, "timeout_seconds": 5, "max_request_seconds": 0.8, "read_back_seconds": 0.3}
"""NetSuite's waiting times scaled down: the sandbox answers in milliseconds where NetSuite takes seconds."""


class World(world.World):
    """A billing system, our database and a sandbox, and processes in them that are killed: `variables` is the
    environment of each, and `log` what they say."""

    variables: Mapping[str, str]
    log: Path

    def count(self) -> Count:
        """What the sandbox holds against what the billing system wants."""
        return count(self.source, self.account)

    def created(self) -> int:
        """Documents that the sandbox ever created."""
        return int(self.account.admin("summary")["posts"]["created"])

    def posted(self) -> int:
        """Documents that our own tables call posted, read back and equal."""
        row = self.state.execute(
            """
            select count(*) as n from billing.staged_invoices
            where state = 'posted' and read_back_at is not null and difference is null"""
        ).fetchone()
        return int(row["n"]) if row else 0

    def snapshot(self) -> list[object]:
        """Everything that our tables hold about the work."""
        tables = ("staged_invoices", "locked_batches", "posting_attempts", "posting_outcomes")
        return [self.state.execute(f"select * from billing.{name} order by 1").fetchall() for name in tables]  # noqa: S608


def fill(source: BillingSystem, documents: int, first: int = FIRST, *, applied: bool = True) -> None:
    """Closed documents of distinct totals: one to three lines, every tenth a credit memo.

    Half of the credit memos are `applied` to an invoice, so that they go in a batch of their own, after it.
    """
    with source.transaction():
        for n in range(documents):
            _add(source, n, first, applied=applied)


def _add(source: BillingSystem, n: int, first: int, *, applied: bool) -> None:
    price = Decimal(2 * n + 2) + Decimal(2 * (n % 50)) / 100
    customer = {"customer_no": OTHER_CUSTOMER} if n // 10 % 2 else {}
    if n % 10 == 9:
        applies = {"applies_to": str(first + n - 1)} if applied and n % 20 == 9 else {}
        lines = [(ITEM, "-1", str(price / 2), str(-price / 2))]
        insert_document(source, f"C{first + n}", kind="credit_memo", lines=lines, **customer, **applies)
        return
    lines = [(ITEM, "1", str(price), str(price)), (OTHER_ITEM, "3", "0.35", "1.05"), (ITEM, "2", "0.01", "0.02")]
    insert_document(source, str(first + n), lines=lines[: 1 + n % 3], **customer)


@contextmanager
def open_world(
    state_url: str, source_url: str, sandbox: RunningSandbox, account: Account, home: Path
) -> Iterator[World]:
    """A billing system without documents, an empty database of ours, an emptied sandbox that takes its time.

    `state_url` is a database with our schema, `source_url` an empty one.
    """
    home.mkdir(parents=True, exist_ok=True)
    batches = BatchSettings(lease_seconds=LEASE_SECONDS, max_documents=_BATCH, retry_seconds=0)
    variables = netsuite_variables(sandbox, **PATIENCE) | {
        "BILLING_HOME": str(home),
        "BILLING_DATABASE_URL": state_url,
        "BILLING_SOURCE__URL": source_url,
        "BILLING_MAPPING": str(shipped("config/mapping.yaml")),
        "BILLING_BATCHES__LEASE_SECONDS": str(LEASE_SECONDS),
        "BILLING_BATCHES__MAX_DOCUMENTS": str(_BATCH),
        "BILLING_BATCHES__RETRY_SECONDS": "0",
    }
    with World.open(
        state_url, source_url, sandbox, account, home=home, netsuite=PATIENCE, batches=batches, proven=False
    ) as opened:
        account.switch(latency_median_ms=_LATENCY_MS, latency_sigma=0.4)
        opened.variables, opened.log = environment(variables), home / "victims.log"
        yield opened
