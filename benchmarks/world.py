"""A world to measure in: a durable embedded PostgreSQL, the sample's source, a sandbox, all in a temporary folder."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from billing_assets.operations.sample import sandbox_settings, seeded_sandbox
from billing_assets.runtime import Runtime
from billing_assets.sandbox.netsuite.process import RunningSandbox
from billing_assets.sandbox.sample.loader import load_sample
from billing_assets.settings import load_settings, variable
from billing_assets.shipped import shipped
from billing_assets.staging.staging import StagingResult, stage
from billing_assets.state import embedded
from billing_assets.state.migrations import migrate


@dataclass(frozen=True)
class World:
    """What a benchmark works on."""

    runtime: Runtime
    sandbox: RunningSandbox
    source_url: str


@contextmanager
def world(period: str, **switches: object) -> Iterator[World]:
    """A fresh world with a period of the sample in its billing system; gone at the end."""
    with tempfile.TemporaryDirectory(prefix="billing-bench-") as folder:
        home = Path(folder)
        server = embedded.start(home)
        try:
            for name in ("billing", "sample"):
                embedded.create_database(server.url(), name)
            migrate(server.url("billing"), shipped("sql/state"))
            load_sample(server.url("sample"), period)
            with seeded_sandbox(home / "netsuite", switches=switches) as sandbox:
                found = {
                    "home": str(home),
                    "database_url": server.url("billing"),
                    "source.url": server.url("sample"),
                    **sandbox_settings(sandbox),
                }
                os.environ.update({variable(name): value for name, value in found.items()})
                yield World(Runtime(load_settings()), sandbox, server.url("sample"))
        finally:
            embedded.stop(home)


def stage_once(runtime: Runtime) -> StagingResult:
    """One staging, as the asset does it."""
    with runtime.state() as connection, runtime.billing_system() as source:
        return stage(
            connection, source, runtime.queries, "billing", runtime.validation, runtime.settings.staging, "benchmark"
        )


def timed_process(code: str) -> tuple[float, float]:
    """Runs Python code that ends with a variable `seconds`, in a process of its own: those seconds, and its peak MB."""
    script = (
        # Not getrusage: its peak begins with that of the process that forked us.
        f"import time\n{code}\n"
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print(seconds, int(peak.split()[1]) / 1024)"
    )
    output = subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE, text=True)
    seconds, megabytes = output.stdout.splitlines()[-1].split()
    return float(seconds), float(megabytes)


def report(what: str, ours: str, peer: str, ratio: float, aim: float) -> None:
    """One line: what was measured, ours, the limit or peer, their ratio and the aim."""
    verdict = "ok" if ratio <= aim else "ABOVE THE AIM"
    print(f"{what:<46} {ours:>16} {peer:>22}   {ratio:5.2f} x (aim {aim:g} x)  {verdict}", flush=True)
