"""A point in Brisbane, ten hours ahead of UTC all year as the market's clock is, with days of half hours."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count

import numpy as np

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.import_engine.arrivals import Arrival
from billing_assets.metering.import_engine.messages import IntervalBlock, QualityRun, RegisterRead, Stream
from billing_assets.metering.readings.intake import Intake
from billing_assets.metering.validation.validating import Summary, validate

POINT = "3000000001"
JULY, AUGUST = date(2026, 7, 1), date(2026, 8, 1)
TODAY = date(2026, 8, 5)
_MESSAGES = count(1_000)
_AHEAD = timedelta(hours=10)


def master_data(state: Connection, point: str = POINT, zone: str = "Australia/Brisbane", *suffixes: str) -> None:
    """The point with its streams (E1 if none is named), all of them billed."""
    state.execute(
        "insert into billing.service_points (point, valid_from, zone, class) values (%s, '2020-01-01', %s, 'home')",
        [point, zone],
    )
    for suffix in suffixes or ("E1",):
        state.execute(
            """
            insert into billing.stream_terms (point, suffix, unit, length_seconds, valid_from)
            values (%s, %s, 'kWh', 1800, '2020-01-01')""",
            [point, suffix],
        )


def a_day(
    day: date,
    *changed: tuple[int, int],
    quality: str = "A",
    missing: tuple[int, int] | None = None,
    suffix: str = "E1",
    point: str = POINT,
    stamp: int = 1,
) -> IntervalBlock:
    """A day of half hours around 0.5 kWh with others at some places (from 0); `missing`: from, until before."""
    values = np.array([500 + 10 * (place % 5) for place in range(48)], np.int64)
    for place, value in changed:
        values[place] = value
    runs = []
    if missing:
        edges = [(1, missing[0], quality), (missing[0] + 1, missing[1], "N"), (missing[1] + 1, 48, quality)]
        runs = [QualityRun(first, last, flag) for first, last, flag in edges if first <= last]
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - _AHEAD
    stream = Stream(point, suffix, "M1", "KWH", 1800)
    updated = datetime(2026, 8, 1, tzinfo=UTC) + timedelta(minutes=stamp)
    return IntervalBlock(stream, day, start, values, 3, "V" if runs else quality, 1, runs, updated_at=updated)


def a_month(**more: str) -> list[IntervalBlock]:
    """The days of July."""
    return [a_day(JULY + timedelta(days=n), **more) for n in range(31)]  # type: ignore[arg-type]


def reads(
    begin: date, end: date, begin_read: str, end_read: str, *, suffix: str = "11", quality: str = "A"
) -> RegisterRead:
    """Two reads of a register at the local midnight of their days."""
    at = [datetime(day.year, day.month, day.day, tzinfo=UTC) - _AHEAD for day in (begin, end)]
    quantity = Decimal(end_read) - Decimal(begin_read)
    stream = Stream(POINT, suffix, "M1", "KWH", 0)
    return RegisterRead(stream, 1, at[0], at[1], begin_read, end_read, "A", quality, quantity)


def take(state: Connection, *blocks: IntervalBlock | RegisterRead) -> None:
    """Takes them in, each a message of its own."""
    made = datetime(2026, 8, 1, tzinfo=UTC)
    with state.transaction():
        Intake(state).take_in([Arrival(next(_MESSAGES), one, one.updated_at or made) for one in blocks])


def judge(
    state: Connection, begin: date = JULY, end: date = AUGUST, *, closing: bool = False, today: date = TODAY
) -> Summary:
    """Judges all points that are there."""
    points = [row["point"] for row in state.execute("select distinct point from billing.streams").fetchall()]
    return validate(state, points, begin, end, today=today, closing=closing)
