"""The SQL of alerts: what is wrong in our tables, and which alerts went out when."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from billing_assets.foundation.database.connection import Connection
from billing_assets.operations.alerts.causes import Alert, Money, StaleLock, Waiting, WaitingCredit, message, sum_money

CLAIM_SECONDS = 120
"""How long a claim lives that its process neither confirmed nor gave back because it died; longer than any sending."""


class Claim(NamedTuple):
    """The right to tell people about a cause now. `repeats` counts how often it came up since `told_before`."""

    cause: str
    token: UUID
    repeats: int
    told_before: datetime | None


class Watermark(NamedTuple):
    source: str
    watermark: datetime
    succeeded_at: datetime


class Left(NamedTuple):
    documents: int
    money: Money


_CLAIM = """
insert into billing.alerts as a (cause, title, message, severity, first_seen_at, last_seen_at, claim, claimed_at)
values (%(cause)s, %(title)s, %(message)s, %(severity)s, %(now)s, %(now)s, %(token)s, %(now)s)
on conflict (cause) do update set
    (title, message, severity) = (excluded.title, excluded.message, excluded.severity),
    last_seen_at = greatest(a.last_seen_at, excluded.last_seen_at),
    (claim, claimed_at, repeats) = (
        select case when due then excluded.claim else a.claim end,
            case when due then excluded.claimed_at else a.claimed_at end,
            case when due then a.repeats else a.repeats + 1 end
        from (select (a.last_told_at is null or a.last_told_at <= %(window_began)s)
            and (a.claimed_at is null or a.claimed_at <= %(claim_ended)s) as due) as free)
returning claim = %(token)s as mine, repeats, last_told_at
"""


def claim(connection: Connection, alert: Alert, window_minutes: float, now: datetime) -> Claim | None:
    """Take the right to tell people about this alert's cause, or None if they were told within the window.

    One statement decides, so of several watchers at once one gets it; every other sighting is counted. The claim must
    be confirmed or given back; if its process dies, the next look after CLAIM_SECONDS gets it.
    """
    token = uuid4()
    row = connection.execute(
        _CLAIM,
        {
            "cause": alert.cause,
            "title": alert.title,
            "message": message(alert, markdown=False),
            "severity": alert.severity.value,
            "now": now,
            "token": token,
            "window_began": now - timedelta(minutes=window_minutes),
            "claim_ended": now - timedelta(seconds=CLAIM_SECONDS),
        },
    ).fetchone()
    if row is None or not row["mine"]:
        return None
    return Claim(alert.cause, token, row["repeats"], row["last_told_at"])


def confirm(connection: Connection, held: Claim, now: datetime) -> None:
    """The alert was sent: the window begins, and what it reported is no longer counted."""
    connection.execute(
        """update billing.alerts set claim = null, claimed_at = null, last_told_at = %s, repeats = repeats - %s
        where cause = %s and claim = %s""",
        (now, held.repeats, held.cause, held.token),
    )


def give_back(connection: Connection, held: Claim) -> None:
    """Sending failed: the next look sends. This sighting counts as not reported."""
    connection.execute(
        """update billing.alerts set claim = null, claimed_at = null, repeats = repeats + 1
        where cause = %s and claim = %s""",
        (held.cause, held.token),
    )


_STALE_LOCKS = """
select b.partition_key, b.run_id, coalesce(b.locked_until, b.planned_at) as lease_ended, d.state,
    coalesce(d.currency, 'no currency') as currency, count(*) as documents, sum(d.total) as total
from billing.locked_batches as b
join billing.staged_invoices as d on d.batch = b.partition_key and d.state in ('locked', 'posting')
where b.state <> 'posted' and coalesce(b.locked_until, b.planned_at) < %s
group by 1, 2, 3, 4, 5
order by 3, 1
"""


def stale_locks(connection: Connection, ended_before: datetime) -> list[StaleLock]:
    """Batches with locked documents whose lease ended before the given time, oldest first."""
    rows = connection.execute(_STALE_LOCKS, (ended_before,)).fetchall()
    locks: dict[str, StaleLock] = {}
    for row in rows:
        empty = StaleLock(row["partition_key"], row["run_id"], row["lease_ended"], 0, 0, ())
        lock = locks.get(row["partition_key"], empty)
        posting = row["documents"] if row["state"] == "posting" else 0
        locks[lock.batch] = lock._replace(
            locked=lock.locked + row["documents"] - posting,
            posting=lock.posting + posting,
            money=sum_money([*lock.money, (row["currency"], row["total"])]),
        )
    return list(locks.values())


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


_LEFT = """
select coalesce(currency, 'no currency') as currency, count(*) as documents, coalesce(sum(total), 0) as total
from billing.staged_invoices
where batch = any(%s) and state in ('batched', 'locked', 'posting', 'rejected', 'differs')
group by 1
"""


def left_in_batches(connection: Connection, batches: list[str]) -> Left:
    """How many documents of these batches are not in NetSuite as they were sent, and their money: what a failed run
    leaves behind."""
    rows: list[dict[str, Any]] = connection.execute(_LEFT, (batches,)).fetchall()
    amounts: list[tuple[str, Decimal]] = [(row["currency"], row["total"]) for row in rows]
    return Left(sum(row["documents"] for row in rows), sum_money(amounts))
