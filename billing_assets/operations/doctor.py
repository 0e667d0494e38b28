"""Does everything that the pipeline needs answer? The database's own checks; rooms bring theirs (`doctor.examine`)."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from billing_assets.areas import verbs
from billing_assets.foundation.commands.machine import check_database
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.doctor import Checked, Unwell, few, looked
from billing_assets.foundation.journal.compared import compared_journal
from billing_assets.foundation.journal.restores import months_unconfirmed, restores, unconfirmed
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.shipped import shipped
from billing_assets.operations.daemon_health import SILENT_SECONDS, last_heartbeat
from billing_assets.receivables.settings import ReminderSettings


def check_up(runtime: Runtime) -> Iterator[Checked]:
    """Looks at everything that is switched on; a fault in one thing does not hide the others."""
    areas = runtime.settings.areas
    yield looked("Our database", _database, runtime)
    if verbs("guards", "belongs_to", areas):
        yield looked("What it belongs to", _binding, runtime)
    yield looked("Journal", _journal, runtime)
    for examine in verbs("doctor", "examine", areas):
        yield from examine(runtime)
    yield looked("Dagster's daemon", _daemon, runtime)


def _database(runtime: Runtime) -> str:
    pooled = check_database(runtime.database_url)
    applied = migrate(runtime.database_url, shipped("sql/state"))
    with runtime.state() as connection:
        row = connection.execute("select current_setting('server_version') as version").fetchone()
    version = row["version"] if row else "?"
    through = ", through a connection pool that keeps sessions apart" if pooled else ""
    now = f" ({len(applied)} migrations applied now)" if applied else ""
    return f"PostgreSQL {version}{through}, schema up to date{now}"


def _binding(runtime: Runtime) -> str:
    with runtime.state() as connection:
        runtime.compare(connection)
        return " ".join(said(runtime, connection) for said in verbs("guards", "belongs_to", runtime.settings.areas))


def _journal(runtime: Runtime) -> str:
    with runtime.state() as connection:
        journal, found = compared_journal(connection, runtime.settings)
        journal.try_out()
        months, reminders = months_unconfirmed(connection), unconfirmed(connection, "reminders")
        noticed = restores(connection)
    if damaged := [f"{one.name} ({one.problem})" for one in found.damaged]:
        raise Unwell(
            f"{journal.folder}: {len(damaged)} files cannot be read: {few(damaged)}. They were left as "
            "they are and everything else was read. Put them back from a copy, or move them away."
        )
    if months or (reminders and runtime.settings.of(ReminderSettings).enabled):
        waits = [*([f"the months {', '.join(months)}"] if months else []), *(["the reminders"] if reminders else [])]
        raise Unwell(
            "The database was put back to an earlier time, and the journal does not cover what is missing. Nothing is "
            f"closed or mailed before a person confirms {' and '.join(waits)}: `billing restore list`."
        )
    torn = f"; {len(found.torn)} files end in half a line, which counts as not written" if found.torn else ""
    if journal.identity and journal.identity.replaces:
        torn += f"; it was begun again on {journal.identity.begun_at[:10]}, instead of one that was lost"
    put_back = f"; the database was put back {len(noticed)} times (`billing restore list`)" if noticed else ""
    return f"{journal.folder} can be written to, and agrees with the database{torn}{put_back}"


def _daemon(runtime: Runtime) -> str:
    try:
        beat = last_heartbeat(dg.DagsterInstance.get())
    except dg.DagsterInvariantViolationError as error:
        raise Unwell(f"DAGSTER_HOME is not set up: {error}. Run `billing init`.") from None
    except dg.DagsterError as error:
        raise Unwell(str(error)) from error
    if beat is None:
        raise Unwell("It never ran here. `billing up` starts it; without it nothing is staged or posted.")
    age = (datetime.now(UTC) - beat).total_seconds()
    if age > SILENT_SECONDS:
        raise Unwell(f"Its last sign of life is {age / 60:.0f} minutes old. Start it again (`billing up`).")
    return f"alive {age:.0f} s ago"
