"""What every sink must hold, whatever its system: each item is there once, and no unknown is taken for a no."""

import time

import pytest

from billing_assets.posting import run
from billing_assets_tests.rooms.posting.systems import System, until_done

JUDGES = pytest.mark.parametrize("system", ["fake", "netsuite"], indirect=True)
"""For systems that refuse an item for what it is, or say that they are too busy; a folder does neither."""


def assert_each_once(system: System, items: int) -> None:
    """Nothing lost, nothing doubled."""
    assert system.states() == {"posted": items}
    assert [*system.copies().values()] == [1] * items


def test_a_batch_lands_and_a_second_run_sends_nothing(system: System) -> None:
    key = system.planned(20)
    assert system.post(key).sent == 20
    assert_each_once(system, 20)
    assert system.post(key, "run-2").sent == 0
    assert_each_once(system, 20)


def test_a_lost_answer_is_looked_up_and_not_sent_again(system: System) -> None:
    key = system.planned(10)
    system.fault("lost", 5)
    assert system.post(key).sent == 10
    assert_each_once(system, 10)
    assert system.outcomes()["found"] == 5


def test_what_was_lost_before_it_landed_is_sent_again_once_its_absence_is_proven(system: System) -> None:
    key = system.planned(6)
    system.fault("nothing done", 3)
    system.post(key)
    assert system.states() == {"posted": 3, "posting": 3}, "it may still be on its way"
    until_done(system, key)
    assert_each_once(system, 6)
    assert system.outcomes()["absent"] == 3


@JUDGES
def test_what_the_system_refuses_is_rejected_and_the_others_go(system: System) -> None:
    key = system.planned(6)
    system.fault("refused", 2)
    result = system.post(key)
    assert result.stopped is None
    assert system.states() == {"posted": 4, "rejected": 2}
    assert len(system.copies()) == 4


@JUDGES
def test_a_refusal_in_words_that_are_not_known_is_looked_up_before_it_counts(system: System) -> None:
    key = system.planned(3)
    system.fault("refused in unknown words")
    system.post(key)
    assert system.states() == {"posted": 2, "rejected": 1}
    assert (system.outcomes()["refused"], system.outcomes()["absent"]) == (1, 1)


def test_where_the_system_did_nothing_the_same_attempt_is_sent_again(system: System) -> None:
    key = system.planned(4)
    system.fault("later", 3)
    system.post(key)
    assert_each_once(system, 4)
    assert system.outcomes()["retry"] == 3


@JUDGES
def test_a_system_that_is_too_busy_gets_fewer_requests_at_once_and_everything_in_the_end(system: System) -> None:
    key = system.planned(12)
    system.fault("busy", 2)
    system.post(key)
    assert_each_once(system, 12)
    lanes = system.lanes()
    assert lanes.throttled == 2
    assert lanes.allowance < lanes.limit


@pytest.mark.parametrize("fault", ["no login", "no right"])
def test_without_a_login_or_a_right_the_run_stops_and_says_why_and_the_next_one_goes_on(
    system: System, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_TRIES", 2)  # a login that is refused once is tried again, with pauses
    key = system.planned(5)
    system.fault(fault, 100)
    result = system.post(key)
    assert result.stopped
    assert not system.copies()
    assert system.states() == {"batched": 5}
    system.clear()
    system.post(key, "run-2")
    assert_each_once(system, 5)


def test_a_run_that_finds_the_system_down_leaves_all_to_the_next_one(system: System) -> None:
    key = system.planned(5)
    system.is_down(down=True)
    began = time.monotonic()
    assert system.post(key).stopped
    assert time.monotonic() - began < 30
    assert not system.copies()
    system.is_down(down=False)
    until_done(system, key)
    assert_each_once(system, 5)
