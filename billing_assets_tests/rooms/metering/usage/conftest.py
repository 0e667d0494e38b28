"""A database of ours, and the sets that messages come from."""

from collections.abc import Callable

import pytest

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.usage.facts import Fact
from billing_assets_tests.rooms.metering.blocks import supply
from billing_assets_tests.rooms.metering.usage.arriving import arrive
from billing_assets_tests.unit.metering.usage.messages import OTHER_POINT, POINT

Arrive = Callable[..., list[Fact]]


@pytest.fixture
def state(state: Connection) -> Connection:
    """With the points of the tests in master data."""
    supply(state, POINT, OTHER_POINT)
    return state


@pytest.fixture
def arriving(state: Connection) -> Arrive:
    """Messages arrive: each gets the number of its set in raw_messages."""
    return lambda *facts: arrive(state, facts)
