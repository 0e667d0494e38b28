"""Reads a Green Button feed: streams of interval blocks, and what is wrong with the file.

A feed is read once as a stream; its rows wait in a temporary file until its end, for a type may come after the rows of
its readings, and an entry may come in any order. Memory does not grow with the file.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import BinaryIO

from billing_assets.metering.import_engine.espi.entries import Entry, Feed
from billing_assets.metering.import_engine.espi.espi_codes import ESPI
from billing_assets.metering.import_engine.espi.feed import parse
from billing_assets.metering.import_engine.espi.streams import Linked, days_of, linked, measure
from billing_assets.metering.import_engine.espi.summaries import Summaries
from billing_assets.metering.import_engine.findings import note
from billing_assets.metering.import_engine.interval_blocks import Shape, blocks
from billing_assets.metering.import_engine.interval_rows import NO_START, Qualities, RowSpool
from billing_assets.metering.import_engine.messages import FileReport, Message
from billing_assets.metering.import_engine.options import ReadOptions

FORMAT = "ESPI"
_ROWS_LOST = ("R-VALUE", "R-START", "R-DURATION")


def recognises(head: bytes) -> bool:
    """Whether a file that begins so is a Green Button feed: XML with the namespace of Atom or of ESPI."""
    return head.startswith(b"<") and (b"http://naesb.org/espi" in head or b"http://www.w3.org/2005/Atom" in head)


def read(source: BinaryIO, options: ReadOptions, report: FileReport) -> Iterator[Message]:
    """Yields the interval blocks of a feed, stream by stream, each rising by time; notes all findings in `report`.

    A quantity is `value` times ten to the type's power, in its unit; a cost is in 1/100,000 of its currency. Raises
    nothing for what is in the file.
    """
    report.format = FORMAT
    qualities = Qualities()
    with RowSpool() as spool:
        feed = parse(source, spool, qualities, report)
        if feed is None:
            return
        _describe(feed, report)
        if not feed.points:
            note(report, ESPI["R-NO-POINT"])
        elif not feed.interval_blocks:
            note(report, ESPI["W-NO-INTERVALS"], feed.points[0].line)
        whole = not any(report.counts[code] for code in _ROWS_LOST)
        shared = _shared_accounts(feed, report)
        summaries = Summaries(feed)
        for one in linked(feed, spool.keys):
            shape = _shape(one, options, spool, whole, shared, report)
            for block in blocks(spool, one.keys, shape, qualities, report):
                summaries.add(block, one)
                yield block
        summaries.compare(report)


def _describe(feed: Feed, report: FileReport) -> None:
    report.header |= {
        "usage_points": str(len(feed.points)),
        "meter_readings": str(len(feed.meter_readings)),
        "reading_types": str(len(feed.reading_types)),
        "interval_blocks": str(feed.interval_blocks),
        "usage_summaries": str(len(feed.summaries)),
        "local_time_parameters": str(len(feed.clocks)),
        "service_kind": "/".join(point.fields.get("ServiceCategory/kind", "") for point in feed.points[:50]),
    }


def _shape(
    one: Linked, options: ReadOptions, spool: RowSpool, whole: bool, shared: set[str], report: FileReport
) -> Shape:
    found = measure(one, report)
    first = next((batch.low for batch in spool.batches(one.keys) if batch.low != NO_START), None)
    hold = ""
    if one.type is None or one.point is None:
        hold = "H-UNLINKED"
        note(report, ESPI[hold], _first_line(one, spool), path=one.reading)
    elif one.point.self in shared:
        hold = "H-TWO-POINTS"
    if not found.length and spool.lacks_duration(one.keys):
        note(report, ESPI["R-DURATION"], _first_line(one, spool), text="")
    return Shape(
        point=one.point.self if one.point else one.reading,
        suffix=one.suffix,
        serial=one.reading.rpartition("/")[2],
        unit=found.unit,
        days=days_of(one, options.zone, first, report),
        decimals=max(0, -found.power),
        scale=10 ** max(0, found.power),
        currency=found.currency,
        length=found.length,
        whole=whole,
        hold=hold,
        quality=found.quality,
    )


def _first_line(one: Linked, spool: RowSpool) -> int | None:
    batches = spool.batches(one.keys)
    return int(spool.rows(batches[0])["line"].min()) if batches else None


def _shared_accounts(feed: Feed, report: FileReport) -> set[str]:
    """The points that are under one account number with another."""
    accounts: dict[str, list[Entry]] = defaultdict(list)
    for point in feed.points:
        account = _account(point)
        if account and all(other.self != point.self for other in accounts[account]):
            accounts[account].append(point)
    shared: set[str] = set()
    for account, points in accounts.items():
        if len(points) > 1:
            one, other = points[:2]
            note(report, ESPI["H-TWO-POINTS"], other.line, other=one.line, account=account)
            shared |= {point.self for point in points}
    return shared


def _account(point: Entry) -> str:
    """The account number of a point: of its customer agreement, or in its path."""
    parts = point.self.split("/")
    if "billingaccount" in parts[:-1]:
        return parts[parts.index("billingaccount") + 1]
    return point.fields.get("ServiceDeliveryPoint/customerAgreement", "")
