"""What a scenario is played on: a billing database, our database on a server that may be struck, and a sandbox."""

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.erp.netsuite.validation import validation
from billing_assets.erp.settings import SourceSettings
from billing_assets.erp.staging.settings import StagingSettings
from billing_assets.erp.staging.staging import stage
from billing_assets.foundation.database import embedded
from billing_assets.foundation.database.embedded import EmbeddedServer
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.runtime import DATABASE, Runtime
from billing_assets.foundation.settings import load_settings
from billing_assets.foundation.shipped import shipped
from billing_assets.sandbox.netsuite.process import RunningSandbox, start_sandbox
from proving.kills.counting import Count, count
from proving.kills.world import fill
from proving.world import clock
from proving.world.account import Account
from proving.world.builders import create_billing_system, open_for_writing
from proving.world.command import environment, netsuite_variables
from proving.world.world import seeded


class Scale(NamedTuple):
    """How large a scenario is played. Times in seconds; the cause strikes when `at_work` batches are being posted."""

    documents: int
    batch: int
    lanes: int
    latency: float  # median of the sandbox's answers
    longest_request: float  # that NetSuite works on; clients wait half as long
    lease: float
    at_work: int
    before: float  # measured before the cause,
    after: float  # and after the recovery


# Slow enough that two cores have room for a run that starts: what is measured is the lanes, not the machine.
FULL = Scale(1800, batch=610, lanes=15, latency=0.5, longest_request=6, lease=6, at_work=3, before=12, after=20)
SHORT = Scale(120, batch=40, lanes=6, latency=0.12, longest_request=1, lease=1, at_work=1, before=0.2, after=0)

_SPREAD = 0.25
_ENVIRONMENT = threading.Lock()


@dataclass
class World:
    """One system to be struck. `home` holds our database; the billing database is on another server, left in peace."""

    home: Path
    server: EmbeddedServer
    source_url: str
    sandbox: RunningSandbox
    account: Account
    scale: Scale
    variables: Mapping[str, str]

    @property
    def url(self) -> str:
        """Our database."""
        return self.server.url(DATABASE)

    def latency(self) -> None:
        """The sandbox takes its usual time."""
        self.account.switch(latency_median_ms=1000 * self.scale.latency, latency_sigma=_SPREAD)

    def restart_sandbox(self) -> None:
        """The sandbox again, at the same address, after it was killed."""
        self.sandbox = start_sandbox(self.home.parent / "netsuite", port=self.sandbox.port)
        self.latency()

    def count(self) -> Count:
        """What the sandbox holds against what the billing system wants."""
        with open_for_writing(self.source_url) as source:
            return count(source, self.account)


@contextmanager
def open_world(folder: Path, scale: Scale, *, volume_megabytes: int | None = None) -> Iterator[World]:
    """A staged backlog and a sandbox that takes its time; everything is gone at the end.

    With `volume_megabytes` our database and all else of `home` stand on a small volume of their own (root only).
    """
    home, billing = folder / "a home", folder / "billing system"
    home.mkdir(parents=True)
    if volume_megabytes:
        _run("mount", "-t", "tmpfs", "-o", f"size={volume_megabytes}m", "tmpfs", str(home))
    try:
        source, server = embedded.start(billing, durable=False), embedded.start(home)
        embedded.create_database(source.url(), "billing_system")
        embedded.create_database(server.url(), DATABASE)
        source_url = source.url("billing_system")
        migrate(server.url(DATABASE), shipped("sql/state"))
        clock.make_settable(server.url(DATABASE))
        create_billing_system(source_url)
        with open_for_writing(source_url) as clerk, clerk.transaction():
            fill(clerk, scale.documents)
            # A few credit memos that wait for their invoice are enough: each such wave is a batch of its own.
            clerk.execute("update invoices set applies_to = null where id % 80 <> 19")
        with start_sandbox(folder / "netsuite") as sandbox:
            variables = _variables(home, source_url, sandbox, scale)
            world = World(home, server, source_url, sandbox, seeded(sandbox), scale, variables)
            world.latency()
            _stage(world)
            try:
                yield world
            finally:
                world.sandbox.stop()
    finally:
        embedded.stop(home, mode="immediate")
        embedded.stop(billing, mode="immediate")
        if volume_megabytes:
            _run("umount", "--lazy", str(home))


def can_mount() -> bool:
    """Whether this process may mount a volume."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and "CapEff" in (status := _status()) and _has_admin(status)


def _status() -> str:
    path = Path("/proc/self/status")
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _has_admin(status: str) -> bool:
    capabilities = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff"))
    return bool(int(capabilities, 16) >> 21 & 1)  # CAP_SYS_ADMIN


def _variables(home: Path, source_url: str, sandbox: RunningSandbox, scale: Scale) -> Mapping[str, str]:
    patience = {  # NetSuite's waiting times scaled down; the rest is as shipped
        "timeout_seconds": scale.longest_request / 2,
        "max_request_seconds": scale.longest_request,
        "read_back_seconds": scale.longest_request / 3,
        "outage_seconds": 120,
    }
    return environment(
        netsuite_variables(sandbox, lanes=scale.lanes, **patience)
        | {
            "BILLING_HOME": str(home),
            "BILLING_SOURCE__URL": source_url,
            "BILLING_MAPPING": str(shipped("config/mapping.yaml")),
            "BILLING_BATCHES__LEASE_SECONDS": str(scale.lease),
            "BILLING_BATCHES__MAX_DOCUMENTS": str(scale.batch),
            "BILLING_BATCHES__AT_ONCE_BELOW": str(min(500, scale.batch)),
        }
    )


def _stage(world: World) -> None:
    ours = {name: value for name, value in world.variables.items() if name.startswith("BILLING_")}
    with _ENVIRONMENT:  # this process's own, while another scenario may be played beside this one
        os.environ.update(ours)
        try:
            runtime = Runtime(load_settings())
        finally:
            for name in ours:
                del os.environ[name]
    settings = runtime.settings
    with runtime.state() as state, runtime.of(BillingSystem).connection() as source:
        stage(
            state,
            source,
            runtime.of(BillingSystem).queries,
            settings.of(SourceSettings).name,
            validation(runtime),
            settings.of(StagingSettings),
            "faults",
        )
    runtime.of(BillingSystem).close()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=30)
