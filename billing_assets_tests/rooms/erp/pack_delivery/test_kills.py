"""Deliveries that are killed at every point, all at once, on a real OpenSSH server: each file is there once, whole."""

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from billing_assets.foundation.database.connection import connect
from billing_assets_tests.rooms.erp.pack_delivery.packs import close, inbox, pack, run, section
from billing_assets_tests.rooms.erp.pack_delivery.victim import POINTS
from proving.world.sshd import Sshd
from proving.world.sshd_fixtures import needs_sshd
from proving.world.waiting import PATIENCE_SECONDS

KILLED_AT = {f"{2010 + n // 12}-{n % 12 + 1:02}": point for n, point in enumerate(POINTS)}
"""A month for each point."""
VICTIM = "billing_assets_tests.rooms.erp.pack_delivery.victim"


@needs_sshd
def test_wherever_a_delivery_is_killed_each_file_is_there_once_and_whole(state_url: str, sshd: Sshd) -> None:
    to = section(sshd)
    with connect(state_url) as state:
        for month in KILLED_AT:
            close(state, month)
    points = [f"{month}={point}" for month, point in KILLED_AT.items()]
    command = [sys.executable, "-m", VICTIM, state_url, to.model_dump_json(), *points]
    victims = subprocess.run(command, capture_output=True, text=True, timeout=2 * PATIENCE_SECONDS, check=True)
    assert json.loads(victims.stdout.splitlines()[-1]) == dict.fromkeys(KILLED_AT, signal.SIGKILL), victims.stderr
    whole = {name: content for month in KILLED_AT for name, content in pack(month).items()}
    so_far = {name: content for name, content in inbox(sshd).items() if not name.startswith(".")}
    assert so_far == {name: whole[name] for name in so_far}, "what has its name is whole"

    deadline, left = time.monotonic() + PATIENCE_SECONDS, set(KILLED_AT)
    with ThreadPoolExecutor(4) as pool:
        while left:
            assert time.monotonic() < deadline, {month: KILLED_AT[month] for month in left}
            left -= {one.batch for one in pool.map(lambda month: run(state_url, to, month), left) if one.is_done}
        assert inbox(sshd) == whole
        assert {one.sent for one in pool.map(lambda month: run(state_url, to, month), KILLED_AT)} == {0}
