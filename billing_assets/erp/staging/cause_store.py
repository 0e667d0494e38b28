"""The SQL of what can go wrong with staged documents."""

from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection


class Waiting(NamedTuple):
    """Closed documents of one state and currency that have not been posted; `oldest` is since when the oldest waits."""

    state: str
    currency: str
    documents: int
    total: Decimal
    oldest: datetime


class WaitingCredit(NamedTuple):
    """A credit memo and an invoice for which it waits, because it is not in NetSuite; it may wait for several."""

    number: str
    invoice: str
    why: str
    since: datetime
    currency: str
    total: Decimal


class Watermark(NamedTuple):
    source: str
    watermark: datetime
    succeeded_at: datetime


# How long a closed document has waited must not start over when a failed run hands it back: so the earliest of its
# state, its batch and its first attempt. Several branches, as no single partial index covers all of these states.
_UNPOSTED = """
with unposted as (
    select id, state, currency, total, state_since, batch from billing.staged_invoices
    where state in ('held', 'ready', 'batched', 'rejected')
      -- that a credit memo waits for its invoice is a cause of its own
      and (applications is null or id not in (select w.id from billing.waiting_credits as w where w.state = 'ready'))
    union all
    select id, state, currency, total, state_since, batch from billing.staged_invoices
    where state in ('locked', 'posting')
    union all
    select id, state, currency, total, state_since, batch from billing.staged_invoices where state = 'differs'
), waiting as (
    select d.state, d.currency, d.total, least(d.state_since, b.planned_at, a.started_at) as since
    from unposted as d
    left join billing.locked_batches as b on b.partition_key = d.batch
    left join lateral (
        select t.started_at from billing.posting_attempts as t where t.document = d.id order by t.attempt limit 1
    ) as a on true
)
select state, coalesce(currency, 'no currency') as currency, count(*) as documents,
    coalesce(sum(total), 0) as total, min(since) as oldest
from waiting where since < %s group by 1, 2 order by 1, 2
"""


def unposted(connection: Connection, before: datetime) -> list[Waiting]:
    """Closed documents that are not posted and have waited since before the given time, by state and currency."""
    rows = connection.execute(_UNPOSTED, (before,)).fetchall()
    return [Waiting(**row) for row in rows]


def waiting_credits(connection: Connection, before: datetime) -> list[WaitingCredit]:
    """Credit memos that have waited for an invoice since before the given time; held ones count as held."""
    rows = connection.execute(
        """
        select number, invoice, why, since, currency, total from billing.waiting_credits
        where state = 'ready' and since < %s order by since, number, invoice""",
        (before,),
    ).fetchall()
    return [WaitingCredit(**row) for row in rows]


def undecided_voids(connection: Connection, before: datetime) -> list[dict[str, Any]]:
    """Credit memos proposed before the given time that are not decided: invoice, currency, total, since when."""
    return connection.execute(
        """
        select d.number, d.currency, p.total, p.proposed_at
        from billing.proposed_credit_memos as p join billing.staged_invoices as d on d.id = p.document
        where p.decision is null and p.proposed_at < %s order by p.id""",
        (before,),
    ).fetchall()


def watermarks(connection: Connection) -> list[Watermark]:
    """Per source its watermark (the source's clock) and when the staging that set it ended (our clock)."""
    rows = connection.execute(
        """
        select w.source, w.last_successful_run_at as watermark,
            coalesce(r.finished_at, w.last_successful_run_at) as succeeded_at
        from billing.watermarks as w
        left join lateral (
            select s.finished_at from billing.staging_runs as s where s.source = w.source order by s.id desc limit 1
        ) as r on true
        order by w.source
        """
    ).fetchall()
    return [Watermark(**row) for row in rows]
