"""A database that was put back to an earlier time: noticed for good, and what a person confirms afterwards.

Where the journal covers the lost time nothing has to be confirmed: what it knows was taken in again. Where it does not,
no month up to that day is closed and no reminder is sent until a person says so.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

import structlog
from psycopg.types.json import Jsonb

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.journal import store
from billing_assets.foundation.journal.errors import NothingToConfirm, RestoreUnconfirmed

log = structlog.get_logger(__name__)

How = Literal["journal", "netsuite"]
What = Literal["month", "reminders", "netsuite"]


# The month in which a restore was noticed, by the clock that is ahead of all others: it had begun somewhere.
_NOTICED_IN = "to_char((r.noticed_at + interval '14 hours') at time zone 'UTC', 'YYYY-MM')"


class Restore(NamedTuple):
    """A restore that was noticed. `covered`: the journal gave back the closes and reminders of the lost time."""

    id: int
    noticed_at: datetime
    how: str
    covered: bool
    facts: dict[str, Any]


class Confirmation(NamedTuple):
    """What a person confirmed after a restore; `period` of a month."""

    restore: int
    what: str
    period: str | None
    confirmed_by: str
    why: str
    confirmed_at: datetime
    sent_until: date | None


def note_restore(connection: Connection, how: How, facts: Mapping[str, Any], *, covered: bool | None = None) -> Restore:
    """Notes that this database was put back to an earlier time. `facts`: numbers, names and codes, no customer data.

    `covered` None, for what NetSuite told: covered if the journal had noticed the same restore and covered it, that is,
    since then nothing was sent to NetSuite. Call it before the first send after the start that found NetSuite ahead.
    """
    with connection.transaction():
        store.lock(connection)
        if covered is None:
            covered = _journal_covered_it(connection)
        (row,) = connection.execute(
            """
            insert into billing.restores (how, covered, facts) values (%s, %s, %s)
            returning id, noticed_at, how, covered, facts""",
            [how, covered, Jsonb(dict(facts))],
        ).fetchall()
    log.warning("database_was_put_back", noticed_by=how, covered_by_journal=covered, **facts)
    return Restore(**row)


def _journal_covered_it(connection: Connection) -> bool:
    row = connection.execute(
        """
        select exists (
            select from billing.restores as r
            where r.how = 'journal' and r.covered
              and r.id > coalesce((select max(id) from billing.restores where not covered), 0)
              and r.noticed_at > coalesce(
                  (select started_at from billing.posting_attempts order by id desc limit 1), '-infinity')
        ) as covered"""
    ).fetchone()
    return bool(row and row["covered"])


def restores(connection: Connection) -> list[Restore]:
    """Every restore that was ever noticed, the oldest first."""
    rows = connection.execute("select id, noticed_at, how, covered, facts from billing.restores order by id")
    return [Restore(**row) for row in rows]


def confirmations(connection: Connection) -> list[Confirmation]:
    """Everything that was ever confirmed, the oldest first."""
    rows = connection.execute(
        """
        select c.restore, c.what, c.period, w.decided_by as confirmed_by, w.why, w.decided_at as confirmed_at,
               c.sent_until
        from billing.restore_confirmations as c join billing.decisions as w on w.id = c.decision_id order by c.id"""
    )
    return [Confirmation(**row) for row in rows]


def unconfirmed(connection: Connection, what: What = "reminders", period: str | None = None) -> list[Restore]:
    """Restores after which this is not confirmed yet, the oldest first.

    `month` (with its `period`) and `reminders` concern restores that the journal does not cover; a month after the one
    in which the restore was noticed needs no word. `netsuite` concerns every restore that NetSuite showed.
    """
    rows = connection.execute(
        f"""
        select id, noticed_at, how, covered, facts from billing.restores as r
        where case when %(what)s = 'netsuite' then how = 'netsuite' else not covered end
          and (%(period)s::text is null or %(period)s <= {_NOTICED_IN})
          and not exists (
              select from billing.restore_confirmations as c
              where c.restore = r.id and c.what = %(what)s and c.period is not distinct from %(period)s)
        order by id""",  # noqa: S608  constants
        {"what": what, "period": period},
    )
    return [Restore(**row) for row in rows]


def months_unconfirmed(connection: Connection) -> list[str]:
    """Months with documents that are not closed for good and cannot be closed before somebody confirms them."""
    rows = connection.execute(
        f"""
        select distinct d.period from billing.document_totals as d
        where d.period is not null and d.state <> 'gone'
          and not exists (select from billing.closed_months as m where m.period = d.period and m.state = 'hard')
          and exists (
              select from billing.restores as r
              where not r.covered and d.period <= {_NOTICED_IN}
                and not exists (
                    select from billing.restore_confirmations as c
                    where c.restore = r.id and c.what = 'month' and c.period = d.period))
        order by 1"""  # noqa: S608  constants
    )
    return [row["period"] for row in rows]


def require_month(connection: Connection, period: str) -> None:
    """Raises RestoreUnconfirmed where a month must not be closed or reopened before a person confirms it."""
    if found := unconfirmed(connection, "month", period):
        raise RestoreUnconfirmed(
            f"{_told(found[-1])} Whether {period} was closed or reopened in the time that is lost, the journal cannot "
            f"say. Find out (the signed statement, the mail about it), then: billing restore confirm-month {period} "
            "--by … --why …; nothing was done."
        )


def require_reminders(connection: Connection) -> None:
    """Raises RestoreUnconfirmed where no reminder must be sent before a person confirms it."""
    if found := unconfirmed(connection, "reminders"):
        raise RestoreUnconfirmed(
            f"{_told(found[-1])} Which reminders went out in the time that is lost, the journal cannot say. Find out "
            "(`billing reminders plan` and the mail server's log), then: billing restore confirm-reminders --as sent "
            "(or again) --by … --why …; nothing was sent."
        )


def sent_until(connection: Connection) -> datetime | None:
    """The moment up to whose day, where the customer is, every reminder that fell due counts as sent, because a person
    said so after a restore.
    """
    row = connection.execute(
        """
        select max(w.decided_at) as moment
        from billing.restore_confirmations as c join billing.decisions as w on w.id = c.decision_id
        where c.sent_until is not null"""
    ).fetchone()
    return row["moment"] if row else None


def confirm(
    connection: Connection,
    what: What,
    period: str | None,
    decide: Callable[[str, str], int],
    sent_until: date | None = None,
) -> list[Restore]:
    """Notes for good that a person answers for this after every restore that waits for it; returns those restores.

    `decide` writes the decision down (what about, what) and gives its row. `sent_until`, of reminders: up to which day
    all that fell due counts as sent, where it has begun by now. Raises NothingToConfirm.
    """
    with connection.transaction():
        store.lock(connection)
        found = unconfirmed(connection, what, period)
        if not found:
            raise NothingToConfirm(period or what)
        decision = decide(period or what, "confirmed")
        for one in found:
            connection.execute(
                """
                insert into billing.restore_confirmations (restore, what, period, decision_id, sent_until)
                values (%s, %s, %s, %s, %s)""",
                [one.id, what, period, decision, sent_until],
            )
    log.info("restore_confirmed", what=what, period=period, restores=[one.id for one in found])
    return found


def _told(one: Restore) -> str:
    noticed = f"noticed {one.noticed_at:%Y-%m-%d %H:%M} UTC"
    if one.how == "netsuite":
        seen = f"NetSuite has transactions that this database never sent ({noticed})"
        return f"{seen}: it may have been put back to an earlier time."
    return f"The database was put back to an earlier time ({noticed}): the journal does not cover what is missing."
