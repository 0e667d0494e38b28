"""Passes that are killed between pages, between files and at the commit: each record comes in, and once."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.sandbox.kit.process import start
from billing_assets_tests.rooms.metering.extraction.metering_api import API
from billing_assets_tests.rooms.metering.extraction.victim import NEW, POINTS, one_pass
from billing_assets_tests.rooms.metering.inboxes import run
from proving.world.waiting import until

VICTIM = "billing_assets_tests.rooms.metering.extraction.victim"


def master_data(state: Connection) -> list[tuple[Any, ...]]:
    rows = state.execute("select point, serial, register, suffix, replaced_at from billing.registers order by point")
    return [tuple(row.values()) for row in rows]


def test_wherever_passes_are_killed_the_tables_are_those_of_a_pass_in_peace(
    state: Connection, state_url: str, another_state_url: str, tmp_path: Path
) -> None:
    with start(API, tmp_path / "api") as api:
        victims = subprocess.run(
            [sys.executable, "-m", VICTIM, state_url, api.base_url],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
        assert json.loads(victims.stdout.splitlines()[-1]) == dict.fromkeys(POINTS, signal.SIGKILL), victims.stderr
        until(lambda: one_pass(state_url, api.base_url), "the last pass is gone")
        run(state_url)
        assert one_pass(another_state_url, api.base_url)
        run(another_state_url)
    with connect(another_state_url) as other:
        assert master_data(state) == master_data(other)
    assert len(master_data(state)) == NEW * len(POINTS)
    (sums,) = state.execute("select sum(records) as records, sum(held) as held from billing.extract_loads").fetchall()
    assert (sums["records"], sums["held"]) == (NEW * len(POINTS), 0), "each came once"
