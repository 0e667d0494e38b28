"""The SQL of corrections: opened once for an invoice, moved, ended. Each verb on the caller's connection."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.corrections.states import Correction, Outcome


class Opened(NamedTuple):
    """A correction that is open. `is_new`: it was opened now."""

    id: int
    state: Correction
    is_new: bool


def open_one(
    connection: Connection,
    original: int,
    reason: str,
    *,
    cause: int | None = None,
    message: int | None = None,
    due_at: datetime | None = None,
    decision: int | None = None,
) -> Opened:
    """Opens the correction of an invoice, or takes the one that is open, with what is known now."""
    row = connection.execute(
        """
        insert into billing.invoice_corrections (original, reason, cause, message, due_at, decision)
        values (%(original)s, %(reason)s, %(cause)s, %(message)s, %(due)s, %(decision)s)
        on conflict (original) where state in ('opened', 'waiting', 'ready') do nothing returning id, state""",
        {
            "original": original,
            "reason": reason,
            "cause": cause,
            "message": message,
            "due": due_at,
            "decision": decision,
        },
    ).fetchone()
    if row is not None:
        return Opened(row["id"], Correction(row["state"]), is_new=True)
    (row,) = connection.execute(
        """
        update billing.invoice_corrections
        set reason = %(reason)s, message = coalesce(%(message)s, message), decision = coalesce(%(decision)s, decision)
        where original = %(original)s and state in ('opened', 'waiting', 'ready') returning id, state""",
        {"original": original, "reason": reason, "message": message, "decision": decision},
    ).fetchall()
    return Opened(row["id"], Correction(row["state"]), is_new=False)


def move(connection: Connection, correction: int, state: Correction) -> None:
    """Gives a correction its next state; where it is there already nothing changes."""
    connection.execute(
        """
        update billing.invoice_corrections set state = %(state)s,
            ended_at = case when %(state)s = 'withdrawn' then clock_timestamp() end
        where id = %(id)s and state <> %(state)s""",
        {"state": str(state), "id": correction},
    )


def keep_back(connection: Connection, correction: int, code: str, why: str) -> None:
    """Notes what keeps a correction that may be done: a person looks."""
    connection.execute(
        "update billing.invoice_corrections set code = %s, why = %s where id = %s", [code, why, correction]
    )


def end(
    connection: Connection, correction: int, outcome: Outcome, batch: int | None, part_of: int | None = None
) -> None:
    """A correction that is ready is done. `part_of`: the one whose rebill has its days."""
    connection.execute(
        """
        update billing.invoice_corrections
        set state = 'done', outcome = %s, batch = %s, part_of = %s, code = null, why = null,
            ended_at = clock_timestamp()
        where id = %s""",
        [str(outcome), batch, part_of, correction],
    )


def withdraw(connection: Connection, proposed: Collection[int]) -> int:
    """Corrections that no person asked for are withdrawn where the utility does not cancel their usage any more.
    `proposed`: messages of usage and charges that are, or are replaced. How many."""
    return connection.execute(
        """
        update billing.invoice_corrections as c set state = 'withdrawn', ended_at = clock_timestamp()
        where c.state in ('waiting', 'ready') and c.decision is null and c.cause is not null and not exists (
            select from billing.invoiced_usage as u where u.invoice = c.original and u.message = any(%(messages)s)
            union all
            select from billing.invoiced_charges as g
            where g.invoice = c.original and g.message = any(%(messages)s))""",
        {"messages": list(proposed)},
    ).rowcount


def waiting(connection: Connection) -> int:
    """How many corrections wait for a replacement."""
    (row,) = connection.execute(
        "select count(*)::int as many from billing.invoice_corrections where state = 'waiting'"
    ).fetchall()
    return int(row["many"])


def last_of(connection: Connection, message: int) -> int | None:
    """The last correction that is done of an invoice that had this usage or these charges."""
    row = connection.execute(
        """
        select max(c.id) as id from billing.invoice_corrections as c
        where c.state = 'done' and c.original in (
            select invoice from billing.invoiced_usage where message = %(message)s
            union select invoice from billing.invoiced_charges where message = %(message)s)""",
        {"message": message},
    ).fetchone()
    return row["id"] if row else None
