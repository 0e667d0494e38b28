"""Keys that an earlier version spelled as the driver did are taken along, once."""

from pathlib import Path
from uuid import UUID

import pytest

from billing_assets.erp.billing_system.connection import open_source
from billing_assets.foundation.database.connection import connect
from billing_assets.foundation.shipped import shipped
from billing_assets_tests.rooms.erp.billing_system.collations import QUERIES, collating
from proving.world.builders import document, stage_now
from proving.world.rig import stage_rows

KEYS = [UUID(int=(number << 96) | 0xABCDEF) for number in (0xA1, 0xB2, 0xC3)]


def test_keys_in_capitals_become_those_of_the_uniqueidentifier_and_no_document_is_gone(
    database: str, state_url: str
) -> None:
    with collating("postgresql", database, Path()) as there, connect(state_url) as state:
        for key in KEYS:
            there.header(str(key).upper())
            there.line(str(key).upper())
        stage_now(state_url, there.url, queries=QUERIES)  # as the driver spelled them
        state.execute("insert into billing.keys_to_spell values ('billing')")  # as the migration does
        for table in ("h", "l", "a"):
            there.execute(f"ALTER TABLE {table} ALTER k TYPE uuid USING k::text::uuid")
        done = stage_now(state_url, there.url, queries=QUERIES)
        rows = state.execute("select document_id, state from billing.staged_invoices order by 1").fetchall()
        left = state.execute("select * from billing.keys_to_spell").fetchall()
    assert (done.counts["new"], done.counts["gone"], done.counts["drifted"]) == (0, 0, 0)
    assert [(row["document_id"], row["state"]) for row in rows] == [(str(key), "ready") for key in KEYS]
    assert left == []


def test_keys_that_are_text_in_capitals_stay_as_they_are(database: str, state_url: str) -> None:
    with collating("postgresql", database, Path()) as there, connect(state_url) as state:
        there.header(str(KEYS[0]).upper())
        there.line(str(KEYS[0]).upper())
        stage_now(state_url, there.url, queries=QUERIES)
        state.execute("insert into billing.keys_to_spell values ('billing')")
        stage_now(state_url, there.url, queries=QUERIES)
        rows = state.execute("select document_id, state from billing.staged_invoices").fetchall()
        left = state.execute("select * from billing.keys_to_spell").fetchall()
    assert [(row["document_id"], row["state"]) for row in rows] == [(str(KEYS[0]).upper(), "ready")]
    assert left == []


def test_the_migration_notes_the_sources_whose_keys_may_be_spelled_otherwise_and_posted_documents_may_be_renamed(
    state_url: str,
) -> None:
    key = str(KEYS[0]).upper()
    with connect(state_url) as state:
        stage_rows(state, [document("1", document_id=key), document("2", document_id="2", source="other")])
        state.execute(
            """
            insert into billing.locked_batches (partition_key, period, sequence, documents, total)
            values ('2010-11-0001', '2010-11', 1, 1, 10)"""
        )
        for step in ("batched", "locked", "posting", "posted"):
            state.execute(
                """
                update billing.staged_invoices set state = %(to)s, batch = '2010-11-0001',
                    netsuite_id = case when %(to)s = 'posted' then '647' end,
                    posted_at = case when %(to)s = 'posted' then clock_timestamp() end where number = '1'""",
                {"to": step},
            )
        text = (shipped("sql/state") / "0022_keys_to_spell.sql").read_text(encoding="utf-8")
        state.execute(text[text.index("insert into") : text.index("-- A key as it is compared")])
        assert state.execute("select source from billing.keys_to_spell").fetchall() == [{"source": "billing"}]
        state.execute("update billing.staged_invoices set document_id = lower(document_id)")
        with pytest.raises(Exception, match="never changes"):
            state.execute("update billing.staged_invoices set document_id = 'another' where number = '1'")


def test_the_odbc_driver_gives_a_uniqueidentifier_as_what_it_is() -> None:
    pyodbc = pytest.importorskip("pyodbc", exc_type=ImportError)
    open_source("mssql+pyodbc://reader@host/billing").dispose()
    assert pyodbc.native_uuid is True
