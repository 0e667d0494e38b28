"""`billing utility`: the utility sample from its first file to bills in NetSuite's sandbox."""

import time
from itertools import groupby
from typing import Annotated

import typer
from rich.markup import escape

from billing_assets.erp.close.terminal import show_closes
from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.settings import load_settings
from billing_assets.operations import (
    utility,
    utility_billing,
    utility_billing_store,
    utility_posting,
    utility_store,
)
from billing_assets.operations.utility_bills import (
    FoundBills,
    Place,
    bill_differences,
    explained,
    place_differences,
    places,
)
from billing_assets.operations.utility_ledger import (
    Balance,
    Difference,
    Ledger,
    balances,
    by_state,
    file_differences,
    month_differences,
    months,
    sum_differences,
)
from billing_assets.sandbox.samples.utility.rates import POINTS

_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Adds this command."""
    app.command("utility")(utility_command)


def utility_command(
    points: Annotated[int, typer.Option(min=200, help="Service points of the world.")] = POINTS,
    days_at_once: Annotated[int, typer.Option(min=1, help="Days whose files come together.")] = 1,
) -> None:
    """Take in three months of a made utility's files, bill them, post the bills to NetSuite's sandbox, and compare.

    Exits 1 where they differ. Safe to repeat: a run that was cut off goes on.
    """
    home = load_settings().home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    utility.sample_settings(home)
    world = utility.made_world(home, points)
    ledger = Ledger.of(world)
    console.print(f"{len(ledger.files):,} files of {points:,} service points are in {world}.", soft_wrap=True)
    with prepared_runtime() as runtime:
        with runtime.state() as connection:
            utility_posting.check_home(connection)
        for day in utility.take_in(runtime, world, days_at_once):
            states = ", ".join(f"{many} {state}" for state, many in sorted(day.states.items()))
            console.print(f"{day.day}  {day.files:>3} files: {states}")
        for month, summary in utility.validate_months(runtime, ledger):
            console.print(f"{month:%Y-%m}  {summary.periods:,} periods validated, {summary.held:,} held")
        if faults := utility_billing.load_billing(runtime, world):
            console.print(f"Master data of billing has {faults:,} findings.", style="red")
        for done in utility_billing.bill_months(runtime):
            said = f"{done.issued:,} bills issued, {done.taken_out:,} taken out, {done.failed:,} failed"
            console.print(f"{done.month:%Y-%m}  {done.bill_group}: {said}")
        with utility_posting.with_netsuite(home, world) as ledgers:
            batches = utility_posting.post_bills(ledgers)
            for day in utility.take_in(runtime, world, days_at_once, after_bills=True):
                console.print(f"{day.day}  {day.files:>3} files after the bills")
            corrected = utility_billing.correct(runtime)
            batches += utility_posting.post_bills(ledgers)
            closes = utility_posting.closes(ledgers)
        with runtime.state() as connection:
            found = months(connection, ledger)
            bills = FoundBills.of(
                utility_billing_store.bills(connection),
                utility_billing_store.unbilled(connection),
                utility_billing_store.elsewhere(connection),
            )
            issued = utility_billing_store.issued_totals(connection)
            sums = balances(ledger, utility_store.sums(connection, utility.FOLDERS))
            differences = [
                *file_differences(ledger, utility_store.files(connection, utility.FOLDERS)),
                *sum_differences(sums, utility_store.counted(connection)),
                *month_differences(ledger, found),
                *bill_differences(ledger, bills),
            ]
        differences += utility_posting.differences(closes, issued)
    of_groups = places(ledger, bills, found)
    differences += place_differences(ledger, of_groups)
    for outcome, many in corrected.outcomes.items():
        console.print(f"Bills corrected ({outcome}): {many:,}")
    console.print(f"{batches:,} batches posted to the sandbox of NetSuite.")
    show_closes(console, closes)
    _show(sums)
    table = simple_table("Months of points", ["Market", "State", "Why", "Months", "kWh"])
    for market, state, codes, number, kwh in by_state(ledger, found):
        table.add_row(market, state, codes, f"{number:,}", f"{kwh:,}")
    console.print(table)
    _show_places(of_groups)
    table = simple_table("Where billable kWh are", ["Market", "Place", "kWh", "Of"], right=[2, 3])
    for market, place, kwh, whole in explained(ledger, of_groups):
        table.add_row(market, place, f"{kwh:,}", f"{whole:,}")
    console.print(table)
    _say(differences, time.monotonic() - began)


def _show(sums: list[Balance]) -> None:
    table = simple_table("Quantities", ["Market", "Unit", "What", "Quantity"], right=[3])
    for one in sums:
        rows = [("in the files", one.sent), ("of these in broken or doubled files", one.not_taken)]
        rows += [(f"in the tables, {outcome}", quantity) for outcome, quantity in sorted(one.found.items())]
        for what, quantity in [*rows, ("sum of what was not taken and of the tables", one.total)]:
            table.add_row(one.market, one.unit, what, f"{quantity:,}")
    console.print(table)


def _show_places(each: list[Place]) -> None:
    for group, of_group in groupby(each, lambda one: one.bill_group):
        columns = ["Month", "State", "Why", "Bills", "kWh", "Total"]
        table = simple_table(f"Bills of {group}", columns, right=[3, 4, 5])
        for one in of_group:
            total = f"{one.total:,.2f}" if one.total else ""
            why = "\n".join(one.why.split()) if one.why.isupper() else one.why  # codes, a line each
            table.add_row(one.month, one.state, why, f"{one.bills:,}", f"{one.kwh:,}", total)
        console.print(table)


def _say(differences: list[Difference], seconds: float) -> None:
    for one in differences[:_SHOWN]:
        console.print(f"{escape(one.what)}: {escape(one.expected)} expected, {escape(one.found)} found", style="red")
    if len(differences) > _SHOWN:
        console.print(f"… and {len(differences) - _SHOWN:,} more", style="red")
    if differences:
        console.print(f"{len(differences):,} differences from the ledger, after {seconds:,.0f} s.", style="red")
        raise typer.Exit(1)
    console.print(
        "Every file, sum, month and bill is as the ledger says, and NetSuite has each bill; nothing was lost "
        f"({seconds:,.0f} s).",
        style="green",
    )
