"""A restored backup from before a month was posted and closed for good: what NetSuite has of it is taken over."""

from datetime import date
from pathlib import Path

import pytest

from billing_assets.erp.close.store import closed_state
from billing_assets.erp.netsuite import found_transactions
from billing_assets.erp.settings import CloseSettings
from billing_assets.foundation.journal.compared import journal_of
from billing_assets.foundation.periods import LateDocuments
from billing_assets_tests.rooms.erp.close.test_closing import bill
from billing_assets_tests.rooms.foundation.journal.test_drill import WHO, after_the_restore
from billing_assets_tests.rooms.operations.test_cli import Command, machine
from proving.world.backups import dump
from proving.world.builders import insert_document
from proving.world.system import System

__all__ = ["machine"]


@pytest.mark.parametrize("late", ["hold", "next_period"])
def test_what_was_posted_and_closed_for_good_after_the_backup_is_taken_over_in_its_month(
    system: System, machine: Command, tmp_path: Path, server_url: str, late: LateDocuments
) -> None:
    insert_document(system.source, "500001")
    bill(system)
    path = dump(system.runtime.database_url, tmp_path / "billing.dump")
    insert_document(system.source, "500002")
    insert_document(system.source, "500003")
    bill(system)
    assert system.states() == dict.fromkeys(["500001", "500002", "500003"], "posted")
    said = machine("close", "hard", "2010-11", *WHO)
    assert said.code == 0, said.words
    posts = system.posts()
    with after_the_restore(server_url, path, system, machine) as connection:
        settings = system.runtime.settings
        close = settings.of(CloseSettings).model_copy(update={"late_documents": late})
        system.settings = settings.model_copy(update={"close": close})
        journal_of(connection, system.runtime.settings)
        assert closed_state(connection, "2010-11") == "hard"
        insert_document(system.source, "600001", document_date=date(2010, 12, 5))
        for _ in range(3):
            assert system.stage().success
            system.planned()
            keys = connection.execute("select partition_key from billing.locked_batches where state <> 'posted'")
            for row in keys.fetchall():
                system.post(row["partition_key"])
            found_transactions.confirm(connection, by="Ada", why="restored")
        rows = connection.execute("select number, state, period from billing.staged_invoices").fetchall()
        assert {row["number"]: (row["state"], row["period"]) for row in rows} == {
            "500001": ("posted", "2010-11"),
            "500002": ("posted", "2010-11"),
            "500003": ("posted", "2010-11"),
            "600001": ("posted", "2010-12"),
        }
        assert system.posts() == posts + 1
