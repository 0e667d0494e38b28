"""Blocks and reads as a reader makes them, and points in master data."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.import_engine.messages import IntervalBlock, QualityRun, RegisterRead, Stream

DAY = date(2026, 7, 1)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)


def block(
    point: str = "NMI0000001",
    values: tuple[int, ...] = (1, 2, 3, 4),
    quality: str = "A",
    stamp: int | None = 1,
    *,
    day: date = DAY,
    suffix: str = "E1",
    runs: tuple[str, ...] = (),
    line: int = 3,
) -> IntervalBlock:
    """A day of quarter hours, or its beginning. `stamp`: a day of June. `runs`: a quality for each interval."""
    return IntervalBlock(
        Stream(point, suffix, "M1", "KWH", 900),
        day,
        datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=10),
        np.array(values, np.int64),
        3,
        quality,
        line,
        [QualityRun(n, n, one) for n, one in enumerate(runs, 1)],
        updated_at=None if stamp is None else JUNE + timedelta(days=stamp),
    )


def register(point: str = "NMI0000001", end_read: str = "00250", quality: str = "A", stamp: int = 1) -> RegisterRead:
    """A quarter of a year, read at its ends."""
    return RegisterRead(
        Stream(point, "11", "M1", "KWH", 0),
        3,
        JUNE - timedelta(days=90),
        JUNE,
        "00100",
        end_read,
        "A",
        quality,
        Decimal(int(end_read) - 100),
        updated_at=JUNE + timedelta(days=stamp),
        facts={"RegisterID": "1"},
    )


def supply(state: Connection, *points: str, since: date = date(2000, 1, 1)) -> None:
    """Puts points into master data."""
    for point in points:
        state.execute("insert into billing.service_points (point, valid_from) values (%s, %s)", [point, since])
