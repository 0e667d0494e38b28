"""What a credit memo is sent to settle: what the billing system says, as far as it is open in NetSuite."""

from decimal import Decimal

from billing_assets.erp.documents.applications import shares
from billing_assets.erp.netsuite.store import Posting


def apply_now(posting: Posting, still_open: dict[str, Decimal]) -> tuple[dict[str, Decimal] | None, dict[str, Decimal]]:
    """What of a credit memo settles each invoice, by number and by internal id. None and nothing for other documents.

    It is taken off `still_open` (by internal id; an invoice that NetSuite does not show yet is open as it was posted),
    as several credit memos of a batch may settle one invoice.
    """
    if not posting.document.targets:
        return None, {}
    of = posting.credited
    open_by_number = {number: still_open.setdefault(one.netsuite_id, one.total) for number, one in of.items()}
    applied = shares(-posting.document.total, posting.document.targets, open_by_number)
    for number, amount in applied.items():
        still_open[of[number].netsuite_id] -= amount
    return applied, {of[number].netsuite_id: amount for number, amount in applied.items()}
