"""X12 interchanges as utilities write them, from the facts of the sets."""

from collections.abc import Iterator
from datetime import date

from billing_assets.sandbox.samples.utility.outcomes import Sending, decimal
from billing_assets.sandbox.samples.utility.points import US, US_LONG, UTILITIES, Utility
from billing_assets.sandbox.samples.utility.texas_sets import ChargesSet, TexasSet, UsageSet
from billing_assets.sandbox.samples.utility.usage import MeterUse, Quarter

Segment = tuple[str, ...]
_MARKET = "183529049"
_STRANGER = Utility("900000999", "NO ONE KNOWS", "*", "~", True)

EDIFACT = b"UNA:+.? 'UNB+UNOC:3+4012345000023:14+4012345000047:14+250912:0815+1'UNZ+0+1'"


def interchange(sending: Sending[TexasSet], control: int, groups: Iterator[int]) -> bytes:
    """An interchange. `groups` has the next control numbers of its groups; the charges may be before the usage."""
    sender = _STRANGER if sending.fault == "sender unknown" else UTILITIES[sending.sender]
    segments: list[Segment] = [_isa(sender, sending.day, control)]
    kinds = 0
    for kind, type_ in (("IN", "810"), ("PT", "867")):
        if chosen := [one for one in sending.items if one.type == type_]:
            segments.extend(_group(sender, kind, chosen, sending.day, next(groups)))
            kinds += 1
    trailer = control + 1 if sending.fault == "IEA02 differs" else control
    segments.append(("IEA", str(kinds), f"{trailer:09}"))
    content = "".join(sender.separator.join(segment) + sender.terminator for segment in segments).encode()
    return content[: len(content) * 2 // 3] if sending.fault == "cut off" else content


def _isa(sender: Utility, day: date, control: int) -> Segment:
    blank = " " * 10
    ids = ("01", f"{sender.duns:15}", "01", f"{US:15}")
    return (
        "ISA",
        "00",
        blank,
        "00",
        blank,
        *ids,
        f"{day:%y%m%d}",
        "0732",
        "U",
        "00401",
        f"{control:09}",
        "0",
        "P",
        ">",
    )


def _group(sender: Utility, kind: str, items: list[TexasSet], day: date, control: int) -> Iterator[Segment]:
    yield "GS", kind, sender.duns, US_LONG, f"{day:%Y%m%d}", "0732", str(control), "X", "004010"
    for number, one in enumerate(items, 1):
        body = list(_usage(sender, one) if isinstance(one, UsageSet) else _charges(sender, one))
        wrong = isinstance(one, UsageSet) and one.wrong_count
        yield "ST", one.type, f"{number:04}"
        yield from body
        yield "SE", str(len(body) + 2 + wrong), f"{number:04}"
    yield "GE", str(len(items)), str(control)


def _usage(sender: Utility, one: UsageSet) -> Iterator[Segment]:
    bpt = ("BPT", one.purpose, one.id, f"{one.day:%Y%m%d}", "DD")
    yield (*bpt, "", "", "", "", one.names) if one.names else bpt
    yield "REF", "Q5", "", one.point.name
    if one.estimated:
        yield "REF", "5I", "NA"
    yield "N1", "8S", sender.name, "1", sender.duns
    yield "N1", "AY", "ERCOT", "1", _MARKET, "", "41"
    yield "N1", "SJ", "RETAIL CO", "9", US_LONG, "", "40"
    known, how = ("KA", "EE") if one.estimated else ("QD", "AA")
    total = str(one.kwh)
    if one.quarters:
        yield from _intervals(sender, one, total)
        return
    summary = "SU" if one.meters else "BC"
    yield "PTD", summary
    yield from _dates(one.begin, one.end)
    rows = [("51", one.kwh)]
    if one.point.kind == "time of use":
        rows += [(code, kwh) for code, kwh, *_ in one.meters[0].rows if code != "51"]
    for code, kwh in rows:
        yield "QTY", known, str(kwh)
        yield "MEA", how, "PRQ", str(kwh), "KH", "", "", code
    for meter in one.meters:
        yield from _meter(meter, known, how)
    if not one.meters:
        yield "PTD", "BD"
        yield from _dates(one.begin, one.end)
        yield "QTY", known, total
        yield "MEA", how, "PRQ", total, "KH", "", "", "51"


def _dates(begin: date, end: date) -> Iterator[Segment]:
    yield "DTM", "150", f"{begin:%Y%m%d}"
    yield "DTM", "151", f"{end:%Y%m%d}"


def _meter(meter: MeterUse, known: str, how: str) -> Iterator[Segment]:
    yield "PTD", "PL", "", "", "MG", meter.serial
    yield from _dates(meter.begin, meter.end)
    if meter.exchanged:
        yield "DTM", "514", f"{meter.exchanged:%Y%m%d}"
    yield "REF", "MT", "KHMON"
    yield "REF", "JH", "A"
    for code, kwh, begin, end in meter.rows:
        yield "QTY", known, str(kwh)
        yield "MEA", how, "PRQ", str(kwh), "KH", f"{begin:05}", f"{end:05}", code
    if meter.multiplier != 1:
        yield "MEA", "", "MU", str(meter.multiplier)


def _intervals(sender: Utility, one: UsageSet, total: str) -> Iterator[Segment]:
    for loop in ("IA", "BO"):
        yield ("PTD", loop) if loop == "IA" else ("PTD", loop, "", "", "MG", one.point.serial)
        yield from _dates(one.begin, one.end)
        if loop == "BO":
            yield "REF", "MT", "KH015"
            yield "REF", "JH", "A"
        yield "QTY", "QD", total
        yield "MEA", "AA", "PRQ", total, "KH", "", "", "51"
    yield "PTD", "PM", "", "", "MG", one.point.serial
    yield from _dates(one.begin, one.end)
    yield "REF", "MT", "KH015"
    for quarter in one.quarters:
        yield "QTY", "QD", str(decimal(quarter.thousandths))
        yield _end(sender, quarter)


def _end(sender: Utility, quarter: Quarter) -> Segment:
    """The end of an interval. Midnight is written 0000 of the next day or 2400 of the day, by utility."""
    end = quarter.end
    # At the moment of the change the interval that ends is still one of daylight saving.
    daylight = "CD" if (end.dst() or (end.fold and end.hour == 1 and end.minute == 0)) else "CS"
    hour = f"{end:%H%M}"
    day = end.date()
    if daylight == "CD" and not end.dst():
        hour = "0200"
    if hour == "0000" and not sender.together:
        day, hour = date.fromordinal(day.toordinal() - 1), "2400"
    return "DTM", "194", f"{day:%Y%m%d}", hour, daylight


def _charges(sender: Utility, one: ChargesSet) -> Iterator[Segment]:
    yield "BIG", f"{one.day:%Y%m%d}", one.id, "", "", one.usage, "", "ME", one.purpose
    yield "REF", "Q5", "", one.point.name
    if one.original:
        yield "REF", "OI", one.original
    yield "N1", "8S", sender.name, "1", sender.duns
    yield "N1", "SJ", "RETAIL CO", "9", US_LONG
    yield "ITD", "01", "3", "", "", "", f"{date.fromordinal(one.day.toordinal() + 20):%Y%m%d}"
    yield "IT1", "1", "", "", "", "", "SV", "ELECTRIC", "C3", "UNMET" if one.point.kind == "unmetered" else "METER"
    yield from _dates(one.begin, one.end)
    for number, (code, text, cents) in enumerate(one.charges, 1):
        yield "SLN", str(number), "", "A"
        yield "SAC", "C", "", "EU", code, str(cents), *([""] * 9), text
    yield "TDS", str(one.total)
    yield "CTT", "1"
