"""Old runs leave Dagster, and batches posted long ago the web UI; never what somebody still needs or waits for."""

from collections.abc import Iterator

import dagster as dg
import pytest
import yaml
from dagster._core.events import DagsterEvent, StepMaterializationData
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from billing_assets.erp.batches import store as batches
from billing_assets.erp.batches.partitions import NAME
from billing_assets.erp.documents.documents import State
from billing_assets.foundation.database.connection import Connection, libpq_url
from billing_assets.operations.retention import runs
from billing_assets.operations.retention.runs import Pruned, prune
from billing_assets.operations.retention.settings import RetentionSettings
from billing_assets.posting import batch_lock
from billing_assets_tests.rooms.operations.retention.posted import UNKNOWN_AFTER, lock, post
from proving.world.databases import _database
from proving.world.rig import invoices

EVERYTHING = RetentionSettings.model_construct(runs_days=0, batches_days=0)
RANGE = "dagster/asset_partition_range_start"
"""By which a backfill's run names its partition."""
RUNS_ONLY = RetentionSettings.model_construct(runs_days=0, batches_days=400)


@pytest.fixture(scope="module")
def storage(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance on PostgreSQL, as the product has it."""
    folder = tmp_path_factory.mktemp("dagster")
    with _database(server_url, template="template0") as url:
        postgres = {"postgres_url": libpq_url(url, driver="postgresql+psycopg2")}
        config = {"storage": {"postgres": postgres}, "telemetry": {"enabled": False}}
        (folder / "dagster.yaml").write_text(yaml.safe_dump(config))
        with dg.DagsterInstance.from_config(str(folder)) as found:
            yield found


@pytest.fixture
def instance(storage: dg.DagsterInstance) -> dg.DagsterInstance:
    """The same, empty."""
    for run in storage.get_runs():
        storage.delete_run(run.run_id)
    for key in storage.get_dynamic_partitions(NAME):
        storage.delete_dynamic_partition(NAME, key)
    for backfill in storage.get_backfills():
        storage.update_backfill(backfill._replace(status=BulkActionStatus.CANCELED))
    return storage


def run_of(
    instance: dg.DagsterInstance, partition: str | None, status: dg.DagsterRunStatus, tag: str = "dagster/partition"
) -> str:
    """A run, over or not; its id."""
    tags = {tag: partition} if partition else {}
    return instance.add_run(dg.DagsterRun(job_name="any", status=status, tags=tags)).run_id


def materialize(
    instance: dg.DagsterInstance, asset: str, partition: str | None = None, tag: str = "dagster/partition"
) -> str:
    """A run that is over and has materialized an asset; its id."""
    run_id = run_of(instance, partition, dg.DagsterRunStatus.SUCCESS, tag)
    materialized = StepMaterializationData(dg.AssetMaterialization(asset, partition=partition))
    event = DagsterEvent("ASSET_MATERIALIZATION", "any", step_key=asset, event_specific_data=materialized)
    instance.report_dagster_event(event, run_id)
    return run_id


def posted(state: Connection, instance: dg.DagsterInstance, first: int = 500_000) -> tuple[str, list[str]]:
    """A batch that two runs had, the second of which, a backfill's, posted it: its key and the runs."""
    key = post(state, invoices(1, first=first), lambda _: [("refused", State.REJECTED)])
    instance.add_dynamic_partitions(NAME, [key])
    ids = [materialize(instance, "netsuite_invoices", key, tag) for tag in ("dagster/partition", RANGE)]
    batches.requeue(state, None, UNKNOWN_AFTER)
    batch_lock.release(state, lock(state, key, ids[1]), UNKNOWN_AFTER)
    return key, ids


def left(instance: dg.DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs()}


def test_of_each_asset_and_month_the_last_run_stays(state: Connection, instance: dg.DagsterInstance) -> None:
    old = [materialize(instance, "staged_invoices"), materialize(instance, "month_close", "2010-11")]
    kept = [materialize(instance, "month_close", month) for month in ("2010-10", "2010-11")]
    kept.append(materialize(instance, "staged_invoices"))
    over = run_of(instance, None, dg.DagsterRunStatus.CANCELED)
    alive = run_of(instance, None, dg.DagsterRunStatus.STARTED)
    assert prune(instance, state, RetentionSettings()) == Pruned(0, 0, whole=True), "none of it is old"
    assert prune(instance, state, RUNS_ONLY) == Pruned(3, 0, whole=True)
    assert left(instance) == {*kept, alive}
    assert [instance.all_logs(run) for run in [*old, over]] == [[], [], []]
    assert prune(instance, state, RUNS_ONLY) == Pruned(0, 0, whole=True)


def test_of_a_batch_the_run_that_posted_it_stays_and_before_that_all(
    state: Connection, instance: dg.DagsterInstance
) -> None:
    _, (first, second) = posted(state, instance)
    waiting = post(state, invoices(1, first=600_000), lambda _: [("refused", State.REJECTED)])
    instance.add_dynamic_partitions(NAME, [waiting])
    needed = [materialize(instance, "netsuite_invoices", waiting, tag) for tag in (RANGE, "dagster/partition")]
    assert prune(instance, state, RUNS_ONLY) == Pruned(1, 0, whole=True)
    assert left(instance) == {second, *needed}
    assert first not in left(instance)


def test_a_batch_that_was_posted_long_ago_leaves_with_its_runs(state: Connection, instance: dg.DagsterInstance) -> None:
    key, _ = posted(state, instance)
    waiting = post(state, invoices(1, first=600_000), lambda _: [("refused", State.REJECTED)])
    instance.add_dynamic_partitions(NAME, [waiting])
    assert prune(instance, state, EVERYTHING) == Pruned(2, 1, whole=True)
    assert instance.get_dynamic_partitions(NAME) == [waiting]
    assert left(instance) == set()
    assert batches.get(state, key).state == "posted", "our own tables keep it"


@pytest.mark.parametrize("by", ["dagster/partition", RANGE, "backfill"])
def test_a_partition_about_which_something_is_under_way_is_left_alone(
    by: str, state: Connection, instance: dg.DagsterInstance
) -> None:
    """Without its partition a run would fail at its end."""
    key, _ = posted(state, instance)
    if by != "backfill":
        run_of(instance, key, dg.DagsterRunStatus.STARTING, by)
    else:
        instance.add_backfill(PartitionBackfill("b", BulkActionStatus.REQUESTED, False, {}, 0.0))
    assert prune(instance, state, EVERYTHING).partitions == 0
    assert instance.get_dynamic_partitions(NAME) == [key]


def test_a_partition_that_is_asked_for_in_the_same_moment_comes_back(
    state: Connection, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = posted(state, instance)
    delete = instance.delete_dynamic_partition

    def somebody_asks_first(name: str, partition: str) -> None:
        run_of(instance, partition, dg.DagsterRunStatus.NOT_STARTED)
        delete(name, partition)

    monkeypatch.setattr(instance, "delete_dynamic_partition", somebody_asks_first)
    prune(instance, state, EVERYTHING)
    assert instance.get_dynamic_partitions(NAME) == [key]
    assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.NOT_STARTED]


def test_it_takes_its_time_and_goes_on_the_next_night(
    state: Connection, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_PAGE", 2)
    for _ in range(7):
        run_of(instance, None, dg.DagsterRunStatus.SUCCESS)
    assert prune(instance, state, RUNS_ONLY, longest_seconds=-1) == Pruned(0, 0, whole=False)
    assert prune(instance, state, RUNS_ONLY) == Pruned(7, 0, whole=True)


def test_a_kill_between_the_events_and_their_run_leaves_nothing_behind(
    state: Connection, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    materialize(instance, "staged_invoices")
    old, _ = materialize(instance, "month_close", "2010-11"), materialize(instance, "month_close", "2010-11")

    def killed(_: str) -> None:
        raise KeyboardInterrupt

    for place, step in ((instance.event_log_storage, "delete_events"), (instance, "delete_run")):
        with monkeypatch.context() as patched:
            patched.setattr(place, step, killed)
            with pytest.raises(KeyboardInterrupt):
                prune(instance, state, RUNS_ONLY)
        assert old in left(instance), "the next look finds it"
    assert prune(instance, state, RUNS_ONLY) == Pruned(1, 0, whole=True)
    assert old not in left(instance)
    assert instance.all_logs(old) == []
