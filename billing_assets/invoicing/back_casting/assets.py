"""Back-casts in Dagster: a partition a day."""

from decimal import Decimal

import dagster as dg

from billing_assets.foundation.dagster_helpers.failing import explained, failure
from billing_assets.foundation.dagster_helpers.presentation import SHOWN_ROWS, Shown, money, table
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings
from billing_assets.invoicing.back_casting import store
from billing_assets.invoicing.back_casting.casting import BackCast, Cast, Failed, Outcome, back_cast
from billing_assets.invoicing.back_casting.settings import BackCastSettings
from billing_assets.invoicing.batches.assets import GROUP, OWNERS
from billing_assets.invoicing.invoices.engine import rate_case


def days(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Every day since the first one of the settings, today included."""
    first = settings.of(BackCastSettings).first_day
    return dg.DailyPartitionsDefinition(first.isoformat(), end_offset=1, timezone=settings.calendar.time_zone)


def back_casts_asset(settings: Settings) -> dg.AssetsDefinition:
    """The asset `back_casts`, with a partition for each day."""

    @dg.asset(
        name="back_casts",
        partitions_def=days(settings),
        group_name=GROUP,
        kinds={"postgres"},
        owners=OWNERS,
        deps=["price_series", "profiles", "invoice_corrections"],
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        description="Issued bills rated again by newer prices and profiles. By tariff a difference is a "
        "line on the next bill, a bill to cancel and make again, or only logged. Red while one cannot be rated again. "
        "Safe to repeat: the same versions are rated again once.",
    )
    @explained
    def back_casts(context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
        """Rates again what newer versions may change."""
        today = context.partition_time_window.start.date()
        with billing.state() as connection:
            done = back_cast(connection, rate_case, today, billing.settings.of(BackCastSettings))
            waiting = store.to_rebill(connection)
        metadata = _metadata(done, len(waiting))
        if done.failed:
            failed = table((one._asdict() for one in done.failed[:SHOWN_ROWS]), list(Failed._fields))
            raise failure(
                f"{len(done.failed)} bills cannot be rated again.",
                billing.settings.alerts,
                to_do="Fix what the findings in the table name; the next run takes these bills up again.",
                metadata=metadata | {"failed": failed},
            )
        return dg.MaterializeResult(metadata=metadata)

    return back_casts


def _metadata(done: Cast, waiting: int) -> dict[str, Shown]:
    outcomes = [one.outcome for one in done.done]
    found: dict[str, Shown] = {
        "dagster/row_count": len(done.done),
        **{str(one): outcomes.count(one) for one in Outcome},
        "to_cancel_and_bill_again": waiting,
        "bills": table((one._asdict() for one in done.done[:SHOWN_ROWS]), list(BackCast._fields)),
    }
    for currency in sorted({one.currency for one in done.done}):
        change = sum((one.change for one in done.done if one.currency == currency), Decimal(0))
        found |= money(f"change_{currency}", change)
    return found
