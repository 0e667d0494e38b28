"""`billing down`: the supervisor ends first, so that nothing is started again, and what still runs is said."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from billing_assets.foundation.commands.machine import SYSTEM_LOCK
from billing_assets.operations.processes import note_of, note_process
from billing_assets.operations.stopping import has_ended, stop_system
from billing_assets_tests.rooms.operations.test_processes import SLEEPER
from proving.world.command import call, complete
from proving.world.waiting import PATIENCE_SECONDS

SUPERVISOR = """
import signal, sys, time
from pathlib import Path
from billing_assets.operations.environment import alone
from billing_assets.operations.processes import keep_running, started
deaf = sys.argv.pop() == "deaf"
signal.signal(signal.SIGTERM, signal.SIG_IGN if deaf else lambda number, frame: sys.exit(128 + number))
home = Path(sys.argv.pop())
sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
with alone(home), started(home, {"dagster daemon": sleeper, "billing files": sleeper}) as processes:
    print("up", flush=True)
    while True:
        for one in processes:
            if keep_running(home, one):
                print("again", flush=True)
        time.sleep(0.05)
"""


@contextmanager
def supervisor(home: Path, *how: str) -> Iterator[subprocess.Popen[str]]:
    """A supervisor as `billing up` is one, without Dagster."""
    command = [sys.executable, "-c", SUPERVISOR, "up", str(home), *(how or ("",))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        try:
            yield process
        finally:
            process.kill()


def noted(home: Path) -> list[psutil.Process]:
    return [psutil.Process(one["pid"]) for one in json.loads((home / "processes.json").read_text(encoding="utf-8"))]


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing_assets.operations.stopping._LOCK_SECONDS", 0.5)


def test_a_live_supervisor_ends_with_everything_it_started_and_nothing_is_started_again(tmp_path: Path) -> None:
    """It said "5 processes stopped", and the supervisor started them again."""
    with supervisor(tmp_path) as process:
        family = noted(tmp_path)
        assert len(family) == 2
        stopped = stop_system(tmp_path)
        assert stopped.left == ()
        assert [name.partition(" (")[0] for name in stopped.ended] == [
            "`billing up`",
            "dagster daemon",
            "billing files",
        ]
        assert process.wait(PATIENCE_SECONDS) == 128 + signal.SIGTERM
        assert process.stdout
        assert process.stdout.read() == "", "nothing was started again"
    assert all(map(has_ended, family))
    assert stop_system(tmp_path) == ((), ()), "again there is nothing to stop"


def test_a_supervisor_that_does_not_listen_is_made_to_end_and_what_it_started_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing_assets.operations.stopping._SUPERVISOR_SECONDS", 0.3)
    with supervisor(tmp_path, "deaf") as process:
        family = noted(tmp_path)
        stopped = stop_system(tmp_path)
        assert (len(stopped.ended), stopped.left) == (3, ())
        assert process.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    assert all(map(has_ended, family))


def test_what_a_killed_supervisor_left_is_stopped(tmp_path: Path) -> None:
    with supervisor(tmp_path) as process:
        family = noted(tmp_path)
        process.kill()
        process.wait()
        assert not any(map(has_ended, family))
        stopped = stop_system(tmp_path)
    assert (len(stopped.ended), stopped.left) == (2, ())
    assert all(map(has_ended, family))


def test_a_process_that_got_the_supervisors_number_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPER) as other:
        note = note_of(other.pid, "billing up") | {"created": 1.0}
        (tmp_path / "supervisor.json").write_text(json.dumps(note), encoding="utf-8")
        assert stop_system(tmp_path) == ((), ())
        assert other.poll() is None
        other.kill()


def test_behind_a_supervisor_that_cannot_be_told_nothing_is_stopped_and_that_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One of an older version notes nothing: what is stopped behind it would be started again."""
    with subprocess.Popen(SLEEPER) as other, FileLock(tmp_path / SYSTEM_LOCK):
        note_process(tmp_path, other.pid, "dagster daemon")
        said = call(capsys, {"BILLING_HOME": str(tmp_path)}, "down")
        complete(said, 1, [f"Still running: dagster daemon (process {other.pid})"])
        assert "stopped" not in said.out
        assert other.poll() is None
        other.kill()
        other.wait()
        complete(call(capsys, {"BILLING_HOME": str(tmp_path)}, "down"), 1, ["Still running: the process that holds"])
    complete(call(capsys, {"BILLING_HOME": str(tmp_path)}, "down"), 0, ["Nothing was running."])


def test_a_system_notes_nobody_once_it_ended_by_itself(tmp_path: Path) -> None:
    with supervisor(tmp_path) as process:
        assert (tmp_path / "supervisor.json").is_file()
        process.terminate()
        process.wait(PATIENCE_SECONDS)
    assert not (tmp_path / "supervisor.json").exists()
