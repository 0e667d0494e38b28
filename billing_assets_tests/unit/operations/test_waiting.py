"""What a supervised run waits for, and when it ends: logic without a server."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from billing_assets.operations.run_progress import (
    AFTER_DUE,
    SENSOR_LATE,
    STAND_STILL,
    Facts,
    Group,
    Memory,
    Step,
    What,
    next_step,
    waited_for,
)

NOON = datetime(2010, 12, 1, 12, tzinfo=UTC)
POSTING = Group(What.UNKNOWN, 3, ("536365", "536366"), ("2010-11-0001",), NOON + timedelta(minutes=16))
LACKING = Group(What.TO_STAGE, 2, ("536370", "536371"))
SECOND = timedelta(seconds=1)


def facts(
    at: timedelta = timedelta(0), *moving: Group, states: Mapping[str, int] | None = None, **more: object
) -> Facts:
    found = Facts(NOON + at, states if states is not None else {"posted": 10}, moving)
    return replace(found, **more)  # type: ignore[arg-type]


def play(*looks: Facts, only_staging: bool = False) -> list[Step]:
    """The steps after these looks, one after the other."""
    memory, steps = Memory(NOON), []
    for look in looks:
        memory = memory.after(look)
        steps.append(next_step(look, memory, only_staging=only_staging))
    return steps


@pytest.mark.parametrize("state", ["open", "held", "excluded", "posted", "rejected", "differs", "gone"])
def test_what_waits_for_a_person_is_an_end(state: str) -> None:
    assert play(facts(states={state: 5})) == [Step.DONE]


@pytest.mark.parametrize("what", [What.READY, What.BATCHED, What.LOCKED, What.UNKNOWN, What.UNREAD])
def test_what_a_batch_or_a_look_up_can_still_change_is_waited_for(what: What) -> None:
    assert play(facts(timedelta(0), Group(what, 1))) == [Step.WAIT]


def test_a_batch_that_no_run_ended_is_waited_for_even_if_it_is_empty() -> None:
    assert play(facts(unfinished=("2010-11-0001",))) == [Step.WAIT]
    assert waited_for((), ("2010-11-0001",)) == "a run of batch 2010-11-0001"


def test_between_the_waves_only_staging_is_waited_for() -> None:
    looks = facts(timedelta(0), POSTING, unfinished=("2010-11-0001",)), facts(timedelta(0), POSTING, LACKING)
    assert play(*looks, only_staging=True) == [Step.DONE, Step.WAIT]


def test_what_nobody_stages_is_staged_once_and_then_no_longer_waited_for() -> None:
    early, late = facts(SENSOR_LATE - SECOND, LACKING), facts(SENSOR_LATE, LACKING)
    assert play(facts(timedelta(0), LACKING), early, late) == [Step.WAIT, Step.WAIT, Step.STAGE]
    assert play(facts(timedelta(0), LACKING), replace(late, staging=True)) == [Step.WAIT, Step.WAIT]
    memory = Memory(NOON).after(late).staged(late)
    again = facts(SENSOR_LATE + SECOND, LACKING)
    assert next_step(again, memory.after(again)) is Step.DONE, "a staging left it as it was: it can move no more"
    other = facts(SENSOR_LATE + SECOND, replace(LACKING, numbers=("536399",)))
    assert next_step(other, memory.after(other)) is Step.WAIT, "that is news"


def test_staging_that_makes_progress_is_given_its_time() -> None:
    fewer = replace(LACKING, documents=1)
    looks = facts(timedelta(0), LACKING), facts(SENSOR_LATE, fewer), facts(SENSOR_LATE + SECOND, fewer)
    assert play(*looks) == [Step.WAIT, Step.WAIT, Step.WAIT]


def test_what_stands_still_for_minutes_is_given_up() -> None:
    stuck = Group(What.BATCHED, 4)
    assert play(facts(timedelta(0), stuck), facts(STAND_STILL, stuck), facts(STAND_STILL + SECOND, stuck)) == [
        Step.WAIT,
        Step.WAIT,
        Step.GIVE_UP,
    ]


def test_a_batch_that_is_tried_again_and_again_does_not_count_as_movement() -> None:
    """A login that is refused: the batch is locked and given back every half minute, for ever."""
    looks = [
        facts(
            timedelta(seconds=30 * n),
            Group([What.BATCHED, What.LOCKED][n % 2], 4),
            states={("batched", "locked")[n % 2]: 4},
        )
        for n in range(12)
    ]
    assert play(*looks)[-1] is Step.GIVE_UP


def test_every_document_that_reaches_an_end_gives_the_others_more_time() -> None:
    stuck = Group(What.BATCHED, 4)
    later = [facts(timedelta(minutes=4 * n), stuck, states={"posted": n, "batched": 9 - n}) for n in range(8)]
    assert set(play(*later)) == {Step.WAIT}


def test_an_unknown_outcome_is_waited_for_until_its_look_up_but_not_for_ever() -> None:
    due = NOON + timedelta(minutes=16)
    dues = {"2010-11-0001": due}
    during = facts(timedelta(minutes=16), POSTING, dues=dues)
    assert play(facts(timedelta(0), POSTING, dues=dues), during) == [Step.WAIT, Step.WAIT]
    # Lost again: due once more. Only the first time counts while nothing reaches an end.
    again = facts(due - NOON + AFTER_DUE + SECOND, POSTING, dues={"2010-11-0001": due + timedelta(minutes=16)})
    assert play(facts(timedelta(0), POSTING, dues=dues), during, again) == [Step.WAIT, Step.WAIT, Step.GIVE_UP]
    settled = facts(due - NOON + AFTER_DUE + SECOND, POSTING, dues=again.dues, states={"posted": 11})
    assert play(facts(timedelta(0), POSTING, dues=dues), during, settled)[-1] is Step.WAIT


def test_what_is_waited_for_is_named_with_batches_and_until_when() -> None:
    said = waited_for([LACKING, POSTING, Group(What.READY, 1, ("C1",))])
    assert said == (
        "2 not staged as billing shows them (536370, 536371) · "
        "3 sent, outcome unknown (536365, 536366, …; batch 2010-11-0001; looked up at 12:16:00 UTC) · "
        "1 ready, without a batch (C1)"
    )
    many = Group(What.BATCHED, 9, (), tuple("abcd"))
    assert waited_for([many]) == "9 batched, without a run (batches a, b, c, …)"
