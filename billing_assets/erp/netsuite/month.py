"""All invoices and credit memos that NetSuite dates in a month, for the close: independent of our own records."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

import structlog

from billing_assets.erp.documents.external_id import is_external_id
from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.errors import NetSuiteAnswerUnreadable
from billing_assets.erp.netsuite.suiteql import CREDIT_MEMO, INVOICE, PAGE_ROWS, amount_of, query_page
from billing_assets.foundation.periods import first_day, following

log = structlog.get_logger(__name__)

_COLUMNS = (
    "id, externalid, type, tranid, entity, currency, foreigntotal, voided, TO_CHAR(trandate, 'YYYY-MM-DD') AS trandate"
)


class MonthTransaction(NamedTuple):
    """A transaction of the month. `absolute_total` is in its currency (an internal id), without NetSuite's sign; None
    where it cannot be read. What else cannot be read is empty."""

    netsuite_id: str
    external_id: str | None
    type: str
    transaction_number: str | None
    entity: str | None
    currency: str | None
    absolute_total: Decimal | None
    voided: bool
    tran_date: str | None


def month_transactions(client: NetSuiteClient, period: str) -> Iterator[list[MonthTransaction]]:
    """The invoices and credit memos dated in a month (`YYYY-MM`), ours and others', 1,000 at a time.

    Pages by internal id, as NetSuite shows at most 100,000 rows of one query. Raises NetSuiteError.
    """
    first, end = first_day(period), first_day(following(period))
    after = 0
    while True:
        rows = query_page(
            client,
            f"SELECT {_COLUMNS} FROM transaction WHERE type IN ('{INVOICE}', '{CREDIT_MEMO}') "  # noqa: S608
            f"AND trandate >= TO_DATE('{first}', 'YYYY-MM-DD') AND trandate < TO_DATE('{end}', 'YYYY-MM-DD') "
            f"AND id > {after} ORDER BY id",
            isolate=True,
        )
        yield [_transaction(row) for row in rows]
        if len(rows) < PAGE_ROWS:
            return
        after = int(rows[-1]["id"])


def transactions_by_ids(client: NetSuiteClient, ids: Sequence[tuple[str, str]]) -> Iterator[list[MonthTransaction]]:
    """The transactions with one of these external ids, or one of these internal ids, each once, of whatever month and
    type; one that was deleted is not among them.

    An internal id may by now be that of another transaction (a refreshed sandbox gives them out again): the caller
    compares. Raises NetSuiteError, and ValueError for what is no id of ours.
    """
    seen: set[str] = set()
    for start in range(0, len(ids), PAGE_ROWS // 2):  # each may find two
        chunk = ids[start : start + PAGE_ROWS // 2]
        if strange := [one for one, _ in chunk if not is_external_id(one)]:
            raise ValueError(f"{strange[0]!r} is no external id of ours: A-Z, 0-9, _ and - only")
        external = ", ".join(f"'{one}'" for one, _ in chunk)  # quote-free by the check
        internal = ", ".join(str(int(one)) for _, one in chunk)
        rows = query_page(
            client,
            f"SELECT {_COLUMNS} FROM transaction "  # noqa: S608
            f"WHERE externalid IN ({external}) OR id IN ({internal}) ORDER BY id",
            isolate=True,
        )
        yield [one for one in map(_transaction, rows) if one.netsuite_id not in seen]
        seen |= {row["id"] for row in rows}


def customers_by_external_id(client: NetSuiteClient, external_ids: Sequence[str]) -> dict[str, str]:
    """Internal ids of customers, by external id in capitals, as NetSuite ignores case. Raises NetSuiteError."""
    wanted = sorted({one.upper() for one in external_ids})
    found: dict[str, str] = {}
    for start in range(0, len(wanted), PAGE_ROWS):
        values = ", ".join("'" + one.replace("'", "''") + "'" for one in wanted[start : start + PAGE_ROWS])
        sql = f"SELECT id, externalid FROM customer WHERE UPPER(externalid) IN ({values}) ORDER BY id"  # noqa: S608
        found |= {row["externalid"].upper(): row["id"] for row in query_page(client, sql)}
    return found


def _transaction(row: dict[str, str]) -> MonthTransaction:
    if not row.get("id", "").isdecimal():  # by it we page, and no person could find the row
        raise NetSuiteAnswerUnreadable("NetSuite answered a transaction without id")
    total = amount_of(row, "foreigntotal")
    if total is None:
        log.warning("total_not_readable", netsuite_id=row["id"])
    return MonthTransaction(
        row["id"],
        row.get("externalid"),
        row.get("type", ""),
        row.get("tranid"),
        row.get("entity"),
        row.get("currency"),
        None if total is None else total.copy_abs(),
        row.get("voided") == "T",
        row.get("trandate"),
    )
