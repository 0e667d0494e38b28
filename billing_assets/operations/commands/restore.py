"""`billing restore …`: a database that was put back to an earlier time, and what a person confirms after it."""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape

from billing_assets.decisions.store import Subject, recorder
from billing_assets.erp.close.closing import Decision
from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.journal import restores
from billing_assets.foundation.periods import month_of

By = Annotated[str, typer.Option(help="Who decides.")]
Why = Annotated[str, typer.Option(help="Why; it is kept for good.")]


def register(app: typer.Typer) -> None:
    """Adds these commands; rooms add to the group what else a restored database asks for."""
    restore = typer.Typer(
        no_args_is_help=True, help="After a backup was put back: what was noticed, and what to confirm."
    )
    restore.command("list")(list_command)
    restore.command("confirm-month")(confirm_month)
    restore.command("confirm-reminders")(confirm_reminders)
    app.add_typer(restore, name="restore")


class Verdict(StrEnum):
    """What to do with the reminders that are due and may or may not have gone out."""

    SENT = "sent"
    AGAIN = "again"


def list_command() -> None:
    """Each time the database was found to have been put back, what was confirmed, and what waits for it."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        noticed, confirmed = restores.restores(connection), restores.confirmations(connection)
        months, reminders = restores.months_unconfirmed(connection), restores.unconfirmed(connection, "reminders")
    table = simple_table(f"{len(noticed):,} restores", ["Id", "Noticed (UTC)", "By", "Journal", "Facts"], right=(0,))
    for one in noticed:
        facts = "\n".join(f"{name}: {value}" for name, value in one.facts.items())
        covers = "covers it" if one.covered else "does not cover it"
        table.add_row(str(one.id), f"{one.noticed_at.astimezone(UTC):%Y-%m-%d %H:%M}", one.how, covers, escape(facts))
    console.print(table)
    if confirmed:
        table = simple_table("Confirmed", ["Restore", "What", "When (UTC)", "By", "Why"], right=(0,))
        for each in confirmed:
            when = f"{each.confirmed_at.astimezone(UTC):%Y-%m-%d %H:%M}"
            what = each.period or each.what + (f", sent until {each.sent_until}" if each.sent_until else "")
            row = (what, when, escape(each.confirmed_by), escape(each.why))
            table.add_row(str(each.restore), *row)
        console.print(table)
    if months:
        console.print(f"Not closed before they are confirmed: {', '.join(months)}.")
    if reminders:
        console.print("No reminder is sent before the reminders are confirmed.")
    if noticed and not months and not reminders:
        console.print("Nothing waits for a confirmation.")


def confirm_month(
    month: Annotated[datetime, typer.Argument(formats=["%Y-%m"], help="The billing month, YYYY-MM.")], by: By, why: Why
) -> None:
    """Say that a month is closed or open as it should be, or let it be closed again."""
    decision, period = Decision(by, why), month_of(month)
    with prepared_runtime() as runtime, runtime.state() as connection:
        restores.confirm(connection, "month", period, _recorder(connection, decision))
    console.print(f"{period} is confirmed. If it was closed before the restore, close it again: `billing close`.")


def confirm_reminders(
    by: By,
    why: Why,
    verdict: Annotated[
        Verdict, typer.Option("--as", help="What is due: sent (it went out, so not again), or again (send it).")
    ],
) -> None:
    """Say what is to become of the reminders that are due, and let the others go out again."""
    decision = Decision(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        until = runtime.settings.calendar.today().last if verdict is Verdict.SENT else None
        restores.confirm(connection, "reminders", None, _recorder(connection, decision), sent_until=until)
    if until:
        console.print(
            f"What fell due up to {until} counts as sent, as far as that day has begun where the customer is. What "
            "falls due afterwards goes out."
        )
    else:
        console.print("What is due goes out at the next look, in the customers' business hours.")


def _recorder(connection: Connection, decision: Decision) -> Callable[[str, str], int]:
    return recorder(connection, Subject.RESTORE, decision.by, decision.why)
