"""Requests and batches in Dagster: planning, locking, validating."""

import dagster as dg

from billing_assets.foundation.dagster_helpers.failing import explained
from billing_assets.foundation.dagster_helpers.presentation import SHOWN_ROWS, Shown, table
from billing_assets.foundation.runtime import Runtime
from billing_assets.invoicing.batches import planning_store, reports
from billing_assets.invoicing.batches.planning_store import GroupCount, Planned
from billing_assets.invoicing.batches.reports import BatchStatus
from billing_assets.invoicing.batches.settings import Parameters
from billing_assets.invoicing.batches.states import Batch
from billing_assets.invoicing.batches.validating import Validated, plan_next, validate
from billing_assets.invoicing.printing import day_of

GROUP = "invoicing"
OWNERS = ["team:billing-operations"]


@dg.asset(
    name="invoice_requests",
    group_name=GROUP,
    kinds={"postgres"},
    owners=OWNERS,
    deps=["billable_usage", "utility_charges"],
    description="Requests to bill that were queued become batches: one bill group each, locked, no customer in two. "
    "Also shows for each group how many customers there are and how many can be billed. Safe to repeat: a request is "
    "planned once.",
)
@explained
def invoice_requests(billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    """Plans what is pending."""
    made: list[Planned] = []
    with billing.state() as connection:
        while (planned := plan_next(connection)) is not None:
            made += planned
        groups = planning_store.groups(connection, day_of(None, billing.settings.calendar))
    metadata: dict[str, Shown] = {
        "batches": len(made),
        "members": sum(one.members for one in made),
        "customers": sum(one.customers for one in groups),
        "billable_customers": sum(one.billable for one in groups),
        "made": table((one._asdict() for one in made[:SHOWN_ROWS]), list(Planned._fields)),
        "groups": table((one._asdict() for one in groups[:SHOWN_ROWS]), list(GroupCount._fields)),
    }
    return dg.MaterializeResult(metadata=metadata)


@dg.asset(
    name="validated_batches",
    group_name=GROUP,
    kinds={"postgres"},
    owners=OWNERS,
    deps=[invoice_requests],
    description="Every validation over every member of the batches that wait for it. A member with an error is held "
    "until it is fixed, waived or taken out (`billing invoicing findings`); a batch of an automated group without one "
    "goes on. Safe to repeat.",
)
@explained
def validated_batches(billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    """Validates what waits."""
    today, given = day_of(None, billing.settings.calendar), billing.settings.of(Parameters)
    with billing.state() as connection:
        waiting = (Batch.PENDING_VALIDATION, Batch.VALIDATING)
        batches = [one.batch for one in reports.batches(connection, only_open=True) if one.state in waiting]
        done = [validate(connection, batch, given, today=today) for batch in sorted(batches)]
        open_ones = reports.batches(connection, only_open=True)
        codes = reports.codes(connection)
    metadata: dict[str, Shown] = {
        "validated": len(done),
        "members": sum(one.members for one in done),
        "members_held": sum(one.held for one in done),
        "open_findings_by_code": table(codes, ["code", "severity", "members"]),
        "batches_validated": table((one._asdict() for one in done[:SHOWN_ROWS]), list(Validated._fields)),
        "open_batches": table((one._asdict() for one in open_ones[:SHOWN_ROWS]), list(BatchStatus._fields)),
    }
    return dg.MaterializeResult(metadata=metadata)
