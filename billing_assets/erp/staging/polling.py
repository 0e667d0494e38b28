"""The SQL of what staging knows before it reads: watermark, documents to look at again, and what counts showed."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple

from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from billing_assets.erp.staging.may_be_posted import IS_ADOPTED
from billing_assets.erp.staging.store import CHANGEABLE_STATES, CHUNK
from billing_assets.foundation.database.connection import Connection


class Known(NamedTuple):
    """What we hold of a document already. `posted`: NetSuite has it, as it was sent or not. `source_digest` is None
    where it must be read whatever the source says."""

    document_id: str
    content_hash: bytes
    posted: bool
    drifted: bool
    source_digest: bytes | None


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


def polled(connection: Connection, source: str, judged_under: bytes, drift_days: int) -> Iterator[list[Known]]:
    """Everything that the source may still change, in chunks, each document once: what was posted lately, what is not
    terminal, and what went lately, for it may come back (a replica that lagged, a backup that was restored).

    The source has no modified date, so all of it must be compared again. Posted ones come first: one that is posted
    while we read is then not met a second time. What was judged under another mapping or other rules must be read.
    """
    changeable: LiteralString = """
        select document_id, content_hash, false as posted, false as drifted,
               case when judged_under = %(judged_under)s then source_digest end as source_digest, id, null as posted_at
        from billing.staged_invoices
        where source = %(source)s and id > %(after)s and state = any(%(states)s)
          and state in ('open', 'held', 'excluded', 'ready', 'batched', 'rejected')
        order by id limit %(chunk)s"""
    # The source still has them, and may take the void back.
    voided: LiteralString = """
        select document_id, content_hash, false as posted, false as drifted,
               case when judged_under = %(judged_under)s then source_digest end as source_digest, id, null as posted_at
        from billing.staged_invoices
        where source = %(source)s and id > %(after)s and state = 'gone' and status = 'void'
        order by id limit %(chunk)s"""
    # In the order of the posting: in that of the ids, all that was ever posted would be passed by on the way.
    posted: LiteralString = """
        select document_id, content_hash, true as posted, drift is not null as drifted,
               case when drift is null then source_digest end as source_digest, id, posted_at
        from billing.staged_invoices
        where source = %(source)s and state = 'posted'
          and (posted_at, id) > (greatest(%(posted_after)s, now() - make_interval(days => %(days)s)), %(after)s)
        order by posted_at, id limit %(chunk)s"""
    # NetSuite has them: what changes at the source is drift.
    differs: LiteralString = """
        select document_id, content_hash, true as posted, drift is not null as drifted,
               case when drift is null then source_digest end as source_digest, id, null as posted_at
        from billing.staged_invoices
        where source = %(source)s and id > %(after)s and state = 'differs'
        order by id limit %(chunk)s"""
    gone: LiteralString = """
        select document_id, content_hash, false as posted, false as drifted, null::bytea as source_digest, id,
               null as posted_at
        from billing.staged_invoices
        where source = %(source)s and id > %(after)s and state = 'gone' and status <> 'void'
          and state_since > now() - make_interval(days => %(days)s)
        order by id limit %(chunk)s"""
    cursor = connection.cursor(row_factory=tuple_row)  # every poll reads all of them
    for query in (posted, differs, changeable, voided, gone):
        after, posted_after = 0, None
        while rows := cursor.execute(
            query,
            {
                "source": source,
                "after": after,
                "posted_after": posted_after,
                "states": CHANGEABLE_STATES,
                "judged_under": judged_under,
                "days": drift_days,
                "chunk": CHUNK,
            },
        ).fetchall():
            *_, after, posted_after = rows[-1]
            yield [Known._make(known) for *known, _, _ in rows]


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
