"""What metering proposes to invoicing, for invoicing to answer."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection


class Proposal(NamedTuple):
    """A candidate that is not answered. `original`: what was billed; `message`: the same for a credit, else what takes
    its place. `due_at`: until when a credit waits. Amounts are kWh, of a restatement."""

    kind: str
    message: int
    original: int
    cause: int
    state: str
    due_at: datetime | None
    old_amount: Decimal | None
    new_amount: Decimal | None


def proposals(connection: Connection, messages: Collection[int] | None = None) -> list[Proposal]:
    """Candidates that wait or are due, or those of these messages; in the order in which they came."""
    rows = connection.execute(
        """
        select kind, message, original, cause, state, due_at, old_amount, new_amount from billing.usage_candidates
        where state in ('waiting', 'due') and (%(messages)s::bigint[] is null or message = any(%(messages)s))
        order by original, kind, message""",
        {"messages": None if messages is None else list(messages)},
    )
    return [Proposal(**row) for row in rows]
