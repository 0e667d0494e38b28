"""The daily billing report in Dagster, and the check that every kWh is explained."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from platform import node

import dagster as dg

from billing_assets.foundation.dagster_helpers.failing import explained
from billing_assets.foundation.dagster_helpers.presentation import SHOWN_ROWS, Shown, money, table
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings
from billing_assets.invoicing.batches.assets import GROUP, OWNERS
from billing_assets.invoicing.control.daily_reports import FailedCode, GroupDay
from billing_assets.invoicing.control.partitions import billing_days
from billing_assets.invoicing.control.reporting import DailyReport, daily_report, write_report

REPORT = "daily_billing_report"


def daily_billing_report_asset(settings: Settings) -> dg.AssetsDefinition:
    """The asset `daily_billing_report`, with a partition for each business day."""

    @dg.asset(
        name=REPORT,
        partitions_def=billing_days(settings),
        group_name=GROUP,
        kinds={"postgres", "csv"},
        owners=OWNERS,
        deps=["billable_usage"],
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        description="The billing of a day by bill group: invoices and amount, failed members by code, parked, taken "
        "out; and as things are now the oldest unbilled usage and bills that are past their deadline. Also a CSV. "
        "Only reads.",
    )
    @explained
    def daily_billing_report(
        context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]
    ) -> dg.MaterializeResult:
        day = date.fromisoformat(context.partition_key)
        with billing.state() as connection:
            report = daily_report(connection, day, billing.settings)
        path = billing.settings.home / "daily_billing_reports" / f"{day}.csv"
        write_report(report, path)
        today = billing.settings.calendar.today().last
        return dg.MaterializeResult(metadata={**_shown(report, today), "file": f"{path} on {node()}"})

    return daily_billing_report


def _shown(report: DailyReport, today: date) -> dict[str, Shown]:
    found: dict[str, Shown] = {
        "dagster/row_count": sum(one.billed for one in report.groups),
        "by_group": table((one._asdict() for one in report.groups[:SHOWN_ROWS]), list(GroupDay._fields)),
        "failed_by_code": table((one._asdict() for one in report.failed[:SHOWN_ROWS]), list(FailedCode._fields)),
        **{name: sum(getattr(one, name) for one in report.groups) for name in ("billed", "cancelled", "drafted")},
        **{name: sum(_once(report, name).values()) for name in ("failed", "parked", "taken_out", "unbilled", "late")},
    }
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for one in report.groups:
        amounts[one.currency] += one.amount
    for currency, total in sorted(amounts.items()):
        found |= money(f"amount_{currency}", total)
    if (oldest := report.oldest_unbilled) is not None:
        found |= {"oldest_unbilled": oldest.isoformat(), "oldest_unbilled_days": max(today - oldest, timedelta()).days}
    return found


def _once(report: DailyReport, name: str) -> dict[str, int]:
    """A count by group: a group with two currencies has a row for each, and the same members in both."""
    return {one.bill_group: getattr(one, name) for one in report.groups}
