"""Comparing a month by what a process has at hand, and the pack of the comparison."""

from contextlib import ExitStack

from billing_assets.erp.billing_system.resource import BillingSystems
from billing_assets.erp.close.lettering import fonts_with
from billing_assets.erp.close.pack import make_pack
from billing_assets.erp.close.reconciliation import Billing, MonthClose, close_month
from billing_assets.erp.close.store import Pack
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.erp.settings import CloseSettings
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime


def compared(runtime: Runtime, connection: Connection, period: str) -> MonthClose:
    """A comparison that is made now. Raises SourceError and NetSuiteError when one of them cannot be asked."""
    netsuite = runtime.of(NetSuite)
    with ExitStack() as opened:
        billing = [
            Billing(system.name, opened.enter_context(system.connection()), system.queries)
            for system in runtime.of(BillingSystems)
        ]
        return close_month(connection, billing, netsuite.client, netsuite.mapping, period)


def packed(runtime: Runtime, connection: Connection, close: MonthClose) -> Pack:
    """The workbook and the statement of a comparison, kept."""
    return make_pack(connection, close, fonts_with(runtime.settings.of(CloseSettings).fonts))
