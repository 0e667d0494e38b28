"""A read that comes late, between two that are known."""

from datetime import date, timedelta
from decimal import Decimal

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.importing import decide_reading
from billing_assets.metering.readings.rulings import Ruling
from billing_assets.metering.validation import store
from billing_assets_tests.rooms.metering.extraction.metering_system import (
    MeteringSystem,
    passed,
    registers,
    sql_source,
)
from billing_assets_tests.rooms.metering.validation.points import JULY, judge

CLERK = "A. Clerk"
JUNE = date(2026, 6, 1)


def test_a_read_that_comes_late_between_two_others_holds_all_three_periods_until_a_clerk_rejects_one(
    state: Connection, state_url: str, system: MeteringSystem
) -> None:
    """What was billed from the 1st to the 9th would be billed once more in two parts."""
    source = sql_source(system.url)
    system.reading(1, 100)
    system.reading(9, 300)
    passed(state, state_url, source)
    judge(state)
    assert not [one["sentence"] for one in store.findings(state)]
    system.now += timedelta(days=20)
    system.reading(5, 250)
    passed(state, state_url, source)
    assert [row[:2] for row in registers(state)] == [(1, 5), (1, 9), (5, 9)]
    judge(state)
    held = [(one["begins"].day, one["ends"].day, one["observed"]) for one in store.findings(state, rule="PERIOD")]
    assert sorted(held) == [(1, 5, "4 d"), (1, 9, "4 d"), (1, 9, "4 d"), (5, 9, "4 d")]
    row = state.execute(
        "select message from billing.register_readings where begins_at::date = '2026-07-01' and day = '2026-07-09'"
    ).fetchone()
    assert row is not None
    decide_reading(state, row["message"], Ruling.REJECTED, CLERK, "A read between its two came late.")
    judge(state)
    states = {(one["begins"].day, one["ends"].day): (one["state"], one["quantity"]) for one in store.periods(state)}
    assert states == {(1, 5): ("passed", Decimal(1500)), (5, 9): ("passed", Decimal(500)), (1, 9): ("passed", None)}
    assert judge(state).new == 0


def test_a_late_read_that_ends_in_the_month_before_holds_the_period_that_it_divides(
    state: Connection, state_url: str, system: MeteringSystem
) -> None:
    """Each month is judged on its own: a period is compared with those that end after the month, too."""
    source = sql_source(system.url)
    system.reading(-9, 100)  # 21 June
    system.reading(9, 300)
    passed(state, state_url, source)
    judge(state)
    system.now += timedelta(days=20)
    system.reading(0, 250)  # 30 June
    passed(state, state_url, source)
    judge(state, JUNE, JULY)
    (one,) = store.findings(state, rule="PERIOD")
    assert (one["begins"], one["ends"], one["observed"]) == (date(2026, 6, 21), date(2026, 6, 30), "9 d")
