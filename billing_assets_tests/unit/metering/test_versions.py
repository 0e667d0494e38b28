"""Which version of a reading counts."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.metering.readings.versions import (
    QUALITY_DOWNGRADE,
    VERSION_CONFLICT,
    Outcome,
    State,
    Version,
    rank,
    resolve,
)

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
CURRENT, SUPERSEDED = Outcome(State.CURRENT), Outcome(State.SUPERSEDED)
DOWNGRADE, CONFLICT = Outcome(State.HELD, QUALITY_DOWNGRADE), Outcome(State.HELD, VERSION_CONFLICT)


def version(number: int, quality: str = "A", stamp: int | None = 1, made: int | None = None, **more: object) -> Version:
    """A version of a day of four intervals. `stamp`, `made`: days of June; it was made when it was stamped."""
    values: dict[str, object] = {
        "id": number,
        "starts": 0,
        "length_seconds": 900,
        "intervals": 4,
        "quality": quality,
        "updated_at": None if stamp is None else JUNE + timedelta(days=stamp),
        "made_at": JUNE + timedelta(days=made if made is not None else stamp or 0),
        "content_hash": str(number).encode(),
    }
    return Version(**(values | more))  # type: ignore[arg-type]  # the test's own words


def runs(*qualities: str) -> tuple[tuple[int, int, str], ...]:
    """A quality for each interval."""
    return tuple((n, n, quality) for n, quality in enumerate(qualities, 1))


def outcomes(*versions: Version) -> list[Outcome]:
    """What becomes of each, the same in every order of arrival."""
    found = [resolve(order) for order in permutations(versions)]
    assert all(one == found[0] for one in found)
    return [found[0][one.id] for one in versions]


def test_an_actual_replaces_an_estimate_that_is_newer() -> None:
    assert outcomes(version(1, "E52", 9), version(2, "A", 7, made=10)) == [SUPERSEDED, CURRENT]


def test_a_substitute_does_not_replace_an_actual_by_being_newer_and_is_held() -> None:
    assert outcomes(version(1, "A", 7), version(2, "S14", 32)) == [CURRENT, DOWNGRADE]


@pytest.mark.parametrize("method", ["53", "66", "72", "73"])
def test_a_revision_replaces_what_is_of_higher_rank(method: str) -> None:
    assert outcomes(version(1, "A", 7), version(2, f"S{method}", 8)) == [SUPERSEDED, CURRENT]


def test_a_sender_that_may_withdraw_has_its_newest_stamp() -> None:
    newest = version(2, "S14", 8, newest_wins=True)
    assert outcomes(version(1, "A", 7), newest) == [SUPERSEDED, CURRENT]
    late = version(3, "A", 6, made=9, newest_wins=True)
    assert outcomes(version(1, "A", 7), newest, late) == [SUPERSEDED, CURRENT, SUPERSEDED]


def test_the_newer_of_one_rank_counts_and_an_older_one_that_comes_late_changes_nothing() -> None:
    assert outcomes(version(1, "A", 7), version(2, "A", 8), version(3, "A", 6, made=9)) == [
        SUPERSEDED,
        CURRENT,
        SUPERSEDED,
    ]


def test_the_time_at_which_the_market_had_it_breaks_ties() -> None:
    one = version(1, loaded_at=JUNE)
    assert outcomes(one, version(2, loaded_at=JUNE + timedelta(hours=1))) == [SUPERSEDED, CURRENT]


def test_other_content_under_the_same_stamp_is_held_and_what_was_made_first_counts() -> None:
    assert outcomes(version(1, stamp=7, made=8), version(2, stamp=7, made=9)) == [CURRENT, CONFLICT]
    assert outcomes(version(1, stamp=7, made=8), version(2, "E52", stamp=7, made=9)) == [CURRENT, CONFLICT]


def test_without_a_stamp_a_version_is_as_new_as_its_message() -> None:
    assert outcomes(version(1, stamp=None, made=3), version(2, stamp=None, made=4)) == [SUPERSEDED, CURRENT]


def test_a_day_of_several_qualities_is_merged_interval_by_interval() -> None:
    mixed = version(2, "V", 8, runs=runs("A", "A", "E52", "N"))
    assert outcomes(version(1, "S14", 7), mixed) == [
        Outcome(State.CURRENT, None, ((3, 4),)),
        Outcome(State.CURRENT, None, ((1, 2),)),
    ]


def test_a_day_of_which_parts_are_gaps_is_filled_by_what_is_in_the_gaps() -> None:
    first = version(1, "V", 7, runs=runs("A", "N", "A", "N"))
    assert outcomes(first, version(2, "S14", 8)) == [
        Outcome(State.CURRENT, None, ((1, 1), (3, 3))),
        Outcome(State.CURRENT, None, ((2, 2), (4, 4))),
    ]


def test_parts_of_a_day_that_came_apart_are_one_day() -> None:
    later = version(2, starts=3600, stamp=1)
    assert outcomes(version(1), later) == [CURRENT, CURRENT]
    overlapping = version(2, starts=1800, stamp=2)
    assert outcomes(version(1), overlapping) == [Outcome(State.CURRENT, None, ((1, 2),)), CURRENT]


def test_intervals_of_another_length_replace_a_day_whole_or_not_at_all() -> None:
    finer = version(2, "A", 8, length_seconds=300, intervals=12)
    assert outcomes(version(1, "A", 7), finer) == [SUPERSEDED, CURRENT]
    mixed = version(2, "V", 8, length_seconds=300, intervals=12, runs=((1, 11, "A"), (12, 12, "E52")))
    assert outcomes(version(1, "A", 7), mixed) == [CURRENT, DOWNGRADE]


def test_what_a_person_decides_counts() -> None:
    assert outcomes(version(1, "A", 7), version(2, "S14", 8, ruling="accepted")) == [SUPERSEDED, CURRENT]
    assert outcomes(version(1, "A", 7), version(2, "A", 8, ruling="rejected")) == [CURRENT, Outcome(State.REJECTED)]
    assert outcomes(version(1, "A", 7), version(2, "E", 8, is_edit=True)) == [SUPERSEDED, CURRENT]


def test_what_waits_for_master_data_takes_no_part() -> None:
    waits = version(2, "A", 8, held="NO_SERVICE_POINT")
    assert outcomes(version(1, "A", 7), waits) == [CURRENT, Outcome(State.HELD, "NO_SERVICE_POINT")]


QUALITIES = st.sampled_from(["A", "F14", "S14", "S53", "E52", "E66", "N"])


@st.composite
def days(draw: st.DrawFn) -> list[Version]:
    """Up to six versions of a day."""
    found = []
    for number in range(draw(st.integers(1, 6))):
        count = draw(st.sampled_from([2, 4, 4, 4]))
        quality = draw(st.one_of(QUALITIES, st.just("V")))
        each = runs(*(draw(QUALITIES) for _ in range(count))) if quality == "V" else ()
        stamp = draw(st.one_of(st.none(), st.integers(1, 4)))
        found.append(
            version(
                number,
                quality,
                stamp,
                draw(st.integers(1, 5)),
                intervals=count,
                starts=draw(st.sampled_from([0, 0, 1800])),
                runs=each,
                newest_wins=draw(st.integers(0, 9)) == 0,
                ruling=draw(st.sampled_from([None] * 8 + ["accepted", "rejected"])),
            )
        )
    return found


@settings(max_examples=300)
@given(days(), st.randoms())
def test_the_order_of_arrival_changes_nothing(versions: list[Version], random: st.DataObject) -> None:
    shuffled = list(versions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert resolve(shuffled) == resolve(versions)


@settings(max_examples=300)
@given(days())
def test_each_interval_has_one_version_that_counts_and_without_revisions_it_is_of_the_highest_rank(
    versions: list[Version],
) -> None:
    found = resolve(versions)
    assert found.keys() == {one.id for one in versions}
    owners: dict[int, list[str]] = {}
    plain = all(not one.newest_wins and one.ruling is None for one in versions)
    qualities = {one.id: _each(one) for one in versions}
    for one in versions:
        outcome = found[one.id]
        if outcome.state is State.CURRENT:
            parts = outcome.parts or ((1, one.intervals),)
            assert all(a[1] < b[0] for a, b in pairwise(parts))
            for n in (n for first, last in parts for n in range(first, last + 1)):
                owners.setdefault(one.starts + n * 900, []).append(qualities[one.id][n - 1])
    assert all(len(of) == 1 for of in owners.values())
    if plain and not any(quality[1:] in ("53", "66") for of in qualities.values() for quality in of):
        taking_part = [one for one in versions if found[one.id].code != VERSION_CONFLICT]
        for at, (quality,) in owners.items():
            there = [one for one in taking_part if one.starts < at <= one.ends]
            assert rank(quality) == max(rank(qualities[one.id][(at - one.starts) // 900 - 1]) for one in there)


def _each(one: Version) -> list[str]:
    return [run[2] for run in one.runs] or [one.quality] * one.intervals
