"""Staging: what the billing system says now becomes what we hold, in one transaction and in bounded memory."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

import orjson
import sqlalchemy
import structlog

from billing_assets.erp.billing_system import reader
from billing_assets.erp.bindings import bind_source
from billing_assets.erp.documents.documents import CONTRACT, Document, SourceStatus, State
from billing_assets.erp.documents.rules import MappingCheck, Policy, finding, state_for, validate
from billing_assets.erp.staging import holds, months, store
from billing_assets.erp.staging.closed_months import closed_months
from billing_assets.erp.staging.content import applications_json, content_hash, lines_json, only_named
from billing_assets.erp.staging.corrections.store import propose
from billing_assets.erp.staging.settings import StagingSettings
from billing_assets.erp.staging.store import Incoming, Known
from billing_assets.foundation.database.connection import Connection, lift_idle_limit, restore_idle_limit, settle_order
from billing_assets.foundation.periods import ClosedMonths

log = structlog.get_logger(__name__)

_LONGEST_KEY = 200
_ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


@dataclass(frozen=True)
class Validation:
    """What validation needs to know of the NetSuite account: the mapping, reduced to plain functions.

    `digest` changes when the same document could be judged otherwise.
    """

    policy: Policy
    check_mapping: MappingCheck
    external_id: Callable[[str, str], str]
    digest: bytes
    adopted: frozenset[str] = frozenset()
    """Ids of documents that NetSuite has from before a backup was restored: they are taken over in their own month,
    closed or not, as nothing is sent for them."""

    def heeding(self, closed: ClosedMonths) -> "Validation":
        """The same with these months closed."""
        if not closed.soft and not closed.hard_through:
            return self
        digest = hashlib.sha256(self.digest + repr((sorted(closed.soft), closed.hard_through, closed.late)).encode())
        return replace(self, policy=replace(self.policy, closed=closed), digest=digest.digest())


@dataclass(frozen=True)
class StagingResult:
    """What one staging did. `counts`: read, new, changed, gone, drifted, unreadable (documents each). `compared`: the
    months that were compared document by document because their totals differed, or `None` if all open ones were."""

    since: datetime | None
    watermark: datetime
    counts: dict[str, int]
    compared: tuple[str, ...] | None = ()


class _Wanted(NamedTuple):
    """A document to be read: what we hold of it, and its mark at the source."""

    known: Known | None
    source_digest: bytes | None


class _Marks(NamedTuple):
    """What the marks of the source are, and whether a document with the mark that we know is not read."""

    marking: reader.Marking
    believed: bool


_Chunks = Iterable[tuple[Mapping[str, Known], Sequence[str]]]
"""Ids to look at, some at a time, with what we hold of those that we know."""


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
) -> StagingResult:
    """Stages new and changed documents of one source; the same staging twice writes nothing but its own run.

    Reads documents created since the watermark (less the overlap) and every one that may still change. The rows, the
    watermark and the note of the run commit together or not at all. The first one binds the source to its `database`.

    Then, in a transaction of its own, compares document by document the months whose totals are not those of the
    billing system; with `whole`, and where that was not done for a day, all months that are not closed for good: then,
    and in those months, no version is believed. Raises what the reader raises, writing nothing of the part that it
    failed in.
    """
    counts = dict.fromkeys(("read", "new", "changed", "gone", "drifted", "unreadable"), 0)
    with connection.transaction():
        store.serialise(connection, name)
        if database is not None:
            bind_source(connection, name, database, run_id)
        judging = _judging(connection, name, validation, closed_months(connection, validation.policy.closed.late))
        idle_limit = lift_idle_limit(connection)
        watermark = reader.source_now(source)
        last = store.watermark(connection, name)
        whole = whole or last is None or months.is_due(connection, name)
        marking = reader.marking(source, queries)
        marks = _Marks(marking, believed=not whole or marking is not reader.Marking.VERSIONS)
        # A billing system whose clock was ahead, and is right again, must not hide what appears until it gets there.
        since = min(last, watermark) - timedelta(minutes=settings.overlap_minutes) if last else None
        stand_ins: list[str] = []
        chunks = _chunks(connection, source, queries, name, judging.digest, settings, since, stand_ins)
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
            store.note_counts(connection, run, counts)
        months.note(connection, name, comparison)
    compared = None if whole else tuple(sorted(comparison.dates.months)) if comparison.dates else ()
    log.info("staged", source=name, since=since, watermark=watermark, compared=compared, **counts)
    return StagingResult(since, watermark, counts, compared)


def _judging(connection: Connection, name: str, validation: Validation, closed: ClosedMonths) -> Validation:
    """How documents are judged just now. What is adopted changes no digest: a decision about it has those documents
    judged again."""
    return replace(validation.heeding(closed), adopted=store.adopted(connection, name))


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
    _copy(connection, [_unreadable(one, validation) for one in without_id])
    missing += sorted(set(stand_ins) - {one.document_id for one in without_id})
    counts["read"] += len(without_id)
    counts["unreadable"] += len(without_id)
    store.drop_repeated(connection)
    beside = store.beside(connection, name, missing)
    for _, unlike in _changed(source, queries, marks, (({}, ids) for ids in beside)):
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
    holds.add_to_incoming(connection, name)
    for part in (gone, store.merge(connection, name)):
        for what, count in part.items():
            counts[what] += count
    propose(connection, name)


def _changed(
    source: sqlalchemy.Connection, queries: reader.Queries, marks: _Marks, chunks: _Chunks
) -> Iterator[tuple[int, dict[str, _Wanted]]]:
    """What must be read: documents whose mark is not the one we know. About 1,000 at a time, however few a chunk has,
    and with each how many were looked at for it."""
    looked_at, unlike = 0, dict[str, _Wanted]()
    for known, ids in _together(chunks, reader.asked_at_once(source, marks.marking)):
        found = reader.marks(source, queries, ids, marks.marking)
        looked_at += len(ids)
        for one in ids:
            held, mark = known.get(one), found.get(one)
            if not marks.believed or held is None or mark is None or held.source_digest != mark:
                unlike[one] = _Wanted(held, mark)
            if len(unlike) >= 2 * reader.CHUNK:
                yield looked_at, unlike
                looked_at, unlike = 0, {}
        if len(unlike) >= reader.CHUNK:
            yield looked_at, unlike
            looked_at, unlike = 0, {}
    yield looked_at, unlike


def _together(chunks: _Chunks, documents: int) -> _Chunks:
    """Chunks of at least so many documents, but for the last; never more than a chunk above it."""
    known: dict[str, Known] = {}
    ids: list[str] = []
    for some, more in chunks:
        known |= some
        ids += more
        if len(ids) >= documents:
            yield known, ids
            known, ids = {}, []
    if ids:
        yield known, ids


def _take(
    connection: Connection,
    source: sqlalchemy.Connection,
    queries: reader.Queries,
    name: str,
    validation: Validation,
    wanted: Mapping[str, _Wanted],
) -> tuple[list[str], int]:
    """Reads documents into the temporary table.

    Returns the ids that the source has no more, and how many of the others cannot be understood.
    """
    documents, bad = reader.read_documents(source, queries, name, list(wanted))
    # An engine may find more than was asked for: to some, `a` and `A` are equal.
    asked = ((one, wanted.get(one.document_id, _Wanted(None, None))) for one in documents)
    with reader.without_cycle_collection():
        rows = [row for one, held in asked if (row := incoming_row(one, *held, validation))]
    _copy(connection, rows + [_unreadable(one, validation) for one in bad])
    found = {one.document_id for one in documents} | {one.document_id for one in bad}
    return [one for one in wanted if one not in found], len(bad)


def _copy(connection: Connection, rows: Sequence[Incoming]) -> None:
    with store.copy_incoming(connection) as copy:
        for row in rows:
            copy.write_row(row)


def _chunks(
    connection: Connection,
    source: sqlalchemy.Connection,
    queries: reader.Queries,
    name: str,
    judged_under: bytes,
    settings: StagingSettings,
    since: datetime | None,
    stand_ins: list[str],
) -> Iterator[tuple[dict[str, Known], Sequence[str]]]:
    """Ids to read, first those that we poll again, then those that are new; ids that are stand-ins go to `stand_ins`.

    An id that the source has twice may come twice.
    """
    for chunk in store.polled(connection, name, judged_under, settings.drift_days):
        known = {one.document_id: one for one in chunk}
        stand_ins += filter(reader.is_stand_in, known)
        yield known, [one for one in known if not reader.is_stand_in(one)]
    # A document that gets its id at last may be older than the watermark.
    for ids in reader.new_document_ids(source, queries, None if stand_ins else since):
        if fresh := store.unknown(connection, name, ids, settings.drift_days):
            yield {}, fresh


def _chunks_of(
    connection: Connection,
    source: sqlalchemy.Connection,
    queries: reader.Queries,
    name: str,
    settings: StagingSettings,
    comparison: months.Comparison,
    marks: _Marks,
) -> Iterator[tuple[dict[str, Known], Sequence[str]]]:
    """Ids of months to compare, of what no ordinary staging looks at: documents that were posted long ago, and those
    that we do not have, whenever they were created. And of what it did not read as their versions were as we know them:
    one of them must be wrong."""
    if comparison.dates is None:
        return
    held = months.posted_long_ago(connection, name, comparison, settings.drift_days)
    if not marks.believed and not comparison.whole:
        held = months.held_of(connection, name, comparison)
    for chunk in held:
        yield {one.document_id: one for one in chunk}, [one.document_id for one in chunk]
    for ids in reader.dated_document_ids(source, queries, comparison.dates):
        if fresh := store.unknown(connection, name, ids, settings.drift_days):
            yield {}, fresh


def incoming_row(
    document: Document, known: Known | None, source_digest: bytes | None, validation: Validation
) -> Incoming | None:
    """The row to merge, or None where a posted document is what it was, with the digest that we know."""
    try:
        lines = lines_json(document.lines)
        hashed = content_hash(document, lines)
    except orjson.JSONEncodeError:
        return _unreadable(_without_text(document), validation)
    same = known is not None and known.content_hash == hashed
    if known and known.posted and not same and only_named(document, known.content_hash):
        hashed, same = known.content_hash, True
    as_read = known is not None and source_digest in {None, known.source_digest}
    if known and known.posted and same and as_read and not known.drifted:
        return None
    needs_rules = document.status != SourceStatus.OPEN and not (known and known.posted)
    policy = validation.policy
    if document.document_id in validation.adopted:
        policy = replace(policy, closed=ClosedMonths(), closed_through=None)
    late = policy.closed.posting_date(document.document_date) if needs_rules else None
    placed = replace(document, posting_date=late) if late else document
    findings = validate(placed, policy, validation.check_mapping) if needs_rules else []
    state = state_for(document.status, findings)
    if state != State.READY:  # until it goes on, it belongs to its own month
        placed = document
    return Incoming(
        document.document_id,
        _key(document.kind),
        _key(document.number),
        _clean(document.status) or "",
        document.created_at,
        document.document_date,
        document.due_date,
        placed.period,
        placed.posting_date,
        _clean(document.customer),
        _clean(document.branch),
        _clean(document.currency),
        _clean(document.terms),
        _clean(document.purchase_order),
        _clean(document.memo),
        _clean(document.applies_to),
        _clean(document.extra.get(CONTRACT)),
        _json_text(applications_json(document.targets)) if document.targets else None,
        document.total,
        len(document.lines),
        _json(document.extra),
        None if same else _json_text(lines),
        hashed,
        validation.external_id(document.kind, document.number),
        state,
        _json([found._asdict() for found in findings]),
        source_digest,
        validation.digest,
    )


def _unreadable(bad: reader.BadDocument, validation: Validation) -> Incoming:
    """A document that could not be understood is held under what is known of it, never dropped."""
    found = finding("FIELD_UNREADABLE", bad.field, bad.value_repr, bad.message)
    number = _key(bad.number or "") or bad.document_id
    nothing = (None,) * 14
    return Incoming(
        bad.document_id,
        _key(bad.kind or "") or "unknown",
        number,
        _clean(bad.status) or "unknown",
        None,
        *nothing,
        line_count=0,
        extra="{}",
        lines="[]",
        content_hash=hashlib.sha256(repr(bad).encode()).digest(),
        external_id=validation.external_id("unknown", f"{number}-{bad.document_id}"),
        outcome="held",
        findings=_json([found._asdict()]),
        source_digest=None,
        judged_under=validation.digest,
    )


def _without_text(document: Document) -> reader.BadDocument:
    """A document with a text that is none: half of a surrogate pair, which no database and no request takes."""
    texts = {name: getattr(document, name) for name in Document.__dataclass_fields__} | document.extra
    texts |= {f"applications[{place}]": one.applies_to for place, one in enumerate(document.applications, 1)}
    for line in document.lines:
        texts |= {f"lines[{line.line_no}].{name}": value for name, value in (line._asdict() | line.extra).items()}
    field, value = next(
        (name, value) for name, value in texts.items() if isinstance(value, str) and value != _encodable(value)
    )
    message = f"{field} holds half of a surrogate pair."
    known = (_encodable(one) for one in (document.kind, document.status))
    return reader.BadDocument(
        document.document_id, _encodable(document.number), field, repr(value)[:80], message, *known
    )


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _key(text: str) -> str:
    """A text that an index takes; what is longer belongs to a document that is held for it."""
    cleaned = _clean(text) or ""
    if len(cleaned) <= _LONGEST_KEY:
        return cleaned
    return f"{cleaned[: _LONGEST_KEY - 40]}… {hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _clean(text: str | None) -> str | None:
    """PostgreSQL stores no NUL; the finding TEXT_UNPRINTABLE keeps the document from being posted with its stand-in."""
    return text.replace("\0", "␀") if text and "\0" in text else text


def _json(value: object) -> str:
    return _json_text(orjson.dumps(value))


def _json_text(encoded: bytes) -> str:
    text = encoded.decode()
    return _ESCAPED_NUL.sub(r"\1␀", text) if "\\u0000" in text else text
