"""Operators' mistakes with few documents: each is refused or told, and what a person does about it posts everything.

The first command of each is a process of its own; the others are carried out in this one, as each start of Python with
Dagster takes two seconds. `make faults` types them all.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from billing_assets.erp import bindings
from billing_assets.erp.netsuite import found_transactions, look_up, sink
from billing_assets.erp.staging import months
from billing_assets.sandbox.netsuite.process import RunningSandbox, start_sandbox
from proving.mistakes.play import MISTAKES, SHORT, play
from proving.mistakes.world import Place, World, open_world
from proving.world.account import Account
from proving.world.command import Said, call, typed
from proving.world.world import seeded


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


@pytest.mark.parametrize("name", MISTAKES)
def test_nothing_is_lost_doubled_or_a_cent_off_by(name: str, world: World) -> None:
    result = play(name, world)
    assert result.documents >= SHORT
    assert result.whole, result


# The test of the test: without the guard each goes wrong, and that is noticed


def believes_the_settings(patch: pytest.MonkeyPatch) -> None:
    """A database belongs to whatever is set now."""
    patch.setattr(bindings, "_compare", lambda *_: None)


def asks_for_the_external_id_only(patch: pytest.MonkeyPatch) -> None:
    """What is there under our name counts as posted, whatever it is."""
    patch.setattr(look_up, "_difference", lambda *_: None)


def forgets_what_netsuite_has(patch: pytest.MonkeyPatch) -> None:
    """A database that was put back sends what it does not know."""
    patch.setattr(found_transactions, "look", lambda *_: 0)


def looks_behind_no_watermark(patch: pytest.MonkeyPatch) -> None:
    """Only creation dates tell what is new."""
    patch.setattr(months, "find", lambda *_, **__: months.Comparison(None, None, frozenset(), False, None))


def asks_what_no_id_means(patch: pytest.MonkeyPatch) -> None:
    """Any id will do that NetSuite takes."""
    patch.setattr(sink, "why_nothing_is_sent", lambda *_: None)


@pytest.mark.parametrize(
    ("name", "without", "noticed"),
    [
        ("other_account", believes_the_settings, "stage"),
        ("new_prefix", believes_the_settings, "stage"),
        ("landed_but_different", asks_for_the_external_id_only, "we say {'700001': 'posted'"),
        ("restored_backup", forgets_what_netsuite_has, "something was sent before a person confirmed"),
        ("late_insert", looks_behind_no_watermark, "0 rows of 72000"),
        ("wrong_currency_id", asks_what_no_id_means, "nothing was sent"),
    ],
    ids=[*MISTAKES],
)
def test_without_its_guard_a_mistake_is_noticed(
    name: str,
    without: Callable[[pytest.MonkeyPatch], None],
    noticed: str,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without(monkeypatch)
    with pytest.raises(AssertionError, match=noticed):
        play(name, world)
