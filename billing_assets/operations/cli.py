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
from typing import Annotated

import typer
from rich.markup import escape

from billing_assets.erp.audit.files import FileError
from billing_assets.erp.billing_system.errors import SourceError
from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.erp.close.closing import CloseRefusedError
from billing_assets.erp.netsuite.differing import DifferenceError
from billing_assets.erp.netsuite.errors import NetSuiteError
from billing_assets.erp.netsuite.found import FoundError
from billing_assets.erp.netsuite.mapping_file import MappingError
from billing_assets.erp.netsuite.sample_files import refuse_sample_elsewhere
from billing_assets.erp.pack_delivery import commands as pack_delivery
from billing_assets.erp.pack_delivery.errors import PackDeliveryError
from billing_assets.erp.settings import SourceSettings
from billing_assets.erp.staging.corrections.voids import NothingProposedError
from billing_assets.foundation.database.migrations import MigrationError
from billing_assets.foundation.database.refusals import REFUSALS, DatabaseUnfit, remedy
from billing_assets.foundation.database.server_programs import EmbeddedServerError
from billing_assets.foundation.database.urls import without_secrets
from billing_assets.foundation.files.errors import FolderError
from billing_assets.foundation.journal.errors import JournalError
from billing_assets.foundation.logs import configure_logs
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import SettingsError, is_secret, load_settings, setting_names, variable
from billing_assets.foundation.texts import visible
from billing_assets.operations import environment, sample
from billing_assets.operations.billing_run import ALL, LoadWave, NoDocumentsError, bill
from billing_assets.operations.commands import (
    audit,
    close,
    differs,
    documents,
    found,
    move,
    receivables,
    reminders,
    restore,
    voids,
)
from billing_assets.operations.commands.console import console
from billing_assets.operations.commands.prepared import prepared_machine
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
from billing_assets.operations.retention import store as retention_store
from billing_assets.operations.retention.archive import archive_documents
from billing_assets.operations.retention.runs import prune
from billing_assets.operations.retention.settings import RetentionSettings
from billing_assets.operations.retention.store import ArchiveError
from billing_assets.operations.status import show_status, simple_table, status
from billing_assets.operations.stopping import Stopped, stop_system
from billing_assets.operations.watching import DATABASE_LOST, keep_up
from billing_assets.posting.locks import LockHeldError, UnknownBatchError
from billing_assets.receivables.balances.late_fee_rules import LateFeeError
from billing_assets.receivables.reminders.errors import ReminderError
from billing_assets.sandbox.kit.errors import SandboxError
from billing_assets.sandbox.kit.switches import parse_switches
from billing_assets.sandbox.samples.data import FIRST_MONTH, LAST_MONTH
from billing_assets.sandbox.samples.loader import NotTheSampleError, load_contracts, load_sample, load_wave

_ERRORS = (
    SettingsError,
    MappingError,
    SourceError,
    NetSuiteError,
    MigrationError,
    EmbeddedServerError,
    SandboxError,
    ProcessError,
    UnknownBatchError,
    NoDocumentsError,
    NotTheSampleError,
    ArchiveError,
    CloseRefusedError,
    PackDeliveryError,
    FolderError,
    DifferenceError,
    FoundError,
    LockHeldError,
    LateFeeError,
    FileError,
    NothingProposedError,
    ReminderError,
    JournalError,
    DatabaseUnfit,
)
_WAVES = 4
_WAVE_PAUSE_SECONDS = 20.0

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Month-end billing from a SQL billing system into NetSuite.",
)
app.add_typer(documents.app)
pack_delivery.register(close.app)
app.add_typer(close.app, name="close")
found.register(restore.app)
app.add_typer(restore.app, name="restore")
app.add_typer(reminders.reminders, name="reminders")
app.add_typer(reminders.stops, name="stops")
app.command("files")(close.files_command)
app.add_typer(receivables.app)
app.add_typer(audit.app, name="audit")
app.add_typer(voids.app, name="voids")
app.add_typer(differs.app, name="differs")
app.add_typer(move.app, name="move")
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
    except REFUSALS as error:
        _fail(f"Our database cannot be used. {error}")
    except DATABASE_LOST as error:
        cause = getattr(error, "orig", None) or error  # SQLAlchemy's own text has the statement in it
        todo = remedy(getattr(cause, "pgcode", None)) or f"Check {variable('database_url')}."
        _fail(f"Our database cannot be used: {str(cause).strip()} {todo}")
    except OSError as error:
        if error.filename is None or isinstance(error, BrokenPipeError):
            raise
        _fail(f"{error.filename}: {error.strerror}.")


def _fail(message: str) -> None:
    print(f"billing: {visible(_without_secrets(message))}", file=sys.stderr)
    sys.exit(2)


def _without_secrets(message: str) -> str:
    """A message with no part of our database's or the billing database's password, whatever a driver says."""
    try:
        found = load_settings()
    except SettingsError:
        return message
    for url in (found.database_url, found.of(SourceSettings).url):
        message = without_secrets(message, url.get_secret_value() if url else None)
    return message


@contextmanager
def _system(period: str, *, use_sample: bool) -> Iterator[tuple[Prepared, LoadWave | None]]:
    """A prepared machine with the stand-ins that are asked for, held by no other process."""
    _check_period(period, use_sample=use_sample)
    with environment.runtime() as found, environment.alone(found.settings.home), ExitStack() as stack:
        configure_logs(found.settings.log_format)
        stop_noted(found.settings.home)
        load = own_sandbox = None
        if use_sample:
            refuse_sample_elsewhere(found.settings, "--sample")
            sample.quick_sensors()
            url = sample.sample_source(found)
            own_sandbox = stack.enter_context(sample.sample_netsuite(found.settings.home))
            if url is not None:

                def load(wave: int, waves: int) -> tuple[int, int]:
                    with sample.filling(url):
                        return load_wave(url, period, wave, waves)

        if own_sandbox is not None:
            sample.follow_sandbox(found, own_sandbox)
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
        url = sample.sample_source(found) or found.of(BillingSystem).url
        with sample.filling(url):
            result = load_sample(url, period)
            load_contracts(url)
        console.print(f"{result.created:,} documents appeared, {result.closed:,} closed.")


@app.command()
def run(period: Period = "2010-11", use_sample: Sample = False) -> None:
    """Bill a month: stage, batch, post, close; exits 0 only if it reconciles and nothing is left to be posted."""
    with _system(period, use_sample=use_sample) as (prepared, load):
        console.print(f"Billing {period}. Logs are in {prepared.home / 'logs'}.")
        with started(prepared.home, {"dagster daemon": daemon_command()}) as processes:
            verdict = bill(prepared.runtime, processes, console, period, _WAVES, load)
    console.print(verdict.words, style="green" if verdict.done else "red", markup=False)
    raise typer.Exit(0 if verdict.done else 1)


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
    """Stop a running system, or what a killed one left, the embedded database included; exits 1 if anything runs on."""
    home = load_settings().home.absolute()
    stopped = stop_system(home) if home.is_dir() else Stopped((), ())
    if stopped.ended:
        console.print(f"{len(stopped.ended)} processes stopped: {escape(', '.join(stopped.ended))}.")
    elif not stopped.left:
        console.print("Nothing was running.")
    for name in stopped.left:
        console.print(f"[red]Still running: {escape(name)}.[/red]")
    raise typer.Exit(1 if stopped.left else 0)


@app.command("status")
def status_command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Where every document, batch and lane stands."""
    with prepared_machine(only_reads=True) as prepared, prepared.runtime.state() as connection:
        found = status(connection, prepared.runtime.settings)
    if as_json:
        print(json.dumps(found))
    else:
        show_status(console, found, "Documents")


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
        settings = prepared.runtime.settings.of(RetentionSettings)
        documents = archive_documents(connection, settings)
        pruned = prune(prepared.instance, connection, settings)
        months = retention_store.archived_months(connection)
    console.print(f"The log of {documents:,} documents went to the archive.")
    console.print(f"{pruned.runs:,} runs and {pruned.partitions:,} batches left the web UI.")
    table = simple_table("Archive", ["Posted in", "Megabytes"], right=(1,))
    for one in months:
        table.add_row(f"{one.month:%Y-%m}", f"{one.size / 2**20:,.1f}")
    console.print(table)


@app.command()
def doctor() -> None:
    """Check every connection, the source's columns, the login and the mapping's references, and say what to fix."""
    with prepared_machine(only_reads=True) as prepared:
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
    with sample.seeded_sandbox(home / "netsuite_sandbox", port, parse_switches(switch or [])) as running:
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
