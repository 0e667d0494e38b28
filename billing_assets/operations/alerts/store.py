"""The SQL of alerts: what is wrong in our tables, and which alerts went out when."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from billing_assets.foundation.alerts import Alert, Money, sum_money
from billing_assets.foundation.database.connection import Connection
from billing_assets.operations.alerts.causes import message

CLAIM_SECONDS = 120
"""How long a claim lives that its process neither confirmed nor gave back because it died; longer than any sending."""


class Claim(NamedTuple):
    """The right to tell people about a cause now. `repeats` counts how often it came up since `told_before`."""

    cause: str
    token: UUID
    repeats: int
    told_before: datetime | None


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
