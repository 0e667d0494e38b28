"""Usage and charges: what may be billed, and what the rest waits for."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from billing_assets.foundation.dagster_helpers.failing import explained
from billing_assets.foundation.dagster_helpers.presentation import SHOWN_ROWS, Shown, table
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime
from billing_assets.metering.usage import reports
from billing_assets.metering.usage.intake import settle_all
from billing_assets.metering.usage.reports import Count, Orphans, Waiting
from billing_assets.metering.usage.settings import UsageSettings
from billing_assets.metering.usage.states import Kind

GROUP = "usage"
_OWNERS = ["team:billing-operations"]
_WAITING = [name for name in Waiting._fields if name not in ("kind", "codes")]


@dg.asset(
    name="billable_usage",
    deps=["meter_readings"],
    group_name=GROUP,
    kinds={"postgres"},
    owners=_OWNERS,
    description="Usage of service points (867) that is on no invoice yet: ready with its charges, or waiting for what "
    "since when. Settles all that came, and what the clock has changed since: credits that are due. Safe to repeat.",
)
@explained
def billable_usage(context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    """Settles, and shows what may be billed."""
    options = billing.settings.of(UsageSettings).options()
    with billing.state() as connection:
        moved = settle_all(connection, options=options)
        metadata = _shown(connection, Kind.USAGE)
        proposed = reports.candidate_counts(connection)
    return dg.MaterializeResult(
        metadata={
            **metadata,
            "messages_moved": len(moved),
            "candidates": table((one._asdict() for one in proposed), list(reports.CandidateCount._fields)),
        }
    )


@dg.asset(
    name="utility_charges",
    deps=["billable_usage"],
    group_name=GROUP,
    kinds={"postgres"},
    owners=_OWNERS,
    description="Charges of utilities (810) that are on no invoice yet: ready with their usage, or waiting for what "
    "since when.",
)
@explained
def utility_charges(context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    """Shows what may be charged."""
    with billing.state() as connection:
        return dg.MaterializeResult(metadata=_shown(connection, Kind.CHARGES))


def _shown(connection: Connection, kind: Kind) -> dict[str, Shown]:
    counts = [one for one in reports.counts(connection) if one.kind == kind]
    waiting = [one for one in reports.waiting(connection, datetime.now(UTC), limit=SHOWN_ROWS) if one.kind == kind]
    return {
        "dagster/row_count": sum(one.messages for one in counts),
        **{state: sum(one.messages for one in counts if one.state == state) for state in ("ready", "held", "waiting")},
        "by_state": table((one._asdict() for one in counts), list(Count._fields)),
        "oldest_waiting": table((_row(one) for one in waiting), [*_WAITING, "codes"]),
    }


def _row(one: Waiting) -> dict[str, Any]:
    return one._asdict() | {"codes": ", ".join(one.codes)}


@dg.asset_check(
    asset="billable_usage",
    name="usage_and_charges_find_each_other",
    description="No usage waits for its charges, and no charges for their usage, for longer than the first age of "
    "`usage.ageing_days`; an error from the last age on.",
    blocking=False,
)
@explained
def usage_and_charges_find_each_other(billing: dg.ResourceParam[Runtime]) -> dg.AssetCheckResult:
    """Orphans by age."""
    options = billing.settings.of(UsageSettings).options()
    with billing.state() as connection:
        found = reports.orphans_by_age(connection, datetime.now(UTC), options)
    too_old = any(one.at_least_days == max(options.ageing_days) for one in found)
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.ERROR if too_old else dg.AssetCheckSeverity.WARN,
        metadata={
            "orphans": sum(one.messages for one in found),
            "by_age": table(
                (one._asdict() | {"oldest": ", ".join(one.oldest)} for one in found), list(Orphans._fields)
            ),
        },
    )


@dg.asset_check(
    asset="billable_usage",
    name="every_set_is_settled",
    description="Every 867 and 810 that was accepted or held is settled, and its set shows the same state.",
    blocking=False,
)
@explained
def every_set_is_settled(billing: dg.ResourceParam[Runtime]) -> dg.AssetCheckResult:
    """The sum by state is what was received."""
    with billing.state() as connection:
        found = reports.unsettled_sets(connection)
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"sets": table((one._asdict() for one in found), list(reports.UnsettledSet._fields))},
    )
