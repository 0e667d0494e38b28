"""What can be set of usage and charges reaches the machine."""

from typing import Any

import pytest
from pydantic import ValidationError

from billing_assets.metering.usage.facts import Options
from billing_assets.metering.usage.settings import UsageSettings


def test_the_defaults_are_those_of_the_machine() -> None:
    assert UsageSettings().options() == Options()


def test_ages_are_in_order_whatever_order_they_are_given_in() -> None:
    assert UsageSettings(ageing_days=(10, 3, 3)).options().ageing_days == (3, 10)


@pytest.mark.parametrize("wrong", [{"overlap_percent": 0}, {"overlap_percent": 101}, {"ageing_days": ()}])
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        UsageSettings(**wrong)
