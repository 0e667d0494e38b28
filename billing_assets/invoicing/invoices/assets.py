"""Drafts and issued invoices in Dagster, batch by batch. Issuing is a person's word."""

from collections.abc import Iterator
from datetime import date

import dagster as dg
from pydantic import Field

from billing_assets.foundation.dagster_helpers.failing import explained, failure, page_of
from billing_assets.foundation.dagster_helpers.presentation import SHOWN_ROWS, Shown, money, table
from billing_assets.foundation.dagster_helpers.runs import asked_by
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime
from billing_assets.invoicing.batches import planning_store, reports, reviewing
from billing_assets.invoicing.batches.assets import (
    CHAPTER,
    GROUP,
    OWNERS,
    counts_of,
    status_of,
    validated_batches,
)
from billing_assets.invoicing.batches.partitions import batch_of, invoice_batches
from billing_assets.invoicing.batches.states import WORDS, Batch
from billing_assets.invoicing.invoices import document_reports, releasing
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.errors import CODES
from billing_assets.invoicing.invoices.processing import process
from billing_assets.invoicing.invoices.quality import TO_DO
from billing_assets.invoicing.invoices.settings import Thresholds
from billing_assets.invoicing.printing import day_of

_FAILED = ["member", "account", "period_start", "period_end", "code", "why", "what_to_do"]
_QUALITY = ["invoice", "account", "code", "severity", "sentence", "what_to_do"]
_TO_BE_INVOICED = (Batch.PENDING, Batch.PROCESSING)
_BEFORE = (Batch.SELECTED, Batch.PENDING_VALIDATION, Batch.VALIDATING, Batch.IN_REVIEW)


class ProceedConfig(dg.Config):
    """A person's word that a batch in review is invoiced."""

    by: str = Field(default="", description="Who lets a batch in review be invoiced: kept with the decision.")
    why: str = Field(default="", description="Why: kept with the decision.")


class IssueConfig(dg.Config):
    """How a batch is issued."""

    invoice_date: str = Field(default="", description="Invoice date, e.g. '2026-08-10'. Empty: today.")


@dg.asset(
    name="drafted_invoices",
    partitions_def=invoice_batches,
    group_name=GROUP,
    kinds={"postgres"},
    owners=OWNERS,
    deps=[validated_batches],
    output_required=False,
    backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
    description="Invoices of a batch without a number yet, each member in a transaction of its own: the others go on "
    "where one fails. Drafts are checked before release. A batch in review is invoiced by a person's word: `by` and "
    "`why` in the config. Red while a member failed: fix its cause and materialize the partition again; the failed "
    "ones go into a new batch. Safe to repeat: a run that was cut off is gone on with.",
)
@explained
def drafted_invoices(
    context: dg.AssetExecutionContext, config: ProceedConfig, billing: dg.ResourceParam[Runtime]
) -> Iterator[dg.MaterializeResult]:
    """Invoices the batch, if it may be."""
    batch = batch_of(context.partition_key)
    url, today = billing.database_url, day_of(None, billing.settings.calendar)
    again = None
    with billing.state() as connection:
        state = _let_go_on(connection, batch, config)
        if state in _BEFORE:
            if asked_by(context.run) is None:
                raise failure(
                    f"Batch {batch} is {WORDS[state]}: a person lets it be invoiced.",
                    billing.settings.alerts,
                    to_do="Write `by` and `why` into the config of `drafted_invoices`, or type `billing invoicing "
                    f"invoice {batch}`.",
                    chapter=CHAPTER,
                    metadata=counts_of(status_of(connection, batch)),
                )
            context.log.info(f"Batch {batch} is {WORDS[state]}: it waits for a person.")
            return
        if state in _TO_BE_INVOICED and not process(url, connection, rate_case, context.run.run_id, batch, today=today):
            context.log.info(f"Another run has batch {batch}, or it rests: this run is not needed.")
            return
        if state is Batch.ERROR_OCCURRED and asked_by(context.run) is None:
            again = planning_store.retry(connection, batch)
        releasing.check_quality(connection, batch, today, billing.settings.of(Thresholds))
        metadata = _drafted(connection, batch)
        left = reports.left(connection, batch)
    if again:
        metadata["retried_in_batch"] = again.batch
    if not left:
        yield dg.MaterializeResult(metadata=metadata)
        return
    by_code = ", ".join(sorted({one["code"] for one in left}))
    raise failure(
        f"Batch {batch}: {len(left)} members could not be invoiced ({by_code}). All others of it are drafted.",
        billing.settings.alerts,
        to_do="The table `failed_members` names each and why. Fix the cause, then materialize the partition again: the "
        "failed ones go into a new batch.",
        chapter=CHAPTER,
        metadata={
            "materialize_again": page_of("drafted_invoices", context.partition_key, billing.settings.alerts),
            **metadata,
        },
    )


def _let_go_on(connection: Connection, batch: int, config: ProceedConfig) -> Batch:
    """Where the batch stands, after the person's word if one is given."""
    state = Batch(status_of(connection, batch).state)
    if state is Batch.IN_REVIEW and config.by.strip() and config.why.strip():
        reviewing.proceed(connection, batch, config.by, config.why)
        return Batch.PENDING
    return state


def _drafted(connection: Connection, batch: int) -> dict[str, Shown]:
    failed = [one | {"what_to_do": CODES[one["code"]].to_do} for one in reports.left(connection, batch)]
    quality = [
        one | {"what_to_do": TO_DO.get(one["code"], "")} for one in document_reports.open_quality(connection, batch)
    ]
    return {
        **counts_of(status_of(connection, batch)),
        **_sums(connection, batch),
        "failed_members": table(failed[:SHOWN_ROWS], _FAILED),
        "checks_before_release": table(quality[:SHOWN_ROWS], _QUALITY),
    }


def _sums(connection: Connection, batch: int) -> dict[str, Shown]:
    found: dict[str, Shown] = {}
    for row in document_reports.sums(connection, batch):
        name = f"{row.state}_{row.currency}"
        found |= {f"documents_{name}": row.documents, **money(f"total_{name}", row.total)}
    return found


@dg.asset(
    name="issued_invoices",
    partitions_def=invoice_batches,
    group_name=GROUP,
    kinds={"postgres"},
    owners=OWNERS,
    deps=[drafted_invoices],
    backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
    description="Invoices of a batch with their numbers, given in one transaction without a gap; from then on they "
    "never change, and staging sees them. To materialize a partition is to issue it. Red while a draft waits for a "
    "person (`billing invoicing approve` or `discard`); then materialize it again. Safe to repeat.",
)
@explained
def issued_invoices(
    context: dg.AssetExecutionContext, config: IssueConfig, billing: dg.ResourceParam[Runtime]
) -> Iterator[dg.MaterializeResult]:
    """Issues what passed the checks."""
    batch = batch_of(context.partition_key)
    day = _date(config.invoice_date) or day_of(None, billing.settings.calendar)
    with billing.state() as connection:
        status = status_of(connection, batch)
        held = stale = 0
        if Batch(status.state) not in (Batch.EMPTY, Batch.RELEASED):
            releasing.check_quality(connection, batch, day, billing.settings.of(Thresholds))
            done = releasing.issue(connection, batch, day)
            held, stale = done.held, done.stale
        numbers = document_reports.numbers(connection, batch)
        metadata: dict[str, Shown] = {**_drafted(connection, batch), "numbers": len(numbers), "discarded_stale": stale}
    if numbers:
        metadata |= {"first_number": numbers[0], "last_number": numbers[-1]}
    if not held:
        yield dg.MaterializeResult(metadata=metadata)
        return
    raise failure(
        f"Batch {batch}: {held} drafts wait for a person; {len(numbers)} invoices are issued.",
        billing.settings.alerts,
        to_do="The table `checks_before_release` names each and why. `billing invoicing approve` lets one go, "
        "`discard` drops it; then materialize the partition again.",
        chapter=CHAPTER,
        metadata={
            "materialize_again": page_of("issued_invoices", context.partition_key, billing.settings.alerts),
            **metadata,
        },
    )


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError:
        raise releasing.ReleaseError(f"{text} is no invoice date: write it as 2026-08-10.") from None
