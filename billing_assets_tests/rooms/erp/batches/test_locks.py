"""What a lock promises: one live holder, a higher epoch each time, and a stale holder that changes nothing."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
import pytest

from billing_assets.erp.batches import store
from billing_assets.erp.batches.ledger import DOCUMENTS
from billing_assets.erp.batches.planning import plan
from billing_assets.erp.batches.unlocking import requeue, unlock, unlock_stale
from billing_assets.erp.documents.rules import finding
from billing_assets.erp.netsuite import store as posting
from billing_assets.erp.staging import verbs
from billing_assets.foundation.database.connection import Connection, connect, libpq_url
from billing_assets.foundation.sections import BatchSettings
from billing_assets.posting import attempts as attempts_of
from billing_assets.posting import locks
from billing_assets.posting.attempts import Intent, Outcome
from billing_assets.posting.lease import Lease, LeasePolicy, Patience, holding, take
from billing_assets.posting.locks import Lock, LockHeldError, StaleLockError, UnknownBatchError
from billing_assets.posting.states import ItemState
from billing_assets_tests.rooms.erp.batches.documents import set_state
from proving.world import builders, clock
from proving.world.rig import invoices, stage_rows
from proving.world.waiting import PATIENCE_SECONDS, until

AFTER = 960.0


@dataclass
class Batch:
    """One planned batch of three invoices."""

    state: Connection
    url: str
    key: str

    def lock(self, run_id: str = "run-1", lease_seconds: float = 60, *, retry_rejected: bool = False) -> Lock:
        with self.state.transaction():
            return locks.lock(self.state, DOCUMENTS, self.key, run_id, lease_seconds, retry_rejected=retry_rejected)

    def states(self) -> list[str]:
        return [state for _, state in sorted(builders.states(self.state).items())]

    def snapshot(self) -> list[object]:
        """Everything that a stale holder must not change."""
        tables = ("staged_invoices", "locked_batches", "posting_attempts", "posting_outcomes")
        return [self.state.execute(f"select * from billing.{name} order by 1").fetchall() for name in tables]  # noqa: S608

    def ids(self) -> list[int]:
        return [row["id"] for row in self.state.execute("select id from billing.staged_invoices order by id")]


@pytest.fixture
def batch(state_url: str) -> Iterator[Batch]:
    with connect(state_url) as state:
        stage_rows(state, invoices(3))
        (key,) = plan(state, BatchSettings())
        yield Batch(state, state_url, key)


NOTHING = Intent(b"{}")


def policy(lease_seconds: float = 0.6) -> LeasePolicy:
    return LeasePolicy(lease_seconds, AFTER)


def test_a_lock_takes_the_whole_batch_for_one_run(batch: Batch) -> None:
    held = batch.lock()
    assert (held.partition_key, held.epoch, held.run_id) == (batch.key, 1, "run-1")
    assert batch.states() == ["locked"] * 3
    row = store.get(batch.state, batch.key)
    assert (row.state, row.run_id, row.epoch) == ("running", "run-1", 1)


def test_a_live_lease_refuses_another_run_and_names_the_holder(batch: Batch) -> None:
    batch.lock("run-1")
    with pytest.raises(LockHeldError) as caught:
        batch.lock("run-2")
    assert caught.value.run_id == "run-1"
    assert store.get(batch.state, batch.key).epoch == 1


def test_the_run_that_holds_the_batch_may_take_it_anew(batch: Batch) -> None:
    """The step that posts goes on under the lock that the step before it took, and after its own crash."""
    first = batch.lock("run-1")
    second = batch.lock("run-1")
    assert second.epoch == first.epoch + 1


def test_after_the_lease_ended_another_run_takes_over_under_a_higher_epoch(batch: Batch) -> None:
    batch.lock("run-1", -1)
    assert batch.lock("run-2").epoch == 2
    assert batch.states() == ["locked"] * 3


def test_two_runs_that_lock_at_once_never_both_hold_the_batch(batch: Batch) -> None:
    results: list[object] = []

    def run(number: int) -> None:
        with connect(batch.url) as connection:
            try:
                with connection.transaction():
                    results.append(
                        locks.lock(connection, DOCUMENTS, batch.key, f"run-{number}", 60, retry_rejected=False)
                    )
            except LockHeldError as error:
                results.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(one) for one in results].count(Lock) == 1
    assert [type(one) for one in results].count(LockHeldError) == 7


def test_a_lock_of_a_batch_that_was_never_planned_says_so(batch: Batch) -> None:
    with pytest.raises(UnknownBatchError, match="no batch 2010-11-9999"), batch.state.transaction():
        locks.lock(batch.state, DOCUMENTS, "2010-11-9999", "run-1", 60, retry_rejected=False)


def test_an_open_attempt_stays_open_under_the_next_lock_and_rejected_ones_only_on_request(batch: Batch) -> None:
    batch.lock("run-1", -1)
    set_state(batch.state, "500000", "posting")
    set_state(batch.state, "500001", "posting", "rejected")
    second = batch.lock("run-2", -1)
    assert batch.states() == ["posting", "rejected", "locked"]
    epochs = [row["epoch"] for row in batch.state.execute("select epoch from billing.staged_invoices order by number")]
    assert epochs == [second.epoch, 1, second.epoch]
    batch.lock("run-3", retry_rejected=True)
    assert batch.states() == ["posting", "locked", "locked"]


def test_a_release_lets_what_was_not_sent_wait_again(batch: Batch) -> None:
    held = batch.lock()
    set_state(batch.state, "500000", "posting", "posted")
    batch.state.execute("update billing.staged_invoices set read_back_at = now() where number = '500000'")
    assert locks.release(batch.state, held, AFTER) == "attention"
    assert batch.states() == ["posted", "batched", "batched"]
    assert store.get(batch.state, batch.key).locked_until is None


STALE_WRITES: dict[str, Callable[[Connection, Lock, list[int]], object]] = {
    "renew": lambda connection, held, _: locks.renew(connection, held, 60),
    "release": lambda connection, held, _: locks.release(connection, held, AFTER),
    "intents": lambda connection, held, ids: attempts_of.record_intents(
        connection, held, {ids[1]: NOTHING, ids[2]: NOTHING}
    ),
    "outcomes": lambda connection, held, ids: attempts_of.record_outcomes(
        connection, held, [Outcome(ids[0], 1, "landed", ItemState.POSTED, remote_id="7")]
    ),
    "hold": lambda connection, held, ids: verbs.hold(
        connection, held, {one: [finding("ITEM_UNMAPPED", "lines[1].item", "X", "gone")] for one in ids[1:]}
    ),
    "put back": lambda connection, held, ids: locks.put_back(connection, held, ids[1]),
}


@pytest.mark.parametrize("write", STALE_WRITES)
@pytest.mark.parametrize("lost_to", ["another run", "an operator's unlock", "its own run's next step"])
def test_a_stale_holder_changes_nothing_and_is_stopped(batch: Batch, write: str, lost_to: str) -> None:
    stale = batch.lock("run-1", -1)
    ids = batch.ids()
    attempts_of.record_intents(batch.state, stale, {ids[0]: NOTHING})
    if lost_to == "another run":
        batch.lock("run-2")
    elif lost_to == "an operator's unlock":
        unlock(batch.state, batch.key, AFTER)
    else:
        batch.lock("run-1")
    before = batch.snapshot()
    with pytest.raises(StaleLockError):
        STALE_WRITES[write](batch.state, stale, ids)
    assert batch.snapshot() == before


def test_an_intent_for_a_document_that_left_the_batch_writes_none_of_the_slice(batch: Batch) -> None:
    held = batch.lock()
    ids = batch.ids()
    set_state(batch.state, "500002", "held")
    with pytest.raises(StaleLockError):
        attempts_of.record_intents(batch.state, held, dict.fromkeys(ids, NOTHING))
    assert batch.states() == ["locked", "locked", "held"]
    assert batch.state.execute("select count(*) as n from billing.posting_attempts").fetchone() == {"n": 0}


def test_the_keeper_renews_the_lease_for_as_long_as_the_work_takes(batch: Batch) -> None:
    with connect(batch.url) as connection:
        with holding(batch.url, connection, DOCUMENTS, batch.key, "run-1", policy(1.5), retry_rejected=False) as lease:
            first = lease.valid_until
            until(lambda: lease.valid_until > first + 1.5)
            lease.check()
            assert lease.valid_until > time.monotonic()
            with pytest.raises(LockHeldError):
                batch.lock("run-2")
        assert batch.states() == ["batched"] * 3


def test_the_keeper_survives_a_cut_connection(batch: Batch) -> None:
    with (
        connect(batch.url) as connection,
        holding(batch.url, connection, DOCUMENTS, batch.key, "run-1", policy(1.5), retry_rejected=False) as lease,
    ):
        until(lambda: terminate(batch.url, "billing lease"))
        cut = lease.valid_until
        until(lambda: lease.valid_until > cut + 1.5)
        lease.check()
        assert lease.valid_until > time.monotonic()


def test_a_run_whose_connection_is_cut_lets_go_at_once_on_another(batch: Batch) -> None:
    def work() -> None:
        with (
            connect(batch.url, application="the run") as connection,
            holding(batch.url, connection, DOCUMENTS, batch.key, "run-1", policy(60), retry_rejected=False),
        ):
            assert terminate(batch.url, "the run")
            connection.execute("select")

    with pytest.raises(psycopg.OperationalError):
        work()
    assert batch.states() == ["batched"] * 3
    assert [one.partition_key for one in store.wanting_a_run(batch.state, pause_seconds=600)] == [batch.key]


def test_a_clock_that_is_set_forward_ends_leases_and_one_set_back_keeps_no_dead_run_alive(batch: Batch) -> None:
    clock.make_settable(batch.url)
    with connect(batch.url) as connection:
        locks.lock(connection, DOCUMENTS, batch.key, "dead", 6, retry_rejected=False)
        assert store.wanting_a_run(connection) == []
        clock.set_ahead(batch.url, -3600)
        assert [one.partition_key for one in store.wanting_a_run(connection)] == [batch.key]
        held = locks.lock(connection, DOCUMENTS, batch.key, "run-2", 6, retry_rejected=False)
        assert store.wanting_a_run(connection) == []
        locks.release(connection, held, AFTER)
        clock.set_ahead(batch.url, -7200)
        assert [one.partition_key for one in store.wanting_a_run(connection, 600)] == [batch.key], "nor does it rest"
        held = locks.lock(connection, DOCUMENTS, batch.key, "run-3", 6, retry_rejected=False)
        clock.set_ahead(batch.url, 3600)
        assert [one.partition_key for one in store.wanting_a_run(connection)] == [batch.key]
        locks.renew(connection, held, 6)
        assert store.wanting_a_run(connection) == []


def test_a_hold_that_was_unlocked_is_noticed_without_writing(batch: Batch) -> None:
    def work() -> None:
        with (
            connect(batch.url) as connection,
            holding(batch.url, connection, DOCUMENTS, batch.key, "run-1", policy(0.6), retry_rejected=False) as lease,
        ):
            unlock(batch.state, batch.key, AFTER)
            assert lease.lost.wait(PATIENCE_SECONDS)
            lease.check()

    with pytest.raises(StaleLockError):
        work()


def test_a_second_run_waits_for_the_first_and_does_what_is_left(batch: Batch) -> None:
    seen: list[list[str]] = []

    def second() -> None:
        with (
            connect(batch.url) as connection,
            holding(batch.url, connection, DOCUMENTS, batch.key, "run-2", policy(), retry_rejected=False) as lease,
        ):
            seen.append([one.document.number for one in posting.next_to_send(connection, lease.lock, 10)])

    thread = threading.Thread(target=second)
    with (
        connect(batch.url) as connection,
        holding(batch.url, connection, DOCUMENTS, batch.key, "run-1", policy(), retry_rejected=False),
    ):
        thread.start()
        time.sleep(0.3)
        assert seen == []
        set_state(batch.state, "500000", "posting", "posted")
    thread.join()
    assert seen == [["500001", "500002"]]


def test_a_failure_inside_the_block_is_the_one_that_is_seen_and_lets_go_of_the_batch(batch: Batch) -> None:
    with (
        connect(batch.url) as connection,
        pytest.raises(ValueError, match="the work broke"),
        holding(batch.url, connection, DOCUMENTS, batch.key, "run-1", policy(), retry_rejected=False),
    ):
        raise ValueError("the work broke")
    assert batch.states() == ["batched"] * 3
    assert store.get(batch.state, batch.key).state == "attention"


def test_unlock_gives_a_live_lock_back_to_the_backlog_but_keeps_open_attempts(batch: Batch) -> None:
    held = batch.lock()
    attempts_of.record_intents(batch.state, held, {batch.ids()[0]: NOTHING})
    assert unlock(batch.state, batch.key, AFTER) == 2
    assert batch.states() == ["posting", "ready", "ready"]
    assert store.get(batch.state, batch.key).state == "attention"
    assert [one.partition_key for one in store.wanting_a_run(batch.state)] == [batch.key]


def test_unlock_of_an_unknown_batch_says_so(batch: Batch) -> None:
    with pytest.raises(UnknownBatchError):
        unlock(batch.state, "2010-11-9999", AFTER)


def test_only_locks_whose_lease_ended_long_ago_are_stale(batch: Batch) -> None:
    held = batch.lock()
    assert unlock_stale(batch.state, 0, AFTER) == {}
    locks.renew(batch.state, held, -90)
    assert unlock_stale(batch.state, 2, AFTER) == {}
    assert unlock_stale(batch.state, 1, AFTER) == {batch.key: 3}
    assert batch.states() == ["ready"] * 3


def test_unlocking_stale_locks_spares_a_batch_that_a_run_takes_at_that_moment(batch: Batch) -> None:
    """It used to look first and unlock later, whoever had the batch by then."""
    batch.lock("run-1", -90)
    found: list[dict[str, int]] = []

    def schedule() -> None:
        with connect(batch.url) as connection:
            found.append(unlock_stale(connection, 1, AFTER))

    thread = threading.Thread(target=schedule)
    with batch.state.transaction():
        locks.lock(batch.state, DOCUMENTS, batch.key, "run-2", 60, retry_rejected=False)
        thread.start()  # sees the stale lock, for the new one is not committed
        time.sleep(0.3)
    thread.join()
    assert found == [{}]
    assert batch.states() == ["locked"] * 3
    assert store.get(batch.state, batch.key).run_id == "run-2"


def test_requeue_sends_named_rejected_documents_to_the_backlog(batch: Batch) -> None:
    held = batch.lock()
    for number in ("500000", "500001"):
        set_state(batch.state, number, "posting", "rejected")
    locks.release(batch.state, held, AFTER)
    assert requeue(batch.state, ["500001", "500002"], AFTER) == 1
    assert batch.states() == ["rejected", "ready", "batched"]
    assert requeue(batch.state, None, AFTER) == 1
    assert batch.states() == ["ready", "ready", "batched"]
    assert requeue(batch.state, None, AFTER) == 0


def test_requeue_during_a_run_leaves_the_run_its_lock(batch: Batch) -> None:
    """It used to end the live hold, so that the run stopped and another could begin beside it."""
    held = batch.lock()
    set_state(batch.state, "500000", "posting", "rejected")
    assert requeue(batch.state, None, AFTER) == 1
    assert batch.states() == ["ready", "locked", "locked"]
    locks.renew(batch.state, held, 60)
    with pytest.raises(LockHeldError):
        batch.lock("run-2")


def test_requeue_and_a_retrying_run_never_deadlock(batch: Batch) -> None:
    held = batch.lock()
    set_state(batch.state, "500000", "posting", "rejected")
    locks.release(batch.state, held, AFTER)
    failures: list[Exception] = []

    def requeues() -> None:
        try:
            with connect(batch.url) as connection:
                requeue(connection, None, AFTER)
        except psycopg.Error as error:
            failures.append(error)

    thread = threading.Thread(target=requeues)
    with batch.state.transaction():
        batch.state.execute("select 1 from billing.locked_batches for update")  # as a lock begins
        thread.start()
        time.sleep(0.3)
        batch.state.execute("update billing.staged_invoices set state = 'locked' where state = 'rejected'")
    thread.join()
    assert failures == []
    assert batch.states() == ["locked", "batched", "batched"]


@pytest.mark.parametrize(
    ("old", "new"),
    [("posted", "ready"), ("posting", "held"), ("locked", "rejected"), ("ready", "posting"), ("batched", "posting")],
)
def test_the_database_refuses_a_move_that_the_diagram_does_not_have(batch: Batch, old: str, new: str) -> None:
    ways = {"posted": ("locked", "posting", "posted"), "posting": ("locked", "posting"), "locked": ("locked",)}
    set_state(batch.state, "500000", *ways.get(old, (old,) if old == "ready" else ()))
    with pytest.raises(psycopg.errors.CheckViolation, match=f"from {old} to {new}"):
        set_state(batch.state, "500000", new)


def test_the_log_of_attempts_takes_no_change(batch: Batch) -> None:
    held = batch.lock()
    first = batch.ids()[0]
    attempts = attempts_of.record_intents(batch.state, held, {first: NOTHING})
    attempts_of.record_outcomes(batch.state, held, [Outcome(first, attempts[first], "unknown", ItemState.POSTING)])
    for statement in (
        "update billing.posting_attempts set run_id = 'x'",
        "delete from billing.posting_attempts",
        "update billing.posting_outcomes set code = 'x'",
        "delete from billing.posting_outcomes",
    ):
        with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
            batch.state.execute(statement)


def test_of_several_outcomes_written_together_the_last_is_the_last_in_the_log(batch: Batch) -> None:
    """Their order used to be the join's."""
    held = batch.lock()
    ids = batch.ids()
    attempts = attempts_of.record_intents(batch.state, held, dict.fromkeys(ids, NOTHING))
    outcomes = [
        Outcome(document, attempts[document], name, ItemState.POSTING)
        for name in ("retry", "not_sent", "retry", "unknown")
        for document in ids
    ]
    attempts_of.record_outcomes(batch.state, held, outcomes)
    rows = batch.state.execute(
        "select attempt, array_agg(outcome order by id) as names from billing.posting_outcomes group by 1"
    ).fetchall()
    assert [row["names"] for row in rows] == [["retry", "not_sent", "retry", "unknown"]] * 3


def terminate(url: str, application: str) -> int:
    """Cuts the server's side of a connection."""
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        return connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name = %s and datname = current_database()",
            [application],
        ).rowcount


def test_lease_check_raises_once_the_hold_is_lost() -> None:
    lease = Lease(Lock("2010-11-0001", 1, "run-1", DOCUMENTS), time.monotonic() + 60)
    lease.check()
    lease.lost.set()
    with pytest.raises(StaleLockError, match="run-1"):
        lease.check()


def test_a_run_that_is_not_needed_leaves_as_soon_as_the_holder_shows_that_it_lives(batch: Batch) -> None:
    """Waiting out a whole lease, it kept its place among the parallel runs from a batch that had nobody."""
    with (
        connect(batch.url) as connection,
        holding(batch.url, connection, DOCUMENTS, batch.key, "run-1", policy(6), retry_rejected=False),
    ):
        began = time.monotonic()
        with pytest.raises(LockHeldError):
            take(
                batch.state,
                DOCUMENTS,
                batch.key,
                "run-2",
                policy(6),
                retry_rejected=False,
                patience=Patience.UNTIL_RENEWED,
            )
        assert time.monotonic() - began < 5.9


def test_a_run_takes_over_from_one_that_died_as_soon_as_its_lease_ends(batch: Batch) -> None:
    batch.lock("run-1", 1.5)
    taken = take(
        batch.state, DOCUMENTS, batch.key, "run-2", policy(), retry_rejected=False, patience=Patience.UNTIL_RENEWED
    )
    assert (taken.run_id, taken.epoch) == ("run-2", 2)
