"""`billing close …`: months closed soft and hard, reopened, and their packs. `billing files` serves packs."""

import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from billing_assets.erp.close import store
from billing_assets.erp.close.acceptances import Acceptance, accept, acceptances
from billing_assets.erp.close.closing import CloseRefusedError, Decision, hard_close, reopen, soft_close
from billing_assets.erp.close.comparing import compared, packed
from billing_assets.erp.close.files import serve
from billing_assets.erp.close.reconciliation import MonthClose
from billing_assets.erp.close.terminal import show_closes
from billing_assets.erp.close.workbook import label
from billing_assets.erp.documents.documents import Kind
from billing_assets.erp.settings import source_names
from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import opened_runtime, prepared_runtime
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.journal.compared import journal_of
from billing_assets.foundation.money import amount
from billing_assets.foundation.periods import month_of
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import SettingsError

close = typer.Typer(no_args_is_help=True, help="Close a billing month, reopen it, get its pack.")

Month = Annotated[datetime, typer.Argument(formats=["%Y-%m"], help="The billing month, YYYY-MM.")]
By = Annotated[str, typer.Option(help="Who decides.")]
Why = Annotated[str, typer.Option(help="Why; it is kept for good.")]


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.add_typer(close, name="close")
    app.command("files")(files_command)


@close.command("soft")
def soft_command(month: Month, by: By, why: Why) -> None:
    """Close a month until it is reopened: what is not on its way yet waits."""
    decision = Decision(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        journal = journal_of(connection, runtime.settings)
        compared = _compared(runtime, connection, month)
        show_closes(console, [compared])
        soft_close(connection, source_names(runtime.settings), compared, decision, journal)
    console.print(f"{compared.period} is closed; `billing close reopen` opens it again.")


@close.command("hard")
def hard_command(month: Month, by: By, why: Why) -> None:
    """Close a month for good; refused while anything in it is unknown, on its way or off by a cent."""
    decision = Decision(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        journal = journal_of(connection, runtime.settings)
        compared = _compared(runtime, connection, month)
        show_closes(console, [compared])
        names, today = source_names(runtime.settings), runtime.settings.calendar.today()
        hard_close(connection, names, compared, decision, journal, today)
    console.print(f"{compared.period} is closed for good.")


@close.command("reopen")
def reopen_command(month: Month, by: By, why: Why) -> None:
    """Open a month again that is closed soft."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        journal = journal_of(connection, runtime.settings)
        reopen(connection, source_names(runtime.settings), month_of(month), Decision(by, why), journal)
    console.print(f"{month_of(month)} is open again.")


@close.command("history")
def history_command() -> None:
    """Who closed and reopened which month, when and why."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        closings = store.closings(connection)
    table = simple_table("Closed months", ["Month", "What", "When (UTC)", "By", "Why", "Digest"])
    for one in closings:
        when = f"{one.acted_at:%Y-%m-%d %H:%M}"
        what = one.action.replace("_", " ") + (" (from the journal)" if one.taken_from_journal_at else "")
        table.add_row(one.period, what, when, escape(one.acted_by), escape(one.why), one.figures.hex()[:12])
    console.print(table)


@close.command("accept")
def accept_command(
    number: Annotated[str, typer.Argument(help="The document's number.")],
    by: By,
    why: Why,
    kind: Annotated[Kind | None, typer.Option(help="Where an invoice and a credit memo have the same number.")] = None,
) -> None:
    """Answer for what the billing system changed of a document after it was posted; NetSuite keeps what it has.

    Counts as long as the change is the same.
    """
    decision = Decision(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        one = accept(connection, source_names(runtime.settings), number, decision, kind)
    posted = f"{one.currency} {amount(one.total)}"
    console.print(
        f"{escape(label(one.kind))} {escape(one.number)} of {one.period}, posted with {posted}, in billing now "
        f"{_now(one)}: accepted by {escape(one.accepted_by)}."
    )


@close.command("accepted")
def accepted_command() -> None:
    """Changes after posting that somebody answers for, who and why."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        rows = acceptances(connection)
    columns = ["Document", "Month", "Posted", "In billing", "When (UTC)", "By", "Why", "Counts"]
    table = simple_table(f"{len(rows):,} accepted changes", columns, right=(2, 3))
    for one in rows:
        when = f"{one.accepted_at.astimezone(UTC):%Y-%m-%d %H:%M}"
        said = (when, escape(one.accepted_by), escape(one.why), "yes" if one.counts else "no, it changed again")
        table.add_row(escape(one.number), one.period, f"{one.currency} {amount(one.total)}", _now(one), *said)
    console.print(table)


def _now(one: Acceptance) -> str:
    """What the billing system has instead."""
    status = escape(one.status_now)
    return status if one.total_now is None else f"{amount(one.total_now)} ({status})"


@close.command("pack")
def pack_command(
    month: Month, to: Annotated[Path, typer.Option(help="Folder to write the two files into.")] = Path()
) -> None:
    """Write the workbook and the statement of a month's last comparison."""
    period = month_of(month)
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        pack = store.pack(connection, period)
    if pack is None:
        raise CloseRefusedError(f"{period} has no pack yet: materialize its partition of month_close first.")
    to.mkdir(parents=True, exist_ok=True)
    for ending, content in (("xlsx", pack.workbook), ("pdf", pack.statement)):
        path = to / f"month-close-{period}.{ending}"
        path.write_bytes(content)
        console.print(escape(str(path)))
    console.print(f"Digest of all figures: {pack.figures.hex()}")


def files_command(
    port: Annotated[int, typer.Option(help="Port.")] = 3010,
    host: Annotated[
        str, typer.Option(help="Address to listen on; it has no login, so leave it to a proxy.")
    ] = "127.0.0.1",
) -> None:
    """Serve the close packs to browsers until Ctrl-C: what the links in the web UI's metadata lead to."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise SettingsError(f"--host {host} --port {port}: cannot listen there ({error.strerror}).") from error
    with opened_runtime() as runtime:
        serve(runtime.database_url, host, port)


def _compared(runtime: Runtime, connection: Connection, month: datetime) -> MonthClose:
    """A comparison that was made just now, and its pack."""
    close = compared(runtime, connection, month_of(month))
    packed(runtime, connection, close)
    return close
