"""What the state database refuses, whoever asks: it is the last line, behind every rule and every run."""

from itertools import product
from typing import Any

import psycopg
import pytest

from billing_assets.erp.documents.documents import CHANGEABLE, TRANSITIONS, State
from billing_assets_tests.rooms.erp.staging.conftest import Bench
from proving.world.builders import insert_document

INSERT = """
    insert into billing.staged_invoices
        (source, document_id, kind, number, status, document_date, period, currency, total, line_count, extra, lines,
         content_hash, external_id, state, findings, batch, netsuite_id, posted_at)
    values ('billing', %(id)s, 'invoice', %(id)s, 'closed', '2010-11-05', '2010-11', 'GBP', 10, 0, '{}', '[]', '\\x00',
        %(id)s, %(state)s, '[]', '2010-11-0001', '1', now())
    returning id"""


@pytest.fixture
def batch(bench: Bench) -> Bench:
    bench.state.execute(
        "insert into billing.locked_batches (partition_key, period, sequence, documents, total)"
        " values ('2010-11-0001', '2010-11', 1, 1, 10)"
    )
    return bench


def insert(bench: Bench, document_id: str, state: str) -> int:
    row = bench.state.execute(INSERT, {"id": document_id, "state": state}).fetchone()
    assert row is not None
    return int(row["id"])


def test_the_table_of_transitions_is_the_one_of_the_code(bench: Bench) -> None:
    rows = bench.state.execute("select old_state, new_state from billing.state_transitions")
    assert {(row["old_state"], row["new_state"]) for row in rows} == {
        (old.value, new.value) for old, targets in TRANSITIONS.items() for new in targets
    }


def test_the_states_of_the_code_are_those_of_the_database(batch: Bench) -> None:
    assert set(TRANSITIONS) == set(State)
    for state in State:
        insert(batch, f"X-{state}", state)
    with pytest.raises(psycopg.errors.CheckViolation):
        insert(batch, "X", "failed")


def test_nothing_leaves_posted_and_staging_changes_nothing_that_a_run_has() -> None:
    assert TRANSITIONS[State.POSTED] == frozenset()
    assert not CHANGEABLE & {State.LOCKED, State.POSTING, State.POSTED}


def test_every_other_move_is_refused(batch: Bench) -> None:
    for old, new in product(State, State):
        document = insert(batch, f"{old}-{new}", old)
        move = "update billing.staged_invoices set state = %s where id = %s returning state_since = staged_at as same"
        if new == old or new in TRANSITIONS[old]:
            assert batch.state.execute(move, [new, document]).rowcount == 1
        else:
            with pytest.raises(psycopg.errors.CheckViolation, match=f"may not go from {old} to {new}"):
                batch.state.execute(move, [new, document])


def test_the_time_of_a_state_moves_with_the_state_only(batch: Bench) -> None:
    document = insert(batch, "1", "ready")
    read = "select state_since from billing.staged_invoices"
    before = batch.state.execute(read).fetchone()
    batch.state.execute("update billing.staged_invoices set memo = 'x'")
    assert batch.state.execute(read).fetchone() == before
    batch.state.execute("update billing.staged_invoices set state = 'held' where id = %s", [document])
    assert batch.state.execute(read).fetchone() != before


@pytest.mark.parametrize(
    "change",
    [
        "total = 11",
        "lines = '[[1]]'",
        "number = 'x'",
        "kind = 'credit_memo'",
        "document_id = 'x'",
        "source = 'x'",
        "currency = 'EUR'",
        "customer = 'x'",
        "document_date = '2010-11-06'",
        "period = '2010-12'",
        "content_hash = '\\x01'",
        "external_id = 'x'",
        "netsuite_id = '2'",
        "posted_at = now() + interval '1 s'",
        "batch = null",
        "state = 'ready'",
    ],
)
def test_a_posted_document_never_changes(change: str, batch: Bench) -> None:
    insert(batch, "1", "posted")
    with pytest.raises(psycopg.errors.CheckViolation):
        batch.state.execute(f"update billing.staged_invoices set {change}")  # noqa: S608


def test_what_is_learnt_of_a_posted_document_may_be_noted(batch: Bench) -> None:
    insert(batch, "1", "posted")
    batch.state.execute(
        "update billing.staged_invoices"
        " set read_back_at = now(), transaction_number = 'INV1', difference = 'x', drift = '{}'"
    )


@pytest.mark.parametrize("table", ["posting_attempts", "posting_outcomes", "staged_invoices"])
@pytest.mark.parametrize("command", ["delete from", "truncate"])
def test_nothing_is_ever_dropped(table: str, command: str, batch: Bench) -> None:
    _attempt(batch)
    with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
        batch.state.execute(f"{command} billing.{table} {'cascade' if command == 'truncate' else ''}")


@pytest.mark.parametrize("table", ["posting_attempts", "posting_outcomes"])
def test_the_log_of_attempts_never_changes(table: str, batch: Bench) -> None:
    _attempt(batch)
    with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
        batch.state.execute(f"update billing.{table} set run_id = 'x'")  # noqa: S608


def _attempt(batch: Bench) -> None:
    document = insert(batch, "1", "posting")
    row: dict[str, Any] | None = batch.state.execute(
        """
        insert into billing.posting_attempts (document, batch, run_id, epoch, attempt, external_id, payload_hash)
        values (%s, 'b', 'r', 1, 1, 'INV-1', '\\x00') returning id""",
        [document],
    ).fetchone()
    assert row is not None
    batch.state.execute(
        "insert into billing.posting_outcomes (attempt, run_id, outcome) values (%s, 'r', 'landed')", [row["id"]]
    )


@pytest.mark.parametrize("state", ["ready", "batched", "locked", "posting", "posted", "rejected"])
def test_no_two_copies_of_a_document_are_on_their_way(state: str, batch: Bench) -> None:
    insert(batch, "1", state)
    with pytest.raises(psycopg.errors.ExclusionViolation):
        batch.state.execute(INSERT.replace("'billing', %(id)s", "'other', %(id)s"), {"id": "1", "state": "ready"})
    batch.state.execute(INSERT.replace("'billing', %(id)s", "'other', %(id)s"), {"id": "1", "state": "held"})


def test_the_view_of_lines_names_their_columns(bench: Bench) -> None:
    insert_document(bench.source, "1", lines=[("10002", "2", "1.50", "3.00"), ("10080", "-1", "0.001", "-0.001")])
    bench.source.execute("update invoice_lines set line_no = 2147483647 where line_no = 2")
    bench.stage()
    rows = bench.state.execute(
        "select line_no, item, description, quantity::text, unit_price::text, amount::text, tax_amount"
        " from billing.staged_invoice_lines order by line_no"
    ).fetchall()
    assert [list(row.values()) for row in rows] == [
        [1, "10002", "A thing", "2", "1.5", "3", None],
        [2147483647, "10080", "A thing", "-1", "0.001", "-0.001", None],
    ]
