"""When documents appear and close."""

import pytest

from billing_assets.sandbox.samples.data import SampleDocument, read_sample
from billing_assets.sandbox.samples.waves import schedule


@pytest.fixture(scope="module")
def november() -> list[SampleDocument]:
    return read_sample("2010-11").documents


@pytest.mark.parametrize("waves", [1, 2, 6])
def test_after_the_last_wave_everything_is_there_and_closed(november: list[SampleDocument], waves: int) -> None:
    plan = schedule(november, waves)
    assert len(plan) == len(november)
    assert all(1 <= when.created <= when.closed <= waves for when in plan)


def test_some_close_late_and_some_are_created_late_though_dated_early(november: list[SampleDocument]) -> None:
    plan = schedule(november, 6)
    late_closings = sum(when.closed > when.created for when in plan)
    first_week_in_last_wave = sum(
        when.created == 6 for document, when in zip(november, plan, strict=True) if document.entered_at.day <= 5
    )
    assert 0.05 < late_closings / len(plan) < 0.15
    assert first_week_in_last_wave > 10


def test_the_same_number_appears_in_the_same_wave_every_time(november: list[SampleDocument]) -> None:
    assert schedule(november, 6) == schedule(list(november), 6)


def test_less_than_one_wave_is_refused(november: list[SampleDocument]) -> None:
    with pytest.raises(ValueError, match="at least one wave"):
        schedule(november, 0)
