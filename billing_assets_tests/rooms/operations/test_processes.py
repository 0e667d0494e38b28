"""Processes of a running system: watched, stopped together, found again after their starter was killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from billing_assets.operations.processes import (
    ProcessError,
    keep_running,
    note_process,
    started,
    stop_noted,
    stop_trees,
    wait_until_answers,
)
from proving.world.waiting import PATIENCE_SECONDS, until

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
PARENT = [
    sys.executable,
    "-c",
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "print('started', flush=True); time.sleep(60)",
]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (signal.SIGINT, signal.SIGTERM)];"
    "print('ready', flush=True); time.sleep(60)",
]


@pytest.fixture(autouse=True)
def little_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not end when asked is made to soon."""
    monkeypatch.setattr("billing_assets.operations.processes._GRACE_SECONDS", 0.4)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEPER, start_new_session=True) as process:
        yield process
        process.kill()


def wait_for(log: Path, text: str) -> None:
    until(lambda: log.is_file() and text in log.read_text())


def ended(process: psutil.Process) -> bool:
    """Whether it ended, be it that the machine's first process has not yet taken note of its orphan's end."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_everything_that_was_started_ends_with_the_block_children_included(tmp_path: Path) -> None:
    with started(tmp_path, {"some parent": PARENT}) as (process,):
        wait_for(process.log, "started")
        (child,) = psutil.Process(process.handle.pid).children()
    assert not psutil.pid_exists(process.handle.pid)
    assert ended(child)


def test_it_also_ends_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), started(tmp_path, {"sleeper": SLEEPER}) as (process,):
        raise KeyboardInterrupt
    assert not psutil.pid_exists(process.handle.pid)


def test_a_process_that_will_not_end_is_killed(tmp_path: Path) -> None:
    with started(tmp_path, {"stubborn": STUBBORN}) as (process,):
        wait_for(process.log, "ready")
    assert not psutil.pid_exists(process.handle.pid)


def test_ctrl_c_in_the_terminal_reaches_only_the_starter(tmp_path: Path) -> None:
    with started(tmp_path, {"sleeper": SLEEPER}) as (process,):
        assert os.getpgid(process.handle.pid) != os.getpgid(0)


def test_a_process_that_ended_by_itself_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"]
    with started(tmp_path, {"dagster daemon": command}) as (process,):
        process.handle.wait()
        with pytest.raises(ProcessError, match=r"(?s)dagster daemon ended with code 3.*the reason"):
            process.check()
        with pytest.raises(ProcessError, match="ended with code 3"):
            wait_until_answers("http://127.0.0.1:9", process)


def test_a_process_that_ended_is_started_again_but_not_for_ever(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"]
    with started(tmp_path, {"dagster daemon": command, "sleeper": SLEEPER}) as (failing, sleeper):
        assert not keep_running(tmp_path, sleeper)
        os.kill(sleeper.handle.pid, signal.SIGKILL)
        sleeper.handle.wait()
        assert keep_running(tmp_path, sleeper)
        assert sleeper.handle.poll() is None
        for _ in range(9):
            failing.handle.wait()
            assert keep_running(tmp_path, failing)
        failing.handle.wait()
        with pytest.raises(ProcessError, match=r"(?s)dagster daemon ended with code 3.*the reason"):
            keep_running(tmp_path, failing)
        assert failing.log.read_text().count("the reason") == 10
    assert not psutil.pid_exists(sleeper.handle.pid)


def test_a_server_that_stays_silent_is_named_with_its_log(tmp_path: Path) -> None:
    with (
        started(tmp_path, {"dagster webserver": SLEEPER}) as (process,),
        pytest.raises(ProcessError, match=r"did not answer .* in 0 s"),
    ):
        wait_until_answers("http://127.0.0.1:9", process, seconds=0.3)


def test_what_a_killed_starter_left_is_found_and_stopped(tmp_path: Path) -> None:
    """As after a kill -9 of `billing up`: nobody is left who knows the processes, only the notes."""
    code = (
        "import os, signal, sys; from pathlib import Path;"
        "from billing_assets.operations.processes import started\n"
        f"with started(Path({str(tmp_path)!r}), {{'a': {SLEEPER!r}, 'b': {SLEEPER!r}}}) as found:\n"
        "    print(*(one.handle.pid for one in found), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    starter = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=PATIENCE_SECONDS)
    assert starter.returncode == -signal.SIGKILL
    left = [psutil.Process(int(pid)) for pid in starter.stdout.split()]
    assert len(left) == 2
    assert all(one.is_running() for one in left)
    assert stop_noted(tmp_path) == 2
    gone, alive = psutil.wait_procs(left, timeout=PATIENCE_SECONDS)
    assert (len(gone), alive) == (2, [])
    assert stop_noted(tmp_path) == 0


def test_a_pid_that_meanwhile_belongs_to_somebody_else_is_left_alone(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    note_process(tmp_path, sleeper.pid, "sleeper")
    notes = tmp_path / "processes.json"
    created = str(psutil.Process(sleeper.pid).create_time())
    notes.write_text(notes.read_text().replace(created, "1.0"))
    assert stop_noted(tmp_path) == 0
    assert sleeper.poll() is None


def test_notes_of_several_starters_of_processes_are_kept_side_by_side(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    """The sandbox is noted before the daemon starts; neither note may replace the other."""
    note_process(tmp_path, sleeper.pid, "sleeper")
    with started(tmp_path, {"sleeper": SLEEPER}):
        assert stop_noted(tmp_path) == 2
    assert sleeper.wait(PATIENCE_SECONDS) is not None


def test_stopping_what_is_gone_is_harmless(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    sleeper.wait()
    stop_trees([sleeper.pid])
    assert stop_noted(tmp_path) == 0


def test_what_is_started_while_its_parent_is_asked_to_end_is_stopped_too(tmp_path: Path) -> None:
    """A daemon goes on launching runs until it comes to its end."""
    busy = (
        "import signal, subprocess, sys, time; from pathlib import Path\n"
        "def late(*_): Path('late').write_text(str(subprocess.Popen([sys.executable, '-c', 'import time; "
        "time.sleep(60)']).pid))\n"
        "signal.signal(signal.SIGINT, late); print('ready', flush=True)\n"
        "while True: time.sleep(60)"
    )
    noted = tmp_path / "late"
    while not (noted.is_file() and noted.read_text()):  # on a busy machine it may be ended before it starts another
        parent = subprocess.Popen([sys.executable, "-c", busy], cwd=tmp_path, stdout=subprocess.PIPE)
        assert parent.stdout is not None
        assert parent.stdout.readline()
        stop_trees([parent.pid])
        parent.wait()
    late = int(noted.read_text())
    assert not psutil.pid_exists(late) or psutil.Process(late).status() == psutil.STATUS_ZOMBIE
