"""The tables and columns that SuiteQL shows: NetSuite's names → expressions on the sandbox's own tables.

`:cutoff` (time or NULL) hides what is newer than the SuiteQL lag; `:credit_sign` and `:line_sign` are 1 or -1.
"""

from typing import NamedTuple


class Table(NamedTuple):
    """A table of SuiteQL: its columns and the query behind it."""

    columns: frozenset[str]
    query: str


_TOTAL = "CAST(total_e4 * CASE type WHEN 'creditMemo' THEN :credit_sign ELSE 1 END / 10000.0 AS REAL)"
_VISIBLE = "(:cutoff IS NULL OR {r}saved_at <= :cutoff)"
_LINE_SIGN = (
    "CASE WHEN r.type <> 'creditMemo' THEN CASE l.n WHEN 0 THEN 1 ELSE :line_sign END"
    " ELSE CASE l.n WHEN 0 THEN :credit_sign ELSE :credit_line_sign END END"
)
_LINE_AMOUNT = f"CAST(l.amount_e4 * {_LINE_SIGN} / 10000.0 AS REAL)"
# Amounts of what is settled are positive on either side: invoices know paid and unpaid, credits and payments used and
# unused (https://meir.prolecto.com/2023/02/19/sql-ar-and-ap-fields/); the other pair is null.
_SETTLED = "CASE WHEN {invoice} THEN CAST({amount} / 10000.0 AS REAL) END"
_PAID = _SETTLED.format(invoice="type = 'invoice'", amount="applied_e4")
_UNPAID = _SETTLED.format(invoice="type = 'invoice'", amount="(total_e4 - applied_e4)")
_USED = _SETTLED.format(invoice="type <> 'invoice'", amount="applied_e4")
_UNUSED = _SETTLED.format(invoice="type <> 'invoice'", amount="(total_e4 - applied_e4)")
# A open, B paid or fully applied, V voided [guess]; a payment C deposited, B not deposited
_STATUS = (
    "CASE WHEN voided THEN 'V' WHEN type = 'customerPayment' THEN"
    " CASE json_extract(fields, '$.undepFunds') WHEN 1 THEN 'B' ELSE 'C' END"
    " WHEN total_e4 > applied_e4 THEN 'A' ELSE 'B' END"
)
_CLOSED = (
    "CASE WHEN type = 'invoice' AND applied_e4 > 0 AND applied_e4 >= total_e4 THEN (SELECT max(c.trandate)"
    " FROM application a JOIN record c ON c.id = a.credit WHERE a.invoice = record.id) END"
)

_TRANSACTION = {
    "id": "id",
    "tranid": "tranid",
    "externalid": "external_id",
    "type": "CASE type WHEN 'invoice' THEN 'CustInvc' WHEN 'creditMemo' THEN 'CustCred' ELSE 'CustPymt' END",
    "recordtype": "lower(type)",
    "entity": "entity",
    "currency": "currency",
    "foreigntotal": _TOTAL,
    "trandate": "trandate",
    "duedate": "duedate",
    "foreignamountpaid": _PAID,
    "foreignamountunpaid": _UNPAID,
    "foreignpaymentamountused": _USED,
    "foreignpaymentamountunused": _UNUSED,
    "status": _STATUS,
    "voided": "CASE WHEN voided THEN 'T' ELSE 'F' END",
    "posting": "'T'",
    "closedate": _CLOSED,
    "postingperiod": "postingperiod",
    "lastmodifieddate": "strftime('%Y-%m-%d %H:%M:%S', modified_at, 'unixepoch')",
    "createddate": "strftime('%Y-%m-%d %H:%M:%S', saved_at, 'unixepoch')",
    "memo": "memo",
    "otherrefnum": "otherrefnum",
}
_LINE = {
    "transaction": "l.record",
    "linesequencenumber": "l.n",
    "mainline": "CASE l.n WHEN 0 THEN 'T' ELSE 'F' END",
    "taxline": "'F'",  # SuiteTax keeps its details elsewhere
    "item": "l.item",
    "quantity": f"CAST(l.quantity * {_LINE_SIGN} AS REAL)",
    "rate": "CAST(l.rate AS REAL)",
    "foreignamount": _LINE_AMOUNT,
    "netamount": _LINE_AMOUNT,
    "memo": "l.description",
    "subsidiary": "r.subsidiary",
}
_BASIC = {"id": "id", "externalid": "external_id", "name": "name", "fullname": "name"}
_LISTS = {
    "customer": ("customer", {"id": "id", "externalid": "external_id", "entityid": "name", "companyname": "name"}),
    "item": (
        "item",
        {"id": "id", "externalid": "external_id", "itemid": "name", "displayname": "name", "fullname": "name"},
    ),
    "currency": ("currency", {**_BASIC, "symbol": "name"}),
    "accountingperiod": (
        "accountingPeriod",
        {
            "id": "id",
            "externalid": "external_id",
            "periodname": "name",
            "startdate": "json_extract(content, '$.start')",
            "enddate": "json_extract(content, '$.end')",
            "closed": "CASE json_extract(content, '$.closed') WHEN 1 THEN 'T' ELSE 'F' END",
        },
    ),
    "subsidiary": ("subsidiary", {**_BASIC, "country": "json_extract(content, '$.country')"}),
    "salestaxitem": ("taxCode", {"id": "id", "externalid": "external_id", "itemid": "name", "fullname": "name"}),
    "taxtype": ("taxType", {"id": "id", "externalid": "external_id", "name": "name"}),
    **{name: (name, _BASIC) for name in ("department", "classification", "location", "term")},
}


def _columns(expressions: dict[str, str]) -> str:
    return ", ".join(f"{expression} AS [{name}]" for name, expression in expressions.items())


# What settles what, in NetSuite's direction: from the invoice to the credit memo or payment behind it. Line 0 [guess].
_LINK = {
    "previousdoc": "i.id",
    "previousline": "0",
    "previoustype": "'CustInvc'",
    "previousdate": "i.trandate",
    "nextdoc": "c.id",
    "nextline": "0",
    "nexttype": "CASE c.type WHEN 'creditMemo' THEN 'CustCred' ELSE 'CustPymt' END",
    "nextdate": "c.trandate",
    "linktype": "'Payment'",
    "foreignamount": "CAST(a.amount_e4 / 10000.0 AS REAL)",
}


def tables(*, subsidiary: bool = False) -> dict[str, Table]:
    """The tables by name. `subsidiary`: `transaction` has that column, as it has in some accounts."""
    if not subsidiary:
        return TABLES
    columns = {**_TRANSACTION, "subsidiary": "subsidiary"}
    return {**TABLES, "transaction": _transactions(columns)}


def _transactions(columns: dict[str, str]) -> Table:
    return Table(frozenset(columns), f"SELECT {_columns(columns)} FROM record WHERE {_VISIBLE.format(r='')}")  # noqa: S608


def _tables() -> dict[str, Table]:
    lines = f"SELECT {_columns(_LINE)} FROM line l JOIN record r ON r.id = l.record WHERE {_VISIBLE.format(r='r.')}"  # noqa: S608
    links = Table(
        frozenset(_LINK),
        f"SELECT {_columns(_LINK)} FROM application a JOIN record i ON i.id = a.invoice "  # noqa: S608
        f"JOIN record c ON c.id = a.credit WHERE {_VISIBLE.format(r='i.')} AND {_VISIBLE.format(r='c.')}",
    )
    tables = {
        "transaction": _transactions(_TRANSACTION),
        "transactionline": Table(frozenset(_LINE), lines),
        "nexttransactionlinelink": links,
        "previoustransactionlinelink": links,
    }
    for name, (list_, columns) in _LISTS.items():
        query = f"SELECT {_columns(columns)} FROM reference WHERE type = '{list_}'"  # noqa: S608
        tables[name] = Table(frozenset(columns), query)
    return tables


TABLES = _tables()
