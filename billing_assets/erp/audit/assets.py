"""What of last month is still open, and what an auditor must look at."""

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from billing_assets.erp.audit import store
from billing_assets.erp.audit.findings import CODES
from billing_assets.erp.audit.queue import Audited, PendingReport, audit_month, report_pending
from billing_assets.erp.audit.settings import AuditSettings
from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.erp.partitions import month_partitions
from billing_assets.erp.settings import source_names
from billing_assets.erp.staging.assets import staged_invoices
from billing_assets.foundation.dagster_helpers.failing import explained
from billing_assets.foundation.dagster_helpers.presentation import SHOWN_ROWS, money, typed_table
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings

NOTHING_OPEN = dg.AssetCheckSpec(
    "nothing_of_last_month_is_open",
    asset="pending_invoices",
    description="Every document of the month is closed in the billing system. One that is open is not billed.",
)


def audit_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """The assets `pending_invoices` and `audit_queue`, with a partition for every month."""
    months = month_partitions(settings)
    month_by_month = dg.BackfillPolicy.multi_run(max_partitions_per_run=1)

    @dg.asset(
        name="pending_invoices",
        partitions_def=months,
        deps=[staged_invoices],
        group_name="audit",
        kinds={"postgres"},
        owners=["team:finance"],
        check_specs=[NOTHING_OPEN],
        backfill_policy=month_by_month,
        description="The pending-invoice report of a month: what is still open in the billing system, by age and "
        "branch. What is closed is recorded as the month's invoices. Early in each month for the month before.",
    )
    @explained
    def pending_invoices(context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
        with billing.state() as connection:
            report = report_pending(
                connection,
                source_names(billing.settings)[0],
                context.partition_key,
                billing.settings.calendar.today(),
            )
        return dg.MaterializeResult(
            metadata=pending_metadata(report),
            check_results=[
                dg.AssetCheckResult(
                    check_name=NOTHING_OPEN.name,
                    passed=report.open_documents == 0,
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata={"documents_open": report.open_documents},
                    description=_still_open(report) if report.open_documents else None,
                )
            ],
        )

    @dg.asset(
        name="audit_queue",
        partitions_def=months,
        deps=[staged_invoices],
        group_name="audit",
        kinds={"postgres", "sql"},
        owners=["team:finance"],
        backfill_policy=month_by_month,
        description="What an auditor looks at before a month is closed: its open documents, and what their contracts "
        "should charge and do not, or charge and should not. `billing audit export` writes it as a file to decide on.",
    )
    @explained
    def audit_queue(context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
        period, name = context.partition_key, source_names(billing.settings)[0]
        with billing.state() as connection:
            with billing.of(BillingSystem).connection() as source:
                audited = audit_month(
                    connection,
                    source,
                    billing.of(BillingSystem).queries,
                    name,
                    period,
                    billing.settings.of(AuditSettings),
                )
            by_code = store.queue_by_code(connection, name, period)
            by_branch = store.queue_by_branch(connection, name, period, billing.settings.calendar.today())
            entries = [*store.queue_entries(connection, name, period, billing.settings.calendar.today(), SHOWN_ROWS)]
        return dg.MaterializeResult(metadata=queue_metadata(audited, by_code, by_branch, entries))

    return [pending_invoices, audit_queue]


def _still_open(report: PendingReport) -> str:
    return (
        f"{report.open_documents:,} documents of {report.period} are still open in the billing system. Close or void "
        "them there; the asset audit_queue says what is odd about them."
    )


def pending_metadata(report: PendingReport) -> dict[str, Any]:
    """The report as a clerk reads it."""
    metadata: dict[str, Any] = {
        "documents_open": report.open_documents,
        "documents_closed": report.recorded.all,
        "documents_recorded_now": report.recorded.now,
        "documents_open_of_earlier_months": sum(row["documents"] for row in report.open_before),
        "dagster/row_count": report.open_documents,
        "open_by_age": typed_table(
            report.still_open, ["age", "branch", "total", "documents", "kind", "currency", "oldest"]
        ),
        "open_of_earlier_months": typed_table(report.open_before, ["month", "total", "documents", "currency"]),
        "closed": typed_table(report.closed, ["kind", "total", "documents", "currency"]),
    }
    for what, rows in (("open", report.still_open), ("closed", report.closed)):
        for currency in sorted({row["currency"] for row in rows if row["currency"]}):
            metadata |= money(f"total_{what}_{currency}", sum(r["total"] for r in rows if r["currency"] == currency))
    return metadata


def queue_metadata(
    audited: Audited,
    by_code: Iterable[Mapping[str, Any]],
    by_branch: Iterable[Mapping[str, Any]],
    entries: Iterable[Mapping[str, Any]],
) -> dict[str, Any]:
    """The queue as a clerk reads it: numbers, contracts and services, branches, amounts and findings; no customer."""
    by_code, by_branch = list(by_code), list(by_branch)
    metadata: dict[str, Any] = {
        "entries": audited.entries,
        "entries_with_findings": sum(row["with_findings"] for row in by_branch),
        "entries_decided": sum(row["decided"] for row in by_branch),
        "entries_on_hold": sum(row["on_hold"] for row in by_branch),
        "contract_services": audited.services,
        "contract_services_unreadable": audited.bad_services,
        "dagster/row_count": audited.entries,
        "findings": typed_table(
            (row | {"meaning": CODES[row["code"]].meaning} for row in map(dict, by_code)),
            ["code", "total", "entries", "meaning", "currency"],
        ),
        "by_age_and_branch": typed_table(
            by_branch, ["age", "branch", "total", "entries", "with_findings", "decided", "on_hold", "currency"]
        ),
        "queue": typed_table(
            map(_shown, entries),
            [
                "number",
                "total",
                "findings",
                "decision",
                "contract",
                "services",
                "state",
                "age_days",
                "branch",
                "currency",
            ],
        ),
    }
    if audited.shown_bad:
        metadata["unreadable"] = typed_table(
            (one._asdict() for one in audited.shown_bad), ["contract", "service", "problem"]
        )
    for code in CODES:
        metadata[f"found_{code}"] = sum(row["entries"] for row in by_code if row["code"] == code)
    return metadata


def _shown(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **entry,
        "number": entry["number"] or "(no document)",
        "services": ", ".join(entry["services"]),
        "findings": ", ".join(dict.fromkeys(found["code"] for found in entry["findings"])),
    }
