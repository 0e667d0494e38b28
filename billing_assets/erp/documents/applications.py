"""How a credit memo is shared out over the invoices that it settles: never more than it has, or than they have open."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from billing_assets.erp.documents.documents import Application

_NOTHING = Decimal(0)


def shares(
    credit: Decimal, applications: Sequence[Application], still_open: Mapping[str, Decimal]
) -> dict[str, Decimal]:
    """What of a credit over `credit` (positive) settles each invoice, by number and in the order given; one that gets
    nothing is not in it. No invoice may be named twice.

    `still_open` is what each invoice has open, by number; one that it lacks has nothing. Where an amount is named, that
    much is settled if it is open. What is left then goes to those without an amount, one after the other, and what no
    invoice takes stays open on the credit memo.
    """
    left = credit
    taken: dict[str, Decimal] = {}
    for number, amount in sorted(applications, key=lambda one: one.amount is None):
        room = max(_NOTHING, min(left, still_open.get(number, _NOTHING)))
        taken[number] = room if amount is None else min(room, amount)
        left -= taken[number]
    return {number: taken[number] for number, _ in applications if taken[number]}
