"""`billing up` with everything of the sample: the web UI answers, and whatever ends it, nothing is left running."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import requests

from proving.world.command import PROGRAM, environment, running


def free_port() -> int:
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
    return found


def wait_for_ui(log: Path, port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 150
    while "The web UI is at" not in (said := log.read_text(encoding="utf-8")):
        assert process.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.1)
    assert f"http://127.0.0.1:{port}/asset-groups" in said
    assert "Dagster" in requests.get(f"http://127.0.0.1:{port}/asset-groups", timeout=30).text


@pytest.mark.timeout(600)  # half a minute on two idle cores
def test_up_serves_the_web_ui_and_leaves_nothing_running_however_it_ends(tmp_path: Path) -> None:
    home, log, port = tmp_path / "a home", tmp_path / "up.log", free_port()
    variables = {"BILLING_HOME": str(home)}
    arguments = ["up", "--sample", "--period", "2011-12", "--port", str(port)]
    me = psutil.Process()

    with running(log, variables, *arguments) as process:
        wait_for_ui(log, port, process)
        family = of_home(home) - {me}
        assert len(family) > 4, "daemon, web server, sandbox, database"
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 0, log.read_text(encoding="utf-8")
    said = log.read_text(encoding="utf-8")
    assert "Stopping" in said
    assert "Traceback" not in said
    _, alive = psutil.wait_procs(family | of_home(home), timeout=30)
    assert alive == []

    with running(log, variables, *arguments) as process:
        wait_for_ui(log, port, process)
        family = of_home(home) - {me}
        second = subprocess.run(
            [PROGRAM, *arguments], env=environment(variables), capture_output=True, text=True, check=False, timeout=90
        )
        assert second.returncode == 2
        assert "Another `billing run` or `billing up` works in" in second.stderr
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        down = subprocess.run(
            [PROGRAM, "down"], env=environment(variables), capture_output=True, text=True, check=False, timeout=120
        )
        assert down.returncode == 0, down.stderr
        assert "5 processes stopped: " in down.stdout
        _, alive = psutil.wait_procs(family | of_home(home), timeout=60)
        assert alive == []

    with running(log, variables, *arguments) as process:
        wait_for_ui(log, port, process)
        family = of_home(home) - {me}
        down = subprocess.run(
            [PROGRAM, "down"], env=environment(variables), capture_output=True, text=True, check=False, timeout=180
        )
        assert down.returncode == 0, down.stdout + down.stderr
        assert "6 processes stopped: `billing up`" in down.stdout
        assert process.wait(30) == 128 + signal.SIGTERM
        _, alive = psutil.wait_procs(family | of_home(home), timeout=60)
        assert alive == [], "nothing was started again"
