"""The rules that look at what was delivered: its form, its device, whether all is there, and its time."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from billing_assets.metering.validation.cases import Case, Seen, say
from billing_assets.metering.validation.facts import DeviceFacts, PeriodFacts, Quality
from billing_assets.metering.validation.parameters import Severity
from billing_assets.metering.validation.registers import ReadError, parse_read


def size(case: Case) -> Iterator[Seen]:
    """SIZE: intervals of another length than the stream's."""
    want = case.facts.stream.length_seconds
    for got in sorted(set(case.facts.lengths) - {want}):
        yield Seen(
            f"{got} s", f"{want} s", f"Intervals of {got} s were delivered; the stream has intervals of {want} s."
        )


def unit(case: Case) -> Iterator[Seen]:
    """UNIT: another unit than the stream's, compared without case."""
    want = case.facts.stream.unit
    for got in sorted(set(case.facts.units)):
        if got.upper() != want.upper():
            yield Seen(got, want, f"The unit delivered is {got or 'empty'}; the stream is measured in {want}.")


def meter(case: Case) -> Iterator[Seen]:
    """METER: a serial that is not on the point, more digits than dials, other decimals than the device's."""
    facts = case.facts
    on_point = sorted({one.serial for one in facts.devices})
    for serial in sorted({*facts.serials, *(one.serial for one in facts.registers)} - {"", *on_point}):
        if on_point:
            yield Seen(serial, ", ".join(on_point), f"Meter {serial} is not on the point in this period.")
    for register in facts.registers:
        device = _device(facts, register.serial)
        for text in dict.fromkeys((register.begin_read, register.end_read)):
            yield from _read(text, device)


def _read(text: str, device: DeviceFacts | None) -> Iterator[Seen]:
    try:
        parse_read(text)
    except ReadError as error:
        yield Seen(text, "a number", str(error))
        return
    whole, _, rest = text.strip().partition(".")
    if device is None:
        return
    if device.digits is not None and len(whole) > device.digits:
        said = f"The read {text} has {len(whole)} digits; the register has {device.digits} dials."
        yield Seen(str(len(whole)), str(device.digits), said)
    if device.decimals is None:
        return
    if not rest[device.decimals :].strip("0"):  # a database may keep more decimals than the register has
        rest = rest[: device.decimals]
    if len(rest) != device.decimals:
        said = f"The read {text} has {len(rest)} decimals; the register has {device.decimals}."
        yield Seen(str(len(rest)), str(device.decimals), said)


def _device(facts: PeriodFacts, serial: str) -> DeviceFacts | None:
    found = [one for one in facts.devices if serial in ("", one.serial)]
    return found[0] if len(found) == 1 else None


def multiplier(case: Case) -> Iterator[Seen]:
    """MULTIPLIER: another one in the file than the device has."""
    for register in case.facts.registers:
        device = _device(case.facts, register.serial)
        if device is None or device.multiplier is None or register.multiplier is None:
            continue
        if register.multiplier != device.multiplier:
            got, want = say(register.multiplier), say(device.multiplier)
            yield Seen(got, want, f"The multiplier delivered is {got}; the device has {want}.")


def missing(case: Case) -> Iterator[Seen]:
    """MISSING: local days with fewer values than they have intervals; a register period without a quantity. Of days
    without a service, such as those before a supply began, nothing is expected."""
    facts = case.facts
    if facts.closed_days == facts.days:
        return
    if facts.intervals is None:
        if facts.stream.length_seconds or (case.use is None and not facts.registers):
            yield Seen("0", "1", f"Nothing was delivered for {facts.begin} to {facts.end}.")
        return
    grid, good = facts.intervals.grid, facts.intervals.good()
    for day, first, after in zip(grid.days, grid.starts, grid.starts[1:], strict=False):
        got, want = int(good[first:after].sum()), after - first
        if got != want and not facts.is_closed(day):
            yield Seen(str(got), str(want), f"{day}: {got} of {want} intervals have a value.", day)


def period(case: Case) -> Iterator[Seen]:
    """PERIOD: it ends in the future, overlaps another one or leaves a gap after the one before. The end of one is the
    start of the next. An estimated read may lie in the future: its date is the next scheduled one."""
    facts = case.facts
    days = case.parameters.of("PERIOD")["days"]
    ahead = (facts.end - facts.today).days
    estimated = bool(facts.registers) and facts.registers[-1].end_quality is Quality.ESTIMATE
    if ahead > days and not estimated:
        yield Seen(f"{ahead} d", f"{say(days)} d", f"The period ends on {facts.end}, {_days(ahead)} in the future.")
    for begin, end in facts.overlapping:
        shared = (min(end, facts.end) - max(begin, facts.begin)).days
        if shared > days:
            said = (
                f"The period {facts.begin} to {facts.end} has {_days(shared)} in common with {begin} to {end}, which "
            )
            yield Seen(f"{shared} d", f"{say(days)} d", f"{said}counts too: reject one of them.")
    if facts.previous_end is None:
        return
    gap = (facts.begin - facts.previous_end).days
    if abs(gap) > days:
        what = (
            f"{_days(gap)} after the end of the one before" if gap > 0 else f"{_days(-gap)} before the last one ended"
        )
        said = f"The period begins on {facts.begin}, {what} ({facts.previous_end})."
        yield Seen(f"{abs(gap)} d", f"{say(days)} d", said)


def duplicate(case: Case) -> Iterator[Seen]:
    """DUPLICATE: values that came twice; of equal ones the second is dropped, of others the rank chooses."""
    facts = case.facts
    if facts.copies:
        said = f"Values that came again with the same number, and were dropped: {facts.copies}."
        yield Seen(str(facts.copies), "0", said)
    if facts.conflicts:
        said = f"Versions that another one of higher rank, or a newer one, took the place of: {facts.conflicts}."
        yield Seen(str(facts.conflicts), "0", said)


def time(case: Case) -> Iterator[Seen]:
    """TIME: the meter's clock differs."""
    seconds = case.facts.clock_seconds
    minutes = case.parameters.of("TIME")["minutes"]
    if seconds is not None and abs(seconds) > minutes * 60:
        said = f"The meter's clock is {timedelta(seconds=abs(seconds))} {'fast' if seconds > 0 else 'slow'}."
        yield Seen(f"{say(Decimal(abs(seconds)) / 60, 2)} min", f"{say(minutes)} min", said)


def sibling(case: Case) -> Iterator[Seen]:
    """SIBLING: another stream of the point has days without data when the period closes; one that is not billed only
    informs."""
    if not case.facts.closing:
        return
    for one in case.facts.siblings:
        if one.missing_days:
            what = "is billed with this one and" if one.billed else "is not billed and"
            said = f"Stream {one.suffix} of the point {what} has no data on {_days(one.missing_days)} of the period."
            yield Seen(f"{one.missing_days} d", "0 d", said, None, None if one.billed else Severity.INFO)


def _days(count: int) -> str:
    return f"{count} day" if count == 1 else f"{count} days"
