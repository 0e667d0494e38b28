"""Every fault scenario in its short form: without Dagster's daemon, with few documents and short causes.

The full ones, on the real daemon and with recovery time and throughput, are `make faults`.
"""

from pathlib import Path

import pytest

from billing_assets_tests.faults.scenarios.causes import SCENARIOS
from billing_assets_tests.faults.scenarios.measure import play
from billing_assets_tests.faults.scenarios.world import SHORT, can_mount


@pytest.mark.campaign
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost_doubled_or_a_cent_off_in(name: str, tmp_path: Path) -> None:
    if SCENARIOS[name].volume_megabytes and not can_mount():
        pytest.skip("needs to mount a small volume, which only root may")
    result = play(name, tmp_path / "world", SHORT, dagster=False)
    assert result.documents == SHORT.documents
    assert result.recovery_seconds is not None, "it never got well"
    assert result.whole, result
