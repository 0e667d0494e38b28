"""The intervals of local days: 92, 96 or 100 quarter hours, as the clocks of a place have it."""

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


def midnight(day: date, zone: ZoneInfo) -> int:
    """When a local day begins, in seconds since 1970 UTC."""
    return (datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC) - _EPOCH) // _SECOND


class Grid:
    """The intervals of one length from local day `begin` (inclusive) to `end` (exclusive) in a zone.

    An interval belongs to the local day in which it starts. `starts` has the place of each day's first interval, and at
    last the number of intervals. Raises ValueError for a period without a day, or a length that is not above zero.
    """

    def __init__(self, begin: date, end: date, zone: ZoneInfo, length_seconds: int) -> None:
        if end <= begin or length_seconds <= 0:
            raise ValueError(f"no intervals of {length_seconds} s from {begin} to {end}")
        self.begin, self.end, self.zone, self.length_seconds = begin, end, zone, length_seconds
        self.first = midnight(begin, zone)
        self.days = tuple(begin + n * _DAY for n in range((end - begin).days))
        self.starts = tuple(-(-(midnight(day, zone) - self.first) // length_seconds) for day in (*self.days, end))

    def __len__(self) -> int:
        return self.starts[-1]

    def __repr__(self) -> str:
        return f"Grid({self.begin}, {self.end}, {self.zone.key}, {self.length_seconds})"

    @property
    def hours(self) -> tuple[int, int]:
        """The hours of the period by the clock of the world, as a numerator and a denominator: 743 in a month with a
        spring change."""
        return midnight(self.end, self.zone) - self.first, 3600

    def sizes(self) -> tuple[int, ...]:
        """The number of intervals of each day."""
        return tuple(after - before for before, after in zip(self.starts, self.starts[1:], strict=False))

    def part(self, day: date) -> slice:
        """The places of a day's intervals. Raises ValueError for a day that is not in the period."""
        place = (day - self.begin).days
        if not 0 <= place < len(self.days):
            raise ValueError(f"{day} is not in {self!r}")
        return slice(self.starts[place], self.starts[place + 1])

    def day_of(self, place: int) -> date:
        """The local day of an interval, by its place."""
        return self.days[bisect_right(self.starts, place) - 1]

    def place(self, moment: datetime) -> int | None:
        """The place of the interval that starts at a moment (UTC-aware); None: no interval here starts then."""
        seconds, rest = divmod(moment.astimezone(UTC) - _EPOCH, _SECOND)
        place, off = divmod(seconds - self.first, self.length_seconds)
        return place if not off and not rest and 0 <= place < len(self) else None

    def start(self, place: int) -> datetime:
        """When an interval starts (UTC-aware)."""
        return _EPOCH + timedelta(seconds=self.first + place * self.length_seconds)

    @cached_property
    def clock(self) -> tuple[int, ...]:
        """The local time of day at which each interval starts, in seconds; of a doubled hour both times the same."""
        moments = (self.start(place).astimezone(self.zone) for place in range(len(self)))
        return tuple(one.hour * 3600 + one.minute * 60 + one.second for one in moments)


@lru_cache(maxsize=512)
def grid_of(begin: date, end: date, zone: ZoneInfo, length_seconds: int) -> Grid:
    """The grid of a period; the same one for the same period."""
    return Grid(begin, end, zone, length_seconds)
