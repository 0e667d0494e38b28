"""The `billing` command for tests: as a call in this process, and as a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from billing_assets.foundation.commands.console import console
from billing_assets.operations import cli
from billing_assets.sandbox.netsuite.process import RunningSandbox
from proving.world.waiting import PATIENCE_SECONDS

PROGRAM = str(Path(sys.executable).with_name("billing"))
_OURS = ("BILLING_", "DAGSTER_", "COLUMNS", "PYTEST_")


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    error: str

    @property
    def words(self) -> str:
        """Everything it printed, its line breaks as blanks."""
        return " ".join((self.out + self.error).split())


def call(capsys: pytest.CaptureFixture[str], variables: Mapping[str, str], *arguments: str) -> Said:
    """Runs the command in this process with these variables; the environment and signal handlers stay as they were."""
    before, handlers = dict(os.environ), {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP)}
    capsys.readouterr()
    argv = sys.argv
    try:
        os.environ.clear()
        os.environ.update(environment(variables))
        sys.argv = ["billing", *arguments]
        console.width = int(os.environ.get("COLUMNS", "80"))  # rich looks once, when it is imported
        with pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        sys.argv = argv
        os.environ.clear()
        os.environ.update(before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    captured = capsys.readouterr()
    code = ended.value.code
    assert isinstance(code, int | None)
    return Said(code or 0, captured.out, captured.err)


def typed(variables: Mapping[str, str], *arguments: str, seconds: float = PATIENCE_SECONDS) -> Said:
    """Runs the command as a person types it: a process of its own, to its end."""
    done = subprocess.run(
        [PROGRAM, *arguments],
        env=environment(variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without anything that concerns the product, and with these variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return kept | {"COLUMNS": "120"} | dict(variables)


@contextmanager
def running(log: Path, variables: Mapping[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command as a process of its own with its output in `log`; whatever is left of it at the end is killed."""
    family: set[psutil.Process] = set()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [PROGRAM, *arguments], stdout=output, stderr=subprocess.STDOUT, env=environment(variables)
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            family |= set(psutil.Process(process.pid).children(recursive=True))
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for one in family:
            if one.is_running():
                one.kill()


def netsuite_variables(sandbox: RunningSandbox, **changes: Any) -> dict[str, str]:
    """The variables that point at a sandbox, its waiting times scaled down; `changes` are settings of the section."""
    found = sandbox.credentials
    values: dict[str, Any] = {
        "base_url": sandbox.base_url,
        "account": found.account,
        "client_id": found.client_id,
        "certificate_id": found.certificate_id,
        "private_key_file": found.private_key_file,
        "consumer_key": found.consumer_key,
        "consumer_secret": found.consumer_secret,
        "token_id": found.token_id,
        "token_secret": found.token_secret,
        "timeout_seconds": 5,
        "max_request_seconds": 1,
        "read_back_seconds": 1,
        "outage_seconds": 1,
    } | changes
    return {f"BILLING_NETSUITE__{name.upper()}": str(value) for name, value in values.items()}


def complete(said: Said, code: int, parts: Sequence[str]) -> None:
    """The exit code, these words, and never a traceback."""
    assert said.code == code, said.words
    assert "Traceback" not in said.words
    for part in parts:
        assert part in said.words, said.words
