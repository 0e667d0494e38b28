"""What staging does not hold of a billing system, for a supervised run that looks again and again."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.erp.billing_system.totals import month_documents, month_totals
from billing_assets.foundation.database.connection import Connection
from billing_assets.operations import movement_store
from billing_assets.operations.movement_store import Staged

_DOCUMENTS_SECONDS = 5.0
"""How long a comparison document by document counts while the sums stay as they are."""


@dataclass
class Unstaged:
    """The comparison of one billing system. Documents are compared only where the sums of a month differ, and not at
    every look: what drifted after posting differs for good."""

    connection: Connection
    system: BillingSystem
    _seen: object = None
    _seen_at: float = 0.0
    _found: tuple[int, list[str]] = (0, [])

    def of(self, periods: Sequence[str]) -> tuple[int, list[str]]:
        """How many documents of some months staging does not hold as they are there, and the first numbers."""
        name, queries = self.system.name, self.system.queries
        staged = movement_store.staged(self.connection, name, periods)
        with self.system.connection() as source:
            there: dict[tuple[str, str], Staged] = {}
            for period in periods:
                for total in month_totals(source, queries, period):
                    key = (period, total.status or "")
                    known = there.get(key, Staged(0, Decimal(0)))
                    there[key] = Staged(known.documents + total.count, known.total + total.total)
            differing = [
                period
                for period in periods
                if {key: one for key, one in staged.items() if key[0] == period}
                != {key: one for key, one in there.items() if key[0] == period}
            ]
            if not differing:
                return 0, []
            seen = (staged, there)
            if seen != self._seen or time.monotonic() - self._seen_at > _DOCUMENTS_SECONDS:
                found = [
                    movement_store.staged_otherwise(
                        self.connection, name, period, month_documents(source, queries, period)
                    )
                    for period in differing
                ]
                self._found = sum(many for many, _ in found), [one for _, some in found for one in some if one]
                self._seen, self._seen_at = seen, time.monotonic()
        return self._found
