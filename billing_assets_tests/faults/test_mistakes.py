"""Operators' mistakes with few documents: each is refused or told, and what a person does about it posts everything.

The first command of each is a process of its own; the others are carried out in this one, as each start of Python with
Dagster takes two seconds. `make faults` types them all.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from billing_assets.sandbox.netsuite.process import RunningSandbox, start_sandbox
from billing_assets_tests.command import Said, call, typed
from billing_assets_tests.faults.mistakes.play import MISTAKES, SHORT, play
from billing_assets_tests.faults.mistakes.world import Place, World, open_world
from billing_assets_tests.netsuite.rig import seeded
from billing_assets_tests.sandbox.netsuite.account import Account


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Another company's NetSuite."""
    with start_sandbox(tmp_path_factory.mktemp("another netsuite")) as running:
        yield Place(running, seeded(running))


@pytest.fixture
def world(
    server_url: str,
    state_url: str,
    database: str,
    sandbox: RunningSandbox,
    sandbox_account: Account,
    other: Place,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[World]:
    """An empty billing system, an empty database of ours, two NetSuites."""
    here = Place(sandbox, sandbox_account)
    first = [typed]

    def person(variables: Mapping[str, str], *arguments: str) -> Said:
        return first.pop()(variables, *arguments) if first else call(capsys, variables, *arguments)

    with open_world(server_url, state_url, database, here, other, tmp_path / "world", SHORT) as opened:
        opened.person = person
        yield opened


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", MISTAKES)
def test_nothing_is_lost_doubled_or_a_cent_off_by(name: str, world: World) -> None:
    result = play(name, world)
    assert result.documents >= SHORT
    assert result.whole, result
