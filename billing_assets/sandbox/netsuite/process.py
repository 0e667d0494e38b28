"""Start the sandbox as a process of its own, for other code and tests."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from billing_assets.sandbox.netsuite.credentials import Credentials, make_credentials

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_TAIL_BYTES = 4000


class SandboxError(Exception):
    """The sandbox did not start. The message ends with its log's last lines."""


@dataclass
class RunningSandbox:
    """A sandbox that answers. As a context manager it stops at the end."""

    base_url: str
    credentials: Credentials
    pid: int
    _process: subprocess.Popen[bytes] = field(repr=False)

    def stop(self) -> None:
        """Ask it to end, and wait; what does not end in 10 s is killed. Harmless when it has ended."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: what an outage would do."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()


def start_sandbox(folder: Path, *, port: int = 0, switches: Mapping[str, object] | None = None) -> RunningSandbox:
    """Start a sandbox on loopback with its state and its log (sandbox.log) in `folder`, and wait until it answers.

    Port 0 takes a free one. Raises SandboxError with the log's tail if it ends or does not answer in 30 s.
    """
    folder.mkdir(parents=True, exist_ok=True)
    credentials = make_credentials(folder)
    (folder / "server.json").unlink(missing_ok=True)
    command = [sys.executable, "-m", "billing_assets.sandbox.netsuite", "--folder", str(folder), "--port", str(port)]
    for name, value in (switches or {}).items():
        command += ["--switch", f"{name}={json.dumps(value)}"]
    with (folder / "sandbox.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=dict(os.environ)
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SandboxError(f"the NetSuite sandbox ended with code {process.returncode}:\n{_tail(folder)}")
        base_url = _address(folder, process.pid)
        if base_url is not None and _answers(base_url):
            return RunningSandbox(base_url, credentials, process.pid, process)
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise SandboxError(f"the NetSuite sandbox did not answer in {_START_SECONDS:.0f} s:\n{_tail(folder)}")


def running_address(folder: Path) -> str | None:
    """Address of the sandbox that serves this folder now; None where none answers."""
    with contextlib.suppress(FileNotFoundError):
        base_url = str(json.loads((folder / "server.json").read_bytes())["base_url"])
        return base_url if _answers(base_url) else None
    return None


def _address(folder: Path, pid: int) -> str | None:
    with contextlib.suppress(FileNotFoundError):
        server = json.loads((folder / "server.json").read_bytes())
        if server["pid"] == pid:
            return str(server["base_url"])
    return None


def _answers(base_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base_url}/sandbox/switches", timeout=5) as answer:  # noqa: S310  our own address on loopback
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _tail(folder: Path) -> str:
    return (folder / "sandbox.log").read_bytes()[-_TAIL_BYTES:].decode(errors="replace")
