"""The work in a second does not depend on what was ever posted (invariant 10): nothing in it reads the history."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from billing_assets.erp.batches import planning, unlocking
from billing_assets.erp.batches import store as batches
from billing_assets.erp.close import store as close
from billing_assets.erp.netsuite import reports
from billing_assets.erp.netsuite import store as posting
from billing_assets.erp.staging import polling
from billing_assets.erp.staging import reports as staging_reports
from billing_assets.erp.staging import store as staging
from billing_assets.erp.staging.corrections import store as corrections
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.sections import BatchSettings
from billing_assets.foundation.settings import make_settings
from billing_assets.operations.alerts.detection import detect
from billing_assets.operations.status import status
from billing_assets.posting import attempts as attempts_of
from billing_assets.posting import batch_lock
from billing_assets.posting.attempts import Intent, Outcome, ReadBack
from billing_assets.posting.states import ItemState
from billing_assets_tests.rooms.operations.retention.posted import UNKNOWN_AFTER, lock
from proving.benchmarks.history import fill

MONTHS, MONTH, PRESENT = 20, 1_000, 105
BATCHES = BatchSettings(at_once_below=1000)
MOST = 4_000
"""Rows of a table that a piece of work may look at: many times the present, a fraction of the history."""
GROWING = ("staged_invoices", "posting_attempts", "posting_outcomes")

Work = Callable[[Connection], object]


@pytest.fixture
def history(state_url: str) -> Iterator[Connection]:
    """A database with much behind it and little before it."""
    with connect(state_url) as connection:
        fill(connection, MONTHS, MONTH, PRESENT)
        _credit(connection)
        yield connection


def _credit(connection: Connection) -> None:
    """Some of what is ready are credit memos for invoices of long ago; and some that are posted are void by now."""
    connection.execute(
        """
        with posted as (select id, number, row_number() over (order by id) as n from billing.staged_invoices
                        where state = 'posted' and kind = 'invoice'),
        ready as (select id, row_number() over (order by id) as n from billing.staged_invoices where state = 'ready')
        update billing.staged_invoices as s
        set kind = 'credit_memo', total = -abs(s.total),
            applications = jsonb_build_array(jsonb_build_array(p.number, null))
        from ready as r join posted as p on p.n = 50 * r.n where s.id = r.id and r.n <= 20"""
    )
    connection.execute(
        """
        insert into billing.proposed_credit_memos (document, total)
        select id, -total from billing.staged_invoices where state = 'posted' order by id limit 5"""
    )
    connection.execute("analyze billing.staged_invoices")


def read(connection: Connection) -> dict[str, int]:
    """Rows that this transaction has looked at so far, by table."""
    rows = connection.execute(
        "select relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) as n from pg_stat_xact_user_tables "
        "where relname = any(%s)",
        [list(GROWING)],
    )
    return {row["relname"]: row["n"] for row in rows}


def post_a_batch(connection: Connection) -> None:
    """All that a run asks our database for."""
    (key,) = planning.plan(connection, BATCHES)
    held = lock(connection, key)
    batches.locked_summary(connection, key)
    posting.open_attempts(connection, held, UNKNOWN_AFTER)
    assert len(posting.credited_invoices(connection, held)) == 20
    waiting = posting.next_to_send(connection, held, 1000)
    attempts = attempts_of.record_intents(connection, held, dict.fromkeys((one.id for one in waiting), Intent(b"{}")))
    landed = [Outcome(one, attempt, "landed", ItemState.POSTED, remote_id="1") for one, attempt in attempts.items()]
    attempts_of.record_outcomes(connection, held, landed)
    attempts_of.record_read_back(
        connection, held, [ReadBack(one.id, None, None, False) for one in posting.unread(connection, held)]
    )
    reports.batch_totals(connection, key)
    reports.batch_problems(connection, key, 200)
    reports.applied_less(connection, key, 200)
    staging_reports.waiting_credits(connection, invoice_batch=key)
    batch_lock.release(connection, held, UNKNOWN_AFTER)


def unlock(connection: Connection) -> None:
    (key,) = planning.plan(connection, BATCHES)
    lock(connection, key)
    unlocking.unlock_stale(connection, -1, UNKNOWN_AFTER)


def poll(connection: Connection) -> None:
    list(polling.polled(connection, "billing", b"", 45))
    polling.unknown(connection, "billing", ["1", "never seen"], 45)


WORK: dict[str, Work] = {
    "planning": lambda connection: planning.plan(connection, BATCHES),
    "the sensor": lambda connection: planning.runs_wanted(connection, {}),
    "posting a batch": post_a_batch,
    "unlocking": unlock,
    "requeuing": lambda connection: unlocking.requeue(connection, None, UNKNOWN_AFTER),
    "status": lambda connection: status(connection, make_settings()),
    "the watch": lambda connection: detect(connection, make_settings(), datetime.now(UTC)),
    "what needs people": lambda connection: [batches.needing_attention(connection), reports.rejected(connection)],
    "polling": poll,
    "what is held": lambda connection: [
        staging_reports.held(connection),
        staging_reports.totals_by_state(connection, ["billing"]),
        staging_reports.totals_by_finding(connection, ["billing"]),
        staging_reports.without_reason(connection, ["billing"]),
    ],
    "what waits for an invoice or a decision": lambda connection: [
        staging_reports.waiting_credits(connection, "billing"),
        corrections.corrections(connection, undecided_only=True),
    ],
    "which months moved": lambda connection: close.months_that_moved(connection, 26),
}


def test_no_work_reads_the_history(history: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "CHUNK", 20)  # to a month as the real one is
    looked_at = {}
    for name, work in WORK.items():
        with history.transaction(force_rollback=True):
            before = read(history)
            work(history)
            looked_at[name] = {
                table: rows for table, n in read(history).items() if (rows := n - before.get(table, 0)) > MOST
            }
    assert {name: tables for name, tables in looked_at.items() if tables} == {}
