"""What the sample's customers pay: the same in every run, and of every sort."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from billing_assets.sandbox.samples.payments import LATEST_DAYS, Payment, payment_body, payment_of

ISSUED, DUE = date(2010, 11, 1), date(2010, 12, 1)


def _sort(number: str) -> str:
    payment = payment_of(number, ISSUED, DUE, Decimal(100))
    if payment is None:
        return "never"
    if payment.amount != 100:
        return "partly" if payment.amount < 100 else "too much"
    return "late" if payment.day > DUE else "in time"


def test_of_a_hundred_invoices_so_many_are_paid_in_each_way() -> None:
    shares = Counter(_sort(str(number)) for number in range(500_000, 510_000))
    told = {"in time": 72, "late": 12, "partly": 5, "too much": 4, "never": 7}
    assert shares.keys() == told.keys()
    assert all(abs(shares[sort] / 100 - percent) < 1 for sort, percent in told.items()), shares


def test_the_rule_never_changes() -> None:
    assert [_sort(number) for number in ("500017", "500000", "500004", "500021", "500002")] == [
        *("never", "in time", "too much", "partly", "late"),
    ]
    assert payment_of("500000", ISSUED, DUE, Decimal("12.34")) == Payment(date(2010, 11, 8), Decimal("12.34"))


@given(
    number=st.text("0123456789C", min_size=1, max_size=8),
    days=st.integers(0, 90),
    total=st.decimals("0.01", "99999", places=2),
)
def test_a_payment_lies_after_the_invoice_and_is_a_whole_amount(number: str, days: int, total: Decimal) -> None:
    due = ISSUED + timedelta(days=days)
    payment = payment_of(number, ISSUED, due, total)
    if payment is not None:
        assert ISSUED <= payment.day <= due + timedelta(days=LATEST_DAYS)
        assert payment.amount > 0
        assert payment.amount == payment.amount.quantize(Decimal("0.01"))


def test_a_payment_is_applied_to_its_invoice_as_far_as_that_is_open() -> None:
    body = payment_body("536365", "INV-536365", "17850", "GBP", Payment(DUE, Decimal("10.50")))
    assert body == {
        "externalId": "PAY-536365",
        "customer": {"externalId": "17850"},
        "currency": {"externalId": "GBP"},
        "tranDate": "2010-12-01",
        "payment": "10.50",
        "memo": "Payment of 536365",
        "apply": {"items": [{"doc": {"externalId": "INV-536365"}, "apply": True}]},
    }
