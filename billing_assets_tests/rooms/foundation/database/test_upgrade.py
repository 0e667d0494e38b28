"""A database of an earlier version is taken along: what it believed of NetSuite becomes what is known now."""

import shutil
from pathlib import Path

import pytest

from billing_assets.erp.documents.documents import Document
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.shipped import shipped
from proving.world import builders
from proving.world.rig import stage_rows

BEFORE = "0014"


@pytest.fixture
def earlier(database: str, tmp_path: Path) -> str:
    """A database of the version before, with one batch."""
    folder = tmp_path / "earlier"
    folder.mkdir()
    for file in sorted(shipped("sql/state").glob("*.sql")):
        if file.name < BEFORE:
            shutil.copy(file, folder)
    migrate(database, folder)
    with connect(database) as state:
        state.execute(
            """
            insert into billing.locked_batches (partition_key, period, sequence, state, documents, total)
            values ('2010-11-0001', '2010-11', 1, 'attention', 2, 20)"""
        )
    return database


def ended(state: Connection, document: Document, to: str, outcome: str, code: str | None = None) -> None:
    """A document as the version before left it: its state, and what was noted last."""
    stage_rows(state, [document])
    for step in ("batched", "locked", "posting", to):
        state.execute(
            """
            update billing.staged_invoices set state = %(to)s, batch = '2010-11-0001',
                netsuite_id = case when %(to)s = 'posted' then '647' end,
                posted_at = case when %(to)s = 'posted' then clock_timestamp() end
            where number = %(number)s""",
            {"to": step, "number": document.number},
        )
    state.execute(
        """
        with attempt as (
            insert into billing.posting_attempts (document, batch, run_id, epoch, attempt, external_id, payload_hash)
            select id, batch, 'run', 1, 1, external_id, '' from billing.staged_invoices where number = %s returning id)
        insert into billing.posting_outcomes (attempt, run_id, outcome, code, detail)
        select id, 'run', %s, %s, 'as it was' from attempt""",
        [document.number, outcome, code],
    )


def test_what_was_called_rejected_although_netsuite_has_it_differs_now(earlier: str) -> None:
    with connect(earlier) as state:
        ended(state, builders.document("1"), "rejected", "conflict", "EXTERNAL_ID_CONFLICT")
        ended(state, builders.document("2"), "rejected", "refused", "USER_ERROR")
        ended(state, builders.document("3"), "posted", "landed")
        migrate(earlier, shipped("sql/state"))
        assert builders.states(state) == {"1": "differs", "2": "rejected", "3": "posted"}
        assert builders.staged(state, "1")["difference"] == "as it was"


def test_what_was_posted_before_counts_as_seen(earlier: str) -> None:
    """Else the first look after an upgrade would read every transaction that there ever was."""
    with connect(earlier) as state:
        ended(state, builders.document("3"), "posted", "landed")
        migrate(earlier, shipped("sql/state"))
        row = state.execute("select seen_through from billing.netsuite_looks").fetchone()
    assert row == {"seen_through": 647}
