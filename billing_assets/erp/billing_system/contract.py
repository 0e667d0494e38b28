"""The contract of columns (`sql/source/README.md`) in code: which columns the extraction queries give, of what type."""

from datetime import date
from types import NoneType
from typing import Any

from billing_assets.foundation.source_database.values import (
    Column,
    Unreadable,
    day,
    moment,
    number_column,
    number_or_null_column,
    or_null,
    text,
    text_column,
    text_or_empty,
    text_or_null_column,
    whole_number,
)

VERSION = "version"
"""An optional column of `documents.sql`: it shows that a document changed, and is no part of it."""

DOCUMENT_COLUMNS = (
    text_column("document_id"),
    text_column("kind"),
    text_column("number"),
    text_column("status"),
    Column("created_at", frozenset(), moment),
    Column("document_date", frozenset({date}), day),
    Column("due_date", frozenset({date, NoneType}), or_null(day)),
    *map(text_or_null_column, ("customer", "branch")),
    text_column("currency"),
    *map(text_or_null_column, ("terms", "purchase_order", "memo", "applies_to")),
    number_column("total"),
)
"""In the order of `Document`, between its `source` and its `extra`."""

LINE_COLUMNS = (
    text_column("document_id"),
    Column("line_no", frozenset({int}), whole_number),
    Column("item", frozenset({str}), text_or_empty),  # a line without an item is still a line; the mapping holds it
    text_or_null_column("description"),
    number_column("quantity"),
    number_column("unit_price"),
    number_column("amount"),
    text_or_null_column("tax_code"),
    number_or_null_column("tax_rate"),
    number_or_null_column("tax_amount"),
)
"""In the order of `Line`, after the document's id and before its `extra`."""

APPLICATION_COLUMNS = (text_column("document_id"), text_column("applies_to"), number_or_null_column("amount"))
"""In the order of `Application`, after the document's id."""


def _charged(value: Any) -> str:
    if (name := text(value)) not in CHARGED:
        raise Unreadable(f"is {name!r}, and neither {', '.join(CHARGED[:-1])} nor {CHARGED[-1]}")
    return name


CHARGED = ("monthly", "usage", "one_time")
"""How a service of a contract is charged."""

SERVICE_COLUMNS = (
    text_column("contract"),
    *map(text_or_null_column, ("customer", "branch")),
    text_column("service"),
    text_or_null_column("description"),
    *(Column(name, frozenset({date, NoneType}), or_null(day)) for name in ("starts_on", "ends_on")),
    Column("charged", frozenset(), _charged),
    number_or_null_column("expected_amount"),
)
"""In the order of `ContractService`."""
CONTACT_COLUMNS = (
    text_column("customer"),
    *map(text_or_null_column, ("name", "email", "language", "country", "region", "timezone")),
)
"""In the order of `Contact`."""
