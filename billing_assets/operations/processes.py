"""The processes of a running system: Dagster's daemon and web server, started, watched and stopped together."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import requests
import structlog

from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.shipped import shipped

log = structlog.get_logger(__name__)

_GRACE_SECONDS = 8.0
_LOOK_SECONDS = 0.05
_OFTEN = 10
_OFTEN_WITHIN_SECONDS = 600.0
_NOTES = "processes.json"


class ProcessError(BillingError):
    """A process of the system ended unexpectedly. The message ends with its log's last lines."""


@dataclass
class Process:
    """A started process, how to start it again, and its log file."""

    name: str
    command: Sequence[str]
    handle: subprocess.Popen[bytes]
    log: Path
    starts: list[float] = field(default_factory=list)  # time.monotonic

    def check(self) -> None:
        """Raises ProcessError when the process has ended."""
        if self.handle.poll() is not None:
            tail = "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
            raise ProcessError(f"{self.name} ended with code {self.handle.returncode}. Its log, {self.log}:\n{tail}")


def daemon_command() -> list[str]:
    """Dagster's daemon on our code location."""
    return [sys.executable, "-m", "dagster._daemon", "run", "-w", str(shipped("workspace.yaml"))]


def webserver_command(port: int) -> list[str]:
    """Dagster's web server on loopback: it has no login of its own."""
    options = ["-w", str(shipped("workspace.yaml")), "-h", "127.0.0.1", "-p", str(port)]
    return [sys.executable, "-m", "dagster_webserver", *options]


def free_port(preferred: int) -> int:
    """A free port of loopback: the preferred one where it can be had."""
    for port in (preferred, 0):
        with socket.socket() as found:
            try:
                found.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(found.getsockname()[1])
    raise ProcessError("No port of 127.0.0.1 is free.")


@contextmanager
def started(home: Path, commands: Mapping[str, Sequence[str]]) -> Iterator[list[Process]]:
    """Starts the commands, each in a session of its own so that Ctrl-C reaches only us, and stops all at the end."""
    logs = home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    running: list[Process] = []
    try:
        for name, command in commands.items():
            log = logs / f"{name.replace(' ', '_')}.log"
            log.write_bytes(b"")
            running.append(Process(name, command, _start(home, name, command, log), log, [time.monotonic()]))
        yield running
    finally:
        stop_trees([process.handle.pid for process in running])
        for process in running:
            process.handle.wait()


def _start(home: Path, name: str, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        handle = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, cwd=home
        )
    note_process(home, handle.pid, name)
    return handle


def keep_running(home: Path, process: Process) -> bool:
    """Starts a process again that has ended; returns whether it did.

    Raises ProcessError when it has ended too often within ten minutes: then starting it again is no help.
    """
    if process.handle.poll() is None:
        return False
    lately = time.monotonic() - _OFTEN_WITHIN_SECONDS
    process.starts = [start for start in process.starts if start > lately]
    if len(process.starts) >= _OFTEN:
        process.check()
    log.warning("started_again", process=process.name, ended_with=process.handle.returncode, log=str(process.log))
    process.handle = _start(home, process.name, process.command, process.log)
    process.starts.append(time.monotonic())
    return True


def note_process(home: Path, pid: int, name: str) -> None:
    """Keeps a started process and when it began, so that it can be stopped after a crash of its starter."""
    written_whole(home / _NOTES, json.dumps([*_noted(home), note_of(pid, name)]))


def note_of(pid: int, name: str) -> dict[str, Any]:
    """What tells a process from a later one with its number."""
    return {"pid": pid, "created": psutil.Process(pid).create_time(), "name": name}


def written_whole(path: Path, text: str) -> None:
    """Replaces a file: a writer that is killed leaves the old text or the new one."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def alive_notes(home: Path) -> list[dict[str, Any]]:
    """The noted processes that run: `pid`, `created` and, unless an older version noted it, `name`."""
    return [noted for noted in _noted(home) if _is_alive(noted)]


def stop_noted(home: Path) -> int:
    """Stops what an earlier starter left running. Counts what it found; what does not end stays noted."""
    found = alive_notes(home)
    stop_trees([noted["pid"] for noted in found])
    if left := [noted for noted in found if _is_alive(noted)]:
        written_whole(home / _NOTES, json.dumps(left))
    else:
        (home / _NOTES).unlink(missing_ok=True)
    return len(found)


def _is_alive(noted: Mapping[str, Any]) -> bool:
    """Whether the process runs, and is not another one that got its number since."""
    try:
        process = psutil.Process(noted["pid"])
        return process.create_time() == noted["created"] and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _noted(home: Path) -> list[dict[str, Any]]:
    path = home / _NOTES
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else []


def stop_trees(pids: Sequence[int]) -> None:
    """Ends processes and all their descendants, at once: asks first, insists after a grace period."""
    roots: list[psutil.Process] = []
    for pid in pids:
        try:
            roots.append(psutil.Process(pid))
        except psutil.NoSuchProcess:
            continue
    family = {*roots, *_descendants(roots)}
    _signal(roots, signal.SIGTERM if os.name == "nt" else signal.SIGINT)
    _signal(_left_of(family, _GRACE_SECONDS / 2), signal.SIGTERM)
    for process in _left_of(family, _GRACE_SECONDS / 2):
        _kill(process)
    _left_of(family, _GRACE_SECONDS)


def _left_of(family: set[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those of a family that still live after so long. What they start meanwhile, as Dagster's daemon does while it is
    busy, belongs to it."""
    deadline = time.monotonic() + seconds
    while alive := [one for one in family if _lives(one)]:
        family |= _descendants(alive)
        if time.monotonic() >= deadline:
            break
        time.sleep(_LOOK_SECONDS)
    return alive


def _descendants(processes: Sequence[psutil.Process]) -> set[psutil.Process]:
    found: set[psutil.Process] = set()
    for process in processes:
        try:
            found |= {*process.children(recursive=True)}
        except psutil.NoSuchProcess:
            continue
    return found


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return


def wait_until_answers(url: str, process: Process, seconds: float = 60.0) -> None:
    """Waits until a server answers HTTP. Raises ProcessError when it ends or stays silent."""

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        process.check()
        try:
            requests.get(url, timeout=2)
        except requests.RequestException:
            time.sleep(0.2)
        else:
            return
    raise ProcessError(f"{process.name} did not answer at {url} in {seconds:.0f} s. Its log: {process.log}")
