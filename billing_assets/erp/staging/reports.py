"""What people ask of staging: sums by state and finding, what is held or waits, and why."""

from collections.abc import Sequence
from typing import Any

from billing_assets.foundation.database.connection import Connection


def totals_by_state(connection: Connection, sources: Sequence[str]) -> list[dict[str, Any]]:
    """Documents and what they add up to, by state, kind and currency."""
    return connection.execute(
        """
        select state, kind, currency, sum(documents)::bigint as documents, sum(total) as total
        from billing.document_totals where source = any(%s) group by 1, 2, 3 order by 1, 2, 3""",
        [list(sources)],
    ).fetchall()


def totals_by_finding(connection: Connection, sources: Sequence[str]) -> list[dict[str, Any]]:
    """Documents that have a finding, by its code; a document with several counts under each."""
    return connection.execute(
        """
        select f ->> 'code' as code, f ->> 'severity' as severity, d.currency, count(distinct d.id) as documents,
               sum(d.total) as total
        from (
            select id, currency, total, findings from billing.staged_invoices
            where source = any(%(sources)s) and state in ('held', 'excluded', 'ready', 'batched')
            union all
            select id, currency, total, findings from billing.staged_invoices
            where source = any(%(sources)s) and state = 'gone' and status = 'void'
        ) as d, jsonb_array_elements(d.findings) as f
        group by 1, 2, 3 order by 4 desc, 1""",
        {"sources": list(sources)},
    ).fetchall()


def without_reason(connection: Connection, sources: Sequence[str]) -> int:
    """Documents held or excluded without a finding that says why. None is the only good answer."""
    row = connection.execute(
        """
        select count(*) as n from billing.staged_invoices
        where source = any(%s) and state in ('held', 'excluded') and findings = '[]'""",
        [list(sources)],
    ).fetchone()
    return int(row["n"]) if row else 0


def held(connection: Connection, code: str | None = None) -> list[dict[str, Any]]:
    """Held documents with their findings, all or those with a code."""
    return connection.execute(
        """
        select kind, number, currency, total, findings from billing.staged_invoices
        where state = 'held' and (%(code)s::text is null or findings @> jsonb_build_array(
            jsonb_build_object('code', %(code)s::text)))
        order by period, id""",
        {"code": code},
    ).fetchall()


def waiting_credits(
    connection: Connection, source: str | None = None, *, invoice_batch: str | None = None
) -> list[dict[str, Any]]:
    """Credit memos that wait for an invoice, and why it is not in NetSuite: of a source, or for invoices of a batch.

    A row for each invoice; one that waits for several has several. Longest waiting first.
    """
    return connection.execute(
        """
        select number, invoice, why, since, state, invoice_state, period, branch, currency, total
        from billing.waiting_credits
        where (%(source)s::text is null or billing.credited_source(source) = %(source)s)
          and (%(batch)s::text is null or invoice_batch = %(batch)s)
        order by since, number, invoice""",
        {"source": source, "batch": invoice_batch},
    ).fetchall()
