"""The close of a month: does NetSuite have what billing says, and if not, why not, document by document.

`close_month` gathers what the three say; the SQL in `close/comparison.py` lays them side by side; what comes out is
plain data.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy

from billing_assets.erp import bindings
from billing_assets.erp.billing_system.queries import Queries
from billing_assets.erp.billing_system.totals import month_documents
from billing_assets.erp.close import comparison, month_tables
from billing_assets.erp.close.balance import Balance, balances
from billing_assets.erp.close.causes import CAUSES, WORST_FIRST, Sort
from billing_assets.erp.close.differences import Difference, describe
from billing_assets.erp.close.sums import NOTHING, Sum, add
from billing_assets.erp.close.wrong_ids import add_meanings
from billing_assets.erp.documents.documents import Kind, State
from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.mapping import RECORD_TYPES, NetSuiteMapping
from billing_assets.erp.netsuite.mapping_file import is_document_column
from billing_assets.erp.netsuite.month import customers_by_external_id, month_transactions, transactions_by_ids
from billing_assets.foundation.database.connection import Connection

IN_FLIGHT = frozenset(
    {State.OPEN, State.READY, State.BATCHED, State.LOCKED, State.POSTING, State.REJECTED, State.DIFFERS}
)
"""States in which a document still has a way to go before the month is complete."""

NOT_STAGED = "not_staged"
"""In place of a state, for what staging does not know."""

_LISTED = 200
_KEPT_BACK = [cause for cause in WORST_FIRST if CAUSES[cause].sort == Sort.KEPT_BACK]
_TO_LOOK_AT = [cause for cause in WORST_FIRST if CAUSES[cause].sort not in {Sort.KEPT_BACK, Sort.EXPLAINED}]
_SIDES = ("billing", "moved", "staged", "netsuite")
_STATES = (NOT_STAGED, *State)


@dataclass(frozen=True)
class Row:
    """One branch, currency and kind: what each of the three says.

    `moved` are late documents that came from earlier months less those that went to later ones, and our own credit
    memos for voids. `agrees`: nothing in it differs or drifted.
    """

    branch: str
    currency: str
    kind: str
    billing: Sum
    staged: Sum
    moved: Sum
    posted: Sum
    netsuite: Sum
    held: Sum
    excluded: Sum
    in_flight: Sum
    agrees: bool


class StateRow(NamedTuple):
    """What of a branch, currency and kind is in one state, and what each of the three says of it.

    `state` is `not_staged` for what staging does not know.
    """

    branch: str
    currency: str
    kind: str
    state: str
    billing: Sum
    moved: Sum
    staged: Sum
    netsuite: Sum


class Step(NamedTuple):
    """One step on the way from billing to NetSuite: a cause, or `billing`, `moved_in`, `corrections` (our own credit
    memos for voids), `moved_out`, `netsuite`."""

    what: str
    currency: str
    documents: int
    total: Decimal


class CauseTotal(NamedTuple):
    """Documents that are not the same everywhere for one cause and reason (if it has several), and their amounts."""

    cause: str
    reason: str | None
    currency: str
    documents: int
    total: Decimal


@dataclass(frozen=True)
class MonthClose:
    """The comparison of a month.

    `rows` and `states` are the tables by branch, `balances` the columns that add up, `steps` lead from what billing has
    to what NetSuite has, `causes` say how many documents and how much money each cause concerns, `differences` are the
    worst of them and the largest of those that are kept back (what is explained is not among them), `elsewhere` what
    else NetSuite has in the month, by type. `reconciled`: everything agrees, and nothing drifted. `complete`: and
    nothing is on its way any more. `figures`: SHA-256 over all of it, the same as long as nothing changed anywhere.
    """

    period: str
    compared_at: datetime
    rows: tuple[Row, ...]
    states: tuple[StateRow, ...]
    steps: tuple[Step, ...]
    causes: tuple[CauseTotal, ...]
    differences: tuple[Difference, ...]
    elsewhere: tuple[Step, ...]
    balances: tuple[Balance, ...]
    figures: bytes

    def count(self, *what: Sort | str) -> int:
        """How many documents have one of these causes, or a cause of these sorts."""
        return sum(one.documents for one in self.causes if CAUSES[one.cause].sort in what or one.cause in what)

    @property
    def reconciled(self) -> bool:
        """Billing, staging and NetSuite agree to the cent, document by document."""
        return self.count(Sort.DIFFERS, Sort.DRIFT) == 0

    @property
    def complete(self) -> bool:
        """Reconciled, and every document is posted, excluded, or kept back with a reason."""
        return self.reconciled and self.count(Sort.UNKNOWN, Sort.UNPOSTED) == 0

    @property
    def in_flight(self) -> Sum:
        """What has not reached an end yet."""
        return add(row.in_flight for row in self.rows)


class Billing(NamedTuple):
    """A billing system of which a month is compared: its name, and how its documents are read."""

    source: str
    connection: sqlalchemy.Connection
    queries: Queries


def close_month(
    connection: Connection,
    billing: Sequence[Billing],
    client: NetSuiteClient,
    mapping: NetSuiteMapping,
    period: str,
) -> MonthClose:
    """Gathers what all billing systems, staging and NetSuite say of a month (`YYYY-MM`) and compares.

    Leaves the temporary tables of `close/comparison.py` on the connection for a caller that wants every row. Raises
    SourceError and NetSuiteError when one of them cannot be asked.
    """
    began = _now(connection)
    # What we ever called ours, and not only what today's mapping does.
    ours = {*mapping.file.external_id.by_kind().values(), *(prefix for _, prefix in bindings.prefixes(connection))}
    month_tables.create_tables(connection)
    for one in billing:
        for documents in month_documents(one.connection, one.queries, period):
            month_tables.add_billing(connection, one.source, documents)
    for transactions in month_transactions(client, period):
        month_tables.add_netsuite(connection, transactions, ours)
    month_tables.mark_what_we_sent(connection)
    missing = month_tables.missing_in_netsuite(connection, period, began)
    for transactions in transactions_by_ids(client, missing):
        month_tables.add_netsuite(connection, transactions, ours, of_month=False)
    by = {str(kind): _customer_key(mapping, kind) for kind in RECORD_TYPES}
    customers = _customers(connection, client, mapping, period, by)
    month_tables.add_references(
        connection, customers, {code: currency.id for code, currency in mapping.file.currencies.items()}
    )
    add_meanings(connection, client, mapping, period)
    comparison.compare(connection, [one.source for one in billing], period, by, began, client.shown_within)
    with connection.transaction():
        listed = [
            *map(describe, comparison.differences(connection, _TO_LOOK_AT, _LISTED)),
            *map(describe, comparison.differences(connection, _KEPT_BACK, _LISTED, largest_first=True)),
        ]
    sums = comparison.sums(connection)
    return MonthClose(
        period,
        began,
        *summed(sums),
        (*listed,),
        (
            *(
                Step(one["type"], one["currency"], one["documents"], one["total"])
                for one in comparison.elsewhere(connection)
            ),
        ),
        (*balances(sums),),
        comparison.digest(connection),
    )


def summed(
    sums: Sequence[Mapping[str, Any]],
) -> tuple[tuple[Row, ...], tuple[StateRow, ...], tuple[Step, ...], tuple[CauseTotal, ...]]:
    """The sums of a comparison (`comparison.sums`) by branch, by state, as steps from billing to NetSuite, by cause."""
    return (*_rows(sums),), (*_states(sums),), (*_steps(sums),), (*_causes(sums),)


def _rows(sums: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    cells: dict[tuple[str, str, str], dict[str, Sum]] = defaultdict(lambda: defaultdict(lambda: NOTHING))
    disagrees = set()
    for one in sums:
        row = cells[(one["branch"], one["currency"], one["kind"])]
        for column in _SIDES:
            row[column] = row[column].plus(one[f"{column}_documents"], one[column])
        column = "in_flight" if one["state"] in IN_FLIGHT else str(one["state"])
        row[column] = row[column].plus(one["staged_documents"], one["staged"])
        if one["cause"] and CAUSES[one["cause"]].sort in {Sort.DIFFERS, Sort.DRIFT}:
            disagrees.add((one["branch"], one["currency"], one["kind"]))
    for key, row in sorted(cells.items()):
        yield Row(
            *key,
            billing=row["billing"],
            staged=row["staged"],
            moved=row["moved"],
            posted=row["posted"],
            netsuite=row["netsuite"],
            held=row["held"],
            excluded=row["excluded"],
            in_flight=row["in_flight"],
            agrees=key not in disagrees,
        )


def _states(sums: Iterable[Mapping[str, Any]]) -> Iterator[StateRow]:
    cells: dict[tuple[str, str, str, str], dict[str, Sum]] = defaultdict(lambda: dict.fromkeys(_SIDES, NOTHING))
    for one in sums:
        row = cells[(one["branch"], one["currency"], one["kind"], one["state"] or NOT_STAGED)]
        for column in _SIDES:
            row[column] = row[column].plus(one[f"{column}_documents"], one[column])
    for key in sorted(cells, key=lambda key: (*key[:3], _STATES.index(key[3]))):
        yield StateRow(*key, *(cells[key][column] for column in _SIDES))


def _steps(sums: Sequence[Mapping[str, Any]]) -> Iterator[Step]:
    """From billing to NetSuite: what moved between months, then every cause with what it makes out."""
    for currency in sorted({one["currency"] for one in sums}):
        steps: dict[str, Sum] = defaultdict(lambda: NOTHING)
        for one in sums:
            if one["currency"] != currency:
                continue
            steps["billing"] = steps["billing"].plus(one["billing_documents"], one["billing"])
            steps["netsuite"] = steps["netsuite"].plus(one["netsuite_documents"], one["netsuite"])
            came = one["moved_documents"] * (-1 if one["moved_where"] == "moved_out" else 1)
            if one["moved_where"]:
                steps[one["moved_where"]] = steps[one["moved_where"]].plus(came, one["moved"])
            if one["cause"]:
                expected = one["billing_documents"] + came
                steps[one["cause"]] = steps[one["cause"]].plus(one["netsuite_documents"] - expected, one["effect"])
        for what in ("billing", "moved_in", "corrections", "moved_out", *CAUSES, "netsuite"):
            if what in ("billing", "netsuite") or steps[what] != NOTHING:
                yield Step(what, currency, *steps[what])


def _causes(sums: Iterable[Mapping[str, Any]]) -> Iterator[CauseTotal]:
    found: dict[tuple[str, str | None, str], Sum] = defaultdict(lambda: NOTHING)
    for one in sums:
        if one["cause"]:
            key = (one["cause"], one["reason"], one["currency"])
            found[key] = found[key].plus(one["documents"], one["concerned"])
    worst = sorted(found, key=lambda key: (WORST_FIRST.index(key[0]), -abs(found[key].total), key[1] or "", key[2]))
    for key in worst:
        yield CauseTotal(*key, *found[key])


def _customer_key(mapping: NetSuiteMapping, kind: Kind) -> month_tables.CustomerKey:
    column = mapping.customer_field(kind).column
    return month_tables.CustomerKey(column, is_document_column(column))


def _customers(
    connection: Connection,
    client: NetSuiteClient,
    mapping: NetSuiteMapping,
    period: str,
    by: Mapping[str, month_tables.CustomerKey],
) -> dict[tuple[str, str], str]:
    """NetSuite's internal id of every customer to whom something was posted, by kind and key, as the mapping is now."""
    found: dict[tuple[str, str], str] = {}
    for kind in RECORD_TYPES:
        field = mapping.customer_field(kind)
        keys = month_tables.customer_keys(connection, period, kind, by[kind])
        constant = field.source.constant
        values = {
            key: value
            for key in keys
            if (value := field.value_of_key(key) if constant is None else str(constant)) is not None
        }
        if field.source.reference == "externalId":
            ids = customers_by_external_id(client, [*values.values()])
            values = {key: ids[value.upper()] for key, value in values.items() if value.upper() in ids}
        found |= {(str(kind), key): value for key, value in values.items()}
    return found


def _now(connection: Connection) -> datetime:
    (row,) = connection.execute("select clock_timestamp() as now").fetchall()
    now: datetime = row["now"]
    return now.astimezone(UTC)
