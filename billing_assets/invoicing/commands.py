"""`billing invoicing …`: from usage to issued invoices, for billing operations."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.commands.options import one_of, said
from billing_assets.invoicing import (
    adjustment_commands,
    back_cast_commands,
    correction_commands,
    invoice_commands,
    report_commands,
)
from billing_assets.invoicing.accounts.loading import load_accounts
from billing_assets.invoicing.batches import planning_store, reports, reviewing
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets.invoicing.batches.settings import Parameters
from billing_assets.invoicing.batches.states import WORDS
from billing_assets.invoicing.batches.validating import Validated, lock, validate
from billing_assets.invoicing.printing import (
    AsJson,
    By,
    CutOff,
    Day,
    Number,
    Why,
    day_of,
    objects,
    show,
    show_json,
    show_planned,
)

Member = Annotated[int, typer.Argument(metavar="MEMBER", help="Number of the member, as `findings` shows it.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to `billing invoicing`."""
    invoicing = typer.Typer(no_args_is_help=True, help="Invoices from usage: batches, validation, release.")
    app.add_typer(invoicing, name="invoicing")
    commands: dict[str, Callable[..., None]] = {
        "load-accounts": load_accounts_command,
        "groups": groups_command,
        "request": request_command,
        "lock": lock_command,
        "unlock": unlock_command,
        "validate": validate_command,
        "fix": fix_command,
        "findings": findings_command,
        "waive": waive_command,
        "take-out": take_out_command,
        "bill-estimated": bill_estimated_command,
        "status": status_command,
    }
    for name, command in commands.items():
        invoicing.command(name)(command)
    adjustment_commands.register(invoicing)
    back_cast_commands.register(invoicing)
    invoice_commands.register(invoicing)
    correction_commands.register(invoicing)
    report_commands.register(invoicing)


def load_accounts_command(
    folder: Annotated[
        Path,
        typer.Argument(help="Folder with bill_groups.csv, bill_cycles.csv, accounts.csv, agreements.csv, or some."),
    ],
    as_json: AsJson = False,
) -> None:
    """Load the master data of billing from CSV files, all or none. Safe to repeat."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        found = load_accounts(connection, folder)
    if as_json:
        show_json({"loaded": [one._asdict() for one in found.loaded], "findings": objects(found.findings)})
        return
    for one in found.loaded:
        console.print(f"{one.kind}: {one.rows:,} rows, {one.added:,} added, {one.replaced:,} of before replaced")
    for finding in found.findings:
        console.print(f"  {finding.code}  {escape(finding.sentence)}", style="yellow", soft_wrap=True)


def groups_command(
    names: Annotated[list[str] | None, typer.Argument(metavar="GROUP…", help="Default: all.")] = None,
    cut_off: CutOff = None,
    as_json: AsJson = False,
) -> None:
    """Show bill groups with their customers: in all, billable now, waiting, in batches."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        found = planning_store.groups(connection, day_of(cut_off, runtime.settings.calendar), names or ())
    show(
        found,
        as_json,
        "Bill groups",
        {
            "bill_group": "Group",
            "name": "Name",
            "customers": "Customers",
            "billable": "Billable",
            "waiting": "Waiting",
            "in_batches": "In batches",
        },
    )


def request_command(
    selection: Annotated[str, typer.Argument(help=", ".join(Selection))],
    names: Annotated[list[str] | None, typer.Argument(help="Accounts, bill groups, or a cycle.")] = None,
    *,
    by: By,
    why: Why,
    since: Day = None,
    until: Day = None,
    cut_off: CutOff = None,
    as_json: AsJson = False,
) -> None:
    """Queue a request to bill; batches are made of it by the next run. The same request is queued once."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        wanted = _wanted(selection, names, since, until, day_of(cut_off, runtime.settings.calendar))
        number, is_new = planning_store.request(connection, wanted, by=by, why=why)
    if as_json:
        show_json({"request": number, "new": is_new})
        return
    console.print(f"Request {number} is queued." if is_new else f"It is queued already, as request {number}.")


def lock_command(
    names: Annotated[list[str] | None, typer.Argument(help="Bill groups, or what the selection names.")] = None,
    *,
    by: By,
    why: Why,
    selection: Annotated[str, typer.Option(help=", ".join(Selection))] = Selection.BILL_GROUP.value,
    since: Day = None,
    until: Day = None,
    cut_off: CutOff = None,
    as_json: AsJson = False,
) -> None:
    """Lock all billable customers of bill groups, or of another selection, in batches."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        wanted = _wanted(selection, names, since, until, day_of(cut_off, runtime.settings.calendar))
        made = lock(connection, wanted, by, why)
    show_planned(made, as_json)


def _wanted(
    selection: str,
    names: Iterable[str] | None,
    since: datetime | None,
    until: datetime | None,
    cut_off: date,
) -> Wanted:
    one_of("SELECTION", selection, tuple(Selection))
    first, last = (one.date() if one else None for one in (since, until))
    return Wanted(Selection(selection), cut_off, tuple(names or ()), first, last)


def unlock_command(batch: Number, by: By, why: Why, as_json: AsJson = False) -> None:
    """Release a batch that is not being invoiced yet: its members may be billed by others."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        freed = reviewing.unlock(connection, batch, by, why)
    if as_json:
        show_json({"batch": batch, "released": freed})
        return
    console.print(f"Batch {batch} is released, with {freed:,} members.")


def validate_command(batch: Number, as_json: AsJson = False) -> None:
    """Run every validation over every open member of a batch."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        given = runtime.settings.of(Parameters)
        found = validate(connection, batch, given, today=day_of(None, runtime.settings.calendar))
    _show_validated(found, as_json)


def fix_command(batch: Number, as_json: AsJson = False) -> None:
    """Validate a batch again after something was fixed at its source; what is fixed is gone."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        given = runtime.settings.of(Parameters)
        found = reviewing.fix(connection, batch, given, today=day_of(None, runtime.settings.calendar))
    _show_validated(found, as_json)


def _show_validated(found: Validated, as_json: bool) -> None:
    if as_json:
        show_json(found._asdict())
        return
    console.print(
        f"Batch {found.batch} is {WORDS[found.state]}: {found.members:,} members, {found.held:,} with errors, "
        f"{found.warnings:,} warnings."
    )


def findings_command(
    batch: Number,
    everything: Annotated[bool, typer.Option("--all", help="Also what is gone or waived.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what validation found in a batch, errors first."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        found = reports.findings(connection, batch, everything=everything)
    columns = {"member": "Member", "account": "Account", "severity": "Severity", "code": "Code", "sentence": "Sentence"}
    show(found, as_json, f"Findings of batch {batch}", columns | {"state": "State"})


def waive_command(
    member: Member,
    code: Annotated[str, typer.Argument(metavar="CODE", help="Code of the finding.")],
    by: By,
    why: Why,
    as_json: AsJson = False,
) -> None:
    """Let a finding pass, if its code may be waived."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        clear = reviewing.waive(connection, member, code, by, why)
    _show_passed(member, clear, as_json)


def bill_estimated_command(member: Member, by: By, why: Why, as_json: AsJson = False) -> None:
    """Bill estimated usage although there were too many estimates in a row."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        clear = reviewing.bill_estimated(connection, member, by, why)
    _show_passed(member, clear, as_json)


def _show_passed(member: int, clear: bool, as_json: bool) -> None:
    if as_json:
        show_json({"member": member, "clear": clear})
        return
    console.print(f"Member {member} {'is clear' if clear else 'still has errors'}.")


def take_out_command(member: Member, by: By, why: Why, as_json: AsJson = False) -> None:
    """Take a member out of its batch: it stays unbilled until it is asked for as a customer."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        reviewing.take_out(connection, member, by, why)
    if as_json:
        show_json({"member": member, "state": "taken_out"})
        return
    console.print(f"Member {member} is taken out.")


def status_command(
    batch: Annotated[int | None, typer.Argument(metavar="BATCH", help="Default: all that are not finished.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also finished batches.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show where batches stand, with their members by outcome."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        found = reports.batches(connection, batch, only_open=batch is None and not everything)
    columns = {"batch": "Batch", "bill_group": "Group", "words": "State", "selected": "Members", "open": "Open"}
    outcomes = ("held", "invoiced", "failed", "taken_out", "released", "discarded")
    seen = [name for name in outcomes if any(getattr(one, name) for one in found)]  # a terminal is narrow
    show(found, as_json, "Batches", columns | {name: name.replace("_", " ").capitalize() for name in seen})
