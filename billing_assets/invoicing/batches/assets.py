"""Requests and batches in Dagster: planning, locking, validating."""

from collections.abc import Iterator

import dagster as dg

from billing_assets.foundation.dagster_helpers.failing import explained, failure, page_of
from billing_assets.foundation.dagster_helpers.presentation import SHOWN_ROWS, Shown, table
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime
from billing_assets.invoicing.batches import planning_store, reports
from billing_assets.invoicing.batches.asking import plan_pending
from billing_assets.invoicing.batches.codes import TO_DO
from billing_assets.invoicing.batches.partitions import batch_of, invoice_batches
from billing_assets.invoicing.batches.planning_store import GroupCount, Planned
from billing_assets.invoicing.batches.reports import BatchStatus
from billing_assets.invoicing.batches.settings import Parameters
from billing_assets.invoicing.batches.states import Batch
from billing_assets.invoicing.batches.store import BatchStateError
from billing_assets.invoicing.batches.validating import validate
from billing_assets.invoicing.printing import day_of

GROUP = "invoicing"
OWNERS = ["team:billing-operations"]
CHAPTER = "a-red-batch-of-invoices"
_CODES = ["code", "severity", "members"]
_FINDINGS = ["member", "account", "code", "severity", "sentence", "waivable", "what_to_do"]
_OPEN = (Batch.PENDING_VALIDATION, Batch.VALIDATING, Batch.IN_REVIEW)


@dg.asset(
    name="invoice_requests",
    group_name=GROUP,
    kinds={"postgres"},
    owners=OWNERS,
    deps=["billable_usage", "utility_charges"],
    description="Requests to bill that were queued become batches: one bill group each, locked, no customer in two. "
    "Also shows for each group how many customers there are and how many can be billed. The sensor "
    "`plan_invoice_batches` does the same. Safe to repeat: a request is planned once.",
)
@explained
def invoice_requests(billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    """Plans what is pending."""
    today = day_of(None, billing.settings.calendar)
    with billing.state() as connection:
        made = plan_pending(connection)
        groups = planning_store.groups(connection, today)
        oldest = planning_store.oldest_unbilled(connection)
    metadata: dict[str, Shown] = {
        "batches": len(made),
        "members": sum(one.members for one in made),
        "customers": sum(one.customers for one in groups),
        "billable_customers": sum(one.billable for one in groups),
        "made": table((one._asdict() for one in made[:SHOWN_ROWS]), list(Planned._fields)),
        "groups": table((one._asdict() for one in groups[:SHOWN_ROWS]), list(GroupCount._fields)),
    }
    if oldest is not None:
        metadata |= {"oldest_unbilled": oldest.isoformat(), "oldest_unbilled_days": (today - oldest).days}
    return dg.MaterializeResult(metadata=metadata)


NO_ERROR = dg.AssetCheckSpec(
    "validations_found_no_error",
    asset="validated_batches",
    description="No member of the batch has an open error. For show: it is the database that keeps a member with an "
    "error from being invoiced.",
)
NO_WARNING = dg.AssetCheckSpec(
    "validations_found_no_warning",
    asset="validated_batches",
    description="No member of the batch has an open warning. A batch of a strict group waits for a person until there "
    "is none.",
)


@dg.asset(
    name="validated_batches",
    partitions_def=invoice_batches,
    group_name=GROUP,
    kinds={"postgres"},
    owners=OWNERS,
    deps=[invoice_requests],
    check_specs=[NO_ERROR, NO_WARNING],
    backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
    description="Every validation over every member of a batch; the partition is the batch. Red while a member has an "
    "error: fix, waive or take it out (`billing invoicing findings`), then materialize the partition again. A batch of "
    "an automated group without an error goes on to its drafts. Safe to repeat.",
)
@explained
def validated_batches(
    context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Validates the batch, if it is not invoiced yet."""
    batch, given = batch_of(context.partition_key), billing.settings.of(Parameters)
    with billing.state() as connection:
        if Batch(status_of(connection, batch).state) in _OPEN:
            validate(connection, batch, given, today=day_of(None, billing.settings.calendar))
        status = status_of(connection, batch)
        codes = reports.codes(connection, batch)
        findings = reports.findings(connection, batch)
    metadata: dict[str, Shown] = {
        **counts_of(status),
        "findings_by_code": table(codes, _CODES),
        "findings": table(
            (one._asdict() | {"what_to_do": TO_DO.get(one.code, "")} for one in findings[:SHOWN_ROWS]), _FINDINGS
        ),
    }
    checks = [
        dg.AssetCheckResult(
            asset_key=context.asset_key,
            check_name=spec.name,
            passed=not any(one["severity"] == severity for one in codes),
            severity=shown,
            metadata={"by_code": table((one for one in codes if one["severity"] == severity), _CODES)},
        )
        for spec, severity, shown in (
            (NO_ERROR, "error", dg.AssetCheckSeverity.ERROR),
            (NO_WARNING, "warning", dg.AssetCheckSeverity.WARN),
        )
    ]
    if not status.held:
        yield dg.MaterializeResult(metadata=metadata, check_results=checks)
        return
    yield from checks
    by_code = ", ".join(f"{one['code']} {one['members']}" for one in codes if one["severity"] == "error")
    raise failure(
        f"Batch {batch}: {status.held} of {status.selected} members have an error ({by_code}). It waits in review.",
        billing.settings.alerts,
        to_do="The table `findings` names each. Fix it at its source, waive it or take the member out, then "
        "materialize the partition again.",
        chapter=CHAPTER,
        metadata={
            "materialize_again": page_of("validated_batches", context.partition_key, billing.settings.alerts),
            **metadata,
        },
    )


def status_of(connection: Connection, batch: int) -> BatchStatus:
    """Where a batch stands. Raises BatchStateError where there is none."""
    found = reports.batches(connection, batch)
    if not found:
        raise BatchStateError(f"There is no batch {batch}. `billing invoicing status --all` lists them.")
    return found[0]


def counts_of(status: BatchStatus) -> dict[str, Shown]:
    """A batch's members by outcome: selected is the sum of them all."""
    outcomes = ("open", "held", "invoiced", "failed", "taken_out", "released", "discarded")
    return {
        "bill_group": status.bill_group,
        "state": status.words,
        "dagster/row_count": status.selected,
        **{f"members_{name}": getattr(status, name) for name in outcomes},
        **({} if status.why is None else {"why": status.why}),
    }
