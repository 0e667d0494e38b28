"""`billing invoicing explain`, `daily-report` and `every-kwh`: a bill, a day, and every kWh, for people."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.money import canonical
from billing_assets.foundation.outside_text import visible
from billing_assets.invoicing.control.explaining_kwh import PLACES, EveryKwh, MonthOfUsage, every_kwh, months_until
from billing_assets.invoicing.control.reporting import daily_report, write_report
from billing_assets.invoicing.control.settings import ControlSettings
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.explaining import Explained, explained
from billing_assets.invoicing.printing import AsJson, day_of, objects, show, show_json

Name = Annotated[str, typer.Argument(metavar="INVOICE", help="Number of the invoice, or id of a draft.")]


def register(invoicing: typer.Typer) -> None:
    """Adds the commands."""
    invoicing.command("explain")(explain_command)
    invoicing.command("daily-report")(daily_report_command)
    invoicing.command("every-kwh")(every_kwh_command)


def explain_command(invoice: Name, as_json: AsJson = False) -> None:
    """Explain a bill line by line, as a pocket calculator checks it, and rate it again by the versions it names.

    Exits 1 where that does not give the same bytes as what is stored.
    """
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        found = explained(connection, invoice, rate_case)
    if as_json:
        _as_json(found)
    else:
        _show(found)
    if found.differences:
        raise typer.Exit(1)


def _as_json(found: Explained) -> None:
    bill = found.document
    show_json(
        {
            "invoice": bill.id,
            "number": bill.number,
            "kind": bill.kind,
            "state": bill.state,
            "account": bill.account,
            "period_start": bill.period_start,
            "period_end": bill.period_end,
            "tariff": bill.tariff,
            "tariff_version": bill.tariff_version,
            "currency": bill.currency,
            "net": bill.net,
            "tax": bill.tax,
            "total": bill.total,
            "sentences": found.sentences,
            "compared_with": found.again,
            "same_bytes": not found.differences,
            "differences": found.differences,
        }
    )


def _show(found: Explained) -> None:
    bill = found.document
    name = bill.number or f"Draft {bill.id}"
    text = f"{name}, {bill.state}, account {bill.account}, {bill.period_start} to {bill.period_end}, {bill.tariff}"
    console.print(escape(visible(text)), soft_wrap=True)
    for one in found.sentences:
        console.print(f"  {escape(visible(one))}", soft_wrap=True)
    sums = f"Lines {bill.net:f} + taxes {bill.tax:f} = {bill.total:f} {bill.currency}."
    console.print(escape(sums), soft_wrap=True)
    if not found.differences:
        console.print(f"The same bytes come out of {escape(found.again)}.", soft_wrap=True)
        return
    console.print(f"[red]Something else comes out of {escape(found.again)}:[/]", soft_wrap=True)
    for one in found.differences:
        console.print(f"  {escape(visible(one))}", soft_wrap=True)


def daily_report_command(
    day: Annotated[
        datetime | None, typer.Argument(metavar="DAY", formats=["%Y-%m-%d"], help="Default: yesterday.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Also write it to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Report the billing of a day by bill group: billed, failed by code, parked, taken out, oldest unbilled, late."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        wanted = day.date() if day else day_of(None, runtime.settings.calendar) - timedelta(days=1)
        report = daily_report(connection, wanted, runtime.settings)
    if csv is not None:
        write_report(report, csv)
    if as_json:
        show_json({"day": wanted, "groups": objects(report.groups), "failed": objects(report.failed)})
        return
    columns = {
        "bill_group": "Group",
        "currency": "Currency",
        "billed": "Billed",
        "amount": "Amount",
        "failed": "Failed",
        "parked": "Parked",
        "taken_out": "Taken out",
        "unbilled": "Unbilled",
        "oldest_unbilled": "Oldest",
        "late": "Late",
    }
    show(report.groups, False, f"Billing of {wanted}", columns)
    show(report.failed, False, "Failed", {"bill_group": "Group", "code": "Code", "members": "Members"})
    if csv is not None:
        console.print(f"Written to {escape(visible(str(csv)))}.", soft_wrap=True)


def every_kwh_command(
    since: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m"], help="First month, such as 2026-03.")
    ] = None,
    to: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m"], help="Last month; default: the current one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show where every kWh is: on one live invoice, or in one explained place. Exits 1 where it is in none or two."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        today, many = day_of(None, runtime.settings.calendar), runtime.settings.of(ControlSettings).months
        first, until = months_until(to.date() if to else today, many)
        found = every_kwh(connection, since.date() if since else first, until)
    if as_json:
        show_json(_kwh_json(found))
    else:
        _show_kwh(found)
    if not found.is_explained:
        raise typer.Exit(1)


def _kwh_json(found: EveryKwh) -> dict[str, Any]:
    return {
        "explained": found.is_explained,
        "months": [
            {
                "month": f"{one.month:%Y-%m}",
                "metered_kwh": one.metered,
                "rows": one.rows,
                "places": objects(one.places),
                "superseded_rows": one.superseded[0],
                "superseded_kwh": one.superseded[1],
            }
            for one in found.months
        ],
        "wrong": objects(found.wrong),
    }


def _show_kwh(found: EveryKwh) -> None:
    for one in found.months:
        show(
            [*_place_rows(one)],
            False,
            f"{one.month:%Y-%m}: {canonical(one.metered)} kWh metered",
            {"place": "Place", "why": "Why", "rows": "Rows", "kwh": "kWh", "since": "Oldest"},
        )
        if one.placed != one.metered:
            console.print(f"[red]The places have {canonical(one.placed)} kWh.[/]")
    if found.is_explained:
        console.print("Every kWh is on one live invoice or in one explained place.")
        return
    wrong = [each._asdict() | {"twice": "yes" if each.is_double else ""} for each in found.wrong]
    show(
        wrong,
        False,
        "Not explained",
        {"point": "Point", "begins": "From", "ends": "To", "place": "Place", "twice": "Twice", "kwh": "kWh"},
    )


def _place_rows(one: MonthOfUsage) -> list[dict[str, Any]]:
    """The places in the order of a report."""
    order = list(PLACES)
    return [
        each._asdict() | {"kwh": canonical(each.kwh), "place": each.place.replace("_", " ")}
        for each in sorted(one.places, key=lambda each: (order.index(each.place), each.why))
    ]
