"""Which runs live: one at work holds a lock in our PostgreSQL, and lets go of it by dying, on whatever machine."""

import hashlib
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import psycopg
import structlog

from billing_assets.foundation.database.connection import Connection, connect

log = structlog.get_logger(__name__)

_AGAIN_SECONDS = 1.0
# Shared: after a lost connection the new session need not wait until the server has noticed the end of the old one.
_LOCK = "select pg_advisory_lock_shared(%s, %s)"
# A run that found its way back has not been missed, however often it is cut off: the wait for it begins again.
_NOTE = "insert into billing.runs_at_work (run_id) values (%s) on conflict (run_id) do update set missed_since = null"
_LOCKED = """
    select objid::bigint as mark from pg_locks
    where locktype = 'advisory' and objsubid = 2 and granted and classid::bigint = %s
      and database = (select oid from pg_database where datname = current_database())"""


@contextmanager
def present(url: str, run_id: str, lease_seconds: float) -> Iterator[None]:
    """Shows that a run is at work while the block lasts, from a thread of its own, which reconnects where it must.

    It shows no more at once when its process died, and `lease_seconds` after that hung or was cut off at most. A
    database that cannot be reached does not stop the block; the run does not show, that is all.
    """
    stop = threading.Event()
    keeper = threading.Thread(target=_keep, args=(url, run_id, lease_seconds, stop), name="presence", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join(timeout=_AGAIN_SECONDS)


def missed(connection: Connection, expected: Collection[str], patience_seconds: float) -> list[str]:
    """Those of the expected runs that showed themselves once and have not done so for `patience_seconds`, at two looks
    at least; one that lives may have lost the database for a moment. Forgets what is neither there nor expected."""
    shown = {row["mark"] for row in connection.execute(_LOCKED, [_mark("billing presence")]).fetchall()}
    rows = connection.execute("select run_id from billing.runs_at_work").fetchall()
    absent = [row["run_id"] for row in rows if _mark(row["run_id"]) not in shown]
    connection.execute(
        "delete from billing.runs_at_work where run_id = any(%s) and run_id <> all(%s)", [absent, list(expected)]
    )
    found = connection.execute(
        """
        with looked as (
            update billing.runs_at_work
            set missed_since = case when run_id = any(%(absent)s)  -- least: the clock may have been set back
                               then least(missed_since, statement_timestamp()) end
            where run_id = any(%(absent)s) or missed_since is not null
            returning run_id, missed_since)
        select run_id from looked where missed_since <= statement_timestamp() - make_interval(secs => %(patience)s)""",
        {"absent": absent, "patience": patience_seconds},
    )
    return [row["run_id"] for row in found.fetchall()]


def _keep(url: str, run_id: str, lease_seconds: float, stop: threading.Event) -> None:
    # Who hangs (stopped, swapped out) or was cut off ends the session here by not refreshing it.
    limits = {"idle_session_timeout": f"{round(1000 * lease_seconds)}ms", "statement_timeout": "10s"}
    while not stop.is_set():
        try:
            with connect(url, application="billing presence", settings=limits) as connection:
                connection.execute(_LOCK, [_mark("billing presence"), _mark(run_id)])
                connection.execute(_NOTE, [run_id])
                while not stop.wait(lease_seconds / 3):
                    connection.execute("select 1")
                connection.execute("delete from billing.runs_at_work where run_id = %s", [run_id])
        except psycopg.Error as error:
            log.warning("presence_not_shown", error=type(error).__name__)
            stop.wait(min(_AGAIN_SECONDS, lease_seconds / 3))


def _mark(name: str) -> int:
    """A positive 31-bit number, the same everywhere."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) & 0x7FFFFFFF
