"""Readings that were judged, month by month."""

import dagster as dg

from billing_assets.foundation.dagster_helpers.failing import explained
from billing_assets.foundation.dagster_helpers.presentation import table
from billing_assets.foundation.periods import first_day, following
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings
from billing_assets.metering.validation import reports
from billing_assets.metering.validation.partitions import reading_months
from billing_assets.metering.validation.validating import validate_all


def validated_readings_asset(settings: Settings) -> dg.AssetsDefinition:
    """The asset `validated_readings`, with a partition for each month."""

    @dg.asset(
        name="validated_readings",
        partitions_def=reading_months(settings),
        deps=["meter_readings"],
        group_name="validation",
        kinds={"postgres"},
        owners=["team:billing-operations"],
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        description="The readings of a month, judged by every rule that is for them: what is implausible or incomplete "
        "holds its period until new data come or a clerk decides. Safe to repeat: what was judged and is the same is "
        "not judged otherwise.",
    )
    @explained
    def validated_readings(
        context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]
    ) -> dg.MaterializeResult:
        month, today = context.partition_key, billing.settings.calendar.today().last
        begin, end = first_day(month), first_day(following(month))
        with billing.state() as connection:
            found = validate_all(connection, begin, end, today=today, closing=end <= today)
            rules = reports.open_findings_by_rule(connection, begin, end)
        return dg.MaterializeResult(
            metadata={
                "periods": found.periods,
                "periods_with_another_result": found.new,
                "periods_held": found.held,
                "findings": found.findings,
                "open_findings_by_rule": table((one._asdict() for one in rules), list(reports.RuleCount._fields)),
                "dagster/row_count": found.periods,
            }
        )

    return validated_readings
