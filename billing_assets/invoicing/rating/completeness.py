"""Completeness: whether the usage is there, whole, in the right unit, and of a time that has come."""

from datetime import date, timedelta
from fractions import Fraction

from billing_assets.invoicing.rating.bill import Bill
from billing_assets.invoicing.rating.local_time import at_minute, instant_of, local_minutes, minutes_since_epoch
from billing_assets.invoicing.rating.rounding import exact_text
from billing_assets.invoicing.rating.tariff import Charge, Kind
from billing_assets.invoicing.rating.usage import Intervals

_NEEDS_ENERGY = (Kind.USAGE, Kind.TOU, Kind.INDEX, Kind.RATE_TABLE)
_PRICES_ENERGY = (*_NEEDS_ENERGY, Kind.FEED_IN, Kind.GREEN)


def check_completeness(bill: Bill) -> None:
    """Adds the findings about the usage, before anything is priced."""
    _check_some(bill)
    _check_future(bill)
    for charge in bill.tariff.charges:
        if charge.kind in _PRICES_ENERGY:
            _check_unit(bill, charge)
            _check_negative(bill, charge)
        if charge.kind in _PRICES_ENERGY or charge.kind is Kind.DEMAND:
            _check_gaps(bill, charge)
    _check_sums(bill)
    _tell_estimates(bill)


def _check_some(bill: Bill) -> None:
    used = bill.usage
    kinds = {one.kind for one in bill.tariff.charges}
    begins, ends = bill.period.begins, bill.period.ends
    energy = bool(used.intervals) or any(one.begins < ends and begins < one.ends for one in used.registers)
    needs_energy = any(kind in kinds for kind in _NEEDS_ENERGY)
    needs_demand = Kind.DEMAND in kinds and not energy and not used.demand
    if (needs_energy and not energy) or needs_demand:
        bill.find("USAGE_NONE", "usage", "", service_point="the service point", date=ends)


def _check_future(bill: Bill) -> None:
    day = bill.context.as_of
    if day is None:
        return
    ends = [one.ends for one in bill.usage.registers] + [one.ends for one in bill.usage.demand]
    last = max(ends, default=date.min)
    for series in bill.usage.intervals:
        end = minutes_since_epoch(series.start) + series.minutes * len(series.values)
        local = local_minutes(bill.zone_of_context(), at_minute(end - 1), 1)[0]
        last = max(last, date(1970, 1, 1) + timedelta(days=int(local) // 1440 + 1))
    if last > day:
        bill.find("USAGE_FUTURE", "usage", last, ends=last)


def _of(bill: Bill, charge: Charge) -> list[Intervals]:
    channels = (*charge.channels, *((charge.net_channel,) if charge.net != "none" else ()))
    return [one for one in bill.usage.intervals if one.channel in channels and charge.registers is None]


def _check_unit(bill: Bill, charge: Charge) -> None:
    channels = (*charge.channels, *((charge.net_channel,) if charge.net != "none" else ()))
    of_registers = [
        one.unit
        for one in bill.usage.registers
        if one.channel in channels and (charge.registers is None or one.register in charge.registers)
    ]
    for unit in (*of_registers, *(one.unit for one in _of(bill, charge))):
        if unit != charge.unit:
            bill.find("UNIT_MISMATCH", "usage", unit, unit=unit, unit2=charge.unit)
            return


def _check_negative(bill: Bill, charge: Charge) -> None:
    if charge.allow_negative:
        return
    for place, register in enumerate(bill.usage.registers):
        named = charge.registers is None or register.register in charge.registers
        if register.channel in charge.channels and named and register.quantity < 0:
            said = exact_text(-register.quantity)
            bill.find("NEGATIVE_USAGE", f"usage.registers[{place}].quantity", register.quantity, kWh=said)
    for series in _of(bill, charge):
        whole = series.values.values
        if len(whole) and whole.min() < 0:
            below = exact_text(series.values.number(-whole[whole < 0].sum()))
            bill.find("NEGATIVE_USAGE", "usage.intervals", below, kWh=below)


def _check_gaps(bill: Bill, charge: Charge) -> None:
    """Adds USAGE_GAP: instants of the bill without a value, by service point and channel."""
    zone = bill.zone(charge)
    first, end = (minutes_since_epoch(instant_of(day, zone)) for day in (bill.period.begins, bill.period.ends))
    by_channel: dict[tuple[str, str], list[Intervals]] = {}
    for series in _of(bill, charge):
        by_channel.setdefault((series.service_point, series.channel), []).append(series)
    for several in by_channel.values():
        only, minutes = several[0], several[0].minutes
        if len(several) == 1 and only.values.missing is None:
            start = minutes_since_epoch(only.start)
            if start <= first and end <= start + minutes * len(only.values):
                continue  # the usual case: one series over the whole bill
        missing, first_missing = 0, end
        covered = first
        for series in sorted(several, key=lambda one: one.start):
            start = minutes_since_epoch(series.start)
            if covered < start:
                missing += -(-(min(start, end) - covered) // minutes) if covered < end else 0
                first_missing = min(first_missing, covered)
            covered = max(covered, start + series.minutes * len(series.values))
            if series.values.missing is not None:
                low = max(0, -(-(first - start) // series.minutes))
                high = max(low, -(-(end - start) // series.minutes))
                places = series.values.missing[low:high].nonzero()[0]
                if len(places):
                    missing += len(places)
                    first_missing = min(first_missing, start + (low + int(places[0])) * series.minutes)
        if covered < end:
            missing += -(-(end - covered) // minutes)
            first_missing = min(first_missing, covered)
        if missing > charge.gap_tolerance:
            time = f"{at_minute(first_missing):%Y-%m-%dT%H:%MZ}"
            bill.find("USAGE_GAP", "usage.intervals", missing, n=missing, m=-(-(end - first) // minutes), time=time)


def _check_sums(bill: Bill) -> None:
    """Adds INTERVAL_SUM where a channel has intervals and registers of the bill's period that do not agree.

    Reads are cut off after their last digit, so less than one unit of that digit is no difference.
    """
    for point, channel in sorted({(one.service_point, one.channel) for one in bill.usage.registers}):
        registers = [
            one
            for one in bill.usage.registers
            if (one.service_point, one.channel) == (point, channel)
            and (one.begins, one.ends) == (bill.period.begins, bill.period.ends)
        ]
        series = [one for one in bill.usage.intervals if (one.service_point, one.channel) == (point, channel)]
        if not registers or not series:
            continue
        total = sum((_inside(bill, one) for one in series), Fraction(0))
        said = sum((Fraction(one.quantity) for one in registers), Fraction(0))
        digits = max(_decimals(exact_text(one.quantity)) for one in registers)
        if abs(total - said) >= Fraction(len(registers), 10**digits) and total != said:
            bill.find("INTERVAL_SUM", "usage", exact_text(total), a=exact_text(total), b=exact_text(said))


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])


def _inside(bill: Bill, series: Intervals) -> Fraction:
    zone = bill.zone_of_context()
    first, end = (minutes_since_epoch(instant_of(day, zone)) for day in (bill.period.begins, bill.period.ends))
    start = minutes_since_epoch(series.start)
    low, high = max(0, -(-(first - start) // series.minutes)), max(0, -(-(end - start) // series.minutes))
    return series.values.number(series.values.values[low:high].sum())


def _tell_estimates(bill: Bill) -> None:
    """Adds ESTIMATED: how much of all usage is."""
    estimates = [one for one in bill.usage.registers if one.quality != "A"]
    series = [one for one in bill.usage.intervals if one.estimated is not None and one.estimated.any()]
    if not estimates and not series:
        return
    total = sum((Fraction(one.quantity) for one in bill.usage.registers), Fraction(0))
    total += sum((one.values.number(one.values.values.sum()) for one in bill.usage.intervals), Fraction(0))
    estimated = sum((Fraction(one.quantity) for one in estimates), Fraction(0))
    for one in series:
        estimated += one.values.number(one.values.values[one.estimated].sum())
    bill.find("ESTIMATED", "usage", exact_text(estimated), kWh=exact_text(estimated), total=exact_text(total))
