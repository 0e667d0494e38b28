"""The SQL of the room: reading balances into `billing.open_receivables`, and adding them up."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from billing_assets.erp.contract import InvoiceOf, OpenItem
from billing_assets.foundation.calendar.branch_days import day_of, day_values
from billing_assets.foundation.calendar.business_days import Days
from billing_assets.foundation.database.connection import Connection

NETSUITE = "netsuite"
"""`source` of balances that were read from NetSuite."""

_COLUMNS = (
    "source, transaction_id, kind, number, external_id, customer, branch, currency, document_date, due_date, total, "
    "open_amount"
)
_POSTED = "s.external_id = i.external_id and s.kind = i.kind and s.state = 'posted'"


class Receivable(NamedTuple):
    """A row of `billing.open_receivables`. Amounts are signed: credit memos and payments are negative."""

    source: str
    transaction_id: str
    kind: str
    number: str
    external_id: str | None
    customer: str
    branch: str
    currency: str
    document_date: date
    due_date: date
    total: Decimal
    open_amount: Decimal


class OpenTotal(NamedTuple):
    """What is open of one kind in one currency. `whose`: `ours`, or `elsewhere` for what we did not bill."""

    whose: str
    kind: str
    currency: str
    items: int
    open_amount: Decimal


def now(connection: Connection) -> datetime:
    """Our database's clock."""
    found: datetime = connection.execute("select clock_timestamp() as now").fetchall()[0]["now"]
    return found


def begin_reading(connection: Connection) -> None:
    """Empty temporary tables for one reading; those of an earlier one in the same session go."""
    for name in ("read_items", "read_entities", "read_receivables"):
        connection.execute(f"drop table if exists pg_temp.{name}")
    connection.execute(
        "create temporary table read_items (netsuite_id text primary key, kind text, external_id text, number text, "
        "entity text, currency text, total numeric, open_amount numeric, document_date date, due_date date)"
    )
    connection.execute("create temporary table read_entities (entity text primary key, customer text, branch text)")
    connection.execute(
        "create temporary table read_receivables (like billing.open_receivables including defaults, "
        "primary key (source, transaction_id))"
    )
    connection.execute("alter table read_receivables alter column read_at drop not null")


def add_items(connection: Connection, items: Iterable[OpenItem], currencies: Mapping[str, str]) -> None:
    """Adds a page of what NetSuite shows; an external id in the one case that ours have."""
    with connection.cursor().copy("copy read_items from stdin") as copy:
        for one in items:
            external_id = one.external_id.upper() if one.external_id else None
            currency = currencies.get(one.currency, one.currency)
            copy.write_row(one._replace(external_id=external_id, currency=currency))


def add_entities(connection: Connection, invoices: Sequence[InvoiceOf]) -> set[str]:
    """Adds NetSuite's customers, each with customer and branch of the first of these invoices that we posted.

    Returns the internal ids of those that have one.
    """
    rows = connection.execute(
        """
        insert into read_entities
        select distinct on (i.entity) i.entity, s.customer, s.branch
        from unnest(%s::text[], %s::text[]) with ordinality as i (entity, external_id, place)
        join billing.staged_invoices as s
            on s.external_id = upper(i.external_id) and s.kind = 'invoice' and s.state = 'posted'
        order by i.entity, i.place
        on conflict do nothing returning entity""",
        [[one.entity for one in invoices], [one.external_id for one in invoices]],
    )
    return {row["entity"] for row in rows}


def add_receivables(connection: Connection, rows: Iterable[Receivable]) -> None:
    """Adds rows of the billing system."""
    with connection.cursor().copy(f"copy read_receivables ({_COLUMNS}) from stdin") as copy:
        for row in rows:
            copy.write_row(row)


def entities_of_payments(connection: Connection) -> list[str]:
    """Internal ids of the customers whose payments were read, and of whom no open invoice tells who they are."""
    rows = connection.execute(
        f"""
        select distinct p.entity from read_items as p
        where p.kind = 'payment' and p.entity not in (
            select i.entity from read_items as i join billing.staged_invoices as s on {_POSTED}
            where i.kind = 'invoice')
        order by p.entity"""  # noqa: S608  constants
    )
    return [row["entity"] for row in rows]


def match_items(connection: Connection) -> None:
    """Makes receivables of what NetSuite showed: documents that we posted, and payments of the customers that we bill.

    A payment names no customer of ours and no branch. Where several are billed to one customer of NetSuite, it goes
    with the one who has most open in its currency, and with that one's branch with most open.
    """
    connection.execute("analyze read_items")
    connection.execute(
        f"""
        insert into read_receivables ({_COLUMNS})
        with owed as (
            select i.entity, i.currency, s.customer, s.branch, sum(i.open_amount) as amount
            from read_items as i
            join billing.staged_invoices as s on {_POSTED}
            where i.kind = 'invoice' group by 1, 2, 3, 4
            union all
            select entity, null, customer, branch, 0 from read_entities),
        payers as (
            select distinct on (p.entity, p.currency) p.entity, p.currency, o.customer, o.branch
            from (select distinct entity, currency from read_items where kind = 'payment') as p
            join (
                select *, sum(amount) over (partition by entity, currency, customer) as of_customer from owed
            ) as o on o.entity = p.entity
            order by p.entity, p.currency, o.currency = p.currency desc nulls last, o.of_customer desc, o.customer,
                o.amount desc, o.branch)
        select %(source)s, i.netsuite_id, i.kind, s.number, i.external_id, coalesce(s.customer, ''),
            coalesce(s.branch, ''), i.currency, coalesce(s.document_date, i.document_date),
            case i.kind when 'invoice' then coalesce(i.due_date, s.due_date, i.document_date) else i.document_date end,
            i.total, i.open_amount
        from read_items as i
        join billing.staged_invoices as s on {_POSTED}
        union all
        select %(source)s, r.netsuite_id, r.kind, r.number, r.external_id, coalesce(p.customer, ''),
            coalesce(p.branch, ''), r.currency, r.document_date, r.document_date, r.total, r.open_amount
        from read_items as r
        join payers as p on p.entity = r.entity and p.currency = r.currency
        where r.kind = 'payment'""",  # noqa: S608  a constant
        {"source": NETSUITE},
    )


def add_external_ids(connection: Connection) -> None:
    """Gives rows of the billing system the external id under which we know the document, where we do.

    Of several documents with one number, only that has one which is posted.
    """
    connection.execute(
        """
        update read_receivables as r set external_id = s.external_id from billing.staged_invoices as s
        where s.source = r.source and s.document_id = r.transaction_id and s.kind = r.kind and s.state <> 'gone'
            and not exists (
                select from billing.staged_invoices as o
                where o.external_id = s.external_id and o.id <> s.id and o.state <> 'gone'
                    and (o.state = 'posted' or s.state <> 'posted'))"""
    )


def totals_read(connection: Connection) -> list[OpenTotal]:
    """What this reading found open, ours and from elsewhere, in order."""
    rows = connection.execute(
        """
        select 'ours' as whose, kind, currency, count(*) as items, sum(open_amount) as open_amount
        from read_receivables group by kind, currency
        union all
        select 'elsewhere', r.kind, r.currency, count(*), sum(r.open_amount)
        from read_items as r
        where not exists (select from read_receivables as o where o.transaction_id = r.netsuite_id)
        group by r.kind, r.currency
        order by whose desc, kind, currency"""
    )
    return [OpenTotal(**row) for row in rows]


def keep_reading(
    connection: Connection, source: str, run_id: str, read_at: datetime, totals: Sequence[OpenTotal]
) -> None:
    """Replaces what was open before by this reading, and notes it, in one transaction."""
    shown = [one._asdict() | {"open_amount": str(one.open_amount)} for one in totals]
    assignments = ", ".join(f"{name.strip()} = excluded.{name.strip()}" for name in _COLUMNS.split(",")[2:])
    with connection.transaction():
        connection.execute("lock table billing.open_receivables in share row exclusive mode")
        connection.execute(
            f"insert into billing.open_receivables as o ({_COLUMNS}, read_at) "  # noqa: S608  constants
            f"select {_COLUMNS}, %(read_at)s from read_receivables "
            f"on conflict (source, transaction_id) do update set {assignments}, read_at = excluded.read_at",
            {"read_at": read_at},
        )
        connection.execute(
            "delete from billing.open_receivables as o where not exists ("
            "select from read_receivables as r where (r.source, r.transaction_id) = (o.source, o.transaction_id))"
        )
        connection.execute(
            "insert into billing.receivables_runs (source, run_id, read_at, counts) values (%s, %s, %s, %s)",
            [source, run_id, read_at, Jsonb(shown)],
        )


@contextmanager
def one_moment(connection: Connection) -> Iterator[None]:
    """Everything that is asked in the block is of one moment, whatever is read again meanwhile."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        yield


def totals(connection: Connection) -> list[OpenTotal]:
    """What is open per kind and currency, as last read, in order."""
    rows = connection.execute(
        "select 'ours' as whose, kind, currency, count(*) as items, sum(open_amount) as open_amount "
        "from billing.open_receivables group by kind, currency order by kind, currency"
    )
    return [OpenTotal(**row) for row in rows]


def open_per_currency(connection: Connection) -> dict[str, Decimal]:
    """The sum of everything open, credits and payments taken off, by currency."""
    rows = connection.execute(
        "select currency, sum(open_amount) as total from billing.open_receivables group by currency order by currency"
    )
    return {row["currency"]: row["total"] for row in rows}


def last_read_at(connection: Connection) -> datetime | None:
    """When balances were read last; None before the first time."""
    row = connection.execute("select read_at from billing.receivables_runs order by id desc limit 1").fetchone()
    return row["read_at"] if row else None


def aged(connection: Connection, as_of: Days, by: Sequence[str], bounds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Open amounts per group and bucket, in the order of the groups, a thousand rows at a time.

    `by` are columns of the table. Days are counted to the branch's day in `as_of`. `bounds` are the first day past due
    of every bucket after the first: `bucket_0` is what is not due, `bucket_1` begins at `bounds[0]` days.
    `credit_memos` and `payments` stand apart; `total` is all.
    """
    group = ", ".join(by)
    buckets = ", ".join(
        f"coalesce(sum(open_amount) filter (where kind = 'invoice' and bucket = {n}), 0) as bucket_{n}"
        for n in range(len(bounds) + 1)
    )
    with connection.transaction(), connection.cursor("aging") as cursor:
        cursor.execute(
            f"""
            select {group}, {buckets},
                coalesce(sum(open_amount) filter (where kind = 'credit_memo'), 0) as credit_memos,
                coalesce(sum(open_amount) filter (where kind = 'payment'), 0) as payments,
                sum(open_amount) as total, count(*) as items
            from (
                select *, width_bucket({day_of("branch")} - due_date, %(bounds)s::integer[]) as bucket
                from billing.open_receivables
            ) as r
            group by {group} order by {group}""",  # noqa: S608  columns of the table
            day_values(as_of) | {"bounds": list(bounds)},
        )
        yield from cursor
