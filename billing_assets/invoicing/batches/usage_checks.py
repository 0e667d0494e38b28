"""Validations of the usage itself: its reads, its meters, its amount, its estimates. Pure functions over one member."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from billing_assets.foundation.money import canonical
from billing_assets.invoicing.batches.codes import Found, Severity, found
from billing_assets.invoicing.batches.facts import MemberFacts
from billing_assets.invoicing.batches.period_checks import needs_charges
from billing_assets.invoicing.batches.settings import Parameters

_TOTAL = ("51", "")
_HELD = {"NO_SERVICE_POINT": "METER_UNKNOWN", "REPLACE_WITHOUT_CANCEL": "REPLACE_WITHOUT_CANCEL"}
_MESSAGES = {"HALF_CANCEL": "USAGE_CANCELLED", **_HELD}


def check_usage(facts: MemberFacts, given: Parameters) -> Iterator[Found]:
    """All of this module."""
    if not facts.has_usage or facts.kwh is None:
        yield found("CONSUMPTION_MISSING", cut_off=facts.cut_off)
        return
    yield from _standing(facts, given)
    yield from _reads(facts, given)
    yield from _meters(facts)
    yield from _intervals(facts, given)
    yield from _amount(facts, given)
    yield from _estimates(facts, given)


def _standing(facts: MemberFacts, given: Parameters) -> Iterator[Found]:
    """Whether it may be billed at all, and what kind of usage it is."""
    if facts.is_cancelled or facts.usage_state == "superseded":
        yield found("USAGE_CANCELLED")
    elif not facts.is_ready:
        first = next(iter(facts.usage_codes), "")
        if code := _MESSAGES.get(first):
            yield found(code)
        elif not _said_elsewhere(first, facts):
            yield found("USAGE_HELD", why=facts.waits_for or facts.usage_state)
    if facts.needs_approval or facts.tariff in given.approval_tariffs:
        yield found("CONSUMPTION_APPROVAL")
    if facts.report_type in given.adjustment_types:
        yield found("CONSUMPTION_TYPE")


def _said_elsewhere(code: str, facts: MemberFacts) -> bool:
    """Whether a finding of its own says why metering does not give the usage: TDSP_MISSING, INTERVALS_MISSING."""
    if code == "WAIT_CHARGES":
        return facts.charges is None and needs_charges(facts)
    return code == "MISSING_INTERVALS" and facts.intervals_found < facts.intervals_due


def _intervals(facts: MemberFacts, given: Parameters) -> Iterator[Found]:
    """Intervals of an interval meter are all there, and add up to the register."""
    missing = facts.intervals_due - facts.intervals_found
    if missing > given.missing_intervals:
        yield found("INTERVALS_MISSING", n=missing, m=facts.intervals_due)
    elif facts.interval_kwh is None or facts.kwh is None:
        return
    elif abs(facts.interval_kwh - facts.kwh) > max(given.sum_kwh, abs(facts.kwh) * given.sum_percent / 100):
        yield found("INTERVAL_REGISTER_SUM", a=canonical(facts.interval_kwh), b=canonical(facts.kwh))


def meters_of(loops: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rows of each meter that is read over a whole period, in the order of the message."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for loop in loops:
        if loop.get("meter"):
            rows.setdefault(loop["meter"], []).extend(loop.get("rows", ()))
    return rows


def _reads(facts: MemberFacts, given: Parameters) -> Iterator[Found]:
    """The begin read is the last end read; exchanged and interval meters, and dials that turned over, are left out."""
    exchanged = {loop.get("meter") for loop in facts.loops if loop.get("exchanged_on")}
    before, now = meters_of(facts.last_loops), meters_of(facts.loops)
    for meter in sorted(before.keys() & now.keys() - exchanged):
        was = {_key(row): row for row in before[meter]}
        for row in now[meter]:
            old = was.get(_key(row))
            if old is None:
                continue
            begin, end = _number(row.get("begin_read")), _number(old.get("end_read"))
            apart = abs(begin - end) if begin is not None and end is not None else Decimal(0)
            if apart > given.read_tolerance and not row.get("rolled_over"):
                yield found("READ_MISMATCH", path=f"{meter} {' '.join(_key(row))}", a=begin, b=end, m=meter)
            new, last = _number(row.get("multiplier")), _number(old.get("multiplier"))
            if new is not None and last is not None and new != last:
                yield found("MULTIPLIER_CHANGED", path=f"{meter} {' '.join(_key(row))}", a=last, b=new)


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row.get("unit", ""), row.get("time_of_use", "")


def _number(text: object) -> Decimal | None:
    return Decimal(str(text)) if text not in (None, "") else None


def _meters(facts: MemberFacts) -> Iterator[Found]:
    """Each meter of the message is the point's, and has a read if its siblings have."""
    rows = meters_of(facts.loops)
    with_read = {meter for meter, all_of in rows.items() if any(row.get("quantity") is not None for row in all_of)}
    if with_read:
        for meter in sorted(rows.keys() - with_read):
            yield found("METER_MISSING", path=meter, m=meter)
    if facts.known_meters:
        for meter in sorted(set(facts.known_meters) - rows.keys() if rows else ()):
            yield found("METER_MISSING", path=meter, m=meter)
        for meter in sorted(rows.keys() - set(facts.known_meters)):
            yield found("METER_UNKNOWN", path=meter)


def _amount(facts: MemberFacts, given: Parameters) -> Iterator[Found]:
    kwh = facts.kwh or Decimal(0)
    if kwh < 0:
        yield found("NEGATIVE_USAGE")
    if kwh == 0:
        if facts.zeros + 1 >= given.zero_periods:
            yield found("ZERO_USAGE", n=facts.zeros + 1)
        return
    if not facts.last_is_own or facts.history < given.least_history:
        return  # too few bills of this customer to compare with
    own, last = _a_day(kwh, facts.days), _a_day(facts.last_kwh, facts.last_days)
    ago = _a_day(facts.year_ago_kwh, facts.year_ago_days)
    before = [one for one in (last, ago) if one is not None]
    if own is None or last is None or not before:
        return
    said: dict[str, Any] = {"a": _said(own), "b": _said(last), "c": "no bill" if ago is None else _said(ago)}
    if own > given.high * max(before):
        yield found("HIGH_USAGE", **said)
    elif own < given.low * min(before):
        yield found("LOW_USAGE", **said)


def _a_day(kwh: Decimal | None, days: int | None) -> Decimal | None:
    return kwh / days if kwh is not None and days else None


def _said(kwh: Decimal) -> str:
    return canonical(kwh.quantize(Decimal("0.1")))


def _estimates(facts: MemberFacts, given: Parameters) -> Iterator[Found]:
    if facts.is_estimated:
        number = facts.estimates + 1
        if number >= given.estimates_warning:
            severity = Severity.ERROR if number >= given.estimates_error else None
            yield found("CONSECUTIVE_ESTIMATES", severity=severity, n=number)
    elif facts.last_estimated and facts.last_loops:
        back = _below(facts)
        if back > 0:
            yield found("ACTUAL_BELOW_ESTIMATE", kwh=canonical(back))


def _below(facts: MemberFacts) -> Decimal:
    """kWh by which the actual end reads lie below the estimated ones that were billed."""
    before, now, back = meters_of(facts.last_loops), meters_of(facts.loops), Decimal(0)
    for meter in before.keys() & now.keys():
        was = {_key(row): _number(row.get("end_read")) for row in before[meter]}
        for row in now[meter]:
            end, old = _number(row.get("end_read")), was.get(_key(row))
            if row.get("unit") == "KH" and end is not None and old is not None and not row.get("rolled_over"):
                back += max(Decimal(0), (old - end) * (_number(row.get("multiplier")) or 1))
    return back
