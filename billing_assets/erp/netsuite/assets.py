"""Transactions in NetSuite, batch by batch."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from platform import node
from typing import Any, NamedTuple

import dagster as dg
import structlog

from billing_assets.erp.batches.assets import locked_batches, take_options
from billing_assets.erp.batches.ledger import DOCUMENTS, lease_policy
from billing_assets.erp.batches.partitions import batches
from billing_assets.erp.batches.resource import TakenLocks
from billing_assets.erp.netsuite import reports
from billing_assets.erp.netsuite.dry_run import write_requests
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.erp.netsuite.sink import netsuite_sink, run_policy
from billing_assets.erp.netsuite.wire import record_link
from billing_assets.erp.settings import CloseSettings, NetSuiteSettings
from billing_assets.erp.staging.reports import waiting_credits
from billing_assets.foundation.dagster_helpers.failing import explained, failure, page_of
from billing_assets.foundation.dagster_helpers.presentation import SHOWN_ROWS, lasted, money, plain, table
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.money import amount
from billing_assets.foundation.phrases import DAY, shortened
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings
from billing_assets.posting.batch_lease import holding
from billing_assets.posting.batch_lock import LockHeldError
from billing_assets.posting.run import post_through_outages

AGREES = dg.AssetCheckSpec(
    "netsuite_agrees_to_the_cent",
    asset="netsuite_invoices",
    description="Every document of the batch was read back from NetSuite and has the total that was staged.",
)

_LINKS = 10

_REASON_COLUMNS = ["reason", "total", "currency", "documents"]
_PROBLEM_COLUMNS = ["number", "total", "detail", "state", "code", "currency", "path", "kind", "http_status"]
"""Most needed first: the web UI cuts a wide table off at the right."""


netsuite_account = dg.AssetSpec(
    "netsuite_account",
    deps=[dg.AssetDep("netsuite_invoices", partition_mapping=dg.AllPartitionMapping())],
    group_name="netsuite",
    kinds={"netsuite"},
    owners=["team:finance"],
    description="What is in the NetSuite account: our transactions, and everything that people and other programs made "
    "there. It is read where it is needed, and there is nothing of it to materialize.",
)
"""What reads NetSuite depends on it, and not on batches: of an upstream asset that was never materialized Dagster asks
the person who presses Materialize whether they are sure, and before the first batch is posted they may well be."""


class PostingConfig(dg.Config):
    """How a batch is posted. `dry_run`: write its requests to a file and send nothing."""

    dry_run: bool = False


class Posted(NamedTuple):
    """What a run did with its batch. `stopped`: why it ended early, if it did. `sent_back`: numbers of what was not
    sent because the billing system had changed it."""

    sent: int
    seconds: float
    stopped: str | None
    sent_back: tuple[str, ...]


@dg.asset(
    partitions_def=batches,
    deps=[locked_batches],
    group_name="netsuite",
    kinds={"netsuite"},
    owners=["team:finance"],
    pool="netsuite_batches",
    check_specs=[AGREES],
    output_required=False,
    backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
    description="The batch's invoices and credit memos as NetSuite transactions, read back and compared to the cent. "
    "Red while a document in it is rejected, unknown or different; everything else in it is done by then. "
    "Materializing it again takes up only what is left and never sends a document twice.",
)
@explained
def netsuite_invoices(
    context: dg.AssetExecutionContext, config: PostingConfig, billing: dg.ResourceParam[Runtime]
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Posts what is left of the batch."""
    key = context.partition_key
    with structlog.contextvars.bound_contextvars(run=context.run.run_id, batch=key), billing.state() as connection:
        if config.dry_run:
            path, count = write_requests(
                connection, billing.of(NetSuite).mapping, key, billing.settings.home / "dry_run"
            )
            context.log.info(f"Dry run: {count} requests of batch {key} are in {path} on {node()}; nothing was sent.")
            # Dagster wants the check's result from every run; it speaks of what was posted before.
            yield _agreement(context, reports.batch_problems(connection, key, SHOWN_ROWS))
            return
        result = _post(context, billing, connection)
        if result is None:
            yield _agreement(context, reports.batch_problems(connection, key, SHOWN_ROWS))
            return
    with billing.state() as connection:  # the one before may have been lost meanwhile
        metadata = batch_metadata(connection, key, result, billing.settings)
        problems = reports.batch_problems(connection, key, SHOWN_ROWS)
    if result.sent_back:
        context.log.warning(
            f"{len(result.sent_back)} documents of batch {key} changed in the billing system after they were staged; "
            "they are held until the next staging has judged them again."
        )
    # Not asked of the batch: another run may have taken it up in between, to find that nothing is left of it.
    if not problems:
        yield dg.MaterializeResult(metadata=metadata, check_results=[_agreement(context, problems)])
        return
    yield _agreement(context, problems)
    alerts = billing.settings.alerts
    raise failure(
        _what_is_left(key, metadata, result, problems),
        alerts,
        to_do="The table `left` names each document and why. Fix the cause, open `materialize_again` and press "
        "Materialize… there: only what is left is sent.",
        chapter="from-a-failed-partition-to-a-green-one",
        metadata={"materialize_again": page_of("netsuite_invoices", key, alerts), **metadata},
    )


def _post(context: dg.AssetExecutionContext, billing: Runtime, connection: Connection) -> Posted | None:
    """Posts under a hold on the batch what is still as it was staged; None where another run has it and this one is not
    needed."""
    key, run_id, url, settings = context.partition_key, context.run.run_id, billing.database_url, billing.settings
    recheck, taken = billing.of(NetSuite).recheck(), billing.of(TakenLocks).of(key, run_id)
    options = take_options(context)
    try:
        with (
            # The batch first: a run that waits for it must not keep lanes from the others.
            holding(url, connection, DOCUMENTS, key, run_id, lease_policy(settings), **options, taken=taken) as lease,
            billing.of(NetSuite).lanes() as lanes,
        ):
            sink = netsuite_sink(billing.of(NetSuite).client, billing.of(NetSuite).mapping, settings, recheck)
            result = post_through_outages(url, sink, lanes, lease, run_policy(settings))
            return Posted(result.sent, result.seconds, result.stopped, tuple(recheck.sent_back))
    except LockHeldError as held:
        context.log.info(f"{held} It is at work: this run is not needed.")
        return None


def _agreement(context: dg.AssetExecutionContext, problems: Sequence[Mapping[str, Any]]) -> dg.AssetCheckResult:
    """Whether NetSuite has what is posted so far as it was staged."""
    different = [problem for problem in problems if problem["state"] == "posted"]
    return dg.AssetCheckResult(
        asset_key=context.asset_key,
        check_name=AGREES.name,
        passed=not different,
        metadata={"different": len(different), "documents": table(different, ["number", "total", "detail", "kind"])},
        description="Compare the named documents with their transactions in NetSuite." if different else None,
    )


def batch_metadata(
    connection: Connection, partition_key: str, result: Posted, settings: Settings
) -> dict[str, dg.MetadataValue | int | str | float]:
    """What finance and operations want to know of a batch: counts, money, how long it took, what is left."""
    totals = reports.batch_totals(connection, partition_key)
    problems = reports.batch_problems(connection, partition_key, SHOWN_ROWS)
    waiting = waiting_credits(connection, invoice_batch=partition_key)  # for an invoice that is left
    less = reports.applied_less(connection, partition_key, SHOWN_ROWS)
    metadata: dict[str, dg.MetadataValue | int | str | float] = {
        "left": table(problems, _PROBLEM_COLUMNS),
        "documents": table(totals, ["state", "total", "documents", "kind", "currency"]),
        "dagster/row_count": sum(row["documents"] for row in totals if row["state"] == "posted"),
        "waiting_credits": table(waiting, ["number", "total", "why", "invoice", "currency"]),
        "applied_less": table(less, ["number", "to_apply", "applied", "total", "currency", "invoices"]),
        "changed_since_staging": table(({"number": one} for one in result.sent_back), ["number"]),
        "requests_sent": result.sent,
        "seconds": round(result.seconds, 1),
        "reasons": table(reports.batch_reasons(connection, partition_key), _REASON_COLUMNS),
        "largest_in_netsuite": _links(
            reports.largest_posted(connection, partition_key, _LINKS), settings.of(NetSuiteSettings)
        ),
        **_delays(reports.batch_delays(connection, partition_key), settings.of(CloseSettings).days_it_used_to_take),
    }
    for row in totals:
        metadata[f"documents_{row['state']}"] = row["documents"] + metadata.get(f"documents_{row['state']}", 0)
        metadata |= money(f"total_{row['state']}_{row['kind']}_{row['currency']}", row["total"])
    for currency in sorted({row["currency"] for row in totals}):
        left = [row for row in totals if row["currency"] == currency and row["state"] != "posted"]
        metadata |= money(f"total_left_{currency}", sum((row["total"] for row in left), Decimal(0)))
    if result.stopped:
        metadata["stopped"] = result.stopped
    return metadata


def _delays(found: Mapping[str, Any], days_it_used_to_take: float) -> dict[str, dg.MetadataValue | int | str | float]:
    """How long documents took from the billing system to NetSuite, against what it took before."""
    shown: dict[str, dg.MetadataValue | int | str | float] = {**lasted("took_before", days_it_used_to_take * DAY)}
    if found["oldest"] is not None:
        shown["oldest_document"] = found["oldest"].isoformat()
    for name in ("median", "p95"):
        if found[name] is not None:
            shown |= lasted(f"billed_to_posted_{name}", found[name])
    return shown


def _links(rows: Sequence[Mapping[str, Any]], settings: NetSuiteSettings) -> dg.MetadataValue:
    """Transactions as links into NetSuite."""
    lines = [
        f"- [{plain(row['transaction_number'] or row['netsuite_id'])}]({record_link(settings, row['netsuite_id'])}): "
        f"{plain(row['number'])}, {row['currency']} {amount(row['total'])}"
        for row in rows
    ]
    return dg.MetadataValue.md("\n".join(lines) or "Nothing is posted.")


def _what_is_left(
    key: str, metadata: Mapping[str, object], result: Posted, problems: Sequence[Mapping[str, Any]]
) -> str:
    names = {
        "documents_rejected": "rejected by NetSuite",
        "documents_differs": "in NetSuite, but not as sent (`billing differs list`)",
        "documents_posting": "of unknown outcome, looked up again when due",
        "documents_batched": "not sent",
    }
    left = [f"{metadata[name]} {what}" for name, what in names.items() if metadata.get(name)]
    reason = f" {result.stopped.rstrip('.')}." if result.stopped else ""
    return (
        f"Batch {key}: {', '.join(left) or 'some documents differ from NetSuite or were not read back'}."
        f"{_reasons(problems)}{reason} "
        "Everything else in it is in NetSuite."
    )


def _reasons(problems: Sequence[Mapping[str, Any]], most: int = 3) -> str:
    """The first few reasons, each with the numbers that it struck: what one wants to read before any table."""
    numbers = defaultdict(list)
    for problem in problems:
        if problem["detail"]:
            reason = shortened(str(problem["detail"]), 500).rstrip(".")
            numbers[f"{reason} ({problem['code']})" if problem["code"] else reason].append(str(problem["number"]))
    told = [
        f" {', '.join(struck[:most])}{f' and {len(struck) - most} more' if len(struck) > most else ''}: {reason}."
        for reason, struck in list(numbers.items())[:most]
    ]
    return "".join(told) + (f" And {len(numbers) - most} more reasons." if len(numbers) > most else "")
