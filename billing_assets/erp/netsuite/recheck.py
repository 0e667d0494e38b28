"""Before anything of a batch is sent, it is compared with the billing system once more; what changed goes back.

A document that was opened again, renumbered or stripped of a line after it was staged must not go out as it was. While
the billing system cannot be asked, nothing is sent: the batch waits.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import NamedTuple

import sqlalchemy
import structlog

from billing_assets.erp.billing_system.queries import Queries
from billing_assets.erp.documents.validation_rules import Finding
from billing_assets.erp.netsuite import recheck_store
from billing_assets.erp.staging import verbs
from billing_assets.erp.staging.recheck import Staged, differing
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.source_database.errors import CannotConnect, SourceBusy
from billing_assets.posting.batch_lease import Lease

log = structlog.get_logger(__name__)

_ASK_EVERY_SECONDS = 2.0


class Source(NamedTuple):
    """A billing system: its name, and how it is asked."""

    name: str
    connect: Callable[[], AbstractContextManager[sqlalchemy.Connection]]
    queries: Callable[[], Queries]


@dataclass
class Recheck:
    """The comparison of one run, to be called with our database and the lease, before each sending.

    Each document is compared once a run: a second call asks nothing, unless it finds more to be sent. `sent_back`:
    numbers of those that changed. `outage_seconds`: how long it waits for a billing system that cannot be reached.
    """

    sources: Sequence[Source]
    outage_seconds: float
    sent_back: list[str] = field(default_factory=list)
    _compared: set[int] = field(default_factory=set)

    def __call__(self, connection: Connection, lease: Lease) -> None:
        """Takes out of the batch what is not in its billing system as it was staged.

        Raises SourceError when a billing system cannot be asked, and StaleLockError.
        """
        for source in self.sources:
            self._compare(connection, lease, source)

    def _compare(self, connection: Connection, lease: Lease, source: Source) -> None:
        unsent = recheck_store.unsent(connection, lease.lock, source.name)
        new = [one for one in unsent if one.id not in self._compared]
        if not new:
            return
        found = self._differing(source, [one.staged for one in new], lease)
        back = {one.id: found[one.staged.document_id] for one in new if one.staged.document_id in found}
        if back:
            verbs.hold(connection, lease.lock, {document: [one] for document, one in back.items()})
            self.sent_back += [one.number for one in new if one.id in back]
            log.warning("changed_since_staging", batch=lease.lock.partition_key, documents=len(back))
        self._compared.update(one.id for one in new)

    def _differing(self, source: Source, staged: list[Staged], lease: Lease) -> dict[str, Finding]:
        began = time.monotonic()
        while True:
            lease.check()
            try:
                with source.connect() as connection:
                    return differing(connection, source.queries(), source.name, staged)
            except (CannotConnect, SourceBusy) as error:
                if time.monotonic() - began >= self.outage_seconds:
                    raise
                log.warning("billing_system_unreachable", reason=str(error), waits_seconds=self.outage_seconds)
                time.sleep(_ASK_EVERY_SECONDS)
