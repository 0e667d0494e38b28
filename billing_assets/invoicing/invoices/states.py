"""The states of an invoice as data; the database is guarded by the same table."""

from enum import StrEnum


class Invoice(StrEnum):
    """Where an invoice is. What is issued never changes: it is cancelled by a document of its own."""

    DRAFTED = "drafted"
    QA_HOLD = "qa_hold"  # a check before release found an error: a person looks
    APPROVED = "approved"
    ISSUED = "issued"  # it has its number
    DISCARDED = "discarded"  # its usage is free again; it never had a number
    CANCELLED = "cancelled"
    REBILLED = "rebilled"


TRANSITIONS: dict[Invoice, frozenset[Invoice]] = {
    Invoice.DRAFTED: frozenset({Invoice.QA_HOLD, Invoice.APPROVED, Invoice.DISCARDED}),
    Invoice.QA_HOLD: frozenset({Invoice.DRAFTED, Invoice.DISCARDED}),
    Invoice.APPROVED: frozenset({Invoice.DRAFTED, Invoice.ISSUED, Invoice.DISCARDED}),
    Invoice.ISSUED: frozenset({Invoice.CANCELLED}),
    Invoice.CANCELLED: frozenset({Invoice.REBILLED}),
}
