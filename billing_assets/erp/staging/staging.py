"""Staging: what the billing system says now becomes what we hold, in one transaction and in bounded memory."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

import sqlalchemy
import structlog

from billing_assets.erp.billing_system import reader
from billing_assets.erp.bindings import bind_source
from billing_assets.erp.documents.validation_rules import finding
from billing_assets.erp.staging import audit_holds, months, polling, store
from billing_assets.erp.staging.closed_months import closed_months
from billing_assets.erp.staging.corrections.store import propose
from billing_assets.erp.staging.incoming import Validation, incoming_row, unreadable_row
from billing_assets.erp.staging.polling import Held
from billing_assets.erp.staging.settings import StagingSettings
from billing_assets.erp.staging.store import Incoming
from billing_assets.foundation.database.connection import Connection, lift_idle_limit, restore_idle_limit, settle_order
from billing_assets.foundation.periods import ClosedMonths

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class StagingResult:
    """What one staging did. `counts`: read, new, changed, gone, drifted, unreadable (documents each). `compared`: the
    months that were compared document by document because their totals differed, or `None` if all open ones were."""

    since: datetime | None
    watermark: datetime
    counts: dict[str, int]
    compared: tuple[str, ...] | None = ()


class _Wanted(NamedTuple):
    """Documents to be read: the marks of those that we hold, and the marks that all of them have at the source."""

    held: Held
    marks: dict[str, bytes | None]


class _Marks(NamedTuple):
    """What the marks of the source are, and whether a document with the mark that we know is not read."""

    marking: reader.Marking
    believed: bool


_Chunks = Iterable[tuple[Held, Sequence[str]]]
"""Ids to look at, some at a time, with the marks of those that we hold."""


def stage(
    connection: Connection,
    source: sqlalchemy.Connection,
    queries: reader.Queries,
    name: str,
    validation: Validation,
    settings: StagingSettings,
    run_id: str,
    *,
    whole: bool = False,
    database: str | None = None,
    names: Collection[str] = (),
) -> StagingResult:
    """Stages new and changed documents of one source; the same staging twice writes nothing but its own run.

    Reads documents created since the watermark (less the overlap) and every one that may still change. The rows, the
    watermark and the note of the run commit together or not at all. The first one binds the source to its `database`;
    `names` are those of all sources of the settings.

    Then, in a transaction of its own, compares document by document the months whose totals are not those of the
    billing system; with `whole`, and where that was not done for a day, all months that are not closed for good: then,
    and in those months, no version is believed. Raises what the reader raises, writing nothing of the part that it
    failed in.
    """
    counts = dict.fromkeys(("read", "new", "changed", "gone", "drifted", "unreadable"), 0)
    with connection.transaction():
        store.serialise(connection, name)
        if database is not None:
            bind_source(connection, name, database, run_id, names)
        judging = _judging(connection, name, validation, closed_months(connection, validation.policy.closed.late))
        idle_limit = lift_idle_limit(connection)
        watermark = reader.source_now(source)
        last = polling.watermark(connection, name)
        whole = whole or last is None or months.is_due(connection, name)
        marking = reader.marking(source, queries)
        marks = _Marks(marking, believed=not whole or marking is not reader.Marking.VERSIONS)
        # A billing system whose clock was ahead, and is right again, must not hide what appears until it gets there.
        since = min(last, watermark) - timedelta(minutes=settings.overlap_minutes) if last else None
        stand_ins: list[str] = []
        polls = polling.polled(
            connection, name, judging.digest, settings.drift_days, reader.asked_at_once(source, marking)
        )
        chunks = _chunks(connection, source, queries, name, polls, settings, since, stand_ins)
        _take_over(connection, source, queries, name, judging, idle_limit, marks, chunks, stand_ins, since, counts)
        run = store.finish(connection, name, run_id, since, watermark, counts)
    with connection.transaction():
        store.serialise(connection, name)
        closed = closed_months(connection, validation.policy.closed.late)
        idle_limit = lift_idle_limit(connection)
        comparison = months.find(connection, source, queries, name, closed.hard_through, whole=whole)
        if comparison.dates is not None and last is not None:  # the first staging has just read everything
            marks = marks._replace(believed=marking is not reader.Marking.VERSIONS)
            chunks = _chunks_of(connection, source, queries, name, settings, comparison, marks)
            judging = _judging(connection, name, validation, closed)
            _take_over(connection, source, queries, name, judging, idle_limit, marks, chunks, [], None, counts)
            polling.note_counts(connection, run, counts)
        months.note(connection, name, comparison)
    compared = None if whole else tuple(sorted(comparison.dates.months)) if comparison.dates else ()
    log.info("staged", source=name, since=since, watermark=watermark, compared=compared, **counts)
    return StagingResult(since, watermark, counts, compared)


def _judging(connection: Connection, name: str, validation: Validation, closed: ClosedMonths) -> Validation:
    """How documents are judged just now. What is adopted changes no digest: a decision about it has those documents
    judged again."""
    return replace(validation.heeding(closed), adopted=polling.adopted(connection, name))


def _take_over(
    connection: Connection,
    source: sqlalchemy.Connection,
    queries: reader.Queries,
    name: str,
    validation: Validation,
    idle_limit: str,
    marks: _Marks,
    chunks: _Chunks,
    stand_ins: list[str],
    since: datetime | None,
    counts: dict[str, int],
) -> None:
    """Looks at documents and merges what is not as we hold it; adds to `counts`.

    Of those without an id all are read that were created since `since` (None: all of them). `stand_ins` may be filled
    while the chunks are made.
    """
    store.create_incoming(connection)
    missing: list[str] = []
    take = partial(_take, connection, source, queries, name, validation)
    for looked_at, unlike in _changed(source, queries, marks, chunks):
        absent, bad = take(unlike)
        missing += absent
        counts["read"] += looked_at - len(absent)
        counts["unreadable"] += bad
    # They cannot be asked for one by one, so as long as we hold some, all of them are read.
    without_id = reader.documents_without_id(source, queries, None if stand_ins else since)
    _copy(connection, [unreadable_row(one, validation) for one in without_id])
    missing += sorted(set(stand_ins) - {one.document_id for one in without_id})
    counts["read"] += len(without_id)
    counts["unreadable"] += len(without_id)
    store.drop_repeated(connection)
    alike = store.staged_alike(connection, name, missing)
    for _, unlike in _changed(source, queries, marks, (({}, ids) for ids in alike)):
        take(unlike)
    restore_idle_limit(connection, idle_limit)
    settle_order(connection, merging=True)
    gone = store.mark_gone(connection, name, missing)  # first: a document is no duplicate of one that went
    store.keep_external_ids(connection, name)
    store.add_cross_findings(
        connection,
        name,
        finding("DUPLICATE_NUMBER", "number", "", "Other documents with this number have the ids "),
        finding("CREDIT_TARGET_UNKNOWN", "applies_to", "", "No such invoice is in NetSuite or on its way."),
        finding("MAY_BE_IN_NETSUITE", "number", "", "It may be what NetSuite has as "),
        finding("NUMBER_LIKE_ANOTHER", "number", "", "But for blanks, this is the number of the ids "),
    )
    audit_holds.add_to_incoming(connection, name)
    for part in (gone, store.merge(connection, name)):
        for what, count in part.items():
            counts[what] += count
    propose(connection, name)


def _changed(
    source: sqlalchemy.Connection, queries: reader.Queries, marks: _Marks, chunks: _Chunks
) -> Iterator[tuple[int, _Wanted]]:
    """What must be read: documents whose mark is not the one we know. About 1,000 at a time, however few a chunk has,
    and with each how many were looked at for it."""
    looked_at, unlike = 0, _Wanted({}, {})
    for held, ids in _together(chunks, reader.asked_at_once(source, marks.marking)):
        found = reader.marks(source, queries, ids, marks.marking)
        looked_at += len(ids)
        for one in ids:
            mark = found.get(one)
            if mark is not None and held.get(one) == mark and marks.believed:
                continue
            unlike.marks[one] = mark
            if one in held:
                unlike.held[one] = held[one]
            if len(unlike.marks) >= 2 * reader.CHUNK:
                yield looked_at, unlike
                looked_at, unlike = 0, _Wanted({}, {})
        if len(unlike.marks) >= reader.CHUNK:
            yield looked_at, unlike
            looked_at, unlike = 0, _Wanted({}, {})
    yield looked_at, unlike


def _together(chunks: _Chunks, documents: int) -> _Chunks:
    """Chunks of at least so many documents, but for the last; never more than a chunk above it."""
    held: Held = {}
    ids: list[str] = []
    for some, more in chunks:
        held |= some
        ids += more
        if len(ids) >= documents:
            yield held, ids
            held, ids = {}, []
    if ids:
        yield held, ids


def _take(
    connection: Connection,
    source: sqlalchemy.Connection,
    queries: reader.Queries,
    name: str,
    validation: Validation,
    wanted: _Wanted,
) -> tuple[list[str], int]:
    """Reads documents into the temporary table.

    Returns the ids that the source has no more, and how many of the others cannot be understood.
    """
    documents, bad = reader.read_documents(source, queries, name, list(wanted.marks))
    known = polling.known(connection, name, wanted.held)
    # An engine may find more than was asked for: to some, `a` and `A` are equal.
    asked = ((one, known.get(one.document_id), wanted.marks.get(one.document_id)) for one in documents)
    with reader.without_cycle_collection():
        rows = [row for one, held, mark in asked if (row := incoming_row(one, held, mark, validation))]
    _copy(connection, rows + [unreadable_row(one, validation) for one in bad])
    found = {one.document_id for one in documents} | {one.document_id for one in bad}
    return [one for one in wanted.marks if one not in found], len(bad)


def _copy(connection: Connection, rows: Sequence[Incoming]) -> None:
    with store.copy_incoming(connection) as copy:
        for row in rows:
            copy.write_row(row)


def _chunks(
    connection: Connection,
    source: sqlalchemy.Connection,
    queries: reader.Queries,
    name: str,
    polls: Iterable[Held],
    settings: StagingSettings,
    since: datetime | None,
    stand_ins: list[str],
) -> Iterator[tuple[Held, Sequence[str]]]:
    """Ids to read, first those that we poll again, then those that are new; ids that are stand-ins go to `stand_ins`.

    An id that the source has twice may come twice.
    """
    for held in polls:
        if made_up := [*filter(reader.is_stand_in, held)]:
            stand_ins += made_up
        yield held, [one for one in held if not reader.is_stand_in(one)] if made_up else list(held)
    # A document that gets its id at last may be older than the watermark.
    for ids in reader.new_document_ids(source, queries, None if stand_ins else since):
        if fresh := polling.unknown(connection, name, ids, settings.drift_days):
            yield {}, fresh


def _chunks_of(
    connection: Connection,
    source: sqlalchemy.Connection,
    queries: reader.Queries,
    name: str,
    settings: StagingSettings,
    comparison: months.Comparison,
    marks: _Marks,
) -> Iterator[tuple[Held, Sequence[str]]]:
    """Ids of months to compare, of what no ordinary staging looks at: documents that were posted long ago, and those
    that we do not have, whenever they were created. And of what it did not read as their versions were as we know them:
    one of them must be wrong."""
    if comparison.dates is None:
        return
    chunks = months.posted_long_ago(connection, name, comparison, settings.drift_days)
    if not marks.believed and not comparison.whole:
        chunks = months.held_of(connection, name, comparison)
    for held in chunks:
        yield held, list(held)
    for ids in reader.dated_document_ids(source, queries, comparison.dates):
        if fresh := polling.unknown(connection, name, ids, settings.drift_days):
            yield {}, fresh
