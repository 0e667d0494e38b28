"""`billing audit`: the audit queue as a file, and what auditors decided in it."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.markup import escape

from billing_assets.erp.audit import files
from billing_assets.erp.audit.decisions import import_decisions
from billing_assets.erp.audit.files import DECISIONS, FileError
from billing_assets.erp.audit.store import queue_entries
from billing_assets.erp.settings import source_names
from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.periods import month_of

audit = typer.Typer(no_args_is_help=True, help="The audit queue as a file, and what auditors decided in it.")

_SHOWN_PROBLEMS = 50
Result = TypeVar("Result")


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.add_typer(audit, name="audit")


@audit.command("export")
def export_command(
    file: Annotated[Path, typer.Argument(help="Where to write it: a name ending in .xlsx or .csv.")],
    month: Annotated[datetime | None, typer.Option(formats=["%Y-%m"], help="Only this month, YYYY-MM.")] = None,
) -> None:
    """Write the audit queue with the decisions so far, for auditors to fill in."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        name = source_names(runtime.settings)[0]
        entries = queue_entries(connection, name, month_of(month) if month else None, runtime.settings.calendar.today())
        count = _tried(file, lambda: files.export(file, entries))
    console.print(f"{count:,} entries written to {escape(str(file))}.")
    if not count:
        console.print("The queue is made by the job audit_month, for each month (the asset audit_queue).")


@audit.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="A file of `billing audit export` with decisions filled in.")],
    by: Annotated[str, typer.Option(help="Who decided: kept with every decision.")],
    strict: Annotated[bool, typer.Option("--strict", help="Take nothing where any row is wrong.")] = False,
) -> None:
    """Take over auditors' decisions; what is wrong with a row is said, the others are taken."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        name = source_names(runtime.settings)[0]
        result = _tried(file, lambda: import_decisions(connection, name, file, by, strict=strict))
    counts = ", ".join(f"{sum(one.decision == name for one in result.taken):,} {name}" for name in DECISIONS)
    console.print(f"Taken: {len(result.taken):,} decisions ({counts}). Unchanged: {result.unchanged:,} rows.")
    if result.taken_before:
        console.print(f"{result.taken_before:,} rows of this very file were taken before; a file counts once.")
    for note in result.notes:
        console.print(f"[yellow]Late:[/yellow] {escape(note)}")
    for problem in result.problems[:_SHOWN_PROBLEMS]:
        console.print(f"[red]Not taken:[/red] {escape(str(problem))}")
    if len(result.problems) > _SHOWN_PROBLEMS:
        console.print(f"… and {len(result.problems) - _SHOWN_PROBLEMS:,} rows more.")
    if result.problems:
        console.print(f"{len(result.problems):,} rows are wrong. {_advice(strict)}")
        raise typer.Exit(1)


def _tried(file: Path, work: Callable[[], Result]) -> Result:
    """Raises FileError where the file cannot be read or written."""
    try:
        return work()
    except OSError as error:
        raise FileError(f"{file}: {error.strerror or error}.") from error


def _advice(strict: bool) -> str:
    if strict:
        return "Nothing was taken (--strict). Correct them and import the file again."
    return "Correct them and import the file again: rows that were taken count once."
