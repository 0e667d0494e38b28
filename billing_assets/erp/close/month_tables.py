"""What billing system, staging and NetSuite say of a month, gathered in temporary tables for `close/comparison.py`."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from psycopg import sql

from billing_assets.erp.billing_system.totals import MonthDocument
from billing_assets.erp.documents.documents import Line
from billing_assets.erp.netsuite.month import MonthTransaction
from billing_assets.foundation.database.connection import Connection

_EXTRA = Line._fields.index("extra")
_TRANSACTION = """netsuite_id text primary key, external_id text, type text, transaction_number text, entity text,
    currency text, absolute_total numeric, voided boolean, tran_date date, ours boolean"""
TABLES = {
    "month_billing": """source text, document_id text, kind text, number text, status text, branch text, customer text,
        currency text, document_date date, total numeric""",
    "month_netsuite": _TRANSACTION,
    "month_elsewhere": _TRANSACTION,
    "month_customers": "kind text, key text, entity text, primary key (kind, key)",
    "month_currencies": "code text primary key, netsuite_id text",
    "month_symbols": "netsuite_id text primary key, code text",
    "month_meanings": "document bigint, sentence text",
}
"""The temporary tables and their columns."""


class CustomerKey(NamedTuple):
    """By which column of a document the mapping finds its customer: one of the contract, or one of `extra`."""

    column: str
    of_contract: bool

    def expression(self) -> sql.Composable:
        """The key of a staged document, in SQL; empty where there is none."""
        if self.of_contract:
            return sql.SQL("coalesce({}::text, '')").format(sql.Identifier(self.column))
        return sql.SQL("coalesce(extra ->> {}, '')").format(self.column)


class Column(NamedTuple):
    """A column of the billing system that a field of the mapping looks up: of a document's header, of its lines (its
    place in a staged line), or one beyond the contract."""

    name: str
    of_contract: bool
    place: int | None

    def expression(self) -> sql.Composable:
        """The column in SQL, for a staged document `s` and one of its lines `l`."""
        if self.place is not None:
            return sql.SQL("l.value ->> {}").format(self.place)
        if self.of_contract:
            return sql.SQL("s.{}::text").format(sql.Identifier(self.name))
        return sql.SQL("coalesce(l.value -> {} ->> {}, s.extra ->> {})").format(_EXTRA, self.name, self.name)


def create_tables(connection: Connection) -> None:
    """The empty temporary tables; those of an earlier month in the same session go."""
    connection.execute("drop table if exists pg_temp.month_documents")
    connection.execute("drop view if exists pg_temp.month_codes")
    for name, columns in TABLES.items():
        connection.execute(f"drop table if exists pg_temp.{name}")
        connection.execute(f"create temporary table {name} ({columns})")
    connection.execute("create index on month_elsewhere (external_id)")
    # What a currency of NetSuite is called: as NetSuite says, else as the mapping does.
    connection.execute(
        """
        create temporary view month_codes as
        select netsuite_id, code from month_symbols
        union all
        select netsuite_id, min(code) from month_currencies as c
        where not exists (select from month_symbols as s where s.netsuite_id = c.netsuite_id) group by 1"""
    )


def add_billing(connection: Connection, source: str, documents: Iterable[MonthDocument]) -> None:
    """Documents as the billing system of a source shows them now."""
    with connection.cursor().copy("copy month_billing from stdin") as copy:
        for one in documents:
            copy.write_row([source, *(v.replace("\0", "␀") if isinstance(v, str) else v for v in one)])


def add_netsuite(
    connection: Connection,
    transactions: Iterable[MonthTransaction],
    prefixes: Collection[str],
    *,
    of_month: bool = True,
) -> None:
    """Transactions as NetSuite shows them: those of the month, or those that were missed in it."""
    begins = tuple(prefix.upper() for prefix in prefixes)
    table = "month_netsuite" if of_month else "month_elsewhere"
    with connection.cursor().copy(f"copy {table} from stdin") as copy:
        for one in transactions:
            external_id = one.external_id.upper() if one.external_id else None
            ours = external_id is not None and external_id.startswith(begins)
            copy.write_row((*one._replace(external_id=external_id), ours))


def customer_keys(connection: Connection, period: str, kind: str, by: CustomerKey) -> list[str]:
    """The different keys of customers, of what is posted in a month."""
    query = sql.SQL("""
        select distinct {key} as key from billing.staged_invoices
        where period = {period} and state = 'posted' and kind = {kind}""")
    rows = connection.execute(query.format(key=by.expression(), period=period, kind=kind))
    return [row["key"] for row in rows]


def add_references(
    connection: Connection, customers: Mapping[tuple[str, str], str], currencies: Mapping[str, str]
) -> None:
    """What the mapping makes of a customer's key (by kind) and of a currency: NetSuite's internal ids."""
    with connection.cursor().copy("copy month_customers from stdin") as copy:
        for (kind, key), entity in customers.items():
            copy.write_row((kind, key, entity))
    with connection.cursor().copy("copy month_currencies from stdin") as copy:
        for row in currencies.items():
            copy.write_row(row)


def mark_what_we_sent(connection: Connection) -> None:
    """Marks as ours what carries an external id that we ever sent, whatever prefixes are known by now."""
    connection.execute("analyze month_netsuite")
    connection.execute(
        """
        update month_netsuite as n set ours = true
        where not n.ours and n.external_id is not null
          and exists (select from billing.posting_attempts as a where a.external_id = n.external_id)"""
    )


def add_symbols(connection: Connection, codes: Mapping[str, str]) -> None:
    """NetSuite's currencies: internal id to ISO code."""
    with connection.cursor().copy("copy month_symbols from stdin") as copy:
        for row in codes.items():
            copy.write_row(row)


def add_meanings(
    connection: Connection,
    period: str,
    kind: str,
    column: Column | None,
    sentences: Mapping[str, str],
    *,
    ignore_case: bool,
) -> None:
    """The posted documents of a month and kind of which a column has one of these keys, each with the key's sentence;
    without a column all of them."""
    key = sql.SQL("''") if column is None else sql.SQL("btrim({})").format(column.expression())
    query = sql.SQL("""
        insert into month_meanings
        select distinct on (s.id) s.id, k.sentence
        from billing.staged_invoices as s
        cross join jsonb_array_elements(s.lines) as l
        join unnest({keys}::text[], {sentences}::text[]) as k (key, sentence) on k.key = {key}
        where s.period = {period} and s.state = 'posted' and s.kind = {kind}
          and not exists (select from month_meanings as m where m.document = s.id)
        order by s.id, k.sentence""")
    connection.execute(
        query.format(
            keys=list(sentences),
            sentences=list(sentences.values()),
            key=sql.SQL("lower({})").format(key) if ignore_case else key,
            period=period,
            kind=kind,
        )
    )


def missing_in_netsuite(connection: Connection, period: str, began: datetime) -> list[tuple[str, str]]:
    """External and internal ids of what was posted in a month before `began`, or differs, and is not among its
    transactions."""
    rows = connection.execute(
        """
        select s.external_id, s.netsuite_id from billing.staged_invoices as s
        where s.period = %s and s.netsuite_id is not null
          and (s.state = 'posted' and s.posted_at < %s or s.state = 'differs')
          and not exists (select from month_netsuite as n where n.external_id = s.external_id)
        order by s.id""",
        [period, began],
    )
    return [(row["external_id"], row["netsuite_id"]) for row in rows]
