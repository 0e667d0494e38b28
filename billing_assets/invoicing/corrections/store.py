"""The SQL of corrections: opened once for an invoice, moved, ended. Each verb on the caller's connection."""

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
