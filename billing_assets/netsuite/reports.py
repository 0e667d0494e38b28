"""What people ask of single documents: where one is, what NetSuite said of it, and what a credit memo waits for."""

from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.state.database import Connection


class Standing(NamedTuple):
    """Where a document is. `applied`: what of a credit memo was sent to settle invoices, by number. `waits_for`: the
    invoices that a credit memo waits for, why, and their total (None where none is staged). `closed`: how its month is.
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
    applied: list[list[str]] | None
    waits_for: list[dict[str, Any]]


def standing(connection: Connection, number: str) -> list[Standing]:
    """The documents with a number, whatever their state, readable or not."""
    rows = connection.execute(
        """
        select d.id, d.kind, d.number, d.state, d.state_since, d.period, m.state as closed, d.batch, d.external_id,
               d.netsuite_id, d.transaction_number, d.findings, d.applied, o.refusal,
               coalesce(w.waits_for, '[]') as waits_for
        from billing.staged_invoices as d
        left join billing.closed_months as m on m.period = d.period
        left join lateral (
            select concat_ws(' ', o.http_status, o.code, o.path) || coalesce(': ' || o.detail, '') as refusal
            from billing.posting_attempts as a join billing.posting_outcomes as o on o.attempt = a.id
            where a.document = d.id and d.state = 'rejected' order by o.id desc limit 1) as o on true
        left join lateral (
            select jsonb_agg(jsonb_build_object('invoice', c.invoice, 'why', c.why, 'total', t.total::text)
                             order by c.invoice) as waits_for
            from billing.waiting_credits as c
            left join lateral (
                select s.total from billing.staged_invoices as s
                where s.source = billing.credited_source(d.source) and s.kind = 'invoice' and s.number = c.invoice
                order by s.state = 'posted' desc, s.state in ('gone', 'excluded'), s.id desc limit 1) as t on true
            where d.state in ('ready', 'held') and c.id = d.id) as w on true
        where d.number = %s order by d.id""",
        [number],
    )
    return [Standing(**row) for row in rows]


def expected_totals(waits_for: list[dict[str, Any]]) -> dict[str, Decimal]:
    """What the invoices that a credit memo waits for come to, by number, as far as they are staged."""
    return {one["invoice"]: Decimal(one["total"]) for one in waits_for if one["total"] is not None}
