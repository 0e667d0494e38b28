"""The rules that compare sums: registers with their dials, intervals with registers, parts with their total, energy
with demand."""

from collections.abc import Iterator
from fractions import Fraction

from billing_assets.metering.validation.cases import Case, Seen, interval_text, registered, say
from billing_assets.metering.validation.facts import Direction
from billing_assets.metering.validation.grids import midnight


def rollover(case: Case) -> Iterator[Seen]:
    """ROLLOVER: the end read is below the begin read, and the dials explain it."""
    most = say(case.parameters.of("ROLLOVER")["use_per_day"])
    for register, use in zip(case.facts.registers, case.uses, strict=True):
        if use and use.rolled:
            reads = f"from {register.begin_read} to {register.end_read}"
            said = f"The register rolled over {reads}: it counted {say(use.dials)}."
            yield Seen(say(use.dials), f"{most} kWh a day", said)


def negative(case: Case) -> Iterator[Seen]:
    """NEGATIVE: energy below zero: a register that went back, a quantity, or intervals of a day."""
    facts = case.facts
    for register, use in zip(facts.registers, case.uses, strict=True):
        if use and use.negative:
            said = f"The register went back from {register.begin_read} to {register.end_read}; no rollover explains it."
            yield Seen(say(use.energy), "0", f"{said} After an estimate that was too high: back it out.")
    if facts.intervals is None:
        if facts.quantity is not None and facts.quantity < 0:
            yield Seen(say(facts.quantity), "0", f"The quantity is {say(facts.quantity)}, below zero.")
        return
    if facts.stream.direction is Direction.OTHER:
        return
    grid, decimals = facts.intervals.grid, facts.intervals.decimals
    for place, day in enumerate(grid.days):
        below = [value for value, quality in zip(*facts.intervals.of_day(place), strict=True) if quality > 0 > value]
        if below:
            lowest = interval_text(min(below), decimals)
            yield Seen(lowest, "0", f"{day}: values below zero: {len(below)}; the lowest is {lowest}.", day)


def sum_check(case: Case) -> Iterator[Seen]:
    """SUM: the intervals of a period against its register, both after the multiplier."""
    facts, counted = case.facts, registered(case.uses)
    if facts.intervals is None or counted is None or case.use is None:
        return
    set_to = case.parameters.of("SUM")
    limit = max(Fraction(set_to["units"]), abs(counted) * Fraction(set_to["percent"]) / 100)
    off = abs(case.use - counted)
    if off > limit:
        said = f"The intervals add up to {say(case.use)}, the register counted {say(counted)}: {say(off)} apart."
        yield Seen(say(off), say(limit), f"{said} At most {say(limit)} is allowed.")


def parts_sum(case: Case) -> Iterator[Seen]:
    """TOU_SUM: the registers by time of use against the total."""
    parts = case.facts.parts
    if not parts or case.use is None:
        return
    summed = sum((Fraction(one) for one in parts), Fraction(0))
    limit = Fraction(case.parameters.of("TOU_SUM")["units"]) * len(parts)
    off = abs(summed - case.use)
    if off > limit:
        said = f"The registers by time of use add up to {say(summed)}, the total is {say(case.use)}: {say(off)} apart."
        yield Seen(say(off), say(limit), said)


def demand(case: Case) -> Iterator[Seen]:
    """DEMAND: the highest demand is at least the mean one, so that the load factor is at most 1."""
    facts = case.facts
    if facts.demand is None or case.use is None:
        return
    hours = Fraction(midnight(facts.end, facts.zone) - midnight(facts.begin, facts.zone), 3600)
    if hours > 0 and Fraction(facts.demand) * hours < case.use:
        mean = say(case.use / hours)
        said = (
            f"{say(case.use)} in {say(hours)} h needs a demand of at least {mean}; {say(facts.demand)} was delivered."
        )
        yield Seen(say(facts.demand), mean, said)
