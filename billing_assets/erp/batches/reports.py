"""What people ask of documents and batches: why one is not requeued, what an unlock would find."""

from collections.abc import Sequence
from typing import NamedTuple

from billing_assets.erp.documents.documents import State
from billing_assets.foundation.database.connection import Connection


class Standing(NamedTuple):
    """A document by its number, its state, and how its month is closed (`soft`, `hard`, None)."""

    number: str
    kind: str
    state: str
    period: str | None
    closed: str | None


def standing(connection: Connection, numbers: Sequence[str] | None) -> list[Standing]:
    """The documents with these numbers, or every rejected one."""
    rows = connection.execute(
        """
        select d.number, d.kind, d.state, d.period, m.state as closed
        from billing.staged_invoices as d left join billing.closed_months as m on m.period = d.period
        where case when %(numbers)s::text[] is null then d.state = 'rejected' else d.number = any(%(numbers)s) end
        order by d.id""",
        {"numbers": None if numbers is None else list(numbers)},
    )
    return [Standing(**row) for row in rows]


def why_not_requeued(numbers: Sequence[str], before: Sequence[Standing], after: Sequence[Standing]) -> dict[str, str]:
    """Why a requeue left documents as they were, by number. `before` and `after`: `standing` around it."""
    refused = {}
    for number in dict.fromkeys(numbers):
        was = [one for one in before if one.number == number]
        left = [one for one in after if one.number == number and one.state == State.REJECTED]
        if left:
            month = f"its month {left[0].period} is closed ({left[0].closed})" if left[0].closed else "try again"
            refused[number] = f"is rejected still: {month}."
        elif not was:
            refused[number] = "no document with this number is staged."
        elif State.REJECTED not in {one.state for one in was}:
            refused[number] = f"is not rejected: {', '.join(f'{one.kind} {one.state}' for one in was)}."
    return refused


def unknown_in(connection: Connection, partition_key: str) -> int:
    """Documents of a batch whose outcome is not known: an unlock leaves them with it."""
    (row,) = connection.execute(
        "select count(*) as n from billing.staged_invoices where batch = %s and state = 'posting'", [partition_key]
    ).fetchall()
    return int(row["n"])
