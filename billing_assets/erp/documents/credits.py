"""What a customer paid or was credited and is applied to nothing yet, counted against what it owes."""

from decimal import Decimal


class OpenCredits:
    """What is left of each customer's credits, by currency, as its invoices follow each other, the oldest first."""

    def __init__(self) -> None:
        self._left: dict[tuple[str, str], Decimal] = {}

    def take(self, customer: str, currency: str, credit: Decimal, balance: Decimal) -> Decimal:
        """As much of a balance as the customer's credit covers; it is used up by it. `credit` is all of it, positive,
        the same at each of the customer's invoices."""
        left = self._left.get((customer, currency), credit)
        taken = max(min(balance, left), Decimal(0))
        if taken:
            self._left[customer, currency] = left - taken
        return taken
