"""Writes Green Button feeds from plain facts, without a line of the reader: what tests hold the reader against."""

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

Row = tuple[int, int, int, int | None, int | None]
"""Start, duration, value, cost, quality."""


@dataclass
class Reading:
    """A meter reading with its rows, by block."""

    point: str
    name: str
    power: int = 0
    uom: int | None = 72
    flow: int = 1
    blocks: list[list[Row]] = field(default_factory=list)
    type_extra: str = ""


@dataclass
class Style:
    """What differs between exporters."""

    prefix: str = ""  # of ESPI's elements
    base: str = ""  # of links
    upper: bool = False
    blanks: str = ""  # around numbers


def entries(readings: list[Reading], style: Style, clock: str = "", summaries: str = "") -> list[str]:
    """The entries of a feed."""
    made = []
    for point in dict.fromkeys(reading.point for reading in readings):
        path = f"RetailCustomer/9/UsagePoint/{point}"
        kind = _element("ServiceCategory", _element("kind", "0", style), style)
        made.append(_entry(path, [f"{path}/MeterReading", "LocalTimeParameters/1"], "UsagePoint", kind, style))
    for reading in readings:
        point = f"RetailCustomer/9/UsagePoint/{reading.point}"
        path, kind = f"{point}/MeterReading/{reading.name}", f"ReadingType/{reading.point}-{reading.name}"
        made.append(_entry(path, [f"{path}/IntervalBlock", kind], "MeterReading", "", style))
        facts = "".join(
            _element(name, str(value), style)
            for name, value in (
                ("accumulationBehaviour", 4),
                ("currency", 840),
                ("flowDirection", reading.flow),
                ("kind", 12),
                ("powerOfTenMultiplier", reading.power),
                ("uom", reading.uom),
            )
            if value is not None
        )
        made.append(_entry(kind, [], "ReadingType", facts + reading.type_extra, style))
        for number, rows in enumerate(reading.blocks):
            content = "".join(_row(row, style) for row in rows)
            made.append(_entry(f"{path}/IntervalBlock/{number}", [], "IntervalBlock", content, style))
    if clock:
        made.append(_entry("LocalTimeParameters/1", [], "LocalTimeParameters", clock, style))
    return made


def feed(made: list[str]) -> bytes:
    """A feed of entries."""
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" xmlns:e="http://naesb.org/espi">\n'
    return f"{head}<title>t</title>\n{''.join(made)}</feed>\n".encode()


def _row(row: Row, style: Style) -> str:
    start, duration, value, cost, quality = row
    time = _element("duration", str(duration), style) + _element("start", str(start), style)
    parts = "" if cost is None else _element("cost", str(cost), style)
    if quality is not None:
        parts += _element("ReadingQuality", _element("quality", str(quality), style), style)
    parts += _element("timePeriod", time, style)
    return (
        _element("IntervalReading", parts + _element("value", f"{style.blanks}{value}{style.blanks}", style), style)
        + "\n"
    )


def _element(name: str, content: str, style: Style) -> str:
    return f"<{style.prefix}{name}>{content}</{style.prefix}{name}>"


def _entry(path: str, related: list[str], kind: str, content: str, style: Style) -> str:
    links = "".join(
        f'<link rel="{rel}" href="{escape(style.base + (to.upper() if style.upper else to))}"/>'
        for rel, to in [("self", path), ("up", path.rpartition("/")[0]), *(("related", one) for one in related)]
    )
    own = "" if style.prefix else ' xmlns="http://naesb.org/espi"'
    return (
        f"<entry>{links}\n<content><{style.prefix}{kind}{own}>{content}</{style.prefix}{kind}></content>\n"
        "<updated>2024-07-16T10:26:24Z</updated></entry>\n"
    )
