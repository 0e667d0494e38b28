"""Does everything that the pipeline needs answer, and does the mapping point at records that exist?"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import dagster as dg
import psycopg

from billing_assets.billing_system.connection import source_now
from billing_assets.billing_system.errors import SourceError
from billing_assets.billing_system.queries import check_columns
from billing_assets.billing_system.receivables import sums
from billing_assets.journal.errors import JournalError
from billing_assets.journal.restores import months_unconfirmed, restores, unconfirmed
from billing_assets.netsuite.client import NetSuiteClient
from billing_assets.netsuite.errors import NetSuiteError, NetSuiteForbidden
from billing_assets.netsuite.mapping_file import MappingError
from billing_assets.netsuite.open_items import open_sums
from billing_assets.netsuite.suiteql import PAGE_ROWS, query
from billing_assets.operations.watching import SILENT_SECONDS, last_heartbeat
from billing_assets.receivables.late_fee_rules import LateFeeError
from billing_assets.reminders.desk import open_desk
from billing_assets.reminders.errors import ReminderError
from billing_assets.reminders.smtp import Mailer, parse_server
from billing_assets.runtime import Runtime
from billing_assets.settings import SettingsError
from billing_assets.shipped import shipped
from billing_assets.state import bindings
from billing_assets.state.migrations import MigrationError, migrate

_SHOWN = 5
_RECORDS = {
    "entity": "customer",
    "item": "item",
    "subsidiary": "subsidiary",
    "department": "department",
    "class": "classification",
    "location": "location",
    "terms": "term",
    "currency": "currency",
}
"""Which record type a field refers to; custom fields may refer to any, so they are not looked up."""


class Checked(NamedTuple):
    """One thing looked at: whether it is well, what was seen, and what to do where it is not."""

    what: str
    well: bool
    said: str


_Faults = (
    SettingsError,
    SourceError,
    MappingError,
    LateFeeError,
    MigrationError,
    NetSuiteError,
    ReminderError,
    JournalError,
    psycopg.Error,
)


def examine(runtime: Runtime) -> Iterator[Checked]:
    """Looks at everything; a fault in one thing does not hide the others."""
    for what, look in (
        ("Our database", _database),
        ("What it belongs to", _binding),
        ("Journal", _journal),
        ("Billing system", _billing_system),
        ("Mapping", _mapping),
        ("NetSuite", _netsuite),
        ("References in NetSuite", _references),
        ("Receivables", _receivables),
        ("Reminders", _reminders),
        ("Dagster's daemon", _daemon),
    ):
        yield _looked(what, look, runtime)


def _looked(what: str, look: Callable[[Runtime], str], runtime: Runtime) -> Checked:
    try:
        return Checked(what, True, look(runtime))
    except _Faults as error:
        return Checked(what, False, str(error))
    except Unwell as error:
        return Checked(what, False, str(error))


class Unwell(Exception):  # noqa: N818  it is a finding
    """Something answered, but not as it should."""


def _database(runtime: Runtime) -> str:
    applied = migrate(runtime.database_url, shipped("sql/state"))
    with runtime.state() as connection:
        row = connection.execute("select current_setting('server_version') as version").fetchone()
    version = row["version"] if row else "?"
    return f"PostgreSQL {version}, schema up to date" + (f" ({len(applied)} migrations applied now)" if applied else "")


def _binding(runtime: Runtime) -> str:
    with runtime.state() as connection:
        runtime.compare(connection)
        said = bindings.bound_in_words(connection)
        loud = bindings.loud(runtime.named())
    if runtime.settings.source.url is not None:
        runtime.compare_source()
    return f"{said}. LOOK: {loud}" if loud else said


def _journal(runtime: Runtime) -> str:
    with runtime.state() as connection:
        journal, found = runtime.compared_journal(connection)
        journal.try_out()
        months, reminders = months_unconfirmed(connection), unconfirmed(connection, "reminders")
        noticed = restores(connection)
    if damaged := [f"{one.name} ({one.problem})" for one in found.damaged]:
        raise Unwell(
            f"{journal.folder}: {len(damaged)} files cannot be read: {', '.join(damaged[:_SHOWN])}. They were left as "
            "they are and everything else was read. Put them back from a copy, or move them away."
        )
    if months or (reminders and runtime.settings.reminders.enabled):
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


def _billing_system(runtime: Runtime) -> str:
    with runtime.billing_system(unbound=True) as source:  # also where one looks before one moves
        check_columns(source, runtime.queries)
        now = source_now(source)
    engine = runtime.source.dialect.name
    return f"{engine} answers with every column of the contract; its clock says {now:%Y-%m-%d %H:%M:%S} UTC"


def _mapping(runtime: Runtime) -> str:
    mapping = runtime.mapping
    return f"{runtime.settings.mapping}: {len(mapping.file.body)} body fields, {len(mapping.file.line)} line fields"


def _netsuite(runtime: Runtime) -> str:
    client = runtime.netsuite
    next(query(client, "SELECT id FROM currency ORDER BY id"), None)
    answers = f"{client.base_url} answers and the login ({runtime.settings.netsuite.auth}) is accepted"
    return f"{answers}; {_lanes(client, runtime.settings.netsuite.lanes)}"


def _lanes(client: NetSuiteClient, lanes: int) -> str:
    try:
        limit = client.concurrency_limit()
    except NetSuiteForbidden:
        return f"the role may not read how many requests at once it allows, the settings say {lanes}"
    return f"{lanes if limit is None else min(limit, lanes)} requests at once (settings {lanes}, NetSuite {limit})"


def _references(runtime: Runtime) -> str:
    missing = []
    looked_up = 0
    for field, ids in sorted(runtime.mapping.references().items()):
        if record := _RECORDS.get(field):
            looked_up += len(ids)
            if absent := sorted(ids - _existing(runtime.netsuite, record, sorted(ids))):
                shown = ", ".join(absent[:_SHOWN]) + (" …" if len(absent) > _SHOWN else "")
                missing.append(f"{len(absent)} of {len(ids)} ids for {field} ({record}): {shown}")
    if missing:
        raise Unwell(
            f"NetSuite does not have: {'; '.join(missing)}. Correct the lookup tables of {runtime.settings.mapping}, "
            "or make the records in NetSuite, or let the role see them."
        )
    return f"all {looked_up:,} records that the mapping can name exist"


def _receivables(runtime: Runtime) -> str:
    rules = len(runtime.late_fee_rules.rules)
    if runtime.settings.receivables.balances_from == "netsuite":
        items = sum(one.items for one in open_sums(runtime.netsuite))
    else:
        with runtime.billing_system() as source:
            items = sum(rows for _, _, rows, _ in sums(source, runtime.receivables_query))
    return f"{items:,} open items in {runtime.settings.receivables.balances_from}; {rules} rules of late fees"


def _existing(client: NetSuiteClient, record: str, ids: list[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(ids), PAGE_ROWS):
        chunk = ids[start : start + PAGE_ROWS]
        if not all(one.isascii() and one.isdigit() for one in chunk):
            raise Unwell(
                f"An id for {record} in the mapping is no number; internal ids are. Use `reference: externalId`."
            )
        values = ", ".join(chunk)
        found |= {row["id"] for row in query(client, f"SELECT id FROM {record} WHERE id IN ({values}) ORDER BY id")}  # noqa: S608
    return found


def _reminders(runtime: Runtime) -> str:
    settings = runtime.settings.reminders
    if not settings.enabled:
        return "switched off; nothing is sent"
    desk = open_desk(settings, runtime.source, runtime.queries)
    desk.templates.check(desk.policy)
    server = parse_server(settings.smtp_url)
    with Mailer(server, desk.policy.domain) as mailer:
        mailer.greet()
    return f"ladder and templates are whole; the mail server {server.host} answers and takes the login, if it wants one"


def _daemon(runtime: Runtime) -> str:
    try:
        instance = dg.DagsterInstance.get()
    except dg.DagsterInvariantViolationError as error:
        raise Unwell(f"DAGSTER_HOME is not set up: {error}. Run `billing init`.") from None
    beat = last_heartbeat(instance)
    if beat is None:
        raise Unwell("It never ran here. `billing up` starts it; without it nothing is staged or posted by itself.")
    age = (datetime.now(UTC) - beat).total_seconds()
    if age > SILENT_SECONDS:
        raise Unwell(f"Its last sign of life is {age / 60:.0f} minutes old. Start it again (`billing up`).")
    return f"alive {age:.0f} s ago"
