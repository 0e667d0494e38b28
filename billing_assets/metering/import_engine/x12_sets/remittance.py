"""820: what a payment pays. Amounts have a decimal point, unlike those of an 810.

Payments (RMR04) and adjustments (ADX01) are the total (BPR02). An adjustment that follows a payment may be part of it
already: the payment is then the invoice less discount and adjustment (RMR04 = RMR05 - RMR06 + ADX01), and it is not
counted again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from billing_assets.foundation.x12.segments import Segment
from billing_assets.metering.import_engine.messages import Finding
from billing_assets.metering.import_engine.x12_sets.codes import finding
from billing_assets.metering.import_engine.x12_sets.elements import ZERO, day, number, total


@dataclass(slots=True)
class Adjustment:
    """An ADX. `reason`: ADX02; `reference`: what it is about (ADX04)."""

    position: int
    amount: Decimal | None
    reason: str
    reference: str


@dataclass(slots=True)
class Payment:
    """An RMR: what is paid of an invoice. `invoiced`, `discount`: where given."""

    position: int
    qualifier: str
    invoice: str
    paid: Decimal | None
    invoiced: Decimal | None
    discount: Decimal | None
    adjustments: list[Adjustment] = field(default_factory=list)

    def contains_its_adjustments(self) -> bool:
        """Whether what is paid is already net of the adjustments that follow it."""
        if self.paid is None or self.invoiced is None or not self.adjustments:
            return False
        adjusted = total(one.amount for one in self.adjustments if one.amount is not None)
        return self.paid == self.invoiced - (self.discount or ZERO) + adjusted


@dataclass(slots=True)
class Remittance:
    """An 820. `total`: BPR02. `adjustments`: those of no payment."""

    total: Decimal | None = None
    credit_debit: str = ""
    paid_on: date | None = None
    trace: str = ""
    entities: int = 0
    payments: list[Payment] = field(default_factory=list)
    adjustments: list[Adjustment] = field(default_factory=list)

    def sum(self) -> Decimal:
        """What payments and adjustments add up to."""
        amounts = [one.amount for one in self.adjustments]
        for payment in self.payments:
            amounts.append(payment.paid)
            if not payment.contains_its_adjustments():
                amounts += [one.amount for one in payment.adjustments]
        return total(one for one in amounts if one is not None)


def read_remittance(segments: Sequence[Segment]) -> tuple[Remittance, list[Finding]]:
    """What an 820 says, from its ST to its SE, and the findings. It never raises for what is in the set."""
    found: list[Finding] = []
    read = Remittance()
    payment: Payment | None = None
    for segment in segments:
        name, at = segment.id, segment.at
        if name == "BPR":
            read.total, read.credit_debit, read.paid_on = number(at(2)), at(3), day(at(16))
        elif name == "TRN":
            read.trace = read.trace or at(2)
        elif name == "ENT":
            read.entities += 1
            payment = None
        elif name == "RMR":
            payment = Payment(segment.position, at(1), at(2), number(at(4)), number(at(5)), number(at(6)))
            read.payments.append(payment)
            if payment.paid is None:
                found.append(finding("NO_AMOUNT", segment.position, "A payment has no amount (RMR04)."))
        elif name == "ADX":
            adjustment = Adjustment(segment.position, number(at(1)), at(2), at(4))
            (payment or read).adjustments.append(adjustment)
            if adjustment.amount is None:
                found.append(finding("NO_AMOUNT", segment.position, "An adjustment has no amount (ADX01)."))
    summed = read.sum()
    if read.total is not None and summed != read.total:
        sentence = f"Payments and adjustments are {summed}, the total paid (BPR02) is {read.total}."
        found.append(finding("REMITTANCE_NOT_TOTAL", segments[0].position, sentence))
    return read, found
