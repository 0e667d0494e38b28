"""Seen from outside Dagster's daemon: processes that ended are started again, and one that is silent is reported."""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg
import psycopg
import sqlalchemy.exc
import structlog
from dagster_postgres.utils import DagsterPostgresException

from billing_assets.foundation.database import embedded
from billing_assets.foundation.database.server_programs import EmbeddedServerError
from billing_assets.foundation.runtime import Runtime
from billing_assets.operations.alerts.causes import daemon_silent
from billing_assets.operations.alerts.send import deliver
from billing_assets.operations.environment import Prepared
from billing_assets.operations.processes import Process, keep_running

log = structlog.get_logger(__name__)

DATABASE_LOST = (psycopg.OperationalError, sqlalchemy.exc.DBAPIError, DagsterPostgresException)
"""What says that our database cannot be used just now: said by psycopg, or by Dagster's storage on it."""

SILENT_SECONDS = 180.0
"""Dagster calls a daemon healthy for up to half an hour after its last heartbeat; that is too long for us."""


def keep_up(prepared: Prepared, processes: Sequence[Process]) -> None:
    """One look: what ended is started again. Raises ProcessError for a process that ends again and again.

    A database that cannot be had now (its disk is full, say) is tried again at the next look.
    """
    if prepared.embedded:
        try:
            embedded.start(prepared.home)
        except EmbeddedServerError as error:
            log.warning("database_down", reason=str(error).partition("\n")[0])
            return
    for process in processes:
        keep_running(prepared.home, process)
    try:
        tell_about_silent_daemon(prepared.runtime, prepared.instance)
    except DATABASE_LOST as error:
        log.warning("database_not_answering", reason=type(error).__name__)


def last_heartbeat(instance: dg.DagsterInstance) -> datetime | None:
    """The latest sign of life of any of Dagster's daemons, in UTC."""
    beats = [one.last_heartbeat.timestamp for one in instance.get_daemon_statuses().values() if one.last_heartbeat]
    return datetime.fromtimestamp(max(beats), UTC) if beats else None


def tell_about_silent_daemon(runtime: Runtime, instance: dg.DagsterInstance) -> None:
    """Alerts once per window when the daemon has been silent for too long."""
    beat = last_heartbeat(instance)
    settings = runtime.settings.alerts
    if beat and (alert := daemon_silent(beat, datetime.now(UTC), SILENT_SECONDS, ui_url=settings.ui_url)):
        with runtime.state() as connection:
            deliver(connection, [alert], settings, runtime.settings.env)
