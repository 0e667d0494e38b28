"""A backlog becomes batches: nothing left over, nothing too large, nothing cut too fine."""

from hypothesis import given
from hypothesis import strategies as st

from billing_assets.posting.batch_sizes import batch_sizes, partition_key, staggered

backlogs, limits, runs = st.integers(-5, 20_000), st.integers(1, 1000), st.integers(1, 20)


@given(backlogs, limits, limits, runs)
def test_the_sizes_add_up_to_the_backlog_and_none_is_too_large_or_empty(
    backlog: int, largest: int, at_once_below: int, side_by_side: int
) -> None:
    sizes = batch_sizes(backlog, largest=largest, at_once_below=at_once_below, side_by_side=side_by_side)
    assert sum(sizes) == max(backlog, 0)
    assert all(0 < size <= largest for size in sizes)
    assert not sizes or max(sizes) - min(sizes) <= 1


@given(backlogs, limits, limits, runs)
def test_a_small_backlog_goes_at_once_as_one_batch(
    backlog: int, largest: int, at_once_below: int, side_by_side: int
) -> None:
    sizes = batch_sizes(backlog, largest=largest, at_once_below=at_once_below, side_by_side=side_by_side)
    if 0 < backlog < at_once_below and backlog <= largest:
        assert sizes == [backlog]


@given(st.integers(1, 20_000), limits, limits, runs)
def test_a_backlog_is_split_only_as_the_limit_needs_or_the_runs_side_by_side_can_use(
    backlog: int, largest: int, at_once_below: int, side_by_side: int
) -> None:
    sizes = batch_sizes(backlog, largest=largest, at_once_below=at_once_below, side_by_side=side_by_side)
    if len(sizes) > 1 and len(sizes) > -(-backlog // largest):
        assert len(sizes) <= side_by_side
        assert min(sizes) >= at_once_below


def test_sizes_under_the_shipped_settings() -> None:
    def sizes(backlog: int) -> list[int]:
        return batch_sizes(backlog, largest=1000, at_once_below=500, side_by_side=3)

    assert sizes(0) == []
    assert sizes(1) == [1]
    assert sizes(499) == [499]
    assert sizes(999) == [999]
    assert sizes(1000) == [500, 500]
    assert sizes(1500) == [500, 500, 500]
    assert sizes(2911) == [971, 970, 970]
    assert sizes(3001) == [751, 750, 750, 750]


@given(st.lists(st.integers(1, 1000), max_size=60), runs)
def test_staggered_batches_hold_the_same_documents_and_none_is_larger(sizes: list[int], side_by_side: int) -> None:
    found = staggered(sizes, side_by_side)
    assert sum(found) == sum(sizes)
    assert all(0 < size <= max(sizes) for size in found)


@given(st.integers(1, 1000), st.integers(1, 20), st.integers(0, 40))
def test_runs_that_begin_staggered_batches_together_never_end_together(size: int, side_by_side: int, more: int) -> None:
    sizes = staggered([size * side_by_side] * (side_by_side + more), side_by_side)
    first = sizes[:side_by_side]
    assert first == [size * place for place in range(1, side_by_side + 1)]


def test_staggered_sizes_under_the_shipped_settings() -> None:
    assert staggered([], 3) == []
    assert staggered([751, 750, 750, 750], 3) == [250, 500, 750, 751, 750]
    assert staggered([900, 900], 3) == [450, 900, 450]
    assert staggered([700], 3) == [700]


def test_partition_keys_sort_as_they_were_planned() -> None:
    keys = [partition_key("2010-11", sequence) for sequence in (1, 42, 9999)]
    assert keys == ["2010-11-0001", "2010-11-0042", "2010-11-9999"]
    assert keys == sorted(keys)
