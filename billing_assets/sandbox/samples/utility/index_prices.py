"""Made prices of a hub of Texas by quarter hour: whole cents a MWh, mostly moderate, at times negative or very high."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from billing_assets.sandbox.samples.utility.chance import pick
from billing_assets.sandbox.samples.utility.rates import AFTER, MONTHS

HUB, MINUTES = "TX-HUB", 15
_STEP = timedelta(minutes=MINUTES)


@cache
def price(seed: int, start: datetime) -> int:
    """Cents a MWh of the quarter hour that begins at an instant of UTC."""
    moment = f"{start:%Y-%m-%dT%H:%M}"
    cents = pick(-900, 6_400, seed, "price", moment)
    return cents * 12 if pick(0, 249, seed, "scarce", moment) == 0 else cents


def write_prices(folder: Path, seed: int) -> None:
    """The series from a day before the months of the world until a day after them, as CSV."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{HUB}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("start", "price"))
        for start in _starts():
            sign, (whole, cents) = "-" * (price(seed, start) < 0), divmod(abs(price(seed, start)), 100)
            writer.writerow((f"{start:%Y-%m-%dT%H:%M:%SZ}", f"{sign}{whole}.{cents:02}"))


def _starts() -> Iterator[datetime]:
    first, after = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (MONTHS[0], AFTER))
    start = first - timedelta(days=1)
    while start < after + timedelta(days=2):
        yield start
        start += _STEP
