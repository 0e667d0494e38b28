"""The billing database, observed: how many documents it holds and whether anything is new."""

import dagster as dg

from billing_assets.erp.billing_system.queries import check_columns
from billing_assets.erp.billing_system.resource import BillingSystems
from billing_assets.erp.billing_system.totals import fingerprint, months, orphan_lines
from billing_assets.foundation.dagster_helpers.failing import explained
from billing_assets.foundation.dagster_helpers.presentation import table
from billing_assets.foundation.runtime import Runtime


@dg.observable_source_asset(
    name="billing_invoices",
    group_name="billing_system",
    description="Invoices and credit memos in the billing databases, with their lines. Read only: nothing "
    "here is ever written. An observation says whether anything appeared or closed since the last one.",
    metadata={"owners": "team:billing"},
    tags={"dagster/kind/sql": ""},
)
@explained
def billing_invoices(billing: dg.ResourceParam[Runtime]) -> dg.ObserveResult:
    """Looks at the billing database without reading the documents."""
    versions, found = [], set[str]()
    for system in billing.of(BillingSystems):
        with system.connection() as source:
            check_columns(source, system.queries)
            versions.append(fingerprint(source, system.queries, None))
            found.update(months(source, system.queries))
    return dg.ObserveResult(
        data_version=dg.DataVersion(" ".join(versions)),
        metadata={"months": dg.MetadataValue.text(", ".join(sorted(found)))},
    )


@dg.asset_check(
    asset=billing_invoices,
    name="lines_have_a_header",
    description="Every line belongs to a document. Lines without one cannot be billed and would go unnoticed.",
)
@explained
def lines_have_a_header(billing: dg.ResourceParam[Runtime]) -> dg.AssetCheckResult:
    """Compares all lines with all documents in the billing database."""
    rows = []
    for system in billing.of(BillingSystems):
        with system.connection() as source:
            rows += [
                {"source": system.name, "document_id": document_id, "lines": lines}
                for document_id, lines in orphan_lines(source, system.queries)
            ]
    return dg.AssetCheckResult(
        passed=not rows,
        metadata={"documents_without_header": len(rows), "found": table(rows, ["source", "document_id", "lines"])},
        description="Add the missing headers in the billing system, or delete the lines." if rows else None,
    )
