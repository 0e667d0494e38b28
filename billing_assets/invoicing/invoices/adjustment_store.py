"""The SQL of adjustments: differences that wait for the account's next bill, each on one live invoice."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from psycopg.types.json import Json

from billing_assets.foundation.database.connection import Connection

CODE = "ADJUSTMENT"


class Adjustment(NamedTuple):
    """A difference of an issued invoice, named `number`. `amount`: of the line, in the currency; `taxes`: by how much
    each changes, as `utility_invoice_taxes` has them."""

    id: int
    number: str
    period_start: date
    period_end: date
    amount: Decimal
    taxes: list[dict[str, Any]]

    @property
    def tax(self) -> Decimal:
        """All of its taxes."""
        return sum((Decimal(one["amount"]) for one in self.taxes), Decimal(0))

    @property
    def net(self) -> Decimal:
        """Its line without the taxes that are in it."""
        inside = sum((Decimal(one["amount"]) for one in self.taxes if one["is_inside"]), Decimal(0))
        return self.amount - inside


class Difference(NamedTuple):
    """By how much lines and taxes change; of taxes only those that do."""

    amount: Decimal
    taxes: list[dict[str, Any]]

    @property
    def total(self) -> Decimal:
        """What the customer owes more."""
        return self.amount + sum((Decimal(one["amount"]) for one in self.taxes if not one["is_inside"]), Decimal(0))


def difference(connection: Connection, original: int, draft: int | None) -> Difference:
    """A draft less the issued invoice of the same days and what was adjusted of that; without a draft what takes the
    adjustments back."""
    (row,) = connection.execute(
        """
        with parts as (
            select 1 as sign, %(draft)s::bigint as invoice where %(draft)s::bigint is not null
            union all select -1, %(original)s where %(draft)s::bigint is not null),
        before as (select * from billing.invoice_adjustments where original = %(original)s),
        each_tax as (
            select t.code, t.jurisdiction, t.rate, t.is_inside, p.sign * t.base as base, p.sign * t.amount as amount
            from parts as p join billing.utility_invoice_taxes as t on t.invoice = p.invoice
            union all
            select one->>'code', one->>'jurisdiction', (one->>'rate')::numeric, (one->>'is_inside')::boolean,
                -(one->>'base')::numeric, -(one->>'amount')::numeric
            from before cross join json_array_elements(before.taxes) as one),
        taxes as (
            select code, jurisdiction, rate, is_inside, sum(base) as base, sum(amount) as amount from each_tax
            group by 1, 2, 3, 4 having sum(base) <> 0 or sum(amount) <> 0)
        select
            coalesce((select sum(p.sign * l.amount) from parts as p
                join billing.utility_invoice_lines as l on l.invoice = p.invoice), 0)
            - coalesce((select sum(amount) from before), 0) as amount,
            (select coalesce(json_agg(json_build_object('code', code, 'jurisdiction', jurisdiction, 'rate', rate::text,
                'base', base::text, 'amount', amount::text, 'is_inside', is_inside)
                order by code, jurisdiction, rate), '[]') from taxes) as taxes""",
        {"original": original, "draft": draft},
    ).fetchall()
    return Difference(row["amount"], row["taxes"])


def was_adjusted(connection: Connection, original: int) -> bool:
    """Whether an invoice was adjusted before."""
    row = connection.execute(
        "select from billing.invoice_adjustments where original = %s limit 1", [original]
    ).fetchone()
    return row is not None


def hold(connection: Connection, correction: int, original: int, found: Difference) -> None:
    """Holds a difference of an issued invoice for the account's next bill; nothing where there is none."""
    if not found.amount and not found.taxes:
        return
    connection.execute(
        """
        insert into billing.invoice_adjustments (correction, original, account, currency, period_start, period_end,
            amount, taxes)
        select %s, id, account, currency, period_start, period_end, %s, %s
        from billing.utility_invoices where id = %s""",
        [correction, found.amount, Json(found.taxes), original],
    )


def held(
    connection: Connection, account: str, currency: str, rebill_of: int | None, correction: int | None
) -> list[Adjustment]:
    """What waits for an account's next bill; of a rebill what was on the invoices that its correction cancels.

    The caller has the account locked.
    """
    rows = connection.execute(
        """
        select a.id, o.number, a.period_start, a.period_end, a.amount, a.taxes
        from billing.invoice_adjustments as a join billing.utility_invoices as o on o.id = a.original
        where (a.account, a.currency) = (%(account)s, %(currency)s) and a.invoice is null
          and (%(rebill_of)s::bigint is null or a.was_on = %(rebill_of)s or a.was_on in (
            select c.cancels from billing.utility_invoices as c where c.correction = %(correction)s))
        order by a.id""",
        {"account": account, "currency": currency, "rebill_of": rebill_of, "correction": correction},
    )
    return [Adjustment(**row) for row in rows]


def put_on(connection: Connection, invoice: int, each: Sequence[Adjustment]) -> None:
    """Writes adjustments onto a draft: a line each after its others, and their taxes."""
    for one in each:
        text = f"Adjustment for {one.period_start} to {one.period_end}, invoice {one.number}"
        connection.execute(
            """
            insert into billing.utility_invoice_lines (invoice, position, code, bill_text, period_start, period_end,
                quantity, unit, price, amount, detail)
            select i.id,
                1 + (select coalesce(max(position), 0) from billing.utility_invoice_lines where invoice = i.id),
                %s, %s, i.period_start, i.period_end, 1, 'each', %s, %s, %s
            from billing.utility_invoices as i where i.id = %s""",
            [CODE, text, one.amount, one.amount, Json({"adjustment": one.id}), invoice],
        )
        connection.execute(
            """
            insert into billing.utility_invoice_taxes (
                invoice, position, code, jurisdiction, rate, base, amount, is_inside)
            select %(invoice)s, number + (
                    select coalesce(max(position), 0) from billing.utility_invoice_taxes where invoice = %(invoice)s),
                one->>'code', one->>'jurisdiction', (one->>'rate')::numeric, (one->>'base')::numeric,
                (one->>'amount')::numeric, (one->>'is_inside')::boolean
            from json_array_elements(%(taxes)s) with ordinality as t (one, number)""",
            {"invoice": invoice, "taxes": Json(one.taxes)},
        )
    connection.execute(
        "update billing.invoice_adjustments set invoice = %s where id = any(%s)", [invoice, [one.id for one in each]]
    )


def free(connection: Connection, invoices: Sequence[int]) -> None:
    """Adjustments on invoices that are discarded or cancelled wait for the next bill again."""
    connection.execute(
        "update billing.invoice_adjustments set invoice = null, was_on = invoice where invoice = any(%s)",
        [list(invoices)],
    )
