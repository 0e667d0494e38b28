"""What the sample's customers pay, and when: the same in every run, decided by a hash of the invoice's number.

Of a hundred invoices 72 are paid in time, 12 late, 5 in part, 4 too much (the rest stays unapplied), 7 never.
"""

import hashlib
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

IN_TIME_PERCENT, LATE_PERCENT, PARTLY_PERCENT, TOO_MUCH_PERCENT = 72, 12, 5, 4
LATEST_DAYS = 75
"""How long after the due date the last late payer pays."""


class Payment(NamedTuple):
    """A payment of an invoice. What exceeds the invoice stays unapplied."""

    day: date
    amount: Decimal


def payment_of(
    number: str, document_date: date, due_date: date, total: Decimal, minor_digits: int = 2
) -> Payment | None:
    """What is paid on an invoice, or None. `total` is what it was billed over, in units of its currency."""
    digest = hashlib.sha256(f"payment {number}".encode()).digest()
    percent, spread, share = (int.from_bytes(digest[n : n + 4]) for n in (0, 4, 8))
    percent %= 100
    in_time = due_date - timedelta(days=spread % max((due_date - document_date).days, 1))
    late = due_date + timedelta(days=1 + spread % LATEST_DAYS)
    for bound, payment in (
        (IN_TIME_PERCENT, Payment(in_time, total)),
        (LATE_PERCENT, Payment(late, total)),
        (PARTLY_PERCENT, Payment(late, _rounded(total * (20 + share % 61) / 100, minor_digits))),
        (TOO_MUCH_PERCENT, Payment(in_time, total + 5 + share % 46)),
    ):
        if percent < bound:
            return payment if payment.amount > 0 else None
        percent -= bound
    return None


def payment_body(number: str, external_id: str, customer: str, currency: str, payment: Payment) -> dict[str, Any]:
    """The customer payment in NetSuite's shape, applied to its invoice as far as that is open."""
    return {
        "externalId": f"PAY-{number}",
        "customer": {"externalId": customer},
        "currency": {"externalId": currency},
        "tranDate": payment.day.isoformat(),
        "payment": str(payment.amount),
        "memo": f"Payment of {number}",
        "apply": {"items": [{"doc": {"externalId": external_id}, "apply": True}]},
    }


def _rounded(amount: Decimal, minor_digits: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-minor_digits), ROUND_HALF_UP)
