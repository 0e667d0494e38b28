"""What the commands of invoicing share: their options, and how rows are printed."""

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.markup import escape

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.sections import CalendarSettings
from billing_assets.invoicing.batches.planning_store import Planned

By = Annotated[str, typer.Option(help="Who decides: kept with the decision.")]
Why = Annotated[str, typer.Option(help="Why: kept with the decision.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
Number = Annotated[int, typer.Argument(metavar="BATCH", help="Number of the batch.")]
CutOff = Annotated[datetime | None, typer.Option("--cut-off", formats=["%Y-%m-%d"], help="Last end of usage; today.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day, which is included.")]


def show_planned(made: Sequence[Planned], as_json: bool) -> None:
    """The batches that were made."""
    if not made and not as_json:
        console.print("No customer is billable: nothing was locked.")
        return
    show(made, as_json, "Batches", {"batch": "Batch", "bill_group": "Group", "members": "Members"})


def day_of(given: datetime | None, calendar: CalendarSettings) -> date:
    """A day that was given, or today, where it began last."""
    return given.date() if given else calendar.today().last


def objects(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Rows as JSON has them."""
    return [dict(one) if isinstance(one, dict) else one._asdict() for one in rows]


def show_json(found: object) -> None:
    """Prints an object."""
    print(json.dumps(found, default=_plain))


def _plain(found: object) -> str:
    if isinstance(found, Decimal):
        return f"{found:f}"
    if isinstance(found, date):
        return found.isoformat()
    raise TypeError(f"{type(found).__name__} is not in JSON")


def show(rows: Sequence[Any], as_json: bool, title: str, columns: dict[str, str]) -> None:
    """Prints rows as JSON, or as a table of these columns."""
    each = objects(rows)
    if as_json:
        show_json(each)
        return
    if not each:
        console.print(f"{title}: none.")
        return
    numbers = [place for place, name in enumerate(columns) if isinstance(each[0][name], int | Decimal)]
    table = simple_table(title, list(columns.values()), numbers)
    for one in each:
        table.add_row(*(escape("" if one[name] is None else str(one[name])) for name in columns))
    console.print(table)
