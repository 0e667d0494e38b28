"""Does everything that the pipeline needs answer, and does the mapping point at records that exist?"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import dagster as dg
import psycopg
from sqlalchemy.exc import SQLAlchemyError

from billing_assets.erp import bindings
from billing_assets.erp.billing_system.receivables import sums
from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.erp.netsuite.open_items import open_sums
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.erp.pack_delivery.doctor import SUBJECT, look_at_pack_folder
from billing_assets.erp.pack_delivery.settings import PackDeliverySettings
from billing_assets.erp.settings import SourceSettings
from billing_assets.foundation.commands.machine import check_database
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.database.urls import without_secrets
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.journal.compared import compared_journal
from billing_assets.foundation.journal.restores import months_unconfirmed, restores, unconfirmed
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import variable
from billing_assets.foundation.shipped import shipped
from billing_assets.operations.doctor_netsuite import look_at_fields, look_at_netsuite, look_at_references
from billing_assets.operations.doctor_source import look_at_billing_system, look_at_columns, look_at_first_rows
from billing_assets.operations.verdicts import Unproven, Unwell, few
from billing_assets.operations.watching import SILENT_SECONDS, last_heartbeat
from billing_assets.receivables.balances.fee_store import branches
from billing_assets.receivables.balances.late_fee_rules import late_fee_rules
from billing_assets.receivables.balances.settings import ReceivablesSettings
from billing_assets.receivables.reminders.materials import load_materials
from billing_assets.receivables.reminders.smtp import Mailer, parse_server
from billing_assets.receivables.settings import ReminderSettings


class Checked(NamedTuple):
    """One thing looked at: whether it is well, what was seen, and what to do where it is not.

    `proven` is false where nothing is wrong as far as can be seen, and something could not be checked.
    """

    what: str
    well: bool
    said: str
    proven: bool = True


_FAULTS = (BillingError, Unwell, psycopg.Error, dg.DagsterError, OSError)


def examine(runtime: Runtime) -> Iterator[Checked]:
    """Looks at everything; a fault in one thing does not hide the others."""
    for what, look in (
        ("Our database", _database),
        ("What it belongs to", _binding),
        ("Journal", _journal),
        ("Billing system", look_at_billing_system),
        ("Billing system's rows", look_at_first_rows),
        ("Mapping", _mapping),
        ("Mapping's columns", look_at_columns),
        ("NetSuite", look_at_netsuite),
        ("References in NetSuite", look_at_references),
        ("Fields in NetSuite", look_at_fields),
        ("Receivables", _receivables),
        ("Reminders", _reminders),
        *([(SUBJECT, look_at_pack_folder)] if runtime.settings.of(PackDeliverySettings).host else []),
        ("Dagster's daemon", _daemon),
    ):
        yield _looked(what, look, runtime)


def _looked(what: str, look: Callable[[Runtime], str], runtime: Runtime) -> Checked:
    try:
        return Checked(what, True, look(runtime))
    except Unproven as error:
        return Checked(what, True, str(error), proven=False)
    except _FAULTS as error:
        return Checked(what, False, str(error))
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", None) or type(error).__name__  # its own text has the statement in it
        ours = runtime.settings.database_url
        said = without_secrets(str(reason), ours.get_secret_value() if ours else None)
        return Checked(what, False, " ".join(said.split()))


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
        said = bindings.bound_in_words(connection)
        loud = bindings.loud(runtime.of(NetSuite).named())
    if runtime.settings.of(SourceSettings).url is not None:
        runtime.of(BillingSystem).compare()
    return f"{said}. LOOK: {loud}" if loud else said


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


def _mapping(runtime: Runtime) -> str:
    mapping = runtime.of(NetSuite).mapping
    return f"{runtime.settings.mapping}: {len(mapping.file.body)} body fields, {len(mapping.file.line)} line fields"


def _receivables(runtime: Runtime) -> str:
    rules = len(late_fee_rules(runtime.settings).rules)
    if runtime.settings.of(ReceivablesSettings).balances_from == "netsuite":
        items = sum(one.items for one in open_sums(runtime.of(NetSuite).client))
    else:
        with runtime.of(BillingSystem).connection() as source:
            items = sum(rows for _, _, rows, _ in sums(source, runtime.of(BillingSystem).receivables_query))
    with runtime.state() as connection:
        billed = branches(connection)
    strange = sorted(set(runtime.settings.calendar.zones.branches) - set(billed)) if billed else []
    where = runtime.settings.of(ReceivablesSettings).balances_from
    today = runtime.settings.calendar.today()
    said = f"{items:,} open items in {where}; {rules} rules of late fees; the business day is {today}"
    if strange:
        said += f". LOOK: {variable('calendar.time_zones')} names {few(strange)}, and no open invoice is of it"
    return said


def _reminders(runtime: Runtime) -> str:
    settings = runtime.settings.of(ReminderSettings)
    if not settings.enabled:
        return "switched off; nothing is sent"
    materials = load_materials(
        settings,
        runtime.of(BillingSystem).engine,
        runtime.of(BillingSystem).queries,
        runtime.settings.calendar.zones,
        in_sample=runtime.of(NetSuite).in_sample,
    )
    materials.templates.check(materials.policy)
    server = parse_server(settings.smtp_url)
    with Mailer(server, materials.policy.domain) as mailer:
        mailer.greet()
    return f"ladder and templates are whole; the mail server {server.host} answers and takes the login, if it wants one"


def _daemon(runtime: Runtime) -> str:
    try:
        instance = dg.DagsterInstance.get()
    except dg.DagsterInvariantViolationError as error:
        raise Unwell(f"DAGSTER_HOME is not set up: {error}. Run `billing init`.") from None
    beat = last_heartbeat(instance)
    if beat is None:
        raise Unwell("It never ran here. `billing up` starts it; without it nothing is staged or posted.")
    age = (datetime.now(UTC) - beat).total_seconds()
    if age > SILENT_SECONDS:
        raise Unwell(f"Its last sign of life is {age / 60:.0f} minutes old. Start it again (`billing up`).")
    return f"alive {age:.0f} s ago"
