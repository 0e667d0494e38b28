"""Where documents, batches and lanes stand, as data and as tables for a terminal."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from rich.console import Console

from billing_assets.erp.batches.store import counts_by_state
from billing_assets.erp.documents.validation_rules import RULES
from billing_assets.erp.settings import NetSuiteSettings, source_names
from billing_assets.erp.staging.corrections.store import corrections
from billing_assets.erp.staging.polling import watermark
from billing_assets.erp.staging.reports import waiting_credits
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.money import amount
from billing_assets.foundation.settings import Settings
from billing_assets.posting.lanes import lanes_in_use


def status(connection: Connection, settings: Settings, period: str | None = None) -> dict[str, Any]:
    """One object: documents by state, kind and currency, findings, batches, watermark, lanes; of a month or of all.
    Findings are those of documents that are not posted.

    Totals are exact decimal texts in units of their currency; credit memos are negative.
    """
    documents = connection.execute(
        """
        select state, kind, currency, sum(documents)::bigint as count, sum(total)::text as total
        from billing.document_totals where %(period)s::text is null or period = %(period)s
        group by 1, 2, 3 order by 1, 2, 3""",
        {"period": period},
    ).fetchall()
    findings = connection.execute(
        """
        select f ->> 'code' as code, count(distinct d.id) as count
        from (
            select id, period, findings from billing.staged_invoices
            where state in ('open', 'held', 'excluded', 'ready', 'batched', 'rejected')
            union all
            select id, period, findings from billing.staged_invoices where state = 'gone' and status = 'void'
        ) as d, jsonb_array_elements(d.findings) as f
        where %(period)s::text is null or d.period = %(period)s group by 1 order by 1""",
        {"period": period},
    ).fetchall()
    marks = [watermark(connection, name) for name in source_names(settings)]
    mark = None if None in marks else min(one for one in marks if one)
    account = settings.of(NetSuiteSettings).account
    return {
        "documents": documents,
        "findings": {row["code"]: row["count"] for row in findings},
        "batches": counts_by_state(connection),
        "credits_waiting": len({row["number"] for row in waiting_credits(connection)}),
        "credit_memos_proposed": len(corrections(connection, undecided_only=True)),
        "watermark": mark.isoformat() if mark else None,
        "lanes": {
            "limit": settings.of(NetSuiteSettings).lanes,
            "in_use": lanes_in_use(connection, account) if account else 0,
        },
    }


def show(console: Console, found: dict[str, Any], title: str) -> None:
    """Prints it."""
    documents = simple_table(title, ["State", "Kind", "Currency", "Documents", "Total"])
    for row in found["documents"]:
        documents.add_row(
            row["state"],
            row["kind"].replace("_", " "),
            row["currency"] or "",
            f"{row['count']:,}",
            amount(row["total"]),
        )
    documents.add_section()
    documents.add_row("all", "", "", f"{sum(row['count'] for row in found['documents']):,}", _sum(found["documents"]))
    console.print(documents)
    if found["findings"]:
        findings = simple_table("Findings", ["Code", "Documents", "What it means"], right=(1,))
        for code, count in found["findings"].items():
            findings.add_row(code, f"{count:,}", RULES[code].meaning if code in RULES else "")
        console.print(findings)
    batches = ", ".join(f"{count} {state}" for state, count in found["batches"].items()) or "none yet"
    lanes = found["lanes"]
    console.print(f"Batches: {batches}. Lanes in use: {lanes['in_use']} of {lanes['limit']}.")
    if found["credits_waiting"]:
        console.print(f"Credit memos that wait for an invoice: {found['credits_waiting']:,} (`billing waiting`).")
    if proposed := found["credit_memos_proposed"]:
        console.print(f"Credit memos proposed for voided invoices: {proposed:,} (`billing voids list`).")
    console.print(f"Watermark: {found['watermark'] or 'never staged'}.")


def _sum(rows: Iterable[dict[str, Any]]) -> str:
    sums: dict[str, Decimal] = {}
    for row in rows:
        currency = row["currency"] or "no currency"
        sums[currency] = sums.get(currency, Decimal(0)) + Decimal(row["total"])
    return "\n".join(
        f"{currency} {amount(total)}" if len(sums) > 1 else amount(total) for currency, total in sums.items()
    )
