"""All that other areas use of this one: who the systems on both sides are, what is open there, and whom to write to."""

from billing_assets.erp import bindings
from billing_assets.erp.billing_system import contacts, receivables
from billing_assets.erp.billing_system.contacts import Contact
from billing_assets.erp.billing_system.queries import Queries
from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.erp.documents.credits import OpenCredits
from billing_assets.erp.documents.documents import Kind
from billing_assets.erp.netsuite import open_items
from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.open_items import InvoiceOf, OpenItem, OpenSum, UnreadableItem
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.erp.netsuite.sample_files import refuse_sample_late_fees
from billing_assets.erp.netsuite.suiteql import PAGE_ROWS
from billing_assets.erp.settings import SourceSettings
from billing_assets.foundation.source_database.connection import connect_source

__all__ = [
    "PAGE_ROWS",
    "BillingSystem",
    "Contact",
    "InvoiceOf",
    "Kind",
    "NetSuite",
    "NetSuiteClient",
    "OpenCredits",
    "OpenItem",
    "OpenSum",
    "Queries",
    "SourceSettings",
    "UnreadableItem",
    "bindings",
    "connect_source",
    "contacts",
    "open_items",
    "receivables",
    "refuse_sample_late_fees",
]
