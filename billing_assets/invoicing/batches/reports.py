"""What people see of batches: where each stands, and what was found in it."""

from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.batches.codes import CODES, TO_DO
from billing_assets.invoicing.batches.states import WORDS, Batch


class BatchStatus(NamedTuple):
    """A batch with its members by outcome: selected = open + invoiced + failed + taken out + released + discarded."""

    batch: int
    bill_group: str
    state: str
    words: str
    selected: int
    open: int
    held: int
    invoiced: int
    failed: int
    taken_out: int
    released: int
    discarded: int
    why: str | None
    retries: int | None


class FindingRow(NamedTuple):
    """A finding of a batch's member."""

    member: int
    account: str
    point: str
    period_start: str
    period_end: str
    member_state: str
    code: str
    severity: str
    sentence: str
    state: str
    waivable: bool
    to_do: str


def batches(connection: Connection, number: int | None = None, *, only_open: bool = False) -> list[BatchStatus]:
    """The batches, newest first; one, or those that are not finished."""
    rows = connection.execute(
        """
        select c.batch, c.bill_group, c.state, c.selected, c.open, c.held, c.invoiced, c.failed, c.taken_out,
            c.released, c.discarded, b.queue_why as why, b.retries
        from billing.invoice_batch_counts as c join billing.invoice_batches as b on b.id = c.batch
        where (%(batch)s::bigint is null or b.id = %(batch)s)
          and (not %(open)s or b.state not in ('completed', 'error_occurred', 'empty', 'released'))
        order by c.batch desc limit 1000""",
        {"batch": number, "open": only_open},
    )
    return [BatchStatus(**row | {"words": WORDS[Batch(row["state"])]}) for row in rows]


def findings(connection: Connection, batch: int, *, everything: bool = False) -> list[FindingRow]:
    """What is open in a batch, errors first; with `everything` also what is gone or waived."""
    rows = connection.execute(
        """
        select f.member, m.account, m.point, m.period_start::text, m.period_end::text, m.state as member_state, f.code,
            f.severity, f.sentence, f.state
        from billing.invoice_findings as f join billing.batch_members as m on m.id = f.member
        where m.batch = %s and (%s or f.state = 'open')
        order by array_position(array['error', 'warning', 'info'], f.severity), f.code, m.account, f.id""",
        [batch, everything],
    )
    return [
        FindingRow(
            **row,
            waivable=row["code"] in CODES and CODES[row["code"]].waivable,
            to_do=TO_DO.get(row["code"], ""),
        )
        for row in rows
    ]


def failed(connection: Connection, batch: int) -> list[dict[str, Any]]:
    """The members of a batch that could not be invoiced, with code and sentence."""
    return connection.execute(
        """
        select id as member, account, point, period_start::text, period_end::text, code, why
        from billing.batch_members where batch = %s and state = 'failed' order by id""",
        [batch],
    ).fetchall()


def left(connection: Connection, batch: int) -> list[dict[str, Any]]:
    """The failed members of a batch whose usage is neither on an invoice nor in a later batch, as `failed` has them."""
    return connection.execute(
        """
        select m.id as member, m.account, m.point, m.period_start::text, m.period_end::text, m.code, m.why
        from billing.batch_members as m
        where m.batch = %s and m.state = 'failed'
          and not exists (
            select from billing.invoiced_streams as s join billing.invoiced_usage as i on i.stream = s.id
            where (s.point, s.channel) = (m.point, m.channel) and i.is_live
              and i.days && daterange(m.period_start, m.period_end))
          and not exists (
            select from billing.batch_members as o
            where o.id > m.id and o.account = m.account and (o.point, o.channel) = (m.point, m.channel)
              and o.period_start < m.period_end and o.period_end > m.period_start)
        order by m.id""",
        [batch],
    ).fetchall()


def codes(connection: Connection, batch: int | None = None) -> list[dict[str, Any]]:
    """Open findings of open members by code, errors first, of a batch or all: `code`, `severity`, `members`."""
    return connection.execute(
        """
        select f.code, f.severity, count(distinct f.member)::int as members
        from billing.invoice_findings as f join billing.batch_members as m on m.id = f.member
        where f.state = 'open' and m.state in ('selected', 'clear', 'held')
          and (%(batch)s::bigint is null or m.batch = %(batch)s)
        group by f.code, f.severity order by array_position(array['error', 'warning', 'info'], f.severity), f.code""",
        {"batch": batch},
    ).fetchall()
