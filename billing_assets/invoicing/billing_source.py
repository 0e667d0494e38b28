"""The invoice engine as a billing system: what it issued is closed documents of a source of its own."""

from billing_assets.foundation.shipped import shipped
from billing_assets.foundation.source_database.own import OwnSource


def source() -> OwnSource:
    """Where staging reads what was issued."""
    return OwnSource("invoicing", shipped("sql/source/invoicing"))
