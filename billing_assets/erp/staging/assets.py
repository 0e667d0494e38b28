"""The staging table: what we hold of every document that the billing system showed us."""

from collections import Counter
from collections.abc import Mapping, Sequence

import dagster as dg
import structlog

from billing_assets.erp.billing_system.assets import billing_invoices
from billing_assets.erp.billing_system.resource import BillingSystems
from billing_assets.erp.settings import source_names
from billing_assets.erp.staging import reports
from billing_assets.erp.staging.corrections.store import corrections
from billing_assets.erp.staging.corrections.voids import judge_held
from billing_assets.erp.staging.reports import waiting_credits
from billing_assets.erp.staging.settings import StagingSettings
from billing_assets.erp.staging.staging import StagingResult, stage
from billing_assets.erp.staging.validating import validation
from billing_assets.foundation.dagster_helpers.failing import explained
from billing_assets.foundation.dagster_helpers.presentation import money, table, typed_table
from billing_assets.foundation.dagster_helpers.runs import asked_by
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.runtime import Runtime

log = structlog.get_logger(__name__)

OFTEN = frozenset({"stage_when_closed", "stage_several_times_a_day"})
"""Who asks for a staging that looks only at what is new, may change or was posted lately. Any other is a whole one."""

REASONS = dg.AssetCheckSpec(
    "every_stuck_document_has_a_reason",
    asset="staged_invoices",
    blocking=True,
    description="No document is held or excluded without a finding that tells a person why.",
)


def _stage_all(billing: Runtime, connection: Connection, run_id: str, *, whole: bool) -> dict[str, StagingResult]:
    """Stages every source; one that cannot be read keeps no other from it, and is raised at the end."""
    names = source_names(billing.settings)
    judged_by = validation(billing)  # before a transaction waits for it
    results: dict[str, StagingResult] = {}
    faults: list[BillingError] = []
    for system in billing.of(BillingSystems):
        try:
            queries = system.queries
            with system.connection() as source:
                database = system.identity(source)
                results[system.name] = stage(
                    connection,
                    source,
                    queries,
                    system.name,
                    judged_by,
                    billing.settings.of(StagingSettings),
                    run_id,
                    whole=whole,
                    database=database,
                    names=names,
                )
            judge_held(connection, system.name, judged_by)
        except BillingError as error:
            log.warning("source_not_staged", source=system.name, error=type(error).__name__)
            faults.append(error)
    if faults:
        raise faults[0]
    return results


def _in_words(compared: Mapping[str, Sequence[str] | None]) -> str:
    """The months that were compared; by source where there are several."""
    words = {
        name: "all that are not closed for good" if some is None else ", ".join(some) or "none: the totals agree"
        for name, some in compared.items()
    }
    return "; ".join(words.values() if len(words) == 1 else (f"{name}: {some}" for name, some in words.items()))


COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn(name, kind, description)
        for name, kind, description in [
            ("kind", "text", "Invoice or credit memo, or what else the billing system has"),
            ("number", "text", "The document's number in the billing system"),
            ("status", "text", "Open or closed there; only a closed one is billed"),
            ("document_date", "date", "Its date; the transaction in NetSuite has the same"),
            ("due_date", "date", "When it is to be paid"),
            ("period", "text", "Billing month, YYYY-MM"),
            ("customer", "text", "Customer number"),
            ("branch", "text", "Branch; the mapping makes subsidiary, department, class and location of it"),
            ("currency", "text", "ISO 4217 code"),
            ("total", "numeric", "Signed, tax included: credit memos are negative"),
            ("applies_to", "text", "Of a credit memo: the invoice that it corrects"),
            ("contract", "text", "The contract whose services it charges, where the billing system says"),
            ("applications", "jsonb", "What a credit memo is applied to: invoices and amounts, null for what is open"),
            ("applied", "jsonb", "What was sent to be applied: invoices and amounts"),
            ("line_count", "integer", "Number of lines"),
            ("lines", "jsonb", "The lines in their order; the view staged_invoice_lines names their columns"),
            (
                "state",
                "text",
                "Its state: open, held, excluded, ready, batched, locked, posting, posted, rejected, differs or gone",
            ),
            ("state_since", "timestamptz", "Since when it stands there"),
            ("findings", "jsonb", "Why it is held or excluded: code, field, sentence of every finding"),
            ("batch", "text", "The batch that it goes with: the partition of locked_batches and netsuite_invoices"),
            ("external_id", "text", "Its external id in NetSuite, which makes a second transaction impossible"),
            ("netsuite_id", "text", "Internal id in NetSuite, once posted"),
            ("transaction_number", "text", "Transaction number in NetSuite, once posted"),
            ("posted_at", "timestamptz", "When NetSuite took it"),
            ("read_back_at", "timestamptz", "When it was read back from NetSuite and compared"),
            ("difference", "text", "What the read-back found different, if anything"),
            ("drift", "jsonb", "What changed in the billing system after it was posted, if anything"),
            ("drifted_at", "timestamptz", "When that last came, changed or went"),
            ("staged_at", "timestamptz", "When staging last saw it new or changed"),
        ]
    ]
)
"""The columns that people ask for; a test holds them equal to the table."""


@dg.asset(
    metadata={"dagster/column_schema": COLUMNS, "dagster/table_name": "billing.staged_invoices"},
    deps=[billing_invoices],
    group_name="staging",
    kinds={"postgres"},
    owners=["team:billing"],
    check_specs=[REASONS],
    description="One row per invoice or credit memo, as the billing system shows it now, validated, with exactly one "
    "state and, if it is stuck, the reason. Staged several times a day; a closed document is `ready` within minutes of "
    "the next staging.",
)
@explained
def staged_invoices(context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    """Stages what is new or changed, in one transaction with the watermark; then compares months with their source."""
    whole = asked_by(context.run) not in OFTEN
    names = source_names(billing.settings)
    with billing.state() as connection:
        results = _stage_all(billing, connection, context.run.run_id, whole=whole)
        waiting = [row for name in names for row in waiting_credits(connection, name)]
        proposed = corrections(connection, undecided_only=True)
        totals = reports.totals_by_state(connection, names)
        findings = reports.totals_by_finding(connection, names)
        without_reason = reports.without_reason(connection, names)
    counts = Counter[str]()
    for result in results.values():
        counts.update(result.counts)
    # Else it is not seen when the billing system was looked at last.
    context.log_event(dg.AssetObservation(billing_invoices.key, metadata={"documents_read": counts["read"]}))
    metadata: dict[str, dg.MetadataValue | int | str] = {
        **{f"documents_{what}": counts[what] for what in next(iter(results.values())).counts},
        "months_compared": _in_words({name: one.compared for name, one in results.items()}),
        "watermark": min(one.watermark for one in results.values()).isoformat(timespec="seconds"),
        "dagster/row_count": sum(row["documents"] for row in totals),
        "states": typed_table(totals, ["state", "total", "documents", "kind", "currency"]),
        "findings": typed_table(findings, ["code", "total", "documents", "severity", "currency"]),
        "credits_waiting": len({row["number"] for row in waiting}),
        "waiting_credits": table(waiting, ["number", "total", "why", "invoice", "since", "currency"]),
        "credit_memos_proposed": len(proposed),
        "proposed_credit_memos": table(
            [one._asdict() for one in proposed],
            ["number", "total", "period", "proposed_at", "currency", "branch"],
        ),
    }
    for row in totals:
        metadata |= money(f"total_{row['state']}_{row['kind']}_{row['currency'] or 'none'}", row["total"])
    return dg.MaterializeResult(
        metadata=metadata,
        check_results=[
            dg.AssetCheckResult(
                check_name=REASONS.name,
                passed=without_reason == 0,
                metadata={"documents_without_a_reason": without_reason},
            )
        ],
    )
