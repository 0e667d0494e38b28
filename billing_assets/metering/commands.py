"""`billing metering import`, `show`, `file`, `load-master` and others: files in, and what became of them."""

import json
from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.groups import group
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.commands.options import said
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.files.local import LocalFolder
from billing_assets.metering.import_engine import reports, store
from billing_assets.metering.import_engine.reports import FileReportRow
from billing_assets.metering.import_engine.settings import MeteringSettings
from billing_assets.metering.importing import (
    decide_reading,
    import_connection,
    import_files,
    load_master_data,
    named_folder,
    sources_of,
)
from billing_assets.metering.raw_view import RawView, as_object, bytes_of, pairing_lines, raw_view
from billing_assets.metering.readings.rulings import Ruling
from billing_assets.metering.usage.settings import UsageSettings

_COLORS = {"accepted": "green", "held": "yellow", "refused": "red", "received": "red", "duplicate": "cyan"}
Number = Annotated[int, typer.Argument(metavar="ID", help="Number of the message.")]
By = Annotated[str, typer.Option(help="Who decides; kept with the decision.")]
Why = Annotated[str, typer.Option(help="Why; kept with the decision.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to `billing metering`."""
    metering = group(app, "metering")
    metering.command("import")(import_command)
    metering.command("show")(show)
    metering.command("file")(file_command)
    metering.command("load-master")(load_master)
    metering.command("accept-reading")(accept_reading)
    metering.command("reject-reading")(reject_reading)
    metering.command("read-again")(read_again)


def import_command(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder on this machine; default: the input folders of the settings.")
    ] = None,
    move: Annotated[
        bool, typer.Option("--move", help="Move what was read into archive/ or error/, as in input folders.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line and file.")] = False,
) -> None:
    """Take files in: store their bytes, read them, and write what they hold; safe to repeat.

    All files of a named folder are taken as complete, and stay where they are. Exits 0 whatever is in them.
    """
    with prepared_runtime() as runtime:
        settings = runtime.settings
        if folder is None:
            sources, may_move = sources_of(settings.of(MeteringSettings)), True
        else:
            LocalFolder(folder).check()
            sources, may_move = [named_folder(folder, settings.of(MeteringSettings))], move
        named = sources[0].name if folder is not None else None
        with runtime.state() as connection:
            here = reports.files_in(connection, named) if named else []
        found = import_files(runtime.database_url, settings, sources, may_move=may_move)
        with runtime.state() as connection:
            here += reports.files_in(connection, named) if named else []
            files = reports.files(connection, sorted({*found.read, *here}))
    for one in files:
        if as_json:
            print(json.dumps(_file_object(one), default=_plain), flush=True)
        else:
            _show_file(one)
    for fault in found.faults:
        console.print(escape(str(fault)), style="red", soft_wrap=True)
    if not as_json:
        by_state = Counter(one.state for one in files)
        said = ", ".join(f"{many:,} {state}" for state, many in sorted(by_state.items()))
        waiting = f"; {found.waiting:,} may still be growing" if found.waiting else ""
        console.print(f"{len(files):,} files: {said or 'none came'}{waiting}.")
    if found.faults:
        raise typer.Exit(1)


def show(number: Number, as_json: AsJson = False) -> None:
    """Show a message: what the market sent, its file and findings, its state, and the other versions of its reading."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        view = raw_view(connection, number, runtime.settings.of(MeteringSettings).limits)
    if as_json:
        print(json.dumps(as_object(view), default=_plain))
        return
    _show_view(view)


def file_command(
    number: Annotated[int, typer.Argument(metavar="ID", help="Number of the file.")],
    save: Annotated[Path | None, typer.Option("--save", help="Write its bytes, unchanged, into this new file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a file and what was found in it, and save its bytes as they came."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        content = bytes_of(connection, number)
        (found,) = reports.files(connection, [number])
        findings = reports.findings(connection, number)
        if save is not None:
            with save.open("xb") as file:
                for piece in content:
                    file.write(piece)
    if as_json:
        print(json.dumps(_file_object(found) | {"findings": [one._asdict() for one in findings]}, default=_plain))
        return
    _show_file(found)
    for one in findings:
        console.print(f"  {one.code}  {escape(one.sentence)}", soft_wrap=True)
    if save is not None:
        what = f"{found.size:,}" if found.kept is None else f"the first {found.kept:,} of {found.size:,}"
        console.print(f"Saved {what} bytes, SHA-256 {found.sha256}.")


def load_master(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder with service_points.csv, meters.csv, registers.csv, streams.csv, meter_clocks.csv, "
            "supply_periods.csv, or some of them."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Load master data from CSV files, all or none; what waited for it is freed. Safe to repeat."""
    with prepared_runtime() as runtime, import_connection(runtime.database_url) as connection:
        options = runtime.settings.of(UsageSettings).options()
        loaded, freed = load_master_data(connection, folder, options)
    if as_json:
        print(json.dumps({"loaded": [one._asdict() for one in loaded], "freed": freed}))
        return
    for one in loaded:
        console.print(f"{one.kind}: {one.rows:,} rows, {one.added:,} added, {one.replaced:,} of before replaced")
    console.print(f"{freed:,} messages that waited for master data changed their state.")


def accept_reading(number: Number, by: By, why: Why) -> None:
    """Have a held reading count, whatever its quality: what counted before is kept and superseded."""
    _decide(number, Ruling.ACCEPTED, by, why)


def reject_reading(number: Number, by: By, why: Why) -> None:
    """Have a reading that is held, or that counts and should not, never count; what else counts stays."""
    _decide(number, Ruling.REJECTED, by, why)


def _decide(number: int, ruling: Ruling, by: str, why: str) -> None:
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        states = decide_reading(connection, number, ruling, by, why)
    for one in states:
        console.print(f"Message {one.message} is {one.state} now.")


def read_again(
    number: Annotated[int, typer.Argument(metavar="ID", help="Number of the file.")],
) -> None:
    """Have a refused file, or one that could not be read, read once more by the next run: after an upgrade, say."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        store.read_again(connection, number)
    console.print(f"File {number} is read by the next run (`billing metering import`).")


def _file_object(found: FileReportRow) -> dict[str, Any]:
    return found._asdict() | {"codes": list(found.counts), "sum": f"{found.sum:f}"}


def _plain(found: object) -> str:
    if isinstance(found, Decimal):
        return f"{found:f}"
    if isinstance(found, datetime | date):
        return found.isoformat()
    raise TypeError(f"{type(found).__name__} is not in JSON")


def _show_file(one: FileReportRow) -> None:
    codes = f" {', '.join(one.counts)}" if one.counts else ""
    console.print(
        f"{one.id}  {escape(one.file)}  {one.format or 'unknown format'}: [{_COLORS[one.state]}]{one.state}[/]"
        f"{escape(codes)}, {one.readings:,} readings, sum {one.sum:f}",
        soft_wrap=True,
    )
    if one.messages:
        console.print("    " + escape(", ".join(f"{many:,} {said}" for said, many in sorted(one.messages.items()))))
    if one.why:
        console.print(f"    {escape(one.why)}", style="red", soft_wrap=True)


def _show_view(view: RawView) -> None:
    message, file = view.message, view.file
    code = f" {message.code}" if message.code else ""
    of = " ".join(filter(None, (message.point, message.suffix, message.key)))
    since = f"{message.state}{code} since {message.state_since:%Y-%m-%d %H:%M}"
    console.print(f"Message {message.id}, {message.type}: {escape(of)}, {since}", soft_wrap=True)
    if message.sentence:
        console.print(escape(message.sentence), style="yellow", soft_wrap=True)
    period = f"{message.begins_at or '?'} to {message.ends_at or '?'}"
    console.print(f"Period {period}, {message.readings:,} readings, quantity {message.quantity:f}", soft_wrap=True)
    for name, value in {**(message.keys or {}), **(message.quantities or {})}.items():
        console.print(f"  {escape(name)}: {escape(str(value))}", soft_wrap=True)
    for past in view.past:
        console.print(f"  was {past.state} {past.code or ''} until {past.until:%Y-%m-%d %H:%M}")
    console.print(
        f"File {file.id} {escape(file.file)}, {file.state}, came {file.received_at:%Y-%m-%d %H:%M} by {file.channel}"
        f"{f' from {escape(file.sender)}' if file.sender else ''}, acknowledgement {file.acknowledgement or 'none'}; "
        f"line {message.line}:",
        soft_wrap=True,
    )
    for line in view.text.splitlines():
        console.print(escape(line), soft_wrap=True)
    for one in view.findings:
        console.print(f"  {one.code}  {escape(one.sentence)}", soft_wrap=True)
    for line in pairing_lines(view):
        console.print(f"  {escape(line)}", soft_wrap=True)
    if view.versions:
        table = simple_table(
            "Versions of this reading",
            ["Message", "State", "Code", "Quality", "Stamp", "Begin", "End", "Quantity"],
            right=[7],
        )
        for version in view.versions:
            cells = (str(version.message or version.origin), version.state, version.code or "", version.quality)
            stamp = f"{version.updated_at:%Y-%m-%d %H:%M}" if version.updated_at else ""
            reads = (version.begin_read or "", version.end_read or "")
            table.add_row(*cells, stamp, *map(escape, reads), f"{version.quantity:f} {version.unit}")
        console.print(table)
