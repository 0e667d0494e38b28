"""The month, proven: billing system, staging and NetSuite side by side."""

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from billing_assets.close.reconciliation import MonthClose, Row, Sum, add, close_month
from billing_assets.close.store import findings
from billing_assets.netsuite.assets import netsuite_invoices
from billing_assets.presentation import money, typed_table
from billing_assets.runtime import Runtime
from billing_assets.settings import Settings
from billing_assets.staging.assets import staged_invoices

AGREE = dg.AssetCheckSpec(
    "billing_and_netsuite_agree",
    asset="month_close",
    description="Per branch, currency and kind: the billing system equals staging, and what was posted equals what "
    "NetSuite has, to the cent and document by document.",
)
COMPLETE = dg.AssetCheckSpec(
    "nothing_on_its_way",
    asset="month_close",
    description="Every document of the month is posted, excluded, or held with a reason.",
)

_SUMS = ("billing", "staged", "posted", "netsuite", "held", "excluded", "in_flight")
_PER_BRANCH = ["branch", "kind", "currency", "agrees", *_SUMS]


def month_close_asset(settings: Settings) -> dg.AssetsDefinition:
    """The asset `month_close`, with a partition for every month since the first one of the settings."""

    @dg.asset(
        name="month_close",
        partitions_def=dg.MonthlyPartitionsDefinition(settings.close.first_month, fmt="%Y-%m", end_offset=1),
        deps=[staged_invoices, dg.AssetDep(netsuite_invoices, partition_mapping=dg.AllPartitionMapping())],
        group_name="close",
        kinds={"postgres", "netsuite"},
        owners=["team:finance"],
        check_specs=[AGREE, COMPLETE],
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        description="Counts and totals of a billing month per branch, currency and kind, in the billing system, in "
        "staging and in NetSuite, with every difference listed.",
    )
    def month_close(context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
        period = context.partition_key
        with billing.state() as connection, billing.billing_system() as source:
            close = close_month(connection, source, billing.queries, billing.netsuite, billing.mapping, period)
            found = findings(connection, period)
        return dg.MaterializeResult(
            metadata=close_metadata(close, found),
            check_results=[
                dg.AssetCheckResult(
                    check_name=AGREE.name,
                    passed=close.reconciled,
                    metadata={"differences": len(close.differences)},
                ),
                dg.AssetCheckResult(
                    check_name=COMPLETE.name,
                    passed=close.in_flight.documents == 0,
                    metadata={"documents": close.in_flight.documents},
                ),
            ],
        )

    return month_close


def close_metadata(close: MonthClose, found: Iterable[Mapping[str, Any]]) -> dict[str, dg.MetadataValue | int | bool]:
    """The close as finance reads it: totals to plot and to trust, the table per branch, the differences."""
    wholes = {
        (currency, name): add(getattr(row, name) for row in close.rows if row.currency == currency)
        for currency in sorted({row.currency for row in close.rows})
        for name in _SUMS
    }
    metadata: dict[str, dg.MetadataValue | int | bool] = {
        "reconciled": close.reconciled,
        "complete": close.complete,
        "month": typed_table(
            ({"what": name, "currency": currency, **whole._asdict()} for (currency, name), whole in wholes.items()),
            ["what", "currency", *Sum._fields],
        ),
        "differences": typed_table((one._asdict() for one in close.differences), ["kind", "number", "what"]),
        "findings": typed_table(found, ["code", "state", "currency", "documents", "total"]),
        "per_branch": typed_table((_flat(row, "total") for row in close.rows), _PER_BRANCH),
        "per_branch_documents": typed_table((_flat(row, "documents") for row in close.rows), _PER_BRANCH),
        "dagster/row_count": len(close.rows),
    }
    for (currency, name), whole in wholes.items():
        metadata[f"documents_{name}_{currency}"] = whole.documents
        metadata |= money(f"total_{name}_{currency}", whole.total)
    return metadata


def _flat(row: Row, part: str) -> dict[str, Any]:
    """A row's totals or documents; a cell without any document is empty, so that the rest stands out."""
    sums: dict[str, Sum] = {name: getattr(row, name) for name in _SUMS}
    return {
        "branch": row.branch,
        "kind": row.kind,
        "currency": row.currency,
        "agrees": "yes" if row.agrees else "NO",
        **{name: getattr(one, part) if one.documents else None for name, one in sums.items()},
    }
