"""`billing down`: ends a running system from outside, its supervisor first, and says what ended and what did not.

The supervisor (`billing up`, `billing run`) starts again what ends: nothing is stopped while it lives. It holds
`<home>/system.lock`, and `<home>/supervisor.json` says which process it is.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from filelock import FileLock, Timeout

from billing_assets.foundation.commands.machine import SYSTEM_LOCK
from billing_assets.foundation.database import embedded
from billing_assets.operations.processes import alive_notes, note_of, stop_noted, written_whole

_SUPERVISOR = "supervisor.json"
_SUPERVISOR_SECONDS = 90.0  # what it started may take eight seconds to end, and the embedded database a minute
_LOCK_SECONDS = 5.0
_LOOK_SECONDS = 0.1
_DATABASE = "PostgreSQL"


class Stopped(NamedTuple):
    """Processes by name: those that ended, and those that still run although they were to end."""

    ended: tuple[str, ...]
    left: tuple[str, ...]


@contextmanager
def supervising(home: Path) -> Iterator[None]:
    """Notes this process as the supervisor of a folder for the block. The caller holds the system's lock."""
    path = home / _SUPERVISOR
    name = " ".join(["billing", *sys.argv[1:2]])
    written_whole(path, json.dumps(note_of(os.getpid(), name)))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def stop_system(home: Path) -> Stopped:
    """Ends the supervisor, whatever is noted and the embedded database, and waits until they are gone.

    Safe to repeat. Nothing is stopped behind a supervisor that does not end: it would start it again.
    """
    running: dict[str, psutil.Process] = {}
    supervisor = _supervisor(home)
    if supervisor is not None:
        running[f"`{supervisor[1]}` (process {supervisor[0].pid})"] = supervisor[0]
    for note in alive_notes(home):
        running[f"{note.get('name') or 'a process'} (process {note['pid']})"] = psutil.Process(note["pid"])
    database = embedded.running(home) is not None
    if supervisor is not None:
        _end(supervisor[0])
    try:
        with FileLock(home / SYSTEM_LOCK, timeout=_LOCK_SECONDS):
            stop_noted(home)
            database = embedded.stop(home) or database
            (home / _SUPERVISOR).unlink(missing_ok=True)
    except Timeout:
        holder = f"the process that holds {home / SYSTEM_LOCK}: a `billing up` or `billing run`; stop it there"
        left = [name for name, one in running.items() if not has_ended(one)]
        return Stopped((*(name for name in running if name not in left),), (*left, *([] if left else [holder])))
    left = [name for name, one in running.items() if not has_ended(one)]
    ended = [name for name in running if name not in left]
    return Stopped((*ended, *([_DATABASE] if database else [])), (*left,))


def has_ended(process: psutil.Process) -> bool:
    """Whether a process is gone, be it that its parent has not taken note of its end yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _supervisor(home: Path) -> tuple[psutil.Process, str] | None:
    """The live supervisor of a folder and its command; another process that got its number since is none."""
    try:
        note: Mapping[str, Any] = json.loads((home / _SUPERVISOR).read_text(encoding="utf-8"))
        process = psutil.Process(note["pid"])
        if process.create_time() != note["created"] or process.pid == os.getpid() or has_ended(process):
            return None
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None
    return process, str(note["name"])


def _end(process: psutil.Process) -> None:
    """Asks a supervisor to end, as `kill` does, and insists when it does not: what it was doing is safe to cut off."""
    for ask, seconds in ((process.terminate, _SUPERVISOR_SECONDS), (process.kill, _LOCK_SECONDS)):
        try:
            ask()
        except psutil.NoSuchProcess:
            return
        except psutil.AccessDenied:  # another user's
            return
        if not _wait([process], seconds):
            return


def _wait(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Waits until processes ended; returns those that did not."""
    deadline = time.monotonic() + seconds
    while (left := [one for one in processes if not has_ended(one)]) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    return left
