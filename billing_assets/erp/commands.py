"""`billing move …`: a person moves what our database belongs to, on the record."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Annotated

import typer
from rich.markup import escape

from billing_assets.decisions.store import Subject as Decided
from billing_assets.decisions.store import recorder
from billing_assets.erp import bindings
from billing_assets.erp.billing_system.resource import BillingSystem, BillingSystems
from billing_assets.erp.bindings import Moved, Subject
from billing_assets.erp.netsuite import found_transactions_store
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import opened_runtime, prepare_database
from billing_assets.foundation.commands.options import said
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.logs import configure_logs
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import load_settings

move = typer.Typer(
    no_args_is_help=True,
    help="What our database belongs to: NetSuite account, environment, source, prefixes; moved to what is set now.",
)

By = Annotated[str, typer.Option(help="Who decides; it is kept for good.")]
Why = Annotated[str, typer.Option(help="Why; it is kept for good.")]


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.add_typer(move, name="move")


@move.command("list")
def list_command() -> None:
    """What the database is bound to and was, since when, by whom and why."""
    with _machine() as (_, connection):
        entries = bindings.entries(connection)
    columns = ["What", "Name", "Bound to", "Since (UTC)", "By", "Why"]
    table = simple_table("What this database belongs to", columns)
    for one in entries:
        since = f"{one.bound_at.astimezone(UTC):%Y-%m-%d %H:%M}"
        table.add_row(one.subject, *map(escape, (one.name, one.value, since, one.decided_by or "", one.why or "")))
    console.print(table)


@move.command()
def account(by: By, why: Why) -> None:
    """Move to the NetSuite account and host that the settings name. Refused while a document is locked or posting."""
    moved = _move(Subject.ACCOUNT, by, why, found_transactions_store.leave_account)
    _say("account", moved, by)
    if moved.changed and moved.was:
        console.print(
            f"What was posted to {escape(moved.was)} is looked for in {escape(moved.now)} from now on: the close names "
            "every document that is not there, and nothing is posted again."
        )


@move.command("environment")
def environment_command(by: By, why: Why) -> None:
    """Move to the environment that BILLING_ENV names. Refused while a document is locked or posting."""
    _say("environment", _move(Subject.ENVIRONMENT, by, why), by)


@move.command()
def prefix(by: By, why: Why) -> None:
    """Take over the mapping's prefixes of external ids. Refused while a document is locked or posting."""
    moved = _move(Subject.PREFIX, by, why)
    _say("prefixes", moved, by)
    if moved.changed and moved.was:
        console.print(
            f"What was sent under {escape(moved.was)} keeps its external id and is still looked for; what was never "
            "sent gets the new prefix with the next staging."
        )


@move.command()
def source(
    by: By,
    why: Why,
    name: Annotated[str | None, typer.Option(help="Of the source; default: the first one.")] = None,
) -> None:
    """Confirm the database behind a source's URL as the source's, e.g. a replica. Earlier ones stay confirmed."""
    by, why = said(by, why)
    with _machine() as (found, connection):
        system = found.of(BillingSystem) if name is None else found.of(BillingSystems).named(name)
        with system.connection(unbound=True) as opened:
            this = system.identity(opened)
        decide = recorder(connection, Decided.BINDING, by, why)
        moved = bindings.move_source(connection, system.name, this, decide)
    _say(f"source {system.name}", moved, by)


def _move(subject: Subject, by: str, why: str, leave: Callable[[Connection], None] = lambda _: None) -> Moved:
    by, why = said(by, why)
    with _machine() as (found, connection):
        if subject is Subject.PREFIX:
            _ = found.of(NetSuite).mapping  # a mapping that cannot be read has no prefixes to move to: it says why
        return bindings.move(
            connection, subject, found.of(NetSuite).named(), recorder(connection, Decided.BINDING, by, why), leave
        )


@contextmanager
def _machine() -> Iterator[tuple[Runtime, Connection]]:
    with opened_runtime() as found:
        configure_logs(found.settings.log_format)
        prepare_database(found, may_differ=lambda _: None)
        runtime = Runtime(load_settings())
        with runtime.state() as connection:
            yield runtime, connection


def _say(what: str, moved: Moved, by: str) -> None:
    if not moved.changed:
        console.print(f"It is there already: {what} {escape(moved.now)}. Nothing was changed.")
    else:
        was = f"from {moved.was} " if moved.was else ""
        console.print(escape(f"Moved: {what} {was}to {moved.now} (decided by {by.strip()})."))
