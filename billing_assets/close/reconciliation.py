"""Does a month agree, to the cent: billing system ↔ staging ↔ NetSuite, per branch, currency and kind.

Plain data in, plain data out; `close_month` gathers the data.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import sqlalchemy

from billing_assets.billing_system.queries import Queries
from billing_assets.billing_system.totals import MonthTotal, month_totals
from billing_assets.close import store
from billing_assets.close.store import Posted, StagedTotal
from billing_assets.domain.documents import Kind, State
from billing_assets.netsuite.client import NetSuiteClient
from billing_assets.netsuite.comparison import deviations
from billing_assets.netsuite.mapping import NetSuiteMapping
from billing_assets.netsuite.month import MonthTransaction, month_transactions
from billing_assets.state.database import Connection

IN_FLIGHT = frozenset({State.OPEN, State.READY, State.BATCHED, State.LOCKED, State.POSTING, State.REJECTED})
"""States in which a document still has a way to go before the month is complete."""


class Sum(NamedTuple):
    """A number of documents and what they add up to."""

    documents: int
    total: Decimal

    def plus(self, documents: int, total: Decimal) -> "Sum":
        """This and some more."""
        return Sum(self.documents + documents, self.total + total)


NOTHING = Sum(0, Decimal(0))


@dataclass(frozen=True)
class Row:
    """One branch, currency and kind: what each of the three says. Credit memos are negative everywhere."""

    branch: str
    currency: str
    kind: str
    billing: Sum
    staged: Sum
    posted: Sum
    netsuite: Sum
    held: Sum
    excluded: Sum
    in_flight: Sum

    @property
    def agrees(self) -> bool:
        """Whether billing equals staging, and what we posted equals what NetSuite has."""
        return self.billing == self.staged and self.posted == self.netsuite


class Difference(NamedTuple):
    """One thing that does not agree, in words."""

    kind: str
    number: str
    what: str


@dataclass(frozen=True)
class MonthClose:
    """The close of a month. `reconciled`: everything agrees. `complete`: and nothing is on its way any more."""

    period: str
    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]

    @property
    def reconciled(self) -> bool:
        """Billing, staging and NetSuite agree to the cent, document by document."""
        return not self.differences and all(row.agrees for row in self.rows)

    @property
    def in_flight(self) -> Sum:
        """What has not reached an end yet."""
        return add(row.in_flight for row in self.rows)

    @property
    def complete(self) -> bool:
        """Reconciled, and every document is posted, excluded, or held with a reason."""
        return self.reconciled and self.in_flight.documents == 0


def add(sums: Iterable[Sum]) -> Sum:
    """The sum of sums."""
    result = NOTHING
    for one in sums:
        result = result.plus(one.documents, one.total)
    return result


def close_month(
    connection: Connection,
    source: sqlalchemy.Connection,
    queries: Queries,
    client: NetSuiteClient,
    mapping: NetSuiteMapping,
    period: str,
) -> MonthClose:
    """Gathers what billing system, staging and NetSuite say of a month (`YYYY-MM`) and compares.

    Raises SourceError and NetSuiteError when one of them cannot be asked.
    """
    billing = month_totals(source, queries, period)
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        staged = store.staged_totals(connection, period)
        posted = store.posted(connection, period)
    prefixes = mapping.file.external_id
    in_netsuite = month_transactions(client, period, (prefixes.invoice, prefixes.credit_memo))
    return reconcile(period, billing, staged, posted, in_netsuite)


def reconcile(
    period: str,
    billing: Sequence[MonthTotal],
    staged: Sequence[StagedTotal],
    posted: Sequence[Posted],
    in_netsuite: Mapping[str, MonthTransaction],
) -> MonthClose:
    """Compares the three. `in_netsuite` holds the month's transactions by external id."""
    sums: dict[tuple[str, str, str], dict[str, Sum]] = defaultdict(lambda: defaultdict(lambda: NOTHING))

    def count(key: tuple[str | None, str | None, str | None], column: str, number: int, total: Decimal) -> None:
        row = sums[(key[0] or "", key[1] or "", key[2] or "")]
        row[column] = row[column].plus(number, total)

    for one in billing:
        count((one.branch, one.currency, one.kind), "billing", one.count, one.total)
    for entry in staged:
        key = (entry.branch, entry.currency, entry.kind)
        if entry.state != State.GONE:
            count(key, "staged", entry.documents, entry.total)
        column = "in_flight" if entry.state in IN_FLIGHT else str(entry.state)
        count(key, column, entry.documents, entry.total)
    for document in posted:
        if transaction := in_netsuite.get(document.external_id):
            sign = -1 if document.kind == Kind.CREDIT_MEMO else 1
            count((document.branch, document.currency, document.kind), "netsuite", 1, sign * transaction.absolute_total)
    rows = tuple(
        Row(
            branch,
            currency,
            kind,
            *(columns[name] for name in ("billing", "staged", "posted", "netsuite", "held", "excluded", "in_flight")),
        )
        for (branch, currency, kind), columns in sorted(sums.items())
    )
    return MonthClose(period, rows, (*_differences(rows, posted, in_netsuite),))


def _differences(
    rows: Sequence[Row], posted: Sequence[Posted], in_netsuite: Mapping[str, MonthTransaction]
) -> Iterable[Difference]:
    for row in rows:
        if row.billing != row.staged:
            what = (
                f"{row.branch} {row.currency}: the billing system has {row.billing.documents} documents over "
                f"{row.billing.total}, staging {row.staged.documents} over {row.staged.total}. Stage again; "
                "what cannot be read stands in `billing held` as FIELD_UNREADABLE."
            )
            yield Difference(row.kind, "", what)
    for document in posted:
        if document.difference:
            yield Difference(document.kind, document.number, f"Read back from NetSuite: {document.difference}.")
        if document.drift:
            yield Difference(document.kind, document.number, _drift(document))
        transaction = in_netsuite.get(document.external_id)
        if transaction is None:
            what = f"Posted as {document.netsuite_id}, but NetSuite shows no such transaction in this month."
            yield Difference(document.kind, document.number, what)
        elif wrong := deviations(document, transaction):
            yield Difference(document.kind, document.number, f"NetSuite has {wrong}.")
    ours = {document.external_id for document in posted}
    for external_id in sorted(in_netsuite.keys() - ours):
        transaction = in_netsuite[external_id]
        what = f"NetSuite has {external_id} (internal id {transaction.netsuite_id}), which we do not know as posted."
        yield Difference(transaction.type, external_id, what)


def _drift(document: Posted) -> str:
    drift = document.drift or {}
    if drift.get("source_status") == "missing":
        return "It disappeared from the billing system after it was posted."
    return (
        f"It changed in the billing system after it was posted: {document.total} then, {drift.get('source_total')} now."
    )
