"""Runs that Dagster goes on showing as started although their process is gone."""

import dagster as dg

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.database.presence import missed

_AT_WORK = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def end_dead_runs(instance: dg.DagsterInstance, connection: Connection, lease_seconds: float) -> list[str]:
    """Ends them; returns their ids.

    No launcher sees that a whole machine died. Until somebody does, its runs keep their places in the pool, and a
    sensor that asks for a run only where none is at work waits for them. A run that lives shows itself again within
    half a lease after the database ended its connection, so two leases without a sign are its death, and not a restart
    of PostgreSQL. Were it alive all the same, it would have lost its lease by now, and nothing but its colour in the
    web UI would be wrong.
    """
    at_work = [run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=_AT_WORK))]
    dead = missed(connection, at_work, 2 * lease_seconds)
    for run_id in dead:
        _end(instance, run_id)
    return dead


def _end(instance: dg.DagsterInstance, run_id: str) -> None:
    run = instance.get_run_by_id(run_id)  # it may have ended since we looked
    if run is None or run.status not in _AT_WORK:
        return
    reason = "Its process, or its whole machine, shows no sign of life any more."
    if run.status == dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, reason)
    else:
        instance.report_run_failed(run, reason)
