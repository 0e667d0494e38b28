"""Market files taken in while processes and a machine die, in short."""

from pathlib import Path

import pytest

from proving.market import kills, workers
from proving.world import servers

_POINTS = 200


@pytest.mark.campaign
def test_a_world_taken_in_by_processes_that_are_killed_is_as_one_taken_in_in_peace(tmp_path: Path) -> None:
    found = kills.play(tmp_path, _POINTS, kills=3, days_at_once=7, seed=2)
    assert found.kills > 0, "nothing was killed"
    assert found.rows > 0
    assert found.whole, found


@pytest.mark.campaign
def test_files_read_and_validated_by_celery_workers_of_which_one_dies_are_as_by_one_process(tmp_path: Path) -> None:
    if servers.redis_program() is None:
        pytest.skip("needs redis-server, which CI installs as Debian's package")
    found = workers.play(tmp_path, _POINTS)
    assert found.died_with > 0, "nothing was at work on the machine that died"
    assert found.readers > 1
    assert found.rows > 0
    assert not found.differing, found
