"""What every handler works with: the account's state in one place."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from billing_assets.sandbox.kit import control
from billing_assets.sandbox.netsuite.authentication import Authentication
from billing_assets.sandbox.netsuite.bodies import Account
from billing_assets.sandbox.netsuite.credentials import Credentials
from billing_assets.sandbox.netsuite.references import References
from billing_assets.sandbox.netsuite.store import Record, Store
from billing_assets.sandbox.netsuite.switches import Switches


@dataclass(kw_only=True)
class Sandbox(control.Sandbox[Switches]):
    """The account: what it holds, who may call, how it misbehaves."""

    credentials: Credentials
    store: Store
    references: References
    authentication: Authentication
    jobs_waiting: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    readers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2, "suiteql"))

    def reset(self) -> None:
        """Forget all transactions, jobs and counts; references, switches and logins stay."""
        self.store.reset()

    def account(self) -> Account:
        """What a body is checked against, as of now."""
        return Account(self.references, frozenset(self.switches.closed_periods), self._invoice, self.store.applied_to)

    def find(self, record_type: str, reference: str) -> Record | None:
        """The record behind an internal id or `eid:EXT`, if it is of this type."""
        if reference[:4].lower() == "eid:":
            record_id = self.store.by_external.get(reference[4:].lower())
        else:
            record_id = int(reference) if reference.isascii() and reference.isdigit() and len(reference) < 19 else None
        record = None if record_id is None else self.store.get(record_id)
        return record if record is not None and record.type == record_type else None

    def _invoice(self, doc: Mapping[str, Any]) -> Record | None:
        if doc.get("id") is not None:
            return self.find("invoice", str(doc["id"]))
        return self.find("invoice", f"eid:{doc['externalId']}") if doc.get("externalId") is not None else None
