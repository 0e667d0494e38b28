"""Runs on Celery workers, with the deployment's own files and commands, and one worker's machine dying at work."""

from pathlib import Path

import pytest

from proving.celery import proof
from proving.world import servers


@pytest.mark.campaign
def test_a_month_is_billed_by_celery_workers_although_the_machine_of_one_dies(tmp_path: Path) -> None:
    if servers.redis_program() is None:
        pytest.skip("needs redis-server, which CI installs as Debian's package")
    with proof.system(tmp_path, proof.SHORT, debian=False) as system:
        result = proof.prove(system)
    assert result.documents > 0
    assert result.batches_killed > 0, "nothing was at work on the machine that died"
    assert result.whole, result
    assert result.stood_seconds is not None
    assert result.slots_seconds is not None
    assert result.slots_seconds < 60, "a dead run must not keep its place until its longest runtime is over"
