"""What the planner promises: small backlogs at once, one month a batch, no document twice, runs for what needs one."""

import threading
from collections.abc import Iterator
from datetime import date

import psycopg
import pytest

from billing_assets.erp.batches import store
from billing_assets.erp.batches.ledger import DOCUMENTS
from billing_assets.erp.batches.planning import plan, runs_wanted
from billing_assets.erp.close.store import set_closed
from billing_assets.erp.netsuite import reports
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.sections import BatchSettings
from billing_assets.posting import locks
from billing_assets_tests.rooms.erp.batches.documents import set_state
from proving.world import builders
from proving.world.rig import invoices, stage_rows

SETTINGS = BatchSettings()
AFTER = 960.0


@pytest.fixture
def state(state_url: str) -> Iterator[Connection]:
    with connect(state_url) as connection:
        yield connection


def batches(state: Connection) -> dict[str, int]:
    rows = state.execute("select partition_key, documents from billing.locked_batches order by 1")
    return {row["partition_key"]: row["documents"] for row in rows}


def wanted(state: Connection) -> list[str]:
    return [one.partition_key for one in runs_wanted(state, {})]


def locked(state: Connection, key: str, lease_seconds: float = 60) -> locks.Lock:
    with state.transaction():
        return locks.lock(state, DOCUMENTS, key, "run-1", lease_seconds, retry_rejected=False)


def test_a_small_backlog_goes_at_once_as_one_batch(state: Connection) -> None:
    stage_rows(state, invoices(3))
    assert plan(state, SETTINGS) == ["2010-11-0001"]
    assert batches(state) == {"2010-11-0001": 3}
    assert builders.states(state) == dict.fromkeys(("500000", "500001", "500002"), "batched")
    row = store.get(state, "2010-11-0001")
    assert (row.state, row.total) == ("planned", sum(one.total for one in invoices(3)))


def test_a_large_backlog_is_shared_evenly_by_the_runs_side_by_side_and_no_batch_is_above_the_limit(
    state: Connection,
) -> None:
    stage_rows(state, invoices(25))
    plan(state, BatchSettings(max_documents=10, at_once_below=5, parallel_runs=3))
    assert batches(state) == {"2010-11-0001": 9, "2010-11-0002": 8, "2010-11-0003": 8}


def test_of_more_batches_than_run_side_by_side_the_first_ones_grow_so_that_runs_do_not_end_together(
    state: Connection,
) -> None:
    december = date(2010, 12, 1)
    stage_rows(state, [*invoices(30), *invoices(20, 600_000, document_date=december)])
    plan(state, BatchSettings(max_documents=10, at_once_below=5, parallel_runs=3))
    sizes = batches(state)
    assert [size for key, size in sizes.items() if key.startswith("2010-11")] == [3, 6, 10, 6, 5]
    assert [size for key, size in sizes.items() if key.startswith("2010-12")] == [7, 7, 6]


def test_what_the_preview_says_would_go_is_what_the_planner_takes(state: Connection) -> None:
    november, december = invoices(3), invoices(1, 600_000, document_date=date(2010, 12, 1))
    stage_rows(state, [*november, *december])
    set_state(state, november[0].number, "held")
    set_closed(state, "2010-12", "soft")
    numbers = [one.number for one in (*november, *december)]
    goes = [number for number in numbers if reports.standing(state, number)[0].goes]
    plan(state, SETTINGS)
    assert goes == [number for number, now in builders.states(state).items() if now == "batched"]
    assert goes == [one.number for one in november[1:]]
    assert [reports.standing(state, number)[0].goes for number in numbers] == [False, True, True, False]


def test_a_batch_holds_documents_of_one_month_only(state: Connection) -> None:
    december = date(2010, 12, 1)
    stage_rows(state, [*invoices(2), *invoices(3, 600_000, document_date=december)])
    assert plan(state, SETTINGS) == ["2010-11-0001", "2010-12-0001"]
    rows = state.execute("select distinct batch, period from billing.staged_invoices order by 1").fetchall()
    assert [(row["batch"], row["period"]) for row in rows] == [
        ("2010-11-0001", "2010-11"),
        ("2010-12-0001", "2010-12"),
    ]


def test_planning_twice_makes_nothing_new_and_later_documents_get_the_next_number(state: Connection) -> None:
    stage_rows(state, invoices(2))
    plan(state, SETTINGS)
    assert plan(state, SETTINGS) == []
    stage_rows(state, invoices(1, 600_000))
    assert plan(state, SETTINGS) == ["2010-11-0002"]


@pytest.mark.parametrize("row_state", ["open", "held", "excluded", "gone"])
def test_only_ready_documents_are_planned(state: Connection, row_state: str) -> None:
    stage_rows(state, invoices(2), row_state)
    assert plan(state, SETTINGS) == []


def test_a_credit_memo_waits_until_the_invoice_that_it_credits_is_posted(state: Connection) -> None:
    credit = builders.credit_memo("C1", applies_to="500000")
    stage_rows(state, [*invoices(1), credit])
    assert plan(state, SETTINGS) == ["2010-11-0001"]
    assert builders.states(state) == {"500000": "batched", "C1": "ready"}
    assert plan(state, SETTINGS) == []
    set_state(state, "500000", "locked", "posting", "posted")
    assert plan(state, SETTINGS) == ["2010-11-0002"]
    assert builders.states(state)["C1"] == "batched"


def test_a_credit_memo_for_several_invoices_waits_for_the_last_of_them(state: Connection) -> None:
    named = builders.applied("500000", "2", "500001", None, "600000", "1")
    credit = builders.credit_memo("C1", applications=named)
    stage_rows(state, [*invoices(2), credit, builders.credit_memo("C2")])
    assert plan(state, SETTINGS) == ["2010-11-0001"]
    assert builders.states(state) == {"500000": "batched", "500001": "batched", "C1": "ready", "C2": "batched"}
    for number in ("500000", "500001"):
        set_state(state, number, "locked", "posting", "posted")
    assert plan(state, SETTINGS) == []  # nobody knows 600000 yet
    stage_rows(state, invoices(1, 600_000, document_date=date(2010, 10, 5)))
    assert plan(state, SETTINGS) == ["2010-10-0001"]
    set_state(state, "600000", "locked", "posting", "posted")
    assert plan(state, SETTINGS) == ["2010-11-0002"]
    assert builders.states(state)["C1"] == "batched"


def test_planners_at_once_never_share_a_document_and_number_their_batches_apart(
    state: Connection, state_url: str
) -> None:
    documents = invoices(120)
    failures: list[Exception] = []
    made: list[str] = []

    def planner() -> None:
        try:
            with connect(state_url) as connection:
                for _ in range(10):
                    made.extend(plan(connection, BatchSettings(max_documents=7, at_once_below=1)))
        except psycopg.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=planner) for _ in range(4)]
    for thread in threads:
        thread.start()
    for start in range(0, 120, 30):
        with state.transaction():
            stage_rows(state, documents[start : start + 30])
    for thread in threads:
        thread.join()
    plan(state, SETTINGS)
    assert failures == []
    assert len(made) == len(set(made))
    assert sum(batches(state).values()) == 120
    counted = state.execute("select batch, count(*) as n from billing.staged_invoices group by 1")
    assert {row["batch"]: row["n"] for row in counted} == batches(state)


def test_a_document_that_staging_is_changing_is_planned_as_it_will_be(state: Connection, state_url: str) -> None:
    """The planner used to slip between the merge's look and its write, so that an old version was posted."""
    stage_rows(state, invoices(1))
    done = threading.Event()

    def planner() -> None:
        with connect(state_url) as connection:
            plan(connection, SETTINGS)
        done.set()

    thread = threading.Thread(target=planner)
    with state.transaction():
        state.execute("select pg_advisory_xact_lock(hashtextextended('billing documents', 0))")  # as the merge takes it
        thread.start()
        assert not done.wait(0.3)
        state.execute("update billing.staged_invoices set total = 99, state = 'held'")
    thread.join()
    assert builders.states(state) == {"500000": "held"}


def test_a_new_batch_wants_a_run_every_time_under_a_new_key(state: Connection) -> None:
    stage_rows(state, invoices(1))
    (key,) = plan(state, SETTINGS)
    first, second = runs_wanted(state, {}), runs_wanted(state, {})
    assert [one.partition_key for one in (*first, *second)] == [key, key]
    assert first[0].run_key != second[0].run_key
    assert all(one.run_key.startswith(key) for one in (*first, *second))
    assert runs_wanted(state, {key: ["about to lock it"]}) == []


def test_a_run_that_had_the_batch_and_let_its_lease_end_is_dead_whatever_is_said_of_it(state: Connection) -> None:
    stage_rows(state, invoices(1))
    (key,) = plan(state, SETTINGS)
    locked(state, key)
    run_id = store.get(state, key).run_id
    assert run_id is not None
    state.execute("update billing.locked_batches set locked_until = now() - interval '1 s'")
    assert [one.partition_key for one in runs_wanted(state, {key: [run_id]})] == [key]
    assert runs_wanted(state, {key: [run_id, "the next one"]}) == []


def test_a_held_batch_wants_no_run_until_its_lease_has_ended(state: Connection) -> None:
    stage_rows(state, invoices(1))
    (key,) = plan(state, SETTINGS)
    held = locked(state, key)
    assert wanted(state) == []
    locks.renew(state, held, -1)
    assert wanted(state) == [key]


def test_a_run_that_died_after_its_last_document_landed_is_followed_by_one_that_reads_back(state: Connection) -> None:
    """It used to stay `running` until the stale-lock setting, and unread for ever."""
    stage_rows(state, invoices(1))
    (key,) = plan(state, SETTINGS)
    held = locked(state, key)
    set_state(state, "500000", "posting", "posted")
    assert wanted(state) == []
    locks.renew(state, held, -1)
    assert wanted(state) == [key]


def test_a_batch_with_only_rejected_documents_waits_for_a_person(state: Connection) -> None:
    stage_rows(state, invoices(1))
    (key,) = plan(state, SETTINGS)
    held = locked(state, key)
    set_state(state, "500000", "posting", "rejected")
    assert locks.release(state, held, AFTER) == "attention"
    assert wanted(state) == []


def test_an_unknown_attempt_wants_a_run_when_its_absence_counts_and_not_before(state: Connection) -> None:
    stage_rows(state, invoices(1))
    (key,) = plan(state, SETTINGS)
    held = locked(state, key)
    set_state(state, "500000", "posting")
    note(state, "500000", "unknown")
    locks.release(state, held, AFTER)
    assert wanted(state) == []
    locks.settle(state, DOCUMENTS, key, -1)
    assert wanted(state) == [key]


def test_an_attempt_about_which_nothing_was_noted_is_looked_up_at_once(state: Connection) -> None:
    stage_rows(state, invoices(1))
    (key,) = plan(state, SETTINGS)
    held = locked(state, key)
    set_state(state, "500000", "posting")
    note(state, "500000", "retry")
    locks.release(state, held, AFTER)
    assert wanted(state) == [key]


def test_a_posted_document_that_did_not_show_is_looked_for_again_later(state: Connection) -> None:
    stage_rows(state, invoices(1))
    (key,) = plan(state, SETTINGS)
    held = locked(state, key)
    set_state(state, "500000", "posting", "posted")
    assert locks.release(state, held, AFTER) == "attention"
    assert wanted(state) == []
    locks.settle(state, DOCUMENTS, key, -1)
    assert wanted(state) == [key]


def test_a_batch_that_staging_emptied_is_brought_to_its_end(state: Connection) -> None:
    stage_rows(state, invoices(1))
    (key,) = plan(state, SETTINGS)
    state.execute("update billing.staged_invoices set state = 'gone', batch = null")
    assert wanted(state) == [key]
    assert locks.release(state, locked(state, key), AFTER) == "posted"
    assert wanted(state) == []


def test_a_finished_batch_wants_no_run(state: Connection) -> None:
    stage_rows(state, invoices(1))
    (key,) = plan(state, SETTINGS)
    held = locked(state, key)
    set_state(state, "500000", "posting", "posted")
    state.execute("update billing.staged_invoices set read_back_at = now()")
    assert locks.release(state, held, AFTER) == "posted"
    assert wanted(state) == []


def note(state: Connection, number: str, outcome: str) -> None:
    """An attempt with one outcome."""
    state.execute(
        """
        with a as (
            insert into billing.posting_attempts (document, batch, run_id, epoch, attempt, external_id, payload_hash)
            select id, batch, 'run-1', epoch, 1, external_id, ''::bytea from billing.staged_invoices where number = %s
            returning id)
        insert into billing.posting_outcomes (attempt, run_id, outcome) select id, 'run-1', %s from a""",
        [number, outcome],
    )


def test_planning_reads_no_more_when_the_statistics_are_older_than_the_backlog(state: Connection) -> None:
    """A month that was closed at once, before PostgreSQL looked at the table again: planning it took minutes."""
    stage_rows(state, invoices(600), "open")
    state.execute("alter table billing.staged_invoices set (autovacuum_enabled = off)")
    state.execute("analyze billing.staged_invoices")
    state.execute("update billing.staged_invoices set state = 'ready'")
    with state.transaction():
        assert len(plan(state, BatchSettings(max_documents=20, at_once_below=20, parallel_runs=30))) == 30
        row = state.execute(
            "select idx_tup_fetch as n from pg_stat_xact_user_tables where relname = 'staged_invoices'"
        ).fetchone()
    assert row is not None
    assert row["n"] < 30 * 600 * 1.5, "the backlog once for each batch, not once more"
