"""What a credit memo is sent to settle: what the billing system says, as far as it is open in NetSuite."""

from decimal import Decimal

from billing_assets.domain.applications import shares
from billing_assets.netsuite.store import Posting


def apply_now(
    posting: Posting, still_open: dict[str, Decimal], applied: dict[int, dict[str, Decimal]]
) -> dict[str, Decimal]:
    """What of a credit memo settles each invoice, by internal id; for any other document nothing.

    It is taken off `still_open` (by internal id; an invoice that NetSuite does not show yet is open as it was posted),
    as several credit memos of a batch may settle one invoice, and noted in `applied` by document and number.
    """
    if not posting.document.targets:
        return {}
    of = posting.credited
    open_by_number = {number: still_open.setdefault(one.netsuite_id, one.total) for number, one in of.items()}
    applied[posting.id] = shares(-posting.document.total, posting.document.targets, open_by_number)
    for number, amount in applied[posting.id].items():
        still_open[of[number].netsuite_id] -= amount
    return {of[number].netsuite_id: amount for number, amount in applied[posting.id].items()}
