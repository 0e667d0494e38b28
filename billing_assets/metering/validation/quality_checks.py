"""The rules that look at qualities, and at what is replaced."""

from collections.abc import Iterator
from fractions import Fraction

from billing_assets.metering.validation.cases import Case, Seen, say
from billing_assets.metering.validation.facts import PeriodFacts, Quality, in_kilo
from billing_assets.metering.validation.parameters import Severity


def quality_mix(case: Case) -> Iterator[Seen]:
    """QUALITY_MIX: the share of a day's intervals that are not actual."""
    intervals = case.facts.intervals
    if intervals is None:
        return
    percent = case.parameters.of("QUALITY_MIX")["percent"]
    for place, day in enumerate(intervals.grid.days):
        delivered = [one for one in intervals.of_day(place)[1] if one >= Quality.NULL]
        other = sum(one < Quality.ACTUAL for one in delivered)
        if 100 * other > percent * len(delivered):
            share = f"{say(Fraction(100 * other, len(delivered)), 1)} %"
            said = f"{day}: {other} of {len(delivered)} intervals are not actual ({share})."
            yield Seen(share, f"{say(percent)} %", said, day)


def prolonged(case: Case) -> Iterator[Seen]:
    """PROLONGED: estimated periods in a row."""
    facts, set_to = case.facts, case.parameters.of("PROLONGED")
    percent = Fraction(set_to["percent"])
    if not is_estimated(facts, percent):
        return
    run = 1
    for one in sorted(facts.history, key=lambda one: one.end, reverse=True):
        if one.end > facts.begin:
            continue
        if one.estimated * 100 <= percent:
            break
        run += 1
    if run > set_to["periods"]:
        said = f"This is the estimated period number {run} in a row; at most {say(set_to['periods'])} are allowed."
        yield Seen(str(run), say(set_to["periods"]), said)


def is_estimated(facts: PeriodFacts, percent: Fraction) -> bool:
    """Whether a period counts as estimated: more than so many percent of its intervals are, or its last read is."""
    if facts.intervals is not None:
        _, _, counted, estimates = facts.intervals.totals
        return 100 * estimates > percent * counted
    return bool(facts.registers) and facts.registers[-1].end_quality is Quality.ESTIMATE


def replace(case: Case) -> Iterator[Seen]:
    """REPLACE: what the values replace: a lower quality for a higher one, and another quantity. A billed one leads to a
    restatement; a change that is below both thresholds is only recorded."""
    old = case.facts.replaces
    if old is None or case.use is None:
        return
    names = f"{old.quality.name.lower()} → {old.new_quality.name.lower()}"
    if old.new_quality < old.quality and not old.revision:
        said = f"A lower quality would replace a higher one ({names}), and the sender does not call it a revision."
        yield Seen(names, "the same or a higher quality", said)
    off, before = case.use - Fraction(old.quantity), abs(Fraction(old.quantity))
    if off == 0:
        return
    set_to = case.parameters.of("REPLACE")
    energy = abs(off) * in_kilo(case.facts.stream.unit)
    small = energy < set_to["quantity"] and 100 * abs(off) < Fraction(set_to["percent"]) * before
    share = f"{say(100 * abs(off) / before, 2)} %" if before else "from nothing"
    said = f"{names}: {say(old.quantity)} becomes {say(case.use)}, a difference of {say(off)} ({share})"
    limit = f"{say(set_to['quantity'])} kWh, {say(set_to['percent'])} %"
    if old.billed and not small:
        yield Seen(say(off), limit, f"{said}; it was billed and needs a restatement.", None, Severity.ISSUE)
    else:
        yield Seen(say(off), limit, f"{said}; it is recorded.", None, Severity.INFO)
