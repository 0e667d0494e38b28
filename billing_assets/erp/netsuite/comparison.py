"""Whether a transaction in NetSuite is the document that we posted: one rule for the read-back and for the close."""

from decimal import Decimal
from typing import Protocol

from billing_assets.erp.documents.documents import Kind
from billing_assets.erp.netsuite.mapping import TRANSACTION_TYPES


class Ours(Protocol):
    """A posted document as we hold it. `total` is signed."""

    @property
    def kind(self) -> str: ...
    @property
    def total(self) -> Decimal: ...
    @property
    def netsuite_id(self) -> str: ...


class Theirs(Protocol):
    """A transaction as NetSuite shows it. `absolute_total` is without NetSuite's sign, None where it shows none."""

    @property
    def netsuite_id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def absolute_total(self) -> Decimal | None: ...


def misapplied(sent: Decimal | None, shown: Decimal | None) -> str | None:
    """How what NetSuite shows as applied of a credit memo differs from what was sent to be applied, in words.

    None where it does not, or where one of the two is not known.
    """
    if sent is None or shown is None or sent == shown:
        return None
    return f"{shown} applied instead of {sent}"


def deviations(ours: Ours, theirs: Theirs) -> str | None:
    """What of internal id, type and total (to the cent) is not as we posted it, in words; None where all is."""
    faults = []
    if theirs.netsuite_id != ours.netsuite_id:
        faults.append(f"internal id {theirs.netsuite_id} instead of {ours.netsuite_id}")
    if theirs.type != TRANSACTION_TYPES[Kind(ours.kind)]:
        faults.append(f"type {theirs.type}")
    if theirs.absolute_total != abs(ours.total):
        faults.append(f"total {theirs.absolute_total} instead of {abs(ours.total)}")
    return ", ".join(faults) or None
