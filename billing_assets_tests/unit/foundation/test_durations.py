"""Durations, in the unit that a person reads."""

import pytest

from billing_assets.foundation.phrases import duration


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (14.2, "14 s"), (59.4, "59 s"), (60, "1.0 min"), (5_400, "1.5 h"), (604_800, "7.0 days")],
)
def test_a_duration_is_said_in_the_unit_that_a_person_reads(seconds: float, said: str) -> None:
    assert duration(seconds) == said
