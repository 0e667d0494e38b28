"""The rules that ask whether the use is plausible: within a day, against history, and of the service at all."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import ceil, isqrt

from billing_assets.metering.validation.cases import Case, Seen, interval_text, say
from billing_assets.metering.validation.facts import Direction, HistoryPeriod, PeriodFacts, in_kilo


def spike(case: Case) -> Iterator[Seen]:
    """SPIKE: (p1 - p3) / p3 of a day, p1 its highest value and p3 its third highest. Above a p3 of zero any p1 is
    one."""
    intervals = case.facts.intervals
    if intervals is None:
        return
    percent = case.parameters.of("SPIKE")["percent"]
    most, base = percent.as_integer_ratio()
    for place, day in enumerate(intervals.grid.days):
        good = [value for value, quality in zip(*intervals.of_day(place), strict=True) if quality > 0]
        if len(good) < 3:
            continue
        first, _, third = sorted(good, reverse=True)[:3]
        if first > 0 and (third <= 0 or (first - third) * 100 * base > most * third):
            observed = f"{say(Fraction(100 * (first - third), third), 1)} %" if third > 0 else "above nothing"
            high, low = interval_text(first, intervals.decimals), interval_text(third, intervals.decimals)
            said = f"{day}: the highest interval is {high}, the third highest {low}: {observed}."
            yield Seen(observed, f"{say(percent)} %", said, day)


def high(case: Case) -> Iterator[Seen]:
    """HIGH: average daily use against the last period and the same period of last year; above either is a finding."""
    yield from _against_history(case, "HIGH")


def low(case: Case) -> Iterator[Seen]:
    """LOW: average daily use below either of the two."""
    yield from _against_history(case, "LOW")


def _against_history(case: Case, rule: str) -> Iterator[Seen]:
    facts, set_to = case.facts, case.parameters.of(rule)
    if case.use is None:
        return
    good = [one for one in _earlier(facts) if not one.outage and one.estimated * 100 <= set_to["estimated"]]
    if not good or len(good) < set_to["periods"]:
        return
    ratio, now = Fraction(set_to["ratio"]), case.use / facts.days
    against = {"the last period": good[0], "the same period last year": last_year(facts.begin, facts.end, good)}
    found: list[tuple[str, str]] = []
    for name, one in against.items():
        if one is None or (name != "the last period" and one is good[0]):
            continue
        limit = ratio * one.per_day
        if now > limit if rule == "HIGH" else now < limit:
            times = say(now / one.per_day, 2) if one.per_day else "above nothing"
            found.append((times, f"{times} times {name} ({say(one.per_day, 1)} a day)"))
    if found:
        said = f"The use is {say(now, 1)} a day: {' and '.join(text for _, text in found)}."
        yield Seen(found[0][0], say(set_to["ratio"]), said)


def _earlier(facts: PeriodFacts) -> list[HistoryPeriod]:
    """The earlier periods, the latest first."""
    return sorted((one for one in facts.history if one.end <= facts.begin), key=lambda one: one.end, reverse=True)


def last_year(first: date, after: date, history: Sequence[HistoryPeriod]) -> HistoryPeriod | None:
    """The period of the year before that has at least half of these days, of several the one with most; None: there is
    none."""
    begin, end = year_before(first), year_before(after)
    shared = {place: (min(one.end, end) - max(one.begin, begin)).days for place, one in enumerate(history)}
    best = max(shared, key=lambda place: shared[place], default=None)
    return history[best] if best is not None and shared[best] > 0 and 2 * shared[best] >= (end - begin).days else None


def year_before(day: date) -> date:
    """The same day of the year before; of 29 February the 28th."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)


def zero(case: Case) -> Iterator[Seen]:
    """ZERO: no use on an active service, not while the power was off."""
    facts, least = case.facts, case.parameters.of("ZERO")["periods"]
    if not facts.active or facts.stream.direction is not Direction.CONSUMPTION or case.use != 0 or _was_off(facts):
        return
    if facts.closed_days == facts.days:
        return
    run = 1
    for one in _earlier(facts):
        if one.quantity != 0:
            break
        run += 1
    if run >= least:
        said = "Nothing was used although the service is active"
        yield Seen(str(run), say(least), f"{said}, for {run} periods in a row." if run > 1 else f"{said}.")


def _was_off(facts: PeriodFacts) -> bool:
    intervals = facts.intervals
    if facts.outage or intervals is None:
        return facts.outage
    good = intervals.good()
    return not good.any() or (intervals.outages is not None and bool(intervals.outages[good].all()))


def inactive(case: Case) -> Iterator[Seen]:
    """INACTIVE: use on days without a service. Of reads that only partly lie in such days nothing is said: the read
    at the disconnection makes a period of its own."""
    facts, most = case.facts, case.parameters.of("INACTIVE")["quantity"]
    if case.use is None or not facts.closed:
        return
    if facts.intervals is None:
        used = case.use if facts.closed_days == facts.days else Fraction(0)
    else:
        used = facts.intervals.exact(_used_when_closed(facts)) * Fraction(facts.interval_multiplier)
    if used * in_kilo(facts.stream.unit) > most:
        said = f"{say(used)} {facts.stream.unit} were used while the service was closed or disconnected."
        yield Seen(say(used), say(most), said)


def _used_when_closed(facts: PeriodFacts) -> int:
    intervals = facts.intervals
    assert intervals is not None  # noqa: S101 - asked by the caller
    used = 0
    for place, day in enumerate(intervals.grid.days):
        if facts.is_closed(day):
            used += sum(value for value, quality in zip(*intervals.of_day(place), strict=True) if quality > 0)
    return used


def stat(case: Case) -> Iterator[Seen]:
    """STAT: how many standard deviations the use per day lies from the point's mean."""
    facts, set_to = case.facts, case.parameters.of("STAT")
    kept = facts.statistics
    if case.use is None or kept is None or kept.count < set_to["values"]:
        return
    now, most = case.use / facts.days, Fraction(set_to["deviations"])
    squared = (now - kept.mean) ** 2
    if squared > most**2 * kept.variance:
        times = say(_root(squared / kept.variance), 2) if kept.variance else "above nothing"
        mean = f"the mean of {kept.count} periods is {say(kept.mean)}"
        said = f"The use is {say(now)} a day, {mean}: {times} standard deviations away."
        yield Seen(times, say(set_to["deviations"]), said)


def _root(value: Fraction) -> Fraction:
    """A square root to four decimals, for show: the rule compares squares."""
    return Fraction(isqrt(int(value * 10**8)), 10**4)


def change(case: Case) -> Iterator[Seen]:
    """CHANGE: 100 · |now - before| / now: of registers their use per day, of intervals their peak."""
    facts, percent = case.facts, case.parameters.of("CHANGE")["percent"]
    before = next(iter(_earlier(facts)), None)
    if before is None or case.use is None:
        return
    if facts.intervals is None:
        what, now, then = "use per day", case.use / facts.days, before.per_day
    else:
        highest = facts.intervals.totals[1]
        if before.peak is None or highest is None:
            return
        what, then = "highest interval", Fraction(before.peak)
        now = facts.intervals.exact(highest) * Fraction(facts.interval_multiplier)
    if 100 * abs(now - then) > Fraction(percent) * abs(now):
        observed = f"{say(100 * abs(now - then) / abs(now), 1)} %" if now else "to nothing"
        yield Seen(observed, f"{say(percent)} %", f"The {what} went from {say(then)} to {say(now)}: {observed}.")


def consecutive(case: Case) -> Iterator[Seen]:
    """CONSECUTIVE: the same value in a row for a day."""
    intervals = case.facts.intervals
    if intervals is None:
        return
    hours = case.parameters.of("CONSECUTIVE")["hours"]
    least = needed(hours, intervals.grid.length_seconds)
    values, good = intervals.values.tolist(), intervals.good().tolist()
    first = 0
    for place in range(1, len(values) + 1):
        if place < len(values) and good[place] and good[first] and values[place] == values[first]:
            continue
        count = place - first
        if good[first] and count >= least:
            value, day = interval_text(values[first], intervals.decimals), intervals.grid.day_of(first)
            said = f"{count} intervals in a row from {day} on have the same value {value}."
            yield Seen(f"{count} times {value}", f"{say(hours)} h", said, day)
        first = place


def needed(hours: Decimal, length_seconds: int) -> int:
    """How many intervals cover so many hours; at least two."""
    return max(2, ceil(Fraction(hours) * 3600 / length_seconds))
