"""What people ask of documents and batches: where they are, what NetSuite said of them, and what is left and why."""

from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.erp.batches.ledger import DOCUMENTS
from billing_assets.erp.staging import fit
from billing_assets.foundation.database.connection import Connection
from billing_assets.posting.attempts import last_outcome

_LAST_OUTCOME = last_outcome(DOCUMENTS, "d.id")


class Standing(NamedTuple):
    """Where a document is. `applied`: what of a credit memo was sent to settle invoices, by number. `waits_for`: the
    invoices that a credit memo waits for, why, and their total (None where none is staged). `closed`: how its month is.
    `goes`: it is in a batch, or the next plan takes it.
    """

    id: int
    kind: str
    number: str
    state: str
    state_since: datetime
    period: str | None
    closed: str | None
    batch: str | None
    external_id: str
    netsuite_id: str | None
    transaction_number: str | None
    findings: list[dict[str, Any]]
    refusal: str | None
    goes: bool
    applied: list[list[str]] | None
    waits_for: list[dict[str, Any]]


def standing(connection: Connection, number: str) -> list[Standing]:
    """The documents with a number, whatever their state, readable or not."""
    rows = connection.execute(
        f"""
        select d.id, d.kind, d.number, d.state, d.state_since, d.period, m.state as closed, d.batch, d.external_id,
               d.netsuite_id, d.transaction_number, d.findings, d.applied,
               case when o.id is not null then
                   concat_ws(' ', o.http_status, o.code, o.path) || coalesce(': ' || o.detail, '') end as refusal,
               exists (select from billing.staged_invoices as s where s.id = d.id and {fit.GOES}) as goes,
               coalesce(w.waits_for, '[]') as waits_for
        from billing.staged_invoices as d
        left join billing.closed_months as m on m.period = d.period
        left join lateral {_LAST_OUTCOME} as o on d.state = 'rejected'
        left join lateral (
            select jsonb_agg(jsonb_build_object('invoice', c.invoice, 'why', c.why, 'total', t.total::text)
                             order by c.invoice) as waits_for
            from billing.waiting_credits as c
            left join lateral (
                select s.total from billing.staged_invoices as s
                where s.source = billing.credited_source(d.source) and s.kind = 'invoice' and s.number = c.invoice
                order by s.state = 'posted' desc, s.state in ('gone', 'excluded'), s.id desc limit 1) as t on true
            where d.state in ('ready', 'held') and c.id = d.id) as w on true
        where d.number = %s order by d.id""",  # noqa: S608  constants
        [number],
    )
    return [Standing(**row) for row in rows]


def expected_totals(waits_for: list[dict[str, Any]]) -> dict[str, Decimal]:
    """What the invoices that a credit memo waits for come to, by number, as far as they are staged."""
    return {one["invoice"]: Decimal(one["total"]) for one in waits_for if one["total"] is not None}


def batch_totals(connection: Connection, partition_key: str) -> list[dict[str, Any]]:
    """Counts and totals of a batch by kind, state and currency."""
    return connection.execute(
        """
        select kind, state, currency, count(*) as documents, sum(total) as total from billing.staged_invoices
        where batch = %s group by 1, 2, 3 order by 1, 2, 3""",
        [partition_key],
    ).fetchall()


def batch_delays(connection: Connection, partition_key: str) -> dict[str, Any]:
    """Of a batch: the oldest document's date, and how long its posted documents took from their creation in the billing
    system until NetSuite had them: median and 95th percentile, in hours (None where nothing is posted)."""
    (row,) = connection.execute(
        """
        select min(document_date) as oldest,
               percentile_cont(0.5) within group (order by hours) filter (where state = 'posted') as median,
               percentile_cont(0.95) within group (order by hours) filter (where state = 'posted') as p95
        from (select document_date, state, extract(epoch from posted_at - created_at)::float / 3600 as hours
              from billing.staged_invoices where batch = %s) as d""",
        [partition_key],
    ).fetchall()
    return row


def batch_reasons(connection: Connection, partition_key: str) -> list[dict[str, Any]]:
    """Why documents of a batch are not posted: NetSuite's code, how many and what they add up to, the most first."""
    return connection.execute(
        f"""
        select coalesce(o.code, d.state) as reason, d.currency, count(*) as documents, sum(d.total) as total
        from billing.staged_invoices as d
        left join lateral {_LAST_OUTCOME} as o on true
        where d.batch = %s and d.state <> 'posted' group by 1, 2 order by 3 desc, 1, 2""",  # noqa: S608  a constant
        [partition_key],
    ).fetchall()


def largest_posted(connection: Connection, partition_key: str, limit: int) -> list[dict[str, Any]]:
    """The largest transactions of a batch, with NetSuite's internal ids."""
    return connection.execute(
        """
        select kind, number, currency, total, netsuite_id, transaction_number from billing.staged_invoices
        where batch = %s and state = 'posted' order by abs(total) desc, id limit %s""",
        [partition_key, limit],
    ).fetchall()


def batch_problems(connection: Connection, partition_key: str, limit: int) -> list[dict[str, Any]]:
    """The documents of a batch that are not in NetSuite as they should be, with the last word on each."""
    return connection.execute(
        f"""
        select d.kind, d.number, d.state, d.currency, d.total, o.http_status, o.code, o.path,
               coalesce(d.difference, o.detail, case d.state when 'posted' then 'not read back yet' end) as detail
        from billing.staged_invoices as d
        left join lateral {_LAST_OUTCOME} as o on true
        where d.batch = %s
          and (d.state <> 'posted' or d.read_back_at is null or d.difference is not null)
        order by d.id limit %s""",  # noqa: S608  a constant
        [partition_key, limit],
    ).fetchall()


def applied_less(connection: Connection, partition_key: str, limit: int) -> list[dict[str, Any]]:
    """Posted credit memos of a batch of which less was applied than the billing system says: less was open."""
    return connection.execute(
        """
        select * from (
            select d.number, d.currency, -d.total as total, w.invoices, w.to_apply,
                   (select coalesce(sum((a ->> 1)::numeric), 0) from jsonb_array_elements(d.applied) as a) as applied
            from billing.staged_invoices as d
            cross join lateral (
                select string_agg(a ->> 0, ', ') as invoices,
                       case when bool_or(a ->> 1 is null) then -d.total else sum((a ->> 1)::numeric) end as to_apply
                from jsonb_array_elements(d.applications) as a) as w
            where d.batch = %s and d.state || '' = 'posted' and d.applied is not null
        ) as c where c.applied < c.to_apply order by c.number limit %s""",
        [partition_key, limit],
    ).fetchall()


def rejected(connection: Connection) -> list[dict[str, Any]]:
    """The dead letters: rejected documents with NetSuite's last words on each."""
    return connection.execute(
        f"""
        select d.kind, d.number, d.batch, d.currency, d.total, o.http_status, o.code, o.path, o.detail
        from billing.staged_invoices as d
        left join lateral {_LAST_OUTCOME} as o on true
        where d.state = 'rejected' order by d.id"""  # noqa: S608  a constant
    ).fetchall()
