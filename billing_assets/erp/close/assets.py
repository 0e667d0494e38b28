"""The month, proven: billing system, staging and NetSuite side by side, and the pack that finance signs."""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dagster as dg

from billing_assets.erp.close import comparison
from billing_assets.erp.close.causes import CAUSES, Sort
from billing_assets.erp.close.comparing import compared, packed
from billing_assets.erp.close.lettering import fonts_with
from billing_assets.erp.close.noted import note_comparison
from billing_assets.erp.close.reconciliation import MonthClose, Row, StateRow
from billing_assets.erp.close.store import MonthFigures, Pack, closed_state, figures_until, findings, note_figures
from billing_assets.erp.close.sums import Sum, add
from billing_assets.erp.close.trend import trend_picture
from billing_assets.erp.netsuite.assets import netsuite_account
from billing_assets.erp.netsuite.wire import record_link
from billing_assets.erp.partitions import month_partitions
from billing_assets.erp.settings import CloseSettings, NetSuiteSettings
from billing_assets.erp.staging.assets import staged_invoices
from billing_assets.foundation.dagster_helpers.failing import explained
from billing_assets.foundation.dagster_helpers.presentation import lasted, money, plain, typed_table
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.phrases import DAY
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings

EQUALS = dg.AssetCheckSpec(
    "billing_equals_netsuite",
    asset="month_close",
    description="Document by document and to the cent: NetSuite has what billing has, less what is held, excluded or "
    "on its way with its reason; with the same customer, currency and month.",
)
UNKNOWN = dg.AssetCheckSpec(
    "nothing_unknown",
    asset="month_close",
    description="No document was sent without an answer: it is known of each whether NetSuite has it.",
)
UNPOSTED = dg.AssetCheckSpec(
    "nothing_unposted",
    asset="month_close",
    description="Every document of the month is posted, or has nothing to bill. Held ones are a warning, as somebody "
    "has to decide; those that are on their way or refused are an error.",
)
DRIFT = dg.AssetCheckSpec(
    "no_drift",
    asset="month_close",
    description="Nothing was changed, voided or deleted in the billing system after it was posted.",
)

_SUMS = ("billing", "staged", "moved", "posted", "netsuite", "held", "excluded", "in_flight")
_TREND_MONTHS = 12
_LINKS = 20
_SIDES = ("billing", "moved", "staged", "netsuite")
_PER_BRANCH = ["branch", "agrees", *_SUMS, "kind", "currency"]
_PER_STATE = ["branch", "state", *_SIDES, "kind", "currency"]
_DIFFERENCE = ["number", "billing", "netsuite", "cause", "what", "currency", "kind", "branch"]
"""Most needed first: the web UI cuts a wide table off at the right."""
_LARGEST = 20


def month_close_asset(settings: Settings) -> dg.AssetsDefinition:
    """The asset `month_close`, with a partition for every month since the first one of the settings."""

    @dg.asset(
        name="month_close",
        partitions_def=month_partitions(settings),
        deps=[staged_invoices, netsuite_account],
        group_name="close",
        kinds={"postgres", "netsuite"},
        owners=["team:finance"],
        check_specs=[EQUALS, UNKNOWN, UNPOSTED, DRIFT],
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        description="A billing month, document by document, in the billing system, in staging and in NetSuite: what "
        "agrees, what does not and why, with the workbook and the statement for finance to sign.",
    )
    @explained
    def month_close(context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
        period = context.partition_key
        with billing.state() as connection:
            close = compared(billing, connection, period)
            note_comparison(close)
            pack = packed(billing, connection, close)
            trend = _trend(connection, close, billing.settings)
            found = findings(connection, period)
            state = closed_state(connection, period)
        metadata: dict[str, dg.MetadataValue | int | bool | str | float] = {
            "reconciled": close.reconciled,
            "complete": close.complete,
            "closed": state or "no",
            **pack_metadata(pack, billing.settings.of(CloseSettings).files_url),
            **trend,
            **close_metadata(close, found),
            "differences_in_netsuite": _differences_in_netsuite(close, billing.settings.of(NetSuiteSettings)),
        }
        return dg.MaterializeResult(metadata=metadata, check_results=[*_checks(close)])

    return month_close


def _checks(close: MonthClose) -> Iterator[dg.AssetCheckResult]:
    held = close.count(Sort.KEPT_BACK)
    unposted = close.count(Sort.UNPOSTED, Sort.UNKNOWN)
    for spec, count in (
        (EQUALS, close.count(Sort.DIFFERS, Sort.DRIFT)),
        (UNKNOWN, close.count(Sort.UNKNOWN)),
        (UNPOSTED, held + unposted),
        (DRIFT, close.count(Sort.DRIFT)),
    ):
        only_held = spec is UNPOSTED and not unposted
        yield dg.AssetCheckResult(
            check_name=spec.name,
            passed=count == 0,
            severity=dg.AssetCheckSeverity.WARN if only_held else dg.AssetCheckSeverity.ERROR,
            metadata={"documents": count},
            description="The table `differences` names each document, and what to do." if count else None,
        )


def close_metadata(
    close: MonthClose, found: Iterable[Mapping[str, Any]]
) -> dict[str, dg.MetadataValue | int | bool | str | float]:
    """The close as finance reads it: totals to plot and to trust, the way from billing to NetSuite, the differences."""
    wholes = {
        (currency, name): add(getattr(row, name) for row in close.rows if row.currency == currency)
        for currency in sorted({row.currency for row in close.rows})
        for name in _SUMS
    }
    wrong = [one for one in close.differences if one.sort not in {Sort.KEPT_BACK, Sort.EXPLAINED}]
    kept = [one for one in close.differences if one.sort == Sort.KEPT_BACK]
    metadata: dict[str, dg.MetadataValue | int | bool | str | float] = {
        "from_billing_to_netsuite": typed_table(
            (step._asdict() for step in close.steps), ["what", "total", "documents", "currency"]
        ),
        "causes": typed_table(
            (one._asdict() | {"to_do": CAUSES[one.cause].to_do} for one in close.causes),
            ["cause", "total", "documents", "to_do", "reason", "currency"],
        ),
        "differences": typed_table((one._asdict() for one in wrong), _DIFFERENCE),
        "largest_kept_back": typed_table((one._asdict() for one in kept[:_LARGEST]), _DIFFERENCE),
        "findings": typed_table(found, ["code", "total", "documents", "state", "currency"]),
        "per_branch": typed_table((_flat(row, _SUMS, "total") for row in close.rows), _PER_BRANCH),
        "per_branch_documents": typed_table((_flat(row, _SUMS, "documents") for row in close.rows), _PER_BRANCH),
        "per_state": typed_table((_flat(row, _SIDES, "total") for row in close.states), _PER_STATE),
        "per_state_documents": typed_table((_flat(row, _SIDES, "documents") for row in close.states), _PER_STATE),
        "elsewhere_in_netsuite": typed_table(
            (step._asdict() for step in close.elsewhere), ["what", "total", "documents", "currency"]
        ),
        "dagster/row_count": sum(row.staged.documents for row in close.rows),
    }
    for (currency, name), whole in wholes.items():
        metadata[f"documents_{name}_{currency}"] = whole.documents
        metadata |= money(f"total_{name}_{currency}", whole.total)
    return metadata


def _trend(
    connection: Connection, close: MonthClose, settings: Settings
) -> dict[str, dg.MetadataValue | int | bool | str | float]:
    """How long documents took, the oldest that is not in NetSuite, and the months side by side."""
    took = {row["currency"]: row for row in comparison.delays(connection)}
    figures = [
        MonthFigures(
            close.period,
            currency,
            posted.documents,
            posted.total,
            add(row.held for row in close.rows if row.currency == currency).total,
            delay["median"],
            delay["p95"],
        )
        for currency, delay in took.items()
        for posted in [add(row.posted for row in close.rows if row.currency == currency)]
    ]
    note_figures(connection, figures)
    metadata: dict[str, dg.MetadataValue | int | bool | str | float] = {
        **lasted("took_before", settings.of(CloseSettings).days_it_used_to_take * DAY)
    }
    for one in figures:
        for name, days in (("median", one.days_to_post_median), ("p95", one.days_to_post_p95)):
            if days is not None:
                metadata |= lasted(f"billed_to_posted_{name}_{one.currency}", days * DAY)
        if oldest := took[one.currency]["oldest_left"]:
            metadata[f"oldest_left_{one.currency}"] = oldest.isoformat()
    if figures:
        main = max(figures, key=lambda one: (one.documents_posted, one.currency)).currency
        months = figures_until(connection, close.period, main, _TREND_MONTHS)
        picture = b64encode(
            trend_picture(
                months, settings.of(CloseSettings).days_it_used_to_take, fonts_with(settings.of(CloseSettings).fonts)
            )
        ).decode()
        metadata["trend"] = dg.MetadataValue.md(f"![The last months side by side](data:image/png;base64,{picture})")
    return metadata


def _differences_in_netsuite(close: MonthClose, settings: NetSuiteSettings) -> dg.MetadataValue:
    """The differences that have a transaction in NetSuite, as links to it."""
    lines = [
        f"- [{plain(one.number)}]({record_link(settings, one.netsuite_id)}): {plain(one.what)}"
        for one in close.differences
        if one.netsuite_id and one.sort in {Sort.DIFFERS, Sort.DRIFT}
    ]
    more = [f"- and {len(lines) - _LINKS} more"] if len(lines) > _LINKS else []
    return dg.MetadataValue.md("\n".join(lines[:_LINKS] + more) or "Nothing differs.")


def pack_metadata(pack: Pack, files_url: str) -> dict[str, dg.MetadataValue | int | bool | str | float]:
    """Where the close pack is, and by what one knows that it is the one."""
    base = f"{files_url.rstrip('/')}/close/{pack.period}/{pack.figures.hex()[:12]}"
    return {
        "close_pack_statement": dg.MetadataValue.url(f"{base}/month-close-{pack.period}.pdf"),
        "close_pack_workbook": dg.MetadataValue.url(f"{base}/month-close-{pack.period}.xlsx"),
        "close_pack_digest": pack.figures.hex(),
    }


def _flat(row: Row | StateRow, columns: Iterable[str], part: str) -> dict[str, Any]:
    """A row's totals or documents; a cell without any document is empty, so that the rest stands out."""
    sums: dict[str, Sum] = {name: getattr(row, name) for name in columns}
    return {
        "branch": row.branch,
        "kind": row.kind,
        "currency": row.currency,
        **({"agrees": "yes" if row.agrees else "NO"} if isinstance(row, Row) else {"state": row.state}),
        **{name: getattr(one, part) if one.documents else None for name, one in sums.items()},
    }
