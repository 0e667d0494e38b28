"""`billing init`, `run`, `up` and `down`: the running system."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated

import typer
from rich.markup import escape

from billing_assets.areas import verbs
from billing_assets.erp.netsuite.sample_files import refuse_sample_elsewhere
from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import opened_runtime, set_default
from billing_assets.foundation.logs import configure_logs
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import load_settings
from billing_assets.operations import environment, sample
from billing_assets.operations.billing_run import LoadWave, bill
from billing_assets.operations.commands.period import Period, check_period
from billing_assets.operations.daemon_health import keep_up
from billing_assets.operations.environment import Prepared, prepared_machine
from billing_assets.operations.processes import (
    Process,
    daemon_command,
    free_port,
    started,
    stop_noted,
    wait_until_answers,
    webserver_command,
)
from billing_assets.operations.stopping import Stopped, stop_system
from billing_assets.sandbox.samples.loader import load_wave

_WAVES = 4
_WAVE_PAUSE_SECONDS = 20.0

Sample = Annotated[bool, typer.Option("--sample", help="Use the sample billing system and the NetSuite sandbox.")]


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    for one in (init, run, up, down):
        app.command()(one)


def init() -> None:
    """Make the database and Dagster's instance, and write <home>/env for other tools."""
    with prepared_machine(keep_server=True) as prepared:
        path = environment.write_environment_file(prepared.home)
        console.print(f"Ready. For `dg dev` and Dagster's own commands: set -a; . {path}; set +a")
        if prepared.runtime.settings.home.joinpath("postgres").is_dir():
            console.print("The embedded PostgreSQL runs until `billing down`.")


def run(period: Period = "2010-11", use_sample: Sample = False) -> None:
    """Bill a month: stage, batch, post, close; exits 0 only if it reconciles and nothing is left to be posted."""
    with _system(period, use_sample=use_sample) as (prepared, load):
        console.print(f"Billing {period}. Logs are in {prepared.home / 'logs'}.")
        with started(prepared.home, {"dagster daemon": daemon_command()}) as processes:
            verdict = bill(prepared.runtime, processes, console, period, _WAVES, load)
    console.print(verdict.words, style="green" if verdict.done else "red", markup=False)
    raise typer.Exit(0 if verdict.done else 1)


def up(
    period: Period = "2010-11",
    use_sample: Sample = False,
    port: Annotated[int, typer.Option(help="Port of the web UI on 127.0.0.1; files are ten further.")] = 3000,
) -> None:
    """Run everything with the web UI until Ctrl-C."""
    files_port = free_port(port + 10)
    set_default("close.files_url", f"http://127.0.0.1:{files_port}")
    with _system(period, use_sample=use_sample) as (prepared, load):
        commands = {
            "dagster daemon": daemon_command(),
            "dagster webserver": webserver_command(port),
        }
        for bring in verbs("processes", "commands", prepared.runtime.settings.areas):
            commands |= bring(files_port)
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


@contextmanager
def _system(period: str, *, use_sample: bool) -> Iterator[tuple[Prepared, LoadWave | None]]:
    """A prepared machine with the stand-ins that are asked for, held by no other process."""
    check_period(period, use_sample=use_sample)
    with opened_runtime() as found, environment.alone(found.settings.home), ExitStack() as stack:
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
