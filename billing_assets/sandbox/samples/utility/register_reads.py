"""Australian meters that are read once a month, and the records that tell their reads, with their faults."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from billing_assets.sandbox.samples.utility.chance import pick
from billing_assets.sandbox.samples.utility.clock import following, nem_moment, read_day
from billing_assets.sandbox.samples.utility.outcomes import Outcome, Sending
from billing_assets.sandbox.samples.utility.points import Point
from billing_assets.sandbox.samples.utility.rates import MONTHS

DIALS = 100_000


@dataclass
class Read:
    """A read of a register and the one before it. Reads are what the dials show; `kwh`: after the multiplier."""

    point: Point
    suffix: str
    month: int
    serial: str
    begin: datetime
    end: datetime
    begin_read: int
    end_read: int
    kwh: int
    quality: str
    updated: datetime
    alteration: bool = False  # the meter was taken away at its end
    outcome: Outcome = Outcome.CURRENT
    code: str = ""

    @property
    def unit(self) -> str:
        return "kWh"

    @property
    def quantity(self) -> int:
        return self.kwh * 1_000

    @property
    def readings(self) -> int:
        return 1


def register_suffixes(point: Point) -> tuple[str, ...]:
    """`11` is the general register, `41` the controlled load."""
    return ("11", "41") if point.kind == "controlled load" else ("11",)


def monthly_use(point: Point, suffix: str) -> tuple[int, ...]:
    """Turns of the dials in each month."""
    share = 10 if suffix == "11" else 3
    return tuple(kwh // point.multiplier * share // 10 for kwh in point.monthly)


def read_sendings(seed: int, points: list[Point]) -> list[Sending[Read]]:
    """Every NEM13 file before its faults."""
    files: defaultdict[tuple[date, int], list[Read]] = defaultdict(list)
    for point in points:
        for suffix in register_suffixes(point):
            for day, read in _reads(seed, point, suffix):
                files[day, point.sender].append(read)
    return [
        Sending(day, sender, "NEM13", sorted(reads, key=lambda one: (one.point.number, one.suffix, one.begin)))
        for (day, sender), reads in sorted(files.items())
    ]


def first_read(seed: int, point: Point, suffix: str) -> int:
    """What the dials showed on the first read day."""
    uses = monthly_use(point, suffix)
    if point.has("rollover"):
        before = sum(uses[: point.faulty_month])
        return DIALS - uses[point.faulty_month] // 2 - before
    return pick(1_000, DIALS - 5_000 - sum(uses), seed, "read", point.number, suffix)


def _reads(seed: int, point: Point, suffix: str) -> Iterator[tuple[date, Read]]:
    """The reads of a register, each with the day on which it comes."""
    dial = first_read(seed, point, suffix)
    serial = point.serial
    # A read that is estimated first has no time of day.
    hour = 0 if point.has("estimated, then actual", "estimated") else pick(8, 16, seed, "hour", point.number)
    for month, turns in enumerate(monthly_use(point, suffix)):
        begin, end = (nem_moment(read_day(month + add, point.cycle), hour) for add in (0, 1))
        comes = following(end.date())
        read = Read(
            point, suffix, month, serial, begin, end, dial, (dial + turns) % DIALS, turns * point.multiplier, "A",
            nem_moment(comes, 2),
        )  # fmt: skip
        dial = read.end_read
        if point.known == 2:
            read.outcome, read.code = Outcome.HELD, "NO_SERVICE_POINT"
        if not point.has_in(month, *_FAULTY):
            yield comes, read
        elif point.has("meter exchange"):
            old, new = _exchanged(seed, point, read)
            serial, dial = new.serial, new.end_read
            yield comes, old
            yield comes, new
        else:
            yield from _faulty(point, comes, read)


_FAULTY = (
    "late", "doubled", "estimated, then actual", "estimated", "meter exchange",
    "quantity is not the reads", "downgrade",
)  # fmt: skip


def _faulty(point: Point, comes: date, read: Read) -> Iterator[tuple[date, Read]]:
    later = following(comes, 6)
    by_a_tenth = max(read.kwh // point.multiplier // 10, 2)
    other = replace(
        read,
        end_read=(read.end_read + DIALS - by_a_tenth) % DIALS,
        kwh=read.kwh - by_a_tenth * point.multiplier,
        quality="E62",
    )
    if point.has("late"):
        yield following(comes, 15), replace(read, updated=nem_moment(following(comes, 15), 2))
    elif point.has("doubled"):
        yield comes, read
        yield later, replace(read, outcome=Outcome.DUPLICATE)
    elif point.has("estimated, then actual"):
        yield comes, replace(other, outcome=Outcome.SUPERSEDED)
        yield later, replace(read, updated=nem_moment(later, 2))
    elif point.has("estimated"):
        yield comes, other
    elif point.has("quantity is not the reads"):
        yield comes, replace(read, kwh=read.kwh * 3 // 2 + 7, outcome=Outcome.HELD, code="QTY_NOT_READS")
    else:
        yield comes, read
        downgrade = replace(other, quality="S62", updated=nem_moment(later, 2))
        yield later, replace(downgrade, outcome=Outcome.HELD, code="QUALITY_DOWNGRADE")


def exchange_day(seed: int, point: Point) -> date:
    """When the meter of a point with that fault was exchanged."""
    begin = read_day(point.faulty_month, point.cycle)
    return begin + timedelta(days=pick(8, 20, seed, "exchange", point.number))


def _exchanged(seed: int, point: Point, read: Read) -> tuple[Read, Read]:
    """A month of two meters: the old one until a day in the middle, the new one from there."""
    day = read.begin + (exchange_day(seed, point) - read.begin.date())
    turns = read.kwh // 2
    middle = (read.begin_read + turns) % DIALS
    old = replace(read, end=day, end_read=middle, kwh=turns, alteration=True)
    fresh = pick(0, 40, seed, "new meter", point.number)
    rest = read.kwh - turns
    new = replace(read, serial=point.new_serial, begin=day, begin_read=fresh, end_read=fresh + rest, kwh=rest)
    return old, new


def months_of(reads: list[Read]) -> dict[tuple[str, str], list[int]]:
    """Of each point and stream the thousandths of its three months that count."""
    found: dict[tuple[str, str], list[int]] = {}
    for read in reads:
        months = found.setdefault((read.point.name, read.suffix), [0] * len(MONTHS))
        if read.outcome is Outcome.CURRENT:
            months[read.month] += read.quantity
    return found
