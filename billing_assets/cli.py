"""The `billing` command. Each subcommand prepares, calls one room, and prints; a known error is one clear message."""

import json
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Annotated, Any

import orjson
import typer
from rich.markup import escape

from billing_assets.audit.files import FileError
from billing_assets.batches import unlocking
from billing_assets.batches.store import UnknownBatchError
from billing_assets.billing_system.errors import SourceError
from billing_assets.close.closing import CloseRefusedError
from billing_assets.commands import audit, close, receivables, reminders, voids
from billing_assets.commands.console import console
from billing_assets.commands.prepared import prepared_machine
from billing_assets.domain.documents import Document, SourceStatus, State
from billing_assets.domain.money import amount
from billing_assets.domain.rules import Finding, state_for, validate
from billing_assets.logs import configure_logs
from billing_assets.netsuite import store as netsuite_store
from billing_assets.netsuite.dry_run import request_line
from billing_assets.netsuite.errors import NetSuiteError, explain
from billing_assets.netsuite.mapping import RECORD_TYPES, NetSuiteMapping
from billing_assets.netsuite.mapping_file import MappingError
from billing_assets.operations import environment, sample
from billing_assets.operations.billing_run import ALL, LoadWave, NoDocumentsError, StuckError, bill
from billing_assets.operations.doctor import examine
from billing_assets.operations.environment import Prepared
from billing_assets.operations.processes import (
    Process,
    ProcessError,
    daemon_command,
    files_command,
    free_port,
    started,
    stop_noted,
    wait_until_answers,
    webserver_command,
)
from billing_assets.operations.status import show_status, simple_table, status
from billing_assets.operations.watching import DATABASE_LOST, keep_up
from billing_assets.receivables.late_fee_rules import LateFeeError
from billing_assets.reminders.errors import ReminderError
from billing_assets.retention import store as retention_store
from billing_assets.retention.archive import keep_small
from billing_assets.retention.runs import prune
from billing_assets.retention.store import ArchiveError
from billing_assets.runtime import Runtime
from billing_assets.sample_files import refuse_sample_elsewhere
from billing_assets.sandbox.netsuite.process import SandboxError
from billing_assets.sandbox.sample.data import FIRST_MONTH, LAST_MONTH
from billing_assets.sandbox.sample.loader import NotTheSampleError, load_contracts, load_sample, load_wave
from billing_assets.settings import SettingsError, is_secret, load_settings, setting_names, variable
from billing_assets.staging import store as staging_store
from billing_assets.staging.corrections.voids import NothingProposedError
from billing_assets.state import embedded
from billing_assets.state.migrations import MigrationError
from billing_assets.state.server_programs import EmbeddedServerError

_ERRORS = (
    SettingsError,
    MappingError,
    SourceError,
    NetSuiteError,
    MigrationError,
    EmbeddedServerError,
    SandboxError,
    ProcessError,
    StuckError,
    UnknownBatchError,
    NoDocumentsError,
    NotTheSampleError,
    ArchiveError,
    CloseRefusedError,
    LateFeeError,
    FileError,
    NothingProposedError,
    ReminderError,
)
_WAVES = 4
_WAVE_PAUSE_SECONDS = 20.0

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Month-end billing from a SQL billing system into NetSuite.",
)
app.add_typer(close.app, name="close")
app.add_typer(reminders.reminders, name="reminders")
app.add_typer(reminders.stops, name="stops")
app.command("files")(close.files_command)
app.add_typer(receivables.app)
app.add_typer(audit.app, name="audit")
app.add_typer(voids.app, name="voids")
app.command("waiting")(voids.waiting)

Sample = Annotated[bool, typer.Option("--sample", help="Use the sample billing system and the NetSuite sandbox.")]
Period = Annotated[str, typer.Option(help="Billing month, YYYY-MM, or `all`.")]


def main() -> None:
    """Entry point: a known error is one message on standard error and exit code 2, never a traceback."""
    # `kill` and a closed terminal end us as Ctrl-C does: whatever we started stops first.
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # nohup stays nohup
            signal.signal(number, lambda received, _frame: sys.exit(128 + received))
    try:
        app()
    except _ERRORS as error:
        _fail(str(error))
    except DATABASE_LOST as error:
        reason = str(getattr(error, "orig", None) or error).strip()  # SQLAlchemy's own text has the statement in it
        _fail(f"Our database cannot be used: {reason} Check {variable('database_url')}.")


def _fail(message: str) -> None:
    print(f"billing: {message}", file=sys.stderr)
    sys.exit(2)


@contextmanager
def _system(period: str, *, use_sample: bool) -> Iterator[tuple[Prepared, LoadWave | None]]:
    """A prepared machine with the stand-ins that are asked for, held by nobody else."""
    _check_period(period, use_sample=use_sample)
    with environment.runtime() as found, environment.alone(found.settings.home), ExitStack() as stack:
        configure_logs(found.settings.log_format)
        stop_noted(found.settings.home)
        load = None
        if use_sample:
            refuse_sample_elsewhere(found.settings, "--sample")
            sample.quick_sensors()
            url = sample.sample_source(found)
            stack.enter_context(sample.sample_netsuite(found.settings.home))
            if url is not None:

                def load(wave: int, waves: int) -> tuple[int, int]:
                    return load_wave(url, period, wave, waves)

        prepared = environment.prepare(Runtime(load_settings()) if use_sample else found)
        if prepared.embedded:
            environment.end_dead_runs(prepared.instance)
        environment.write_environment_file(prepared.home)
        yield prepared, load


def _check_period(period: str, *, use_sample: bool) -> None:
    if period == ALL:
        return
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", period):
        raise SettingsError(f"--period {period}: expected a month such as 2010-11, or `all`.")
    if use_sample and not FIRST_MONTH <= period <= LAST_MONTH:
        raise SettingsError(f"--period {period}: the sample has documents from {FIRST_MONTH} to {LAST_MONTH}.")


@app.command()
def init() -> None:
    """Make the database and Dagster's instance, and write <home>/env for other tools."""
    with prepared_machine(keep_server=True) as prepared:
        path = environment.write_environment_file(prepared.home)
        console.print(f"Ready. For `dg dev` and Dagster's own commands: set -a; . {path}; set +a")
        if prepared.runtime.settings.home.joinpath("postgres").is_dir():
            console.print("The embedded PostgreSQL runs until `billing down`.")


@app.command("load-sample")
def load_sample_command(period: Period = ALL) -> None:
    """Load the sample billing system, all at once."""
    _check_period(period, use_sample=True)
    with environment.runtime() as found:
        refuse_sample_elsewhere(found.settings, "`billing load-sample`")
        url = sample.sample_source(found) or found.source_url
        result = load_sample(url, period)
        load_contracts(url)
        console.print(f"{result.created:,} documents appeared, {result.closed:,} closed.")


@app.command()
def run(period: Period = "2010-11", use_sample: Sample = False) -> None:
    """Bill a month: stage, batch, post, close; exits 0 only if it reconciles."""
    with _system(period, use_sample=use_sample) as (prepared, load):
        console.print(f"Billing {period}. Logs are in {prepared.home / 'logs'}.")
        with started(prepared.home, {"dagster daemon": daemon_command()}) as processes:
            agrees = bill(prepared.runtime, processes, console, period, _WAVES, load)
    console.print("[green]Reconciled to the cent.[/green]" if agrees else "[red]Not reconciled.[/red]")
    raise typer.Exit(0 if agrees else 1)


@app.command()
def up(
    period: Period = "2010-11",
    use_sample: Sample = False,
    port: Annotated[int, typer.Option(help="Port of the web UI on 127.0.0.1; files are ten further.")] = 3000,
) -> None:
    """Run everything with the web UI until Ctrl-C."""
    files_port = free_port(port + 10)
    environment.set_default("close.files_url", f"http://127.0.0.1:{files_port}")
    with _system(period, use_sample=use_sample) as (prepared, load):
        commands = {
            "dagster daemon": daemon_command(),
            "dagster webserver": webserver_command(port),
            "billing files": files_command(files_port),
        }
        with started(prepared.home, commands) as processes:
            address = f"http://127.0.0.1:{port}"
            wait_until_answers(address, processes[1])
            console.print(f"The web UI is at {address}/asset-groups (Ctrl-C stops everything).")
            if load is not None:
                threading.Thread(target=_feed, args=(load,), daemon=True).start()
            _watch(prepared, processes)


def _feed(load: LoadWave) -> None:
    for wave in range(1, _WAVES + 1):
        appeared, closed = load(wave, _WAVES)
        console.print(f"Wave {wave} of {_WAVES}: {appeared:,} documents appeared, {closed:,} closed.")
        time.sleep(_WAVE_PAUSE_SECONDS)


def _watch(prepared: Prepared, processes: list[Process]) -> None:
    try:
        while True:
            keep_up(prepared, processes)
            time.sleep(2)
    except KeyboardInterrupt:
        console.print("Stopping…")


@app.command()
def down() -> None:
    """Stop what an earlier command left running, the embedded database included."""
    home = load_settings().home.absolute()
    if home.is_dir():
        stopped = stop_noted(home)
        stopped += embedded.stop(home)
        console.print(f"{stopped} processes stopped.")


@app.command("status")
def status_command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Where every document, batch and lane stands."""
    with prepared_machine() as prepared, prepared.runtime.state() as connection:
        found = status(connection, prepared.runtime.settings)
    if as_json:
        print(json.dumps(found))
    else:
        show_status(console, found, "Documents")


@app.command()
def held(code: Annotated[str | None, typer.Option(help="Only documents with this finding.")] = None) -> None:
    """Documents that a rule holds, with every finding."""
    with prepared_machine() as prepared, prepared.runtime.state() as connection:
        rows = staging_store.held(connection, code)
    table = simple_table(f"{len(rows):,} held documents", ["Kind", "Number", "Total", "Findings"], right=(2,))
    for row in rows:
        findings = "\n".join(f"{found['code']}: {found['message']}" for found in row["findings"])
        table.add_row(row["kind"], escape(row["number"]), _money(row), escape(findings))
    console.print(table)


@app.command()
def rejected() -> None:
    """Documents that NetSuite refused for good, with its words."""
    with prepared_machine() as prepared, prepared.runtime.state() as connection:
        rows = netsuite_store.rejected(connection)
    columns = ["Kind", "Number", "Batch", "Total", "What NetSuite said, and what to do"]
    table = simple_table(f"{len(rows):,} rejected documents", columns, right=(3,))
    for row in rows:
        said = " ".join(str(row[name]) for name in ("http_status", "code", "path") if row[name])
        known = explain(row["http_status"], row["code"] or "", row["detail"] or "")
        words = escape(f"{said}: {row['detail'] or ''}" + (f"\n{known.to_do}" if known else ""))
        table.add_row(row["kind"], escape(row["number"]), row["batch"], _money(row), words)
    console.print(table)


@app.command()
def requeue(
    number: Annotated[list[str] | None, typer.Option(help="Only this document; may be given several times.")] = None,
) -> None:
    """Send rejected documents to the backlog again, after their cause was mended."""
    with prepared_machine() as prepared, prepared.runtime.state() as connection:
        unknown_after = prepared.runtime.settings.absence_counts_after_seconds
        count = unlocking.requeue(connection, number, unknown_after)
    console.print(f"{count:,} documents wait for a batch again.")
    if number and count < len(set(number)):
        raise typer.Exit(1)


@app.command()
def unlock(
    batch: Annotated[str | None, typer.Option(help="This batch, even if a run holds it.")] = None,
) -> None:
    """Give the documents of stale locks, or of one batch, back to the backlog."""
    with prepared_machine() as prepared, prepared.runtime.state() as connection:
        settings = prepared.runtime.settings
        unknown_after = settings.absence_counts_after_seconds
        if batch:
            unlocked = {batch: unlocking.unlock(connection, batch, unknown_after)}
        else:
            unlocked = unlocking.unlock_stale(connection, settings.batches.stale_lock_minutes, unknown_after)
    for key, documents in unlocked.items():
        console.print(f"Batch {key}: {documents:,} documents wait for a batch again.")
    console.print(f"{len(unlocked)} batches unlocked.")


@app.command()
def retention(
    detach: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m"], help="Take a month out of the log, to be dumped and dropped.")
    ] = None,
) -> None:
    """Archive the old log and delete old runs now, as the schedule does every night; list what the archive has."""
    with prepared_machine() as prepared, prepared.runtime.state() as connection:
        if detach is not None:
            for name in retention_store.detach(connection, detach.date()):
                console.print(f"{name} is not part of billing.posting_log any more. Dump it and drop it.")
            return
        settings = prepared.runtime.settings.retention
        documents = keep_small(connection, settings)
        pruned = prune(prepared.instance, connection, settings)
        months = retention_store.archived_months(connection)
    console.print(f"The log of {documents:,} documents went to the archive.")
    console.print(f"{pruned.runs:,} runs and {pruned.partitions:,} batches left the web UI.")
    table = simple_table("Archive", ["Posted in", "Megabytes"], right=(1,))
    for one in months:
        table.add_row(f"{one.month:%Y-%m}", f"{one.size / 2**20:,.1f}")
    console.print(table)


@app.command()
def preview(number: Annotated[str, typer.Option(help="The document's number.")]) -> None:
    """Print the exact request that a document would send, and send nothing."""
    with prepared_machine() as prepared, prepared.runtime.state() as connection:
        postings = netsuite_store.by_number(connection, number)
        if not postings:
            raise SettingsError(f"--number {number}: no such document is staged. Stage first, or check the number.")
        for posting in postings:
            if posting.document.kind not in RECORD_TYPES:
                print(f"# {number} is of kind {posting.document.kind} and is never sent.")
            elif found := _unfit(prepared.runtime.mapping, posting.document):
                print(f"# {number} would not be sent:")
                for one in found:
                    print(f"# {one.code} {one.path}: {one.message}")
            else:
                head, _, body = request_line(prepared.runtime.mapping, posting).partition(b" {")
                print(head.decode())
                print(orjson.dumps(orjson.loads(b"{" + body), option=orjson.OPT_INDENT_2).decode())


def _unfit(mapping: NetSuiteMapping, document: Document) -> list[Finding]:
    """Why a document is held or excluded under the mapping as it is now, closed or not."""
    found = validate(document, mapping.policy, mapping.check)
    return found if state_for(SourceStatus.CLOSED, found) != State.READY else []


@app.command()
def doctor() -> None:
    """Check every connection, the source's columns, the login and the mapping's references, and say what to fix."""
    with prepared_machine() as prepared:
        well = True
        for checked in examine(prepared.runtime):
            verdict = "[green]ok  [/]" if checked.proven else "[yellow]part[/]"
            verdict = verdict if checked.well else "[red]FAIL[/]"
            console.print(f"{verdict} {checked.what}: {escape(checked.said)}")
            well = well and checked.well
    raise typer.Exit(0 if well else 1)


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 8080,
    switch: Annotated[list[str] | None, typer.Option(help="A switch, name=value as JSON; may be repeated.")] = None,
) -> None:
    """Run the NetSuite sandbox until Ctrl-C and print the settings that point at it."""
    home = load_settings().home.absolute()
    switches: dict[str, Any] = {}
    for one in switch or []:
        name, _, value = one.partition("=")
        try:
            switches[name] = json.loads(value)
        except ValueError:
            switches[name] = value
    with sample.seeded_sandbox(home / "netsuite_sandbox", port, switches) as running:
        for setting, value in sample.sandbox_settings(running).items():
            shown = (
                f"(see {home / 'netsuite_sandbox' / 'credentials.json'})"
                if is_secret(setting_names()[setting])
                else value
            )
            console.print(f"{variable(setting)}={shown}")
        console.print("Ctrl-C stops it.")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            console.print("Stopping…")


def _money(row: dict[str, Any]) -> str:
    return f"{row['currency'] or ''} {amount(row['total'])}" if row["total"] is not None else ""
