"""Which months are closed: written by the close, heeded by whatever makes documents ready."""

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.periods import ClosedMonths, LateDocuments


def closed_months(connection: Connection, late: LateDocuments) -> ClosedMonths:
    """The months that are closed just now, with the policy for what comes late."""
    rows = connection.execute("select period, state from billing.closed_months order by period").fetchall()
    hard = [row["period"] for row in rows if row["state"] == "hard"]
    return ClosedMonths(
        frozenset(row["period"] for row in rows if row["state"] == "soft"), hard[-1] if hard else None, late
    )
