"""The check that every kWh is on one live invoice or in one explained place."""

import dagster as dg

from billing_assets.foundation.dagster_helpers.failing import explained
from billing_assets.foundation.dagster_helpers.presentation import SHOWN_ROWS, table
from billing_assets.foundation.money import canonical
from billing_assets.foundation.runtime import Runtime
from billing_assets.invoicing.control.explaining_kwh import PLACES, every_kwh, months_until
from billing_assets.invoicing.control.kwh_reports import Place, Wrong
from billing_assets.invoicing.control.settings import ControlSettings


@dg.asset_check(
    asset="billable_usage",
    name="every_kwh_explained",
    description="Every kWh of the last months is on exactly one live invoice or in one explained place: waiting (why, "
    "since), in a batch, taken out (who, why), left out by agreement, in a correction. In numbers, exactly.",
    blocking=False,
)
@explained
def every_kwh_explained(billing: dg.ResourceParam[Runtime]) -> dg.AssetCheckResult:
    """Counts rows and kWh by place."""
    today = billing.settings.calendar.today().last
    first, until = months_until(today, billing.settings.of(ControlSettings).months)
    with billing.state() as connection:
        found = every_kwh(connection, first, until)
    months = [
        {
            "month": one.month.strftime("%Y-%m"),
            "metered_kwh": canonical(one.metered),
            "rows": one.rows,
            **{place: canonical(one.kwh(place)) for place in PLACES},
            "left_over": canonical(one.metered - one.placed),
        }
        for one in found.months
    ]
    reasons = [
        one._asdict() | {"month": one.month.strftime("%Y-%m"), "kwh": canonical(one.kwh)}
        for month in found.months
        for one in month.places
    ]
    return dg.AssetCheckResult(
        passed=found.is_explained,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "wrong": len(found.wrong),
            "kwh_by_place": table(months, ["month", "metered_kwh", "rows", *PLACES, "left_over"]),
            "why": table(reasons[:SHOWN_ROWS], list(Place._fields)),
            "not_explained": table((one._asdict() for one in found.wrong), list(Wrong._fields)),
        },
    )
