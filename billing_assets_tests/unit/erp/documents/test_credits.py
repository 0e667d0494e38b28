"""A customer's credits pay its invoices in their order, each once, and never make one dearer."""

from decimal import Decimal

from billing_assets.erp.documents.credits import OpenCredits


def test_credits_are_used_up_invoice_by_invoice_and_each_currency_has_its_own() -> None:
    left = OpenCredits()
    taken = [left.take("1", "GBP", Decimal(75), Decimal(50)) for _ in range(3)]
    assert taken == [50, 25, 0]
    assert left.take("1", "EUR", Decimal(10), Decimal(50)) == 10
    assert left.take("2", "GBP", Decimal(0), Decimal(50)) == 0


def test_what_a_customer_owes_beside_its_invoices_makes_no_invoice_dearer() -> None:
    """A refund that is not settled is a credit below zero."""
    assert OpenCredits().take("1", "GBP", Decimal(-20), Decimal(50)) == 0
