"""The SQL of what staging knows before it reads: watermark, documents to look at again, and what counts showed."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple

from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from billing_assets.erp.billing_system.cycles import without_cycle_collection
from billing_assets.erp.staging.may_be_posted import IS_ADOPTED
from billing_assets.erp.staging.store import CHANGEABLE_STATES, CHUNK
from billing_assets.foundation.database.connection import Connection

Held = dict[str, bytes | None]
"""Documents that we hold: the mark of each at the source when it was read, by its id. None: it must be read whatever
the source says."""


class Known(NamedTuple):
    """What we hold of a document that is read again. `posted`: NetSuite has it, as it was sent or not."""

    content_hash: bytes
    posted: bool
    drifted: bool
    source_digest: bytes | None


# Document, its mark, and by what the next are found.
CHANGEABLE: LiteralString = """
    select document_id, case when judged_under = %(judged_under)s then source_digest end, id, null
    from billing.staged_invoices
    where source = %(source)s and id > %(after)s and state = any(%(states)s)
      and state in ('open', 'held', 'excluded', 'ready', 'batched', 'rejected')
    order by id limit %(chunk)s"""
# The source still has them, and may take the void back.
_VOIDED: LiteralString = """
    select document_id, case when judged_under = %(judged_under)s then source_digest end, id, null
    from billing.staged_invoices
    where source = %(source)s and id > %(after)s and state = 'gone' and status = 'void'
    order by id limit %(chunk)s"""
# In the order of the posting: in that of the ids, all that was ever posted would be passed by on the way.
_POSTED: LiteralString = """
    select document_id, case when drift is null then source_digest end, id, posted_at
    from billing.staged_invoices
    where source = %(source)s and state = 'posted'
      and (posted_at, id) > (greatest(%(posted_after)s, now() - make_interval(days => %(days)s)), %(after)s)
    order by posted_at, id limit %(chunk)s"""
# NetSuite has them: what changes at the source is drift.
_DIFFERS: LiteralString = """
    select document_id, case when drift is null then source_digest end, id, null
    from billing.staged_invoices
    where source = %(source)s and id > %(after)s and state = 'differs'
    order by id limit %(chunk)s"""
_GONE: LiteralString = """
    select document_id, null::bytea, id, null
    from billing.staged_invoices
    where source = %(source)s and id > %(after)s and state = 'gone' and status <> 'void'
      and state_since > now() - make_interval(days => %(days)s)
    order by id limit %(chunk)s"""


def watermark(connection: Connection, source: str) -> datetime | None:
    """When the last successful staging began, by the billing database's clock."""
    row = connection.execute(
        "select last_successful_run_at from billing.watermarks where source = %s", [source]
    ).fetchone()
    return row["last_successful_run_at"] if row else None


def last_run(connection: Connection, source: str) -> int:
    """The number of the last successful staging; 0 before the first."""
    row = connection.execute("select max(id) as id from billing.staging_runs where source = %s", [source]).fetchone()
    return int(row["id"] or 0) if row else 0


def polled(
    connection: Connection, source: str, judged_under: bytes, drift_days: int, at_once: int = CHUNK
) -> Iterator[Held]:
    """Everything that the source may still change, `at_once` at a time, each document once: what was posted lately,
    what is not terminal, and what went lately, for it may come back (a replica that lagged, a backup that was
    restored).

    The source has no modified date, so all of it must be compared again. Posted ones come first: one that is posted
    while we read is then not met a second time. What was judged under another mapping or other rules must be read.

    Nearly all of it is as it was, so no more is read of each than that takes (`known` has the rest).
    """
    cursor = connection.cursor(row_factory=tuple_row, binary=True)  # every poll reads all of them
    for query in (_POSTED, _DIFFERS, CHANGEABLE, _VOIDED, _GONE):
        given = {
            "source": source,
            "after": 0,
            "posted_after": None,
            "states": CHANGEABLE_STATES,
            "judged_under": judged_under,
            "days": drift_days,
            "chunk": at_once,
        }
        more = True
        while more:
            with without_cycle_collection():
                rows = cursor.execute(query, given).fetchall()
                held: Held = {document_id: mark for document_id, mark, _, _ in rows}
                if more := len(rows) == at_once:
                    *_, given["after"], given["posted_after"] = rows[-1]
            if held:
                yield held


def known(connection: Connection, source: str, held: Mapping[str, bytes | None]) -> dict[str, Known]:
    """What we hold of documents, with the marks that `polled` had of them."""
    if not held:
        return {}
    rows = connection.cursor(row_factory=tuple_row).execute(
        """
        select document_id, content_hash, state in ('posted', 'differs'), drift is not null from billing.staged_invoices
        where source = %s and document_id = any(%s)""",
        [source, list(held)],
    )
    return {one: Known(content_hash, posted, drifted, held[one]) for one, content_hash, posted, drifted in rows}


def unknown(connection: Connection, source: str, document_ids: Sequence[str], drift_days: int) -> list[str]:
    """Those of the ids that are not staged (or went longer ago than we poll, and are there again), in their order."""
    rows = connection.cursor(row_factory=tuple_row).execute(
        """
        select document_id from billing.staged_invoices
        where source = %s and document_id = any(%s)
          and (state <> 'gone' or status = 'void' or state_since > now() - make_interval(days => %s))""",
        [source, list(document_ids), drift_days],
    )
    staged = {document_id for (document_id,) in rows}
    return [document_id for document_id in document_ids if document_id not in staged]


def adopted(connection: Connection, source: str) -> frozenset[str]:
    """Ids of the documents that are to be taken over from NetSuite, and of which nothing was begun yet."""
    rows = connection.execute(
        f"""
        select s.document_id from billing.found_here as f
        join billing.staged_invoices as s on s.external_id = f.external_id
        where s.source = %s and s.state in ('open', 'held', 'excluded', 'ready', 'batched', 'gone') and {IS_ADOPTED}""",  # noqa: S608
        [source],
    )
    return frozenset(row["document_id"] for row in rows)


def note_counts(connection: Connection, run: int, counts: dict[str, int]) -> None:
    """Adds to the note of a run what it found afterwards."""
    connection.execute("update billing.staging_runs set counts = %s where id = %s", [Jsonb(counts), run])
