"""Reading what customers owe, from NetSuite or from the billing system, and proving that nothing was missed."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import sqlalchemy
import structlog

from billing_assets.erp.contract import (
    PAGE_ROWS,
    BillingSystem,
    InvoiceOf,
    Kind,
    NetSuite,
    NetSuiteClient,
    OpenItem,
    OpenSum,
    SourceSettings,
    UnreadableItem,
    bindings,
)
from billing_assets.erp.contract import open_items as netsuite
from billing_assets.erp.contract import receivables as source_receivables
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime
from billing_assets.receivables.balances import store
from billing_assets.receivables.balances.settings import ReceivablesSettings
from billing_assets.receivables.balances.store import NETSUITE, OpenTotal, Receivable

log = structlog.get_logger(__name__)

_TRIES = 3


@dataclass(frozen=True)
class Reading:
    """One reading of the balances. `sums` is what the system that was read adds up itself, per kind and currency, the
    amount None where it cannot be read; `unreadable` names what could not be read, and is not among the balances."""

    source: str
    read_at: datetime
    totals: list[OpenTotal]
    sums: dict[tuple[str, str], tuple[int, Decimal | None]]
    unreadable: tuple[str, ...] = ()

    @property
    def differences(self) -> list[str]:
        """Where what was read is not what the system adds up itself, to the cent; none is how it must be."""
        read: dict[tuple[str, str], tuple[int, Decimal]] = {}
        for one in self.totals:
            items, amount = read.get((one.kind, one.currency), (0, Decimal(0)))
            read[one.kind, one.currency] = items + one.items, amount + one.open_amount
        found = [*self.unreadable]
        for kind, currency in sorted(read.keys() | self.sums.keys()):
            nothing: tuple[int, Decimal | None] = 0, Decimal(0)
            ours: tuple[int, Decimal | None] = read.get((kind, currency), (0, Decimal(0)))
            theirs = self.sums.get((kind, currency), nothing)
            if theirs[1] is None:
                found.append(
                    f"{kind} {currency}: the sum that {self.source} answers cannot be read; that nothing was missed is "
                    "not proven"
                )
            elif ours != theirs:
                found.append(
                    f"{kind} {currency}: {ours[0]:,} items over {ours[1]} were read, "
                    f"{self.source} counts {theirs[0]:,} over {theirs[1]}"
                )
        return found


def read_balances(billing: Runtime, run_id: str) -> Reading:
    """Reads the balances from where the settings say. Raises NetSuiteError, SourceError, MappingError."""
    with billing.state() as connection:
        if billing.settings.of(ReceivablesSettings).balances_from == "netsuite":
            used = [prefix for kind, prefix in bindings.prefixes(connection) if kind == Kind.INVOICE]
            prefixes = sorted({billing.of(NetSuite).mapping.file.external_id.invoice, *used})
            return read_from_netsuite(connection, billing.of(NetSuite).client, prefixes, run_id)
        with billing.of(BillingSystem).connection() as source:
            name = billing.settings.of(SourceSettings).name
            return read_from_billing_system(
                connection, source, billing.of(BillingSystem).receivables_query, name, run_id
            )


def read_from_netsuite(
    connection: Connection, client: NetSuiteClient, invoice_prefixes: Collection[str], run_id: str
) -> Reading:
    """Reads every open invoice, credit memo and payment from NetSuite and replaces what was kept before.

    Payments arrive while we read: NetSuite's own sums are taken before and after, and where they moved, everything is
    read again, at most three times. Raises NetSuiteError; then what was kept stays.
    """
    currencies = netsuite.currency_codes(client)
    before = netsuite.open_sums(client)
    for left in reversed(range(_TRIES)):
        read_at = store.now(connection)
        unreadable = _read_items(connection, client, currencies, invoice_prefixes)
        after = netsuite.open_sums(client)
        if after == before or not left:
            break
        log.info("balances moved while they were read: reading again", tries_left=left)
        before = after
    totals = store.totals_read(connection)
    store.keep_reading(connection, NETSUITE, run_id, read_at, totals)
    return Reading(NETSUITE, read_at, totals, _by_code(after, currencies), unreadable)


def read_from_billing_system(
    connection: Connection, source: sqlalchemy.Connection, query: str, name: str, run_id: str
) -> Reading:
    """Reads what is open from the billing system by `receivables.sql` and replaces what was kept before.

    Raises SourceError where the query does not run or a value cannot be taken; then what was kept stays.
    """
    store.begin_reading(connection)
    read_at = store.now(connection)
    for page in source_receivables.open_receivables(source, query):
        store.add_receivables(connection, _named(page, name))
    store.add_external_ids(connection)
    sums: dict[tuple[str, str], tuple[int, Decimal | None]] = {
        (kind, currency): (n, total) for kind, currency, n, total in source_receivables.sums(source, query)
    }
    totals = store.totals_read(connection)
    store.keep_reading(connection, name, run_id, read_at, totals)
    return Reading(name, read_at, totals, sums)


def _read_items(
    connection: Connection, client: NetSuiteClient, currencies: dict[str, str], prefixes: Collection[str]
) -> tuple[str, ...]:
    """Reads what is open; what of it cannot be read is named."""
    store.begin_reading(connection)
    unreadable: list[str] = []
    for page in netsuite.open_items(client):
        unreadable += [
            f"{one.name} (internal id {one.netsuite_id}) is not among the balances: {one.problem}"
            for one in page
            if isinstance(one, UnreadableItem)
        ]
        store.add_items(connection, (one for one in page if isinstance(one, OpenItem)), currencies)
    entities = store.entities_of_payments(connection)
    for start in range(0, len(entities), PAGE_ROWS):
        _find_payers(connection, client, set(entities[start : start + PAGE_ROWS]), prefixes)
    store.match_items(connection)
    return (*unreadable,)


def _find_payers(connection: Connection, client: NetSuiteClient, unknown: set[str], prefixes: Collection[str]) -> None:
    """Who these customers of NetSuite are, by what we once posted for them. Others than we may use our prefixes."""
    page: list[InvoiceOf] = []
    while unknown:
        page = netsuite.invoices_of(client, unknown, prefixes, page[-1].netsuite_id if page else None)
        unknown -= store.add_entities(connection, page)
        if len(page) < PAGE_ROWS:
            return


def _by_code(sums: Iterable[OpenSum], currencies: dict[str, str]) -> dict[tuple[str, str], tuple[int, Decimal | None]]:
    return {(one.kind, currencies.get(one.currency, one.currency)): (one.items, one.open_amount) for one in sums}


def _named(page: Iterable[source_receivables.OpenReceivable], name: str) -> Iterator[Receivable]:
    for one in page:
        yield Receivable(
            name,
            one.document_id,
            one.kind,
            one.number,
            None,
            one.customer,
            one.branch or "",
            one.currency,
            one.document_date,
            one.due_date or one.document_date,
            one.total,
            one.open_amount,
        )
