"""A hundred thousand batches in Dagster: what the sensor, the web UI and a backfill make of them, what pruning takes.

One batch is posted through the running system; its run, with every event, is then copied for the others: a fifth of
them, the newest, have been materialized, as after retention.
"""

import math
import os
import re
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import psycopg
import requests
from playwright.sync_api import sync_playwright

from billing_assets.erp.batches.automation import plan_batches_sensor
from billing_assets.erp.batches.partitions import NAME
from billing_assets.foundation.database.connection import Connection, libpq_url
from billing_assets.foundation.runtime import Runtime
from billing_assets.operations.retention.runs import drop_partition
from proving import measured
from proving.benchmarks.measure import Place
from proving.benchmarks.sandbox import sandbox
from proving.benchmarks.world import MONTH, database, runtime, source
from proving.world.chromium import CHROMIUM, FLAGS
from proving.world.command import running

_SIZES = (1_000, 10_000, 100_000)
_SHARE = 0.2
_PATIENCE_SECONDS = 300.0

# Batches `first` to `last` (of which those from `materialized` on with a run each), after the pattern of the first one.
_COPY = """
create temporary table pattern on commit drop as
select run_id, partition_key as key from billing.locked_batches order by partition_key limit 1;
create temporary table added on commit drop as
select n, gen_random_uuid()::text as run_id,
       to_char(date '2011-01-01' + make_interval(months => n / 2000), 'YYYY-MM-')
           || lpad((n %% 2000 + 1)::text, 4, '0') as key
from generate_series(%(first)s, %(last)s) as n;
insert into public.dynamic_partitions (partitions_def_name, partition) select 'batches', key from added order by n;
insert into billing.locked_batches (partition_key, period, sequence, state, documents, total, epoch, run_id, requests,
    finished_at)
select key, left(key, 7), right(key, 4)::integer, 'posted', 1000, 1000, 1, run_id, 1, now() from added;
delete from added where n < %(materialized)s;
insert into public.runs (run_id, snapshot_id, pipeline_name, mode, status, run_body, partition, create_timestamp,
    update_timestamp, start_time, end_time)
select a.run_id, r.snapshot_id, r.pipeline_name, r.mode, r.status,
       replace(replace(r.run_body, p.run_id, a.run_id), p.key, a.key), replace(r.partition, p.key, a.key),
       r.create_timestamp, r.update_timestamp, r.start_time, r.end_time
from added as a, pattern as p join public.runs as r on r.run_id = p.run_id;
insert into public.run_tags (run_id, key, value)
select a.run_id, t.key, replace(t.value, p.key, a.key)
from added as a, pattern as p join public.run_tags as t on t.run_id = p.run_id;
insert into public.event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)
select a.run_id, replace(replace(e.event, p.run_id, a.run_id), p.key, a.key), e.dagster_event_type, e.timestamp,
       e.step_key, e.asset_key, replace(e.partition, p.key, a.key)
from added as a, pattern as p join public.event_logs as e on e.run_id = p.run_id order by a.n, e.id;
insert into public.asset_check_executions (asset_key, check_name, partition, run_id, execution_status, evaluation_event,
    evaluation_event_timestamp, evaluation_event_storage_id, materialization_event_storage_id)
select c.asset_key, c.check_name, replace(c.partition, p.key, a.key), a.run_id, c.execution_status,
       replace(replace(c.evaluation_event, p.run_id, a.run_id), p.key, a.key), c.evaluation_event_timestamp,
       c.evaluation_event_storage_id, c.materialization_event_storage_id
from added as a, pattern as p join public.asset_check_executions as c on c.run_id = p.run_id"""

_HEALTH = """
query Health($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
    id
    partitionKeysByDimension { name type partitionKeys }
    assetPartitionStatuses { ... on DefaultPartitionStatuses {
        materializedPartitions failedPartitions unmaterializedPartitions materializingPartitions } }
    partitionStats { numMaterialized numPartitions numFailed numMaterializing }
} } }"""
_BACKFILL = """
mutation Backfill($asked: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $asked) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""


def partitions(here: Place, small: bool) -> dict[str, Any]:
    """Looks at it with so many batches and so many more."""
    sizes = (20, 40) if small else _SIZES
    folder = here.folder / "partitions"
    with (
        sandbox(folder / "netsuite") as netsuite,
        source(here, MONTH, 40) as billing,
        database(here, migrated=True) as state,
        runtime(here, state, billing, netsuite.settings | {"home": str(folder / "home")}) as found,
        _system(found, folder) as (address, instance, system),
        found.state() as connection,
    ):
        looks, last = [], 0
        for size in sizes:
            with connection.transaction():
                newest = {"first": last + 1, "last": size - 1, "materialized": size - int(_SHARE * (size - last))}
                psycopg.ClientCursor(connection).execute(_COPY, newest)
            connection.execute("analyze")
            last = size
            looks.append({"keys": size} | _look(address, instance, system, found, size))
            print(looks[-1], flush=True)
        bytes_each = _bytes_of_a_run(connection)
        began = time.monotonic()
        some = instance.get_dynamic_partitions(NAME)[-(sizes[0] // 2) :]
        for key in some:
            drop_partition(instance, key)
        pruning = (time.monotonic() - began) / len(some)
    return {"looks": looks, "bytes_of_a_run": bytes_each, "pruning_milliseconds": 1000 * pruning}


@contextmanager
def _system(found: Runtime, folder: Path) -> Iterator[tuple[str, dg.DagsterInstance, psutil.Process]]:
    """`billing up`, with its first batch posted; its address, and Dagster's instance."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = {name: value for name, value in os.environ.items() if name.startswith("BILLING_")}
    with running(folder / "up.log", given, "up", "--port", str(port)) as system, found.state() as connection:
        _wait(lambda: _posted(connection), system, folder / "up.log")
        os.environ["DAGSTER_POSTGRES_URL"] = libpq_url(found.database_url, driver="postgresql+psycopg2")
        with dg.DagsterInstance.from_config(str(found.settings.home / "dagster")) as instance:
            _wait(lambda: all(run.is_finished for run in instance.get_runs()), system, folder / "up.log")
            yield f"http://127.0.0.1:{port}", instance, psutil.Process(system.pid)


def _posted(connection: Connection) -> bool:
    rows = connection.execute("select state from billing.locked_batches").fetchall()
    return bool(rows) and all(row["state"] == "posted" for row in rows)


def _wait(done: Callable[[], bool], system: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not done():
        if system.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the system did not get through: {log.read_text(encoding='utf-8')[-2000:]}")
        time.sleep(0.1)


def _look(
    address: str, instance: dg.DagsterInstance, system: psutil.Process, found: Runtime, size: int
) -> dict[str, float]:
    """Seconds of everything that somebody waits for."""
    sensor = plan_batches_sensor(found.settings)
    keys = instance.get_dynamic_partitions(NAME)
    with dg.build_sensor_context(
        instance=instance, resources={"billing": found}, sensor_name="plan_batches"
    ) as context:
        tick = statistics.median(_seconds(lambda: sensor(context)) for _ in range(5))
    first = _seconds(lambda: _ask(address, _HEALTH, key={"path": ["netsuite_invoices"]}))
    again = _seconds(lambda: _ask(address, _HEALTH, key={"path": ["netsuite_invoices"]}))
    page = _page_seconds(f"{address}/assets/netsuite_invoices?view=partitions")
    began = time.monotonic()
    asked = {
        "partitionNames": keys[-3:],
        "assetSelection": [{"path": ["locked_batches"]}, {"path": ["netsuite_invoices"]}],
    }
    answer = _ask(address, _BACKFILL, asked=asked)["launchPartitionBackfill"]
    tags = dg.RunsFilter(tags={"dagster/backfill": answer["backfillId"]})
    launched = None
    while True:
        runs = instance.get_runs(tags)
        if len(runs) == 3 and launched is None:
            launched = time.monotonic() - began
        if len(runs) == 3 and all(run.is_finished for run in runs):
            assert all(run.is_success for run in runs), runs
            break
        assert time.monotonic() - began < _PATIENCE_SECONDS, runs
        time.sleep(0.2)
    done = time.monotonic() - began
    return {
        "a tick of `plan_batches`": tick,
        "statuses of all partitions, after a new one": first,
        "the same again": again,
        "the page *Partitions* in Chromium": page,
        "a backfill of three, until they are queued": launched or done,
        "until they are done": done,
        "memory of the web server and its code server (MB)": _megabytes(system, "dagster_webserver"),
        "of the daemon, its code server and runs (MB)": _megabytes(system, "dagster._daemon"),
    }


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _ask(address: str, query: str, **variables: Any) -> dict[str, Any]:
    answer = requests.post(
        f"{address}/graphql", json={"query": query, "variables": variables}, timeout=_PATIENCE_SECONDS
    )
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    if "errors" in found:
        raise RuntimeError(str(found["errors"]))
    data: dict[str, Any] = found["data"]
    return data


def _page_seconds(url: str) -> float:
    """Until a person sees how many partitions are materialized; nan where there is no Chromium."""
    if CHROMIUM is None:
        return math.nan
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = chromium.new_page(viewport={"width": 1600, "height": 1000})
            page.set_default_timeout(1000 * _PATIENCE_SECONDS)
            began = time.monotonic()
            page.goto(url)
            page.get_by_text(re.compile(r"Materialized \(")).first.wait_for()
            return time.monotonic() - began
        finally:
            chromium.close()


def _megabytes(system: psutil.Process, name: str) -> float:
    """The memory of the process below `billing up` whose command names this, and of all that it started."""
    (found,) = [one for one in system.children() if any(name in part for part in one.cmdline())]
    return sum(one.memory_info().rss for one in [found, *found.children(recursive=True)]) / 2**20


def _bytes_of_a_run(connection: Connection) -> float:
    """What a run takes in Dagster's tables, indexes included."""
    row = connection.execute(
        """
        select sum(pg_total_relation_size(name::regclass)) / (select count(*) from public.runs) as size
        from unnest(%s::text[]) as name""",
        [["public.runs", "public.run_tags", "public.event_logs", "public.asset_check_executions"]],
    ).fetchone()
    assert row is not None
    return float(row["size"])


def text(found: dict[str, Any]) -> str:
    """What stands on the page."""
    looks = found["looks"]
    names = [name for name in looks[0] if name != "keys"]
    table = measured.table(
        ["", *(f"{look['keys']:,} batches" for look in looks)],
        [[name, *(_said(name, look[name]) for look in looks)] for name in names],
    )
    return (
        f"{table}\n\nA run of a batch takes {found['bytes_of_a_run'] / 1024:.0f} kB in Dagster's tables. Deleting a "
        f"batch with its run takes {found['pruning_milliseconds']:.0f} ms. {found['measured']}, {found['machine']}."
    )


def _said(name: str, value: float) -> str:
    if name.endswith("(MB)"):
        return f"{value:,.0f}"
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.1f} s"
