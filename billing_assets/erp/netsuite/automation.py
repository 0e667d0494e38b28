"""The job that posts a batch, the checks over everything, and the buttons that show what would be sent: ops of their
own that cannot post, whatever their run config says.
"""

from platform import node

import dagster as dg
from pydantic import Field

from billing_assets.erp.batches.assets import locked_batches
from billing_assets.erp.batches.automation import POST_JOB
from billing_assets.erp.batches.partitions import batches
from billing_assets.erp.billing_system.assets import lines_have_a_header
from billing_assets.erp.netsuite.assets import netsuite_invoices
from billing_assets.erp.netsuite.checks import no_batch_left_behind
from billing_assets.erp.netsuite.dry_run import write_preview, write_requests
from billing_assets.erp.netsuite.preview import previews
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.foundation.dagster_helpers.failing import explained, failure
from billing_assets.foundation.dagster_helpers.presentation import table
from billing_assets.foundation.runtime import Runtime

post_job = dg.define_asset_job(
    POST_JOB,
    # With their own checks only: a batch's run does not answer for the batches beside it.
    selection=dg.AssetSelection.assets(locked_batches, netsuite_invoices)
    - dg.AssetSelection.checks(no_batch_left_behind),
    description="Lock a batch, post it, read it back. Again for a failed partition: only what is left is taken up.",
)
checks_job = dg.define_asset_job(
    "check_everything",
    selection=dg.AssetSelection.checks(lines_have_a_header, no_batch_left_behind),
    description="The checks that look over everything: lines without a header, batches left behind.",
)
checks_schedule = dg.ScheduleDefinition(
    name="check_everything_daily",
    job=checks_job,
    cron_schedule="30 5 * * *",
    execution_timezone="UTC",
    description="Every morning, over everything: lines without a header, batches left behind.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)


@dg.op(description="Writes the requests of the batch to a file on this machine and sends nothing.")
@explained
def write_batch_requests(context: dg.OpExecutionContext, billing: dg.ResourceParam[Runtime]) -> None:
    """Writes one line per document that is not in NetSuite yet."""
    key = context.partition_key
    with billing.state() as connection:
        path, count = write_requests(connection, billing.of(NetSuite).mapping, key, billing.settings.home / "dry_run")
    context.log.info(f"Dry run: {count} requests of batch {key} are in {path} on {node()}; nothing was sent.")


@dg.job(partitions_def=batches, description="Write the requests that a batch would send to a file, and send nothing.")
def preview_batch() -> None:
    """One step: write the requests."""
    write_batch_requests()


class DocumentConfig(dg.Config):
    """Which document is looked at."""

    number: str = Field(default="", description="The document's number, e.g. '536365'.")


@dg.op(description="Says where a document is and what it would send, and sends nothing.")
@explained
def show_document(context: dg.OpExecutionContext, config: DocumentConfig, billing: dg.ResourceParam[Runtime]) -> None:
    """Shows the state of the documents with a number and why one would not go; the requests go to a file."""
    number = config.number.strip()
    with billing.state() as connection:
        found = previews(connection, billing.of(NetSuite).mapping, number) if number else []
    if not found:
        raise failure(
            f"No document {number} is staged." if number else "No number is given.",
            billing.settings.alerts,
            to_do="Write the document's number into the config, after `number:`, with quotation marks. If it is new in "
            "the billing system, run the job `stage_invoices` first.",
            chapter="dry-run",
        )
    path = write_preview(found, billing.settings.home / "dry_run")
    context.add_output_metadata(
        {
            "would_go": all(one.goes for one in found),
            "says": table(({"says": line} for one in found for line in one.comments), ["says"]),
            "requests": f"{path} on {node()}",
        }
    )


@dg.job(
    description="Look at one document: its state, why it would not go, and the request that it would send, which is "
    "written to a file. Sends nothing. Give the number in the config."
)
def preview_document() -> None:
    """One step: show it."""
    show_document()
