"""The staging table: what we hold of every document that the billing system showed us."""

import dagster as dg

from billing_assets.billing_system.assets import billing_invoices
from billing_assets.presentation import frame_schema, money, table, totals_frame
from billing_assets.runtime import Runtime
from billing_assets.staging import store
from billing_assets.staging.staging import stage

REASONS = dg.AssetCheckSpec(
    "every_stuck_document_has_a_reason",
    asset="staged_invoices",
    blocking=True,
    description="No document is held or excluded without a finding that tells a person why.",
)


@dg.asset(
    deps=[billing_invoices],
    group_name="staging",
    kinds={"postgres"},
    owners=["team:billing"],
    check_specs=[REASONS],
    description="One row per invoice or credit memo, as the billing system shows it now, validated, with exactly one "
    "state and, if it is stuck, the reason. Staged several times a day; a closed document is `ready` within minutes of "
    "the next staging.",
)
def staged_invoices(context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    """Stages what is new or changed, in one transaction with the watermark."""
    settings = billing.settings
    name = settings.source.name
    with billing.state() as connection:
        with billing.billing_system() as source:
            result = stage(
                connection, source, billing.queries, name, billing.validation, settings.staging, context.run_id
            )
        totals = store.totals_by_state(connection, name)
        findings = store.totals_by_finding(connection, name)
        without_reason = store.without_reason(connection, name)
    frame = totals_frame(totals)
    metadata: dict[str, dg.MetadataValue | int | str] = {
        **{f"documents_{what}": count for what, count in result.counts.items()},
        "watermark": result.watermark.isoformat(timespec="seconds"),
        "dagster/row_count": sum(row["documents"] for row in totals),
        "states": table(totals, ["state", "kind", "currency", "documents", "total"]),
        "findings": table(findings, ["code", "severity", "documents", "currency", "total"]),
    }
    if not frame.empty:
        metadata["dagster/column_schema"] = dg.MetadataValue.table_schema(frame_schema(frame))
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
