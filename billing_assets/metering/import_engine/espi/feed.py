"""A feed read as a stream: rows go to a spool as they come, the other entries are kept. One pass, bounded memory.

The parser is given the file in pieces, and what is read of its tree is taken away after each. It loads no DTD and
resolves no entity: a feed has neither.
"""

from typing import BinaryIO

from lxml import etree

from billing_assets.foundation.outside_text import on_one_line
from billing_assets.foundation.phrases import shortened
from billing_assets.metering.import_engine.espi.entries import (
    Element,
    Entry,
    Feed,
    content_of,
    fields_of,
    links_of,
    name_of,
)
from billing_assets.metering.import_engine.espi.espi_codes import ESPI
from billing_assets.metering.import_engine.espi.row_reader import BlockReader, version
from billing_assets.metering.import_engine.findings import note
from billing_assets.metering.import_engine.interval_rows import Qualities, RowSpool
from billing_assets.metering.import_engine.messages import FileReport

_PIECE = 64 * 1024
_LONGEST = 16 * 2**20
"""Bytes without a row or an end of an entry: no feed has so much, and memory is not for it."""
_MOST_ENTRIES = 100_000
"""Entries other than of intervals that are kept: points, readings, types, summaries."""

_OPEN = "open"
"""The key of the rows of the open entry: its links may come after them."""


class _NotAFeedError(Exception):
    """The file is XML, but not as a feed may be."""


def parse(source: BinaryIO, spool: RowSpool, qualities: Qualities, report: FileReport) -> Feed | None:
    """Reads a feed. None: it is not one that can be read (`R-XML` says where).

    The rows of an interval block are in the spool under the paths of its entry, `(self, up)`, each without what follows
    `IntervalBlock`; so all blocks of a meter reading are together.
    """
    reading = _Reading(spool, qualities, report)
    parser = etree.XMLPullParser(
        events=("start", "end"),
        tag=("{*}feed", "{*}entry", "{*}IntervalBlock"),
        load_dtd=False,
        no_network=True,
        resolve_entities=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    try:
        while piece := source.read(_PIECE):
            parser.feed(piece)
            reading.unread += len(piece)
            reading.take(parser)
        root = parser.close()
        reading.take(parser)
        if root is not None and root.getroottree().docinfo.internalDTD is not None:
            raise _NotAFeedError("a DTD is not allowed in a feed")  # noqa: TRY301
    except etree.XMLSyntaxError as error:
        try:
            reading.take(parser)  # what was whole before it: how much of that was taken depends on the pieces
        except _NotAFeedError as other:
            note(report, ESPI["R-XML"], reading.line, why=other)
            return None
        line = error.position[0] or None
        note(report, ESPI["R-XML"], line, why=shortened(on_one_line(str(error.msg).partition(", line ")[0]), 70))
        return None
    except _NotAFeedError as error:
        note(report, ESPI["R-XML"], reading.line, why=error)
        return None
    return reading.feed


class _Reading:
    """Where the reading of a feed is."""

    def __init__(self, spool: RowSpool, qualities: Qualities, report: FileReport) -> None:
        self.feed = Feed()
        self.unread = 0  # bytes since something was taken
        self.line = 1
        self._spool = spool
        self._report = report
        self._qualities = qualities
        self._top: Element | None = None
        self._entry: Element | None = None
        self._block: Element | None = None
        self._rows: BlockReader | None = None
        self._kept = 0

    def take(self, parser: "etree.XMLPullParser") -> None:
        """Takes what is complete off the tree."""
        element: Element
        for event, element in parser.read_events():
            if event == "start":
                self._begin(element)
            elif element is self._block:
                self._end_block(element)
            elif element is self._entry:
                self._end_entry(element)
        if self._block is not None and self._rows is not None and len(self._block) > 1:
            # All but the last: it may still be open, and its text is still growing.
            self._spool.add(_OPEN, self._rows.rows(self._block[:-1]))
            del self._block[:-1]
            self.unread = 0
        if self.unread > _LONGEST:
            raise _NotAFeedError(f"more than {_LONGEST // 2**20} MB without an interval reading or the end of an entry")

    def _begin(self, element: Element) -> None:
        self.line = element.sourceline or self.line
        if self._top is None:
            self._top = element
            if element.getroottree().docinfo.internalDTD is not None:
                raise _NotAFeedError("a DTD is not allowed in a feed")
        name = name_of(element)
        if name == "entry" and self._entry is None:
            if "created" not in self._report.header:
                self._report.header["created"] = links_of(self._top).updated
            self._entry = element
        elif name == "IntervalBlock" and self._entry is not None and self._block is None:
            self._block = element
            self._rows = BlockReader(element, self._qualities, self._report)
            self.feed.interval_blocks += 1

    def _end_block(self, block: Element) -> None:
        if self._rows is not None:
            self._spool.add(_OPEN, self._rows.rows(list(block)))
        self._block = self._rows = None
        _forget(block)
        self.unread = 0

    def _end_entry(self, element: Element) -> None:
        entry = links_of(element)
        self._spool.rename(_OPEN, (_of_reading(entry.self), _of_reading(entry.up)), version(entry.updated))
        for content in content_of(element):
            kept = self.feed.of_kind(name_of(content))
            if kept is not None:
                self._keep(kept, content, entry)
        self._entry = None
        _forget(element)
        self.unread = 0

    def _keep(self, kept: list[Entry], content: Element, entry: Entry) -> None:
        self._kept += 1
        if self._kept > _MOST_ENTRIES:
            raise _NotAFeedError(f"more than {_MOST_ENTRIES:,} entries that are not intervals")
        kept.append(
            Entry(
                name_of(content),
                content.sourceline or entry.line,
                entry.self,
                entry.up,
                entry.related,
                entry.updated,
                fields_of(content),
            )
        )


def _of_reading(path: str) -> str:
    return path.partition("/intervalblock")[0]


def _forget(element: Element) -> None:
    """Empties a complete element, and removes those before it."""
    element.clear(keep_tail=True)
    parent = element.getparent()
    if parent is not None:
        while element.getprevious() is not None:
            del parent[0]
