"""Runs that are killed at every point, one after the other: no file is taken twice, and none is lost."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets_tests.rooms.metering.blocks import supply
from billing_assets_tests.rooms.metering.inboxes import fill, run, source, tables, there
from billing_assets_tests.rooms.metering.victim import POINTS_IN_ORDER, files
from proving.world.waiting import until

VICTIM = "billing_assets_tests.rooms.metering.victim"
SUPPLIED = [f"400100000{n}" for n in range(3)]


def test_wherever_runs_are_killed_the_tables_are_those_of_a_run_in_peace(
    state: Connection, state_url: str, another_state_url: str, tmp_path: Path
) -> None:
    supply(state, *SUPPLIED)
    inbox = fill(tmp_path / "in", {})
    victims = subprocess.run(
        [sys.executable, "-m", VICTIM, state_url, str(inbox)], capture_output=True, text=True, timeout=300, check=True
    )
    assert json.loads(victims.stdout.splitlines()[-1]) == dict.fromkeys(POINTS_IN_ORDER, signal.SIGKILL), victims.stderr
    until(lambda: run(state_url, source(inbox)) and not there(inbox).get("."), "every file is read and moved")

    everything = {name: held for number in range(len(POINTS_IN_ORDER)) for name, held in files(number).items()}
    moved = there(inbox)
    assert sorted(moved["archive"] | moved["error"]) == sorted(everything), "each is in one place, once"
    rows = state.execute("select name, state, moved_to from billing.raw_files").fetchall()
    assert {row["name"]: (row["state"], row["moved_to"]) for row in rows} == {
        name: ("accepted", f"archive/{name}") if name.startswith("good") else ("refused", f"error/{name}")
        for name in everything
    }
    assert len(rows) == len(everything), "none was taken twice"
    with connect(another_state_url) as other:
        supply(other, *SUPPLIED)
        run(another_state_url, source(fill(tmp_path / "peace", everything)))
        assert tables(state) == tables(other)
        many = "select count(*) as many from billing.raw_messages"
        assert state.execute(many).fetchall() == other.execute(many).fetchall(), "none is in twice, as a duplicate even"
