"""What is posted is counted once and for all, to the cent, whoever posts, counts or looks at the same time."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from billing_assets.erp.batches import store as batches
from billing_assets.erp.batches.planning import plan
from billing_assets.erp.documents.documents import State
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.sections import BatchSettings
from billing_assets.operations.retention import store
from billing_assets_tests.rooms.operations.retention.posted import UNKNOWN_AFTER, lock, post, send
from proving.world.rig import invoices, stage_rows
from proving.world.waiting import PATIENCE_SECONDS


@pytest.fixture
def other(state_url: str) -> Iterator[Connection]:
    """A second run's connection, which waits for nobody."""
    with connect(state_url) as connection:
        connection.execute("set lock_timeout = '2s'")
        yield connection


def totals(state: Connection) -> list[dict[str, Any]]:
    return state.execute("select * from billing.document_totals order by 1, 2, 3, 4, 5").fetchall()


def counted(state: Connection) -> list[dict[str, Any]]:
    return state.execute(
        """
        select source, period, state, kind, currency, count(*) as documents, coalesce(sum(total), 0) as total
        from billing.staged_invoices group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5"""
    ).fetchall()


def rows_of_posted(state: Connection) -> int:
    row = state.execute("select count(*) as n from billing.posted_totals").fetchone()
    assert row is not None
    return int(row["n"])


def test_what_is_posted_is_counted_to_the_cent(state: Connection) -> None:
    """In two currencies, with some that are not posted; also after what may still happen to any of them."""
    post(state, invoices(4), lambda place: [("refused", State.REJECTED) if place == 3 else ("landed", State.POSTED)])
    post(state, invoices(2, first=600_000, currency="EUR"))
    stage_rows(state, invoices(2, first=700_000), "open")
    stage_rows(state, invoices(1, first=800_000, currency=None), "held")
    assert totals(state) == counted(state)
    assert {row["state"] for row in totals(state)} == {"posted", "rejected", "open", "held"}
    store.put_totals_together(state)
    assert totals(state) == counted(state)
    assert rows_of_posted(state) == 2, "one row for each currency"
    state.execute("""update billing.staged_invoices set drift = '{"total": 2}' where number = '500000'""")
    state.execute("update billing.staged_invoices set difference = 'total 2' where number = '500001'")
    state.execute("update billing.staged_invoices set state = 'gone' where number = '700000'")
    batches.requeue(state, None, UNKNOWN_AFTER)
    post(state, invoices(1, first=900_000))
    assert totals(state) == counted(state)
    assert {row["state"] for row in totals(state)} == {"posted", "open", "held", "gone"}


def test_runs_that_post_at_once_do_not_wait_for_each_others_counts(state: Connection, other: Connection) -> None:
    """Nor for the one who puts the counts together, who waits for none of them."""
    post(state, invoices(1, first=600_000))
    stage_rows(state, invoices(4))
    first, second = plan(state, BatchSettings(max_documents=2, at_once_below=2))
    holds = lock(state, first), lock(other, second, "run-2")
    with state.transaction():
        send(state, holds[0])
        with other.transaction():
            send(other, holds[1])
        store.put_totals_together(other)
        assert totals(other) == counted(other), "what is not committed is not counted"
    assert [row["documents"] for row in totals(state)] == [5]
    assert totals(state) == counted(state)


def test_the_counts_hold_while_runs_post_and_two_put_them_together(state: Connection, state_url: str) -> None:
    stage_rows(state, invoices(40))
    keys = plan(state, BatchSettings(max_documents=20, at_once_below=20))
    failures: list[BaseException] = []
    done = threading.Event()

    def beside(work: Any) -> None:
        try:
            with connect(state_url) as connection:
                work(connection)
        except BaseException as error:
            failures.append(error)
            raise

    def put_together(connection: Connection) -> None:
        while not done.is_set():
            store.put_totals_together(connection)
            assert totals(connection)[0]["total"] is not None

    counters = [threading.Thread(target=beside, args=[put_together]) for _ in range(2)]
    runs = [
        threading.Thread(target=beside, args=[lambda one, key=key: send(one, lock(one, key, f"run-{key}"))])
        for key in keys
    ]
    for thread in counters + runs:
        thread.start()
    looks = 0
    while any(thread.is_alive() for thread in runs):
        with state.transaction():
            state.execute("set transaction isolation level repeatable read")
            assert totals(state) == counted(state)
        looks += 1
    done.set()
    for thread in counters + runs:
        thread.join(PATIENCE_SECONDS)
    assert not failures
    assert looks > 1
    assert [(row["state"], row["documents"]) for row in totals(state)] == [("posted", 40)]
    assert totals(state) == counted(state)
