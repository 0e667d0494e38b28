"""What a request selects: five kinds, each with its parameters. Plain data."""

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from billing_assets.foundation.errors import BillingError


class Selection(StrEnum):
    """How members are chosen. All take unbilled usage that ends on the cut-off or before."""

    CUSTOMER = "customer"  # these accounts, what waits too: a clerk sees why it cannot be billed
    BILL_GROUP = "bill_group"  # all billable members of these groups
    TRANSACTION_DATE_867 = "transaction_date_867"  # usage that arrived from one day until another, both included
    CONSUMPTION_TO = "consumption_to"  # usage that ends from one day until another, both included
    PRODUCTION_CYCLE = "production_cycle"  # the groups of a cycle, in its window


class SelectionError(BillingError):
    """The parameters do not fit the selection."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request: what to bill, never how. `since`, `until`: days, both included; for customers their usage's period."""

    selection: Selection
    cut_off: date
    names: tuple[str, ...] = ()  # accounts, groups, or the code of a cycle
    since: date | None = None
    until: date | None = None
    kind: str = "invoice"

    def __post_init__(self) -> None:
        by_day = self.selection in (Selection.TRANSACTION_DATE_867, Selection.CONSUMPTION_TO)
        if by_day and (self.since is None or self.until is None):
            raise SelectionError(f"{self.selection} needs a first and a last day.")
        if self.since and self.until and self.until < self.since:
            raise SelectionError(f"The last day {self.until} is before the first, {self.since}.")
        if not by_day and not self.names:
            raise SelectionError(f"{self.selection} needs names: accounts, bill groups, or a cycle.")

    @property
    def parameters(self) -> dict[str, Any]:
        """As JSON keeps them."""
        days = {"since": self.since and self.since.isoformat(), "until": self.until and self.until.isoformat()}
        return {"names": sorted(self.names), **days}

    @property
    def key(self) -> str:
        """The same for the same request: it is made once."""
        text = json.dumps([self.selection, self.parameters, self.cut_off.isoformat(), self.kind], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def wanted_of(selection: str, parameters: dict[str, Any], cut_off: date, kind: str) -> Wanted:
    """A request from what is kept of it."""
    since, until = (date.fromisoformat(one) if (one := parameters.get(name)) else None for name in ("since", "until"))
    return Wanted(Selection(selection), cut_off, tuple(parameters["names"]), since, until, kind)
