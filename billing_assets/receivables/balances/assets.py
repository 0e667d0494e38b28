"""What customers owe: open balances, their age, and late fees as proposals."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC
from itertools import groupby
from typing import Any

import dagster as dg

from billing_assets.erp.contract import NetSuite
from billing_assets.foundation.calendar.business_days import Days
from billing_assets.foundation.dagster_helpers.failing import explained
from billing_assets.foundation.dagster_helpers.presentation import SHOWN_ROWS, money, typed_table
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings
from billing_assets.receivables.balances import fee_store, store
from billing_assets.receivables.balances.aging import (
    AMOUNTS,
    BRANCH,
    CURRENCY,
    CUSTOMER,
    Aged,
    age,
    business_day,
    faults,
    largest,
)
from billing_assets.receivables.balances.late_fee_rules import late_fee_rules
from billing_assets.receivables.balances.late_fees import propose
from billing_assets.receivables.balances.open_balances import Reading, read_balances

_TOP = 20
# Short, as a table in the web UI shows few columns without scrolling; the most telling ones first.
_SHORT = {
    "overdue": "overdue",
    "total": "total",
    "over 90": "over_90",
    "61-90": "days_61_90",
    "31-60": "days_31_60",
    "1-30": "days_1_30",
    "current": "current",
    "credits": "credit_memos",
    "payments": "payments",
}

SUMS_AGREE = dg.AssetCheckSpec(
    "open_balances_equal_their_source",
    asset="open_receivables",
    blocking=True,
    description="What was read, row by row, is to the cent what NetSuite (or the billing system) adds up itself.",
)
ADDS_UP = dg.AssetCheckSpec(
    "buckets_add_up_to_receivables",
    asset="aging",
    blocking=True,
    description="All buckets, credit memos and payments together are exactly what is open, per currency.",
)


class BusinessDay(dg.Config):
    """The day from which ages are counted, YYYY-MM-DD; default: of each branch the one on which balances were read."""

    as_of: str | None = None


def open_receivables_asset(settings: Settings) -> dg.AssetsDefinition:
    """The open balances; where the area `erp` is on, they follow what it posted."""
    posted = ["netsuite_account"] if "erp" in settings.areas else []

    @dg.asset(
        group_name="balances",
        owners=["team:finance"],
        deps=posted,
        kinds={"postgres", "netsuite"},
        metadata={"dagster/table_name": "billing.open_receivables"},
        check_specs=[SUMS_AGREE],
        description="Every unpaid invoice, and every credit memo and payment that is not used up, as NetSuite (or the "
        "billing system) shows it now. Read every night and at the press of a button.",
    )
    @explained
    def open_receivables(context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
        """Replaces the open balances by what is open now."""
        reading = read_balances(billing, context.run.run_id)
        differences = reading.differences
        return dg.MaterializeResult(
            metadata=reading_metadata(reading),
            check_results=[
                dg.AssetCheckResult(
                    check_name=SUMS_AGREE.name,
                    passed=not differences,
                    metadata={"differences": "\n".join(differences) or "none"},
                )
            ],
        )

    return open_receivables


@dg.asset(
    group_name="balances",
    owners=["team:finance"],
    deps=["open_receivables"],
    kinds={"postgres"},
    check_specs=[ADDS_UP],
    description="Open invoices by days past due (current, 1-30, 31-60, 61-90, over 90) per customer and branch; credit "
    "memos and unapplied payments apart. The whole per customer: `billing aging --csv`.",
)
@explained
def aging(config: BusinessDay, billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    """Ages the balances that were read last."""
    with billing.state() as connection, store.one_moment(connection):
        as_of = business_day(config.as_of, store.last_read_at(connection), billing.settings.calendar.zones)
        found = faults(age(connection, as_of, CUSTOMER), store.open_per_currency(connection))
        per_currency = list(age(connection, as_of, CURRENCY))
        per_branch = list(age(connection, as_of, BRANCH))
        top = largest(age(connection, as_of, CUSTOMER), _TOP)
    return dg.MaterializeResult(
        metadata=aging_metadata(as_of, per_currency, per_branch, top),
        check_results=[
            dg.AssetCheckResult(
                check_name=ADDS_UP.name, passed=not found, metadata={"differences": "\n".join(found) or "none"}
            )
        ],
    )


@dg.asset(
    group_name="balances",
    owners=["team:finance"],
    deps=["open_receivables"],
    kinds={"postgres"},
    metadata={"dagster/table_name": "billing.late_fees"},
    description="Late fees that the rule of a branch allows, as proposals: a person approves or declines them "
    "(`billing late-fees`), and approved ones are exported as charges for the billing system. Nothing is posted.",
)
@explained
def late_fees(config: BusinessDay, billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    """Brings the proposals in line with the balances that were read last."""
    digits = {code: one.minor_digits for code, one in billing.of(NetSuite).mapping.file.currencies.items()}
    with billing.state() as connection:
        as_of = business_day(config.as_of, store.last_read_at(connection), billing.settings.calendar.zones)
        proposed = propose(connection, late_fee_rules(billing.settings), as_of, digits, billing.settings.calendar.zones)
        totals = fee_store.fee_totals(connection)
        shown = fee_store.fees(connection, "proposed", SHOWN_ROWS)
        stopped = fee_store.stopped(connection, as_of)
    columns = ["number", "fee", "penalised_balance", "currency", "due_date", "branch", "customer", "rule"]
    metadata: dict[str, dg.MetadataValue | int | str] = {
        "as_of": str(as_of),
        **{f"proposals_{name}": count for name, count in proposed._asdict().items()},
        "invoices_with_a_stop": stopped,
        "per_state": typed_table(totals, ["state", "total", "fees", "penalised", "currency"]),
        "waiting_for_a_decision": typed_table((one._asdict() for one in shown), columns),
    }
    for row in totals:
        metadata |= money(f"total_{row['state']}_{row['currency']}", row["total"])
    return dg.MaterializeResult(metadata=metadata)


def reading_metadata(reading: Reading) -> dict[str, dg.MetadataValue | int | str]:
    """A reading as finance reads it: totals per kind and currency, and all together to plot."""
    totals = reading.totals
    metadata: dict[str, dg.MetadataValue | int | str] = {
        "read_from": reading.source,
        "read_at": reading.read_at.astimezone(UTC).isoformat(timespec="seconds"),
        "dagster/row_count": sum(one.items for one in totals if one.whose == "ours"),
        "totals": typed_table((one._asdict() for one in totals), ["kind", "open_amount", "items", "currency", "whose"]),
    }
    for (whose, currency), group in groupby(
        sorted(totals, key=lambda one: (one.whose, one.currency)), lambda one: (one.whose, one.currency)
    ):
        ones = list(group)
        prefix = "open" if whose == "ours" else "elsewhere"
        for one in ones:
            metadata |= money(f"{prefix}_{one.kind}_{currency}", one.open_amount)
            metadata[f"{prefix}_{one.kind}_{currency}_items"] = one.items
        metadata |= money(f"{prefix}_{currency}", sum((one.open_amount for one in ones), start=ones[0].open_amount * 0))
    return metadata


def aging_metadata(
    as_of: Days, per_currency: Sequence[Aged], per_branch: Sequence[Aged], top: Iterable[Aged]
) -> dict[str, dg.MetadataValue | int | str]:
    """Aging as finance reads it: every bucket to plot, a table per branch, the customers who owe most, by number."""
    metadata: dict[str, dg.MetadataValue | int | str] = {
        "as_of": str(as_of),
        "dagster/row_count": sum(one.items for one in per_currency),
        "total": typed_table(_upright(per_currency), ["what", "amount", "currency"]),
        "per_branch": typed_table(map(_short, per_branch), ["branch", *_SHORT, "currency"]),
        "most_overdue_customers": typed_table(map(_short, top), ["customer", *_SHORT, "branch", "currency"]),
    }
    for one in per_currency:
        for name in AMOUNTS:
            metadata |= money(f"{name}_{one.currency}", getattr(one, name))
        metadata |= money(f"overdue_{one.currency}", one.overdue)
    return metadata


def _short(one: Aged) -> dict[str, Any]:
    """A line of a table; a cell without anything is empty, so that the rest stands out."""
    amounts = {name: getattr(one, field) or None for name, field in _SHORT.items()}
    return {"customer": one.customer, "branch": one.branch, "currency": one.currency, **amounts}


def _upright(per_currency: Sequence[Aged]) -> Iterator[dict[str, Any]]:
    for one in per_currency:
        for name in AMOUNTS:
            yield {"what": name, "currency": one.currency, "amount": getattr(one, name)}
        yield {"what": "overdue, of it", "currency": one.currency, "amount": one.overdue}
