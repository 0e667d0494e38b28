"""The quantities of an 867: the summary, once, and what its detail must add up to.

Source: Texas SET 867_03 and 867IU: summary = additive - subtractive meters, `BC` is its own summary; meters within one
unit, intervals within 1 % of it; times of use add up to their total.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from billing_assets.metering.import_engine.messages import Finding
from billing_assets.metering.import_engine.x12_sets.codes import finding
from billing_assets.metering.import_engine.x12_sets.elements import ZERO, total
from billing_assets.metering.import_engine.x12_sets.intervals import Read, read_intervals
from billing_assets.metering.import_engine.x12_sets.options import SetOptions
from billing_assets.metering.import_engine.x12_sets.registers import registered
from billing_assets.metering.import_engine.x12_sets.usage_content import UNITS, WHOLE, Loop, Usage

ENERGY = ("KH", "K3")
"""Units that add up; demand does not."""

_PERIOD_FROM = ("SU", "IA", "BC", "BO", "BB", "PL", "PM", "PP", "BQ", "BD")
_ACCOUNT = ("PP", "BQ")
_NOT_FROM_READS = frozenset({"AF", "BO"})  # MEA01 of a quantity that its reads need not explain


class _Sorted:
    """The loops of a set by what they are for."""

    def __init__(self, loops: list[Loop]) -> None:
        self.of: dict[str, list[Loop]] = {}
        for loop in loops:
            self.of.setdefault(loop.type, []).append(loop)
        get = self.of.get
        self.metered, self.net, self.unmetered = get("SU", []), get("IA", []), get("BC", [])
        self.billed, self.meters = get("BB", []), get("BO", [])
        details = [*get("PL", []), *get("PM", [])]
        self.registers = [loop for loop in details if not loop.intervals]
        if not self.unmetered:
            self.registers += get("BD", [])
        self.intervals = [loop for loop in details if loop.intervals]
        self.account = [loop for kind in _ACCOUNT for loop in get(kind, []) if loop.intervals]
        self.summary = self._summary()
        found = {row.unit for loop in loops for row in loop.rows}
        self.units = [unit for unit in ENERGY if unit in found]

    def _summary(self) -> list[Loop]:
        """The loops that are the usage. SU and IA add up only where each has meters of its own."""
        chosen = self.net if self.net and not self.registers else self.metered + self.net
        return (chosen or self.meters or ([] if self.unmetered else self.billed)) + self.unmetered


def check_sums(usage: Usage, options: SetOptions, found: list[Finding]) -> None:
    """Fills period, quantities and intervals of the usage, and notes what does not add up."""
    loops = _Sorted(usage.loops)
    line = usage.loops[0].position if usage.loops else None
    _period(usage, loops, line, found)
    for loop in usage.loops:
        if len(loop.rows) > 1:
            _times_of_use(loop, options, found)
    for loop in (*loops.registers, *loops.meters):
        _reads(usage, loop, options, found)
    _quantities(usage, loops, options, line, found)
    meters = [_read(usage, loop, options, found) for loop in loops.intervals]
    account = [_read(usage, loop, options, found) for loop in loops.account]
    _against_registers(loops, options, found)
    if not meters and not account:
        return
    usage.intervals = [block for read in (account or meters) for block in read.blocks]
    _against_intervals(loops, meters, account, options, found)
    for loop in usage.loops:
        loop.intervals = []  # the blocks have them


def _period(usage: Usage, loops: _Sorted, line: int | None, found: list[Finding]) -> None:
    chosen = next(
        (ones for kind in _PERIOD_FROM if (ones := [one for one in loops.of.get(kind, ()) if one.start and one.end])),
        [],
    )
    if chosen:
        usage.start = min(one.start for one in chosen if one.start)
        usage.end = max(one.end for one in chosen if one.end)
    else:
        found.append(finding("NO_PERIOD", line, "No loop has both DTM 150 and DTM 151."))
    told: set[tuple[date, date]] = set()
    for loop in usage.loops:
        start, end = loop.start, loop.end
        if start and end and start >= end and (start, end) not in told:
            told.add((start, end))
            found.append(finding("BAD_PERIOD", loop.position, bad_period(start, end)))


def bad_period(start: date, end: date) -> str:
    """The sentence about a period that is none."""
    return f"The service period from {start} to {end} {'has no day' if start == end else 'begins after its end'}."


def energy(loop: Loop, unit: str) -> Decimal | None:
    """The loop's total in a unit of energy: its row `51`, else its only quantity, else its times of use together."""
    if len(loop.rows) == 1:
        return loop.rows[0].quantity if loop.rows[0].unit == unit else None
    rows = [(row.time_of_use, row.quantity) for row in loop.rows if row.unit == unit and row.quantity is not None]
    if not rows:
        return None
    for kinds in (("51",), ("",)):
        found = [quantity for kind, quantity in rows if kind in kinds]
        if found:
            return total(found)
    return total(quantity for _, quantity in rows)


def _sign(loop: Loop, options: SetOptions) -> int:
    if loop.role == options.subtractive:
        return -1
    return 0 if loop.role == options.ignored else 1


def _sum(loops: Iterable[Loop], unit: str, options: SetOptions) -> Decimal | None:
    """Additive less subtractive loops; None where no loop has the unit."""
    found = [(quantity, _sign(loop, options)) for loop in loops if (quantity := energy(loop, unit)) is not None]
    if len(found) == 1 and found[0][1] == 1:
        return found[0][0]
    return total(quantity * sign for quantity, sign in found if sign) if found else None


def _times_of_use(loop: Loop, options: SetOptions, found: list[Finding]) -> None:
    for unit in ENERGY:
        rows = [row for row in loop.rows if row.unit == unit and row.quantity is not None]
        times = [row.quantity for row in rows if row.time_of_use not in WHOLE and row.quantity is not None]
        whole = [row for row in rows if row.time_of_use in WHOLE]
        if not times or not whole:
            continue
        said, parts = total(row.quantity for row in whole if row.quantity is not None), total(times)
        if abs(said - parts) > options.time_of_use_tolerance:
            sentence = f"The times of use are {parts} {UNITS[unit]}, their total says {said}."
            found.append(finding("TOU_SUM", whole[0].position, sentence))


def _reads(usage: Usage, loop: Loop, options: SetOptions, found: list[Finding]) -> None:
    """Each quantity is what its reads, multiplier and one rollover at most explain."""
    for row in loop.rows:
        if row.unit not in ENERGY or not row.begin_read or not row.end_read or row.measure in _NOT_FROM_READS:
            continue
        start, end = loop.start or usage.start, loop.end or usage.end
        days = max(1, (end - start).days) if start and end else 1
        between = registered(row.begin_read, row.end_read, row.multiplier or ZERO, days, options.most_a_day)
        if between is None:
            continue
        quantity, row.rolled_over = between
        if quantity < 0:
            sentence = f"The register went from {row.begin_read} to {row.end_read}, and no rollover explains it."
            found.append(finding("NEGATIVE", row.position, sentence))
        if row.quantity is None:
            row.quantity = quantity
        elif abs(quantity - row.quantity) > options.sum_tolerance:
            sentence = f"The reads and the multiplier give {quantity}, the quantity says {row.quantity}."
            found.append(finding("SUM_CHECK", row.position, sentence))


def _quantities(usage: Usage, loops: _Sorted, options: SetOptions, line: int | None, found: list[Finding]) -> None:
    chosen = loops.summary
    if not chosen:
        found.append(finding("NO_SUMMARY", line, "The set has no summary (PTD SU, IA, BC, BO or BB)."))
        return
    for unit in dict.fromkeys(row.unit for loop in chosen for row in loop.rows):
        if unit in ENERGY:
            quantity = _sum(chosen, unit, options)
        else:
            demands = [
                row.quantity for loop in chosen for row in loop.rows if row.unit == unit and row.quantity is not None
            ]
            quantity = max(demands, default=None)
        if quantity is not None:
            usage.quantities[unit] = quantity
    if not usage.quantities:
        found.append(finding("NO_QUANTITY", chosen[0].position, "The summary has no quantity."))
    for loop in chosen:
        for row in loop.rows:
            usage.is_estimated = usage.is_estimated or row.is_estimated
            if row.time_of_use not in WHOLE and row.quantity is not None:
                times = usage.times_of_use.setdefault(row.unit, {})
                times[row.time_of_use] = times.get(row.time_of_use, ZERO) + row.quantity
    metered = loops.metered or loops.net
    if usage.is_estimated and metered and not usage.estimate_reason and "Q5" in usage.references:
        code = "NO_ESTIMATE_REASON" if usage.utility in options.investor_owned else "UNEXPLAINED_ESTIMATE"
        sentence = "The summary is estimated (KA), and REF*5I with the reason is missing."
        found.append(finding(code, chosen[0].position, sentence))
    intervals = loops.intervals or loops.account
    is_bare = not intervals if loops.net else not intervals and not loops.registers
    if is_bare and chosen != loops.unmetered and usage.report_type not in options.summary_only_types:
        found.append(finding("NO_DETAIL", chosen[0].position, "The set has a summary and no meter or interval detail."))


def _read(usage: Usage, loop: Loop, options: SetOptions, found: list[Finding]) -> Read:
    return read_intervals(loop, usage.point, loop.start or usage.start, loop.end or usage.end, options, found)


def _against_registers(loops: _Sorted, options: SetOptions, found: list[Finding]) -> None:
    """Meters against the summary, the parts of a summary against each other."""
    unmetered = loops.of.get("BD", []) if loops.unmetered else []
    billed = loops.billed if not loops.metered and not loops.net and not loops.meters else []
    for one, other, name in (
        (loops.metered or billed, loops.registers, "meters"),
        (loops.unmetered, unmetered, "unmetered details"),
        (loops.net, loops.meters, "summaries of the meters"),
        (loops.metered if loops.net and not loops.registers else [], loops.net, "net interval summary"),
    ):
        if not one or not other:
            continue
        for unit in loops.units:
            summary, detail = _sum(one, unit, options), _sum(other, unit, options)
            if summary is not None and abs(summary - (detail or ZERO)) > options.sum_tolerance:
                sentence = f"The {name} add up to {detail or ZERO} {UNITS[unit]}, the summary says {summary}."
                found.append(finding("SUM_CHECK", one[0].position, sentence))
    if loops.metered and loops.billed:
        metered, said = _sum(loops.metered, "KH", options), _sum(loops.billed, "KH", options)
        if metered is not None and said is not None and abs(metered - said) > options.sum_tolerance:
            sentence = f"Billed are {said} kWh, metered {metered}; the metered summary is used."
            found.append(finding("BILLED_DIFFERS", loops.billed[0].position, sentence))


def _against_intervals(
    loops: _Sorted, meters: list[Read], account: list[Read], options: SetOptions, found: list[Finding]
) -> None:
    """The intervals of the account, and those of its meters, against the summary; those of a meter against its own."""
    summary = loops.net or loops.metered or loops.meters or loops.billed
    signs = [_sign(loop, options) for loop in loops.intervals]
    for unit in ENERGY:
        said = _sum(summary, unit, options)
        by_meter = [read.sum * sign for read, sign in zip(meters, signs, strict=True) if read.unit == unit]
        for values in (by_meter, [read.sum for read in account if read.unit == unit]):
            if values and said is not None:
                _compare(total(values), said, unit, summary[0].position, options, found)
        if not loops.net and not loops.metered and len(loops.meters) < 2:
            continue
        for loop, read in zip(loops.intervals, meters, strict=True):
            own = [one for one in loops.meters if one.meter == loop.meter and energy(one, unit) is not None]
            if read.unit == unit and len(own) == 1 and (of_meter := energy(own[0], unit)) is not None:
                _compare(read.sum, of_meter, unit, own[0].position, options, found)


def _compare(summed: Decimal, said: Decimal, unit: str, line: int, options: SetOptions, found: list[Finding]) -> None:
    if abs(summed - said) > options.interval_tolerance * abs(said):
        sentence = f"The intervals add up to {summed} {UNITS[unit]}, the summary says {said}."
        found.append(finding("SUM_CHECK", line, sentence))
