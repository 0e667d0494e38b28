"""`billing move …`: a person moves what our database belongs to, on the record."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Annotated

import typer
from rich.markup import escape

from billing_assets.decisions.store import Subject as Decided
from billing_assets.decisions.store import recorder
from billing_assets.erp.billing_system.identity import identity
from billing_assets.erp.netsuite import found_store
from billing_assets.foundation.database import bindings
from billing_assets.foundation.database.bindings import Moved, Subject
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.logs import configure_logs
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import SettingsError
from billing_assets.operations import environment
from billing_assets.operations.commands.console import console
from billing_assets.operations.status import simple_table

app = typer.Typer(
    no_args_is_help=True,
    help="What our database belongs to: NetSuite account, environment, source, prefixes; moved to what is set now.",
)

By = Annotated[str, typer.Option(help="Who decides; it is kept for good.")]
Why = Annotated[str, typer.Option(help="Why; it is kept for good.")]


@app.command("list")
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


@app.command()
def account(by: By, why: Why) -> None:
    """Move to the NetSuite account and host that the settings name. Refused while a document is locked or posting."""
    moved = _move(Subject.ACCOUNT, by, why, found_store.leave_account)
    _say("account", moved, by)
    if moved.changed and moved.was:
        console.print(
            f"What was posted to {escape(moved.was)} is looked for in {escape(moved.now)} from now on: the close names "
            "every document that is not there, and nothing is posted again."
        )


@app.command("environment")
def environment_command(by: By, why: Why) -> None:
    """Move to the environment that BILLING_ENV names. Refused while a document is locked or posting."""
    _say("environment", _move(Subject.ENVIRONMENT, by, why), by)


@app.command()
def prefix(by: By, why: Why) -> None:
    """Take over the mapping's prefixes of external ids. Refused while a document is locked or posting."""
    moved = _move(Subject.PREFIX, by, why)
    _say("prefixes", moved, by)
    if moved.changed and moved.was:
        console.print(
            f"What was sent under {escape(moved.was)} keeps its external id and is still looked for; what was never "
            "sent gets the new prefix with the next staging."
        )


@app.command()
def source(by: By, why: Why) -> None:
    """Confirm the database behind BILLING_SOURCE__URL as the source's, e.g. a replica. Earlier ones stay confirmed."""
    by, why = _said(by, why)
    with _machine() as (found, connection):
        with found.billing_system(unbound=True) as opened:
            this = identity(opened)
        decide = recorder(connection, Decided.BINDING, by, why)
        moved = bindings.move_source(connection, found.settings.source.name, this, decide)
    _say(f"source {found.settings.source.name}", moved, by)


def _move(subject: Subject, by: str, why: str, leave: Callable[[Connection], None] = lambda _: None) -> Moved:
    by, why = _said(by, why)
    with _machine() as (found, connection):
        if subject is Subject.PREFIX:
            _ = found.mapping  # a mapping that cannot be read has no prefixes to move to: it says why
        return bindings.move(connection, subject, found.named(), recorder(connection, Decided.BINDING, by, why), leave)


@contextmanager
def _machine() -> Iterator[tuple[Runtime, Connection]]:
    with environment.runtime() as found:
        configure_logs(found.settings.log_format)
        prepared = environment.prepare(found, may_differ=lambda _: None)
        with prepared.runtime.state() as connection:
            yield prepared.runtime, connection


def _say(what: str, moved: Moved, by: str) -> None:
    if not moved.changed:
        console.print(f"It is there already: {what} {escape(moved.now)}. Nothing was changed.")
    else:
        was = f"from {moved.was} " if moved.was else ""
        console.print(escape(f"Moved: {what} {was}to {moved.now} (decided by {by.strip()})."))


def _said(by: str, why: str) -> tuple[str, str]:
    if not by.strip() or not why.strip():
        raise SettingsError("--by and --why must say something: they are kept with the decision.")
    return by.strip(), why.strip()
