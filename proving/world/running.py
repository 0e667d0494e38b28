"""`billing up` at work, as a process of its own: what tests observe from outside."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import psycopg

from billing_assets.foundation.database.connection import libpq_url
from billing_assets.sandbox.netsuite.process import RunningSandbox
from proving.world.account import Account
from proving.world.builders import BillingSystem, create_billing_system, open_for_writing
from proving.world.command import Said, netsuite_variables, running, typed
from proving.world.waiting import PATIENCE_SECONDS, until

_READY = "The web UI is at"


def free_port() -> int:
    """A port of this machine that nothing serves."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def of_home(home: Path) -> set[psutil.Process]:
    """Every process that works in a folder or names it: the embedded server and the sandbox have no parent of ours."""
    found = set()
    for process in psutil.process_iter(["cmdline", "environ"]):
        names = process.info["cmdline"] or []
        if any(str(home) in part for part in names) or (process.info["environ"] or {}).get("BILLING_HOME") == str(home):
            found.add(process)
    return found - {psutil.Process()}


@dataclass
class Up:
    """A running system: its process, the address of its web UI, and what it says. `variables` are its settings."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path
    variables: Mapping[str, str]

    @property
    def home(self) -> Path:
        """Its folder."""
        return Path(self.variables["BILLING_HOME"])

    def said(self) -> str:
        """Everything that it has said."""
        return self.log.read_text(encoding="utf-8")

    def billing(self, *arguments: str) -> Said:
        """A command of a person beside it."""
        return typed(self.variables, *arguments)

    def processes(self) -> set[psutil.Process]:
        """Everything that works for it."""
        return of_home(self.home)

    def ends(self) -> int:
        """Waits for its end, and for that of everything that worked for it; its exit code."""
        family = self.processes()
        code = self.process.wait(PATIENCE_SECONDS)
        assert self.gone(family) == []
        return code

    def kill(self) -> None:
        """SIGKILL: nothing that it started hears of it."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def gone(self, family: set[psutil.Process]) -> list[psutil.Process]:
        """Waits until these processes and all of its home have ended; those that have not."""
        _, alive = psutil.wait_procs(family | of_home(self.home), timeout=PATIENCE_SECONDS)
        return list(alive)


@contextmanager
def up(log: Path, variables: Mapping[str, str], *arguments: str) -> Iterator[Up]:
    """`billing up` with these settings and arguments, from when its web UI answers."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    named = dict(variables) | {"BILLING_ALERTS__UI_URL": address}
    with running(log, named, "up", "--port", str(port), *arguments) as process:
        opened = Up(process, address, log, named)
        until(lambda: _READY in opened.said() or process.poll() is not None)
        assert process.poll() is None, opened.said()
        yield opened


@dataclass
class Live:
    """A system that runs for all observations of a session: each has documents and months of its own.

    `source` is the billing system's URL, `state` our database's.
    """

    up: Up
    state_url: str
    source_url: str
    sandbox: RunningSandbox
    account: Account

    @contextmanager
    def billing_system(self) -> Iterator[BillingSystem]:
        """The billing system, to write to."""
        with open_for_writing(self.source_url) as source:
            yield source

    def rows(self, query: str, *values: Any) -> list[Any]:
        """What our database says; nothing while it has no tables yet."""
        with closing(psycopg.connect(libpq_url(self.state_url), autocommit=True)) as connection:
            try:
                return connection.execute(query.encode(), values).fetchall()
            except psycopg.errors.UndefinedTable:
                return []

    @contextmanager
    def dagster(self) -> Iterator[dg.DagsterInstance]:
        """Its Dagster instance."""
        os.environ["DAGSTER_POSTGRES_URL"] = libpq_url(self.state_url, driver="postgresql+psycopg2")
        try:
            with dg.DagsterInstance.from_config(str(self.up.home / "dagster")) as instance:
                yield instance
        finally:
            del os.environ["DAGSTER_POSTGRES_URL"]

    def documents(self, period: str) -> dict[str, int]:
        """Documents of a month by state."""
        found = self.rows(
            "select state, count(*) from billing.staged_invoices where period = %s group by state", period
        )
        return dict(found)

    def refuse(self, *external_ids: str, **rule: str) -> None:
        """NetSuite refuses these documents from now on; without any, none."""
        faults = [{"fault": "refuse", "external_ids": list(external_ids), **rule}] if external_ids else []
        self.account.switch(faults=faults)

    def status(self) -> dict[str, Any]:
        """What `billing status --json` says."""
        found: dict[str, Any] = json.loads(self.up.billing("status", "--json").out)
        return found


@contextmanager
def live(state_url: str, source_url: str, sandbox: RunningSandbox, account: Account, folder: Path) -> Iterator[Live]:
    """A running system over an empty billing system, whose sensors look every second and whose locks end soon.

    It is ended as an operator does it, by `billing down`, and must leave nothing running.
    """
    create_billing_system(source_url)
    variables = netsuite_variables(sandbox, lanes=2) | {
        "BILLING_HOME": str(folder / "a home"),
        "BILLING_DATABASE_URL": state_url,
        "BILLING_SOURCE__URL": source_url,
        "BILLING_STAGING__DETECT_SECONDS": "1",
        "BILLING_BATCHES__SENSOR_SECONDS": "1",
        "BILLING_BATCHES__LEASE_SECONDS": "3",
    }
    with up(folder / "up.log", variables) as opened:
        yield Live(opened, state_url, source_url, sandbox, account)
        family = opened.processes()
        down = opened.billing("down")
        assert down.code == 0, down.words
        assert "processes stopped: `billing up`" in down.words
        assert opened.ends() == 128 + signal.SIGTERM, opened.said()
        assert opened.gone(family) == [], "nothing was started again"
