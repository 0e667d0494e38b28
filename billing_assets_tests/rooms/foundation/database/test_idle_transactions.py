"""A process that is stopped in the middle of a transaction, as a paused machine's are, keeps its locks from nobody."""

import time
from collections.abc import Iterable
from dataclasses import replace

import psycopg
import pytest

from billing_assets.erp.documents.documents import Document
from billing_assets.erp.documents.validation_rules import Finding
from billing_assets.erp.staging.settings import StagingSettings
from billing_assets.erp.staging.staging import stage
from billing_assets.foundation.database.connection import connect
from billing_assets.foundation.source_database.connection import connect_source, open_source
from proving.world.builders import (
    SOURCE,
    create_billing_system,
    insert_document,
    open_for_writing,
    shipped_sample_queries,
    validation,
)

LIMIT_SECONDS = 0.3


def test_a_transaction_that_idles_for_too_long_gives_its_locks_back(database: str) -> None:
    def hang() -> None:
        with connect(database, idle_transaction_seconds=LIMIT_SECONDS) as stopped, stopped.transaction():
            stopped.execute("select pg_advisory_xact_lock(1)")
            with connect(database) as other, other.transaction():
                other.execute("select pg_advisory_xact_lock(1)")  # comes when the limit has passed
            stopped.execute("select 1")

    began = time.monotonic()
    with pytest.raises((psycopg.OperationalError, psycopg.errors.IdleInTransactionSessionTimeout)):
        hang()
    assert time.monotonic() - began >= LIMIT_SECONDS


def test_staging_may_wait_for_a_slow_billing_system_for_longer(state_url: str, database: str) -> None:
    create_billing_system(database)
    with open_for_writing(database) as billing_system:
        insert_document(billing_system)
    rules = validation()

    def slow(_: Document) -> Iterable[Finding]:
        time.sleep(3 * LIMIT_SECONDS)
        return ()

    engine = open_source(database)
    try:
        with (
            connect(state_url, idle_transaction_seconds=LIMIT_SECONDS) as state,
            connect_source(engine) as source,
        ):
            patient = replace(rules, check_mapping=slow)
            result = stage(state, source, shipped_sample_queries(), SOURCE, patient, StagingSettings(), "test")
            limit = state.execute("show idle_in_transaction_session_timeout").fetchone()
    finally:
        engine.dispose()
    assert result.counts["new"] == 1
    assert limit == {"idle_in_transaction_session_timeout": "300ms"}
