"""Several at once on the same thing: whoever wins, NetSuite has every document once and to the cent."""

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from billing_assets.erp.batches.ledger import DOCUMENTS
from billing_assets.erp.batches.planning import plan
from billing_assets.erp.batches.unlocking import unlock
from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.erp.netsuite import assets
from billing_assets.erp.settings import absence_counts_after_seconds
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.sections import BatchSettings
from billing_assets.posting import attempts, locks
from billing_assets.posting.attempts import Intent
from billing_assets.posting.locks import Lock
from billing_assets.sandbox.netsuite.process import RunningSandbox
from proving.kills.counting import count
from proving.kills.victim import run
from proving.kills.world import fill
from proving.world.account import Account
from proving.world.builders import change_document, change_line, stage_now, staged
from proving.world.system import System, failure
from proving.world.waiting import PATIENCE_SECONDS, until

SLOW = {"latency_median_ms": 60, "latency_sigma": 0.3}


@pytest.fixture
def system(
    state_url: str,
    database: str,
    sandbox: RunningSandbox,
    sandbox_account: Account,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[System]:
    """A system whose batches do not rest after a run that left something, and whose runs look often for their turn."""
    monkeypatch.setattr("billing_assets.posting.lease._LOOK_AGAIN_SECONDS", 0.1)
    lanes, quick = {"lanes": 6}, BatchSettings(lease_seconds=2, stale_lock_minutes=0, retry_seconds=0)
    with System.open(
        state_url, database, sandbox, sandbox_account, home=tmp_path, netsuite=lanes, batches=quick
    ) as opened:
        yield opened


# Helpers


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Runs the calls in threads that all start at the same moment; their results in order, errors raised."""
    barrier = threading.Barrier(len(calls))

    def call(one: Callable[[], Any]) -> Any:
        barrier.wait(PATIENCE_SECONDS)
        return one()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(PATIENCE_SECONDS) for future in [pool.submit(call, one) for one in calls]]


@contextmanager
def meanwhile(call: Callable[[], Any]) -> Iterator[Future[Any]]:
    """Runs a call in a thread beside the block."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(call)


def ready(system: System, documents: int, **changes: Any) -> None:
    fill(system.source, documents, **changes)
    assert system.stage().success


@contextmanager
def daemon_of_its_own(system: System, partitions: Sequence[str] = ()) -> Iterator[System]:
    """The same system seen by another Dagster process: an instance of its own."""
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("netsuite_batches", list(partitions))
        yield system.like(instance=instance)


def materialize(system: System, key: str) -> dg.ExecuteInProcessResult:
    """A person materializes a partition, from a Dagster process of its own."""
    with daemon_of_its_own(system, [key]) as other:
        result = other.post(key)
        assert isinstance(result, dg.ExecuteInProcessResult)
        return result


def assert_green(*results: dg.ExecuteInProcessResult) -> None:
    """Every run went well; else why not."""
    failed = [
        event.step_failure_data.error_display_string for one in results for event in one.get_step_failure_events()
    ]
    assert failed == []
    assert [one.success for one in results] == [True] * len(results)


def created(system: System) -> int:
    return int(system.account.admin("summary")["posts"]["created"])


def post_until_done(system: System) -> None:
    """The sensor and its runs, until it rests and nothing is on its way."""

    def rests() -> bool:
        for key in system.planned():
            system.post(key, by_sensor=True)
        return not {"ready", "batched", "locked", "posting"} & {*system.states().values()}

    until(rests)


def assert_whole(system: System, documents: int) -> None:
    """Counted at the sandbox against the billing system, line by line, and in our own tables."""
    found = count(system.source, system.account)
    assert found.documents == documents
    assert found.whole, found
    assert Counter(system.states().values()) == {"posted": documents}


# Races


def test_ten_runners_on_one_backlog_post_every_document_once(system: System) -> None:
    ready(system, 66, applied=False)
    system.account.switch(**SLOW)

    def runner() -> None:
        with connect(system.runtime.database_url) as connection:
            plan(connection, system.runtime.settings.batches.model_copy(update={"max_documents": 22}))
            keys = [
                row["partition_key"] for row in connection.execute("select * from billing.locked_batches").fetchall()
            ]
        for key in random.sample(keys, len(keys)):
            run(system.runtime, key, str(uuid.uuid4()))

    at_once(*[runner] * 10)
    assert_whole(system, 66)
    assert system.posts() == 66


def test_the_same_partition_materialized_twice_at_once_is_sent_once_and_both_runs_are_green(system: System) -> None:
    ready(system, 40, applied=False)
    (key,) = system.planned()
    system.account.switch(**SLOW)
    results = at_once(*[lambda: materialize(system, key)] * 2)
    assert_green(*results)
    assert_whole(system, 40)
    assert system.posts() == 40


def test_a_run_whose_finished_batch_another_run_takes_up_before_it_has_reported_is_green(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was red with "some documents differ or were not read back", as the batch was running again when it looked."""
    ready(system, 5, applied=False)
    (key,) = system.planned()
    post = assets._post

    def and_then_it_is_taken(context: Any, billing: Runtime, connection: Connection) -> Any:
        result = post(context, billing, connection)
        with connection.transaction():
            locks.lock(connection, DOCUMENTS, key, "another run", 60, retry_rejected=False)
        return result

    monkeypatch.setattr(assets, "_post", and_then_it_is_taken)
    assert_green(system.post(key))
    assert_whole(system, 5)


def test_a_rematerialization_during_the_first_run_waits_for_it_and_sends_nothing(system: System) -> None:
    ready(system, 60, applied=False)
    (key,) = system.planned()
    system.account.switch(**SLOW)
    with meanwhile(lambda: materialize(system, key)) as first:
        until(lambda: created(system) >= 10)
        assert materialize(system, key).success
        assert first.result(30).success
    assert_whole(system, 60)
    assert system.posts() == 60


def test_unlocking_a_batch_whose_run_is_alive_stops_that_run_and_loses_nothing(system: System) -> None:
    ready(system, 80, applied=False)
    (key,) = system.planned()
    system.account.switch(**SLOW)
    with meanwhile(lambda: materialize(system, key)) as running:
        until(lambda: created(system) >= 10)
        given_back = unlock(system.state, key, absence_counts_after_seconds(system.runtime.settings))
        result = running.result(30)
    assert given_back > 0
    assert not result.success
    assert "no longer holds batch" in str(failure(result, "netsuite_invoices").error)
    assert created(system) < 80, "it stopped"
    post_until_done(system)
    assert_whole(system, 80)
    assert system.account.admin("summary")["posts"]["refused_duplicate"] == 0


def test_staging_while_posting_keeps_both_right(system: System) -> None:
    ready(system, 90, applied=False)
    (key,) = system.planned()
    system.account.switch(latency_median_ms=150, latency_sigma=0.3)
    stagings = during = 0
    with meanwhile(lambda: materialize(system, key)) as posting:
        until(lambda: created(system) >= 5)
        while not posting.done():
            fill(system.source, 10, 600_000 + 10 * stagings, applied=False)
            stage_now(system.runtime.database_url, system.runtime.of(BillingSystem).url)
            stagings += 1
            during += created(system) < 80
        assert posting.result().success
    assert during, "no staging was done while documents were on their way"
    system.account.switch(latency_median_ms=0)
    post_until_done(system)
    assert_whole(system, 90 + 10 * stagings)
    assert system.posts() == 90 + 10 * stagings


def test_a_document_that_changes_between_intent_and_post_goes_as_it_was_staged_and_is_reported(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(system, 20, applied=False)
    (key,) = system.planned()
    document = staged(system.state, "500005")["document_id"]
    before = count(system.source, system.account)
    record_intents = attempts.record_intents

    def and_then_change(connection: Connection, held: Lock, intents: dict[int, Intent]) -> dict[int, int]:
        made = record_intents(connection, held, intents)
        change_line(system.source, document, price="999.99", amount="999.99")
        change_document(system.source, document, total="999.99")
        stage_now(system.runtime.database_url, system.runtime.of(BillingSystem).url)
        return made

    monkeypatch.setattr(attempts, "record_intents", and_then_change)
    assert system.post(key).success
    monkeypatch.undo()
    assert before.documents == before.lost == 20
    row = staged(system.state, "500005")
    found = count(system.source, system.account)
    assert (found.lost, found.doubled, found.unequal) == (0, 0, 1), "NetSuite has it as it was staged"
    assert found.cents_off == 999_99 - 100 * row["total"]
    assert row["drift"] is None, "it was on its way"
    assert system.stage().success
    assert staged(system.state, "500005")["drift"]["source_total"] == "999.990"
    assert isinstance(system.look("plan_batches"), dg.SkipReason), "never sent again"
    assert system.posts() == 20


def test_a_sensor_evaluated_twice_for_one_tick_puts_no_document_in_two_batches(system: System) -> None:
    ready(system, 60)
    system.account.switch(**SLOW)

    def tick() -> list[str]:
        with daemon_of_its_own(system) as daemon:
            return daemon.planned()

    asked = at_once(*[tick] * 4)
    keys = sorted({key for keys in asked for key in keys})
    rows = system.state.execute("select batch, count(*) as n from billing.staged_invoices group by 1").fetchall()
    assert sorted(row["batch"] for row in rows if row["batch"]) == keys
    results = at_once(*[lambda key=key: materialize(system, key) for keys in asked for key in keys])
    assert_green(*results)
    post_until_done(system)
    assert_whole(system, 60)
    assert system.posts() == 60


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_a_batch_whose_run_was_deleted_in_dagster_is_asked_for_again(
    system: System, status: dg.DagsterRunStatus
) -> None:
    ready(system, 10, applied=False)
    (key,) = system.planned()
    deleted = system.instance.add_run(
        dg.DagsterRun(job_name="post_batch", status=status, tags={"dagster/partition": key})
    )
    if status == dg.DagsterRunStatus.STARTED:
        with connect(system.runtime.database_url) as connection, connection.transaction():
            locks.lock(connection, DOCUMENTS, key, deleted.run_id, 0.5, retry_rejected=False)
    assert isinstance(system.look("plan_batches"), dg.SkipReason), "a run has it"
    system.instance.delete_run(deleted.run_id)
    until(lambda: system.planned() == [key])
    assert system.post(key, by_sensor=True).success
    assert_whole(system, 10)
    assert system.posts() == 10


def test_a_partition_deleted_by_hand_comes_back_with_the_next_look(system: System) -> None:
    ready(system, 10, applied=False)
    (key,) = system.planned()
    system.instance.delete_dynamic_partition("netsuite_batches", key)
    assert system.planned() == [key]
    assert system.instance.get_dynamic_partitions("netsuite_batches") == [key]
    assert system.post(key, by_sensor=True).success
    assert_whole(system, 10)
    assert system.posts() == 10


def test_a_partition_deleted_during_its_run_changes_nothing_in_netsuite(system: System) -> None:
    ready(system, 40, applied=False)
    (key,) = system.planned()
    system.account.switch(**SLOW)
    with meanwhile(lambda: system.post(key, by_sensor=True)) as running:
        until(lambda: created(system) >= 5)
        system.instance.delete_dynamic_partition("netsuite_batches", key)
        running.result(30)
    post_until_done(system)
    assert_whole(system, 40)
    assert system.posts() == 40
