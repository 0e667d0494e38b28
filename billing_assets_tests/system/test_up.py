"""`billing up`: the web UI answers, and whatever ends it, nothing is left running.

That `billing down` ends a live one is seen at the end of the session's running system.
"""

import signal
from pathlib import Path

import requests

from proving.world.command import typed
from proving.world.running import Live, up


def test_the_web_ui_is_where_it_says_and_a_second_system_is_refused(live: Live) -> None:
    assert f"{live.up.address}/asset-groups" in live.up.said()
    assert "Dagster" in requests.get(f"{live.up.address}/asset-groups", timeout=60).text
    second = live.up.billing("up")
    assert second.code == 2
    assert "Another `billing run` or `billing up` works in" in second.words


def test_up_with_everything_of_the_sample_leaves_nothing_running_however_it_ends(tmp_path: Path) -> None:
    variables = {"BILLING_HOME": str(tmp_path / "a home")}
    arguments = ["--sample", "--period", "2011-12"]

    with up(tmp_path / "killed.log", variables, *arguments) as killed:
        family = killed.processes()
        assert len(family) > 4, "daemon, web server, sandbox, database"
        killed.kill()
        down = typed(variables, "down")
        assert down.code == 0, down.words
        assert "5 processes stopped: " in down.words
        assert killed.gone(family) == []

    with up(tmp_path / "stopped.log", variables, *arguments) as stopped:
        family = stopped.processes()
        stopped.process.send_signal(signal.SIGINT)
        assert stopped.ends() == 0, stopped.said()
        assert "Stopping" in stopped.said()
        assert "Traceback" not in stopped.said()
        assert stopped.gone(family) == []
