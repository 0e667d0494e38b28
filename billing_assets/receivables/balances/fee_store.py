"""The SQL of late fees: `billing.late_fees`, and the stops that `billing.collection_stops` holds."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from billing_assets.decisions.store import Subject, record_each
from billing_assets.foundation.calendar.branch_days import day_of, day_values
from billing_assets.foundation.calendar.business_days import Days
from billing_assets.foundation.database.connection import Connection
from billing_assets.receivables.balances.store import NETSUITE

_PAGE = 5_000
# What names an invoice wherever its balance comes from.
_BALANCES = (
    "(select *, coalesce(external_id, source || '/' || transaction_id) as invoice from billing.open_receivables) as r"
)
# The document that we staged for it: by its key where the balance comes from the billing system, else by external id.
# Looked up for each balance, by index: a join would read all that was ever posted.
_STAGED = """coalesce(
    (select s.id from billing.staged_invoices as s
     where s.source = r.source and s.document_id = r.transaction_id and s.state <> 'gone'),
    (select s.id from billing.staged_invoices as s
     where s.external_id = r.invoice and s.kind = 'invoice' and s.state = 'posted' limit 1))"""
# NetSuite shows an invoice that was voided in the billing system as open until its credit memo is there.
_VOIDED = f"""coalesce((
    select s.drift ->> 'source_status' is not distinct from 'void' or exists (
        select from billing.proposed_credit_memos as m
        where m.document = s.id and (m.decision is null or m.decision = 'confirmed'))
    from billing.staged_invoices as s where s.id = {_STAGED}), false)"""  # noqa: S608  constants
_DAY = day_of("r.branch")
_STOPPED = f"""exists (
    select from billing.collection_stops as c
    where c.customer = r.customer and (c.number is null or c.number = r.number)
        and c.starts_on <= {_DAY} and (c.ends_on is null or c.ends_on >= {_DAY}))"""


class Delinquent(NamedTuple):
    """An overdue invoice without a stop and without a decided fee.

    `credit` is what the customer paid or was credited in this currency and is applied to nothing yet, positive.
    `spared_*` are the invoice's lines that bear no fee, of `lines` that we know; none where the document is not ours.
    """

    invoice: str
    source: str
    transaction_id: str
    number: str
    customer: str
    branch: str
    currency: str
    document_date: date
    due_date: date
    open_amount: Decimal
    credit: Decimal
    lines: int
    spared_items: list[str]
    spared_amounts: list[Decimal]


class Candidate(NamedTuple):
    """A fee as it would be proposed now."""

    invoice: str
    source: str
    transaction_id: str
    number: str
    customer: str
    branch: str
    currency: str
    rule: str
    percent: Decimal
    due_date: date
    penalised_balance: Decimal
    fee: Decimal


class LateFee(NamedTuple):
    """A row of `billing.late_fees`."""

    id: int
    invoice: str
    number: str
    customer: str
    branch: str
    currency: str
    rule: str
    percent: Decimal
    due_date: date
    penalised_balance: Decimal
    fee: Decimal
    as_of: date
    state: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    why: str | None
    exported_at: datetime | None


_CANDIDATE = ", ".join(Candidate._fields)
_FEE = ", ".join(LateFee._fields)
_FEES = """(
    select f.*, w.decided_by, w.decided_at, nullif(w.why, '') as why
    from billing.late_fees as f left join billing.decisions as w on w.id = f.decision_id) as f"""


def alone(connection: Connection) -> None:
    """Proposing and approving one at a time; call first in a transaction."""
    connection.execute("lock table billing.late_fees in share row exclusive mode")


def begin_proposing(connection: Connection) -> None:
    """An empty temporary table for the candidates of this transaction."""
    connection.execute("drop table if exists pg_temp.fee_candidates")
    connection.execute(
        "create temporary table fee_candidates (invoice text primary key, source text, transaction_id text, "
        "number text, customer text, branch text, currency text, rule text, percent numeric, due_date date, "
        "penalised_balance numeric, fee numeric) on commit drop"
    )


def branches(connection: Connection) -> list[str]:
    """The branches with open invoices, in order."""
    rows = connection.execute(
        "select distinct branch from billing.open_receivables "
        "where kind = 'invoice' and open_amount > 0 order by branch"
    )
    return [row["branch"] for row in rows]


def overdue(connection: Connection, days: Days, spared: Sequence[str]) -> Iterator[list[Delinquent]]:
    """Invoices past the due date on them, not voided, with neither a stop nor a decided fee, 5,000 at a time.

    Those of one customer and currency follow each other, the oldest first.
    """
    with connection.cursor("overdue") as cursor:
        cursor.execute(
            f"""
            select r.invoice, r.source, r.transaction_id, r.number, r.customer, r.branch, r.currency,
                r.document_date, r.due_date, r.open_amount, coalesce(p.credit, 0) as credit,
                coalesce(l.lines, 0) as lines,
                coalesce(l.items, '{{}}') as spared_items, coalesce(l.amounts, '{{}}') as spared_amounts
            from {_BALANCES}
            left join (
                select customer, currency, -sum(open_amount) as credit
                from billing.open_receivables where kind <> 'invoice' group by customer, currency
            ) as p on (p.customer, p.currency) = (r.customer, r.currency)
            left join lateral (
                select count(*) as lines, array_agg(i.item) filter (where i.item = any(%(spared)s)) as items,
                    array_agg(i.amount + coalesce(i.tax_amount, 0)) filter (where i.item = any(%(spared)s)) as amounts
                from billing.staged_invoice_lines as i
                where i.id = {_STAGED}
            ) as l on cardinality(%(spared)s::text[]) > 0
            where r.kind = 'invoice' and r.due_date < %(day_last)s and r.due_date < {_DAY} and r.open_amount > 0
                and not {_STOPPED} and not {_VOIDED}
                and not exists (
                    select from billing.late_fees as f where f.invoice = r.invoice and f.state <> 'proposed')
                and not exists (  -- decided while another document had its number
                    select from billing.late_fees as f
                    where (f.source, f.transaction_id) = (r.source, r.transaction_id) and f.state <> 'proposed'
                        -- NetSuite's internal ids prove nothing by themselves
                        and (f.source <> '{NETSUITE}' or r.external_id is null))
            order by r.customer, r.currency, r.due_date, r.source, r.transaction_id""",  # noqa: S608  constants
            day_values(days) | {"spared": list(spared)},
        )
        while rows := cursor.fetchmany(_PAGE):
            yield [Delinquent(**row) for row in rows]


def add_candidates(connection: Connection, candidates: Iterable[Candidate]) -> None:
    """Adds fees as they would be proposed now."""
    with connection.cursor().copy(f"copy fee_candidates ({_CANDIDATE}) from stdin") as copy:
        for one in candidates:
            copy.write_row(one)


def merge_candidates(connection: Connection, as_of: Days) -> tuple[int, int, int, int]:
    """Brings the undecided proposals in line with the candidates: (new, changed, withdrawn, waiting now).

    A proposal of a later day than its branch has in `as_of` is not withdrawn: it had grounds that this day does not see
    yet.
    """
    values = day_values(as_of)
    withdrawn = connection.execute(
        f"delete from billing.late_fees as f where f.state = 'proposed' and f.as_of <= {day_of('f.branch')} "  # noqa: S608
        "and not exists (select from fee_candidates as c where c.invoice = f.invoice)",
        values,
    ).rowcount
    changed = connection.execute(
        f"""
        update billing.late_fees as f
        set rule = c.rule, percent = c.percent, due_date = c.due_date, penalised_balance = c.penalised_balance,
            fee = c.fee, as_of = {day_of("c.branch")}, source = c.source, transaction_id = c.transaction_id,
            number = c.number, customer = c.customer, branch = c.branch, currency = c.currency
        from fee_candidates as c
        where f.invoice = c.invoice and f.state = 'proposed'
            and (f.rule, f.percent, f.due_date, f.penalised_balance, f.fee, f.source, f.transaction_id)
                is distinct from
                (c.rule, c.percent, c.due_date, c.penalised_balance, c.fee, c.source, c.transaction_id)""",  # noqa: S608  constants
        values,
    ).rowcount
    new = connection.execute(
        f"insert into billing.late_fees ({_CANDIDATE}, as_of) "  # noqa: S608  constants
        f"select {_CANDIDATE}, {day_of('branch')} from fee_candidates on conflict (invoice) do nothing",
        values,
    ).rowcount
    connection.execute(
        "update billing.receivables_runs set proposed_as_of = greatest(proposed_as_of, %(day_last)s) "
        "where id = (select max(id) from billing.receivables_runs)",
        values,
    )
    row = connection.execute("select count(*) as n from billing.late_fees where state = 'proposed'").fetchone()
    return new, changed, withdrawn, row["n"] if row else 0


def proposed_as_of(connection: Connection) -> date | None:
    """The latest day for which fees were proposed from the last reading of the balances; None if they were not yet.

    A branch whose day was an earlier one when balances were read has its fees proposed for that one.
    """
    row = connection.execute("select proposed_as_of from billing.receivables_runs order by id desc limit 1").fetchone()
    return row["proposed_as_of"] if row else None


def not_to_approve(
    connection: Connection, numbers: Sequence[str] | None, proposed: date, read: Days, today: Days
) -> dict[str, str]:
    """Undecided proposals (on these invoices, or all) that may not be approved today, and why, by number.

    `read` is the day on which balances were read last, `proposed` the latest one for which fees were proposed then.
    """
    later = f"r.as_of > least(%(proposed)s, {day_of('r.branch', 'read')})"
    rows = connection.execute(
        f"""
        select r.number,
            case
                when {later} then 'proposed for a later day: propose again'
                when {_VOIDED} then 'it was voided in the billing system'
                else 'a stop is in force'
            end as why
        from billing.late_fees as r
        where r.state = 'proposed' and (%(numbers)s::text[] is null or r.number = any(%(numbers)s))
            and ({later} or {_STOPPED} or {_VOIDED})
        order by r.number""",  # noqa: S608  constants
        day_values(today)
        | day_values(read, "read")
        | {"numbers": None if numbers is None else list(numbers), "proposed": proposed},
    )
    return {row["number"]: row["why"] for row in rows}


def decide(
    connection: Connection,
    numbers: Sequence[str] | None,
    state: Literal["approved", "declined"],
    by: str,
    why: str,
    except_for: Sequence[str],
) -> list[LateFee]:
    """Decides the undecided proposals on these invoices (or all), in order of their number."""
    with connection.transaction():
        proposed = connection.execute(
            """
            select id, number from billing.late_fees
            where state = 'proposed' and (%(numbers)s::text[] is null or number = any(%(numbers)s))
              and number <> all(%(except_for)s)
            order by number, id for update""",
            {"numbers": None if numbers is None else list(numbers), "except_for": list(except_for)},
        ).fetchall()
        ids = [one["id"] for one in proposed]
        decided = record_each(
            connection, Subject.LATE_FEE, [(f"invoice {one['number']}", state, why) for one in proposed], by
        )
        connection.execute(
            """
            update billing.late_fees as f set state = %s, decision_id = d.decision_id
            from unnest(%s::bigint[], %s::bigint[]) as d (id, decision_id) where f.id = d.id""",
            [state, ids, decided],
        )
        rows = connection.execute(
            f"select {_FEE} from {_FEES} where id = any(%s)",  # noqa: S608  constants
            [ids],
        ).fetchall()
    return sorted((LateFee(**row) for row in rows), key=lambda one: (one.number, one.id))


def fees(connection: Connection, state: str | None = None, limit: int | None = None) -> list[LateFee]:
    """Late fees in a state, or all, the largest first."""
    rows = connection.execute(
        f"select {_FEE} from {_FEES} where %(state)s::text is null or state = %(state)s "  # noqa: S608
        "order by fee desc, id limit %(limit)s",
        {"state": state, "limit": limit},
    )
    return [LateFee(**row) for row in rows]


def to_export(connection: Connection, *, again: bool) -> list[LateFee]:
    """Approved fees that were not exported yet, or all of them, in the order of their approval."""
    rows = connection.execute(
        f"select {_FEE} from {_FEES} where state = 'approved' "  # noqa: S608  constants
        "and (%s or exported_at is null) order by decided_at, id",
        [again],
    )
    return [LateFee(**row) for row in rows]


def note_exported(connection: Connection, ids: Sequence[int]) -> None:
    """Notes that these fees are in a file now; the first time counts."""
    connection.execute(
        "update billing.late_fees set exported_at = coalesce(exported_at, clock_timestamp()) where id = any(%s)",
        [list(ids)],
    )


def fee_totals(connection: Connection) -> list[dict[str, Any]]:
    """Fees per state and currency: count, fee, penalised balance."""
    return connection.execute(
        "select state, currency, count(*) as fees, sum(fee) as total, sum(penalised_balance) as penalised "
        "from billing.late_fees group by state, currency order by state, currency"
    ).fetchall()


def stopped(connection: Connection, days: Days) -> int:
    """Overdue invoices that a stop keeps out."""
    row = connection.execute(
        "select count(*) as n from billing.open_receivables as r where r.kind = 'invoice' "  # noqa: S608  constants
        f"and r.due_date < %(day_last)s and r.due_date < {_DAY} and r.open_amount > 0 and {_STOPPED}",
        day_values(days),
    ).fetchone()
    return row["n"] if row else 0
