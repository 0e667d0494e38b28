"""Corrections in Dagster: what the utility sent after a bill is answered every night."""

import dagster as dg

from billing_assets.foundation.dagster_helpers.failing import explained
from billing_assets.foundation.dagster_helpers.presentation import SHOWN_ROWS, Shown, table
from billing_assets.foundation.runtime import Runtime
from billing_assets.invoicing.batches.assets import GROUP, OWNERS
from billing_assets.invoicing.corrections import reports
from billing_assets.invoicing.corrections.arrivals import answer
from billing_assets.invoicing.corrections.settings import CorrectionSettings
from billing_assets.invoicing.corrections.states import Outcome
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.settings import Thresholds
from billing_assets.invoicing.printing import day_of


@dg.asset(
    name="invoice_corrections",
    group_name=GROUP,
    kinds={"postgres"},
    owners=OWNERS,
    deps=["billable_usage", "utility_charges"],
    description="What the utility cancelled or replaced after it was billed. A draft is discarded; an invoice that "
    "charges the same stays; a small difference of an estimate is on the next bill; any other is cancelled and billed "
    "again, both issued together; without a replacement in time the cancel goes out alone. Safe to repeat.",
)
@explained
def invoice_corrections(billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    """Answers what metering proposed."""
    settings = billing.settings
    limits = settings.of(CorrectionSettings).limits(settings.of(Thresholds))
    with billing.state() as connection:
        done = answer(connection, rate_case, day_of(None, settings.calendar), limits)
        open_ones = reports.open_corrections(connection)
    metadata: dict[str, Shown] = {
        **{str(one): done.outcomes.get(one, 0) for one in Outcome},
        "waiting": done.waiting,
        "kept_back": done.kept_back,
        "drafts_discarded": done.discarded,
        "open_corrections": table(
            (one._asdict() for one in open_ones[:SHOWN_ROWS]), list(reports.OpenCorrection._fields)
        ),
    }
    return dg.MaterializeResult(metadata=metadata)
