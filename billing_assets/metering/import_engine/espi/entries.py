"""What an Atom entry says besides its rows, and how entries are joined: by the paths of their links.

Source: NAESB ESPI; hrefs may be relative, absolute, and differ in host and case.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

Element = Any
"""An element of lxml, whose stubs know neither its line nor its tail."""
_RESOURCES = frozenset(
    {
        "batch",
        "billingaccount",
        "customer",
        "electricpowerusagesummary",
        "intervalblock",
        "localtimeparameters",
        "meterreading",
        "readingtype",
        "retailcustomer",
        "subscription",
        "usagepoint",
        "usagesummary",
        "user",
    }
)
_OF_TYPE = (
    "accumulationBehaviour",
    "consumptionTier",
    "cpp",
    "currency",
    "defaultQuality",
    "flowDirection",
    "intervalLength",
    "kind",
    "powerOfTenMultiplier",
    "tou",
    "uom",
)
_OF_OTHERS = (
    "ServiceCategory/kind",
    "ServiceDeliveryPoint/customerAgreement",
    "billLastPeriod",
    "billingPeriod/duration",
    "billingPeriod/start",
    "costAdditionalLastPeriod",
    "dstEndRule",
    "dstOffset",
    "dstStartRule",
    "overallConsumptionLastPeriod/powerOfTenMultiplier",
    "overallConsumptionLastPeriod/uom",
    "overallConsumptionLastPeriod/value",
    "tzOffset",
)
_READ = {name: name for name in (*_OF_TYPE, *(f"ReadingType/{name}" for name in _OF_TYPE), *_OF_OTHERS)}
"""Fields that something is made of: what else an entry has is not kept."""


@dataclass(slots=True)
class Entry:
    """An entry: its links as paths, and the fields of its content (`fields`, by names with `/` between)."""

    kind: str  # the name of the element in its content
    line: int
    self: str = ""
    up: str = ""
    related: list[str] = field(default_factory=list)
    updated: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    def number(self, name: str) -> int | None:
        """A field that is a whole number; None: not there, or something else."""
        return whole_number(self.fields.get(name))


@dataclass(slots=True)
class Feed:
    """The entries of a feed but for its interval blocks, which are counted."""

    points: list[Entry] = field(default_factory=list)
    meter_readings: list[Entry] = field(default_factory=list)
    reading_types: list[Entry] = field(default_factory=list)
    clocks: list[Entry] = field(default_factory=list)
    summaries: list[Entry] = field(default_factory=list)
    interval_blocks: int = 0

    def of_kind(self, kind: str) -> list[Entry] | None:
        """The entries that one of this kind is kept with; None: it is not kept."""
        return {
            "UsagePoint": self.points,
            "MeterReading": self.meter_readings,
            "ReadingType": self.reading_types,
            "LocalTimeParameters": self.clocks,
            "UsageSummary": self.summaries,
            "ElectricPowerUsageSummary": self.summaries,
        }.get(kind)


def path_of(href: str | None) -> str:
    """The path of a link, so that links to one resource are equal: no host, no prefix of the service, lower case.

    >>> path_of("https://host/DataCustodian/espi/1_1/resource/RetailCustomer/3/UsagePoint/1/")
    'retailcustomer/3/usagepoint/1'
    """
    if not href:
        return ""
    try:
        path = urlsplit(href.strip()).path
    except ValueError:  # such as a host in half a bracket
        path = href
    parts = [part for part in path.lower().split("/") if part not in {"", ".", ".."}]
    known = next((at for at, part in enumerate(parts) if part in _RESOURCES), 0)
    return "/".join(parts[known:])


def whole_number(text: str | None) -> int | None:
    """A whole number as XML Schema writes it, of at most 18 digits; None: it is not one."""
    text = (text or "").strip()
    digits = text[1:] if text[:1] in {"+", "-"} else text
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 18:
        return None
    return int(text)


def text_of(element: Element | None) -> str:
    """The text of an element, without blanks around it."""
    return "" if element is None else "".join(element.itertext()).strip()


def name_of(element: Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def links_of(element: Element) -> Entry:
    """The links and the version of an entry."""
    found = Entry("", element.sourceline or 0)
    for child in element:
        name = name_of(child)
        if name == "link":
            rel, path = child.get("rel"), path_of(child.get("href"))
            if rel == "self":
                found.self = path
            elif rel == "up":
                found.up = path
            elif rel == "related" and len(found.related) < 100:
                found.related.append(path)
        elif name == "updated":
            found.updated = text_of(child)[:40]
    return found


def content_of(element: Element) -> Iterator[Element]:
    """The elements in the content of an entry."""
    for child in element:
        if name_of(child) == "content":
            yield from (found for found in child if isinstance(found.tag, str))


def fields_of(element: Element) -> dict[str, str]:
    """The texts of an element's leaves that are read, two levels deep; of repeated ones the first."""
    found: dict[str, str] = {}
    for child in element:
        _take(found, name_of(child), child)
        for below in child:
            _take(found, f"{name_of(child)}/{name_of(below)}", below)
    return found


def _take(found: dict[str, str], name: str, element: Element) -> None:
    kept = _READ.get(name)
    if kept is not None and not len(element):
        found.setdefault(kept, sys.intern(text_of(element)[:100]))
