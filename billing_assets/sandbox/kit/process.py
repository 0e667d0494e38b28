"""A sandbox as a process of its own: start it, attach to one that runs, end it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from urllib.parse import urlsplit

import psutil

from billing_assets.sandbox.kit.client import Control
from billing_assets.sandbox.kit.errors import SandboxError
from billing_assets.sandbox.kit.home import ADDRESS_FILE, LOG_FILE

_START_SECONDS = 120.0
_STOP_SECONDS = 10.0
_TAIL_BYTES = 4000

Credentials = TypeVar("Credentials")


@dataclass(frozen=True)
class Kind(Generic[Credentials]):
    """Which sandbox: its name for messages, the module that `python -m` runs, and who may call it."""

    name: str
    module: str
    credentials: Callable[[Path], Credentials]
    """Makes the credentials of a folder, or reads them."""


@dataclass
class Running(Generic[Credentials]):
    """A sandbox that answers. As a context manager it stops at the end."""

    base_url: str
    credentials: Credentials
    pid: int
    _process: "subprocess.Popen[bytes] | psutil.Process" = field(repr=False)

    @property
    def port(self) -> int:
        """Its port on loopback: start it there again after a kill."""
        port = urlsplit(self.base_url).port
        assert port is not None  # noqa: S101  its address always names one
        return port

    @property
    def control(self) -> Control:
        """Its control API."""
        return Control(self.base_url)

    def stop(self) -> None:
        """Ask it to end, and wait; what does not end in 10 s is killed. Harmless when it has ended."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: what an outage would do."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self._process.send_signal(number)
            try:
                self._process.wait(_STOP_SECONDS)
            except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()


def start(
    kind: Kind[Credentials],
    folder: Path,
    *,
    port: int = 0,
    switches: Mapping[str, object] | None = None,
    references: object = None,
) -> Running[Credentials]:
    """Start a sandbox on loopback with its state and its log (sandbox.log) in `folder`, and wait until it answers.

    Port 0 takes a free one. `references` go to its control API before anything else: what the outside system knows.
    Raises SandboxError with the log's tail if it ends or does not answer in 30 s, and when it refuses the references.
    """
    folder.mkdir(parents=True, exist_ok=True)
    credentials = kind.credentials(folder)
    (folder / ADDRESS_FILE).unlink(missing_ok=True)
    command = [sys.executable, "-m", kind.module, "--folder", str(folder), "--port", str(port)]
    for name, value in (switches or {}).items():
        command += ["--switch", f"{name}={json.dumps(value)}"]
    with (folder / LOG_FILE).open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=dict(os.environ)
        )
    running = Running(_wait(kind.name, folder, process), credentials, process.pid, process)
    if references is not None:
        try:
            running.control.post("references", references)
        except BaseException:
            running.stop()
            raise
    return running


def attach(kind: Kind[Credentials], folder: Path) -> Running[Credentials] | None:
    """The sandbox that serves this folder now, also one that another process started; None where none answers."""
    with contextlib.suppress(FileNotFoundError, psutil.NoSuchProcess):
        server = _address(folder)
        process = psutil.Process(server["pid"])
        if _answers(server["base_url"]):
            return Running(server["base_url"], kind.credentials(folder), process.pid, process)
    return None


def _wait(name: str, folder: Path, process: subprocess.Popen[bytes]) -> str:
    """Its address, once it answers."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SandboxError(f"the {name} sandbox ended with code {process.returncode}:\n{_tail(folder)}")
        with contextlib.suppress(FileNotFoundError):
            server = _address(folder)
            if server["pid"] == process.pid and _answers(server["base_url"]):
                return str(server["base_url"])
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise SandboxError(f"the {name} sandbox did not answer in {_START_SECONDS:.0f} s:\n{_tail(folder)}")


def _address(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / ADDRESS_FILE).read_bytes())
    return found


def _answers(base_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base_url}/sandbox/switches", timeout=5) as answer:  # noqa: S310  our own address on loopback
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _tail(folder: Path) -> str:
    return (folder / LOG_FILE).read_bytes()[-_TAIL_BYTES:].decode(errors="replace")
