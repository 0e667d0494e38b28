"""`billing receivables`, `aging` and `late-fees …`: what customers owe."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from billing_assets.erp.contract import NetSuite
from billing_assets.foundation.calendar.business_days import Days, Zones
from billing_assets.foundation.cells import FOR_PEOPLE, write_csv
from billing_assets.foundation.commands.console import Terminal, console
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.commands.sample import reachable_netsuite
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.commands.words import one_of, said
from billing_assets.foundation.money import amount
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import SettingsError, load_settings
from billing_assets.receivables.balances import fee_store, store
from billing_assets.receivables.balances.aging import (
    AMOUNTS,
    BRANCH,
    CURRENCY,
    CUSTOMER,
    Aged,
    age,
    business_day,
    faults,
)
from billing_assets.receivables.balances.fee_store import LateFee
from billing_assets.receivables.balances.late_fee_rules import late_fee_rules
from billing_assets.receivables.balances.late_fees import Decided, approve, as_charges, decline, propose
from billing_assets.receivables.balances.open_balances import read_balances
from billing_assets.receivables.settings import ReminderSettings

fees_app = typer.Typer(no_args_is_help=True, help="Late fees: proposed, decided by a person, exported, never posted.")

_WIDTH = 124  # eight amounts do not fit into 80 columns
_BUCKETS = ("Current", "1-30", "31-60", "61-90", "Over 90", "Credits", "Payments", "Total")

AsOf = Annotated[
    datetime | None,
    typer.Option(
        "--as-of", formats=["%Y-%m-%d"], help="The business day; default: the branch's, when balances were read."
    ),
]
Numbers = Annotated[list[str] | None, typer.Option("--number", help="This invoice; may be given several times.")]
By = Annotated[str, typer.Option(help="Who decides.")]


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.command("receivables")(receivables_command)
    app.command("aging")(aging)
    app.add_typer(fees_app, name="late-fees")


def receivables_command(
    use_sample: Annotated[bool, typer.Option("--sample", help="Read from the sample's NetSuite sandbox.")] = False,
) -> None:
    """Read what customers owe from NetSuite, or from the billing system, now."""
    with prepared_runtime() as runtime:
        if use_sample:
            with reachable_netsuite(runtime.settings.home):
                reading = read_balances(Runtime(load_settings()), "billing receivables")
        else:
            reading = read_balances(runtime, "billing receivables")
    table = simple_table(f"Open in {reading.source}", ["Whose", "Kind", "Currency", "Items", "Open"])
    for one in reading.totals:
        table.add_row(one.whose, one.kind, one.currency, f"{one.items:,}", amount(one.open_amount))
    console.print(table)
    for difference in reading.differences:
        console.print(f"[red]{escape(difference)}[/red]")
    raise typer.Exit(1 if reading.differences else 0)


def aging(
    as_of: AsOf = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Every customer and branch into this file.")] = None,
) -> None:
    """Open invoices by days past due, per branch; credits and payments apart."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection, store.one_moment(connection):
        read_at = store.last_read_at(connection)
        if read_at is None:
            raise SettingsError("No balances were read yet. Run `billing receivables`.")
        day = _day(as_of, read_at, runtime.settings.calendar.zones)
        wrong = faults(age(connection, day, CUSTOMER), store.open_per_currency(connection))
        per_branch = list(age(connection, day, BRANCH))
        totals = list(age(connection, day, CURRENCY))
        if csv_file is not None:
            rows = _write_csv(csv_file, age(connection, day, CUSTOMER))
            console.print(f"{rows:,} rows in {escape(str(csv_file))}.")
    title = f"Receivables as of {day}, balances read {read_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    table = simple_table(title, ["Branch", "", *_BUCKETS], right=range(2, 10))
    for one in per_branch:
        table.add_row(escape(one.branch), one.currency, *_cells(one))
    table.add_section()
    for one in totals:
        table.add_row("all", one.currency, *_cells(one))
    _print_wide(table)
    for fault in wrong:
        console.print(f"[red]{escape(fault)}[/red]")
    raise typer.Exit(1 if wrong else 0)


@fees_app.command("propose")
def propose_command(as_of: AsOf = None) -> None:
    """Work out which invoices may bear a late fee now. Safe to repeat."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        day = _day(as_of, store.last_read_at(connection), runtime.settings.calendar.zones)
        digits = {code: one.minor_digits for code, one in runtime.of(NetSuite).mapping.file.currencies.items()}
        proposed = propose(connection, late_fee_rules(runtime.settings), day, digits, runtime.settings.calendar.zones)
    console.print(
        f"As of {day}: {proposed.new:,} late fees are new, {proposed.changed:,} changed, {proposed.withdrawn:,} "
        f"withdrawn; {proposed.waiting:,} wait for a decision."
    )


@fees_app.command("list")
def list_command(
    state: Annotated[str | None, typer.Option(help="proposed, approved or declined; default: all.")] = None,
) -> None:
    """Late fees, the largest first."""
    one_of("--state", state, ("proposed", "approved", "declined"))
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        _show(f"{state or 'all'} late fees".capitalize(), fee_store.fees(connection, state))


@fees_app.command("approve")
def approve_command(
    by: By,
    number: Numbers = None,
    every: Annotated[bool, typer.Option("--all", help="Every proposal that waits.")] = False,
    why: Annotated[str, typer.Option(help="A note, kept with the decision.")] = "",
) -> None:
    """Approve proposals: they are exported as charges with the next `export`."""
    if every == bool(number):
        raise SettingsError("Give --number (several times if need be) or --all.")
    if not by.strip():
        raise SettingsError("--by must say who decides: it is kept with the decision.")
    with prepared_runtime() as runtime, runtime.state() as connection:
        max_age = timedelta(hours=runtime.settings.of(ReminderSettings).balances_max_age_hours)
        numbers = None if every else number
        _say(
            "approved",
            approve(connection, numbers, by, why, datetime.now(UTC), max_age, runtime.settings.calendar.zones),
        )


@fees_app.command("decline")
def decline_command(
    by: By,
    why: Annotated[str, typer.Option(help="Why; kept with the decision.")],
    number: Numbers = None,
) -> None:
    """Decline proposals: these invoices never bear a late fee."""
    if not number:
        raise SettingsError("Give --number, several times if need be.")
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        _say("declined", decline(connection, number, by, why))


@fees_app.command("export")
def export_command(
    file: Annotated[Path, typer.Option("--csv", help="The file to write.")],
    again: Annotated[bool, typer.Option(help="Also those that were exported before.")] = False,
) -> None:
    """Write approved late fees as charges for the billing system; without new ones the file is left as it is."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        fees = fee_store.to_export(connection, again=again)
        if not fees:
            known = "" if again else " `--again` writes those that were exported before."
            console.print(f"0 charges to export; {escape(str(file))} was not written.{known}")
            return
        _write_whole(file, as_charges(fees, late_fee_rules(runtime.settings)))
        fee_store.note_exported(connection, [one.id for one in fees])
    console.print(f"{len(fees):,} charges in {escape(str(file))}.")


def _day(as_of: datetime | None, read_at: datetime | None, zones: Zones) -> Days:
    return business_day(as_of.date().isoformat() if as_of else None, read_at, zones)


def _print_wide(table: Table) -> None:
    Terminal(soft_wrap=True, width=max(console.width, _WIDTH)).print(table)


def _cells(one: Aged) -> list[str]:
    return [amount(getattr(one, name)) for name in AMOUNTS]


def _write_csv(path: Path, aged: Iterator[Aged]) -> int:
    with path.open("w", encoding=FOR_PEOPLE, newline="") as file:
        return write_csv(file, chain([Aged._fields], aged)) - 1


def _write_whole(path: Path, text: str) -> None:
    """Writes a file so that it is there whole or not at all, before the database says so."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _say(what: str, decided: Decided) -> None:
    console.print(f"{len(decided.fees):,} late fees {what}.")
    for number, why in decided.refused.items():
        console.print(f"[red]{escape(number)}: {escape(why)}[/red]")
    if decided.refused:
        raise typer.Exit(1)


def _show(title: str, fees: list[LateFee]) -> None:
    columns = ["Invoice", "Customer", "Branch", "Pay by", "State", "Rule", "Balance", "Fee"]
    table = simple_table(f"{title}: {len(fees):,}", columns)
    for one in fees:
        balance, fee = (f"{one.currency} {amount(value)}" for value in (one.penalised_balance, one.fee))
        words = [one.number, one.customer, one.branch, f"{one.due_date}", one.state, one.rule]
        table.add_row(*map(escape, words), balance, fee)
    _print_wide(table)
