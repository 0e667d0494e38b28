"""`billing invoicing cancel` and `rebill`: what a person corrects of what was issued."""

from typing import Annotated

import typer

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.commands.options import said
from billing_assets.invoicing.corrections import asking
from billing_assets.invoicing.corrections.correcting import Corrected
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.printing import AsJson, By, Why, day_of, show_json

Number = Annotated[str, typer.Argument(metavar="NUMBER", help="Number of the invoice, as the customer has it.")]


def register(invoicing: typer.Typer) -> None:
    """Adds the commands."""
    invoicing.command("cancel")(cancel_command)
    invoicing.command("rebill")(rebill_command)


def cancel_command(number: Number, by: By, why: Why, as_json: AsJson = False) -> None:
    """Cancel an issued invoice: the customer gets a credit memo that mirrors it. What was on it may be rebilled."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        done = asking.cancel(connection, number, by, why, day_of(None, runtime.settings.calendar))
    _show(number, done, as_json)


def rebill_command(
    number: Number,
    by: By,
    why: Why,
    current_prices: Annotated[
        bool, typer.Option("--current-prices", help="By the tariff of now, not the version that it was billed by.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Cancel an issued invoice and bill its days again, both issued at once; or bill again what was cancelled alone.

    Exits 1 where it cannot be billed again: the invoice stays as it is.
    """
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        today = day_of(None, runtime.settings.calendar)
        done = asking.rebill(connection, number, by, why, rate_case, today, original_prices=not current_prices)
    _show(number, done, as_json)
    if done.outcome is None:
        raise typer.Exit(1)


def _show(number: str, done: Corrected, as_json: bool) -> None:
    if as_json:
        found = done._asdict()
        del found["difference"]  # of what is on the next bill: a person gets a rebill
        show_json({"invoice": number, **found})
    elif done.outcome is None:
        console.print(f"Invoice {number} stays as it is. {done.code}: {done.why}", markup=False, soft_wrap=True)
    else:
        change = "" if done.change is None else f" The customer owes {done.change:+} by it."
        console.print(f"Invoice {number} is {done.outcome}, by {' and '.join(done.numbers)}.{change}")
