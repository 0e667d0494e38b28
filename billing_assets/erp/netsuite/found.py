"""NetSuite ahead of our database, after a restored backup: noticed before the first send, adopted once confirmed.

An intent is committed before its request leaves. So a transaction under one of our names without an attempt is not of
this database: an older state of it was restored, or somebody else uses our names. Nothing is sent until a person has
confirmed what was found; then a document with such a name is looked up instead of sent (`posting.py`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

import structlog

from billing_assets.erp import bindings
from billing_assets.erp.documents.documents import Kind
from billing_assets.erp.netsuite import found_store as store
from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.errors import NetSuiteAnswerUnreadable, NetSuiteQueryRefused
from billing_assets.erp.netsuite.found_store import Found, Row
from billing_assets.erp.netsuite.mapping import TRANSACTION_TYPES, NetSuiteMapping
from billing_assets.erp.netsuite.suiteql import CREDIT_MEMO, INVOICE, PAGE_ROWS, amount_of, query_page
from billing_assets.foundation.database.connection import Connection, settle_order
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.journal.restores import note_restore

log = structlog.get_logger(__name__)

_ByEntity = Callable[[str], list[str]]
_KINDS = {type_: kind for kind, type_ in TRANSACTION_TYPES.items()}


class FoundError(BillingError):
    """The decision about a found transaction cannot be taken; the message says why."""


def look(connection: Connection, client: NetSuiteClient, mapping: NetSuiteMapping, lag_seconds: float) -> int:
    """Compares what NetSuite has under our names, also those of earlier prefixes, with our attempts, as far as it is
    new. How many transactions a person has still to confirm.

    One query where nothing is new. `lag_seconds`: how much later than a newer one a query may show a transaction.
    Raises NetSuiteError.
    """
    through = seen = store.seen_through(connection)
    used = {prefix for _, prefix in bindings.prefixes(connection)}
    told = False
    names = sorted({*used, *mapping.file.external_id.by_kind().values()})
    customers = cache(lambda kind: _customers_by_entity(mapping, kind))
    for page in _pages(client, names, through):
        seen = max([seen, *(int(row["id"]) for row in page)])
        ours = [row for row in page if row.get("externalid", "").upper().startswith(tuple(names))]
        new = store.unexplained(connection, [row["externalid"].upper() for row in ours])
        rows = [_row(row, mapping, customers) for row in ours if row["externalid"].upper() in new]
        with connection.transaction():
            noted = store.note(connection, rows)
            if noted and not told:  # closes and reminders of that time may be lost as well
                count = "transactions" if len(page) < PAGE_ROWS else "transactions_at_least"
                note_restore(connection, "netsuite", {count: noted})
                told = True
    store.note_look(connection, seen, lag_seconds)
    return store.unconfirmed(connection)


def stop_reason(unconfirmed: int) -> str:
    """Why a run sends nothing."""
    return (
        f"NetSuite has transactions under our external ids that this database never sent ({unconfirmed}): it was "
        "restored from a backup, or something else posts under our names. Nothing is sent until a person has confirmed "
        "them: `billing restore transactions`, then `billing restore confirm-transactions`"
    )


def confirm(connection: Connection, *, by: str, why: str) -> int:
    """A person has seen the list: documents with these names are taken over instead of sent. Returns how many."""
    _check(by, why)
    with connection.transaction():
        settle_order(connection)
        confirmed = store.confirm(connection, by.strip(), why.strip())
    log.info("found_transactions_confirmed", transactions=confirmed)
    return confirmed


def match(connection: Connection, netsuite_id: str, number: str, *, by: str, why: str) -> None:
    """A person says which document a found transaction is, e.g. one that was renumbered since. Raises FoundError."""
    _check(by, why)
    one = _found(connection, netsuite_id)
    with connection.transaction():
        settle_order(connection)
        rows = store.documents(connection, number, one.kind or "")
        if len(rows) != 1:
            how_many = "No document" if not rows else f"{len(rows)} documents"
            raise FoundError(
                f"{how_many} of kind {one.kind} with the number {number} can be matched: one without a batch is "
                "needed, of which nothing can be in NetSuite under its own name."
            )
        if not store.match(connection, netsuite_id, rows[0], by.strip(), why.strip()):
            raise FoundError(f"NetSuite's transaction {netsuite_id} or document {number} was decided about meanwhile.")
    log.info("found_transaction_matched", netsuite_id=netsuite_id, number=number)


def separate(connection: Connection, netsuite_id: str, *, by: str, why: str) -> None:
    """A person says that a found transaction is none of our documents. Raises FoundError."""
    _check(by, why)
    _found(connection, netsuite_id)
    if not store.separate(connection, netsuite_id, by.strip(), why.strip()):
        raise FoundError(
            f"A document of ours has the external id of NetSuite's transaction {netsuite_id}: it is taken over."
        )
    log.info("found_transaction_separate", netsuite_id=netsuite_id)


def _check(by: str, why: str) -> None:
    if not by.strip() or not why.strip():
        raise FoundError(f"Say {'why' if by.strip() else 'who decides'}: it is empty.")


def _found(connection: Connection, netsuite_id: str) -> Found:
    for one in store.found(connection):
        if one.netsuite_id == netsuite_id:
            return one
    raise FoundError(f"NetSuite's transaction {netsuite_id} is not on the list: `billing restore transactions --all`.")


def _pages(client: NetSuiteClient, names: Sequence[str], after: int) -> Iterator[list[dict[str, str]]]:
    """Transactions with an internal id above `after`, 1,000 at a time: those under our names, or all invoices and
    credit memos where NetSuite does not take the narrower query."""
    # An underscore in a name fits any character; the caller compares with the whole name.
    named = " OR ".join(f"UPPER(externalid) LIKE '{name}%'" for name in names)
    which = f"({named})"
    while True:
        try:
            rows = query_page(client, _query(which, after), isolate=True)
        except NetSuiteQueryRefused:
            if which == _EVERY:
                raise
            which = _EVERY
            continue
        if any(not row.get("id", "").isdecimal() for row in rows):
            raise NetSuiteAnswerUnreadable("NetSuite answered a transaction without id", http_status=200)
        yield rows
        if len(rows) < PAGE_ROWS:
            return
        after = int(rows[-1]["id"])


_EVERY = f"type IN ('{INVOICE}', '{CREDIT_MEMO}')"


def _query(which: str, after: int) -> str:
    return (
        "SELECT id, externalid, type, tranid, entity, currency, foreigntotal, "  # noqa: S608  checked prefixes
        f"TO_CHAR(trandate, 'YYYY-MM-DD') AS trandate FROM transaction WHERE {which} AND id > {after} ORDER BY id"
    )


def _row(row: Mapping[str, str], mapping: NetSuiteMapping, customers: Callable[[Kind], _ByEntity | None]) -> Row:
    kind = _KINDS.get(row.get("type", ""))
    entity, total = row.get("entity"), amount_of(row, "foreigntotal") if "foreigntotal" in row else None
    codes = {currency.id: code for code, currency in mapping.file.currencies.items()}
    by_entity = customers(kind) if kind is not None and entity is not None else None
    return Row(
        row["id"],
        row["externalid"].upper(),
        kind,
        row.get("type", ""),
        row.get("tranid"),
        entity,
        None if by_entity is None or entity is None else by_entity(entity),
        codes.get(row.get("currency", ""), row.get("currency")),
        None if total is None else total.copy_abs(),
        row.get("trandate"),
    )


def _customers_by_entity(mapping: NetSuiteMapping, kind: Kind) -> _ByEntity | None:
    """What gives the customer numbers that the mapping sends as an entity; None where that cannot be told."""
    field = mapping.customer_field(kind)
    if field.column != "customer" or field.source.reference != "id":
        return None
    if field.table is None:
        return lambda entity: [entity]
    found: dict[str | None, list[str]] = defaultdict(list)
    for key in field.table:
        found[field.value_of_key(key)].append(key)
    return lambda entity: found.get(entity, [])
