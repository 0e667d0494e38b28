"""`billing tariffs`: load, show, list, approve, withdraw and export tariffs; load prices and profiles."""

import hashlib
import json
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.groups import group
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.commands.options import one_of, said
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.invoicing.tariffs import reports, store
from billing_assets.invoicing.tariffs.files import read_tariff
from billing_assets.invoicing.tariffs.loading import TariffRefusedError, load_file
from billing_assets.invoicing.tariffs.offline_commands import FeedIn, File, Green
from billing_assets.invoicing.tariffs.reports import TariffVersion
from billing_assets.invoicing.tariffs.series_files import read_values
from billing_assets.invoicing.tariffs.sheets import TariffFileError, write_sheet
from billing_assets.invoicing.tariffs.showing import show_charges, show_findings
from billing_assets.invoicing.tariffs.store import FileOf, SeriesKind

By = Annotated[str, typer.Option(help="Who decides: kept with the decision.")]
Why = Annotated[str, typer.Option(help="Why: kept with the decision.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
Code = Annotated[str, typer.Argument(metavar="TARIFF", help="Code of the tariff.")]
Number = Annotated[int, typer.Argument(metavar="VERSION", help="Number of the version.")]
OneVersion = Annotated[int | None, typer.Option("--version", help="Default: the one that is used, or the last.")]
Values = Annotated[Path, typer.Argument(metavar="FILE", help="CSV with the columns start (with Z or an offset) and ….")]
Name = Annotated[str, typer.Option("--name", help="Name of the series, as charges have it.")]
Minutes = Annotated[int, typer.Option("--minutes", min=1, max=1440, help="Length of the interval of a value.")]

_STATES = ("draft", "approved", "withdrawn")
_COLORS = {"draft": "yellow", "approved": "green", "withdrawn": "dim"}


def register(app: typer.Typer) -> None:
    """Adds the commands to `billing tariffs`."""
    tariffs = group(app, "tariffs")
    tariffs.command("load")(load_command)
    tariffs.command("list")(list_command)
    tariffs.command("show")(show_command)
    tariffs.command("approve")(approve_command)
    tariffs.command("withdraw")(withdraw_command)
    tariffs.command("export")(export_command)
    for kind, load_values in (("prices", prices_load_command), ("profiles", profiles_load_command)):
        series = typer.Typer(no_args_is_help=True, help=f"Series of {kind} that rating takes.")
        series.command("load")(load_values)
        tariffs.add_typer(series, name=kind)


def load_command(
    file: File, by: By, why: Why, feed_in: FeedIn = None, green: Green = None, as_json: AsJson = False
) -> None:
    """Load a tariff as a draft, the next version of its code; safe to repeat.

    With an error in it nothing is loaded (exit code 2), and everything that was found is shown.
    """
    by, why = said(by, why)
    found = read_tariff(file, scheme=feed_in, green=green)
    try:
        with prepared_runtime() as runtime, runtime.state() as connection:
            loaded, findings = load_file(connection, found, by, why)
    except TariffRefusedError as error:
        if as_json:
            print(json.dumps({"loaded": None, "findings": error.findings}))
        else:
            show_findings(error.findings)
            console.print(escape(f"{file.name} has errors: nothing was loaded."), style="red", soft_wrap=True)
        raise typer.Exit(2) from None
    if as_json:
        print(json.dumps({"loaded": loaded._asdict(), "findings": findings}))
        return
    show_findings(findings)
    done = "is loaded as a draft; another person approves it" if loaded.is_new else "has this content already"
    console.print(escape(f"Version {loaded.number} of {loaded.tariff} {done}."), soft_wrap=True)


def list_command(
    code: Annotated[str | None, typer.Option("--tariff", help="Only of this tariff.")] = None,
    state: Annotated[str | None, typer.Option(help="Only draft, approved or withdrawn.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the versions of tariffs: which bills are made by, and which wait for approval."""
    one_of("--state", state, _STATES)
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        found = reports.versions(connection, code, state)
    if as_json:
        print(json.dumps([_object(one) for one in found], default=_plain))
        return
    table = simple_table(
        "Versions of tariffs", ["Tariff", "Version", "Name", "State", "Loaded", "Maker", "Approver", "Warnings"], [1, 7]
    )
    for one in found:
        table.add_row(
            escape(one.tariff),
            str(one.number),
            escape(one.name),
            f"[{_COLORS[one.state]}]{one.state}[/]{', used' if one.is_used else ''}",
            f"{one.loaded_at:%Y-%m-%d}",
            escape(one.maker),
            escape(one.approver or ""),
            str(len(one.findings)),
        )
    console.print(table)


def show_command(code: Code, number: OneVersion = None, as_json: AsJson = False) -> None:
    """Show a version of a tariff: who made and approved it, its charges, and what was found when it was loaded."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        found = reports.version(connection, code, number)
        tariff = reports.content(connection, found.id)
    if as_json:
        print(json.dumps(_object(found) | {"content": tariff}, default=_plain))
        return
    console.print(
        f"{escape(found.tariff)}, version {found.number}: [{_COLORS[found.state]}]{found.state}[/]"
        f"{', bills are made by it' if found.is_used else ''}. {escape(found.name)}, {found.currency}",
        soft_wrap=True,
    )
    console.print(
        f"Loaded {found.loaded_at:%Y-%m-%d %H:%M} from {escape(found.file)} by {escape(found.maker)}: "
        f"{escape(found.made_why)}",
        soft_wrap=True,
    )
    if found.approver and found.approved_at:
        console.print(f"Approved {found.approved_at:%Y-%m-%d %H:%M} by {escape(found.approver)}", soft_wrap=True)
    if found.withdrawer and found.withdrawn_at:
        console.print(
            f"Withdrawn {found.withdrawn_at:%Y-%m-%d %H:%M} by {escape(found.withdrawer)}: "
            f"{escape(found.withdrawn_why or '')}",
            soft_wrap=True,
        )
    console.print(f"Content {found.content_hash.hex()}")
    show_charges(tariff)
    show_findings(found.findings)


def approve_command(code: Code, number: Number, by: By, why: Why, as_json: AsJson = False) -> None:
    """Approve a draft, as another person than its maker: bills are made by it from now on."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        store.approve(connection, code, number, by, why)
        found = reports.version(connection, code, number)
    _say(found, as_json, f"Version {number} of {code} is approved by {by}; bills are made by it.")


def withdraw_command(code: Code, number: Number, by: By, why: Why, as_json: AsJson = False) -> None:
    """Withdraw a version: no bill is made by it any more; what was billed by it stays as it is."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        store.withdraw(connection, code, number, by, why)
        found, used = reports.version(connection, code, number), reports.used(connection, code)
    now = f"bills are made by version {used.number} now" if used else "no version of it is left to bill by"
    _say(found, as_json, f"Version {number} of {code} is withdrawn; {now}.")


def _say(found: TariffVersion, as_json: bool, text: str) -> None:
    if as_json:
        print(json.dumps(_object(found), default=_plain))
    else:
        console.print(escape(text), soft_wrap=True)


def export_command(
    code: Code,
    file: Annotated[Path, typer.Argument(help="New file: .xlsx or .csv to edit in a spreadsheet, .json as loaded.")],
    number: OneVersion = None,
    as_json: AsJson = False,
) -> None:
    """Write a version of a tariff to a new file: edited and loaded again, it is the next version."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        found = reports.version(connection, code, number)
        tariff = reports.content(connection, found.id)
    if file.exists():
        raise TariffFileError(f"{file} is there already: it was left as it is. Name a new file.")
    if file.suffix.lower() == ".json":
        file.write_text(json.dumps(tariff, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        rows = 0
    else:
        rows = write_sheet(file, tariff)
    if as_json:
        print(json.dumps({"tariff": code, "version": found.number, "file": str(file), "rows": rows}))
    else:
        of = f", {rows:,} rows" if rows else ""
        console.print(escape(f"Version {found.number} of {code} is in {file}{of}."), soft_wrap=True)


def prices_load_command(
    file: Values, name: Name, by: By, why: Why, minutes: Minutes = 30, as_json: AsJson = False
) -> None:
    """Load prices per MWh (column price): what is new or other is the series' next version; safe to repeat."""
    _load_values("price", file, name, minutes, by, why, as_json)


def profiles_load_command(
    file: Values, name: Name, by: By, why: Why, minutes: Minutes = 30, as_json: AsJson = False
) -> None:
    """Load weights of a profile (column weight): what is new or other is its next version; safe to repeat."""
    _load_values("profile", file, name, minutes, by, why, as_json)


def _load_values(kind: SeriesKind, file: Path, name: str, minutes: int, by: str, why: str, as_json: bool) -> None:
    by, why = said(by, why)
    content, values = read_values(file, kind, minutes)
    of = FileOf(file.name, "csv", hashlib.sha256(content).digest())
    with prepared_runtime() as runtime, runtime.state() as connection:
        loaded = store.load_series(connection, kind, name, minutes, values, of, by, why)
    if as_json:
        print(json.dumps(loaded._asdict()))
    else:
        console.print(
            f"{escape(name)}: {loaded.values:,} values read, {loaded.changed:,} new or other; "
            f"version {loaded.version}.",
            soft_wrap=True,
        )


def _object(one: TariffVersion) -> dict[str, Any]:
    return one._asdict() | {"content_hash": one.content_hash.hex()}


def _plain(found: object) -> str:
    if isinstance(found, datetime | date):
        return found.isoformat()
    raise TypeError(f"{type(found).__name__} is not in JSON")
