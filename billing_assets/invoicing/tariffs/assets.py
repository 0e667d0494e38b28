"""Tariffs, series of prices and profiles: what rating has to take from."""

from datetime import UTC, datetime

import dagster as dg

from billing_assets.foundation.dagster_helpers.failing import explained
from billing_assets.foundation.dagster_helpers.presentation import SHOWN_ROWS, Shown, table
from billing_assets.foundation.runtime import Runtime
from billing_assets.invoicing.tariffs import reports
from billing_assets.invoicing.tariffs.reports import Series, TariffVersion, Waiting
from billing_assets.invoicing.tariffs.store import SeriesKind

GROUP = "rating"
_OWNERS = ["team:billing-operations"]
_STATES = ("draft", "approved", "withdrawn")
_VERSION = [
    "tariff",
    "version",
    "name",
    "currency",
    "charges",
    "state",
    "used",
    "maker",
    "approver",
    "loaded",
    "warnings",
]


@dg.asset(
    name="tariffs",
    group_name=GROUP,
    kinds={"postgres"},
    owners=_OWNERS,
    description="Tariffs with their versions: the one of each that bills are made by, drafts that wait for another "
    "person's approval, and what was found when they were loaded. A loaded version never changes; a change is a new "
    "version (`billing tariffs load`). Safe to repeat: it only reads.",
)
@explained
def tariffs(billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    """Shows versions and what waits."""
    with billing.state() as connection:
        found = reports.versions(connection)
    waiting = reports.waiting(found)
    used = {one.tariff for one in found if one.is_used}
    metadata: dict[str, Shown] = {
        "tariffs": len({one.tariff for one in found}),
        **{f"versions_{state}": sum(one.state == state for one in found) for state in _STATES},
        "tariffs_without_an_approved_version": len({one.tariff for one in found} - used),
        "dagster/row_count": len(found),
        "waiting_for_approval": table((one._asdict() for one in waiting[:SHOWN_ROWS]), list(Waiting._fields)),
        "versions": table((_row(one) for one in found), _VERSION),
    }
    if waiting:
        metadata["oldest_draft_days"] = (datetime.now(UTC) - waiting[0].since).days
    return dg.MaterializeResult(metadata=metadata)


def _row(one: TariffVersion) -> dict[str, object]:
    facts = {"version": one.number, "used": one.is_used, "loaded": one.loaded_at, "warnings": len(one.findings)}
    return one._asdict() | facts


@dg.asset(
    name="price_series",
    group_name=GROUP,
    kinds={"postgres"},
    owners=_OWNERS,
    description="Series of prices per MWh for index products: the version of each, from when to when it has prices, "
    "and how many are missing between. A price that is missing stops the bills that need it (PRICE_MISSING). Only "
    "reads.",
)
@explained
def price_series(billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    """Shows how far prices are there."""
    return dg.MaterializeResult(metadata=_series(billing, "price"))


@dg.asset(
    name="profiles",
    group_name=GROUP,
    kinds={"postgres"},
    owners=_OWNERS,
    description="Profiles that spread a register's energy over time: the version of each, from when to when it has "
    "weights, and how many are missing between. Only reads.",
)
@explained
def profiles(billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    """Shows how far weights are there."""
    return dg.MaterializeResult(metadata=_series(billing, "profile"))


def _series(billing: Runtime, kind: SeriesKind) -> dict[str, Shown]:
    with billing.state() as connection:
        found = reports.series(connection, kind)
    return {
        "series": len(found),
        "values_missing": sum(one.missing for one in found),
        "dagster/row_count": sum(one.values for one in found),
        "series_by_name": table((one._asdict() for one in found), list(Series._fields)),
    }
