"""Batches billed while processes and a machine die, in short."""

from pathlib import Path

import pytest

from proving.invoicing import killing, on_celery
from proving.world import servers


@pytest.mark.campaign
def test_batches_billed_side_by_side_by_processes_that_are_killed_are_as_billed_in_peace(tmp_path: Path) -> None:
    found = killing.play(tmp_path, customers=40, kills=3, workers=2, max_batch=10, seed=2)
    assert found.kills > 0, "nothing was killed"
    assert found.whole, found


@pytest.mark.campaign
def test_batches_billed_by_celery_workers_of_which_one_dies_are_as_by_one_process(tmp_path: Path) -> None:
    if servers.redis_program() is None:
        pytest.skip("needs redis-server, which CI installs as Debian's package")
    found = on_celery.play(tmp_path, customers=120)
    assert found.died_with > 0, "nothing was at work on the machine that died"
    assert found.runs > 1
    assert found.whole, found
