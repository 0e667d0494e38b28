"""The product's own client, watched: no transaction may be open across its calls, and a run can die in one."""

from typing import Any

from psycopg.pq import TransactionStatus

from billing_assets.erp.netsuite.client import NetSuiteClient, RecordType
from billing_assets.erp.settings import NetSuiteSettings
from billing_assets.foundation.database.connection import Connection
from billing_assets.posting.answers import Answer


class KilledError(Exception):
    """The process of a run dies here: what it knows is gone, what it wrote stays."""


class WatchedClient(NetSuiteClient):
    """Sends over HTTP as ever. `connection` is the run's own; `dies_in` counts creates down to the run's death."""

    def __init__(self, settings: NetSuiteSettings) -> None:
        super().__init__(settings)
        self.connection: Connection | None = None
        self.alone = True  # the calling thread waits for each create: its connection can be looked at meanwhile
        self.dies_in: int | None = None
        self.sends_before_it_dies = False

    def create(self, record_type: RecordType, body: bytes) -> Answer:
        """One create, or the death before or after it."""
        if self.alone:
            self._look()
        dies = False
        if self.dies_in is not None:
            dies = self.dies_in <= 0
            self.dies_in -= 1
        if dies and not self.sends_before_it_dies:
            raise KilledError
        answer = super().create(record_type, body)
        if dies:
            raise KilledError
        return answer

    def suiteql_page(self, sql: str, *, limit: int, offset: int) -> dict[str, Any]:
        """One page of a query."""
        self._look()
        return super().suiteql_page(sql, limit=limit, offset=offset)

    def _look(self) -> None:
        if self.connection is not None:
            status = self.connection.info.transaction_status
            assert status == TransactionStatus.IDLE, f"a transaction is open across an HTTP call: {status.name}"
