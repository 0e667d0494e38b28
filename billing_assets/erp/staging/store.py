"""The SQL of staging: the temporary table that receives, findings over documents, the merge into `staged_invoices`."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

from psycopg import Copy
from psycopg.types.json import Jsonb

from billing_assets.erp.documents.documents import CHANGEABLE
from billing_assets.erp.documents.validation_rules import Finding
from billing_assets.foundation.database.connection import Connection

CHUNK = 1000
"""Documents read, validated and copied at a time: what bounds the memory."""

CHANGEABLE_STATES = sorted(CHANGEABLE - {"gone"})


class Incoming(NamedTuple):
    """A row for the temporary table. `lines` is None where the content is what we hold already."""

    document_id: str
    kind: str
    number: str
    status: str
    created_at: datetime | None
    document_date: Any
    due_date: Any
    period: str | None
    posting_date: Any
    customer: str | None
    branch: str | None
    currency: str | None
    terms: str | None
    purchase_order: str | None
    memo: str | None
    applies_to: str | None
    contract: str | None
    applications: str | None
    total: Any
    line_count: int
    extra: str
    lines: str | None
    content_hash: bytes
    external_id: str
    outcome: str
    findings: str
    source_digest: bytes | None
    judged_under: bytes


MAY_HAVE_LEFT: LiteralString = """exists (
    select from billing.posting_attempts as a left join billing.posting_outcomes as o on o.attempt = a.id
    where a.document = s.id and coalesce(o.outcome, 'unknown') not in ('refused', 'retry', 'not_sent'))"""
"""Whether something of a document `s` may have reached NetSuite: not every attempt surely did nothing."""

KEEPS_ITS_NAME: LiteralString = f"""({MAY_HAVE_LEFT}
    or exists (select from billing.found_transactions as f where f.external_id = s.external_id))"""
"""Whether a document `s` keeps its external id for ever: under another one it would be sent a second time."""

_COLUMNS = ", ".join(Incoming._fields)
_CONTENT = [name for name in Incoming._fields if name not in {"document_id", "outcome", "findings", "lines"}]


# Pairs of what is read and what is staged whose numbers differ only in blanks. One of the two has a blank, and those
# that have one are few: an index of their own finds the staged ones. PostgreSQL thinks that nearly all have one, and
# would read the whole table; `offset 0` has it look up one document after another.
_LIKE_STAGED: LiteralString = """
    select i.document_id, o.id, o.document_id as other, o.state
    from incoming as i cross join lateral (
        select s.id, s.document_id, s.state from billing.staged_invoices as s
        where s.source = %(source)s and s.kind = i.kind
          and billing.without_blanks(s.number) = billing.without_blanks(i.number)
          and s.number <> billing.without_blanks(s.number) and s.number <> i.number offset 0) as o
    union all
    select i.document_id, o.id, o.document_id, o.state
    from incoming as i cross join lateral (
        select s.id, s.document_id, s.state from billing.staged_invoices as s
        where s.source = %(source)s and s.kind = i.kind and s.number = billing.without_blanks(i.number) offset 0) as o
    where i.number <> billing.without_blanks(i.number)"""


def serialise(connection: Connection, source: str) -> None:
    """Waits until no other staging of this source runs; held to the end of the transaction."""
    connection.execute("select pg_advisory_xact_lock(hashtextextended('billing staging ' || %s, 0))", [source])


def create_incoming(connection: Connection) -> None:
    """The temporary table, gone with the transaction."""
    connection.execute(
        """
        create temporary table incoming on commit drop as
        select document_id, kind, number, status, created_at, document_date, due_date, period, posting_date, customer,
               branch, currency, terms, purchase_order, memo, applies_to, contract, applications, total, line_count,
               extra, lines,
               content_hash, external_id, state as outcome, findings, source_digest, judged_under
        from billing.staged_invoices with no data"""
    )


def copy_incoming(connection: Connection) -> Copy:
    """An open COPY into the temporary table; use as a context manager and `write_row` an `Incoming`."""
    return connection.cursor().copy(f"copy incoming ({_COLUMNS}) from stdin")  # type: ignore[return-value]


def drop_repeated(connection: Connection) -> None:
    """Leaves one row for each document: an id that stands several times in the source was read several times."""
    connection.execute(
        """
        delete from incoming as i using incoming as later
        where i.document_id = later.document_id and i.ctid < later.ctid"""
    )


def staged_alike(connection: Connection, source: str, missing: Sequence[str]) -> Iterator[list[str]]:
    """Ids, in chunks, of documents that were not read because they are as they were, but that stand beside one that
    is not: with its number, or crediting it. What is found of them may be another now. `missing` are ids that went.
    """
    (beside,) = connection.execute(
        """
        select exists (select from incoming) or cardinality(%(missing)s::text[]) > 0
               or exists (select from billing.staged_invoices where source < %(source)s)
               or exists (select from billing.staged_invoices where source > %(source)s) as something""",
        {"source": source, "missing": list(missing)},
    ).fetchall()
    if not beside["something"]:  # most stagings find nothing new: all documents need not be looked through for it
        return
    rows = connection.execute(
        f"""
        select s.document_id from billing.staged_invoices as s
        where s.source = %(source)s and s.state in ('held', 'ready', 'batched', 'rejected')
          and not exists (select from incoming as i where i.document_id = s.document_id)
          and not s.document_id = any(%(missing)s)
          and (s.external_id in (select external_id from incoming)
               or s.id in (select l.id from ({_LIKE_STAGED}) as l)
               -- asked for each document only where there is another source at all
               or (exists (select from billing.staged_invoices as o where o.source < %(source)s)
                   or exists (select from billing.staged_invoices as o where o.source > %(source)s))
                  and exists (
                      select from billing.staged_invoices as o
                      where o.external_id = s.external_id and o.source <> s.source
                        and o.state not in ('open', 'excluded', 'gone'))
               or (s.applications is not null and s.id in (
                   select c.id from billing.staged_invoices as c cross join jsonb_array_elements(c.applications) as a
                   where c.source = %(source)s and c.state in ('held', 'ready', 'batched', 'rejected')
                     and c.applications is not null and a.value ->> 0 in (
                         select o.number from billing.staged_invoices as o
                         where o.source = %(source)s and o.kind = 'invoice'
                           and o.document_id in (
                               select document_id from incoming union all select unnest(%(missing)s))))))
        order by s.id""",  # noqa: S608  only our own query is put in
        {"source": source, "missing": list(missing)},
    )
    ids = [row["document_id"] for row in rows]
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


def keep_external_ids(connection: Connection, source: str) -> None:
    """What an attempt may have left in NetSuite, or was found there, keeps its external id for ever, whatever number
    the source or prefix the mapping gives it now: under another one it would be sent a second time."""
    connection.execute(
        f"""
        update incoming as i set external_id = s.external_id
        from billing.staged_invoices as s
        where s.source = %s and s.document_id = i.document_id and s.external_id <> i.external_id
          and {KEEPS_ITS_NAME}""",  # noqa: S608
        [source],
    )


def add_cross_findings(
    connection: Connection,
    source: str,
    duplicate: Finding,
    unknown_target: Finding,
    look_alike: Finding,
    like_another: Finding,
) -> None:
    """Findings that need to see other documents, and the state and month that follow from them: what is held belongs to
    its own month.

    A document with one must be read again each time: it depends on more than its own content.
    """
    connection.execute("create index on incoming (external_id)")
    connection.execute("create unique index on incoming (document_id)")
    connection.execute("analyze incoming")
    add = """
        update incoming as i
        set findings = i.findings || jsonb_build_array(
                jsonb_build_object('code', %(code)s::text, 'severity', %(severity)s::text, 'path', %(path)s::text,
                                   'value', c.value, 'message', %(message)s::text || c.detail)),
            source_digest = null{}
        from ({}) as c
        where c.document_id = i.document_id"""
    # One number is one external id, unless one of two documents keeps an earlier one.
    duplicates = """
        with of_one_number as materialized (
            select i.document_id, j.document_id as other from incoming as i join incoming as j using (kind, number)
            where j.document_id <> i.document_id and j.external_id <> i.external_id and j.outcome in ('ready', 'held')
              and i.total is not null and j.total is not null  -- what cannot be read is reported as such
            union all
            select i.document_id, s.document_id
            from incoming as i join billing.staged_invoices as s using (kind, number)
            where s.source = %(source)s and s.document_id <> i.document_id and s.external_id <> i.external_id
              and s.state not in ('open', 'excluded', 'gone') and i.total is not null and s.total is not null
              and (s.state in ('locked', 'posting', 'posted', 'differs')
                   or not exists (select from incoming as j where j.document_id = s.document_id))
        )
        select i.document_id, i.number as value, string_agg(o.document_id, ', ' order by o.document_id) as detail
        from incoming as i
        cross join lateral (
            select j.document_id from incoming as j
            where j.external_id = i.external_id and j.document_id <> i.document_id and j.outcome in ('ready', 'held')
            union
            select s.document_id from billing.staged_invoices as s
            where s.external_id = i.external_id and not (s.source = %(source)s and s.document_id = i.document_id)
              and s.state not in ('open', 'excluded', 'gone')
              and (s.source <> %(source)s or s.state in ('locked', 'posting', 'posted', 'differs')
                   or not exists (select from incoming as j where j.document_id = s.document_id))
            union
            select n.other from of_one_number as n where n.document_id = i.document_id
        ) as o
        where i.outcome in ('ready', 'held')
        group by i.document_id, i.number"""
    targets = """
        select i.document_id, left(string_agg(a.value ->> 0, ', ' order by a.value ->> 0), 80) as value, '' as detail
        from incoming as i cross join jsonb_array_elements(i.applications) as a
        where i.outcome in ('ready', 'held') and i.applications is not null
          and not exists (
              select from incoming as j
              where j.kind = 'invoice' and j.number = a.value ->> 0 and j.outcome not in ('excluded', 'gone'))
          -- one look at the index of numbers for each
          and not coalesce((
              select true from billing.staged_invoices as s
              where s.source = %(source)s and s.kind = 'invoice' and s.number = a.value ->> 0
                and s.state not in ('gone', 'excluded')
                and not exists (select from incoming as j where j.document_id = s.document_id) limit 1), false)
        group by i.document_id"""
    look_alikes = """
        select d.document_id, d.number as value,
               string_agg(f.external_id || ' (internal id ' || f.netsuite_id || ')', ', '
                          order by f.netsuite_id) as detail
        from incoming as d
        join billing.found_without_document as f
          on f.kind = d.kind and f.currency = d.currency and f.total = abs(d.total)
         and (f.customers is null or trim(d.customer) = any(f.customers)
              or lower(trim(d.customer)) = any(f.customers))
        where d.outcome in ('ready', 'held')
          and not exists (select from incoming as j where j.external_id = f.external_id)
          and not exists (  -- its own name is there: it is not sent anyway
              select from billing.found_here as own where own.external_id = d.external_id)
        group by d.document_id, d.number"""
    likes = f"""
        with ours as (
            select document_id, kind, number, billing.without_blanks(number) as plain from incoming
            where outcome in ('ready', 'held')
        ), pairs as (
            select b.document_id, j.document_id as other from ours as b join ours as j using (kind, plain)
            where b.number <> b.plain and j.number <> b.number
            union
            select j.document_id, b.document_id from ours as b join ours as j using (kind, plain)
            where b.number <> b.plain and j.number <> b.number
            union
            select l.document_id, l.other from ({_LIKE_STAGED}) as l
            where l.state not in ('open', 'excluded', 'gone')
              and (l.state in ('locked', 'posting', 'posted', 'differs')
                   or not exists (select from incoming as j where j.document_id = l.other))
        )
        select o.document_id, o.number as value, string_agg(p.other, ', ' order by p.other) as detail
        from pairs as p join ours as o using (document_id) group by 1, 2"""  # noqa: S608  only our own query is put in
    held = ", outcome = 'held', period = to_char(i.document_date, 'YYYY-MM'), posting_date = null"
    for found, then, cases in (
        (duplicate, held, duplicates),
        (unknown_target, held, targets),
        (look_alike, held, look_alikes),
        (like_another, "", likes),
    ):
        connection.execute(
            add.format(then, cases),
            {
                "source": source,
                "code": found.code,
                "severity": found.severity,
                "path": found.path,
                "message": found.message,
            },
        )


def merge(connection: Connection, source: str) -> dict[str, int]:
    """Takes the temporary table over into `staged_invoices`, writing only what differs; counts by what happened."""
    content = ", ".join(f"{name} = i.{name}" for name in _CONTENT)
    changed = connection.execute(
        # A batched document that changed and is still valid keeps its place unless its month moved, or what it settles:
        # then it may have to wait for another invoice.
        f"""
        with next as (
            select i.*, s.id, s.state as old_state,
                   case when i.outcome = 'ready' and s.state = 'batched' and i.period = s.period
                             and i.applications is not distinct from s.applications then 'batched'
                        when s.state = 'rejected' and s.content_hash = i.content_hash then 'rejected'
                        else i.outcome end as new_state
            from incoming as i
            join billing.staged_invoices as s on s.source = %(source)s and s.document_id = i.document_id
            where s.state = any(%(states)s)
        )
        update billing.staged_invoices as s
        set {content}, lines = coalesce(i.lines, s.lines), findings = i.findings, state = i.new_state,
            staged_at = clock_timestamp(), batch = case when i.new_state in ('batched', 'rejected') then s.batch end
        from next as i
        where s.id = i.id and s.state = i.old_state
          and (s.content_hash, s.external_id, s.state, s.findings, s.period, s.contract, s.applications)
              is distinct from (i.content_hash, i.external_id, i.new_state, i.findings, i.period, i.contract,
                                i.applications)
        """,  # noqa: S608  only our own column names are put together
        {"source": source, "states": [*CHANGEABLE_STATES, "gone"]},
    ).rowcount
    new = connection.execute(
        f"""
        insert into billing.staged_invoices (source, {_COLUMNS.replace("outcome", "state")})
        select %(source)s, {_COLUMNS} from incoming as i
        where not exists (
            select from billing.staged_invoices as s where s.source = %(source)s and s.document_id = i.document_id)
        order by i.created_at, i.document_id""",  # noqa: S608
        {"source": source},
    ).rowcount
    connection.execute(  # says nothing of the document, so it is no change
        """
        update billing.staged_invoices as s
        set source_digest = i.source_digest, judged_under = i.judged_under
        from incoming as i
        where s.source = %(source)s and s.document_id = i.document_id
          and (s.state = any(%(states)s) or (s.state in ('posted', 'differs') and s.content_hash = i.content_hash))
          and (s.source_digest, s.judged_under) is distinct from (i.source_digest, i.judged_under)""",
        {"source": source, "states": [*CHANGEABLE_STATES, "gone"]},
    )
    drifted = connection.execute(
        """
        update billing.staged_invoices as s
        set drift = case when s.content_hash <> i.content_hash then jsonb_build_object(
                'posted_total', s.total::text, 'source_total', i.total::text, 'source_status', i.status,
                'source_hash', encode(i.content_hash, 'hex')) end,
            drifted_at = clock_timestamp()
        from incoming as i
        where s.source = %(source)s and s.document_id = i.document_id and s.state in ('posted', 'differs')
          and s.drift ->> 'source_hash' is distinct from
              case when s.content_hash <> i.content_hash then encode(i.content_hash, 'hex') end""",
        {"source": source},
    ).rowcount
    return {"new": new, "changed": changed, "drifted": drifted}


def mark_gone(connection: Connection, source: str, document_ids: Sequence[str]) -> dict[str, int]:
    """Documents that the source no longer has: gone if they were not posted, drift if they were."""
    gone = connection.execute(
        """
        update billing.staged_invoices set state = 'gone', batch = null, staged_at = clock_timestamp()
        where source = %s and document_id = any(%s) and state = any(%s)""",
        [source, list(document_ids), CHANGEABLE_STATES],
    ).rowcount
    connection.execute(  # what was voided is gone already; now it is like everything else that the source has no more
        """
        update billing.staged_invoices set status = 'missing', content_hash = ''
        where source = %s and document_id = any(%s) and state = 'gone' and status = 'void'""",
        [source, list(document_ids)],
    )
    drifted = connection.execute(
        """
        update billing.staged_invoices
        set drift = jsonb_build_object(
            'posted_total', total::text, 'source_status', 'missing', 'source_hash', 'missing'),
            drifted_at = clock_timestamp()
        where source = %s and document_id = any(%s) and state in ('posted', 'differs')
          and drift ->> 'source_hash' is distinct from 'missing'""",
        [source, list(document_ids)],
    ).rowcount
    return {"gone": gone, "drifted": drifted}


def finish(
    connection: Connection,
    source: str,
    run_id: str,
    since: datetime | None,
    moved_to: datetime,
    counts: dict[str, int],
) -> int:
    """Moves the watermark and notes the run, in the transaction of the rows they cover. Returns the note's number."""
    connection.execute(
        """
        insert into billing.watermarks (source, last_successful_run_at) values (%(source)s, %(to)s)
        on conflict (source) do update set last_successful_run_at = excluded.last_successful_run_at""",
        {"source": source, "to": moved_to},
    )
    (row,) = connection.execute(
        """
        insert into billing.staging_runs (source, run_id, since, watermark, counts) values (%s, %s, %s, %s, %s)
        returning id""",
        [source, run_id, since, moved_to, Jsonb(counts)],
    ).fetchall()
    return int(row["id"])


def sent_back(connection: Connection, sources: Sequence[str]) -> bool:
    """Whether documents wait for a staging that changed in the billing system before they were sent."""
    row = connection.execute(
        """
        select from billing.staged_invoices
        where source = any(%s) and state = 'held' and judged_under is null
          and findings @> '[{"code": "CHANGED_SINCE_STAGING"}]' limit 1""",
        [list(sources)],
    ).fetchone()
    return row is not None
