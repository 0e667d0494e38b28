"""The service points: who they are, how much they use, and which fault each has."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from billing_assets.sandbox.samples.utility.chance import draw, pick
from billing_assets.sandbox.samples.utility.rates import FAULTS, SHARES, Fault, Pool
from billing_assets.sandbox.samples.utility.shapes import month_sizes

US, US_LONG, US_NEM = "829000001", "8290000010000", "RETAILCO"
"""The retailer: DUNS number, DUNS+4, participant id."""


class Utility(NamedTuple):
    """Who owns wires in Texas. `together`: usage and charges in one interchange."""

    duns: str
    name: str
    separator: str
    terminator: str
    together: bool


UTILITIES = (
    Utility("900000101", "NORTH WIRES", "*", "~", True),
    Utility("900000102", "COAST WIRES", "*", "~\r\n", False),
    Utility("900000103", "WEST WIRES", "|", "\n", False),
)


class Provider(NamedTuple):
    """A provider of meter data in Australia. `weekly`: its intervals come once a week."""

    name: str
    zone: str
    unit: str
    weekly: bool


PROVIDERS = (
    Provider("EASTMDP", "Australia/Sydney", "kWh", False),
    Provider("SOUTHMDP", "Australia/Adelaide", "KWH", False),
    Provider("NORTHMDP", "Australia/Brisbane", "kWh", True),
)

TEXAS_CLASSES = (("residential", "MidriseApartment"), ("commercial", "SmallOffice"), ("commercial", "RetailStore"))
BUILDINGS = ("SmallOffice", "RetailStore", "Warehouse", "FastFoodRest", "MidriseApartment")


@dataclass(frozen=True)
class Point:
    """A service point. `monthly`: kWh of the three months. `sender`: index of its utility or provider."""

    number: int
    name: str
    pool: Pool
    kind: str  # single, two meters, time of use, unmetered; solar, plain, business
    klass: str
    profile: str
    zone: str
    sender: int
    cycle: int
    length: int  # minutes of its intervals; 0: none
    multiplier: int
    monthly: tuple[int, int, int]
    fault: Fault | None
    faulty_month: int

    def has(self, *names: str) -> bool:
        """Whether it has one of these faults."""
        return self.fault is not None and self.fault.name in names

    def has_in(self, month: int, *names: str) -> bool:
        """The same, in this month."""
        return month == self.faulty_month and self.has(*names)

    @property
    def known(self) -> int:
        """When master data has it: 0 from the start, 1 later, 2 never."""
        return 1 if self.has("unknown, then known") else 2 if self.has("unknown") else 0

    @property
    def account(self) -> str:
        return f"A-{100_000 + self.number}"

    @property
    def serial(self) -> str:
        """Of its first meter."""
        return f"{'T' if self.pool.startswith('Texas') else 'M'}{700_000 + self.number}"

    @property
    def new_serial(self) -> str:
        """Of the meter that takes its place, or is beside it."""
        return f"{self.serial}N"


def make_points(seed: int, count: int) -> list[Point]:
    """All points, those of a pool together. A world of less than 200 has not every fault."""
    sizes = month_sizes()
    points: list[Point] = []
    for pool, share in SHARES.items():
        bare = [_bare(seed, pool, len(points) + number, sizes) for number in range(count * share // 1_000)]
        points += _with_faults(seed, pool, bare)
    return points


def _bare(seed: int, pool: Pool, number: int, sizes: list[list[int]]) -> Point:
    def chance(low: int, high: int, what: str) -> int:
        return pick(low, high, seed, what, number)

    texas = pool in {Pool.TEXAS_METERS, Pool.TEXAS_INTERVALS}
    sender = chance(0, 2, "sender")
    kind, klass, profile, length, multiplier = _kind(pool, chance(0, 99, "kind"), chance(0, 4, "profile"))
    size = sizes[chance(0, len(sizes) - 1, "size")]
    months = size[8:11] if texas else size[2:5]
    return Point(
        number,
        f"1099900{sender}{500_000_000 + number * 37}" if texas else f"9{sender}{10_000_000 + number * 37}",
        pool,
        kind,
        klass,
        profile,
        "America/Chicago" if texas else PROVIDERS[sender].zone,
        sender,
        1 if pool is Pool.TEXAS_INTERVALS else chance(1, 20, "cycle"),
        length,
        multiplier,
        _monthly(months, klass, multiplier),
        None,
        chance(0, 2, "faulty month"),
    )


def _kind(pool: Pool, percent: int, profile: int) -> tuple[str, str, str, int, int]:
    """Kind, class, profile, minutes of its intervals and multiplier."""
    if pool is Pool.TEXAS_INTERVALS:
        return "interval", "commercial", BUILDINGS[profile], 15, 1
    if pool is Pool.AUSTRALIA_INTERVALS:
        if percent < 40:
            return "solar", "residential", "h0", 30, 1
        if percent < 74:
            return "plain", "residential", "h0", 30, 1
        if percent < 90:
            return "business", "commercial", ("g0", "g1", "g4", "g3", "g6")[profile], 15, 1
        return "plain", "residential", "h0", 5, 1
    multiplier = (10, 40, 80, 1, 20)[profile] if percent >= 80 else 1
    klass = "commercial" if percent >= 80 else "residential"
    if pool is Pool.AUSTRALIA_READS:
        return ("controlled load" if percent < 15 else "single"), klass, "", 0, multiplier
    kind = "unmetered" if percent < 3 else "two meters" if percent < 7 else "time of use" if percent >= 90 else "single"
    return kind, klass, "", 0, multiplier


def _monthly(months: list[int], klass: str, multiplier: int) -> tuple[int, int, int]:
    """kWh of three months, each at most a third off their mean; in whole units of dials that go round once at most."""
    mean = max(sum(months) // 3, 1)
    level = (
        min(max(mean // 60, 180), 1_900)
        if klass == "residential"
        else min(max(mean // 8, 2_400), 12_000 * multiplier, 48_000)
    )
    first, second, third = (
        level * min(max(month, mean * 3 // 4), mean * 4 // 3) // mean // multiplier * multiplier for month in months
    )
    return first, second, third


def _with_faults(seed: int, pool: Pool, points: list[Point]) -> Iterator[Point]:
    """Each fault gets its share of the points that can have it, in the order of their draw."""
    free = sorted(points, key=lambda point: draw(seed, "fault", point.number))
    found: dict[int, Fault] = {}
    for fault in (fault for fault in FAULTS if fault.pool is pool):
        able = [point for point in free if point.number not in found and fault.only in {"", point.kind}]
        for point in able[: max(1, (fault.rate * len(points) + 500) // 1_000)]:
            found[point.number] = fault
    for point in points:
        yield _faulty(point, found.get(point.number))


def _faulty(point: Point, fault: Fault | None) -> Point:
    values = dict(vars(point)) | {"fault": fault}
    if fault is not None and fault.name in {"rollover", "meter exchange"} and not point.length:
        values |= {"multiplier": 1, "monthly": tuple(min(kwh, 3_000) for kwh in point.monthly)}
    if fault is not None and fault.name == "estimated" and point.pool is Pool.AUSTRALIA_READS:
        values |= {"faulty_month": 2}
    if fault is not None and fault.name == "replaced after the bill":
        values |= {"faulty_month": 2}
    if fault is not None and fault.name == "period overlaps":
        values |= {"faulty_month": 1}
    return Point(**values)
