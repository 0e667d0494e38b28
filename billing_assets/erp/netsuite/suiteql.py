"""Reading NetSuite by SuiteQL: paged queries, and the look-up of transactions by external id."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import structlog

from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.errors import NetSuiteAnswerUnreadable, NetSuiteQueryRefused, clean
from billing_assets.foundation.money import canonical

log = structlog.get_logger(__name__)

PAGE_ROWS = 1_000  # NetSuite's largest page, and the most values of one IN
MOST_ROWS = 100_000  # NetSuite shows no row beyond this
_EXTERNAL_ID = re.compile(r"[A-Z0-9_-]{1,200}", re.ASCII)
_INTERNAL_ID = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{0,30}\.?[0-9]{0,30}", re.ASCII)

INVOICE = "CustInvc"
CREDIT_MEMO = "CustCred"


@dataclass(frozen=True, slots=True)
class NetSuiteTransaction:
    """A transaction as NetSuite reports it; None is what it leaves out.

    `type` is `CustInvc`, `CustCred` or any other that holds the external id. `total` is in `currency` (an internal id)
    with NetSuite's sign: whether a credit memo's is negative is not documented, so compare `absolute_total`.
    `tran_date` is `YYYY-MM-DD`. `applied` is what of a credit memo settles invoices, where that was asked for.
    """

    netsuite_id: str
    external_id: str
    type: str
    transaction_number: str | None
    entity: str | None
    currency: str | None
    total: Decimal | None
    tran_date: str | None
    applied: Decimal | None = None

    @property
    def facts(self) -> dict[str, str | None]:
        """What of it is compared when a person accepted that it differs."""
        total = self.absolute_total
        return {
            "type": self.type,
            "entity": self.entity,
            "currency": self.currency,
            "total": None if total is None else canonical(total),
            "tran_date": self.tran_date,
        }

    @property
    def absolute_total(self) -> Decimal | None:
        """The total without its sign."""
        return None if self.total is None else self.total.copy_abs()  # abs() would round to 28 digits


@dataclass(frozen=True, slots=True)
class ExternalIdConflict:
    """More than one transaction carries this external id, which NetSuite should make impossible."""

    external_id: str
    transactions: tuple[NetSuiteTransaction, ...]


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """NetSuite has something under this external id, and what it answered cannot be read; `problem` says why.

    `named` is false where the row does not even say whose it is: it may be this one's, so that is not proven absent.
    """

    external_id: str
    problem: str
    named: bool = True


LookedUp = NetSuiteTransaction | ExternalIdConflict | UnreadableRow

UNREADABLE = "?"
"""Where `isolate` is asked for: the column of a row that says what else of it cannot be read."""


def query(client: NetSuiteClient, sql: str, *, isolate: bool = False) -> Iterator[dict[str, str]]:
    """The rows of a SuiteQL query, page by page: lower-case column → text; a column that is null has no key.

    Give the query an ORDER BY over a unique column, else rows may move between pages. With `isolate` a value that
    cannot be read is left out of its row, which says so in `UNREADABLE`. Raises NetSuiteError, also for a result that
    reaches NetSuite's limit of 100,000 rows and may therefore be cut off.
    """
    offset = 0
    while True:
        rows, more = _page(client, sql, offset, isolate=isolate)
        yield from rows
        if not more:
            return
        offset += PAGE_ROWS
        if offset >= MOST_ROWS:
            raise NetSuiteQueryRefused(
                f"The query has more than {MOST_ROWS:,} rows, and NetSuite shows no more. Narrow it.",
                code="TOO_MANY_ROWS",
            )


def query_page(client: NetSuiteClient, sql: str, *, isolate: bool = False) -> list[dict[str, str]]:
    """The first 1,000 rows of a query, for one that goes on behind its last row. Raises NetSuiteError."""
    return _page(client, sql, 0, isolate=isolate)[0]


def _page(client: NetSuiteClient, sql: str, offset: int, *, isolate: bool) -> tuple[list[dict[str, str]], bool]:
    """One page, and whether there is another."""
    page = client.suiteql_page(sql, limit=PAGE_ROWS, offset=offset)
    items = page.get("items")
    if not isinstance(items, list) or any(not isinstance(item, dict) for item in items):
        raise NetSuiteAnswerUnreadable("NetSuite answered the query without rows (`items`)", http_status=200)
    if len(items) > PAGE_ROWS or str(page.get("count", len(items))) != str(len(items)):
        raise NetSuiteAnswerUnreadable(
            f"NetSuite announced {clean(str(page.get('count')), 40)} rows and sent {len(items)}", http_status=200
        )
    more = _true(page.get("hasMore"))
    if more and len(items) < PAGE_ROWS:
        raise NetSuiteAnswerUnreadable("NetSuite announced more rows after a page that is not full", http_status=200)
    try:
        return [*map(_row, items)], more
    except NetSuiteAnswerUnreadable:
        if not isolate:
            raise
        return [*map(_what_can_be_read, items)], more


def find_by_external_ids(
    client: NetSuiteClient, external_ids: Sequence[str], *, any_case: bool = False, applied: bool = False
) -> dict[str, LookedUp]:
    """The transactions of any type with these external ids, by external id; an id that NetSuite lacks has no key.

    A row that cannot be read is its own document's problem (`UnreadableRow`) and spares the others. Where a row does
    not say whose it is, no id counts as lacking.

    One request for 1,000 ids. SuiteQL compares with regard to case while NetSuite's uniqueness does not: `any_case`
    also finds an id that somebody entered in another case (slower; for the few that NetSuite says exist and that the
    plain look-up does not find). `applied` asks what of each is applied, too. Raises ValueError for an id outside
    `[A-Z0-9_-]`, and NetSuiteError.
    """
    wanted = dict.fromkeys(external_ids)
    for external_id in wanted:
        if not _EXTERNAL_ID.fullmatch(external_id):
            raise ValueError(f"{external_id!r} is no external id of ours: A-Z, 0-9, _ and - only")
    read: dict[str, dict[str, NetSuiteTransaction]] = {}
    unreadable: dict[str, LookedUp] = {}
    nameless = ""
    names = [*wanted]
    for start in range(0, len(names), PAGE_ROWS):
        chunk = names[start : start + PAGE_ROWS]
        for row in query(client, _by_external_ids(chunk, any_case=any_case, applied=applied), isolate=True):
            try:
                transaction = _transaction(row, applied=applied)
            except NetSuiteAnswerUnreadable as error:
                if (name := row.get("externalid", "").upper()) in wanted:
                    unreadable[name] = UnreadableRow(name, str(error))
                else:
                    nameless = str(error)
                continue
            name = transaction.external_id.upper()
            same = read.setdefault(name, {})
            if same.setdefault(transaction.netsuite_id, transaction) != transaction:
                problem = f"NetSuite answered transaction {transaction.netsuite_id} in two ways"
                unreadable[name] = UnreadableRow(name, problem)
    strangers = read.keys() - wanted.keys()
    if strangers:
        raise NetSuiteAnswerUnreadable(f"NetSuite answered with {len(strangers)} external ids that were not asked for")
    found: dict[str, LookedUp] = {
        external_id: next(iter(same.values())) if len(same) == 1 else ExternalIdConflict(external_id, (*same.values(),))
        for external_id, same in read.items()
    }
    found |= unreadable
    if nameless:
        log.warning("row_not_readable", problem=nameless)
        found |= {one: UnreadableRow(one, nameless, named=False) for one in wanted if one not in found}
    return found


def amounts_unpaid(client: NetSuiteClient, external_ids: Mapping[str, str]) -> tuple[dict[str, Decimal], set[str]]:
    """What is open on the transactions with these internal ids (keys; their external ids are the values), and which of
    the internal ids belong to another transaction by now. One that NetSuite does not show, or whose amount cannot be
    read, is in neither.

    One request for 1,000 ids. Raises ValueError for an id that is none, and NetSuiteError.
    """
    netsuite_ids = [*external_ids]
    if not all(map(_INTERNAL_ID.fullmatch, netsuite_ids)):
        raise ValueError("an internal id is a number")
    found, others = {}, set()
    for start in range(0, len(netsuite_ids), PAGE_ROWS):
        values = ", ".join(netsuite_ids[start : start + PAGE_ROWS])
        for row in query(
            client,
            f"SELECT id, externalid, foreignamountunpaid FROM transaction WHERE id IN ({values}) ORDER BY id",  # noqa: S608
            isolate=True,
        ):
            if not row.get("id"):
                raise NetSuiteAnswerUnreadable("NetSuite answered a transaction without id")
            if row.get("externalid", "").upper() != external_ids.get(row["id"]):
                others.add(row["id"])
            elif (unpaid := amount_of(row, "foreignamountunpaid")) is None:
                log.warning("open_amount_not_readable", netsuite_id=clean(row["id"], 40))
            else:
                found[row["id"]] = unpaid.copy_abs()
    return found, others


def _by_external_ids(external_ids: Sequence[str], *, any_case: bool, applied: bool) -> str:
    values = ", ".join(f"'{external_id}'" for external_id in external_ids)  # quote-free by the check of the caller
    column = "UPPER(externalid)" if any_case else "externalid"
    amounts = "foreignpaymentamountused, " if applied else ""
    return (
        f"SELECT id, externalid, type, tranid, entity, currency, foreigntotal, {amounts}"  # noqa: S608 - checked values
        f"TO_CHAR(trandate, 'YYYY-MM-DD') AS trandate FROM transaction WHERE {column} IN ({values}) ORDER BY id"
    )


def _transaction(row: dict[str, str], *, applied: bool = False) -> NetSuiteTransaction:
    if UNREADABLE in row:
        raise NetSuiteAnswerUnreadable(row[UNREADABLE])
    missing = [name for name in ("id", "externalid", "type") if not row.get(name)]
    if missing:
        raise NetSuiteAnswerUnreadable(f"NetSuite answered a transaction without {', '.join(missing)}")
    if not _INTERNAL_ID.fullmatch(row["id"]) or not row["externalid"].isascii():
        raise NetSuiteAnswerUnreadable(f"NetSuite answered a transaction with the id {clean(row['id'], 40)!r}")
    total = row.get("foreigntotal")
    if row["type"] in {INVOICE, CREDIT_MEMO} and (total is None or not row.get("entity")):
        # Without them it cannot be decided whether it is our document or another's.
        raise NetSuiteAnswerUnreadable(f"NetSuite answered transaction {row['id']} without its total or entity")
    return NetSuiteTransaction(
        netsuite_id=row["id"],
        external_id=row["externalid"],
        type=clean(row["type"], 40),
        transaction_number=_short(row.get("tranid")),
        entity=_short(row.get("entity")),
        currency=_short(row.get("currency")),
        total=None if total is None else exact(total),
        tran_date=_short(row.get("trandate")),
        applied=exact(row.get("foreignpaymentamountused", "0")).copy_abs() if applied else None,
    )


def _short(text: str | None) -> str | None:
    return None if text is None else clean(text, 100)


def exact(text: str) -> Decimal:
    """A total as NetSuite writes it. Raises NetSuiteAnswerUnreadable for anything but plain digits."""
    try:
        number = Decimal(text) if _NUMBER.fullmatch(text) else None
    except InvalidOperation:
        number = None
    if number is None:
        raise NetSuiteAnswerUnreadable(f"NetSuite answered {text[:40]!r} where a total belongs")
    return number


def amount_of(row: Mapping[str, str], column: str) -> Decimal | None:
    """An amount of a row that was read with `isolate`, zero where NetSuite shows none; None where it cannot be read."""
    try:
        return None if UNREADABLE in row else exact(row.get(column, "0"))
    except NetSuiteAnswerUnreadable:
        return None


def _row(item: dict[str, Any]) -> dict[str, str]:
    row = {name.lower(): value for name, value in item.items()}
    if len(row) < len(item):
        raise NetSuiteAnswerUnreadable("NetSuite answered a row with a column twice")
    return {
        name: value if isinstance(value, str) else _plain(value)
        for name, value in row.items()
        if name != "links" and value is not None
    }


def _what_can_be_read(item: dict[str, Any]) -> dict[str, str]:
    """A row without the columns that cannot be read, which `UNREADABLE` names."""
    row: dict[str, str] = {}
    times = Counter(name.lower() for name in item)
    wrong = [name for name, count in times.items() if count > 1]
    for name, value in item.items():
        column = name.lower()
        if column == "links" or value is None or times[column] > 1:
            continue
        try:
            row[column] = value if isinstance(value, str) else _plain(value)
        except NetSuiteAnswerUnreadable:
            wrong.append(column)
    if wrong:
        row[UNREADABLE] = f"NetSuite answered a row whose {clean(', '.join(wrong), 100)} cannot be read"
    return row


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "T" if value else "F"
    raise NetSuiteAnswerUnreadable(f"NetSuite answered a {type(value).__name__} where a value belongs")


def _true(value: Any) -> bool:
    return value is True or str(value).lower() == "true"
