"""Settings that name another account, environment or prefix than our database belongs to are refused."""

from billing_assets.erp import bindings
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime


def compare(runtime: Runtime, connection: Connection) -> None:
    """Compares what settings and mapping name with what our database is bound to. Raises BoundElsewhereError."""
    bindings.compare(connection, runtime.of(NetSuite).named())
