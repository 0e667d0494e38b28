"""The process that is killed, and the one that goes on after it: stages, plans, asks and posts as the daemon would.

Takes its orders from the command line and its settings from the environment. Writes a line for what it reaches:
`staged`, `locked KEY`, `at POINT` just before it strikes, `done` when everything is posted; then, for each line `again`
on its standard input, it stages, plans and runs every batch once more and writes `again`. Exits with 3 when it finds
that it lost its hold, with 4 when it is not done in time, with 5 when the database ended its connection.
"""

import argparse
import os
import random
import signal
import sys
import time
import uuid

import psycopg

from billing_assets.erp.batches.ledger import DOCUMENTS, lease_policy
from billing_assets.erp.batches.planning import plan, runs_wanted
from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.erp.netsuite.sink import netsuite_sink, run_policy
from billing_assets.erp.netsuite.validation import validation
from billing_assets.erp.settings import SourceSettings
from billing_assets.erp.staging import staging
from billing_assets.erp.staging.settings import StagingSettings
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.logs import configure_logs
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import load_settings
from billing_assets.posting import batch_lease
from billing_assets.posting.batch_lock import StaleLockError
from billing_assets.posting.run import post_batch
from proving.kills.points import POINTS, SENSOR, Trap

STALE = 3
NOT_DONE = 4
CUT_OFF = 5
_LOOK_SECONDS = 0.03


def main() -> int:
    """Works until all is posted, or until something stops it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--point", choices=POINTS, help="where to strike; default: nowhere")
    parser.add_argument("--nth", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stop", action="store_true", help="SIGSTOP instead of SIGKILL")
    parser.add_argument("--seconds", type=float, default=60.0, help="to give up after")
    options = parser.parse_args()
    runtime = Runtime(load_settings())
    configure_logs("console")
    if options.point:
        number = signal.SIGSTOP if options.stop else signal.SIGKILL
        trap = Trap(options.point, options.nth, number, random.Random(options.seed))
        POINTS[options.point](trap, runtime.settings)
    try:
        with runtime.state() as connection:
            _stage(runtime, connection)
            if options.point == SENSOR:
                _look(runtime)
            if not _work(runtime, connection, options.seconds):
                return NOT_DONE
            _say("done")
            for _ in sys.stdin:
                _again(runtime, connection)
                _say("again")
    except StaleLockError:
        return STALE
    except (psycopg.OperationalError, psycopg.errors.IdleInTransactionSessionTimeout):
        return CUT_OFF
    return 0


def _say(what: str) -> None:
    os.write(1, f"{what}\n".encode())


def _stage(runtime: Runtime, connection: Connection) -> None:
    name, settings = runtime.settings.of(SourceSettings).name, runtime.settings.of(StagingSettings)
    with runtime.of(BillingSystem).connection() as source:
        staging.stage(
            connection, source, runtime.of(BillingSystem).queries, name, validation(runtime), settings, _run_id()
        )
    _say("staged")


def _look(runtime: Runtime) -> None:
    """The planner's sensor itself, as Dagster evaluates it."""
    import dagster as dg  # noqa: PLC0415  only this point needs it

    from billing_assets.erp.batches.automation import plan_batches_sensor  # noqa: PLC0415

    with dg.DagsterInstance.ephemeral() as instance:
        sensor = plan_batches_sensor(runtime.settings)
        sensor(dg.build_sensor_context(instance=instance, resources={"billing": runtime}))


def _work(runtime: Runtime, connection: Connection, seconds: float) -> bool:
    """Plans, asks and runs until all is posted; false when it is not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        plan(connection, runtime.settings.batches)
        for wanted in runs_wanted(connection, {}):
            run(runtime, wanted.partition_key, _run_id())
        if is_done(connection):
            return True
        time.sleep(_LOOK_SECONDS)
    return False


def _again(runtime: Runtime, connection: Connection) -> None:
    """Everything once more, as a person would press it: nothing may be sent."""
    _stage(runtime, connection)
    plan(connection, runtime.settings.batches)
    for row in connection.execute("select partition_key from billing.locked_batches order by 1").fetchall():
        run(runtime, row["partition_key"], _run_id())


def run(runtime: Runtime, key: str, run_id: str) -> None:
    """What Dagster's run of a batch does: the asset `locked_batches`, then `netsuite_invoices`."""
    with runtime.state() as connection:
        batch_lease.take(connection, DOCUMENTS, key, run_id, lease_policy(runtime.settings), retry_rejected=False)
        _say(f"locked {key}")
    with (
        runtime.state() as connection,
        batch_lease.holding(
            runtime.database_url,
            connection,
            DOCUMENTS,
            key,
            run_id,
            lease_policy(runtime.settings),
            retry_rejected=False,
        ) as held,
        runtime.of(NetSuite).lanes() as lanes,
    ):
        recheck = runtime.of(NetSuite).recheck()
        sink = netsuite_sink(runtime.of(NetSuite).client, runtime.of(NetSuite).mapping, runtime.settings, recheck)
        post_batch(connection, sink, lanes, held, run_policy(runtime.settings))


def is_done(connection: Connection) -> bool:
    """Whether every batch is posted and nothing waits for one."""
    row = connection.execute(
        """
        select exists (select from billing.locked_batches)
           and not exists (select from billing.locked_batches where state <> 'posted')
           and not exists (select from billing.staged_invoices
                           where state in ('ready', 'batched', 'locked', 'posting')) as done"""
    ).fetchone()
    return bool(row and row["done"])


def _run_id() -> str:
    return str(uuid.uuid4())


if __name__ == "__main__":
    sys.exit(main())
