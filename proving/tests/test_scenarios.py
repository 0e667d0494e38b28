"""Every fault scenario in its short form: without Dagster's daemon, with few documents and short causes.

They are played two at a time, as each mostly waits: for a cause to end, a lease, NetSuite's longest request.
The full ones, on the real daemon and with recovery time and throughput, are `make faults`.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from proving.scenarios.causes import SCENARIOS
from proving.scenarios.measure import Result, play
from proving.scenarios.world import SHORT, can_mount

_SIDE_BY_SIDE = 2
_POSSIBLE = [name for name, scenario in SCENARIOS.items() if can_mount() or not scenario.volume_megabytes]


@pytest.fixture(scope="module")
def playing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[Result]]]:
    """Those of the scenarios that were asked for, each in a world of its own."""
    asked = [item.callspec.params["name"] for item in request.session.items if item.path == request.path]  # type: ignore[attr-defined]
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        folders = {name: tmp_path_factory.mktemp(name) / "world" for name in asked if name in _POSSIBLE}
        yield {name: pool.submit(play, name, folder, SHORT, dagster=False) for name, folder in folders.items()}
        pool.shutdown(cancel_futures=True)


@pytest.mark.campaign
@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost_doubled_or_a_cent_off_in(name: str, playing: Mapping[str, Future[Result]]) -> None:
    if name not in playing:
        pytest.skip("needs to mount a small volume, which only root may")
    result = playing[name].result()
    assert result.documents == SHORT.documents
    assert result.recovery_seconds is not None, "it never got well"
    assert result.whole, result
