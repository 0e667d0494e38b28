"""Drafts in Dagster: batches that may be invoiced are, and their drafts are checked. Issuing is a person's word."""

import dagster as dg

from billing_assets.foundation.dagster_helpers.failing import explained
from billing_assets.foundation.dagster_helpers.presentation import SHOWN_ROWS, Shown, table
from billing_assets.foundation.runtime import Runtime
from billing_assets.invoicing.batches import reports
from billing_assets.invoicing.batches.assets import GROUP, OWNERS, validated_batches
from billing_assets.invoicing.invoices import releasing
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.processing import Processed, process
from billing_assets.invoicing.invoices.settings import Thresholds

_FAILED = ["batch", "member", "account", "point", "period_start", "period_end", "code", "why"]


@dg.asset(
    name="drafted_invoices",
    group_name=GROUP,
    kinds={"postgres"},
    owners=OWNERS,
    deps=[validated_batches],
    description="Batches that may be invoiced, each member in a transaction of its own: the others go on where one "
    "fails. Drafts are checked before release; one with an error waits for a person. None has a number yet: "
    "`billing invoicing issue` gives it. Safe to repeat: a run that was cut off is gone on with.",
)
@explained
def drafted_invoices(context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    """Invoices what is pending."""
    done: list[Processed] = []
    failed = []
    checked = []
    url, worker, today = billing.database_url, context.run.run_id, billing.settings.calendar.today().last
    with billing.state() as connection:
        while (one := process(url, connection, rate_case, worker, today=today)) is not None:
            done.append(one)
            failed += [{"batch": one.batch, **member} for member in reports.failed(connection, one.batch)]
            given = billing.settings.of(Thresholds)
            checked.append(releasing.check_quality(connection, one.batch, given, today))
    metadata: dict[str, Shown] = {
        "batches": len(done),
        "drafted": sum(one.invoiced for one in done),
        "failed": sum(one.failed for one in done),
        "approved": sum(one.approved for one in checked),
        "held_by_checks": sum(one.held for one in checked),
        "batches_invoiced": table((one._asdict() for one in done[:SHOWN_ROWS]), list(Processed._fields)),
        "failed_members": table(failed[:SHOWN_ROWS], _FAILED),
    }
    return dg.MaterializeResult(metadata=metadata)
