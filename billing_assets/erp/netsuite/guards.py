"""Settings that name another account, environment or prefix than our database belongs to are refused."""

from billing_assets.erp import bindings
from billing_assets.erp.billing_system.resource import BillingSystems
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.erp.settings import sources
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime


def compare(runtime: Runtime, connection: Connection) -> None:
    """Compares what settings and mapping name with what our database is bound to. Raises BoundElsewhereError."""
    bindings.compare(connection, runtime.of(NetSuite).named())


def belongs_to(runtime: Runtime, connection: Connection) -> str:
    """What our database is bound to, for people, and what of it is worth a second look. Raises BoundElsewhereError
    where the source is another."""
    said = bindings.bound_in_words(connection)
    loud = bindings.loud(runtime.of(NetSuite).named())
    for system, source in zip(runtime.of(BillingSystems), sources(runtime.settings), strict=True):
        if source.url is not None or source.is_ours:
            system.compare()
    return f"{said}. LOOK: {loud}" if loud else said
