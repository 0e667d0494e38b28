"""The work of a month among ten million posted documents, against among 54,000: it must not depend on the history.

Two databases of one server hold the same present (a backlog, a batch that needs a person, what was posted this month)
and as much history as a month or sixteen years leave behind: documents, batches, attempts, outcomes, Dagster's runs.
"""

import os
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import yaml
from psycopg.rows import tuple_row

from billing_assets.erp.batches import store, unlocking
from billing_assets.erp.batches.automation import plan_batches_sensor
from billing_assets.erp.batches.ledger import DOCUMENTS
from billing_assets.erp.batches.planning import plan
from billing_assets.erp.billing_system.queries import Dates
from billing_assets.erp.staging import months, polling
from billing_assets.erp.staging.settings import StagingSettings
from billing_assets.foundation.database.connection import Connection, connect, libpq_url
from billing_assets.foundation.periods import first_day
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.sections import BatchSettings
from billing_assets.foundation.settings import make_settings
from billing_assets.operations.alerts.detection import detect
from billing_assets.operations.status import status
from billing_assets.posting import batch_lock
from proving.benchmarks.measure import Mark, Measure, Place, Round
from proving.benchmarks.world import database

MONTH = 54_000
MONTHS = int(os.environ.get("BENCH_MONTHS", "186"))
_SETTINGS = BatchSettings(parallel_runs=1)
_UNKNOWN_AFTER = 960.0
_ROUNDS = 9
_TABLES = ("staged_invoices", "posting_attempts", "posting_outcomes")

# Months of the history, the newest 20 days ago, each other 30 days earlier; batches of 1,000 documents.
_BATCHES = """
create temporary table batch as
select m.number * %(month)s + first as first, m.number * %(month)s + least(first + 999, %(month)s) as last, m.period,
       m.period || '-' || lpad((first / 1000 + 1)::text, 4, '0') as key, first / 1000 + 1 as sequence, m.posted_at
from (
    select number, to_char(date '2025-12-01' - make_interval(months => %(months)s - 1 - number), 'YYYY-MM') as period,
           now() - make_interval(days => 20 + 30 * (%(months)s - 1 - number)) as posted_at
    from generate_series(0, %(months)s - 1) as number) as m,
    generate_series(1, %(month)s, 1000) as first;
insert into billing.locked_batches (partition_key, period, sequence, state, documents, total, planned_at, epoch, run_id,
    requests, requested_at, finished_at)
select key, period, sequence, 'posted', 1000, 1000, posted_at, 1, 'run-' || key, 1, posted_at, posted_at from batch"""
_DOCUMENTS = """
insert into billing.staged_invoices (source, document_id, kind, number, status, created_at, document_date, due_date,
    period, customer, branch, currency, terms, memo, total, line_count, extra, lines, content_hash, external_id, state,
    state_since, findings, batch, epoch, netsuite_id, transaction_number, posted_at, read_back_at, staged_at)
select 'billing', i::text, 'invoice', (500000 + i)::text, 'closed', posted_at, posted_at, posted_at, period, '12346',
       'United Kingdom', 'GBP', 'NET30', 'Ordered by telephone', 1, 1, '{}',
       '[[1, "10002", "Inflatable globe", "1", "1.00", "1.00", null, null, null, null]]', sha256(i::text::bytea),
       'INV-' || 500000 + i, 'posted', posted_at, '[]', key, 1, i::text, 'INV' || i, posted_at, posted_at, posted_at
from batch, generate_series(first, last) as i"""
_ATTEMPTS = """
insert into billing.posting_attempts (document, batch, run_id, epoch, attempt, external_id, payload_hash, started_at)
select id, batch, 'run-' || batch, 1, 1, external_id, content_hash, posted_at from billing.staged_invoices"""
_OUTCOMES = """
insert into billing.posting_outcomes (attempt, run_id, outcome, http_status, netsuite_id, seconds, recorded_at)
select id, run_id, 'landed', 204, document::text, 0.3, started_at from billing.posting_attempts"""
_TOTALS = """
insert into billing.posted_totals
select source, period, kind, currency, count(*), sum(total) from billing.staged_invoices group by 1, 2, 3, 4"""
# The present: a backlog, and what waits for people.
_PRESENT = """
insert into billing.staged_invoices (source, document_id, kind, number, status, created_at, document_date, due_date,
    period, customer, branch, currency, terms, memo, total, line_count, extra, lines, content_hash, external_id, state,
    findings)
select 'billing', 'now-' || i, 'invoice', 'N' || i, 'closed', now(), '2026-01-05', '2026-02-05', '2026-01', '12346',
       'United Kingdom', 'GBP', 'NET30', 'Ordered by telephone', 1, 1, '{}',
       '[[1, "10002", "Inflatable globe", "1", "1.00", "1.00", null, null, null, null]]',
       sha256(i::text::bytea), 'INV-N' || i, case when i %% 21 = 0 then 'held' else 'ready' end,
       case when i %% 21 = 0 then jsonb '[{"code": "CUSTOMER_MISSING", "severity": "error"}]' else '[]' end
from generate_series(1, %(present)s) as i;
insert into billing.locked_batches (partition_key, period, sequence, state, documents, total, epoch, run_id,
    finished_at)
select '2025-11-' || i, '2025-11', i, 'attention', 2, 2, 1, 'run', now() from generate_series(9001, 9020) as i;
insert into billing.staged_invoices (source, document_id, kind, number, status, document_date, period, customer, branch,
    currency, total, line_count, extra, lines, content_hash, external_id, state, findings, batch, epoch)
select 'billing', 'refused-' || i, 'invoice', 'R' || i, 'closed', '2025-11-05', '2025-11', '12346', 'United Kingdom',
       'GBP', 1, 1, '{}', '[]', sha256(i::text::bytea), 'INV-R' || i, 'rejected', '[]', '2025-11-' || 9001 + i %% 20, 1
from generate_series(1, 40) as i"""
_RUNS = """
insert into runs (run_id, snapshot_id, pipeline_name, status, run_body, partition, create_timestamp, update_timestamp,
    start_time, end_time)
select gen_random_uuid()::text, r.snapshot_id, r.pipeline_name, 'SUCCESS', r.run_body, b.partition_key, b.planned_at,
       b.planned_at, 1, 2
from runs as r, billing.locked_batches as b where r.run_id = %s;
"""


@dataclass(frozen=True)
class History:
    """A database with a history, and Dagster's instance in it."""

    url: str
    runtime: Runtime
    instance: dg.DagsterInstance


def make(url: str, folder: Path, months: int, month: int = MONTH) -> History:
    """Fills an empty database that has our schema; Dagster's configuration goes to `folder`."""
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        fill(connection, months, month)
        config = {"storage": {"postgres": {"postgres_url": libpq_url(url, driver="postgresql+psycopg2")}}}
        (folder / "dagster.yaml").write_text(yaml.safe_dump(config | {"telemetry": {"enabled": False}}))
        instance = dg.DagsterInstance.from_config(str(folder))
        run = instance.add_run(dg.DagsterRun(job_name="post_batch", status=dg.DagsterRunStatus.SUCCESS))
        connection.execute(_RUNS, [run.run_id])
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")  # all that was filled in; later it would hold up a commit for half a minute
    return History(url, Runtime(make_settings(home=folder, database_url=url)), instance)


def fill(connection: psycopg.Connection[Any], months: int, month: int = MONTH, present: int = 5_250) -> None:
    """So many months of so many posted documents with all that belongs to them, and as many documents in the present.

    Ten million take five minutes.
    """
    with connection.transaction():
        connection.execute("set local session_replication_role = replica")  # no triggers, no foreign keys
        connection.execute("set local maintenance_work_mem = '1GB'")
        connection.execute("set local synchronous_commit = off")
        with _without_indexes(connection):
            cursor = psycopg.ClientCursor(connection)  # it takes several statements at once
            for statement in (_BATCHES, _DOCUMENTS, _ATTEMPTS, _OUTCOMES, _TOTALS):
                cursor.execute(statement, {"months": months, "month": month})
        connection.execute("drop table batch")
    psycopg.ClientCursor(connection).execute(_PRESENT, {"present": present})
    connection.execute("vacuum (freeze, analyze)")


@contextmanager
def _without_indexes(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Takes the indexes of the large tables, but for the primary keys, away for the block: built at once is quicker."""
    rows = (
        connection.cursor(row_factory=tuple_row)
        .execute(
            """
        select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), i.indrelid::regclass::text,
               c.conname, pg_get_constraintdef(c.oid)
        from pg_index as i left join pg_constraint as c on c.conindid = i.indexrelid and c.conrelid = i.indrelid
        where i.indrelid = any(%s::regclass[]) and not i.indisprimary""",
            [[f"billing.{name}" for name in _TABLES]],
        )
        .fetchall()
    )
    for index, _, table, constraint, _ in rows:
        connection.execute(f"alter table {table} drop constraint {constraint}" if constraint else f"drop index {index}")
    yield
    for _, definition, table, constraint, said in rows:
        connection.execute(f"alter table {table} add constraint {constraint} {said}" if constraint else definition)


# What is measured: milliseconds, and the present is left as it was.


def lock_a_batch(history: History) -> float:
    """Locks 1,000 documents that wait in a batch."""
    with connect(history.url) as connection, _planned(connection) as keys:
        return _milliseconds(lambda: _lock(connection, keys[0]))


def plan_the_backlog(history: History) -> float:
    """Makes batches of some 5,000 ready documents."""
    with connect(history.url) as connection:
        spent = _milliseconds(lambda: plan(connection, _SETTINGS))
        _give_back(connection)
    return spent


def unlock_a_batch(history: History) -> float:
    """Gives 1,000 locked documents back to the backlog."""
    with connect(history.url) as connection, _planned(connection) as keys:
        _lock(connection, keys[0])
        return _milliseconds(lambda: unlocking.unlock(connection, keys[0], _UNKNOWN_AFTER))


def tick(history: History) -> float:
    """A look of the sensor `plan_batches` that finds every batch in good hands, with what it asks Dagster."""
    sensor = plan_batches_sensor(history.runtime.settings)
    with connect(history.url) as connection, _planned(connection) as keys:
        for key in keys:
            _lock(connection, key)
        with dg.build_sensor_context(
            instance=history.instance, resources={"billing": history.runtime}, sensor_name="plan_batches"
        ) as context:
            found: list[object] = []
            spent = _often(lambda: found.append(sensor(context)))
    assert all(isinstance(one, dg.SkipReason) for one in found), found
    return spent


def look_at_status(history: History) -> float:
    """`billing status` on a connection that is open."""
    with connect(history.url) as connection:
        return _often(lambda: status(connection, history.runtime.settings))


def watch(history: History) -> float:
    """One evaluation of `alert_on_problems`: stale locks, what waits for too long, watermarks, batches left behind."""
    settings = history.runtime.settings
    with connect(history.url) as connection:

        def once() -> None:
            detect(connection, settings, datetime.now(UTC))
            store.needing_attention(connection)

        return _often(once)


def poll(history: History) -> float:
    """What staging reads of our own table: all that may still change, and what was posted in the last weeks."""
    with connect(history.url) as connection:
        days = history.runtime.settings.of(StagingSettings).drift_days
        return _milliseconds(lambda: deque(polling.polled(connection, "billing", b"", days), maxlen=0))


def night(history: History) -> float:
    """What staging reads of our own tables to compare the newest month, all earlier ones being closed for good: what is
    posted of it, whether each of its ids is known, and its totals."""
    newest, before = "2025-12", "2025-11"
    dates = Dates(since=first_day(newest), months=frozenset({newest}))
    comparison = months.Comparison(dates, None, frozenset({newest}), True, before)

    def once() -> None:
        for chunk in months.posted_long_ago(connection, "billing", comparison, 0):
            polling.unknown(connection, "billing", list(chunk), 0)
        months.held_tallies(connection, "billing", comparison.changed)

    with connect(history.url) as connection, connection.transaction():
        return _milliseconds(once)


@contextmanager
def _planned(connection: Connection) -> Iterator[list[str]]:
    keys = plan(connection, _SETTINGS)
    yield keys
    _give_back(connection)


def _give_back(connection: Connection) -> None:
    for row in connection.execute(
        "select partition_key as key from billing.locked_batches where state in ('planned', 'running')"
    ).fetchall():
        unlocking.unlock(connection, row["key"], _UNKNOWN_AFTER)


def _lock(connection: Connection, key: str) -> None:
    with connection.transaction():
        batch_lock.lock(connection, DOCUMENTS, key, "benchmark", 600, retry_rejected=False)


def _often(work: Callable[[], object], times: int = 7) -> float:
    return statistics.median(_milliseconds(work) for _ in range(times))


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


_WORK: dict[str, tuple[str, Callable[[History], float]]] = {
    "lock": ("locking a batch of 1,000", lock_a_batch),
    "plan": ("planning 5,000 documents", plan_the_backlog),
    "tick": ("a tick of the sensor `plan_batches`", tick),
    "unlock": ("unlocking a batch of 1,000", unlock_a_batch),
    "status": ("`billing status`", look_at_status),
    "watch": ("a look of the watch", watch),
    "poll": ("what staging reads of its own table", poll),
    "night": ("what the nightly comparison of an open month reads of our tables", night),
}


def _play(here: Place, small: bool) -> Iterator[Round]:
    months, month, rounds = (4, 1_000, 1) if small else (MONTHS, MONTH, _ROUNDS)
    with _history(here, months, month) as large, _history(here, 1, month) as little:
        for number in range(1 if small else 0, rounds + 1):
            for name, (_, work) in _WORK.items():
                spent = {}
                for history in (large, little) if number % 2 else (little, large):
                    spent[history.url] = work(history)
                if number:  # the first one warms both up
                    yield Round(spent[large.url], spent[little.url], months * month, measure=name)


@contextmanager
def _history(here: Place, months: int, month: int) -> Iterator[History]:
    with database(here, migrated=True) as url, tempfile.TemporaryDirectory(dir=here.folder) as folder:
        made = make(url, Path(folder), months, month)
        print(f"  {months * month:,} posted documents", flush=True)
        yield made
        made.instance.dispose()


MEASURES = [
    Measure(
        name,
        f"{what} at {MONTHS * MONTH / 1e6:.0f} million posted documents",
        f"at {MONTH:,}",
        "ms",
        Mark(at_most=1.2),
        10 if name == "lock" else 0,
        _play,
    )
    for name, (what, _) in _WORK.items()
]
